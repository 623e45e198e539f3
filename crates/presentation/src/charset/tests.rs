//! Every octet there and back, what is cut, and what is not to be had.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn set(name: &str) -> Charset {
    Charset::find(name).unwrap_or_else(|| panic!("no character set is called {name}"))
}

fn convert(from: &str, to: &str, octets: &[u8], unmappable: Unmappable) -> Result<Vec<u8>, Mistake> {
    convert_cut(from, to, octets, unmappable, usize::MAX)
}

fn convert_cut(from: &str, to: &str, octets: &[u8], unmappable: Unmappable, cut: usize) -> Result<Vec<u8>, Mistake> {
    let mut converter = Converter::new(set(from), set(to), Nel::AsIs, unmappable);
    let mut out = Vec::new();
    for piece in octets.chunks(cut) {
        converter.push(piece, &mut out)?;
    }
    converter.finish(&mut out)?;
    Ok(out)
}

fn strict(from: &str, to: &str, octets: &[u8]) -> Vec<u8> {
    convert(from, to, octets, Unmappable::Error).unwrap_or_else(|e| panic!("{from} to {to}: {e}"))
}

fn wrong(from: &str, to: &str, octets: &[u8]) -> String {
    let whole = convert(from, to, octets, Unmappable::Error).expect_err("it cannot be converted").to_string();
    for cut in 1..4 {
        let again = convert_cut(from, to, octets, Unmappable::Error, cut).expect_err("nor in pieces").to_string();
        assert_eq!(again, whole, "in pieces of {cut}");
    }
    whole
}

#[test]
fn every_octet_is_a_character_of_its_own() {
    let all: Vec<u8> = (0..=255).collect();
    for page in CodePage::ALL {
        let text = strict(page.name(), "utf-8", &all);
        assert_eq!(String::from_utf8(text.clone()).unwrap().chars().count(), 256);
        assert_eq!(strict("utf-8", page.name(), &text), all, "{}", page.name());
    }
    assert_eq!(strict("utf-8", "latin1", &strict("latin1", "utf-8", &all)), all);
}

#[test]
fn character_sets_are_found_however_they_are_written() {
    for (name, found) in [
        ("cp037", "cp037"),
        ("IBM037", "cp037"),
        ("37", "cp037"),
        ("ibm-1047", "cp1047"),
        ("CCSID 500", "cp500"),
        ("EBCDIC-273", "cp273"),
        ("cp1140", "cp1140"),
        ("csIBM037", "cp037"),
        ("ebcdic-cp-us", "cp037"),
        ("EBCDIC-CP-CH", "cp500"),
        ("ebcdic-us-37+euro", "cp1140"),
        ("ASCII", "US-ASCII"),
        ("ISO-8859-1", "ISO-8859-1"),
        ("latin1", "ISO-8859-1"),
        ("cp1252", "windows-1252"),
        ("utf8", "UTF-8"),
        ("UTF-16", "UTF-16"),
        ("utf-16le", "UTF-16LE"),
        ("ks_c_5601-1987", "EUC-KR"),
        ("sjis", "Shift_JIS"),
        ("cp866", "IBM866"),
    ] {
        assert_eq!(Charset::find(name).map(Charset::name), Some(found), "{name}");
    }
    assert_eq!(Charset::find("cp9999"), None);
    // What only stands for data that nobody should read.
    assert_eq!(Charset::find("iso-2022-kr"), None);
    for charset in Charset::all() {
        assert_eq!(Charset::find(charset.name()), Some(charset), "{} by its own name", charset.name());
        assert_eq!(Charset::find(charset.iana()), Some(charset), "{} by IANA's", charset.iana());
    }
}

#[test]
fn what_a_page_does_not_have_has_its_place() {
    let text = "ab\nc€d".as_bytes();
    assert_eq!(wrong("utf-8", "cp037", text), "line 2, column 2 (byte 4): cp037 has no '€' (U+20AC)");
    let there = strict("utf-8", "cp1140", text);
    assert_eq!(strict("cp1140", "utf-8", &there), text);
    let by = |unmappable| strict("cp037", "utf-8", &convert("utf-8", "cp037", text, unmappable).unwrap());
    assert_eq!(by(Unmappable::Replace), b"ab\nc\x1ad");
    assert_eq!(by(Unmappable::Escape), b"ab\nc\\u{20ac}d");
    assert_eq!(wrong("utf-8", "cp037", b"a\xe2\x82"), "line 1, column 2 (byte 1): the octet 0xe2 there is no UTF-8");
    assert_eq!(wrong("utf-8", "cp037", b"ok\na\xffb"), "line 2, column 2 (byte 4): the octet 0xff there is no UTF-8");
    assert_eq!(convert("utf-8", "latin1", b"a\xffb", Unmappable::Escape).unwrap(), b"a\\xffb");
    assert_eq!(convert("utf-8", "utf-8", b"a\xe2\x82", Unmappable::Escape).unwrap(), b"a\\xe2\\x82");
    assert_eq!(convert("utf-8", "utf-8", b"a\xe2\x82", Unmappable::Replace).unwrap(), "a\u{fffd}".as_bytes());
    assert_eq!(convert("utf-8", "euc-kr", "가😀나".as_bytes(), Unmappable::Replace).unwrap(), b"\xb0\xa1?\xb3\xaa");
    assert_eq!(
        wrong("us-ascii", "utf-8", b"caf\xe9"),
        "line 1, column 4 (byte 3): the octet 0xe9 there is no US-ASCII"
    );
    assert_eq!(wrong("latin1", "us-ascii", b"caf\xe9"), "line 1, column 4 (byte 3): US-ASCII has no 'é' (U+00E9)");
}

