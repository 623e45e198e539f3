//! Fragmentation and reassembly, with bounded memory: how each version cuts is in [`v4`] and [`v6`], what holds the pieces is
//! the same.

pub mod v4;
pub mod v6;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use septet_core::{Checksums, Frame, Instant};

/// RFC 1122 §3.3.2: "The recommended timeout value is between 60 seconds and 120 seconds"; Linux takes
/// `net.ipv4.ipfrag_time` = 30 s, and so do we. RFC 8200 §4.5 has 60 s, which is `net.ipv6.ip6frag_time`.
const TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUT_V6: Duration = Duration::from_secs(60);

/// `net.ipv4.ipfrag_high_thresh` and `net.ipv6.ip6frag_high_thresh`: bytes held for datagrams of one version that are not
/// complete.
pub const MEMORY: usize = 4 * 1024 * 1024;

/// Of these, what one sender may fill: however much one sends, the others' datagrams are put together.
pub const MEMORY_A_SOURCE: usize = MEMORY / 4;

/// `net.ipv4.ipfrag_max_dist`: a datagram is given up once so many fragments of others came from its sender between two of
/// its own, for then its identification has been used anew.
pub const MAX_DISTANCE: u32 = 64;

/// The largest datagram, whose length must fit into 16 bits.
const MAX_LEN: usize = 65_535;

/// What a held fragment costs beside its bytes.
const OVERHEAD: usize = 256;

/// Which datagram a fragment is of. RFC 791: "source, destination, protocol and identification"; RFC 8200 §4.5: "the same
/// Source Address, Destination Address, and Fragment Identification".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// What it carries; zero for IPv6.
    pub protocol: u8,
    /// What its fragments share.
    pub ident: u32,
}

/// A fragment.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where in the datagram's data it begins, in octets.
    pub offset: u16,
    /// Octets of data.
    pub len: u16,
    /// Whether others follow.
    pub more: bool,
    /// Where its data begins in `frame`.
    pub at: u16,
    /// It, from its IP header on.
    pub frame: Frame,
}

impl Piece {
    /// Its data.
    fn data(&self) -> &[u8] {
        let at = usize::from(self.at);
        &self.frame.bytes()[at..at + usize::from(self.len)]
    }
}

/// A datagram that waits for its missing fragments.
#[derive(Debug)]
struct Partial {
    expires: Instant,
    /// Sorted by offset, never overlapping.
    pieces: Vec<Piece>,
    /// The whole length, known when the last fragment has come.
    total: Option<u16>,
    received: usize,
    memory: usize,
    /// How many fragments its sender had sent when the last of its own came.
    seen: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It waits for what is missing.
    Open,
    /// Its fragments overlapped: whatever else comes of it is dropped.
    Void,
}

/// What one sender has here.
#[derive(Default, Debug)]
struct Source {
    partials: u32,
    memory: usize,
    /// Fragments that came from it.
    seen: u32,
}

/// What became of a fragment.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// It waits for the others.
    Waiting,
    /// It was the last one missing: all of them, in order, without gaps.
    Complete(Vec<Piece>),
    /// The same octets were there already.
    Duplicate,
    /// It contradicts others of its datagram, which is given up: overlap, two ends, a length beyond 65,535 octets.
    Invalid,
}

/// Puts datagrams together again.
#[derive(Default, Debug)]
pub struct Reassembler {
    partials: BTreeMap<Key, Partial>,
    sources: BTreeMap<IpAddr, Source>,
    /// In the order in which they expire. A key whose datagram is complete stays until its time.
    order: VecDeque<(Instant, Key)>,
    memory: usize,
}

impl Reassembler {
    /// Takes a fragment.
    pub fn insert(&mut self, now: Instant, key: Key, piece: Piece) -> Outcome {
        let end = usize::from(piece.offset) + usize::from(piece.len);
        let cut_badly = piece.more && !piece.len.is_multiple_of(8);
        if piece.len == 0 || cut_badly || end > MAX_LEN {
            self.remove(&key);
            return Outcome::Invalid;
        }
        let seen = self.sources.get(&key.src).map_or(0, |source| source.seen).wrapping_add(1);
        let too_far = |p: &Partial| key.src.is_ipv4() && seen.wrapping_sub(p.seen) > MAX_DISTANCE;
        if self.partials.get(&key).is_some_and(too_far) {
            self.remove(&key);
        }
        let source = self.sources.entry(key.src).or_default();
        source.seen = seen;
        let partial = self.partials.entry(key).or_insert_with(|| {
            source.partials += 1;
            let expires = now + if key.src.is_ipv4() { TIMEOUT } else { TIMEOUT_V6 };
            // Those of one version wait equally long, so that they expire in the order in which they came.
            self.order.push_back((expires, key));
            Partial { expires, pieces: Vec::new(), total: None, received: 0, memory: 0, seen, state: State::Open }
        });
        partial.seen = seen;
        if partial.state == State::Void {
            return Outcome::Invalid;
        }
        match fit(partial, &piece) {
            Fit::At(at) => {
                if !piece.more {
                    partial.total = Some(end as u16);
                }
                let cost = piece.frame.len() + OVERHEAD;
                partial.received += usize::from(piece.len);
                partial.memory += cost;
                source.memory += cost;
                self.memory += cost;
                partial.pieces.insert(at, piece);
            }
            Fit::Duplicate => return Outcome::Duplicate,
            Fit::Not => {
                self.give_up(&key);
                return Outcome::Invalid;
            }
        }
        if partial.total.is_some_and(|total| usize::from(total) == partial.received) {
            return self.remove(&key).map_or(Outcome::Invalid, |whole| Outcome::Complete(whole.pieces));
        }
        Outcome::Waiting
    }

