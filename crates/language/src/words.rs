//! The words of a string, each with its place.

use core::ops::Range;

use crate::document::Text;
use crate::mistake::Mistake;
use crate::units::Refusal;

/// What is wrong with a part of a string.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// The part, in bytes of the string.
    pub at: Range<usize>,
    /// The kind of the mistake.
    pub code: &'static str,
    /// What stands beside the place.
    pub label: &'static str,
    /// Why, and what to write instead.
    pub refusal: Refusal,
}

impl Wrong {
    /// What is wrong at `at`.
    pub fn new(code: &'static str, at: Range<usize>, reason: impl Into<String>) -> Self {
        Self { at, code, label: "here", refusal: Refusal::new(reason) }
    }

    /// A quantity at `at` was refused.
    pub fn refused(code: &'static str, at: Range<usize>, refusal: Refusal) -> Self {
        Self { at, code, label: "here", refusal }
    }

    /// Says what stands beside the place.
    pub fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    /// Says what to write instead.
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.refusal.help = help.into();
        self
    }

    /// The mistake of the file that has `text`.
    pub fn mistake(self, text: &Text) -> Mistake {
        Mistake::refused(self.code, text.place(self.at), self.label, self.refusal)
    }
}

/// A word and where it stands in its string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word<'t> {
    /// The word.
    pub text: &'t str,
    /// Its first byte, in bytes of the string.
    pub at: usize,
}

impl<'t> Word<'t> {
    /// Its place, in bytes of the string.
    pub fn range(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    /// The word without the spaces around it.
    pub fn trim(self) -> Word<'t> {
        let front = self.text.len() - self.text.trim_start().len();
        Word { text: self.text.trim(), at: self.at + front }
    }

    /// The parts between occurrences of `separator`, trimmed.
    pub fn split(self, separator: &str) -> impl Iterator<Item = Word<'t>> + use<'t, '_> {
        let mut at = self.at;
        self.text.split(separator).map(move |part| {
            let word = Word { text: part, at };
            at += part.len() + separator.len();
            word.trim()
        })
    }

    /// The parts before and after the first `separator`, trimmed.
    pub fn split_once(self, separator: &str) -> Option<(Word<'t>, Word<'t>)> {
        let (before, after) = self.text.split_once(separator)?;
        let at = self.at + before.len() + separator.len();
        Some((Word { text: before, at: self.at }.trim(), Word { text: after, at }.trim()))
    }
}

/// Walks over the words of a part of a string.
#[derive(Clone, Debug)]
pub struct Words<'t> {
    rest: &'t str,
    at: usize,
    commas: Commas,
}

/// What a comma is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commas {
    /// A part of its word.
    Belong,
    /// As a space: `rate 256kbit, delay 300ms`.
    Part,
}

impl Commas {
    fn parts(self, c: char) -> bool {
        c.is_whitespace() || (self == Self::Part && c == ',')
    }
}

impl<'t> Words<'t> {
    /// The words of a part.
    pub fn new(part: Word<'t>) -> Self {
        Self { rest: part.text, at: part.at, commas: Commas::Belong }
    }

    /// The words of a whole string.
    pub fn of(text: &'t Text) -> Self {
        Self::new(Word { text: &text.text, at: 0 })
    }

    /// From here on commas are this.
    pub fn take_commas(&mut self, commas: Commas) {
        self.commas = commas;
    }

    /// The next word, which stays.
    pub fn peek(&self) -> Option<Word<'t>> {
        self.clone().next()
    }

    /// Takes the next word if it is `word`.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|w| w.text == word);
        if found {
            self.next();
        }
        found
    }

    /// Takes the next word if it begins with a digit, as quantities do and keywords do not.
    pub fn quantity(&mut self) -> Option<Word<'t>> {
        let word = self.peek().filter(|w| w.text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)))?;
        self.next();
        Some(word)
    }

    /// Takes the next word, which must be there.
    pub fn expect(&mut self, what: &str, example: &str) -> Result<Word<'t>, Wrong> {
        self.next().ok_or_else(|| {
            Wrong::new("incomplete", self.at..self.at, format!("{what} is missing"))
                .label("expected here")
                .help(format!("for example {example}"))
        })
    }

    /// The words that are left, as one part.
    pub fn rest(&self) -> Word<'t> {
        Word { text: self.rest, at: self.at }.trim()
    }
}

impl<'t> Iterator for Words<'t> {
    type Item = Word<'t>;

    fn next(&mut self) -> Option<Word<'t>> {
        let commas = self.commas;
        let front = self.rest.len() - self.rest.trim_start_matches(|c| commas.parts(c)).len();
        self.at += front;
        self.rest = &self.rest[front..];
        if self.rest.is_empty() {
            return None;
        }
        let len = self.rest.find(|c| commas.parts(c)).unwrap_or(self.rest.len());
        let word = Word { text: &self.rest[..len], at: self.at };
        self.at += len;
        self.rest = &self.rest[len..];
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_know_their_places() {
        let whole = Word { text: "  a --  b ,c ", at: 10 };
        let words: Vec<_> = Words::new(whole).map(|w| (w.text, w.at)).collect();
        assert_eq!(words, [("a", 12), ("--", 14), ("b", 18), (",c", 20)]);
        let mut words = Words::new(Word { text: "rate 1mbit, delay 5ms on a, b", at: 0 });
        words.take_commas(Commas::Part);
        let before: Vec<_> = core::iter::from_fn(|| words.next()).map(|w| w.text).take(5).collect();
        assert_eq!(before, ["rate", "1mbit", "delay", "5ms", "on"]);
        words.take_commas(Commas::Belong);
        assert_eq!(words.map(|w| w.text).collect::<Vec<_>>(), ["a,", "b"]);
        let parts: Vec<_> = whole.split("--").map(|w| (w.text, w.at)).collect();
        assert_eq!(parts, [("a", 12), ("b ,c", 18)]);
        let (before, after) = whole.split_once(",").unwrap();
        assert_eq!((before.text, after.text, after.at), ("a --  b", "c", 21));
    }
}
