//! netem's `loss`: each frame with a probability, leaning on the last by a correlation.

use septet_core::{DropReason, Fate, Rng};

use super::chance::Correlated;
use super::{Effect, EffectKind, Transit};
use crate::Ratio;
use crate::settings::{InvalidSetting, Kind, Parameter, Settings};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "loss",
    help: "loses frames, one leaning on another",
    parameters: &[
        Parameter { name: "ratio", kind: Kind::Ratio, help: "of frames lost; required" },
        Parameter { name: "correlation", kind: Kind::Ratio, help: "of each with the last (0%)" },
    ],
    build: |settings, rng| Ok(Box::new(Loss { ratio: required(settings)?, chance: chance(settings, rng) })),
};

struct Loss {
    ratio: Ratio,
    chance: Correlated,
}

impl Effect for Loss {
    fn apply(&mut self, transit: &mut Transit<'_>) {
        if self.chance.hits(self.ratio) {
            lose(transit);
        }
    }
}

/// One copy of the frame is lost; the frame itself where there is no other.
pub(super) fn lose(transit: &mut Transit<'_>) {
    match transit.copies.checked_sub(1) {
        Some(fewer) => transit.copies = fewer,
        None => transit.fate = Fate::Lost(DropReason::Loss),
    }
}

/// The setting `ratio`, without which the effect would do nothing.
pub(super) fn required(settings: &Settings) -> Result<Ratio, InvalidSetting> {
    settings.ratio("ratio").ok_or_else(|| InvalidSetting::new("ratio", "is required"))
}

pub(super) fn chance(settings: &Settings, rng: Rng) -> Correlated {
    Correlated::from_settings(settings, rng)
}
