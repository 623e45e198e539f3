//! The buffer that climbs the stairs: one contiguous piece of memory with headroom for the headers to come.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::{EventId, Instant, StationId};

/// Names a frame in traces and captures; zero until a wire first carries it. Made as an [`EventId`]: the station that
/// sent it first, and which of that one's frames it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct FrameId(pub u64);

impl FrameId {
    /// The `n`th frame that `station` sent first, counted from one.
    #[inline]
    pub const fn new(station: StationId, n: u64) -> Self {
        Self(station.name(n))
    }

    /// The station that sent it first, and which of that one's frames it is, counted from one.
    #[inline]
    pub const fn parts(self) -> (StationId, u64) {
        StationId::of_name(self.0)
    }
}

/// Whether the Internet checksums in a frame are known to be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Checksums {
    /// Built by this process and untouched since: verifying again could not change one observable bit.
    Good,
    /// From outside, or touched by an error: to be verified.
    #[default]
    Unverified,
}

/// Bytes on their way, with headroom in front.
///
/// Going down the stairs each storey [`push`](Self::push)es its header in front; going up, each
/// [`pull`](Self::pull)s its header off. A clone shares the bytes until one of the two is written to. Buffers come
/// from a pool of the current thread and go back to it.
///
/// ```
/// use septet_core::Frame;
/// let mut frame = Frame::new(Frame::HEADROOM, b"payload");
/// frame.push(2).copy_from_slice(b"h:");
/// assert_eq!(frame.bytes(), b"h:payload");
/// let flooded = frame.clone();
/// frame.bytes_mut()[0] = b'H';
/// assert_eq!((frame.bytes(), flooded.bytes()), (&b"H:payload"[..], &b"h:payload"[..]));
/// frame.pull(2);
/// assert_eq!(frame.bytes(), b"payload");
/// ```
pub struct Frame(Option<Box<Label>>);

/// What is known of a [`Frame`]: it lies beside the bytes, so that a frame is handed on as one pointer.
#[derive(Default)]
pub struct Label {
    buf: Option<Rc<Buf>>,
    head: u32,
    tail: u32,
    /// Its name in traces; zero until the engine first puts it on a wire.
    pub id: FrameId,
    /// The event that made this frame: law 5's reason.
    pub cause: EventId,
    /// When it arrived at the station that now holds it.
    pub ingress: Instant,
    /// The frame check sequence as received, present only where bit errors touched the frame; a frame without one
    /// carries, on the wire, the right FCS.
    pub fcs: Option<u32>,
    /// The payload size of each segment where this is a super-segment (GSO); zero otherwise.
    pub segment_size: u16,
    /// Whether the checksums inside are known to be right.
    pub checksums: Checksums,
}

#[derive(Default)]
struct Buf {
    bytes: Vec<u8>,
    rest: Cell<Rest>,
}

/// A hash of some of a buffer's bytes, kept while none of those is written.
#[derive(Clone, Copy)]
struct Rest {
    start: u32,
    end: u32,
    hash: u64,
}

impl Rest {
    /// Nothing is remembered: no buffer has bytes there.
    const NONE: Self = Self { start: u32::MAX, end: 0, hash: 0 };
}

impl Default for Rest {
    fn default() -> Self {
        Self::NONE
    }
}

impl Frame {
    /// Headroom that suffices for every header of storeys 2 to 4 (Ethernet with tags, IPv6, TCP with options).
    pub const HEADROOM: usize = 128;

    /// Where the digest of a frame is split: headers change at every hop, what is behind them does not.
    pub const HEAD: usize = 64;

    /// A frame holding `payload` with `headroom` bytes free in front.
    pub fn new(headroom: usize, payload: &[u8]) -> Self {
        let mut frame = Self::with_room(headroom, payload.len());
        frame.extend(payload);
        frame
    }

    /// A frame without bytes, with `headroom` bytes free in front and memory for `len` bytes to be
    /// [added](Self::extend).
    pub fn with_room(headroom: usize, len: usize) -> Self {
        let mut label = pool::take(headroom + len);
        let bytes = label.bytes_of_its_own();
        if bytes.len() < headroom {
            bytes.resize(headroom, 0);
        }
        pool::make_room(bytes, headroom + len);
        Self::over(label, headroom, headroom)
    }

    /// A frame without bytes and with `headroom` bytes free in front.
    pub fn empty(headroom: usize) -> Self {
        Self::with_room(headroom, 0)
    }

