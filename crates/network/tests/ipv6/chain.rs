//! What a host makes of extension headers and of fragments (RFC 8200 §4, RFC 4443 §3.4, RFC 5722, RFC 6946, RFC 7112).

use std::net::Ipv6Addr;

use septet_core::{Frame, Instant};
use septet_network::Forwarding;
use septet_network::ip::{Cast, Ipv6Config};
use septet_wire::extension::Fragment;
use septet_wire::icmpv6::kind;
use septet_wire::ipv6;

use crate::lan::{Lans, addr, face};

/// A packet with this behind its header.
pub(crate) fn packet(src: Ipv6Addr, dst: Ipv6Addr, hop_limit: u8, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Frame::new(Frame::HEADROOM, payload);
    let header = ipv6::Header { traffic_class: 0, flow_label: 0, payload_len: 0, next_header, hop_limit, src, dst };
    header.push(&mut frame);
    frame.bytes().to_vec()
}

/// A host that knows who sends to it.
fn host() -> Lans {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0)]]);
    for host in ["2001:db8::1/64", "2001:db8::2/64"] {
        lans.add(Forwarding::Off, &[face(&[host], Ipv6Config::with_discovery())]);
    }
    lans.run(3);
    lans.send(1, addr("2001:db8::1"), b"12345678").unwrap();
    lans.run(2);
    lans.datagrams(0);
    lans.sent.clear();
    lans
}

/// What comes of a packet from the neighbour: how many datagrams go up, and type, code and pointer of the error that is
/// sent.
type Outcome = (usize, Option<(u8, u8, u32)>);

fn outcome(lans: &mut Lans, next_header: u8, payload: &[u8]) -> Outcome {
    let packet = packet(addr("2001:db8::2"), addr("2001:db8::1"), 64, next_header, payload);
    lans.inject(0, 0, Cast::Unicast, &packet);
    let errors = lans.take_sent(0);
    let error = errors.iter().find(|p| p[6] == 58 && p[40] < 128);
    let error = error.map(|p| (p[40], p[41], u32::from_be_bytes(p[44..48].try_into().unwrap())));
    (lans.datagrams(0).len(), error)
}

const UP: [u8; 8] = [0, 1, 0, 2, 0, 8, 0, 0];

