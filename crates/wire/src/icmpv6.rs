//! ICMP for IPv6 (RFC 4443): messages, and when an error may be sent about a packet.

use std::net::Ipv6Addr;

use septet_core::{DropReason, Frame};

use crate::icmp::{HEADER_LEN, Message};
use crate::ipv4::protocol;
use crate::ipv6::{self, Header, pseudo_header};
use crate::packet::Packet;
use crate::trouble::{HeaderFault, Trouble};

/// Message types (IANA's `icmpv6-parameters`).
pub mod kind {
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 1;
    /// Packet too big.
    pub const TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Router solicitation (RFC 4861).
    pub const ROUTER_SOLICIT: u8 = 133;
    /// Router advertisement.
    pub const ROUTER_ADVERT: u8 = 134;
    /// Neighbour solicitation.
    pub const NEIGHBOR_SOLICIT: u8 = 135;
    /// Neighbour advertisement.
    pub const NEIGHBOR_ADVERT: u8 = 136;
    /// Redirect.
    pub const REDIRECT: u8 = 137;
}

/// How ICMPv6 says what is wrong: type, code, and the second word of the message.
pub const fn encode(trouble: Trouble) -> (u8, u8, u32) {
    let code = match trouble {
        Trouble::NoRoute
        | Trouble::SourceRoute
        | Trouble::NetworkUnknown
        | Trouble::NetworkService
        | Trouble::Isolated => 0,
        Trouble::Prohibited
        | Trouble::NetworkProhibited
        | Trouble::HostProhibited
        | Trouble::Precedence
        | Trouble::PrecedenceCutoff => 1,
        Trouble::BeyondScope => 2,
        Trouble::HostUnreachable | Trouble::HostUnknown | Trouble::HostService => 3,
        Trouble::PortUnreachable => 4,
        Trouble::SourcePolicy => 5,
        Trouble::RejectRoute => 6,
        Trouble::TooBig { mtu } => return (kind::TOO_BIG, 0, mtu),
        Trouble::HopLimit => return (kind::TIME_EXCEEDED, 0, 0),
        Trouble::Reassembly => return (kind::TIME_EXCEEDED, 1, 0),
        // RFC 4443 §3.4: "Unrecognized Next Header type encountered"; without more headers it is that of the IPv6 header.
        Trouble::ProtocolUnreachable => return (kind::PARAMETER_PROBLEM, 1, ipv6::NEXT_HEADER_AT),
        Trouble::Header { fault, at } => {
            let code = match fault {
                HeaderFault::Field | HeaderFault::Length => 0,
                HeaderFault::NextHeader => 1,
                HeaderFault::Option => 2,
                HeaderFault::FirstFragment => 3,
            };
            return (kind::PARAMETER_PROBLEM, code, at);
        }
        Trouble::Other { icmp_type, code } => return (icmp_type, code, 0),
    };
    (kind::UNREACHABLE, code, 0)
}

/// What an ICMPv6 error says; `rest` is the second word of the message.
pub const fn decode(icmp_type: u8, code: u8, rest: u32) -> Trouble {
    match (icmp_type, code) {
        (kind::UNREACHABLE, 0) => Trouble::NoRoute,
        (kind::UNREACHABLE, 1) => Trouble::Prohibited,
        (kind::UNREACHABLE, 2) => Trouble::BeyondScope,
        (kind::UNREACHABLE, 3) => Trouble::HostUnreachable,
        (kind::UNREACHABLE, 4) => Trouble::PortUnreachable,
        (kind::UNREACHABLE, 5) => Trouble::SourcePolicy,
        (kind::UNREACHABLE, 6) => Trouble::RejectRoute,
        // RFC 4443 §3.2: "Code: Set to 0 (zero) by the originator and ignored by the receiver."
        (kind::TOO_BIG, _) => Trouble::TooBig { mtu: rest },
        (kind::TIME_EXCEEDED, 0) => Trouble::HopLimit,
        (kind::TIME_EXCEEDED, 1) => Trouble::Reassembly,
        (kind::PARAMETER_PROBLEM, 0) => Trouble::Header { fault: HeaderFault::Field, at: rest },
        (kind::PARAMETER_PROBLEM, 1) => Trouble::Header { fault: HeaderFault::NextHeader, at: rest },
        (kind::PARAMETER_PROBLEM, 2) => Trouble::Header { fault: HeaderFault::Option, at: rest },
        (kind::PARAMETER_PROBLEM, 3) => Trouble::Header { fault: HeaderFault::FirstFragment, at: rest },
        (icmp_type, code) => Trouble::Other { icmp_type, code },
    }
}

/// Whether messages of this type report errors. RFC 4443 §2.1: "error messages have message types from 0 to 127".
pub const fn is_error(icmp_type: u8) -> bool {
    icmp_type < 128
}

