//! When the next datagram of `udp-send` is due: regularly, or at random with the same mean.

use core::time::Duration;

use septet_core::{Rng, Seed};
use septet_socket::{NetExt, NetRef};

use super::args::{self, ArgError};

/// The heavy tail of web traffic (Crovella and Bestavros 1997 measured 1.0 to 1.5): a mean, and no variance.
const SHAPE: f64 = 1.5;

/// How datagrams follow each other.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) enum Arrivals {
    /// All gaps are the interval.
    #[default]
    Regular,
    /// Gaps are exponential: a Poisson process.
    Poisson,
    /// Gaps are uniform from nothing to twice the interval.
    Uniform,
    /// Gaps have a Pareto tail of this shape.
    Pareto(f64),
    /// Regular while on, silent while off.
    OnOff { on: Duration, off: Duration, tail: Tail },
}

/// How long the periods of [`Arrivals::OnOff`] last.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Tail {
    Exponential,
    Pareto(f64),
}

impl Arrivals {
    /// Whether it goes with this interval: a period that is on should hold a datagram.
    pub(super) fn fits(self, interval: Duration) -> bool {
        match self {
            Self::Regular => true,
            Self::Poisson | Self::Uniform | Self::Pareto(_) => !interval.is_zero(),
            Self::OnOff { on, .. } => !interval.is_zero() && on >= interval,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, ArgError> {
        let wrong = || ArgError::Bad {
            option: "--arrivals".to_owned(),
            value: text.to_owned(),
            wanted: "one of regular, poisson, uniform, pareto[:<shape>], on-off:<on>:<off>[:<shape>]",
        };
        let shape = |word: &str| match word.parse::<f64>() {
            // At 1 and below the mean is infinite.
            Ok(shape) if shape > 1.0 && shape.is_finite() => Ok(shape),
            _ => Err(ArgError::Bad {
                option: "--arrivals".to_owned(),
                value: word.to_owned(),
                wanted: "a shape above 1, such as 1.5",
            }),
        };
        let words: Vec<&str> = text.split(':').collect();
        Ok(match words[..] {
            ["regular"] => Self::Regular,
            ["poisson"] => Self::Poisson,
            ["uniform"] => Self::Uniform,
            ["pareto"] => Self::Pareto(SHAPE),
            ["pareto", word] => Self::Pareto(shape(word)?),
            ["on-off", on, off, ref rest @ ..] => {
                let (on, off) = (args::duration("--arrivals", on)?, args::duration("--arrivals", off)?);
                let tail = match rest {
                    [] => Tail::Exponential,
                    [word] => Tail::Pareto(shape(word)?),
                    _ => return Err(wrong()),
                };
                Self::OnOff { on, off, tail }
            }
            _ => return Err(wrong()),
        })
    }
}

/// The gaps between datagrams, one after the other.
pub(super) struct Gaps {
    arrivals: Arrivals,
    interval: Duration,
    rng: Rng,
    /// What is left of the period that is on.
    left: Duration,
}

impl Gaps {
    /// Gaps of this mean. The luck is drawn from the host's: two senders on one host do not march in step.
    pub(super) fn new(net: &NetRef, arrivals: Arrivals, interval: Duration) -> Self {
        // Regular ones need none, and leave the host's luck as it is.
        let luck = if arrivals == Arrivals::Regular { 0 } else { net.random_u64() };
        Self::drawn(Seed::new(luck).stream("udp-send"), arrivals, interval)
    }

    fn drawn(mut rng: Rng, arrivals: Arrivals, interval: Duration) -> Self {
        let left = match arrivals {
            Arrivals::OnOff { on, tail, .. } => scaled(on, tail.draw(&mut rng)),
            _ => Duration::ZERO,
        };
        Self { arrivals, interval, rng, left }
    }

    pub(super) fn next(&mut self) -> Duration {
        let Self { arrivals, interval, ref mut rng, .. } = *self;
        match arrivals {
            Arrivals::Regular => interval,
            Arrivals::Poisson => scaled(interval, rng.exponential()),
            Arrivals::Uniform => scaled(interval, 2.0 * rng.unit()),
            Arrivals::Pareto(shape) => scaled(interval, pareto(rng, shape)),
            Arrivals::OnOff { on, off, tail } => {
                let mut gap = interval;
                // The interval is counted in time that is on, and may reach over several periods.
                while interval > self.left {
                    gap = gap.saturating_add(scaled(off, tail.draw(rng)));
                    self.left = self.left.saturating_add(scaled(on, tail.draw(rng)));
                }
                self.left = self.left.saturating_sub(interval);
                gap
            }
        }
    }
}

impl Tail {
    /// A length with mean 1.
    fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Exponential => rng.exponential(),
            Self::Pareto(shape) => pareto(rng, shape),
        }
    }
}

