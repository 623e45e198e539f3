//! A directory of the machine.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::Files;
use super::sender::{Source, Stamp};

/// So many files that are written to stay open.
const MOST_OPEN: usize = 8;

/// Files in a directory of the machine; they outlive the process.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    /// Those that are written to: to open one for each piece takes longer than to write the piece.
    open: Arc<Mutex<BTreeMap<String, Arc<File>>>>,
}

impl Directory {
    /// The directory at `path`, which is there.
    ///
    /// # Errors
    /// Where it is none.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        if !fs::metadata(&path)?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no directory"));
        }
        Ok(Self { path, open: Arc::default() })
    }

    /// Where a name is. Names come here from [`plain_name`](super::plain_name) and from this crate.
    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn writable(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.at(name))
    }

    fn open_files(&self) -> MutexGuard<'_, BTreeMap<String, Arc<File>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self, name: &str) -> io::Result<Arc<File>> {
        let mut open = self.open_files();
        if let Some(file) = open.get(name) {
            return Ok(file.clone());
        }
        if open.len() >= MOST_OPEN {
            open.clear();
        }
        let file = Arc::new(self.writable(name)?);
        open.insert(name.to_owned(), file.clone());
        Ok(file)
    }

    /// The name is about to be another file's, or nobody's.
    fn close(&self, name: &str) {
        self.open_files().remove(name);
    }

    /// The small file that `replace` and `note` put in place of another.
    fn beside(&self, name: &str, bytes: &[u8]) -> io::Result<(PathBuf, File)> {
        let new = format!("{name}.new");
        let file = self.writable(&new)?;
        file.set_len(0)?;
        write_at(&file, 0, bytes)?;
        Ok((self.at(&new), file))
    }

    /// A new or other name outlives a loss of power once its directory is written.
    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Files for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        // What is no file is there too: it must not be taken for a free name.
        match fs::symlink_metadata(self.at(name)) {
            Ok(data) => Ok(Some(data.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn read_at(&self, name: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        read_at(&File::open(self.at(name))?, offset, buf)
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_at(&*self.opened(name)?, offset, bytes)
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.opened(name)?.set_len(len)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        File::open(self.at(name))?.sync_data()
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (new, file) = self.beside(name, bytes)?;
        file.sync_data()?;
        fs::rename(new, self.at(name))?;
        self.sync_names()
    }

    fn note(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (new, _) = self.beside(name, bytes)?;
        fs::rename(new, self.at(name))
    }

    fn publish(&self, from: &str, to: &str) -> io::Result<()> {
        self.close(from);
        // A link is made where the name is free, or not at all; a rename would take a name that has just been given.
        match fs::hard_link(self.at(from), self.at(to)) {
            Ok(()) => self.remove(from)?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(e),
            // A file system without links.
            Err(_) if self.len(to)?.is_none() => fs::rename(self.at(from), self.at(to))?,
            Err(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        }
        self.sync_names()
    }

    fn publish_over(&self, from: &str, to: &str) -> io::Result<()> {
        self.close(from);
        fs::rename(self.at(from), self.at(to))?;
        self.sync_names()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.close(name);
        match fs::remove_file(self.at(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

/// A file of the machine, to be sent.
#[derive(Debug)]
pub struct Outgoing {
    file: File,
}

impl Outgoing {
    /// The file at `path`.
    ///
    /// # Errors
    /// Where it cannot be read, or is none.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        Ok(Self { file })
    }
}

impl Source for Outgoing {
    fn stamp(&mut self) -> io::Result<Stamp> {
        let data = self.file.metadata()?;
        // Where a file system keeps no times, the length and the digest tell what changed.
        let since = data.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let changed = since.and_then(|time| u64::try_from(time.as_nanos()).ok()).unwrap_or_default();
        Ok(Stamp { size: data.len(), changed })
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        read_at(&self.file, offset, buf)
    }
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(unix)]
fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    use io::{Read as _, Seek as _};
    file.seek(io::SeekFrom::Start(offset))?;
    file.read(buf)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use io::{Seek as _, Write as _};
    file.seek(io::SeekFrom::Start(offset))?;
    file.write_all(bytes)
}
