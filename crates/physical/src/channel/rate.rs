//! netem's `rate`: frames leave the delay line one after the other at a rate, with overheads and cells.

use core::time::Duration;

use septet_core::{Instant, Rate};

use super::{Effect, EffectKind, Transit};
use crate::settings::{InvalidSetting, Kind, Parameter, Settings};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "rate",
    help: "spaces frames out behind the transmitter",
    parameters: &[
        Parameter { name: "rate", kind: Kind::Rate, help: "at which frames leave; required" },
        Parameter { name: "packetoverhead", kind: Kind::Bytes, help: "that each frame costs beside its own (0)" },
        Parameter { name: "cellsize", kind: Kind::Bytes, help: "frames are cut into cells of this size (none)" },
        Parameter { name: "celloverhead", kind: Kind::Bytes, help: "that each cell costs (0)" },
    ],
    build: |settings, _| Ok(Box::new(Spacing::build(settings)?)),
};

struct Spacing {
    rate: Rate,
    packet_overhead: u64,
    cell_size: u64,
    cell_overhead: u64,
    /// When the last frame leaves.
    last: Instant,
}

impl Spacing {
    fn build(settings: &Settings) -> Result<Self, InvalidSetting> {
        Ok(Self {
            rate: settings.rate("rate").ok_or_else(|| InvalidSetting::new("rate", "is required"))?,
            packet_overhead: settings.bytes("packetoverhead").unwrap_or(0),
            cell_size: settings.bytes("cellsize").unwrap_or(0),
            cell_overhead: settings.bytes("celloverhead").unwrap_or(0),
            last: Instant::ZERO,
        })
    }

    fn time(&self, len: u64) -> Duration {
        let mut len = len.saturating_add(self.packet_overhead);
        if self.cell_size > 0 {
            let cells = len.div_ceil(self.cell_size);
            len = cells.saturating_mul(self.cell_size.saturating_add(self.cell_overhead));
        }
        self.rate.time_for(len)
    }
}

impl Effect for Spacing {
    fn apply(&mut self, transit: &mut Transit<'_>) {
        let time = self.time(transit.frame.len() as u64);
        // As netem: the time spent waiting behind the last frame counts towards the delay.
        let from = self.last.max(transit.start);
        let behind = from.saturating_since(transit.start);
        let leaves = from + transit.delay.saturating_sub(behind) + time;
        self.last = leaves;
        transit.delay = leaves.saturating_since(transit.start);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Turn;
    use super::*;
    use septet_core::{Fate, Frame};

    #[test]
    fn frames_follow_each_other_at_the_rate() {
        let rate = crate::settings::Setting::Rate(Rate::from_bits_per_sec(8_000_000).unwrap());
        let mut spacing = Spacing::build(&Settings::new().with("rate", rate)).unwrap();
        let mut frame = Frame::new(0, &[0; 1000]);
        let mut delay = |start, delay| {
            let start = Instant::from_millis(start);
            let delay = Duration::from_millis(delay);
            let mut transit =
                Transit { start, frame: &mut frame, delay, fate: Fate::Passed, copies: 0, turn: Turn::Waits };
            spacing.apply(&mut transit);
            transit.delay.as_millis()
        };
        // One millisecond each, behind 10 ms of delay; then with a pause.
        assert_eq!([delay(0, 10), delay(0, 10), delay(0, 10), delay(20, 10)], [11, 12, 13, 11]);
    }
}
