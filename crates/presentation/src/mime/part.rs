//! A message, or a part of one, as it was read.

use crate::charset::{Charset, Decoder, Nel, Unmappable};

/// A message, or a part of one (RFC 2045 §2.4: "entity").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entity {
    /// Its type and subtype, in small letters: `text/plain`.
    pub kind: String,
    /// The parameters of its type: their names in small letters, and their values.
    pub parameters: Vec<(String, String)>,
    /// Its fields in their order: their names as they stand there, and their values in one line, encoded words decoded.
    pub fields: Vec<(String, String)>,
    /// What stands in it.
    pub content: Content,
    /// How many octets of the message stand before it.
    pub offset: usize,
    pub(super) name: Option<String>,
}

/// What stands in an entity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// Octets, out of their transfer encoding.
    Octets(Vec<u8>),
    /// Parts (`multipart/…`).
    Parts(Vec<Entity>),
    /// Another message (`message/rfc822`).
    Message(Box<Entity>),
}

impl Entity {
    /// The value of the first field of this name, however it is written.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
    }

    /// The value of a parameter of its type.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(parameter, _)| parameter == name).map(|(_, value)| &value[..])
    }

    /// What its sender calls it (RFC 2183 §2.3, or the parameter `name` of its type). It is what a stranger says: no path.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| self.parameter("name"))
    }

    /// Its parts; none where it is no multipart.
    pub fn parts(&self) -> &[Self] {
        match &self.content {
            Content::Parts(parts) => parts,
            Content::Octets(_) | Content::Message(_) => &[],
        }
    }

    /// Its octets; none where it has parts, or is a message.
    pub fn octets(&self) -> &[u8] {
        match &self.content {
            Content::Octets(octets) => octets,
            Content::Parts(_) | Content::Message(_) => &[],
        }
    }

    /// Its octets as text, of the character set that it names (RFC 2046 §4.1.2: without a name "US-ASCII").
    ///
    /// # Errors
    /// Where nobody knows that character set, or the octets are none of it; with the place in the text.
    pub fn text(&self) -> Result<String, String> {
        let name = self.parameter("charset").unwrap_or("us-ascii");
        let charset = Charset::find(name).ok_or_else(|| format!("no character set is called `{name}`"))?;
        let mut decoder = Decoder::new(charset, Nel::AsIs, Unmappable::Error);
        let mut text = String::new();
        decoder.push(self.octets(), &mut text).and_then(|()| decoder.finish(&mut text)).map_err(|e| e.to_string())?;
        Ok(text)
    }
}
