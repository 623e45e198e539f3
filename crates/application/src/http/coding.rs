//! Content codings: which one a client takes (RFC 9110 §12.5.3), and bodies that come in one.

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use septet_presentation::compression::{Coding, Decoder, Fault, Limits};

/// In which coding a response goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    /// As it is.
    Identity,
    /// In this one.
    Coded(Coding),
    /// The client takes nothing that there is.
    Nothing,
}

/// The coding that a client likes most, of equally liked ones the first of `offered`.
pub(super) fn negotiate(asked: &HeaderMap, offered: &[Coding]) -> Choice {
    let mut wishes: Vec<(&str, u16)> = Vec::new();
    for field in asked.get_all(ACCEPT_ENCODING) {
        let Ok(field) = field.to_str() else { continue };
        wishes.extend(field.split(',').filter_map(wish));
    }
    let any = wishes.iter().find(|(name, _)| *name == "*").map(|(_, weight)| *weight);
    let named = |coding: Option<Coding>| {
        let is = |name: &str| match coding {
            Some(coding) => Coding::find(name) == Some(coding),
            None => name.eq_ignore_ascii_case("identity"),
        };
        wishes.iter().find(|(name, _)| is(name)).map(|(_, weight)| *weight)
    };
    let mut best = None;
    for coding in offered {
        let weight = named(Some(*coding)).or(any).unwrap_or(0);
        if weight > best.map_or(0, |(_, most)| most) {
            best = Some((*coding, weight));
        }
    }
    // "If the representation has no content coding, then it is acceptable by default unless specifically excluded by the
    // Accept-Encoding header field stating either "identity;q=0" or "*;q=0" without a more specific entry for "identity"."
    let identity = named(None).or(any.filter(|weight| *weight == 0));
    match (best, identity) {
        (Some((_, weight)), Some(identity)) if identity > weight => Choice::Identity,
        (Some((coding, _)), _) => Choice::Coded(coding),
        (None, Some(0)) => Choice::Nothing,
        (None, _) => Choice::Identity,
    }
}

/// A coding and its weight in thousandths: `gzip;q=0.5`. What is malformed is no wish.
fn wish(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut weight = 1000;
    for part in parts {
        let (key, value) = part.split_once('=')?;
        if key.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value.trim())?;
        }
    }
    Some((name, weight))
}

/// RFC 9110 §12.4.2: `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 || !rest.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{rest:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// A body that comes in codings, one within another.
#[derive(Debug)]
pub(crate) struct Decoding(Vec<Decoder>);

impl Decoding {
    /// What undoes the codings of a response; none where it has none.
    ///
    /// # Errors
    /// The name of one that there is not.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, String> {
        let mut decoders = Vec::new();
        for field in headers.get_all(CONTENT_ENCODING) {
            let names = String::from_utf8_lossy(field.as_bytes()).into_owned();
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                if !name.eq_ignore_ascii_case("identity") {
                    let coding = Coding::find(name).ok_or_else(|| name.to_owned())?;
                    decoders.push(Decoder::new(coding, Limits::default()));
                }
            }
        }
        // §8.4: they are listed "in the order in which they were applied".
        decoders.reverse();
        Ok((!decoders.is_empty()).then_some(Self(decoders)))
    }

    /// Gives `sink` what more of the body was.
    ///
    /// # Errors
    /// Those of the coding, and the sink's.
    pub(crate) fn push<E: From<Fault>>(
        &mut self,
        data: &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        push(&mut self.0, data, sink)
    }

    /// There is no more.
    ///
    /// # Errors
    /// Where the body ended in the middle of a coding.
    pub(crate) fn finish(&self) -> Result<(), Fault> {
        self.0.iter().try_for_each(Decoder::finish)
    }
}

fn push<E: From<Fault>>(
    decoders: &mut [Decoder],
    data: &[u8],
    sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let Some((first, others)) = decoders.split_first_mut() else { return sink(data) };
    let (mut rest, mut out) = (data, vec![0; 16 * 1024]);
    loop {
        let step = first.step(rest, &mut out)?;
        rest = &rest[step.read..];
        if step.written > 0 {
            push(others, &out[..step.written], sink)?;
        }
        if rest.is_empty() && step.written < out.len() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use septet_presentation::compression::compress;

    use super::*;

    fn chosen(accept: Option<&str>) -> Choice {
        let headers = accept.map(|value| (ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap()));
        negotiate(&HeaderMap::from_iter(headers), &[Coding::Brotli, Coding::Gzip])
    }

    #[test]
    fn the_client_says_what_it_likes() {
        let (brotli, gzip) = (Choice::Coded(Coding::Brotli), Choice::Coded(Coding::Gzip));
        for (accept, choice) in [
            (None, Choice::Identity),
            (Some(""), Choice::Identity),
            (Some("gzip"), gzip),
            (Some("x-gzip"), gzip),
            (Some("deflate, GZIP, br"), brotli),
            (Some("gzip, br;q=0.9"), gzip),
            (Some("gzip;q=0.5, br;q=0.501"), brotli),
            (Some("*"), brotli),
            (Some("br;q=0, *"), gzip),
            (Some("gzip;q=0"), Choice::Identity),
            (Some("zstd"), Choice::Identity),
            (Some("gzip;q=0.5, identity"), Choice::Identity),
            (Some("gzip;q=0.5, identity;q=0.2"), gzip),
            (Some("identity;q=0"), Choice::Nothing),
            (Some("*;q=0"), Choice::Nothing),
            (Some("*;q=0, identity;q=0.1"), Choice::Identity),
            (Some("*;q=0, gzip;q=0.1"), gzip),
            // What is malformed is no wish.
            (Some("br;q=2, gzip;q=0.1"), gzip),
            (Some("br;q=0.1234, gzip;q=1.0"), gzip),
        ] {
            assert_eq!(chosen(accept), choice, "{accept:?}");
        }
    }

    #[test]
    fn codings_are_undone_in_their_order() {
        let said = |value: &'static str| HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(value))]);
        let body = compress(Coding::Brotli, &compress(Coding::Gzip, b"twice"));
        let mut decoding = Decoding::of(&said("gzip, br")).unwrap().unwrap();
        let mut out = Vec::new();
        let mut sink = |bytes: &[u8]| -> Result<(), Fault> {
            out.extend_from_slice(bytes);
            Ok(())
        };
        body.chunks(3).try_for_each(|piece| decoding.push(piece, &mut sink)).unwrap();
        decoding.finish().unwrap();
        assert_eq!(out, b"twice");
        assert!(Decoding::of(&said("identity")).unwrap().is_none());
        assert_eq!(Decoding::of(&said("gzip, rot13")).unwrap_err(), "rot13");
    }
}