#[test]
fn headers_that_are_known_are_passed_and_others_reported() {
    let of = |kind: u8| [&[17, 0, kind, 4, 0, 0, 0, 0][..], &UP].concat();
    let problem = |code, at| Some((kind::PARAMETER_PROBLEM, code, at));
    let cases: &[(&str, u8, Vec<u8>, Outcome)] = &[
        ("none", 17, UP.to_vec(), (1, None)),
        ("destination options of padding", 60, of(1), (1, None)),
        ("an option to be skipped", 60, of(0x1e), (1, None)),
        ("an option to be discarded", 60, of(0x5e), (0, None)),
        ("an option to be reported", 60, of(0x9e), (0, problem(2, 42))),
        ("an option to be reported of one", 60, of(0xde), (0, problem(2, 42))),
        ("hop-by-hop options with a router alert", 0, [&[17, 0, 5, 2, 0, 0, 1, 0][..], &UP].concat(), (1, None)),
        ("hop-by-hop options that are unknown", 0, of(0x9e), (0, problem(2, 42))),
        ("a jumbogram that is none", 0, of(0xc2), (0, problem(0, 44))),
        ("a jumbogram of two lengths", 0, [&[17, 0, 0xc2, 4, 0, 1, 0, 0][..], &UP].concat(), (0, problem(0, 42))),
        ("a jumbogram among options for the destination", 60, of(0xc2), (0, problem(2, 42))),
        (
            "padding of eight octets",
            60,
            [&[17, 1, 1, 6, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0][..], &UP].concat(),
            (0, None),
        ),
        ("padding that says something", 60, [&[17, 0, 1, 4, 0, 7, 0, 0][..], &UP].concat(), (0, None)),
        ("a routing header at its end", 43, [&[17, 0, 0, 0, 0, 0, 0, 0][..], &UP].concat(), (1, None)),
        ("a routing header of type 0", 43, [&[17, 0, 0, 1, 0, 0, 0, 0][..], &UP].concat(), (0, problem(0, 42))),
        ("a routing header of another", 43, [&[17, 0, 200, 1, 0, 0, 0, 0][..], &UP].concat(), (0, problem(0, 42))),
        (
            "hop-by-hop options that come late",
            60,
            [&[0, 0, 1, 4, 0, 0, 0, 0][..], &of(1)].concat(),
            (0, problem(1, 40)),
        ),
        ("a next header that nobody knows", 200, UP.to_vec(), (0, problem(1, 6))),
        ("the same behind options", 60, [&[200, 0, 1, 4, 0, 0, 0, 0][..], &UP].concat(), (0, problem(1, 40))),
        ("nothing", 59, vec![], (0, None)),
        ("a header that is cut off", 60, vec![17, 9, 0, 0], (0, None)),
        ("an option that is too long", 60, [&[17, 0, 1, 99, 0, 0, 0, 0][..], &UP].concat(), (0, None)),
        ("an atomic fragment", 44, [&[17, 0, 0, 0, 0, 0, 0, 9][..], &UP].concat(), (1, None)),
        ("hop-by-hop options in a fragment", 44, [&[0, 0, 0, 0, 0, 0, 0, 9][..], &of(1)].concat(), (0, problem(1, 40))),
        (
            "a fragment of no multiple of eight",
            44,
            [&[17, 0, 0, 1, 0, 0, 0, 9][..], &UP[..7]].concat(),
            (0, problem(0, 4)),
        ),
        ("a fragment beyond all", 44, [&[17, 0, 0xff, 0xf8, 0, 0, 0, 9][..], &UP].concat(), (0, problem(0, 42))),
        (
            "a first fragment without its headers",
            44,
            [&[60, 0, 0, 1, 0, 0, 0, 9][..], &[17, 1, 0, 0, 0, 0, 0, 0]].concat(),
            (0, problem(3, 0)),
        ),
    ];
    for (what, next_header, payload, expected) in cases {
        let mut lans = host();
        assert_eq!(outcome(&mut lans, *next_header, payload), *expected, "{what}");
    }
}

#[test]
fn chains_are_followed_to_their_end_but_fragments_in_fragments_are_not() {
    let chain = |header: [u8; 8], last: [u8; 8], headers: usize| {
        let mut payload = header.repeat(headers - 1);
        payload.extend(last);
        payload.extend(UP);
        payload
    };
    let (options, last) = ([60, 0, 1, 4, 0, 0, 0, 0], [17, 0, 1, 4, 0, 0, 0, 0]);
    let mut lans = host();
    for headers in [1, 128, 8180] {
        assert_eq!(outcome(&mut lans, 60, &chain(options, last, headers)), (1, None), "{headers}");
    }
    // As far as the packet goes, and no further.
    assert_eq!(outcome(&mut lans, 60, &options.repeat(100)), (0, None));
    assert_eq!(lans.nodes[0].ip.counters6.in_hdr_errors, 1);
    let (atomic, last) = ([44, 0, 0, 0, 0, 0, 0, 9], [17, 0, 0, 0, 0, 0, 0, 9]);
    assert_eq!(outcome(&mut lans, 44, &chain(atomic, last, 16)), (1, None));
    assert_eq!(outcome(&mut lans, 44, &chain(atomic, last, 17)), (0, None));
    assert_eq!(lans.nodes[0].ip.counters6.in_hdr_errors, 2);
}

/// A fragment of a datagram of protocol 17.
fn fragment(offset: u16, more: bool, ident: u32, data: &[u8]) -> Vec<u8> {
    let mut frame = Frame::new(Frame::HEADROOM, data);
    Fragment { next: 17, offset, more, ident }.push(&mut frame);
    frame.bytes().to_vec()
}

