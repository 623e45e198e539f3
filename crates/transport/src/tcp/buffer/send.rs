//! The send buffer: a rope from SND.UNA to the last byte written. Retransmission slices it; empty, it owns nothing.

use core::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;
use septet_core::checksum::Sum;
use septet_core::{Frame, synthetic};

use super::{Lazy, Resting, pool};

const CHUNK: usize = 16 * 1024;
const SMALLEST: usize = 512;

#[derive(Debug)]
enum Body {
    Owned(Vec<u8>),
    Shared(Bytes),
    /// Bytes of the synthetic stream from `offset` on.
    Synthetic {
        offset: u64,
        len: u64,
    },
}

#[derive(Debug)]
struct Chunk {
    start: u64,
    body: Body,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start
            + match &self.body {
                Body::Owned(v) => v.len() as u64,
                Body::Shared(b) => b.len() as u64,
                Body::Synthetic { len, .. } => *len,
            }
    }

    /// Keeps the memory of a full chunk for another.
    fn recycle(self) {
        if let Body::Owned(mut bytes) = self.body
            && bytes.capacity() == CHUNK
        {
            bytes.clear();
            let _ = CHUNKS.try_with(|pool| {
                let mut pool = pool.borrow_mut();
                if pool.len() < CHUNKS_KEPT {
                    pool.push(bytes);
                }
            });
        }
    }
}

/// Memory for a chunk that begins with `len` bytes: a used one where it will be filled.
fn chunk_for(len: usize) -> Vec<u8> {
    if len > CHUNK / 2
        && let Some(used) = CHUNKS.try_with(|pool| pool.borrow_mut().pop()).ok().flatten()
    {
        return used;
    }
    Vec::with_capacity(len.next_power_of_two().clamp(SMALLEST, CHUNK))
}

/// Lets a chunk that began small take `more` bytes: in used memory where it will be filled.
fn grow(chunk: &mut Vec<u8>, more: usize) {
    let wanted = (2 * (chunk.len() + more)).min(CHUNK);
    match (wanted == CHUNK).then(|| chunk_for(CHUNK)) {
        Some(mut larger) => {
            larger.extend_from_slice(chunk);
            *chunk = larger;
        }
        // Exactly, so that it can be kept for another once it is full.
        None => chunk.reserve_exact(wanted - chunk.len()),
    }
}

/// Where a write ended: Linux's `sk_buff` borders, which decide PSH and how segments are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Border {
    pub(crate) end: u64,
    pub(crate) push: bool,
    /// `MSG_EOR`: what follows begins a segment of its own.
    pub(crate) ends_record: bool,
}

/// Bytes written and not yet acknowledged.
#[derive(Debug)]
pub(crate) struct SendBuffer {
    rope: Lazy<Rope>,
    end: u64,
}

#[derive(Debug, Default)]
struct Rope {
    chunks: VecDeque<Chunk>,
    /// Borders of what is not yet sent.
    borders: VecDeque<Border>,
}

impl Resting for Rope {
    const REST: &'static Self = &Self { chunks: VecDeque::new(), borders: VecDeque::new() };

    pool!(Rope);

    fn rest(&mut self) {
        self.chunks.drain(..).for_each(Chunk::recycle);
        self.borders.clear();
        if self.chunks.capacity() + self.borders.capacity() > 128 {
            (self.chunks, self.borders) = (VecDeque::new(), VecDeque::new());
        }
    }
}

