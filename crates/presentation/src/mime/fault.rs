//! What is wrong with a message, and where.

use core::fmt;

/// What is wrong with a message, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// How many octets of the message stand before it.
    pub offset: usize,
    /// On which line it stands, the first being 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub why: String,
}

impl Fault {
    /// Something at an octet of a message.
    pub(super) fn at(message: &[u8], offset: usize, why: impl Into<String>) -> Self {
        let offset = offset.min(message.len());
        let line = 1 + message[..offset].iter().filter(|octet| **octet == b'\n').count();
        Self { offset, line, why: why.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, line, why } = self;
        write!(f, "line {line} (byte {offset}): {why}")
    }
}

impl std::error::Error for Fault {}
