//! Where a program's output goes, and the files that it may touch.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncRead;

/// Standard output, standard error, and files.
///
/// A host in a lab has no file system unless the console gives it one.
pub trait Console: Send + Sync {
    /// Writes to standard output.
    fn out(&self, bytes: &[u8]);

    /// Writes to standard error.
    fn err(&self, bytes: &[u8]);

    /// Standard input. A lab gives its programs a text of the command line (`<<< text`), or nothing.
    fn input(&self) -> Input {
        Input::Nothing
    }

    /// Opens a file for writing.
    ///
    /// # Errors
    /// `Unsupported` where there are no files.
    fn create(&self, path: &str) -> io::Result<Box<dyn io::Write + Send>> {
        Err(no_files(path))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `Unsupported` where there are no files.
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        Err(no_files(path))
    }
}

/// Standard input.
pub enum Input {
    /// There is none.
    Nothing,
    /// All of it.
    Text(String),
    /// What somebody types, or another program writes.
    Live(Box<dyn AsyncRead + Send + Unpin>),
}

impl core::fmt::Debug for Input {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Live(_) => f.write_str("Live"),
        }
    }
}

fn no_files(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{path}: this host has no files"))
}

/// Throws everything away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Console for Discard {
    fn out(&self, _: &[u8]) {}

    fn err(&self, _: &[u8]) {}

    fn create(&self, _: &str) -> io::Result<Box<dyn io::Write + Send>> {
        Ok(Box::new(io::sink()))
    }
}

/// Keeps everything in memory, files too, so that it can be looked at afterwards.
#[derive(Clone, Debug, Default)]
pub struct Captured(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    out: Vec<u8>,
    err: Vec<u8>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Captured {
    /// What was written to standard output.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.lock().out).into_owned()
    }

    /// What was written to standard error.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.lock().err).into_owned()
    }

    /// The content of a file.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.lock().files.get(path).cloned()
    }

    /// Puts a file in place, to be read by the program.
    pub fn put_file(&self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.lock().files.insert(path.into(), content.into());
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Console for Captured {
    fn out(&self, bytes: &[u8]) {
        self.lock().out.extend_from_slice(bytes);
    }

    fn err(&self, bytes: &[u8]) {
        self.lock().err.extend_from_slice(bytes);
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn io::Write + Send>> {
        self.put_file(path, []);
        Ok(Box::new(Writer { kept: self.clone(), path: path.to_owned() }))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{path}: no such file"));
        self.file(path).ok_or_else(missing)
    }
}

struct Writer {
    kept: Captured,
    path: String,
}

impl io::Write for Writer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.kept.lock().files.entry(self.path.clone()).or_default().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