    /// A frame of `len` bytes of no defined content, to be written, and with `headroom` bytes free in front. A buffer that
    /// was used before is not cleared first.
    pub fn recycled(headroom: usize, len: usize) -> Self {
        let tail = headroom + len;
        let mut label = pool::take(tail);
        let bytes = label.bytes_of_its_own();
        if bytes.len() < tail {
            pool::make_room(bytes, tail);
            bytes.resize(tail, 0);
        }
        Self::over(label, headroom, tail)
    }

    fn over(mut label: Box<Label>, head: usize, tail: usize) -> Self {
        let buf = label.buf.take();
        *label = Label { buf, head: head as u32, tail: tail as u32, ..Label::default() };
        Self(Some(label))
    }

    #[inline]
    fn label(&self) -> &Label {
        self.0.as_deref().expect("present until drop")
    }

    #[inline]
    fn label_mut(&mut self) -> &mut Label {
        self.0.as_deref_mut().expect("present until drop")
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let Label { buf, head, tail, .. } = self.label();
        &buf.as_ref().expect("present until drop").bytes[*head as usize..*tail as usize]
    }

    /// The number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        let &Label { head, tail, .. } = self.label();
        (tail - head) as usize
    }

    /// Whether there are no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Free bytes in front.
    #[inline]
    pub fn headroom(&self) -> usize {
        self.label().head as usize
    }

    /// All bytes, to be written; copies first where they are shared.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let &Label { head, tail, .. } = self.label();
        &mut self.own(tail as usize).bytes[head as usize..tail as usize]
    }

    /// The first `n` bytes, to be written; copies first where they are shared.
    ///
    /// # Panics
    /// If the frame is shorter than `n`.
    #[inline(always)]
    pub fn header_mut(&mut self, n: usize) -> &mut [u8] {
        assert!(n <= self.len(), "header of {n} bytes in a frame of {}", self.len());
        let head = self.headroom();
        &mut self.own(head + n).bytes[head..head + n]
    }

    /// Makes room for `n` more bytes in front and returns them, to be written. They hold no defined content.
    #[inline(always)]
    pub fn push(&mut self, n: usize) -> &mut [u8] {
        if self.headroom() < n {
            self.reserve_front(n);
        }
        self.label_mut().head -= n as u32;
        self.header_mut(n)
    }

    /// Takes the first `n` bytes off.
    ///
    /// # Panics
    /// If the frame is shorter than `n`.
    #[inline]
    pub fn pull(&mut self, n: usize) {
        assert!(n <= self.len(), "pull of {n} bytes from a frame of {}", self.len());
        self.label_mut().head += n as u32;
    }

    /// Puts the `n` bytes back that were last pulled off; nothing must have been pushed since.
    ///
    /// # Panics
    /// If fewer were pulled.
    pub fn unpull(&mut self, n: usize) {
        assert!(n <= self.headroom(), "unpull of {n} bytes with {} in front", self.headroom());
        self.label_mut().head -= n as u32;
    }

    /// Keeps only the first `len` bytes; does nothing where there are no more.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            let label = self.label_mut();
            label.tail = label.head + len as u32;
        }
    }

    /// Adds `bytes` at the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        let tail = self.label().tail as usize;
        let buf = self.own(tail + bytes.len());
        buf.bytes.truncate(tail);
        buf.bytes.extend_from_slice(bytes);
        self.label_mut().tail += bytes.len() as u32;
    }

    /// Adds zeros until the frame has `len` bytes; does nothing where it has as many.
    #[inline(always)]
    pub fn pad_to(&mut self, len: usize) {
        if len > self.len() {
            self.pad(len - self.len());
        }
    }

    #[inline(never)]
    fn pad(&mut self, missing: usize) {
        let tail = self.label().tail as usize;
        let buf = self.own(tail + missing);
        buf.bytes.truncate(tail);
        buf.bytes.resize(tail + missing, 0);
        self.label_mut().tail += missing as u32;
    }

    /// The first [`HEAD`](Self::HEAD) bytes, or all where there are fewer, and a hash (XXH3) of the rest, which is
    /// remembered while that does not change.
    #[inline]
    pub fn digest(&self) -> (&[u8], u64) {
        let Label { buf, head, tail, .. } = self.label();
        let buf = buf.as_ref().expect("present until drop");
        let (head, tail) = (*head as usize, *tail as usize);
        let split = tail.min(head + Self::HEAD);
        let mut rest = buf.rest.get();
        if rest.start as usize != split || rest.end as usize != tail {
            let hash = xxhash_rust::xxh3::xxh3_64(&buf.bytes[split..tail]);
            rest = Rest { start: split as u32, end: tail as u32, hash };
            buf.rest.set(rest);
        }
        (&buf.bytes[head..split], rest.hash)
    }

    /// The buffer for writing to what is before `end`: unshared, the remembered hash gone where the writing touches it.
    #[inline]
    fn own(&mut self, end: usize) -> &mut Buf {
        let label = self.0.as_deref_mut().expect("present until drop");
        if label.buf.as_mut().is_none_or(|buf| Rc::get_mut(buf).is_none()) {
            label.unshare();
        }
        let buf = label.buf.as_mut().and_then(Rc::get_mut).expect("present until drop, and unshared by now");
        if end > buf.rest.get().start as usize {
            buf.rest.set(Rest::NONE);
        }
        buf
    }

    #[cold]
    fn reserve_front(&mut self, n: usize) {
        let mut bigger = Self::empty(n.max(Self::HEADROOM));
        bigger.extend(self.bytes());
        let (new, old) = (bigger.label_mut(), self.label_mut());
        core::mem::swap(&mut new.buf, &mut old.buf);
        (old.head, old.tail) = (new.head, new.tail);
    }
}

