//! What flows and captures must know of a packet: who sends it to whom, and which part of a TCP stream it carries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
            LinkType::ETHERNET => {
                let mut rest = bytes.get(12..)?;
                // 802.1Q and 802.1ad tags.
                while let [0x81, 0x00, ..] | [0x88, 0xa8, ..] = rest {
                    rest = rest.get(4..)?;
                }
                match rest {
                    [0x08, 0x00, ip @ ..] | [0x86, 0xdd, ip @ ..] => ip,
                    _ => return None,
                }
            }
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
        let word = |at: usize| Some(u16::from_be_bytes([*ip.get(at)?, *ip.get(at + 1)?]));
        let (protocol, from, to, len, header, first_fragment): (u8, IpAddr, IpAddr, _, _, _) = match ip.first()? >> 4 {
            4 => {
                let addresses: &[u8; 8] = ip.get(12..20)?.try_into().ok()?;
                let [a, b, c, d, e, f, g, h] = *addresses;
                let header = usize::from(ip.first()? & 15) * 4;
                let first = word(6)? & 0x1fff == 0;
                (
                    *ip.get(9)?,
                    Ipv4Addr::new(a, b, c, d).into(),
                    Ipv4Addr::new(e, f, g, h).into(),
                    word(2)?,
                    header,
                    first,
                )
            }
            6 => {
                let from: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
                let to: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
                let len = word(4)?.saturating_add(40);
                (*ip.get(6)?, Ipv6Addr::from(from).into(), Ipv6Addr::from(to).into(), len, 40, true)
            }
            _ => return None,
        };
        let whole = ip.get(..usize::from(len)).unwrap_or(ip);
        let inner = whole.get(header..).filter(|_| first_fragment).unwrap_or(&[]);
        let ports = match (protocol, inner) {
            (6 | 17, [a, b, c, d, ..]) => (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])),
            _ => (0, 0),
        };
        let tcp = match (protocol, inner) {
            (6, [_, _, _, _, a, b, c, d, _, _, _, _, offset, flags, ..]) => Some(Segment {
                seq: u32::from_be_bytes([*a, *b, *c, *d]),
                data: (inner.len() as u32).saturating_sub(u32::from(offset >> 4) * 4),
                syn: flags & 0x02 != 0,
                ack: flags & 0x10 != 0,
                header_at: at + header,
                data_at: at + header + usize::from(offset >> 4) * 4,
            }),
            _ => None,
        };
        Some(Self { protocol, from: (from, ports.0), to: (to, ports.1), len: u32::from(len), tcp })
    }
}
