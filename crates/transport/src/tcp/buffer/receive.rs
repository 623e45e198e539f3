//! The receive buffer: bytes in order that wait to be read, and bytes out of order that wait for a hole to close.
//! The advertised window bounds both.

use std::collections::{BTreeMap, VecDeque};

use septet_core::{EventId, Frame};

use super::{Resting, pool};

/// Payloads up to this size are copied together so that a trickle of small segments holds little memory.
const SMALL: usize = 512;
const COALESCED: usize = 4096;
/// What keeping a piece out of order costs beside its bytes.
const PIECE: usize = 256;

/// What became of an out-of-order payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Queued {
    /// New bytes were kept: this range of them.
    New(u64, u64),
    /// All of it was there already.
    Duplicate,
}

/// Bytes received and not yet read.
#[derive(Debug, Default)]
pub(crate) struct ReceiveBuffer {
    ready: VecDeque<Frame>,
    ready_bytes: usize,
    early: Option<Box<Early>>,
    /// The event that brought what was read last.
    cause: EventId,
    /// The event that brought the end of the stream.
    end: EventId,
}

#[derive(Debug, Default)]
struct Early {
    segments: BTreeMap<u64, Frame>,
    bytes: usize,
}

impl Resting for ReceiveBuffer {
    const REST: &'static Self =
        &Self { ready: VecDeque::new(), ready_bytes: 0, early: None, cause: EventId::NONE, end: EventId::NONE };

    pool!(ReceiveBuffer);

    fn rest(&mut self) {
        self.ready.clear();
        if self.ready.capacity() > 64 {
            self.ready = VecDeque::new();
        }
        (self.ready_bytes, self.early, self.cause, self.end) = (0, None, EventId::NONE, EventId::NONE);
    }
}

