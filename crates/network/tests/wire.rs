//! The wire formats against etherparse, and storey 3 as a whole against arbitrary bytes.

use std::net::Ipv4Addr;

use etherparse::{ArpPacket, Icmpv4Slice, Icmpv4Type, IpFragOffset, IpNumber, Ipv4Header, Ipv4HeaderSlice};
use proptest::prelude::*;
use septet_core::{Carrier, Frame, Instant, Out, Port, Seed, Trace, Wire};
use septet_datalink::ethernet::MacAddr;
use septet_network::acd::{Check, Defence};
use septet_network::ip::{Aftermath, Cast, DontFragment, NewAddress, Outgoing};
use septet_network::{Cidr, Forwarding, InterfaceConfig, Ip, arp, icmp, ipv4};

/// Keeps what is sent.
#[derive(Default)]
struct Sent(Vec<(Port, Frame)>);

impl Wire for Sent {
    fn send(&mut self, port: Port, frame: Frame, _: &mut Trace) {
        self.0.push((port, frame));
    }

    fn backlog(&self, _: Port) -> usize {
        0
    }

    fn wake_below(&mut self, _: Port, _: usize) {}
}

fn header() -> impl Strategy<Value = ipv4::Header> {
    let fields = (any::<u8>(), any::<u16>(), any::<(bool, bool)>(), 0u16..8192, any::<(u8, u8)>(), any::<(u32, u32)>());
    fields.prop_map(|(tos, ident, (df, mf), offset, (ttl, protocol), (src, dst))| ipv4::Header {
        tos,
        total_len: 0,
        ident,
        dont_fragment: df,
        more_fragments: mf,
        fragment_offset: offset << 3,
        ttl,
        protocol,
        src: Ipv4Addr::from_bits(src),
        dst: Ipv4Addr::from_bits(dst),
        header_len: 20,
    })
}

