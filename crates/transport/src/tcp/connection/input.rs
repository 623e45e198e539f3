//! SEGMENT ARRIVES (RFC 9293 §3.10.7) for every state in which there is a connection.

use septet_core::{EventId, Frame, Storey};

use super::ack::Acked;
use super::{Connection, Cx, Segment, widen};
use crate::Ecn;
use crate::tcp::wire::{Flags, Header};
use crate::tcp::{Error, State};

/// What the endpoint has to do after a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Verdict {
    /// Nothing more.
    Done,
    /// The segment is answered with a reset, for this reason.
    Reset(&'static str),
    /// The connection has entered TIME-WAIT.
    TimeWait,
}

impl Connection {
    /// Takes in one segment; `frame` holds its payload.
    pub(crate) fn receive(&mut self, cx: &mut Cx<'_>, header: &Header, ecn: Ecn, mut frame: Frame) -> Verdict {
        let flags = header.flags;
        let near = if self.state == State::SynSent { u64::from(header.seq) | 1 << 32 } else { self.rcv_nxt };
        let seq = widen(near, header.seq);
        let len = frame.len();
        let unit = if frame.segment_size == 0 { len } else { len.min(usize::from(frame.segment_size)) };
        let segs = match frame.segment_size {
            0 => 1,
            size => len.div_ceil(usize::from(size)).clamp(1, usize::from(u16::MAX)) as u16,
        };
        let seg = Segment {
            header: *header,
            seq,
            ack: widen(self.snd_una, header.ack),
            end: seq + len as u64 + u64::from(flags.has(Flags::SYN)) + u64::from(flags.has(Flags::FIN)),
            len,
            unit,
            ecn,
            segs,
        };
        self.cause = cx.trace.emit(Storey::Transport, "tcp.receive", frame.cause, |f| {
            let (local, remote, irs, iss) = (self.local(), self.remote(), self.irs, self.iss);
            f.set("local", local).set("remote", remote).set("flags", flags.to_string());
            f.set("seq", seg.seq.wrapping_sub(irs) as u32).set("len", len);
            if flags.has(Flags::ACK) {
                f.set("ack", seg.ack.wrapping_sub(iss) as u32);
            }
            f.set("window", u32::from(header.window) << if flags.has(Flags::SYN) { 0 } else { self.snd_wscale });
        });
        self.counters.segs_in = self.counters.segs_in.wrapping_add(u32::from(segs));
        if len > 0 {
            self.counters.data_segs_in = self.counters.data_segs_in.wrapping_add(u32::from(segs));
        }
        (frame.segment_size, frame.cause) = (0, self.cause);
        self.ts.parse(header.options.timestamps.filter(|_| self.ts.ok || self.state == State::SynSent));
        match self.state {
            State::SynSent => self.in_syn_sent(cx, &seg, frame),
            State::Closed | State::Listen | State::TimeWait => Verdict::Done,
            _ => self.in_synchronized(cx, &seg, frame),
        }
    }

    fn in_synchronized(&mut self, cx: &mut Cx<'_>, seg: &Segment, frame: Frame) -> Verdict {
        // "if the ACK bit is off, drop the segment and return", resets and SYNs judged first.
        if !seg.flags().any(Flags::ACK | Flags::RST | Flags::SYN) {
            return Verdict::Done;
        }
        if let Some(verdict) = self.validate(cx, seg) {
            return verdict;
        }
        self.flags.more_promised = false;
        if !seg.flags().has(Flags::ACK) {
            return Verdict::Done;
        }
        if self.state == State::SynReceived {
            // "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state … otherwise … <SEQ=SEG.ACK><CTL=RST>".
            if seg.ack <= self.snd_una || seg.ack > self.snd_nxt {
                return Verdict::Reset("it acknowledges what was never sent");
            }
            self.established_from_syn_received(cx, seg);
        } else if self.on_ack(cx, seg) == Acked::Unacceptable {
            // RFC 5961 §5.2: "All incoming segments whose ACK value doesn't satisfy the above condition MUST be discarded and an
            // ACK sent back." "If the ACK acks something not yet sent (SEG.ACK > SND.NXT), then send an ACK, drop the segment, and return": at a
            // limited rate, lest two ends that disagree about what was sent answer each other for ever.
            self.challenge_ack(cx);
            return Verdict::Done;
        }
        if let Some(verdict) = self.after_ack(cx, seg) {
            return verdict;
        }
        self.receive_urgent(seg);
        let verdict = self.receive_text(cx, seg, frame);
        if self.state != State::Closed {
            self.check_ack(cx);
        }
        verdict
    }

