//! Tahoe: fast retransmit without fast recovery. A loss, however seen, leads back to slow start.

use septet_core::Instant;

use super::{Ack, CongestionController, Controller, OnLoss, Window, reno};

/// The table's entry.
pub(super) const CONTROLLER: Controller = Controller {
    name: "tahoe",
    help: "fast retransmit without fast recovery: each loss leads back to slow start",
    build: || Box::new(Tahoe),
};

/// TCP of 1988.
#[derive(Debug)]
pub(crate) struct Tahoe;

impl CongestionController for Tahoe {
    fn name(&self) -> &'static str {
        CONTROLLER.name
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