fn same(ours: &ipv4::Header, theirs: &Ipv4Header) {
    assert_eq!(ours.tos, theirs.dscp.value() << 2 | theirs.ecn.value());
    assert_eq!(ours.total_len, theirs.total_len);
    assert_eq!(ours.ident, theirs.identification);
    assert_eq!(ours.dont_fragment, theirs.dont_fragment);
    assert_eq!(ours.more_fragments, theirs.more_fragments);
    assert_eq!(ours.fragment_offset >> 3, theirs.fragment_offset.value());
    assert_eq!((ours.ttl, ours.protocol), (theirs.time_to_live, theirs.protocol.0));
    assert_eq!((ours.src.octets(), ours.dst.octets()), (theirs.source, theirs.destination));
    assert_eq!(usize::from(ours.header_len), theirs.header_len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn ipv4_headers_are_read_by_both(header in header(), payload in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut frame = Frame::new(Frame::HEADROOM, &payload);
        header.push(&mut frame);
        let (theirs, _) = Ipv4Header::from_slice(frame.bytes()).unwrap();
        prop_assert_eq!(theirs.header_checksum, theirs.calc_header_checksum());
        same(&ipv4::Header::parse(frame.bytes()).unwrap(), &theirs);
    }

    #[test]
    fn ipv4_headers_are_refused_by_both(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), force in any::<bool>()) {
        if force && let Some(first) = bytes.first_mut() {
            *first = *first & 0x0f | 0x40;
        }
        let ours = ipv4::Header::parse(&bytes);
        match Ipv4HeaderSlice::from_slice(&bytes) {
            Ok(theirs) => {
                let theirs = theirs.to_header();
                // They leave it to others to hold the lengths against one another.
                let total = usize::from(theirs.total_len);
                let plausible = total >= theirs.header_len() && total <= bytes.len();
                prop_assert_eq!(ours.is_ok(), plausible);
                if let Ok(ours) = ours {
                    same(&ours, &theirs);
                    let sum = theirs.header_checksum == theirs.calc_header_checksum();
                    prop_assert_eq!(ipv4::checksum_ok(&bytes, ours.header_len), sum);
                }
            }
            Err(_) => {
                // Where only options are missing we look at the total length first.
                prop_assert!(ours.is_err());
            }
        }
    }

    #[test]
    fn headers_that_they_write_are_read(ttl in any::<u8>(), offset in 0u16..8192, options in 0usize..=10) {
        let mut theirs = Ipv4Header::new(12, ttl, IpNumber::UDP, [10, 0, 0, 1], [10, 0, 0, 2]).unwrap();
        theirs.fragment_offset = IpFragOffset::try_new(offset).unwrap();
        theirs.options = vec![1; options * 4].as_slice().try_into().unwrap();
        theirs.set_payload_len(12).unwrap();
        theirs.header_checksum = theirs.calc_header_checksum();
        let mut bytes = Vec::new();
        theirs.write(&mut bytes).unwrap();
        bytes.extend([0; 12]);
        let ours = ipv4::Header::parse(&bytes).unwrap();
        same(&ours, &theirs);
        prop_assert!(ipv4::checksum_ok(&bytes, ours.header_len));
    }

    #[test]
    fn echoes_are_read_by_both(ident in any::<u16>(), seq in any::<u16>(), data in proptest::collection::vec(any::<u8>(), 0..50)) {
        let mut frame = Frame::new(Frame::HEADROOM, &data);
        let rest = u32::from(ident) << 16 | u32::from(seq);
        icmp::Message { icmp_type: icmp::kind::ECHO, code: 0, rest }.push(&mut frame);
        let theirs = Icmpv4Slice::from_slice(frame.bytes()).unwrap();
        let Icmpv4Type::EchoRequest(echo) = theirs.icmp_type() else { panic!() };
        prop_assert_eq!((echo.id, echo.seq, theirs.payload()), (ident, seq, &data[..]));
        prop_assert_eq!(theirs.header().icmp_type.calc_checksum(&data), theirs.checksum());
    }

    #[test]
    fn arp_is_read_by_both(macs in any::<([u8; 6], [u8; 6])>(), ips in any::<([u8; 4], [u8; 4])>()) {
        let packet = arp::Packet {
            operation: arp::Operation::Reply,
            sender_mac: MacAddr(macs.0),
            sender_ip: ips.0.into(),
            target_mac: MacAddr(macs.1),
            target_ip: ips.1.into(),
        };
        let frame = packet.to_frame();
        let theirs = ArpPacket::from_slice(frame.bytes()).unwrap();
        prop_assert_eq!(theirs.sender_hw_addr(), &macs.0[..]);
        prop_assert_eq!(theirs.target_protocol_addr(), &ips.1[..]);
        prop_assert_eq!(arp::Packet::parse(&theirs.to_bytes()), Ok(packet));
    }
}

fn router() -> Ip {
    let interface = |n: u8, addresses: &[&str]| InterfaceConfig {
        mac: MacAddr([2, 0, 0, 0, 0, n]),
        addresses: addresses.iter().map(|a| a.parse::<Cidr>().unwrap()).collect(),
        mtu: 600,
    };
    let interfaces = [interface(1, &["10.0.0.1/24"]), interface(2, &["10.0.1.1/24", "192.0.2.1/31"])];
    Ip::new(&interfaces, Forwarding::On, Seed::new(3).stream("ip router"))
}

