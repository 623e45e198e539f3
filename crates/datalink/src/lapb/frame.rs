//! LAPB frames (ISO 7776, ITU-T X.25 §2.3): address, control field of modulo 8 or 128, information.

use septet_core::DropReason;

/// How many sequence numbers there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Modulo {
    /// Three bits: a window of up to seven frames.
    #[default]
    Eight,
    /// Seven bits: a window of up to 127 frames.
    OneTwentyEight,
}

impl Modulo {
    /// The number.
    pub const fn get(self) -> u8 {
        match self {
            Self::Eight => 8,
            Self::OneTwentyEight => 128,
        }
    }

    /// `n` modulo this.
    pub const fn wrap(self, n: u8) -> u8 {
        n & (self.get() - 1)
    }

    /// How far `to` is ahead of `from`.
    pub const fn distance(self, from: u8, to: u8) -> u8 {
        self.wrap(to.wrapping_sub(from))
    }
}

/// The two ends (X.25 §2.4.2): commands to the DCE carry B, commands to the DTE carry A.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Data terminal equipment, address A.
    Dte,
    /// Data circuit-terminating equipment, address B.
    Dce,
}

impl Side {
    /// Its address.
    pub const fn address(self) -> u8 {
        match self {
            Self::Dte => 0x03,
            Self::Dce => 0x01,
        }
    }

    /// The other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Dte => Self::Dce,
            Self::Dce => Self::Dte,
        }
    }
}

/// Whether a frame asks or answers; the address field tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A command; its bit is P (poll).
    Command,
    /// A response; its bit is F (final).
    Response,
}

/// The control field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// Information, numbered.
    I {
        /// Its own number.
        ns: u8,
        /// The number expected from the other end.
        nr: u8,
    },
    /// Receive ready.
    Rr {
        /// The number expected next.
        nr: u8,
    },
    /// Receive not ready: the data link's flow control.
    Rnr {
        /// The number expected next.
        nr: u8,
    },
    /// Reject: everything from `nr` on is to be sent again.
    Rej {
        /// The number expected next.
        nr: u8,
    },
    /// Selective reject: the one frame `nr` is to be sent again.
    Srej {
        /// The number of the frame.
        nr: u8,
    },
    /// Set asynchronous balanced mode, modulo 8.
    Sabm,
    /// Set asynchronous balanced mode extended, modulo 128.
    Sabme,
    /// Disconnect.
    Disc,
    /// Disconnected mode.
    Dm,
    /// Unnumbered acknowledgement.
    Ua,
    /// Frame reject.
    Frmr,
}

/// The P or F bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pf {
    /// 1
    Set,
    /// 0
    Clear,
}

/// A frame without its flags and FCS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LapbFrame<'a> {
    /// The address field.
    pub address: u8,
    /// The control field.
    pub control: Control,
    /// The P or F bit.
    pub pf: Pf,
    /// The information field: of I frames the payload, of FRMR the reason.
    pub info: &'a [u8],
}

impl<'a> LapbFrame<'a> {
    /// Reads a frame; `modulo` is the one in force, which only I and S frames depend on.
    ///
    /// # Errors
    /// [`DropReason::Runt`] where octets are missing; [`DropReason::Malformed`] where the control field is none.
    pub fn parse(bytes: &'a [u8], modulo: Modulo) -> Result<Self, DropReason> {
        let [address, c, rest @ ..] = bytes else { return Err(DropReason::Runt) };
        let (address, c) = (*address, *c);
        let pf = |bit: bool| if bit { Pf::Set } else { Pf::Clear };
        if c & 3 == 3 {
            let control = match c & !0x10 {
                0x2f => Control::Sabm,
                0x6f => Control::Sabme,
                0x43 => Control::Disc,
                0x0f => Control::Dm,
                0x63 => Control::Ua,
                0x87 => Control::Frmr,
                _ => return Err(DropReason::Malformed),
            };
            return Ok(Self { address, control, pf: pf(c & 0x10 != 0), info: rest });
        }
        let (ns, nr, bit, info) = match modulo {
            Modulo::Eight => (c >> 1 & 7, c >> 5, c & 0x10 != 0, rest),
            Modulo::OneTwentyEight => {
                let [second, info @ ..] = rest else { return Err(DropReason::Runt) };
                (c >> 1, second >> 1, second & 1 != 0, info)
            }
        };
        let control = if c & 1 == 0 {
            Control::I { ns, nr }
        } else {
            match c & 0x0f {
                0x01 => Control::Rr { nr },
                0x05 => Control::Rnr { nr },
                0x09 => Control::Rej { nr },
                _ => Control::Srej { nr },
            }
        };
        // In the extended format the upper half of a supervisory frame's first octet is reserved.
        if modulo == Modulo::OneTwentyEight && c & 1 == 1 && c >> 4 != 0 {
            return Err(DropReason::Malformed);
        }
        Ok(Self { address, control, pf: pf(bit), info })
    }

