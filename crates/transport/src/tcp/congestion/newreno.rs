//! NewReno: Reno's window; its recovery (RFC 6582) is what a connection without SACK does anyway.

use septet_core::Instant;

use super::{Ack, CongestionController, Window, reno};

/// Reno by the name that papers and ns-3 use.
#[derive(Debug)]
pub(crate) struct NewReno;

impl CongestionController for NewReno {
    fn name(&self) -> &'static str {
        "newreno"
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        reno::grow(window, ack.acked);
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        reno::halve(window)
    }
}
