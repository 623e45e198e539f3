//! The lab file's keys: one table that drives the detection of unknown keys and the JSON Schema.

mod check;
mod json;

pub use check::{check, date, required};
pub use json::json;

use core::time::Duration;

use crate::document::Text;
use crate::nearest::suggest;
use crate::words::Wrong;

/// A table of the file: the keys it may have.
#[derive(Debug)]
pub struct Section {
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// The keys, in groups so that one group can serve several sections.
    pub groups: &'static [&'static [Key]],
    /// Keys that other crates' tables bring.
    pub more: fn() -> &'static [Key],
    /// Keys that must be there.
    pub required: &'static [&'static str],
    /// A key with a number behind it, `eth0`, and what it holds.
    pub numbered: Option<(&'static str, Kind)>,
}

impl Section {
    /// All its keys that have names of their own.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.groups.iter().flat_map(|group| group.iter()).chain((self.more)())
    }

    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// What may stand at a path below `root`, given as its keys.
pub fn kind_at(root: &Section, path: &[&str]) -> Option<Kind> {
    walk(root, path)?.1.ok()
}

/// A key that there is not.
#[derive(Debug)]
pub struct NoKey {
    /// What was asked for.
    pub name: String,
    /// What was perhaps meant.
    pub help: Option<String>,
}

/// Follows a path of keys: how far it got, and what may stand at its end. `None` for a path of no keys.
pub fn walk(root: &Section, path: &[&str]) -> Option<(String, Result<Kind, NoKey>)> {
    let mut section = Some(root);
    let mut kind = None;
    for (depth, name) in path.iter().enumerate() {
        let so_far = || path[..depth].join(".");
        // The table of a value that may also be something shorter.
        if let Some(Kind::Either(_, table)) = kind {
            kind = Some(*table);
        }
        match kind {
            Some(Kind::Table(inner)) => section = Some(inner),
            Some(Kind::Named(_, of)) => {
                kind = Some(*of);
                section = None;
                continue;
            }
            Some(_) => return Some((so_far(), Err(NoKey { name: (*name).to_owned(), help: None }))),
            None => {}
        }
        let here = section?;
        let is_numbered = |prefix: &str| name.strip_prefix(prefix).is_some_and(|n| n.parse::<u16>().is_ok());
        let numbered = here.numbered.filter(|(prefix, _)| is_numbered(prefix)).map(|(_, kind)| kind);
        match here.key(name).map(|key| key.kind).or(numbered) {
            Some(found) => kind = Some(found),
            None => {
                let help = suggest(name, "keys", here.keys().map(|key| key.name));
                return Some((so_far(), Err(NoKey { name: (*name).to_owned(), help })));
            }
        }
    }
    Some((String::new(), Ok(kind?)))
}

/// A key: its name, what may stand behind it, and what that means.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may stand behind it.
    pub kind: Kind,
    /// What it means.
    pub doc: &'static str,
    /// An example of its value; may be empty.
    pub example: &'static str,
}

impl Key {
    /// A key without an example.
    pub const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, doc, example: "" }
    }
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any string.
    Text,
    /// One of these words.
    Choice(fn() -> &'static [&'static str]),
    /// `10ms`
    Time,
    /// A time that is at least so long.
    Span(Duration),
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
pub struct Phrase {
    /// What it is: "a link".
    pub what: &'static str,
    /// A text that is one.
    pub example: &'static str,
    /// Whether the text behind the key of that name is one; the full meaning may need more of the file and is then read later.
    pub check: fn(&str, &Text) -> Result<(), Wrong>,
}

impl core::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.what)
    }
}

/// A phrase that is read later, with more of the file at hand.
pub fn later(_: &str, _: &Text) -> Result<(), Wrong> {
    Ok(())
}

/// No more keys.
pub fn none() -> &'static [Key] {
    &[]
}
