//! Packets as octets, written and read here on their own account, so that the stack under test is judged by another's
//! reading of the standards.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use septet_core::checksum::Sum;

use crate::syntax::TcpOption;

/// The control bits of RFC 9293 §3.1, with AE of RFC 7560's experiment above them.
#[allow(missing_docs)]
pub mod flags {
    pub const FIN: u16 = 0x001;
    pub const SYN: u16 = 0x002;
    pub const RST: u16 = 0x004;
    pub const PSH: u16 = 0x008;
    pub const ACK: u16 = 0x010;
    pub const URG: u16 = 0x020;
    pub const ECE: u16 = 0x040;
    pub const CWR: u16 = 0x080;
    pub const AE: u16 = 0x100;
}

/// Protocol numbers.
pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// An IP packet without options or extension headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// From where.
    pub src: IpAddr,
    /// To where; of the same family.
    pub dst: IpAddr,
    /// The traffic class, its two low bits for ECN.
    pub tos: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// What is inside.
    pub content: Content,
}

/// What an IP packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// TCP.
    Tcp(Segment),
    /// UDP.
    Udp {
        /// From which port.
        src: u16,
        /// To which port.
        dst: u16,
        /// The octets carried.
        payload: Vec<u8>,
    },
    /// ICMP or ICMPv6, by the family of the addresses.
    Icmp {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
        /// The four octets after the checksum: MTU, or identifier and sequence number.
        rest: u32,
        /// The octets after them.
        body: Vec<u8>,
    },
}

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Segment {
    pub src: u16,
    pub dst: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u16,
    pub window: u16,
    pub urgent: u16,
    pub options: Vec<TcpOption>,
    pub payload: Vec<u8>,
}

/// The octets of a packet, all checksums right.
pub fn encode(datagram: &Datagram) -> Vec<u8> {
    let Datagram { src, dst, tos, ttl, content } = datagram;
    let (protocol, body) = encode_content(*src, *dst, content);
    let mut out = Vec::with_capacity(40 + body.len());
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let length = (20 + body.len()) as u16;
            out.extend([0x45, *tos]);
            out.extend(length.to_be_bytes());
            out.extend([0, 0, 0x40, 0, *ttl, protocol, 0, 0]);
            out.extend(src.octets());
            out.extend(dst.octets());
            let sum = Sum::new().bytes(&out).finish();
            out[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        _ => {
            out.extend((6 << 28 | u32::from(*tos) << 20).to_be_bytes());
            out.extend((body.len() as u16).to_be_bytes());
            out.extend([protocol, *ttl]);
            out.extend(six(*src).octets());
            out.extend(six(*dst).octets());
        }
    }
    out.extend(body);
    out
}

fn encode_content(src: IpAddr, dst: IpAddr, content: &Content) -> (u8, Vec<u8>) {
    let mut out = Vec::new();
    let (protocol, checksum_at) = match content {
        Content::Tcp(segment) => {
            let Segment { src, dst, seq, ack, flags, window, urgent, options, payload } = segment;
            let options = encode_options(options);
            let words = 5 + options.len() as u16 / 4;
            for half in [*src, *dst] {
                out.extend(half.to_be_bytes());
            }
            out.extend(seq.to_be_bytes());
            out.extend(ack.to_be_bytes());
            for half in [words << 12 | flags, *window, 0, *urgent] {
                out.extend(half.to_be_bytes());
            }
            out.extend(options);
            out.extend(payload);
            (TCP, 16)
        }
        Content::Udp { src, dst, payload } => {
            for half in [*src, *dst, (8 + payload.len()) as u16, 0] {
                out.extend(half.to_be_bytes());
            }
            out.extend(payload);
            (UDP, 6)
        }
        Content::Icmp { kind, code, rest, body } => {
            out.extend([*kind, *code, 0, 0]);
            out.extend(rest.to_be_bytes());
            out.extend(body);
            (if src.is_ipv4() { ICMP } else { ICMPV6 }, 2)
        }
    };
    let sum = checksum(src, dst, protocol, &out);
    // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
    let sum = if protocol == UDP && sum == 0 { 0xffff } else { sum };
    out[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_be_bytes());
    (protocol, out)
}

