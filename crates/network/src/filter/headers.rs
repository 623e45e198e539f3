//! What a filter reads of a frame: as much of its headers as is there, and nothing that the bytes do not say.

use std::net::IpAddr;

use septet_wire::ethernet::{self, EtherType};
use septet_wire::packet::{Packet, ports};
use septet_wire::{arp, protocol, tcp};

/// How frames are framed on a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Framing {
    /// Ethernet II, with tags where there are any.
    #[default]
    Ethernet,
    /// PPP in HDLC-like framing (RFC 1662), stuffing and all.
    Serial,
}

/// The headers of a frame.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Headers {
    /// The protocol that the link carries.
    pub ether_type: Option<u16>,
    /// The length of what the link carries in octets: for IP what its header says, so that padding does not count.
    pub len: usize,
    /// Where IP begins in the frame; nothing where the frame is stuffed.
    pub packet_at: Option<usize>,
    /// Whose packet it is; in ARP the sender's protocol address.
    pub src: Option<IpAddr>,
    /// Whom it is for; in ARP the target's protocol address.
    pub dst: Option<IpAddr>,
    /// The protocol over IP.
    pub protocol: Option<u8>,
    /// Where that protocol's header begins, counted from the beginning of the packet. Fragments behind the first have none.
    pub upper_at: Option<usize>,
    /// TCP's and UDP's ports, from and to.
    pub ports: Option<(u16, u16)>,
    /// TCP's control bits.
    pub flags: Option<u8>,
    /// The type and code of an ICMP message, of either version.
    pub icmp: Option<(u8, u8)>,
    /// The time to live, or hop limit.
    pub ttl: Option<u8>,
    /// The six bits of differentiated services (RFC 2474).
    pub dscp: Option<u8>,
}

impl Headers {
    /// Reads the headers of a frame.
    pub fn read(frame: &[u8], framing: Framing) -> Self {
        match framing {
            Framing::Ethernet => Self::ethernet(frame),
            Framing::Serial => Self::serial(frame),
        }
    }

    /// Reads the headers of a packet of IP, of either version.
    pub fn of_packet(packet: &[u8]) -> Self {
        let kind = match packet.first().map(|first| first >> 4) {
            Some(4) => EtherType::IPV4,
            Some(6) => EtherType::IPV6,
            _ => return Self::default(),
        };
        Self { packet_at: Some(0), ..Self::packet(kind, packet) }
    }

    fn ethernet(frame: &[u8]) -> Self {
        let Some((ether_type, at)) = ethernet::payload(frame) else { return Self::default() };
        let payload = frame.get(at..).unwrap_or_default();
        if ether_type.is_length() {
            return Self { len: payload.len(), ..Self::default() };
        }
        Self { packet_at: Some(at), ..Self::packet(ether_type, payload) }
    }

    /// RFC 1662 §4.2: an octet behind 0x7d stands for itself with bit 6 turned over. RFC 1663's numbered mode has other
    /// addresses and control fields in the same places.
    fn serial(line: &[u8]) -> Self {
        const FLAG: u8 = 0x7e;
        const ESCAPE: u8 = 0x7d;
        let mut octets = Vec::with_capacity(line.len());
        let mut escaped = false;
        for &octet in line.iter().filter(|octet| **octet != FLAG) {
            match octet {
                ESCAPE if !escaped => escaped = true,
                octet => {
                    octets.push(if core::mem::take(&mut escaped) { octet ^ 0x20 } else { octet });
                }
            }
        }
        // With and without the address and control fields, and with the protocol's first octet or without it (RFC 1661
        // §6.5 and §6.6): whichever says IP first. IP's own first octet is 0x45 at least, and of IPv6 0x60, and none of those.
        let starts = [0, 1, 2, 3].into_iter();
        let ip = starts.filter_map(|at| match octets.get(at..)? {
            [0x00, 0x21, packet @ ..] => Some((EtherType::IPV4, packet)),
            [0x21, packet @ ..] if matches!(packet.first(), Some(first) if first >> 4 == 4) => {
                Some((EtherType::IPV4, packet))
            }
            [0x00, 0x57, packet @ ..] => Some((EtherType::IPV6, packet)),
            [0x57, packet @ ..] if matches!(packet.first(), Some(first) if first >> 4 == 6) => {
                Some((EtherType::IPV6, packet))
            }
            _ => None,
        });
        match { ip }.next() {
            Some((kind, packet)) => Self { packet_at: None, ..Self::packet(kind, packet) },
            None => Self { len: octets.len(), ..Self::default() },
        }
    }

    fn packet(kind: EtherType, packet: &[u8]) -> Self {
        let headers = Self { ether_type: Some(kind.0), len: packet.len(), ..Self::default() };
        match kind {
            EtherType::IPV4 | EtherType::IPV6 => headers.ip(kind, packet),
            EtherType::ARP => headers.arp(packet),
            _ => headers,
        }
    }

    fn ip(self, kind: EtherType, packet: &[u8]) -> Self {
        let Some(ip) = Packet::read(packet) else { return self };
        let is_v4 = kind == EtherType::IPV4;
        if ip.src.is_ipv4() != is_v4 || is_v4 && ip.len > packet.len() {
            return self;
        }
        let (ttl, dscp) = match *packet {
            [_, tos, _, _, _, _, _, _, ttl, ..] if is_v4 => (ttl, tos >> 2),
            [high, low, _, _, _, _, _, ttl, ..] => (ttl, (high << 4 | low >> 4) >> 2),
            _ => return self,
        };
        let addresses = Self { src: Some(ip.src), dst: Some(ip.dst), protocol: ip.protocol, ..self };
        let headers = Self { len: ip.len, ttl: Some(ttl), dscp: Some(dscp), ..addresses };
        headers.upper(packet, ip.upper_at)
    }

    fn upper(mut self, packet: &[u8], at: Option<usize>) -> Self {
        self.upper_at = at;
        let Some(upper) = at.and_then(|at| packet.get(at..)) else { return self };
        match self.protocol {
            Some(protocol::TCP | protocol::UDP) => {
                self.ports = ports(upper);
                if self.protocol == Some(protocol::TCP) {
                    self.flags = tcp::Fixed::of(upper).map(|tcp| tcp.flags().bits());
                }
            }
            Some(protocol::ICMP | protocol::ICMPV6) => {
                self.icmp = upper.first_chunk::<2>().map(|[kind, code]| (*kind, *code));
            }
            _ => {}
        }
        self
    }

    /// RFC 826, for IPv4 over Ethernet.
    fn arp(self, packet: &[u8]) -> Self {
        let Ok(read) = arp::Packet::parse(packet) else { return self };
        Self { len: arp::LEN, src: Some(read.sender_ip.into()), dst: Some(read.target_ip.into()), ..self }
    }
}
