//! Every random stream of a world is derived from its seed and the name of the component that draws from it. Where real
//! programs take part, what must be a secret is drawn from the operating system instead.

use core::fmt;

use rand_core::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The one seed of a world.
///
/// ```
/// use septet_core::Seed;
/// let seed = Seed::new(7);
/// let (mut a, mut b) = (seed.stream("link r1--r2"), seed.stream("link r1--r2"));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert_ne!(seed.stream("link r1--r2").next_u64(), seed.stream("link r2--r3").next_u64());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed(u64);

impl Seed {
    /// A world's seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The number it was made from.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The stream of the component called `name`; adding a component changes no other component's luck.
    pub fn stream(self, name: &str) -> Rng {
        let seed = xxhash_rust::xxh3::xxh3_64_with_seed(name.as_bytes(), self.0);
        Rng(Source::Seeded(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }
}

/// Where a component takes its random streams from.
///
/// What stands in a network that is real has no seed, so that none can reach its secrets.
#[derive(Clone, Copy, Debug)]
pub enum Randomness {
    /// The world's seed: the same on every run, and no secret from anyone.
    Seeded(Seed),
    /// Whatever fills a buffer: the operating system's randomness, which no storey asks for by itself.
    Given(fn(&mut [u8])),
}

impl Randomness {
    /// The stream of the component called `name`.
    pub fn stream(self, name: &str) -> Rng {
        match self {
            Self::Seeded(seed) => seed.stream(name),
            Self::Given(fill) => Rng(Source::Given(fill)),
        }
    }
}

/// A component's own random stream. From a seed (xoshiro256++) it is fast and repeatable, and not for secrets.
#[derive(Clone)]
pub struct Rng(Source);

#[derive(Clone)]
enum Source {
    Seeded(Xoshiro256PlusPlus),
    Given(fn(&mut [u8])),
}

impl Rng {
    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        match &mut self.0 {
            Source::Seeded(rng) => rng.next_u64(),
            Source::Given(fill) => {
                let mut bits = [0; 8];
                fill(&mut bits);
                u64::from_ne_bytes(bits)
            }
        }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        match &mut self.0 {
            Source::Seeded(rng) => rng.next_u32(),
            Source::Given(_) => self.next_u64() as u32,
        }
    }

    /// Uniform in `[0, 1)`, with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `(0, 1]`: safe to take the logarithm of.
    pub fn unit_open(&mut self) -> f64 {
        1.0 - self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && self.unit() < p
    }

    /// Uniform in `0..bound`; zero where `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiplication; the bias is below bound / 2^64.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Fills `buf` with random bytes.
    pub fn fill(&mut self, buf: &mut [u8]) {
        match &mut self.0 {
            Source::Seeded(rng) => rng.fill_bytes(buf),
            Source::Given(fill) => fill(buf),
        }
    }

    /// Exponentially distributed with mean 1.
    pub fn exponential(&mut self) -> f64 {
        // libm, not the platform's: the same bits on every machine.
        -libm::log(self.unit_open())
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_stays_in_range_and_is_centred() {
        let mut rng = Seed::new(1).stream("t");
        let mut sum = 0.0;
        for _ in 0..10_000 {
            let u = rng.unit();
            assert!((0.0..1.0).contains(&u));
            assert!(rng.below(10) < 10);
            sum += u;
        }
        assert!((sum / 10_000.0 - 0.5).abs() < 0.02);
        assert_eq!(rng.below(0), 0);
    }
}
