//! The types that a key may have.

use core::fmt;
use core::time::Duration;

use septet_core::Bytes;

use crate::document::{Item, Name, Text, Value};
use crate::mistake::{Mistake, Mistakes, Span};
use crate::nearest::suggest;
use crate::schema::date;
use crate::schema::key::{KeyType, Kind, Missing, Position, Section};
use crate::schema::table::Table;
use crate::units::{self, Refusal};
use crate::words::Wrong;

/// Any string, with its place.
#[derive(Clone, Copy, Debug)]
pub struct Line;

impl KeyType for Line {
    type Value = Text;

    fn kind(&self) -> Kind {
        Kind::Text
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Text> {
        match &item.value {
            Value::Text(text) => Some(text.clone()),
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }
}

/// One of these words, each with what it says.
#[derive(Clone, Copy)]
pub struct Choice<V>(pub fn() -> Vec<(&'static str, V)>);

impl<V: Clone + fmt::Debug + Send + Sync + 'static> KeyType for Choice<V> {
    type Value = V;

    fn kind(&self) -> Kind {
        Kind::Choice(self.0().into_iter().map(|(word, _)| word).collect())
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<V> {
        let Value::Text(text) = &item.value else { return mismatch(item, &self.kind().what(), at, mistakes) };
        let words = self.0();
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.text) {
            return Some(value.clone());
        }
        let reason = format!("`{}` cannot be `{}`", at.path, text.text);
        let help = suggest(&text.text, "it may be", words.iter().map(|(word, _)| *word));
        mistakes.push(Mistake::new("unknown-value", text.inner(), reason, "unknown value").help(help));
        None
    }
}

/// `10ms`
#[derive(Clone, Copy, Debug)]
pub struct Time;

impl KeyType for Time {
    type Value = Duration;

    fn kind(&self) -> Kind {
        Kind::Time
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Duration> {
        AtLeast(Duration::ZERO).read(item, at, mistakes)
    }
}

/// A time that is at least so long.
#[derive(Clone, Copy, Debug)]
pub struct AtLeast(pub Duration);

impl KeyType for AtLeast {
    type Value = Duration;

    fn kind(&self) -> Kind {
        Kind::Time
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Duration> {
        match &item.value {
            Value::Text(text) => understood(text, span(&text.text, self.0), mistakes),
            Value::Integer(_) | Value::Float(_) => {
                // A number says nothing without its unit.
                let refusal = units::time(&number(item)).err()?;
                mistakes.push(Mistake::refused("unit", item.span.clone(), "a unit is missing", refusal));
                None
            }
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }
}

/// A time that is not too short to be one.
fn span(text: &str, least: Duration) -> Result<Duration, Refusal> {
    let time = units::time(text)?;
    if time >= least {
        return Ok(time);
    }
    Err(if time.is_zero() {
        Refusal::new("no time at all").help(format!("at least {least:?}"))
    } else {
        Refusal::new(format!("{text} is less than {least:?}")).help("a longer time")
    })
}

/// `64kb`, or a number of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Size;

impl KeyType for Size {
    type Value = Bytes;

    fn kind(&self) -> Kind {
        Kind::Size
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Bytes> {
        match &item.value {
            Value::Text(text) => understood(text, units::size(&text.text), mistakes),
            Value::Integer(n) if *n >= 0 => Some(Bytes(n.unsigned_abs())),
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }
}

/// A whole number from the first to the second.
#[derive(Clone, Copy, Debug)]
pub struct Count<N>(pub N, pub N);

impl<N> KeyType for Count<N>
where
    N: Copy + fmt::Debug + Send + Sync + 'static + TryInto<i64> + TryFrom<i64>,
{
    type Value = N;

    fn kind(&self) -> Kind {
        let bound = |n: N| n.try_into().unwrap_or(i64::MAX);
        Kind::Count(bound(self.0), bound(self.1))
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<N> {
        let kind = self.kind();
        let (Kind::Count(min, max), Value::Integer(n)) = (&kind, &item.value) else {
            return mismatch(item, &kind.what(), at, mistakes);
        };
        match N::try_from(*n) {
            Ok(value) if (*min..=*max).contains(n) => Some(value),
            _ => {
                let reason = format!("`{}` is {n}, not between {min} and {max}", at.path);
                mistakes.push(Mistake::new("out-of-range", item.span.clone(), reason, "out of range"));
                None
            }
        }
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub struct Switch;

impl KeyType for Switch {
    type Value = bool;

    fn kind(&self) -> Kind {
        Kind::Switch
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<bool> {
        match item.value {
            Value::Bool(on) => Some(on),
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }
}

/// A date with a time, as TOML has it or as a string: the time since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Date;

impl KeyType for Date {
    type Value = Duration;

    fn kind(&self) -> Kind {
        Kind::Date
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Duration> {
        match &item.value {
            Value::Text(text) => understood(text, date::date(&item.value), mistakes),
            Value::Datetime(_) => match date::date(&item.value) {
                Ok(time) => Some(time),
                Err(refusal) => {
                    mistakes.push(Mistake::refused("unit", item.span.clone(), "here", refusal));
                    None
                }
            },
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }
}

/// A string in a small language of its own; numbers are taken as their text.
#[derive(Clone, Copy)]
pub struct Phrase<V> {
    /// What it is: "a link".
    pub what: &'static str,
    /// A text that is one.
    pub example: &'static str,
    /// What the text behind the key of that name says. Where that needs more of the file, the text itself.
    pub read: fn(&str, &Text) -> Result<V, Wrong>,
}

impl Phrase<Text> {
    /// A phrase that is read later, with more of the file at hand.
    pub const fn later(what: &'static str, example: &'static str) -> Self {
        Self { what, example, read: |_, text| Ok(text.clone()) }
    }
}

impl<V> Phrase<V> {
    fn of(&self, text: &Text, at: Position<'_>, mistakes: &mut Mistakes) -> Option<V> {
        let key = at.path.rsplit('.').next().unwrap_or(at.path);
        (self.read)(key, text).map_err(|wrong| mistakes.push(wrong.mistake(text))).ok()
    }
}

impl<V: Clone + fmt::Debug + Send + Sync + 'static> KeyType for Phrase<V> {
    type Value = V;

    fn kind(&self) -> Kind {
        Kind::Phrase { what: self.what, example: self.example }
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<V> {
        match &item.value {
            Value::Text(text) => self.of(text, at, mistakes),
            Value::Integer(_) | Value::Float(_) => self.of(&Text::bare(number(item), item.span.clone()), at, mistakes),
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }
}

/// A string, or a list of strings, in a small language of its own.
#[derive(Clone, Copy)]
pub struct Texts<V>(pub Phrase<V>);

impl<V: Clone + fmt::Debug + Send + Sync + 'static> KeyType for Texts<V> {
    type Value = Vec<V>;

    fn kind(&self) -> Kind {
        Kind::Texts { what: self.0.what, example: self.0.example }
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Vec<V>> {
        match &item.value {
            Value::Text(text) => self.0.of(text, at, mistakes).map(|one| vec![one]),
            Value::List(list) => {
                let one = |item: &Item| match &item.value {
                    Value::Text(text) => self.0.of(text, at, mistakes),
                    _ => mismatch(item, self.0.what, at, mistakes),
                };
                Some(list.iter().filter_map(one).collect())
            }
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }
}

/// A table with these keys.
#[derive(Clone, Copy, Debug)]
pub struct TableOf(pub &'static Section);

impl KeyType for TableOf {
    type Value = Table;

    fn kind(&self) -> Kind {
        Kind::Table(self.0)
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Table> {
        match &item.value {
            Value::Table(table) => Some(Table::read(table, self.0, at, &item.span, mistakes)),
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }

    fn over(&self, own: &Table, other: &Table) -> Table {
        own.over(other)
    }

    fn missing(&self, value: &Table, path: &str, span: &Span, mistakes: &mut Mistakes) {
        value.missing(self.0, path, span, mistakes);
    }
}

/// A table with these keys that may stand in several pieces: what is missing in one is told of when they are put together.
#[derive(Clone, Copy, Debug)]
pub struct PieceOf(pub &'static Section);

impl KeyType for PieceOf {
    type Value = Table;

    fn kind(&self) -> Kind {
        Kind::Table(self.0)
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Table> {
        TableOf(self.0).read(item, Position { missing: Missing::Later, ..at }, mistakes)
    }

    fn over(&self, own: &Table, other: &Table) -> Table {
        own.over(other)
    }
}

/// A table whose keys are names of the user's choosing; the first says of what.
#[derive(Clone, Copy, Debug)]
pub struct Named<T>(pub &'static str, pub T);

impl<T: KeyType> KeyType for Named<T> {
    type Value = Vec<(Name, T::Value)>;

    fn kind(&self) -> Kind {
        Kind::Named(self.0, Box::new(self.1.kind()))
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Self::Value> {
        let Value::Table(table) = &item.value else { return mismatch(item, &self.kind().what(), at, mistakes) };
        let one = |(name, item): &(Name, Item)| {
            let path = format!("{}.{}", at.path, name.text);
            Some((name.clone(), self.1.read(item, Position { path: &path, ..at }, mistakes)?))
        };
        Some(table.entries.iter().filter_map(one).collect())
    }

    fn over(&self, own: &Self::Value, other: &Self::Value) -> Self::Value {
        let mut all = own.clone();
        for (name, value) in other {
            match all.iter_mut().find(|(known, _)| known.text == name.text) {
                Some((_, mine)) => *mine = self.1.over(mine, value),
                None => all.push((name.clone(), value.clone())),
            }
        }
        all
    }
}

/// A list of values of any type, with its place.
#[derive(Clone, Copy, Debug)]
pub struct Values;

impl KeyType for Values {
    type Value = (Span, Vec<Item>);

    fn kind(&self) -> Kind {
        Kind::Values
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Self::Value> {
        match &item.value {
            Value::List(list) => Some((item.span.clone(), list.clone())),
            _ => mismatch(item, &self.kind().what(), at, mistakes),
        }
    }
}

/// The one of two that fits the type of the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Either<A, B> {
    /// The first.
    This(A),
    /// The second.
    That(B),
}

/// A value of one type or of another.
#[derive(Clone, Copy, Debug)]
pub struct OneOf<A, B>(pub A, pub B);

impl<A: KeyType, B: KeyType> KeyType for OneOf<A, B> {
    type Value = Either<A::Value, B::Value>;

    fn kind(&self) -> Kind {
        Kind::Either(Box::new(self.0.kind()), Box::new(self.1.kind()))
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Self::Value> {
        if self.0.kind().fits(&item.value) || !self.1.kind().fits(&item.value) {
            self.0.read(item, at, mistakes).map(Either::This)
        } else {
            self.1.read(item, at, mistakes).map(Either::That)
        }
    }

    fn over(&self, own: &Self::Value, other: &Self::Value) -> Self::Value {
        match (own, other) {
            (Either::This(own), Either::This(other)) => Either::This(self.0.over(own, other)),
            (Either::That(own), Either::That(other)) => Either::That(self.1.over(own, other)),
            _ => own.clone(),
        }
    }

    fn missing(&self, value: &Self::Value, path: &str, span: &Span, mistakes: &mut Mistakes) {
        match value {
            Either::This(value) => self.0.missing(value, path, span, mistakes),
            Either::That(value) => self.1.missing(value, path, span, mistakes),
        }
    }
}

/// A value of another type than the one that is wanted.
fn mismatch<V>(item: &Item, wanted: &str, at: Position<'_>, mistakes: &mut Mistakes) -> Option<V> {
    let what = item.value.what();
    let reason = format!("`{}` is {what}", at.path);
    mistakes.push(
        Mistake::new("type", item.span.clone(), reason, format!("{what} here")).help(format!("it wants {wanted}")),
    );
    None
}

/// What a string says, or its refusal reported.
fn understood<V>(text: &Text, result: Result<V, Refusal>, mistakes: &mut Mistakes) -> Option<V> {
    result.map_err(|refusal| mistakes.push(Mistake::refused("unit", text.inner(), "not understood", refusal))).ok()
}

/// A number as text, so that one parser serves numbers and strings.
fn number(item: &Item) -> String {
    match &item.value {
        Value::Integer(n) => n.to_string(),
        Value::Float(n) => n.to_string(),
        _ => String::new(),
    }
}
