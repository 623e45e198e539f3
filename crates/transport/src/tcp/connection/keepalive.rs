//! Probing a silent peer: keepalive (RFC 1122 §4.2.3.6), the persist timer (RFC 9293 §3.8.6.1), and the end of FIN-WAIT-2.

use core::time::Duration;

use septet_core::Storey;

use super::timers::Slot;
use super::{Connection, Cx, Waiting};
use crate::tcp::{Error, Keepalive, State};

impl Connection {
    fn keepalive_times(&self, cx: &Cx<'_>) -> Option<(Duration, Duration, u8)> {
        let rare = self.rare.as_ref().filter(|rare| rare.keepalive == Keepalive::On)?;
        Some((
            rare.keep_idle.unwrap_or(cx.config.keepalive_time),
            rare.keep_interval.unwrap_or(cx.config.keepalive_interval),
            rare.keep_count.unwrap_or(cx.config.keepalive_probes),
        ))
    }

    /// Starts the timer where keepalive is on.
    pub(crate) fn start_keepalive(&mut self, cx: &mut Cx<'_>) {
        if let Some((idle, ..)) = self.keepalive_times(cx)
            && self.state.is_synchronized()
            && self.state != State::TimeWait
        {
            self.timers.arm(Slot::Keepalive, cx.now + idle);
        }
    }

    /// Switches probing on or off. Switched on, it begins with a whole span of silence.
    pub(super) fn set_keepalive(&mut self, cx: &mut Cx<'_>, keepalive: Keepalive) {
        match (core::mem::replace(&mut self.rare().keepalive, keepalive), keepalive) {
            (_, Keepalive::Off) => self.timers.clear(Slot::Keepalive),
            (Keepalive::Off, Keepalive::On) => self.start_keepalive(cx),
            (Keepalive::On, Keepalive::On) => {}
        }
    }

    /// Changes the silence before the first probe. What has passed of it is a part of the new span.
    pub(super) fn set_keep_idle(&mut self, cx: &mut Cx<'_>, span: Duration) {
        let old = self.rare().keep_idle.replace(span);
        if old == Some(span) || self.keepalive_times(cx).is_none() {
            return;
        }
        self.start_keepalive(cx);
        if let (Some(at), silent) = (self.timers.get(Slot::Keepalive), self.silence(cx)) {
            let left = (at - cx.now).saturating_sub(silent);
            self.timers.arm(Slot::Keepalive, cx.now + left);
        }
    }

    /// How long nothing has come from the peer.
    fn silence(&self, cx: &Cx<'_>) -> Duration {
        cx.now - self.lrcvtime.max(self.rcv_tstamp)
    }

    /// An orphan in FIN-WAIT-2 does not wait for ever.
    pub(crate) fn start_fin_wait_2(&mut self, cx: &mut Cx<'_>) {
        let most = self.rare.as_ref().and_then(|r| r.linger2).unwrap_or(cx.config.fin_timeout);
        self.timers.arm(Slot::Keepalive, cx.now + most);
    }

    pub(crate) fn on_keepalive_timer(&mut self, cx: &mut Cx<'_>) {
        if self.state == State::FinWait2 && self.flags.orphan {
            cx.mib.abort_on_linger += 1;
            self.finish(cx, "FIN-WAIT-2 timed out");
            return;
        }
        let Some((idle, interval, count)) = self.keepalive_times(cx) else { return };
        if !self.sent.is_empty() || self.has_unsent() {
            // Data in flight finds out by itself.
            self.timers.arm(Slot::Keepalive, cx.now + idle);
            return;
        }
        let silent = self.silence(cx);
        if silent < idle {
            self.timers.arm(Slot::Keepalive, cx.now + (idle - silent));
            return;
        }
        let user_timeout = self.rare.as_ref().map_or(0, |r| r.user_timeout_ms);
        let dead = if user_timeout != 0 {
            silent >= Duration::from_millis(u64::from(user_timeout)) && self.probes_out > 0
        } else {
            self.probes_out >= count
        };
        if dead {
            self.flags.reset_due = true;
            let error = self.soft_error.unwrap_or(Error::TimedOut);
            self.fail(cx, error, "no answer to keepalive probes");
            return;
        }
        let (local, remote) = (self.local(), self.remote());
        self.cause = cx.trace.emit(Storey::Transport, "tcp.timer", self.cause, |f| {
            f.set("local", local).set("remote", remote).set("why", "keepalive timer");
        });
        self.flags.keepalive_due = true;
        self.probes_out = self.probes_out.saturating_add(1);
        cx.mib.keepalive += 1;
        self.timers.arm(Slot::Keepalive, cx.now + interval);
    }

