//! What goes wrong in a script: where, and what came instead of what.

use core::fmt;

/// A place in a script, counted from one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// Why a script is no script, or did not pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    file: Option<String>,
    at: At,
    kind: ErrorKind,
}

/// What kind of failure it is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text does not follow the grammar, or asks for what the interpreter does not know.
    Syntax(String),
    /// The stack did something else than the script says.
    Mismatch(String),
}

impl Error {
    pub(crate) fn syntax(at: At, message: impl Into<String>) -> Self {
        Self { file: None, at, kind: ErrorKind::Syntax(message.into()) }
    }

    pub(crate) fn mismatch(at: At, message: impl Into<String>) -> Self {
        Self { file: None, at, kind: ErrorKind::Mismatch(message.into()) }
    }

    /// The same error, naming the file that the script came from.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Where it happened.
    pub fn at(&self) -> At {
        self.at
    }

    /// What kind it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        let At { line, column } = self.at;
        match &self.kind {
            ErrorKind::Syntax(message) => write!(f, "{line}:{column}: {message}"),
            ErrorKind::Mismatch(message) => write!(f, "{line}: {message}"),
        }
    }
}

impl std::error::Error for Error {}
