//! The backend that is expected to answer first: a moving average of how long its answers took, times what it has open
//! (Finagle's "peak EWMA").

use core::time::Duration;

use septet_core::Instant;

use super::round_robin::RoundRobin;
use super::{Asked, Candidate, Entry, Pick, Policy, Weights};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "latency",
    summary: "the backend that should answer first: how long its answers took lately, times what it has open",
    weights: Weights::Live,
    build: |_| Box::new(Latency::default()),
};

/// What was seen this long ago counts for 1/e of what is seen now (Finagle's default).
const MEMORY: Duration = Duration::from_secs(10);

/// How long answers took.
#[derive(Default)]
struct Latency {
    averages: Vec<Option<Average>>,
    turns: RoundRobin,
}

#[derive(Clone, Copy)]
struct Average {
    seconds: f64,
    at: Instant,
}

impl Average {
    /// How much of it is left: what has not been asked for a while may have become quick again.
    fn faded(&self, now: Instant) -> f64 {
        let age = now.saturating_since(self.at).as_secs_f64();
        self.seconds * libm::exp(-age / MEMORY.as_secs_f64())
    }
}

impl Policy for Latency {
    fn pick(&mut self, asked: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        let average = |c: &Candidate<'_>| self.averages.get(c.index).copied().flatten().map(|a| a.faded(asked.now));
        // One of which nothing is known is asked, but not by everybody at once before it has answered.
        let unknown: Vec<_> = candidates.iter().copied().filter(|c| c.open == 0 && average(c).is_none()).collect();
        if !unknown.is_empty() {
            let chosen = unknown[self.turns.turn(&unknown)];
            let position = candidates.iter().position(|c| c.index == chosen.index).unwrap_or(0);
            return Pick { position, why: "nothing is known of it yet".into() };
        }
        let slowest = candidates.iter().filter_map(average).fold(0.0, f64::max);
        let cost = |c: &Candidate<'_>| average(c).unwrap_or(slowest) * (c.open + 1) as f64 / f64::from(c.weight);
        let best = candidates.iter().enumerate().min_by(|(_, a), (_, b)| {
            // Before anything has answered at all, those with the fewest open.
            cost(a).total_cmp(&cost(b)).then_with(|| a.busier_than(b))
        });
        let Some((position, chosen)) = best else { return Pick { position: 0, why: "the only one".into() } };
        let why = match average(chosen) {
            Some(seconds) => format!("quickest: {:.1} ms, and {} open", seconds * 1e3, chosen.open).into(),
            None => format!("none has answered yet, and it has {} open", chosen.open).into(),
        };
        Pick { position, why }
    }

    fn observed(&mut self, index: usize, took: Duration, now: Instant) {
        if self.averages.len() <= index {
            self.averages.resize(index + 1, None);
        }
        let took = took.as_secs_f64();
        let seconds = match self.averages[index] {
            // A peak counts at once, and is forgotten slowly.
            Some(before) if took < before.faded(now) => {
                let age = now.saturating_since(before.at).as_secs_f64();
                let kept = libm::exp(-age / MEMORY.as_secs_f64());
                before.seconds * kept + took * (1.0 - kept)
            }
            _ => took,
        };
        self.averages[index] = Some(Average { seconds, at: now });
    }
}
