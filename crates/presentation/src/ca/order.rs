//! What a certificate shall be like: whom it is for, who signs it, when it holds, and what is wrong with it.

use core::time::Duration;

use super::{BACKDATED, DAY, LEAF_LIFE, Usage};

/// The name of [`Flaw::WrongName`]; RFC 2606 §2 keeps `.invalid` from ever being one.
pub(super) const WRONG_NAME: &str = "elsewhere.invalid";

/// What a certificate shall be like.
///
/// ```
/// use septet_presentation::ca::{Flaw, Order};
/// let order = Order { flaw: Some(Flaw::Expired), ..Order::new(vec!["www.shop.test".to_owned()]) };
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// DNS names (a leading `*.` too) and IP addresses.
    pub names: Vec<String>,
    /// Who signs it.
    pub issued_by: IssuedBy,
    /// From when it holds, as the time since the authority was founded; a day before that where it is not said.
    pub from: Option<Duration>,
    /// Until when it holds, likewise; 397 days after the founding where it is not said.
    pub until: Option<Duration>,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
    /// Who shows it.
    pub usage: Usage,
}

/// Who signs a certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum IssuedBy {
    /// The intermediate authority, whose certificate the server shows behind its own.
    #[default]
    Intermediate,
    /// The root, which clients know; the server shows its own certificate alone.
    Root,
}

/// What may be wrong with a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// It held until a day before the founding of the authority.
    Expired,
    /// It holds from a day after the founding.
    NotYetValid,
    /// It is for another name.
    WrongName,
    /// It is signed with its own key.
    SelfSigned,
    /// Its chain ends at a root that nobody trusts.
    UntrustedRoot,
    /// The server leaves the certificate of the intermediate authority out.
    MissingIntermediate,
    /// The authority took it back: it stands on the list of what is revoked.
    Revoked,
}

/// A flaw in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlawEntry {
    /// Its name in lab files.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// The flaw.
    pub flaw: Flaw,
}

/// Every flaw.
pub const FLAWS: &[FlawEntry] = &[
    FlawEntry { name: "expired", summary: "it held until a day before the run", flaw: Flaw::Expired },
    FlawEntry { name: "not-yet-valid", summary: "it holds from a day after the run begins", flaw: Flaw::NotYetValid },
    FlawEntry { name: "wrong-name", summary: "it is for `elsewhere.invalid`", flaw: Flaw::WrongName },
    FlawEntry { name: "self-signed", summary: "it is signed with its own key", flaw: Flaw::SelfSigned },
    FlawEntry {
        name: "untrusted-root",
        summary: "its chain ends at a root that nobody trusts",
        flaw: Flaw::UntrustedRoot,
    },
    FlawEntry {
        name: "missing-intermediate",
        summary: "the server leaves the intermediate's certificate out",
        flaw: Flaw::MissingIntermediate,
    },
    FlawEntry {
        name: "revoked",
        summary: "the authority took it back, as those hear who get its list (`revocation`)",
        flaw: Flaw::Revoked,
    },
];

impl Order {
    /// A certificate for `names` with nothing wrong.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, issued_by: IssuedBy::default(), from: None, until: None, flaw: None, usage: Usage::Server }
    }

    /// From when until when it holds, for an authority founded at `now`.
    pub(super) fn validity(&self, now: Duration) -> (Duration, Duration) {
        match self.flaw {
            Some(Flaw::Expired) => (now.saturating_sub(DAY + LEAF_LIFE), now.saturating_sub(DAY)),
            Some(Flaw::NotYetValid) => (now + DAY, now + DAY + LEAF_LIFE),
            _ => (
                self.from.map_or(now.saturating_sub(BACKDATED), |from| now.saturating_add(from)),
                now.saturating_add(self.until.unwrap_or(LEAF_LIFE)),
            ),
        }
    }
}
