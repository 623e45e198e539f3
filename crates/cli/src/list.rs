//! `septet list`: what a lab file can name.

use std::io::Write;

use serde_json::json;

use crate::args::ListArgs;
use crate::exit::{Exit, Failure};
use crate::terminal::Stdout;

/// Name and meaning.
type Entry = (String, String);

/// A kind of thing, and how its entries are found.
type Kind = (&'static str, fn() -> Vec<Entry>);

const KINDS: &[Kind] = &[
    ("programs", || entries(septet_application::programs::PROGRAMS.iter().map(|p| (p.name(), p.summary())))),
    ("controllers", || entries(septet_transport::tcp::controller_names().map(|name| (name, "")))),
    ("queues", || entries(septet_physical::queue::DISCIPLINES.iter().map(|d| (d.name, d.help)))),
    ("effects", || entries(septet_physical::channel::EFFECTS.iter().map(|e| (e.name, e.help)))),
    ("expectations", || entries(septet_lab::vocabulary())),
];

fn entries<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Entry> {
    all.map(|(name, help)| (name.to_owned(), help.to_owned())).collect()
}

pub(crate) fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let chosen: Vec<&Kind> = match &args.kind {
        None => KINDS.iter().collect(),
        Some(kind) => {
            let found: Vec<_> = KINDS.iter().filter(|(name, _)| name == kind).collect();
            if found.is_empty() {
                let all: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
                return Err(Failure::usage(format!("no list is called `{kind}`; there are {}", all.join(", "))));
            }
            found
        }
    };
    let mut out = Stdout::new();
    print(&chosen, args.json, &mut out).map_err(Failure::stdout)?;
    Ok(Exit::Ok)
}

fn print(chosen: &[&Kind], as_json: bool, out: &mut impl Write) -> std::io::Result<()> {
    for (position, (kind, find)) in chosen.iter().enumerate() {
        let entries = find();
        let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        if !as_json && chosen.len() > 1 {
            writeln!(out, "{}{kind}", if position == 0 { "" } else { "\n" })?;
        }
        let indent = if chosen.len() > 1 { "  " } else { "" };
        for (name, help) in entries {
            if as_json {
                writeln!(out, "{}", json!({"septet": "list", "version": 1, "kind": kind, "name": name, "help": help}))?;
            } else {
                writeln!(out, "{indent}{name:width$}  {help}")?;
            }
        }
    }
    out.flush()
}
