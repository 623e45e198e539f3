//! Each byte of a TCP stream once: which parts of which streams a capture holds.
//!
//! A capture of many ports sees a segment at every port that it passes. tshark follows a TCP stream by addresses and
//! ports alone; data that it sees again within a round-trip time it takes for out of order, puts it into the stream a
//! second time, and reports the overlap as malformed. So only the first sight of data is kept whole.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::LinkType;
use crate::packet::{Packet, Segment};

/// Streams remembered; beyond, the oldest is forgotten and what comes of it is kept again.
const STREAMS: usize = 1 << 16;
/// Parts with holes between them remembered of one stream.
const PARTS: usize = 64;

/// One direction of a connection.
type Stream = ((IpAddr, u16), (IpAddr, u16));

/// Remembers what was kept.
#[derive(Debug, Default)]
pub(super) struct Once {
    streams: BTreeMap<Stream, Parts>,
    order: VecDeque<Stream>,
}

impl Once {
    /// How many bytes of a frame are to be kept.
    pub(super) fn keep(&mut self, link_type: LinkType, bytes: &[u8]) -> usize {
        let Some(Packet { from, to, tcp: Some(segment), .. }) = Packet::parse(link_type, bytes) else {
            return bytes.len();
        };
        let Segment { seq, data, syn, data_at, .. } = segment;
        if data == 0 && !syn {
            return bytes.len();
        }
        let stream = (from, to);
        let parts = match self.streams.get_mut(&stream) {
            Some(parts) => parts,
            None => {
                if self.order.len() >= STREAMS
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.streams.remove(&oldest);
                }
                self.order.push_back(stream);
                self.streams.entry(stream).or_insert_with(|| Parts::from(seq))
            }
        };
        if syn {
            // The SYN takes one sequence number; data that come with it follow.
            parts.begin(seq.wrapping_add(1));
        }
        let first = seq.wrapping_add(u32::from(syn));
        if data == 0 || parts.add(first, data) { bytes.len() } else { data_at.min(bytes.len()) }
    }
}

/// The parts of a stream that were seen, as offsets from `start`; none touches the next.
#[derive(Debug)]
struct Parts {
    start: u32,
    parts: BTreeMap<u64, u64>,
    /// The end of the last part: what unwraps sequence numbers.
    high: u64,
}

impl Parts {
    /// Offsets begin here, so that data before the first sight have one too.
    const ORIGIN: u64 = 1 << 32;

    fn from(start: u32) -> Self {
        Self { start, parts: BTreeMap::new(), high: Self::ORIGIN }
    }

    /// A connection begins at `start`, perhaps anew; a SYN that is seen again changes nothing.
    fn begin(&mut self, start: u32) {
        if self.start != start {
            *self = Self::from(start);
        }
    }

    /// Adds `len` bytes at `seq`, and tells whether any of them are new.
    fn add(&mut self, seq: u32, len: u32) -> bool {
        // Of all offsets that `seq` may stand for, the one nearest to what was last seen.
        let near = (self.start.wrapping_add((self.high - Self::ORIGIN) as u32)).wrapping_sub(seq) as i32;
        let from = self.high.saturating_add_signed(-i64::from(near));
        let to = from + u64::from(len);
        let (mut low, mut end) = (from, to);
        if let Some((&before, &until)) = self.parts.range(..=from).next_back()
            && until >= from
        {
            if until >= to {
                return false;
            }
            low = before;
        }
        while let Some((&next, &until)) = self.parts.range(low..=end).next() {
            self.parts.remove(&next);
            end = end.max(until);
        }
        self.parts.insert(low, end);
        if self.parts.len() > PARTS {
            self.parts.pop_first();
        }
        self.high = self.high.max(end);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_new_once() {
        let mut parts = Parts::from(1000);
        assert!(parts.add(1000, 100));
        assert!(!parts.add(1000, 100));
        assert!(parts.add(1200, 100), "beyond a hole");
        assert!(!parts.add(1250, 50));
        assert!(parts.add(1050, 100), "half of it is new");
        assert!(parts.add(1100, 100), "fills the hole");
        assert!(!parts.add(1000, 300));
        assert_eq!(parts.parts.len(), 1);
        assert!(parts.add(900, 50), "before the first sight");
    }

    #[test]
    fn sequence_numbers_wrap_and_start_anew() {
        let mut parts = Parts::from(u32::MAX - 10);
        for i in 0..10u32 {
            let seq = (u32::MAX - 10).wrapping_add(i.wrapping_mul(1_000_000_000));
            assert!(parts.add(seq, 1_000_000_000), "{i}");
            assert!(!parts.add(seq, 1_000_000_000), "{i}");
        }
        parts.begin(u32::MAX - 10);
        assert!(!parts.add(u32::MAX - 10, 5), "the same SYN again");
        parts.begin(77);
        assert!(parts.add(77, 5));
    }

    #[test]
    fn holes_are_bounded() {
        let mut parts = Parts::from(0);
        for i in 0..10_000 {
            assert!(parts.add(i * 10, 5));
        }
        assert_eq!(parts.parts.len(), PARTS);
    }
}
