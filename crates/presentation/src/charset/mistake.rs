//! What cannot be converted, and where it stands.

use core::fmt;

use super::name::Charset;

/// What cannot be converted, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// How many octets stood before it.
    pub offset: u64,
    /// On which line it stands, the first being 1. LF and NEL end lines.
    pub line: u64,
    /// At which character of that line, the first being 1.
    pub column: u64,
    /// What stands there.
    pub what: What,
}

/// What stands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Octets that are no character.
    Malformed {
        /// The first of them.
        octet: u8,
        /// The character set that they should be of.
        from: Charset,
    },
    /// A character that the other character set does not have.
    Unmappable {
        /// The character.
        character: char,
        /// The character set that does not have it.
        to: Charset,
    },
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, line, column, what } = self;
        write!(f, "line {line}, column {column} (byte {offset}): ")?;
        match what {
            What::Malformed { octet, from } => write!(f, "the octet 0x{octet:02x} there is no {}", from.name()),
            What::Unmappable { character, to } => {
                write!(f, "{} has no {character:?} (U+{:04X})", to.name(), u32::from(*character))
            }
        }
    }
}

impl std::error::Error for Mistake {}

/// How far a conversion has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Octets read.
    pub(super) offset: u64,
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Place {
    pub(super) const START: Self = Self { offset: 0, line: 1, column: 1 };

    /// Goes past text, whose octets are counted elsewhere.
    pub(super) fn pass(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '\n' | '\u{85}' => (self.line, self.column) = (self.line + 1, 1),
                _ => self.column += 1,
            }
        }
    }

    pub(super) fn mistake(self, what: What) -> Mistake {
        let Self { offset, line, column } = self;
        Mistake { offset, line, column, what }
    }
}
