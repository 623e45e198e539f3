//! Blind in-window attacks (RFC 5961): the peer is challenged instead of believed, at a limited rate.

use super::{Connection, Cx};
use crate::tcp::Mib;
use septet_core::Instant;

/// The whole endpoint's budget of challenge ACKs.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    second: u64,
    used: u32,
}

impl Budget {
    /// RFC 5961 §7: "the number of challenge ACKs … in a given time" is bounded.
    pub(crate) fn take(&mut self, now: Instant, limit: Option<u32>) -> bool {
        let Some(limit) = limit else { return true };
        let second = now.as_nanos() / 1_000_000_000;
        if second != self.second {
            (self.second, self.used) = (second, 0);
        }
        self.used += 1;
        self.used <= limit
    }
}

impl Connection {
    /// §3.2, §4.2, §5.2: "send an ACK segment (challenge ACK)".
    pub(crate) fn challenge_ack(&mut self, cx: &mut Cx<'_>) {
        if self.is_rate_limited(cx) {
            return;
        }
        if cx.replies.challenge.take(cx.now, cx.config.challenge_ack_limit) {
            cx.mib.challenge_ack += 1;
            self.acks.due = true;
        }
    }

    /// An ACK for an unacceptable segment, at most one in `tcp_invalid_ratelimit`: two peers out of step must not answer
    /// each other for ever.
    pub(crate) fn duplicate_ack(&mut self, cx: &mut Cx<'_>, is_data: bool) {
        if !is_data && self.is_rate_limited(cx) {
            return;
        }
        self.acks.due = true;
    }

    fn is_rate_limited(&mut self, cx: &mut Cx<'_>) -> bool {
        let Mib { ack_skipped, .. } = cx.mib;
        let last = self.ooo_last_challenge;
        if last != Instant::ZERO && cx.now - last < cx.config.invalid_ratelimit {
            *ack_skipped += 1;
            return true;
        }
        self.ooo_last_challenge = cx.now;
        false
    }
}
