//! A packet of IP, of either version, for whoever looks on: as far as its bytes go, and no further.

use std::net::{IpAddr, Ipv4Addr};

use crate::{ipv4, ipv6};

/// What a packet says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// Its length in octets by its header, which may be more than there is.
    pub len: usize,
    /// The protocol over IP, extension headers passed by; `None` where it is cut off.
    pub protocol: Option<u8>,
    /// Where that protocol's header begins. Fragments behind the first have none.
    pub upper_at: Option<usize>,
    /// Whether it is a piece of a packet and not a whole one.
    pub is_fragment: bool,
}

impl Packet {
    /// Reads the packet at the start of `bytes`; `None` where they begin with no header of IP.
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::v4(bytes),
            6 => Self::v6(bytes),
            _ => None,
        }
    }

    #[inline]
    fn v4(bytes: &[u8]) -> Option<Self> {
        let h = bytes.first_chunk::<{ ipv4::HEADER_LEN }>()?;
        let (header_len, len) = (usize::from(h[0] & 0x0f) * 4, usize::from(u16::from_be_bytes([h[2], h[3]])));
        if header_len < ipv4::HEADER_LEN || len < header_len {
            return None;
        }
        let fragment = u16::from_be_bytes([h[6], h[7]]);
        Some(Self {
            src: Ipv4Addr::new(h[12], h[13], h[14], h[15]).into(),
            dst: Ipv4Addr::new(h[16], h[17], h[18], h[19]).into(),
            len,
            protocol: Some(h[9]),
            upper_at: (fragment & 0x1fff == 0).then_some(header_len),
            is_fragment: fragment & 0x3fff != 0,
        })
    }

    /// Hop-by-hop and destination options, routing and fragment headers are passed by (RFC 8200 §4).
    fn v6(bytes: &[u8]) -> Option<Self> {
        const HOP_BY_HOP: u8 = 0;
        const ROUTING: u8 = 43;
        const FRAGMENT: u8 = 44;
        const DESTINATION: u8 = 60;
        let header = ipv6::Header::of_quote(bytes).ok()?;
        let mut packet = Self {
            src: header.src.into(),
            dst: header.dst.into(),
            len: ipv6::HEADER_LEN + usize::from(header.payload_len),
            protocol: None,
            upper_at: None,
            is_fragment: false,
        };
        let (mut next, mut at) = (header.next_header, ipv6::HEADER_LEN);
        while let HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION = next {
            let Some(&[following, length, high, low]) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
                return Some(packet);
            };
            if next == FRAGMENT {
                packet.is_fragment = true;
                if u16::from_be_bytes([high, low]) & 0xfff8 != 0 {
                    packet.protocol = Some(following);
                    return Some(packet);
                }
                at += 8;
            } else {
                at += (usize::from(length) + 1) * 8;
            }
            next = following;
        }
        (packet.protocol, packet.upper_at) = (Some(next), Some(at));
        Some(packet)
    }

    /// What stands behind the headers of IP in `bytes`, from which it was read: padding left out, and as much as is there.
    #[inline]
    pub fn upper<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let whole = bytes.get(..self.len).unwrap_or(bytes);
        self.upper_at.and_then(|at| whole.get(at..)).unwrap_or_default()
    }
}

/// The ports with which TCP and UDP begin, from and to.
#[inline]
pub fn ports(upper: &[u8]) -> Option<(u16, u16)> {
    let &[a, b, c, d] = upper.first_chunk()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use septet_core::Frame;

    use super::*;
    use crate::protocol;

    fn four(fragment_offset: u16, more_fragments: bool) -> Frame {
        let mut frame = Frame::new(Frame::HEADROOM, &[0, 53, 1, 0, 0, 8, 0, 0]);
        let header = ipv4::Header {
            tos: 0,
            total_len: 0,
            ident: 1,
            dont_fragment: false,
            more_fragments,
            fragment_offset,
            ttl: 64,
            protocol: protocol::UDP,
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 0, 0, 2),
            header_len: 20,
        };
        header.push(&mut frame);
        frame
    }

    #[test]
    fn version_4_with_padding_and_in_pieces() {
        let mut whole = four(0, false);
        whole.pad_to(46);
        let packet = Packet::read(whole.bytes()).unwrap();
        assert_eq!((packet.len, packet.protocol, packet.is_fragment), (28, Some(protocol::UDP), false));
        assert_eq!(packet.upper(whole.bytes()).len(), 8, "padding is no part of it");
        assert_eq!(ports(packet.upper(whole.bytes())), Some((53, 256)));
        let first = four(0, true);
        let packet = Packet::read(first.bytes()).unwrap();
        assert_eq!((packet.upper_at, packet.is_fragment), (Some(20), true));
        let later = four(8, false);
        let packet = Packet::read(later.bytes()).unwrap();
        assert_eq!((packet.upper_at, packet.is_fragment, ports(packet.upper(later.bytes()))), (None, true, None));
    }

    #[test]
    fn version_6_behind_its_extension_headers() {
        let read = |next_header: u8, payload: &[u8]| {
            let mut frame = Frame::new(Frame::HEADROOM, payload);
            let (src, dst) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
            let header =
                ipv6::Header { traffic_class: 0, flow_label: 0, payload_len: 0, next_header, hop_limit: 64, src, dst };
            header.push(&mut frame);
            Packet::read(frame.bytes()).unwrap()
        };
        let found = |packet: Packet| (packet.protocol, packet.upper_at, packet.is_fragment);
        let udp = [0, 53, 1, 0, 0, 8, 0, 0];
        assert_eq!(found(read(17, &udp)), (Some(17), Some(40), false));
        let options = [&[17, 0, 1, 4, 0, 0, 0, 0][..], &udp].concat();
        assert_eq!(found(read(60, &options)), (Some(17), Some(48), false));
        assert_eq!(found(read(44, &[17, 0, 0, 1, 0, 0, 0, 1])), (Some(17), Some(48), true));
        assert_eq!(found(read(44, &[17, 0, 0, 8, 0, 0, 0, 1])), (Some(17), None, true));
        assert_eq!(found(read(60, &[17, 0])), (None, None, false), "cut short");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_far_as_they_go(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            if let Some(packet) = Packet::read(&bytes) {
                prop_assert!(packet.upper(&bytes).len() <= bytes.len());
            }
        }
    }
}