/// What happens to a router.
#[derive(Clone, Debug)]
enum Step {
    Packet {
        iface: u16,
        cast: u8,
        bytes: Vec<u8>,
    },
    Datagram {
        header: ipv4::Header,
        near: (u8, u8),
        options: Vec<u8>,
        upper: Vec<u8>,
        len: usize,
        lie: Option<(usize, u8)>,
    },
    Arp {
        iface: u16,
        reply: bool,
        sender: u8,
        target: u8,
    },
    Send {
        to: u32,
        len: usize,
        df: bool,
    },
    Carrier {
        iface: u16,
        up: bool,
    },
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..60);
    let datagram = (
        header(),
        any::<(u8, u8)>(),
        proptest::collection::vec(any::<u8>(), 0..40),
        bytes(),
        0usize..1500,
        proptest::option::of((0usize..80, any::<u8>())),
    );
    prop_oneof![
        1 => (0u16..2, 0u8..3, bytes()).prop_map(|(iface, cast, bytes)| Step::Packet { iface, cast, bytes }),
        6 => datagram.prop_map(|(header, near, options, upper, len, lie)| Step::Datagram { header, near, options, upper, len, lie }),
        2 => (0u16..2, any::<bool>(), 0u8..5, 0u8..5)
            .prop_map(|(iface, reply, sender, target)| Step::Arp { iface, reply, sender, target }),
        1 => (any::<u32>(), 0usize..70_000, any::<bool>()).prop_map(|(to, len, df)| Step::Send { to, len, df }),
        1 => (0u16..2, any::<bool>()).prop_map(|(iface, up)| Step::Carrier { iface, up }),
        1 => (0u32..40_000).prop_map(Step::Wait),
    ]
}

/// Mostly addresses that the router has to do with.
fn near(pick: u8, other: Ipv4Addr) -> Ipv4Addr {
    match pick % 12 {
        0 | 1 => Ipv4Addr::new(10, 0, 0, 2),
        2 | 3 => Ipv4Addr::new(10, 0, 1, 2),
        4 => Ipv4Addr::new(10, 0, 0, 1),
        5 => Ipv4Addr::new(10, 0, 1, 255),
        6 => Ipv4Addr::BROADCAST,
        7 => Ipv4Addr::new(224, 0, 0, 1),
        8 => Ipv4Addr::new(127, 0, 0, 1),
        9 => Ipv4Addr::UNSPECIFIED,
        10 => Ipv4Addr::new(192, 0, 2, 0),
        _ => other,
    }
}

