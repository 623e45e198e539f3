//! The shapes that values have: what the JSON Schema says of them, and what a person is told who wrote another.

use crate::document::Value;
use crate::schema::Section;

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
