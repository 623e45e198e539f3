//! Octets to text.

use encoding_rs::{CoderResult, DecoderResult};

use super::mistake::{Mistake, Place, What};
use super::name::{Charset, Octet};
use super::{Nel, Unmappable};

/// Turns octets of a character set into text.
pub struct Decoder {
    charset: Charset,
    nel: Nel,
    malformed: Unmappable,
    /// Where an octet alone says nothing.
    web: Option<encoding_rs::Decoder>,
    /// The last octets of the pieces before: what is malformed may have begun there.
    recent: Vec<u8>,
    place: Place,
}

/// No character has more octets, nor has what is malformed.
const LONGEST: usize = 8;

impl Decoder {
    /// One of a character set, and what it does with octets that are no character.
    pub fn new(charset: Charset, nel: Nel, malformed: Unmappable) -> Self {
        Self { charset, nel: nel.of(charset), malformed, web: web(charset), recent: Vec::new(), place: Place::START }
    }

    /// Appends what `octets` say; a character that is cut is kept for the next piece.
    ///
    /// # Errors
    /// Where octets are no character, and the policy makes an error of it. What stood before was appended.
    pub fn push(&mut self, octets: &[u8], text: &mut String) -> Result<(), Mistake> {
        self.read(octets, Last::No, text)
    }

    /// There is no more.
    ///
    /// # Errors
    /// Where the octets ended within a character, and the policy makes an error of it.
    pub fn finish(&mut self, text: &mut String) -> Result<(), Mistake> {
        self.read(&[], Last::Yes, text)
    }

    fn read(&mut self, octets: &[u8], last: Last, text: &mut String) -> Result<(), Mistake> {
        let Some(mut web) = self.web.take() else { return self.read_single(octets, text) };
        let begun = self.place.offset;
        let mut rest = octets;
        let outcome = loop {
            // As much as these may become, and never nothing.
            text.reserve(web.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len()).max(16));
            let from = text.len();
            let (result, read) = web.decode_to_string_without_replacement(rest, text, last == Last::Yes);
            self.place.offset += read as u64;
            self.place.pass(&text[from..]);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => break Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(len, after) => {
                    let at = self.place.offset - u64::from(len) - u64::from(after);
                    let bad: Vec<u8> =
                        (at..at + u64::from(len)).filter_map(|at| self.octet_at(at, begun, octets)).collect();
                    if let Err(mistake) = self.stands_for(&bad, at, text) {
                        break Err(mistake);
                    }
                }
            }
        };
        self.recent.extend_from_slice(&octets[octets.len().saturating_sub(LONGEST)..]);
        self.recent.drain(..self.recent.len().saturating_sub(LONGEST));
        self.web = Some(web);
        outcome
    }

    /// The octet at an offset, in this piece, which began at `begun`, or shortly before it.
    fn octet_at(&self, at: u64, begun: u64, octets: &[u8]) -> Option<u8> {
        match at.checked_sub(begun) {
            Some(within) => octets.get(within as usize).copied(),
            None => self.recent.get(self.recent.len().checked_sub((begun - at) as usize)?).copied(),
        }
    }

    fn read_single(&mut self, octets: &[u8], text: &mut String) -> Result<(), Mistake> {
        for octet in octets {
            match self.charset.octet(*octet) {
                Octet::Is(character) => {
                    let from = text.len();
                    text.push(self.nel.swap(character));
                    self.place.pass(&text[from..]);
                }
                Octet::Nothing | Octet::Part => self.stands_for(&[*octet], self.place.offset, text)?,
            }
            self.place.offset += 1;
        }
        Ok(())
    }

    /// Puts what stands for octets that are no character.
    fn stands_for(&mut self, octets: &[u8], at: u64, text: &mut String) -> Result<(), Mistake> {
        let from = text.len();
        match self.malformed {
            Unmappable::Error => {
                let octet = octets.first().copied().unwrap_or_default();
                let what = What::Malformed { octet, from: self.charset };
                return Err(Place { offset: at, ..self.place }.mistake(what));
            }
            Unmappable::Replace => text.push(char::REPLACEMENT_CHARACTER),
            Unmappable::Escape => octets.iter().for_each(|octet| text.push_str(&format!("\\x{octet:02x}"))),
        }
        self.place.pass(&text[from..]);
        Ok(())
    }
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decoder").field("charset", &self.charset.name()).field("place", &self.place).finish()
    }
}

/// Whether there is no more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    No,
    Yes,
}

fn web(charset: Charset) -> Option<encoding_rs::Decoder> {
    match charset {
        Charset::Web(encoding) => Some(encoding.new_decoder_without_bom_handling()),
        // Which octet comes first: the mark says it, and is none of the text.
        Charset::Utf16 => Some(encoding_rs::UTF_16LE.new_decoder()),
        Charset::Page(_) | Charset::Ascii | Charset::Latin1 => None,
    }
}

/// A decoder that stands where a piece began, to say which octet of it a character of its text came from.
pub(super) struct Shadow {
    web: encoding_rs::Decoder,
    /// Octets that it has read of a character that is not whole.
    pending: u64,
}

impl Shadow {
    /// None where each octet is a character.
    pub(super) fn new(charset: Charset) -> Option<Self> {
        web(charset).map(|web| Self { web, pending: 0 })
    }

    /// Goes past a piece that was well formed.
    pub(super) fn follow(&mut self, octets: &[u8]) {
        let (most, end) = octets.split_at(octets.len().saturating_sub(LONGEST));
        let mut text = String::with_capacity(most.len() * 4 + 16);
        let mut rest = most;
        while !rest.is_empty() {
            text.clear();
            let (_, read, _) = self.web.decode_to_string(rest, &mut text, false);
            rest = &rest[read..];
            self.pending = 0;
        }
        for octet in end {
            self.step(*octet);
        }
    }

    /// The octet, counted from the piece's first, that the character at `at` in the piece's text began with; below zero
    /// where it began in an earlier piece.
    pub(super) fn find(&mut self, octets: &[u8], at: usize) -> i64 {
        let mut text = 0;
        for (n, octet) in octets.iter().enumerate() {
            let begun = n as i64 - self.pending as i64;
            text += self.step(*octet);
            if text > at {
                return begun;
            }
        }
        octets.len() as i64
    }

    /// Reads an octet, and says how long the text is that came of it.
    fn step(&mut self, octet: u8) -> usize {
        let mut text = String::with_capacity(16);
        let (result, _, _) = self.web.decode_to_string(&[octet], &mut text, false);
        debug_assert!(result == CoderResult::InputEmpty, "one octet is no more than a few characters");
        self.pending = if text.is_empty() { self.pending + 1 } else { 0 };
        text.len()
    }
}
