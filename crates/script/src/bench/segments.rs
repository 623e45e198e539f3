//! What segmentation offload does in a network card: one super-segment becomes segments.

use std::net::IpAddr;

use septet_core::{Checksums, Frame, checksum::Sum};

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// The segments of a TCP super-segment; a segment that is none comes back as it is.
pub(super) fn split(frame: Frame, src: IpAddr, dst: IpAddr) -> Vec<Frame> {
    let size = usize::from(frame.segment_size);
    let bytes = frame.bytes();
    let Some(header_len) = bytes.get(12).map(|b| usize::from(b >> 4) * 4).filter(|n| *n <= bytes.len()) else {
        return vec![frame];
    };
    let (header, payload) = bytes.split_at(header_len);
    if size == 0 || payload.len() <= size {
        return vec![frame];
    }
    let count = payload.len().div_ceil(size);
    let seq = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let segment = |(index, part): (usize, &[u8])| {
        let mut segment = Frame::new(Frame::HEADROOM, part);
        segment.push(header_len).copy_from_slice(header);
        segment.cause = frame.cause;
        segment.checksums = Checksums::Good;
        let header = segment.header_mut(header_len);
        header[4..8].copy_from_slice(&seq.wrapping_add((index * size) as u32).to_be_bytes());
        // FIN and PSH stand at the end of the data, CWR (RFC 3168 §6.1.2) at its beginning.
        if index + 1 < count {
            header[13] &= !(FIN | PSH);
        }
        if index > 0 {
            header[13] &= !CWR;
        }
        header[16..18].fill(0);
        let sum = checksum(segment.bytes(), src, dst);
        segment.header_mut(header_len)[16..18].copy_from_slice(&sum.to_be_bytes());
        segment
    };
    payload.chunks(size).enumerate().map(segment).collect()
}

fn checksum(segment: &[u8], src: IpAddr, dst: IpAddr) -> u16 {
    let sum = [src, dst].iter().fold(Sum::new(), |sum, address| match address {
        IpAddr::V4(four) => sum.bytes(&four.octets()),
        IpAddr::V6(six) => sum.bytes(&six.octets()),
    });
    sum.word(6).dword(segment.len() as u32).bytes(segment).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::ip::{Departure, depart};
    use crate::wire::{Content, Datagram, Segment, decode, encode, flags};

    #[test]
    fn segments_carry_the_bytes_in_order_with_right_checksums() {
        let whole = Segment {
            src: 1,
            dst: 2,
            seq: u32::MAX - 10,
            ack: 7,
            flags: flags::ACK | flags::PSH | flags::FIN | flags::CWR,
            window: 9,
            urgent: 0,
            options: Vec::new(),
            payload: (0..250).collect(),
        };
        let (src, dst) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let packet = encode(&Datagram { src, dst, tos: 0, ttl: 64, content: Content::Tcp(whole.clone()) });
        let mut frame = Frame::new(64, &packet[20..]);
        frame.segment_size = 100;
        let mut payload = Vec::new();
        for (index, mut segment) in split(frame, src, dst).into_iter().enumerate() {
            depart(&mut segment, &Departure { src, dst, protocol: 6, tos: 0, ttl: 64, id: 1 });
            let Content::Tcp(part) = decode(segment.bytes()).unwrap().content else { panic!("not TCP") };
            assert_eq!(part.seq, whole.seq.wrapping_add(payload.len() as u32));
            assert_eq!(part.flags & flags::CWR != 0, index == 0);
            assert_eq!(part.flags & (flags::PSH | flags::FIN) != 0, index == 2);
            payload.extend(part.payload);
        }
        assert_eq!(payload, whole.payload);
    }
}
