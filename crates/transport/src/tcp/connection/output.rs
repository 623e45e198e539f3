//! What leaves next: resets, the SYN, probes, what was lost, new data, and the bare ACK.

use core::time::Duration;

use super::nagle::Push;
use super::timers::Slot;
use super::transmit::{Kind, Plan};
use super::{Connection, Cx, Waiting};
use crate::tcp::buffer::{Mark, Record};
use crate::tcp::wire::Flags;
use crate::tcp::{CaState, Config, State, Transmit};

/// How much of the window new data may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quota {
    /// What congestion control allows.
    Window,
    /// One segment, whatever it says: a tail loss probe.
    Probe,
}

/// The largest super-segment of a device that says nothing else: `GSO_LEGACY_MAX_SIZE`.
const GSO_MAX_SIZE: u64 = 65_536;

/// Why something is sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It is held to be lost.
    Repair,
    /// A tail loss probe.
    Probe,
}

impl Connection {
    /// The next segment, or nothing for now.
    pub(crate) fn poll_transmit(&mut self, cx: &mut Cx<'_>) -> Option<Transmit> {
        if core::mem::take(&mut self.flags.reset_due) {
            return Some(self.send_reset(cx));
        }
        if core::mem::take(&mut self.flags.syn_due) {
            return Some(self.send_syn(cx));
        }
        if matches!(self.state, State::Closed | State::SynSent) {
            return None;
        }
        if core::mem::take(&mut self.flags.probe_due)
            && let Some(t) = self.send_loss_probe(cx)
        {
            return Some(t);
        }
        if core::mem::take(&mut self.flags.head_due) && !self.sent.is_empty() {
            return Some(self.retransmit(cx, 0, 1, Purpose::Repair));
        }
        // What the pace holds back stays due, and goes before new data.
        if self.flags.retransmit_due && !self.pacing_holds(cx) {
            if let Some(t) = self.send_lost(cx) {
                return Some(t);
            }
            self.flags.retransmit_due = false;
        }
        if core::mem::take(&mut self.flags.wake_due) {
            let t = self.send_wakeup(cx);
            self.persist_probe_sent(cx);
            return Some(t);
        }
        if core::mem::take(&mut self.flags.keepalive_due) {
            return Some(self.send_bare(cx, self.snd_una - 1, "keepalive probe"));
        }
        if self.state != State::SynReceived {
            if let Some(t) = self.send_new(cx, Push::Normal, Quota::Window) {
                self.flags.in_burst = true;
                return Some(t);
            }
            if core::mem::take(&mut self.flags.in_burst) {
                self.schedule_loss_probe(cx, false);
            } else if !self.acks.due && self.sent.is_empty() {
                self.check_persist(cx);
            }
        }
        if self.acks.due && self.state != State::SynReceived {
            let report = self.acks.holes.as_ref().filter(|_| self.flags.sack_ok);
            let why = match report.map(|holes| (holes.len > 0, holes.dsack.is_some())) {
                Some((true, true)) => "ACK with SACK: a segment is missing, and another came twice",
                Some((true, false)) => "ACK with SACK: a segment is missing",
                // RFC 2883 §4: "a D-SACK block is only used to report a duplicate contiguous sequence of data received".
                Some((false, true)) => "ACK with D-SACK: what came had come before",
                _ => "ACK",
            };
            return Some(self.send_bare(cx, self.snd_nxt, why));
        }
        None
    }

    fn send_reset(&mut self, cx: &mut Cx<'_>) -> Transmit {
        cx.mib.out_rsts += 1;
        let plan = Plan {
            seq: self.snd_nxt,
            len: 0,
            flags: Flags::RST | Flags::ACK,
            mss: self.mss as usize,
            kind: Kind::Bare,
        };
        self.build(cx, plan, |_| "reset".to_owned())
    }

