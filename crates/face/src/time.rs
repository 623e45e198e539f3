//! The monotonic clock, in the shape of `std::time::Instant`: virtual on a simulated host.

use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;
use std::sync::OnceLock;

use crate::program::Task;

/// A moment: the time since the world began, or since the process first asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Instant(Duration);

impl Instant {
    /// This moment.
    pub fn now() -> Self {
        static BEGUN: OnceLock<std::time::Instant> = OnceLock::new();
        match Task::current() {
            Some(task) => Self(task.process.now().saturating_since(septet_core::Instant::ZERO)),
            None => Self(BEGUN.get_or_init(std::time::Instant::now).elapsed()),
        }
    }

    /// The time since this moment.
    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    /// The time since `earlier`; zero where that is later.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, time: Duration) {
        *self = *self + time;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, time: Duration) {
        *self = *self - time;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}
