//! The lab file's keys: one table that drives the detection of unknown keys and the JSON Schema.

mod check;
mod json;

pub(crate) use check::{check, date};
pub(crate) use json::json;

use crate::document::Text;
use crate::words::Wrong;

/// A table of the file: the keys it may have.
#[derive(Debug)]
pub(crate) struct Section {
    /// What it is, in one sentence.
    pub(crate) doc: &'static str,
    /// The keys, in groups so that one group can serve several sections.
    pub(crate) groups: &'static [&'static [Key]],
    /// Keys that other crates' tables bring.
    pub(crate) more: fn() -> &'static [Key],
    /// Keys that must be there.
    pub(crate) required: &'static [&'static str],
    /// A key with a number behind it, `eth0`, and what it holds.
    pub(crate) numbered: Option<(&'static str, Kind)>,
}

impl Section {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.groups.iter().flat_map(|group| group.iter()).chain((self.more)())
    }

    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// What may stand at a path below `root`, given as its keys.
pub(crate) fn kind_at(root: &Section, path: &[&str]) -> Option<Kind> {
    let (first, rest) = path.split_first()?;
    let numbered = root
        .numbered
        .filter(|(prefix, _)| first.strip_prefix(prefix).is_some_and(|n| n.parse::<u16>().is_ok()))
        .map(|(_, kind)| kind);
    let mut kind = root.key(first).map(|key| key.kind).or(numbered)?;
    let mut rest = rest;
    loop {
        match kind {
            Kind::Table(section) if !rest.is_empty() => return kind_at(section, rest),
            Kind::Named(_, of) if !rest.is_empty() => (kind, rest) = (*of, &rest[1..]),
            Kind::Either(_, table) if !rest.is_empty() => kind = *table,
            _ => return rest.is_empty().then_some(kind),
        }
    }
}

/// A key: its name, what may stand behind it, and what that means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) doc: &'static str,
    /// An example of its value; may be empty.
    pub(crate) example: &'static str,
}

impl Key {
    pub(crate) const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, doc, example: "" }
    }
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any string.
    Text,
    /// One of these words.
    Choice(fn() -> &'static [&'static str]),
    /// `10ms`
    Time,
    /// `64kb`, or a number of bytes.
    Size,
    /// A whole number from the first to the second.
    Count(i64, i64),
    /// `true` or `false`.
    Switch,
    /// A date with a time, as TOML has it or as a string.
    Date,
    /// A string in a small language of its own; numbers are taken as their text.
    Phrase(&'static Phrase),
    /// A string, or a list of strings.
    Texts(&'static Phrase),
    /// A table with these keys.
    Table(&'static Section),
    /// A table whose keys are names of the user's choosing; the first word says of what.
    Named(&'static str, &'static Kind),
    /// A list of values of any type.
    Values,
    /// The one that fits the type of the value.
    Either(&'static Kind, &'static Kind),
}

/// A string in a small language of its own.
pub(crate) struct Phrase {
    /// What it is: "a link".
    pub(crate) what: &'static str,
    pub(crate) example: &'static str,
    /// Whether the text behind the key of that name is one; the full meaning may need more of the file and is then read later.
    pub(crate) check: fn(&str, &Text) -> Result<(), Wrong>,
}

impl core::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.what)
    }
}

/// A phrase that is read later, with more of the file at hand.
pub(crate) fn later(_: &str, _: &Text) -> Result<(), Wrong> {
    Ok(())
}

/// No more keys.
pub(crate) fn none() -> &'static [Key] {
    &[]
}
