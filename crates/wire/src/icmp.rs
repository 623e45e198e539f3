//! ICMP for IPv4 (RFC 792): messages, and when an error may be sent about a packet (RFC 1122 §3.2.2, RFC 1812 §4.3).

use std::net::Ipv4Addr;

use septet_core::{DropReason, Frame, checksum};

use crate::ipv4;
use crate::trouble::{HeaderFault, Trouble};

/// Octets of the fixed part of a message.
pub const HEADER_LEN: usize = 8;

/// RFC 1812 §4.3.2.3: "the ICMP datagram … SHOULD contain as much of the original datagram as possible without the
/// length of the ICMP datagram exceeding 576 bytes".
const ERROR_MAX: usize = 576;

/// What an error quotes of `packet`: all that 576 bytes hold of it.
pub fn quote(packet: &[u8]) -> &[u8] {
    &packet[..packet.len().min(ERROR_MAX - ipv4::HEADER_LEN - HEADER_LEN)]
}

/// Message types (IANA's `icmp-parameters`).
pub mod kind {
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Source quench, deprecated by RFC 6633.
    pub const SOURCE_QUENCH: u8 = 4;
    /// Redirect.
    pub const REDIRECT: u8 = 5;
    /// Echo request.
    pub const ECHO: u8 = 8;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// How ICMP says what is wrong: type, code, and the second word of the message.
pub const fn encode(trouble: Trouble) -> (u8, u8, u32) {
    let code = match trouble {
        Trouble::NoRoute => 0,
        Trouble::HostUnreachable | Trouble::BeyondScope => 1,
        Trouble::ProtocolUnreachable => 2,
        Trouble::PortUnreachable => 3,
        // RFC 1191 §4: the MTU stands in 16 bits.
        Trouble::TooBig { mtu } => return (kind::UNREACHABLE, 4, if mtu > 0xffff { 0xffff } else { mtu }),
        Trouble::SourceRoute => 5,
        Trouble::NetworkUnknown => 6,
        Trouble::HostUnknown => 7,
        Trouble::Isolated => 8,
        Trouble::NetworkProhibited => 9,
        Trouble::HostProhibited => 10,
        Trouble::NetworkService => 11,
        Trouble::HostService => 12,
        Trouble::Prohibited | Trouble::SourcePolicy | Trouble::RejectRoute => 13,
        Trouble::Precedence => 14,
        Trouble::PrecedenceCutoff => 15,
        Trouble::HopLimit => return (kind::TIME_EXCEEDED, 0, 0),
        Trouble::Reassembly => return (kind::TIME_EXCEEDED, 1, 0),
        Trouble::Header { fault, at } => {
            let code = match fault {
                HeaderFault::Option => 1,
                HeaderFault::Length => 2,
                HeaderFault::Field | HeaderFault::NextHeader | HeaderFault::FirstFragment => 0,
            };
            // RFC 792: the pointer is the first octet of the word; with code 1 there is none (RFC 1108).
            return (kind::PARAMETER_PROBLEM, code, if at > 0xff { 0xff << 24 } else { at << 24 });
        }
        Trouble::Other { icmp_type, code } => return (icmp_type, code, 0),
    };
    (kind::UNREACHABLE, code, 0)
}

/// What an ICMP error says; `rest` is the second word of the message.
pub const fn decode(icmp_type: u8, code: u8, rest: u32) -> Trouble {
    match (icmp_type, code) {
        (kind::UNREACHABLE, 0) => Trouble::NoRoute,
        (kind::UNREACHABLE, 1) => Trouble::HostUnreachable,
        (kind::UNREACHABLE, 2) => Trouble::ProtocolUnreachable,
        (kind::UNREACHABLE, 3) => Trouble::PortUnreachable,
        (kind::UNREACHABLE, 4) => Trouble::TooBig { mtu: rest & 0xffff },
        (kind::UNREACHABLE, 5) => Trouble::SourceRoute,
        (kind::UNREACHABLE, 6) => Trouble::NetworkUnknown,
        (kind::UNREACHABLE, 7) => Trouble::HostUnknown,
        (kind::UNREACHABLE, 8) => Trouble::Isolated,
        (kind::UNREACHABLE, 9) => Trouble::NetworkProhibited,
        (kind::UNREACHABLE, 10) => Trouble::HostProhibited,
        (kind::UNREACHABLE, 11) => Trouble::NetworkService,
        (kind::UNREACHABLE, 12) => Trouble::HostService,
        (kind::UNREACHABLE, 13) => Trouble::Prohibited,
        (kind::UNREACHABLE, 14) => Trouble::Precedence,
        (kind::UNREACHABLE, 15) => Trouble::PrecedenceCutoff,
        (kind::TIME_EXCEEDED, 0) => Trouble::HopLimit,
        (kind::TIME_EXCEEDED, 1) => Trouble::Reassembly,
        (kind::PARAMETER_PROBLEM, 0) => Trouble::Header { fault: HeaderFault::Field, at: rest >> 24 },
        (kind::PARAMETER_PROBLEM, 1) => Trouble::Header { fault: HeaderFault::Option, at: 0 },
        (kind::PARAMETER_PROBLEM, 2) => Trouble::Header { fault: HeaderFault::Length, at: rest >> 24 },
        (icmp_type, code) => Trouble::Other { icmp_type, code },
    }
}

/// Type and code of an ICMP message in words, as `ping` prints errors.
pub const fn describe(icmp_type: u8, code: u8) -> &'static str {
    match (icmp_type, code) {
        (kind::ECHO_REPLY, _) => "echo reply",
        (kind::ECHO, _) => "echo request",
        (kind::UNREACHABLE, 0) => "destination net unreachable",
        (kind::UNREACHABLE, 1) => "destination host unreachable",
        (kind::UNREACHABLE, 2) => "destination protocol unreachable",
        (kind::UNREACHABLE, 3) => "destination port unreachable",
        (kind::UNREACHABLE, 4) => "fragmentation needed and DF set",
        (kind::UNREACHABLE, 5) => "source route failed",
        (kind::UNREACHABLE, 9 | 10 | 13) => "packet filtered",
        (kind::UNREACHABLE, _) => "destination unreachable",
        (kind::SOURCE_QUENCH, _) => "source quench",
        (kind::REDIRECT, _) => "redirect",
        (kind::TIME_EXCEEDED, 0) => "time to live exceeded",
        (kind::TIME_EXCEEDED, _) => "fragment reassembly time exceeded",
        (kind::PARAMETER_PROBLEM, _) => "parameter problem",
        _ => "unknown ICMP message",
    }
}

