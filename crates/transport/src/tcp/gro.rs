//! Merging segments on input (generic receive offload): what arrives in a row for one flow is taken in at once.

use septet_core::{Checksums, DropReason, Frame};

use super::Meta;
use super::wire::{Flags, HEADER_LEN, Header, PROTOCOL};
use septet_wire::pseudo_header;

/// Flows that are being merged at a time; the kernel has as many per bucket.
const FLOWS: usize = 8;
/// The largest super-segment: an IP packet's length less its header.
const LARGEST: usize = 65_535 - 60;

struct Held {
    meta: Meta,
    frame: Frame,
    header: Header,
    header_len: usize,
    next_seq: u32,
    size: usize,
}

/// Merges segments that continue each other.
///
/// Push what arrives; give what comes back, and what [`flush`](Self::flush) returns at the end of a batch, to
/// [`Endpoint::receive`](super::Endpoint::receive).
#[derive(Default)]
pub struct Gro {
    held: Vec<Held>,
}

impl core::fmt::Debug for Gro {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Gro").field("held", &self.held.len()).finish()
    }
}

impl Gro {
    /// Nothing held.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a segment; calls `deliver` with whatever cannot wait, in order.
    ///
    /// # Errors
    /// `L4Checksum` for a wrong sum: it must not hide in a larger segment. What does not parse is delivered as it is.
    pub fn push(
        &mut self,
        meta: Meta,
        mut frame: Frame,
        mut deliver: impl FnMut(Meta, Frame),
    ) -> Result<(), DropReason> {
        let Ok((header, header_len)) = Header::parse(frame.bytes()) else {
            deliver(meta, frame);
            return Ok(());
        };
        if frame.checksums == Checksums::Unverified {
            if pseudo_header(meta.src, meta.dst, PROTOCOL, frame.len()).bytes(frame.bytes()).finish() != 0 {
                return Err(DropReason::L4Checksum);
            }
            frame.checksums = Checksums::Good;
        }
        let len = frame.len() - header_len;
        let at = self.held.iter().position(|h| {
            h.meta.src == meta.src
                && h.meta.dst == meta.dst
                && (h.header.src_port, h.header.dst_port) == (header.src_port, header.dst_port)
        });
        let plain = header.flags.without(Flags::PSH) == Flags::ACK && len > 0 && header.options.sack.is_empty();
        if let Some(i) = at {
            let h = &mut self.held[i];
            let same = plain
                && header.seq == h.next_seq
                && header.ack == h.header.ack
                && header.window == h.header.window
                && meta.ecn == h.meta.ecn
                && frame.bytes()[HEADER_LEN..header_len] == h.frame.bytes()[HEADER_LEN..h.header_len]
                && len <= h.size
                && h.frame.len() + len <= LARGEST
                && frame.segment_size == 0;
            if same {
                h.frame.extend(&frame.bytes()[header_len..]);
                h.frame.segment_size = h.size as u16;
                h.next_seq = h.next_seq.wrapping_add(len as u32);
                if header.flags.has(Flags::PSH) {
                    h.frame.header_mut(HEADER_LEN)[13] |= Flags::PSH.bits();
                }
                // A short segment or a push ends a run.
                if len < h.size || header.flags.has(Flags::PSH) {
                    let h = self.held.remove(i);
                    deliver(h.meta, h.frame);
                }
                return Ok(());
            }
            let h = self.held.remove(i);
            deliver(h.meta, h.frame);
        }
        if !plain || header.flags.has(Flags::PSH) || frame.segment_size != 0 || len > usize::from(u16::MAX) {
            deliver(meta, frame);
            return Ok(());
        }
        if self.held.len() == FLOWS {
            let h = self.held.remove(0);
            deliver(h.meta, h.frame);
        }
        let next_seq = header.seq.wrapping_add(len as u32);
        self.held.push(Held { meta, frame, header, header_len, next_seq, size: len });
        Ok(())
    }

    /// Delivers all that is held: the batch is over.
    pub fn flush(&mut self, mut deliver: impl FnMut(Meta, Frame)) {
        for h in self.held.drain(..) {
            deliver(h.meta, h.frame);
        }
    }
}
