//! Records of what was sent and is not yet acknowledged: a ring in sequence order, threaded by order of transmission,
//! with the counters of RFC 6675's pipe kept up to date.

use std::collections::VecDeque;

use septet_core::Instant;

use super::{Resting, pool};

const NIL: u32 = u32::MAX;

/// Marks on a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark(u16);

impl Mark {
    /// Selectively acknowledged.
    pub(crate) const SACKED: u16 = 1;
    /// Held to be lost.
    pub(crate) const LOST: u16 = 2;
    /// Sent again, and that transmission is in flight.
    pub(crate) const RETRANS: u16 = 4;
    /// Was sent again at some time.
    pub(crate) const EVER_RETRANS: u16 = 8;
    /// The first segment of a super-segment.
    pub(crate) const HEAD: u16 = 16;
    pub(crate) const SYN: u16 = 32;
    pub(crate) const FIN: u16 = 64;
    pub(crate) const PSH: u16 = 128;
    /// The sender had less to send than the window allowed when this was sent.
    pub(crate) const APP_LIMITED: u16 = 256;
    /// Threaded into the order of transmission.
    const THREADED: u16 = 512;
    /// The last segment of a record (`MSG_EOR`): nothing is joined to it.
    pub(crate) const EOR: u16 = 1024;

    #[inline]
    pub(crate) const fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }
}

/// One segment that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// The first sequence number.
    pub(crate) seq: u64,
    /// When it was last sent.
    pub(crate) sent_at: Instant,
    /// Bytes that had been delivered when it was sent.
    pub(crate) delivered: u64,
    /// When the last of those was delivered.
    pub(crate) delivered_at: Instant,
    /// When the first segment of the flight was sent.
    pub(crate) first_sent_at: Instant,
    prev: u32,
    next: u32,
    len: u16,
    marks: Mark,
}

impl Record {
    pub(crate) fn new(seq: u64, len: usize, marks: u16, sent_at: Instant) -> Self {
        Self {
            seq,
            sent_at,
            delivered: 0,
            delivered_at: Instant::ZERO,
            first_sent_at: Instant::ZERO,
            prev: NIL,
            next: NIL,
            len: len as u16,
            marks: Mark(marks),
        }
    }

    /// A piece of a super-segment that shares this record's stamps.
    pub(crate) fn piece(&self, seq: u64, len: usize, marks: u16) -> Self {
        Self { seq, len: len as u16, marks: Mark(marks), ..*self }
    }

    /// Takes the stamps of a new transmission.
    pub(crate) fn restamp(&mut self, stamps: &Self, now: Instant) {
        self.sent_at = now;
        self.delivered = stamps.delivered;
        self.delivered_at = stamps.delivered_at;
        self.first_sent_at = stamps.first_sent_at;
    }

    /// Bytes of data.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Sequence space: data, and one each for SYN and FIN.
    #[inline]
    pub(crate) fn span(&self) -> u64 {
        u64::from(self.len) + u64::from(self.marks.has(Mark::SYN)) + u64::from(self.marks.has(Mark::FIN))
    }

    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.seq + self.span()
    }

    #[inline]
    pub(crate) fn is(&self, bits: u16) -> bool {
        self.marks.has(bits)
    }
}

/// A number of segments and of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    pub(crate) segs: u32,
    pub(crate) bytes: u64,
}

impl Count {
    fn add(&mut self, r: &Record) {
        self.segs += 1;
        self.bytes += r.span();
    }

    fn sub(&mut self, r: &Record) {
        self.segs -= 1;
        self.bytes -= r.span();
    }
}

/// What is outstanding.
#[derive(Debug)]
pub(crate) struct Sent {
    ring: VecDeque<Record>,
    /// The name of the record at the front; names count up and wrap.
    base: u32,
    /// First and last in order of transmission.
    oldest: u32,
    newest: u32,
    pub(crate) out: Count,
    pub(crate) sacked: Count,
    pub(crate) lost: Count,
    pub(crate) retrans: Count,
    /// Heads of super-segments in the ring.
    heads: u32,
    /// Segments from the last head on.
    run: u32,
}

const ZERO: Count = Count { segs: 0, bytes: 0 };

impl Sent {
    const fn new() -> Self {
        Self {
            ring: VecDeque::new(),
            base: 0,
            oldest: NIL,
            newest: NIL,
            out: ZERO,
            sacked: ZERO,
            lost: ZERO,
            retrans: ZERO,
            heads: 0,
            run: 0,
        }
    }
}

impl Default for Sent {
    fn default() -> Self {
        Self::new()
    }
}

impl Resting for Sent {
    const REST: &'static Self = &Self::new();

    pool!(Sent);

    fn rest(&mut self) {
        // A ring of moderate size serves the next burst.
        let mut ring = core::mem::take(&mut self.ring);
        if ring.capacity() > 64 {
            ring = VecDeque::new();
        }
        ring.clear();
        *self = Self { ring, ..Self::new() };
    }
}

