//! What happens next: a heap of small keys.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use septet_core::{Instant, StationId};

/// What an entry is about; of several at one instant at one station the lower comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// The transmitter of a path is free.
    Transmit = 0,
    /// The head of what is in flight on a path arrives.
    Arrival = 1,
    /// The backlog of a path may have fallen to its mark.
    Room = 2,
    /// The station's own deadline.
    Deadline = 3,
    /// Frames that wait in a gate of a path go on.
    Gate = 4,
}

/// When, at which station, and what: the order of events. Nothing in it depends on when it was entered.
///
/// One number, so that one comparison decides: from the top bit down 64 bits of time, 32 of station, 3 of kind and 29
/// of path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key(u128);

/// Bits of a key that name the path.
const PATH_BITS: u32 = 29;

impl Key {
    /// The most paths that a world can have.
    pub(crate) const MAX_PATHS: usize = 1 << PATH_BITS;

    #[inline]
    pub(crate) fn new(at: Instant, station: StationId, kind: Kind, path: u32) -> Self {
        let what = u64::from(station.0) << 32 | (kind as u64) << PATH_BITS | u64::from(path);
        Self(u128::from(at.as_nanos()) << 64 | u128::from(what))
    }

    /// The number that it is.
    #[inline]
    pub(crate) fn number(self) -> u128 {
        self.0
    }

    #[inline]
    pub(crate) fn at(self) -> Instant {
        Instant::from_nanos((self.0 >> 64) as u64)
    }

    #[inline]
    pub(crate) fn station(self) -> StationId {
        StationId((self.0 >> 32) as u32)
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        match self.0 as u32 >> PATH_BITS {
            0 => Kind::Transmit,
            1 => Kind::Arrival,
            2 => Kind::Room,
            3 => Kind::Deadline,
            _ => Kind::Gate,
        }
    }

    #[inline]
    pub(crate) fn path(self) -> u32 {
        self.0 as u32 & (Self::MAX_PATHS as u32 - 1)
    }
}

/// The pending events. An entry that no longer holds is not removed; whoever takes it out sees that it is stale.
///
/// The standard heap over packed keys was the fastest of the queues compared up to tens of thousands of pending
/// events (the workload `queues` of the benchmarks repeats the comparison).
#[derive(Debug, Default)]
pub(crate) struct Agenda(BinaryHeap<Reverse<Key>>);

impl Agenda {
    #[inline]
    pub(crate) fn peek(&self) -> Option<Key> {
        self.0.peek().map(|Reverse(key)| *key)
    }

    #[inline]
    pub(crate) fn push(&mut self, key: Key) {
        self.0.push(Reverse(key));
    }

    /// Takes the first entry out.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Key> {
        self.0.pop().map(|Reverse(key)| key)
    }

    /// Puts `key` in the place of the first entry: cheaper than taking that out and `key` in.
    #[inline]
    pub(crate) fn replace_first(&mut self, key: Key) {
        if let Some(mut first) = self.0.peek_mut() {
            *first = Reverse(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::Seed;

    #[test]
    fn gives_back_in_order() {
        let mut rng = Seed::new(1).stream("t");
        let mut agenda = Agenda::default();
        let mut model = std::collections::BinaryHeap::new();
        for _ in 0..20_000 {
            let key = Key::new(
                Instant::from_nanos(rng.below(500)),
                StationId(rng.below(5) as u32),
                Kind::Arrival,
                rng.below(4) as u32,
            );
            match rng.below(3) {
                0 => assert_eq!(agenda.pop(), model.pop().map(|std::cmp::Reverse(k)| k)),
                1 if !model.is_empty() => {
                    assert_eq!(agenda.peek(), model.pop().map(|std::cmp::Reverse(k)| k));
                    agenda.replace_first(key);
                    model.push(std::cmp::Reverse(key));
                }
                _ => {
                    agenda.push(key);
                    model.push(std::cmp::Reverse(key));
                }
            }
        }
        while let Some(std::cmp::Reverse(key)) = model.pop() {
            assert_eq!(agenda.pop(), Some(key));
        }
        assert_eq!(agenda.pop(), None);
    }

    #[test]
    fn key_keeps_its_parts() {
        let key = Key::new(Instant::from_secs(3), StationId(70_000), Kind::Room, 12_345);
        assert_eq!((key.station(), key.kind(), key.path()), (StationId(70_000), Kind::Room, 12_345));
        assert!(
            Key::new(Instant::ZERO, StationId(1), Kind::Deadline, 0)
                < Key::new(Instant::ZERO, StationId(2), Kind::Transmit, 9)
        );
    }
}
