//! When paths are computed after something has changed: RFC 8405's back-off. A single failure is answered at once; where changes go
//! on, they are gathered for longer.

use core::time::Duration;

use septet_core::Instant;

/// RFC 8405 §4's parameters. It "does not propose default values"; these are those of the common YANG model of OSPF (RFC 9129).
#[derive(Clone, Copy, Debug)]
pub(super) struct Delays {
    /// INITIAL_SPF_DELAY: "after an IGP event".
    pub(super) initial: Duration,
    /// SHORT_SPF_DELAY: until what one failure changes at several places is learned.
    pub(super) short: Duration,
    /// LONG_SPF_DELAY: "during periods of IGP instability".
    pub(super) long: Duration,
    /// TIME_TO_LEARN_INTERVAL: how long what one failure changes takes to be learned.
    pub(super) learn: Duration,
    /// HOLDDOWN_INTERVAL: how long nothing must change before all is held to be quiet.
    pub(super) quiet: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(50),
            short: Duration::from_millis(200),
            long: Duration::from_secs(5),
            learn: Duration::from_millis(500),
            quiet: Duration::from_secs(10),
        }
    }
}

/// RFC 8405 §5.1: "QUIET", "SHORT_WAIT" and "LONG_WAIT" follow from when the first and the last change were.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Backoff {
    /// Since when it is not quiet, and when the last change was.
    restless: Option<(Instant, Instant)>,
    /// SPF_TIMER.
    at: Option<Instant>,
}

impl Backoff {
    /// An "IGP event": something has changed, and paths are to be computed anew.
    pub(super) fn event(&mut self, now: Instant, delays: &Delays) {
        let (first, delay) = match self.restless.filter(|(_, last)| now < *last + delays.quiet) {
            // "Transition 1: IGP event while in QUIET state".
            None => (now, delays.initial),
            // "Transition 2: IGP event while in SHORT_WAIT".
            Some((first, _)) if now < first + delays.learn => (first, delays.short),
            // "Transition 4: IGP event while in LONG_WAIT".
            Some((first, _)) => (first, delays.long),
        };
        self.restless = Some((first, now));
        // "If SPF_TIMER is not already running, start it".
        self.at = self.at.or(Some(now + delay));
    }

    /// When paths are to be computed.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.at
    }

    /// Whether that is now.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_go_on_are_gathered_for_longer() {
        let delays = Delays::default();
        let ms = |ms: u64| Instant::ZERO + Duration::from_millis(ms);
        let mut backoff = Backoff::default();
        let mut at = |now: u64| {
            backoff.event(ms(now), &delays);
            let due = backoff.deadline().unwrap();
            assert!(!backoff.take_due(ms(now)) && backoff.take_due(due) && backoff.deadline().is_none());
            due.saturating_since(ms(now)).as_millis()
        };
        assert_eq!(at(1000), 50, "quiet");
        assert_eq!([at(1100), at(1499)], [200, 200], "the first half second");
        assert_eq!([at(1500), at(11_000)], [5000, 5000], "changes go on");
        assert_eq!(at(20_999), 5000, "for ten seconds after the last it is not quiet");
        assert_eq!([at(30_999), at(31_000)], [50, 200], "then it is");
    }

    #[test]
    fn a_computation_that_is_due_is_not_put_off() {
        let delays = Delays::default();
        let mut backoff = Backoff::default();
        backoff.event(Instant::from_secs(1), &delays);
        let due = backoff.deadline();
        backoff.event(Instant::from_secs(1) + Duration::from_millis(40), &delays);
        assert_eq!(backoff.deadline(), due);
    }
}
