//! Congestion window validation: a window that was not used says nothing about the path (RFC 2861, RFC 7661, as Linux).

use core::time::Duration;

use super::{Connection, Cx};
use crate::tcp::{CaEvent, CaState};

impl Connection {
    /// After a burst: whether the window was what ended it.
    pub(crate) fn validate_cwnd(&mut self, cx: &mut Cx<'_>, is_limited: bool) {
        let out = self.sent.out.bytes;
        let w = &mut self.window;
        if self.snd_una >= w.usage_end || is_limited || (!w.is_limited && out > w.max_flight) {
            w.is_limited = is_limited;
            w.max_flight = out;
            w.usage_end = self.snd_nxt;
        }
        if w.is_cwnd_limited() {
            w.used = 0;
            w.stamp = cx.now;
        } else {
            w.used = w.used.max(out);
            let idle = cx.now - w.stamp >= self.rtt.rto();
            if cx.config.slow_start_after_idle && idle && !self.controller.is_in_control() {
                self.application_limited(cx);
            }
        }
    }

    /// RFC 2861 §3.2: after a round-trip timeout without the window filled, half-way down to what was used.
    fn application_limited(&mut self, cx: &mut Cx<'_>) {
        if self.ca_state == CaState::Open && !self.flags.no_space {
            let initial = u64::from(self.initial_window(cx.config)) * u64::from(self.mss);
            let used = self.window.used.max(initial);
            if used < self.window.cwnd {
                self.window.ssthresh = self.window.current_ssthresh();
                let cwnd = self.window.whole((self.window.cwnd + used) / 2);
                self.set_cwnd(cx, cwnd, "application limited");
            }
            self.window.used = 0;
        }
        self.window.stamp = cx.now;
    }

    /// RFC 5681 §4.1: "a TCP SHOULD set cwnd to no more than RW before beginning transmission if the TCP has not sent data
    /// in an interval exceeding the retransmission timeout"; Linux halves it per timeout.
    pub(crate) fn slow_start_after_idle(&mut self, cx: &mut Cx<'_>) {
        if !cx.config.slow_start_after_idle || !self.sent.is_empty() || self.controller.is_in_control() {
            return;
        }
        let idle = cx.now - self.lsndtime;
        let rto = self.rtt.rto();
        if idle <= rto || rto == Duration::ZERO {
            return;
        }
        let initial = u64::from(self.initial_window(cx.config)) * u64::from(self.mss);
        self.cc_event(cx, CaEvent::CwndRestart);
        self.window.ssthresh = self.window.current_ssthresh();
        let restart = initial.min(self.window.cwnd);
        let mut left = idle.saturating_sub(rto);
        let mut cwnd = self.window.cwnd;
        while left > Duration::ZERO && cwnd > restart {
            cwnd = self.window.whole(cwnd / 2);
            left = left.saturating_sub(rto);
        }
        self.window.stamp = cx.now;
        self.window.used = 0;
        self.set_cwnd(cx, cwnd.max(restart), "restart after idle");
    }

    /// RFC 6928's window, or one segment where the handshake needed a timeout.
    pub(crate) fn initial_window(&self, config: &crate::tcp::Config) -> u32 {
        config.initial_window
    }
}
