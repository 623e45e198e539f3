//! Each backend in turn, as often as its weight says, and the turns of one evenly between those of others (nginx's
//! smooth weighted round robin): weights of 5, 1 and 1 give a a b a c a a, and not a a a a a b c.

use super::{Asked, Candidate, Entry, Pick, Policy, Weights};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "weighted-round-robin",
    summary: "each backend in turn, as often as its weight says",
    weights: Weights::Live,
    build: |_| Box::new(Smooth::default()),
};

/// What each backend has saved up.
#[derive(Default)]
pub(super) struct Smooth {
    saved: Vec<i64>,
}

impl Smooth {
    /// The position of the one whose turn it is: each earns its weight, and who has most pays for all.
    pub(super) fn turn(&mut self, candidates: &[Candidate<'_>]) -> usize {
        let last = candidates.last().map_or(0, |c| c.index);
        if self.saved.len() <= last {
            self.saved.resize(last + 1, 0);
        }
        let (mut total, mut best) = (0, 0);
        for (position, candidate) in candidates.iter().enumerate() {
            let weight = i64::from(candidate.weight);
            self.saved[candidate.index] += weight;
            total += weight;
            if self.saved[candidate.index] > self.saved[candidates[best].index] {
                best = position;
            }
        }
        self.saved[candidates[best].index] -= total;
        best
    }
}

impl Policy for Smooth {
    fn pick(&mut self, _: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        let position = self.turn(candidates);
        Pick { position, why: format!("its turn, with a weight of {}", candidates[position].weight).into() }
    }
}
