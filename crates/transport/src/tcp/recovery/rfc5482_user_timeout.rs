//! Giving up: after so many timeouts' worth of silence (RFC 1122 §4.2.3.5), or after the user timeout (RFC 5482).

use super::super::connection::{Connection, Cx};

impl Connection {
    fn user_timeout_ms(&self) -> Option<u32> {
        self.rare.as_ref().map(|r| r.user_timeout_ms).filter(|ms| *ms != 0)
    }

    /// How long the first `boundary` timeouts take, starting at the least RTO and doubling up to the most.
    fn model_timeout_ms(&self, cx: &Cx<'_>, boundary: u8) -> u32 {
        let base =
            if self.state.is_synchronized() { cx.config.rto_min } else { cx.config.rto_initial }.as_millis() as u64;
        let most = cx.config.rto_max.as_millis() as u64;
        let linear = (most / base.max(1)).max(1).ilog2();
        let boundary = u32::from(boundary);
        let total = if boundary <= linear {
            ((2u64 << boundary) - 1) * base
        } else {
            ((2u64 << linear) - 1) * base + u64::from(boundary - linear) * most
        };
        total.min(u64::from(u32::MAX / 2)) as u32
    }

    /// Since when data has been unacknowledged in spite of retransmission.
    fn retransmitting_since(&self) -> Option<u32> {
        match self.recovery.retrans_stamp {
            0 => self.sent.front().map(|r| r.sent_at.as_millis() as u32),
            stamp => Some(stamp),
        }
    }

    /// Whether `boundary` timeouts' worth of time, or the user timeout, has passed without an answer.
    pub(crate) fn retransmits_timed_out(&mut self, cx: &Cx<'_>, boundary: u8) -> bool {
        if self.rtt.retransmits == 0 {
            return false;
        }
        let Some(since) = self.retransmitting_since() else { return false };
        let timeout = self.user_timeout_ms().unwrap_or_else(|| self.model_timeout_ms(cx, boundary));
        cx.ms().wrapping_sub(since) >= timeout
    }

    /// Whether as much time has gone into retransmitting as `boundary` timeouts take, whatever the user timeout.
    pub(crate) fn has_retried(&mut self, cx: &Cx<'_>, boundary: u8) -> bool {
        let elapsed = self.retransmitting_since().map_or(0, |since| cx.ms().wrapping_sub(since));
        self.rtt.retransmits > 0 && elapsed >= self.model_timeout_ms(cx, boundary)
    }

    /// Whether the user timeout has passed since the first transmission.
    pub(crate) fn user_timeout_passed(&self, cx: &Cx<'_>) -> bool {
        match (self.user_timeout_ms(), self.retransmitting_since()) {
            (Some(timeout), Some(since)) => cx.ms().wrapping_sub(since) >= timeout,
            _ => false,
        }
    }

    /// The retransmission timeout, cut so that the user timeout is met exactly.
    pub(crate) fn clamp_rto_to_user_timeout(&self, cx: &Cx<'_>) -> core::time::Duration {
        let rto = self.rtt.rto();
        let (Some(timeout), Some(since)) = (self.user_timeout_ms(), self.retransmitting_since()) else { return rto };
        let elapsed = cx.ms().wrapping_sub(since);
        let left = timeout.saturating_sub(elapsed).max(1);
        rto.min(core::time::Duration::from_millis(u64::from(left)))
    }

    /// The same for the persist timer, counted from the first probe.
    pub(crate) fn persist_timed_out(&self, cx: &Cx<'_>, since_ms: u32) -> bool {
        self.user_timeout_ms().is_some_and(|timeout| cx.ms().wrapping_sub(since_ms) >= timeout)
    }
}
