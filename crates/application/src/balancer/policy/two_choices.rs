//! The less busy of two that are drawn at random (Mitzenmacher's power of two choices): nearly as even as to ask all, and
//! balancers that know nothing of one another do not all run to the same backend.

use core::cmp::Ordering;

use septet_core::Rng;

use super::{Asked, Candidate, Entry, Pick, Policy, Weights, drawn};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "two-choices",
    summary: "the less busy of two backends that are drawn by weight",
    weights: Weights::Live,
    build: |rng| Box::new(TwoChoices { rng: rng() }),
};

/// Remembers nothing.
struct TwoChoices {
    rng: Rng,
}

impl Policy for TwoChoices {
    fn pick(&mut self, _: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        let first = drawn(&mut self.rng, candidates);
        let others: Vec<_> = candidates.iter().copied().filter(|c| c.index != candidates[first].index).collect();
        if others.is_empty() {
            return Pick { position: first, why: "the only one".into() };
        }
        let second = others[drawn(&mut self.rng, &others)];
        let (a, b) = (candidates[first], second);
        let (chosen, other) = match a.busier_than(&b) {
            Ordering::Greater => (b, a),
            _ => (a, b),
        };
        let position = candidates.iter().position(|c| c.index == chosen.index).unwrap_or(0);
        let why = format!("of two that were drawn, {} open against {} of {}", chosen.open, other.open, other.name);
        Pick { position, why: why.into() }
    }
}
