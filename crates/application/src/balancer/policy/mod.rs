//! Who gets the next connection or request.

mod latency;
mod least_connections;
mod maglev;
mod random;
mod ring;
mod round_robin;
mod source_hash;
mod two_choices;
mod weighted_round_robin;

use core::fmt;
use core::time::Duration;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use septet_core::{Instant, Rng};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A backend that may get the connection or request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate<'a> {
    /// Which of the balancer's backends it is, in the order of its declaration.
    pub index: usize,
    /// What it is called.
    pub name: &'a str,
    /// Its share beside the others', from 1.
    pub weight: u32,
    /// How many connections or requests it has open through this balancer.
    pub open: usize,
}

impl Candidate<'_> {
    /// Compares how busy two are, each measured by its weight.
    fn busier_than(&self, other: &Self) -> core::cmp::Ordering {
        // open / weight < other.open / other.weight, without fractions.
        (self.open as u128 * u128::from(other.weight)).cmp(&(other.open as u128 * u128::from(self.weight)))
    }
}

/// For whom a backend is picked, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The client.
    pub client: SocketAddr,
    /// Now.
    pub now: Instant,
}

/// What a policy decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pick {
    /// Which of the candidates, as a position in their list.
    pub position: usize,
    /// The reason in words.
    pub why: Cow<'static, str>,
}

/// Chooses among backends.
pub trait Policy: Send {
    /// Chooses one of `candidates`, which are at least one and in order of [`Candidate::index`].
    fn pick(&mut self, asked: &Asked, candidates: &[Candidate<'_>]) -> Pick;

    /// The backend of this [index](Candidate::index) took so long to answer, or to accept the connection.
    fn observed(&mut self, index: usize, took: Duration, now: Instant) {
        let _ = (index, took, now);
    }
}

/// What a policy makes of weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weights {
    /// Nothing.
    Ignored,
    /// Shares by weight; where one changes, clients move to others, and so none should change all the time.
    Fixed,
    /// Shares by weight, from one choice to the next.
    Live,
}

/// A policy in the table.
pub struct Entry {
    /// Its name in lab files.
    pub name: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What it makes of [weights](Candidate::weight).
    pub weights: Weights,
    /// Makes one for a balancer; it may draw random numbers from what it is given.
    pub build: fn(&dyn Fn() -> Rng) -> Box<dyn Policy>,
}

/// Every policy; the first is the default.
pub static POLICIES: &[Entry] = &[
    round_robin::POLICY,
    weighted_round_robin::POLICY,
    least_connections::POLICY,
    source_hash::POLICY,
    two_choices::POLICY,
    latency::POLICY,
    ring::POLICY,
    maglev::POLICY,
    random::POLICY,
];

/// The policy called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    POLICIES.iter().find(|p| p.name == name)
}

pub(super) fn default() -> &'static Entry {
    &POLICIES[0]
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The hash of a client's address, with a salt.
fn hash_of(client: IpAddr, salt: u64) -> u64 {
    match client {
        IpAddr::V4(ip) => xxh3_64_with_seed(&ip.octets(), salt),
        IpAddr::V6(ip) => xxh3_64_with_seed(&ip.octets(), salt),
    }
}

/// Which backends there are, and how much of each: what a table of a policy was made for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Shares(Vec<(usize, u32)>);

impl Shares {
    fn of(candidates: &[Candidate<'_>]) -> Self {
        Self(candidates.iter().map(|c| (c.index, c.weight)).collect())
    }

    fn is_of(&self, candidates: &[Candidate<'_>]) -> bool {
        self.0.len() == candidates.len() && self.0.iter().zip(candidates).all(|(s, c)| *s == (c.index, c.weight))
    }
}

/// A table that is costly to make, for each of the last few sets of backends: a retry leaves one out, and so does one
/// that is away for a moment.
struct Tables<T>(Vec<(Shares, T)>);

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Tables<T> {
    /// So many sets are remembered.
    const KEPT: usize = 8;

    /// The table for these backends, which `make` makes where it is not there.
    fn of(&mut self, candidates: &[Candidate<'_>], make: impl FnOnce(&[Candidate<'_>]) -> T) -> &T {
        match self.0.iter().position(|(shares, _)| shares.is_of(candidates)) {
            Some(0) => {}
            // The one that was asked for last comes first.
            Some(at) => self.0[..=at].rotate_right(1),
            None => {
                self.0.truncate(Self::KEPT - 1);
                self.0.insert(0, (Shares::of(candidates), make(candidates)));
            }
        }
        &self.0[0].1
    }
}

/// A position, drawn by weight.
fn drawn(rng: &mut Rng, candidates: &[Candidate<'_>]) -> usize {
    let total: u64 = candidates.iter().map(|c| u64::from(c.weight)).sum();
    let mut left = rng.below(total);
    for (position, candidate) in candidates.iter().enumerate() {
        match left.checked_sub(u64::from(candidate.weight)) {
            Some(rest) => left = rest,
            None => return position,
        }
    }
    0
}

#[cfg(test)]
mod tests;
