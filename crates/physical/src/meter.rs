//! How full a queue was: exact maximum, time-weighted mean, and the moments at which a bound was broken.

use septet_core::Instant;

use crate::queue::{Limit, Occupancy};

/// A bound that was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Violation {
    /// When it first was.
    pub at: Instant,
    /// What waited then.
    pub occupancy: Occupancy,
}

#[derive(Clone, Debug)]
struct Watch {
    bound: Limit,
    from: Instant,
    until: Instant,
    broken: Option<Violation>,
}

/// Statistics over what waits in a queue.
#[derive(Clone, Default, Debug)]
pub struct Meter {
    last: Instant,
    /// Sum of waiting packets × nanoseconds, up to `last`.
    packet_time: u128,
    /// Sum of waiting bytes × nanoseconds, up to `last`.
    byte_time: u128,
    most: Occupancy,
    watches: Vec<Watch>,
}

impl Meter {
    /// `occupancy` held until `now`.
    pub(crate) fn advance(&mut self, now: Instant, occupancy: Occupancy) {
        let span = now.as_nanos().saturating_sub(self.last.as_nanos());
        if span > 0 {
            if occupancy.packets > 0 {
                self.packet_time += u128::from(occupancy.packets) * u128::from(span);
                self.byte_time += u128::from(occupancy.bytes) * u128::from(span);
                for watch in &mut self.watches {
                    // It may be too much already when the watch begins.
                    if watch.from < now {
                        watch.check(watch.from.max(self.last), occupancy);
                    }
                }
            }
            self.last = now;
        }
    }

    /// The queue has grown to `occupancy`.
    pub(crate) fn grown(&mut self, now: Instant, occupancy: Occupancy) {
        self.most.packets = self.most.packets.max(occupancy.packets);
        self.most.bytes = self.most.bytes.max(occupancy.bytes);
        for watch in &mut self.watches {
            watch.check(now, occupancy);
        }
    }

    /// Watches whether what waits stays within `bound` from `from` on and before `until`; `occupancy` waits now.
    /// Returns the number under which [`violation`](Self::violation) knows it.
    pub(crate) fn watch(
        &mut self,
        now: Instant,
        bound: Limit,
        from: Instant,
        until: Instant,
        occupancy: Occupancy,
    ) -> usize {
        let mut watch = Watch { bound, from, until, broken: None };
        watch.check(now, occupancy);
        self.watches.push(watch);
        self.watches.len() - 1
    }

    /// The first violation of the bound that `watch` returned this number for.
    pub fn violation(&self, watch: usize) -> Option<Violation> {
        self.watches.get(watch)?.broken
    }

    /// The most that ever waited, in packets and, each for itself, in bytes.
    pub fn most(&self) -> Occupancy {
        self.most
    }

    /// Packets that waited in the mean since the beginning.
    pub fn mean_packets(&self) -> f64 {
        mean(self.packet_time, self.last)
    }

    /// Bytes that waited in the mean since the beginning.
    pub fn mean_bytes(&self) -> f64 {
        mean(self.byte_time, self.last)
    }
}

impl Watch {
    fn check(&mut self, now: Instant, occupancy: Occupancy) {
        let over = match self.bound {
            Limit::Packets(n) => occupancy.packets > n,
            Limit::Bytes(n) => occupancy.bytes > n,
        };
        if over && self.broken.is_none() && self.from <= now && now < self.until {
            self.broken = Some(Violation { at: now, occupancy });
        }
    }
}

fn mean(sum: u128, until: Instant) -> f64 {
    if until == Instant::ZERO { 0.0 } else { sum as f64 / until.as_nanos() as f64 }
}
