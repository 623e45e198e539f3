//! Keys, the tables that they make up, and the shapes of what stands behind them.

use core::any::Any;
use core::fmt;
use std::sync::Arc;

use crate::document::{Item, Value};
use crate::mistake::{Mistakes, Span};

/// What may stand behind a key, and what it then says.
pub trait KeyType: Sync + 'static {
    /// What it says.
    type Value: Clone + fmt::Debug + Send + Sync + 'static;

    /// Its shape, for those who describe it.
    fn kind(&self) -> Kind;

    /// What `item` says. What is wrong with it is reported, and where nothing can be made of it there is no value.
    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Self::Value>;

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
pub struct Position<'a> {
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
    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Erased>;
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

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Erased> {
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

/// What may stand behind a key.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Any string.
    Text,
    /// One of these words.
    Choice(Vec<&'static str>),
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
    Phrase {
        /// What it is: "a link".
        what: &'static str,
        /// A text that is one.
        example: &'static str,
    },
    /// A string in a small language of its own, or a list of them.
    Texts {
        /// What each is.
        what: &'static str,
        /// A text that is one.
        example: &'static str,
    },
    /// A table with these keys.
    Table(&'static Section),
    /// A table whose keys are names of the user's choosing; the first word says of what.
    Named(&'static str, Box<Kind>),
    /// A list of values of any type.
    Values,
    /// The one that fits the type of the value.
    Either(Box<Kind>, Box<Kind>),
}

impl Kind {
    /// Whether a value has the type that this asks for.
    pub fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Table(_) | Self::Named(..) => matches!(value, Value::Table(_)),
            Self::Switch => matches!(value, Value::Bool(_)),
            Self::Count(..) => matches!(value, Value::Integer(_)),
            Self::Values => matches!(value, Value::List(_)),
            Self::Texts { .. } => matches!(value, Value::Text(_) | Value::List(_)),
            Self::Date => matches!(value, Value::Datetime(_) | Value::Text(_)),
            Self::Either(a, b) => a.fits(value) || b.fits(value),
            Self::Text | Self::Choice(_) => matches!(value, Value::Text(_)),
            Self::Time | Self::Size | Self::Phrase { .. } => {
                matches!(value, Value::Text(_) | Value::Integer(_) | Value::Float(_))
            }
        }
    }

    /// What is wanted, for a person.
    pub fn what(&self) -> String {
        match self {
            Self::Text => "a string".into(),
            Self::Choice(words) => format!("one of: {}", words.join(", ")),
            Self::Time => "a time such as \"10ms\"".into(),
            Self::Size => "a size such as \"64kb\"".into(),
            Self::Count(min, max) => format!("a whole number from {min} to {max}"),
            Self::Switch => "true or false".into(),
            Self::Date => "a date with a time such as 2026-01-01T00:00:00Z".into(),
            Self::Phrase { what, example } => format!("{what} such as \"{example}\""),
            Self::Texts { example, .. } => format!("a list of strings such as [\"{example}\"]"),
            Self::Table(_) => "a table".into(),
            Self::Named(what, _) => format!("a table with a key for each {what}"),
            Self::Values => "a list".into(),
            Self::Either(a, b) => format!("{}, or {}", a.what(), b.what()),
        }
    }
}

/// A value of which only its key knows the type.
#[derive(Clone)]
pub struct Erased(Arc<dyn Any + Send + Sync>);

impl Erased {
    pub(super) fn new<V: Any + Send + Sync>(value: V) -> Self {
        Self(Arc::new(value))
    }

    pub(super) fn get<V: Any>(&self) -> Option<&V> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
}
