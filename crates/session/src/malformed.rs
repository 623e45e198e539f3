//! Octets that are no PDU: where, and what should stand there.

use core::fmt;

/// What is wrong with octets that came from the other end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Of what they were to be: `TPKT`, `CR TPDU`, `MINOR SYNC POINT SPDU`.
    pub pdu: &'static str,
    /// Which octet, counted from zero.
    pub at: usize,
    /// What, in words.
    pub why: String,
}

impl Malformed {
    pub(crate) fn new(pdu: &'static str, at: usize, why: impl Into<String>) -> Self {
        Self { pdu, at, why: why.into() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "octet {} of a {}: {}", self.at, self.pdu, self.why)
    }
}

impl std::error::Error for Malformed {}
