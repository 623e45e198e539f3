//! How many requests may be tried again: so many that a failure stays unseen, so few that retries never become a load
//! of their own.

use std::sync::atomic::{AtomicU32, Ordering};

/// A retry costs what this many requests bring in: retries are at most a fifth of the requests, as in Finagle and
/// Linkerd.
const PRICE: u32 = 5;
/// What there is at the beginning, and at most: ten retries at once.
const MOST: u32 = 10 * PRICE;

/// A purse that requests fill and retries empty.
pub(super) struct Budget(AtomicU32);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(MOST))
    }
}

impl Budget {
    /// A request has come.
    pub(super) fn deposit(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some((n + 1).min(MOST)));
    }

    /// Whether one may be tried again; if so, that is paid for.
    #[must_use]
    pub(super) fn withdraw(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(PRICE)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_and_then_a_fifth_of_the_requests() {
        let budget = Budget::default();
        let retries = |n: usize| (0..n).filter(|_| budget.withdraw()).count();
        assert_eq!(retries(100), 10);
        for _ in 0..100 {
            budget.deposit();
        }
        // What was saved up is bounded, too.
        assert_eq!(retries(100), 10);
        let lasting = (0..1000).filter(|_| {
            budget.deposit();
            budget.withdraw()
        });
        assert_eq!(lasting.count(), 200);
    }
}