/// The checksum over the pseudo-header (none for ICMP over IPv4) and `body`.
fn checksum(src: IpAddr, dst: IpAddr, protocol: u8, body: &[u8]) -> u16 {
    let mut sum = Sum::new().bytes(body);
    match (src, dst) {
        _ if protocol == ICMP => {}
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            sum = sum.bytes(&src.octets()).bytes(&dst.octets()).word(protocol.into()).word(body.len() as u16);
        }
        _ => {
            sum = sum.bytes(&six(src).octets()).bytes(&six(dst).octets());
            sum = sum.word(protocol.into()).dword(body.len() as u32);
        }
    }
    sum.finish()
}

fn six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six,
    }
}

/// The octets of TCP options, filled up to a multiple of four with end-of-list.
pub fn encode_options(options: &[TcpOption]) -> Vec<u8> {
    let mut out = Vec::new();
    for option in options {
        match option {
            TcpOption::End => out.push(0),
            TcpOption::Nop => out.push(1),
            TcpOption::Mss(mss) => {
                out.extend([2, 4]);
                out.extend(mss.to_be_bytes());
            }
            TcpOption::WindowScale(shift) => out.extend([3, 3, *shift]),
            TcpOption::SackPermitted => out.extend([4, 2]),
            TcpOption::Sack(blocks) => {
                out.extend([5, (2 + 8 * blocks.len()) as u8]);
                for (left, right) in blocks {
                    out.extend(left.to_be_bytes());
                    out.extend(right.to_be_bytes());
                }
            }
            TcpOption::Timestamps { val, ecr } => {
                out.extend([8, 10]);
                out.extend(val.to_be_bytes());
                out.extend(ecr.to_be_bytes());
            }
            TcpOption::FastOpen(cookie) => {
                out.extend([34, (2 + cookie.len()) as u8]);
                out.extend(cookie);
            }
            TcpOption::Other(octets) => out.extend(octets),
        }
    }
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// Reads a packet, checking every length and checksum.
///
/// # Errors
/// What is wrong with it, in words.
pub fn decode(packet: &[u8]) -> Result<Datagram, String> {
    let first = packet.first().ok_or("an empty packet")?;
    let (src, dst, tos, ttl, protocol, body) = match first >> 4 {
        4 => {
            let header = packet.get(..20).ok_or("an IPv4 header cut short")?;
            let header_len = usize::from(first & 15) * 4;
            let total = usize::from(half(header, 2));
            if header_len < 20 || total < header_len || total != packet.len() {
                return Err(format!("IPv4 lengths {header_len} and {total} in a packet of {}", packet.len()));
            }
            if Sum::new().bytes(&packet[..header_len]).finish() != 0 {
                return Err("a wrong IPv4 header checksum".into());
            }
            if half(header, 6) & 0x3fff != 0 {
                return Err("a fragment".into());
            }
            let address = |at: usize| IpAddr::V4(Ipv4Addr::from(word(header, at)));
            (address(12), address(16), header[1], header[8], header[9], &packet[header_len..])
        }
        6 => {
            let header: &[u8] = packet.get(..40).ok_or("an IPv6 header cut short")?;
            let body = &packet[40..];
            if usize::from(half(header, 4)) != body.len() {
                return Err(format!("IPv6 payload length {} with {} octets there", half(header, 4), body.len()));
            }
            let address = |at: usize| {
                let octets: [u8; 16] = header[at..at + 16].try_into().expect("sixteen octets");
                IpAddr::V6(Ipv6Addr::from(octets))
            };
            let tos = (half(header, 0) >> 4) as u8;
            (address(8), address(24), tos, header[7], header[6], body)
        }
        version => return Err(format!("IP version {version}")),
    };
    let needs_sum = !(protocol == UDP && src.is_ipv4() && body.len() >= 8 && half(body, 6) == 0);
    if needs_sum && checksum(src, dst, protocol, body) != 0 {
        return Err(format!("a wrong checksum in protocol {protocol}"));
    }
    let content = match protocol {
        TCP => Content::Tcp(decode_tcp(body)?),
        UDP => {
            if body.len() < 8 || usize::from(half(body, 4)) != body.len() {
                return Err("a UDP length that does not fit".into());
            }
            Content::Udp { src: half(body, 0), dst: half(body, 2), payload: body[8..].to_vec() }
        }
        ICMP | ICMPV6 => {
            if body.len() < 8 {
                return Err("an ICMP message cut short".into());
            }
            Content::Icmp { kind: body[0], code: body[1], rest: word(body, 4), body: body[8..].to_vec() }
        }
        other => return Err(format!("protocol {other}")),
    };
    Ok(Datagram { src, dst, tos, ttl, content })
}

fn decode_tcp(body: &[u8]) -> Result<Segment, String> {
    if body.len() < 20 {
        return Err("a TCP header cut short".into());
    }
    let header_len = usize::from(body[12] >> 4) * 4;
    if header_len < 20 || header_len > body.len() {
        return Err(format!("a TCP data offset of {header_len} octets"));
    }
    if body[12] & 0x0e != 0 {
        return Err("reserved bits of the TCP header set".into());
    }
    Ok(Segment {
        src: half(body, 0),
        dst: half(body, 2),
        seq: word(body, 4),
        ack: word(body, 8),
        flags: half(body, 12) & 0x1ff,
        window: half(body, 14),
        urgent: half(body, 18),
        options: decode_options(&body[20..header_len])?,
        payload: body[header_len..].to_vec(),
    })
}

fn decode_options(mut rest: &[u8]) -> Result<Vec<TcpOption>, String> {
    let mut out = Vec::new();
    while let [kind, tail @ ..] = rest {
        match kind {
            // RFC 9293 §3.1: padding after the end of the list "MUST be zeros".
            0 if tail.iter().all(|b| *b == 0) => {
                // What only fills the last word is no option that a script would write.
                if tail.len() >= 3 || out.is_empty() {
                    out.push(TcpOption::End);
                }
                return Ok(out);
            }
            0 => return Err("octets after the end of the option list".into()),
            1 => {
                out.push(TcpOption::Nop);
                rest = tail;
            }
            _ => {
                let len = usize::from(*tail.first().ok_or("a TCP option without length")?);
                if len < 2 || len > rest.len() {
                    return Err(format!("TCP option {kind} with length {len}"));
                }
                let (option, next) = rest.split_at(len);
                out.push(decode_option(option));
                rest = next;
            }
        }
    }
    Ok(out)
}

fn decode_option(option: &[u8]) -> TcpOption {
    match (option[0], option.len()) {
        (2, 4) => TcpOption::Mss(half(option, 2)),
        (3, 3) => TcpOption::WindowScale(option[2]),
        (4, 2) => TcpOption::SackPermitted,
        (5, len) if len % 8 == 2 => {
            TcpOption::Sack(option[2..].chunks_exact(8).map(|b| (word(b, 0), word(b, 4))).collect())
        }
        (8, 10) => TcpOption::Timestamps { val: word(option, 2), ecr: word(option, 6) },
        (34, _) => TcpOption::FastOpen(option[2..].to_vec()),
        _ => TcpOption::Other(option.to_vec()),
    }
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) << 16 | u32::from(half(bytes, at + 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segment(options: Vec<TcpOption>) -> Content {
        Content::Tcp(Segment {
            src: 1,
            dst: 2,
            seq: 3,
            ack: 4,
            flags: flags::ACK | flags::AE,
            window: 5,
            urgent: 6,
            options,
            payload: b"odd".to_vec(),
        })
    }

    #[test]
    fn what_is_written_is_read_again() {
        let four = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 168, 0, 1]));
        let six = (IpAddr::V6("2001:db8::1".parse().unwrap()), IpAddr::V6("fd00::1".parse().unwrap()));
        let contents = [
            segment(vec![]),
            segment(vec![
                TcpOption::Mss(1460),
                TcpOption::SackPermitted,
                TcpOption::Timestamps { val: 1, ecr: 2 },
                TcpOption::Nop,
                TcpOption::WindowScale(8),
            ]),
            segment(vec![TcpOption::Nop, TcpOption::Nop, TcpOption::Sack(vec![(1, 2), (3, 4)])]),
            Content::Udp { src: 7, dst: 8, payload: vec![1; 9] },
            Content::Icmp { kind: 3, code: 4, rest: 1200, body: vec![2; 28] },
        ];
        for (src, dst) in [four, six] {
            for content in &contents {
                let datagram = Datagram { src, dst, tos: 2, ttl: 64, content: content.clone() };
                assert_eq!(decode(&encode(&datagram)), Ok(datagram));
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = decode(&bytes);
            let _ = decode_tcp(&bytes);
        }
    }
}
