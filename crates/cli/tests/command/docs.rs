//! What the documents show is what the commands print, and what the files hold.
//!
//! `SEPTET_BLESS=1 cargo test -p septet-cli --test command docs` writes it into them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::{root, run};

/// A document with what the commands print in its places.
fn renewed(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let place = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->")).and_then(|l| l.split_once(": "));
        let content = match place {
            Some(("keys", path)) => keys(path),
            Some(("list", kind)) => list(kind),
            Some(("file", name)) => file(name),
            Some(("recorded by", who)) => counted("metrics", |by| who.split(", ").any(|one| one == by)),
            Some(("counted", kind)) => counted(kind, |_| true),
            _ => continue,
        };
        for old in lines.by_ref() {
            if old == "<!-- end -->" {
                break;
            }
        }
        out.push('\n');
        out.push_str(&content);
        out.push_str("\n<!-- end -->\n");
    }
    out
}

/// A lab file as it is.
fn file(name: &str) -> String {
    format!("```toml\n{}```\n", fs::read_to_string(root().join(name)).unwrap())
}

/// The keys of a section of the lab file as a table, from the schema.
fn keys(path: &str) -> String {
    let schema: Value = serde_json::from_str(&run(["schema"]).out).unwrap();
    let mut section = &schema;
    for step in path.split('.') {
        let inner = table(section);
        section = match step {
            "*" => &inner["additionalProperties"],
            // A key with a number, `eth0`.
            _ if step.ends_with('0') => {
                inner["patternProperties"].as_object().and_then(|p| p.values().next()).unwrap_or(&Value::Null)
            }
            _ => &inner["properties"][step],
        };
        assert!(section.is_object(), "the schema has no `{path}`: `{step}`");
    }
    let Some(properties) = table(section)["properties"].as_object() else {
        return format!("{}.\n", section["description"].as_str().unwrap());
    };
    let row = |(name, key): (&String, &Value)| {
        let mut meaning = key["description"].as_str().unwrap_or_default().replace('|', "\\|");
        if let Some(choices) = key["enum"].as_array() {
            let choices: Vec<String> = choices.iter().map(|c| format!("`{}`", c.as_str().unwrap())).collect();
            meaning.push_str(&format!(": {}", choices.join(", ")));
        }
        format!("| `{name}` | {meaning} |\n")
    };
    format!("| key | meaning |\n|---|---|\n{}", properties.iter().map(row).collect::<String>())
}

/// The schema's object, where a value may also be something shorter.
fn table(section: &Value) -> &Value {
    let alternatives = section["anyOf"].as_array();
    alternatives.and_then(|all| all.iter().find(|a| a["properties"].is_object())).unwrap_or(section)
}

/// What `septet list KIND` prints, as a table.
fn list(kind: &str) -> String {
    let ended = run(["list", kind, "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let row = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap();
        let meaning = object["meaning"].as_str().unwrap().replace('|', "\\|");
        format!("| `{}` | {meaning} |\n", object["name"].as_str().unwrap())
    };
    format!("| name | meaning |\n|---|---|\n{}", ended.out.lines().map(row).collect::<String>())
}

/// What `septet list KIND` prints of those who are `wanted`, as a table that says who counts it and what its values are.
fn counted(kind: &str, wanted: impl Fn(&str) -> bool) -> String {
    let mut table = "| name | values | by | meaning |\n|---|---|---|---|\n".to_owned();
    for line in run(["list", kind, "--json"]).out.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| object[key].as_str().unwrap().replace('|', "\\|");
        let by: Vec<&str> = object["by"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        if by.iter().any(|by| wanted(by)) {
            let unit = match object["unit"].as_str().unwrap() {
                "" => "numbers",
                "s" => "seconds",
                "B" => "bytes",
                other => other,
            };
            let reading = if object["reading"] == "sum" { ", added up" } else { "" };
            table += &format!("| `{}` | {unit}{reading} | {} | {} |\n", text("name"), by.join(", "), text("meaning"));
        }
    }
    table
}

fn bless() -> bool {
    std::env::var_os("SEPTET_BLESS").is_some_and(|v| v == "1")
}

const MEND: &str = "SEPTET_BLESS=1 cargo test -p septet-cli --test command docs";

#[test]
fn the_tables_of_the_references_have_every_key_and_name() {
    for name in ["docs/lab.md", "docs/metrics.md", "docs/output.md"] {
        let path = root().join(name);
        let text = fs::read_to_string(&path).unwrap();
        let new = renewed(&text);
        if bless() {
            fs::write(&path, &new).unwrap();
        } else {
            same(name, &text, &new);
        }
    }
}

#[test]
fn the_metrics_are_documented_one_and_all() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let listed = ["metrics", "counters"].map(|kind| run(["list", kind, "--json"]).out).concat();
    for line in listed.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        let name = object["name"].as_str().unwrap();
        assert!(
            page.contains(&format!("| `{name}` |")),
            "docs/metrics.md has no `{name}`, recorded by {}",
            object["by"]
        );
    }
}

