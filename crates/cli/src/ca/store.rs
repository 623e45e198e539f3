//! The directory of an authority: who may read what is in it, and how it changes.
//!
//! A file is written beside its place and then put there at once, so that no reader meets a half of it and no crash leaves one.
//! The directory is the owner's alone, and so are keys. Whoever changes something holds the lock for as long.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use septet_presentation::ca::Issuing;

use super::index::Index;
use crate::exit::Failure;

/// No PEM file or index that is meant is larger.
const LARGEST: u64 = 64 << 20;

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Everyone who may enter the directory.
    Public,
    /// The owner.
    Secret,
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and writing fails.
    Stays,
    /// It is replaced.
    IsReplaced,
}

/// An authority's directory, locked.
pub(super) struct Store {
    dir: PathBuf,
    _lock: File,
}

impl Store {
    /// The directory `dir`, once whoever else changes it is done.
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        if !dir.join("root.pem").is_file() {
            let what = if dir.exists() { "is no authority's directory" } else { "is not there" };
            return Err(Failure::environment(format!("{} {what}: `septet ca init` founds one", dir.display())));
        }
        let path = dir.join(".lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        mode(&mut options, Secrecy::Secret);
        let lock = options.open(&path).map_err(|e| Failure::file("open", &path, &e))?;
        lock.lock().map_err(|e| Failure::file("lock", &path, &e))?;
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }

    /// The authority of `NAME.pem` and `NAME.key`.
    pub(super) fn issuing(&self, name: &str) -> Result<Issuing, Failure> {
        let (certificate, key) = (self.path(format!("{name}.pem")), self.path(format!("{name}.key")));
        refuse_open_key(&key)?;
        Issuing::read(&read(&certificate)?, &read(&key)?)
            .map_err(|e| Failure::environment(format!("{} with {}: {e}", certificate.display(), key.display())))
    }

    pub(super) fn index(&self) -> Result<Index, Failure> {
        let path = self.path("index.txt");
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        Index::read(&text).map_err(|why| Failure::environment(format!("{}: {why}", path.display())))
    }

    pub(super) fn put_index(&self, index: &Index) -> Result<(), Failure> {
        write(&self.path("index.txt"), index.text().as_bytes(), Secrecy::Public, Existing::IsReplaced)
    }
}

/// Founds a directory: all of it is there, or nothing.
pub(super) fn found(dir: &Path, files: &[(&str, &[u8], Secrecy)]) -> Result<(), Failure> {
    let taken = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => false,
        Err(e) => return Err(Failure::file("use", dir, &e)),
    };
    if taken {
        let what = if dir.join("root.pem").exists() { "holds an authority already" } else { "is not empty" };
        return Err(Failure::environment(format!("{} {what}: nothing is overwritten", dir.display())));
    }
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "ca".to_owned());
    let draft = dir.with_file_name(format!(".{name}.{}", std::process::id()));
    let filled = create_dir(&draft).map_err(|e| Failure::file("make", dir, &e)).and_then(|()| {
        for (name, content, secrecy) in files {
            write(&draft.join(name), content, *secrecy, Existing::Stays)?;
        }
        for name in ["issued", "certificates"] {
            make_dir(&draft.join(name))?;
        }
        // What is there is an empty directory, which POSIX lets a rename replace.
        fs::rename(&draft, dir).map_err(|e| Failure::file("make", dir, &e))
    });
    if filled.is_err() {
        let _ = fs::remove_dir_all(&draft);
    }
    filled
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    create_dir(path).map_err(|e| Failure::file("make", path, &e))
}

fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// The content of a file of a size that can be meant.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = fs::metadata(path).map_err(|e| Failure::file("read", path, &e))?.len();
    if size > LARGEST {
        return Err(Failure::environment(format!("{} has {size} bytes, which is no PEM file", path.display())));
    }
    fs::read(path).map_err(|e| Failure::file("read", path, &e))
}

/// Writes a file at once.
pub(super) fn write(path: &Path, content: &[u8], secrecy: Secrecy, existing: Existing) -> Result<(), Failure> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => there(path),
        _ => Failure::file("write", path, &e),
    };
    if path.file_name().is_none() {
        return Err(Failure::environment(format!("{} is no name of a file", path.display())));
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    mode(&mut options, secrecy);
    let mut file = options.open(&draft).map_err(|e| Failure::file("write", path, &e))?;
    let placed = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| match existing {
        // A link to what is there already fails, where a rename would replace it.
        Existing::Stays => fs::hard_link(&draft, path).and_then(|()| fs::remove_file(&draft)),
        Existing::IsReplaced => fs::rename(&draft, path),
    });
    if placed.is_err() {
        let _ = fs::remove_file(&draft);
    }
    placed.map_err(failed)
}

/// A file is there that was not to be replaced.
pub(super) fn there(path: &Path) -> Failure {
    Failure::environment(format!("{} is there already; --force replaces it, -o writes elsewhere", path.display()))
}

fn mode(options: &mut OpenOptions, secrecy: Secrecy) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if secrecy == Secrecy::Secret { 0o600 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = (options, secrecy);
}

/// As ssh does: a key that others may read is a key that others have.
fn refuse_open_key(path: &Path) -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).map_err(|e| Failure::file("read", path, &e))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            return Err(Failure::environment(format!(
                "{path} can be read by others (its mode is {mode:04o}): `chmod 600 {path}`, and if anybody did, a new authority"
            )));
        }
    }
    let _ = path;
    Ok(())
}
