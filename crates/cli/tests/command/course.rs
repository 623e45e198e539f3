//! The course's table names labs, expectations and commands that are there.

use std::collections::BTreeSet;
use std::fs;

use crate::{root, run};

/// A row of the table.
struct Row {
    number: String,
    command: Vec<String>,
    expectations: Vec<String>,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/course.md")).unwrap();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    let rows = text.lines().filter(|l| l.starts_with("| ") && l.as_bytes()[2].is_ascii_digit()).map(cells);
    rows.map(|cells| {
        let [number, _claim, command, expectations, _really] = &cells[..] else { panic!("not five cells: {cells:?}") };
        let command = quoted(command).concat();
        let words = command.strip_prefix("septet ").unwrap_or_else(|| panic!("{number}: {command}"));
        Row {
            number: number.clone(),
            command: words.split_whitespace().map(str::to_owned).collect(),
            expectations: quoted(expectations),
        }
    })
    .collect()
}

#[test]
fn every_claim_has_a_lab_with_its_expectations() {
    let rows = rows();
    assert!(rows.len() > 30, "{} rows: the table is not read", rows.len());
    for Row { number, command, expectations } in rows {
        let Some(lab) = command.iter().find(|word| word.ends_with(".toml")) else {
            assert!(expectations.is_empty(), "{number}: expectations of no lab");
            continue;
        };
        let text = fs::read_to_string(root().join(lab)).unwrap_or_else(|e| panic!("{number}: {lab}: {e}"));
        let (_, expect) = text.split_once("[expect]").unwrap_or_else(|| panic!("{number}: {lab} expects nothing"));
        assert!(!expectations.is_empty(), "{number}: nothing is expected of {lab}");
        for name in expectations {
            let mut keys = expect.lines().filter_map(|l| l.split_once('=')).map(|(key, _)| key.trim());
            let there = keys.any(|key| key == name);
            assert!(there, "{number}: {lab} has no expectation `{name}`");
        }
    }
}

/// The labs as they are are run by the tests of the labs, expectations and all, and so are the studies; here is what the
/// table asks beside that.
#[test]
fn every_run_with_an_option_shows_something() {
    let with_options = |command: &Vec<String>| command.len() > 2 && command[0] == "run";
    let commands: BTreeSet<Vec<String>> = rows().into_iter().map(|r| r.command).filter(with_options).collect();
    assert!(!commands.is_empty());
    for command in commands {
        let plain = run(&command[..2]);
        let ended = run(&command);
        assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.err);
        assert!(ended.out.len() > plain.out.len(), "{command:?} shows no more than without its option");
    }
}
