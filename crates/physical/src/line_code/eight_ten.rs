//! 8b/10b (Widmer and Franaszek 1983; IEEE 802.3 tables 36-1 and 36-2): an octet becomes ten bits, and the running
//! disparity keeps ones and zeros in balance.

use super::{Violation, ViolationKind};

/// What a ten-bit code group says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// `/Dx.y/`: the octet `y << 5 | x`.
    Data(u8),
    /// `/Kx.y/`: one of the twelve special groups.
    Control(u8),
}

/// `/K28.5/`, the comma of idle ordered sets.
pub const K28_5: Group = Group::Control(5 << 5 | 28);
/// `/S/`, start of packet.
pub const START: Group = Group::Control(7 << 5 | 27);
/// `/T/`, end of packet.
pub const TERMINATE: Group = Group::Control(7 << 5 | 29);
/// `/R/`, carrier extend.
pub const EXTEND: Group = Group::Control(7 << 5 | 23);
/// `/V/`, error propagation.
pub const ERROR: Group = Group::Control(7 << 5 | 30);

/// Whether more ones or more zeros have been sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Disparity {
    /// More zeros: the state after reset (§36.2.4.4).
    #[default]
    Negative,
    /// More ones.
    Positive,
}

impl Disparity {
    const fn flipped(self) -> Self {
        match self {
            Self::Negative => Self::Positive,
            Self::Positive => Self::Negative,
        }
    }

    /// The disparity after a sub-block of `width` bits (§36.2.4.4).
    const fn after(self, block: u16, width: u32) -> Self {
        let ones = block.count_ones() * 2;
        if ones > width {
            return Self::Positive;
        }
        if ones < width {
            return Self::Negative;
        }
        // "Running disparity at the end of the sub-block is positive if … the 6-bit sub-block is 000111, or … the 4-bit
        // sub-block is 0011", and the reverse.
        match (width, block) {
            (6, 0b000111) | (4, 0b0011) => Self::Positive,
            (6, 0b111000) | (4, 0b1100) => Self::Negative,
            _ => self,
        }
    }
}

/// abcdei for negative running disparity; for positive, the complement where unbalanced (and for D7).
const SIX: [u16; 32] = [
    0b100111, 0b011101, 0b101101, 0b110001, 0b110101, 0b101001, 0b011001, 0b111000, 0b111001, 0b100101, 0b010101,
    0b110100, 0b001101, 0b101100, 0b011100, 0b010111, 0b011011, 0b100011, 0b010011, 0b110010, 0b001011, 0b101010,
    0b011010, 0b111010, 0b110011, 0b100110, 0b010110, 0b110110, 0b001110, 0b101110, 0b011110, 0b101011,
];
/// fghj of data for negative running disparity; `.7` is the primary form.
const FOUR: [u16; 8] = [0b1011, 0b1001, 0b0101, 0b1100, 0b1101, 0b1010, 0b0110, 0b1110];
/// fghj of control groups for negative running disparity; for positive, always the complement.
const FOUR_CONTROL: [u16; 8] = [0b1011, 0b0110, 0b1010, 0b1100, 0b1101, 0b0101, 0b1001, 0b0111];

/// The code group of `group` where the running disparity is `rd`, its first bit on the line (`a`) in bit 9, and the
/// running disparity after it. Control groups outside the twelve of table 36-2 are encoded by the same rule.
pub const fn encode(group: Group, rd: Disparity) -> (u16, Disparity) {
    let (octet, control) = match group {
        Group::Data(octet) => (octet, false),
        Group::Control(octet) => (octet, true),
    };
    let (x, y) = ((octet & 0x1f) as usize, (octet >> 5) as usize);
    let six = if control && x == 28 { 0b001111 } else { SIX[x] };
    let six =
        if matches!(rd, Disparity::Positive) && (six.count_ones() != 3 || six == 0b111000) { !six & 0x3f } else { six };
    let middle = rd.after(six, 6);
    let four = if control {
        let four = FOUR_CONTROL[y];
        if matches!(middle, Disparity::Positive) { !four & 0xf } else { four }
    } else {
        // The alternate form of `.7` avoids five equal bits in a row across the sub-blocks.
        let alternate = y == 7
            && match middle {
                Disparity::Negative => matches!(x, 17 | 18 | 20),
                Disparity::Positive => matches!(x, 11 | 13 | 14),
            };
        let four = if alternate { 0b0111 } else { FOUR[y] };
        let turns = four.count_ones() != 2 || four == 0b1100;
        if matches!(middle, Disparity::Positive) && turns { !four & 0xf } else { four }
    };
    (six << 4 | four, middle.after(four, 4))
}

/// What the ten low bits of `code` say where the running disparity is `rd`, and the running disparity after them,
/// which is computed from the bits as received whether or not they are valid (§36.2.4.5).
///
/// # Errors
/// [`ViolationKind::NotInCode`] for a group in neither column of the tables, [`ViolationKind::Disparity`] for one of
/// the other column; `at` is zero.
pub fn decode(code: u16, rd: Disparity) -> (Result<Group, Violation>, Disparity) {
    let code = code & 0x3ff;
    let after = rd.after(code >> 4, 6).after(code & 0xf, 4);
    let result = match lookup(code, rd) {
        Some(group) => Ok(group),
        None if lookup(code, rd.flipped()).is_some() => Err(ViolationKind::Disparity),
        None => Err(ViolationKind::NotInCode),
    };
    (result.map_err(|kind| Violation { at: 0, kind }), after)
}

/// The twelve special code groups of table 36-2.
const CONTROL: [u8; 12] = [0x1c, 0x3c, 0x5c, 0x7c, 0x9c, 0xbc, 0xdc, 0xfc, 0xf7, 0xfb, 0xfd, 0xfe];

