//! One frame as a PHY puts it on the line, delimiters and all, and what a receiver makes of it.

use super::{Code, Phy};
use crate::line_code::mlt3::Phase;
use crate::line_code::scrambler::Scrambler;
use crate::line_code::{
    Level, Violation, ViolationKind, bits_of, eight_ten, four_five, manchester, mlt3, nrz, octets_of,
};

/// Seven octets of preamble and the start frame delimiter (IEEE 802.3 §3.2.1 and §3.2.2).
pub const PREAMBLE_AND_SFD: [u8; 8] = [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5];

/// What a receiver makes of the line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reception {
    /// These octets, FCS included; they may differ from those sent.
    Octets(Vec<u8>),
    /// The start of the frame was not recognised, so there is no frame.
    Missed,
    /// A symbol broke the code, so the frame is known to be bad.
    Violated(Violation),
}

/// Any key serves, since both ends use the same.
const KEY: u16 = 0x2a5;

impl Phy {
    /// Line symbols that a frame of `octets` octets (FCS included) takes, preamble and delimiters included.
    pub const fn symbols(&self, octets: usize) -> usize {
        match self.code {
            Code::Manchester => (8 + octets) * 16,
            Code::FourFiveMlt3 => (8 + octets + 1) * 10,
            Code::EightTen => (8 + octets + 2) * 10,
        }
    }

    /// The levels of a frame of `octets`, FCS included.
    pub fn transmit(&self, octets: &[u8]) -> Vec<Level> {
        match self.code {
            Code::Manchester => {
                let bits: Vec<bool> = bits_of(&PREAMBLE_AND_SFD).chain(bits_of(octets)).collect();
                manchester::encode(&bits)
            }
            Code::FourFiveMlt3 => {
                let mut bits = four_five_bits(octets);
                Scrambler::new(KEY).apply(&mut bits);
                mlt3::encode(&bits, Phase::default())
            }
            Code::EightTen => nrz::encode(&eight_ten_bits(octets)),
        }
    }

    /// What a receiver makes of `levels`.
    pub fn receive(&self, levels: &[Level]) -> Reception {
        match self.code {
            Code::Manchester => receive_manchester(levels),
            Code::FourFiveMlt3 => receive_four_five(levels),
            Code::EightTen => receive_eight_ten(levels),
        }
    }

    /// What a receiver makes of a frame of `octets` when the symbols at `errors` were disturbed.
    pub fn receive_disturbed(&self, octets: &[u8], errors: impl IntoIterator<Item = usize>) -> Reception {
        let mut levels = self.transmit(octets);
        for at in errors {
            if let Some(level) = levels.get_mut(at) {
                *level = self.disturbed(*level);
            }
        }
        self.receive(&levels)
    }

    /// What noise makes of a level: the opposite one; with three levels, a neighbour.
    const fn disturbed(&self, level: Level) -> Level {
        match (self.code, level) {
            (Code::FourFiveMlt3, Level::Zero) => Level::High,
            (Code::FourFiveMlt3, _) => Level::Zero,
            (Code::Manchester | Code::EightTen, level) => level.inverted(),
        }
    }
}

fn receive_manchester(halves: &[Level]) -> Reception {
    // The preamble serves only to find the clock; what is looked for is the start frame delimiter.
    let Some((preamble, frame)) = halves.split_at_checked(7 * 16) else { return Reception::Missed };
    let _ = preamble;
    let Some((delimiter, frame)) = frame.split_at_checked(16) else { return Reception::Missed };
    if manchester::decode(delimiter).map(|bits| octets_of(&bits)).as_deref() != Ok(&PREAMBLE_AND_SFD[7..]) {
        return Reception::Missed;
    }
    match manchester::decode(frame) {
        Ok(bits) => Reception::Octets(octets_of(&bits)),
        Err(violation) => Reception::Violated(Violation { at: violation.at + 64, ..violation }),
    }
}

pub(super) fn four_five_bits(octets: &[u8]) -> Vec<bool> {
    use four_five::Group;
    let mut bits = Vec::with_capacity((octets.len() + 9) * 10);
    // §24.2.2.1.4: the start-of-stream delimiter takes the place of the first octet of the preamble.
    four_five::push(&mut bits, Group::J);
    four_five::push(&mut bits, Group::K);
    for octet in PREAMBLE_AND_SFD[1..].iter().chain(octets) {
        four_five::push(&mut bits, Group::Data(octet & 0xf));
        four_five::push(&mut bits, Group::Data(octet >> 4));
    }
    four_five::push(&mut bits, Group::T);
    four_five::push(&mut bits, Group::R);
    bits
}

fn receive_four_five(levels: &[Level]) -> Reception {
    use four_five::Group;
    // A receiver slices each level into middle or not middle, so that a wrong one costs a transition before it and one
    // after it and the rest of the frame is not affected.
    let mut middle = true;
    let mut bits: Vec<bool> =
        levels.iter().map(|&level| core::mem::replace(&mut middle, level == Level::Zero) != middle).collect();
    Scrambler::new(KEY).apply(&mut bits);
    let groups: Vec<_> = bits.chunks(5).map(four_five::read).collect();
    let [Ok(Group::J), Ok(Group::K), groups @ ..] = &groups[..] else { return Reception::Missed };
    let mut nibbles = Vec::with_capacity(groups.len());
    for (i, group) in groups.iter().enumerate() {
        let at = i + 2;
        match group {
            Ok(Group::Data(nibble)) => nibbles.push(*nibble),
            Ok(Group::T) if groups.get(i + 1) == Some(&Ok(Group::R)) => return start_found(&pair_nibbles(&nibbles)),
            Ok(_) => return Reception::Violated(Violation { at, kind: ViolationKind::Unexpected }),
            Err(violation) => return Reception::Violated(Violation { at, ..*violation }),
        }
    }
    Reception::Violated(Violation { at: groups.len() + 2, kind: ViolationKind::Truncated })
}

