//! Line codes: how bits become levels on a line, and levels bits again.
//!
//! [`nrz`], [`nrzi`], [`manchester`] and [`mlt3`] turn bits into levels; [`four_five`] (4B5B) and [`eight_ten`]
//! (8b/10b) turn nibbles and octets into code groups that one of the former carries.

pub mod eight_ten;
pub mod four_five;
pub mod manchester;
pub mod mlt3;
pub mod nrz;
pub mod nrzi;
pub mod scrambler;
pub mod waveform;

use core::fmt;

/// What the line does for the length of one symbol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Below the middle.
    Low,
    /// The middle: silence, and one of the three levels of MLT-3.
    Zero,
    /// Above the middle.
    High,
}

impl Level {
    /// The opposite level; the middle is its own.
    pub const fn inverted(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::Zero => Self::Zero,
            Self::High => Self::Low,
        }
    }

    const fn of(bit: bool) -> Self {
        if bit { Self::High } else { Self::Low }
    }
}

/// A symbol that the code does not have, or not at that place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which symbol, counted from zero: a level, a pair of half bits, or a code group, as the code counts.
    pub at: usize,
    /// What is wrong with it.
    pub kind: ViolationKind,
}

/// How a symbol breaks its code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ViolationKind {
    /// A level that this code never uses.
    Level,
    /// A bit without the transition in its middle (Manchester).
    NoTransition,
    /// A jump over the middle level (MLT-3).
    Jump,
    /// A code group that is in no table.
    NotInCode,
    /// A code group that the running disparity does not allow here (8b/10b).
    Disparity,
    /// A control group where data must stand, or the reverse.
    Unexpected,
    /// The last symbol is cut short.
    Truncated,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ViolationKind::Level => "a level that the code does not use",
            ViolationKind::NoTransition => "no transition in the middle of the bit",
            ViolationKind::Jump => "a jump over the middle level",
            ViolationKind::NotInCode => "a group that is not in the code",
            ViolationKind::Disparity => "a group that the running disparity forbids",
            ViolationKind::Unexpected => "a control group out of place",
            ViolationKind::Truncated => "the last symbol is cut short",
        };
        write!(f, "code violation at symbol {}: {what}", self.at)
    }
}

impl core::error::Error for Violation {}

/// The bits of `octets` in the order in which Ethernet sends them.
///
/// IEEE 802.3 §3.3: "Each octet of the MAC frame, with the exception of the FCS, is transmitted least significant bit
/// first." The FCS as it stands in a frame (least significant octet first) follows the same rule.
pub fn bits_of(octets: &[u8]) -> impl Iterator<Item = bool> + '_ {
    octets.iter().flat_map(|octet| (0..8).map(move |i| octet >> i & 1 == 1))
}

/// The octets of `bits`, least significant bit first; bits beyond the last whole octet are left out.
pub fn octets_of(bits: &[bool]) -> Vec<u8> {
    bits.chunks_exact(8).map(|octet| octet.iter().rev().fold(0, |acc, &bit| acc << 1 | u8::from(bit))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(levels: &str) -> Vec<Level> {
        levels
            .chars()
            .map(|c| match c {
                '+' => Level::High,
                '-' => Level::Low,
                _ => Level::Zero,
            })
            .collect()
    }

    fn bits(text: &str) -> Vec<bool> {
        text.chars().map(|c| c == '1').collect()
    }

    #[test]
    fn textbook_waveforms() {
        // The same eight bits in each code.
        let data = bits("01001110");
        assert_eq!(nrz::encode(&data), parse("-+--+++-"));
        assert_eq!(nrzi::encode(&data, Level::Low), parse("-+++-+--"));
        // 802.3: a one rises in the middle of the bit, a zero falls.
        assert_eq!(manchester::encode(&data), parse("+--++-+--+-+-++-"));
        assert_eq!(mlt3::encode(&data, mlt3::Phase::default()), parse("0+++0-00"));
    }

    #[test]
    fn octets_go_least_significant_bit_first() {
        assert_eq!(bits_of(&[0xd5]).collect::<Vec<_>>(), bits("10101011"));
        assert_eq!(octets_of(&bits("1010101111")), [0xd5]);
    }

    #[test]
    fn violations_are_named() {
        let at = |at, kind| Err(Violation { at, kind });
        assert_eq!(nrz::decode(&parse("+0")), at(1, ViolationKind::Level));
        assert_eq!(nrzi::decode(&parse("+0"), Level::Low), at(1, ViolationKind::Level));
        assert_eq!(manchester::decode(&parse("+-++")), at(1, ViolationKind::NoTransition));
        assert_eq!(manchester::decode(&parse("+-+")), at(1, ViolationKind::Truncated));
        assert_eq!(mlt3::decode(&parse("0+-"), mlt3::Phase::default()), at(2, ViolationKind::Jump));
    }

    proptest! {
        #[test]
        fn every_code_gives_back_what_it_took(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
            let data: Vec<bool> = bits_of(&octets).collect();
            prop_assert_eq!(nrz::decode(&nrz::encode(&data)).unwrap(), data.clone());
            prop_assert_eq!(nrzi::decode(&nrzi::encode(&data, Level::High), Level::High).unwrap(), data.clone());
            prop_assert_eq!(manchester::decode(&manchester::encode(&data)).unwrap(), data.clone());
            let phase = mlt3::Phase::default();
            prop_assert_eq!(mlt3::decode(&mlt3::encode(&data, phase), phase).unwrap(), data.clone());
            prop_assert_eq!(octets_of(&data), octets);
        }
    }
}