    /// RFC 9293 §3.8.6.1: "the interval … SHOULD increase exponentially".
    pub(crate) fn persist_interval(&self, cx: &Cx<'_>) -> Duration {
        let base = self.rtt.rto().max(cx.config.rto_min);
        let backoff = u32::from(self.rtt.backoff).min(20);
        let interval = (base * (1 << backoff)).min(cx.config.rto_max);
        match (self.rare.as_ref().map(|r| r.user_timeout_ms).filter(|ms| *ms != 0), self.recovery.persist_since) {
            (Some(timeout), since) if since != 0 => {
                let left = timeout.saturating_sub(cx.ms().wrapping_sub(since)).max(1);
                interval.min(Duration::from_millis(u64::from(left)))
            }
            _ => interval,
        }
    }

    pub(crate) fn probes_since_clear(&mut self) {
        if self.recovery.persist_since != 0 {
            self.recovery.persist_since = 0;
        }
    }

    /// Nothing in flight, something to send, and it may not go: the persist timer keeps the connection from freezing.
    pub(crate) fn check_persist(&mut self, cx: &mut Cx<'_>) {
        if self.sent.is_empty()
            && self.has_unsent()
            && self.timers.waiting() == Waiting::Nothing
            && self.state.is_synchronized()
        {
            let at = cx.now + self.rtt.rto().max(cx.config.rto_min);
            self.wait(cx, Waiting::Persist, at);
        }
    }

    pub(crate) fn on_persist_timer(&mut self, cx: &mut Cx<'_>) {
        if !self.sent.is_empty() || !self.has_unsent() {
            self.probes_out = 0;
            self.probes_since_clear();
            return;
        }
        if self.recovery.persist_since == 0 {
            self.recovery.persist_since = cx.ms().max(1);
        } else if self.persist_timed_out(cx, self.recovery.persist_since) {
            self.abort_on_timeout(cx, "user timeout while the peer's window is closed");
            return;
        }
        // RFC 1122 §4.2.2.17: "A TCP MAY keep its offered receive window closed indefinitely": only silence is counted.
        let most = if self.flags.orphan { cx.config.orphan_retries } else { cx.config.retries2 };
        if self.probes_out >= most {
            self.abort_on_timeout(cx, "no answer to zero-window probes");
            return;
        }
        let (local, remote) = (self.local(), self.remote());
        self.cause = cx.trace.emit(Storey::Transport, "tcp.timer", self.cause, |f| {
            f.set("local", local).set("remote", remote).set("why", "persist timer");
        });
        self.flags.wake_due = true;
    }

    /// A probe has left: the next one waits longer.
    pub(crate) fn persist_probe_sent(&mut self, cx: &mut Cx<'_>) {
        if !self.sent.is_empty() || !self.has_unsent() {
            // Data went: the retransmission timer takes over.
            self.probes_out = 0;
            self.rtt.backoff = 0;
            self.probes_since_clear();
            return;
        }
        self.probes_out = self.probes_out.saturating_add(1);
        if self.rtt.backoff < cx.config.retries2 {
            self.rtt.backoff += 1;
        }
        let at = cx.now + self.persist_interval(cx);
        self.wait(cx, Waiting::Persist, at);
    }
}
