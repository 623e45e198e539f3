//! Takes a message apart.

use mail_parser::{HeaderName, HeaderValue, MessageParser};

use super::fault::Fault;
use super::part::{Content, Entity};
use super::transfer::{base64, quoted_printable};

/// How much of a message there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Parts within parts within parts.
    pub depth: usize,
    /// Entities in all.
    pub parts: usize,
    /// Octets of the fields of one entity.
    pub header: usize,
    /// Octets in all.
    pub size: usize,
}

impl Default for Limits {
    /// 16 deep, 1000 parts, 256 KiB of fields, 64 MiB in all.
    fn default() -> Self {
        Self { depth: 16, parts: 1000, header: 256 << 10, size: 64 << 20 }
    }
}

/// Takes a message apart.
///
/// # Errors
/// Where something is no MIME, or there is more than `limits` let pass; with the place.
pub fn read(message: &[u8], limits: &Limits) -> Result<Entity, Fault> {
    if message.len() > limits.size {
        return Err(Fault::at(message, limits.size, format!("the message has more than {} bytes", limits.size)));
    }
    Reader { message, limits, parts: 0 }.entity(0, message.len(), 0, "text/plain")
}

struct Reader<'a> {
    message: &'a [u8],
    limits: &'a Limits,
    /// Entities so far.
    parts: usize,
}

