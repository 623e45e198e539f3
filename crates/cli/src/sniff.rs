//! `septet sniff`: what files are, by their first octets.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use septet_core::printable;
use septet_presentation::sniff::{self, Apache, HEADER, NoSniff, Supplied};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::terminal::Stdout;

/// The version of what `--json` prints.
const VERSION: u32 = 1;

#[derive(Debug, Args)]
pub(crate) struct SniffArgs {
    /// The files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What a server says that they are: the value of its Content-Type
    #[arg(long, value_name = "TYPE", value_parser = content_type)]
    content_type: Option<String>,
    /// As if the server had said `X-Content-Type-Options: nosniff`
    #[arg(long)]
    nosniff: bool,
    /// Print one JSON object a file instead of words
    #[arg(long)]
    json: bool,
}

pub(crate) fn sniff(args: &SniffArgs) -> Result<Exit, Failure> {
    // RFC 9110 §8.3.1: "The type and subtype tokens are case-insensitive."
    let essence = args.content_type.as_deref().map(|said| essence(said).to_ascii_lowercase());
    let supplied = Supplied {
        essence: essence.as_deref(),
        no_sniff: if args.nosniff { NoSniff::Set } else { NoSniff::Unset },
        apache: args.content_type.as_deref().map_or(Apache::Unset, |said| Apache::of(said.as_bytes())),
    };
    let mut out = Stdout::new();
    let mut exit = Exit::Ok;
    for path in &args.files {
        let header = match read(path) {
            Ok(header) => header,
            // The others are told of nevertheless.
            Err(error) => {
                out.flush().map_err(Failure::stdout)?;
                let failure = Failure::file("read", path, &error);
                failure.tell();
                exit = failure.exit;
                continue;
            }
        };
        let kind = sniff::sniff(&header, &supplied);
        let name = path.display().to_string();
        let told = if args.json {
            writeln!(out, "{}", json!({"septet": "sniff", "version": VERSION, "file": name, "type": kind}))
        } else {
            writeln!(out, "{}: {kind}", printable(&name))
        };
        told.map_err(Failure::stdout)?;
    }
    out.flush().map_err(Failure::stdout)?;
    Ok(exit)
}

/// The resource header of a file: nothing behind it is read.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(HEADER as u64).read_to_end(&mut header)?;
    } else {
        File::open(path)?.take(HEADER as u64).read_to_end(&mut header)?;
    }
    Ok(header)
}

/// A media type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn content_type(text: &str) -> Result<String, String> {
    let token = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b))
    };
    match essence(text).split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) => Ok(text.to_owned()),
        _ => Err("it is a type and a subtype, such as text/html".to_owned()),
    }
}
