//! The stream cipher scrambler of 100BASE-TX (ANSI X3.263 §7.1.1): an 11-bit shift register, `x¹¹ + x⁹ + 1`.
//!
//! It only whitens the spectrum: both ends add the same key stream, so a bit error stays one bit error.

/// Both scrambler and descrambler.
#[derive(Clone, Debug)]
pub struct Scrambler(u16);

impl Scrambler {
    /// Starts from the low eleven bits of `key`; zero, in which the register would stay for ever, counts as one.
    pub const fn new(key: u16) -> Self {
        let key = key & 0x7ff;
        Self(if key == 0 { 1 } else { key })
    }

    /// The next bit of the key stream.
    pub fn next_bit(&mut self) -> bool {
        let bit = (self.0 >> 10 ^ self.0 >> 8) & 1;
        self.0 = (self.0 << 1 | bit) & 0x7ff;
        bit == 1
    }

    /// Adds the key stream to `bits`.
    pub fn apply(&mut self, bits: &mut [bool]) {
        for bit in bits {
            *bit ^= self.next_bit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stream_has_the_longest_period() {
        let mut scrambler = Scrambler::new(0x7ff);
        let stream: Vec<bool> = (0..2 * 2047).map(|_| scrambler.next_bit()).collect();
        let (first, second) = stream.split_at(2047);
        assert_eq!(first, second);
        // A maximal-length sequence has one more one than zeros.
        assert_eq!(first.iter().filter(|&&bit| bit).count(), 1024);
    }

    #[test]
    fn twice_is_nothing() {
        let mut bits = vec![true, false, true, true, false];
        Scrambler::new(5).apply(&mut bits);
        Scrambler::new(5).apply(&mut bits);
        assert_eq!(bits, [true, false, true, true, false]);
    }
}