impl Reader<'_> {
    fn fault(&self, offset: usize, why: impl Into<String>) -> Fault {
        Fault::at(self.message, offset, why)
    }

    /// The entity between two octets of the message.
    fn entity(&mut self, from: usize, to: usize, depth: usize, kind: &str) -> Result<Entity, Fault> {
        if depth > self.limits.depth {
            return Err(self.fault(from, format!("parts are nested more than {} deep", self.limits.depth)));
        }
        self.parts += 1;
        if self.parts > self.limits.parts {
            return Err(self.fault(from, format!("there are more than {} parts", self.limits.parts)));
        }
        let body = self.header_end(from, to)?;
        let mut entity = Entity {
            kind: kind.to_owned(),
            parameters: Vec::new(),
            fields: Vec::new(),
            content: Content::Octets(Vec::new()),
            offset: from,
            name: None,
        };
        self.fields(&mut entity, from, body)?;
        entity.content = self.content(&entity, body, to, depth)?;
        Ok(entity)
    }

    /// Where the body begins that stands behind the fields from `from` on, each line of which must be one, or go on with one.
    fn header_end(&self, from: usize, to: usize) -> Result<usize, Fault> {
        let mut at = from;
        while at < to {
            let line = line(&self.message[at..to]);
            let text = line.trim_ascii_end();
            if text.is_empty() {
                return Ok(at + line.len());
            }
            let goes_on = at > from && matches!(line[0], b' ' | b'\t');
            // RFC 5322 §2.2: "characters that have values between 33 and 126, inclusive, except colon".
            let name = text.split(|octet| *octet == b':').next().unwrap_or_default();
            let printable = name.trim_ascii_end().iter().all(u8::is_ascii_graphic);
            let named = name.len() < text.len() && !name.is_empty() && printable;
            if !goes_on && !named {
                return Err(self.fault(at, "a field should stand here, as `Name: value`, or an empty line"));
            }
            at += line.len();
            if at - from > self.limits.header {
                return Err(self.fault(from, format!("its fields have more than {} bytes", self.limits.header)));
            }
        }
        Ok(to)
    }

    fn fields(&self, entity: &mut Entity, from: usize, to: usize) -> Result<(), Fault> {
        let parser = MessageParser::new()
            .default_header_text()
            .header_content_type(HeaderName::ContentType)
            .header_content_type(HeaderName::ContentDisposition);
        let header = &self.message[from..to];
        let Some(parsed) = parser.parse_headers(header) else { return Ok(()) };
        let headers = parsed.parts.into_iter().next().map(|part| part.headers).unwrap_or_default();
        let (mut typed, mut disposed) = (false, false);
        for field in headers {
            let place = from + field.offset_field as usize;
            let text = match field.value {
                HeaderValue::ContentType(found) => {
                    let parameters: Vec<(String, String)> = found
                        .attributes()
                        .unwrap_or_default()
                        .iter()
                        .map(|a| (a.name.to_ascii_lowercase(), a.value.clone().into_owned()))
                        .collect();
                    if field.name == HeaderName::ContentType && !typed {
                        typed = true;
                        let Some(subtype) = found.subtype() else {
                            return Err(self.fault(place, "its type should be a type and a subtype, as `text/plain`"));
                        };
                        entity.kind = format!("{}/{subtype}", found.ctype()).to_ascii_lowercase();
                        entity.parameters = parameters;
                    } else if field.name == HeaderName::ContentDisposition && !disposed {
                        disposed = true;
                        entity.name = parameters.into_iter().find(|(name, _)| name == "filename").map(|(_, name)| name);
                    }
                    let value = header.get(field.offset_start as usize..field.offset_end as usize).unwrap_or_default();
                    String::from_utf8_lossy(value).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
                }
                HeaderValue::Text(text) => text.into_owned(),
                _ => String::new(),
            };
            entity.fields.push((field.name.as_str().to_owned(), text));
        }
        Ok(())
    }

    fn content(&mut self, entity: &Entity, from: usize, to: usize, depth: usize) -> Result<Content, Fault> {
        let coding = entity.field("content-transfer-encoding").unwrap_or("7bit").trim().to_ascii_lowercase();
        let bare = matches!(&coding[..], "7bit" | "8bit" | "binary");
        if entity.kind.starts_with("multipart/") {
            // RFC 2045 §6.4: "it is EXPRESSLY FORBIDDEN to use any encodings other than "7bit", "8bit", or "binary" with any
            // composite media type".
            if !bare {
                return Err(self.fault(entity.offset, format!("`{coding}` around parts is forbidden")));
            }
            return self.multipart(entity, from, to, depth).map(Content::Parts);
        }
        if entity.kind == "message/rfc822" && bare {
            return Ok(Content::Message(Box::new(self.entity(from, to, depth + 1, "text/plain")?)));
        }
        let body = &self.message[from..to];
        let decoded = match &coding[..] {
            "base64" => base64(body),
            "quoted-printable" => quoted_printable(body),
            _ if bare => Ok(body.to_vec()),
            _ => return Err(self.fault(entity.offset, format!("nobody knows the transfer encoding `{coding}`"))),
        };
        decoded.map(Content::Octets).map_err(|(at, why)| self.fault(from + at, why))
    }

    /// RFC 2046 §5.1.1.
    fn multipart(&mut self, entity: &Entity, from: usize, to: usize, depth: usize) -> Result<Vec<Entity>, Fault> {
        let boundary = match entity.parameter("boundary") {
            // "Boundary delimiters must not appear within the encapsulated material, and must be no longer than 70 characters".
            Some(boundary) if (1..=70).contains(&boundary.len()) => boundary.as_bytes(),
            Some(_) => return Err(self.fault(entity.offset, "its boundary should have 1 to 70 characters")),
            None => return Err(self.fault(entity.offset, "a multipart should say its boundary")),
        };
        // §5.1.5: in a digest "the default Content-Type value for a body part is changed".
        let kind = if entity.kind == "multipart/digest" { "message/rfc822" } else { "text/plain" };
        let mut parts = Vec::new();
        // Where the part begins that goes on; what stands before the first is for nobody.
        let mut begun = None;
        let mut at = from;
        while at < to {
            let line = line(&self.message[at..to]);
            let next = at + line.len();
            if let Some(delimiter) = delimiter(line, boundary) {
                if let Some(begun) = begun {
                    // "The boundary delimiter … CRLF preceding … is conceptually attached to the boundary".
                    let end = at - line_end(&self.message[begun..at]);
                    parts.push(self.entity(begun, end, depth + 1, kind)?);
                }
                if delimiter == Delimiter::Last {
                    return match parts.is_empty() {
                        true => Err(self.fault(at, "a multipart should have a part")),
                        false => Ok(parts),
                    };
                }
                begun = Some(next);
            }
            at = next;
        }
        let boundary = String::from_utf8_lossy(boundary);
        Err(self.fault(to, format!("the parts from byte {from} on should end with `--{boundary}--`")))
    }
}

/// A line with its end.
fn line(octets: &[u8]) -> &[u8] {
    let len = octets.iter().position(|octet| *octet == b'\n').map_or(octets.len(), |at| at + 1);
    &octets[..len]
}

/// How many octets the end of the last line has.
fn line_end(octets: &[u8]) -> usize {
    match octets {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    Between,
    Last,
}

fn delimiter(line: &[u8], boundary: &[u8]) -> Option<Delimiter> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (rest, delimiter) = match rest.strip_prefix(b"--") {
        Some(rest) => (rest, Delimiter::Last),
        None => (rest, Delimiter::Between),
    };
    rest.trim_ascii().is_empty().then_some(delimiter)
}
