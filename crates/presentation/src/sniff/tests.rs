//! The cases of the standard: each row of its tables, what nearly is one, and what a server said.

use proptest::prelude::*;

use super::*;

fn guessed(input: &[u8]) -> &'static str {
    sniff(input, &Supplied::default())
}

#[test]
fn every_row_is_found_by_its_own_pattern() {
    for row in [SCRIPTABLE, PLAIN, IMAGES, MEDIA, ARCHIVES].concat() {
        let mut input = row.pattern.to_vec();
        assert!(row.mask.is_empty() || row.mask.len() == row.pattern.len(), "{row:?}");
        if row.end == table::End::Tag {
            assert_ne!(guessed(&input), row.essence, "{row:?} without its end");
            input.push(b'>');
        }
        assert_eq!(guessed(&input), row.essence, "{row:?}");
        assert_eq!(guessed(&[&input[..], b" and more"].concat()), row.essence, "{row:?}");
        if row.ignored == table::Ignored::WhiteSpace {
            assert_eq!(guessed(&[b"\t\r\n\x0c ", &input[..]].concat()), row.essence, "{row:?}");
        }
        // Cut by one octet it is something else.
        let cut = &row.pattern[..row.pattern.len() - 1];
        assert!(!row.matches(cut), "{row:?}");
    }
    for row in FONTS {
        assert_eq!(font(row.pattern, "font/sfnt"), row.essence);
    }
}

