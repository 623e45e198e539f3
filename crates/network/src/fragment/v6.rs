//! Fragments of IPv6 (RFC 8200 §4.5), which only the source cuts.

use septet_core::Frame;

use super::{Key, Piece, join};
use septet_wire::extension::{Extension, FRAGMENT_LEN, Fragment, next};
use septet_wire::ipv6::{self, Header};

/// Cuts the packet in `packet`, which has no extension headers, into fragments of at most `mtu` octets that share `ident`.
pub fn fragment(packet: &Frame, mtu: usize, ident: u32) -> impl Iterator<Item = Frame> + '_ {
    let (head, data) = packet.bytes().split_at(ipv6::HEADER_LEN.min(packet.len()));
    // "Each complete fragment, except possibly the last ("rightmost") one, being an integer multiple of 8 octets long."
    let chunk = mtu.saturating_sub(ipv6::HEADER_LEN + FRAGMENT_LEN) & !7;
    let count = if chunk == 0 { 0 } else { data.len().div_ceil(chunk) };
    (0..count).map(move |i| {
        let mut frame = Frame::new(Frame::HEADROOM, &data[i * chunk..data.len().min((i + 1) * chunk)]);
        let fragment = Fragment {
            next: head[ipv6::NEXT_HEADER_AT as usize],
            offset: (i * chunk) as u16,
            more: i + 1 < count,
            ident,
        };
        fragment.push(&mut frame);
        let len = (frame.len() as u16).to_be_bytes();
        let header = frame.push(ipv6::HEADER_LEN);
        header.copy_from_slice(head);
        header[4..6].copy_from_slice(&len);
        header[ipv6::NEXT_HEADER_AT as usize] = next::FRAGMENT;
        (frame.cause, frame.ingress, frame.checksums) = (packet.cause, packet.ingress, packet.checksums);
        frame
    })
}

/// The fragment in `frame`, whose fragment header `fragment` begins at octet `at`, and what it is of.
pub fn piece(header: &Header, fragment: &Fragment, at: usize, frame: Frame) -> (Key, Piece) {
    let key = Key { src: header.src.into(), dst: header.dst.into(), protocol: 0, ident: fragment.ident };
    let data_at = at + FRAGMENT_LEN;
    let piece = Piece {
        offset: fragment.offset,
        len: frame.len().saturating_sub(data_at) as u16,
        more: fragment.more,
        at: data_at as u16,
        frame,
    };
    (key, piece)
}

/// The packet that `pieces` are all of: "The Unfragmentable Part … consists of all headers up to, but not including, the
/// Fragment header of the first fragment packet", whose next header is the one that its fragment header names. `None` where
/// it would be longer than a packet can be.
pub fn whole(pieces: &[Piece]) -> Option<Frame> {
    let first = pieces.first()?;
    let fragment_at = usize::from(first.at) - FRAGMENT_LEN;
    let bytes = first.frame.bytes();
    let next = Fragment::parse(&bytes[fragment_at..])?.next;
    let names_next = last_next_header(&bytes[..fragment_at])?;
    let mut frame = join(&bytes[..fragment_at], pieces)?;
    let len = u16::try_from(frame.len() - ipv6::HEADER_LEN).ok()?;
    let head = frame.header_mut(fragment_at);
    head[4..6].copy_from_slice(&len.to_be_bytes());
    head[names_next] = next;
    Some(frame)
}

/// Where in `head`, which ends with a whole header, stands what follows the last one.
fn last_next_header(head: &[u8]) -> Option<usize> {
    let (mut names, mut at) = (ipv6::NEXT_HEADER_AT as usize, ipv6::HEADER_LEN);
    while at < head.len() {
        names = at;
        at += Extension::parse(&head[at..])?.bytes.len();
    }
    (at == head.len()).then_some(names)
}
