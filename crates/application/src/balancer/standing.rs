//! How one backend stands: whether its checks prove it well, whether it failed clients lately, whether it is being
//! drained, and how far its slow start has come.

use core::time::Duration;

use septet_core::Instant;

/// When a backend that fails clients is passed over for a while, beside what health checks find ("passive" checks,
/// outlier ejection).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ejection {
    /// After so many failures in a row.
    pub after: u32,
    /// For so long.
    pub time: Duration,
    /// At most this share of the backends is passed over at once, in percent; one always may be.
    pub share: u32,
}

impl Default for Ejection {
    /// nginx's `max_fails=1 fail_timeout=10s`.
    fn default() -> Self {
        Self { after: 1, time: Duration::from_secs(10), share: 100 }
    }
}

/// How a backend stands.
#[derive(Clone, Default, Debug)]
pub(super) struct Standing {
    /// What its checks say.
    proof: Proof,
    /// Results in a row that speak against that.
    contrary: u32,
    /// Failures in a row that clients met.
    failures: u32,
    ejected_until: Option<Instant>,
    /// Since when it has been getting clients again.
    since: Option<Instant>,
    drain: Option<Drain>,
}

/// What the checks of a backend say.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Proof {
    /// Nobody checks it.
    #[default]
    Unchecked,
    /// No check has ended yet.
    Open,
    Well,
    Down,
}

/// A backend that is to get nothing new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Drain {
    /// What is open then is broken off.
    deadline: Option<Instant>,
}

/// What came of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// It was taken in, after so many good results in a row.
    In(u32),
    /// It was taken out, after so many failures in a row.
    Out(u32),
}

impl Standing {
    /// Of a backend that is checked, and must pass once before it gets anything.
    pub(super) fn unproven() -> Self {
        Self { proof: Proof::Open, ..Self::default() }
    }

    /// Whether it may get clients at all.
    pub(super) fn is_in(&self) -> bool {
        matches!(self.proof, Proof::Unchecked | Proof::Well) && self.drain.is_none()
    }

    /// Whether only its first check is missing.
    pub(super) fn is_unproven(&self) -> bool {
        self.proof == Proof::Open && self.drain.is_none()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.drain.is_some()
    }

    pub(super) fn is_ejected(&self, now: Instant) -> bool {
        self.ejected_until.is_some_and(|until| until > now)
    }

    /// Whether it may be used and did not fail lately.
    pub(super) fn is_well(&self, now: Instant) -> bool {
        self.is_in() && !self.is_ejected(now)
    }

    /// Takes note of a check.
    pub(super) fn checked(&mut self, is_ok: bool, fall: u32, rise: u32, now: Instant) -> Option<Turn> {
        if is_ok {
            self.ejected_until = None;
            self.failures = 0;
        }
        if self.proof == Proof::Open && is_ok {
            // Nothing speaks against one that has only begun. One that fails at first must fall, and rise, as any other.
            self.proof = Proof::Well;
            self.begin(now);
            return None;
        }
        self.judge(is_ok, fall, rise, now)
    }