#[test]
fn fragments_come_together_and_overlaps_do_not() {
    let mut lans = host();
    assert_eq!(outcome(&mut lans, 44, &fragment(8, false, 1, &[2; 5])), (0, None));
    assert_eq!(outcome(&mut lans, 44, &fragment(0, true, 1, &UP)), (1, None));
    // RFC 5722: one that overlaps voids the datagram, and what comes of it later too.
    assert_eq!(outcome(&mut lans, 44, &fragment(0, true, 2, &[UP, UP].concat())), (0, None));
    assert_eq!(outcome(&mut lans, 44, &fragment(8, true, 2, &UP)), (0, None));
    assert_eq!(outcome(&mut lans, 44, &fragment(16, false, 2, &[2; 5])), (0, None));
    assert_eq!(outcome(&mut lans, 44, &fragment(0, true, 2, &[UP, UP].concat())), (0, None));
    assert_eq!(lans.nodes[0].ip.counters6.reasm_oks, 1);
    // RFC 6946: an atomic one is a matter of its own.
    assert_eq!(outcome(&mut lans, 44, &fragment(0, false, 2, &UP)), (1, None));
}

#[test]
fn a_chain_may_go_on_in_the_next_fragment_but_not_end_within_the_header_of_what_it_leads_to() {
    let piece = |next: u8, offset: u16, more: bool, ident: u32, data: &[u8]| {
        let mut frame = Frame::new(Frame::HEADROOM, data);
        Fragment { next, offset, more, ident }.push(&mut frame);
        frame.bytes().to_vec()
    };
    let (options, last) = ([60, 0, 1, 4, 0, 0, 0, 0], [17, 0, 1, 4, 0, 0, 0, 0]);
    let mut lans = host();
    // As Linux, which answers an echo request behind 2000 headers in twelve fragments.
    assert_eq!(outcome(&mut lans, 44, &piece(60, 0, true, 5, &options.repeat(100))), (0, None));
    assert_eq!(outcome(&mut lans, 44, &piece(60, 800, false, 5, &[&last[..], &UP].concat())), (1, None));
    // Of TCP there is nothing to be seen: RFC 7112 §5.
    let cut = [6, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let (up, error) = outcome(&mut lans, 44, &piece(60, 0, true, 6, &cut));
    assert!(up == 0 && error.is_some(), "{error:?}");
}

#[test]
fn a_datagram_whose_rest_does_not_come_is_given_up_after_a_minute() {
    let mut lans = host();
    let begun = lans.now;
    assert_eq!(outcome(&mut lans, 44, &fragment(0, true, 1, &UP)), (0, None));
    assert_eq!(outcome(&mut lans, 44, &fragment(8, false, 2, &UP)), (0, None));
    lans.run(59);
    assert!(!lans.take_sent(0).iter().any(|p| p[40] == kind::TIME_EXCEEDED));
    lans.run_until(begun + core::time::Duration::from_secs(61));
    let told: Vec<_> = lans.take_sent(0).into_iter().filter(|p| p[40] == kind::TIME_EXCEEDED).collect();
    assert_eq!(told.iter().map(|p| p[41]).collect::<Vec<_>>(), [1], "the one whose first fragment came");
    assert_eq!(lans.nodes[0].ip.counters6.reasm_timeout, 2);
    assert!(lans.now > Instant::ZERO);
}

#[test]
fn what_the_link_sent_to_all_begets_no_error() {
    let mut lans = host();
    let to_group = packet(addr("2001:db8::2"), addr("ff02::1"), 64, 200, &UP);
    lans.inject(0, 0, Cast::Multicast, &to_group);
    assert!(lans.take_sent(0).is_empty());
    // RFC 4443 §2.4 (e.3): but for an option that asks for it.
    let options = [&[17, 0, 0x9e, 4, 0, 0, 0, 0][..], &UP].concat();
    let asks = packet(addr("2001:db8::2"), addr("ff02::1"), 64, 60, &options);
    lans.inject(0, 0, Cast::Multicast, &asks);
    assert_eq!(lans.take_sent(0).iter().map(|p| (p[40], p[41])).collect::<Vec<_>>(), [(kind::PARAMETER_PROBLEM, 2)]);
    let quiet = [&[17, 0, 0xde, 4, 0, 0, 0, 0][..], &UP].concat();
    lans.inject(0, 0, Cast::Multicast, &packet(addr("2001:db8::2"), addr("ff02::1"), 64, 60, &quiet));
    assert!(lans.take_sent(0).is_empty());
}
