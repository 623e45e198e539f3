//! The Internet checksum (RFC 1071), its incremental update (RFC 1624) and its combination.

/// A running one's complement sum, kept unfolded in 64 bits.
///
/// ```
/// use septet_core::checksum::Sum;
/// // RFC 1071 §3's example.
/// let sum = Sum::new().bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
/// assert_eq!(sum.finish(), !0xddf2);
/// ```
#[derive(Clone, Copy, Default, Debug)]
#[must_use]
pub struct Sum(u64);

impl Sum {
    /// The empty sum.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds `data`, which starts at an even offset of what is summed; an odd last byte is padded with zero.
    pub fn bytes(self, data: &[u8]) -> Self {
        // RFC 1071 §2(B): the sum is independent of byte order, so native words are summed and swapped once; §2(C): as wide
        // words as the machine adds with carry. Two sums, so that neither waits for the other.
        let mut sums = [0u128; 2];
        let (blocks, rest) = data.as_chunks::<64>();
        for block in blocks {
            for pair in block.as_chunks::<16>().0 {
                let (words, _) = pair.as_chunks::<8>();
                sums[0] += u128::from(u64::from_ne_bytes(words[0]));
                sums[1] += u128::from(u64::from_ne_bytes(words[1]));
            }
        }
        let (words, rest) = rest.as_chunks::<4>();
        let mut sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
        let (pairs, rest) = rest.as_chunks::<2>();
        for pair in pairs {
            sum += u64::from(u16::from_ne_bytes(*pair));
        }
        if let [last] = rest {
            sum += u64::from(u16::from_ne_bytes([*last, 0]));
        }
        for wide in sums {
            sum += (wide >> 64) as u64 + (wide as u64 >> 32) + (wide as u64 & 0xffff_ffff);
        }
        self.word(u16::from_be(fold(sum)))
    }

    /// Adds a 16-bit word in host order.
    pub const fn word(self, word: u16) -> Self {
        Self(self.0 + word as u64)
    }

    /// Adds a 32-bit word in host order.
    pub const fn dword(self, word: u32) -> Self {
        Self(self.0 + (word >> 16) as u64 + (word & 0xffff) as u64)
    }

    /// The checksum field: the complement of the folded sum.
    pub fn finish(self) -> u16 {
        !fold(self.0)
    }
}

/// The checksum of `data`.
pub fn of(data: &[u8]) -> u16 {
    Sum::new().bytes(data).finish()
}

/// RFC 1624 eqn. 3: `HC' = ~(~HC + ~m + m')`, the checksum after a 16-bit field changed from `old` to `new`.
pub fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !fold(u64::from(!checksum) + u64::from(!old) + u64::from(new))
}

/// Adds the carries back in; what is not zero stays so.
const fn fold(sum: u64) -> u16 {
    // Below 2^33, then below 2^18, then at most 2^16 + 2: the last carry adds no further one.
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(data: &[u8]) -> u16 {
        let mut sum = 0u64;
        for pair in data.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
        !fold(sum)
    }

    #[test]
    fn agrees_with_the_plain_definition() {
        let data: Vec<u8> = (0..2000u32).map(|i| (i * 7 + i / 5) as u8).collect();
        for len in 0..200 {
            assert_eq!(of(&data[..len]), plain(&data[..len]), "{len}");
        }
        assert_eq!(of(&data), plain(&data));
        assert_eq!(of(&[0xff; 65535]), plain(&[0xff; 65535]));
    }

    #[test]
    fn incremental_update_is_the_whole_sum() {
        let mut data: Vec<u8> = (0..40).collect();
        let before = of(&data);
        let old = u16::from_be_bytes([data[8], data[9]]);
        data[8] = 0xfe;
        data[9] = 0x01;
        assert_eq!(update(before, old, 0xfe01), of(&data));
    }
}
