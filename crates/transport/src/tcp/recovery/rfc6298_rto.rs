//! The retransmission timeout (RFC 6298), with Linux's estimator, minimum and back-off.

use core::time::Duration;

use septet_core::{Instant, Storey};

use super::super::connection::{Connection, Cx, Slot, Waiting};
use crate::tcp::{CaEvent, CaState, Config, Error, State};

/// The round-trip estimator. Microseconds, the smoothed values scaled by eight and by four, as in Linux.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rtt {
    pub(crate) srtt_us: u32,
    pub(crate) mdev_us: u32,
    mdev_max_us: u32,
    pub(crate) rttvar_us: u32,
    rtt_seq: u64,
    pub(crate) rto_ms: u32,
    min: [(u32, u32); 3],
    pub(crate) backoff: u8,
    /// Consecutive timeouts.
    pub(crate) retransmits: u8,
}

/// How long a minimum counts: `tcp_min_rtt_wlen`.
const MIN_RTT_WINDOW_MS: u32 = 300_000;

impl Rtt {
    pub(crate) fn new(config: &Config) -> Self {
        let rto_ms = config.rto_initial.as_millis() as u32;
        let mdev_us = config.rto_initial.as_micros() as u32;
        Self { rto_ms, mdev_us, min: [(0, u32::MAX); 3], ..Self::default() }
    }

    pub(crate) fn rto(&self) -> Duration {
        Duration::from_millis(u64::from(self.rto_ms))
    }

    pub(crate) fn srtt(&self) -> Duration {
        Duration::from_micros(u64::from(self.srtt_us >> 3))
    }

    /// The least round-trip time of the last minutes, in microseconds; `u32::MAX` before any.
    pub(crate) fn min_us(&self) -> u32 {
        self.min[0].1
    }

    /// RFC 6298 §2.3 with Linux's refinements: the deviation decays slowly, and a sudden fall of the RTT does not raise it.
    pub(crate) fn sample(&mut self, rtt_us: u32, snd_una: u64, snd_nxt: u64, config: &Config) {
        let rto_min = config.rto_min.as_micros() as u32;
        let mut m = i64::from(rtt_us);
        if self.srtt_us == 0 {
            // §2.2: "SRTT <- R, RTTVAR <- R/2".
            let m = rtt_us.max(1);
            self.srtt_us = m << 3;
            self.mdev_us = m << 1;
            self.rttvar_us = self.mdev_us.max(rto_min);
            self.mdev_max_us = self.rttvar_us;
            self.rtt_seq = snd_nxt;
            return;
        }
        let mut srtt = i64::from(self.srtt_us);
        let mut mdev = i64::from(self.mdev_us);
        m -= srtt >> 3;
        srtt += m;
        if m < 0 {
            m = -m;
            m -= mdev >> 2;
            if m > 0 {
                m >>= 3;
            }
        } else {
            m -= mdev >> 2;
        }
        mdev += m;
        self.srtt_us = srtt.max(1) as u32;
        self.mdev_us = mdev.max(0) as u32;
        if self.mdev_us > self.mdev_max_us {
            self.mdev_max_us = self.mdev_us;
            self.rttvar_us = self.rttvar_us.max(self.mdev_max_us);
        }
        if snd_una > self.rtt_seq {
            if self.mdev_max_us < self.rttvar_us {
                self.rttvar_us -= (self.rttvar_us - self.mdev_max_us) >> 2;
            }
            self.rtt_seq = snd_nxt;
            self.mdev_max_us = rto_min;
        }
    }

    /// §2.3: "RTO <- SRTT + max (G, K*RTTVAR)".
    pub(crate) fn set_rto(&mut self, config: &Config) {
        let us = u64::from(self.srtt_us >> 3) + u64::from(self.rttvar_us);
        self.rto_ms = (us.div_ceil(1000).max(1) as u32).min(config.rto_max.as_millis() as u32);
    }

