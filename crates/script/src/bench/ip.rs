//! The bench's storey 3: just enough of IPv4, IPv6 and ICMP to carry segments and to tell storey 4 of errors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use septet_core::{EventId, Frame, checksum};
use septet_transport::{Ecn, IcmpError, Unreachable};

/// A packet that arrived, its IP header taken off.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) ecn: Ecn,
    pub(crate) ttl: u8,
    /// What the IP header was followed by.
    pub(crate) frame: Frame,
}

/// What is written into the IP header of a packet that leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    /// The traffic class, the ECN bits included.
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    /// The identification of an IPv4 packet.
    pub(crate) id: u16,
}

/// Takes the IP header off; `None` where it does not parse.
pub(crate) fn arrive(packet: &[u8]) -> Option<Arrival> {
    let mut frame = Frame::new(0, packet);
    let bytes = frame.bytes();
    match bytes.first()? >> 4 {
        4 => {
            let header_len = usize::from(bytes[0] & 15) * 4;
            let header = bytes.get(..header_len.max(20))?;
            let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
            if header_len < 20 || total < header_len || total > bytes.len() || checksum::of(&header[..header_len]) != 0
            {
                return None;
            }
            // A fragment: more to come, or not the first.
            if u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
                return None;
            }
            let (src, dst) = (four(header, 12), four(header, 16));
            let (tos, ttl, protocol) = (header[1], header[8], header[9]);
            frame.truncate(total);
            frame.pull(header_len);
            Some(Arrival { src, dst, protocol, ecn: Ecn::from_bits(tos), ttl, frame })
        }
        6 => {
            let header = bytes.get(..40)?;
            let total = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
            if total > bytes.len() {
                return None;
            }
            let (src, dst) = (six(header, 8), six(header, 24));
            let tos = (u16::from_be_bytes([header[0], header[1]]) >> 4) as u8;
            let (ttl, protocol) = (header[7], header[6]);
            frame.truncate(total);
            frame.pull(40);
            Some(Arrival { src, dst, protocol, ecn: Ecn::from_bits(tos), ttl, frame })
        }
        _ => None,
    }
}

/// Puts an IP header in front.
pub(crate) fn depart(frame: &mut Frame, departure: &Departure) {
    let Departure { src, dst, protocol, tos, ttl, id } = *departure;
    let len = frame.len();
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let header = frame.push(20);
            header[0] = 0x45;
            header[1] = tos;
            header[2..4].copy_from_slice(&((len + 20) as u16).to_be_bytes());
            header[4..6].copy_from_slice(&id.to_be_bytes());
            header[6..8].copy_from_slice(&0x4000u16.to_be_bytes());
            header[8] = ttl;
            header[9] = protocol;
            header[10..12].fill(0);
            header[12..16].copy_from_slice(&src.octets());
            header[16..20].copy_from_slice(&dst.octets());
            let sum = checksum::of(header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (src, dst) => {
            let header = frame.push(40);
            header[..4].copy_from_slice(&(6 << 28 | u32::from(tos) << 20).to_be_bytes());
            header[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            header[6] = protocol;
            header[7] = ttl;
            header[8..24].copy_from_slice(&to_six(src).octets());
            header[24..40].copy_from_slice(&to_six(dst).octets());
        }
    }
}

/// What an ICMP error says about a TCP segment or a UDP datagram of ours; `None` for anything else.
pub(crate) fn icmp_error(arrival: &Arrival) -> Option<(u8, IcmpError)> {
    let message = arrival.frame.bytes();
    let head = message.get(..8)?;
    let (icmp_type, code) = (head[0], head[1]);
    let rest = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    let kind = if arrival.src.is_ipv4() {
        if checksum::of(message) != 0 {
            return None;
        }
        match (icmp_type, code) {
            (3, 0 | 6 | 11) => Unreachable::Network,
            (3, 1 | 7 | 12) => Unreachable::Host,
            (3, 2) => Unreachable::Protocol,
            (3, 3) => Unreachable::Port,
            // RFC 1191 §4: the MTU of the next hop in the low half.
            (3, 4) => Unreachable::TooBig { mtu: rest & 0xffff },
            (3, 9 | 10 | 13..=15) => Unreachable::Prohibited,
            (3, 5 | 8) => Unreachable::Host,
            (11, _) => Unreachable::TimeExceeded,
            (12, _) => Unreachable::ParameterProblem,
            _ => return None,
        }
    } else {
        let mut sum = checksum::Sum::new().bytes(message).word(58).dword(message.len() as u32);
        sum = sum.bytes(&to_six(arrival.src).octets()).bytes(&to_six(arrival.dst).octets());
        if sum.finish() != 0 {
            return None;
        }
        match (icmp_type, code) {
            (1, 0) => Unreachable::Network,
            (1, 1 | 5 | 6) => Unreachable::Prohibited,
            (1, 2 | 3) => Unreachable::Host,
            (1, 4) => Unreachable::Port,
            (2, _) => Unreachable::TooBig { mtu: rest },
            (3, _) => Unreachable::TimeExceeded,
            (4, _) => Unreachable::ParameterProblem,
            _ => return None,
        }
    };
    let quoted = &message[8..];
    let (src, dst, protocol, inner) = match quoted.first()? >> 4 {
        4 => {
            let header_len = usize::from(quoted[0] & 15) * 4;
            let header = quoted.get(..header_len.max(20))?;
            (four(header, 12), four(header, 16), header[9], quoted.get(header_len..)?)
        }
        6 => (six(quoted.get(..40)?, 8), six(quoted, 24), quoted[6], &quoted[40..]),
        _ => return None,
    };
    let inner = inner.get(..8)?;
    let port = |at: usize| u16::from_be_bytes([inner[at], inner[at + 1]]);
    let error = IcmpError {
        reporter: arrival.src,
        local: SocketAddr::new(src, port(0)),
        remote: SocketAddr::new(dst, port(2)),
        seq: u32::from_be_bytes([inner[4], inner[5], inner[6], inner[7]]),
        kind,
        icmp_type,
        code,
        cause: EventId::NONE,
    };
    Some((protocol, error))
}

fn four(bytes: &[u8], at: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]))
}

fn six(bytes: &[u8], at: usize) -> IpAddr {
    let octets: [u8; 16] = bytes[at..at + 16].try_into().expect("sixteen octets");
    IpAddr::V6(Ipv6Addr::from(octets))
}

fn to_six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six,
    }
}