    /// Takes note of what a client met. That it serves clients does not make a backend well whose checks fail.
    pub(super) fn met(&mut self, is_ok: bool, checks: Option<(u32, u32)>, now: Instant) -> Option<Turn> {
        if is_ok {
            (self.failures, self.ejected_until) = (0, None);
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let (fall, rise) = checks?;
        self.judge(false, fall, rise, now)
    }

    /// Passes it over for a while, where it has failed often enough.
    pub(super) fn eject(&mut self, rule: &Ejection, now: Instant) -> bool {
        if self.failures < rule.after {
            return false;
        }
        self.ejected_until = Some(now + rule.time);
        true
    }

    /// It failed once more, at a client who does not tell.
    pub(super) fn suspected(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Takes a backend out or in where enough results in a row say so.
    fn judge(&mut self, is_ok: bool, fall: u32, rise: u32, now: Instant) -> Option<Turn> {
        let is_out = matches!(self.proof, Proof::Down);
        if is_ok != is_out {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        let needed = if is_out { rise } else { fall };
        if self.contrary < needed {
            return None;
        }
        self.contrary = 0;
        if is_ok {
            self.proof = Proof::Well;
            self.begin(now);
            Some(Turn::In(needed))
        } else {
            self.proof = Proof::Down;
            Some(Turn::Out(needed))
        }
    }

    fn begin(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Gives it nothing new; what is open at the deadline is broken off.
    pub(super) fn drain(&mut self, deadline: Option<Instant>) {
        self.drain = Some(Drain { deadline });
    }

    /// Whether the time is over in which what is open may end by itself.
    pub(super) fn is_cut(&self, now: Instant) -> bool {
        self.drain.is_some_and(|drain| drain.deadline.is_some_and(|deadline| deadline <= now))
    }

    /// Gives it clients again, from a slow start.
    pub(super) fn enable(&mut self, now: Instant) {
        if self.drain.take().is_some() {
            self.begin(now);
        }
    }

    /// How much of its weight counts now, in percent: a tenth at once, all after `slow_start`.
    pub(super) fn share(&self, slow_start: Duration, now: Instant) -> u32 {
        let Some(since) = self.since.filter(|_| !slow_start.is_zero()) else { return 100 };
        let passed = now.saturating_since(since);
        if passed >= slow_start {
            return 100;
        }
        ((passed.as_nanos() * 100 / slow_start.as_nanos()) as u32).max(10)
    }

    /// One word, and the reason why it is not picked where it is not.
    pub(super) fn word(&self, now: Instant) -> &'static str {
        match (self.drain.is_some(), self.proof) {
            (true, _) => "draining",
            (false, Proof::Down) => "down",
            (false, Proof::Open) => "unproven",
            (false, _) if self.is_ejected(now) => "ejected",
            (false, _) => "in",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_new_one_is_proven_by_one_check_and_one_that_fell_by_as_many_as_it_takes() {
        let mut it = Standing::unproven();
        assert!(!it.is_in() && it.is_unproven());
        assert_eq!(it.checked(true, 3, 2, at(0)), None);
        assert!(it.is_in());
        assert_eq!([1, 2, 3].map(|n| it.checked(false, 3, 2, at(n))), [None, None, Some(Turn::Out(3))]);
        assert!(!it.is_in() && it.word(at(9)) == "down");
        assert_eq!([4, 5].map(|n| it.checked(true, 3, 2, at(n))), [None, Some(Turn::In(2))]);
        assert!(it.is_in());
        // In between one good check begins the count anew.
        for (ok, turn) in [(false, None), (false, None), (true, None), (false, None), (false, None)] {
            assert_eq!(it.checked(ok, 3, 2, at(6)), turn);
        }
        assert_eq!(it.checked(false, 3, 2, at(7)), Some(Turn::Out(3)));
    }

    #[test]
    fn one_that_is_down_from_the_first_never_gets_a_client() {
        let mut it = Standing::unproven();
        for n in 0..3 {
            assert!(!it.is_in());
            it.checked(false, 3, 2, at(n));
        }
        assert!(it.word(at(9)) == "down");
    }

    #[test]
    fn clients_failures_eject_and_count_as_checks_do() {
        let rule = Ejection { after: 2, time: Duration::from_secs(1), share: 100 };
        let mut it = Standing::unproven();
        it.checked(true, 3, 2, at(0));
        assert_eq!(it.met(false, Some((3, 2)), at(1)), None);
        assert!(!it.eject(&rule, at(1)) && it.is_well(at(1)));
        assert_eq!(it.met(false, Some((3, 2)), at(2)), None);
        assert!(it.eject(&rule, at(2)) && !it.is_well(at(3)) && it.is_in());
        assert!(it.is_well(at(1002)), "the time is over");
        assert_eq!(it.met(false, Some((3, 2)), at(1003)), Some(Turn::Out(3)));
        // One that no check proves comes back by time alone.
        let mut unchecked = Standing::default();
        assert!((0..100).all(|n| unchecked.met(false, None, at(n)).is_none()) && unchecked.is_in());
    }

    #[test]
    fn a_slow_start_begins_with_a_tenth() {
        let mut it = Standing::unproven();
        let slow = Duration::from_secs(10);
        assert_eq!(it.share(slow, at(0)), 100, "it has not begun");
        it.checked(true, 3, 2, at(1000));
        let shares = [1000, 2000, 3000, 6000, 10_999, 11_000].map(|ms| it.share(slow, at(ms)));
        assert_eq!(shares, [10, 10, 20, 50, 99, 100]);
        assert_eq!(it.share(Duration::ZERO, at(1000)), 100);
    }

    #[test]
    fn draining_ends_at_the_deadline_or_by_hand() {
        let mut it = Standing::default();
        it.drain(Some(at(500)));
        assert!(!it.is_in() && !it.is_cut(at(499)) && it.is_cut(at(500)));
        it.enable(at(600));
        assert!(it.is_in() && !it.is_cut(at(700)));
        assert_eq!(it.share(Duration::from_secs(10), at(600)), 10);
    }
}
