//! NewReno by the letter of RFC 5681: slow start by the ACK, congestion avoidance by the byte. Its recovery (RFC 6582) is what
//! a connection without SACK does anyway.

use septet_core::Instant;

use super::{Ack, CongestionController, Window, reno};

/// Reno whose slow start counts ACKs: with a receiver that acknowledges every second segment it takes half as many steps as
/// `reno`.
#[derive(Debug)]
pub(crate) struct NewReno;

impl CongestionController for NewReno {
    fn name(&self) -> &'static str {
        "newreno"
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
            // "The RECOMMENDED way to increase cwnd during congestion avoidance is to count the number of bytes that have
            // been acknowledged by ACK segments for new data." The other way, eq. 3, grows half as fast where every second
            // segment is acknowledged, and gets a fifth less than Linux out of a lossy path.
            window.increase(window.cwnd, ack.acked);
        }
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        reno::halve(window)
    }
}
