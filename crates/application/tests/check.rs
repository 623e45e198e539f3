//! Every flag goes through `Program::check`: what it refuses a program that runs refuses in the same words, and each flag
//! that the usage shows it knows.

use std::sync::Arc;

use septet_application::programs::{Captured, Context, PROGRAMS, launch};
use septet_presentation::ca::TrustStore;

mod common;

/// The flags at the beginnings of the usage's lines, and whether a value follows.
fn flags(usage: &str) -> Vec<(String, bool)> {
    let lines = usage.lines().filter_map(|line| line.strip_prefix(' ')).filter(|line| line.starts_with('-'));
    lines
        .flat_map(|line| {
            let words: Vec<&str> = line.split_whitespace().take_while(|w| w.starts_with(['-', '<'])).collect();
            let takes = words.iter().any(|w| w.starts_with('<'));
            let flags = words.into_iter().filter(|w| w.starts_with('-'));
            flags.map(move |w| (w.trim_end_matches(',').to_owned(), takes)).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn what_is_wrong_is_known_before_a_program_runs() {
    let net = common::net(&[]);
    let mut seen = 0;
    for program in PROGRAMS {
        let mut wrong = vec!["--no-such-flag".to_owned()];
        for (flag, takes) in flags(program.usage()) {
            seen += 1;
            let misuse = program.check(std::slice::from_ref(&flag)).err();
            let unknown = misuse.as_ref().is_some_and(|m| m.place == Some(0) && !m.options.is_empty());
            assert!(!unknown, "{}: `{flag}` is in the usage: {misuse:?}", program.name());
            if takes {
                wrong.push(flag);
            }
        }
        for word in wrong {
            let Err(misuse) = program.check(std::slice::from_ref(&word)) else {
                panic!("{} {word}: nothing is wrong with it", program.name());
            };
            let console = Captured::default();
            let context = Context { net: net.clone(), console: Arc::new(console.clone()), trust: TrustStore::empty() };
            let code = launch(context, vec![program.name().to_owned(), word.clone()]).await;
            let errors = console.errors();
            assert!(code != 0 && errors.contains(&misuse.reason), "{} {word}: {misuse:?}, {errors}", program.name());
        }
    }
    assert!(seen > 60, "the search has lost its way: {seen} flags");
}
