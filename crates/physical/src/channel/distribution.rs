//! The shapes of a varying delay that iproute2 ships tables for, computed here from their inverses.

use super::chance::Correlated;

/// A distribution around zero; `sample` is in units of the jitter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Distribution {
    /// Uniform in ±1.
    Uniform,
    /// Normal with deviation 1.
    Normal,
    /// iproute2's Pareto: shape 3, moved to mean zero and scaled by 4/3.
    Pareto,
    /// A quarter normal, three quarters Pareto.
    ParetoNormal,
}

/// iproute2's tables hold 16-bit numbers in units of 1/8192, so nothing lies beyond ±4.
const END: f64 = 32767.0 / 8192.0;

impl Distribution {
    pub(super) const NAMES: &'static [&'static str] = &["uniform", "normal", "pareto", "paretonormal"];

    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "uniform" => Self::Uniform,
            "normal" => Self::Normal,
            "pareto" => Self::Pareto,
            "paretonormal" => Self::ParetoNormal,
            _ => return None,
        })
    }

    pub(super) fn sample(self, chance: &mut Correlated) -> f64 {
        let u = middle(chance.next());
        match self {
            Self::Uniform => 2.0 * u - 1.0,
            Self::Normal => normal(u),
            Self::Pareto => pareto(u),
            Self::ParetoNormal => {
                let other = middle(chance.rng().next_u32());
                0.25 * normal(other) + 0.75 * pareto(u)
            }
        }
    }
}

/// The middle of the interval that `n` stands for, in (0, 1).
fn middle(n: u32) -> f64 {
    (f64::from(n) + 0.5) / 4_294_967_296.0
}

fn pareto(u: f64) -> f64 {
    let x = 1.0 / libm::cbrt(u);
    ((x - 1.5) * (4.0 / 3.0)).clamp(-END, END)
}

fn normal(u: f64) -> f64 {
    quantile(u).clamp(-END, END)
}

/// The normal distribution's quantile: M. J. Wichura, "Algorithm AS 241", Applied Statistics 37(3), 1988 (PPND7, accurate
/// to seven figures).
fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return q * (((5.910_937_472_0e1 * r + 1.592_911_320_2e2) * r + 5.043_427_193_8e1) * r + 3.387_132_717_9)
            / (((6.718_756_360_0e1 * r + 7.875_775_766_4e1) * r + 1.789_516_946_9e1) * r + 1.0);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let x = if r <= 5.0 {
        let r = r - 1.6;
        (((1.702_382_110_3e-1 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r + 1.423_437_277_7)
            / ((1.202_113_297_5e-1 * r + 7.370_016_425_0e-1) * r + 1.0)
    } else {
        let r = r - 5.0;
        (((1.733_720_399_7e-2 * r + 4.286_829_433_7e-1) * r + 3.081_226_386_0) * r + 6.657_905_115_0)
            / ((1.225_820_263_5e-2 * r + 2.419_789_422_5e-1) * r + 1.0)
    };
    if q < 0.0 { -x } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ratio;
    use septet_core::Seed;

    #[test]
    fn quantiles_are_the_published_ones() {
        for (p, z) in [(0.5, 0.0), (0.841_344_746, 1.0), (0.975, 1.959_964), (0.001, -3.090_232), (1e-12, -7.034_484)] {
            assert!((quantile(p) - z).abs() < 2e-6, "{p}: {} is not {z}", quantile(p));
        }
    }

    #[test]
    fn moments() {
        // Deviations by numerical integration of the inverse; the Pareto's would be 1.155 were it not cut at 4.
        let expected = [("uniform", 0.577), ("normal", 1.0), ("pareto", 0.821), ("paretonormal", 0.664)];
        for (name, deviation) in expected {
            let d = Distribution::find(name).unwrap();
            let mut chance = Correlated::new(Seed::new(2).stream(name), Ratio::ZERO);
            let x: Vec<f64> = (0..200_000).map(|_| d.sample(&mut chance)).collect();
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let sd = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt();
            assert!(mean.abs() < 0.06 && (sd / deviation - 1.0).abs() < 0.02, "{name}: mean {mean}, deviation {sd}");
        }
    }
}
