//! Where a program's output goes, and the files that it may touch.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_session::transfer::{Files, Memory, Source, Stamp};
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

    /// A directory, for files that arrive.
    ///
    /// # Errors
    /// `Unsupported` where there are no files, and those of the file system.
    fn directory(&self, path: &str) -> io::Result<Arc<dyn Files>> {
        Err(no_files(path))
    }

    /// A file, to be sent.
    ///
    /// # Errors
    /// `Unsupported` where there are no files, and those of the file system.
    fn open(&self, path: &str) -> io::Result<Box<dyn Source>> {
        Err(no_files(path))
    }

    /// How wide the terminal is that standard error goes to; none where it goes elsewhere, and nothing may be drawn.
    fn columns(&self) -> Option<u16> {
        None
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
    /// What arrives in a directory outlives a loss of power, as it would on a disk.
    directories: BTreeMap<String, Memory>,
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

    /// The files that arrived in a directory.
    pub fn arrived(&self, path: &str) -> Memory {
        self.lock().directories.entry(path.to_owned()).or_default().clone()
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

    fn directory(&self, path: &str) -> io::Result<Arc<dyn Files>> {
        Ok(Arc::new(self.arrived(path)))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Source>> {
        self.read(path).map(|content| Box::new(Whole(content)) as Box<dyn Source>)
    }
}

/// A file in memory.
struct Whole(Vec<u8>);

impl Source for Whole {
    fn stamp(&mut self) -> io::Result<Stamp> {
        Ok(Stamp { size: self.0.len() as u64, changed: 0 })
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
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
