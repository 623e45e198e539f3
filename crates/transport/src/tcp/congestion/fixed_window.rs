//! A window that never moves: sliding window without congestion control. With one segment it is stop-and-wait; with a
//! receiver that keeps nothing out of order, Go-Back-N.

use core::time::Duration;

use septet_core::Instant;

use super::{Ack, CongestionController, Controller, RateSample, Window};
use crate::tcp::CaState;

/// The table's entry.
pub(super) const SLIDING: Controller = Controller {
    name: "fixed-window",
    help: "a sliding window that never moves: no congestion control",
    build: || Box::new(FixedWindow::sliding()),
};

/// The table's entry.
pub(super) const STOP_AND_WAIT: Controller = Controller {
    name: "stop-and-wait",
    help: "one segment at a time",
    build: || Box::new(FixedWindow::stop_and_wait()),
};

/// So many segments, whatever happens.
#[derive(Debug)]
pub(crate) struct FixedWindow {
    name: &'static str,
    segments: u64,
}

impl FixedWindow {
    /// The window of the sliding-window protocol.
    pub(crate) fn sliding() -> Self {
        Self { name: SLIDING.name, segments: 16 }
    }

    /// The window of stop-and-wait.
    pub(crate) fn stop_and_wait() -> Self {
        Self { name: STOP_AND_WAIT.name, segments: 1 }
    }

    fn bytes(&self, window: &Window) -> u64 {
        self.segments * window.segment()
    }
}

impl CongestionController for FixedWindow {
    fn name(&self) -> &'static str {
        self.name
    }

    fn init(&mut self, window: &mut Window, _: Instant, _: Duration) {
        window.cwnd = self.bytes(window);
    }

    fn on_ack(&mut self, window: &mut Window, _: &Ack) {
        window.cwnd = self.bytes(window);
    }

    fn ssthresh(&mut self, _: &Window, _: Instant) -> u64 {
        Window::INFINITE
    }

    fn control(&mut self, window: &mut Window, _: &Ack, _: &RateSample, _: CaState) -> bool {
        window.cwnd = self.bytes(window);
        true
    }

    fn is_in_control(&self) -> bool {
        true
    }
}