    /// The octets of the frame.
    pub fn build(&self, modulo: Modulo) -> Vec<u8> {
        let bit = u8::from(self.pf == Pf::Set);
        let mut bytes = Vec::with_capacity(self.info.len() + 3);
        bytes.push(self.address);
        let numbered = |low: u8, nr: u8| match modulo {
            Modulo::Eight => [low | bit << 4 | nr << 5, 0],
            Modulo::OneTwentyEight => [low, nr << 1 | bit],
        };
        let (octets, extended) = match self.control {
            Control::I { ns, nr } => (numbered(ns << 1, nr), true),
            Control::Rr { nr } => (numbered(0x01, nr), true),
            Control::Rnr { nr } => (numbered(0x05, nr), true),
            Control::Rej { nr } => (numbered(0x09, nr), true),
            Control::Srej { nr } => (numbered(0x0d, nr), true),
            Control::Sabm => ([0x2f | bit << 4, 0], false),
            Control::Sabme => ([0x6f | bit << 4, 0], false),
            Control::Disc => ([0x43 | bit << 4, 0], false),
            Control::Dm => ([0x0f | bit << 4, 0], false),
            Control::Ua => ([0x63 | bit << 4, 0], false),
            Control::Frmr => ([0x87 | bit << 4, 0], false),
        };
        let len = if extended && modulo == Modulo::OneTwentyEight { 2 } else { 1 };
        bytes.extend_from_slice(&octets[..len]);
        bytes.extend_from_slice(self.info);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_fields_of_table_2_5() {
        // X.25 table 2-5/2-6: bits 8 to 1.
        let build = |control, pf| LapbFrame { address: 3, control, pf, info: &[] }.build(Modulo::Eight)[1];
        assert_eq!(build(Control::I { ns: 5, nr: 3 }, Pf::Set), 0b0111_1010);
        assert_eq!(build(Control::Rr { nr: 6 }, Pf::Clear), 0b1100_0001);
        assert_eq!(build(Control::Rnr { nr: 6 }, Pf::Clear), 0b1100_0101);
        assert_eq!(build(Control::Rej { nr: 6 }, Pf::Set), 0b1101_1001);
        assert_eq!(build(Control::Sabm, Pf::Set), 0b0011_1111);
        assert_eq!(build(Control::Sabme, Pf::Set), 0b0111_1111);
        assert_eq!(build(Control::Disc, Pf::Set), 0b0101_0011);
        assert_eq!(build(Control::Dm, Pf::Set), 0b0001_1111);
        assert_eq!(build(Control::Ua, Pf::Set), 0b0111_0011);
        assert_eq!(build(Control::Frmr, Pf::Set), 0b1001_0111);
    }

    proptest! {
        #[test]
        fn what_parses_builds_again(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            for modulo in [Modulo::Eight, Modulo::OneTwentyEight] {
                if let Ok(frame) = LapbFrame::parse(&bytes, modulo) {
                    prop_assert_eq!(frame.build(modulo), bytes.clone());
                }
            }
        }
    }
}
