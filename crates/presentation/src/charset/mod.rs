//! Character sets: EBCDIC and Unicode, turned into one another as they come.
//!
//! [`Decoder`] reads octets of a [`CodePage`] and gives text; [`Encoder`] reads UTF-8, however it is cut, and gives octets.
//! What a code page does not have is an error with its place, a substitute, or an escape: the caller says which. So is
//! which octet ends a line: EBCDIC has NEL (0x15), which Unicode has too (U+0085), and LF (0x25), and systems differ in
//! which of them they end lines with.
//!
//! ```
//! use septet_presentation::charset::{CodePage, Decoder, Encoder, Nel, Unmappable};
//! let mut text = String::new();
//! Decoder::new(CodePage::Cp037, Nel::LineFeed).push(&[0xc8, 0x85, 0x93, 0x93, 0x96, 0x15], &mut text);
//! assert_eq!(text, "Hello\n");
//! let mut octets = Vec::new();
//! let mut encoder = Encoder::new(CodePage::Cp037, Nel::LineFeed, Unmappable::Error);
//! encoder.push(text.as_bytes(), &mut octets).unwrap();
//! assert_eq!(octets, [0xc8, 0x85, 0x93, 0x93, 0x96, 0x15]);
//! ```

mod pages;

use core::fmt;

pub use pages::CodePage;

/// What ends a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Nel {
    /// Each octet is its own character, as `iconv` has it: 0x15 is U+0085, 0x25 is U+000A.
    #[default]
    AsIs,
    /// NEL ends lines, as on z/OS: 0x15 is U+000A and 0x25 is U+0085.
    LineFeed,
}

/// What becomes of what a code page, or Unicode, does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unmappable {
    /// Nothing more: an error tells where it stands.
    #[default]
    Error,
    /// The octet SUB (0x3f) stands for it.
    Replace,
    /// `\u{20ac}` stands for it, in the characters of the code page.
    Escape,
}

/// What cannot be turned into octets, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unencodable {
    /// How many octets of UTF-8 stood before it.
    pub offset: u64,
    /// On which line it stands, the first being 1.
    pub line: u64,
    /// At which character of that line, the first being 1.
    pub column: u64,
    /// What stands there; none where it is no UTF-8.
    pub character: Option<char>,
    /// The code page that does not have it.
    pub page: CodePage,
}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, line, column, character, page } = self;
        write!(f, "line {line}, column {column} (byte {offset}): ")?;
        match character {
            Some(c) => write!(f, "{} has no {c:?} (U+{:04X})", page.name(), u32::from(*c)),
            None => f.write_str("this is no UTF-8"),
        }
    }
}

impl std::error::Error for Unencodable {}

/// Turns octets of a code page into text. Each octet is a character, so nothing is kept between two pieces.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    page: CodePage,
    nel: Nel,
}

impl Decoder {
    /// One of a code page.
    pub const fn new(page: CodePage, nel: Nel) -> Self {
        Self { page, nel }
    }

    /// Appends what `octets` say.
    pub fn push(&self, octets: &[u8], text: &mut String) {
        let characters = self.page.characters();
        text.extend(octets.iter().map(|octet| swap(self.nel, characters[usize::from(*octet)])));
    }
}

/// Turns UTF-8 into octets of a code page.
#[derive(Clone, Debug)]
pub struct Encoder {
    page: CodePage,
    nel: Nel,
    unmappable: Unmappable,
    /// The octet of each character up to U+00FF.
    octets: [Option<u8>; 256],
    /// Those of the others.
    others: Vec<(char, u8)>,
    /// The beginning of a character whose rest has not come.
    partial: Vec<u8>,
    offset: u64,
    line: u64,
    column: u64,
}

impl Encoder {
    /// One of a code page, and what it does where that does not have a character.
    pub fn new(page: CodePage, nel: Nel, unmappable: Unmappable) -> Self {
        let mut octets = [None; 256];
        let mut others = Vec::new();
        for (octet, character) in (0..=255).zip(page.characters()) {
            match octets.get_mut(*character as usize) {
                Some(place) => *place = Some(octet),
                None => others.push((*character, octet)),
            }
        }
        Self { page, nel, unmappable, octets, others, partial: Vec::new(), offset: 0, line: 1, column: 1 }
    }

    /// Appends the octets of a piece of UTF-8; a character that is cut is kept for the next piece.
    ///
    /// # Errors
    /// Where something cannot be turned, and the policy makes an error of it. What stood before it was appended.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Unencodable> {
        let joined;
        let bytes = if self.partial.is_empty() {
            piece
        } else {
            joined = [&core::mem::take(&mut self.partial)[..], piece].concat();
            &joined
        };
        for chunk in bytes.utf8_chunks() {
            chunk.valid().chars().try_for_each(|c| self.put(c, out))?;
            let invalid = chunk.invalid();
            if !invalid.is_empty() {
                let at_end = invalid.as_ptr_range().end == bytes.as_ptr_range().end;
                if at_end && is_beginning(invalid) {
                    self.partial = invalid.to_vec();
                } else {
                    self.put_invalid(invalid.len(), out)?;
                }
            }
        }
        Ok(())
    }

    /// There is no more.
    ///
    /// # Errors
    /// Where the text ended within a character, and the policy makes an error of it.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        match core::mem::take(&mut self.partial).len() {
            0 => Ok(()),
            len => self.put_invalid(len, out),
        }
    }

    fn octet(&self, character: char) -> Option<u8> {
        let character = swap(self.nel, character);
        match self.octets.get(character as usize) {
            Some(octet) => *octet,
            None => self.others.iter().find(|(c, _)| *c == character).map(|(_, octet)| *octet),
        }
    }

    fn put(&mut self, character: char, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        match self.octet(character) {
            Some(octet) => out.push(octet),
            None => self.substitute(Some(character), u32::from(character), out)?,
        }
        self.offset += character.len_utf8() as u64;
        self.column += 1;
        if character == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        }
        Ok(())
    }

    fn put_invalid(&mut self, len: usize, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        self.substitute(None, u32::from(char::REPLACEMENT_CHARACTER), out)?;
        self.offset += len as u64;
        self.column += 1;
        Ok(())
    }

    fn substitute(&self, character: Option<char>, number: u32, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        /// EBCDIC's substitute, SUB.
        const SUBSTITUTE: u8 = 0x3f;
        match self.unmappable {
            Unmappable::Error => {
                let Self { offset, line, column, page, .. } = *self;
                return Err(Unencodable { offset, line, column, character, page });
            }
            Unmappable::Replace => out.push(SUBSTITUTE),
            // Every code page has the characters of ASCII that this takes.
            Unmappable::Escape => out.extend(format!("\\u{{{number:x}}}").chars().filter_map(|c| self.octet(c))),
        }
        Ok(())
    }
}

/// NEL and LF in each other's place, where lines end in NEL.
const fn swap(nel: Nel, character: char) -> char {
    match (nel, character) {
        (Nel::LineFeed, '\n') => '\u{85}',
        (Nel::LineFeed, '\u{85}') => '\n',
        (_, other) => other,
    }
}

/// Whether octets that are no UTF-8 may be the beginning of a character.
fn is_beginning(octets: &[u8]) -> bool {
    core::str::from_utf8(octets).is_err_and(|e| e.error_len().is_none())
}

#[cfg(test)]
mod tests;
