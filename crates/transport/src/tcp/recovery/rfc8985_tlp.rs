//! Tail loss probes (RFC 8985 §7): when ACKs stay away, one segment asks for them before the timeout does.

use core::time::Duration;

use septet_core::Storey;

use super::super::connection::{Connection, Cx, Waiting};
use super::state_machine::AckFlags;
use crate::tcp::CaState;

impl Connection {
    /// §7.2 "TLP_calc_PTO". Whether the probe timer now runs in place of the retransmission timer.
    pub(crate) fn schedule_loss_probe(&mut self, cx: &mut Cx<'_>, advancing: bool) -> bool {
        if !cx.config.tail_loss_probe
            || self.sent.is_empty()
            || !self.flags.sack_ok
            || !matches!(self.ca_state, CaState::Open | CaState::Cwr)
            || !self.state.is_synchronized()
        {
            return false;
        }
        // "PTO = 2 * SRTT", with the worst delayed ACK on top where only one segment is out.
        let pto = if self.rtt.srtt_us == 0 {
            cx.config.rto_initial
        } else {
            let us = u64::from(self.rtt.srtt_us >> 2);
            let more = if self.sent.len() == 1 { cx.config.rto_min } else { Duration::from_millis(2) };
            // Rounded up to a whole millisecond, the granularity of the timers.
            Duration::from_millis(us.div_ceil(1000)) + more
        };
        // "If RTO expires sooner, PTO = RTO's time".
        let rto = if advancing { cx.now + self.rtt.rto() } else { self.rto_deadline() };
        let at = if rto > cx.now { (cx.now + pto).min(rto) } else { cx.now + pto };
        self.wait(cx, Waiting::LossProbe, at);
        true
    }

    /// §7.3 "TLP_send_probe".
    pub(crate) fn on_loss_probe_timer(&mut self, cx: &mut Cx<'_>) {
        // "If TLP.end_seq is not None": at most one probe is outstanding.
        if self.recovery.tlp_high_seq != 0 || self.sent.is_empty() {
            self.rearm_rto(cx);
            return;
        }
        let (local, remote) = (self.local(), self.remote());
        self.cause = cx.trace.emit(Storey::Transport, "tcp.timer", self.cause, |f| {
            f.set("local", local).set("remote", remote).set("why", "probe timeout (TLP)");
        });
        self.flags.probe_due = true;
    }

    /// The probe has left.
    pub(crate) fn loss_probe_sent(&mut self, cx: &mut Cx<'_>, is_retransmission: bool) {
        self.recovery.tlp_is_retransmission = is_retransmission;
        self.recovery.tlp_high_seq = self.snd_nxt;
        cx.mib.loss_probes += 1;
        self.timers.clear(super::super::connection::Slot::Transmit);
        self.rearm_rto(cx);
    }

    /// §7.4 "TLP_process_ack".
    pub(crate) fn process_loss_probe_ack(&mut self, cx: &mut Cx<'_>, ack: u64, flags: &AckFlags) {
        if ack < self.recovery.tlp_high_seq {
            return;
        }
        if !self.recovery.tlp_is_retransmission || flags.dsack_tlp {
            // New data got through, or both copies did.
            self.recovery.tlp_high_seq = 0;
        } else if ack > self.recovery.tlp_high_seq {
            // "ACKs advance past the probe … without a DSACK": it repaired a loss, which asks for a reduction.
            self.init_cwnd_reduction(cx);
            self.set_ca_state(cx, CaState::Cwr);
            self.end_cwnd_reduction(cx);
            self.try_keep_open(cx);
            cx.mib.loss_probe_recovery += 1;
        } else if !(flags.una_advanced || flags.not_duplicate() || flags.data_sacked) {
            // A pure duplicate ACK: the original and the probe both arrived.
            self.recovery.tlp_high_seq = 0;
        }
    }
}
