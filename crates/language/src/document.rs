//! The TOML document as a tree in which everything knows its place, in the order of the file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::mistake::{Mistake, Mistakes, Span};

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its place.
    pub span: Span,
    /// What stands there.
    pub value: Value,
}

/// A value of any type.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(Text),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A date, a time or both.
    Datetime(toml::value::Datetime),
    /// A list.
    List(Vec<Item>),
    /// A table.
    Table(Table),
}

impl Value {
    /// What it is, for a person.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::Datetime(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A string that can tell the place of each of its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// What it says, escapes resolved.
    pub text: String,
    /// The whole literal, quotes included.
    pub span: Span,
    /// Where the first byte of `text` stands in the file; absent where the literal is written with escapes.
    start: Option<usize>,
}

impl Text {
    fn new(text: String, span: Span, source: &str) -> Self {
        let literal = source.get(span.clone()).unwrap_or_default();
        let quote = if literal.starts_with("\"\"\"") || literal.starts_with("'''") { 3 } else { 1 };
        // A newline right after three quotes is not part of the string.
        let start = [quote, quote + 1, quote + 2]
            .into_iter()
            .find(|at| literal.get(*at..at + text.len()) == Some(&text) && literal.len() == at + text.len() + quote)
            .map(|at| span.start + at);
        Self { text, span, start }
    }

    /// A number of the file, taken as its text.
    pub fn bare(text: String, span: Span) -> Self {
        let start = (span.len() == text.len()).then_some(span.start);
        Self { text, span, start }
    }

    /// The place of `text[range]`.
    pub fn place(&self, range: Span) -> Span {
        match self.start {
            Some(start) => start + range.start..start + range.end,
            None => self.span.clone(),
        }
    }

    /// The place of the text without its quotes.
    pub fn inner(&self) -> Span {
        self.place(0..self.text.len())
    }
}

/// A key and its place.
#[derive(Clone, Debug)]
pub struct Name {
    /// The key.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// A table in the order of the file.
#[derive(Clone, Default, Debug)]
pub struct Table {
    /// Keys and values.
    pub entries: Vec<(Name, Item)>,
}

impl Table {
    /// What stands under `key`.
    pub fn get(&self, key: &str) -> Option<&Item> {
        self.entry(key).map(|(_, item)| item)
    }

    /// The key of that name and what stands under it.
    pub fn entry(&self, key: &str) -> Option<(&Name, &Item)> {
        self.entries.iter().find(|(name, _)| name.text == key).map(|(name, item)| (name, item))
    }

    /// The table under `key`, where there is one.
    pub fn table(&self, key: &str) -> Option<&Table> {
        match self.get(key) {
            Some(Item { value: Value::Table(table), .. }) => Some(table),
            _ => None,
        }
    }

    /// The string under `key`, where there is one.
    pub fn text(&self, key: &str) -> Option<&Text> {
        match self.get(key) {
            Some(Item { value: Value::Text(text), .. }) => Some(text),
            _ => None,
        }
    }
}

/// Parses TOML; all syntax errors are reported.
pub fn parse(source: &str, mistakes: &mut Mistakes) -> Table {
    let (root, errors) = DeTable::parse_recoverable(source);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        mistakes.push(Mistake::new("syntax", span, format!("not TOML: {}", error.message()), "here"));
    }
    table(root.into_inner(), source)
}

fn table(from: DeTable<'_>, source: &str) -> Table {
    let mut entries: Vec<_> = from
        .into_iter()
        .map(|(key, value)| {
            let name = Name { span: key.span(), text: key.into_inner().into_owned() };
            (name, item(value, source))
        })
        .collect();
    entries.sort_by_key(|(name, _)| name.span.start);
    Table { entries }
}

fn item(from: Spanned<DeValue<'_>>, source: &str) -> Item {
    let span = from.span();
    let value = match from.into_inner() {
        DeValue::String(text) => Value::Text(Text::new(text.into_owned(), span.clone(), source)),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Value::Integer(n),
            Err(_) => Value::Float(n.as_str().parse().unwrap_or(f64::INFINITY)),
        },
        DeValue::Float(n) => Value::Float(n.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(b) => Value::Bool(b),
        DeValue::Datetime(d) => Value::Datetime(d),
        DeValue::Array(list) => Value::List(list.into_iter().map(|v| item(v, source)).collect()),
        DeValue::Table(t) => Value::Table(table(t, source)),
    };
    Item { span, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Table {
        let mut mistakes = Mistakes::new("t", source);
        let table = parse(source, &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        table
    }

    #[test]
    fn keeps_the_order_of_the_file() {
        let root = read("[host.z]\n[host.a.http]\nbody = 1\n[switch.m]\n[host.k]\n");
        let hosts: Vec<_> = root.table("host").unwrap().entries.iter().map(|(n, _)| n.text.as_str()).collect();
        assert_eq!(hosts, ["z", "a", "k"]);
    }

    #[test]
    fn strings_know_the_place_of_their_words() {
        for source in ["k = \"one two\"", "k = 'one two'", "k = \"\"\"\none two\"\"\"", "k = '''one two'''"] {
            let root = read(source);
            let text = root.text("k").unwrap();
            assert_eq!(&source[text.place(4..7)], "two", "{source}");
        }
        let source = r#"k = "one\ttwo""#;
        let text = read(source);
        let text = text.text("k").unwrap();
        assert_eq!(&source[text.place(4..7)], r#""one\ttwo""#, "with escapes the whole literal is the place");
    }

    #[test]
    fn every_syntax_error_is_reported() {
        let source = "a = \nb = 1\nc = [1,\nd = 'x";
        let mut mistakes = Mistakes::new("t", source);
        parse(source, &mut mistakes);
        assert!(mistakes.len() >= 2, "{mistakes:?}");
    }
}
