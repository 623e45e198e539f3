//! netem's correlated random numbers, in its own 32-bit arithmetic, and the probabilities compared with them.

use septet_core::Rng;

use crate::Ratio;
use crate::settings::Settings;

/// A stream in which each number leans on the one before. As in netem the lean also narrows their spread: with a high
/// correlation a small probability is hit more seldom than it says.
#[derive(Debug)]
pub(super) struct Correlated {
    rng: Rng,
    rho: u64,
    last: u64,
}

impl Correlated {
    pub(super) fn new(mut rng: Rng, correlation: Ratio) -> Self {
        let rho = u64::from(to_u32(correlation));
        let last = u64::from(rng.next_u32());
        Self { rng, rho, last }
    }

    /// The settings' `correlation`, zero where there is none.
    pub(super) fn from_settings(settings: &Settings, rng: Rng) -> Self {
        Self::new(rng, settings.ratio("correlation").unwrap_or_default())
    }

    pub(super) fn next(&mut self) -> u32 {
        let value = u64::from(self.rng.next_u32());
        if self.rho == 0 {
            return value as u32;
        }
        let rho = self.rho + 1;
        self.last = (value * ((1 << 32) - rho) + self.last * rho) >> 32;
        self.last as u32
    }

    /// The next number hits `probability`.
    pub(super) fn hits(&mut self, probability: Ratio) -> bool {
        !probability.is_zero() && self.next() <= to_u32(probability)
    }

    /// The stream below, without its memory.
    pub(super) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }
}

fn to_u32(ratio: Ratio) -> u32 {
    (ratio.get() * f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::Seed;

    #[test]
    fn neighbours_correlate_as_told() {
        for rho in [0.0, 0.25, 0.8] {
            let mut c = Correlated::new(Seed::new(1).stream("c"), Ratio::new(rho).unwrap());
            let x: Vec<f64> = (0..100_000).map(|_| f64::from(c.next()) / f64::from(u32::MAX)).collect();
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            let lag = x.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / variance;
            assert!((mean - 0.5).abs() < 0.01 && (lag - rho).abs() < 0.02, "{rho}: mean {mean}, lag {lag}");
        }
    }

    #[test]
    fn certain_and_never() {
        let mut c = Correlated::new(Seed::new(1).stream("c"), Ratio::ZERO);
        assert!((0..1000).all(|_| c.hits(Ratio::ONE)));
        assert!(!(0..1000).any(|_| c.hits(Ratio::ZERO)));
    }
}