impl Label {
    /// The memory of a buffer that nobody shares.
    fn bytes_of_its_own(&mut self) -> &mut Vec<u8> {
        let buf = self.buf.get_or_insert_default();
        &mut Rc::get_mut(buf).expect("the pool holds no shared buffer").bytes
    }

    #[cold]
    fn unshare(&mut self) {
        let shared = self.buf.take().expect("present until drop");
        let mut fresh = pool::take(self.tail as usize);
        let bytes = fresh.bytes_of_its_own();
        bytes.clear();
        bytes.extend_from_slice(&shared.bytes[..self.tail as usize]);
        self.buf = fresh.buf.take();
        if let Some(buf) = &self.buf {
            buf.rest.set(shared.rest.get());
        }
        pool::give(fresh);
    }
}

impl Deref for Frame {
    type Target = Label;
    #[inline]
    fn deref(&self) -> &Label {
        self.label()
    }
}

impl DerefMut for Frame {
    #[inline]
    fn deref_mut(&mut self) -> &mut Label {
        self.label_mut()
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        let Label { buf, head, tail, id, cause, ingress, fcs, segment_size, checksums } = self.label();
        let mut label = pool::take_bare();
        *label = Label {
            buf: buf.clone(),
            head: *head,
            tail: *tail,
            id: *id,
            cause: *cause,
            ingress: *ingress,
            fcs: *fcs,
            segment_size: *segment_size,
            checksums: *checksums,
        };
        Self(Some(label))
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        if let Some(label) = self.0.take() {
            pool::give(label);
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("id", &self.id.0)
            .field("len", &self.len())
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

/// Buffers that were used before, with their labels, kept by the thread so that a steady flow allocates nothing. Those of
/// super-segments lie apart, so that neither small frames hold their memory nor they are allocated again and again; so do
/// labels whose buffer somebody else still has.
mod pool {
    use super::{Label, Rc, RefCell, Rest};

    const KEPT: usize = 4096;
    const LARGE: usize = 16 * 1024;
    /// As much as a send buffer of Linux's usual size has in flight, and as much again that was received.
    const KEPT_LARGE: usize = 128;
    const PAGE: usize = 4096;
    /// Where labels without a buffer lie. They are small, and many at once where a frame is flooded to many ports.
    const BARE: usize = 2;
    const KEPT_BARE: usize = 65_536;

    // Boxed, as in frames: what lies here moves from one to the other.
    #[allow(clippy::vec_box)]
    type Shelf = Vec<Box<Label>>;

    thread_local! {
        static POOL: RefCell<[Shelf; 3]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new()]) };
    }

    /// Lets a buffer hold `len` bytes. A large one gets whole pages and no more: with what a vector adds to grow by, one that
    /// is used again for a few bytes more would hold twice what a super-segment needs.
    pub(super) fn make_room(bytes: &mut Vec<u8>, len: usize) {
        if len <= LARGE {
            bytes.reserve(len.saturating_sub(bytes.len()));
        } else if bytes.capacity() < len {
            bytes.reserve_exact(len.next_multiple_of(PAGE) - bytes.len());
        }
    }