    /// Keeps the least value of a sliding window in three samples.
    pub(crate) fn sample_min(&mut self, now_ms: u32, rtt_us: u32) {
        let new = (now_ms, rtt_us);
        let window = MIN_RTT_WINDOW_MS;
        if rtt_us <= self.min[0].1 || now_ms.wrapping_sub(self.min[2].0) > window {
            self.min = [new; 3];
            return;
        }
        if rtt_us <= self.min[1].1 {
            (self.min[1], self.min[2]) = (new, new);
        } else if rtt_us <= self.min[2].1 {
            self.min[2] = new;
        }
        let age = now_ms.wrapping_sub(self.min[0].0);
        if age > window {
            self.min = [self.min[1], self.min[2], new];
            if now_ms.wrapping_sub(self.min[0].0) > window {
                self.min = [self.min[1], self.min[2], new];
            }
        } else if self.min[1].0 == self.min[0].0 && age > window / 4 {
            (self.min[1], self.min[2]) = (new, new);
        } else if self.min[2].0 == self.min[1].0 && age > window / 2 {
            self.min[2] = new;
        }
    }
}

impl Connection {
    /// Restarts the retransmission timer, keeping the time that already passed since the head was sent where another
    /// timer stood in its place (Linux's `tcp_rearm_rto`).
    pub(crate) fn rearm_rto(&mut self, cx: &mut Cx<'_>) {
        if self.sent.is_empty() {
            // §5.2: "When all outstanding data has been acknowledged, turn off the retransmission timer."
            if self.timers.waiting() != Waiting::Persist {
                self.timers.clear(Slot::Transmit);
            }
            return;
        }
        let mut at = cx.now + self.rtt.rto();
        if matches!(self.timers.waiting(), Waiting::Reorder | Waiting::LossProbe) {
            at = self.rto_deadline().max(cx.now + Duration::from_millis(1));
        }
        self.wait(cx, Waiting::Retransmit, at);
    }

    /// When the head's timeout ends, counted from its last transmission.
    pub(crate) fn rto_deadline(&self) -> Instant {
        self.sent.front().map_or(Instant::FAR_FUTURE, |head| head.sent_at + self.rtt.rto())
    }

    pub(crate) fn wait(&mut self, cx: &Cx<'_>, what: Waiting, at: Instant) {
        self.timers.wait(what, at.min(cx.now + cx.config.rto_max));
    }

