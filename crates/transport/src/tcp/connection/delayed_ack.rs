//! When to acknowledge: delayed ACKs (RFC 1122 §4.2.3.2, RFC 5681 §4.2) with Linux's quick-ACK phase, interactive mode
//! and compression of ACKs for out-of-order data.

use core::time::Duration;

use septet_core::Instant;

use super::timers::Slot;
use super::{Connection, Cx, Segment};
use crate::tcp::Config;
use crate::tcp::wire::{Flags, HEADER_LEN};

/// What the receiver knows about its ACKs.
#[derive(Debug, Default)]
pub(crate) struct AckState {
    /// An ACK is owed.
    pub(crate) scheduled: bool,
    /// It is owed at once.
    pub(crate) now: bool,
    /// One is to leave with the next output.
    pub(crate) due: bool,
    /// Since the last ACK a segment was pushed or short, and so may be the last for now; more than one.
    pub(crate) pushed: bool,
    pub(crate) pushed_twice: bool,
    /// Segments that are still acknowledged at once.
    pub(crate) quick: u8,
    /// Replies in time seen: above the threshold the session is interactive.
    pub(crate) pingpong: u8,
    /// ACKs for out-of-order data held back.
    pub(crate) compressed: u8,
    pub(crate) dup_acks: u8,
    /// The delay, in milliseconds; zero before any data came.
    pub(crate) ato_ms: u16,
    /// What the peer's segments carry.
    pub(crate) rcv_mss: u16,
    pub(crate) last_seg: u16,
    pub(crate) holes: Option<Box<Holes>>,
}

/// What SACK will report.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Holes {
    pub(crate) dsack: Option<(u64, u64)>,
    pub(crate) blocks: [(u64, u64); 4],
    pub(crate) len: usize,
    /// RCV.NXT at which ACKs were compressed.
    pub(crate) compressed_at: u64,
}

impl AckState {
    pub(crate) fn clear(&mut self) {
        self.settle();
        self.compressed = 0;
        self.holes = None;
    }

    /// Nothing is owed any more, and what was pushed is acknowledged.
    fn settle(&mut self) {
        (self.scheduled, self.now, self.due) = (false, false, false);
        (self.pushed, self.pushed_twice) = (false, false);
    }

    /// The next segments are acknowledged at once: as many as half a window holds, at most `most`.
    pub(crate) fn increase_quick(&mut self, rcv_wnd: u32, most: u8) {
        let n = (rcv_wnd / (2 * u32::from(self.rcv_mss).max(1))).min(255) as u8;
        let n = (if n == 0 { 2 } else { n }).min(most);
        self.quick = self.quick.max(n);
    }

    /// Quick-ACK mode from now on.
    pub(crate) fn enter_quickack(&mut self, rcv_wnd: u32, most: u8, config: &Config) {
        self.increase_quick(rcv_wnd, most);
        self.pingpong = 0;
        self.ato_ms = config.delayed_ack_min.as_millis() as u16;
    }

    /// The next check sends an ACK.
    pub(crate) fn force_now(&mut self) {
        (self.scheduled, self.now) = (true, true);
    }

    pub(crate) fn is_interactive(&self, config: &Config) -> bool {
        self.pingpong >= config.pingpong_thresh
    }

    fn is_quick(&self, config: &Config) -> bool {
        self.quick > 0 && !self.is_interactive(config)
    }

    /// Whether a hole or a duplicate is to be reported.
    pub(crate) fn reports_sack(&self) -> bool {
        self.holes.as_ref().is_some_and(|h| h.len > 0 || h.dsack.is_some())
    }
}

impl Connection {
    /// Learns the peer's segment size: what full segments carry (Linux's `tcp_measure_rcv_mss`).
    pub(crate) fn measure_rcv_mss(&mut self, seg: &Segment, len: usize) {
        let acks = &mut self.acks;
        let last = core::mem::take(&mut acks.last_seg);
        if len >= usize::from(acks.rcv_mss) {
            acks.rcv_mss = len.min(usize::from(self.advmss)) as u16;
            // A full segment that is pushed ends a write: more may be long in coming.
            acks.pushed |= seg.flags().has(Flags::PSH);
            return;
        }
        // With its header a segment's length is what it would be without SACK blocks.
        let whole = len + seg.header.wire_len();
        let ends = seg.flags().any(Flags::PSH | Flags::FIN | Flags::URG);
        if whole >= 536 + HEADER_LEN || (whole >= 88 + HEADER_LEN && !ends) {
            // A size seen twice in a row is not the tail of something.
            acks.last_seg = (whole - HEADER_LEN - if self.ts.ok { 12 } else { 0 }) as u16;
            if acks.last_seg == last {
                acks.rcv_mss = acks.last_seg;
                return;
            }
        }
        acks.pushed_twice |= acks.pushed;
        acks.pushed = true;
    }

