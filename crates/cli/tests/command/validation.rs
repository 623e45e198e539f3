//! The table of published behaviour in `docs/conformance.md` is what the labs of `labs/validation` come to.
//!
//! They take many seconds without optimisation: `SEPTET_RELEASE=target/release/septet cargo test -p septet-cli --test command
//! validation` has that binary play them all, with `SEPTET_BLESS=1` it writes what they came to into the table. Without, the
//! cheapest of them is played, and the table is checked against the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{Ended, root, septet};

const TABLE: (&str, &str) = ("<!-- validation -->\n", "<!-- end -->");
/// What is played in any build.
const CHEAPEST: &str = "labs/validation/slow-start.toml";

/// A row: what, source, tolerance, published, ours, command.
struct Row {
    cells: Vec<String>,
}

impl Row {
    const OURS: usize = 4;
    const COMMAND: usize = 5;

    fn parse(line: &str) -> Self {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        assert_eq!(cells.len(), 6, "six columns: {line}");
        assert!(cells.iter().enumerate().all(|(i, cell)| i == Self::OURS || !cell.is_empty()), "an empty cell: {line}");
        Self { cells }
    }

    fn arguments(&self) -> Vec<&str> {
        let command = self.cells[Self::COMMAND].trim_matches('`');
        let arguments = command.strip_prefix("septet ").unwrap_or_else(|| panic!("no command of ours: {command}"));
        arguments.split_whitespace().collect()
    }

    fn lab(&self) -> &str {
        self.arguments()[1]
    }

    /// Plays the lab; every expectation must hold. Returns what was found for each.
    fn play(&self, mut command: Command) -> String {
        let output = command.args(self.arguments()).arg("--json").output().expect("the binary is there");
        let ended = Ended::from(output);
        assert_eq!(ended.code, Some(0), "{}\n{}{}", self.cells[Self::COMMAND], ended.out, ended.err);
        let objects: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let named = |(name, found): (String, String)| format!("{name} {found}");
        found(&objects).into_iter().map(named).collect::<Vec<_>>().join(" · ")
    }
}

/// By expectation what was found; of several runs the least and the greatest.
fn found(objects: &[Value]) -> Vec<(String, String)> {
    if let Some(list) = objects[0]["expectations"].as_array() {
        let text = |e: &Value, key: &str| e[key].as_str().unwrap().to_owned();
        return list.iter().map(|e| (text(e, "name"), values(&text(e, "found")))).collect();
    }
    let mut all: BTreeMap<&str, Vec<(f64, &str)>> = BTreeMap::new();
    for run in objects.iter().filter(|o| o["septet"] == "sweep-run") {
        for (name, e) in run["expect"].as_object().unwrap() {
            let found = (e["value"].as_f64().unwrap_or_default(), e["found"].as_str().unwrap());
            all.entry(name).or_default().push(found);
        }
    }
    let range = |(name, mut found): (&str, Vec<(f64, &str)>)| {
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (least, most) = (values(found[0].1), values(found[found.len() - 1].1));
        (name.to_owned(), if least == most { least } else { format!("{least} … {most}") })
    };
    all.into_iter().map(range).collect()
}

/// `a > 1: 2; b > 3: 4` as `2, 4`.
fn values(found: &str) -> String {
    found.split("; ").map(|part| part.rsplit(": ").next().unwrap_or(part)).collect::<Vec<_>>().join(", ")
}

fn document() -> PathBuf {
    root().join("docs/conformance.md")
}

/// What stands before the table, its head and rows, and what stands behind.
fn table(text: &str) -> (String, [String; 2], Vec<Row>, String) {
    let (before, rest) = text.split_once(TABLE.0).expect("the table is marked");
    let (table, after) = rest.split_once(TABLE.1).expect("the table ends");
    let mut lines = table.lines().filter(|line| line.starts_with('|'));
    let head = [lines.next().unwrap().to_owned(), lines.next().unwrap().to_owned()];
    (before.to_owned(), head, lines.map(Row::parse).collect(), after.to_owned())
}

