//! One number over everything that was delivered: the same run gives the same number.

use core::fmt;

use septet_core::{Frame, Instant, Port, StationId};
use xxhash_rust::xxh3;

/// The digest of a run.
///
/// It starts at zero. Each delivery of a frame to a station replaces it by the XXH3-64 of 40 bytes with the digest
/// before as seed; all numbers are little-endian:
///
/// | bytes | what |
/// |---|---|
/// | 0..8 | time of arrival in nanoseconds |
/// | 8..12 | number of the station |
/// | 12..14 | number of the port |
/// | 14..16 | 1 where bit errors touched the frame, else 0 |
/// | 16..20 | length in bytes |
/// | 20..24 | the FCS as received where bit errors touched the frame, else 0 |
/// | 24..32 | XXH3-64 of the first 64 bytes of the frame (of all, where it is shorter) |
/// | 32..40 | XXH3-64 of the rest (of nothing, where there is none) |
///
/// It is written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(u64);

impl Digest {
    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn deliver(&mut self, at: Instant, station: StationId, port: Port, frame: &Frame) {
        let (head, body) = frame.hash();
        let mut record = [0; 40];
        record[0..8].copy_from_slice(&at.as_nanos().to_le_bytes());
        record[8..12].copy_from_slice(&station.0.to_le_bytes());
        record[12..14].copy_from_slice(&port.0.to_le_bytes());
        record[14..16].copy_from_slice(&u16::from(frame.fcs.is_some()).to_le_bytes());
        record[16..20].copy_from_slice(&(frame.len() as u32).to_le_bytes());
        record[20..24].copy_from_slice(&frame.fcs.unwrap_or(0).to_le_bytes());
        record[24..32].copy_from_slice(&head.to_le_bytes());
        record[32..40].copy_from_slice(&body.to_le_bytes());
        self.0 = xxh3::xxh3_64_with_seed(&record, self.0);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
