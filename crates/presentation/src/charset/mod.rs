//! Character sets: octets turned into text and text into octets, as they come.
//!
//! A [`Charset`] is found by its name: EBCDIC code pages, ASCII, Latin-1, UTF-8 and UTF-16, and the encodings of the web.
//! [`Converter`] turns octets of one into octets of another; [`Decoder`] and [`Encoder`] are its halves. All take pieces,
//! however they are cut, and keep no more than an unfinished character. What is malformed, or what a character set does not
//! have, is a [`Mistake`] with its place, a substitute, or an escape: the caller says which. So is which octet ends a line:
//! EBCDIC has NEL (0x15), which Unicode has too (U+0085), and LF (0x25), and systems differ in which of them they end
//! lines with.
//!
//! ```
//! use septet_presentation::charset::{Charset, Converter, Nel, Unmappable};
//! let (ebcdic, utf_8) = (Charset::find("cp037").unwrap(), Charset::UTF_8);
//! let mut text = Vec::new();
//! let mut converter = Converter::new(ebcdic, utf_8, Nel::LineFeed, Unmappable::Error);
//! converter.push(&[0xc8, 0x85, 0x93, 0x93, 0x96, 0x15], &mut text).unwrap();
//! converter.finish(&mut text).unwrap();
//! assert_eq!(text, b"Hello\n");
//! ```

mod converter;
mod decoder;
mod encoder;
mod mistake;
mod name;
mod pages;

pub use converter::Converter;
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use mistake::{Mistake, What};
pub use name::Charset;
pub use pages::CodePage;

/// What ends a line in EBCDIC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Nel {
    /// Each octet is its own character, as `iconv` has it: 0x15 is U+0085, 0x25 is U+000A.
    #[default]
    AsIs,
    /// NEL ends lines, as on z/OS: 0x15 is U+000A and 0x25 is U+0085.
    LineFeed,
}

impl Nel {
    /// What ends a line in a character set: only EBCDIC has the choice.
    const fn of(self, charset: Charset) -> Self {
        if charset.is_ebcdic() { self } else { Self::AsIs }
    }

    /// NEL and LF in each other's place, where lines end in NEL.
    const fn swap(self, character: char) -> char {
        match (self, character) {
            (Self::LineFeed, '\n') => '\u{85}',
            (Self::LineFeed, '\u{85}') => '\n',
            (_, other) => other,
        }
    }
}

/// What becomes of octets that are no character, and of characters that a character set does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unmappable {
    /// Nothing more: an error tells where it stands.
    #[default]
    Error,
    /// A substitute stands for it: SUB (0x3f) in EBCDIC, U+FFFD in Unicode, a question mark elsewhere.
    Replace,
    /// `\u{20ac}` stands for a character, `\xff` for an octet.
    Escape,
}

#[cfg(test)]
mod tests;
