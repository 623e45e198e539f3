//! Each backend in turn.

use super::{Asked, Candidate, Entry, Pick, Policy, Weights};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "round-robin",
    summary: "each backend in turn",
    weights: Weights::Ignored,
    build: |_| Box::new(RoundRobin::default()),
};

/// Remembers whose turn comes next.
#[derive(Default)]
pub(super) struct RoundRobin {
    next: usize,
}

impl RoundRobin {
    /// The position of the one whose turn it is.
    pub(super) fn turn(&mut self, candidates: &[Candidate<'_>]) -> usize {
        // The first at or after the one whose turn it is, so that one that is away is passed over.
        let position = candidates.iter().position(|c| c.index >= self.next).unwrap_or(0);
        self.next = candidates[position].index + 1;
        position
    }
}

impl Policy for RoundRobin {
    fn pick(&mut self, _: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        Pick { position: self.turn(candidates), why: "its turn".into() }
    }
}
