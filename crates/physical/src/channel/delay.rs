//! netem's `delay`: a time that varies by a distribution, each value leaning on the last by a correlation.

use core::time::Duration;

use septet_core::Rng;

use super::chance::Correlated;
use super::distribution::Distribution;
use super::{Effect, EffectKind, Transit};
use crate::settings::{InvalidSetting, Kind, Parameter, Settings};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "delay",
    help: "adds a varying delay",
    parameters: &[
        Parameter { name: "delay", kind: Kind::Duration, help: "in the mean, beside that of the link (0)" },
        Parameter { name: "jitter", kind: Kind::Duration, help: "spread around it (0)" },
        Parameter { name: "correlation", kind: Kind::Ratio, help: "of each with the last (0%)" },
        Parameter {
            name: "distribution",
            kind: Kind::Word(Distribution::NAMES),
            help: "shape of the spread (uniform)",
        },
    ],
    build: |settings, rng| Ok(Box::new(Delay::build(settings, rng)?)),
};

struct Delay {
    mean: Duration,
    jitter: f64,
    distribution: Distribution,
    chance: Correlated,
}

impl Delay {
    fn build(settings: &Settings, rng: Rng) -> Result<Self, InvalidSetting> {
        let distribution = settings.word("distribution").and_then(Distribution::find).unwrap_or(Distribution::Uniform);
        Ok(Self {
            mean: settings.duration("delay").unwrap_or_default(),
            jitter: settings.duration("jitter").unwrap_or_default().as_nanos() as f64,
            distribution,
            chance: Correlated::from_settings(settings, rng),
        })
    }
}

impl Effect for Delay {
    fn apply(&mut self, transit: &mut Transit<'_>) {
        transit.delay = transit.delay.saturating_add(self.mean);
        if self.jitter > 0.0 {
            let offset = self.jitter * self.distribution.sample(&mut self.chance);
            let span = Duration::from_nanos(offset.abs() as u64);
            // A delay is never negative: what would be early leaves at once.
            transit.delay =
                if offset < 0.0 { transit.delay.saturating_sub(span) } else { transit.delay.saturating_add(span) };
        }
    }

    fn least(&self, delay: Duration) -> Duration {
        let mean = delay.saturating_add(self.mean);
        match self.distribution {
            _ if self.jitter == 0.0 => mean,
            // A nanosecond more than the spread, for numbers are rounded.
            Distribution::Uniform => mean.saturating_sub(Duration::from_nanos(self.jitter as u64 + 1)),
            _ => Duration::ZERO,
        }
    }
}
