//! Packets for tests, right down to their checksums.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use septet_core::{Checksums, Frame};
use septet_wire::icmp::{self, Message};
use septet_wire::tcp::{self, Flags};
use septet_wire::{icmpv6, ipv4, ipv6, protocol, udp};

/// A port of 10.0.0.`host`.
pub(crate) fn at(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(10, 0, 0, host).into(), port)
}

/// A packet of IP around what `frame` holds.
pub(crate) fn packet(src: IpAddr, dst: IpAddr, protocol: u8, mut frame: Frame) -> Frame {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => ipv4::Header {
            tos: 0,
            total_len: 0,
            ident: 1,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol,
            src,
            dst,
            header_len: 20,
        }
        .push(&mut frame),
        (IpAddr::V6(src), IpAddr::V6(dst)) => ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: 0,
            next_header: protocol,
            hop_limit: 64,
            src,
            dst,
        }
        .push(&mut frame),
        _ => panic!("of one family"),
    }
    frame.checksums = Checksums::Unverified;
    frame
}

/// A segment of TCP, with a window of 1000.
pub(crate) fn tcp(src: SocketAddr, dst: SocketAddr, flags: Flags, seq: u32, ack: u32, data: &[u8]) -> Frame {
    let header = tcp::Header {
        src_port: src.port(),
        dst_port: dst.port(),
        seq,
        ack,
        flags,
        window: 1000,
        ..tcp::Header::default()
    };
    segment(src.ip(), dst.ip(), &header, data)
}

/// A segment with this header.
pub(crate) fn segment(src: IpAddr, dst: IpAddr, header: &tcp::Header, data: &[u8]) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, data);
    header.write(frame.push(header.wire_len()));
    tcp::seal(src, dst, &mut frame);
    packet(src, dst, protocol::TCP, frame)
}

/// A datagram of UDP.
pub(crate) fn udp(src: SocketAddr, dst: SocketAddr, data: &[u8]) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, data);
    udp::Header { src_port: src.port(), dst_port: dst.port() }.push(src.ip(), dst.ip(), &mut frame);
    packet(src.ip(), dst.ip(), protocol::UDP, frame)
}

/// An echo request from 10.0.0.`from`.
pub(crate) fn echo(from: u8, to: u8, ident: u16) -> Frame {
    echo_between(at(from, 0).ip(), at(to, 0).ip(), ident, b"ping")
}

/// An echo request of either family.
pub(crate) fn echo_between(src: IpAddr, dst: IpAddr, ident: u16, data: &[u8]) -> Frame {
    query(src, dst, true, ident, data)
}

/// An echo request or its answer.
pub(crate) fn query(src: IpAddr, dst: IpAddr, asks: bool, ident: u16, data: &[u8]) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, data);
    let rest = u32::from(ident) << 16 | 1;
    match (src, dst) {
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let icmp_type = if asks { icmpv6::kind::ECHO } else { icmpv6::kind::ECHO_REPLY };
            icmpv6::push(&Message { icmp_type, code: 0, rest }, &mut frame, a, b);
            packet(src, dst, protocol::ICMPV6, frame)
        }
        _ => {
            let icmp_type = if asks { icmp::kind::ECHO } else { icmp::kind::ECHO_REPLY };
            Message { icmp_type, code: 0, rest }.push(&mut frame);
            packet(src, dst, protocol::ICMP, frame)
        }
    }
}

/// An ICMP error from 10.0.0.`from` to 10.0.0.`to` about a packet.
pub(crate) fn error(from: u8, to: u8, kind: u8, code: u8, about: &Frame) -> Frame {
    error_from(at(from, 0).ip(), at(to, 0).ip(), kind, code, about)
}

/// The same between any two.
pub(crate) fn error_from(src: IpAddr, dst: IpAddr, kind: u8, code: u8, about: &Frame) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, icmp::quote(about.bytes()));
    Message { icmp_type: kind, code, rest: 0 }.push(&mut frame);
    packet(src, dst, protocol::ICMP, frame)
}
