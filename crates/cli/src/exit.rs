//! How the command ends: exit codes, and what is said on stderr.

use core::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use septet_core::printable;

use crate::terminal::tell;

/// The exit codes, each with its meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Ok,
    /// An expectation failed, or the run could not come to its end.
    Expectation,
    /// The command line is wrong.
    Usage,
    /// A lab is not valid.
    Lab,
    /// The environment is in the way.
    Environment,
    /// A bug in septet (`EX_SOFTWARE` of sysexits.h).
    Bug,
    /// Interrupted: 128 + SIGINT.
    Interrupted,
    /// A program's own.
    Of(u8),
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Expectation => 1,
            Self::Usage => 2,
            Self::Lab => 3,
            Self::Environment => 4,
            Self::Bug => 70,
            Self::Interrupted => 130,
            Self::Of(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why the command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    text: String,
}

impl Failure {
    /// What is wrong was told already.
    pub(crate) fn told(exit: Exit) -> Self {
        Self { exit, text: String::new() }
    }

    pub(crate) fn lab(text: impl Into<String>) -> Self {
        Self { exit: Exit::Lab, text: text.into() }
    }

    pub(crate) fn stdout(error: io::Error) -> Self {
        Self::environment(format!("cannot write to stdout: {}", reason(&error)))
    }

    /// Tells what is wrong on stderr.
    pub(crate) fn tell(&self) {
        if !self.text.is_empty() {
            tell!("septet: {}", printable(&self.text));
        }
    }

    /// A run that cannot come to its end.
    pub(crate) fn run(text: impl Into<String>) -> Self {
        Self { exit: Exit::Expectation, text: text.into() }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    pub(crate) fn environment(text: impl Into<String>) -> Self {
        Self { exit: Exit::Environment, text: text.into() }
    }

    /// `cannot write out/trace.pcapng: No space left on device`.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::environment(format!("cannot {doing} {}: {}", path.display(), reason(error)))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An error without the number that the operating system gives it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// From now on a panic ends the process with the code for a bug, with words that say so.
pub(crate) fn on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        // What prints without looking at what comes of it: whoever read it has gone.
        if panic.payload_as_str().is_some_and(|words| words.starts_with("failed printing to std")) {
            std::process::exit(Exit::Ok.code().into());
        }
        let what = panic
            .payload_as_str()
            .map_or_else(|| "it panicked without a message".to_owned(), |m| m.lines().collect::<Vec<_>>().join(" "));
        let place = panic.location().map(|l| format!(" at {l}")).unwrap_or_default();
        tell!("septet: this is a bug in septet {}: {what}{place}", env!("CARGO_PKG_VERSION"));
        tell!("septet: please report it with the lab file, the seed and the lines above");
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|v| v != "0") {
            tell!("{}", std::backtrace::Backtrace::force_capture());
        }
        std::process::exit(Exit::Bug.code().into());
    }));
}

/// What the lab or the system refuses.
pub(crate) fn environment(error: std::io::Error) -> Failure {
    Failure::environment(error.to_string())
}
