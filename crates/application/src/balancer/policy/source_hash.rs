//! The same backend for the same client address.

use std::net::{IpAddr, SocketAddr};

use xxhash_rust::xxh3::xxh3_64;

use super::{Candidate, Entry, Pick, Policy};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "source-hash",
    summary: "the same backend for the same client address",
    build: || Box::new(SourceHash),
};

/// Highest random weight ("rendezvous") hashing: when a backend leaves, only its own clients move.
pub(super) struct SourceHash;

impl Policy for SourceHash {
    fn pick(&mut self, client: SocketAddr, candidates: &[Candidate<'_>]) -> Pick {
        let weight = |c: &Candidate<'_>| {
            let mut key = c.name.as_bytes().to_vec();
            key.push(0);
            match client.ip() {
                IpAddr::V4(ip) => key.extend(ip.octets()),
                IpAddr::V6(ip) => key.extend(ip.octets()),
            }
            xxh3_64(&key)
        };
        let best = candidates.iter().enumerate().max_by_key(|(_, c)| weight(c));
        Pick { position: best.map_or(0, |(position, _)| position), why: format!("hash of {}", client.ip()).into() }
    }
}
