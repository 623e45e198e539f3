//! Files that a crash reaches: inside a simulation they lie on the [disk](septet_host::Disk) of the simulated host, outside
//! on the machine's.
//!
//! A host that [crashes](crate::test::World::crash) keeps what was synced. Of what it wrote since, the first changes in their
//! order are kept, as many as the seed says, the last perhaps only in part. [`World::wipe`](crate::test::World::wipe) takes
//! all of it.
//!
//! ```
//! use septet::fs;
//! use septet::test::World;
//!
//! let mut world = World::new();
//! world.host("db", || async {
//!     let boots = fs::read("boots").await.map_or(0, |bytes| bytes.len());
//!     fs::append("boots", b"x").await?;
//!     fs::sync("boots").await?;
//!     fs::append("boots", b"not synced").await?;
//!     assert!(boots < 2 || fs::read("boots").await?.starts_with(b"x"));
//!     core::future::pending().await
//! });
//! world.run_for(core::time::Duration::from_secs(1))?;
//! world.crash("db");
//! world.restart("db");
//! world.run_for(core::time::Duration::from_secs(1))?;
//! assert!(world.disk("db").read("boots")?.starts_with(b"x"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs as real;
use std::io::{self, Write as _};
use std::path::Path;

use septet_host::Here;

/// The name of a file on a simulated disk.
fn name(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a path that is not UTF-8"))
}

/// The bytes of a file.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     septet::fs::write("log", "one").await?;
///     assert_eq!(septet::fs::read("log").await?, b"one");
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// `NotFound`, and those of the machine.
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    match Here::current() {
        Some(here) => here.disk().read(name(path.as_ref())?),
        None => real::read(path),
    }
}

/// The text of a file.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     septet::fs::write("log", "one").await?;
///     assert_eq!(septet::fs::read_to_string("log").await?, "one");
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// As [`read`]; `InvalidData` where it is not UTF-8.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    String::from_utf8(read(path).await?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// Writes a file, in the place of one of that name.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     septet::fs::write("log", "one").await?;
///     septet::fs::write("log", "two").await?;
///     assert_eq!(septet::fs::read_to_string("log").await?, "two");
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// Those of the machine.
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    match Here::current() {
        Some(here) => {
            here.disk().write(name(path.as_ref())?, contents.as_ref());
            Ok(())
        }
        None => real::write(path, contents),
    }
}

/// Writes behind what is in a file, which is made where there is none.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     septet::fs::append("log", "one ").await?;
///     septet::fs::append("log", "two").await?;
///     assert_eq!(septet::fs::read_to_string("log").await?, "one two");
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// Those of the machine.
pub async fn append(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    match Here::current() {
        Some(here) => {
            here.disk().append(name(path.as_ref())?, contents.as_ref());
            Ok(())
        }
        None => real::OpenOptions::new().append(true).create(true).open(path)?.write_all(contents.as_ref()),
    }
}

/// Gives a file another name, in the place of one of that name.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     // As a file is replaced that must not be seen half written.
///     septet::fs::write("state.new", "7").await?;
///     septet::fs::sync("state.new").await?;
///     septet::fs::rename("state.new", "state").await?;
///     assert_eq!(septet::fs::read_to_string("state").await?, "7");
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// `NotFound`, and those of the machine.
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    match Here::current() {
        Some(here) => here.disk().rename(name(from.as_ref())?, name(to.as_ref())?),
        None => real::rename(from, to),
    }
}

/// Removes a file.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     septet::fs::write("lock", "").await?;
///     septet::fs::remove_file("lock").await?;
///     assert!(!septet::fs::try_exists("lock").await?);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// `NotFound`, and those of the machine.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    match Here::current() {
        Some(here) => here.disk().remove(name(path.as_ref())?),
        None => real::remove_file(path),
    }
}

/// Whether there is a file of that name.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     assert!(!septet::fs::try_exists("log").await?);
///     septet::fs::write("log", "one").await?;
///     assert!(septet::fs::try_exists("log").await?);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// Those of the machine.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    match Here::current() {
        Some(here) => Ok(here.disk().exists(name(path.as_ref())?)),
        None => real::exists(path),
    }
}

/// What was written to a file so far outlives a crash, its name too. A simulated disk syncs all of its files at once, as
/// those in order that it keeps must be.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     septet::fs::append("journal", "paid").await?;
///     septet::fs::sync("journal").await?;
///     // From here on a crash takes nothing of it.
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// `NotFound`, and those of the machine.
pub async fn sync(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    match Here::current() {
        Some(here) if here.disk().exists(name(path)?) => {
            here.disk().sync();
            Ok(())
        }
        Some(_) => Err(io::Error::new(io::ErrorKind::NotFound, format!("no such file: {}", path.display()))),
        None => {
            real::File::open(path)?.sync_all()?;
            // Its name is in the directory, which is synced apart: fsync(2).
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            real::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
        }
    }
}
