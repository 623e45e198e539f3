//! The lines of `[faults]`: `5s..7s: loss 20% on r1--r2`, and the kinds of faults that they may name.

use septet_core::Instant;
use septet_language::document::Text;
use septet_language::nearest::suggest;
use septet_language::units;
use septet_language::words::{Word, Words, Wrong};

use crate::fault::kind::{Context, Fault, FaultKind};
use crate::fault::{clock, cut, delay, drop, duplicate, flap, hold, medium, power, reject, reset, restore, wipe};
use crate::model::files::Files;
use crate::model::layout::Layout;
use crate::model::medium as netem;

/// Every kind of fault; of those with one verb the first that takes the fault's other words is meant.
const KINDS: &[FaultKind] = &[
    cut::CUT,
    cut::UNPLUG,
    flap::FLAP,
    power::CRASH,
    power::RESTART,
    wipe::WIPE,
    clock::SKEW,
    clock::DRIFT,
    drop::DROP,
    reject::REJECT,
    hold::HOLD,
    delay::DELAY,
    duplicate::DUPLICATE,
    drop::LOSS,
    reset::RESET,
    restore::RESTORE,
    medium::NETEM,
];

/// Every fault, each with an example.
pub(crate) fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().map(|k| (k.verb, k.example))
}

/// Reads a fault; without a time it begins with the run.
pub(crate) fn parse(text: &Text, lab: Layout<'_>, stop: Instant, files: &Files) -> Result<Fault, Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let (time, what) = match whole.split_once(":") {
        Some((time, what)) => (Some(time), what),
        None => (None, whole.trim()),
    };
    let (at, until) = match time {
        Some(time) => window(time)?,
        None => (Instant::ZERO, None),
    };
    let time = time.map_or(0..0, Word::range);
    let context = Context { lab, stop, files, at, until, time };
    let mut words = Words::new(what);
    let verb = words.expect("a fault", "`5s..7s: loss 20% on r1--r2`")?;
    let is_netem = netem::is_word(verb.text);
    let kind = KINDS.iter().find(|kind| {
        let speaks = kind.verb == verb.text || (kind.verb == medium::NETEM.verb && is_netem);
        speaks && (kind.takes)(words.clone())
    });
    let Some(kind) = kind else {
        let known = KINDS.iter().map(|k| k.verb).chain(netem::names());
        return Err(Wrong::new("unknown-fault", verb.range(), format!("there is no fault `{}`", verb.text))
            .label("unknown fault")
            .help(suggest(verb.text, "faults", known)));
    };
    let helped = |mut wrong: Wrong| {
        wrong.refusal.help.get_or_insert_with(|| format!("for example `{}`", kind.example));
        wrong
    };
    let mut words = if is_netem { Words::new(what) } else { words };
    let plan = (kind.read)(&mut words, &context).map_err(helped)?;
    if let Some(word) = words.next() {
        return Err(Wrong::new("unknown-word", word.range(), format!("`{}` is left over", word.text))
            .label("not understood here"));
    }
    Ok(Fault { text: what.text.to_owned(), at, until, event: kind.event, effect: plan.effect, spans: plan.spans })
}

/// `10s` or `5s..7s`, as in the command lines of hosts also `at 10s`.
fn window(time: Word<'_>) -> Result<(Instant, Option<Instant>), Wrong> {
    let time = match time.text.strip_prefix("at").filter(|rest| rest.starts_with(char::is_whitespace)) {
        Some(rest) => Word { text: rest, at: time.at + 2 }.trim(),
        None => time,
    };
    let read = |word: Word<'_>| match units::time(word.text) {
        Ok(time) => Ok(Instant::ZERO + time),
        Err(refusal) => Err(Wrong::refused("unit", word.range(), refusal).label("not understood")),
    };
    // A command's `at 5s` is understood here, too.
    let words = &mut Words::new(time);
    let time = if words.take("at") || words.take("from") { words.rest() } else { time };
    let Some((from, to)) = time.split_once("..") else {
        let parted = ["to", "until", "-", "–", "—"].into_iter().find_map(|joint| time.split_once(joint));
        return match (read(time), parted) {
            (Ok(at), _) => Ok((at, None)),
            (Err(wrong), Some((from, to))) if !from.text.is_empty() && !to.text.is_empty() => {
                Err(wrong.help(format!("a window is written `{}..{}`", with_unit(from.text, to.text), to.text)))
            }
            (Err(wrong), _) => Err(wrong),
        };
    };
    let (at, until) = (read(from)?, read(to)?);
    if until <= at {
        let mut wrong = Wrong::new("window", time.range(), "the time window ends before it begins").label("backwards");
        if until < at {
            wrong = wrong.help(format!("write `{}..{}`", to.text, from.text));
        }
        return Err(wrong);
    }
    Ok((at, Some(until)))
}

/// `from`, with the unit of `to` where it has none.
fn with_unit(from: &str, to: &str) -> String {
    let bare = from.chars().all(|c| c.is_ascii_digit() || c == '.');
    let unit = to.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if bare { format!("{from}{unit}") } else { from.to_owned() }
}
