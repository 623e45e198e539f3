//! The IPv4 header (RFC 791).

use std::net::Ipv4Addr;

use septet_core::{DropReason, Frame, checksum};

/// The assigned protocol numbers that this house knows.
pub mod protocol {
    /// ICMP (RFC 792).
    pub const ICMP: u8 = 1;
    /// IGMP (RFC 2236).
    pub const IGMP: u8 = 2;
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
    /// ICMPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
}

/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;

/// The largest datagram that the 16-bit length can tell.
pub const MAX_LEN: usize = 65_535;

const DF: u16 = 0x4000;
const MF: u16 = 0x2000;

/// A header, options left out: they are tolerated, and carried along when forwarding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Differentiated services (RFC 2474) and, in the low two bits, ECN (RFC 3168).
    pub tos: u8,
    /// Total octets, header included.
    pub total_len: u16,
    /// Identification: what the fragments of one datagram share.
    pub ident: u16,
    /// DF: routers must not fragment it.
    pub dont_fragment: bool,
    /// MF: not the last fragment.
    pub more_fragments: bool,
    /// Where this fragment begins, in octets.
    pub fragment_offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// What it carries; see [`protocol`].
    pub protocol: u8,
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// Octets of the header, options included.
    pub header_len: u8,
}

impl Header {
    /// Reads the header at the start of `bytes`. The checksum is not looked at; see [`checksum_ok`].
    ///
    /// # Errors
    /// [`DropReason::Malformed`]: too short, not version 4, or lengths that contradict one another.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let Some(h) = bytes.first_chunk::<HEADER_LEN>() else { return Err(DropReason::Malformed) };
        let header_len = (h[0] & 0x0f) * 4;
        let total_len = u16::from_be_bytes([h[2], h[3]]);
        if h[0] >> 4 != 4
            || usize::from(header_len) < HEADER_LEN
            || total_len < u16::from(header_len)
            || usize::from(total_len) > bytes.len()
        {
            return Err(DropReason::Malformed);
        }
        let frag = u16::from_be_bytes([h[6], h[7]]);
        Ok(Self {
            tos: h[1],
            total_len,
            ident: u16::from_be_bytes([h[4], h[5]]),
            dont_fragment: frag & DF != 0,
            more_fragments: frag & MF != 0,
            fragment_offset: (frag & 0x1fff) << 3,
            ttl: h[8],
            protocol: h[9],
            src: Ipv4Addr::new(h[12], h[13], h[14], h[15]),
            dst: Ipv4Addr::new(h[16], h[17], h[18], h[19]),
            header_len,
        })
    }

    /// The same of a datagram that is quoted in part only, as an ICMP error does: lengths may say more than is there.
    ///
    /// # Errors
    /// [`DropReason::Malformed`]: too short for a header, not version 4, or a header shorter than one.
    pub fn of_quote(bytes: &[u8]) -> Result<Self, DropReason> {
        let Some(mut head) = bytes.first_chunk::<HEADER_LEN>().copied() else { return Err(DropReason::Malformed) };
        let total_len = u16::from_be_bytes([head[2], head[3]]);
        let header_len = (head[0] & 0x0f) * 4;
        if usize::from(header_len) < HEADER_LEN {
            return Err(DropReason::Malformed);
        }
        // Lengths that `parse` can hold against what is there; the true ones are put back below.
        head[0] = head[0] & 0xf0 | 5;
        head[2..4].copy_from_slice(&(HEADER_LEN as u16).to_be_bytes());
        Ok(Self { total_len, header_len, ..Self::parse(&head)? })
    }

    /// Whether it is a piece of a datagram and not a whole one.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// Octets behind the header.
    #[inline]
    pub fn payload_len(&self) -> usize {
        usize::from(self.total_len) - usize::from(self.header_len)
    }

    /// Writes the header with its checksum in front of the payload that `frame` holds. The length is the frame's, and
    /// there are no options.
    ///
    /// # Panics
    /// If the payload is longer than a datagram can be.
    #[inline]
    pub fn push(&self, frame: &mut Frame) {
        self.push_with(&[], frame);
    }

    /// The same with options, whose octets are a multiple of four.
    ///
    /// # Panics
    /// If the payload is longer than a datagram can be, or the options are no multiple of four up to forty.
    #[inline]
    pub fn push_with(&self, options: &[u8], frame: &mut Frame) {
        assert!(options.len().is_multiple_of(4) && options.len() <= 40, "{} octets of options", options.len());
        let len = HEADER_LEN + options.len();
        let total = u16::try_from(frame.len() + len).expect("the sender bounds a datagram to 65,535 octets");
        let header = frame.push(len);
        header[HEADER_LEN..].copy_from_slice(options);
        self.write(header, total);
    }

    #[inline]
    fn write(&self, h: &mut [u8], total_len: u16) {
        h[0] = 0x40 | (h.len() / 4) as u8;
        h[1] = self.tos;
        h[2..4].copy_from_slice(&total_len.to_be_bytes());
        h[4..6].copy_from_slice(&self.ident.to_be_bytes());
        let frag = if self.dont_fragment { DF } else { 0 }
            | if self.more_fragments { MF } else { 0 }
            | (self.fragment_offset >> 3);
        h[6..8].copy_from_slice(&frag.to_be_bytes());
        h[8] = self.ttl;
        h[9] = self.protocol;
        h[10..12].fill(0);
        h[12..16].copy_from_slice(&self.src.octets());
        h[16..20].copy_from_slice(&self.dst.octets());
        let sum = checksum::of(h);
        h[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Whether the checksum of a header of `header_len` octets at the start of `bytes` is right.
#[inline]
pub fn checksum_ok(bytes: &[u8], header_len: u8) -> bool {
    bytes.get(..usize::from(header_len)).is_some_and(|h| checksum::of(h) == 0)
}

/// Takes one from the time to live of the header at the start of `header`, and mends the checksum (RFC 1624).
///
/// # Panics
/// If `header` is shorter than 12 octets.
#[inline]
pub fn decrement_ttl(header: &mut [u8]) {
    let at = header.first_chunk_mut::<12>().expect("the caller has a header");
    if at[8] == 0 {
        return;
    }
    at[8] -= 1;
    // The TTL is the high octet of its 16-bit word, so that `~m + m'` is always `0xffff - 0x0100`. The sum is at most 0x1fefe:
    // no more than one carry.
    let sum = u32::from(!u16::from_be_bytes([at[10], at[11]])) + 0xfeff;
    [at[10], at[11]] = (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes();
}

/// Marks the header at the start of `header` as having met congestion (RFC 3168 §5), and mends the checksum.
///
/// # Panics
/// If `header` is shorter than 12 octets.
pub fn mark_congestion(header: &mut [u8]) {
    let old = u16::from_be_bytes([header[0], header[1]]);
    header[1] |= 0b11;
    let new = u16::from_be_bytes([header[0], header[1]]);
    let sum = checksum::update(u16::from_be_bytes([header[10], header[11]]), old, new);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Computes the checksum of the whole header that `header` is anew.
///
/// # Panics
/// If it is shorter than 12 octets.
pub fn seal(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = checksum::of(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Sets length, fragment offset and MF of the header at the start of `header`, and computes its checksum anew.
///
/// # Panics
/// If `header` is shorter than 12 octets.
pub fn rewrite_fragment(header: &mut [u8], total_len: u16, offset: u16, more_fragments: MoreFragments) {
    header[2..4].copy_from_slice(&total_len.to_be_bytes());
    let frag = (offset >> 3) | if more_fragments == MoreFragments::Yes { MF } else { 0 };
    header[6..8].copy_from_slice(&frag.to_be_bytes());
    header[10..12].fill(0);
    let sum = checksum::of(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// The MF flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoreFragments {
    /// Others follow.
    Yes,
    /// It is the last.
    No,
}

/// The options of a header, as `(type, whole option)`; stops at the end of the list or at the first that is broken.
pub fn options(header: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = header.get(HEADER_LEN..).unwrap_or_default();
    core::iter::from_fn(move || {
        loop {
            match *rest {
                [] | [0, ..] => return None,
                // No operation.
                [1, ref tail @ ..] => rest = tail,
                [kind, len, ..] if len >= 2 && usize::from(len) <= rest.len() => {
                    let (option, tail) = rest.split_at(usize::from(len));
                    rest = tail;
                    return Some((kind, option));
                }
                _ => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            tos: 0x02,
            total_len: 23,
            ident: 0xbeef,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: protocol::UDP,
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 0, 0, 2),
            header_len: 20,
        }
    }

    #[test]
    fn parse_gives_back_what_push_wrote() {
        let mut frame = Frame::new(Frame::HEADROOM, b"abc");
        header().push(&mut frame);
        assert_eq!(Header::parse(frame.bytes()), Ok(header()));
        assert!(checksum_ok(frame.bytes(), 20));
    }

    #[test]
    fn ttl_step_keeps_the_checksum_right() {
        for ttl in 1..=255 {
            let mut frame = Frame::new(Frame::HEADROOM, b"abc");
            Header { ttl, ..header() }.push(&mut frame);
            decrement_ttl(frame.header_mut(20));
            assert_eq!(Header::parse(frame.bytes()).unwrap().ttl, ttl - 1);
            assert!(checksum_ok(frame.bytes(), 20), "{ttl}");
        }
    }

    #[test]
    fn refuses_lengths_that_contradict() {
        let mut frame = Frame::new(Frame::HEADROOM, b"abc");
        header().push(&mut frame);
        let good = frame.bytes().to_vec();
        for (at, value) in [(0, 0x44), (0, 0x65), (0, 0x46), (3, 19), (3, 24)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Header::parse(&bad), Err(DropReason::Malformed), "byte {at} = {value:#x}");
        }
        assert_eq!(Header::parse(&good[..19]), Err(DropReason::Malformed));
    }

    #[test]
    fn walks_options() {
        let mut h = [0u8; 32];
        h[20..].copy_from_slice(&[1, 0x94, 4, 0, 0, 7, 3, 4, 1, 0x44, 9, 0]);
        let found: Vec<_> = options(&h).map(|(kind, option)| (kind, option.len())).collect();
        assert_eq!(found, [(0x94, 4), (7, 3)], "the timestamp option is longer than what is left");
    }
}
