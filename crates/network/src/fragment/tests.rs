use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use septet_wire::extension::Fragment;
use septet_wire::{ipv4, ipv6};

use super::*;

/// One version's way to cut a datagram and to put it together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    Four,
    Six,
}
use Version::{Four, Six};

impl Version {
    fn datagram(self, len: usize, ident: u16) -> Frame {
        let data: Vec<u8> = (0..len).map(|i| (i * 31 / 7) as u8).collect();
        let mut frame = Frame::new(Frame::HEADROOM, &data);
        match self {
            Four => ipv4::Header {
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
            .push(&mut frame),
            Six => ipv6::Header {
                traffic_class: 0,
                flow_label: 7,
                payload_len: 0,
                next_header: 17,
                hop_limit: 64,
                src: Ipv6Addr::LOCALHOST,
                dst: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2),
            }
            .push(&mut frame),
        }
        frame
    }

    fn cut(self, packet: &Frame, mtu: usize, ident: u16) -> Vec<Frame> {
        match self {
            Four => v4::fragment(packet, ipv4::Header::parse(packet.bytes()).unwrap(), mtu).collect(),
            Six => v6::fragment(packet, mtu, ident.into()).collect(),
        }
    }

    fn piece(self, frame: &Frame) -> (Key, Piece) {
        match self {
            Four => {
                let header = ipv4::Header::parse(frame.bytes()).unwrap();
                assert!(ipv4::checksum_ok(frame.bytes(), header.header_len));
                v4::piece(&header, frame.clone())
            }
            Six => {
                let header = ipv6::Header::parse(frame.bytes()).unwrap();
                let fragment = Fragment::parse(&frame.bytes()[40..]).unwrap();
                v6::piece(&header, &fragment, 40, frame.clone())
            }
        }
    }

    fn whole(self, pieces: &[Piece]) -> Option<Frame> {
        match self {
            Four => v4::whole(pieces),
            Six => v6::whole(pieces),
        }
    }

    fn give(self, r: &mut Reassembler, now: Instant, frame: &Frame) -> Outcome {
        let (key, piece) = self.piece(frame);
        r.insert(now, key, piece)
    }
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Four), Just(Six)]
}

