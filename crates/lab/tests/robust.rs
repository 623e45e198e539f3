//! Whatever the text, a lab is read or its mistakes are told, in places that exist.

use miette::Diagnostic;
use proptest::prelude::*;
use septet_lab::Lab;

const SHOP: &str = include_str!("../../../labs/shop.toml");

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