fn play(ip: &mut Ip, now: &mut Instant, step: Step, wire: &mut Sent) {
    let mut trace = Trace::on();
    let mut out = Out::new(wire, &mut trace);
    match step {
        Step::Packet { iface, cast, bytes } => {
            let cast = [Cast::Unicast, Cast::Multicast, Cast::Broadcast][usize::from(cast)];
            ip.receive(*now, iface, cast, Frame::new(32, &bytes), &mut out);
        }
        Step::Datagram { header, near: (a, b), options, upper, len, lie } => {
            let mut payload = upper;
            payload.resize(payload.len().max(len), 9);
            let mut frame = Frame::new(Frame::HEADROOM, &payload);
            let (protocol, ttl) = ([1, 6, 17, header.protocol][usize::from(header.protocol % 4)], header.ttl % 4 + 1);
            ipv4::Header { src: near(a, header.src), dst: near(b, header.dst), protocol, ttl, ..header }
                .push(&mut frame);
            let options = &options[..options.len() & !3];
            if !options.is_empty() {
                let mut bytes = frame.bytes().to_vec();
                bytes.splice(20..20, options.iter().copied());
                let total = bytes.len() as u16;
                bytes[0] += (options.len() / 4) as u8;
                bytes[2..4].copy_from_slice(&total.to_be_bytes());
                bytes[10..12].fill(0);
                let sum = septet_core::checksum::of(&bytes[..20 + options.len()]);
                bytes[10..12].copy_from_slice(&sum.to_be_bytes());
                frame = Frame::new(Frame::HEADROOM, &bytes);
            }
            if let Some((at, value)) = lie {
                let len = frame.len();
                frame.bytes_mut()[at % len] = value;
            }
            ip.receive(*now, u16::from(a % 2), Cast::Unicast, frame, &mut out);
        }
        Step::Arp { iface, reply, sender, target } => {
            let packet = arp::Packet {
                operation: if reply { arp::Operation::Reply } else { arp::Operation::Request },
                sender_mac: MacAddr([2, 9, 9, 9, 9, sender]),
                sender_ip: Ipv4Addr::new(10, 0, iface as u8, sender),
                target_mac: MacAddr([2, 0, 0, 0, 0, 1]),
                target_ip: Ipv4Addr::new(10, 0, iface as u8, target),
            };
            ip.receive_arp(*now, iface, packet.to_frame(), &mut out);
        }
        Step::Send { to, len, df } => {
            let mut to =
                Outgoing::new(Ipv4Addr::UNSPECIFIED.into(), near(to as u8, Ipv4Addr::from_bits(to)).into(), 17);
            to.dont_fragment = if df { DontFragment::Yes } else { DontFragment::IfItFits };
            let _ = ip.send(*now, &to, Frame::new(Frame::HEADROOM, &vec![0; len]), &mut out);
        }
        Step::Carrier { iface, up } => {
            ip.set_carrier(Port(iface), if up { Carrier::Up } else { Carrier::Down }, &mut out);
        }
        Step::Wait(ms) => {
            let end = *now + core::time::Duration::from_millis(ms.into());
            while let Some(at) = ip.deadline().filter(|at| *at <= end) {
                *now = at.max(*now);
                ip.on_deadline(*now, &mut out);
            }
            *now = end;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]
    #[test]
    fn a_router_survives_anything_and_sends_only_what_is_well_formed(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut ip, mut wire, mut now) = (router(), Sent::default(), Instant::from_secs(1));
        for iface in 0..2 {
            play(&mut ip, &mut now, Step::Carrier { iface, up: true }, &mut wire);
        }
        for step in steps {
            play(&mut ip, &mut now, step, &mut wire);
            while ip.poll_up().is_some() {}
            for (port, frame) in wire.0.drain(..) {
                prop_assert!(port.0 < 2);
                prop_assert!((60..=614).contains(&frame.len()), "{} octets", frame.len());
                match frame.bytes()[12..14] {
                    [0x08, 0x00] => {
                        let header = ipv4::Header::parse(&frame.bytes()[14..]).unwrap();
                        prop_assert!(header.ttl > 0);
                        // Forwarded frames come with whatever checksum the test's lie left them, which was checked.
                        prop_assert!(ipv4::checksum_ok(&frame.bytes()[14..], header.header_len));
                    }
                    [0x08, 0x06] => { arp::Packet::parse(&frame.bytes()[14..]).unwrap(); }
                    ref other => prop_assert!(false, "ether type {other:?}"),
                }
            }
        }
        // In the end it is quiet: no timer arms itself for ever.
        play(&mut ip, &mut now, Step::Wait(300_000), &mut wire);
        prop_assert_eq!(ip.deadline(), None);
    }
}

/// What `router` sends when a datagram from `src` to `dst` comes in on its first interface: what answers there, and what it
/// dropped.
fn answers(src: [u8; 4], dst: [u8; 4], ttl: u8, payload: usize) -> (Vec<Vec<u8>>, u64) {
    let (sent, ip) = answers_to(src, dst, ttl, &[], &vec![0xa5; payload]);
    (sent, ip.counters.ip_in_addr_errors)
}