    /// A label, with a buffer for about `len` bytes where there is one.
    pub(super) fn take(len: usize) -> Box<Label> {
        take_from(usize::from(len > LARGE))
    }

    /// A label without a buffer.
    pub(super) fn take_bare() -> Box<Label> {
        take_from(BARE)
    }

    #[inline]
    fn take_from(shelf: usize) -> Box<Label> {
        POOL.try_with(|pool| pool.borrow_mut()[shelf].pop()).ok().flatten().unwrap_or_default()
    }

    pub(super) fn give(mut label: Box<Label>) {
        let (shelf, kept) = match label.buf.as_mut().and_then(Rc::get_mut) {
            Some(buf) => {
                buf.rest.set(Rest::NONE);
                if buf.bytes.capacity() > LARGE { (1, KEPT_LARGE) } else { (0, KEPT) }
            }
            None => {
                label.buf = None;
                (BARE, KEPT_BARE)
            }
        };
        // Where the thread is ending the pool is gone, and the buffer goes to the allocator.
        let _ = POOL.try_with(|pool| {
            let shelf = &mut pool.borrow_mut()[shelf];
            if shelf.len() < kept {
                shelf.push(label);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_beyond_the_headroom_grows() {
        let mut frame = Frame::new(1, b"x");
        frame.push(3).copy_from_slice(b"abc");
        assert_eq!(frame.bytes(), b"abcx");
    }

    #[test]
    fn unpull_restores_what_was_pulled() {
        let mut frame = Frame::new(4, b"header|body");
        frame.pull(7);
        let mut shared = frame.clone();
        shared.bytes_mut()[0] = b'B';
        shared.unpull(7);
        frame.unpull(7);
        assert_eq!((frame.bytes(), shared.bytes()), (&b"header|body"[..], &b"header|Body"[..]));
    }

    fn told(frame: &Frame) -> (Vec<u8>, u64) {
        let (head, rest) = frame.digest();
        (head.to_vec(), rest)
    }

    #[test]
    fn the_digest_follows_every_change() {
        let fresh = |bytes: &[u8]| told(&Frame::new(16, bytes));
        let mut bytes: Vec<u8> = (0..200).collect();
        let mut frame = Frame::new(16, &bytes);
        assert_eq!(told(&frame), fresh(&bytes));
        for at in [0, 10, 63, 64, 150, 199] {
            bytes[at] ^= 0xff;
            frame.bytes_mut()[at] ^= 0xff;
            assert_eq!(told(&frame), fresh(&bytes), "byte {at}");
        }
        bytes[3] = 0;
        frame.header_mut(14)[3] = 0;
        assert_eq!(told(&frame), fresh(&bytes));
        frame.extend(b"tail");
        bytes.extend(b"tail");
        assert_eq!(told(&frame), fresh(&bytes));
        frame.truncate(100);
        assert_eq!(told(&frame), fresh(&bytes[..100]));
        frame.pad_to(120);
        bytes.truncate(100);
        bytes.resize(120, 0);
        assert_eq!(told(&frame), fresh(&bytes));
        frame.pull(14);
        assert_eq!(told(&frame), fresh(&bytes[14..]));
    }

    #[test]
    fn a_header_rewrite_keeps_the_hash_of_the_rest() {
        let mut frame = Frame::new(16, &[7; 500]);
        frame.digest();
        frame.pull(14);
        frame.push(14).fill(1);
        let rest = frame.buf.as_ref().unwrap().rest.get();
        assert!(rest.start < rest.end);
    }

    #[test]
    fn a_recycled_buffer_shows_nothing_of_its_past() {
        drop(Frame::new(8, &[7; 400]));
        let mut frame = Frame::empty(8);
        frame.extend(b"ab");
        frame.pad_to(6);
        assert_eq!((frame.bytes(), Frame::new(4, b"x").bytes()), (&b"ab\0\0\0\0"[..], &b"x"[..]));
        assert_eq!(Frame::recycled(16, 500).len(), 500);
    }

    #[test]
    fn shared_bytes_are_copied_on_write() {
        let mut a = Frame::new(8, b"abc");
        let mut b = a.clone();
        b.extend(b"d");
        a.header_mut(1)[0] = b'A';
        b.truncate(2);
        b.pad_to(3);
        assert_eq!((a.bytes(), b.bytes()), (&b"Abc"[..], &b"ab\0"[..]));
    }
}
