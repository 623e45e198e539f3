//! A part of a run.

use septet_core::Instant;

/// From when on and until when something counts; the second bound is not part of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Window {
    /// The first moment.
    pub after: Instant,
    /// The moment that ends it.
    pub before: Instant,
}

impl Window {
    /// The whole run.
    pub const ALL: Self = Self { after: Instant::ZERO, before: Instant::FAR_FUTURE };

    /// Whether `at` lies in it.
    pub fn holds(self, at: Instant) -> bool {
        self.after <= at && at < self.before
    }
}