fn held(r: &Reassembler) -> usize {
    r.partials.values().map(|p| p.memory).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_order_and_twice_cut_gives_the_datagram_back(
        version in version(), len in 1usize..9000, mtu in 68usize..2000, second in 68usize..2000, order in any::<u64>()
    ) {
        let packet = version.datagram(len, 7);
        let mut parts = version.cut(&packet, mtu, 7);
        if version == Four {
            parts = parts.iter().flat_map(|f| version.cut(f, second, 7)).collect();
        }
        prop_assert!(parts.iter().all(|f| f.len() <= mtu));
        let mut rng = septet_core::Seed::new(order).stream("order");
        for i in (1..parts.len()).rev() {
            parts.swap(i, rng.below(i as u64 + 1) as usize);
        }
        let mut r = Reassembler::default();
        let last = parts.pop().unwrap();
        for p in &parts {
            prop_assert!(matches!(version.give(&mut r, Instant::ZERO, p), Outcome::Waiting));
            prop_assert!(matches!(version.give(&mut r, Instant::ZERO, p), Outcome::Duplicate));
        }
        let Outcome::Complete(pieces) = version.give(&mut r, Instant::ZERO, &last) else { panic!("not complete") };
        let whole = version.whole(&pieces).unwrap();
        prop_assert_eq!(whole.bytes(), packet.bytes());
        prop_assert_eq!((r.memory, r.deadline(), r.sources.len()), (0, None, 0));
    }

    /// Fragments of one datagram, cut in two ways and mixed, some twice: it comes out as it was, or not at all.
    #[test]
    fn overlaps_never_make_another_datagram(
        version in version(), len in 100usize..5000, cuts in (100usize..1500, 100usize..1500),
        picks in proptest::collection::vec(any::<(bool, u16)>(), 1..60)
    ) {
        let packet = version.datagram(len, 7);
        let sets = [version.cut(&packet, cuts.0, 7), version.cut(&packet, cuts.1, 7)];
        let mut r = Reassembler::default();
        for (which, at) in picks {
            let set = &sets[usize::from(which)];
            if set.len() < 2 {
                continue;
            }
            let mut fragment = set[usize::from(at) % set.len()].clone();
            if which {
                // What the second cut carries is of another mind.
                let end = fragment.len();
                fragment.bytes_mut()[end - 1] ^= 0xff;
            }
            if let Outcome::Complete(pieces) = version.give(&mut r, Instant::ZERO, &fragment) {
                let whole = version.whole(&pieces).unwrap();
                let first = pieces.iter().all(|p| sets[0].iter().any(|f| f.bytes() == p.frame.bytes()));
                prop_assert_eq!(whole.len(), packet.len());
                prop_assert!(!first || whole.bytes() == packet.bytes());
            }
            prop_assert_eq!(held(&r), r.memory);
        }
    }

    #[test]
    fn arbitrary_fragments_never_panic_and_stay_bounded(
        version in version(), parts in proptest::collection::vec((0u32..70, 0u16..=8191, 0u16..64, any::<bool>()), 0..200)
    ) {
        let mut r = Reassembler::default();
        let frame = version.datagram(70, 0);
        let (key, _) = version.piece(&version.cut(&frame, 1500, 0)[0]);
        for (ident, offset, len, more) in parts {
            let frame = version.cut(&frame, 1500, 0)[0].clone();
            // A piece is never longer than what holds it.
            let len = len.min(frame.len() as u16 - 48);
            let piece = Piece { offset: offset << 3, len, more, at: 48, frame };
            if let Outcome::Complete(pieces) = r.insert(Instant::ZERO, Key { ident, ..key }, piece) {
                version.whole(&pieces);
            }
            prop_assert_eq!(held(&r), r.memory);
        }
        while r.expire(Instant::FAR_FUTURE).is_some() {}
        prop_assert_eq!((r.memory, r.partials.len(), r.sources.len()), (0, 0, 0));
    }
}

#[test]
fn overlap_kills_the_datagram() {
    for version in [Four, Six] {
        let mut r = Reassembler::default();
        let parts = version.cut(&version.datagram(3000, 1), 1500, 1);
        let other = version.cut(&version.datagram(3000, 1), 1492, 1);
        assert!(matches!(version.give(&mut r, Instant::ZERO, &parts[0]), Outcome::Waiting));
        assert!(matches!(version.give(&mut r, Instant::ZERO, &other[1]), Outcome::Invalid));
        assert_eq!(r.memory, 0);
        let after = version.give(&mut r, Instant::ZERO, &parts[1]);
        match version {
            Four => assert!(matches!(after, Outcome::Waiting), "it begins anew"),
            Six => assert!(matches!(after, Outcome::Invalid), "RFC 5722: those not yet received too"),
        }
    }
}

#[test]
fn expires_with_the_first_fragment() {
    for (version, secs) in [(Four, 30), (Six, 60)] {
        let mut r = Reassembler::default();
        let cut = |ident| version.cut(&version.datagram(3000, ident), 1500, ident);
        let (a, b) = (cut(1), cut(2));
        let _ = version.give(&mut r, Instant::ZERO, &a[0]);
        let _ = version.give(&mut r, Instant::from_secs(1), &b[1]);
        assert_eq!(r.deadline(), Some(Instant::from_secs(secs)));
        assert!(r.expire(Instant::from_millis(secs * 1000 - 1)).is_none());
        let (why, first) = r.expire(Instant::from_secs(secs)).unwrap();
        assert_eq!((why, first.bytes()), (Expired::Time, a[0].bytes()));
        let (_, none) = r.expire(Instant::from_secs(secs + 1)).unwrap();
        assert!(none.is_empty());
        assert!(r.expire(Instant::from_secs(200)).is_none());
    }
}

/// A key of the sender with this number.
fn key(sender: u8, ident: u32) -> Key {
    let (key, _) = Four.piece(&Four.datagram(1, 0));
    Key { src: Ipv4Addr::new(10, 0, 9, sender).into(), ident, ..key }
}