impl Sent {
    /// Super-segments of which something is unacknowledged: Linux's `sk_buff`s.
    pub(crate) fn supers(&self) -> u32 {
        self.heads + u32::from(self.ring.front().is_some_and(|first| !first.is(Mark::HEAD)))
    }

    /// Whether a segment that begins at `seq` continues what the last one was cut from, of which `most` segments are kept
    /// together.
    pub(crate) fn continues_at(&self, seq: u64, most: u32) -> bool {
        let ends = Mark::PSH | Mark::FIN | Mark::SYN | Mark::EOR;
        self.run < most && self.ring.back().is_some_and(|last| last.end() == seq && !last.is(ends))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(crate) fn front(&self) -> Option<&Record> {
        self.ring.front()
    }

    /// The record at position `i` in sequence order.
    #[inline]
    pub(crate) fn get(&self, i: usize) -> Option<&Record> {
        self.ring.get(i)
    }

    #[inline]
    pub(crate) fn at(&self, i: usize) -> &Record {
        &self.ring[i]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, i: usize) -> &mut Record {
        &mut self.ring[i]
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.ring.iter()
    }

    /// The position of the first record that ends after `seq`.
    pub(crate) fn position(&self, seq: u64) -> usize {
        // Nearly always the answer is at one of the ends.
        match self.ring.front() {
            None => return 0,
            Some(first) if first.end() > seq => return 0,
            _ => {}
        }
        self.ring.partition_point(|r| r.end() <= seq)
    }

    /// Bytes believed to be in the network: RFC 6675's pipe, by counters.
    #[inline]
    pub(crate) fn in_flight(&self) -> u64 {
        (self.out.bytes + self.retrans.bytes).saturating_sub(self.sacked.bytes + self.lost.bytes)
    }

    /// Adds a record behind the last.
    #[inline]
    pub(crate) fn push(&mut self, record: Record) {
        self.out.add(&record);
        let is_head = record.is(Mark::HEAD);
        self.heads += u32::from(is_head);
        self.run = if is_head { 1 } else { self.run + 1 };
        self.ring.push_back(record);
        let name = self.base.wrapping_add(self.ring.len() as u32 - 1);
        self.thread(name);
    }

    /// Takes the first record off.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Record> {
        let name = self.base;
        self.unthread(name);
        let record = self.ring.pop_front()?;
        self.base = self.base.wrapping_add(1);
        self.out.sub(&record);
        self.heads -= u32::from(record.is(Mark::HEAD));
        if record.is(Mark::SACKED) {
            self.sacked.sub(&record);
        }
        if record.is(Mark::LOST) {
            self.lost.sub(&record);
        }
        if record.is(Mark::RETRANS) {
            self.retrans.sub(&record);
        }
        Some(record)
    }

    /// Cuts the first record so that it begins at `seq`.
    pub(crate) fn trim_front(&mut self, seq: u64) -> u64 {
        let Some(first) = self.ring.front_mut() else { return 0 };
        let cut = seq - first.seq;
        let Count { bytes: out, .. } = &mut self.out;
        *out -= cut;
        for (bit, count) in
            [(Mark::SACKED, &mut self.sacked), (Mark::LOST, &mut self.lost), (Mark::RETRANS, &mut self.retrans)]
        {
            if first.marks.has(bit) {
                count.bytes -= cut;
            }
        }
        let syn = u64::from(first.marks.has(Mark::SYN)).min(cut);
        if syn > 0 {
            first.marks.0 &= !Mark::SYN;
        }
        first.len -= (cut - syn) as u16;
        first.seq = seq;
        cut
    }

    /// Sets marks of the record at position `i`, and counts.
    pub(crate) fn mark(&mut self, i: usize, bits: u16) {
        let record = &mut self.ring[i];
        let new = bits & !record.marks.0;
        record.marks.0 |= bits;
        let record = *record;
        if new & Mark::SACKED != 0 {
            self.sacked.add(&record);
            self.unthread(self.base.wrapping_add(i as u32));
        }
        if new & Mark::LOST != 0 {
            self.lost.add(&record);
        }
        if new & Mark::RETRANS != 0 {
            self.retrans.add(&record);
        }
    }

    /// Clears marks of the record at position `i`, and counts.
    pub(crate) fn unmark(&mut self, i: usize, bits: u16) {
        let record = self.ring[i];
        let gone = bits & record.marks.0;
        self.ring[i].marks.0 &= !bits;
        if gone & Mark::SACKED != 0 {
            self.sacked.sub(&record);
        }
        if gone & Mark::LOST != 0 {
            self.lost.sub(&record);
        }
        if gone & Mark::RETRANS != 0 {
            self.retrans.sub(&record);
        }
    }

    /// Moves the record at position `i` to the end of the order of transmission.
    pub(crate) fn resent(&mut self, i: usize) {
        let name = self.base.wrapping_add(i as u32);
        self.unthread(name);
        self.thread(name);
    }

    /// Takes the record at position `i` out of the order of transmission.
    pub(crate) fn forget_order(&mut self, i: usize) {
        self.unthread(self.base.wrapping_add(i as u32));
    }

