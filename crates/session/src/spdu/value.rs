//! The values of parameters that are more than octets: functional units, tokens, serial numbers (X.225 §8.3).

use core::fmt;
use core::ops::{BitAnd, BitOr};

/// Functional units: the bits of Session User Requirements (§8.3.1.16).
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Units(pub u16);

impl Units {
    /// None but the kernel, which is always there.
    pub const KERNEL: Self = Self(0);
    /// Half duplex: who has the data token speaks.
    pub const HALF_DUPLEX: Self = Self(0x0001);
    /// Duplex: both speak when they like.
    pub const DUPLEX: Self = Self(0x0002);
    /// Expedited data.
    pub const EXPEDITED: Self = Self(0x0004);
    /// Minor synchronize.
    pub const MINOR: Self = Self(0x0008);
    /// Major synchronize.
    pub const MAJOR: Self = Self(0x0010);
    /// Resynchronize.
    pub const RESYNCHRONIZE: Self = Self(0x0020);
    /// Activity management.
    pub const ACTIVITY: Self = Self(0x0040);
    /// Negotiated release: who is asked may say no.
    pub const NEGOTIATED_RELEASE: Self = Self(0x0080);
    /// Capability data exchange.
    pub const CAPABILITY: Self = Self(0x0100);
    /// Exceptions.
    pub const EXCEPTIONS: Self = Self(0x0200);
    /// Typed data.
    pub const TYPED: Self = Self(0x0400);
    /// Symmetric synchronize.
    pub const SYMMETRIC: Self = Self(0x0800);
    /// Data separation.
    pub const SEPARATION: Self = Self(0x1000);

    /// Their names.
    pub const NAMES: [(Self, &'static str); 13] = [
        (Self::HALF_DUPLEX, "half duplex"),
        (Self::DUPLEX, "duplex"),
        (Self::EXPEDITED, "expedited data"),
        (Self::MINOR, "minor synchronize"),
        (Self::MAJOR, "major synchronize"),
        (Self::RESYNCHRONIZE, "resynchronize"),
        (Self::ACTIVITY, "activity management"),
        (Self::NEGOTIATED_RELEASE, "negotiated release"),
        (Self::CAPABILITY, "capability data"),
        (Self::EXCEPTIONS, "exceptions"),
        (Self::TYPED, "typed data"),
        (Self::SYMMETRIC, "symmetric synchronize"),
        (Self::SEPARATION, "data separation"),
    ];

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The tokens that these units bring along (§5.6).
    pub const fn tokens(self) -> Tokens {
        let mut tokens = 0;
        if self.has(Self::HALF_DUPLEX) {
            tokens |= Tokens::DATA.0;
        }
        if self.has(Self::MINOR) {
            tokens |= Tokens::MINOR.0;
        }
        if self.has(Self::MAJOR) || self.has(Self::ACTIVITY) {
            tokens |= Tokens::MAJOR.0;
        }
        if self.has(Self::NEGOTIATED_RELEASE) {
            tokens |= Tokens::RELEASE.0;
        }
        Tokens(tokens)
    }
}

impl BitOr for Units {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Units {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kernel")?;
        for (_, name) in Self::NAMES.iter().filter(|(unit, _)| self.has(*unit)) {
            write!(f, ", {name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Units({self})")
    }
}

/// Tokens: the bits of the Token Item (§8.3.16.2).
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Tokens(pub u8);

impl Tokens {
    /// None.
    pub const NONE: Self = Self(0);
    /// The data token.
    pub const DATA: Self = Self(0x01);
    /// The synchronize-minor token.
    pub const MINOR: Self = Self(0x04);
    /// The major/activity token.
    pub const MAJOR: Self = Self(0x10);
    /// The release token.
    pub const RELEASE: Self = Self(0x40);
    /// All of them.
    pub const ALL: Self = Self(0x55);

