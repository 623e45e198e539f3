//! The backend with the fewest open connections or requests.

use std::net::SocketAddr;

use super::round_robin::RoundRobin;
use super::{Candidate, Entry, Pick, Policy};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "least-connections",
    summary: "the backend with the fewest open connections or requests",
    build: || Box::new(LeastConnections::default()),
};

/// Takes turns among those that are equally busy.
#[derive(Default)]
pub(super) struct LeastConnections {
    turns: RoundRobin,
}

impl Policy for LeastConnections {
    fn pick(&mut self, client: SocketAddr, candidates: &[Candidate<'_>]) -> Pick {
        let least = candidates.iter().map(|c| c.open).min().unwrap_or(0);
        let idlest: Vec<_> = candidates.iter().copied().filter(|c| c.open == least).collect();
        let chosen = idlest[self.turns.pick(client, &idlest).position];
        let position = candidates.iter().position(|c| c.index == chosen.index).unwrap_or(0);
        let why = match (least, idlest.len()) {
            (n, 1) => format!("fewest open: {n}").into(),
            (n, equal) => format!("its turn among {equal} with {n} open each").into(),
        };
        Pick { position, why }
    }
}
