//! Pure AIMD: a segment more for each round trip, half on each loss, and no slow start.

use core::time::Duration;

use septet_core::Instant;

use super::{Ack, CongestionController, Controller, Window, reno};

/// The table's entry.
pub(super) const CONTROLLER: Controller = Controller {
    name: "aimd",
    help: "additive increase, multiplicative decrease, and no slow start",
    build: || Box::new(Aimd),
};

/// The sawtooth of the textbook.
#[derive(Debug)]
pub(crate) struct Aimd;

impl CongestionController for Aimd {
    fn name(&self) -> &'static str {
        CONTROLLER.name
    }

    fn init(&mut self, window: &mut Window, _: Instant, _: Duration) {
        window.cwnd = 2 * window.segment();
        window.ssthresh = window.cwnd;
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        if window.is_cwnd_limited() {
            window.increase(window.cwnd, ack.acked);
        }
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        reno::halve(window)
    }
}