    /// The handshake's last segment waits for data to carry it, but not for ever (Linux, `TCP_DEFER_ACCEPT`).
    pub(crate) fn hold_handshake_ack(&mut self, cx: &Cx<'_>) {
        self.acks.enter_quickack(self.rcv_wnd, cx.config.max_quickacks, cx.config);
        self.acks.scheduled = true;
        self.timers.arm(Slot::DelayedAck, cx.now + cx.config.delayed_ack_max);
    }

    /// `len` bytes a segment came in order: the delay follows the time between segments (Linux's `tcp_event_data_recv`).
    pub(crate) fn data_received(&mut self, cx: &mut Cx<'_>, seg: &Segment, len: usize) {
        self.acks.scheduled = true;
        self.measure_rcv_mss(seg, len);
        self.measure_rcv_rtt(cx);
        let min = cx.config.delayed_ack_min.as_millis() as u32;
        if self.acks.ato_ms == 0 {
            // "The _first_ data packet received, initialize delayed ACK engine."
            self.acks.increase_quick(self.rcv_wnd, cx.config.max_quickacks);
            self.acks.ato_ms = min as u16;
        } else {
            let gap = (cx.now - self.lrcvtime).as_millis().min(1 << 30) as u32;
            let ato = u32::from(self.acks.ato_ms);
            if gap <= min / 2 {
                self.acks.ato_ms = (ato / 2 + min / 2) as u16;
            } else if gap < ato {
                self.acks.ato_ms = (ato / 2 + gap).min(self.rtt.rto_ms) as u16;
            } else if gap > self.rtt.rto_ms {
                // Too long a gap: the sender is likely to restart slowly.
                self.acks.increase_quick(self.rcv_wnd, cx.config.max_quickacks);
            }
        }
        self.lrcvtime = cx.now;
    }

    /// The peer is out of step, or its window is shut: an ACK at once, and quick ones for what follows.
    pub(crate) fn ack_quickly(&mut self, cx: &Cx<'_>) {
        self.acks.enter_quickack(self.rcv_wnd, cx.config.max_quickacks, cx.config);
        self.acks.scheduled = true;
    }

    /// RFC 1122 §4.2.3.2: "in a stream of full-sized segments there SHOULD be an ACK for at least every second segment".
    pub(crate) fn check_ack(&mut self, cx: &mut Cx<'_>) {
        if !self.acks.scheduled || self.acks.due {
            return;
        }
        let pending = self.rcv_nxt.saturating_sub(self.rcv_wup);
        // A reader that does not keep up sends the ACK itself, with the room that it makes.
        let is_second = pending > u64::from(self.acks.rcv_mss)
            && (self.rcv_nxt - self.copied_seq < u64::from(self.receive_lowat())
                || self.select_window_size() >= self.rcv_wnd);
        if is_second || self.acks.is_quick(cx.config) || self.acks.now {
            self.acks.due = true;
            return;
        }
        if !self.received.has_early() && self.fin_beyond == 0 {
            self.delay_ack(cx);
            return;
        }
        // RFC 5681 §4.2: "A TCP receiver SHOULD send an immediate duplicate ACK when an out-of-order segment arrives":
        // Linux compresses those beyond the first, if the sender has SACK to count by.
        if !self.flags.sack_ok || self.acks.compressed >= cx.config.comp_sack_nr {
            self.acks.due = true;
            return;
        }
        let rcv_nxt = self.rcv_nxt;
        let holes = self.acks.holes.get_or_insert_default();
        if holes.compressed_at != rcv_nxt {
            holes.compressed_at = rcv_nxt;
            self.acks.dup_acks = 0;
        }
        const FASTRETRANS_THRESH: u8 = 3;
        if self.acks.dup_acks < FASTRETRANS_THRESH {
            self.acks.dup_acks += 1;
            self.acks.due = true;
            return;
        }
        self.acks.compressed += 1;
        if self.timers.is_armed(Slot::CompressedAck) {
            return;
        }
        let rtt_us = match self.tuning.rtt_us >> 3 {
            0 => u64::from(self.rtt.srtt_us >> 3),
            rtt => u64::from(rtt).min(if self.rtt.srtt_us == 0 { u64::MAX } else { u64::from(self.rtt.srtt_us >> 3) }),
        };
        let delay = Duration::from_nanos(rtt_us * 1000 / 20).min(cx.config.comp_sack_delay);
        self.timers.arm(Slot::CompressedAck, cx.now + delay);
    }

