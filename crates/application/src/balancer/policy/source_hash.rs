//! The same backend for the same client address.

use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_64;

use super::{Asked, Candidate, Entry, Pick, Policy, Weights};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "source-hash",
    summary: "the same backend for the same client address, as long as it is there",
    weights: Weights::Fixed,
    build: |_| Box::new(SourceHash),
};

/// Highest random weight ("rendezvous") hashing: when a backend leaves, only its own clients move.
pub(super) struct SourceHash;

impl Policy for SourceHash {
    fn pick(&mut self, asked: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        let client = asked.client.ip();
        let luck = |c: &Candidate<'_>| {
            let mut key = c.name.as_bytes().to_vec();
            key.push(0);
            match client {
                IpAddr::V4(ip) => key.extend(ip.octets()),
                IpAddr::V6(ip) => key.extend(ip.octets()),
            }
            xxh3_64(&key)
        };
        let is_even = candidates.iter().all(|c| c.weight == candidates[0].weight);
        let best = match is_even {
            true => candidates.iter().enumerate().max_by_key(|(_, c)| luck(c)),
            false => candidates
                .iter()
                .enumerate()
                .max_by(|(_, a), (_, b)| score(luck(a), a.weight).total_cmp(&score(luck(b), b.weight))),
        };
        Pick { position: best.map_or(0, |(position, _)| position), why: format!("hash of {client}").into() }
    }
}

/// The logarithmic method: each backend is the best for as many clients as its weight says, and where one weight
/// changes only clients of that backend move.
fn score(luck: u64, weight: u32) -> f64 {
    // In (0, 1): the logarithm of neither end is asked for.
    let unit = (luck as f64 + 0.5) / (u64::MAX as f64 + 2.0);
    f64::from(weight) / -libm::log(unit.min(1.0 - f64::EPSILON))
}
