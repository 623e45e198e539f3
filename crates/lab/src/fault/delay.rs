//! `delay 100ms 20ms tcp port 9999 on a->b`: packets come later.

use core::time::Duration;

use septet_core::{Frame, Rng};
use septet_engine::Verdict;
use septet_language::units;
use septet_language::words::{Words, Wrong};

use crate::fault::filter::{Action, filter};
use crate::fault::kind::FaultKind;
use crate::fault::packets;
use crate::fault::places::Spot;

/// Packets come later.
pub(super) const DELAY: FaultKind = FaultKind {
    verb: "delay",
    example: "1s..4s: delay 100ms 20ms tcp port 9999 on a->b",
    event: "fault.filter",
    takes: packets::spoken_of,
    read: |words, context| {
        filter(words, context, |words| {
            words.take("delay");
            let delay = time(words, "`delay 100ms`")?;
            let spread = if words.clone().quantity().is_some() { time(words, "`20ms`")? } else { Duration::ZERO };
            Ok(Delay { delay, spread })
        })
    },
};

fn time(words: &mut Words<'_>, example: &str) -> Result<Duration, Wrong> {
    let word = words.expect("a time", example)?;
    units::time(word.text).map_err(|refusal| Wrong::refused("unit", word.range(), refusal).label("not understood"))
}

/// They come later, by a time and up to another more or less.
#[derive(Clone, Copy, Debug)]
struct Delay {
    delay: Duration,
    spread: Duration,
}

impl Action for Delay {
    fn verdict(&self, _: &Frame, _: Spot, rng: &mut Rng) -> Verdict {
        let spread = u64::try_from(self.spread.as_nanos()).unwrap_or(u64::MAX);
        let offset = Duration::from_nanos(rng.below(spread.saturating_mul(2).saturating_add(1)));
        Verdict::Delay((self.delay + offset).saturating_sub(Duration::from_nanos(spread)))
    }
}