#[test]
fn memory_is_bounded_as_a_whole_and_for_each_sender() {
    let mut r = Reassembler::default();
    let first = Four.cut(&Four.datagram(3000, 0), 1500, 0)[0].clone();
    let piece = || Piece { offset: 0, len: 1480, more: true, at: 20, frame: first.clone() };
    let _ = r.insert(Instant::ZERO, key(200, 0), piece());
    for ident in 0..5000 {
        let _ = r.insert(Instant::ZERO, key(1, ident), piece());
        while r.expire(Instant::ZERO).is_some() {}
        assert!(r.memory <= MEMORY_A_SOURCE + first.len() + OVERHEAD);
    }
    assert!(r.partials.contains_key(&key(200, 0)), "one sender's flood is another's no harm");
    for ident in 0..5000 {
        for sender in 2..8 {
            let _ = r.insert(Instant::ZERO, key(sender, ident), piece());
        }
        while r.expire(Instant::ZERO).is_some() {}
        assert!(r.memory <= MEMORY);
    }
}

#[test]
fn an_identification_that_is_used_anew_begins_anew() {
    let mut r = Reassembler::default();
    let parts = Four.cut(&Four.datagram(2000, 0), 1500, 0);
    let piece = |i: usize| Four.piece(&parts[i]).1;
    let _ = r.insert(Instant::ZERO, key(1, 7), piece(0));
    for ident in 0..MAX_DISTANCE {
        let _ = r.insert(Instant::ZERO, key(1, 1000 + ident), piece(0));
    }
    assert!(matches!(r.insert(Instant::ZERO, key(1, 7), piece(1)), Outcome::Waiting), "its first half is forgotten");
    let _ = r.insert(Instant::ZERO, key(1, 8), piece(0));
    assert!(matches!(r.insert(Instant::ZERO, key(1, 8), piece(1)), Outcome::Complete(_)));
}

#[test]
fn options_without_the_copied_flag_stay_in_the_first() {
    let packet = Four.datagram(100, 1);
    // Make room for eight octets of options: router alert (copied) and record route (not copied).
    let mut bytes = packet.bytes().to_vec();
    bytes.splice(20..20, [0x94, 4, 0, 0, 7, 3, 4, 0]);
    bytes[0] = 0x47;
    let total = bytes.len() as u16;
    ipv4::rewrite_fragment(&mut bytes[..28], total, 0, ipv4::MoreFragments::No);
    let parts = Four.cut(&Frame::new(64, &bytes), 76, 1);
    assert_eq!(parts[0].bytes()[20..28], [0x94, 4, 0, 0, 7, 3, 4, 0]);
    assert_eq!(parts[1].bytes()[20..28], [0x94, 4, 0, 0, 1, 1, 1, 0]);
}

#[test]
fn headers_before_the_fragment_header_stay() {
    let options = [44u8, 0, 1, 4, 0, 0, 0, 0];
    let fragment = |offset: u16, more: bool, data: &[u8]| {
        let mut frame = Frame::new(Frame::HEADROOM, data);
        Fragment { next: 17, offset, more, ident: 9 }.push(&mut frame);
        frame.push(8).copy_from_slice(&options);
        let header = ipv6::Header::parse(Six.datagram(0, 0).bytes()).unwrap();
        ipv6::Header { next_header: 60, ..header }.push(&mut frame);
        let fragment = Fragment::parse(&frame.bytes()[48..]).unwrap();
        v6::piece(&header, &fragment, 48, frame)
    };
    let mut r = Reassembler::default();
    let (key, first) = fragment(0, true, &[1; 8]);
    let _ = r.insert(Instant::ZERO, key, first);
    let (key, last) = fragment(8, false, &[2; 3]);
    let Outcome::Complete(pieces) = r.insert(Instant::ZERO, key, last) else { panic!() };
    let whole = v6::whole(&pieces).unwrap();
    assert_eq!(whole.bytes()[6], 60);
    assert_eq!(whole.bytes()[40..48], [17, 0, 1, 4, 0, 0, 0, 0]);
    assert_eq!((whole.len(), ipv6::Header::parse(whole.bytes()).unwrap().payload_len), (40 + 8 + 11, 19));
}
