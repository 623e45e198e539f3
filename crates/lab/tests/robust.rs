//! Whatever the text, a lab is read or its mistakes are told, in places that exist.

use std::sync::LazyLock;

use miette::Diagnostic;
use proptest::prelude::*;
use septet_lab::Lab;

const SHOP: &str = include_str!("../../../labs/shop.toml");

/// Every lab of the repository.
fn labs() -> &'static [String] {
    static LABS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../labs");
        let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
        files.sort();
        files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    });
    &LABS
}

/// The start of a character at or before `at`.
fn border(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at % (text.len() + 1))
}

fn read(text: &str) {
    let mistakes = match Lab::parse("lab.toml", text) {
        Ok(lab) => lab.warnings,
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            mistakes
        }
    };
    for mistake in mistakes.iter() {
        mistakes.line_column(mistake);
        for label in mistake.labels().unwrap() {
            let end = label.offset() + label.len();
            assert!(text.get(label.offset()..end).is_some(), "{} at {}..{end}", mistake.kind(), label.offset());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_lab_with_something_taken_out(from in 0..SHOP.len(), len in 0..40usize) {
        let to = (from + len).min(SHOP.len());
        read(&format!("{}{}", &SHOP[..from], &SHOP[to..]));
    }

    #[test]
    fn a_lab_with_something_put_in(at in 0..SHOP.len(), what in "[\\[\\]a-z0-9.:\"'{}=,% é\n-]{1,12}") {
        read(&format!("{}{what}{}", &SHOP[..at], &SHOP[at..]));
    }

    #[test]
    fn any_lab_changed_anywhere(
        lab in 0..1000usize, from in 0..100_000usize, len in 0..40usize,
        what in "|[0-9]{1,20}|-1|0s|9999999h|1e309|[\\[\\]a-z0-9.:\"'{}=,% é\n-]{1,12}|at 1s: ping|0{70}",
    ) {
        let text = &labs()[lab % labs().len()];
        let from = border(text, from);
        let to = text.floor_char_boundary((from + len).min(text.len()));
        read(&format!("{}{what}{}", &text[..from], &text[to..]));
    }

    #[test]
    fn any_number_of_a_lab_replaced(lab in 0..1000usize, nth in 0..1000usize, what in "0|-1|[0-9]{1,20}|1e309|0.0000001") {
        let text = &labs()[lab % labs().len()];
        let starts = |(at, c): &(usize, char)| c.is_ascii_digit() && !text[..*at].ends_with(|c: char| c.is_ascii_digit());
        let numbers: Vec<usize> = text.char_indices().filter(starts).map(|(at, _)| at).collect();
        let from = numbers[nth % numbers.len()];
        let to = text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |len| from + len);
        read(&format!("{}{what}{}", &text[..from], &text[to..]));
    }

    #[test]
    fn small_languages(
        link in "[a-c0-9\\[\\].,: -]{0,24}|(a|b|c|--|:|,|web\\[1..3\\]|delay|5ms|lan|/|eth1|\\.| ){0,10}",
        fault in "([0-9]+s|\\.\\.|:|loss|cut|flap|every|20%|on|a--b|crash|b|,|restore| ){0,10}",
        command in "(at|every|then|1s|:|'|\"|curl|until|\\\\| ){0,10}",
    ) {
        let quote = |s: &str| toml::Value::String(s.to_owned()).to_string();
        read(&format!(
            "[topology]\nlinks = [\"a -- b\", {}]\n[host.a]\nrun = [{}]\n[host.b]\n[host.c]\n[faults]\nscript = [{}]\n",
            quote(&link), quote(&command), quote(&fault),
        ));
    }
}
