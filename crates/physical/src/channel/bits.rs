//! Independent bit errors. The gap to the next error is drawn, so the cost follows errors and not bits.

use septet_core::{Checksums, Frame, Rng};

use crate::Ratio;

/// Flips each bit that passes with the same small probability.
#[derive(Debug)]
pub struct BitErrors {
    rng: Rng,
    ratio: f64,
    /// `ln(1 - ratio)`.
    log_good: f64,
    /// Bits that still pass unharmed.
    good: u64,
    /// Bits of the frame check sequence that travels behind the frame; at most 32.
    trailer: u64,
}

impl BitErrors {
    /// No errors yet; draws from `rng`.
    pub fn new(rng: Rng) -> Self {
        Self { rng, ratio: 0.0, log_good: 0.0, good: u64::MAX, trailer: 32 }
    }

    /// Sets the probability that a bit is flipped.
    pub fn set_ratio(&mut self, ratio: Ratio) {
        if ratio.get() == self.ratio {
            return;
        }
        self.ratio = ratio.get();
        self.log_good = libm::log1p(-self.ratio);
        self.good = self.draw();
    }

    /// Sets how many bytes of frame check sequence follow each frame; four unless set, which is also the most.
    pub fn set_trailer(&mut self, bytes: u32) {
        self.trailer = u64::from(bytes.min(4)) * 8;
    }

    /// Lets `frame` and its FCS pass, and returns how many bits were flipped. A struck frame keeps the FCS as it
    /// arrives, and its checksums must be verified.
    pub fn strike(&mut self, frame: &mut Frame) -> u32 {
        let bits = frame.len() as u64 * 8 + self.trailer;
        if self.good >= bits {
            // u64::MAX stands for "never".
            if self.good != u64::MAX {
                self.good -= bits;
            }
            return 0;
        }
        let body = bits - self.trailer;
        let mut fcs = frame.fcs.unwrap_or_else(|| crc32fast::hash(frame.bytes()));
        let mut flipped = 0;
        let bytes = frame.bytes_mut();
        let mut at = self.good;
        while at < bits {
            if at < body {
                bytes[(at / 8) as usize] ^= 1 << (at % 8);
            } else {
                // The FCS follows least significant byte first, as crc32 gives it.
                fcs ^= 1 << (at - body);
            }
            flipped += 1;
            at = at.saturating_add(1).saturating_add(self.draw());
        }
        self.good = if at == u64::MAX { at } else { at - bits };
        frame.fcs = Some(fcs);
        frame.checksums = Checksums::Unverified;
        flipped
    }

    /// Bits that pass before the next error: geometric, by inversion.
    fn draw(&mut self) -> u64 {
        if self.ratio <= 0.0 {
            return u64::MAX;
        }
        if self.ratio >= 1.0 {
            return 0;
        }
        // A cast from float saturates.
        libm::floor(libm::log(self.rng.unit_open()) / self.log_good) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::Seed;

    fn errors(ratio: f64, seed: u64) -> BitErrors {
        let mut e = BitErrors::new(Seed::new(seed).stream("t"));
        e.set_ratio(Ratio::new(ratio).unwrap());
        e
    }

    #[test]
    fn flips_exactly_what_it_says() {
        let mut e = errors(1e-3, 1);
        let clean = [0x5a; 1000];
        let mut total = 0;
        for _ in 0..500 {
            let mut frame = Frame::new(0, &clean);
            frame.checksums = Checksums::Good;
            let told = e.strike(&mut frame);
            let body: u32 = frame.bytes().iter().zip(&clean).map(|(a, b)| (a ^ b).count_ones()).sum();
            match frame.fcs {
                Some(fcs) => {
                    assert_eq!(told, body + (fcs ^ crc32fast::hash(&clean)).count_ones());
                    assert_eq!(frame.checksums, Checksums::Unverified);
                    assert_ne!(fcs, crc32fast::hash(frame.bytes()), "CRC-32 misses no burst this small");
                }
                None => assert_eq!((told, body, frame.checksums), (0, 0, Checksums::Good)),
            }
            total += told;
        }
        // 500 frames of 8032 bits at 1e-3: mean 4016, deviation 63; six deviations either way.
        assert!((3636..=4396).contains(&total), "{total}");
    }

    #[test]
    fn positions_are_uniform() {
        let mut e = errors(1e-3, 2);
        let mut halves = [0u32; 2];
        for _ in 0..2000 {
            let mut frame = Frame::new(0, &[0; 996]);
            e.strike(&mut frame);
            halves[0] += frame.bytes()[..500].iter().map(|b| b.count_ones()).sum::<u32>();
            halves[1] += frame.bytes()[500..].iter().map(|b| b.count_ones()).sum::<u32>();
            halves[1] += frame.fcs.map_or(0, |f| (f ^ crc32fast::hash(&[0; 996])).count_ones());
        }
        // 8000 each, deviation 89.
        assert!(halves.iter().all(|h| (7466..=8534).contains(h)), "{halves:?}");
    }

    #[test]
    fn extremes() {
        let mut frame = Frame::new(0, &[0; 10]);
        assert_eq!(errors(1.0, 3).strike(&mut frame), 14 * 8);
        assert_eq!(frame.bytes(), [0xff; 10]);
        let mut none = errors(0.0, 3);
        assert_eq!(none.strike(&mut Frame::new(0, &[0; 10])), 0);
        none.set_ratio(Ratio::ONE);
        none.set_ratio(Ratio::ZERO);
        assert_eq!(none.strike(&mut Frame::new(0, &[0; 10])), 0);
    }
}