fn same(name: &str, text: &str, new: &str) {
    if let Some((old, new)) = text.lines().zip(new.lines()).find(|(old, new)| old != new) {
        panic!("{name} says\n  {old}\nwhere septet says\n  {new}\nmend it with: {MEND}");
    }
    assert_eq!(text.lines().count(), new.lines().count(), "{name}: mend it with: {MEND}");
}

/// The documents that show what commands print.
fn documents() -> Vec<PathBuf> {
    ["README.md", "README.ko.md"].map(|name| root().join(name)).into()
}

/// A command that a document shows, and what it shows as its output.
struct Shown {
    command: String,
    output: Vec<String>,
}

/// The commands in the ```console blocks of a document that show output.
fn shown(text: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line.strip_prefix("$ ")) {
            (false, _) => inside = line == "```console",
            (true, _) if line == "```" => inside = false,
            (true, Some(command)) => all.push(Shown { command: command.to_owned(), output: Vec::new() }),
            (true, None) => all.last_mut().expect("output follows a command").output.push(line.to_owned()),
        }
    }
    all.retain(|s| !s.output.is_empty());
    all
}

/// What the command prints now; `None` where it is no command of septet.
fn printed(command: &str) -> Option<Vec<String>> {
    let arguments = command.strip_prefix("cargo run --release -- ").or_else(|| command.strip_prefix("septet "))?;
    let ended = run(arguments.split_whitespace());
    // What a run costs is on stderr, and differs each time; mistakes are there too, and do not.
    let text = if arguments.starts_with("check") { ended.out + &ended.err } else { ended.out };
    Some(text.lines().map(|l| l.trim_end().to_owned()).collect())
}

/// What does not hang on the luck of single packets: all but the lower storeys, folds and figures.
fn stable(lines: &[String]) -> Vec<String> {
    let mut storey = String::new();
    let mut kept = Vec::new();
    for line in lines {
        let told = line.get(..12).is_some_and(|t| t.trim().parse::<f64>().is_ok());
        if told {
            for name in ["application", "presentation", "transport", "network", "data link", "physical", "lab"] {
                if line.contains(&format!("  {name}  ")) {
                    storey = name.to_owned();
                }
            }
        }
        let upper = ["application", "presentation", "lab"].contains(&storey.as_str());
        if line.starts_with("digest") || told && (line.contains('…') || !upper) {
            continue;
        }
        // Labels stand where the storey changes, which hangs on the lines between.
        let line = if told { line.replace(&format!("  {storey}  "), "  ") } else { line.clone() };
        let figures = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
        let words: Vec<&str> = figures.split_whitespace().map(figure).collect();
        kept.push(words.join(" "));
    }
    kept
}

/// Every number is like any other.
fn figure(word: &str) -> &str {
    if word.starts_with('0') { "0" } else { word }
}

#[test]
fn documents_show_what_is_printed() {
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().display().to_string();
        let mut new = renewed(&text);
        if !bless() {
            same(&name, &text, &new);
        }
        for Shown { command, output } in shown(&text) {
            let Some(now) = printed(&command) else { continue };
            if bless() {
                new = new.replace(
                    &format!("{command}\n{}\n", output.join("\n")),
                    &format!("{command}\n{}\n", now.join("\n")),
                );
                continue;
            }
            let (there, now) = (stable(&output), stable(&now));
            let mut rest = now.iter();
            for line in &there {
                assert!(
                    rest.any(|l| l == line),
                    "{name} shows for `{command}`\n  {line}\nwhich is not printed (there); it prints:\n{now:#?}\nmend it with: {MEND}"
                );
            }
        }
        if bless() {
            fs::write(&path, new).unwrap();
        }
    }
}
