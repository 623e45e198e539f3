//! DCTCP (RFC 8257): the window falls by how much was marked, not by half.

use septet_core::Instant;

use super::{Ack, CongestionController, Controller, Window, reno};
use crate::tcp::{CaState, CcInfo};

/// The table's entry.
pub(super) const CONTROLLER: Controller = Controller {
    name: "dctcp",
    help: "RFC 8257: falls by the share of marks, not by half; wants a queue that marks",
    build: || Box::new(Dctcp::default()),
};

/// g = 1/16.
const SHIFT_G: u32 = 4;
const MAX_ALPHA: u64 = 1024;

/// DCTCP's sender.
#[derive(Debug)]
pub(crate) struct Dctcp {
    /// The share of bytes marked, in 1024ths.
    alpha: u64,
    next_seq: u64,
    delivered: u64,
    marked: u64,
    loss_cwnd: u64,
}

impl Default for Dctcp {
    fn default() -> Self {
        // §3.3: "DCTCP.Alpha … SHOULD be initialised to 1".
        Self { alpha: MAX_ALPHA, next_seq: 0, delivered: 0, marked: 0, loss_cwnd: 0 }
    }
}

impl CongestionController for Dctcp {
    fn name(&self) -> &'static str {
        CONTROLLER.name
    }

    fn needs_ecn(&self) -> bool {
        true
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        reno::grow(window, ack.acked);
    }

    fn on_sample(&mut self, _: &mut Window, ack: &Ack) {
        self.delivered += ack.acked;
        if ack.ece {
            self.marked += ack.acked;
        }
        if ack.snd_una >= self.next_seq {
            // §3.3 step 7: "DCTCP.Alpha = DCTCP.Alpha * (1 - g) + g * M".
            self.alpha -= if self.alpha >> SHIFT_G == 0 { self.alpha } else { self.alpha >> SHIFT_G };
            if self.marked > 0 {
                let share = (self.marked << (10 - SHIFT_G)) / self.delivered.max(1);
                self.alpha = (self.alpha + share).min(MAX_ALPHA);
            }
            (self.delivered, self.marked, self.next_seq) = (0, 0, ack.snd_nxt);
        }
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        self.loss_cwnd = window.cwnd;
        // §3.3: "cwnd = cwnd * (1 - DCTCP.Alpha / 2)".
        window.at_least_two(window.whole(window.cwnd - ((window.cwnd * self.alpha) >> 11)))
    }

    fn info(&self) -> CcInfo {
        CcInfo::Dctcp { dctcp_alpha: self.alpha as u32, dctcp_ab_ecn: self.marked, dctcp_ab_tot: self.delivered }
    }

    fn undo_cwnd(&mut self, window: &Window) -> u64 {
        window.cwnd.max(self.loss_cwnd)
    }

    fn on_state(&mut self, window: &mut Window, state: CaState, _: Instant) {
        // §3.5: "A DCTCP sender MUST react to loss episodes in the same way as conventional TCP".
        if matches!(state, CaState::Recovery | CaState::Loss) {
            self.loss_cwnd = window.cwnd;
            window.ssthresh = reno::halve(window);
        }
    }
}