#[test]
fn places_are_those_of_the_octets_that_were_read() {
    // Two octets a character, and one of four.
    let utf_16 = strict("utf-8", "utf-16le", "가나\n😀x é".as_bytes());
    assert_eq!(wrong("utf-16le", "euc-kr", &utf_16), "line 2, column 1 (byte 6): EUC-KR has no '😀' (U+1F600)");
    // ISO-2022-JP says in escapes which characters follow.
    let japanese = strict("utf-8", "iso-2022-jp", "日本\nあ".as_bytes());
    let place = wrong("iso-2022-jp", "cp500", &japanese[..]);
    assert!(place.starts_with("line 1, column 1 (byte 0): cp500 has no '日'"), "{place}");
    let long = [vec![b'a'; 20_000], "é가".as_bytes().to_vec()].concat();
    assert_eq!(wrong("utf-8", "latin1", &long), "line 1, column 20002 (byte 20002): ISO-8859-1 has no '가' (U+AC00)");
}

#[test]
fn lines_end_as_they_are_told_to() {
    let mut text = String::new();
    Decoder::new(set("cp1047"), Nel::LineFeed, Unmappable::Error).push(&[0x15, 0x25], &mut text).unwrap();
    assert_eq!(text, "\n\u{85}");
    assert_eq!(strict("cp1047", "utf-8", &[0x15, 0x25]), "\u{85}\n".as_bytes());
    let mut octets = Vec::new();
    Encoder::new(set("cp1047"), Nel::LineFeed, Unmappable::Error).push(&text, &mut octets).unwrap();
    assert_eq!(octets, [0x15, 0x25]);
    // Of other character sets that says nothing, whichever stands at the other end.
    let mut converter = Converter::new(set("cp500"), set("latin1"), Nel::LineFeed, Unmappable::Error);
    let mut out = Vec::new();
    converter.push(&[0xc8, 0x15, 0x25], &mut out).unwrap();
    assert_eq!(out, b"H\n\x85");
    let mut back = Vec::new();
    Converter::new(set("latin1"), set("cp500"), Nel::LineFeed, Unmappable::Error).push(&out, &mut back).unwrap();
    assert_eq!(back, [0xc8, 0x15, 0x25]);
    // NEL ends a line for whoever looks for the place.
    let ebcdic = [0xc1, 0x15, 0xc2, 0x9f];
    assert_eq!(wrong("cp1140", "cp037", &ebcdic), "line 2, column 2 (byte 3): cp037 has no '€' (U+20AC)");
}

#[test]
fn utf_16_goes_by_its_mark() {
    assert_eq!(strict("utf-16", "utf-8", b"\xfe\xff\0a\xac\0"), "a가".as_bytes());
    assert_eq!(strict("utf-16", "utf-8", b"\xff\xfea\0"), b"a");
    assert_eq!(strict("utf-16", "utf-8", b"a\0"), b"a");
    assert_eq!(strict("utf-8", "utf-16", "a가".as_bytes()), b"\xff\xfea\0\0\xac");
    // Where the name says it, a mark is a character like any other.
    assert_eq!(strict("utf-16be", "utf-8", b"\xfe\xff\0a"), "\u{feff}a".as_bytes());
    assert_eq!(
        wrong("utf-16le", "utf-8", b"a\0\0\xd8b\0"),
        "line 1, column 2 (byte 2): the octet 0x00 there is no UTF-16LE"
    );
}

#[test]
fn a_stateful_encoding_ends_in_ascii() {
    let japanese = strict("utf-8", "iso-2022-jp", "日".as_bytes());
    assert_eq!(japanese, b"\x1b$BF|\x1b(B");
    // What stands for something stands there in ASCII.
    assert_eq!(
        convert("utf-8", "iso-2022-jp", "日😀日".as_bytes(), Unmappable::Replace).unwrap(),
        b"\x1b$BF|\x1b(B?\x1b$BF|\x1b(B"
    );
}

