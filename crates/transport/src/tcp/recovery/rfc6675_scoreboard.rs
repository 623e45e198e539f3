//! The scoreboard's marks (RFC 6675): what is lost, with the pipe following by counters.

use super::super::buffer::Mark;
use super::super::connection::{Connection, Cx};

impl Connection {
    /// Marks the record at position `i` as lost, or its retransmission as lost again.
    pub(crate) fn mark_lost(&mut self, cx: &mut Cx<'_>, i: usize) {
        let record = *self.sent.at(i);
        if record.is(Mark::SACKED) {
            return;
        }
        self.recovery.retransmit_hint = self.recovery.retransmit_hint.min(record.seq);
        if record.is(Mark::LOST) {
            if record.is(Mark::RETRANS) {
                self.sent.unmark(i, Mark::RETRANS);
                cx.mib.lost_retransmit += 1;
                self.counters.lost = self.counters.lost.wrapping_add(1);
            }
        } else {
            self.sent.mark(i, Mark::LOST);
            self.counters.lost = self.counters.lost.wrapping_add(1);
        }
    }

    /// RFC 6675 §4 IsLost: "returns true when either DupThresh discontiguous SACKed sequences have arrived above 'SeqNum'
    /// or more than (DupThresh - 1) * SMSS bytes with sequence numbers greater than 'SeqNum' have been SACKed".
    pub(crate) fn scoreboard_mark_lost(&mut self, cx: &mut Cx<'_>) {
        let threshold = self.reordering;
        let mut above = self.sent.sacked.segs;
        for i in 0..self.sent.len() {
            if above < threshold {
                break;
            }
            let record = *self.sent.at(i);
            if record.is(Mark::SACKED) {
                above -= 1;
            } else if !record.is(Mark::LOST) {
                self.mark_lost(cx, i);
            }
        }
    }

    /// After a timeout: RFC 6298's "everything", but what was sent less than a round trip ago waits for RACK's judgement.
    /// Whether the receiver is taken to have reneged, so that nothing counts as SACKed any more (RFC 2018 §8).
    pub(crate) fn mark_all_lost(&mut self, cx: &mut Cx<'_>) -> bool {
        let is_renege = self.sent.front().is_some_and(|r| r.is(Mark::SACKED));
        if is_renege {
            cx.mib.sack_reneging += 1;
            self.sent.unmark_all(Mark::SACKED);
            self.sack = None;
        } else if !self.flags.sack_ok {
            self.reset_reno_sack();
        }
        for i in 0..self.sent.len() {
            let record = *self.sent.at(i);
            if !is_renege && i > 0 && self.flags.sack_ok && cx.config.rack && self.rack_remaining(cx, &record, 0) > 0 {
                continue;
            }
            self.mark_lost(cx, i);
        }
        is_renege
    }

    /// Tahoe goes back to SND.UNA: all that is not SACKed is sent again.
    pub(crate) fn go_back(&mut self, cx: &mut Cx<'_>) {
        if !self.flags.sack_ok {
            self.reset_reno_sack();
        }
        for i in 0..self.sent.len() {
            self.mark_lost(cx, i);
        }
    }

    /// The position of the next record that is lost and not sent again; holes before it need no second look.
    pub(crate) fn next_lost(&mut self) -> Option<usize> {
        if self.sent.lost.segs == 0 || self.sent.retrans.segs >= self.sent.lost.segs {
            return None;
        }
        let mut i = self.sent.position(self.recovery.retransmit_hint.max(self.snd_una));
        while let Some(record) = self.sent.get(i) {
            if record.is(Mark::LOST) && !record.is(Mark::RETRANS | Mark::SACKED) {
                self.recovery.retransmit_hint = record.seq;
                return Some(i);
            }
            i += 1;
        }
        self.recovery.retransmit_hint = self.snd_nxt;
        None
    }
}
