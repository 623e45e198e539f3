//! Super-datagrams cut into datagrams: what `UDP_SEGMENT` leaves to the card.

use std::net::IpAddr;

use septet_core::Frame;

use super::wire::{HEADER_LEN, Header};

/// The datagrams of a super-datagram, which begins with its UDP header; a frame that is none comes back alone.
pub fn split(frame: &Frame, src: IpAddr, dst: IpAddr) -> Vec<Frame> {
    let size = usize::from(frame.segment_size);
    let (Some(ports), true) = (frame.bytes().first_chunk::<HEADER_LEN>(), size > 0) else { return vec![frame.clone()] };
    let header = Header {
        src_port: u16::from_be_bytes([ports[0], ports[1]]),
        dst_port: u16::from_be_bytes([ports[2], ports[3]]),
    };
    frame.bytes()[HEADER_LEN..]
        .chunks(size)
        .map(|chunk| {
            let mut piece = Frame::new(Frame::HEADROOM, chunk);
            header.push(src, dst, &mut piece);
            (piece.cause, piece.ingress) = (frame.cause, frame.ingress);
            piece
        })
        .collect()
}
