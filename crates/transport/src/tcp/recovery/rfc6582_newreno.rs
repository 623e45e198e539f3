//! NewReno (RFC 6582): without SACK, three duplicate ACKs or a partial ACK point at the one segment that is missing.

use super::super::buffer::Mark;
use super::super::connection::{Connection, Cx};
use crate::tcp::CaState;

impl Connection {
    /// Marks the head as lost at the third duplicate ACK, and at each partial ACK.
    pub(crate) fn newreno_mark_lost(&mut self, cx: &mut Cx<'_>, una_advanced: bool) {
        let state = self.ca_state;
        // §3.2 step 1: "When the third duplicate ACK is received". Step 3, a partial acknowledgment: "retransmit the first
        // unacknowledged segment".
        if (state < CaState::Recovery && self.sent.sacked.segs >= self.reordering)
            || (state >= CaState::Recovery && una_advanced)
        {
            let Some(head) = self.sent.front() else { return };
            if head.is(Mark::LOST) {
                return;
            }
            self.mark_lost(cx, 0);
            self.limit_reno_sack();
        }
    }

    /// §3.2 step 4's caution: without SACK the old state is held until something above `recover` is acknowledged, lest
    /// duplicates of the last window start a second recovery.
    pub(crate) fn holds_recovery_point(&mut self) -> bool {
        if self.flags.sack_ok || self.snd_una != self.recovery.high_seq {
            return false;
        }
        if !self.any_retransmission_outstanding() {
            self.forget_retrans_stamp();
        }
        true
    }
}
