//! netem's `limit`: no more than so many frames are delayed at once; the rest are lost as by a full queue.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use septet_core::{DropReason, Fate, Instant};

use super::{Effect, EffectKind, Transit};
use crate::settings::{InvalidSetting, Kind, Parameter, Settings};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "limit",
    help: "bounds how many frames are delayed at once",
    parameters: &[Parameter { name: "packets", kind: Kind::Count, help: "that may be delayed at once (1000)" }],
    build: |settings, _| Ok(Box::new(Limit::build(settings)?)),
};

struct Limit {
    packets: usize,
    leaving: BinaryHeap<Reverse<Instant>>,
}

impl Limit {
    fn build(settings: &Settings) -> Result<Self, InvalidSetting> {
        let packets = settings.count("packets").unwrap_or(1000);
        match usize::try_from(packets) {
            Ok(packets @ 1..) => Ok(Self { packets, leaving: BinaryHeap::new() }),
            _ => Err(InvalidSetting::new("packets", "must be at least 1")),
        }
    }
}

impl Effect for Limit {
    fn apply(&mut self, transit: &mut Transit<'_>) {
        while self.leaving.peek().is_some_and(|Reverse(at)| *at <= transit.start) {
            self.leaving.pop();
        }
        if self.leaving.len() >= self.packets {
            transit.fate = Fate::Lost(DropReason::Queue);
        } else {
            self.leaving.push(Reverse(transit.start + transit.delay));
        }
    }
}
