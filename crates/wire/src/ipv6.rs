//! The IPv6 header (RFC 8200 §3).

use std::net::Ipv6Addr;

use septet_core::checksum::Sum;
use septet_core::{DropReason, Frame};

/// Octets of the header.
pub const HEADER_LEN: usize = 40;

/// Where in the header stands what follows it.
pub const NEXT_HEADER_AT: u32 = 6;

/// Where in the header stands how many routers may still pass the packet on.
pub const HOP_LIMIT_AT: usize = 7;

/// The largest payload that the 16-bit length can tell.
pub const MAX_PAYLOAD: usize = 65_535;

/// RFC 8200 §5: "IPv6 requires that every link in the Internet have an MTU of 1280 octets or greater."
pub const MIN_MTU: u32 = 1280;

/// A header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Differentiated services (RFC 2474) and, in the low two bits, ECN (RFC 3168).
    pub traffic_class: u8,
    /// The flow label; zero where the sender labels none.
    pub flow_label: u32,
    /// Octets behind the header.
    pub payload_len: u16,
    /// What follows the header; see [`protocol`](crate::ipv4::protocol).
    pub next_header: u8,
    /// Routers that may still pass it on.
    pub hop_limit: u8,
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
}

impl Header {
    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    /// [`DropReason::Malformed`]: too short, not version 6, or longer than what is there.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let header = Self::of_quote(bytes)?;
        if HEADER_LEN + usize::from(header.payload_len) > bytes.len() {
            return Err(DropReason::Malformed);
        }
        Ok(header)
    }

    /// The same where the packet may be cut short, as an ICMP error quotes it.
    ///
    /// # Errors
    /// [`DropReason::Malformed`]: too short for a header, or not version 6.
    #[inline]
    pub fn of_quote(bytes: &[u8]) -> Result<Self, DropReason> {
        let Some(h) = bytes.first_chunk::<HEADER_LEN>() else { return Err(DropReason::Malformed) };
        let first = u32::from_be_bytes([h[0], h[1], h[2], h[3]]);
        if first >> 28 != 6 {
            return Err(DropReason::Malformed);
        }
        Ok(Self {
            traffic_class: (first >> 20) as u8,
            flow_label: first & 0xf_ffff,
            payload_len: u16::from_be_bytes([h[4], h[5]]),
            next_header: h[6],
            hop_limit: h[7],
            src: address(&h[8..24]),
            dst: address(&h[24..40]),
        })
    }

    /// Writes the header in front of the payload that `frame` holds. The length is the frame's.
    ///
    /// # Panics
    /// If the payload is longer than a packet can be.
    #[inline]
    pub fn push(&self, frame: &mut Frame) {
        let len = u16::try_from(frame.len()).expect("the sender bounds a payload to 65,535 octets");
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xf_ffff;
        let h = frame.push(HEADER_LEN);
        h[..4].copy_from_slice(&first.to_be_bytes());
        h[4..6].copy_from_slice(&len.to_be_bytes());
        h[6] = self.next_header;
        h[7] = self.hop_limit;
        h[8..24].copy_from_slice(&self.src.octets());
        h[24..40].copy_from_slice(&self.dst.octets());
    }
}

/// Marks the header at the start of `header` as having met congestion (RFC 3168 §5).
///
/// # Panics
/// If `header` is shorter than two octets.
pub fn mark_congestion(header: &mut [u8]) {
    // The traffic class lies across the first two octets, and its lowest bits in the upper half of the second.
    header[1] |= 0b11 << 4;
}

#[inline]
fn address(octets: &[u8]) -> Ipv6Addr {
    Ipv6Addr::from(<[u8; 16]>::try_from(octets).expect("sixteen octets"))
}

/// RFC 8200 §8.1: the sum over the pseudo-header of what `len` octets of `next_header` are checked with.
#[inline]
pub fn pseudo_header(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, len: usize) -> Sum {
    Sum::new().bytes(&src.octets()).bytes(&dst.octets()).dword(len as u32).word(next_header.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            traffic_class: 0xb9,
            flow_label: 0x5_4321,
            payload_len: 3,
            next_header: 17,
            hop_limit: 64,
            src: "2001:db8::1".parse().unwrap(),
            dst: "2001:db8::2".parse().unwrap(),
        }
    }

    #[test]
    fn parse_gives_back_what_push_wrote() {
        let mut frame = Frame::new(Frame::HEADROOM, b"abc");
        header().push(&mut frame);
        assert_eq!(frame.bytes()[..8], [0x6b, 0x95, 0x43, 0x21, 0, 3, 17, 64]);
        assert_eq!(Header::parse(frame.bytes()), Ok(header()));
    }

    #[test]
    fn refuses_what_is_short_or_of_another_version() {
        let mut frame = Frame::new(Frame::HEADROOM, b"abc");
        header().push(&mut frame);
        let good = frame.bytes().to_vec();
        for len in 0..good.len() {
            assert_eq!(Header::parse(&good[..len]), Err(DropReason::Malformed), "{len} octets");
        }
        assert_eq!(Header::of_quote(&good[..HEADER_LEN]), Ok(header()), "a quote may be cut short");
        let mut four = good;
        four[0] = 0x4b;
        assert_eq!(Header::parse(&four), Err(DropReason::Malformed));
    }
}
