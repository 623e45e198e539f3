//! Segmentation offload: a super-segment becomes the segments that it stands for, as a network card does it.

use septet_core::checksum::Sum;
use septet_core::{Checksums, Frame};

use septet_wire::ipv4::{Header, protocol};
use septet_wire::ipv6;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// The largest packet that comes of `packet` once it is split: itself, where it is no super-segment.
#[inline]
pub(super) fn packet_len(packet: &Frame, header: &Header) -> u32 {
    if packet.segment_size == 0 {
        return header.total_len.into();
    }
    let upper = upper_len(packet.bytes(), header.header_len.into(), header.protocol);
    u32::from(header.total_len).min((usize::from(header.header_len) + upper) as u32 + u32::from(packet.segment_size))
}

/// The same of a packet of IPv6.
#[inline]
pub(super) fn packet_len_v6(packet: &Frame, header: &ipv6::Header) -> u32 {
    if packet.segment_size == 0 {
        return packet.len() as u32;
    }
    let upper = upper_len(packet.bytes(), ipv6::HEADER_LEN, header.next_header);
    (packet.len() as u32).min((ipv6::HEADER_LEN + upper) as u32 + u32::from(packet.segment_size))
}

/// Octets of the transport header, which begins at `at`.
fn upper_len(bytes: &[u8], at: usize, protocol: u8) -> usize {
    match protocol {
        protocol::TCP => bytes.get(at + 12).map_or(20, |b| usize::from(b >> 4) * 4),
        _ => 8,
    }
}