/// A message as read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// The type; see [`kind`].
    pub icmp_type: u8,
    /// The code.
    pub code: u8,
    /// Octets 4 to 7: identifier and sequence number of an echo, MTU in the low half of "fragmentation needed".
    pub rest: u32,
}

impl Message {
    /// Reads the fixed part of a message. The checksum is not looked at.
    ///
    /// # Errors
    /// [`DropReason::Malformed`] where it is too short.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let Some(h) = bytes.first_chunk::<HEADER_LEN>() else { return Err(DropReason::Malformed) };
        Ok(Self { icmp_type: h[0], code: h[1], rest: u32::from_be_bytes([h[4], h[5], h[6], h[7]]) })
    }

    /// Whether it reports an error: RFC 1122 §3.2.2's class of messages that never beget another.
    pub const fn is_error(&self) -> bool {
        is_error(self.icmp_type)
    }

    /// The identifier of an echo.
    pub const fn ident(&self) -> u16 {
        (self.rest >> 16) as u16
    }

    /// The sequence number of an echo.
    pub const fn seq(&self) -> u16 {
        self.rest as u16
    }

    /// Writes the fixed part with its checksum in front of the data that `frame` holds.
    #[inline]
    pub fn push(&self, frame: &mut Frame) {
        let [r0, r1, r2, r3] = self.rest.to_be_bytes();
        let mut h = [self.icmp_type, self.code, 0, 0, r0, r1, r2, r3];
        let sum = checksum::Sum::new().bytes(&h).bytes(frame.bytes()).finish();
        h[2..4].copy_from_slice(&sum.to_be_bytes());
        frame.push(HEADER_LEN).copy_from_slice(&h);
    }
}

