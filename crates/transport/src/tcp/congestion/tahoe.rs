//! Tahoe: fast retransmit without fast recovery. A loss, however seen, leads back to slow start.

use septet_core::Instant;

use super::{Ack, CongestionController, OnLoss, Window, reno};

/// TCP of 1988.
#[derive(Debug)]
pub(crate) struct Tahoe;

impl CongestionController for Tahoe {
    fn name(&self) -> &'static str {
        "tahoe"
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        reno::grow(window, ack.acked);
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        reno::halve(window)
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::SlowStart
    }
}
