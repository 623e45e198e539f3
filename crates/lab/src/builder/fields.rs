//! Tables of keys, and the text that they make up, in which every part knows who told it.

use std::collections::BTreeSet;

use septet_language::mistake::Span;
use toml_edit::Key;

use crate::builder::value::Value;

/// A table of a lab file: keys, lists and tables below it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Fields(Vec<(String, Field)>);

#[derive(Clone, Debug)]
enum Field {
    Value(Value),
    /// Each on a line of its own.
    List(Vec<Value>),
    Table(Fields),
}

impl Fields {
    /// The key has this value, and no other.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        *self.field(key, || Field::List(Vec::new())) = Field::Value(value.into());
        self
    }

    /// One more in the list behind the key.
    pub fn push(mut self, key: &str, value: impl Into<Value>) -> Self {
        let field = self.field(key, || Field::List(Vec::new()));
        let more = value.into();
        match field {
            Field::List(list) => list.push(more),
            Field::Value(first) => *field = Field::List(vec![first.clone(), more]),
            Field::Table(_) => *field = Field::List(vec![more]),
        }
        self
    }

    /// The table behind the key.
    pub fn table(mut self, key: &str, of: impl FnOnce(Fields) -> Fields) -> Self {
        let field = self.field(key, || Field::Table(Fields::default()));
        let before = match field {
            Field::Table(fields) => core::mem::take(fields),
            Field::Value(_) | Field::List(_) => Fields::default(),
        };
        *field = Field::Table(of(before));
        self
    }

    fn field(&mut self, key: &str, new: impl FnOnce() -> Field) -> &mut Field {
        let at = self.0.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
            self.0.push((key.to_owned(), new()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }
}

/// The text of a lab file as it is written.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) text: String,
    /// Parts of the text, and what told them.
    pub(super) places: Vec<(Span, String)>,
    /// Tables that were told of before.
    pub(super) twice: Vec<(Span, String)>,
    known: BTreeSet<Vec<String>>,
}

impl Page {
    /// A table and those below it.
    pub(super) fn table(&mut self, path: &[&str], who: &str, Fields(fields): &Fields) {
        let keys: Vec<String> = path.iter().map(|key| Key::new(*key).to_string()).collect();
        let span = self.part(who, |text| *text += &format!("[{}]", keys.join(".")));
        if !self.known.insert(keys) {
            self.twice.push((span, who.to_owned()));
        }
        self.text.push('\n');
        for (key, field) in fields {
            match field {
                Field::Value(value) => self.value(key, &format!("`{key}` of {who}"), value),
                Field::List(list) => self.items(key, &format!("`{key}`"), &format!(" of {who}"), list),
                Field::Table(_) => {}
            }
        }
        self.text.push('\n');
        for (key, field) in fields {
            if let Field::Table(fields) = field {
                let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
                self.table(&path, &format!("`{key}` of {who}"), fields);
            }
        }
    }

    /// A table with one list.
    pub(super) fn list(&mut self, table: &str, key: &str, what: &str, texts: &[String]) {
        self.text += &format!("[{table}]\n");
        let values: Vec<Value> = texts.iter().map(|text| text.as_str().into()).collect();
        self.items(key, what, "", &values);
        self.text.push('\n');
    }

    /// A table of values by names of the user's choosing.
    pub(super) fn named<'a>(&mut self, table: &str, what: &str, all: impl Iterator<Item = (&'a str, Value)>) {
        let mut all = all.peekable();
        if all.peek().is_none() {
            return;
        }
        self.text += &format!("[{table}]\n");
        for (name, value) in all {
            let who = format!("{what} `{name}`");
            let from = self.text.len();
            self.value(name, &who, &value);
            if !self.known.insert(vec![table.to_owned(), name.to_owned()]) {
                self.twice.push((from..self.text.len() - 1, who));
            }
        }
        self.text.push('\n');
    }

    fn value(&mut self, key: &str, who: &str, value: &Value) {
        let line = format!("{} = {}", Key::new(key), value.0);
        self.part(who, |text| *text += &line);
        self.text.push('\n');
    }

    /// A list, each of whose items is told by itself.
    fn items(&mut self, key: &str, what: &str, of: &str, list: &[Value]) {
        self.text += &format!("{} = [\n", Key::new(key));
        for (index, value) in list.iter().enumerate() {
            self.text += "  ";
            let item = value.0.to_string();
            self.part(&format!("{what} {}{of}", index + 1), |text| *text += &item);
            self.text += ",\n";
        }
        self.text += "]\n";
    }

    fn part(&mut self, who: &str, write: impl FnOnce(&mut String)) -> Span {
        let from = self.text.len();
        write(&mut self.text);
        let span = from..self.text.len();
        self.places.push((span.clone(), format!("{who} of the builder")));
        span
    }
}
