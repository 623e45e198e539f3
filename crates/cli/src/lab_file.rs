//! Lab files on their way in: what is read, and how mistakes are shown.

use std::fs;
use std::path::{Component, Path};

use miette::{GraphicalReportHandler, GraphicalTheme};
use septet_lab::{Lab, Mistakes};

use crate::exit::{Exit, Failure};
use crate::terminal::{self, tell};

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

/// Keeps a lab file in `dir`, and whatever files it names beside it, so that the run can be repeated from there.
pub(crate) fn keep(dir: &Path, path: &Path, lab: &Lab) -> Result<(), Failure> {
    let kept = dir.join(path.file_name().unwrap_or("lab.toml".as_ref()));
    // A lab may be run from its own output directory.
    if fs::canonicalize(&kept).ok() == fs::canonicalize(path).ok() && kept.exists() {
        return Ok(());
    }
    write(&kept, lab.text.as_bytes())?;
    keep_files(dir, lab)
}

/// Keeps the files that a lab file names.
pub(crate) fn keep_files(dir: &Path, lab: &Lab) -> Result<(), Failure> {
    for (name, text) in &lab.files {
        let name = Path::new(name);
        // What lies elsewhere than beside the lab is named by a path that holds from here too, or is left where it is.
        if name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            let kept = dir.join(name);
            if let Some(parent) = kept.parent() {
                fs::create_dir_all(parent).map_err(|e| Failure::file("make", parent, &e))?;
            }
            write(&kept, text.as_bytes())?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|e| Failure::file("write", path, &e))
}

/// The text of a lab file.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(|e| Failure::file("read", path, &e))?;
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
        tell!("{}", line.trim_end());
    }
}
