//! Reno (RFC 5681): slow start, congestion avoidance, halving on loss.

use septet_core::Instant;

use super::{Ack, CongestionController, Controller, Window};

/// The table's entry.
pub(super) const CONTROLLER: Controller = Controller {
    name: "reno",
    help: "RFC 5681, by the bytes acknowledged: slow start, a segment more a round trip, half on loss",
    build: || Box::new(Reno),
};

/// Linux's `reno`.
#[derive(Debug, Default)]
pub(crate) struct Reno;

impl CongestionController for Reno {
    fn name(&self) -> &'static str {
        CONTROLLER.name
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        grow(window, ack.acked);
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        halve(window)
    }
}

/// Slow start up to the threshold, then a segment for each window acknowledged.
pub(super) fn grow(window: &mut Window, mut acked: u64) {
    if !window.is_cwnd_limited() {
        return;
    }
    if window.in_slow_start() {
        acked = window.slow_start(acked);
        if acked == 0 {
            return;
        }
    }
    window.increase(window.cwnd, acked);
}

/// RFC 5681 eq. 4: "ssthresh = max (FlightSize / 2, 2*SMSS)", of the window as Linux has it.
pub(super) fn halve(window: &Window) -> u64 {
    window.at_least_two(window.whole(window.cwnd / 2))
}
