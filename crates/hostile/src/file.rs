//! A text is read as a lab file: it becomes a lab or a list of mistakes, each of which can be shown.

use septet_lab::{BuildOptions, Lab};

/// A text against the reader of lab files; a small lab that it means is built too.
pub fn lab_file(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    read(text);
}

/// Reads a lab file.
pub(crate) fn read(text: &str) {
    match Lab::parse("input.toml", text) {
        Ok(lab) if lab.nodes.len() <= 50 && lab.links.len() <= 200 => {
            // What the checker lets through can be built, or says why not.
            let _ = lab.build(&BuildOptions::default());
        }
        Ok(_) => {}
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused without a mistake");
            for mistake in mistakes.iter() {
                assert!(!mistake.reason().is_empty() && text.get(mistake.span()).is_some(), "{mistake:?} is nowhere");
                let _ = mistakes.line_column(mistake);
            }
        }
    }
}