#[test]
fn every_lab_is_played_and_says_its_source_and_its_tolerance() {
    let (_, _, rows, _) = table(&fs::read_to_string(document()).unwrap());
    // Those of the queues are cheap, and played elsewhere too.
    let others = fs::read_to_string(root().join("crates/lab/tests/labs.rs")).unwrap();
    let mut left: Vec<&str> = rows.iter().map(Row::lab).collect();
    for entry in fs::read_dir(root().join("labs/validation")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let lab = format!("labs/validation/{name}.toml");
        let row = left.iter().position(|of| *of == lab).map(|at| left.remove(at));
        let played = row.is_some() || others.contains(&format!("holds(\"validation/{name}\""));
        assert!(played, "{lab} has no row in the table of docs/conformance.md");
        let text = fs::read_to_string(&path).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(head.to_lowercase().contains("tolerance"), "{lab} begins with its source and its tolerance");
    }
    assert!(left.is_empty(), "no such labs: {left:?}");
}

#[test]
fn what_is_published_is_met() {
    let text = fs::read_to_string(document()).unwrap();
    let (before, head, mut rows, after) = table(&text);
    let Some(binary) = std::env::var_os("SEPTET_RELEASE") else {
        let row = rows.iter().find(|row| row.lab() == CHEAPEST).expect("the cheapest lab has a row");
        assert_eq!(row.cells[Row::OURS], row.play(septet()), "{CHEAPEST}");
        println!("SKIPPED: SEPTET_RELEASE names no optimised binary to play the other labs");
        return;
    };
    let binary = root().join(binary);
    let mut renewed = Vec::new();
    for row in &mut rows {
        let mut command = Command::new(&binary);
        command.current_dir(root());
        let ours = row.play(command);
        renewed.push((row.lab().to_owned(), core::mem::replace(&mut row.cells[Row::OURS], ours.clone()), ours));
    }
    if std::env::var_os("SEPTET_BLESS").is_some_and(|v| v == "1") {
        let rows: String = rows.iter().map(|row| format!("| {} |\n", row.cells.join(" | "))).collect();
        let table = format!("{}\n{}\n{}\n{rows}\n{}", TABLE.0, head[0], head[1], TABLE.1);
        fs::write(document(), format!("{before}{table}{after}")).unwrap();
        return;
    }
    for (lab, old, new) in renewed {
        assert!(
            close(&old, &new),
            "{lab}: SEPTET_BLESS=1 writes what is found into the table\n  old: {old}\n  new: {new}"
        );
    }
}

/// Whether the words are the same and the numbers within a twentieth of each other, counts within one: what is right the labs
/// themselves decide, the table is only not to be out of date.
fn close(old: &str, new: &str) -> bool {
    let split = |text: &str| -> (Vec<f64>, String) {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let numbers = text.split(|c| !is_number(c)).filter_map(|number| number.parse().ok()).collect();
        (numbers, text.replace(is_number, ""))
    };
    let slack = |a: f64, b: f64| if a.fract() == 0.0 && b.fract() == 0.0 { (a / 20.0).max(1.0) } else { a / 20.0 };
    let ((a, before), (b, after)) = (split(old), split(new));
    before == after && a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= slack(*a, *b))
}

#[test]
fn figures_are_compared_as_numbers() {
    assert!(close("cwnd 210.1 · all 9 · rtt 25.8ms", "cwnd 212.3 · all 8 · rtt 25.9ms"));
    for other in
        ["cwnd 230.1 · all 9 · rtt 25.8ms", "cwnd 210.1 · all 7 · rtt 25.8ms", "cwnd 210.1 · all 9 · rtt 25.8s"]
    {
        assert!(!close("cwnd 210.1 · all 9 · rtt 25.8ms", other), "{other}");
    }
}
