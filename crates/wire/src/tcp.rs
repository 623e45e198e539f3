//! The TCP header of RFC 9293 §3.1 and its options, parsed and built.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};
use std::net::IpAddr;

use septet_core::{Checksums, DropReason, Frame};

use crate::pseudo_header;

/// IP's number for TCP.
pub const PROTOCOL: u8 = 6;
/// The header without options.
pub const HEADER_LEN: usize = 20;

/// The control bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u8);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);
    /// No more data from sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push function.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment field is significant.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is significant.
    pub const URG: Self = Self(0x20);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// The byte of the header.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From the byte of the header.
    #[inline]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether all of `other` are set.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    #[inline]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These without `other`.
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, rhs: Self) {
        self.0 |= rhs.0;
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        let mut first = true;
        for (_, name) in names.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 != 0) {
            if !core::mem::take(&mut first) {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        if first { f.write_str("none") } else { Ok(()) }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The timestamps option of RFC 7323 §3.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timestamps {
    /// The sender's clock.
    pub value: u32,
    /// The peer's clock, echoed.
    pub echo: u32,
}

/// The blocks of a SACK option (RFC 2018 §3), in the order of the wire.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SackBlocks {
    blocks: [(u32, u32); 4],
    len: u8,
}

impl SackBlocks {
    /// Adds a block from its first sequence number to the one behind its last; a fifth is ignored.
    #[inline]
    pub fn push(&mut self, start: u32, end: u32) {
        if let Some(slot) = self.blocks.get_mut(usize::from(self.len)) {
            *slot = (start, end);
            self.len += 1;
        }
    }

    /// The blocks.
    #[inline]
    pub fn as_slice(&self) -> &[(u32, u32)] {
        &self.blocks[..usize::from(self.len)]
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// The options that are understood; others are skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HeaderOptions {
    /// Maximum segment size (SYN only).
    pub mss: Option<u16>,
    /// Window scale (SYN only).
    pub wscale: Option<u8>,
    /// SACK permitted (SYN only).
    pub sack_permitted: bool,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// Selective acknowledgments.
    pub sack: SackBlocks,
}

/// A TCP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// The sender's port.
    pub src_port: u16,
    /// The receiver's port.
    pub dst_port: u16,
    /// Sequence number of the first byte, or of the SYN.
    pub seq: u32,
    /// The next sequence number that the sender expects.
    pub ack: u32,
    /// The control bits.
    pub flags: Flags,
    /// The window as on the wire, unscaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// The options.
    pub options: HeaderOptions,
}

impl Header {
    /// Reads the header at the front of `frame` and takes it off, verifying the checksum where it is not known to be good.
    ///
    /// # Errors
    /// `Malformed` for a header that does not fit, `L4Checksum` for a wrong sum.
    #[inline]
    pub fn take(src: IpAddr, dst: IpAddr, frame: &mut Frame) -> Result<Self, DropReason> {
        let (header, len) = Self::parse(frame.bytes())?;
        if frame.checksums == Checksums::Unverified {
            let sum = pseudo_header(src, dst, PROTOCOL, frame.len()).bytes(frame.bytes());
            if sum.finish() != 0 {
                return Err(DropReason::L4Checksum);
            }
        }
        frame.pull(len);
        Ok(header)
    }

    /// Reads the header at the front of `bytes`; returns it and its length.
    ///
    /// # Errors
    /// `Malformed` for a header that does not fit.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), DropReason> {
        let Some((fixed, _)) = bytes.split_first_chunk::<HEADER_LEN>() else { return Err(DropReason::Malformed) };
        let len = usize::from(fixed[12] >> 4) * 4;
        if len < HEADER_LEN || len > bytes.len() {
            return Err(DropReason::Malformed);
        }
        let u16_at = |i: usize| u16::from_be_bytes([fixed[i], fixed[i + 1]]);
        let u32_at = |i: usize| u32::from_be_bytes([fixed[i], fixed[i + 1], fixed[i + 2], fixed[i + 3]]);
        let header = Self {
            src_port: u16_at(0),
            dst_port: u16_at(2),
            seq: u32_at(4),
            ack: u32_at(8),
            flags: Flags(fixed[13]),
            window: u16_at(14),
            urgent: u16_at(18),
            options: HeaderOptions::parse(&bytes[HEADER_LEN..len], Flags(fixed[13])),
        };
        Ok((header, len))
    }

    /// The length of the header when built, options included.
    #[inline]
    pub fn wire_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// Writes the header into `out`, which is [`wire_len`](Self::wire_len) long, with a checksum of zero.
    ///
    /// # Panics
    /// If `out` has another length.
    #[inline]
    pub fn write(&self, out: &mut [u8]) {
        assert_eq!(out.len(), self.wire_len(), "room for the header");
        out[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        out[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        out[4..8].copy_from_slice(&self.seq.to_be_bytes());
        out[8..12].copy_from_slice(&self.ack.to_be_bytes());
        out[12] = ((out.len() / 4) << 4) as u8;
        out[13] = self.flags.0;
        out[14..16].copy_from_slice(&self.window.to_be_bytes());
        out[16..18].fill(0);
        out[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        self.options.write(&mut out[HEADER_LEN..]);
    }
}

/// The fixed part of a header as it stands in a packet, which may be cut short behind it.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<'b>(&'b [u8; HEADER_LEN]);

impl<'b> Fixed<'b> {
    /// The header at the start of `bytes`; `None` where there is less.
    #[inline]
    pub fn of(bytes: &'b [u8]) -> Option<Self> {
        bytes.first_chunk().map(Self)
    }

    /// The ports, from and to.
    #[inline]
    pub const fn ports(self) -> (u16, u16) {
        (u16::from_be_bytes([self.0[0], self.0[1]]), u16::from_be_bytes([self.0[2], self.0[3]]))
    }

    /// The sequence number.
    #[inline]
    pub const fn seq(self) -> u32 {
        u32::from_be_bytes([self.0[4], self.0[5], self.0[6], self.0[7]])
    }

    /// Octets of the header as it says, options included.
    #[inline]
    pub const fn header_len(self) -> usize {
        (self.0[12] >> 4) as usize * 4
    }

    /// The control bits.
    #[inline]
    pub const fn flags(self) -> Flags {
        Flags(self.0[13])
    }
}

/// Where in a header the checksum stands.
pub const CHECKSUM_AT: usize = 16;

/// Writes the checksum of the segment that `frame` holds, whose header was written with none.
///
/// # Panics
/// If the frame is shorter than a header.
#[inline]
pub fn seal(src: IpAddr, dst: IpAddr, frame: &mut Frame) {
    let sum = pseudo_header(src, dst, PROTOCOL, frame.len()).bytes(frame.bytes()).finish();
    frame.header_mut(HEADER_LEN)[16..18].copy_from_slice(&sum.to_be_bytes());
}

mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WSCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
}

impl HeaderOptions {
    /// RFC 7323 §2.3: "If a Window Scale option is received with a shift.cnt value larger than 14, the TCP SHOULD log
    /// the error but MUST use 14".
    const MAX_WSCALE: u8 = 14;

    #[inline]
    fn parse(mut rest: &[u8], flags: Flags) -> Self {
        let mut options = Self::default();
        // RFC 7323 appendix A's layout is what nearly every segment carries.
        if let [kind::NOP, kind::NOP, kind::TIMESTAMPS, 10, a, b, c, d, e, f, g, h] = *rest {
            let (value, echo) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            options.timestamps = Some(Timestamps { value, echo });
            return options;
        }
        while let [kind, tail @ ..] = rest {
            match *kind {
                kind::END => break,
                kind::NOP => rest = tail,
                kind => {
                    // RFC 9293 MUST-7: "be prepared to handle an illegal option length (e.g., zero)": the rest is unread.
                    let [len, ..] = *tail else { break };
                    let len = usize::from(len);
                    if len < 2 || len > rest.len() {
                        break;
                    }
                    options.one(kind, &rest[2..len], flags.has(Flags::SYN));
                    rest = &rest[len..];
                }
            }
        }
        options
    }

    fn one(&mut self, kind: u8, body: &[u8], syn: bool) {
        match (kind, body) {
            // RFC 9293 §3.7.1: "This option may be sent in the initial connection request … MUST NOT be sent in other
            // segments".
            (kind::MSS, [a, b]) if syn => self.mss = Some(u16::from_be_bytes([*a, *b])).filter(|mss| *mss != 0),
            (kind::WSCALE, [shift]) if syn => self.wscale = Some((*shift).min(Self::MAX_WSCALE)),
            (kind::SACK_PERMITTED, []) if syn => self.sack_permitted = true,
            (kind::TIMESTAMPS, [a, b, c, d, e, f, g, h]) => {
                let (value, echo) = (u32::from_be_bytes([*a, *b, *c, *d]), u32::from_be_bytes([*e, *f, *g, *h]));
                self.timestamps = Some(Timestamps { value, echo });
            }
            (kind::SACK, blocks) if !syn && blocks.len() % 8 == 0 => {
                for block in blocks.chunks_exact(8) {
                    let start = u32::from_be_bytes([block[0], block[1], block[2], block[3]]);
                    let end = u32::from_be_bytes([block[4], block[5], block[6], block[7]]);
                    self.sack.push(start, end);
                }
            }
            _ => {}
        }
    }

    /// Their length when built: a multiple of four.
    #[inline]
    pub fn len(&self) -> usize {
        let mut len = 0;
        if self.mss.is_some() {
            len += 4;
        }
        if self.timestamps.is_some() {
            len += 12;
        } else if self.sack_permitted {
            len += 4;
        }
        if self.wscale.is_some() {
            len += 4;
        }
        if !self.sack.is_empty() {
            len += 4 + 8 * self.sack.as_slice().len();
        }
        len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In Linux's order: MSS, SACK permitted, timestamps, window scale, SACK.
    #[inline]
    fn write(&self, mut out: &mut [u8]) {
        fn put<const N: usize>(out: &mut &mut [u8], bytes: [u8; N]) {
            let (head, tail) = core::mem::take(out).split_at_mut(N);
            head.copy_from_slice(&bytes);
            *out = tail;
        }
        if let Some(mss) = self.mss {
            let [a, b] = mss.to_be_bytes();
            put(&mut out, [kind::MSS, 4, a, b]);
        }
        if let Some(Timestamps { value, echo }) = self.timestamps {
            let lead = if self.sack_permitted { [kind::SACK_PERMITTED, 2] } else { [kind::NOP; 2] };
            put(&mut out, [lead[0], lead[1], kind::TIMESTAMPS, 10]);
            put(&mut out, value.to_be_bytes());
            put(&mut out, echo.to_be_bytes());
        } else if self.sack_permitted {
            put(&mut out, [kind::NOP, kind::NOP, kind::SACK_PERMITTED, 2]);
        }
        if let Some(shift) = self.wscale {
            put(&mut out, [kind::NOP, kind::WSCALE, 3, shift]);
        }
        if !self.sack.is_empty() {
            let blocks = self.sack.as_slice();
            put(&mut out, [kind::NOP, kind::NOP, kind::SACK, 2 + 8 * blocks.len() as u8]);
            for (start, end) in blocks {
                put(&mut out, start.to_be_bytes());
                put(&mut out, end.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn build(header: &Header) -> Vec<u8> {
        let mut out = vec![0xaa; header.wire_len()];
        header.write(&mut out);
        out
    }

    #[test]
    fn syn_looks_like_linux() {
        let mut header = Header { flags: Flags::SYN, ..Header::default() };
        header.options = HeaderOptions {
            mss: Some(1460),
            wscale: Some(7),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: 1, echo: 0 }),
            ..HeaderOptions::default()
        };
        assert_eq!(build(&header)[20..], [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]);
        header.options.timestamps = None;
        assert_eq!(build(&header)[20..], [2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7]);
    }

    #[test]
    fn odd_options_do_not_hurt() {
        let parse = |options: &[u8]| HeaderOptions::parse(options, Flags::SYN);
        assert_eq!(parse(&[2, 0, 0, 0]), HeaderOptions::default());
        assert_eq!(parse(&[2]), HeaderOptions::default());
        assert_eq!(parse(&[3, 3, 99]).wscale, Some(14));
        assert_eq!(parse(&[77, 4, 1, 2, 2, 4, 1, 0]).mss, Some(256));
        assert_eq!(parse(&[0, 2, 4, 1, 0]).mss, None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_parse_or_err(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Header::parse(&bytes);
        }

        #[test]
        fn parse_undoes_write(seq: u32, ack: u32, window: u16, ts: Option<(u32, u32)>, blocks in proptest::collection::vec(any::<(u32, u32)>(), 0..4)) {
            let mut header = Header { src_port: 1, dst_port: 2, seq, ack, window, flags: Flags::ACK, ..Header::default() };
            header.options.timestamps = ts.map(|(value, echo)| Timestamps { value, echo });
            for (start, end) in blocks {
                header.options.sack.push(start, end);
            }
            let bytes = build(&header);
            prop_assert_eq!(Header::parse(&bytes), Ok((header, bytes.len())));
        }
    }
}
