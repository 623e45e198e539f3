//! Slow start alone: the window doubles each round trip until a loss, and begins again at one segment.

use core::time::Duration;

use septet_core::Instant;

use super::{Ack, CongestionController, Controller, OnLoss, Window};

/// The table's entry.
pub(super) const CONTROLLER: Controller = Controller {
    name: "slow-start",
    help: "doubles each round trip until a loss, then begins again at one segment",
    build: || Box::new(SlowStart),
};

/// Exponential growth and nothing else.
#[derive(Debug)]
pub(crate) struct SlowStart;

impl CongestionController for SlowStart {
    fn name(&self) -> &'static str {
        CONTROLLER.name
    }

    fn init(&mut self, window: &mut Window, _: Instant, _: Duration) {
        window.cwnd = window.segment();
        window.ssthresh = Window::INFINITE;
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        if window.is_cwnd_limited() {
            window.slow_start(ack.acked);
        }
    }

    fn ssthresh(&mut self, _: &Window, _: Instant) -> u64 {
        Window::INFINITE
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::SlowStart
    }
}
