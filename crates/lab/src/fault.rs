//! Faults: what goes wrong in a lab, and when. `5s..7s: loss 20% on r1--r2`
//!
//! A new kind of fault is one file and one line in [`KINDS`].

mod cut;
mod flap;
mod medium;
mod power;
mod restore;

use core::ops::Range;

use septet_core::Instant;

use crate::document::Text;
use crate::medium::Change;
use crate::nearest::suggest;
use crate::topology::{LinkRef, Topology};
use crate::units;
use crate::words::{Word, Words, Wrong};

/// Something that goes wrong.
#[derive(Clone, PartialEq, Debug)]
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
    pub(crate) effect: Effect,
    /// The times between which it is in effect; one, for most.
    pub(crate) spans: Vec<(Instant, Option<Instant>)>,
}

/// What a fault does while it lasts.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Effect {
    /// The links become worse.
    Change(Vec<LinkRef>, Vec<Change>),
    /// The links carry nothing.
    Cut(Vec<LinkRef>),
    /// The nodes are off.
    Off(Vec<usize>),
    /// The nodes are switched off, where they are on, and on again.
    Restart(Vec<usize>),
    /// Every fault of these links and nodes that is in effect ends.
    Restore(Vec<LinkRef>, Vec<usize>),
}

/// A kind of fault.
struct FaultKind {
    /// The word that a fault of this kind begins with.
    verb: &'static str,
    example: &'static str,
    event: &'static str,
    read: fn(&mut Words<'_>, &Context<'_>) -> Result<Plan, Wrong>,
}

/// What is known when a fault is read.
struct Context<'a> {
    topology: &'a Topology,
    at: Instant,
    until: Option<Instant>,
    stop: Instant,
    /// Where the time is written.
    time: Range<usize>,
}

impl Context<'_> {
    /// In effect for as long as the file says.
    fn throughout(&self, effect: Effect) -> Plan {
        Plan { effect, spans: vec![(self.at, self.until)] }
    }

    /// Something that happens in a moment has no end.
    fn no_window(&self, verb: &str) -> Result<(), Wrong> {
        match self.until {
            None => Ok(()),
            Some(_) => Err(Wrong::new("window", self.time.clone(), format!("`{verb}` happens at one time"))
                .help("give the time at which it begins only".to_owned())),
        }
    }
}

/// What a fault does, and when.
struct Plan {
    effect: Effect,
    spans: Vec<(Instant, Option<Instant>)>,
}

/// Every kind of fault beside the words of netem, which [`medium`] reads.
const KINDS: &[FaultKind] = &[cut::CUT, cut::UNPLUG, flap::FLAP, power::CRASH, power::RESTART, restore::RESTORE];

/// Every fault, each with an example.
pub(crate) fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS
        .iter()
        .map(|k| (k.verb, k.example))
        .chain([("loss", "5s..7s: loss 20% on r1--r2; so with every word of netem")])
}

/// Reads a fault; without a time it begins with the run.
pub(crate) fn parse(text: &Text, topology: &Topology, stop: Instant) -> Result<Fault, Wrong> {
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
    let context = Context { topology, at, until, stop, time };
    let mut words = Words::new(what);
    let verb = words.expect("a fault", "`5s..7s: loss 20% on r1--r2`")?;
    let (event, plan) = if let Some(kind) = KINDS.iter().find(|k| k.verb == verb.text) {
        let plan = (kind.read)(&mut words, &context).map_err(|mut wrong| {
            wrong.refusal.help.get_or_insert_with(|| format!("for example `{}`", kind.example));
            wrong
        })?;
        (kind.event, plan)
    } else if crate::medium::is_word(verb.text) {
        ("fault.medium", medium::read(&mut Words::new(what), &context)?)
    } else {
        let known = KINDS.iter().map(|k| k.verb).chain(crate::medium::names());
        return Err(Wrong::new("unknown-fault", verb.range(), format!("there is no fault `{}`", verb.text))
            .label("unknown fault")
            .help(suggest(verb.text, "faults", known)));
    };
    if let Some(word) = words.next()
        && event != "fault.medium"
    {
        return Err(Wrong::new("unknown-word", word.range(), format!("`{}` is left over", word.text))
            .label("not understood here"));
    }
    Ok(Fault { text: what.text.to_owned(), at, until, event, effect: plan.effect, spans: plan.spans })
}

/// `10s` or `5s..7s`
fn window(time: Word<'_>) -> Result<(Instant, Option<Instant>), Wrong> {
    let read = |word: Word<'_>| match units::time(word.text) {
        Ok(time) => Ok(Instant::ZERO + time),
        Err(refusal) => Err(Wrong::refused("unit", word.range(), refusal).label("not understood")),
    };
    let Some((from, to)) = time.split_once("..") else { return Ok((read(time)?, None)) };
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

/// The links behind a fault's verb: `r1--r2, r2--s2`.
fn links(words: &mut Words<'_>, topology: &Topology) -> Result<Vec<LinkRef>, Wrong> {
    list(words, "a link", "`r1--r2`", |word| topology.links(word))
}

/// The nodes behind a fault's verb: `web[1..2], dns`.
fn nodes(words: &mut Words<'_>, topology: &Topology) -> Result<Vec<usize>, Wrong> {
    list(words, "a node", "`web1`", |word| topology.nodes(word))
}

/// A list parted by commas; it ends with the first word that no comma joins to it.
fn list<T>(
    words: &mut Words<'_>,
    what: &str,
    example: &str,
    read: impl Fn(Word<'_>) -> Result<Vec<T>, Wrong>,
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
