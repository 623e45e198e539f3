//! The UDP header of RFC 768.

use std::net::IpAddr;

use septet_core::{Checksums, DropReason, Frame};

use crate::pseudo_header;

/// IP's number for UDP.
pub const PROTOCOL: u8 = 17;
/// The header.
pub const HEADER_LEN: usize = 8;

/// Source and destination port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The sender's port; zero where no reply is expected.
    pub src_port: u16,
    /// The receiver's port.
    pub dst_port: u16,
}

impl Header {
    /// Reads the header at the front of `frame`, takes it off, and cuts off what lies behind the datagram.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    #[inline]
    pub fn take(src: IpAddr, dst: IpAddr, frame: &mut Frame) -> Result<Self, DropReason> {
        let (header, len) = Self::parse(src, dst, frame)?;
        frame.truncate(len);
        frame.pull(HEADER_LEN);
        Ok(header)
    }

    /// Reads the header at the front of `frame`; gives the length of the datagram too, behind which more may lie.
    ///
    /// # Errors
    /// `Malformed` for lengths that do not fit, `L4Checksum` for a wrong sum, or for none over IPv6.
    #[inline]
    pub fn parse(src: IpAddr, dst: IpAddr, frame: &Frame) -> Result<(Self, usize), DropReason> {
        let bytes = frame.bytes();
        let Some(&[a, b, c, d, e, f, g, h]) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(DropReason::Malformed);
        };
        // RFC 2675 §4: zero means "as long as the packet", for jumbograms only.
        let len = usize::from(u16::from_be_bytes([e, f]));
        if len < HEADER_LEN || len > bytes.len() {
            return Err(DropReason::Malformed);
        }
        if frame.checksums == Checksums::Unverified {
            let has_sum = [g, h] != [0, 0];
            // RFC 768: "An all zero transmitted checksum value means that the transmitter generated no checksum". RFC 8200 §8.1:
            // "IPv6 receivers must discard UDP packets containing a zero checksum".
            if !has_sum && dst.is_ipv6() {
                return Err(DropReason::L4Checksum);
            }
            if has_sum && pseudo_header(src, dst, PROTOCOL, len).bytes(&bytes[..len]).finish() != 0 {
                return Err(DropReason::L4Checksum);
            }
        }
        Ok((Self { src_port: u16::from_be_bytes([a, b]), dst_port: u16::from_be_bytes([c, d]) }, len))
    }

    /// Puts the header in front of the payload, checksum included.
    #[inline]
    pub fn push(self, src: IpAddr, dst: IpAddr, frame: &mut Frame) {
        let len = frame.len() + HEADER_LEN;
        let bytes = frame.push(HEADER_LEN);
        bytes[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        bytes[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        // The length of a super-datagram is that of its pieces; what is written here is replaced when it is split.
        bytes[4..6].copy_from_slice(&(len.min(usize::from(u16::MAX)) as u16).to_be_bytes());
        bytes[6..8].fill(0);
        let sum = pseudo_header(src, dst, PROTOCOL, len).bytes(frame.bytes()).finish();
        // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
        let sum = if sum == 0 { 0xffff } else { sum };
        frame.header_mut(HEADER_LEN)[6..8].copy_from_slice(&sum.to_be_bytes());
        frame.checksums = Checksums::Good;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(s: &str) -> IpAddr {
        s.parse().unwrap()
    }

    fn take(src: &str, dst: &str, bytes: &[u8]) -> Result<(Header, Vec<u8>), DropReason> {
        let mut frame = Frame::new(8, bytes);
        Header::take(addr(src), addr(dst), &mut frame).map(|h| (h, frame.bytes().to_vec()))
    }

    #[test]
    fn what_is_pushed_can_be_taken() {
        for (src, dst) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
            let mut frame = Frame::new(64, b"hello");
            let header = Header { src_port: 5, dst_port: 53 };
            header.push(addr(src), addr(dst), &mut frame);
            assert_eq!(take(src, dst, frame.bytes()), Ok((header, b"hello".to_vec())));
            let mut bytes = frame.bytes().to_vec();
            bytes.extend(b"padding");
            assert_eq!(take(src, dst, &bytes), Ok((header, b"hello".to_vec())), "padding behind is cut");
            bytes[9] ^= 1;
            assert_eq!(take(src, dst, &bytes), Err(DropReason::L4Checksum));
        }
    }

    #[test]
    fn no_checksum_is_for_ipv4_alone() {
        let bytes = [0, 1, 0, 2, 0, 9, 0, 0, 7];
        assert!(take("10.0.0.1", "10.0.0.2", &bytes).is_ok());
        assert_eq!(take("fd00::1", "fd00::2", &bytes), Err(DropReason::L4Checksum));
    }

    #[test]
    fn a_sum_of_zero_is_sent_as_ones() {
        // A payload chosen so that everything adds up to all ones.
        let (src, dst) = (addr("10.0.0.1"), addr("10.0.0.2"));
        let mut probe = Frame::new(64, &[0, 0]);
        Header { src_port: 1, dst_port: 2 }.push(src, dst, &mut probe);
        let sum = [probe.bytes()[6], probe.bytes()[7]];
        let mut frame = Frame::new(64, &sum);
        Header { src_port: 1, dst_port: 2 }.push(src, dst, &mut frame);
        assert_eq!(frame.bytes()[6..8], [0xff, 0xff]);
        assert!(take("10.0.0.1", "10.0.0.2", frame.bytes()).is_ok());
    }

    #[test]
    fn lengths_that_lie_are_malformed() {
        assert_eq!(take("10.0.0.1", "10.0.0.2", &[0; 7]), Err(DropReason::Malformed));
        for len in [0u8, 7, 10] {
            assert_eq!(take("10.0.0.1", "10.0.0.2", &[0, 1, 0, 2, 0, len, 0, 0, 7]), Err(DropReason::Malformed));
        }
    }
}
