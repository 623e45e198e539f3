//! A table as its section reads it: of each key what it says.

use core::any::Any;

use crate::document::{self, Item, Name, Value};
use crate::mistake::{Mistake, Mistakes, Span};
use crate::nearest::suggest;
use crate::schema::key::{AnyKey, Erased, Key, KeyType, Missing, Position, Section};

/// Reads a whole document.
pub fn read(root: &document::Table, section: &'static Section, mistakes: &mut Mistakes) -> Table {
    Table::read(root, section, Position { path: "", missing: Missing::Here }, &(0..0), mistakes)
}

/// What a table of the file says, key by key, in its order.
#[derive(Clone, Debug, Default)]
pub struct Table {
    entries: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    name: Name,
    span: Span,
    key: &'static dyn AnyKey,
    /// Absent where nothing could be made of it, which was reported.
    value: Option<Erased>,
}

/// A key, its value, and where they stand.
#[derive(Debug)]
pub struct Entry<'a, V> {
    /// The key as it is written.
    pub name: &'a Name,
    /// The place of the value.
    pub span: &'a Span,
    /// What it says.
    pub value: &'a V,
}

impl Table {
    /// Reads a table by its section: unknown keys, missing keys and values that say nothing are reported.
    pub fn read(
        table: &document::Table,
        section: &'static Section,
        at: Position<'_>,
        span: &Span,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut entries = Vec::with_capacity(table.entries.len());
        for (name, item) in &table.entries {
            match section.key(&name.text) {
                Some(key) => entries.push(Slot::read(name, item, key, at, mistakes)),
                None => unknown(name, section, at.path, mistakes),
            }
        }
        let read = Self { entries };
        if at.missing == Missing::Here {
            read.lacks(section, at.path, span, mistakes);
        }
        read
    }

    /// What stands under `key`, where anything does.
    pub fn get<T: KeyType>(&self, key: &Key<T>) -> Option<T::Value> {
        self.entry(key).map(|entry| entry.value.clone())
    }

    /// The same, with its place.
    pub fn entry<T: KeyType>(&self, key: &Key<T>) -> Option<Entry<'_, T::Value>> {
        self.slot(key.name())?.entry()
    }

    /// All that stands under a numbered key, by number.
    pub fn numbered<T: KeyType>(&self, key: &Key<T>) -> Vec<(u16, Entry<'_, T::Value>)> {
        let of = |slot: &Slot| slot.key.name() == key.name() && slot.name.text != key.name();
        let found = self.entries.iter().filter(|slot| of(slot)).filter_map(|slot| {
            let number = slot.name.text.strip_prefix(key.name())?.parse::<u16>();
            // The section takes a numbered key by this very rule.
            Some((number.unwrap_or_default(), slot.entry()?))
        });
        found.collect()
    }

    /// Where a key is written, whether or not what it says was understood.
    pub fn name<T: KeyType>(&self, key: &Key<T>) -> Option<&Name> {
        self.place(key.name())
    }

    /// The same by the name of the key.
    pub fn place(&self, key: &str) -> Option<&Name> {
        self.slot(key).map(|slot| &slot.name)
    }

    /// The names of all that it has.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.iter().map(|slot| &slot.name)
    }

    /// What both tables say; where they disagree, this one.
    pub fn over(&self, other: &Self) -> Self {
        let mut entries = self.entries.clone();
        for theirs in &other.entries {
            let Some(mine) = entries.iter_mut().find(|slot| slot.name.text == theirs.name.text) else {
                entries.push(theirs.clone());
                continue;
            };
            if let (Some(own), Some(other)) = (&mine.value, &theirs.value) {
                mine.value = Some(mine.key.over(own, other));
            }
        }
        Self { entries }
    }

    /// Reports keys that are missing here and in the tables below.
    pub fn missing(&self, section: &'static Section, path: &str, span: &Span, mistakes: &mut Mistakes) {
        self.lacks(section, path, span, mistakes);
        for Slot { name, span, key, value } in &self.entries {
            if let Some(value) = value {
                key.missing(value, &join(path, &name.text), span, mistakes);
            }
        }
    }

    fn slot(&self, key: &str) -> Option<&Slot> {
        self.entries.iter().find(|slot| slot.name.text == key)
    }

    fn lacks(&self, section: &'static Section, path: &str, span: &Span, mistakes: &mut Mistakes) {
        for name in section.required.iter().filter(|name| self.slot(name).is_none()) {
            let reason =
                if path.is_empty() { format!("the lab has no `{name}`") } else { format!("`{path}` has no `{name}`") };
            let doc = section.key(name).map(|key| format!("{name}: {}", key.doc()));
            mistakes.push(Mistake::new("missing-key", span.clone(), reason, "missing here").help(doc));
        }
    }
}

impl Slot {
    fn read(name: &Name, item: &Item, key: &'static dyn AnyKey, at: Position<'_>, mistakes: &mut Mistakes) -> Self {
        let path = join(at.path, &name.text);
        let value = key.read(item, Position { path: &path, ..at }, mistakes);
        Self { name: name.clone(), span: item.span.clone(), key, value }
    }

    fn entry<V: Any>(&self) -> Option<Entry<'_, V>> {
        let value = self.value.as_ref()?.get()?;
        Some(Entry { name: &self.name, span: &self.span, value })
    }
}

fn unknown(name: &Name, section: &'static Section, path: &str, mistakes: &mut Mistakes) {
    let place = if path.is_empty() { "at the top of a lab file".to_owned() } else { format!("in `{path}`") };
    let reason = format!("there is no key `{}` {place}", name.text);
    let help = suggest(&name.text, "keys", section.keys().map(|key| key.name()));
    mistakes.push(Mistake::new("unknown-key", name.span.clone(), reason, "unknown key").help(help));
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Item {
    /// What a value is as the text of one line: a string, a number, `true` or `false`.
    pub fn plain(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.text.clone()),
            Value::Integer(n) => Some(n.to_string()),
            Value::Float(n) => Some(n.to_string()),
            Value::Bool(b) => Some(b.to_string()),
            _ => None,
        }
    }
}
