//! One number over everything that was delivered: the same run gives the same number.

use core::fmt;

use septet_core::{Frame, Instant, Port, StationId};
use xxhash_rust::xxh3;

/// The digest of a run.
///
/// Each station has a chain, which starts at zero. Each delivery of a frame to it replaces its chain by the XXH3-64 of
/// these bytes with the chain before as seed; all numbers are little-endian:
///
/// | bytes | what |
/// |---|---|
/// | 0..8 | time of arrival in nanoseconds |
/// | 8..12 | number of the station |
/// | 12..14 | number of the port |
/// | 14..16 | 1 where bit errors touched the frame, else 0 |
/// | 16..20 | length in bytes |
/// | 20..24 | the FCS as received where bit errors touched the frame, else 0 |
/// | 24..32 | XXH3-64 of what is behind the first 64 bytes of the frame (of nothing, where there is none) |
/// | 32..96 | the first 64 bytes of the frame; fewer, and the record ends earlier, where it is shorter |
///
/// The digest starts at zero, too. Each station, in the order of their numbers, replaces it by the XXH3-64 of the eight
/// bytes of its chain with the digest before as seed. So it does not matter which of two stations hears of something
/// first at one instant, nor whether one loop played both.
///
/// It is written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(u64);

impl Digest {
    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Of these chains, in the order of their stations.
    pub(crate) fn of(chains: impl Iterator<Item = Chain>) -> Self {
        Self(chains.fold(0, |digest, Chain(chain)| xxh3::xxh3_64_with_seed(&chain.to_le_bytes(), digest)))
    }
}

/// What was delivered to one station, in one number.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Chain(u64);

impl Chain {
    pub(crate) fn deliver(&mut self, at: Instant, station: StationId, port: Port, frame: &Frame) {
        let (head, rest) = frame.digest();
        let mut record = [0; 32 + Frame::HEAD];
        record[0..8].copy_from_slice(&at.as_nanos().to_le_bytes());
        record[8..12].copy_from_slice(&station.0.to_le_bytes());
        record[12..14].copy_from_slice(&port.0.to_le_bytes());
        record[14..16].copy_from_slice(&u16::from(frame.fcs.is_some()).to_le_bytes());
        record[16..20].copy_from_slice(&(frame.len() as u32).to_le_bytes());
        record[20..24].copy_from_slice(&frame.fcs.unwrap_or(0).to_le_bytes());
        record[24..32].copy_from_slice(&rest.to_le_bytes());
        self.0 = match head.as_array::<{ Frame::HEAD }>() {
            // Nearly every frame; of one length, the record is hashed without looking at it.
            Some(head) => {
                record[32..].copy_from_slice(head);
                xxh3::xxh3_64_with_seed(&record, self.0)
            }
            None => {
                record[32..32 + head.len()].copy_from_slice(head);
                xxh3::xxh3_64_with_seed(&record[..32 + head.len()], self.0)
            }
        };
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
