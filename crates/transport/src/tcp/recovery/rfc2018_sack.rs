//! Selective acknowledgment (RFC 2018) and duplicate SACK (RFC 2883), on the sender's side: blocks to marks on records.

use septet_core::Instant;

use super::super::buffer::Mark;
use super::super::connection::{Connection, Cx, Segment, widen};
use super::delivery_rate::Gathering;
use super::state_machine::AckFlags;

/// What a sender remembers about the blocks it was shown.
#[derive(Debug, Default)]
pub(crate) struct SackState {
    /// The blocks of the last ACK: what they covered needs no second look.
    cache: [(u64, u64); 4],
    /// The end of the highest byte selectively acknowledged.
    pub(crate) fack: u64,
}

impl SackState {
    pub(crate) fn has_blocks(&self) -> bool {
        self.fack != 0
    }
}

/// What tagging found.
#[derive(Debug, Default)]
pub(crate) struct Tagged {
    /// The lowest sequence number delivered out of order.
    pub(crate) reord: u64,
    /// When the first and the last segment newly reported were sent.
    pub(crate) first_sent: Option<Instant>,
    pub(crate) last_sent: Option<Instant>,
    /// Segments that were delivered twice.
    pub(crate) duplicates: u32,
}

impl Connection {
    /// The sequence number behind the highest byte selectively acknowledged, or SND.UNA.
    pub(crate) fn highest_sack(&self) -> u64 {
        if self.sent.sacked.segs == 0 {
            return self.snd_una;
        }
        self.sack.as_ref().map_or(self.snd_una, |s| s.fack.max(self.snd_una))
    }

    /// Goes through the blocks of an ACK.
    pub(crate) fn sack_tag(
        &mut self,
        cx: &mut Cx<'_>,
        seg: &Segment,
        prior_una: u64,
        flags: &mut AckFlags,
        gathering: &mut Gathering,
    ) -> Tagged {
        let mut tagged = Tagged { reord: self.snd_nxt, ..Tagged::default() };
        let wire = seg.header.options.sack;
        let mut blocks: [(u64, u64); 4] = [(0, 0); 4];
        let mut n = 0;
        let mut dsack = None;
        for (i, (start, end)) in wire.as_slice().iter().enumerate() {
            let (start, end) = (widen(self.snd_una, *start), widen(self.snd_una, *end));
            if i == 0 && self.is_dsack(seg, (start, end)) {
                dsack = Some((start, end));
                if !self.on_dsack(cx, prior_una, (start, end), seg.ack, flags, &mut tagged) {
                    cx.mib.dsack_ignored += 1;
                    continue;
                }
            }
            let is_dup = dsack == Some((start, end)) && i == 0;
            if !self.is_block_valid(start, end, is_dup) {
                if !is_dup {
                    cx.mib.sack_discard += 1;
                }
                continue;
            }
            // RFC 2883 §4: a block below the cumulative ACK has nothing left to mark.
            if end <= prior_una {
                continue;
            }
            blocks[n] = (start, end);
            n += 1;
        }
        if self.sent.sacked.segs == 0
            && let Some(sack) = &mut self.sack
        {
            sack.fack = 0;
            sack.cache = [(0, 0); 4];
        }
        let blocks = &mut blocks[..n];
        blocks.sort_unstable();
        let cache = self.sack.as_ref().map_or([(0, 0); 4], |s| s.cache);
        for &(start, end) in blocks.iter() {
            let dup = dsack.is_some_and(|d| d.0 <= start && d.1 >= end);
            // Only what no block of the last ACK covered is looked at.
            let mut from = start;
            if !dup {
                for &(s, e) in &cache {
                    if s <= from && from < e {
                        from = e;
                    }
                }
            }
            let mut until = end;
            if !dup && from < end {
                for &(s, e) in cache.iter().rev() {
                    if from < s && s < until && until <= e {
                        until = s;
                    }
                }
            }
            if from < until {
                self.sack_walk(cx, from, until, dup, flags, gathering, &mut tagged);
            }
        }
        let mut new = [(0, 0); 4];
        new[..blocks.len()].copy_from_slice(blocks);
        if n > 0 || self.sack.is_some() {
            let sack = self.sack.get_or_insert_default();
            sack.cache = new;
            for &(_, end) in blocks.iter() {
                if self.sent.sacked.segs > 0 {
                    sack.fack = sack.fack.max(end);
                }
            }
        }
        if self.ca_state != crate::tcp::CaState::Loss || self.recovery.undo_marker != 0 {
            self.check_sack_reordering(cx, tagged.reord, false);
        }
        tagged
    }

    /// RFC 2883 §4.1: the first block reports a duplicate if it lies below the ACK, or within the second block.
    fn is_dsack(&self, seg: &Segment, first: (u64, u64)) -> bool {
        if first.0 < seg.ack {
            return true;
        }
        let wire = seg.header.options.sack;
        wire.as_slice().get(1).is_some_and(|(s, e)| {
            let (s, e) = (widen(self.snd_una, *s), widen(self.snd_una, *e));
            first.1 <= e && first.0 >= s
        })
    }

