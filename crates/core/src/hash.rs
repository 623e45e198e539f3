//! A hasher without a secret, so that a table behaves the same in every run.

use core::hash::{BuildHasherDefault, Hasher};

/// Builds hashers for tables whose keys are small: addresses, ports, ids. Fast, and the same in every run. It does
/// not withstand an adversary who chooses keys so that they collide.
pub type FixedState = BuildHasherDefault<FixedHasher>;

/// A hasher without a secret: multiply and fold, a word at a time.
#[derive(Clone, Copy, Default, Debug)]
pub struct FixedHasher(u64);

impl FixedHasher {
    fn mix(&mut self, word: u64) {
        // The halves of the 128-bit product, folded: every bit of the word reaches every part of the hash.
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xa076_1d64_78bd_642f_u128;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            self.mix(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        self.mix(bytes.len() as u64);
    }

    fn write_u8(&mut self, v: u8) {
        self.mix(v.into());
    }

    fn write_u16(&mut self, v: u16) {
        self.mix(v.into());
    }

    fn write_u32(&mut self, v: u32) {
        self.mix(v.into());
    }

    fn write_u64(&mut self, v: u64) {
        self.mix(v);
    }

    fn write_usize(&mut self, v: usize) {
        self.mix(v as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::hash::BuildHasher;

    #[test]
    fn neighbours_spread_over_low_and_high_bits() {
        let state = FixedState::default();
        let mut low = [0u32; 64];
        let mut high = [0u32; 64];
        for key in 0..6400u64 {
            let hash = state.hash_one(key);
            low[(hash & 63) as usize] += 1;
            high[(hash >> 58) as usize] += 1;
        }
        // 100 each, deviation 10.
        assert!(low.iter().chain(&high).all(|n| (50..=150).contains(n)), "{low:?} {high:?}");
    }
}
