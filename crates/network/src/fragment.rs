//! Fragmentation (RFC 791 §3.2) and reassembly with bounded memory.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

use septet_core::{Checksums, Frame, Instant};

use septet_wire::ipv4::{self, Header, MoreFragments};

/// RFC 1122 §3.3.2: "The recommended timeout value is between 60 seconds and 120 seconds"; Linux takes
/// `net.ipv4.ipfrag_time` = 30 s, and so do we.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// `net.ipv4.ipfrag_high_thresh`: bytes held by one host for datagrams that are not complete.
pub const MEMORY: usize = 4 * 1024 * 1024;

/// What a held fragment costs beside its bytes.
const OVERHEAD: usize = 256;

/// Cuts the datagram in `packet`, whose header is `header`, into fragments of at most `mtu` octets. Yields nothing
/// where the MTU does not leave room for eight octets of data, or where it is itself a fragment that reaches beyond the
/// largest datagram.
pub fn fragment(packet: &Frame, header: Header, mtu: usize) -> impl Iterator<Item = Frame> + '_ {
    let header_len = usize::from(header.header_len);
    // RFC 791: fragments are "measured in units of 8 octets".
    let chunk = mtu.saturating_sub(header_len) & !7;
    let data = &packet.bytes()[header_len..usize::from(header.total_len)];
    let beyond = usize::from(header.fragment_offset) + data.len() > ipv4::MAX_LEN;
    let count = if chunk == 0 || beyond { 0 } else { data.len().div_ceil(chunk) };
    (0..count).map(move |i| {
        let part = &data[i * chunk..data.len().min((i + 1) * chunk)];
        let mut frame = Frame::empty(Frame::HEADROOM);
        frame.extend(&packet.bytes()[..header_len]);
        frame.extend(part);
        let more = if i + 1 < count || header.more_fragments { MoreFragments::Yes } else { MoreFragments::No };
        let offset = header.fragment_offset + (i * chunk) as u16;
        let total = frame.len() as u16;
        let written = frame.header_mut(header_len);
        if i > 0 {
            drop_uncopied_options(written);
        }
        ipv4::rewrite_fragment(written, total, offset, more);
        (frame.cause, frame.ingress, frame.checksums) = (packet.cause, packet.ingress, packet.checksums);
        frame
    })
}

/// RFC 791 §3.1: an option without the copied flag goes in the first fragment only; the others have no-operations in
/// its place, so that the header keeps its length.
fn drop_uncopied_options(header: &mut [u8]) {
    let mut at = ipv4::HEADER_LEN;
    while at < header.len() {
        let len = match header[at] {
            0 => return,
            1 => 1,
            _ => header.get(at + 1).map_or(1, |&l| usize::from(l).max(2)),
        };
        let end = header.len().min(at + len);
        if header[at] & 0x80 == 0 {
            header[at..end].fill(1);
        }
        at = end;
    }
}

/// Which datagram a fragment is of. RFC 791: "source, destination, protocol and identification".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: u8,
    ident: u16,
}

/// A datagram that waits for its missing fragments.
#[derive(Debug)]
struct Partial {
    expires: Instant,
    /// Sorted by offset, never overlapping; each frame begins at its own IP header.
    parts: Vec<Part>,
    /// The whole length, known when the last fragment has come.
    total: Option<u16>,
    received: usize,
    memory: usize,
}

#[derive(Debug)]
struct Part {
    offset: u16,
    len: u16,
    header_len: u8,
    frame: Frame,
}

/// What became of a fragment.
#[derive(Debug)]
pub enum Outcome {
    /// It waits for the others.
    Waiting,
    /// It was the last one missing: the datagram, as if it had never been cut.
    Complete(Frame),
    /// The same octets were there already.
    Duplicate,
    /// It contradicts others of its datagram, which is given up: overlap, two ends, a length beyond 65,535 octets.
    Invalid,
}

/// Puts datagrams together again.
#[derive(Default, Debug)]
pub struct Reassembler {
    partials: BTreeMap<Key, Partial>,
    /// In the order in which they expire. A key whose datagram is complete stays until its time.
    order: VecDeque<(Instant, Key)>,
    memory: usize,
}

