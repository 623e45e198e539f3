//! Where the tables of services come from: a file, or flags.

use std::path::{Path, PathBuf};

use crate::exit::Failure;
use crate::lab_file;

/// Where the tables come from.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    /// What the flags say.
    Text(String),
}

impl Source {
    /// What they are called in messages, their text, and the directory from which they name files.
    pub(super) fn read(&self) -> Result<(String, String, PathBuf), Failure> {
        match self {
            Self::File(path) => {
                let directory = path.parent().map(Path::to_path_buf).unwrap_or_default();
                Ok((path.display().to_string(), lab_file::read(path)?, directory))
            }
            Self::Text(text) => Ok(("the command line".to_owned(), text.clone(), PathBuf::new())),
        }
    }
}