fn pair_nibbles(nibbles: &[u8]) -> Vec<u8> {
    nibbles.chunks_exact(2).map(|pair| pair[0] | pair[1] << 4).collect()
}

/// The frame behind the rest of a preamble of which the first octet was a delimiter.
fn start_found(octets: &[u8]) -> Reception {
    match octets.split_at_checked(7) {
        Some((preamble, frame)) if preamble[6] == PREAMBLE_AND_SFD[7] => Reception::Octets(frame.to_vec()),
        _ => Reception::Missed,
    }
}

fn eight_ten_bits(octets: &[u8]) -> Vec<bool> {
    use eight_ten::{Disparity, EXTEND, Group, START, TERMINATE};
    let mut bits = Vec::with_capacity((octets.len() + 10) * 10);
    // §36.2.4.12: idles leave the running disparity negative.
    let mut rd = Disparity::Negative;
    eight_ten::push(&mut bits, START, &mut rd);
    for &octet in PREAMBLE_AND_SFD[1..].iter().chain(octets) {
        eight_ten::push(&mut bits, Group::Data(octet), &mut rd);
    }
    eight_ten::push(&mut bits, TERMINATE, &mut rd);
    eight_ten::push(&mut bits, EXTEND, &mut rd);
    bits
}

fn receive_eight_ten(levels: &[Level]) -> Reception {
    use eight_ten::{Disparity, EXTEND, Group, START, TERMINATE};
    let bits = match nrz::decode(levels) {
        Ok(bits) => bits,
        Err(violation) => return Reception::Violated(Violation { at: violation.at / 10, ..violation }),
    };
    let mut rd = Disparity::Negative;
    let mut octets = Vec::with_capacity(bits.len() / 10);
    let mut ended = None;
    for (at, bits) in bits.chunks_exact(10).enumerate() {
        let code = bits.iter().fold(0, |acc, &bit| acc << 1 | u16::from(bit));
        let (group, after) = eight_ten::decode(code, rd);
        rd = after;
        match (at, ended, group) {
            (0, _, Ok(START)) => {}
            (0, ..) => return Reception::Missed,
            (_, None, Ok(Group::Data(octet))) => octets.push(octet),
            (_, None, Ok(TERMINATE)) => ended = Some(at),
            (_, Some(_), Ok(EXTEND)) => return start_found(&octets),
            (_, _, Ok(_)) => return Reception::Violated(Violation { at, kind: ViolationKind::Unexpected }),
            (_, _, Err(violation)) => return Reception::Violated(Violation { at, ..violation }),
        }
    }
    Reception::Violated(Violation { at: bits.len() / 10, kind: ViolationKind::Truncated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phy::TABLE;
    use proptest::prelude::*;

    #[test]
    fn an_error_in_the_delimiter_loses_the_frame() {
        let frame = [0xa5; 64];
        let lost = |name, at| Phy::find(name).unwrap().receive_disturbed(&frame, [at]) == Reception::Missed;
        // The last bit of the SFD; the preamble before it may suffer.
        assert!(lost("10base-t", 7 * 16 + 15) && !lost("10base-t", 20));
        assert!(lost("100base-tx", 3));
        assert!(lost("1000base-x", 3));
    }

    #[test]
    fn a_single_error_breaks_manchester_and_is_seen_as_such() {
        let phy = Phy::find("10base-t").unwrap();
        for at in 128..phy.symbols(64) {
            let Reception::Violated(violation) = phy.receive_disturbed(&[0x5a; 64], [at]) else { panic!("{at}") };
            assert_eq!((violation.kind, violation.at), (ViolationKind::NoTransition, at / 2));
        }
        // Both halves of one bit: a bit error that the code cannot see.
        let Reception::Octets(octets) = phy.receive_disturbed(&[0x5a; 64], [128, 129]) else { panic!() };
        assert_eq!(octets[0], 0x5b);
    }

    #[test]
    fn four_five_misses_some_single_errors_and_eight_ten_none() {
        for name in ["100base-tx", "1000base-x"] {
            let phy = Phy::find(name).unwrap();
            let frame: Vec<u8> = (0..64u8).map(|i| i.wrapping_mul(37).wrapping_add(11)).collect();
            let (mut seen, mut missed) = (0, 0);
            for at in 160..phy.symbols(64) - 20 {
                match phy.receive_disturbed(&frame, [at]) {
                    Reception::Violated(_) => seen += 1,
                    Reception::Octets(octets) => {
                        assert_ne!(octets, frame);
                        missed += 1;
                    }
                    Reception::Missed => panic!("{name} {at}"),
                }
            }
            // A single error in 8b/10b leaves the disparity wrong, and at the latest the terminating group, which differs
            // between the columns, shows it.
            assert!(seen > 0 && (missed > 0) == (phy.code == Code::FourFiveMlt3), "{name}: {seen} {missed}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_phy_carries_every_frame(frame in proptest::collection::vec(any::<u8>(), 0..200)) {
            for phy in TABLE {
                let levels = phy.transmit(&frame);
                prop_assert_eq!(levels.len(), phy.symbols(frame.len()));
                prop_assert_eq!(phy.receive(&levels), Reception::Octets(frame.clone()));
            }
        }

        #[test]
        fn any_line_is_received_without_panic(line in proptest::collection::vec(0u8..3, 0..2000)) {
            let levels: Vec<_> = line.iter().map(|l| [Level::Low, Level::Zero, Level::High][usize::from(*l)]).collect();
            for phy in TABLE {
                let _ = phy.receive(&levels);
            }
        }
    }
}
