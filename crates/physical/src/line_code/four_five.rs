//! 4B5B (IEEE 802.3 table 24-1, from FDDI): a nibble becomes five bits with enough ones to keep NRZI's clock alive.

use super::{Violation, ViolationKind};

/// What a five-bit code group says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// A nibble of data, `0..=15`.
    Data(u8),
    /// `/I/`, between frames.
    Idle,
    /// `/J/`, first half of the start-of-stream delimiter.
    J,
    /// `/K/`, second half of the start-of-stream delimiter.
    K,
    /// `/T/`, first half of the end-of-stream delimiter.
    T,
    /// `/R/`, second half of the end-of-stream delimiter.
    R,
    /// `/H/`, transmit error: forces the receiver to reject the frame.
    H,
}

/// Table 24-1, data: nibble 0 to F.
const DATA: [u8; 16] = [
    0b11110, 0b01001, 0b10100, 0b10101, 0b01010, 0b01011, 0b01110, 0b01111, 0b10010, 0b10011, 0b10110, 0b10111,
    0b11010, 0b11011, 0b11100, 0b11101,
];

/// The code group, its first bit on the line in bit 4.
pub const fn encode(group: Group) -> u8 {
    match group {
        Group::Data(nibble) => DATA[(nibble & 0xf) as usize],
        Group::Idle => 0b11111,
        Group::J => 0b11000,
        Group::K => 0b10001,
        Group::T => 0b01101,
        Group::R => 0b00111,
        Group::H => 0b00100,
    }
}

/// What the five low bits of `code` say.
///
/// # Errors
/// [`ViolationKind::NotInCode`] for the eleven groups without a meaning; `at` is zero.
pub fn decode(code: u8) -> Result<Group, Violation> {
    Ok(match code & 0x1f {
        0b11111 => Group::Idle,
        0b11000 => Group::J,
        0b10001 => Group::K,
        0b01101 => Group::T,
        0b00111 => Group::R,
        0b00100 => Group::H,
        code => match DATA.iter().position(|&d| d == code) {
            Some(nibble) => Group::Data(nibble as u8),
            None => return Err(Violation { at: 0, kind: ViolationKind::NotInCode }),
        },
    })
}

/// Appends the bits of `group`, first on the line first.
pub fn push(bits: &mut Vec<bool>, group: Group) {
    let code = encode(group);
    bits.extend((0..5).rev().map(|i| code >> i & 1 == 1));
}

/// The group in the five bits `bits`.
///
/// # Errors
/// As [`decode`]; [`ViolationKind::Truncated`] where there are fewer than five.
pub fn read(bits: &[bool]) -> Result<Group, Violation> {
    let [a, b, c, d, e, ..] = *bits else { return Err(Violation { at: 0, kind: ViolationKind::Truncated }) };
    decode([a, b, c, d, e].into_iter().fold(0, |acc, bit| acc << 1 | u8::from(bit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_what_it_says_and_the_rest_is_none() {
        let mut known = 0;
        for code in 0..32 {
            match decode(code) {
                Ok(group) => {
                    assert_eq!(encode(group), code);
                    known += 1;
                }
                Err(violation) => assert_eq!(violation.kind, ViolationKind::NotInCode),
            }
        }
        assert_eq!(known, 16 + 6);
    }

    #[test]
    fn data_never_starves_the_clock() {
        // At most one leading and two trailing zeros, so never more than three zeros in a row.
        for nibble in 0..16 {
            let code = encode(Group::Data(nibble));
            assert!(code.leading_zeros() - 3 <= 1 && code.trailing_zeros() <= 2, "{nibble:x}");
        }
    }

    #[test]
    fn bits_go_in_the_order_of_the_table() {
        let mut bits = Vec::new();
        push(&mut bits, Group::J);
        assert_eq!(bits, [true, true, false, false, false]);
        assert_eq!(read(&bits), Ok(Group::J));
        assert_eq!(read(&bits[..4]).unwrap_err().kind, ViolationKind::Truncated);
    }
}
