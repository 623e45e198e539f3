//! The congestion state machine: Open, Disorder, CWR, Recovery, Loss, and what an ACK does in each.

use septet_core::Storey;

use super::super::connection::{Connection, Cx};
use crate::tcp::congestion::OnLoss;
use crate::tcp::{CaEvent, CaState, Window};

/// What an ACK turned out to be.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct AckFlags {
    /// It carried data.
    pub(crate) data: bool,
    pub(crate) window_update: bool,
    /// Data was acknowledged cumulatively.
    pub(crate) data_acked: bool,
    /// Some of it had been sent again.
    pub(crate) retrans_acked: bool,
    pub(crate) syn_acked: bool,
    /// Data was newly acknowledged selectively.
    pub(crate) data_sacked: bool,
    pub(crate) ece: bool,
    /// A retransmission was lost again.
    pub(crate) lost_retrans: bool,
    /// Data that was never sent again got through, from below `high_seq`.
    pub(crate) orig_sack_acked: bool,
    pub(crate) una_advanced: bool,
    pub(crate) dsacking: bool,
    pub(crate) dsack_tlp: bool,
    pub(crate) set_timer: bool,
    pub(crate) reneging: bool,
    pub(crate) maybe_delayed: bool,
}

impl AckFlags {
    pub(crate) fn acked(&self) -> bool {
        self.data_acked || self.syn_acked
    }

    /// Not one of RFC 5681's duplicate ACKs.
    pub(crate) fn not_duplicate(&self) -> bool {
        self.data || self.window_update || self.acked()
    }

    pub(crate) fn progress(&self) -> bool {
        self.acked() || self.data_sacked
    }
}

/// What may be sent on because of an ACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Resend {
    #[default]
    Nothing,
    /// What is lost.
    Lost,
    /// New data, to see whether a timeout was spurious.
    New,
}

impl Connection {
    pub(crate) fn in_cwnd_reduction(&self) -> bool {
        matches!(self.ca_state, CaState::Cwr | CaState::Recovery)
    }

    pub(crate) fn current_ssthresh(&self) -> u64 {
        if self.in_cwnd_reduction() { self.window.ssthresh } else { self.window.current_ssthresh() }
    }

    pub(crate) fn cc_event(&mut self, cx: &Cx<'_>, event: CaEvent) {
        self.controller.on_event(&mut self.window, event, cx.now);
    }

    pub(crate) fn set_ca_state(&mut self, cx: &mut Cx<'_>, state: CaState) {
        if self.ca_state != state {
            self.ca_state = state;
            self.controller.on_state(&mut self.window, state, cx.now);
        }
    }

    /// Sets the window and tells the trace why.
    pub(crate) fn set_cwnd(&mut self, cx: &mut Cx<'_>, cwnd: u64, why: &'static str) {
        let cwnd = cwnd.max(self.window.segment());
        let old = core::mem::replace(&mut self.window.cwnd, cwnd);
        if old != cwnd && cx.trace.is_on() {
            self.trace_cwnd(cx, old, why);
        }
    }

    pub(crate) fn trace_cwnd(&mut self, cx: &mut Cx<'_>, old: u64, why: &'static str) {
        let (local, remote, w) = (self.local(), self.remote(), self.window);
        cx.trace.emit(Storey::Transport, "tcp.cwnd", self.cause, |f| {
            f.set("local", local).set("remote", remote).set("cwnd", w.cwnd).set("was", old);
            if w.ssthresh != Window::INFINITE {
                f.set("ssthresh", w.ssthresh);
            }
            f.set("why", why);
        });
    }

    /// Goes through the state machine after an ACK that is not plain progress.
    pub(crate) fn alert(
        &mut self,
        cx: &mut Cx<'_>,
        prior_una: u64,
        dup_acks: u32,
        flags: &mut AckFlags,
        resend: &mut Resend,
    ) {
        if self.sent.is_empty() && self.sent.sacked.segs > 0 {
            self.sent.sacked = Default::default();
        }
        // RFC 3168: what ECN reduced is not to be undone.
        if flags.ece && self.recovery.prior_ssthresh != 0 {
            self.recovery.prior_ssthresh = 0;
        }
        if flags.reneging && self.check_reneging(cx, flags) {
            return;
        }
        if self.ca_state == CaState::Open {
            self.forget_retrans_stamp();
        } else if self.snd_una >= self.recovery.high_seq {
            match self.ca_state {
                CaState::Cwr if self.snd_una != self.recovery.high_seq => {
                    self.end_cwnd_reduction(cx);
                    self.set_ca_state(cx, CaState::Open);
                }
                CaState::Recovery => {
                    if !self.flags.sack_ok {
                        self.reset_reno_sack();
                    }
                    if self.try_undo_recovery(cx) {
                        return;
                    }
                    self.end_cwnd_reduction(cx);
                }
                _ => {}
            }
        }
        let mut entered = false;
        match self.ca_state {
            CaState::Recovery => {
                if !flags.una_advanced {
                    if !self.flags.sack_ok {
                        self.add_reno_sack(cx, dup_acks, flags);
                    }
                } else if self.try_undo_partial(cx, prior_una) {
                    return;
                }
                if self.try_undo_dsack(cx) {
                    self.try_to_open(cx, flags);
                }
                self.identify_loss(cx, flags);
                if self.ca_state != CaState::Recovery {
                    if !self.time_to_recover() {
                        return;
                    }
                    self.enter_recovery(cx, flags.ece);
                }
            }
            CaState::Loss => {
                self.process_loss(cx, flags, dup_acks, resend);
                if self.ca_state != CaState::Loss {
                    self.end_rto_episode(cx);
                }
                self.identify_loss(cx, flags);
                if !(self.ca_state == CaState::Open || flags.lost_retrans) {
                    return;
                }
                entered = true;
            }
            _ => entered = true,
        }
        if entered {
            if !self.flags.sack_ok && self.ca_state != CaState::Loss {
                if flags.una_advanced {
                    self.reset_reno_sack();
                }
                self.add_reno_sack(cx, dup_acks, flags);
            }
            if self.ca_state <= CaState::Disorder {
                self.try_undo_dsack(cx);
            }
            self.identify_loss(cx, flags);
            if !self.time_to_recover() {
                self.try_to_open(cx, flags);
                return;
            }
            if self.ca_state < CaState::Cwr && self.mtup_is_probe_lost() {
                self.mtup_failed(cx);
                self.window.cwnd += self.window.segment();
                self.simple_retransmit(cx);
                return;
            }
            self.enter_recovery(cx, flags.ece);
        }
        *resend = Resend::Lost;
    }