/// Whether messages of this type report errors. Unknown types count: RFC 1122 §3.2.2 has them discarded silently.
pub const fn is_error(icmp_type: u8) -> bool {
    !matches!(icmp_type, kind::ECHO_REPLY | kind::ECHO | 9 | 10 | 13..=18)
}

/// Turns the echo request that `message` holds into its reply, in place.
///
/// # Panics
/// If `message` is shorter than a message's fixed part.
pub fn make_reply(message: &mut [u8]) {
    let old = u16::from_be_bytes([message[0], message[1]]);
    message[0] = kind::ECHO_REPLY;
    let new = u16::from_be_bytes([message[0], message[1]]);
    let sum = checksum::update(u16::from_be_bytes([message[2], message[3]]), old, new);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// Whether the storeys' rules allow an error about `packet`, a datagram with header `header`.
///
/// RFC 1122 §3.2.2: "An ICMP error message MUST NOT be sent as the result of receiving: an ICMP error message, or a
/// datagram destined to an IP broadcast or IP multicast address, or a datagram sent as a link-layer broadcast, or a
/// non-initial fragment, or a datagram whose source address does not define a single host". Broadcasts, of either
/// layer, are the caller's to know.
pub fn may_report(header: &ipv4::Header, packet: &[u8]) -> bool {
    if header.fragment_offset != 0 || !is_single_host(header.src) || header.dst.is_multicast() {
        return false;
    }
    if header.protocol == ipv4::protocol::ICMP {
        return packet.get(usize::from(header.header_len)).is_some_and(|&t| !is_error(t));
    }
    true
}

/// RFC 1122 §3.2.2: "e.g., a zero address, a loopback address, a broadcast address, a multicast address, or a Class E
/// address" do not define a single host.
fn is_single_host(addr: Ipv4Addr) -> bool {
    !(addr.is_unspecified() || addr.is_multicast() || addr.octets()[0] >= 240)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_keeps_the_checksum_right() {
        let mut frame = Frame::new(64, b"payload");
        Message { icmp_type: kind::ECHO, code: 0, rest: 0x1234_0007 }.push(&mut frame);
        assert_eq!(checksum::of(frame.bytes()), 0);
        make_reply(frame.bytes_mut());
        assert_eq!(checksum::of(frame.bytes()), 0);
        let m = Message::parse(frame.bytes()).unwrap();
        assert_eq!((m.icmp_type, m.ident(), m.seq()), (kind::ECHO_REPLY, 0x1234, 7));
    }

    #[test]
    fn never_about_errors_fragments_or_groups() {
        let header = |protocol, offset, src: [u8; 4], dst: [u8; 4]| ipv4::Header {
            tos: 0,
            total_len: 28,
            ident: 1,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: offset,
            ttl: 1,
            protocol,
            src: src.into(),
            dst: dst.into(),
            header_len: 20,
        };
        let mut packet = [0u8; 28];
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        assert!(may_report(&header(17, 0, a, b), &packet));
        assert!(!may_report(&header(17, 8, a, b), &packet));
        assert!(!may_report(&header(17, 0, a, [224, 0, 0, 1]), &packet));
        for src in [[0, 0, 0, 0], [224, 0, 0, 1], [255, 255, 255, 255], [240, 0, 0, 1]] {
            assert!(!may_report(&header(17, 0, src, b), &packet));
        }
        packet[20] = kind::ECHO;
        assert!(may_report(&header(1, 0, a, b), &packet));
        packet[20] = kind::TIME_EXCEEDED;
        assert!(!may_report(&header(1, 0, a, b), &packet));
        assert!(!may_report(&header(1, 0, a, b), &packet[..20]));
    }
}
