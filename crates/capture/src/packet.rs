//! What flows and captures must know of a packet: who sends it to whom, and which part of a TCP stream it carries.

use std::net::IpAddr;

use septet_wire::ethernet::{self, EtherType};
use septet_wire::{packet, protocol, tcp};

use crate::LinkType;

/// What a flow is recognised by.
#[derive(Debug, PartialEq)]
pub(crate) struct Packet {
    pub(crate) protocol: u8,
    pub(crate) from: (IpAddr, u16),
    pub(crate) to: (IpAddr, u16),
    pub(crate) len: u32,
    pub(crate) tcp: Option<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) seq: u32,
    pub(crate) data: u32,
    pub(crate) syn: bool,
    pub(crate) ack: bool,
    /// Where its header begins in the frame.
    pub(crate) header_at: usize,
    /// Where its data begin in the frame.
    pub(crate) data_at: usize,
}

impl Packet {
    pub(crate) fn parse(link_type: LinkType, bytes: &[u8]) -> Option<Self> {
        let ip = match link_type {
            LinkType::ETHERNET => match ethernet::payload(bytes)? {
                (EtherType::IPV4 | EtherType::IPV6, at) => &bytes[at..],
                _ => return None,
            },
            LinkType::PPP | LinkType::PPP_HDLC => match bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes) {
                [0x00, 0x21, ip @ ..] | [0x00, 0x57, ip @ ..] => ip,
                _ => return None,
            },
            LinkType::RAW => bytes,
            LinkType::SERIAL => return Self::parse_ip(&crate::serial::ip(bytes)?, 0),
            _ => return None,
        };
        Self::parse_ip(ip, bytes.len() - ip.len())
    }

    fn parse_ip(ip: &[u8], at: usize) -> Option<Self> {
        let packet = packet::Packet::read(ip)?;
        let (protocol, upper) = (packet.protocol?, packet.upper(ip));
        let ports =
            packet::ports(upper).filter(|_| matches!(protocol, protocol::TCP | protocol::UDP)).unwrap_or_default();
        let fixed = tcp::Fixed::of(upper).filter(|_| protocol == protocol::TCP);
        let tcp = fixed.zip(packet.upper_at).map(|(tcp, upper_at)| Segment {
            seq: tcp.seq(),
            data: (upper.len() as u32).saturating_sub(tcp.header_len() as u32),
            syn: tcp.flags().has(tcp::Flags::SYN),
            ack: tcp.flags().has(tcp::Flags::ACK),
            header_at: at + upper_at,
            data_at: at + upper_at + tcp.header_len(),
        });
        let len = packet.len as u32;
        Some(Self { protocol, from: (packet.src, ports.0), to: (packet.dst, ports.1), len, tcp })
    }
}
