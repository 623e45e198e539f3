//! `flap r1--r2 every 1s down 200ms`: the cable loses its carrier again and again.

use core::time::Duration;
use std::sync::Arc;

use septet_core::Instant;
use septet_language::units;
use septet_language::words::{Words, Wrong};

use crate::fault::cut::Cut;
use crate::fault::kind::{Context, FaultKind, Plan};

/// The most times that one fault may cut a cable.
const MOST: usize = 100_000;

/// Cuts a cable periodically; unless said otherwise it is down for half of each period.
pub(super) const FLAP: FaultKind =
    FaultKind::new("flap", "5s..15s: flap r1--r2 every 1s down 200ms", "fault.flap", read);

fn read(words: &mut Words<'_>, context: &Context<'_>) -> Result<Plan, Wrong> {
    let links = context.links(words)?;
    let start = words.rest().range();
    let period = named(words, "every")?.unwrap_or(Duration::from_secs(1));
    let down = named(words, "down")?.unwrap_or(period / 2);
    let at = start.start..words.rest().at.max(start.start);
    if down.is_zero() || down >= period {
        return Err(Wrong::new("window", at, "a cable that flaps is down for a part of each period"));
    }
    let end = context.until.unwrap_or(context.stop).min(context.stop);
    let mut spans: Vec<(Instant, Option<Instant>)> = Vec::new();
    let mut from = context.at;
    while from < end {
        if spans.len() == MOST {
            return Err(Wrong::new("window", at, format!("it would flap more than {MOST} times")));
        }
        spans.push((from, Some((from + down).min(end))));
        from += period;
    }
    Ok(Plan { effect: Arc::new(Cut(links)), spans })
}

/// The time behind the word `name`, where it is there.
fn named(words: &mut Words<'_>, name: &str) -> Result<Option<Duration>, Wrong> {
    if !words.take(name) {
        return Ok(None);
    }
    let word = words.expect("a time", "`1s`")?;
    units::time(word.text).map(Some).map_err(|r| Wrong::refused("unit", word.range(), r).label("not understood"))
}
