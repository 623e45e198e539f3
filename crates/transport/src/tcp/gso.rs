//! Splitting a super-segment into segments, as a network card would (generic segmentation offload).

use std::net::IpAddr;

use septet_core::Frame;
use septet_core::checksum::Sum;

use super::connection::seal;
use super::wire::{Flags, Header};

/// The segments of the super-segment `frame`, which begins with its TCP header; a frame that is none comes back alone.
/// Sequence numbers advance, PSH and FIN stay on the last, CWR on the first.
pub fn split(frame: &Frame, src: IpAddr, dst: IpAddr) -> Vec<Frame> {
    let size = usize::from(frame.segment_size);
    let Ok((header, len)) = Header::parse(frame.bytes()) else { return vec![frame.clone()] };
    let payload = &frame.bytes()[len..];
    if size == 0 || payload.len() <= size {
        let mut whole = frame.clone();
        whole.segment_size = 0;
        return vec![whole];
    }
    let count = payload.len().div_ceil(size);
    payload
        .chunks(size)
        .enumerate()
        .map(|(i, chunk)| {
            let mut flags = header.flags;
            if i + 1 < count {
                flags = flags.without(Flags::PSH | Flags::FIN);
            }
            if i > 0 {
                flags = flags.without(Flags::CWR);
            }
            let header = Header { seq: header.seq.wrapping_add((i * size) as u32), flags, ..header };
            let mut piece = Frame::new(Frame::HEADROOM, chunk);
            seal(&mut piece, &header, src, dst, Sum::new().bytes(chunk));
            (piece.cause, piece.ingress) = (frame.cause, frame.ingress);
            piece
        })
        .collect()
}
