//! Puts a message together: the same octets each time, for who sent it, when and under which name is given.

use core::fmt;

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::mime::{BodyPart, MimePart};

use super::transfer::to_base64;
use crate::charset::{Charset, Converter, Nel, Unmappable};

/// A message to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Who sends it.
    pub from: Mailbox,
    /// Who is to get it.
    pub to: Vec<Mailbox>,
    /// What it is about.
    pub subject: String,
    /// When it was written, in seconds since 1970 (UTC).
    pub date: i64,
    /// Its name in the world: `1@seoul.test`.
    pub id: String,
    /// What its boundaries are made of.
    pub boundary: String,
    /// What stands in it.
    pub body: Part,
}

/// A name and an address.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Mailbox {
    /// The name of whoever it belongs to; may be empty.
    pub name: String,
    /// `kim@seoul.test`.
    pub address: String,
}

impl Mailbox {
    /// A name, which may be empty, and an address.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self { name: name.into(), address: address.into() }
    }
}

/// A part of a message to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Text; in UTF-8 as it is, quoted-printable or base64, whichever is shortest, in another character set in base64.
    Text {
        /// `plain`, `html`.
        subtype: String,
        /// The character set.
        charset: Charset,
        /// The text.
        text: String,
    },
    /// A file, in base64.
    Octets {
        /// Its type: `image/gif`.
        kind: String,
        /// What it is called.
        name: String,
        /// What stands in it.
        octets: Vec<u8>,
    },
    /// Parts.
    Multipart {
        /// `mixed`, `alternative`, `related`.
        subtype: String,
        /// At least one.
        parts: Vec<Part>,
    },
}

/// Why a message cannot be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unwritable(String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

/// Parts within parts within parts; no reader takes more.
const DEEPEST: usize = 16;

impl Message {
    /// The message, its lines ended by CR LF.
    ///
    /// # Errors
    /// Where an address, a type or the id would be more than one word of its field, or parts are none or too deep.
    pub fn write(&self) -> Result<Vec<u8>, Unwritable> {
        let Self { from, to, subject, date, id, boundary, body } = self;
        word("an id", id)?;
        word("a boundary", boundary)?;
        let address = |mailbox: &Mailbox| {
            word("an address", &mailbox.address)?;
            Ok(Address::new_address((!mailbox.name.is_empty()).then(|| mailbox.name.clone()), mailbox.address.clone()))
        };
        let to = to.iter().map(address).collect::<Result<Vec<_>, _>>()?;
        let mut boundaries = Boundaries { base: boundary, body, used: 0 };
        let message = MessageBuilder::new()
            .from(address(from)?)
            .to(Address::new_list(to))
            .subject(&subject[..])
            .date(Date::new(*date))
            .message_id(&id[..])
            .header("MIME-Version", mail_builder::headers::raw::Raw::new("1.0"))
            .body(part(body, &mut boundaries, 0)?);
        message.write_to_vec().map_err(|e| Unwritable(e.to_string()))
    }
}

fn part<'x>(of: &'x Part, boundaries: &mut Boundaries<'_>, depth: usize) -> Result<MimePart<'x>, Unwritable> {
    Ok(match of {
        Part::Text { subtype, charset, text } => {
            word("a subtype", subtype)?;
            let kind = ContentType::new(format!("text/{subtype}")).attribute("charset", charset.iana());
            if *charset == Charset::UTF_8 {
                return Ok(MimePart::new(kind, BodyPart::Text(text.into())));
            }
            let mut converter = Converter::new(Charset::UTF_8, *charset, Nel::LineFeed, Unmappable::Error);
            let mut octets = Vec::new();
            let converted = converter.push(text.as_bytes(), &mut octets).and_then(|()| converter.finish(&mut octets));
            converted.map_err(|e| Unwritable(e.to_string()))?;
            // Octets of another character set are no lines: a mail system that mends ends of lines would break them.
            let encoded = to_base64(&octets);
            MimePart::new(kind, BodyPart::Text(encoded.into())).transfer_encoding("base64")
        }
        Part::Octets { kind, name, octets } => {
            word("a type", kind)?;
            MimePart::new(ContentType::new(&kind[..]), BodyPart::Binary(octets.into())).attachment(&name[..])
        }
        Part::Multipart { subtype, parts } => {
            word("a subtype", subtype)?;
            if parts.is_empty() {
                return Err(Unwritable("a multipart should have a part".to_owned()));
            }
            if depth >= DEEPEST {
                return Err(Unwritable(format!("parts are nested more than {DEEPEST} deep")));
            }
            let kind = ContentType::new(format!("multipart/{subtype}")).attribute("boundary", boundaries.next());
            let parts = parts.iter().map(|of| part(of, boundaries, depth + 1)).collect::<Result<Vec<_>, _>>()?;
            MimePart::new(kind, BodyPart::Multipart(parts))
        }
    })
}

/// What may not be cut, quoted or end a line.
fn word(what: &str, text: &str) -> Result<(), Unwritable> {
    let good =
        !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"<>\"(),;:".contains(c));
    if good { Ok(()) } else { Err(Unwritable(format!("{text:?} is not {what}"))) }
}

/// The boundaries of a message, each its own.
struct Boundaries<'a> {
    base: &'a str,
    body: &'a Part,
    used: usize,
}

impl Boundaries<'_> {
    /// RFC 2045 §6.7: "=_" can never appear in a quoted-printable body, nor in base64; where it does in text that is sent as
    /// it is, another is taken.
    fn next(&mut self) -> String {
        loop {
            self.used += 1;
            let boundary = format!("=_{}_{}", self.base, self.used);
            if !holds(self.body, &boundary) {
                return boundary;
            }
        }
    }
}

fn holds(part: &Part, words: &str) -> bool {
    match part {
        Part::Text { text, .. } => text.contains(words),
        Part::Octets { .. } => false,
        Part::Multipart { parts, .. } => parts.iter().any(|part| holds(part, words)),
    }
}