/// Type and code of a message in words.
pub const fn describe(icmp_type: u8, code: u8) -> &'static str {
    match (icmp_type, code) {
        (kind::UNREACHABLE, 0) => "no route to destination",
        (kind::UNREACHABLE, 1 | 5 | 6) => "packet filtered",
        (kind::UNREACHABLE, 2) => "beyond the scope of its source",
        (kind::UNREACHABLE, 3) => "address unreachable",
        (kind::UNREACHABLE, 4) => "destination port unreachable",
        (kind::UNREACHABLE, _) => "destination unreachable",
        (kind::TOO_BIG, _) => "packet too big",
        (kind::TIME_EXCEEDED, 0) => "hop limit exceeded",
        (kind::TIME_EXCEEDED, _) => "fragment reassembly time exceeded",
        (kind::PARAMETER_PROBLEM, _) => "parameter problem",
        (kind::ECHO, _) => "echo request",
        (kind::ECHO_REPLY, _) => "echo reply",
        (kind::ROUTER_SOLICIT, _) => "router solicitation",
        (kind::ROUTER_ADVERT, _) => "router advertisement",
        (kind::NEIGHBOR_SOLICIT, _) => "neighbour solicitation",
        (kind::NEIGHBOR_ADVERT, _) => "neighbour advertisement",
        (kind::REDIRECT, _) => "redirect",
        _ => "unknown ICMPv6 message",
    }
}

/// Reads the fixed part of the message in `frame`, which came from `src` to `dst`.
///
/// # Errors
/// [`DropReason::Malformed`] where it is too short, [`DropReason::L4Checksum`] where RFC 4443 §2.3's checksum does not match.
pub fn parse(frame: &Frame, src: Ipv6Addr, dst: Ipv6Addr) -> Result<Message, DropReason> {
    let message = Message::parse(frame.bytes())?;
    if pseudo_header(src, dst, protocol::ICMPV6, frame.len()).bytes(frame.bytes()).finish() != 0 {
        return Err(DropReason::L4Checksum);
    }
    Ok(message)
}

/// Writes the fixed part of `message` with its checksum in front of the data that `frame` holds.
pub fn push(message: &Message, frame: &mut Frame, src: Ipv6Addr, dst: Ipv6Addr) {
    let [r0, r1, r2, r3] = message.rest.to_be_bytes();
    frame.push(HEADER_LEN).copy_from_slice(&[message.icmp_type, message.code, 0, 0, r0, r1, r2, r3]);
    let sum = pseudo_header(src, dst, protocol::ICMPV6, frame.len()).bytes(frame.bytes()).finish();
    frame.header_mut(HEADER_LEN)[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// What an error quotes of `packet`. RFC 4443 §3.1: "As much of invoking packet as possible without the ICMPv6 packet
/// exceeding the minimum IPv6 MTU".
pub fn quote(packet: &[u8]) -> &[u8] {
    &packet[..packet.len().min(ipv6::MIN_MTU as usize - ipv6::HEADER_LEN - HEADER_LEN)]
}

/// Whether RFC 4443 §2.4 (e) allows an error about `packet`, whose header is `header`: none "as a result of receiving …
/// an ICMPv6 error message, … an ICMPv6 redirect message, … a packet whose source address does not uniquely identify a
/// single node". What was sent to many is the caller's to judge, who knows the link and the exceptions.
pub fn may_report(header: &Header, packet: &[u8]) -> bool {
    if header.src.is_multicast() || header.src.is_unspecified() {
        return false;
    }
    let Some(seen) = Packet::read(packet) else { return false };
    if seen.protocol != Some(protocol::ICMPV6) {
        return true;
    }
    // Of a fragment behind the first nobody knows what it is of; Linux takes it for no error.
    let Some(at) = seen.upper_at else { return true };
    packet.get(at).is_some_and(|&t| !is_error(t) && t != kind::REDIRECT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

    #[test]
    fn the_checksum_covers_the_addresses() {
        let message = Message { icmp_type: kind::ECHO, code: 0, rest: 7 };
        let mut frame = Frame::new(Frame::HEADROOM, b"odd");
        push(&message, &mut frame, A, B);
        assert_eq!(parse(&frame, A, B), Ok(message));
        assert_eq!(parse(&frame, A, Ipv6Addr::LOCALHOST), Err(DropReason::L4Checksum));
    }

    #[test]
    fn never_about_errors_or_from_groups() {
        let header = |next_header, src, dst| Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: 8,
            next_header,
            hop_limit: 1,
            src,
            dst,
        };
        let may = |header: Header, message: &[u8]| {
            let mut frame = Frame::new(Frame::HEADROOM, message);
            header.push(&mut frame);
            may_report(&header, frame.bytes())
        };
        assert!(may(header(17, A, B), &[0; 8]));
        assert!(!may(header(17, Ipv6Addr::UNSPECIFIED, B), &[0; 8]));
        assert!(!may(header(17, "ff02::1".parse().unwrap(), B), &[0; 8]));
        assert!(!may(header(58, A, B), &[0; 8]), "type zero is an error's");
        assert!(may(header(58, A, B), &[kind::ECHO, 0, 0, 0, 0, 0, 0, 0]));
        assert!(!may(header(58, A, B), &[kind::REDIRECT, 0, 0, 0, 0, 0, 0, 0]));
        assert!(!may(header(58, A, B), &[]));
        let options = [58, 0, 1, 4, 0, 0, 0, 0, kind::TIME_EXCEEDED, 0, 0, 0, 0, 0, 0, 0];
        assert!(!may(header(60, A, B), &options), "an error behind other headers");
    }
}
