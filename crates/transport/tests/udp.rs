//! UDP between two endpoints, and what ICMP does to it.

use std::net::{IpAddr, SocketAddr};

use septet_core::{DropReason, EventId, Frame, Seed, Trace};
use septet_transport::udp::{Cast, Endpoint, Error, GroupChange, Meta, Reach, Readiness, SocketId, Transmit, split};
use septet_transport::{Ecn, IcmpError, Trouble};
use septet_wire::membership::Filter;

fn sa(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

fn bind(u: &mut Endpoint, at: &str) -> Result<SocketId, Error> {
    u.bind(sa(at), &mut Seed::new(1).stream("udp"))
}

fn receive(u: &mut Endpoint, meta: &Meta, frame: Frame) -> Result<(), DropReason> {
    let bytes = frame.bytes().to_vec();
    u.receive(meta, frame, &mut Trace::off()).map_err(|refused| {
        assert_eq!(refused.frame.bytes(), bytes, "as it came");
        refused.why
    })
}

/// Sends from 10.0.0.1 where the socket is bound to no address.
fn send(u: &mut Endpoint, id: SocketId, payload: &[u8], size: u16, to: Option<&str>) -> Result<Transmit, Error> {
    let way = |_, bound: Option<IpAddr>| Ok(bound.unwrap_or(ip("10.0.0.1")));
    u.send_segmented(id, payload, size, to.map(sa), way, EventId::NONE, &mut Trace::off())
}

fn meta(src: &str, dst: &str) -> Meta {
    Meta { src: ip(src), dst: ip(dst), cast: Cast::Unicast, ecn: Ecn::NotEct, ttl: 64, iface: Some(0) }
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
    let mut u = Endpoint::default();
    let id = bind(&mut u, "0.0.0.0:53").unwrap();
    assert_eq!(bind(&mut u, "10.0.0.1:53"), Err(Error::AddrInUse));
    u.connect(id, sa("10.0.0.2:1000"), ip("10.0.0.1")).unwrap();
    let m = meta("10.0.0.3", "10.0.0.1");
    let stranger = datagram("10.0.0.3:1000", "10.0.0.1:53", b"no");
    assert_eq!(receive(&mut u, &m, stranger), Err(DropReason::NoSocket));
    let m = meta("10.0.0.2", "10.0.0.1");
    receive(&mut u, &m, datagram("10.0.0.2:1000", "10.0.0.1:53", b"yes")).unwrap();
    assert_eq!(u.poll_event(), Some((id, Readiness { readable: true, failed: false, icmp: false })));
    let got = u.recv(id).unwrap();
    assert_eq!((got.from, got.frame.bytes()), (sa("10.0.0.2:1000"), &b"yes"[..]));
    assert_eq!(u.recv(id).unwrap_err(), Error::WouldBlock);
}

#[test]
fn a_socket_that_is_bound_again_is_in_nobodys_way_and_keeps_its_place_where_it_would_be() {
    let mut u = Endpoint::default();
    let mut rng = Seed::new(1).stream("udp");
    let one = bind(&mut u, "10.0.0.1:53").unwrap();
    bind(&mut u, "10.0.0.2:53").unwrap();
    for taken in ["10.0.0.2:53", "0.0.0.0:53"] {
        assert_eq!(u.rebind(one, sa(taken), &mut rng), Err(Error::AddrInUse));
    }
    assert_eq!(u.local_addr(one), Ok(sa("10.0.0.1:53")));
    // What it has itself is free to it.
    u.rebind(one, sa("10.0.0.1:53"), &mut rng).unwrap();
    u.rebind(one, sa("0.0.0.0:54"), &mut rng).unwrap();
    bind(&mut u, "10.0.0.1:53").unwrap();
}

fn unreachable(trouble: Trouble) -> IcmpError {
    IcmpError {
        reporter: ip("10.0.0.9"),
        local: sa("10.0.0.1:53"),
        remote: sa("10.0.0.2:1000"),
        seq: 0,
        trouble,
        cause: EventId::NONE,
    }
}

#[test]
fn icmp_errors_reach_connected_sockets_and_error_queues() {
    let mut u = Endpoint::default();
    let id = bind(&mut u, "10.0.0.1:53").unwrap();
    u.icmp_error(&unreachable(Trouble::PortUnreachable), &mut Trace::off());
    assert_eq!(u.take_error(id), Ok(None), "an unconnected socket does not hear of it");
    u.receive_errors(id).unwrap();
    u.icmp_error(&unreachable(Trouble::HopLimit), &mut Trace::off());
    assert_eq!(u.recv_icmp(id).unwrap().trouble, Trouble::HopLimit);
    assert_eq!(u.take_error(id), Ok(None));
    u.connect(id, sa("10.0.0.2:1000"), ip("10.0.0.1")).unwrap();
    u.icmp_error(&unreachable(Trouble::PortUnreachable), &mut Trace::off());
    assert_eq!(send(&mut u, id, b"x", 0, None).unwrap_err(), Error::ConnectionRefused);
    assert!(send(&mut u, id, b"x", 0, None).is_ok());
}

#[test]
fn multicast_needs_membership_and_reaches_all_members() {
    let mut u = Endpoint::default();
    let (a, b) = (bind(&mut u, "0.0.0.0:5353").unwrap(), bind(&mut u, "[::]:5353").unwrap());
    let group = "224.0.0.251";
    let m = meta("10.0.0.2", group);
    let frame = || datagram("10.0.0.2:5353", "224.0.0.251:5353", b"q");
    assert_eq!(receive(&mut u, &m, frame()), Err(DropReason::NoSocket));
    let join = |u: &mut Endpoint, group| u.change_group(a, group, 0, GroupChange::Join);
    assert_eq!(join(&mut u, ip("10.0.0.1")), Err(Error::InvalidInput));
    assert_eq!(join(&mut u, ip(group)), Ok((Filter::NONE, Filter::ALL)));
    assert!(u.is_member(ip(group)));
    receive(&mut u, &m, frame()).unwrap();
    assert!(u.recv(a).is_ok() && u.recv(b).is_err());
    let sent = send(&mut u, a, b"r", 0, Some("224.0.0.251:5353")).unwrap();
    assert_eq!(sent.ttl, Some(1), "RFC 1112: one hop unless asked");
    assert_eq!(join(&mut u, ip(group)), Err(Error::AddrInUse));
    join(&mut u, ip("224.0.0.9")).unwrap();
    // Not what came in elsewhere, and not from whom it does not want to hear.
    assert_eq!(receive(&mut u, &Meta { iface: Some(1), ..m }, frame()), Err(DropReason::NoSocket));
    u.change_group(a, ip(group), 0, GroupChange::Block(ip("10.0.0.2"))).unwrap();
    assert_eq!(receive(&mut u, &m, frame()), Err(DropReason::NoSocket));
    let groups: Vec<_> = u.close(a).unwrap().into_iter().map(|m| m.group).collect();
    assert_eq!(groups, [ip(group), ip("224.0.0.9")], "in the order of joining");
}

#[test]
fn memory_is_bounded() {
    let mut u = Endpoint::default();
    let id = bind(&mut u, "10.0.0.1:9").unwrap();
    let m = meta("10.0.0.2", "10.0.0.1");
    let full = (0..1000).filter(|_| {
        let frame = datagram("10.0.0.2:1", "10.0.0.1:9", &[0; 1000]);
        receive(&mut u, &m, frame) == Err(DropReason::SocketBuffer)
    });
    assert_eq!(full.count(), 1000 - 212_992 / 1256);
    assert!(u.recv(id).is_ok());
    assert!(receive(&mut u, &m, datagram("10.0.0.2:1", "10.0.0.1:9", &[0; 1000])).is_ok());
}

#[test]
fn a_super_datagram_splits_into_datagrams() {
    let mut u = Endpoint::default();
    let id = bind(&mut u, "10.0.0.1:9").unwrap();
    let payload: Vec<u8> = (0..2500u32).map(|i| i as u8).collect();
    let t = send(&mut u, id, &payload, 1000, Some("10.0.0.2:7")).unwrap();
    let mut peer = Endpoint::default();
    let sink = bind(&mut peer, "10.0.0.2:7").unwrap();
    let mut got = Vec::new();
    for piece in split(&t.frame, t.src, t.dst) {
        assert!(piece.len() <= 1008);
        let mut piece = piece;
        piece.checksums = septet_core::Checksums::Unverified;
        receive(&mut peer, &meta("10.0.0.1", "10.0.0.2"), piece).unwrap();
        got.extend_from_slice(peer.recv(sink).unwrap().frame.bytes());
    }
    assert_eq!(got, payload);
    assert_eq!(u.mib().out_datagrams, 3);
}

#[test]
fn what_has_not_left_counts_against_the_buffer() {
    let mut u = Endpoint::default();
    let id = bind(&mut u, "0.0.0.0:9").unwrap();
    let to = Some("10.0.0.2:7");
    let full = (0..1000).take_while(|_| send(&mut u, id, &[0; 1000], 0, to).is_ok()).count();
    assert_eq!(full, 212_992 / 1256);
    assert_eq!(send(&mut u, id, &[0; 1000], 0, to).unwrap_err(), Error::WouldBlock);
    u.sent(id, 1000).unwrap();
    assert!(send(&mut u, id, &[0; 1000], 0, to).is_ok());
    assert_eq!(u.mib().out_datagrams, full as u64 + 1);
}

#[test]
fn a_destination_that_none_can_have_is_invalid() {
    let mut u = Endpoint::default();
    let four = bind(&mut u, "0.0.0.0:9").unwrap();
    let six = bind(&mut u, "[::]:9").unwrap();
    assert_eq!(send(&mut u, four, b"x", 0, Some("10.0.0.2:0")).unwrap_err(), Error::InvalidInput);
    assert_eq!(send(&mut u, four, b"x", 0, Some("[fd00::2]:7")).unwrap_err(), Error::InvalidInput);
    assert!(send(&mut u, six, b"x", 0, Some("10.0.0.2:7")).is_ok());
    u.set_reach(six, Reach::OwnFamily).unwrap();
    assert_eq!(send(&mut u, six, b"x", 0, Some("10.0.0.2:7")).unwrap_err(), Error::InvalidInput);
}
