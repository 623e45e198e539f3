//! Limited Transmit (RFC 3042): a duplicate ACK says that a segment has left the network, so one may enter it.
//!
//! With SACK the scoreboard counts what has left. Without it the duplicate ACKs themselves are counted here, and the flight
//! shrinks by a segment for each.

use super::super::connection::{Connection, Cx};
use super::state_machine::AckFlags;

impl Connection {
    /// Counts duplicate ACKs as segments that arrived somewhere.
    pub(crate) fn add_reno_sack(&mut self, cx: &mut Cx<'_>, dup_acks: u32, flags: &AckFlags) {
        if dup_acks == 0 {
            return;
        }
        let before = self.sent.sacked.segs;
        self.set_reno_sacked(before + dup_acks);
        self.check_reno_reordering(cx, 0);
        let delivered = self.sent.sacked.segs.saturating_sub(before);
        if delivered > 0 {
            self.count_delivered(delivered, u64::from(delivered) * u64::from(self.mss), flags);
        }
    }

    /// A cumulative ACK of `acked` segments: one of them filled the hole, the rest had been counted.
    pub(crate) fn remove_reno_sack(&mut self, cx: &mut Cx<'_>, acked: u32, flags: &AckFlags) {
        if acked > 0 {
            let sacked = self.sent.sacked.segs;
            let fresh = acked.saturating_sub(sacked).max(1);
            self.count_delivered(fresh, u64::from(fresh) * u64::from(self.mss), flags);
            self.set_reno_sacked(sacked.saturating_sub(acked - 1));
        }
        self.check_reno_reordering(cx, acked);
    }

    /// What is held to be lost cannot have arrived: duplicate ACKs stand for no more than the rest.
    pub(crate) fn limit_reno_sack(&mut self) {
        let most = self.sent.out.segs - self.sent.lost.segs;
        if self.sent.sacked.segs > most {
            self.set_reno_sacked(most);
        }
    }

    pub(crate) fn reset_reno_sack(&mut self) {
        self.sent.sacked = Default::default();
    }

    fn set_reno_sacked(&mut self, segs: u32) {
        self.sent.sacked.segs = segs;
        self.sent.sacked.bytes = (u64::from(segs) * u64::from(self.mss)).min(self.sent.out.bytes);
    }

    /// More duplicates than segments can have arrived: they were reordered.
    fn check_reno_reordering(&mut self, cx: &mut Cx<'_>, acked: u32) {
        let out = self.sent.out.segs;
        let holes = self.sent.lost.segs.clamp(1, out.max(1)).min(out);
        if self.sent.sacked.segs + holes <= out {
            return;
        }
        self.set_reno_sacked(out - holes);
        self.reordering = (out + acked).min(cx.config.max_reordering);
        self.reord_seen = self.reord_seen.saturating_add(1);
        cx.mib.reno_reorder += 1;
    }
}
