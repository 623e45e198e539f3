//! Faults: what goes wrong in a lab, and when. `5s..7s: loss 20% on r1--r2`
//!
//! A new kind of fault is one file and one line in [`KINDS`]: the file says how it is written and, as an [`Effect`],
//! what it does when it begins. What it puts on the [`Stage`](board::Stage) is taken away again when it ends.

pub(crate) mod board;
mod cut;
mod filter;
mod flap;
mod medium;
mod packets;
mod places;
mod power;
mod reset;
mod restore;

use core::fmt;
use core::ops::Range;
use std::sync::Arc;

use board::Stage;
use septet_core::Instant;
use septet_language::document::Text;
use septet_language::nearest::suggest;
use septet_language::units;
use septet_language::words::{Word, Words, Wrong};

use crate::model::files::Files;
use crate::model::layout::Layout;
use crate::model::topology::LinkRef;

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What, as written, without the time.
    pub text: String,
    /// When it begins.
    pub at: Instant,
    /// When it ends and is undone; where absent, never.
    pub until: Option<Instant>,
    /// The kind of the event that tells of it: `fault.cut`.
    pub event: &'static str,
    /// What it does while it lasts.
    pub(crate) effect: Arc<dyn Effect>,
    /// The times between which it is in effect; one, for most.
    pub(crate) spans: Vec<(Instant, Option<Instant>)>,
}

/// What a fault does.
pub(crate) trait Effect: fmt::Debug + Send + Sync {
    /// Begins it. Whatever it does through the stage lasts until the fault ends, and ends with it.
    fn begin(&self, stage: &mut Stage<'_>);
}

/// A kind of fault.
struct FaultKind {
    /// The word that a fault of this kind begins with.
    verb: &'static str,
    example: &'static str,
    event: &'static str,
    /// Whether a fault that begins with the verb is of this kind, by its other words.
    takes: fn(Words<'_>) -> bool,
    read: fn(&mut Words<'_>, &Context<'_>) -> Result<Plan, Wrong>,
}

impl FaultKind {
    /// One whose verb says all.
    const fn new(
        verb: &'static str,
        example: &'static str,
        event: &'static str,
        read: fn(&mut Words<'_>, &Context<'_>) -> Result<Plan, Wrong>,
    ) -> Self {
        Self { verb, example, event, takes: |_| true, read }
    }
}

/// What is known when a fault is read.
struct Context<'a> {
    lab: Layout<'a>,
    /// When the lab stops.
    stop: Instant,
    files: &'a Files,
    at: Instant,
    until: Option<Instant>,
    /// Where the time is written.
    time: Range<usize>,
}

impl Context<'_> {
    /// In effect for as long as the file says.
    fn throughout(&self, effect: impl Effect + 'static) -> Plan {
        Plan { effect: Arc::new(effect), spans: vec![(self.at, self.until)] }
    }

    /// Something that happens in a moment, which has no end.
    fn at_once(&self, verb: &str, effect: impl Effect + 'static) -> Result<Plan, Wrong> {
        match self.until {
            None => Ok(Plan { effect: Arc::new(effect), spans: vec![(self.at, None)] }),
            Some(_) => Err(Wrong::new("window", self.time.clone(), format!("`{verb}` happens at one time"))
                .help("give the time at which it begins only".to_owned())),
        }
    }

    /// The links behind a fault's verb: `r1--r2, r2--s2`.
    fn links(&self, words: &mut Words<'_>) -> Result<Vec<LinkRef>, Wrong> {
        list(words, "a link", "`r1--r2`", |word| self.lab.topology.links(word))
    }

    /// The nodes behind a fault's verb: `web[1..2], dns`.
    fn nodes(&self, words: &mut Words<'_>) -> Result<Vec<usize>, Wrong> {
        list(words, "a node", "`web1`", |word| self.lab.topology.nodes(word))
    }
}

/// What a fault does, and when.
struct Plan {
    effect: Arc<dyn Effect>,
    spans: Vec<(Instant, Option<Instant>)>,
}

/// Every kind of fault; of those with one verb the first that takes the fault's other words is meant.
const KINDS: &[FaultKind] = &[
    cut::CUT,
    cut::UNPLUG,
    flap::FLAP,
    power::CRASH,
    power::RESTART,
    filter::DROP,
    filter::REJECT,
    filter::HOLD,
    filter::DELAY,
    filter::DUPLICATE,
    filter::LOSS,
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
    let is_netem = crate::model::medium::is_word(verb.text);
    let kind = KINDS.iter().find(|kind| {
        let speaks = kind.verb == verb.text || (kind.verb == medium::NETEM.verb && is_netem);
        speaks && (kind.takes)(words.clone())
    });
    let Some(kind) = kind else {
        let known = KINDS.iter().map(|k| k.verb).chain(crate::model::medium::names());
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

/// A list parted by commas; it ends with the first word that no comma joins to it.
fn list<'t, T>(
    words: &mut Words<'t>,
    what: &str,
    example: &str,
    read: impl Fn(Word<'t>) -> Result<Vec<T>, Wrong>,
) -> Result<Vec<T>, Wrong> {
    let mut found = Vec::new();
    loop {
        let word = words.expect(what, example)?;
        let more = word.text.ends_with(',') || words.peek().is_some_and(|w| w.text.starts_with(','));
        for part in word.split(",").filter(|p| !p.text.is_empty()) {
            found.extend(read(part)?);
        }
        if !more {
            return Ok(found);
        }
    }
}
