//! Undoing a reduction that proves to be spurious: by timestamps (Eifel, RFC 3522 and 4015) or by DSACK (RFC 3708).

use super::super::buffer::Mark;
use super::super::connection::{Connection, Cx};
use crate::tcp::CaState;

impl Connection {
    /// Remembers what undoing needs.
    pub(crate) fn init_undo(&mut self) {
        self.recovery.undo_marker = self.snd_una;
        // A retransmission in flight, the probe's too, may come back as a DSACK later.
        let mut n = self.sent.retrans.segs as i32;
        if self.recovery.tlp_high_seq != 0 && self.recovery.tlp_is_retransmission {
            n += 1;
        }
        self.recovery.undo_retrans = if n == 0 { -1 } else { n };
    }

    /// RFC 3522 §3: "if the timestamp of the first acceptable ACK … is smaller than the value of RetransmitTS", the ACK was
    /// for the original. Nothing sent again counts the same.
    fn is_only_delayed(&self) -> bool {
        let stamp = self.recovery.retrans_stamp;
        if stamp != 0 {
            return self.ts.seen && self.ts.echo != 0 && (self.ts.echo.wrapping_sub(stamp) as i32) < 0;
        }
        // Without SACK the stamp is also forgotten at the point of recovery, and the SYN's acknowledgement clears it.
        let forgotten = !self.flags.sack_ok && self.snd_una >= self.recovery.high_seq;
        !forgotten && self.state != crate::tcp::State::SynSent
    }

    fn may_undo(&self) -> bool {
        self.recovery.undo_marker != 0 && (self.recovery.undo_retrans == 0 || self.is_only_delayed())
    }

    fn undo_reduction(&mut self, cx: &mut Cx<'_>, why: &'static str, unmark: Unmark) {
        if unmark == Unmark::Lost {
            self.sent.unmark_all(Mark::LOST);
            self.recovery.retransmit_hint = self.snd_una;
        }
        if self.recovery.prior_ssthresh != 0 {
            let cwnd = self.controller.undo_cwnd(&self.window);
            if self.recovery.prior_ssthresh > self.window.ssthresh {
                self.window.ssthresh = self.recovery.prior_ssthresh;
                self.ecn_withdraw_cwr();
            }
            self.set_cwnd(cx, cwnd, why);
        }
        self.window.stamp = cx.now;
        self.recovery.undo_marker = 0;
        self.rack.advanced = true;
    }

    /// Recovery is over: undone if it was for nothing. Whether the state is held for now.
    pub(crate) fn try_undo_recovery(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.may_undo() {
            if self.ca_state == CaState::Loss {
                cx.mib.loss_undo += 1;
            } else {
                cx.mib.full_undo += 1;
            }
            self.undo_reduction(cx, "undo: nothing was lost", Unmark::Nothing);
        } else if self.rack.reo_wnd_persist > 0 {
            self.rack.reo_wnd_persist -= 1;
        }
        if self.holds_recovery_point() {
            return true;
        }
        self.set_ca_state(cx, CaState::Open);
        false
    }

    /// Every retransmission was reported as a duplicate.
    pub(crate) fn try_undo_dsack(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.recovery.undo_marker == 0 || self.recovery.undo_retrans != 0 {
            return false;
        }
        self.rack.persist_longer();
        cx.mib.dsack_undo += 1;
        self.undo_reduction(cx, "undo: DSACK for every retransmission", Unmark::Nothing);
        true
    }

    /// A partial ACK for the original of what was sent again. Whether the rest of recovery has to wait.
    pub(crate) fn try_undo_partial(&mut self, cx: &mut Cx<'_>, prior_una: u64) -> bool {
        if self.recovery.undo_marker == 0 || !self.is_only_delayed() {
            return false;
        }
        // "Plain luck! Hole is filled with delayed packet, rather than with a retransmit."
        self.check_sack_reordering(cx, prior_una, true);
        if self.sent.retrans.segs > 0 {
            return true;
        }
        if !self.any_retransmission_outstanding() {
            self.forget_retrans_stamp();
        }
        self.undo_reduction(cx, "undo: partial ACK of an original", Unmark::Lost);
        cx.mib.partial_undo += 1;
        self.try_keep_open(cx);
        false
    }

    /// After a timeout: undone where F-RTO or a timestamp shows it to be spurious.
    pub(crate) fn try_undo_loss(&mut self, cx: &mut Cx<'_>, frto: bool) -> bool {
        if !frto && !self.may_undo() {
            return false;
        }
        cx.mib.loss_undo += 1;
        if frto {
            cx.mib.spurious_rtos += 1;
        }
        self.undo_reduction(cx, "undo: the timeout was spurious", Unmark::Lost);
        self.rtt.retransmits = 0;
        if self.holds_recovery_point() {
            return true;
        }
        if frto || self.flags.sack_ok {
            self.set_ca_state(cx, CaState::Open);
        }
        true
    }
}

/// Whether what was held to be lost is so no more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unmark {
    Nothing,
    Lost,
}
