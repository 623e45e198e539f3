//! `septet list`: what a lab file can name.

use std::io::{self, Write};

use septet_lab::{Counted, KINDS, Known, Listing, Reading};
use serde_json::json;

use crate::args::ListArgs;
use crate::exit::{Exit, Failure};
use crate::terminal::Stdout;

/// The version of what `--json` prints.
const VERSION: u32 = 1;

/// The name of a list, and what finds its entries.
type Kind = (&'static str, Listing);

pub(crate) fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let chosen: Vec<Kind> = match &args.kind {
        None => KINDS.to_vec(),
        Some(kind) => KINDS.iter().filter(|(name, _)| name == kind).copied().collect(),
    };
    if chosen.is_empty() {
        let all: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        let kind = args.kind.as_deref().unwrap_or_default();
        return Err(Failure::usage(format!("no list is called `{kind}`; there are {}", all.join(", "))));
    }
    let mut out = Stdout::new();
    let printed = if args.json { objects(&chosen, &mut out) } else { words(&chosen, &mut out) };
    printed.and_then(|()| out.flush()).map_err(Failure::stdout)?;
    Ok(Exit::Ok)
}

fn objects(chosen: &[Kind], out: &mut impl Write) -> io::Result<()> {
    for (kind, find) in chosen {
        for Known { name, meaning, counted } in find() {
            let mut line =
                json!({"septet": "list", "version": VERSION, "kind": kind, "name": name, "meaning": meaning});
            if let Some(Counted { reading, unit, by }) = counted {
                let reading = match reading {
                    Reading::Sum => "sum",
                    Reading::Each => "each",
                };
                line["reading"] = reading.into();
                line["unit"] = unit.as_str().into();
                line["by"] = by.into();
            }
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn words(chosen: &[Kind], out: &mut impl Write) -> io::Result<()> {
    for (position, (kind, find)) in chosen.iter().enumerate() {
        if chosen.len() > 1 {
            writeln!(out, "{}{kind}", if position == 0 { "" } else { "\n" })?;
        }
        let indent = if chosen.len() > 1 { "  " } else { "" };
        let all = find();
        let width = all.iter().map(|k| k.name.len()).max().unwrap_or(0);
        for Known { name, meaning, .. } in all {
            writeln!(out, "{indent}{name:width$}  {meaning}")?;
        }
    }
    Ok(())
}
