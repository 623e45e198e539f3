//! Moments at even distances.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

pub use tokio::time::MissedTickBehavior;

use super::{Instant, Sleep, sleep_until};

/// Ticks at once, and then every `period`.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     use septet::time::{Duration, Instant, interval};
///     let begun = Instant::now();
///     let mut ticks = interval(Duration::from_secs(1));
///     for second in 0..3 {
///         ticks.tick().await;
///         assert_eq!(begun.elapsed(), Duration::from_secs(second));
///     }
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Where `period` is zero; outside of a simulation and of tokio's runtime.
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks at `start`, and then every `period`.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     use septet::time::{Duration, Instant, interval_at};
///     let begun = Instant::now();
///     let mut ticks = interval_at(begun + Duration::from_secs(5), Duration::from_secs(1));
///     ticks.tick().await;
///     ticks.tick().await;
///     assert_eq!(begun.elapsed(), Duration::from_secs(6));
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Where `period` is zero; outside of a simulation and of tokio's runtime.
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    Interval { delay: Box::pin(sleep_until(start)), period, missed_tick_behavior: MissedTickBehavior::default() }
}

/// Ticks at even distances; see [`interval`].
#[derive(Debug)]
pub struct Interval {
    delay: Pin<Box<Sleep>>,
    period: Duration,
    missed_tick_behavior: MissedTickBehavior,
}

/// By so much a tick may be late and is not missed.
const SLACK: Duration = Duration::from_millis(5);

impl Interval {
    /// Waits for the next tick, and tells for when it was meant.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// The same as a step.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.delay.as_mut().poll(cx));
        let (meant, now) = (self.delay.deadline(), Instant::now());
        let next = if now.saturating_duration_since(meant) > SLACK {
            self.after_a_missed_tick(meant, now)
        } else {
            meant.checked_add(self.period).unwrap_or_else(Instant::far_future)
        };
        self.delay.as_mut().reset(next);
        Poll::Ready(meant)
    }

    fn after_a_missed_tick(&self, meant: Instant, now: Instant) -> Instant {
        match self.missed_tick_behavior {
            MissedTickBehavior::Burst => meant + self.period,
            MissedTickBehavior::Delay => now + self.period,
            MissedTickBehavior::Skip => {
                let late = now.saturating_duration_since(meant).as_nanos() % self.period.as_nanos();
                now + self.period - Duration::from_nanos(u64::try_from(late).unwrap_or_default())
            }
        }
    }

    /// The next tick is to come one period from now.
    pub fn reset(&mut self) {
        self.reset_at(Instant::now() + self.period);
    }

    /// The next tick is to come at once.
    pub fn reset_immediately(&mut self) {
        self.reset_at(Instant::now());
    }

    /// The next tick is to come after `after`.
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(Instant::now() + after);
    }

    /// The next tick is to come at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.delay.as_mut().reset(deadline);
    }

    /// What becomes of ticks that were missed.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_tick_behavior
    }

    /// Sets what becomes of ticks that were missed.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_tick_behavior = behavior;
    }

    /// The time from tick to tick.
    pub fn period(&self) -> Duration {
        self.period
    }
}
