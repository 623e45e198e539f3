//! The disk of a host: files of bytes that outlive a crash as far as they were synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use septet_core::Rng;

/// A host's disk. What was [synced](Self::sync) outlives a crash. Of what was written since, a part does: the first of the
/// changes in their order, as many as the world's randomness says, the last of them perhaps only in part.
///
/// ```
/// use septet_core::Seed;
/// use septet_host::Disk;
/// let disk = Disk::default();
/// disk.write("log", b"first");
/// disk.sync();
/// disk.append("log", b", second");
/// assert_eq!(disk.read("log")?, b"first, second");
/// disk.crash(&mut Seed::new(1).stream("disk"));
/// assert!(disk.read("log")?.starts_with(b"first"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Disk(Mutex<State>);

type Files = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Default)]
struct State {
    /// As programs see them.
    files: Files,
    /// As they were when they were last synced.
    synced: Files,
    /// What was done since, in order.
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(String, Vec<u8>),
    Append(String, Vec<u8>),
    Rename(String, String),
    Remove(String),
}

impl Change {
    fn apply(self, files: &mut Files) {
        match self {
            Self::Write(path, bytes) => {
                files.insert(path, bytes);
            }
            Self::Append(path, bytes) => files.entry(path).or_default().extend(bytes),
            Self::Rename(from, to) => {
                if let Some(bytes) = files.remove(&from) {
                    files.insert(to, bytes);
                }
            }
            Self::Remove(path) => {
                files.remove(&path);
            }
        }
    }

    /// The same, as far as it had come when the power went: not at all, or some of its bytes.
    fn torn(self, rng: &mut Rng) -> Option<Self> {
        let mut cut = |mut bytes: Vec<u8>| {
            let come = rng.below(bytes.len() as u64 + 2).checked_sub(1)?;
            bytes.truncate(come as usize);
            Some(bytes)
        };
        match self {
            Self::Write(path, bytes) => Some(Self::Write(path, cut(bytes)?)),
            Self::Append(path, bytes) => Some(Self::Append(path, cut(bytes)?)),
            // The names in a directory change at once or not at all.
            Self::Rename(..) | Self::Remove(_) => None,
        }
    }
}

impl Disk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: Change) {
        let mut state = self.lock();
        change.clone().apply(&mut state.files);
        state.since.push(change);
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.lock().files.get(path).cloned().ok_or_else(|| missing(path))
    }

    /// Writes a file, in the place of one of that name.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        self.change(Change::Write(path.to_owned(), bytes.to_vec()));
    }

    /// Writes behind what is in a file, which is made where there is none.
    pub fn append(&self, path: &str, bytes: &[u8]) {
        self.change(Change::Append(path.to_owned(), bytes.to_vec()));
    }

    /// Gives a file another name, in the place of one of that name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if !self.exists(from) {
            return Err(missing(from));
        }
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        if !self.exists(path) {
            return Err(missing(path));
        }
        self.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    /// Whether there is a file of that name.
    pub fn exists(&self, path: &str) -> bool {
        self.lock().files.contains_key(path)
    }

    /// The names of all files, in order.
    pub fn names(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    /// Everything that was done so far outlives a crash: `sync(2)`.
    pub fn sync(&self) {
        let state = &mut *self.lock();
        for change in state.since.drain(..) {
            change.apply(&mut state.synced);
        }
    }

    /// The power goes.
    pub fn crash(&self, rng: &mut Rng) {
        let state = &mut *self.lock();
        if state.since.is_empty() {
            return;
        }
        let whole = rng.below(state.since.len() as u64 + 1) as usize;
        let mut since = core::mem::take(&mut state.since).into_iter();
        since.by_ref().take(whole).for_each(|change| change.apply(&mut state.synced));
        if let Some(torn) = since.next().and_then(|change| change.torn(rng)) {
            torn.apply(&mut state.synced);
        }
        state.files.clone_from(&state.synced);
    }

    /// Everything is lost: another disk, empty, takes its place.
    pub fn wipe(&self) {
        *self.lock() = State::default();
    }
}

fn missing(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no such file: {path}"))
}

#[cfg(test)]
mod tests {
    use septet_core::Seed;

    use super::*;

    #[test]
    fn a_crash_keeps_what_was_synced_and_the_first_of_what_was_not() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let disk = Disk::default();
            disk.write("a", b"old");
            disk.sync();
            disk.write("b.new", b"12");
            disk.rename("b.new", "b").unwrap();
            disk.remove("a").unwrap();
            disk.crash(&mut Seed::new(seed).stream("disk"));
            let shown = |name: &str| disk.read(name).ok().map(|bytes| String::from_utf8(bytes).unwrap());
            let state = (shown("a"), shown("b.new"), shown("b"));
            // A later change never outlives an earlier one.
            assert!(state.2.is_none() || state.2.as_deref() == Some("12"), "{state:?}");
            assert!(state.0.is_some() || state.2.is_some(), "{state:?}");
            seen.insert(state);
        }
        // Nothing, the new file in three lengths, renamed, and all of it.
        assert_eq!(seen.len(), 6, "{seen:?}");
    }

    #[test]
    fn what_is_not_there() {
        let disk = Disk::default();
        assert_eq!(disk.read("x").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(disk.rename("x", "y").unwrap_err().kind(), io::ErrorKind::NotFound);
        disk.append("x", b"1");
        disk.sync();
        disk.wipe();
        assert!(disk.names().is_empty());
    }
}
