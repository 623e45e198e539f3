//! Who gets the next connection or request.

mod least_connections;
mod round_robin;
mod source_hash;

use core::fmt;
use std::borrow::Cow;
use std::net::SocketAddr;

/// A backend that may get the connection or request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate<'a> {
    /// Which of the balancer's backends it is, in the order of its declaration.
    pub index: usize,
    /// What it is called.
    pub name: &'a str,
    /// How many connections or requests it has open through this balancer.
    pub open: usize,
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
    fn pick(&mut self, client: SocketAddr, candidates: &[Candidate<'_>]) -> Pick;
}

/// A policy in the table.
pub struct Entry {
    /// Its name in lab files.
    pub name: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// Makes one for a balancer.
    pub build: fn() -> Box<dyn Policy>,
}

/// Every policy; the first is the default.
pub static POLICIES: &[Entry] = &[round_robin::POLICY, least_connections::POLICY, source_hash::POLICY];

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

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(open: &[(usize, usize)]) -> Vec<Candidate<'static>> {
        open.iter().map(|&(index, open)| Candidate { index, name: "web", open }).collect()
    }

    fn picks(policy: &str, rounds: &[&[(usize, usize)]]) -> Vec<usize> {
        let mut policy = (find(policy).unwrap().build)();
        rounds
            .iter()
            .map(|open| {
                let c = candidates(open);
                c[policy.pick(([10, 0, 0, 1], 4000).into(), &c).position].index
            })
            .collect()
    }

    #[test]
    fn round_robin_goes_on_where_it_was_when_a_backend_is_away() {
        let all: &[_] = &[(0, 0), (1, 0), (2, 0)];
        let without_1: &[_] = &[(0, 0), (2, 0)];
        assert_eq!(picks("round-robin", &[all, all, all, all]), [0, 1, 2, 0]);
        assert_eq!(picks("round-robin", &[all, without_1, without_1, all]), [0, 2, 0, 1]);
    }

    #[test]
    fn least_connections_takes_turns_among_equals() {
        let equal: &[_] = &[(0, 1), (1, 1), (2, 1)];
        let busy: &[_] = &[(0, 5), (1, 2), (2, 3)];
        assert_eq!(picks("least-connections", &[equal, equal, equal, busy]), [0, 1, 2, 1]);
    }

    #[test]
    fn source_hash_moves_only_the_clients_of_the_backend_that_left() {
        let mut policy = (find("source-hash").unwrap().build)();
        let mut pick = |client: u8, backends: &[usize]| {
            let names = ["web1", "web2", "web3"];
            let c: Vec<_> = backends.iter().map(|&i| Candidate { index: i, name: names[i], open: 0 }).collect();
            c[policy.pick(([10, 0, 0, client], 1).into(), &c).position].index
        };
        let mut counts = [0; 3];
        for client in 0..=255 {
            let before = pick(client, &[0, 1, 2]);
            counts[before] += 1;
            let after = pick(client, &[0, 2]);
            assert!(before == 1 || before == after);
        }
        assert!(counts.iter().all(|c| (60..115).contains(c)), "{counts:?}");
    }
}
