//! Fragments of IPv4 (RFC 791 §3.2), which hosts and routers cut.

use septet_core::Frame;

use super::{Key, Piece, join};
use septet_wire::ipv4::{self, Header, MoreFragments};

/// Cuts the datagram in `packet`, whose header is `header`, into fragments of at most `mtu` octets. Yields nothing
/// where the MTU does not leave room for eight octets of data, or where it is itself a fragment that reaches beyond the
/// largest datagram.
pub fn fragment(packet: &Frame, header: Header, mtu: usize) -> impl Iterator<Item = Frame> + '_ {
    let header_len = usize::from(header.header_len);
    // RFC 791: fragments are "measured in units of 8 octets".
    let chunk = mtu.saturating_sub(header_len) & !7;
    let data = &packet.bytes()[header_len..usize::from(header.total_len)];
    let beyond = usize::from(header.fragment_offset) + data.len() > ipv4::MAX_LEN;
    let count = if chunk == 0 || beyond { 0 } else { data.len().div_ceil(chunk) };
    (0..count).map(move |i| {
        let part = &data[i * chunk..data.len().min((i + 1) * chunk)];
        let mut frame = Frame::empty(Frame::HEADROOM);
        frame.extend(&packet.bytes()[..header_len]);
        frame.extend(part);
        let more = if i + 1 < count || header.more_fragments { MoreFragments::Yes } else { MoreFragments::No };
        let offset = header.fragment_offset + (i * chunk) as u16;
        let total = frame.len() as u16;
        let written = frame.header_mut(header_len);
        if i > 0 {
            drop_uncopied_options(written);
        }
        ipv4::rewrite_fragment(written, total, offset, more);
        (frame.cause, frame.ingress, frame.checksums) = (packet.cause, packet.ingress, packet.checksums);
        frame
    })
}

/// RFC 791 §3.1: an option without the copied flag goes in the first fragment only; the others have no-operations in
/// its place, so that the header keeps its length.
fn drop_uncopied_options(header: &mut [u8]) {
    let mut at = ipv4::HEADER_LEN;
    while at < header.len() {
        let len = match header[at] {
            0 => return,
            1 => 1,
            _ => header.get(at + 1).map_or(1, |&l| usize::from(l).max(2)),
        };
        let end = header.len().min(at + len);
        if header[at] & 0x80 == 0 {
            header[at..end].fill(1);
        }
        at = end;
    }
}

/// The fragment in `frame`, whose header is `header`, and what it is of.
pub fn piece(header: &Header, frame: Frame) -> (Key, Piece) {
    let key =
        Key { src: header.src.into(), dst: header.dst.into(), protocol: header.protocol, ident: header.ident.into() };
    let piece = Piece {
        offset: header.fragment_offset,
        len: header.payload_len() as u16,
        more: header.more_fragments,
        at: header.header_len.into(),
        frame,
    };
    (key, piece)
}

/// The datagram that `pieces` are all of, as if it had never been cut; `None` where it would be longer than one can be.
pub fn whole(pieces: &[Piece]) -> Option<Frame> {
    let first = pieces.first()?;
    let head = &first.frame.bytes()[..usize::from(first.at)];
    let total = head.len() + pieces.iter().map(|piece| usize::from(piece.len)).sum::<usize>();
    if total > ipv4::MAX_LEN {
        return None;
    }
    let mut frame = join(head, pieces)?;
    ipv4::rewrite_fragment(frame.header_mut(head.len()), total as u16, 0, MoreFragments::No);
    Some(frame)
}
