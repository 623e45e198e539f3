//! BBR's long-term estimate, as in Linux: a path that drops a fifth of what is sent, at the same rate twice in a row, is held
//! to be policed, and that rate is kept for a while instead of probed.

use core::time::Duration;

use septet_core::Instant;

use super::RateSample;

/// An interval of sampling lasts as many round trips at least, and four times as many at most.
const LEAST_ROUNDS: u32 = 4;
/// Lost of delivered, in 256ths: a fifth.
const LOSS_THRESH: u64 = 50;
/// Two intervals agree where they differ by an eighth, or by 4 kbit/s.
const RATIO: u64 = 8;
const DIFFERENCE: u64 = 4000 / 8;
/// The estimate is used for so many round trips.
const MOST_ROUNDS: u32 = 48;

/// What a sample led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finding {
    Nothing,
    /// The path is policed: the rate is to be kept.
    Policed,
    /// It has been kept for long enough: the path is to be probed again.
    Over,
}

/// The estimator.
#[derive(Debug, Default)]
pub(super) struct Policer {
    /// The rate of the last interval, in bytes a second; zero for none.
    bw: u64,
    is_used: bool,
    is_sampling: bool,
    rounds: u32,
    since: Instant,
    delivered: u64,
    lost: u64,
    /// A time-out has lost something since the last sample.
    timed_out: bool,
}

impl Policer {
    /// The rate to keep, while there is one.
    pub(super) fn rate(&self) -> Option<u64> {
        self.is_used.then_some(self.bw)
    }

    /// The retransmission timer expired.
    pub(super) fn on_timeout(&mut self) {
        self.timed_out = true;
    }

    fn begin_interval(&mut self, now: Instant, sample: &RateSample) {
        (self.since, self.delivered, self.lost, self.rounds) = (now, sample.total_delivered, sample.total_lost, 0);
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self, now: Instant, sample: &RateSample) {
        *self = Self::default();
        self.begin_interval(now, sample);
    }

    /// Takes in a sample; `probes` says whether BBR is in ProbeBW, `round_start` whether a round trip has begun.
    pub(super) fn on_sample(&mut self, now: Instant, sample: &RateSample, probes: bool, round_start: bool) -> Finding {
        let has_lost = core::mem::take(&mut self.timed_out) || sample.losses > 0;
        if self.is_used {
            self.rounds += u32::from(probes && round_start);
            if probes && round_start && self.rounds >= MOST_ROUNDS {
                self.reset(now, sample);
                return Finding::Over;
            }
            return Finding::Nothing;
        }
        // "Wait for the first loss before sampling, to let the policer exhaust its tokens".
        if !self.is_sampling {
            if !has_lost {
                return Finding::Nothing;
            }
            self.begin_interval(now, sample);
            self.is_sampling = true;
        }
        // "To avoid underestimates, reset sampling if we run out of data."
        if sample.is_app_limited {
            self.reset(now, sample);
            return Finding::Nothing;
        }
        self.rounds += u32::from(round_start);
        if self.rounds < LEAST_ROUNDS {
            return Finding::Nothing;
        }
        if self.rounds > 4 * LEAST_ROUNDS {
            self.reset(now, sample);
            return Finding::Nothing;
        }
        // "End sampling interval when a packet is lost, so we estimate the policer tokens were exhausted."
        let lost = sample.total_lost.saturating_sub(self.lost);
        let delivered = sample.total_delivered.saturating_sub(self.delivered);
        let span = now - self.since;
        let is_heavy = delivered > 0 && lost * 256 >= LOSS_THRESH * delivered;
        if !has_lost || !is_heavy || span < Duration::from_millis(1) {
            return Finding::Nothing;
        }
        let bw = super::bbr::per_second(delivered, span);
        let difference = bw.abs_diff(self.bw);
        if self.bw > 0 && (difference * RATIO <= self.bw || difference <= DIFFERENCE) {
            (self.bw, self.is_used, self.rounds) = (u64::midpoint(bw, self.bw), true, 0);
            return Finding::Policed;
        }
        self.bw = bw;
        self.begin_interval(now, sample);
        Finding::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Round trips of 10 ms at 1 MB/s, of which `share` in 256ths is lost, until something is found.
    fn rounds(policer: &mut Policer, share: u64, most: u32, app_limited: bool) -> Option<(u32, Finding)> {
        let mut sample = RateSample { is_app_limited: app_limited, ..RateSample::default() };
        for n in 1..=most {
            sample.total_delivered += 10_000;
            sample.losses = 10_000 * share / 256;
            sample.total_lost += sample.losses;
            let now = Instant::from_millis(10 * u64::from(n));
            match policer.on_sample(now, &sample, true, true) {
                Finding::Nothing => {}
                found => return Some((n, found)),
            }
        }
        None
    }

    #[test]
    fn two_intervals_of_one_rate_with_heavy_losses_are_a_policer() {
        let mut policer = Policer::default();
        // Sampling begins with the first loss, and takes four rounds twice.
        assert_eq!(rounds(&mut policer, 60, 100, false), Some((8, Finding::Policed)));
        assert_eq!(policer.rate().map(|bw| bw / 100_000), Some(10));
        assert_eq!(rounds(&mut policer, 0, 100, false), Some((48, Finding::Over)));
        assert_eq!(policer.rate(), None);
    }

    #[test]
    fn few_losses_or_an_idle_application_are_none() {
        assert_eq!(rounds(&mut Policer::default(), 40, 100, false), None);
        assert_eq!(rounds(&mut Policer::default(), 60, 100, true), None);
    }
}