    /// Nothing sent again is outstanding any more.
    pub(crate) fn forget_retrans_stamp(&mut self) {
        if self.recovery.retrans_stamp != 0 {
            self.recovery.retrans_stamp = 0;
        }
    }

    /// Whether enough is held to be lost.
    fn time_to_recover(&self) -> bool {
        self.sent.lost.segs > 0
    }

    fn identify_loss(&mut self, cx: &mut Cx<'_>, flags: &mut AckFlags) {
        if self.sent.is_empty() {
            return;
        }
        if !self.flags.sack_ok {
            self.newreno_mark_lost(cx, flags.una_advanced);
            return;
        }
        let before = self.sent.retrans.segs;
        if cx.config.rack {
            if self.rack_mark_lost(cx) {
                flags.set_timer = false;
            }
        } else {
            self.scoreboard_mark_lost(cx);
        }
        if before > self.sent.retrans.segs {
            flags.lost_retrans = true;
        }
    }

    /// Enters fast recovery: RFC 5681 §3.2, RFC 6675 §5.
    pub(crate) fn enter_recovery(&mut self, cx: &mut Cx<'_>, ece: bool) {
        if !self.any_retransmission_outstanding() {
            self.forget_retrans_stamp();
        }
        if self.flags.sack_ok {
            cx.mib.sack_recovery += 1;
        } else {
            cx.mib.reno_recovery += 1;
        }
        self.recovery.prior_ssthresh = 0;
        self.init_undo();
        if !self.in_cwnd_reduction() {
            if !ece {
                self.recovery.prior_ssthresh = self.current_ssthresh();
            }
            self.init_cwnd_reduction(cx);
        }
        if self.controller.on_loss() == OnLoss::SlowStart {
            // Tahoe: as after a timeout, but without one.
            let one = self.window.segment();
            self.recovery.undo_marker = 0;
            self.set_ca_state(cx, CaState::Loss);
            self.go_back(cx);
            self.set_cwnd(cx, one, "loss: back to one segment");
            return;
        }
        self.set_ca_state(cx, CaState::Recovery);
        if cx.trace.is_on() {
            let w = self.window.cwnd;
            self.trace_cwnd(cx, w, "fast recovery");
        }
    }

    /// Enters the reduction that ECN, or a probe's recovery, asks for.
    pub(crate) fn enter_cwr(&mut self, cx: &mut Cx<'_>) {
        self.recovery.prior_ssthresh = 0;
        if self.ca_state < CaState::Cwr {
            self.recovery.undo_marker = 0;
            self.init_cwnd_reduction(cx);
            self.set_ca_state(cx, CaState::Cwr);
        }
    }

    pub(crate) fn try_to_open(&mut self, cx: &mut Cx<'_>, flags: &AckFlags) {
        if !self.any_retransmission_outstanding() {
            self.forget_retrans_stamp();
        }
        if flags.ece {
            self.enter_cwr(cx);
        }
        if self.ca_state != CaState::Cwr {
            self.try_keep_open(cx);
        }
    }

    pub(crate) fn try_keep_open(&mut self, cx: &mut Cx<'_>) {
        let left_out = self.sent.sacked.segs + self.sent.lost.segs > 0;
        let state = if left_out || self.any_retransmission_outstanding() { CaState::Disorder } else { CaState::Open };
        if self.ca_state != state {
            self.set_ca_state(cx, state);
            self.recovery.high_seq = self.snd_nxt;
        }
    }

    pub(crate) fn any_retransmission_outstanding(&self) -> bool {
        self.sent.retrans.segs > 0 || self.sent.front().is_some_and(|r| r.is(super::super::buffer::Mark::EVER_RETRANS))
    }

    /// RFC 2018 §8: "the data receiver is permitted to discard data in its queue that has not been acknowledged", even
    /// after SACK: the head cannot have been SACKed and yet not be acknowledged.
    fn check_reneging(&mut self, cx: &mut Cx<'_>, flags: &mut AckFlags) -> bool {
        let delay = core::time::Duration::from_micros(u64::from(self.rtt.srtt_us >> 4))
            .max(core::time::Duration::from_millis(10));
        let at = cx.now + delay;
        self.wait(cx, super::super::connection::Waiting::Retransmit, at);
        flags.set_timer = false;
        true
    }
}