    /// Takes a duplicate report into account; whether it is believable.
    fn on_dsack(
        &mut self,
        cx: &mut Cx<'_>,
        prior_una: u64,
        (start, end): (u64, u64),
        ack: u64,
        flags: &mut AckFlags,
        tagged: &mut Tagged,
    ) -> bool {
        if start < ack {
            cx.mib.dsack_recv += 1;
        } else {
            cx.mib.dsack_ofo_recv += 1;
        }
        if end <= start || end > self.snd_nxt || end - start > u64::from(self.max_window.max(self.mss)) * 2 {
            return false;
        }
        let segs = (end - start).div_ceil(u64::from(self.mss.max(1))).max(1) as u32;
        self.counters.dsack_dups = self.counters.dsack_dups.saturating_add(segs);
        // More duplicates than were ever sent again: the network, or a liar, made them.
        if self.counters.dsack_dups > self.counters.total_retrans {
            return false;
        }
        let tlp =
            self.recovery.tlp_high_seq != 0 && self.recovery.tlp_is_retransmission && end == self.recovery.tlp_high_seq;
        if tlp {
            flags.dsack_tlp = true;
        } else {
            self.rack.dsack_seen = true;
        }
        flags.dsacking = true;
        tagged.duplicates += segs;
        if self.recovery.undo_marker != 0
            && self.recovery.undo_retrans > 0
            && end <= prior_una
            && end > self.recovery.undo_marker
        {
            self.recovery.undo_retrans = (self.recovery.undo_retrans - segs as i32).max(0);
        }
        true
    }

    /// Whether a block can be true.
    fn is_block_valid(&self, start: u64, end: u64, is_dsack: bool) -> bool {
        if end > self.snd_nxt || start >= end {
            return false;
        }
        if start >= self.snd_una {
            return true;
        }
        if !is_dsack || self.recovery.undo_marker == 0 {
            return false;
        }
        // A duplicate of what was sent before the episode is too old to say anything.
        end > self.snd_una || start >= self.recovery.undo_marker || end > self.recovery.undo_marker
    }

    #[expect(clippy::too_many_arguments, reason = "the walk gathers for all of its caller's accounts")]
    fn sack_walk(
        &mut self,
        cx: &mut Cx<'_>,
        from: u64,
        until: u64,
        dup: bool,
        flags: &mut AckFlags,
        gathering: &mut Gathering,
        tagged: &mut Tagged,
    ) {
        let mut i = self.sent.position(from);
        while let Some(record) = self.sent.get(i).copied() {
            if record.seq >= until {
                break;
            }
            // Part of a segment says nothing: it will come again as a whole.
            if record.seq < from || record.end() > until {
                i += 1;
                continue;
            }
            if dup && record.is(Mark::EVER_RETRANS) {
                let r = &mut self.recovery;
                if r.undo_marker != 0 && r.undo_retrans > 0 && record.end() > r.undo_marker {
                    r.undo_retrans -= 1;
                }
                if record.is(Mark::SACKED) && record.seq < tagged.reord {
                    tagged.reord = record.seq;
                }
            }
            if record.end() <= self.snd_una {
                i += 1;
                continue;
            }
            if !record.is(Mark::SACKED) {
                self.rack_advance(cx, &record);
                if record.is(Mark::RETRANS) {
                    // It was held to be lost and sent again: either copy may have arrived.
                    if record.is(Mark::LOST) {
                        self.sent.unmark(i, Mark::LOST | Mark::RETRANS);
                    }
                } else {
                    if !record.is(Mark::EVER_RETRANS) {
                        // A hole that closes without a retransmission was reordering.
                        if record.seq < self.highest_sack() && record.seq < tagged.reord {
                            tagged.reord = record.seq;
                        }
                        if record.end() <= self.recovery.high_seq {
                            flags.orig_sack_acked = true;
                        }
                        tagged.first_sent.get_or_insert(record.sent_at);
                        tagged.last_sent = Some(record.sent_at);
                    }
                    if record.is(Mark::LOST) {
                        self.sent.unmark(i, Mark::LOST);
                    }
                }
                self.sent.mark(i, Mark::SACKED);
                flags.data_sacked = true;
                self.count_delivered(1, record.span(), flags);
                Self::rate_delivered(&mut self.rate, gathering, &record);
                let sack = self.sack.get_or_insert_default();
                sack.fack = sack.fack.max(record.end());
            }
            if dup && self.sent.at(i).is(Mark::RETRANS) {
                self.sent.unmark(i, Mark::RETRANS);
            }
            i += 1;
        }
    }

    /// Counts what got through.
    pub(crate) fn count_delivered(&mut self, segs: u32, bytes: u64, flags: &AckFlags) {
        self.rate.delivered += bytes;
        self.rate.delivered_segs = self.rate.delivered_segs.wrapping_add(segs);
        if flags.ece {
            self.rate.delivered_ce = self.rate.delivered_ce.wrapping_add(segs);
        }
    }

    /// Delivery below the highest byte reported: the path reorders by at least that much.
    pub(crate) fn check_sack_reordering(&mut self, cx: &mut Cx<'_>, low: u64, by_timestamp: bool) {
        let fack = self.highest_sack();
        if low >= fack {
            return;
        }
        let mss = u64::from(self.mss.max(1));
        let metric = fack - low;
        if metric > u64::from(self.reordering) * mss {
            self.reordering = (metric.div_ceil(mss) as u32).min(cx.config.max_reordering);
        }
        self.reord_seen = self.reord_seen.saturating_add(1);
        if by_timestamp {
            cx.mib.ts_reorder += 1;
        } else {
            cx.mib.sack_reorder += 1;
        }
    }
}