#[test]
fn what_is_like_a_pattern_is_none() {
    let cases: &[(&[u8], &str)] = &[
        (b"<html>", "text/html"),
        (b"<HtMl lang=ko>", "text/html"),
        (b"<htmlx>", "text/plain"),
        (b"<!doctype html>", "text/html"),
        (b"<!DOCTYPE HTML5", "text/plain"),
        (b"<!-- a comment -->", "text/html"),
        (b"<b>", "text/html"),
        (b"<blink>", "text/plain"),
        (b"x <html>", "text/plain"),
        (b" %PDF-1.7", "text/plain"),
        (b"GIF88a", "text/plain"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        (b"RIFF\x01\x02\x03\x04WEBPXX", "application/octet-stream"),
        (b"\xff\xd8\xfe", "text/plain"),
        (b"\xfe\xff", "text/plain"),
        (b"", "text/plain"),
        (b"plain\ttext\r\n", "text/plain"),
        (b"\x1b[31mred", "text/plain"),
        (b"a\0b", "application/octet-stream"),
    ];
    for (input, essence) in cases {
        assert_eq!(guessed(input), *essence, "{:?}", String::from_utf8_lossy(input));
    }
    // Only the header is looked at.
    let late = [vec![b'a'; HEADER], vec![0]].concat();
    assert_eq!(guessed(&late), "text/plain");
    assert_eq!(guessed(&late[1..]), "application/octet-stream");
}

#[test]
fn media_without_a_pattern() {
    let mp4 = |major: &[u8], compatible: &[u8]| {
        let size = (16 + compatible.len() as u32).to_be_bytes();
        [&size[..], b"ftyp", major, &[0; 4], compatible].concat()
    };
    assert_eq!(guessed(&mp4(b"mp42", b"")), "video/mp4");
    assert_eq!(guessed(&mp4(b"isom", b"iso2mp41")), "video/mp4");
    assert_eq!(guessed(&mp4(b"isom", b"iso2")), "application/octet-stream");
    // The version of the brand is no brand.
    let mut version = mp4(b"isom", b"iso2");
    version[12..15].copy_from_slice(b"mp4");
    assert_eq!(guessed(&version), "application/octet-stream");
    let short = mp4(b"mp42", b"");
    assert_eq!(guessed(&short[..15]), "application/octet-stream", "the box is not whole");

    let webm = |kind: &[u8]| [b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82", kind, b"\x42\x87\x81\x04"].concat();
    assert_eq!(guessed(&webm(b"\x84webm")), "video/webm");
    assert_eq!(guessed(&webm(b"\x40\x04webm")), "video/webm");
    assert_eq!(guessed(&webm(b"\x86\0\0webm")), "video/webm");
    assert_eq!(guessed(&webm(b"\x88matroska")), "application/octet-stream");
    // What only looks like the identifier, in a number before it.
    let twice = b"\x1a\x45\xdf\xa3\x9f\x42\xf2\x82\x42\x82\x42\x82\x84webm\x42\x87\x81\x04";
    assert_eq!(guessed(twice), "video/webm");

    // MPEG 1 layer III, 128 kbit/s at 44.1 kHz: 417 octets, and the next frame.
    let header = b"\xff\xfb\x90\x00";
    let mut mp3 = header.to_vec();
    mp3.resize(417, 0);
    mp3.extend(header);
    assert_eq!(guessed(&mp3), "audio/mpeg");
    assert_eq!(guessed(&mp3[..417]), "application/octet-stream", "one header may be chance");
}

#[test]
fn what_a_server_says_counts() {
    let said =
        |essence: &'static str, input: &[u8]| sniff(input, &Supplied { essence: Some(essence), ..Supplied::default() });
    assert_eq!(said("image/png", b"GIF89a"), "image/gif");
    assert_eq!(said("image/png", b"<html>"), "image/png");
    assert_eq!(said("image/svg+xml", b"GIF89a"), "image/svg+xml");
    assert_eq!(said("text/plain", b"<html>"), "text/plain");
    assert_eq!(said("video/ogg", b"RIFF\0\0\0\0AVI "), "video/avi");
    assert_eq!(said("application/unknown", b"%PDF-"), "application/pdf");
    assert_eq!(said("application/json", b"GIF89a"), "application/json");
    // Forbidden to guess, what can be scripted is not guessed even where nothing is said.
    let no_sniff = Supplied { no_sniff: NoSniff::Set, ..Supplied::default() };
    assert_eq!(sniff(b"<html>", &no_sniff), "text/plain");
    assert_eq!(sniff(b"GIF89a", &no_sniff), "image/gif");
    assert_eq!(sniff(b"GIF89a", &Supplied { essence: Some("image/png"), ..no_sniff }), "image/png");
}

#[test]
fn old_apaches_are_known_by_their_words() {
    assert_eq!(Apache::of(b"text/plain; charset=ISO-8859-1"), Apache::Set);
    assert_eq!(Apache::of(b"text/plain; charset=utf-8"), Apache::Unset);
    let said = Supplied { essence: Some("text/plain"), apache: Apache::Set, ..Supplied::default() };
    for (input, essence) in [
        (&b"text"[..], "text/plain"),
        (b"GIF89a\0", "application/octet-stream"),
        (b"\xfe\xff\0a", "text/plain"),
        (b"\xef\xbb\xbf\0", "text/plain"),
        (b"<html>", "text/plain"),
    ] {
        assert_eq!(sniff(input, &said), essence);
    }
}

#[test]
fn feeds_are_told_from_pages() {
    let html = |input: &[u8]| sniff(input, &Supplied { essence: Some("text/html"), ..Supplied::default() });
    assert_eq!(html(b"<html>"), "text/html");
    assert_eq!(
        html(b"\xef\xbb\xbf <?xml version='1.0'?>\n<!-- by hand -->\n<rss version='2.0'>"),
        "application/rss+xml"
    );
    assert_eq!(html(b"<!DOCTYPE x><feed xmlns='...'>"), "application/atom+xml");
    let rdf = b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>";
    assert_eq!(html(rdf), "application/rss+xml");
    assert_eq!(html(b"<rdf:RDF xmlns='http://purl.org/rss/1.0/'>"), "text/html");
    assert_eq!(html(b"<!-- never ends"), "text/html");
    assert_eq!(html(b"text <rss>"), "text/html");
    assert_eq!(html(b""), "text/html");
}

proptest! {
    #[test]
    fn nothing_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..80), which in 0_usize..6) {
        let starts: [&[u8]; 6] = [b"", b"\x1a\x45\xdf\xa3", b"\0\0\0\x14ftyp", b"\xff\xfb", b"<", b"\x1a\x45\xdf\xa3\x42\x82"];
        let input = [starts[which], &bytes].concat();
        for essence in [None, Some("text/html"), Some("image/png"), Some("audio/mpeg"), Some("text/plain")] {
            let _ = sniff(&input, &Supplied { essence, apache: Apache::Set, ..Supplied::default() });
            let _ = sniff(&input, &Supplied { essence, ..Supplied::default() });
        }
        let _ = (image(&input, "image/png"), media(&input, "video/mp4"), font(&input, "font/ttf"));
    }
}