impl ReceiveBuffer {
    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready_bytes == 0 && self.early.is_none() && self.end == EventId::NONE
    }

    /// Bytes in order.
    pub(crate) fn readable(&self) -> usize {
        self.ready_bytes
    }

    /// Bytes out of order.
    pub(crate) fn early_bytes(&self) -> usize {
        self.early.as_ref().map_or(0, |e| e.bytes)
    }

    /// Whether a hole is open.
    pub(crate) fn has_early(&self) -> bool {
        self.early.is_some()
    }

    /// Adds payload that is next in order.
    pub(crate) fn push(&mut self, frame: Frame) {
        let len = frame.len();
        if len == 0 {
            return;
        }
        self.ready_bytes += len;
        if len <= SMALL
            && let Some(last) = self.ready.back_mut()
            && last.len() + len <= COALESCED
        {
            last.extend(frame.bytes());
            last.cause = frame.cause;
            return;
        }
        self.ready.push_back(frame);
    }

    /// Keeps payload that begins at `seq`, beyond a hole; what is there already is not kept twice.
    pub(crate) fn insert(&mut self, seq: u64, mut frame: Frame) -> Queued {
        let early = self.early.get_or_insert_default();
        let (mut start, end) = (seq, seq + frame.len() as u64);
        if let Some((s, f)) = early.segments.range(..=start).next_back() {
            let have = s + f.len() as u64;
            if have >= end {
                return Queued::Duplicate;
            }
            if have > start {
                frame.pull((have - start) as usize);
                start = have;
            }
        }
        // Segments that the new one covers go; one that it meets half-way cuts it.
        while let Some((&s, f)) = early.segments.range(start..).next() {
            if s >= end {
                break;
            }
            let have = s + f.len() as u64;
            if have <= end {
                early.bytes -= f.len();
                early.segments.remove(&s);
            } else {
                frame.truncate((s - start) as usize);
                break;
            }
        }
        if frame.is_empty() {
            return Queued::Duplicate;
        }
        early.bytes += frame.len();
        let kept = (start, start + frame.len() as u64);
        early.segments.insert(start, frame);
        Queued::New(kept.0, kept.1)
    }

    /// Moves what has come into order behind `next` and returns the new end of order.
    pub(crate) fn advance(&mut self, mut next: u64) -> u64 {
        while let Some(early) = &mut self.early {
            let Some(first) = early.segments.first_entry() else {
                self.early = None;
                break;
            };
            let start = *first.key();
            if start > next {
                break;
            }
            let mut frame = first.remove();
            early.bytes -= frame.len();
            let end = start + frame.len() as u64;
            if end > next {
                frame.pull((next - start) as usize);
                next = end;
                self.push(frame);
            }
        }
        next
    }

    /// What the bytes out of order cost, with what it takes to keep each piece.
    pub(crate) fn early_cost(&self) -> usize {
        self.early.as_ref().map_or(0, |e| e.bytes + e.segments.len() * PIECE)
    }

    /// Drops the furthest pieces out of order until the rest costs no more than `most`.
    pub(crate) fn prune(&mut self, most: usize) {
        while self.early_cost() > most
            && let Some(early) = &mut self.early
        {
            match early.segments.pop_last() {
                Some((_, frame)) => early.bytes -= frame.len(),
                None => break,
            }
            if early.segments.is_empty() {
                self.early = None;
            }
        }
    }

    /// Drops what is out of order.
    pub(crate) fn drop_early(&mut self) {
        self.early = None;
    }

    /// The end of what is out of order.
    pub(crate) fn early_end(&self) -> Option<u64> {
        self.early.as_ref()?.segments.last_key_value().map(|(s, f)| s + f.len() as u64)
    }

    /// The first run of bytes between `start` and `end` that is there already, out of order: what a DSACK reports.
    pub(crate) fn overlap(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let segments = &self.early.as_ref()?.segments;
        let piece = |(s, f): (&u64, &Frame)| (*s, s + f.len() as u64);
        let left = segments.range(..start).next_back().map(piece).filter(|p| p.1 > start);
        let mut runs = left.into_iter().chain(segments.range(start..end).map(piece));
        let mut run = runs.next()?;
        run.0 = run.0.max(start);
        for (s, e) in runs {
            if s > run.1 {
                break;
            }
            run.1 = run.1.max(e);
        }
        Some((run.0, run.1.min(end)))
    }

    /// Copies to `out` and lets go of what was copied.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> usize {
        let mut done = 0;
        while done < out.len()
            && let Some(first) = self.ready.front_mut()
        {
            let n = first.len().min(out.len() - done);
            out[done..done + n].copy_from_slice(&first.bytes()[..n]);
            done += n;
            self.cause = first.cause;
            if n == first.len() {
                self.ready.pop_front();
            } else {
                first.pull(n);
            }
        }
        self.took(done);
        done
    }

    /// The event that brought what was read last.
    pub(crate) fn cause(&self) -> EventId {
        self.cause
    }

    /// The event that brought the end of the stream; [`EventId::NONE`] where nothing is traced, or none came.
    pub(crate) fn end(&self) -> EventId {
        self.end
    }

    /// The stream ends here.
    pub(crate) fn set_end(&mut self, cause: EventId) {
        self.end = cause;
    }

    /// Copies to `out` and keeps everything.
    pub(crate) fn peek(&self, out: &mut [u8]) -> usize {
        let mut done = 0;
        for frame in &self.ready {
            let n = frame.len().min(out.len() - done);
            out[done..done + n].copy_from_slice(&frame.bytes()[..n]);
            done += n;
            if done == out.len() {
                break;
            }
        }
        done
    }

    /// Lets go of up to `len` bytes unread.
    pub(crate) fn discard(&mut self, len: usize) -> usize {
        let mut done = 0;
        while done < len
            && let Some(first) = self.ready.front_mut()
        {
            let n = first.len().min(len - done);
            done += n;
            if n == first.len() {
                self.ready.pop_front();
            } else {
                first.pull(n);
            }
        }
        self.took(done);
        done
    }

    /// Takes the first piece as it arrived, without copying.
    pub(crate) fn take(&mut self) -> Option<Frame> {
        let frame = self.ready.pop_front()?;
        self.took(frame.len());
        Some(frame)
    }

    fn took(&mut self, n: usize) {
        self.ready_bytes -= n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_order_and_overlap_gives_the_stream(pieces in proptest::collection::vec((0u64..300, 1usize..80), 1..60)) {
            let stream: Vec<u8> = (0..400u32).map(|i| (i * 7 % 253) as u8).collect();
            let mut buffer = ReceiveBuffer::default();
            let mut next = 0;
            for (seq, len) in pieces {
                let end = seq + len as u64;
                if end <= next { continue; }
                let start = seq.max(next);
                let frame = Frame::new(8, &stream[start as usize..end as usize]);
                if start == next {
                    buffer.push(frame);
                    next = buffer.advance(end);
                } else {
                    buffer.insert(start, frame);
                }
                prop_assert_eq!(buffer.readable() as u64, next);
                prop_assert!(buffer.early_bytes() <= 400);
            }
            let mut out = vec![0; 400];
            let n = buffer.read(&mut out);
            prop_assert_eq!(n as u64, next);
            prop_assert_eq!(&out[..n], &stream[..n]);
        }
    }
}
