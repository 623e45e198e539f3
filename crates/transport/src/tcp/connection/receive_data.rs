//! "Seventh, process the segment text" and "eighth, check the FIN bit" (RFC 9293 §3.10.7.4).

use septet_core::Frame;

use super::input::Verdict;
use super::{Connection, Cx, Segment};
use crate::tcp::State;
use crate::tcp::buffer::Queued;
use crate::tcp::wire::Flags;

impl Connection {
    pub(crate) fn receive_text(&mut self, cx: &mut Cx<'_>, seg: &Segment, frame: Frame) -> Verdict {
        if seg.seq == seg.end {
            return Verdict::Done;
        }
        match self.state {
            State::Established => {}
            State::FinWait1 | State::FinWait2 => {
                let data_end = seg.end - u64::from(seg.flags().has(Flags::FIN));
                if self.flags.read_shut && seg.len > 0 && data_end > self.rcv_nxt {
                    return self.reset_on_data(cx);
                }
            }
            // "This should not occur since a FIN has been received from the remote side. Ignore the segment text." What is old
            // is acknowledged again below.
            _ if seg.seq >= self.rcv_nxt => return Verdict::Done,
            _ => {}
        }
        self.ecn_accept_cwr(seg);
        if seg.seq == self.rcv_nxt {
            return self.in_order(cx, seg, frame);
        }
        if seg.end <= self.rcv_nxt {
            // It has been received before: a retransmission.
            cx.mib.delayed_ack_lost += 1;
            self.report_duplicate(cx, seg.seq, seg.end);
            self.ack_quickly(cx);
            return Verdict::Done;
        }
        if seg.seq >= self.rcv_nxt + u64::from(self.advertised_window()) {
            self.ack_quickly(cx);
            return Verdict::Done;
        }
        if seg.seq < self.rcv_nxt {
            // Partly old: RFC 2883 reports the old part.
            self.report_duplicate(cx, seg.seq, self.rcv_nxt);
            if self.advertised_window() == 0 {
                cx.mib.zero_window_drop += 1;
                self.ack_quickly(cx);
                return Verdict::Done;
            }
            let mut frame = frame;
            let old = (self.rcv_nxt - seg.seq) as usize;
            frame.pull(old.min(frame.len()));
            let rest = Segment { seq: self.rcv_nxt, len: frame.len(), ..*seg };
            return self.in_order(cx, &rest, frame);
        }
        self.out_of_order(cx, seg, frame);
        Verdict::Done
    }

    fn in_order(&mut self, cx: &mut Cx<'_>, seg: &Segment, mut frame: Frame) -> Verdict {
        let window = self.advertised_window() as usize;
        let mut fin = seg.flags().has(Flags::FIN);
        if window == 0 && seg.len > 0 {
            cx.mib.zero_window_drop += 1;
            self.ack_quickly(cx);
            return Verdict::Done;
        }
        if frame.len() > window {
            // "Segments with higher beginning sequence numbers SHOULD be held …": what lies beyond the window is cut off.
            frame.truncate(window);
            fin = false;
            cx.mib.rcv_q_drop += 1;
            self.acks.force_now();
        }
        let len = frame.len();
        self.measure_rcv_rtt_by_echo(cx, len);
        self.rcv_nxt += len as u64;
        if self.flags.read_shut && self.flags.orphan {
            drop(frame);
            self.copied_seq = self.rcv_nxt;
        } else {
            self.received.push(frame);
        }
        if len > 0 {
            self.ecn_check_data(cx, seg);
            self.data_received(cx, seg, len.min(seg.unit));
            self.grow_window(len);
            self.flags.notify = true;
        }
        let mut verdict = Verdict::Done;
        if fin {
            self.rcv_nxt += 1;
            verdict = self.on_fin(cx);
        }
        if self.received.has_early() {
            let before = self.rcv_nxt;
            // RFC 2883 §4.1.2: what waited out of order and now comes again is a duplicate.
            if let Some((s, e)) = self.received.overlap(seg.seq, before) {
                self.extend_duplicate(cx, s, e);
            }
            let after = self.received.advance(before);
            self.rcv_nxt = after;
            // RFC 5681 §4.2: "A TCP receiver … SHOULD send an immediate ACK when it receives a data segment that fills in all
            // or part of a gap".
            if !self.received.has_early() {
                self.acks.force_now();
            }
            self.sack_advance();
            self.prune_early(cx);
        }
        if self.fin_beyond != 0 && self.fin_beyond == self.rcv_nxt && !self.flags.fin_received {
            self.rcv_nxt += 1;
            self.acks.force_now();
            verdict = self.on_fin(cx);
        }
        verdict
    }

