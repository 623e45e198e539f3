//! Octets as people read them, and what programs do with what cannot be converted.

use septet_presentation::charset::{Charset, Decoder, Nel, Unmappable};

use super::args::{ArgError, bad};

/// The first octets in hexadecimal: `c8 85 93 93 96 …`.
pub(super) fn hex(octets: &[u8]) -> String {
    const MOST: usize = 24;
    let mut words: Vec<String> = octets.iter().take(MOST).map(|octet| format!("{octet:02x}")).collect();
    if octets.len() > MOST {
        words.push("\u{2026}".to_owned());
    }
    words.join(" ")
}

/// What a host shows whose character set is this one.
pub(super) fn shown(octets: &[u8], own: Charset) -> String {
    let mut text = String::new();
    let mut decoder = Decoder::new(own, Nel::LineFeed, Unmappable::Replace);
    // What cannot be read is replaced, so that nothing fails.
    let _ = decoder.push(octets, &mut text).and_then(|()| decoder.finish(&mut text));
    text
}

/// The character set of an option.
pub(super) fn charset(name: &str) -> Result<Charset, ArgError> {
    Charset::find(name).ok_or_else(|| bad("--charset", name, "a character set, as cp037, us-ascii, utf-8"))
}

/// What an option says of what cannot be converted.
pub(super) fn unmappable(how: &str) -> Result<Unmappable, ArgError> {
    match how {
        "error" => Ok(Unmappable::Error),
        "replace" => Ok(Unmappable::Replace),
        "escape" => Ok(Unmappable::Escape),
        _ => Err(bad("--unmappable", how, "error, replace or escape")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_read_as_the_host_has_them() {
        assert_eq!(hex(&[0xc8, 5]), "c8 05");
        assert_eq!(hex(&[0; 25]).split(' ').count(), 25);
        assert_eq!(shown(&[0xc8, 0x89, 0x15], charset("cp037").unwrap()), "Hi\n");
        assert_eq!(shown(&[0xc8, 0x89], Charset::Ascii), "\u{fffd}\u{fffd}");
    }
}