impl Reassembler {
    /// Takes a fragment: `frame` begins at the IP header `header`.
    pub fn insert(&mut self, now: Instant, header: &Header, frame: Frame) -> Outcome {
        let key = Key { src: header.src, dst: header.dst, protocol: header.protocol, ident: header.ident };
        let len = header.payload_len();
        let end = usize::from(header.fragment_offset) + len;
        let cut_badly = header.more_fragments && !len.is_multiple_of(8);
        if len == 0 || cut_badly || end + ipv4::HEADER_LEN > ipv4::MAX_LEN {
            self.remove(&key);
            return Outcome::Invalid;
        }
        let partial = self.partials.entry(key).or_insert_with(|| {
            let expires = now + TIMEOUT;
            self.order.push_back((expires, key));
            Partial { expires, parts: Vec::new(), total: None, received: 0, memory: 0 }
        });
        let (offset, end) = (header.fragment_offset, end as u16);
        let at = partial.parts.partition_point(|p| p.offset < offset);
        if let Some(same) = partial.parts.get(at)
            && (same.offset, usize::from(same.len)) == (offset, len)
        {
            return Outcome::Duplicate;
        }
        // As Linux, and as RFC 5722 has it for IPv6: overlapping fragments are an attack, not an accident.
        let overlaps = partial.parts.get(at).is_some_and(|next| next.offset < end)
            || at.checked_sub(1).is_some_and(|i| partial.parts[i].offset + partial.parts[i].len > offset);
        let beyond = match (partial.total, header.more_fragments) {
            (Some(total), true) => end > total,
            (Some(total), false) => end != total,
            (None, true) => false,
            (None, false) => partial.parts.last().is_some_and(|last| last.offset + last.len > end),
        };
        if overlaps || beyond {
            self.remove(&key);
            return Outcome::Invalid;
        }
        if !header.more_fragments {
            partial.total = Some(end);
        }
        let cost = frame.len() + OVERHEAD;
        partial.parts.insert(at, Part { offset, len: len as u16, header_len: header.header_len, frame });
        partial.received += len;
        partial.memory += cost;
        self.memory += cost;
        if partial.total.is_some_and(|total| usize::from(total) == partial.received) {
            let whole = self.remove(&key).expect("it was just filled");
            return join(&whole).map_or(Outcome::Invalid, Outcome::Complete);
        }
        Outcome::Waiting
    }

    /// Takes a datagram that has expired, or must go because too much memory is held. The frame is its first fragment,
    /// empty where that one never came. Call until it gives `None`.
    pub fn expire(&mut self, now: Instant) -> Option<(Expired, Frame)> {
        while let Some(&(at, key)) = self.order.front() {
            let live = self.partials.get(&key).is_some_and(|p| p.expires == at);
            let why = match (live, at <= now, self.memory > MEMORY) {
                (true, true, _) => Expired::Time,
                (true, false, true) => Expired::Memory,
                (true, false, false) => return None,
                (false, ..) => {
                    self.order.pop_front();
                    continue;
                }
            };
            self.order.pop_front();
            let mut partial = self.remove(&key)?;
            let first = partial.parts.first_mut().filter(|p| p.offset == 0);
            return Some((why, first.map_or_else(|| Frame::empty(0), |p| p.frame.clone())));
        }
        None
    }

    /// When the next datagram may expire.
    pub fn deadline(&self) -> Option<Instant> {
        self.order.front().map(|&(at, _)| at)
    }

    fn remove(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.partials.remove(key)?;
        self.memory -= partial.memory;
        if self.partials.is_empty() {
            self.order.clear();
        }
        Some(partial)
    }
}

/// Why a datagram was given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expired {
    /// The rest did not come in time.
    Time,
    /// Newer ones needed the memory.
    Memory,
}

