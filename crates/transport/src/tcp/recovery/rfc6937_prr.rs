//! Proportional rate reduction (RFC 6937, as Linux has it): the window glides to the threshold during recovery.

use super::super::connection::{Connection, Cx};
use crate::tcp::{CaEvent, CaState, Window};

impl Connection {
    /// Begins a reduction.
    pub(crate) fn init_cwnd_reduction(&mut self, cx: &mut Cx<'_>) {
        self.recovery.high_seq = self.snd_nxt;
        self.recovery.tlp_high_seq = 0;
        self.recovery.prr_delivered = 0;
        self.recovery.prr_out = 0;
        self.window.credit = 0;
        self.window.prior_cwnd = self.window.cwnd;
        self.window.ssthresh = self.controller.ssthresh(&self.window, cx.now);
        self.counters.reductions += 1;
        self.ecn_queue_cwr();
    }

    /// §3: "on every ACK during recovery". `delivered` bytes arrived, `lost` were newly found missing.
    pub(crate) fn cwnd_reduction(&mut self, cx: &mut Cx<'_>, delivered: u64, lost: u64, una_advanced: bool) {
        let prior = self.window.prior_cwnd;
        if delivered == 0 || prior == 0 {
            return;
        }
        let mss = self.window.segment();
        let whole = |bytes: u64| bytes.div_ceil(mss) * mss;
        let in_flight = self.sent.in_flight();
        let r = &mut self.recovery;
        r.prr_delivered += delivered;
        let ssthresh = self.window.ssthresh;
        let mut send = if in_flight > ssthresh {
            // "Proportional Rate Reduction: sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out".
            let share = (u128::from(ssthresh) * u128::from(r.prr_delivered)).div_ceil(u128::from(prior)) as u64;
            whole(share).saturating_sub(r.prr_out)
        } else {
            // The slow start reduction bound where all goes well, the conservative bound where more is lost.
            let mut limit = r.prr_delivered.saturating_sub(r.prr_out).max(delivered);
            if una_advanced && lost == 0 {
                limit += mss;
            }
            limit.min(ssthresh - in_flight)
        };
        // "Force a fast retransmit upon entering recovery".
        if r.prr_out == 0 {
            send = send.max(mss);
        }
        self.set_cwnd(cx, in_flight + send, "proportional rate reduction");
    }

    /// Ends a reduction: the window is the threshold.
    pub(crate) fn end_cwnd_reduction(&mut self, cx: &mut Cx<'_>) {
        if self.controller.is_in_control() {
            return;
        }
        if self.window.ssthresh < Window::INFINITE && (self.ca_state == CaState::Cwr || self.recovery.undo_marker != 0)
        {
            let ssthresh = self.window.ssthresh;
            self.window.stamp = cx.now;
            self.set_cwnd(cx, ssthresh, "reduction complete");
        }
        self.cc_event(cx, CaEvent::CompleteCwr);
    }
}