thread_local! {
    /// Chunks of full size that were used before.
    static CHUNKS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// How many chunks a thread keeps.
const CHUNKS_KEPT: usize = 512;

impl SendBuffer {
    /// An empty buffer whose first byte will have the sequence number `start`.
    pub(crate) fn new(start: u64) -> Self {
        Self { rope: Lazy::new(), end: start }
    }

    /// The sequence number behind the last byte written.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Copies `data` to the end.
    pub(crate) fn write(&mut self, mut data: &[u8]) {
        if let Some(Chunk { body: Body::Owned(last), .. }) = self.rope.chunks.back_mut() {
            // A chunk that started small grows with the stream instead of leaving a trail of small ones.
            let room = (CHUNK - last.len().min(CHUNK)).min(data.len());
            if last.capacity() < last.len() + room {
                grow(last, room);
            }
            last.extend_from_slice(&data[..room]);
            self.end += room as u64;
            data = &data[room..];
        }
        for piece in data.chunks(CHUNK) {
            let mut body = chunk_for(piece.len());
            body.extend_from_slice(piece);
            self.push(Body::Owned(body), piece.len() as u64);
        }
    }

    /// Adds `data` to the end without copying it.
    pub(crate) fn write_bytes(&mut self, data: Bytes) {
        let len = data.len() as u64;
        if len > 0 {
            self.push(Body::Shared(data), len);
        }
    }

    /// Adds `len` bytes of the synthetic stream from `offset` on.
    pub(crate) fn write_synthetic(&mut self, offset: u64, len: u64) {
        if len == 0 {
            return;
        }
        if let Some(Chunk { body: Body::Synthetic { offset: o, len: l }, .. }) = self.rope.chunks.back_mut()
            && *o + *l == offset
        {
            *l += len;
            self.end += len;
            return;
        }
        self.push(Body::Synthetic { offset, len }, len);
    }

    fn push(&mut self, body: Body, len: u64) {
        self.rope.chunks.push_back(Chunk { start: self.end, body });
        self.end += len;
    }

    /// The length of the last piece that is not yet sent and may still grow; what lies before `sent_to` has been sent.
    pub(crate) fn open_piece(&mut self, sent_to: u64) -> Option<u64> {
        self.forget_sent(sent_to);
        let last = self.rope.borders.back().filter(|b| !b.ends_record)?;
        let n = self.rope.borders.len();
        let from = if n >= 2 { self.rope.borders[n - 2].end } else { sent_to };
        Some(last.end - from)
    }

    /// Begins a piece at the end of what was written.
    pub(crate) fn begin_piece(&mut self) {
        self.rope.borders.push_back(Border { end: self.end, push: false, ends_record: false });
    }

    /// The last piece takes in what was written since.
    pub(crate) fn extend_piece(&mut self) {
        if !self.rope.borders.is_empty()
            && let Some(last) = self.rope.borders.back_mut()
        {
            last.end = self.end;
        }
    }

    /// Whether a record (`MSG_EOR`) that is not yet sent ends at `end`.
    pub(crate) fn record_ends_at(&self, end: u64) -> bool {
        self.rope.borders.front().is_some_and(|b| b.end == end && b.ends_record)
    }

    /// How many pieces are not yet sent.
    pub(crate) fn pieces(&self) -> usize {
        self.rope.borders.len()
    }

    /// Forgets the borders of what has been sent.
    pub(crate) fn forget_sent(&mut self, sent_to: u64) {
        while self.rope.borders.front().is_some_and(|b| b.end <= sent_to) {
            self.rope.borders.pop_front();
        }
    }

    /// Marks the last border as pushed.
    pub(crate) fn push_last(&mut self) {
        if !self.rope.borders.is_empty()
            && let Some(last) = self.rope.borders.back_mut()
        {
            last.push = true;
        }
    }

    /// Nothing is to be joined to the last piece: `MSG_EOR`.
    pub(crate) fn end_record(&mut self) {
        if !self.rope.borders.is_empty()
            && let Some(last) = self.rope.borders.back_mut()
        {
            last.ends_record = true;
        }
    }

    /// The border that a segment from `seq` on runs up to, and whether it is the last.
    pub(crate) fn border(&mut self, seq: u64) -> Option<(Border, bool)> {
        self.forget_sent(seq);
        self.rope.borders.front().map(|b| (*b, self.rope.borders.len() == 1))
    }

    /// Joins the border after `seq` with the next while that makes a segment of at most `want` bytes.
    pub(crate) fn join(&mut self, seq: u64, want: u64) {
        while self.rope.borders.len() >= 2 {
            let (first, second) = (self.rope.borders[0], self.rope.borders[1]);
            if first.end - seq >= want || first.ends_record {
                break;
            }
            if second.end - seq <= want {
                self.rope.borders.pop_front();
                self.rope.borders[0].push |= first.push;
            } else {
                self.rope.borders[0].end = seq + want;
                break;
            }
        }
    }

    /// Forgets what lies before `una`.
    pub(crate) fn acknowledge(&mut self, una: u64) {
        while !self.rope.chunks.is_empty()
            && let Some(first) = self.rope.chunks.front_mut()
        {
            if first.end() <= una {
                self.rope.chunks.pop_front().into_iter().for_each(Chunk::recycle);
                continue;
            }
            // A shared chunk lets its memory go only as a whole; a synthetic one shrinks.
            if let Body::Synthetic { offset, len } = &mut first.body
                && una > first.start
            {
                let n = una - first.start;
                (*offset, *len, first.start) = (*offset + n, *len - n, una);
            }
            break;
        }
        if self.rope.chunks.is_empty() && self.rope.borders.back().is_none_or(|b| b.end <= una) {
            self.rope.release();
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.rope.release();
    }

    /// Bytes of memory that the rope holds.
    #[cfg(test)]
    fn memory(&self) -> usize {
        self.rope
            .chunks
            .iter()
            .map(|c| match &c.body {
                Body::Owned(v) => v.capacity(),
                Body::Shared(b) => b.len(),
                Body::Synthetic { .. } => 0,
            })
            .sum()
    }

    /// Adds the bytes `seq..seq + len` to the end of `frame` and returns their sum.
    pub(crate) fn copy_to(&self, frame: &mut Frame, seq: u64, len: usize) -> Sum {
        let first = self.rope.chunks.partition_point(|c| c.start <= seq).saturating_sub(1);
        let mut sum = Sum::new();
        let (mut at, mut left) = (seq, len);
        let begin = frame.len();
        let mut plain = false;
        for chunk in self.rope.chunks.range(first..) {
            if left == 0 {
                break;
            }
            let from = (at - chunk.start) as usize;
            let n = left.min((chunk.end() - at) as usize);
            match &chunk.body {
                Body::Owned(v) => frame.extend(&v[from..from + n]),
                Body::Shared(b) => frame.extend(&b[from..from + n]),
                Body::Synthetic { offset, .. } => {
                    synthetic::extend(frame, offset + from as u64, n);
                    if n == len {
                        return synthetic::add_sum(sum, offset + from as u64, n);
                    }
                }
            }
            plain = true;
            at += n as u64;
            left -= n;
        }
        if plain {
            sum = sum.bytes(&frame.bytes()[begin..]);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rope: &SendBuffer, seq: u64, len: usize) -> Vec<u8> {
        let mut frame = Frame::empty(8);
        let sum = rope.copy_to(&mut frame, seq, len);
        assert_eq!(sum.finish(), Sum::new().bytes(frame.bytes()).finish());
        frame.bytes().to_vec()
    }

    #[test]
    fn slices_across_chunks_of_every_kind() {
        let mut rope = SendBuffer::new(100);
        rope.write(b"abc");
        rope.write(b"def");
        rope.write_bytes(Bytes::from_static(b"GHI"));
        rope.write_synthetic(0, 1000);
        rope.write_synthetic(1000, 1000);
        rope.write(b"end");
        assert_eq!(rope.end(), 100 + 9 + 2000 + 3);
        assert_eq!(read(&rope, 102, 5), b"cdefG");
        let mut whole = vec![0; 2000];
        synthetic::fill(0, &mut whole);
        assert_eq!(read(&rope, 109, 2000), whole);
        assert_eq!(read(&rope, 108, 2003)[1..2001], whole);
        rope.acknowledge(109 + 1500);
        assert_eq!(read(&rope, 1609, 503), [&whole[1500..], b"end"].concat());
        rope.acknowledge(rope.end());
        assert_eq!(rope.memory(), 0);
    }

    #[test]
    fn large_writes_are_cut_and_kept() {
        let data: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let mut rope = SendBuffer::new(7);
        rope.write(&data);
        assert_eq!(read(&rope, 7 + 16_000, 50_000), data[16_000..66_000]);
    }
}