    /// First to fourth checks: PAWS, sequence number, RST, SYN. `None`: go on.
    fn validate(&mut self, cx: &mut Cx<'_>, seg: &Segment) -> Option<Verdict> {
        let flags = seg.flags();
        // RFC 7323 §5.3 R1: "the segment … is not acceptable … send an acknowledgment … and drop".
        // A reset is judged by its sequence number alone.
        if self.ts.ok && self.paws_discards(cx, seg) && !flags.has(Flags::RST) {
            cx.mib.paws_estab += 1;
            self.note_drop(cx, seg, "PAWS: the timestamp is old");
            self.answer_unacceptable(cx, seg);
            return Some(Verdict::Done);
        }
        let window_end = self.rcv_nxt + u64::from(self.advertised_window());
        if seg.end < self.rcv_wup || seg.seq > window_end {
            // "If an incoming segment is not acceptable, an acknowledgment should be sent in reply (unless the RST bit is set)".
            if !flags.has(Flags::RST) {
                if flags.has(Flags::SYN) {
                    return Some(self.challenge_syn(cx, seg));
                }
                self.note_drop(cx, seg, "outside the receive window");
                self.answer_unacceptable(cx, seg);
            } else if self.is_reset_after_fin(seg) {
                self.on_reset(cx);
            }
            return Some(Verdict::Done);
        }
        if flags.has(Flags::RST) {
            // RFC 5961 §3.2: "If the RST bit is set and the sequence number exactly matches the next expected sequence
            // number (RCV.NXT), then TCP MUST reset the connection." Otherwise "TCP MUST send an acknowledgment".
            let beyond_sack = || {
                let holes = self.acks.holes.as_ref()?;
                holes.blocks[..holes.len].iter().map(|b| b.1).max()
            };
            if seg.seq == self.rcv_nxt || self.is_reset_after_fin(seg) || beyond_sack() == Some(seg.seq) {
                self.on_reset(cx);
            } else {
                self.note_drop(cx, seg, "RST inside the window but not at RCV.NXT (RFC 5961)");
                self.challenge_ack(cx);
            }
            return Some(Verdict::Done);
        }
        if flags.has(Flags::SYN) {
            if self.state == State::SynReceived
                && flags.has(Flags::ACK)
                && seg.end == self.rcv_nxt
                && seg.ack == self.snd_nxt
            {
                // The other half of a simultaneous open: its SYN-ACK repeats the SYN.
                return None;
            }
            return Some(self.challenge_syn(cx, seg));
        }
        None
    }

    /// RFC 5961 §4.2: "If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK".
    fn challenge_syn(&mut self, cx: &mut Cx<'_>, seg: &Segment) -> Verdict {
        cx.mib.syn_challenge += 1;
        if self.state == State::SynReceived && seg.seq == self.irs {
            // The SYN again: our SYN-ACK was lost.
            self.flags.syn_due = true;
            return Verdict::Done;
        }
        self.challenge_ack(cx);
        Verdict::Done
    }

    /// A peer that has sent FIN resets with a sequence number one less.
    fn is_reset_after_fin(&self, seg: &Segment) -> bool {
        seg.seq + 1 == self.rcv_nxt && matches!(self.state, State::CloseWait | State::LastAck | State::Closing)
    }

    /// An ACK in answer to what is not acceptable; the duplicate is reported by DSACK.
    fn answer_unacceptable(&mut self, cx: &mut Cx<'_>, seg: &Segment) {
        if seg.end > seg.seq && seg.seq < self.rcv_nxt {
            cx.mib.delayed_ack_lost += 1;
            self.acks.enter_quickack(self.rcv_wnd, cx.config.max_quickacks, cx.config);
            if self.flags.sack_ok && cx.config.dsack {
                self.report_duplicate(cx, seg.seq, seg.end.min(self.rcv_nxt));
            }
        }
        self.duplicate_ack(cx, seg.len > 0 || seg.flags().has(Flags::FIN));
    }

    /// The peer resets the connection.
    pub(crate) fn on_reset(&mut self, cx: &mut Cx<'_>) {
        let error = match self.state {
            State::SynSent => Error::ConnectionRefused,
            State::SynReceived if !self.flags.passive => Error::ConnectionRefused,
            State::CloseWait => Error::BrokenPipe,
            _ => Error::ConnectionReset,
        };
        self.fail(cx, error, "RST received");
    }

    /// What the ACK of our FIN changes.
    fn after_ack(&mut self, cx: &mut Cx<'_>, seg: &Segment) -> Option<Verdict> {
        let fin_acked = self.flags.fin_queued && self.snd_una == self.write_seq();
        match self.state {
            State::FinWait1 if fin_acked => {
                self.set_state(cx, State::FinWait2, "our FIN is acknowledged");
                if self.flags.orphan {
                    let data_end = seg.end - u64::from(seg.flags().has(Flags::FIN));
                    if seg.len > 0 && data_end > self.rcv_nxt {
                        return Some(self.reset_on_data(cx));
                    }
                    self.start_fin_wait_2(cx);
                }
                None
            }
            State::Closing if fin_acked => {
                self.set_state(cx, State::TimeWait, "our FIN is acknowledged");
                Some(Verdict::TimeWait)
            }
            State::LastAck if fin_acked => {
                self.finish(cx, "our FIN is acknowledged");
                Some(Verdict::Done)
            }
            _ => None,
        }
    }

    /// RFC 1122 §4.2.2.13: "If such a host issues a CLOSE call while received data is still pending in TCP, or if new data is
    /// received after CLOSE is called, its TCP SHOULD send a RST to show that data was lost."
    pub(crate) fn reset_on_data(&mut self, cx: &mut Cx<'_>) -> Verdict {
        cx.mib.abort_on_data += 1;
        self.fail(cx, Error::ConnectionReset, "data came after close");
        Verdict::Reset("data came after close")
    }

    /// The urgent pointer is read and its data stays in the stream, as RFC 6093 recommends.
    fn receive_urgent(&mut self, seg: &Segment) {
        if seg.flags().has(Flags::URG) {
            self.rare().urgent_seen = true;
        }
    }

    pub(crate) fn note_drop(&mut self, cx: &mut Cx<'_>, seg: &Segment, why: &'static str) {
        let (local, remote, cause) = (self.local(), self.remote(), self.cause);
        let seq = seg.seq.wrapping_sub(self.irs) as u32;
        self.cause = cx.trace.emit(Storey::Transport, "tcp.drop", cause, |f| {
            f.set("local", local).set("remote", remote).set("seq", seq).set("len", seg.len).set("why", why);
        });
    }

    /// The event that stands behind what is done next.
    pub(crate) fn because(&mut self, cause: EventId) {
        if cause != EventId::NONE {
            self.cause = cause;
        }
    }
}
