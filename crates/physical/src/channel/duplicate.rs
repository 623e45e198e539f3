//! netem's `duplicate`: a frame arrives twice.

use super::chance::Correlated;
use super::loss::{chance, required};
use super::{Effect, EffectKind, Transit};
use crate::Ratio;
use crate::settings::{Kind, Parameter};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "duplicate",
    help: "lets frames arrive twice",
    parameters: &[
        Parameter { name: "ratio", kind: Kind::Ratio, help: "of frames doubled; required" },
        Parameter { name: "correlation", kind: Kind::Ratio, help: "of each with the last (0%)" },
    ],
    build: |settings, rng| Ok(Box::new(Duplicate { ratio: required(settings)?, chance: chance(settings, rng) })),
};

struct Duplicate {
    ratio: Ratio,
    chance: Correlated,
}

impl Effect for Duplicate {
    fn apply(&mut self, transit: &mut Transit<'_>) {
        if self.chance.hits(self.ratio) {
            transit.copies += 1;
        }
    }
}
