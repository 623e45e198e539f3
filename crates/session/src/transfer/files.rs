//! What a transfer needs of a place for files, and one in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A directory, flat: names have no way to others.
pub trait Files: Send + Sync {
    /// All names.
    ///
    /// # Errors
    /// Those of the file system, as for all that follow.
    fn list(&self) -> io::Result<Vec<String>>;

    /// How long a file is; none where there is none of that name.
    fn len(&self, name: &str) -> io::Result<Option<u64>>;

    /// Reads octets from `offset` on, and tells how many; nought at the end.
    fn read_at(&self, name: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes octets at `offset`; the file is made where there is none.
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file, which is made where there is none, to this length.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;

    /// Returns when what was written to a file outlives a loss of power.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Puts a small file in place of one, or anew: whoever looks, even after a loss of power, finds the old or the new.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Puts a small file in place of one, or anew, for whoever looks as long as there is power; after a loss of power he may
    /// find the old, the new or nothing that can be read.
    fn note(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes)
    }

    /// Gives a file another name, which nothing may have: `AlreadyExists` where something does.
    fn publish(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file another name, and throws away what had it.
    fn publish_over(&self, from: &str, to: &str) -> io::Result<()>;

    /// Throws a file away; nothing happens where there is none.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// Files in memory, shared by all clones. They have as much room as they are given.
#[derive(Clone, Debug)]
pub struct Memory {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    room: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_room(u64::MAX)
    }
}

impl Memory {
    /// None, with room for so many octets.
    pub fn with_room(room: u64) -> Self {
        Self { files: Arc::default(), room }
    }

    /// A file.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.lock().get(name).cloned()
    }

    /// Puts a file there.
    pub fn put(&self, name: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.lock().insert(name.into(), content.into());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for a file of `name` that is `len` octets long.
    fn make_room(&self, files: &BTreeMap<String, Vec<u8>>, name: &str, len: u64) -> io::Result<()> {
        let others: u64 = files.iter().filter(|(n, _)| *n != name).map(|(_, content)| content.len() as u64).sum();
        if others.saturating_add(len) > self.room { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{name}: no such file"))
}

impl Files for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        Ok(self.lock().get(name).map(|content| content.len() as u64))
    }

    fn read_at(&self, name: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let files = self.lock();
        let content = files.get(name).ok_or_else(|| missing(name))?;
        let rest = content.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.lock();
        let end = offset + bytes.len() as u64;
        let len = files.get(name).map_or(0, |content| content.len() as u64).max(end);
        self.make_room(&files, name, len)?;
        let content = files.entry(name.to_owned()).or_default();
        content.resize(len as usize, 0);
        content[offset as usize..end as usize].copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let mut files = self.lock();
        self.make_room(&files, name, len)?;
        files.entry(name.to_owned()).or_default().resize(len as usize, 0);
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.len(name)?.map(|_| ()).ok_or_else(|| missing(name))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.lock();
        self.make_room(&files, name, bytes.len() as u64)?;
        files.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn publish(&self, from: &str, to: &str) -> io::Result<()> {
        if self.lock().contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.publish_over(from, to)
    }

    fn publish_over(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.lock();
        let content = files.remove(from).ok_or_else(|| missing(from))?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().remove(name);
        Ok(())
    }
}
