//! What is this data? The WHATWG's MIME Sniffing: what a browser takes a resource for, by its first octets and by what its
//! server said.
//!
//! ```
//! use septet_presentation::sniff::{self, Supplied};
//! assert_eq!(sniff::sniff(b"\x89PNG\r\n\x1a\n...", &Supplied::default()), "image/png");
//! assert_eq!(sniff::sniff(b"  <html>", &Supplied::default()), "text/html");
//! // What is said to be text is never taken for a script.
//! let said = Supplied { essence: Some("text/plain"), ..Supplied::default() };
//! assert_eq!(sniff::sniff(b"<html>", &said), "text/plain");
//! ```

mod feed;
mod media;
pub mod table;

use table::{ARCHIVES, FONTS, IMAGES, MEDIA, PLAIN, SCRIPTABLE, first};

/// §5.2: so many octets of a resource are looked at.
pub const HEADER: usize = 1445;

/// What a server said of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Supplied<'a> {
    /// The essence of its Content-Type, in small letters: `text/html`.
    pub essence: Option<&'a str>,
    /// `X-Content-Type-Options: nosniff`.
    pub no_sniff: NoSniff,
    /// The Content-Type is one that old Apaches gave whatever they did not know.
    pub apache: Apache,
}

/// Whether a server forbids to guess.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum NoSniff {
    /// It does not.
    #[default]
    Unset,
    /// It does.
    Set,
}

/// §5.1: the check-for-apache-bug flag.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Apache {
    /// Not set.
    #[default]
    Unset,
    /// Set: the Content-Type was exactly one of four.
    Set,
}

impl Apache {
    /// §5.1: whether a Content-Type, octet for octet, is one of those.
    pub fn of(content_type: &[u8]) -> Self {
        match content_type {
            b"text/plain"
            | b"text/plain; charset=ISO-8859-1"
            | b"text/plain; charset=iso-8859-1"
            | b"text/plain; charset=UTF-8" => Self::Set,
            _ => Self::Unset,
        }
    }
}

/// §7: the computed MIME type of a resource that begins with `input`.
pub fn sniff<'a>(input: &[u8], supplied: &Supplied<'a>) -> &'a str {
    let input = &input[..input.len().min(HEADER)];
    let Some(essence) = supplied.essence else { return unknown(input, supplied.no_sniff) };
    if is_xml(essence) {
        return essence;
    }
    // Step 2: types that say nothing.
    if matches!(essence, "unknown/unknown" | "application/unknown" | "*/*") {
        return unknown(input, supplied.no_sniff);
    }
    if supplied.no_sniff == NoSniff::Set {
        return essence;
    }
    if supplied.apache == Apache::Set {
        return text_or_binary(input);
    }
    if essence == "text/html" {
        return feed::feed_or_html(input);
    }
    if essence.starts_with("image/") {
        return first(IMAGES, input).unwrap_or(essence);
    }
    if is_media(essence) {
        return audio_or_video(input).unwrap_or(essence);
    }
    essence
}

/// §8.2: sniffing in an image context, as for `<img>`.
pub fn image<'a>(input: &[u8], supplied: &'a str) -> &'a str {
    within(input, supplied, |input| first(IMAGES, input))
}

/// §8.3: sniffing in an audio or video context, as for `<video>`.
pub fn media<'a>(input: &[u8], supplied: &'a str) -> &'a str {
    within(input, supplied, audio_or_video)
}

/// §8.7: sniffing in a font context.
pub fn font<'a>(input: &[u8], supplied: &'a str) -> &'a str {
    within(input, supplied, |input| first(FONTS, input))
}

fn within<'a>(input: &[u8], supplied: &'a str, by: impl Fn(&[u8]) -> Option<&'static str>) -> &'a str {
    let input = &input[..input.len().min(HEADER)];
    if is_xml(supplied) { supplied } else { by(input).unwrap_or(supplied) }
}

/// §4.6: an XML MIME type.
fn is_xml(essence: &str) -> bool {
    essence.ends_with("+xml") || matches!(essence, "text/xml" | "application/xml")
}

/// §4.6: an audio or video MIME type.
fn is_media(essence: &str) -> bool {
    essence.starts_with("audio/") || essence.starts_with("video/") || essence == "application/ogg"
}

/// §6.2.
fn audio_or_video(input: &[u8]) -> Option<&'static str> {
    first(MEDIA, input)
        .or_else(|| media::is_mp4(input).then_some("video/mp4"))
        .or_else(|| media::is_webm(input).then_some("video/webm"))
        .or_else(|| media::is_mp3(input).then_some("audio/mpeg"))
}

/// §7.1: the type of what nothing was said of; the sniff-scriptable flag is the inverse of the no-sniff flag.
fn unknown(input: &[u8], no_sniff: NoSniff) -> &'static str {
    let scriptable = if no_sniff == NoSniff::Set { None } else { first(SCRIPTABLE, input) };
    scriptable
        .or_else(|| first(PLAIN, input))
        .or_else(|| first(IMAGES, input))
        .or_else(|| audio_or_video(input))
        .or_else(|| first(ARCHIVES, input))
        .unwrap_or_else(|| if has_binary(input) { "application/octet-stream" } else { "text/plain" })
}

/// §7.2: a server that says "text/plain" of what it does not know.
fn text_or_binary(input: &[u8]) -> &'static str {
    let marked = [&b"\xfe\xff"[..], b"\xff\xfe", b"\xef\xbb\xbf"].iter().any(|mark| input.starts_with(mark));
    if marked || !has_binary(input) { "text/plain" } else { "application/octet-stream" }
}

/// §3: binary data bytes.
fn has_binary(input: &[u8]) -> bool {
    input.iter().any(|octet| matches!(octet, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f))
}

#[cfg(test)]
mod tests;
