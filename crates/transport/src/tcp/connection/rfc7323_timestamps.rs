//! Timestamps and PAWS (RFC 7323).

use core::time::Duration;

use super::{Connection, Cx, Segment};
use crate::tcp::wire::{Flags, Timestamps};
use septet_core::Instant;

/// What a connection keeps for the timestamps option.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Clock {
    /// Whether both ends sent the option on their SYN.
    pub(crate) ok: bool,
    /// Whether the segment at hand carried one.
    pub(crate) seen: bool,
    /// Added to the millisecond clock, so that the uptime does not show.
    pub(crate) offset: u32,
    /// TS.Recent
    pub(crate) recent: u32,
    /// When TS.Recent was last updated, in seconds.
    pub(crate) recent_stamp: u32,
    /// SEG.TSval and SEG.TSecr of the segment at hand.
    pub(crate) value: u32,
    pub(crate) echo: u32,
}

/// RFC 7323 §5.5: "the timestamp clock … wraps its sign bit … every 24.8 days".
const PAWS_24_DAYS: u32 = 24 * 24 * 60 * 60;

pub(crate) fn seconds(now: Instant) -> u32 {
    (now.as_nanos() / 1_000_000_000) as u32
}

impl Clock {
    /// The option for a segment sent now.
    pub(crate) fn stamp(&self, now_ms: u32) -> Timestamps {
        Timestamps { value: now_ms.wrapping_add(self.offset), echo: self.recent }
    }

    /// Takes in what a segment carries; the echo is on our own millisecond clock afterwards.
    pub(crate) fn parse(&mut self, timestamps: Option<Timestamps>) {
        self.seen = false;
        if let Some(t) = timestamps {
            self.seen = true;
            self.value = t.value;
            self.echo = if t.echo == 0 { 0 } else { t.echo.wrapping_sub(self.offset) };
        }
    }

    /// RFC 7323 §5.3 R1: "If there is a Timestamps option in the arriving segment, SEG.TSval < TS.Recent, TS.Recent is
    /// valid": whether it is old.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        self.seen && (self.recent.wrapping_sub(self.value) as i32) > 0 && !self.is_expired(now) && self.recent != 0
    }

    /// §5.5: "a mechanism to invalidate TS.Recent when a connection is idle for more than 24 days".
    fn is_expired(&self, now: Instant) -> bool {
        seconds(now).wrapping_sub(self.recent_stamp) >= PAWS_24_DAYS
    }
}

impl Connection {
    /// The time since TS.Recent was sent back to us, from the echo: for RTT where nothing better is known.
    pub(crate) fn rtt_from_echo(&self, now: Instant) -> Option<Duration> {
        if !self.ts.seen || self.ts.echo == 0 {
            return None;
        }
        let delta = (now.as_millis() as u32).wrapping_sub(self.ts.echo);
        // An echo from the future or from long ago is a lie.
        (delta < 1 << 22).then(|| Duration::from_millis(u64::from(delta.max(1))))
    }

    /// RFC 7323 §4.3 (2): "If SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent: SEG.TSval is copied to TS.Recent".
    pub(crate) fn update_ts_recent(&mut self, cx: &Cx<'_>, seg: &Segment) {
        let is_later = (self.ts.value.wrapping_sub(self.ts.recent) as i32) >= 0 || self.ts.is_expired(cx.now);
        if self.ts.seen && seg.seq <= self.rcv_wup && is_later {
            self.ts.recent = self.ts.value;
            self.ts.recent_stamp = seconds(cx.now);
        }
    }

    /// Whether PAWS drops the segment. A pure ACK that repeats what is known may be an old one reordered.
    pub(crate) fn paws_discards(&self, cx: &Cx<'_>, seg: &Segment) -> bool {
        if !self.ts.is_old(cx.now) {
            return false;
        }
        let disordered_ack = seg.flags().has(Flags::ACK)
            && seg.seq == seg.end
            && seg.seq == self.rcv_nxt
            && seg.ack == self.snd_una
            && !self.would_update_window(seg)
            && (self.ts.recent.wrapping_sub(self.ts.value) as i32) <= self.rtt.rto_ms as i32;
        !disordered_ack
    }
}