    /// Takes a datagram that has expired, or must go because too much memory is held. The frame is its first fragment,
    /// empty where that one never came. Call until it gives `None`.
    pub fn expire(&mut self, now: Instant) -> Option<(Expired, Frame)> {
        loop {
            let &(at, key) = self.order.front()?;
            let Some(partial) = self.partials.get(&key).filter(|p| p.expires == at) else {
                self.order.pop_front();
                continue;
            };
            if at > now && self.memory <= MEMORY {
                return self.greedy().map(|key| self.take(&key, Expired::Memory));
            }
            let void = partial.state == State::Void;
            self.order.pop_front();
            if void {
                self.remove(&key);
                continue;
            }
            return Some(self.take(&key, if at <= now { Expired::Time } else { Expired::Memory }));
        }
    }

    /// The oldest datagram of a sender that holds more than is its share.
    fn greedy(&self) -> Option<Key> {
        let (&src, _) = self.sources.iter().find(|(_, source)| source.memory > MEMORY_A_SOURCE)?;
        let holds = |key: &Key| key.src == src && self.partials.get(key).is_some_and(|p| p.memory > 0);
        self.order.iter().map(|&(_, key)| key).find(holds)
    }

    fn take(&mut self, key: &Key, why: Expired) -> (Expired, Frame) {
        let partial = self.remove(key);
        let first = partial.and_then(|p| p.pieces.into_iter().next()).filter(|p| p.offset == 0);
        (why, first.map_or_else(|| Frame::empty(0), |p| p.frame))
    }

    /// When the next datagram may expire.
    pub fn deadline(&self) -> Option<Instant> {
        self.order.front().map(|&(at, _)| at)
    }

    /// Bytes that are held.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Gives up a datagram whose fragments contradict one another. RFC 5722 §4: "When reassembling an IPv6 datagram, if one
    /// or more … fragments is determined to be an overlapping fragment, the entire datagram (and any constituent fragments,
    /// including those not yet received) MUST be silently discarded." Linux forgets one of IPv4 likewise, but not its name.
    fn give_up(&mut self, key: &Key) {
        if key.src.is_ipv4() {
            self.remove(key);
            return;
        }
        let Some(partial) = self.partials.get_mut(key) else { return };
        let memory = core::mem::take(&mut partial.memory);
        (partial.pieces, partial.received, partial.state) = (Vec::new(), 0, State::Void);
        self.memory -= memory;
        if let Some(source) = self.sources.get_mut(&key.src) {
            source.memory -= memory;
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.partials.remove(key)?;
        self.memory -= partial.memory;
        if let Some(source) = self.sources.get_mut(&key.src) {
            source.memory -= partial.memory;
            source.partials -= 1;
            if source.partials == 0 {
                self.sources.remove(&key.src);
            }
        }
        if self.partials.is_empty() {
            self.order.clear();
        }
        Some(partial)
    }
}

/// Whether and where a fragment fits in.
enum Fit {
    At(usize),
    Duplicate,
    Not,
}

fn fit(partial: &Partial, piece: &Piece) -> Fit {
    let (offset, end) = (piece.offset, piece.offset + piece.len);
    let pieces = &partial.pieces;
    let at = pieces.partition_point(|p| p.offset < offset);
    if pieces.get(at).is_some_and(|same| (same.offset, same.len, same.more) == (offset, piece.len, piece.more)) {
        return Fit::Duplicate;
    }
    let overlaps = pieces.get(at).is_some_and(|next| next.offset < end)
        || at.checked_sub(1).is_some_and(|i| pieces[i].offset + pieces[i].len > offset);
    let beyond = match (partial.total, piece.more) {
        (Some(total), true) => end > total,
        (Some(total), false) => end != total,
        (None, true) => false,
        (None, false) => pieces.last().is_some_and(|last| last.offset + last.len > end),
    };
    if overlaps || beyond { Fit::Not } else { Fit::At(at) }
}

/// Why a datagram was given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expired {
    /// The rest did not come in time.
    Time,
    /// Newer ones needed the memory.
    Memory,
}

/// The data of all `pieces` behind `head`; of what the first one is caused by, and as sure as the least sure.
fn join(head: &[u8], pieces: &[Piece]) -> Option<Frame> {
    let first = pieces.first()?;
    let mut frame = Frame::empty(Frame::HEADROOM);
    frame.extend(head);
    pieces.iter().for_each(|piece| frame.extend(piece.data()));
    let good = pieces.iter().all(|p| p.frame.checksums == Checksums::Good);
    frame.cause = first.frame.cause;
    frame.ingress = pieces.iter().map(|p| p.frame.ingress).max().unwrap_or_default();
    frame.checksums = if good { Checksums::Good } else { Checksums::Unverified };
    Some(frame)
}

#[cfg(test)]
mod tests;
