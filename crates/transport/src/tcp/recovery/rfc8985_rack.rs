//! RACK (RFC 8985 §6): a segment is lost when one sent sufficiently later has been delivered.

use core::time::Duration;

use septet_core::Instant;

use super::super::buffer::{Mark, Record, Resting, pool};
use super::super::connection::{Connection, Cx, Waiting};
use crate::tcp::CaState;

/// RACK's variables.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Rack {
    /// RACK.segment: when the most recently sent of the delivered segments left, and where it ended.
    pub(crate) xmit_ts: Instant,
    pub(crate) end_seq: u64,
    pub(crate) rtt_us: u32,
    /// RACK.reo_wnd_mult
    pub(crate) reo_wnd_steps: u8,
    /// RACK.reo_wnd_persist: recoveries for which the widened window stays.
    pub(crate) reo_wnd_persist: u8,
    pub(crate) dsack_seen: bool,
    /// Something was delivered since losses were last looked for.
    pub(crate) advanced: bool,
    /// What had been delivered when the window was last adapted.
    pub(crate) last_delivered: u64,
}

const PERSIST: u8 = 16;
/// `TCP_TIMEOUT_MIN`: two jiffies.
const TIMEOUT_MIN: Duration = Duration::from_millis(2);

impl Rack {
    const fn new() -> Self {
        Self {
            xmit_ts: Instant::ZERO,
            end_seq: 0,
            rtt_us: 0,
            reo_wnd_steps: 0,
            reo_wnd_persist: 0,
            dsack_seen: false,
            advanced: false,
            last_delivered: 0,
        }
    }

    /// Whether it says no more than a fresh one: what it knows of past segments is stale once nothing is in flight.
    pub(crate) fn is_plain(&self) -> bool {
        self.reo_wnd_steps <= 1 && self.reo_wnd_persist == 0 && !self.dsack_seen
    }

    pub(crate) fn persist_longer(&mut self) {
        self.reo_wnd_persist = (self.reo_wnd_persist + 1).min(PERSIST);
    }
}

impl Resting for Rack {
    const REST: &'static Self = &Self::new();

    pool!(Rack);

    fn rest(&mut self) {
        *self = Self::new();
    }
}

fn sent_after(at: Instant, end: u64, than: Instant, than_end: u64) -> bool {
    (at, end) > (than, than_end)
}

impl Connection {
    /// §6.2 step 1 and 2: "Update RACK stats".
    pub(crate) fn rack_advance(&mut self, cx: &Cx<'_>, record: &Record) {
        let rtt_us = super::micros(cx.now - record.sent_at).min(u64::from(u32::MAX)) as u32;
        // "If the segment was retransmitted and the RTT is less than RACK.min_RTT", the ACK was for the original.
        if rtt_us < self.rtt.min_us() && record.is(Mark::EVER_RETRANS) && self.rtt.min_us() != u32::MAX {
            return;
        }
        self.rack.advanced = true;
        self.rack.rtt_us = rtt_us;
        if sent_after(record.sent_at, record.end(), self.rack.xmit_ts, self.rack.end_seq) {
            (self.rack.xmit_ts, self.rack.end_seq) = (record.sent_at, record.end());
        }
    }

    /// §6.2 step 4: "Update RACK reordering window".
    fn reordering_window_us(&self) -> u32 {
        if self.reord_seen == 0 {
            // Without reordering seen: at once in recovery, or when the classic threshold is met.
            if self.ca_state >= CaState::Recovery || self.sent.sacked.segs >= self.reordering {
                return 0;
            }
        }
        let min = match self.rtt.min_us() {
            u32::MAX => 0,
            us => us,
        };
        (min >> 2).saturating_mul(u32::from(self.rack.reo_wnd_steps.max(1))).min(self.rtt.srtt_us >> 3)
    }