    /// Starts the delayed ACK timer, or lets an earlier one stand.
    pub(crate) fn delay_ack(&mut self, cx: &mut Cx<'_>) {
        let min = cx.config.delayed_ack_min.as_millis() as u32;
        let mut ato = u32::from(self.acks.ato_ms).max(1);
        if ato > min {
            let mut most = 500;
            if self.acks.is_interactive(cx.config) || self.acks.pushed {
                most = cx.config.delayed_ack_max.as_millis() as u32;
            }
            // "Slow path, intersegment interval is 'high'": no longer than a round trip.
            if self.rtt.srtt_us != 0 {
                most = most.min((self.rtt.srtt_us >> 3).div_ceil(1000).max(min));
            }
            ato = ato.min(most);
        }
        ato = ato.min(cx.config.delayed_ack_max.as_millis() as u32);
        let mut at = cx.now + Duration::from_millis(u64::from(ato));
        if let Some(old) = self.timers.get(Slot::DelayedAck) {
            if old <= cx.now + Duration::from_millis(u64::from(ato / 4)) {
                self.acks.due = true;
                return;
            }
            at = at.min(old);
        }
        self.acks.scheduled = true;
        self.timers.arm(Slot::DelayedAck, at);
    }

    /// The delayed ACK timer has expired.
    pub(crate) fn on_delayed_ack(&mut self, cx: &mut Cx<'_>) {
        if !self.acks.scheduled {
            return;
        }
        if !self.acks.is_interactive(cx.config) {
            // "Delayed ACK missed: inflate ATO."
            self.acks.ato_ms = (u32::from(self.acks.ato_ms) * 2).min(self.rtt.rto_ms) as u16;
        } else {
            // "Delayed ACK missed: leave pingpong mode and deflate ATO."
            self.acks.pingpong = 0;
            self.acks.ato_ms = cx.config.delayed_ack_min.as_millis() as u16;
        }
        self.acks.due = true;
        cx.mib.delayed_acks += 1;
    }

    /// An ACK left, alone or with data.
    pub(crate) fn ack_sent(&mut self, cx: &mut Cx<'_>) {
        if self.acks.compressed > 0 {
            cx.mib.ack_compressed += u64::from(self.acks.compressed);
            self.acks.compressed = 0;
            self.timers.clear(Slot::CompressedAck);
        }
        // Only an ACK of something new is one of the quick ones.
        if self.acks.quick > 0 && self.acks.scheduled {
            self.acks.quick -= 1;
            if self.acks.quick == 0 {
                self.acks.ato_ms = cx.config.delayed_ack_min.as_millis() as u16;
            }
        }
        self.acks.settle();
        self.timers.clear(Slot::DelayedAck);
    }

    /// Data left: an answer given in time makes the session interactive.
    pub(crate) fn data_sent(&mut self, cx: &mut Cx<'_>) {
        if self.sent.is_empty() {
            let idle = cx.now - self.lsndtime;
            let is_app_limited = self.rate.app_limited != 0;
            self.cc_event(cx, crate::tcp::CaEvent::TxStart { idle, is_app_limited });
        }
        self.lsndtime = cx.now;
        let since = (cx.now - self.lrcvtime).as_millis() as u64;
        if self.lrcvtime != Instant::ZERO && since < u64::from(self.acks.ato_ms) {
            self.acks.pingpong = self.acks.pingpong.saturating_add(1);
        }
    }
}
