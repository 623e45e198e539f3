//! The keys of a file, each declared once: what may stand behind it, what that means, and how it is read.
//!
//! A [`Key`] is a constant with a [`KeyType`]. Tables of keys are [`Section`]s; [`read`] takes a document through one,
//! reports everything in it that is wrong, and gives a [`Table`] whose values are asked for by their keys and come as what
//! they say: a duration, a number of bytes, whatever a small language yields. No text is looked at twice. The same
//! declarations give the [JSON Schema](json) and the help for misspelt keys.

mod date;
mod json;
mod kind;
mod table;
mod types;

pub use json::json;
pub use kind::Kind;
pub use table::{Entry, Erased, Table, read};
pub use types::{
    AtLeast, Choice, Count, Date, Either, Line, Named, OneOf, Phrase, PieceOf, Size, Switch, TableOf, Texts, Time,
    Values,
};

use core::fmt;

use crate::document::Item;
use crate::mistake::{Mistakes, Span};
use crate::nearest::suggest;

/// What may stand behind a key, and what it then says.
pub trait KeyType: Sync + 'static {
    /// What it says.
    type Value: Clone + fmt::Debug + Send + Sync + 'static;

    /// Its shape, for those who describe it.
    fn kind(&self) -> Kind;

    /// What `item` says. What is wrong with it is reported, and where nothing can be made of it there is no value.
    fn read(&self, item: &Item, at: Place<'_>, mistakes: &mut Mistakes) -> Option<Self::Value>;

    /// What both say; where they disagree, `own`.
    fn over(&self, own: &Self::Value, other: &Self::Value) -> Self::Value {
        let _ = other;
        own.clone()
    }

    /// Reports keys that are missing below it, where [`Missing::Later`] left them out.
    fn missing(&self, value: &Self::Value, path: &str, span: &Span, mistakes: &mut Mistakes) {
        let _ = (value, path, span, mistakes);
    }
}

/// Where something stands that is read.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The keys that lead there, joined by dots.
    pub path: &'a str,
    /// What becomes of keys that are missing there and below.
    pub missing: Missing,
}

/// What becomes of keys that must be there and are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// They are mistakes.
    Here,
    /// Another table may have them, which is put [over](Table::over) this one: [`Table::missing`] tells then.
    Later,
}

/// A key: its name, what may stand behind it, and what that means.
#[derive(Clone, Copy)]
pub struct Key<T> {
    name: &'static str,
    of: T,
    doc: &'static str,
    example: &'static str,
}

impl<T> Key<T> {
    /// A key and what it means.
    pub const fn new(name: &'static str, of: T, doc: &'static str) -> Self {
        Self { name, of, doc, example: "" }
    }

    /// With an example of its value.
    pub fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: KeyType> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.of.kind().what())
    }
}

/// A key of any type. Only [`Key`] is one.
pub trait AnyKey: Sync + fmt::Debug {
    /// Its name; of numbered keys what stands before the number.
    fn name(&self) -> &'static str;
    /// What it means.
    fn doc(&self) -> &'static str;
    /// An example of its value; may be empty.
    fn example(&self) -> &'static str;
    /// What may stand behind it.
    fn kind(&self) -> Kind;
    /// [`KeyType::read`].
    fn read(&self, item: &Item, at: Place<'_>, mistakes: &mut Mistakes) -> Option<Erased>;
    /// [`KeyType::over`].
    fn over(&self, own: &Erased, other: &Erased) -> Erased;
    /// [`KeyType::missing`].
    fn missing(&self, value: &Erased, path: &str, span: &Span, mistakes: &mut Mistakes);
}

impl<T: KeyType> AnyKey for Key<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn example(&self) -> &'static str {
        self.example
    }

    fn kind(&self) -> Kind {
        self.of.kind()
    }

    fn read(&self, item: &Item, at: Place<'_>, mistakes: &mut Mistakes) -> Option<Erased> {
        self.of.read(item, at, mistakes).map(Erased::new)
    }

    fn over(&self, own: &Erased, other: &Erased) -> Erased {
        match (own.get::<T::Value>(), other.get::<T::Value>()) {
            (Some(own), Some(other)) => Erased::new(self.of.over(own, other)),
            _ => own.clone(),
        }
    }

    fn missing(&self, value: &Erased, path: &str, span: &Span, mistakes: &mut Mistakes) {
        if let Some(value) = value.get::<T::Value>() {
            self.of.missing(value, path, span, mistakes);
        }
    }
}

/// A table of the file: the keys it may have.
#[derive(Debug)]
pub struct Section {
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// The keys, in groups so that one group can serve several sections.
    pub groups: &'static [&'static [&'static dyn AnyKey]],
    /// Keys that other tables bring.
    pub more: fn() -> Vec<&'static dyn AnyKey>,
    /// Keys that must be there.
    pub required: &'static [&'static str],
    /// A key with a number behind it: `eth0`.
    pub numbered: Option<&'static dyn AnyKey>,
}

impl Section {
    /// One of these keys, of which none need be there.
    pub const fn new(doc: &'static str, groups: &'static [&'static [&'static dyn AnyKey]]) -> Self {
        Self { doc, groups, more: Vec::new, required: &[], numbered: None }
    }

    /// With keys that other tables bring.
    pub const fn more(self, more: fn() -> Vec<&'static dyn AnyKey>) -> Self {
        Self { more, ..self }
    }

    /// Where these must be there.
    pub const fn required(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    /// With a key that has a number behind it.
    pub const fn numbered(self, key: &'static dyn AnyKey) -> Self {
        Self { numbered: Some(key), ..self }
    }

    /// All its keys that have names of their own.
    pub fn keys(&self) -> impl Iterator<Item = &'static dyn AnyKey> + Clone + use<> {
        self.groups.iter().flat_map(|group| group.iter().copied()).chain((self.more)())
    }

    /// The key of that name, which may be a numbered one.
    pub fn key(&self, name: &str) -> Option<&'static dyn AnyKey> {
        self.keys().find(|key| key.name() == name).or_else(|| {
            let key = self.numbered?;
            let digits = name.strip_prefix(key.name())?;
            digits.parse::<u16>().ok().filter(|n| n.to_string() == digits).map(|_| key)
        })
    }
}

/// A key that there is not.
#[derive(Debug)]
pub struct NoKey {
    /// What was asked for.
    pub name: String,
    /// What was perhaps meant.
    pub help: Option<String>,
}

/// What may stand at a path below `root`, given as its keys.
pub fn kind_at(root: &'static Section, path: &[&str]) -> Option<Kind> {
    walk(root, path)?.1.ok()
}

/// Follows a path of keys: how far it got, and what may stand at its end. `None` for a path of no keys.
pub fn walk(root: &'static Section, path: &[&str]) -> Option<(String, Result<Kind, NoKey>)> {
    let mut section = Some(root);
    let mut kind: Option<Kind> = None;
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
        match here.key(name) {
            Some(found) => kind = Some(found.kind()),
            None => {
                let help = suggest(name, "keys", here.keys().map(|key| key.name()));
                return Some((so_far(), Err(NoKey { name: (*name).to_owned(), help })));
            }
        }
    }
    Some((String::new(), Ok(kind?)))
}
