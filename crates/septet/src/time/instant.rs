//! A moment by the clock of a host.

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;
use std::sync::OnceLock;

use septet_host::Here;

use super::clock;

/// A moment: in a simulation by the clock of the host, outside by tokio's. It has what [`tokio::time::Instant`] has.
///
/// It is a number of nanoseconds, and so the same in every run of a simulation with the same seed, printed or hashed.
///
/// ```
/// use core::time::Duration;
/// use septet::time::Instant;
/// let now = Instant::now();
/// assert_eq!((now + Duration::from_secs(2)).duration_since(now), Duration::from_secs(2));
/// assert_eq!(now.saturating_duration_since(now + Duration::from_secs(1)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

/// The moment of the machine's clock that is number zero. In a simulation it is not asked for, unless a program turns its
/// moments into the standard library's.
fn base() -> std::time::Instant {
    static BASE: OnceLock<std::time::Instant> = OnceLock::new();
    *BASE.get_or_init(std::time::Instant::now)
}

fn nanos(duration: Duration) -> Option<i64> {
    i64::try_from(duration.as_nanos()).ok()
}

impl Instant {
    /// Now.
    pub fn now() -> Self {
        match Here::current() {
            Some(here) => Self(clock::shown(&here)),
            None => Self::from_std(tokio::time::Instant::now().into_std()),
        }
    }

    /// The moment that the standard library calls so.
    pub fn from_std(std: std::time::Instant) -> Self {
        let base = base();
        match std.checked_duration_since(base) {
            Some(later) => Self(nanos(later).unwrap_or(i64::MAX)),
            None => Self(nanos(base - std).map_or(i64::MIN, |n| -n)),
        }
    }

    /// The same moment as the standard library has it. In a simulation only differences to others of the same run mean
    /// anything.
    pub fn into_std(self) -> std::time::Instant {
        let away = Duration::from_nanos(self.0.unsigned_abs());
        let there = if self.0 < 0 { base().checked_sub(away) } else { base().checked_add(away) };
        there.unwrap_or_else(base)
    }

    pub(super) fn into_tokio(self) -> tokio::time::Instant {
        self.into_std().into()
    }

    /// Nanoseconds on the host's clock.
    pub(super) fn own(self) -> i64 {
        self.0
    }

    /// A moment that does not come.
    pub(super) fn far_future() -> Self {
        // As tokio has it: some thirty years.
        Self::now() + Duration::from_secs(86_400 * 365 * 30)
    }

    /// The time since `earlier`, or zero where that is later.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }

    /// The time since `earlier`; `None` where that is later.
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        let nanos = i128::from(self.0) - i128::from(earlier.0);
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    /// The time since `earlier`, or zero where that is later.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.checked_duration_since(earlier).unwrap_or_default()
    }

    /// The time since.
    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    /// The moment so much later; `None` where that cannot be told.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(nanos(duration)?).map(Self)
    }

    /// The moment so much earlier; `None` where that cannot be told.
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(nanos(duration)?).map(Self)
    }
}

impl From<std::time::Instant> for Instant {
    fn from(std: std::time::Instant) -> Self {
        Self::from_std(std)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> Self {
        instant.into_std()
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// # Panics
    /// Where the moment cannot be told, as [`std::time::Instant`].
    fn add(self, other: Duration) -> Self {
        self.checked_add(other).expect("overflow when adding duration to instant")
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, rhs: Self) -> Duration {
        self.saturating_duration_since(rhs)
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// # Panics
    /// Where the moment cannot be told, as [`std::time::Instant`].
    fn sub(self, rhs: Duration) -> Self {
        self.checked_sub(rhs).expect("overflow when subtracting duration from instant")
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, rhs: Duration) {
        *self = *self - rhs;
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "Instant({sign}{:?})", Duration::from_nanos(self.0.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_and_in_order() {
        let real = std::time::Instant::now();
        let ours = Instant::from_std(real);
        assert_eq!(ours.into_std(), real);
        assert!(ours < ours + Duration::from_nanos(1));
        assert_eq!(ours.checked_add(Duration::MAX), None);
        assert_eq!(format!("{:?}", Instant(1_500_000_000)), "Instant(1.5s)");
    }
}