    fn send_syn(&mut self, cx: &mut Cx<'_>) -> Transmit {
        let again = self.snd_nxt != self.iss;
        let answering = self.state == State::SynReceived;
        let mut flags = Flags::SYN;
        if answering {
            flags |= Flags::ACK;
            if self.ecn_ok() {
                flags |= Flags::ECE;
            }
        } else if self.rtt.retransmits == 0 || !again {
            let ecn = self.ecn_syn_flags(cx.config.ecn);
            if ecn != Flags::NONE {
                self.ecn_flags = super::rfc3168_ecn::OK;
            }
            flags |= ecn;
        } else {
            // RFC 3168 §6.1.1.1: a SYN that was lost may have been dropped for its ECN bits.
            self.ecn_flags = 0;
        }
        if again {
            cx.mib.syn_retrans += 1;
            cx.mib.retrans_segs += 1;
            self.counters.total_retrans += 1;
            self.recovery.undo_marker = self.iss;
            if !self.sent.is_empty() {
                self.sent.mark(0, Mark::EVER_RETRANS);
                let old = self.sent.at(0).sent_at;
                self.sent.at_mut(0).sent_at = cx.now;
                if self.recovery.retrans_stamp == 0 {
                    self.recovery.retrans_stamp = old.as_millis().max(1) as u32;
                }
            }
        } else {
            let mut record = Record::new(self.iss, 0, Mark::SYN | Mark::HEAD, cx.now);
            self.rate_sent(cx.now, &mut record);
            self.sent.push(record);
            self.snd_nxt = self.iss + 1;
        }
        if self.timers.waiting() == Waiting::Nothing {
            let at = cx.now + self.rtt.rto();
            self.wait(cx, Waiting::Retransmit, at);
        }
        let kind = if again { Kind::Again } else { Kind::New };
        let plan = Plan { seq: self.iss, len: 0, flags, mss: self.mss as usize, kind };
        let retries = self.rtt.retransmits;
        self.build(cx, plan, move |_| match (answering, retries) {
            (true, _) => "SYN-ACK of a simultaneous open".to_owned(),
            (false, 0) => "open a connection".to_owned(),
            (false, n) => format!("SYN again: no answer, attempt {n}"),
        })
    }

    /// An ACK, or a probe that provokes one.
    fn send_bare(&mut self, cx: &mut Cx<'_>, seq: u64, why: &'static str) -> Transmit {
        let plan = Plan { seq, len: 0, flags: Flags::ACK, mss: self.mss as usize, kind: Kind::Bare };
        self.build(cx, plan, |_| why.to_owned())
    }

    /// A pure ACK built at once, for what must not wait for the queue.
    pub(crate) fn ack_now(&mut self, cx: &mut Cx<'_>, why: &'static str) -> Transmit {
        self.send_bare(cx, self.snd_nxt, why)
    }

    /// Linux's `tcp_write_wakeup`: as much as the window takes, or a segment that is old and so provokes an ACK.
    fn send_wakeup(&mut self, cx: &mut Cx<'_>) -> Transmit {
        cx.mib.win_probe += 1;
        let room =
            self.wnd_end().saturating_sub(self.snd_nxt).min(self.unsent()).min(self.current_mss() as u64) as usize;
        if room > 0 {
            let fin = self.flags.fin_queued && self.snd_nxt + room as u64 == self.send.end();
            let flags = Flags::ACK | Flags::PSH | if fin { Flags::FIN } else { Flags::NONE };
            return self.emit(cx, room, flags, self.current_mss(), "persist timer: what the window takes");
        }
        self.send_bare(cx, self.snd_una - 1, "window probe")
    }

    /// How many segments may leave as one.
    fn super_segment(&self, cx: &Cx<'_>, mss: usize) -> u32 {
        match u64::from(self.gso_max) {
            0 => 1,
            gso => self.autosize(cx, mss, gso),
        }
    }

    /// Linux's `tcp_tso_autosize`, a millisecond's worth, more over a short path: how many segments leave together where super-segments may be as long as `gso`.
    fn autosize(&self, cx: &Cx<'_>, mss: usize, gso: u64) -> u32 {
        let mut bytes = self.pacing_rate >> 10;
        let r = self.rtt.min_us() >> cx.config.tso_rtt_log;
        if r < 32 {
            bytes = bytes.saturating_add(gso >> r);
        }
        let most = (gso.saturating_sub(u64::from(self.ip_header()) + 60)).max(1);
        let least = self.controller.min_tso_segs().unwrap_or(cx.config.min_tso_segs);
        let segs = (bytes.min(most) / mss as u64).max(u64::from(least));
        segs.min(most / mss as u64).clamp(1, 44) as u32
    }

    pub(crate) fn is_pacing(&self, config: &Config) -> bool {
        config.pacing || self.controller.is_paced() || self.rare.as_ref().is_some_and(|r| r.max_pacing_rate.is_some())
    }

