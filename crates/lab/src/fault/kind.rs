//! What a kind of fault is: how it is written, and what it does while it lasts.

use core::fmt;
use core::ops::Range;
use std::sync::Arc;

use septet_core::Instant;
use septet_language::words::{Word, Words, Wrong};

use crate::fault::injector::Injector;
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

impl Fault {
    /// The line of a file's `[faults]` that says it.
    pub fn line(&self) -> String {
        line(&self.text, self.at, self.until)
    }
}

/// The line of a file's `[faults]` that says what goes wrong, from when and until when.
///
/// ```
/// use septet_core::Instant;
/// let at = Instant::from_millis;
/// assert_eq!(septet_lab::fault_line("cut a--b", at(1500), Some(at(2000))), "1500ms..2s: cut a--b");
/// ```
pub fn line(text: &str, from: Instant, until: Option<Instant>) -> String {
    match until.filter(|until| *until > from) {
        Some(until) => format!("{}..{}: {text}", moment(from), moment(until)),
        None => format!("{}: {text}", moment(from)),
    }
}

/// A time in the largest unit in which it is a whole number.
fn moment(at: Instant) -> String {
    let nanos = at.as_nanos();
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    let (each, unit) = units.into_iter().find(|(each, _)| nanos.is_multiple_of(*each)).unwrap_or((1, "ns"));
    format!("{}{unit}", nanos / each)
}

/// What a fault does.
pub(crate) trait Effect: fmt::Debug + Send + Sync {
    /// Begins it. Whatever it does with the injector lasts until the fault ends, and ends with it.
    fn begin(&self, with: &mut Injector<'_>);
}

/// A kind of fault.
pub(super) struct FaultKind {
    /// The word that a fault of this kind begins with.
    pub(super) verb: &'static str,
    pub(super) example: &'static str,
    pub(super) event: &'static str,
    /// Whether a fault that begins with the verb is of this kind, by its other words.
    pub(super) takes: fn(Words<'_>) -> bool,
    pub(super) read: fn(&mut Words<'_>, &Context<'_>) -> Result<Plan, Wrong>,
}

impl FaultKind {
    /// One whose verb says all.
    pub(super) const fn new(
        verb: &'static str,
        example: &'static str,
        event: &'static str,
        read: fn(&mut Words<'_>, &Context<'_>) -> Result<Plan, Wrong>,
    ) -> Self {
        Self { verb, example, event, takes: |_| true, read }
    }
}

/// What is known when a fault is read.
pub(super) struct Context<'a> {
    pub(super) lab: Layout<'a>,
    /// When the lab stops.
    pub(super) stop: Instant,
    pub(super) files: &'a Files,
    pub(super) at: Instant,
    pub(super) until: Option<Instant>,
    /// Where the time is written.
    pub(super) time: Range<usize>,
}

impl Context<'_> {
    /// In effect for as long as the file says.
    pub(super) fn throughout(&self, effect: impl Effect + 'static) -> Plan {
        Plan { effect: Arc::new(effect), spans: vec![(self.at, self.until)] }
    }

    /// Something that happens in a moment, which has no end.
    pub(super) fn at_once(&self, verb: &str, effect: impl Effect + 'static) -> Result<Plan, Wrong> {
        match self.until {
            None => Ok(Plan { effect: Arc::new(effect), spans: vec![(self.at, None)] }),
            Some(_) => Err(Wrong::new("window", self.time.clone(), format!("`{verb}` happens at one time"))
                .help("give the time at which it begins only".to_owned())),
        }
    }

    /// The links behind a fault's verb: `r1--r2, r2--s2`.
    pub(super) fn links(&self, words: &mut Words<'_>) -> Result<Vec<LinkRef>, Wrong> {
        list(words, "a link", "`r1--r2`", |word| self.lab.topology.links(word))
    }

    /// The hosts and routers behind a fault's words: `web[1..2], dns`.
    pub(super) fn hosts(&self, words: &mut Words<'_>) -> Result<Vec<usize>, Wrong> {
        let nodes = &self.lab.nodes;
        list(words, "a host", "`db`", |word| {
            let found = self.lab.topology.nodes(word)?;
            match found.iter().find(|node| !nodes[**node].kind().has_addresses()) {
                None => Ok(found),
                Some(node) => {
                    Err(Wrong::new("node", word.range(), format!("`{}` is no host", nodes[*node].name))
                        .label("not a host"))
                }
            }
        })
    }

    /// The nodes behind a fault's verb: `web[1..2], dns`.
    pub(super) fn nodes(&self, words: &mut Words<'_>) -> Result<Vec<usize>, Wrong> {
        list(words, "a node", "`web1`", |word| self.lab.topology.nodes(word))
    }
}

/// What a fault does, and when.
pub(super) struct Plan {
    pub(super) effect: Arc<dyn Effect>,
    pub(super) spans: Vec<(Instant, Option<Instant>)>,
}

/// A list parted by commas; it ends with the first word that no comma joins to it.
pub(super) fn list<'t, T>(
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
