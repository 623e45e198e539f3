//! `septet check`: says what is wrong with lab files.

use std::io::Write;

use septet_core::printable;
use septet_lab::{Gravity, Lab, Mistakes};
use serde_json::{Value, json};

use crate::args::CheckArgs;
use crate::exit::{Exit, Failure};
use crate::lab_file;
use crate::terminal::Stdout;

/// The version of what `--json` prints.
const VERSION: u32 = 1;

pub(crate) fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let mut out = Stdout::new();
    let mut worst = Exit::Ok;
    for path in &args.labs {
        let text = match lab_file::read(path) {
            Ok(text) => text,
            Err(failure) => {
                failure.tell();
                worst = if worst == Exit::Environment { worst } else { failure.exit };
                continue;
            }
        };
        let name = path.display().to_string();
        let parsed = Lab::parse(&name, &text);
        let line = match &parsed {
            Ok(lab) if args.json => good(&name, lab).to_string(),
            Err(mistakes) if args.json => bad(&name, mistakes).to_string(),
            Ok(lab) => {
                if !lab.warnings.is_empty() {
                    lab_file::show(&lab.warnings);
                }
                format!("{}: {}", printable(&name), shape(lab))
            }
            Err(mistakes) => {
                lab_file::show(mistakes);
                String::new()
            }
        };
        if parsed.is_err() && worst == Exit::Ok {
            worst = Exit::Lab;
        }
        if !line.is_empty() {
            writeln!(out, "{line}").map_err(Failure::stdout)?;
        }
    }
    out.flush().map_err(Failure::stdout)?;
    Ok(worst)
}

/// `9 nodes, 9 links, 4 faults, 4 expectations`.
pub(crate) fn shape(lab: &Lab) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let parts = [
        (lab.nodes.len(), "node"),
        (lab.links.len(), "link"),
        (lab.faults.len(), "fault"),
        (lab.expectations.len(), "expectation"),
    ];
    parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what)).collect::<Vec<_>>().join(", ")
}

fn good(file: &str, lab: &Lab) -> Value {
    json!({
        "septet": "check", "version": VERSION, "file": file, "ok": true, "lab": lab.name, "seed": lab.seed,
        "nodes": lab.nodes.len(), "links": lab.links.len(), "faults": lab.faults.len(),
        "expectations": lab.expectations.len(), "mistakes": list(&lab.warnings),
    })
}

fn bad(file: &str, mistakes: &Mistakes) -> Value {
    let left = mistakes.left();
    json!({
        "septet": "check", "version": VERSION, "file": file, "ok": false, "mistakes": list(mistakes), "more": left,
    })
}

fn list(mistakes: &Mistakes) -> Vec<Value> {
    let of = |m| {
        let m: &septet_lab::Mistake = m;
        let (line, column) = mistakes.line_column(m);
        let gravity = match m.gravity() {
            Gravity::Error => "error",
            Gravity::Warning => "warning",
        };
        json!({
            "kind": m.kind(), "gravity": gravity, "reason": m.reason(), "help": m.mend(), "line": line,
            "column": column, "start": m.span().start, "end": m.span().end,
        })
    };
    mistakes.iter().map(of).collect()
}
