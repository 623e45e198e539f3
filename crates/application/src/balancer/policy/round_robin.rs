//! Each backend in turn.

use std::net::SocketAddr;

use super::{Candidate, Entry, Pick, Policy};

/// The table's entry.
pub(super) const POLICY: Entry =
    Entry { name: "round-robin", summary: "each backend in turn", build: || Box::new(RoundRobin::default()) };

/// Remembers whose turn comes next.
#[derive(Default)]
pub(super) struct RoundRobin {
    next: usize,
}

impl Policy for RoundRobin {
    fn pick(&mut self, _: SocketAddr, candidates: &[Candidate<'_>]) -> Pick {
        // The first at or after the one whose turn it is, so that one that is away is passed over.
        let position = candidates.iter().position(|c| c.index >= self.next).unwrap_or(0);
        self.next = candidates[position].index + 1;
        Pick { position, why: "its turn".into() }
    }
}