    /// The retransmission timer has expired.
    pub(crate) fn on_retransmit_timer(&mut self, cx: &mut Cx<'_>) {
        if self.sent.is_empty() {
            return;
        }
        let rto = self.rtt.rto_ms;
        self.cause = cx.trace.emit(Storey::Transport, "tcp.timer", self.cause, |f| {
            f.set("local", self.local())
                .set("remote", self.remote())
                .set("why", format!("retransmission timer, RTO {rto} ms"));
        });
        if self.recovery.tlp_high_seq != 0 {
            self.recovery.tlp_high_seq = 0;
        }
        if self.snd_wnd == 0 && !matches!(self.state, State::SynSent | State::SynReceived) {
            // The receiver has shut its window over data in flight: keep on probing with that data.
            if cx.now.saturating_since(self.rcv_tstamp) > cx.config.rto_max {
                self.abort_on_timeout(cx, "the peer's window stayed shut and it fell silent");
                return;
            }
            // Whoever set a user timeout wants progress: ACKs with a window of zero are none.
            if self.user_timeout_passed(cx) {
                self.abort_on_timeout(cx, "user timeout while the peer's window is closed");
                return;
            }
            self.enter_loss(cx);
            self.flags.head_due = true;
            self.back_off(cx);
            return;
        }
        cx.mib.timeouts += 1;
        if self.is_given_up(cx) {
            return;
        }
        if self.rtt.retransmits == 0 {
            match self.ca_state {
                CaState::Recovery if self.flags.sack_ok => cx.mib.sack_failures += 1,
                CaState::Recovery => cx.mib.reno_failures += 1,
                CaState::Loss => cx.mib.loss_failures += 1,
                _ => {}
            }
        }
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.flags.syn_due = true;
            self.rtt.retransmits = self.rtt.retransmits.saturating_add(1);
            // `tcp_syn_linear_timeouts`: the first few go out a second apart.
            if self.state != State::SynSent || self.rtt.retransmits > cx.config.syn_linear_timeouts {
                self.rtt.backoff = self.rtt.backoff.saturating_add(1);
                self.rtt.rto_ms = (self.rtt.rto_ms * 2).min(cx.config.rto_max.as_millis() as u32);
            }
            self.record_rto(cx);
            let at = cx.now + self.rtt.rto();
            self.wait(cx, Waiting::Retransmit, at);
            return;
        }
        if self.has_retried(cx, cx.config.retries1) {
            self.mtup_black_hole(cx);
        }
        self.enter_loss(cx);
        self.record_rto(cx);
        self.rtt.retransmits = self.rtt.retransmits.saturating_add(1);
        self.flags.head_due = true;
        self.back_off(cx);
    }

    /// §5.5: "The host MUST set RTO <- RTO * 2 (\"back off the timer\")."
    fn back_off(&mut self, cx: &mut Cx<'_>) {
        self.rtt.backoff = self.rtt.backoff.saturating_add(1);
        self.rtt.rto_ms = self.rtt.rto_ms.saturating_mul(2).min(cx.config.rto_max.as_millis() as u32);
        let at = cx.now + self.clamp_rto_to_user_timeout(cx);
        self.wait(cx, Waiting::Retransmit, at);
    }

    fn record_rto(&mut self, cx: &Cx<'_>) {
        if self.counters.rto_stamp_ms == 0 {
            self.counters.rto_stamp_ms = cx.ms().max(1);
            self.counters.total_rto_recoveries = self.counters.total_rto_recoveries.saturating_add(1);
        }
        self.counters.total_rto = self.counters.total_rto.saturating_add(1);
    }

    /// The episode of timeouts is over.
    pub(crate) fn end_rto_episode(&mut self, cx: &Cx<'_>) {
        if self.counters.rto_stamp_ms != 0 {
            self.counters.rto_time_ms += cx.ms().wrapping_sub(self.counters.rto_stamp_ms);
            self.counters.rto_stamp_ms = 0;
        }
    }

    /// §5.4 to §5.7: everything in flight is taken as lost, the window falls to one segment.
    pub(crate) fn enter_loss(&mut self, cx: &mut Cx<'_>) {
        let state = self.ca_state;
        let new_recovery = state < CaState::Recovery;
        let is_renege = self.mark_all_lost(cx);
        if state <= CaState::Disorder
            || self.recovery.high_seq <= self.snd_una
            || (state == CaState::Loss && self.rtt.retransmits == 0)
        {
            self.recovery.prior_ssthresh = self.current_ssthresh();
            self.window.prior_cwnd = self.window.cwnd;
            self.window.ssthresh = self.controller.ssthresh(&self.window, cx.now);
            self.counters.reductions += 1;
            self.cc_event(cx, CaEvent::Loss);
            self.init_undo();
        }
        let cwnd = self.sent.in_flight() + self.window.segment();
        self.window.credit = 0;
        self.window.stamp = cx.now;
        self.set_cwnd(cx, cwnd, "retransmission timeout");
        // A timeout in spite of many duplicate ACKs: the reordering was overestimated.
        if state <= CaState::Disorder && self.sent.sacked.segs >= cx.config.reordering {
            self.reordering = self.reordering.min(cx.config.reordering);
        }
        self.set_ca_state(cx, CaState::Loss);
        self.recovery.too_long = false;
        self.recovery.high_seq = self.snd_nxt;
        self.recovery.tlp_high_seq = 0;
        self.ecn_queue_cwr();
        // RFC 5682 §2.1 step 1, not while the loss of an MTU probe is in question; nor after reneging, for that the receiver
        // says again what it has said before does not show that the timeout was spurious.
        self.recovery.frto =
            cx.config.frto && (new_recovery || self.rtt.retransmits > 0) && !self.mtup_has_probe() && !is_renege;
    }

    /// Whether the peer has been silent for too long; ends the connection if so.
    fn is_given_up(&mut self, cx: &mut Cx<'_>) -> bool {
        let expired = match self.state {
            State::SynSent => {
                let most = self.rare.as_ref().and_then(|r| r.syn_count).unwrap_or(cx.config.syn_retries);
                // Linux counts those that go out at even distance apart.
                let most = most.saturating_add(cx.config.syn_linear_timeouts);
                self.rtt.retransmits >= most || self.user_timeout_passed(cx)
            }
            State::SynReceived => self.rtt.retransmits >= cx.config.synack_retries,
            _ => {
                let most = if self.flags.orphan { cx.config.orphan_retries } else { cx.config.retries2 };
                self.retransmits_timed_out(cx, most)
            }
        };
        if expired {
            self.abort_on_timeout(cx, "no answer to any retransmission");
        }
        expired
    }

    pub(crate) fn abort_on_timeout(&mut self, cx: &mut Cx<'_>, why: &'static str) {
        cx.mib.abort_on_timeout += 1;
        let error = self.soft_error.unwrap_or(Error::TimedOut);
        self.fail(cx, error, why);
    }
}
