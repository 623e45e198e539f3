//! netem's `reorder`: some frames overtake, since they go without the link's delay.

use core::time::Duration;

use super::chance::Correlated;
use super::loss::{chance, required};
use super::{Effect, EffectKind, Transit, Turn};
use crate::Ratio;
use crate::settings::{Kind, Parameter};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "reorder",
    help: "lets frames go without the link's delay, ahead of others",
    parameters: &[
        Parameter { name: "ratio", kind: Kind::Ratio, help: "of frames that overtake; required" },
        Parameter { name: "correlation", kind: Kind::Ratio, help: "of each with the last (0%)" },
        Parameter { name: "gap", kind: Kind::Count, help: "only each gap-th frame may (1)" },
    ],
    build: |settings, rng| {
        let gap = settings.count("gap").unwrap_or(1).max(1);
        Ok(Box::new(Reorder { ratio: required(settings)?, gap, counter: 0, chance: chance(settings, rng) }))
    },
};

struct Reorder {
    ratio: Ratio,
    gap: u64,
    /// Frames since the last that overtook.
    counter: u64,
    chance: Correlated,
}

impl Effect for Reorder {
    fn apply(&mut self, transit: &mut Transit<'_>) {
        if self.counter < self.gap - 1 || !self.chance.hits(self.ratio) {
            self.counter += 1;
        } else {
            self.counter = 0;
            // netem puts it at the head of its queue, to leave now.
            transit.delay = Duration::ZERO;
            transit.turn = Turn::Overtakes;
        }
    }

    fn least(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}
