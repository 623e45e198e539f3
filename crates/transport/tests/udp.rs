//! UDP between two endpoints, and what ICMP does to it.

use std::net::{IpAddr, SocketAddr};

use septet_core::{DropReason, EventId, Frame, Instant, Seed, Trace};
use septet_transport::udp::{Cast, Endpoint, Error, Meta, split};
use septet_transport::{Ecn, IcmpError, Unreachable};

fn sa(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

fn endpoint() -> Endpoint {
    Endpoint::new(Seed::new(1).stream("udp"))
}

fn meta(src: &str, dst: &str) -> Meta {
    Meta { src: ip(src), dst: ip(dst), cast: Cast::Unicast, ecn: Ecn::NotEct, ttl: 64 }
}

fn datagram(src: &str, dst: &str, payload: &[u8]) -> Frame {
    let (src, dst) = (sa(src), sa(dst));
    let mut frame = Frame::new(64, payload);
    septet_transport::udp::wire::Header { src_port: src.port(), dst_port: dst.port() }.push(
        src.ip(),
        dst.ip(),
        &mut frame,
    );
    frame
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    let (mut u, mut trace) = (endpoint(), Trace::off());
    let id = u.bind(sa("0.0.0.0:53")).unwrap();
    assert_eq!(u.bind(sa("10.0.0.1:53")), Err(Error::AddrInUse));
    u.connect(id, sa("10.0.0.2:1000"), ip("10.0.0.1")).unwrap();
    let m = meta("10.0.0.3", "10.0.0.1");
    let stranger = datagram("10.0.0.3:1000", "10.0.0.1:53", b"no");
    assert_eq!(u.receive(Instant::ZERO, &m, stranger, &mut trace), Err(DropReason::NoSocket));
    let m = meta("10.0.0.2", "10.0.0.1");
    u.receive(Instant::ZERO, &m, datagram("10.0.0.2:1000", "10.0.0.1:53", b"yes"), &mut trace).unwrap();
    assert_eq!(u.poll_event(), Some(id));
    let got = u.recv(id).unwrap();
    assert_eq!((got.from, got.frame.bytes()), (sa("10.0.0.2:1000"), &b"yes"[..]));
    assert_eq!(u.recv(id).unwrap_err(), Error::WouldBlock);
}

fn unreachable(kind: Unreachable) -> IcmpError {
    IcmpError {
        reporter: ip("10.0.0.9"),
        local: sa("10.0.0.1:53"),
        remote: sa("10.0.0.2:1000"),
        seq: 0,
        kind,
        icmp_type: 3,
        code: 3,
        cause: EventId::NONE,
    }
}

#[test]
fn icmp_errors_reach_connected_sockets_and_error_queues() {
    let (mut u, mut trace) = (endpoint(), Trace::off());
    let id = u.bind(sa("10.0.0.1:53")).unwrap();
    u.icmp_error(&unreachable(Unreachable::Port), &mut trace);
    assert_eq!(u.take_error(id), Ok(None), "an unconnected socket does not hear of it");
    u.receive_errors(id).unwrap();
    u.icmp_error(&unreachable(Unreachable::TimeExceeded), &mut trace);
    assert_eq!(u.recv_icmp(id).unwrap().kind, Unreachable::TimeExceeded);
    assert_eq!(u.take_error(id), Ok(None));
    u.connect(id, sa("10.0.0.2:1000"), ip("10.0.0.1")).unwrap();
    u.icmp_error(&unreachable(Unreachable::Port), &mut trace);
    assert_eq!(u.send(id, b"x", None, ip("10.0.0.1"), &mut trace), Err(Error::ConnectionRefused));
    assert_eq!(u.send(id, b"x", None, ip("10.0.0.1"), &mut trace), Ok(1));
}

#[test]
fn multicast_needs_membership_and_reaches_all_members() {
    let (mut u, mut trace) = (endpoint(), Trace::off());
    let (a, b) = (u.bind(sa("0.0.0.0:5353")).unwrap(), u.bind(sa("[::]:5353")).unwrap());
    let group = "224.0.0.251";
    let m = meta("10.0.0.2", group);
    let frame = || datagram("10.0.0.2:5353", "224.0.0.251:5353", b"q");
    assert_eq!(u.receive(Instant::ZERO, &m, frame(), &mut trace), Err(DropReason::NotForUs));
    assert_eq!(u.join(a, ip("10.0.0.1")), Err(Error::InvalidInput));
    u.join(a, ip(group)).unwrap();
    assert!(u.is_member(ip(group)));
    u.receive(Instant::ZERO, &m, frame(), &mut trace).unwrap();
    assert!(u.recv(a).is_ok() && u.recv(b).is_err());
    u.send(a, b"r", Some(sa("224.0.0.251:5353")), ip("10.0.0.1"), &mut trace).unwrap();
    assert_eq!(u.poll_transmit().unwrap().ttl, Some(1), "RFC 1112: one hop unless asked");
}

#[test]
fn memory_is_bounded() {
    let (mut u, mut trace) = (endpoint(), Trace::off());
    let id = u.bind(sa("10.0.0.1:9")).unwrap();
    let m = meta("10.0.0.2", "10.0.0.1");
    let full = (0..1000).filter(|_| {
        let frame = datagram("10.0.0.2:1", "10.0.0.1:9", &[0; 1000]);
        u.receive(Instant::ZERO, &m, frame, &mut trace) == Err(DropReason::SocketBuffer)
    });
    assert_eq!(full.count(), 1000 - 212_992 / 1768);
    assert!(u.recv(id).is_ok());
    assert!(u.receive(Instant::ZERO, &m, datagram("10.0.0.2:1", "10.0.0.1:9", &[0; 1000]), &mut trace).is_ok());
}

#[test]
fn a_super_datagram_splits_into_datagrams() {
    let (mut u, mut trace) = (endpoint(), Trace::off());
    let id = u.bind(sa("10.0.0.1:9")).unwrap();
    let payload: Vec<u8> = (0..2500u32).map(|i| i as u8).collect();
    let to = Some(sa("10.0.0.2:7"));
    u.send_segmented(id, &payload, 1000, to, ip("10.0.0.1"), EventId::NONE, &mut trace).unwrap();
    let t = u.poll_transmit().unwrap();
    let mut peer = endpoint();
    let sink = peer.bind(sa("10.0.0.2:7")).unwrap();
    let mut got = Vec::new();
    for piece in split(&t.frame, t.src, t.dst) {
        assert!(piece.len() <= 1008);
        let mut piece = piece;
        piece.checksums = septet_core::Checksums::Unverified;
        peer.receive(Instant::ZERO, &meta("10.0.0.1", "10.0.0.2"), piece, &mut trace).unwrap();
        got.extend_from_slice(peer.recv(sink).unwrap().frame.bytes());
    }
    assert_eq!(got, payload);
    assert_eq!(u.mib().out_datagrams, 3);
}