proptest! {
    #[test]
    fn text_is_the_same_however_it_is_cut(text in "\\PC{0,40}", cut in 1_usize..7, n in 0_usize..46) {
        let to = Charset::all().nth(n).unwrap().name();
        let whole = convert("utf-8", to, text.as_bytes(), Unmappable::Escape).unwrap();
        prop_assert_eq!(convert_cut("utf-8", to, text.as_bytes(), Unmappable::Escape, cut).unwrap(), whole.clone());
        let strict = convert("utf-8", to, text.as_bytes(), Unmappable::Error);
        prop_assert_eq!(&strict, &convert_cut("utf-8", to, text.as_bytes(), Unmappable::Error, cut));
        if strict.is_ok() {
            let back = convert_cut(to, "utf-16be", &whole, Unmappable::Error, cut);
            prop_assert_eq!(back, convert(to, "utf-16be", &whole, Unmappable::Error));
        }
    }

    #[test]
    fn nothing_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 1_usize..9, n in 0_usize..46, m in 0_usize..46) {
        let (from, to) = (Charset::all().nth(n).unwrap().name(), Charset::all().nth(m).unwrap().name());
        for unmappable in [Unmappable::Error, Unmappable::Replace, Unmappable::Escape] {
            let whole = convert(from, to, &bytes, unmappable);
            prop_assert!(unmappable == Unmappable::Error || whole.is_ok());
            prop_assert_eq!(convert_cut(from, to, &bytes, unmappable, cut), whole);
        }
    }
}

/// The judge: glibc's `iconv`. Where it is missing the test says so loudly, unless `SEPTET_REQUIRE_JUDGES=1`. What it refuses
/// is `Some(None)`.
fn iconv(from: &str, to: &str, input: &[u8]) -> Option<Option<Vec<u8>>> {
    let child = Command::new("iconv")
        .args(["-f", from, "-t", to])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none_or(|v| v != "1"), "iconv is required: {e}");
            eprintln!("SKIPPED: iconv cannot be run: {e}");
            return None;
        }
    };
    // It may end before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Some(output.status.success().then_some(output.stdout))
}

/// Those of which `iconv` has the same table under this name.
const SAME: [(&str, &str); 11] = [
    ("cp037", "IBM037"),
    ("cp273", "IBM273"),
    ("cp500", "IBM500"),
    ("cp1047", "IBM1047"),
    ("cp1140", "IBM1140"),
    ("us-ascii", "ANSI_X3.4-1968"),
    ("iso-8859-1", "ISO-8859-1"),
    ("iso-8859-2", "ISO-8859-2"),
    ("iso-8859-15", "ISO-8859-15"),
    ("koi8-r", "KOI8-R"),
    ("ibm866", "IBM866"),
];

#[test]
fn iconv_says_the_same_of_every_octet() {
    for (ours, theirs) in SAME {
        // All at once where all are characters, and else one by one.
        let all: Vec<u8> = (0..=255).collect();
        let Some(text) = iconv(theirs, "UTF-8", &all) else { return };
        let pieces = if text.is_some() { vec![&all[..]] } else { vec![&all[..128], &all[128..129], &all[255..]] };
        for octets in pieces {
            let text = iconv(theirs, "UTF-8", octets).unwrap();
            assert_eq!(convert(ours, "utf-8", octets, Unmappable::Error).ok(), text, "{theirs}");
            let Some(text) = text else { continue };
            assert_eq!(iconv("UTF-8", theirs, &text).unwrap().unwrap(), strict("utf-8", ours, &text), "{theirs}");
        }
    }
}

#[test]
fn iconv_says_the_same_of_korean_and_of_utf_16() {
    // Every character of the plane that has an octet pair in Unified Hangul Code, which the web calls EUC-KR.
    let hangul: String =
        ('\u{ac00}'..='\u{d7a3}').chain("漢字、。 ABC 가\u{1f600}".chars().filter(|c| *c < '\u{10000}')).collect();
    let Some(theirs) = iconv("UTF-8", "UHC", hangul.as_bytes()) else { return };
    let ours = strict("utf-8", "euc-kr", hangul.as_bytes());
    assert_eq!(Some(&ours), theirs.as_ref());
    assert_eq!(iconv("UHC", "UTF-8", &ours).unwrap().unwrap(), strict("euc-kr", "utf-8", &ours));
    let all: String = ('\0'..='\u{2ffff}').step_by(7).collect();
    for order in ["UTF-16LE", "UTF-16BE", "UTF-16"] {
        let theirs = iconv("UTF-8", order, all.as_bytes()).unwrap().unwrap();
        assert_eq!(strict("utf-8", order, all.as_bytes()), theirs, "{order}");
        assert_eq!(strict(order, "utf-8", &theirs), all.as_bytes(), "{order}");
    }
}