/// Pareto distributed with mean 1.
fn pareto(rng: &mut Rng, shape: f64) -> f64 {
    // libm, not the platform's: the same bits on every machine.
    (shape - 1.0) / shape * libm::pow(rng.unit_open(), -1.0 / shape)
}

/// Rounded to the nanosecond; what no `Duration` can hold is the longest.
fn scaled(mean: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(mean.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEAN: Duration = Duration::from_millis(10);

    /// Gaps as multiples of the mean, sorted.
    fn gaps(how: &str, seed: u64, n: usize) -> Vec<f64> {
        let mut gaps = Gaps::drawn(Seed::new(seed).stream("udp-send"), Arrivals::parse(how).unwrap(), MEAN);
        let mut all: Vec<_> = (0..n).map(|_| gaps.next().as_secs_f64() / MEAN.as_secs_f64()).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The largest distance between what was drawn and a distribution function (Kolmogorov and Smirnov).
    fn distance(sorted: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
        let n = sorted.len() as f64;
        let at = |(i, x): (usize, &f64)| {
            let f = cdf(*x);
            (f - i as f64 / n).abs().max(((i + 1) as f64 / n - f).abs())
        };
        sorted.iter().enumerate().map(at).fold(0.0, f64::max)
    }

    #[test]
    fn gaps_follow_their_distributions() {
        const N: usize = 20_000;
        // The test of Kolmogorov and Smirnov at the level of one in a thousand.
        let limit = 1.95 / (N as f64).sqrt();
        let exponential = |x: f64| 1.0 - (-x).exp();
        let uniform = |x: f64| (x / 2.0).min(1.0);
        let pareto = |shape: f64| {
            move |x: f64| {
                let least = (shape - 1.0) / shape;
                if x < least { 0.0 } else { 1.0 - (least / x).powf(shape) }
            }
        };
        for seed in [1, 2, 3] {
            assert!(distance(&gaps("poisson", seed, N), exponential) < limit);
            assert!(distance(&gaps("uniform", seed, N), uniform) < limit);
            assert!(distance(&gaps("pareto", seed, N), pareto(1.5)) < limit);
            assert!(distance(&gaps("pareto:2.5", seed, N), pareto(2.5)) < limit);
            // One does not pass for another.
            assert!(distance(&gaps("poisson", seed, N), uniform) > 5.0 * limit);
        }
        assert!(gaps("regular", 1, 10).iter().all(|gap| *gap == 1.0));
    }

    #[test]
    fn means_are_the_interval_and_tails_what_they_should_be() {
        const N: usize = 100_000;
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        let variance = |all: &[f64]| {
            let middle = mean(all);
            all.iter().map(|x| (x - middle).powi(2)).sum::<f64>() / all.len() as f64
        };
        let (poisson, uniform) = (gaps("poisson", 7, N), gaps("uniform", 7, N));
        for all in [&poisson, &uniform, &gaps("pareto:3", 7, N)] {
            assert!((mean(all) - 1.0).abs() < 0.02, "{}", mean(all));
        }
        assert!((variance(&poisson) - 1.0).abs() < 0.05 && (variance(&uniform) - 1.0 / 3.0).abs() < 0.02);
        // A fifth of the time on, four fifths off: one in five datagrams of a regular sender.
        for how in ["on-off:200ms:800ms", "on-off:200ms:800ms:1.9"] {
            let all = gaps(how, 7, N);
            let regular = all.iter().filter(|gap| **gap == 1.0).count();
            assert!((0.9..1.0).contains(&(regular as f64 / N as f64)), "{how}: {regular}");
        }
        assert!((mean(&gaps("on-off:200ms:800ms", 7, N)) - 5.0).abs() < 0.25);
    }

    #[test]
    fn the_same_luck_repeats_and_another_differs() {
        assert_eq!(gaps("poisson", 1, 100), gaps("poisson", 1, 100));
        assert_ne!(gaps("poisson", 1, 100), gaps("poisson", 2, 100));
    }

    #[test]
    fn words() {
        for wrong in ["", "gauss", "pareto:1", "pareto:x", "pareto:1.5:2", "on-off", "on-off:1s", "on-off:1s:1s:0.5"] {
            assert!(Arrivals::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Arrivals::parse("pareto:1.2"), Ok(Arrivals::Pareto(1.2)));
        let brief = Arrivals::parse("on-off:9ms:1s").unwrap();
        assert!(!brief.fits(MEAN) && !Arrivals::Poisson.fits(Duration::ZERO) && Arrivals::Regular.fits(Duration::ZERO));
    }
}
