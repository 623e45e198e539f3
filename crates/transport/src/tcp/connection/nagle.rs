//! Whether a segment may leave: Nagle (RFC 1122 §4.2.3.4) in Minshall's variant, `TCP_CORK`, and the deferral of
//! super-segments that would soon be larger.

use core::time::Duration;

use super::{Connection, Cx};
use crate::tcp::{CaState, Cork, Nodelay};

/// How eagerly the caller wants data to leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Push {
    /// By the socket's own rule.
    Normal,
    /// Held back only by window and pacing.
    Now,
}

impl Connection {
    /// Whether a short segment has to wait.
    pub(crate) fn nagle_holds(&self, partial: bool, push: Push) -> bool {
        if !partial || push == Push::Now {
            return false;
        }
        if self.cork == Cork::On || self.flags.more_promised {
            return true;
        }
        match self.nodelay {
            Nodelay::On => false,
            // Minshall: only while an earlier short segment is unacknowledged.
            Nodelay::Off => {
                !self.sent.is_empty() && self.recovery.snd_sml > self.snd_una && self.recovery.snd_sml <= self.snd_nxt
            }
        }
    }

    /// Whether a super-segment should wait for the next ACK to grow; `limited` says by what.
    pub(crate) fn tso_defers(
        &self,
        cx: &Cx<'_>,
        len: u64,
        max_segs: u32,
        is_last: bool,
        limited: &mut (bool, bool),
    ) -> bool {
        if self.ca_state >= CaState::Recovery {
            return false;
        }
        // Only a sender that was just at it may be waited for.
        if cx.now - self.lsndtime > Duration::from_millis(1) {
            return false;
        }
        let mss = u64::from(self.mss);
        let send_win = self.wnd_end().saturating_sub(self.snd_nxt);
        let cong_win = self.window.cwnd.saturating_sub(self.sent.in_flight()) / mss * mss;
        let limit = send_win.min(cong_win);
        if limit >= u64::from(max_segs) * mss || (!is_last && limit >= len) {
            return false;
        }
        if let Some(chunk) =
            u64::from(self.snd_wnd).min(self.window.cwnd).checked_div(u64::from(cx.config.tso_win_divisor))
            && limit >= chunk
        {
            return false;
        }
        // "If next ACK is likely to come too late (half srtt), do not defer."
        let Some(head) = self.sent.front() else { return false };
        if cx.now - head.sent_at < Duration::from_micros(u64::from(self.rtt.srtt_us >> 4)) {
            return false;
        }
        if cong_win < send_win {
            if cong_win <= len {
                limited.0 = true;
                return true;
            }
        } else if send_win <= len {
            limited.1 = true;
            return true;
        }
        // A segment that ends the stream will not grow.
        !(self.flags.fin_queued && is_last)
    }
}