/// The same with options and a payload, and the router itself. Whoever is asked for last on its second link is known there.
fn answers_to(src: [u8; 4], dst: [u8; 4], ttl: u8, options: &[u8], payload: &[u8]) -> (Vec<Vec<u8>>, Ip) {
    let (mut ip, mut wire, mut now) = (router(), Sent::default(), Instant::from_secs(1));
    for iface in 0..2 {
        play(&mut ip, &mut now, Step::Carrier { iface, up: true }, &mut wire);
    }
    // Whoever asks is known, so that what is sent is the answer itself.
    play(&mut ip, &mut now, Step::Arp { iface: 0, reply: false, sender: 7, target: 1 }, &mut wire);
    play(&mut ip, &mut now, Step::Arp { iface: 1, reply: false, sender: 7, target: 1 }, &mut wire);
    wire.0.clear();
    let mut frame = Frame::new(Frame::HEADROOM, payload);
    let header = ipv4::Header {
        tos: 0,
        total_len: 0,
        ident: 1,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl,
        protocol: if payload.first() == Some(&8) { 1 } else { 17 },
        src: src.into(),
        dst: dst.into(),
        header_len: 20,
    };
    header.push_with(options, &mut frame);
    let mut trace = Trace::on();
    ip.receive(now, 0, Cast::Unicast, frame, &mut Out::new(&mut wire, &mut trace));
    (wire.0.iter().map(|(_, frame)| frame.bytes()[14..].to_vec()).collect(), ip)
}

