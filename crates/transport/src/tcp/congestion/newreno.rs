//! NewReno by the letter of RFC 5681: growth by the ACK, not by the byte, as papers and other simulators have it. Its recovery
//! (RFC 6582) is what a connection without SACK does anyway.

use septet_core::Instant;

use super::{Ack, CongestionController, Controller, Window, reno};

/// The table's entry.
pub(super) const CONTROLLER: Controller = Controller {
    name: "newreno",
    help: "RFC 5681 by the ACK, as papers and ns-3 have it: half as fast as `reno` where ACKs are delayed",
    build: || Box::new(NewReno),
};

/// Reno that counts ACKs: with a receiver that acknowledges every second segment it grows half as fast as `reno`, which is
/// what Linux calls by that name. ns-3's TcpNewReno is this one.
#[derive(Debug)]
pub(crate) struct NewReno;

impl CongestionController for NewReno {
    fn name(&self) -> &'static str {
        CONTROLLER.name
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        if !window.is_cwnd_limited() {
            return;
        }
        let mss = window.segment();
        if window.in_slow_start() {
            // §3.1 eq. 2: "cwnd += min (N, SMSS)", N being the bytes that the ACK acknowledges.
            window.slow_start(ack.acked.min(mss));
        } else {
            // Eq. 3 and not the count of bytes, which `reno` has: "cwnd += SMSS*SMSS/cwnd … on every incoming ACK that acknowledges new data".
            window.cwnd += (mss * mss / window.cwnd).max(1);
        }
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        reno::halve(window)
    }
}