    /// The position of the record that was sent longest ago.
    pub(crate) fn oldest(&self) -> Option<usize> {
        (self.oldest != NIL).then(|| self.oldest.wrapping_sub(self.base) as usize)
    }

    /// The position of the record sent next after that at position `i`.
    pub(crate) fn sent_after(&self, i: usize) -> Option<usize> {
        let next = self.ring[i].next;
        (next != NIL).then(|| next.wrapping_sub(self.base) as usize)
    }

    /// Forgets every mark of `bits` on every record.
    pub(crate) fn unmark_all(&mut self, bits: u16) {
        for i in 0..self.ring.len() {
            self.unmark(i, bits);
        }
    }

    /// Cuts records longer than `mss` into several, after the path's MTU fell.
    pub(crate) fn resegment(&mut self, mss: usize) {
        self.cut(|_| mss);
    }

    /// Splits the record that begins at `seq` behind its first `len` bytes.
    pub(crate) fn split(&mut self, seq: u64, len: usize) {
        self.cut(|record| if record.seq == seq { len } else { usize::MAX });
    }

    /// Splits every record that is longer than it may be; what is left over of one is measured again.
    fn cut(&mut self, most: impl Fn(&Record) -> usize) {
        let old = core::mem::take(&mut self.ring);
        (self.base, self.oldest, self.newest) = (0, NIL, NIL);
        let mut count = [Count::default(); 4];
        let mut new = VecDeque::with_capacity(old.len() * 2);
        for record in old {
            let mut rest = record;
            loop {
                let mut piece = rest;
                let most = most(&rest).max(1);
                let is_long = rest.len() > most;
                if is_long {
                    piece.len = most as u16;
                    piece.marks.0 &= !(Mark::FIN | Mark::PSH | Mark::EOR);
                    rest.seq += most as u64;
                    rest.len -= most as u16;
                    rest.marks.0 &= !(Mark::SYN | Mark::HEAD);
                }
                (piece.prev, piece.next) = (NIL, NIL);
                count[0].add(&piece);
                for (bit, count) in [Mark::SACKED, Mark::LOST, Mark::RETRANS].iter().zip(&mut count[1..]) {
                    if piece.marks.has(*bit) {
                        count.add(&piece);
                    }
                }
                new.push_back(piece);
                if !is_long {
                    break;
                }
            }
        }
        self.ring = new;
        [self.out, self.sacked, self.lost, self.retrans] = count;
        let mut order: Vec<u32> = (0..self.ring.len() as u32).collect();
        order.sort_by_key(|&i| self.ring[i as usize].sent_at);
        for i in order {
            let threaded = self.ring[i as usize].marks.has(Mark::THREADED);
            self.ring[i as usize].marks.0 &= !Mark::THREADED;
            if threaded {
                self.thread(i);
            }
        }
    }

    #[inline]
    fn slot(&mut self, name: u32) -> &mut Record {
        let i = name.wrapping_sub(self.base) as usize;
        &mut self.ring[i]
    }

    fn thread(&mut self, name: u32) {
        let newest = self.newest;
        let record = self.slot(name);
        record.marks.0 |= Mark::THREADED;
        (record.prev, record.next) = (newest, NIL);
        match newest {
            NIL => self.oldest = name,
            last => self.slot(last).next = name,
        }
        self.newest = name;
    }

    fn unthread(&mut self, name: u32) {
        if self.ring.is_empty() {
            return;
        }
        let record = self.slot(name);
        if !record.marks.has(Mark::THREADED) {
            return;
        }
        record.marks.0 &= !Mark::THREADED;
        let (prev, next) = (record.prev, record.next);
        (record.prev, record.next) = (NIL, NIL);
        match prev {
            NIL => self.oldest = next,
            p => self.slot(p).next = next,
        }
        match next {
            NIL => self.newest = prev,
            n => self.slot(n).prev = prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_transmission_survives_acks_and_resends() {
        let mut sent = Sent::default();
        for i in 0..5u64 {
            sent.push(Record::new(i * 10, 10, Mark::HEAD, Instant::from_millis(i)));
        }
        sent.mark(2, Mark::SACKED);
        sent.mark(1, Mark::LOST);
        assert_eq!(sent.in_flight(), 30);
        sent.mark(1, Mark::RETRANS);
        sent.resent(1);
        sent.pop_front();
        let mut order = Vec::new();
        let mut at = sent.oldest();
        while let Some(i) = at {
            order.push(sent.at(i).seq);
            at = sent.sent_after(i);
        }
        assert_eq!(order, [30, 40, 10]);
        assert_eq!(sent.in_flight(), 30);
        assert_eq!(sent.position(25), 1);
        sent.resegment(4);
        assert_eq!((sent.len(), sent.in_flight()), (12, 30));
        while sent.pop_front().is_some() {}
        assert_eq!((sent.out, sent.sacked, sent.lost, sent.retrans), Default::default());
    }
}
