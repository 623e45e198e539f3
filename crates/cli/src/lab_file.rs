//! Lab files on their way in: what is read, and how mistakes are shown.

use std::path::Path;

use miette::{GraphicalReportHandler, GraphicalTheme};
use septet_lab::{Lab, Mistakes};

use crate::exit::{Exit, Failure};
use crate::terminal;

/// Reads a lab file. Its mistakes or warnings are shown on stderr.
pub(crate) fn load(path: &Path) -> Result<Lab, Failure> {
    let text = read(path)?;
    match Lab::parse(&path.display().to_string(), &text) {
        Ok(lab) => {
            warn(&lab);
            Ok(lab)
        }
        Err(mistakes) => {
            show(&mistakes);
            Err(Failure::told(Exit::Lab))
        }
    }
}

/// Shows what may not be as it was meant.
pub(crate) fn warn(lab: &Lab) {
    if !lab.warnings.is_empty() {
        show(&lab.warnings);
    }
}

/// The text of a lab file.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::file("read", path, &e))?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Failure::lab(format!("{} is not a text file: byte {at} is not UTF-8", path.display()))
    })
}

/// Shows mistakes on stderr, each in its place.
pub(crate) fn show(mistakes: &Mistakes) {
    let theme = if terminal::paints_stderr() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(terminal::stderr_width());
    let mut text = String::new();
    if handler.render_report(&mut text, mistakes).is_err() {
        // Nothing in a mistake can keep it from being written; should it ever, the bare words are left.
        text = mistakes.iter().map(|m| format!("{m}\n")).collect();
    }
    for line in text.lines() {
        eprintln!("{}", line.trim_end());
    }
}
