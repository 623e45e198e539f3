//! Text to octets.

use encoding_rs::EncoderResult;

use super::name::{Charset, Octet};
use super::{Nel, Unmappable};

/// Turns text into octets of a character set.
pub struct Encoder {
    charset: Charset,
    nel: Nel,
    unmappable: Unmappable,
    form: Form,
}

/// How a character set writes its characters.
enum Form {
    /// An octet each.
    Octets(Box<Octets>),
    /// As Unicode has them, in UTF-8.
    Utf8,
    /// In units of 16 bits.
    Utf16 { order: Order, mark: Mark },
    /// As an encoding of the web.
    Web(Box<encoding_rs::Encoder>),
}

/// Which octet of a unit comes first.
#[derive(Clone, Copy)]
enum Order {
    Big,
    Little,
}

/// Whether a byte order mark is still to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Due,
    None,
}

/// The octet of each character.
struct Octets {
    /// Of each up to U+00FF.
    low: [Option<u8>; 256],
    /// Of the others.
    others: Vec<(char, u8)>,
}

impl Octets {
    fn of(charset: Charset) -> Box<Self> {
        let mut octets = Self { low: [None; 256], others: Vec::new() };
        for octet in 0..=255 {
            let Octet::Is(character) = charset.octet(octet) else { continue };
            match octets.low.get_mut(character as usize) {
                Some(place) => *place = Some(octet),
                None => octets.others.push((character, octet)),
            }
        }
        Box::new(octets)
    }

    fn find(&self, character: char) -> Option<u8> {
        match self.low.get(character as usize) {
            Some(octet) => *octet,
            None => self.others.iter().find(|(c, _)| *c == character).map(|(_, octet)| *octet),
        }
    }
}

/// Where text cannot be written, and the character there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unwritable {
    /// How many octets of the text, UTF-8, stood before it.
    pub(super) at: usize,
    pub(super) character: char,
}

impl Encoder {
    /// One of a character set, and what it does where that does not have a character.
    pub fn new(charset: Charset, nel: Nel, unmappable: Unmappable) -> Self {
        let utf_16 = |order, mark| Form::Utf16 { order, mark };
        let form = match charset {
            Charset::Page(_) | Charset::Ascii | Charset::Latin1 => Form::Octets(Octets::of(charset)),
            Charset::Utf16 => utf_16(Order::Little, Mark::Due),
            Charset::Web(e) if e == encoding_rs::UTF_16LE => utf_16(Order::Little, Mark::None),
            Charset::Web(e) if e == encoding_rs::UTF_16BE => utf_16(Order::Big, Mark::None),
            Charset::Web(e) if e == encoding_rs::UTF_8 => Form::Utf8,
            Charset::Web(e) => Form::Web(Box::new(e.new_encoder())),
        };
        Self { charset, nel: nel.of(charset), unmappable, form }
    }

    /// Appends the octets of a text.
    ///
    /// # Errors
    /// The character that the character set does not have, and how many octets of `text` stood before it, where the policy
    /// makes an error of it. What stood before it was appended.
    pub fn push(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), (usize, char)> {
        self.write(text, out).map_err(|Unwritable { at, character }| (at, character))
    }

    /// There is no more.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Form::Web(web) = &mut self.form {
            out.reserve(16);
            // What leads back to ASCII, where an encoding has states.
            let (result, _) = web.encode_from_utf8_to_vec_without_replacement("", out, true);
            debug_assert!(result == EncoderResult::InputEmpty, "an escape has three octets");
        }
    }

    pub(super) fn write(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        match &mut self.form {
            Form::Utf8 => out.extend_from_slice(text.as_bytes()),
            Form::Utf16 { order, mark } => {
                let (order, due) = (*order, core::mem::replace(mark, Mark::None) == Mark::Due);
                let units = due.then_some(0xfeff).into_iter().chain(text.encode_utf16());
                out.extend(units.flat_map(|unit| match order {
                    Order::Big => unit.to_be_bytes(),
                    Order::Little => unit.to_le_bytes(),
                }));
            }
            Form::Octets(_) => {
                for (at, character) in text.char_indices() {
                    match self.find(character) {
                        Some(octet) => out.push(octet),
                        None => self.stands_for(at, character, out)?,
                    }
                }
            }
            Form::Web(_) => return self.write_web(text, out),
        }
        Ok(())
    }

    fn write_web(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let mut rest = text;
        while !rest.is_empty() {
            let Form::Web(web) = &mut self.form else { return Ok(()) };
            out.reserve(web.max_buffer_length_from_utf8_without_replacement(rest.len()).unwrap_or(rest.len()).max(16));
            let (result, read) = web.encode_from_utf8_to_vec_without_replacement(rest, out, false);
            rest = &rest[read..];
            // Which character it is the text says: the encoder has another name for some that would change its state.
            let before = &text[..text.len() - rest.len()];
            if let (EncoderResult::Unmappable(_), Some((at, character))) = (result, before.char_indices().next_back()) {
                self.stands_for(at, character, out)?;
            }
        }
        Ok(())
    }

    fn find(&self, character: char) -> Option<u8> {
        match &self.form {
            Form::Octets(octets) => octets.find(self.nel.swap(character)),
            _ => None,
        }
    }

    /// Writes what stands for a character. Every character set has the characters of ASCII that this takes.
    fn stands_for(&mut self, at: usize, character: char, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let text = match self.unmappable {
            Unmappable::Error => return Err(Unwritable { at, character }),
            Unmappable::Replace if self.charset.is_ebcdic() => "\u{1a}".to_owned(),
            Unmappable::Replace => "?".to_owned(),
            Unmappable::Escape => format!("\\u{{{:x}}}", u32::from(character)),
        };
        match &mut self.form {
            Form::Web(web) => {
                out.reserve(text.len() * 4 + 16);
                // An encoding with states may be in one that has no such character: the encoder leads out of it.
                let _ = web.encode_from_utf8_to_vec_without_replacement(&text, out, false);
            }
            _ => out.extend(text.chars().filter_map(|c| self.find(c))),
        }
        Ok(())
    }
}

impl core::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Encoder").field("charset", &self.charset.name()).finish_non_exhaustive()
    }
}
