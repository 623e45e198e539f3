//! The rules of a firewall: nft's chains, statements and expressions, read already.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::net::IpAddr;

use septet_core::Instant;

use crate::conntrack::{Direction, State};
use crate::filter::{Clause, Condition, End, Hook, Reject, Sense};
use crate::route::Iface;

/// All rules of a node, and its chains.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ruleset {
    /// The chains; statements name them by their place here.
    pub chains: Vec<Chain>,
    /// Which chain hangs at which hook.
    pub base: Vec<(Hook, usize)>,
    /// Which chain decides on translation at which hook, for the first packet of each conversation.
    pub nat: Vec<(Hook, usize)>,
    /// The names of named counters; statements name them by their place here.
    pub counters: Vec<String>,
}

/// A chain of rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// What becomes of a packet on which no rule decides, where it hangs at a hook.
    pub policy: Policy,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// What becomes of a packet on which no rule decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// It goes on.
    #[default]
    Accept,
    /// It is dropped.
    Drop,
}

/// A rule: its statements, from left to right, as far as packets fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// As it is written.
    pub text: String,
    /// As nft shows it, without what only a lab file knows; [`COUNTED`](super::listing::COUNTED) stands for what it counted.
    pub listed: String,
    /// Its statements.
    pub steps: Vec<Step>,
}

/// One statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The rule goes on for packets that fit.
    Match(Test),
    /// The rule goes on while the rate is kept, or while it is not.
    Limit(Limit),
    /// Packets that came so far are counted.
    Count,
    /// They are counted under this name too: an index into [`Ruleset::counters`].
    CountAs(usize),
    /// They are told of, behind this prefix.
    Log(String),
    /// What becomes of them.
    Do(Action),
    /// The same, by the first of these that fits; the rule goes on where none does.
    Map(Vec<(Test, Action)>),
}

/// What can be asked of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    /// Something that its headers say.
    Packet(Clause),
    /// Where it came in.
    Input(Vec<Face>, Sense),
    /// Where it leaves.
    Output(Vec<Face>, Sense),
    /// `ct state`
    State(Vec<State>, Sense),
    /// `ct direction`
    Direction(Direction, Sense),
    /// `ct status snat`, `dnat`
    Translated(Vec<End>, Sense),
    /// `fib saddr type local`, `fib daddr type local`
    Own(End, Sense),
}

impl Test {
    /// That a packet has something.
    pub const fn is(condition: Condition) -> Self {
        Self::Packet(Clause { condition, sense: Sense::Is })
    }
}

/// An interface as rules name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Face {
    /// `lo`: the way from the host to itself.
    Loopback,
    /// One with a number.
    Number(Iface),
}

/// `limit rate`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Whether packets fit while the rate is kept ([`Sense::Is`]) or `over` it.
    pub sense: Sense,
    /// So many …
    pub amount: u64,
    /// … in this time.
    pub per: Duration,
    /// So many at once.
    pub burst: u64,
    /// What is counted.
    pub of: Measure,
}

/// What a limit counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// Packets.
    Packets,
    /// Their octets.
    Bytes,
}

/// What becomes of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// It goes on.
    Accept,
    /// It is dropped.
    Drop,
    /// It is dropped, and its sender is told; without a word how, ICMP's port unreachable.
    Reject(Reject),
    /// The rules of another chain are asked, then those behind this one.
    Jump(usize),
    /// The rules of another chain are asked, and none behind this one.
    Goto(usize),
    /// The rules behind that which led here are asked.
    Return,
    /// The next rule is asked.
    Continue,
    /// The source becomes the address of the interface that it leaves by.
    Masquerade(Option<RangeInclusive<u16>>),
    /// The source becomes this address.
    Snat(IpAddr, Option<RangeInclusive<u16>>),
    /// The destination becomes this address, and this port.
    Dnat(IpAddr, Option<u16>),
    /// The destination becomes this host.
    Redirect(Option<u16>),
}

impl Ruleset {
    /// The statements of all rules.
    fn steps(&self) -> impl Iterator<Item = &Step> {
        self.chains.iter().flat_map(|chain| &chain.rules).flat_map(|rule| &rule.steps)
    }

    /// Whether a rule asks for more than the packet itself says.
    pub(super) fn needs_tracking(&self) -> bool {
        let asks = |test: &Test| matches!(test, Test::State(..) | Test::Direction(..) | Test::Translated(..));
        !self.nat.is_empty()
            || self.steps().any(|step| match step {
                Step::Match(test) => asks(test),
                Step::Map(map) => map.iter().any(|(test, _)| asks(test)),
                _ => false,
            })
    }
}

/// How much of a [`Limit`] is left: a bucket of nanoseconds, as `nft_limit` keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bucket {
    left: u128,
    last: Instant,
}

impl Limit {
    fn full(&self) -> u128 {
        let per = self.per.as_nanos();
        match self.of {
            Measure::Packets => (per / u128::from(self.amount.max(1))).saturating_mul(u128::from(self.burst.max(1))),
            Measure::Bytes => per * u128::from(self.amount + self.burst) / u128::from(self.amount.max(1)),
        }
    }

    fn cost(&self, len: usize) -> u128 {
        let per = self.per.as_nanos();
        match self.of {
            Measure::Packets => per / u128::from(self.amount.max(1)),
            Measure::Bytes => per * len as u128 / u128::from(self.amount.max(1)),
        }
    }

    /// A full one.
    pub(super) fn bucket(&self, now: Instant) -> Bucket {
        Bucket { left: self.full(), last: now }
    }

    /// Whether a packet of `len` octets fits.
    pub(super) fn fits(&self, bucket: &mut Bucket, now: Instant, len: usize) -> bool {
        let since = now.saturating_since(bucket.last).as_nanos();
        bucket.last = now;
        bucket.left = bucket.left.saturating_add(since).min(self.full());
        let kept = match bucket.left.checked_sub(self.cost(len)) {
            Some(left) => {
                bucket.left = left;
                true
            }
            None => false,
        };
        kept == (self.sense == Sense::Is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_lets_a_burst_through_and_then_its_rate() {
        let limit = Limit { sense: Sense::Is, amount: 10, per: Duration::from_secs(1), burst: 5, of: Measure::Packets };
        let mut bucket = limit.bucket(Instant::ZERO);
        let mut passed = |at: u64| limit.fits(&mut bucket, Instant::from_millis(at), 100);
        assert_eq!((0..20).filter(|_| passed(0)).count(), 5);
        assert_eq!((1..=1000).filter(|ms| passed(*ms)).count(), 10);
        assert_eq!((0..20).filter(|_| passed(60_000)).count(), 5, "no more is saved up than a burst");
        let over = Limit { sense: Sense::IsNot, ..limit.clone() };
        let mut bucket = over.bucket(Instant::ZERO);
        assert_eq!((0..20).filter(|_| over.fits(&mut bucket, Instant::ZERO, 100)).count(), 15);
    }
}