    /// Whether the pace holds output back; starts the timer then.
    fn pacing_holds(&mut self, cx: &Cx<'_>) -> bool {
        if self.recovery.pacing_next <= cx.now || !self.is_pacing(cx.config) {
            return false;
        }
        self.timers.arm(Slot::Pacing, self.recovery.pacing_next);
        true
    }

    fn pace(&mut self, cx: &Cx<'_>, bytes: usize) {
        if self.is_pacing(cx.config) && self.pacing_rate != 0 && self.pacing_rate != u64::MAX {
            let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.pacing_rate);
            let gap = Duration::from_nanos(nanos.min(1 << 40) as u64);
            self.recovery.pacing_next = self.recovery.pacing_next.max(cx.now) + gap;
        }
    }

    pub(super) fn send_new(&mut self, cx: &mut Cx<'_>, push: Push, quota: Quota) -> Option<Transmit> {
        if !self.has_unsent() {
            if self.flags.in_burst {
                let limited = self.is_window_full();
                self.validate_cwnd(cx, limited);
            }
            return None;
        }
        if quota == Quota::Window && self.pacing_holds(cx) {
            return None;
        }
        if let Some(size) = self.mtup_probe_size()
            && quota == Quota::Window
        {
            let t = self.emit(cx, size, Flags::ACK, size, "path MTU probe (RFC 4821)");
            self.mtup_sent(size);
            return Some(t);
        }
        let mut limited = (false, false);
        let planned = self.plan_new(cx, push, quota, &mut limited);
        let Some((len, flags, mss)) = planned else {
            if quota == Quota::Window {
                self.note_chrono(cx, limited.1);
                let full = limited.0 || self.is_window_full();
                if self.flags.in_burst || full {
                    self.validate_cwnd(cx, full);
                }
            }
            return None;
        };
        let why = if quota == Quota::Probe { "tail loss probe: new data" } else { "" };
        Some(self.emit(cx, len, flags, mss, why))
    }

    fn is_window_full(&self) -> bool {
        self.sent.in_flight() + self.window.segment() > self.window.cwnd
    }

    /// How much of what waits may go in one (super-)segment: Linux's `tcp_write_xmit`.
    fn plan_new(
        &mut self,
        cx: &Cx<'_>,
        push: Push,
        quota: Quota,
        limited: &mut (bool, bool),
    ) -> Option<(usize, Flags, usize)> {
        let mss = self.current_mss();
        let seq = self.snd_nxt;
        let segment = self.mss as u64;
        let wnd_end = self.wnd_end();
        if seq >= self.send.end() {
            // The FIN alone; it takes its place in the window but not a segment's worth of it.
            if seq >= wnd_end && self.snd_wnd > 0 && !self.sent.is_empty() {
                limited.1 = true;
                return None;
            }
            if quota == Quota::Window && self.sent.in_flight() >= self.window.cwnd && !self.sent.is_empty() {
                limited.0 = true;
                return None;
            }
            return Some((0, Flags::ACK | Flags::FIN, mss));
        }
        let in_flight = self.sent.in_flight();
        let room = self.window.cwnd.saturating_sub(in_flight);
        let (border, is_last) = self.send.border(seq)?;
        let first = (border.end - seq).min(mss as u64);
        let stays_short = first < mss as u64 && (is_last || border.ends_record);
        let mut segs = (room / segment) as u32;
        if segs == 0 {
            // A last short segment may fit where a full one does not; and with nothing in flight one always may go.
            if quota == Quota::Probe || in_flight == 0 || (room > 0 && room >= first && stays_short) {
                segs = 1;
            } else {
                return None;
            }
        }
        let half = (self.window.segments() / 2).max(1);
        segs = segs.min(half).min(if quota == Quota::Probe { 1 } else { self.super_segment(cx, mss) });
        self.send.join(seq, u64::from(segs) * mss as u64);
        let (border, is_last) = self.send.border(seq)?;
        let len = border.end - seq;
        let with_fin = is_last && self.flags.fin_queued;
        if seq + len.min(mss as u64) > wnd_end {
            limited.1 = true;
            return None;
        }
        let push = if is_last { push } else { Push::Now };
        let mut limit = mss as u64;
        if len <= mss as u64 {
            let push = if with_fin || quota == Quota::Probe { Push::Now } else { push };
            if self.nagle_holds(len < mss as u64, push) {
                return None;
            }
        } else {
            let most = u64::from(segs) * mss as u64;
            if quota == Quota::Window && self.tso_defers(cx, len, self.super_segment(cx, mss), is_last, limited) {
                return None;
            }
            let window = wnd_end - seq;
            let needed = len.min(window);
            limit = if most <= needed {
                most
            } else if self.nagle_holds(!needed.is_multiple_of(mss as u64), push) && !with_fin {
                needed - needed % mss as u64
            } else {
                needed
            };
        }
        let sent = len.min(limit);
        let whole = sent == len;
        let mut flags = Flags::ACK;
        if whole && border.push {
            flags |= Flags::PSH;
        }
        if whole && with_fin {
            flags |= Flags::FIN;
        }
        Some((sent as usize, flags, mss))
    }

    /// Sends the next `len` bytes and keeps their records.
    fn emit(&mut self, cx: &mut Cx<'_>, len: usize, flags: Flags, mss: usize, why: &'static str) -> Transmit {
        let seq = self.snd_nxt;
        self.data_sent(cx);
        let first_out = self.sent.is_empty();
        let app_limited = if self.rate.app_limited != 0 { Mark::APP_LIMITED } else { 0 };
        let mut record = Record::new(seq, 0, 0, cx.now);
        self.rate_sent(cx.now, &mut record);
        // Without super-segments too the accounts keep together what Linux would.
        let continues = self.gso_max == 0 && self.sent.continues_at(seq, self.autosize(cx, mss, GSO_MAX_SIZE));
        let head = if continues { 0 } else { Mark::HEAD };
        let mut done = 0;
        let mut segs = 0;
        loop {
            let n = (len - done).min(mss);
            let last = done + n == len;
            let mut marks = app_limited | if done == 0 { head } else { 0 };
            if last && flags.has(Flags::FIN) {
                marks |= Mark::FIN;
            }
            if last && flags.has(Flags::PSH) {
                marks |= Mark::PSH;
            }
            if last && self.send.record_ends_at(seq + len as u64) {
                marks |= Mark::EOR;
            }
            self.sent.push(record.piece(seq + done as u64, n, marks));
            done += n;
            segs += 1;
            if last {
                break;
            }
        }
        self.snd_nxt = seq + len as u64 + u64::from(flags.has(Flags::FIN));
        self.send.forget_sent(self.snd_nxt);
        cx.mib.orig_data_sent += segs;
        if len > 0 && (len as u64) < segs * mss as u64 {
            self.recovery.snd_sml = self.snd_nxt;
        }
        if self.in_cwnd_reduction() {
            self.recovery.prr_out += len as u64;
        }
        if first_out || self.timers.waiting() == Waiting::LossProbe {
            self.rearm_rto(cx);
        }
        self.pace(cx, len + segs as usize * 40);
        self.note_chrono(cx, false);
        let plan = Plan { seq, len, flags, mss, kind: Kind::New };
        self.build(cx, plan, |c| {
            if !why.is_empty() {
                why.to_owned()
            } else if len == 0 {
                "close: FIN".to_owned()
            } else {
                let (flight, cwnd) = (c.sent.in_flight(), c.window.cwnd);
                let fin = if flags.has(Flags::FIN) { " and FIN" } else { "" };
                format!("data{fin}: {flight} of {cwnd} bytes of window in flight")
            }
        })
    }

    /// The next segment that is held to be lost, as far as the window allows.
    fn send_lost(&mut self, cx: &mut Cx<'_>) -> Option<Transmit> {
        let room = self.window.cwnd.saturating_sub(self.sent.in_flight());
        if room == 0 {
            return None;
        }
        let i = self.next_lost()?;
        let record = *self.sent.at(i);
        if record.span() > room && self.sent.in_flight() > 0 {
            return None;
        }
        // RFC 9293 §3.8.6: not beyond what the peer offers now, but SND.UNA always may.
        if record.seq >= self.wnd_end() && record.seq != self.snd_una {
            return None;
        }
        if self.ca_state == CaState::Loss {
            cx.mib.slow_start_retrans += 1;
        } else {
            cx.mib.fast_retrans += 1;
        }
        let segs = (room / self.window.segment()).max(1) as u32;
        Some(self.retransmit(cx, i, segs.min(self.super_segment(cx, self.mss as usize)), Purpose::Repair))
    }

    /// Sends the record at position `i` again, with what followed it in the same super-segment or fits beside it.
    fn retransmit(&mut self, cx: &mut Cx<'_>, i: usize, segs: u32, purpose: Purpose) -> Transmit {
        let mss = self.mss as usize;
        if self.sent.at(i).len() > mss {
            self.sent.resegment(mss);
        }
        // RFC 9293 §3.8.6: what the window has shrunk to is all that goes; where it is shut, a whole segment probes it.
        let whole = *self.sent.at(i);
        let room = self.wnd_end().saturating_sub(whole.seq);
        if room > 0 && whole.len() as u64 > room {
            self.sent.split(whole.seq, room as usize);
        }
        let first = *self.sent.at(i);
        let mut n = 1;
        let mut len = first.len();
        let mut last = first;
        let mut flags = Flags::ACK;
        if first.is(Mark::PSH) {
            flags |= Flags::PSH;
        }
        while let Some(next) = self.sent.get(i + n).copied() {
            let lost = next.is(Mark::LOST) && !next.is(Mark::RETRANS | Mark::SACKED);
            let same = !next.is(Mark::HEAD) && (n as u32) < segs && last.len() == mss;
            let fits = len + next.len() <= mss && !last.is(Mark::FIN | Mark::SYN | Mark::EOR);
            if !lost || !(same || fits) || next.end() > self.wnd_end().max(first.end()) {
                break;
            }
            if next.is(Mark::PSH) {
                flags |= Flags::PSH;
            }
            len += next.len();
            last = next;
            n += 1;
        }
        if last.is(Mark::FIN) {
            flags |= Flags::FIN;
        }
        // A tail loss probe asks for ACKs: what it repeats is not held to be lost, and counts once in the pipe.
        let is_probe = purpose == Purpose::Probe;
        if !is_probe {
            if self.recovery.retrans_stamp == 0 {
                self.recovery.retrans_stamp = cx.ms().max(1);
            }
            self.recovery.undo_retrans = self.recovery.undo_retrans.max(0) + n as i32;
        }
        let wire = len.div_ceil(mss).max(1) as u32;
        self.counters.total_retrans = self.counters.total_retrans.wrapping_add(wire);
        self.counters.bytes_retrans += len as u64;
        cx.mib.retrans_segs += u64::from(wire);
        let mut stamped = first;
        self.rate_sent(cx.now, &mut stamped);
        let age = cx.now - first.sent_at;
        for k in i..i + n {
            self.sent.at_mut(k).restamp(&stamped, cx.now);
            self.sent.mark(k, if is_probe { Mark::EVER_RETRANS } else { Mark::RETRANS | Mark::EVER_RETRANS });
            self.sent.resent(k);
        }
        if self.in_cwnd_reduction() && !is_probe {
            self.recovery.prr_out += len as u64;
        }
        if i == 0 && !is_probe && self.ca_state != CaState::Loss && self.timers.waiting() != Waiting::Reorder {
            let at = cx.now + self.rtt.rto();
            self.wait(cx, Waiting::Retransmit, at);
        }
        self.pace(cx, len + 40);
        let plan = Plan { seq: first.seq, len, flags, mss, kind: Kind::Again };
        self.build(cx, plan, |c| c.retransmission_reason(age))
    }

    fn retransmission_reason(&self, age: Duration) -> String {
        let rack = self.rack.rtt_us;
        match self.ca_state {
            CaState::Loss if self.recovery.too_long => format!("path MTU: {} bytes get through", self.pmtu),
            CaState::Loss => format!("RTO: no ACK for {} ms", age.as_millis()),
            CaState::Recovery if self.flags.sack_ok => format!(
                "RACK: sent {} us ago, later segments were delivered after {rack} us ({} SACKed)",
                age.as_micros(),
                self.sent.sacked.segs
            ),
            CaState::Recovery => format!("{} duplicate ACKs", self.sent.sacked.segs.max(self.reordering)),
            _ => format!("TLP: no ACK for {} us", age.as_micros()),
        }
    }

    fn send_loss_probe(&mut self, cx: &mut Cx<'_>) -> Option<Transmit> {
        if self.sent.is_empty() {
            return None;
        }
        if self.has_unsent()
            && let Some(t) = self.send_new(cx, Push::Now, Quota::Probe)
        {
            self.loss_probe_sent(cx, false);
            return Some(t);
        }
        let last = self.sent.len() - 1;
        let t = self.retransmit(cx, last, 1, Purpose::Probe);
        self.loss_probe_sent(cx, true);
        Some(t)
    }
}