fn join(whole: &Partial) -> Option<Frame> {
    let first = whole.parts.first()?;
    let header_len = usize::from(first.header_len);
    let total = header_len + whole.received;
    if total > ipv4::MAX_LEN {
        return None;
    }
    let mut frame = Frame::empty(Frame::HEADROOM);
    frame.extend(&first.frame.bytes()[..header_len]);
    for part in &whole.parts {
        let start = usize::from(part.header_len);
        frame.extend(&part.frame.bytes()[start..start + usize::from(part.len)]);
    }
    ipv4::rewrite_fragment(frame.header_mut(header_len), total as u16, 0, MoreFragments::No);
    let last = whole.parts.iter().map(|p| p.frame.ingress).max().unwrap_or_default();
    let good = whole.parts.iter().all(|p| p.frame.checksums == Checksums::Good);
    (frame.cause, frame.ingress) = (first.frame.cause, last);
    frame.checksums = if good { Checksums::Good } else { Checksums::Unverified };
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(len: usize, ident: u16) -> Frame {
        let data: Vec<u8> = (0..len).map(|i| (i * 31 / 7) as u8).collect();
        let mut frame = Frame::new(Frame::HEADROOM, &data);
        Header {
            tos: 0,
            total_len: 0,
            ident,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: 17,
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 0, 0, 2),
            header_len: 20,
        }
        .push(&mut frame);
        frame
    }

    fn cut(packet: &Frame, mtu: usize) -> Vec<Frame> {
        fragment(packet, Header::parse(packet.bytes()).unwrap(), mtu).collect()
    }

    fn give(r: &mut Reassembler, now: Instant, frame: &Frame) -> Outcome {
        let header = Header::parse(frame.bytes()).unwrap();
        assert!(ipv4::checksum_ok(frame.bytes(), header.header_len));
        r.insert(now, &header, frame.clone())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_order_and_twice_cut_gives_the_datagram_back(
            len in 1usize..9000, mtu in 68usize..2000, second in 68usize..2000, order in any::<u64>()
        ) {
            let packet = datagram(len, 7);
            let mut parts: Vec<Frame> =
                cut(&packet, mtu).iter().flat_map(|f| cut(f, second)).collect();
            prop_assert!(parts.iter().all(|f| f.len() <= mtu.min(second).max(68)));
            let mut rng = septet_core::Seed::new(order).stream("order");
            for i in (1..parts.len()).rev() {
                parts.swap(i, rng.below(i as u64 + 1) as usize);
            }
            let mut r = Reassembler::default();
            let last = parts.pop().unwrap();
            for p in &parts {
                prop_assert!(matches!(give(&mut r, Instant::ZERO, p), Outcome::Waiting));
                prop_assert!(matches!(give(&mut r, Instant::ZERO, p), Outcome::Duplicate));
            }
            let Outcome::Complete(whole) = give(&mut r, Instant::ZERO, &last) else { panic!("not complete") };
            prop_assert_eq!(whole.bytes(), packet.bytes());
            prop_assert_eq!((r.memory, r.deadline()), (0, None));
        }

        #[test]
        fn arbitrary_fragments_never_panic_and_stay_bounded(
            parts in proptest::collection::vec((0u16..70, 0u16..=8191, 1usize..64, any::<bool>()), 0..200)
        ) {
            let mut r = Reassembler::default();
            for (ident, offset, len, more) in parts {
                let mut f = Frame::new(64, &vec![0; len]);
                Header {
                    ident, more_fragments: more, fragment_offset: offset << 3,
                    ..Header::parse(datagram(1, 0).bytes()).unwrap()
                }.push(&mut f);
                give(&mut r, Instant::ZERO, &f);
                let held: usize = r.partials.values().map(|p| p.memory).sum();
                prop_assert_eq!(held, r.memory);
            }
            while r.expire(Instant::FAR_FUTURE).is_some() {}
            prop_assert_eq!((r.memory, r.partials.len()), (0, 0));
        }
    }

    #[test]
    fn overlap_kills_the_datagram() {
        let mut r = Reassembler::default();
        let parts = cut(&datagram(3000, 1), 1500);
        let other = cut(&datagram(3000, 1), 1492);
        assert!(matches!(give(&mut r, Instant::ZERO, &parts[0]), Outcome::Waiting));
        assert!(matches!(give(&mut r, Instant::ZERO, &other[1]), Outcome::Invalid));
        assert!(matches!(give(&mut r, Instant::ZERO, &parts[1]), Outcome::Waiting), "it begins anew");
    }

    #[test]
    fn expires_with_the_first_fragment() {
        let mut r = Reassembler::default();
        let (a, b) = (cut(&datagram(3000, 1), 1500), cut(&datagram(3000, 2), 1500));
        give(&mut r, Instant::ZERO, &a[0]);
        give(&mut r, Instant::from_secs(1), &b[1]);
        assert_eq!(r.deadline(), Some(Instant::from_secs(30)));
        assert!(r.expire(Instant::from_millis(29_999)).is_none());
        let (why, first) = r.expire(Instant::from_secs(30)).unwrap();
        assert_eq!((why, first.bytes()), (Expired::Time, a[0].bytes()));
        let (_, none) = r.expire(Instant::from_secs(31)).unwrap();
        assert!(none.is_empty());
        assert!(r.expire(Instant::from_secs(99)).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut r = Reassembler::default();
        for ident in 0..5000 {
            give(&mut r, Instant::ZERO, &cut(&datagram(3000, ident), 1500)[0]);
            while r.expire(Instant::ZERO).is_some() {}
            assert!(r.memory <= MEMORY);
        }
    }

    #[test]
    fn options_without_the_copied_flag_stay_in_the_first() {
        let mut packet = datagram(100, 1);
        // Make room for eight octets of options: router alert (copied) and record route (not copied).
        let mut bytes = packet.bytes().to_vec();
        bytes.splice(20..20, [0x94, 4, 0, 0, 7, 3, 4, 0]);
        bytes[0] = 0x47;
        let total = bytes.len() as u16;
        ipv4::rewrite_fragment(&mut bytes[..28], total, 0, MoreFragments::No);
        packet = Frame::new(64, &bytes);
        let parts = cut(&packet, 76);
        assert_eq!(parts[0].bytes()[20..28], [0x94, 4, 0, 0, 7, 3, 4, 0]);
        assert_eq!(parts[1].bytes()[20..28], [0x94, 4, 0, 0, 1, 1, 1, 0]);
    }
}
