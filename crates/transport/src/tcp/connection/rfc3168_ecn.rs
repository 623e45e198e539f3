//! Explicit congestion notification (RFC 3168), and the exact echo of DCTCP (RFC 8257).

use super::{Connection, Cx, Segment};
use crate::Ecn;
use crate::tcp::wire::Flags;
use crate::tcp::{CaEvent, EcnMode};

/// ECN was negotiated.
pub(crate) const OK: u8 = 1;
/// CWR is due on the next new data.
pub(crate) const QUEUE_CWR: u8 = 2;
/// ECE goes out until the peer says CWR.
pub(crate) const DEMAND_CWR: u8 = 4;
/// A segment came with an ECN codepoint.
pub(crate) const SEEN: u8 = 8;
/// DCTCP.CE: the last segment was marked.
const CE_STATE: u8 = 16;

impl Connection {
    pub(crate) fn ecn_ok(&self) -> bool {
        self.ecn_flags & OK != 0
    }

    /// RFC 3168 §6.1.1: "an ECN-setup SYN packet" has both bits set.
    pub(crate) fn ecn_syn_flags(&self, config: EcnMode) -> Flags {
        if config == EcnMode::Active || self.controller.needs_ecn() { Flags::ECE | Flags::CWR } else { Flags::NONE }
    }

    /// "an ECN-setup SYN-ACK packet" has ECE set and CWR clear.
    pub(crate) fn ecn_receive_synack(&mut self, seg: &Segment) {
        let is_setup = seg.flags().has(Flags::ECE) && !seg.flags().has(Flags::CWR);
        if !is_setup {
            self.ecn_flags = 0;
        }
    }

    /// The IP codepoint and the flags for a segment: data that is new is ECT(0), what is sent again is not.
    pub(crate) fn ecn_send(&mut self, is_new_data: bool) -> (Ecn, Flags) {
        if self.ecn_flags & OK == 0 {
            return (Ecn::NotEct, Flags::NONE);
        }
        let mut flags = Flags::NONE;
        let mut ecn = if self.controller.needs_ecn() { Ecn::Ect0 } else { Ecn::NotEct };
        if is_new_data {
            ecn = Ecn::Ect0;
            // §6.1.2: "sets the CWR flag … on the first new data packet sent after the window reduction".
            if self.ecn_flags & QUEUE_CWR != 0 {
                self.ecn_flags &= !QUEUE_CWR;
                flags |= Flags::CWR;
            }
        }
        if self.ecn_flags & DEMAND_CWR != 0 {
            flags |= Flags::ECE;
        }
        (ecn, flags)
    }

    /// §6.1.3: the receiver "sets the ECN-Echo flag in the TCP header of the subsequent ACK packet" and goes on "until it
    /// receives a CWR packet".
    pub(crate) fn ecn_check_data(&mut self, cx: &mut Cx<'_>, seg: &Segment) {
        if self.ecn_flags & OK == 0 {
            return;
        }
        match seg.ecn {
            Ecn::NotEct => {
                // Without a codepoint a segment of an ECN flow is one sent again: an echo now would tell of the old one.
                if self.ecn_flags & SEEN != 0 {
                    self.acks.enter_quickack(self.rcv_wnd, 2, cx.config);
                }
            }
            Ecn::Ce => {
                if self.controller.needs_ecn() {
                    self.echo_exactly(cx, seg, CE_STATE);
                    self.ecn_flags |= SEEN;
                    return;
                }
                if self.ecn_flags & DEMAND_CWR == 0 {
                    self.acks.enter_quickack(self.rcv_wnd, 2, cx.config);
                    self.ecn_flags |= DEMAND_CWR;
                }
                self.ecn_flags |= SEEN;
            }
            Ecn::Ect0 | Ecn::Ect1 => {
                if self.controller.needs_ecn() {
                    self.echo_exactly(cx, seg, 0);
                }
                self.ecn_flags |= SEEN;
            }
        }
    }

    /// RFC 8257 §3.2: "If the CE codepoint is set and DCTCP.CE is false … send an immediate ACK", so that each mark is echoed
    /// for the bytes that it was on.
    fn echo_exactly(&mut self, cx: &mut Cx<'_>, seg: &Segment, state: u8) {
        self.cc_event(cx, if state == 0 { CaEvent::EcnNoCe } else { CaEvent::EcnIsCe });
        if self.ecn_flags & CE_STATE != state {
            if self.timers.is_armed(super::Slot::DelayedAck) {
                // What was delayed is acknowledged first, with the echo that belonged to it.
                let next = self.rcv_nxt;
                self.rcv_nxt = seg.seq.min(next);
                let ack = self.ack_now(cx, "ACK before the congestion mark changes (DCTCP)");
                self.rcv_nxt = next;
                cx.replies.out.push_back(ack);
            }
            self.acks.force_now();
        }
        self.ecn_flags = (self.ecn_flags & !(CE_STATE | DEMAND_CWR)) | state;
        if state != 0 {
            self.ecn_flags |= DEMAND_CWR;
        }
    }

    /// The peer has reduced its window.
    pub(crate) fn ecn_accept_cwr(&mut self, seg: &Segment) {
        if seg.flags().has(Flags::CWR) && !self.controller.needs_ecn() {
            self.ecn_flags &= !DEMAND_CWR;
            // RFC 3168 does not ask for it, but an ACK now stops the echo sooner.
            if seg.len > 0 {
                self.acks.force_now();
            }
        }
    }

    pub(crate) fn ecn_received_echo(&self, seg: &Segment) -> bool {
        self.ecn_flags & OK != 0 && seg.flags().has(Flags::ECE) && !seg.flags().has(Flags::SYN)
    }

    pub(crate) fn ecn_queue_cwr(&mut self) {
        if self.ecn_flags & OK != 0 {
            self.ecn_flags |= QUEUE_CWR;
        }
    }

    pub(crate) fn ecn_withdraw_cwr(&mut self) {
        self.ecn_flags &= !QUEUE_CWR;
    }
}
