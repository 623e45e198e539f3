//! Any backend.

use septet_core::Rng;

use super::{Asked, Candidate, Entry, Pick, Policy, Weights, drawn};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "random",
    summary: "any backend, drawn by weight",
    weights: Weights::Live,
    build: |rng| Box::new(Random { rng: rng() }),
};

/// Remembers nothing.
struct Random {
    rng: Rng,
}

impl Policy for Random {
    fn pick(&mut self, _: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        Pick { position: drawn(&mut self.rng, candidates), why: "drawn at random".into() }
    }
}