    const NAMES: [(Self, &'static str); 4] = [
        (Self::DATA, "data"),
        (Self::MINOR, "synchronize-minor"),
        (Self::MAJOR, "major/activity"),
        (Self::RELEASE, "release"),
    ];

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Tokens {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Tokens {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let names = Self::NAMES.iter().filter(|(token, _)| self.has(*token));
        for (n, (_, name)) in names.enumerate() {
            write!(f, "{}{name}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({self})")
    }
}

/// Whose tokens are: the two bits a token of the Token Setting Item (§8.3.1.14). What is neither the initiator's nor the
/// responder's is for the called SS-user to choose.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Setting {
    /// Those on the responder's side.
    pub responder: Tokens,
    /// Those that the called SS-user chooses the side of.
    pub choice: Tokens,
}

impl Setting {
    /// All on the initiator's side.
    pub const INITIATOR: Self = Self { responder: Tokens::NONE, choice: Tokens::NONE };

    /// What it becomes once the called SS-user has chosen: nothing is left open.
    #[must_use]
    pub fn settled(self, chosen: Self) -> Self {
        Self { responder: self.responder | (self.choice & chosen.responder), choice: Tokens::NONE }
    }

    /// The octet.
    pub const fn octet(self) -> u8 {
        // A token's bit is the lower of its two: 00 the initiator's side, 01 the responder's, 10 the called SS-user's choice.
        self.responder.without(self.choice).0 | self.choice.0 << 1
    }

    /// What the octet says; a reserved value is a choice.
    pub const fn from_octet(octet: u8) -> Self {
        let choice = Tokens(octet >> 1 & Tokens::ALL.0);
        Self { responder: Tokens(octet & Tokens::ALL.0).without(choice), choice }
    }
}

/// The number of a synchronization point: 0 to 999,999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Debug)]
pub struct Serial(u32);

impl Serial {
    /// The highest.
    pub const MAX: Self = Self(999_999);

    /// The number, where it is one.
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The one after, up to one more than what a serial number may be: a variable may stand there.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Its digits.
    pub fn digits(self) -> String {
        self.0.to_string()
    }

    /// What digits say.
    pub fn from_digits(digits: &[u8]) -> Option<Self> {
        if digits.is_empty() || digits.len() > 6 {
            return None;
        }
        let mut number = 0;
        for digit in digits {
            number = number * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        }
        Some(Self(number))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a resynchronization goes back (§8.3.25): its Resync Type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resync {
    /// To a synchronization point, at most as far as the last major one.
    Restart,
    /// To a new number: what was before is given up.
    Abandon,
    /// To any number.
    Set,
}

impl Resync {
    /// Its octet.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Restart => 0,
            Self::Abandon => 1,
            Self::Set => 2,
        }
    }

    /// What the octet says.
    pub const fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            0 => Self::Restart,
            1 => Self::Abandon,
            2 => Self::Set,
            _ => return None,
        })
    }
}

/// The bits of Transport Disconnect (§8.3.9.2).
pub mod disconnect {
    /// The transport connection is released.
    pub const RELEASED: u8 = 0x01;
    /// A user aborted.
    pub const USER: u8 = 0x02;
    /// A protocol error.
    pub const PROTOCOL: u8 = 0x04;
    /// No reason.
    pub const NO_REASON: u8 = 0x08;
    /// An implementation restriction.
    pub const RESTRICTION: u8 = 0x10;
}

/// The codes of a REFUSE (§8.3.5.10).
pub mod refusal {
    /// "Rejection by called SS-user; reason not specified."
    pub const NOT_SPECIFIED: u8 = 0;
    /// "Rejection by called SS-user due to temporary congestion."
    pub const CONGESTION: u8 = 1;
    /// "Rejection by called SS-user. Subsequent octets may be used for user data."
    pub const USER: u8 = 2;
    /// "Session Selector unknown."
    pub const SELECTOR: u8 = 128 + 1;
    /// "Proposed protocol versions not supported."
    pub const VERSIONS: u8 = 128 + 4;
    /// "Rejection by the SPM; reason not specified."
    pub const SPM: u8 = 128 + 5;
}