fn lookup(code: u16, rd: Disparity) -> Option<Group> {
    let entry = COLUMNS[matches!(rd, Disparity::Positive) as usize][usize::from(code)];
    match entry {
        NONE => None,
        octet if octet < 0x100 => Some(Group::Data(octet as u8)),
        octet => Some(Group::Control(octet as u8)),
    }
}

const NONE: u16 = u16::MAX;

/// For each disparity and code group: the octet, plus 256 for a control group.
static COLUMNS: [[u16; 1024]; 2] = [column(Disparity::Negative), column(Disparity::Positive)];

const fn column(rd: Disparity) -> [u16; 1024] {
    let mut table = [NONE; 1024];
    let mut octet = 0;
    while octet < 256 {
        table[encode(Group::Data(octet as u8), rd).0 as usize] = octet;
        octet += 1;
    }
    let mut i = 0;
    while i < CONTROL.len() {
        table[encode(Group::Control(CONTROL[i]), rd).0 as usize] = 256 + CONTROL[i] as u16;
        i += 1;
    }
    table
}

/// Appends the bits of `group`, first on the line first.
pub fn push(bits: &mut Vec<bool>, group: Group, rd: &mut Disparity) {
    let (code, after) = encode(group, *rd);
    *rd = after;
    bits.extend((0..10).rev().map(|i| code >> i & 1 == 1));
}

#[cfg(test)]
#[allow(clippy::unusual_byte_groupings, reason = "the groups are the sub-blocks")]
mod tests {
    use super::*;
    use Disparity::{Negative, Positive};

    const fn d(x: u8, y: u8) -> Group {
        Group::Data(y << 5 | x)
    }

    const fn k(x: u8, y: u8) -> Group {
        Group::Control(y << 5 | x)
    }

    #[test]
    fn published_groups() {
        // IEEE 802.3 tables 36-1 and 36-2: group, current RD−, current RD+.
        let table = [
            (d(0, 0), 0b100111_0100, 0b011000_1011),
            (d(1, 0), 0b011101_0100, 0b100010_1011),
            (d(3, 0), 0b110001_1011, 0b110001_0100),
            (d(7, 0), 0b111000_1011, 0b000111_0100),
            (d(10, 2), 0b010101_0101, 0b010101_0101),
            (d(21, 2), 0b101010_0101, 0b101010_0101),
            (d(16, 2), 0b011011_0101, 0b100100_0101),
            (d(5, 6), 0b101001_0110, 0b101001_0110),
            (d(21, 5), 0b101010_1010, 0b101010_1010),
            (d(3, 3), 0b110001_1100, 0b110001_0011),
            (d(23, 4), 0b111010_0010, 0b000101_1101),
            (d(11, 7), 0b110100_1110, 0b110100_1000),
            (d(17, 7), 0b100011_0111, 0b100011_0001),
            (d(31, 7), 0b101011_0001, 0b010100_1110),
            (k(28, 0), 0b001111_0100, 0b110000_1011),
            (k(28, 1), 0b001111_1001, 0b110000_0110),
            (k(28, 2), 0b001111_0101, 0b110000_1010),
            (k(28, 3), 0b001111_0011, 0b110000_1100),
            (k(28, 4), 0b001111_0010, 0b110000_1101),
            (k(28, 5), 0b001111_1010, 0b110000_0101),
            (k(28, 6), 0b001111_0110, 0b110000_1001),
            (k(28, 7), 0b001111_1000, 0b110000_0111),
            (k(23, 7), 0b111010_1000, 0b000101_0111),
            (k(27, 7), 0b110110_1000, 0b001001_0111),
            (k(29, 7), 0b101110_1000, 0b010001_0111),
            (k(30, 7), 0b011110_1000, 0b100001_0111),
        ];
        for (group, minus, plus) in table {
            assert_eq!(encode(group, Negative).0, minus, "{group:?} RD-");
            assert_eq!(encode(group, Positive).0, plus, "{group:?} RD+");
        }
    }

    #[test]
    fn all_groups_decode_and_stay_balanced() {
        let all = (0..=255).map(Group::Data).chain(CONTROL.map(Group::Control));
        for group in all {
            for rd in [Negative, Positive] {
                let (code, after) = encode(group, rd);
                assert_eq!(decode(code, rd), (Ok(group), after));
                let ones = code.count_ones();
                assert!(
                    matches!((ones, rd, after), (5, ..) | (6, Negative, Positive) | (4, Positive, Negative)),
                    "{group:?}"
                );
                assert_eq!(ones == 5, rd == after, "{group:?}");
            }
        }
    }

    #[test]
    fn two_columns_hold_the_right_number_of_groups() {
        for column in &COLUMNS {
            assert_eq!(column.iter().filter(|&&e| e != NONE).count(), 268);
        }
    }

    #[test]
    fn wrong_column_and_no_column_are_told_apart() {
        assert_eq!(decode(0b100111_0100, Positive).0.unwrap_err().kind, ViolationKind::Disparity);
        assert_eq!(decode(0b111111_0000, Negative).0.unwrap_err().kind, ViolationKind::NotInCode);
    }

    #[test]
    fn no_more_than_five_equal_bits_in_a_row() {
        let mut bits = Vec::new();
        let mut rd = Negative;
        for first in 0..=255 {
            for second in 0..=255 {
                push(&mut bits, Group::Data(first), &mut rd);
                push(&mut bits, Group::Data(second), &mut rd);
            }
        }
        let mut run = 0;
        let mut last = None;
        for bit in bits {
            run = if last == Some(bit) { run + 1 } else { 1 };
            last = Some(bit);
            assert!(run <= 5);
        }
    }
}
