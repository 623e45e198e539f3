//! Every octet there and back, what is cut, and what is not to be had.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn decode(page: CodePage, octets: &[u8]) -> String {
    let mut text = String::new();
    Decoder::new(page, Nel::AsIs).push(octets, &mut text);
    text
}

fn encode(page: CodePage, text: &[u8], unmappable: Unmappable) -> Result<Vec<u8>, Unencodable> {
    let mut encoder = Encoder::new(page, Nel::AsIs, unmappable);
    let mut octets = Vec::new();
    encoder.push(text, &mut octets)?;
    encoder.finish(&mut octets)?;
    Ok(octets)
}

#[test]
fn every_octet_is_a_character_of_its_own() {
    let all: Vec<u8> = (0..=255).collect();
    for page in CodePage::ALL {
        let text = decode(page, &all);
        assert_eq!(text.chars().count(), 256);
        assert_eq!(encode(page, text.as_bytes(), Unmappable::Error).unwrap(), all, "{}", page.name());
    }
}

#[test]
fn pages_are_found_however_they_are_written() {
    for (name, page) in [
        ("cp037", CodePage::Cp037),
        ("IBM037", CodePage::Cp037),
        ("37", CodePage::Cp037),
        ("ibm-1047", CodePage::Cp1047),
        ("CCSID 500", CodePage::Cp500),
        ("EBCDIC-273", CodePage::Cp273),
        ("cp1140", CodePage::Cp1140),
    ] {
        assert_eq!(CodePage::find(name), Some(page), "{name}");
    }
    assert_eq!(CodePage::find("cp1252"), None);
}

#[test]
fn what_a_page_does_not_have_has_its_place() {
    let text = "ab\nc€d".as_bytes();
    let wrong = encode(CodePage::Cp037, text, Unmappable::Error).unwrap_err();
    assert_eq!(wrong.to_string(), "line 2, column 2 (byte 4): cp037 has no '€' (U+20AC)");
    assert_eq!(decode(CodePage::Cp1140, &encode(CodePage::Cp1140, text, Unmappable::Error).unwrap()), "ab\nc€d");
    assert_eq!(decode(CodePage::Cp037, &encode(CodePage::Cp037, text, Unmappable::Replace).unwrap()), "ab\nc\u{1a}d");
    assert_eq!(decode(CodePage::Cp037, &encode(CodePage::Cp037, text, Unmappable::Escape).unwrap()), "ab\nc\\u{20ac}d");
    let cut = encode(CodePage::Cp037, b"a\xe2\x82", Unmappable::Error).unwrap_err();
    assert_eq!(cut.to_string(), "line 1, column 2 (byte 1): this is no UTF-8");
    assert!(encode(CodePage::Cp037, b"a\xffb", Unmappable::Error).is_err());
}

#[test]
fn lines_end_as_they_are_told_to() {
    let mut text = String::new();
    Decoder::new(CodePage::Cp1047, Nel::LineFeed).push(&[0x15, 0x25], &mut text);
    assert_eq!(text, "\n\u{85}");
    assert_eq!(decode(CodePage::Cp1047, &[0x15, 0x25]), "\u{85}\n");
    let mut octets = Vec::new();
    Encoder::new(CodePage::Cp1047, Nel::LineFeed, Unmappable::Error).push(text.as_bytes(), &mut octets).unwrap();
    assert_eq!(octets, [0x15, 0x25]);
}

proptest! {
    #[test]
    fn text_is_the_same_however_it_is_cut(text in "\\PC{0,40}", cut in 1_usize..7, page in 0_usize..5) {
        let page = CodePage::ALL[page];
        let whole = encode(page, text.as_bytes(), Unmappable::Escape).unwrap();
        let mut encoder = Encoder::new(page, Nel::AsIs, Unmappable::Escape);
        let mut octets = Vec::new();
        for piece in text.as_bytes().chunks(cut) {
            encoder.push(piece, &mut octets).unwrap();
        }
        encoder.finish(&mut octets).unwrap();
        prop_assert_eq!(octets, whole);
    }

    #[test]
    fn nothing_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 1_usize..9) {
        for unmappable in [Unmappable::Error, Unmappable::Replace, Unmappable::Escape] {
            let mut encoder = Encoder::new(CodePage::Cp500, Nel::LineFeed, unmappable);
            let mut octets = Vec::new();
            let ended = bytes.chunks(cut).try_for_each(|piece| encoder.push(piece, &mut octets));
            prop_assert!(unmappable == Unmappable::Error || ended.is_ok());
        }
    }
}

/// The judge: glibc's `iconv`. Where it is missing the test says so loudly, unless `SEPTET_REQUIRE_JUDGES=1`.
fn iconv(from: &str, to: &str, input: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new("iconv").args(["-f", from, "-t", to]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none_or(|v| v != "1"), "iconv is required: {e}");
            eprintln!("SKIPPED: iconv cannot be run: {e}");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "iconv -f {from} -t {to}");
    Some(output.stdout)
}

#[test]
fn iconv_says_the_same_of_every_octet() {
    let all: Vec<u8> = (0..=255).collect();
    for page in CodePage::ALL {
        let theirs = format!("IBM{}", &page.name()[2..]);
        let Some(text) = iconv(&theirs, "UTF-8", &all) else { return };
        assert_eq!(decode(page, &all).as_bytes(), text, "{theirs}");
        assert_eq!(
            iconv("UTF-8", &theirs, &text).unwrap(),
            encode(page, &text, Unmappable::Error).unwrap(),
            "{theirs}"
        );
    }
}
