//! What each detector misses: damage of a kind is tried, and what was accepted all the same is counted.

use core::fmt;

use septet_core::Rng;

use super::Detector;

/// A kind of damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// This many different bits turned over, anywhere.
    Flips(u32),
    /// A burst: first and last of this many adjacent bits turned over, those between at random.
    Burst(u32),
    /// Two different aligned 16-bit words exchanged.
    SwappedWords,
    /// Everything replaced by random bits.
    Garbage,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flips(1) => f.write_str("1 bit"),
            Self::Flips(n) => write!(f, "{n} bits"),
            Self::Burst(n) => write!(f, "burst of {n}"),
            Self::SwappedWords => f.write_str("swapped words"),
            Self::Garbage => f.write_str("garbage"),
        }
    }
}

/// How often damage was tried and how often it was missed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Damaged words shown to the detector.
    pub tried: u64,
    /// Those that it took for undamaged.
    pub missed: u64,
}

impl Tally {
    /// The share that was missed.
    pub fn ratio(self) -> f64 {
        if self.tried == 0 { 0.0 } else { self.missed as f64 / self.tried as f64 }
    }
}

/// Shows `tries` damaged words of `length` random octets (and their check) to `detector`.
///
/// Damage that leaves a word as it was is not counted, so fewer may be tried.
pub fn count(detector: Detector, damage: Damage, length: usize, tries: u64, rng: &mut Rng) -> Tally {
    let mut tally = Tally::default();
    let mut data = vec![0; length];
    for _ in 0..tries {
        rng.fill(&mut data);
        let word = detector.protect(&data);
        let mut damaged = word.clone();
        apply(damage, &mut damaged, rng);
        if damaged != word {
            tally.tried += 1;
            tally.missed += u64::from(detector.accepts(&damaged));
        }
    }
    tally
}

/// Damages `word`; a word too short for the damage stays as it is.
pub fn apply(damage: Damage, word: &mut [u8], rng: &mut Rng) {
    let bits = word.len() as u64 * 8;
    let flip = |word: &mut [u8], at: u64| word[(at / 8) as usize] ^= 1 << (at % 8);
    match damage {
        Damage::Flips(n) if u64::from(n) <= bits => {
            // Floyd's sampling: n different places with n draws.
            let mut chosen: Vec<u64> = Vec::with_capacity(n as usize);
            for top in bits - u64::from(n)..bits {
                let at = rng.below(top + 1);
                let at = if chosen.contains(&at) { top } else { at };
                chosen.push(at);
                flip(word, at);
            }
        }
        Damage::Burst(n) if n > 0 && u64::from(n) <= bits => {
            let first = rng.below(bits - u64::from(n) + 1);
            for i in 0..u64::from(n) {
                if i == 0 || i + 1 == u64::from(n) || rng.next_u64() & 1 == 1 {
                    flip(word, first + i);
                }
            }
        }
        Damage::SwappedWords if word.len() >= 4 => {
            let words = word.len() as u64 / 2;
            let (a, b) = (rng.below(words) as usize * 2, rng.below(words) as usize * 2);
            for i in 0..2 {
                word.swap(a + i, b + i);
            }
        }
        Damage::Garbage => rng.fill(word),
        Damage::Flips(_) | Damage::Burst(_) | Damage::SwappedWords => {}
    }
}

/// The kinds of damage that tell the detectors apart.
pub const KINDS: [Damage; 10] = [
    Damage::Flips(1),
    Damage::Flips(2),
    Damage::Flips(3),
    Damage::Flips(4),
    Damage::Burst(8),
    Damage::Burst(16),
    Damage::Burst(17),
    Damage::Burst(32),
    Damage::SwappedWords,
    Damage::Garbage,
];

/// A table of the share that each detector misses, one line a kind of damage.
pub fn table(length: usize, tries: u64, rng: &mut Rng) -> String {
    use fmt::Write as _;
    let mut text = format!("{:<16}", "damage");
    for detector in Detector::ALL {
        let _ = write!(text, "{:>24}", detector.name());
    }
    text.push('\n');
    for damage in KINDS {
        let _ = write!(text, "{:<16}", damage.to_string());
        for detector in Detector::ALL {
            let tally = count(detector, damage, length, tries, rng);
            let _ = write!(text, "{:>24}", format!("{} of {}", tally.missed, tally.tried));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::crc;
    use crate::check::parity::Parity;
    use septet_core::Seed;

    fn missed(detector: Detector, damage: Damage) -> u64 {
        count(detector, damage, 60, 2_000, &mut Seed::new(4).stream("check")).missed
    }

    #[test]
    fn parity_misses_every_even_number_of_errors() {
        let parity = Detector::Parity(Parity::Even);
        let mut rng = Seed::new(1).stream("check");
        for n in 1..6 {
            let mut word = parity.protect(&[0x3c; 20]);
            let last = word.len() - 1;
            // In the data, since seven of the eight bits of the check octet are not part of it.
            apply(Damage::Flips(n), &mut word[..last], &mut rng);
            assert_eq!(parity.accepts(&word), n % 2 == 0, "{n}");
        }
    }

    #[test]
    fn crcs_see_all_bursts_up_to_their_width_and_all_double_errors() {
        for crc in [&crc::CRC_16_X25, &crc::CRC_32, &crc::CRC_32C] {
            let detector = Detector::Crc(crc);
            for damage in
                [Damage::Flips(1), Damage::Flips(2), Damage::Flips(3), Damage::Burst(8), Damage::Burst(crc.width)]
            {
                assert_eq!(missed(detector, damage), 0, "{} {damage}", crc.name);
            }
        }
    }

    #[test]
    fn the_internet_checksum_misses_swapped_words() {
        let tally = count(Detector::Internet, Damage::SwappedWords, 60, 500, &mut Seed::new(4).stream("check"));
        // All but a swap with the checksum itself, which may look right too.
        assert!(tally.tried > 400 && tally.ratio() > 0.9, "{tally:?}");
        assert_eq!(missed(Detector::Crc(&crc::CRC_32), Damage::SwappedWords), 0);
    }

    #[test]
    fn garbage_passes_sixteen_bits_once_in_65536() {
        let mut rng = Seed::new(9).stream("check");
        let tally = count(Detector::Crc(&crc::CRC_16_X25), Damage::Garbage, 8, 400_000, &mut rng);
        // Binomial with mean 6.1: from 0 to 18 with probability above 0.9999.
        assert!((1..=18).contains(&tally.missed), "{tally:?}");
    }
}
