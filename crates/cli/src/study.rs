//! `septet study`: the two lowest storeys by measurement.

use std::io::Write as _;
use std::path::Path;

use septet_study::{arq, checks, line};

use crate::args::StudyCommand;
use crate::exit::{Exit, Failure};
use crate::terminal::Stdout;

/// More would be no picture.
const LONGEST: usize = 65_535;

pub(crate) fn study(command: &StudyCommand) -> Result<Exit, Failure> {
    let text = match command {
        StudyCommand::Arq { output, frames, seed } => {
            let points = arq::grid((*frames).max(1), *seed);
            if let Some(path) = output {
                write(path, &arq::svg(&points))?;
            }
            arq::table(&points)
        }
        StudyCommand::Checks { octets, tries, seed } => checks::table((*octets).clamp(1, LONGEST), *tries, *seed),
        StudyCommand::Line { frame, phy, octets, columns } => {
            let bytes = parse_hex(frame)
                .ok_or_else(|| Failure::usage(format!("`{frame}` is not an even number of hexadecimal digits")))?;
            line::pictures(&bytes, phy.as_deref(), *octets, *columns).ok_or_else(|| {
                let known = septet_study::line::names().join(", ");
                Failure::usage(format!("no PHY is called `{}`; there are {known}", phy.as_deref().unwrap_or_default()))
            })?
        }
    };
    let mut out = Stdout::new();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::stdout)?;
    Ok(Exit::Ok)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| Failure::environment(format!("{}: {e}", path.display())))
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace() && *b != b':').collect();
    if !digits.len().is_multiple_of(2) || digits.len() > 2 * LONGEST {
        return None;
    }
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