/// Room for two addresses in a record of the route, and an alert for routers before it.
const RECORD: [u8; 16] = [148, 4, 0, 0, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn a_router_records_that_it_was_on_the_way() {
    let (sent, _) = answers_to([10, 0, 0, 7], [10, 0, 1, 7], 64, &RECORD, &[0; 8]);
    let [on] = &sent[..] else { panic!("{sent:?}") };
    let header = ipv4::Header::parse(on).unwrap();
    assert!(ipv4::checksum_ok(on, header.header_len));
    assert_eq!((header.ttl, header.header_len), (63, 36));
    assert_eq!(on[24..31], [7, 11, 8, 10, 0, 1, 1], "from where it goes on");
}

#[test]
fn an_echo_brings_its_record_of_the_route_back() {
    let mut echo = Frame::new(Frame::HEADROOM, b"data");
    icmp::Message { icmp_type: icmp::kind::ECHO, code: 0, rest: 7 }.push(&mut echo);
    let (sent, _) = answers_to([10, 0, 0, 7], [10, 0, 0, 1], 64, &RECORD, echo.bytes());
    let [reply] = &sent[..] else { panic!("{sent:?}") };
    let header = ipv4::Header::parse(reply).unwrap();
    assert!(ipv4::checksum_ok(reply, header.header_len));
    assert_eq!((header.protocol, header.header_len), (1, 32));
    // Where it came, and where it left again, as with Linux.
    assert_eq!(reply[20..32], [7, 11, 12, 10, 0, 0, 1, 10, 0, 0, 1, 0]);
    assert_eq!(reply[32], icmp::kind::ECHO_REPLY);
}

#[test]
fn source_routes_are_refused_in_silence_and_broken_options_are_reported() {
    let (sent, ip) = answers_to([10, 0, 0, 7], [10, 0, 0, 1], 64, &[131, 7, 4, 10, 0, 1, 7, 0], &[0; 8]);
    assert_eq!((sent.len(), ip.counters.ip_in_discards), (0, 1));
    let (sent, ip) = answers_to([10, 0, 0, 7], [10, 0, 1, 7], 64, &[1, 7, 9, 4], &[0; 8]);
    let [error] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((error[20], error[21], error[24]), (icmp::kind::PARAMETER_PROBLEM, 0, 21), "the option's first octet");
    assert_eq!(ip.counters.ip_in_hdr_errors, 1);
}

#[test]
fn nothing_is_passed_on_from_or_to_network_0() {
    for (src, dst) in [([0, 0, 0, 7], [10, 0, 1, 7]), ([10, 0, 0, 7], [0, 0, 1, 7])] {
        assert_eq!(answers(src, dst, 64, 8), (vec![], 1), "{src:?} to {dst:?}");
    }
}

#[test]
fn what_claims_to_come_from_everybody_or_from_oneself_is_dropped_without_an_answer() {
    // RFC 1122 §3.2.2: an ICMP error MUST NOT be sent about "a datagram whose source address does not define a single host".
    for src in [[10, 0, 0, 255], [10, 0, 1, 255], [10, 0, 0, 1], [10, 0, 1, 1], [255, 255, 255, 255]] {
        for (dst, ttl) in [([10, 0, 1, 9], 64), ([10, 0, 1, 9], 1), ([10, 0, 0, 1], 64), ([172, 16, 0, 1], 64)] {
            assert_eq!(answers(src, dst, ttl, 100), (vec![], 1), "from {src:?} to {dst:?} with TTL {ttl}");
        }
    }
    // The same from a neighbour is answered.
    assert_eq!(answers([10, 0, 0, 7], [10, 0, 1, 9], 1, 100).0.len(), 1);
}

#[test]
fn errors_quote_what_576_octets_hold() {
    for (payload, quoted) in [(0, 20), (8, 28), (528, 548), (529, 548), (1400, 548)] {
        let (sent, _) = answers([10, 0, 0, 7], [10, 0, 1, 9], 1, payload);
        let [error] = &sent[..] else { panic!("{payload}: {sent:?}") };
        assert_eq!(error.len(), (20 + 8 + quoted).max(46), "{payload}");
        let theirs = etherparse::SlicedPacket::from_ip(error).unwrap();
        let Some(etherparse::TransportSlice::Icmpv4(icmp)) = theirs.transport else { panic!("{theirs:?}") };
        assert!(matches!(icmp.icmp_type(), Icmpv4Type::TimeExceeded(_)));
        assert_eq!(icmp.payload().len(), quoted);
        assert_eq!(icmp.payload()[20..], vec![0xa5; quoted - 20]);
    }
}

#[test]
fn questions_of_others_for_others_leave_nothing_behind_though_addresses_were_configured() {
    let (mut ip, mut wire, mut now) = (router(), Sent::default(), Instant::from_secs(1));
    for iface in 0..2 {
        play(&mut ip, &mut now, Step::Carrier { iface, up: true }, &mut wire);
    }
    let mut hear = |ip: &mut Ip, sender: [u8; 4], target: [u8; 4]| {
        let packet = arp::Packet {
            operation: arp::Operation::Request,
            sender_mac: MacAddr([2, 0, 0, 0, 9, 9]),
            sender_ip: sender.into(),
            target_mac: MacAddr([0; 6]),
            target_ip: target.into(),
        };
        let mut trace = Trace::on();
        ip.receive_arp(now, 0, packet.to_frame(), &mut Out::new(&mut wire, &mut trace))
    };
    let (all, free) = ([0; 4], [10, 0, 0, 77]);
    let of_others = [([10, 0, 0, 8], [10, 0, 0, 9]), (all, [10, 0, 0, 9])];
    for (sender, target) in of_others {
        assert_eq!(hear(&mut ip, sender, target), Aftermath::None);
    }
    // An address that it asks for, and one that it has already.
    for (address, check) in [("10.0.0.77/24", Check::Probe), ("10.0.0.78/24", Check::Announce)] {
        let new = NewAddress { check, defence: Defence::Once, ..NewAddress::new(address.parse().unwrap()) };
        ip.configure(Instant::from_secs(1), 0, new).unwrap();
    }
    for (sender, target) in of_others {
        assert_eq!(hear(&mut ip, sender, target), Aftermath::None);
    }
    // RFC 5227 §2.1.1: who else asks for the address wants it too, and who speaks from it has it.
    let mut twin = router();
    for ip in [&mut ip, &mut twin] {
        play(ip, &mut Instant::from_secs(1), Step::Carrier { iface: 0, up: true }, &mut Sent::default());
    }
    let new = NewAddress { check: Check::Probe, ..NewAddress::new("10.0.0.77/24".parse().unwrap()) };
    twin.configure(Instant::from_secs(1), 0, new).unwrap();
    assert_eq!(hear(&mut ip, all, free), Aftermath::Some);
    assert_eq!(hear(&mut twin, free, [10, 0, 0, 9]), Aftermath::Some);
    assert_eq!((ip.counters.arp_conflicts, twin.counters.arp_conflicts), (1, 1));
}
