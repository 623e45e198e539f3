//! The wall clock as virtual time, and how far behind it the lab is.

use std::time::{Duration, Instant as WallInstant};

use septet_core::Instant;

/// Maps the wall clock to a world's time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: WallInstant,
    at: Instant,
}

impl Clock {
    /// A clock that shows `at` now.
    pub fn start(at: Instant) -> Self {
        Self { began: WallInstant::now(), at }
    }

    /// The world's time that it is now.
    pub fn now(&self) -> Instant {
        self.at + self.began.elapsed()
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
