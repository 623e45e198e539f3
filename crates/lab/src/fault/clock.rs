//! `skew +5s on db` and `drift 200ppm on db`: a host's clock goes wrong.

use septet_language::units;
use septet_language::words::{Words, Wrong};

use crate::fault::injector::Injector;
use crate::fault::kind::{Context, Effect, FaultKind, Plan};

/// Sets the civil time of hosts ahead or behind.
pub(super) const SKEW: FaultKind =
    FaultKind::new("skew", "10s..20s: skew -5s on db", "fault.skew", |words, context| {
        let word = words.expect("a time", "`skew +5s`")?;
        let (sign, time) = match word.text.strip_prefix(['+', '-']) {
            Some(time) => (if word.text.starts_with('-') { -1 } else { 1 }, time),
            None => (1, word.text),
        };
        let refused = |refusal| Wrong::refused("unit", word.range(), refusal).label("not understood");
        let by = units::time(time).map_err(refused)?;
        let nanos = i64::try_from(by.as_nanos()).map_err(|_| {
            Wrong::new("out-of-range", word.range(), "no clock is wrong by so much").label("more than 292 years")
        })?;
        hosts(words, context, |nodes| Wrongly { nodes, clock: Wrongness::Ahead(sign * nanos) })
    });

/// Lets the clocks of hosts go too fast or too slow.
pub(super) const DRIFT: FaultKind =
    FaultKind::new("drift", "10s: drift 200ppm on db", "fault.drift", |words, context| {
        let word = words.expect("a rate", "`drift 200ppm`")?;
        let number = word.text.strip_suffix("ppm").and_then(|number| number.trim_start_matches('+').parse().ok());
        let Some(ppm) = number.filter(|ppm| (-FASTEST..=FASTEST).contains(ppm)) else {
            return Err(Wrong::new("unit", word.range(), format!("`{}` is no rate of a clock", word.text))
                .label("not understood")
                .help("parts in a million, too fast or too slow: `200ppm`, `-50000ppm`".to_owned()));
        };
        hosts(words, context, |nodes| Wrongly { nodes, clock: Wrongness::Drift(ppm) })
    });

/// Clocks go at least at a tenth of their rate.
const FASTEST: i32 = 900_000;

fn hosts(
    words: &mut Words<'_>,
    context: &Context<'_>,
    effect: impl FnOnce(Vec<usize>) -> Wrongly,
) -> Result<Plan, Wrong> {
    if !words.take("on") {
        let end = words.rest().at;
        return Err(Wrong::new("incomplete", end..end, "whose clock?").label("`on …` is missing"));
    }
    Ok(context.throughout(effect(context.hosts(words)?)))
}

/// Clocks that are wrong.
#[derive(Debug)]
struct Wrongly {
    nodes: Vec<usize>,
    clock: Wrongness,
}

#[derive(Clone, Copy, Debug)]
enum Wrongness {
    /// By so many nanoseconds.
    Ahead(i64),
    /// Too fast by so many parts in a million.
    Drift(i32),
}

impl Effect for Wrongly {
    fn begin(&self, with: &mut Injector<'_>) {
        for &node in &self.nodes {
            match self.clock {
                Wrongness::Ahead(nanos) => with.skew(node, nanos),
                Wrongness::Drift(ppm) => with.drift(node, ppm),
            }
        }
    }
}
