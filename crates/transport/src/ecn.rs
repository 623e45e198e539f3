//! The two bits of the IP header that RFC 3168 gives to congestion.

/// The ECN codepoint of an IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ecn {
    /// The sender does not understand ECN.
    #[default]
    NotEct,
    /// ECN-capable, codepoint `01`.
    Ect1,
    /// ECN-capable, codepoint `10`: what TCP uses.
    Ect0,
    /// Congestion experienced: a router marked it instead of dropping it.
    Ce,
}

impl Ecn {
    /// The bits of the octet in the IP header that are ECN's.
    pub const MASK: u8 = 3;

    /// The codepoint in the two low bits of `byte`.
    pub const fn from_bits(byte: u8) -> Self {
        match byte & Self::MASK {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits.
    pub const fn bits(self) -> u8 {
        self as u8
    }
}
