//! A fixed hasher: the same order of everything on every machine, and quick for short keys.

use core::hash::{BuildHasherDefault, Hasher};

/// The hash map of storey 3.
pub(crate) type Map<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<Multiply>>;

/// Multiplies and rotates each word in; keys come from inside the lab and need no defence.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Multiply(u64);

impl Multiply {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Multiply {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, i: u8) {
        self.mix(i.into());
    }

    fn write_u16(&mut self, i: u16) {
        self.mix(i.into());
    }

    fn write_u32(&mut self, i: u32) {
        self.mix(i.into());
    }

    fn write_u64(&mut self, i: u64) {
        self.mix(i);
    }

    fn write_usize(&mut self, i: usize) {
        self.mix(i as u64);
    }

    fn finish(&self) -> u64 {
        // The table looks at the high bits and the low ones: let each depend on all.
        self.0 ^ (self.0 >> 32)
    }
}
