//! F-RTO (RFC 5682): after a timeout, new data shows whether it was spurious.

use super::super::connection::{Connection, Cx};
use super::state_machine::{AckFlags, Resend};

impl Connection {
    /// An ACK in the Loss state.
    pub(crate) fn process_loss(&mut self, cx: &mut Cx<'_>, flags: &AckFlags, dup_acks: u32, resend: &mut Resend) {
        let recovered = self.snd_una >= self.recovery.high_seq;
        if flags.una_advanced && self.try_undo_loss(cx, false) {
            return;
        }
        if self.recovery.frto {
            // §3.1 step 3.b: "the acknowledgment … acknowledges data that was not retransmitted after the timeout": spurious.
            if flags.orig_sack_acked && self.try_undo_loss(cx, true) {
                return;
            }
            if self.snd_nxt > self.recovery.high_seq {
                // Step 3.a: a duplicate ACK after new data: the loss was real.
                if flags.data_sacked || dup_acks > 0 {
                    self.recovery.frto = false;
                }
            } else if flags.una_advanced && !recovered {
                self.recovery.high_seq = self.snd_nxt;
                // Step 2.b: "transmit up to two new (previously unsent) segments".
                if self.has_unsent() && self.wnd_end() > self.snd_nxt {
                    *resend = Resend::New;
                    return;
                }
                self.recovery.frto = false;
            }
        }
        if recovered {
            self.try_undo_recovery(cx);
            return;
        }
        if !self.flags.sack_ok {
            if self.snd_nxt > self.recovery.high_seq && dup_acks > 0 {
                self.add_reno_sack(cx, dup_acks, flags);
            } else if flags.una_advanced {
                self.reset_reno_sack();
            }
        }
        *resend = Resend::Lost;
    }
}
