//! The Hamming (7,4) code (Hamming 1950): four bits of data, three of parity, one error corrected.
//!
//! Bits are numbered from one: 1, 2 and 4 are parity over the positions that have that bit in their number; 3, 5, 6
//! and 7 are the data, most significant first. Bit 1 is the most significant of the seven.

/// What the decoder found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Correction {
    /// No parity was wrong.
    None,
    /// The bit at this position, `1..=7`, was turned back. Two errors look like one at a third place, and are made
    /// worse.
    At(u8),
}

/// The seven-bit word of the low four bits of `nibble`.
///
/// ```
/// use septet_datalink::check::hamming;
/// assert_eq!(hamming::encode(0b1011), 0b0110011);
/// ```
pub const fn encode(nibble: u8) -> u8 {
    let (d3, d5, d6, d7) = (nibble >> 3 & 1, nibble >> 2 & 1, nibble >> 1 & 1, nibble & 1);
    let (p1, p2, p4) = (d3 ^ d5 ^ d7, d3 ^ d6 ^ d7, d5 ^ d6 ^ d7);
    p1 << 6 | p2 << 5 | d3 << 4 | p4 << 3 | d5 << 2 | d6 << 1 | d7
}

/// The nibble of the low seven bits of `word`, with at most one bit corrected.
pub const fn decode(word: u8) -> (u8, Correction) {
    let mut syndrome = 0;
    let mut position = 1;
    while position <= 7 {
        if word >> (7 - position) & 1 == 1 {
            syndrome ^= position;
        }
        position += 1;
    }
    let (word, correction) =
        if syndrome == 0 { (word, Correction::None) } else { (word ^ 1 << (7 - syndrome), Correction::At(syndrome)) };
    ((word >> 4 & 1) << 3 | (word & 0b111), correction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_is_corrected_and_two_are_mistaken() {
        for nibble in 0..16 {
            let word = encode(nibble);
            assert_eq!(decode(word), (nibble, Correction::None));
            for a in 1..=7 {
                assert_eq!(decode(word ^ 1 << (7 - a)), (nibble, Correction::At(a)));
                for b in a + 1..=7 {
                    // The syndrome points at a ^ b, a third place.
                    let (_, correction) = decode(word ^ 1 << (7 - a) ^ 1 << (7 - b));
                    assert_eq!(correction, Correction::At(a ^ b));
                }
            }
        }
    }

    #[test]
    fn the_distance_is_three() {
        let words: Vec<u8> = (0..16).map(encode).collect();
        let distances = words.iter().flat_map(|a| words.iter().map(move |b| (a ^ b).count_ones())).filter(|&d| d > 0);
        assert_eq!(distances.min(), Some(3));
    }
}
