//! Error detection and correction: what a few extra bits tell about the rest, and what they miss.

pub mod crc;
pub mod hamming;
pub mod missed;
pub mod parity;

use septet_core::checksum;

use crc::Crc;
use parity::Parity;

/// A way to tell whether octets were damaged.
#[derive(Clone, Copy, Debug)]
pub enum Detector {
    /// One parity bit.
    Parity(Parity),
    /// A parity bit for each row of eight bits and one for each column.
    TwoDimensional(Parity),
    /// The Internet checksum (RFC 1071).
    Internet,
    /// A cyclic redundancy check.
    Crc(&'static Crc),
}

impl Detector {
    /// All detectors, from the weakest to the strongest.
    pub const ALL: [Self; 6] = [
        Self::Parity(Parity::Even),
        Self::TwoDimensional(Parity::Even),
        Self::Internet,
        Self::Crc(&crc::CRC_16_X25),
        Self::Crc(&crc::CRC_32),
        Self::Crc(&crc::CRC_32C),
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parity(_) => "parity",
            Self::TwoDimensional(_) => "two-dimensional parity",
            Self::Internet => "Internet checksum",
            Self::Crc(crc) => crc.name,
        }
    }

    /// The detector called `name`, in any case.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detector| detector.name().eq_ignore_ascii_case(name))
    }

    /// `data` with the check bits of this detector behind it.
    pub fn protect(self, data: &[u8]) -> Vec<u8> {
        let mut out = data.to_vec();
        match self {
            Self::Parity(parity) => out.push(u8::from(parity::bit(data, parity))),
            Self::TwoDimensional(parity) => {
                let check = parity::rows_and_columns(data, parity);
                out.extend(check.rows);
                out.push(check.columns);
            }
            Self::Internet => out.extend(checksum::of(data).to_be_bytes()),
            Self::Crc(crc) => crc.append(&mut out),
        }
        out
    }

    /// Whether `word`, made by [`protect`](Self::protect) and perhaps damaged since, looks undamaged.
    pub fn accepts(self, word: &[u8]) -> bool {
        match self {
            Self::Parity(parity) => {
                word.split_last().is_some_and(|(&check, data)| check == u8::from(parity::bit(data, parity)))
            }
            Self::TwoDimensional(_) => {
                // n octets of data, ⌈n/8⌉ octets of row parity, one of column parity.
                let Some(n) = (0..word.len()).find(|n| n + n.div_ceil(8) + 1 == word.len()) else { return false };
                self.protect(&word[..n]) == word
            }
            Self::Internet => {
                let Some((data, check)) = word.split_last_chunk::<2>() else { return false };
                checksum::of(data) == u16::from_be_bytes(*check)
            }
            Self::Crc(crc) => crc.accepts(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn undamaged_is_accepted_and_one_flip_is_not(
            data in proptest::collection::vec(any::<u8>(), 1..80), at in any::<proptest::sample::Index>(),
        ) {
            for detector in Detector::ALL {
                let mut word = detector.protect(&data);
                prop_assert!(detector.accepts(&word), "{}", detector.name());
                // Every one of them sees every single bit error in the data.
                let bit = at.index(data.len() * 8);
                word[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!detector.accepts(&word), "{}", detector.name());
            }
        }

        #[test]
        fn anything_is_judged_without_panic(word in proptest::collection::vec(any::<u8>(), 0..40)) {
            for detector in Detector::ALL {
                let _ = detector.accepts(&word);
            }
        }
    }
}