/// The IP header of a super-segment.
enum Head {
    Four(Header),
    Six(ipv6::Header),
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.first()? >> 4 == 6 {
            return ipv6::Header::parse(bytes).ok().map(Self::Six);
        }
        Header::parse(bytes).ok().map(Self::Four)
    }

    fn len(&self) -> usize {
        match self {
            Self::Four(header) => header.header_len.into(),
            Self::Six(_) => ipv6::HEADER_LEN,
        }
    }

    fn protocol(&self) -> u8 {
        match self {
            Self::Four(header) => header.protocol,
            Self::Six(header) => header.next_header,
        }
    }

    /// Makes `written` the header of the segment with this number, which has `total` octets in all.
    fn rewrite(&self, written: &mut [u8], number: usize, total: usize) {
        match self {
            Self::Four(header) => {
                written[4..6].copy_from_slice(&header.ident.wrapping_add(number as u16).to_be_bytes());
                written[2..4].copy_from_slice(&(total as u16).to_be_bytes());
                written[10..12].fill(0);
                let sum = septet_core::checksum::of(written);
                written[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            Self::Six(_) => {
                written[4..6].copy_from_slice(&((total - ipv6::HEADER_LEN) as u16).to_be_bytes());
            }
        }
    }

    fn upper_checksum(&self, segment: &[u8]) -> u16 {
        let pseudo = match self {
            Self::Four(header) => Sum::new()
                .bytes(&header.src.octets())
                .bytes(&header.dst.octets())
                .word(header.protocol.into())
                .dword(segment.len() as u32),
            Self::Six(header) => ipv6::pseudo_header(header.src, header.dst, header.next_header, segment.len()),
        };
        let sum = pseudo.bytes(segment).finish();
        if sum == 0 && self.protocol() == protocol::UDP { 0xffff } else { sum }
    }
}

/// Splits a super-segment of TCP or UDP; `packet` begins at its IP header. Gives nothing where it is none.
pub fn split(packet: &Frame) -> Vec<Frame> {
    let bytes = packet.bytes();
    let Some(header) = Head::parse(bytes) else { return Vec::new() };
    let ip_len = header.len();
    let head_len = ip_len + upper_len(bytes, ip_len, header.protocol());
    let size = usize::from(packet.segment_size);
    if size == 0 || head_len > bytes.len() {
        return Vec::new();
    }
    let (head, data) = bytes.split_at(head_len);
    let count = data.len().div_ceil(size).max(1);
    let mut segments = Vec::with_capacity(count);
    for (i, part) in data.chunks(size).enumerate() {
        let mut frame = Frame::empty(Frame::HEADROOM);
        frame.extend(head);
        frame.extend(part);
        (frame.cause, frame.ingress, frame.checksums) = (packet.cause, packet.ingress, Checksums::Good);
        let total = frame.len();
        let written = frame.header_mut(head_len);
        header.rewrite(&mut written[..ip_len], i, total);
        let upper = &mut written[ip_len..];
        let at = match header.protocol() {
            protocol::TCP => {
                let first = u32::from_be_bytes([upper[4], upper[5], upper[6], upper[7]]);
                upper[4..8].copy_from_slice(&first.wrapping_add((i * size) as u32).to_be_bytes());
                if i + 1 < count {
                    upper[13] &= !(FIN | PSH);
                }
                if i > 0 {
                    // RFC 3168 §6.1.2: CWR is set on "the first new data packet sent after the window reduction".
                    upper[13] &= !CWR;
                }
                16
            }
            _ => {
                upper[4..6].copy_from_slice(&((total - ip_len) as u16).to_be_bytes());
                6
            }
        };
        upper[at..at + 2].fill(0);
        let sum = header.upper_checksum(&frame.bytes()[ip_len..]);
        frame.header_mut(head_len)[ip_len + at..ip_len + at + 2].copy_from_slice(&sum.to_be_bytes());
        segments.push(frame);
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_wire::ipv4;

    fn super_segment(protocol: u8, upper: &[u8], len: usize, size: u16) -> Frame {
        let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let mut frame = Frame::new(Frame::HEADROOM, &data);
        frame.push(upper.len()).copy_from_slice(upper);
        let header = Header {
            tos: 2,
            total_len: 0,
            ident: 0xffff,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol,
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            header_len: 20,
        };
        header.push(&mut frame);
        frame.segment_size = size;
        frame
    }

    #[test]
    fn tcp_segments_continue_one_another() {
        let mut upper = [0; 32];
        upper[4..8].copy_from_slice(&0xffff_fff0u32.to_be_bytes());
        (upper[12], upper[13]) = (0x80, FIN | PSH | CWR | 0x10);
        let whole = super_segment(protocol::TCP, &upper, 3000, 1448);
        let header = Header::parse(whole.bytes()).unwrap();
        assert_eq!(packet_len(&whole, &header), 1500);
        let parts = split(&whole);
        assert_eq!(parts.iter().map(Frame::len).collect::<Vec<_>>(), [1500, 1500, 156]);
        let mut data = Vec::new();
        for (i, p) in parts.iter().enumerate() {
            let h = Header::parse(p.bytes()).unwrap();
            assert!(ipv4::checksum_ok(p.bytes(), 20));
            assert_eq!(Head::Four(h).upper_checksum(&p.bytes()[20..]), 0);
            assert_eq!(h.ident, 0xffffu16.wrapping_add(i as u16));
            let seq = u32::from_be_bytes(p.bytes()[24..28].try_into().unwrap());
            assert_eq!(seq, 0xffff_fff0u32.wrapping_add(i as u32 * 1448));
            data.extend_from_slice(&p.bytes()[52..]);
        }
        let flags: Vec<u8> = parts.iter().map(|p| p.bytes()[33]).collect();
        assert_eq!(flags, [CWR | 0x10, 0x10, FIN | PSH | 0x10]);
        assert_eq!(data, &whole.bytes()[52..]);
    }

    #[test]
    fn udp_segments_are_datagrams() {
        let parts = split(&super_segment(protocol::UDP, &[0, 7, 0, 9, 0, 0, 0, 0], 2500, 1000));
        let lengths: Vec<u16> = parts.iter().map(|p| u16::from_be_bytes([p.bytes()[24], p.bytes()[25]])).collect();
        assert_eq!(lengths, [1008, 1008, 508]);
        let sums = parts.iter().map(|p| Head::parse(p.bytes()).unwrap().upper_checksum(&p.bytes()[20..]));
        assert!(
            sums.into_iter().all(|sum| sum == 0xffff),
            "a right checksum sums to zero, which UDP writes as all ones"
        );
    }

    #[test]
    fn ipv6_is_split_too() {
        let mut upper = [0; 20];
        (upper[12], upper[13]) = (0x50, PSH | 0x10);
        let mut whole = super_segment(protocol::TCP, &upper, 3000, 1440);
        whole.pull(ipv4::HEADER_LEN);
        let header = ipv6::Header {
            traffic_class: 2,
            flow_label: 0,
            payload_len: 0,
            next_header: protocol::TCP,
            hop_limit: 64,
            src: "2001:db8::1".parse().unwrap(),
            dst: "2001:db8::2".parse().unwrap(),
        };
        header.push(&mut whole);
        let parts = split(&whole);
        assert_eq!(parts.iter().map(Frame::len).collect::<Vec<_>>(), [1500, 1500, 180]);
        for p in &parts {
            let h = ipv6::Header::parse(p.bytes()).unwrap();
            assert_eq!((usize::from(h.payload_len), h.traffic_class), (p.len() - ipv6::HEADER_LEN, 2));
            assert_eq!(Head::Six(h).upper_checksum(&p.bytes()[ipv6::HEADER_LEN..]), 0);
        }
    }

    #[test]
    fn nonsense_gives_nothing() {
        let mut short = super_segment(protocol::TCP, &[0xff; 20], 10, 5);
        short.truncate(30);
        assert!(split(&short).is_empty());
    }
}
