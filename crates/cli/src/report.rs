//! What is printed before and after the story: the lab, the programs' output, the expectations.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use septet_capture::sentence;
use septet_capture::story::{Paint, Style};
use septet_capture::summary::Summary;
use septet_core::printable;
use septet_lab::{Lab, Outcome, Output, Unfinished, Verdict};

use crate::terminal::tell;

/// How much of the story is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum StoryLength {
    /// Every event, as it happens
    All,
    /// The moments that matter, repetition folded
    Short,
    /// Nothing
    None,
}

/// Lines of one program's output in a short story.
const LINES: usize = 12;

/// `shop: 9 nodes, 9 links, … seed 7`, and what the lab is about.
pub(crate) fn head(out: &mut impl Write, lab: &Lab, seed: u64, shape: &str, style: Style) -> io::Result<()> {
    writeln!(out, "{}: {shape}, seed {seed}", bold(&printable(&lab.name), style))?;
    if let Some(description) = &lab.description {
        writeln!(out, "{}", printable(description.trim()))?;
    }
    writeln!(out)?;
    out.flush()
}

/// What the programs printed.
pub(crate) fn programs(
    out: &mut impl Write,
    lab: &Lab,
    (outputs, outcome): (&[(String, Output)], &Outcome),
    words: StoryLength,
    style: Style,
) -> io::Result<()> {
    if words == StoryLength::None {
        return Ok(());
    }
    for (_, output) in outputs {
        let Some(node) = lab.nodes.get(output.node) else { continue };
        let Some(command) = node.commands().get(output.command) else { continue };
        let text = output.console.output() + &output.console.errors();
        let lines: Vec<&str> = text.lines().collect();
        let cut_off = |u: &Unfinished| u.since.is_some() && u.node == node.name && u.command == command.line;
        let running = outcome.unfinished.iter().any(cut_off);
        if lines.is_empty() && !running {
            continue;
        }
        let note = if running { "   (has not ended)" } else { "" };
        let line = printable(&command.line);
        writeln!(out, "\n{} {line}{note}", bold(&format!("{}$", node.name), style))?;
        let (first, rest) = match words {
            StoryLength::Short if lines.len() > LINES + 1 => lines.split_at(LINES),
            _ => (&lines[..], &[][..]),
        };
        for line in first {
            writeln!(out, "{}", printable(line))?;
        }
        if !rest.is_empty() {
            writeln!(out, "… {} more lines", rest.len())?;
        }
    }
    Ok(())
}

/// The summary as one line.
pub(crate) fn object(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    serde_json::to_writer(&mut *out, summary)?;
    writeln!(out)
}

/// All expectations with what was found.
pub(crate) fn expectations(out: &mut impl Write, outcome: &Outcome, style: Style) -> io::Result<()> {
    if !outcome.verdicts.is_empty() {
        writeln!(out, "\n{}", bold("expectations", style))?;
    }
    verdicts(out, outcome.verdicts.iter(), style)?;
    writeln!(out, "\ndigest {} after {} s", outcome.digest, outcome.at.as_secs_f64())
}

/// Only those that failed.
pub(crate) fn failures(out: &mut impl Write, outcome: &Outcome, style: Style) -> io::Result<()> {
    verdicts(out, outcome.verdicts.iter().filter(|v| !v.held), style)
}

fn verdicts<'a>(out: &mut impl Write, all: impl Iterator<Item = &'a Verdict> + Clone, style: Style) -> io::Result<()> {
    let name = all.clone().map(|v| v.name.chars().count()).max().unwrap_or(0);
    let text = all.clone().map(|v| v.text.chars().count()).max().unwrap_or(0);
    for v in all {
        let (mark, colour) = if v.held { ("ok    ", "32") } else { ("FAILED", "1;31") };
        let mark = match style.paint {
            Paint::Ansi => format!("\x1b[{colour}m{mark}\x1b[0m"),
            Paint::Plain => mark.to_owned(),
        };
        writeln!(out, "  {mark}  {:name$}  {:text$}  found {}", v.name, v.text, v.found_in_words())?;
    }
    Ok(())
}

/// What the run cost and where it is kept: of this run alone, and so on stderr.
pub(crate) fn foot(outcome: &Outcome, took: Duration, kept: Option<&Path>) {
    let took = sentence::duration(took);
    let kept = match kept {
        Some(dir) => format!("; kept in {}", printable(&dir.display().to_string())),
        None => "; -o DIR keeps the capture, the events and the summary".to_owned(),
    };
    tell!("septet: played {} s in {took}, {} events{kept}", outcome.at.as_secs_f64(), outcome.stats.events);
}

fn bold(text: &str, style: Style) -> String {
    match style.paint {
        Paint::Ansi => format!("\x1b[1m{text}\x1b[0m"),
        Paint::Plain => text.to_owned(),
    }
}
