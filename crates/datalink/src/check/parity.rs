//! Parity in one and in two dimensions.

/// Which number of ones, the parity bit included, is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parity {
    /// An even number.
    Even,
    /// An odd number.
    Odd,
}

/// The parity bit of `data`.
///
/// ```
/// use septet_datalink::check::parity::{Parity, bit};
/// assert!(bit(&[0b0000_0111], Parity::Even));
/// assert!(!bit(&[0b0000_0111], Parity::Odd));
/// ```
pub fn bit(data: &[u8], parity: Parity) -> bool {
    let odd = data.iter().fold(0, |acc, octet| acc ^ octet).count_ones() % 2 == 1;
    odd == (parity == Parity::Even)
}

/// The check bits of two-dimensional parity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowsAndColumns {
    /// One bit for each octet, the first in the most significant bit.
    pub rows: Vec<u8>,
    /// One bit for each bit position.
    pub columns: u8,
}

/// The parity of each octet of `data` and of each bit position over all octets.
pub fn rows_and_columns(data: &[u8], parity: Parity) -> RowsAndColumns {
    let mut rows = vec![0; data.len().div_ceil(8)];
    for (i, octet) in data.iter().enumerate() {
        rows[i / 8] |= u8::from(bit(&[*octet], parity)) << (7 - i % 8);
    }
    let columns = data.iter().fold(0, |acc, octet| acc ^ octet);
    RowsAndColumns { rows, columns: if parity == Parity::Even { columns } else { !columns } }
}

/// What two-dimensional parity says of received data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every row and column agrees.
    Clean,
    /// One row and one column disagree: their crossing, an octet and a bit of it (0 is the least significant), is wrong
    /// if it was a single error.
    Single {
        /// Which octet.
        octet: usize,
        /// Which bit.
        bit: u8,
    },
    /// More than a single error.
    Damaged,
}

/// Compares received `data` with the received `check`.
pub fn locate(data: &[u8], check: &RowsAndColumns, parity: Parity) -> Verdict {
    let ours = rows_and_columns(data, parity);
    if ours.rows.len() != check.rows.len() {
        return Verdict::Damaged;
    }
    let columns = ours.columns ^ check.columns;
    let mut wrong_rows = (0..data.len()).filter(|i| (ours.rows[i / 8] ^ check.rows[i / 8]) >> (7 - i % 8) & 1 == 1);
    match (wrong_rows.next(), wrong_rows.next(), columns.count_ones()) {
        (None, _, 0) => Verdict::Clean,
        (Some(octet), None, 1) => Verdict::Single { octet, bit: columns.trailing_zeros() as u8 },
        _ => Verdict::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_error_is_located() {
        let mut data = *b"septet!!x";
        let check = rows_and_columns(&data, Parity::Even);
        assert_eq!(locate(&data, &check, Parity::Even), Verdict::Clean);
        data[8] ^= 0x20;
        assert_eq!(locate(&data, &check, Parity::Even), Verdict::Single { octet: 8, bit: 5 });
        data[1] ^= 0x20;
        assert_eq!(locate(&data, &check, Parity::Even), Verdict::Damaged);
    }

    #[test]
    fn four_errors_in_a_rectangle_are_missed() {
        let mut data = *b"rectangle";
        let check = rows_and_columns(&data, Parity::Odd);
        for octet in [2, 6] {
            data[octet] ^= 0b0100_0010;
        }
        assert_eq!(locate(&data, &check, Parity::Odd), Verdict::Clean);
    }
}