    /// How long the record may still be awaited, in microseconds; zero or less: it is lost.
    pub(crate) fn rack_remaining(&self, cx: &Cx<'_>, record: &Record, reo_wnd_us: u32) -> i64 {
        let waited = (cx.now - record.sent_at).as_micros() as i64;
        i64::from(self.rack.rtt_us) + i64::from(reo_wnd_us) - waited
    }

    /// §6.2 step 5: "RACK_detect_loss". The longest time to wait, zero for none.
    fn rack_detect_loss(&mut self, cx: &mut Cx<'_>) -> i64 {
        let reo_wnd = self.reordering_window_us();
        let mut wait = 0;
        let mut at = self.sent.oldest();
        while let Some(i) = at {
            at = self.sent.sent_after(i);
            let record = *self.sent.at(i);
            if record.is(Mark::LOST) && !record.is(Mark::RETRANS) {
                continue;
            }
            if !sent_after(self.rack.xmit_ts, self.rack.end_seq, record.sent_at, record.end()) {
                break;
            }
            let remaining = self.rack_remaining(cx, &record, reo_wnd);
            if remaining <= 0 {
                self.mark_lost(cx, i);
                self.sent.forget_order(i);
            } else {
                wait = wait.max(remaining);
            }
        }
        wait
    }

    /// Looks for losses after an ACK; whether the reordering timer was started.
    pub(crate) fn rack_mark_lost(&mut self, cx: &mut Cx<'_>) -> bool {
        if !self.rack.advanced {
            return false;
        }
        self.rack.advanced = false;
        let wait = self.rack_detect_loss(cx);
        if wait > 0 {
            let at = cx.now + Duration::from_micros(wait as u64) + TIMEOUT_MIN;
            self.wait(cx, Waiting::Reorder, at);
        }
        wait > 0
    }

    /// §6.2 step 4: "the reordering window adapts … based on DSACK": once a round trip.
    pub(crate) fn rack_update_reo_wnd(&mut self, prior_delivered: Option<u64>) {
        let Some(prior) = prior_delivered else { return };
        if !self.rack.dsack_seen && (self.rack.reo_wnd_persist > 0 || self.rack.reo_wnd_steps <= 1) {
            return;
        }
        let rack = &mut *self.rack;
        if prior < rack.last_delivered {
            rack.dsack_seen = false;
        }
        if rack.dsack_seen {
            rack.reo_wnd_steps = rack.reo_wnd_steps.max(1).saturating_add(1);
            rack.dsack_seen = false;
            rack.last_delivered = self.rate.delivered;
            rack.reo_wnd_persist = PERSIST;
        } else if rack.reo_wnd_persist == 0 {
            rack.reo_wnd_steps = 1;
        }
    }

    /// §6.3: "Upon RACK reordering timer expiration".
    pub(crate) fn on_reorder_timer(&mut self, cx: &mut Cx<'_>) {
        let (local, remote) = (self.local(), self.remote());
        self.cause = cx.trace.emit(septet_core::Storey::Transport, "tcp.timer", self.cause, |f| {
            f.set("local", local).set("remote", remote).set("why", "RACK reordering timer");
        });
        let before = self.sent.in_flight();
        let lost_before = self.sent.lost.bytes;
        let wait = self.rack_detect_loss(cx);
        if self.sent.in_flight() != before {
            if self.ca_state != CaState::Recovery {
                self.enter_recovery(cx, false);
                if !self.controller.is_in_control() && self.in_cwnd_reduction() {
                    let lost = self.sent.lost.bytes.saturating_sub(lost_before);
                    let segment = self.window.segment();
                    self.cwnd_reduction(cx, segment, lost, false);
                }
            }
            self.flags.retransmit_due = true;
        }
        if wait > 0 {
            let at = cx.now + Duration::from_micros(wait as u64) + TIMEOUT_MIN;
            self.wait(cx, Waiting::Reorder, at);
        } else if self.timers.waiting() != Waiting::Retransmit {
            self.rearm_rto(cx);
        }
    }
}
