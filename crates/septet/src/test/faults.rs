//! What went wrong in a world, and the hosts that it befell.

use core::fmt;

use septet_core::Instant;
use septet_lab::{FaultId, fault_line};

/// One host, or several, by name: `"a"`, `["a", "b"]`, `vec![…]`.
pub trait Hosts {
    /// The names.
    fn names(&self) -> Vec<String>;
}

impl Hosts for str {
    fn names(&self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl Hosts for String {
    fn names(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl<H: Hosts> Hosts for [H] {
    fn names(&self) -> Vec<String> {
        self.iter().flat_map(Hosts::names).collect()
    }
}

impl<H: Hosts, const N: usize> Hosts for [H; N] {
    fn names(&self) -> Vec<String> {
        self[..].names()
    }
}

impl<H: Hosts> Hosts for Vec<H> {
    fn names(&self) -> Vec<String> {
        self[..].names()
    }
}

impl<H: Hosts + ?Sized> Hosts for &H {
    fn names(&self) -> Vec<String> {
        (**self).names()
    }
}

/// A fault that happened, or is to.
#[derive(Clone, PartialEq, Debug)]
pub struct Happened {
    /// What, as a line of `[faults]` without its time.
    pub text: String,
    /// When it began.
    pub from: Instant,
    /// When it ended; absent: it lasts to the end, or is over at once.
    pub until: Option<Instant>,
    pub(super) id: Option<FaultId>,
}

impl fmt::Display for Happened {
    /// `5s..7s: cut a--b`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fault_line(&self.text, self.from, self.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_line_of_a_lab_file() {
        let happened = |from: u64, until: Option<u64>| Happened {
            text: "crash db".to_owned(),
            from: Instant::from_nanos(from),
            until: until.map(Instant::from_nanos),
            id: None,
        };
        assert_eq!(happened(2_000_000_000, None).to_string(), "2s: crash db");
        assert_eq!(happened(1_500_000, Some(2_000_000_001)).to_string(), "1500us..2000000001ns: crash db");
        assert_eq!(happened(0, Some(0)).to_string(), "0s: crash db");
    }
}
