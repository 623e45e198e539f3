//! What holds of a connection at all times, for tests and fuzzers to check after every event.

use super::Connection;
use crate::tcp::State;

/// Where a connection stands in its windows, for tests and fuzzers; sequence numbers are 64 bits wide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flight {
    /// SND.UNA
    pub snd_una: u64,
    /// SND.NXT
    pub snd_nxt: u64,
    /// SND.NXT without the FIN, if that was sent.
    pub snd_data: u64,
    /// The first sequence number beyond the peer's window.
    pub wnd_end: u64,
    /// Bytes held to be in flight.
    pub in_flight: u64,
    /// The congestion window in bytes.
    pub cwnd: u64,
    /// A full segment in bytes.
    pub segment: u64,
    /// IRS
    pub irs: u64,
    /// RCV.NXT
    pub rcv_nxt: u64,
}

impl Connection {
    /// Where it stands in its windows.
    pub fn flight(&self) -> Flight {
        Flight {
            snd_una: self.snd_una,
            snd_nxt: self.snd_nxt,
            snd_data: self.snd_nxt.min(self.send.end()),
            wnd_end: self.wnd_end(),
            in_flight: self.sent.in_flight(),
            cwnd: self.window.cwnd,
            segment: self.window.segment(),
            irs: self.irs,
            rcv_nxt: self.rcv_nxt,
        }
    }

    /// Checks what must hold between any two events.
    ///
    /// # Errors
    /// The sentence that does not hold.
    pub fn check_invariants(&self) -> Result<(), &'static str> {
        if self.state == State::Closed {
            return Ok(());
        }
        let holds = [
            (self.iss <= self.snd_una, "ISS ≤ SND.UNA"),
            (self.snd_una <= self.snd_nxt, "SND.UNA ≤ SND.NXT"),
            (self.snd_nxt <= self.write_seq().max(self.iss + 1), "SND.NXT ≤ what was written"),
            (self.copied_seq <= self.rcv_nxt, "COPIED.SEQ ≤ RCV.NXT"),
            (self.rcv_wup <= self.rcv_nxt, "RCV.WUP ≤ RCV.NXT"),
            (self.sent.in_flight() <= self.sent.out.bytes + self.sent.retrans.bytes, "pipe ≤ what is outstanding"),
            (
                self.sent.out.bytes == self.snd_nxt - self.snd_una || self.sent.is_empty(),
                "records cover SND.UNA to SND.NXT",
            ),
            (self.sent.lost.segs + self.sent.sacked.segs <= self.sent.out.segs, "lost and SACKed ≤ outstanding"),
            (self.sent.retrans.segs <= self.sent.out.segs, "retransmitted ≤ outstanding"),
            (self.window.cwnd >= self.window.segment(), "the window holds a segment"),
            (
                self.copied_seq + self.received.readable() as u64 <= self.rcv_nxt,
                "what waits to be read has come in order",
            ),
            (
                self.received.early_bytes() as u64 <= u64::from(self.advertised_window()),
                "what is kept out of order lies in the window",
            ),
            (
                self.received.early_cost() <= self.early_bound(),
                "what is kept out of order costs no more than the buffer",
            ),
            (self.sent.is_empty() || self.timers.earliest().is_some(), "what is outstanding has a timer"),
        ];
        match holds.iter().find(|(holds, _)| !holds) {
            Some((_, sentence)) => Err(sentence),
            None => Ok(()),
        }
    }
}
