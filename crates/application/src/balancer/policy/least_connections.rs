//! The backend with the fewest open connections or requests for its weight.

use core::cmp::Ordering;

use super::round_robin::RoundRobin;
use super::weighted_round_robin::Smooth;
use super::{Asked, Candidate, Entry, Pick, Policy, Weights};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "least-connections",
    summary: "the backend with the fewest open connections or requests, for its weight",
    weights: Weights::Live,
    build: |_| Box::new(LeastConnections::default()),
};

/// Takes turns among those that are equally busy.
#[derive(Default)]
pub(super) struct LeastConnections {
    turns: RoundRobin,
    shares: Smooth,
}

impl Policy for LeastConnections {
    fn pick(&mut self, _: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        let Some(least) = candidates.iter().min_by(|a, b| a.busier_than(b)) else {
            return Pick { position: 0, why: "the only one".into() };
        };
        let idlest: Vec<_> = candidates.iter().copied().filter(|c| c.busier_than(least) == Ordering::Equal).collect();
        // Nobody is busy at first, and a weight that counted only among the busy would count for little.
        let is_even = idlest.iter().all(|c| c.weight == least.weight);
        let turn = if is_even { self.turns.turn(&idlest) } else { self.shares.turn(&idlest) };
        let chosen = idlest[turn];
        let position = candidates.iter().position(|c| c.index == chosen.index).unwrap_or(0);
        let why = match (chosen.open, idlest.len()) {
            (n, 1) if candidates.iter().all(|c| c.weight == chosen.weight) => format!("fewest open: {n}").into(),
            (n, 1) => format!("fewest open for its weight: {n} with {}", chosen.weight).into(),
            (n, equal) if is_even => format!("its turn among {equal} with {n} open each").into(),
            (n, equal) => {
                format!("its turn among {equal} that are equally busy: {n} open with {}", chosen.weight).into()
            }
        };
        Pick { position, why }
    }
}