    fn out_of_order(&mut self, cx: &mut Cx<'_>, seg: &Segment, mut frame: Frame) {
        self.ecn_check_data(cx, seg);
        self.acks.scheduled = true;
        self.measure_rcv_mss(seg, seg.unit);
        let window = self.rcv_nxt + u64::from(self.advertised_window());
        let most = (window - seg.seq) as usize;
        let whole = frame.len() <= most;
        frame.truncate(most);
        if !cx.config.reassembly || self.flags.read_shut && self.flags.orphan {
            // A Go-Back-N receiver keeps nothing that is early.
            cx.mib.ofo_drop += 1;
            self.acks.force_now();
            return;
        }
        self.counters.ooo_packets = self.counters.ooo_packets.wrapping_add(1);
        cx.mib.ofo_queue += 1;
        let (start, data_end) = (seg.seq, seg.seq + frame.len() as u64);
        let fin = seg.flags().has(Flags::FIN) && whole;
        // The FIN has a sequence number of its own, and SACK reports it with the data.
        let end = data_end + u64::from(fin);
        let is_new_fin = fin && core::mem::replace(&mut self.fin_beyond, data_end) != data_end;
        let overlap = self.received.overlap(start, data_end);
        let queued = if frame.is_empty() { Queued::Duplicate } else { self.received.insert(start, frame) };
        if queued == Queued::Duplicate && !is_new_fin {
            cx.mib.ofo_merge += 1;
            self.report_duplicate(cx, start, end);
            self.sack_touch(start, end);
            return;
        }
        if let Some((s, e)) = overlap {
            self.report_duplicate(cx, s, e);
        }
        self.sack_add(start, end);
        // Without SACK only ACKs that are all alike count as duplicates, and a window that grows would hide a loss.
        if self.flags.sack_ok {
            self.grow_window(seg.len);
        }
        if !self.flags.orphan && (!self.flags.passive || self.flags.accepted) {
            self.grow_receive_buffer(cx.config, self.tuning.space);
        }
        self.prune_early(cx);
    }

    /// Many small pieces cost more than the window counts: the furthest go, as if they had been lost (Linux's
    /// `tcp_prune_ofo_queue`). RFC 2018 §8: "the data receiver is permitted to discard data in its queue that has not been
    /// acknowledged to the data sender, even if the data has already been reported in a SACK option".
    pub(super) fn prune_early(&mut self, cx: &mut Cx<'_>) {
        let most = self.early_bound();
        if self.received.early_cost() <= most {
            return;
        }
        self.received.prune(most - most / 8);
        cx.mib.ofo_pruned += 1;
        if self.fin_beyond != 0 {
            // The FIN came with data, and goes with it.
            self.fin_beyond = 0;
        }
        if let Some(holes) = &mut self.acks.holes {
            holes.len = 0;
        }
    }

    /// What may be spent on what is out of order: the buffer, and what an advertised window needs though the buffer has been
    /// made smaller since.
    pub(crate) fn early_bound(&self) -> usize {
        (self.rcv_buf as usize).max(2 * self.advertised_window() as usize)
    }

