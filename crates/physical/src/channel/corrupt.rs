//! netem's `corrupt`: one bit of a frame is turned over before its check sequence is computed, so that only the
//! checksums further up can notice. (What a noisy line does, which the check sequence notices, are bit errors.)

use septet_core::{Checksums, Fate};

use super::chance::Correlated;
use super::loss::{chance, required};
use super::{Effect, EffectKind, Transit};
use crate::Ratio;
use crate::settings::{Kind, Parameter};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "corrupt",
    help: "turns one bit over behind the back of the frame check",
    parameters: &[
        Parameter { name: "ratio", kind: Kind::Ratio, help: "of frames corrupted; required" },
        Parameter { name: "correlation", kind: Kind::Ratio, help: "of each with the last (0%)" },
    ],
    build: |settings, rng| Ok(Box::new(Corrupt { ratio: required(settings)?, chance: chance(settings, rng) })),
};

struct Corrupt {
    ratio: Ratio,
    chance: Correlated,
}

impl Effect for Corrupt {
    fn apply(&mut self, transit: &mut Transit<'_>) {
        if transit.frame.is_empty() || !self.chance.hits(self.ratio) {
            return;
        }
        let at = self.chance.rng().below(transit.frame.len() as u64) as usize;
        let bit = self.chance.rng().below(8);
        transit.frame.bytes_mut()[at] ^= 1 << bit;
        transit.frame.checksums = Checksums::Unverified;
        transit.fate = match transit.fate {
            Fate::Damaged(bits) => Fate::Damaged(bits + 1),
            _ => Fate::Damaged(1),
        };
    }
}
