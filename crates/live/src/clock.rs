//! The wall clock as virtual time, and how far behind it the lab is.

use std::cell::Cell;
#[cfg(test)]
use std::rc::Rc;
use std::time::{Duration, Instant as WallInstant};

use septet_core::Instant;

/// Maps the wall clock to a world's time. It never runs faster than the wall's; where a world cannot be played that
/// fast it is [set back](Self::slip_to), and counts what it lost.
#[derive(Clone, Debug)]
pub struct Clock {
    wall: Wall,
    at: Instant,
    lost: Cell<Duration>,
}

/// Where the time comes from.
#[derive(Clone, Debug)]
enum Wall {
    /// The machine's monotonic clock, from here on.
    Machine(WallInstant),
    /// What a test says has passed.
    #[cfg(test)]
    Told(Rc<Cell<Duration>>),
}

impl Clock {
    /// A clock that shows `at` now.
    pub fn start(at: Instant) -> Self {
        Self { wall: Wall::Machine(WallInstant::now()), at, lost: Cell::default() }
    }

    /// A clock that shows `at`, and as much more as `passed` says.
    #[cfg(test)]
    pub(crate) fn told(at: Instant, passed: Rc<Cell<Duration>>) -> Self {
        Self { wall: Wall::Told(passed), at, lost: Cell::default() }
    }

    /// The world's time that it is now.
    pub fn now(&self) -> Instant {
        self.at + self.wall().saturating_sub(self.lost.get())
    }

    /// What has passed on the wall since this clock was started.
    pub fn wall(&self) -> Duration {
        match &self.wall {
            Wall::Machine(began) => began.elapsed(),
            #[cfg(test)]
            Wall::Told(passed) => passed.get(),
        }
    }

    /// Sets the clock back to `at`, where it shows a later time.
    pub fn slip_to(&self, at: Instant) {
        let ahead = self.now().saturating_since(at);
        self.lost.set(self.lost.get() + ahead);
    }

    /// By how much it is behind the wall's clock, of all that it was set back.
    pub fn lost(&self) -> Duration {
        self.lost.get()
    }
}

/// How late events fired, as a histogram of powers of two.
#[derive(Clone, Debug, Default)]
pub struct Lag {
    /// `buckets[i]` counts lags below 2^i microseconds and not below half of that.
    buckets: [u64; 32],
    count: u64,
    max: Duration,
}

impl Lag {
    /// Counts one event.
    pub fn record(&mut self, lag: Duration) {
        let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.buckets[bucket.min(self.buckets.len() - 1)] += 1;
        self.count += 1;
        self.max = self.max.max(lag);
    }

    /// How many events were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latest of all.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// An upper bound on the lag of the share `q` of events, exact to a factor of two.
    pub fn quantile(&self, q: f64) -> Duration {
        let wanted = (self.count as f64 * q).ceil() as u64;
        let mut seen = 0;
        for (bucket, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= wanted.max(1) {
                return Duration::from_micros(1 << bucket).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_was_lost_stays_lost() {
        let wall = Rc::new(Cell::new(Duration::ZERO));
        let clock = Clock::told(Instant::from_millis(100), wall.clone());
        wall.set(Duration::from_millis(30));
        assert_eq!(clock.now(), Instant::from_millis(130));
        clock.slip_to(Instant::from_millis(110));
        assert_eq!((clock.now(), clock.lost()), (Instant::from_millis(110), Duration::from_millis(20)));
        clock.slip_to(Instant::from_millis(500));
        assert_eq!((clock.now(), clock.lost()), (Instant::from_millis(110), Duration::from_millis(20)), "never ahead");
        wall.set(Duration::from_millis(31));
        assert_eq!(clock.now(), Instant::from_millis(111));
    }

    #[test]
    fn quantiles_are_bounds() {
        let mut lag = Lag::default();
        assert_eq!(lag.quantile(0.5), Duration::ZERO);
        for micros in 1..=1000 {
            lag.record(Duration::from_micros(micros));
        }
        assert_eq!(lag.max(), Duration::from_millis(1));
        let median = lag.quantile(0.5);
        assert!((Duration::from_micros(500)..=Duration::from_micros(1000)).contains(&median), "{median:?}");
        assert_eq!(lag.quantile(1.0), Duration::from_millis(1));
    }
}
