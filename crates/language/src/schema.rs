//! The keys of a file, each declared once: what may stand behind it, what that means, and how it is read.
//!
//! A [`Key`] is a constant with a [`KeyType`]. Tables of keys are [`Section`]s; [`read`] takes a document through one,
//! reports everything in it that is wrong, and gives a [`Table`] whose values are asked for by their keys and come as what
//! they say: a duration, a number of bytes, whatever a small language yields. No text is looked at twice. The same
//! declarations give the [JSON Schema](json) and the help for misspelt keys.

mod date;
mod json;
mod key;
mod path;
mod table;
mod types;

pub use json::json;
pub use key::{AnyKey, Erased, Key, KeyType, Kind, Missing, Position, Section};
pub use path::{NoKey, kind_at, walk};
pub use table::{Entry, Table, read};
pub use types::{
    AtLeast, Choice, Count, Date, Either, Line, Named, OneOf, Phrase, PieceOf, Size, Switch, TableOf, Texts, Time,
    Values,
};
