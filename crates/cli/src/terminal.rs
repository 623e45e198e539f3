//! What the streams are: a person's terminal, or a file or pipe that wants bare text.

use std::io::{self, IsTerminal, Write};

use septet_capture::story::{Paint, Style};

/// A line on stderr. Whoever reads it may have gone, and what is said then is said to nobody: no reason to end.
macro_rules! tell {
    ($($words:tt)*) => { $crate::terminal::to_stderr(format_args!("{}\n", format_args!($($words)*))) };
}

/// A part of a line on stderr.
macro_rules! tell_part {
    ($($words:tt)*) => { $crate::terminal::to_stderr(format_args!($($words)*)) };
}

pub(crate) use {tell, tell_part};

/// Writes to stderr, or to nobody.
pub(crate) fn to_stderr(words: core::fmt::Arguments<'_>) {
    // A whole line at a time, so that those of several threads do not mix.
    let _ = io::stderr().lock().write_all(words.to_string().as_bytes());
}

/// How text on stdout looks.
pub(crate) fn style() -> Style {
    let terminal = io::stdout().is_terminal();
    let paint = if terminal && colours_wanted() { Paint::Ansi } else { Paint::Plain };
    let width = terminal.then(terminal_size::terminal_size).flatten().map(|(w, _)| usize::from(w.0));
    Style { width, paint }
}

/// Whether words on stderr may be painted.
pub(crate) fn paints_stderr() -> bool {
    io::stderr().is_terminal() && colours_wanted()
}

/// The columns for words on stderr.
pub(crate) fn stderr_width() -> usize {
    terminal_size::terminal_size_of(io::stderr()).map_or(100, |(w, _)| usize::from(w.0))
}

/// "NO_COLOR … when present and not an empty string (regardless of its value), prevents the addition of ANSI color."
fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Stdout that a reader may close early (`septet run … | head`): from then on it swallows what comes, and the run goes
/// on to its end and its exit code.
pub(crate) struct Stdout {
    inner: io::BufWriter<io::Stdout>,
    closed: bool,
}

impl Stdout {
    pub(crate) fn new() -> Self {
        Self { inner: io::BufWriter::new(io::stdout()), closed: false }
    }

    /// Whether nobody reads any more.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    fn forgive<T>(&mut self, done: T, result: io::Result<T>) -> io::Result<T> {
        match result {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(done)
            }
            other => other,
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Ok(bytes.len());
        }
        let result = self.inner.write(bytes);
        self.forgive(bytes.len(), result)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let result = self.inner.flush();
        self.forgive((), result)
    }
}