    /// "If the FIN bit is set, signal the user "connection closing"".
    fn on_fin(&mut self, cx: &mut Cx<'_>) -> Verdict {
        self.acks.scheduled = true;
        self.flags.fin_received = true;
        if cx.trace.is_on() {
            self.received.set_end(self.cause);
        }
        self.flags.read_shut = true;
        self.flags.notify = true;
        self.fin_beyond = 0;
        // Nothing follows a FIN: what lies beyond it is a lie.
        if self.received.has_early() {
            self.received.drop_early();
        }
        self.acks.holes = None;
        match self.state {
            State::SynReceived | State::Established => {
                self.set_state(cx, State::CloseWait, "FIN received");
                // What comes next is our own FIN, which will carry the ACK.
                self.acks.pingpong = self.acks.pingpong.max(cx.config.pingpong_thresh);
                Verdict::Done
            }
            State::FinWait1 => {
                self.acks.due = true;
                self.set_state(cx, State::Closing, "FIN received, ours is not yet acknowledged");
                Verdict::Done
            }
            State::FinWait2 => {
                self.set_state(cx, State::TimeWait, "FIN received");
                Verdict::TimeWait
            }
            _ => Verdict::Done,
        }
    }

    /// RFC 2883 §4: the next ACK's first block reports what came twice. (3): "the left edge of the D-SACK block … specifies the
    /// sequence number of the first byte … duplicated by *this* packet": the last one counts.
    pub(crate) fn report_duplicate(&mut self, cx: &mut Cx<'_>, start: u64, end: u64) {
        if !self.flags.sack_ok || !cx.config.dsack || start >= end {
            return;
        }
        if start < self.rcv_nxt {
            cx.mib.dsack_old_sent += 1;
        } else {
            cx.mib.dsack_ofo_sent += 1;
        }
        self.acks.holes.get_or_insert_default().dsack = Some((start, end));
    }

    /// The same segment repeated this too: what does not touch the first is left out, as a segment has one D-SACK block.
    fn extend_duplicate(&mut self, cx: &mut Cx<'_>, start: u64, end: u64) {
        match self.acks.holes.as_ref().and_then(|h| h.dsack) {
            Some((s, e)) if start > e || s > end => {}
            Some((s, e)) => self.report_duplicate(cx, start.min(s), end.max(e)),
            None => self.report_duplicate(cx, start, end),
        }
    }

    /// RFC 2018 §4: "the first SACK block … MUST specify the contiguous block of data containing the segment which triggered
    /// this ACK".
    fn sack_add(&mut self, start: u64, end: u64) {
        let holes = self.acks.holes.get_or_insert_default();
        let (mut s, mut e) = (start, end);
        let mut kept = [(0, 0); 4];
        let mut n = 0;
        for &(bs, be) in &holes.blocks[..holes.len] {
            if bs <= e && s <= be {
                (s, e) = (s.min(bs), e.max(be));
            } else {
                kept[n] = (bs, be);
                n += 1;
            }
        }
        holes.blocks[0] = (s, e);
        let n = n.min(3);
        holes.blocks[1..=n].copy_from_slice(&kept[..n]);
        holes.len = n + 1;
    }

    /// Brings the block that holds the range to the front.
    fn sack_touch(&mut self, start: u64, end: u64) {
        let Some(holes) = &mut self.acks.holes else { return };
        if let Some(i) = holes.blocks[..holes.len].iter().position(|b| b.0 <= start && end <= b.1) {
            holes.blocks[..=i].rotate_right(1);
        }
    }

    /// Forgets blocks that have come into order.
    fn sack_advance(&mut self) {
        let next = self.rcv_nxt;
        let is_empty = !self.received.has_early() && self.fin_beyond == 0;
        let Some(holes) = &mut self.acks.holes else { return };
        let mut n = 0;
        for i in 0..holes.len {
            let (s, e) = holes.blocks[i];
            if e > next && !is_empty {
                holes.blocks[n] = (s.max(next), e);
                n += 1;
            }
        }
        holes.len = n;
    }
}
