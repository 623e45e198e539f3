//! What a filter reads of a frame: as much of its headers as is there, and nothing that the bytes do not say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ipv4::{self, protocol};

/// Numbers of protocols over Ethernet (IANA's `ieee-802-numbers`).
pub mod ether_type {
    /// Internet Protocol version 4.
    pub const IPV4: u16 = 0x0800;
    /// Address Resolution Protocol.
    pub const ARP: u16 = 0x0806;
    /// Internet Protocol version 6.
    pub const IPV6: u16 = 0x86dd;
    /// Tags of IEEE 802.1Q and 802.1ad.
    pub const TAGS: [u16; 2] = [0x8100, 0x88a8];
}

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
}

impl Headers {
    /// Reads the headers of a frame.
    pub fn read(frame: &[u8], framing: Framing) -> Self {
        match framing {
            Framing::Ethernet => Self::ethernet(frame),
            Framing::Serial => Self::serial(frame),
        }
    }

    fn ethernet(frame: &[u8]) -> Self {
        let mut at = 12;
        let ether_type = loop {
            let Some(&[high, low]) = frame.get(at..at + 2) else { return Self::default() };
            at += 2;
            let kind = u16::from_be_bytes([high, low]);
            if !ether_type::TAGS.contains(&kind) {
                break kind;
            }
            at += 2;
        };
        let payload = frame.get(at..).unwrap_or_default();
        // IEEE 802.3 §3.2.6: a value of less than 1536 is a length.
        if ether_type < 1536 {
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
        // §6.5 and §6.6): whichever says IPv4 first. IP's own first octet is 0x45 at least, and none of those.
        let starts = [0, 1, 2, 3].into_iter();
        let ip = starts.filter_map(|at| match octets.get(at..)? {
            [0x00, 0x21, packet @ ..] => Some(packet),
            [0x21, packet @ ..] if matches!(packet.first(), Some(first) if first >> 4 == 4) => Some(packet),
            _ => None,
        });
        match { ip }.next() {
            Some(packet) => Self { packet_at: None, ..Self::packet(ether_type::IPV4, packet) },
            None => Self { len: octets.len(), ..Self::default() },
        }
    }

    fn packet(kind: u16, packet: &[u8]) -> Self {
        let headers = Self { ether_type: Some(kind), len: packet.len(), ..Self::default() };
        match kind {
            ether_type::IPV4 => headers.ipv4(packet),
            ether_type::IPV6 => headers.ipv6(packet),
            ether_type::ARP => headers.arp(packet),
            _ => headers,
        }
    }

    fn ipv4(self, packet: &[u8]) -> Self {
        let Ok(header) = ipv4::Header::parse(packet) else { return self };
        let upper_at = (header.fragment_offset == 0).then_some(usize::from(header.header_len));
        let headers = Self {
            len: usize::from(header.total_len),
            src: Some(header.src.into()),
            dst: Some(header.dst.into()),
            protocol: Some(header.protocol),
            ..self
        };
        headers.upper(packet, upper_at)
    }

    /// The fixed header, hop-by-hop and destination options, routing and fragment headers (RFC 8200 §4).
    fn ipv6(self, packet: &[u8]) -> Self {
        let Some(fixed) = packet.first_chunk::<40>() else { return self };
        let address = |at: usize| {
            let octets: [u8; 16] = core::array::from_fn(|i| fixed[at + i]);
            Some(IpAddr::from(Ipv6Addr::from(octets)))
        };
        let len = 40 + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        let mut headers = Self { len, src: address(8), dst: address(24), ..self };
        let (mut next, mut at) = (fixed[6], 40);
        loop {
            let Some(&[following, length, high, low]) = packet.get(at..at + 4) else { return headers };
            match next {
                0 | 43 | 60 => at += (usize::from(length) + 1) * 8,
                44 if u16::from_be_bytes([high, low]) & 0xfff8 != 0 => {
                    headers.protocol = Some(following);
                    return headers;
                }
                44 => at += 8,
                _ => {
                    headers.protocol = Some(next);
                    return headers.upper(packet, Some(at));
                }
            }
            next = following;
        }
    }

    fn upper(mut self, packet: &[u8], at: Option<usize>) -> Self {
        self.upper_at = at;
        let Some(upper) = at.and_then(|at| packet.get(at..)) else { return self };
        match self.protocol {
            Some(protocol::TCP | protocol::UDP) => {
                if let Some(&[a, b, c, d]) = upper.first_chunk::<4>() {
                    self.ports = Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])));
                }
                if self.protocol == Some(protocol::TCP) {
                    self.flags = upper.get(13).copied();
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
        let Some(packet) = packet.first_chunk::<28>() else { return self };
        let address =
            |at: usize| Some(IpAddr::from(Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3])));
        Self { len: 28, src: address(14), dst: address(24), ..self }
    }
}
