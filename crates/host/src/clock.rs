//! The clock of a host: what its programs take for the time, which may go wrong.

use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use septet_core::Instant;

/// A host's clock. It is right until it is skewed, and goes on while the host is switched off, as one with a battery does.
///
/// ```
/// use septet_core::Instant;
/// use septet_host::Clock;
/// let clock = Clock::default();
/// clock.drift(Instant::from_secs(10), 100_000);
/// assert_eq!(clock.shown(Instant::from_secs(20)), 21_000_000_000, "a tenth too fast from 10 s on");
/// assert_eq!(clock.when(21_000_000_000), Instant::from_secs(20));
/// ```
#[derive(Debug, Default)]
pub struct Clock(Mutex<Going>);

/// How a clock goes.
#[derive(Clone, Copy, Debug, Default)]
struct Going {
    /// When it began to go so, in the world's time.
    since: Instant,
    /// What it showed then, in nanoseconds since the world began.
    shown: i64,
    /// By how many parts in a million it is too fast.
    ppm: i32,
    /// By how much its civil time is ahead, in nanoseconds.
    ahead: i64,
}

const MILLION: i128 = 1_000_000;

impl Clock {
    fn going(&self) -> Going {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its civil time is to be ahead by so many nanoseconds, behind where they are negative.
    pub fn step(&self, ahead: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ahead = ahead;
    }

    /// From `now` on it is to be too fast by so many parts in a million, too slow where they are negative; what it has gained
    /// so far it keeps.
    pub fn drift(&self, now: Instant, ppm: i32) {
        let mut going = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        going.shown = going.at(now);
        // One that stood still would never let a timer fire.
        (going.since, going.ppm) = (now, ppm.max(-999_999));
    }

    /// What it shows at `world`, in nanoseconds since the world began: its monotonic time, which no step touches.
    pub fn shown(&self, world: Instant) -> i64 {
        self.going().at(world)
    }

    /// When in the world's time it shows `own`, as it goes now; not before.
    pub fn when(&self, own: i64) -> Instant {
        let Going { since, shown, ppm, .. } = self.going();
        let left = (i128::from(own) - i128::from(shown)) * MILLION;
        let rate = MILLION + i128::from(ppm);
        let passed = left.div_euclid(rate) + i128::from(left.rem_euclid(rate) != 0);
        let at = i128::from(since.as_nanos()) + passed;
        Instant::from_nanos(u64::try_from(at.max(0)).unwrap_or(u64::MAX))
    }

    /// What it takes for the civil time where that is `right`.
    pub fn civil(&self, world: Instant, right: Duration) -> Duration {
        let going = self.going();
        let off = i128::from(going.at(world)) - i128::from(world.as_nanos()) + i128::from(going.ahead);
        let nanos = (i128::try_from(right.as_nanos()).unwrap_or(i128::MAX) + off).max(0);
        Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32)
    }
}

impl Going {
    fn at(self, world: Instant) -> i64 {
        let passed = i128::from(world.as_nanos()) - i128::from(self.since.as_nanos());
        let own = i128::from(self.shown) + passed + passed * i128::from(self.ppm) / MILLION;
        own.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_gained_is_kept_and_no_timer_fires_early() {
        let clock = Clock::default();
        let at = Instant::from_secs;
        assert_eq!((clock.shown(at(5)), clock.when(5_000_000_000)), (5_000_000_000, at(5)));
        clock.drift(at(10), 100_000);
        clock.drift(at(20), -500_000);
        assert_eq!(clock.shown(at(22)), 22_000_000_000, "a second gained, then half as fast");
        for own in 21_000_000_001..21_000_000_050 {
            assert!(clock.shown(clock.when(own)) >= own);
        }
    }

    #[test]
    fn a_step_is_of_the_civil_time_alone() {
        let clock = Clock::default();
        clock.step(-3_000_000_000);
        let right = Duration::from_secs(1_000);
        assert_eq!(clock.civil(Instant::from_secs(7), right), Duration::from_secs(997));
        assert_eq!(clock.shown(Instant::from_secs(7)), 7_000_000_000);
    }
}
