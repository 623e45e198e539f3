//! The files of a site: a directory of the machine, or one that was read when the site was made.

use core::ops::Range;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::StatusCode;

use super::body::Body;
use super::disk::{self, Reads};
use super::kinds::kind;
use super::page::{Content, Page};

/// What a directory is read of at most that a site holds in memory: files, bytes of all, and directories in each other.
const MOST_FILES: usize = 4096;
const MOST_BYTES: u64 = 64 << 20;
const DEEPEST: usize = 32;

/// A file up to this is held in memory, where it is looked at for each request whether it has changed.
const SMALL: u64 = 256 << 10;
/// Bytes that are held so; then all are let go, and come again as they are asked for.
const HELD: u64 = 32 << 20;
/// So much of a file is looked at for what it is.
const START: usize = 1445;

/// Where files come from. A clone shares them.
#[derive(Clone, Debug)]
pub struct Files(Arc<Source>);

impl PartialEq for Files {
    /// Whether they are clones.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Debug)]
enum Source {
    /// Read once: the same on every machine that has the same files, whenever they were written there.
    Held(BTreeMap<String, Held>),
    /// Looked at for each request.
    Disk { root: PathBuf, cache: Mutex<Cache> },
}

#[derive(Debug)]
enum Held {
    File(Page),
    Directory,
}

#[derive(Debug, Default)]
struct Cache {
    pages: BTreeMap<PathBuf, (Stamp, Page)>,
    bytes: u64,
}

/// What a file is told apart by without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    len: u64,
    nanos: u128,
}

/// What is at a path.
pub(super) enum Found {
    /// A file whose content is held, and when it was last modified.
    Page(Page, Option<u64>),
    /// A file that is read as it leaves.
    Large(Large),
    /// A directory, and what is in it.
    Directory,
    /// Nothing that is shown.
    Nothing(StatusCode),
}

/// A large file.
pub(super) struct Large {
    file: Arc<File>,
    pub(super) len: u64,
    pub(super) etag: String,
    pub(super) modified: u64,
    pub(super) kind: &'static str,
}

impl Large {
    pub(super) fn slice(&self, range: Range<u64>, reads: Reads) -> Body {
        Body::new(disk::Reading::new(self.file.clone(), range, reads))
    }
}

/// What is in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    /// The length of a file; none of a directory.
    pub(super) len: Option<u64>,
    pub(super) modified: Option<u64>,
}

impl Files {
    /// The directory `root` of this machine, as it is when somebody asks. What leads out of it is not followed.
    ///
    /// # Errors
    /// Where there is no such directory.
    pub fn of_machine(root: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        if !fs::metadata(&root)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self(Arc::new(Source::Disk { root, cache: Mutex::default() })))
    }

    /// What is in the directory `root` now, held in memory: nothing that is later done to it is seen, and nothing of when its
    /// files were written is told.
    ///
    /// # Errors
    /// Where something of it cannot be read, or it is more than a lab is thought to have: 4096 files, 64 MiB.
    pub fn held(root: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        let mut tree = BTreeMap::from([(String::new(), Held::Directory)]);
        let mut left = MOST_BYTES;
        read_tree(&root, &root, "", &mut tree, &mut left, 0)?;
        Ok(Self(Arc::new(Source::Held(tree))))
    }

    /// What is at these segments of a path.
    pub(super) fn find(&self, segments: &[String]) -> Found {
        match &*self.0 {
            Source::Held(tree) => match tree.get(&joined(segments)) {
                Some(Held::File(page)) => Found::Page(page.clone(), None),
                Some(Held::Directory) => Found::Directory,
                None => Found::Nothing(StatusCode::NOT_FOUND),
            },
            Source::Disk { root, cache } => on_disk(root, cache, segments).unwrap_or_else(|e| {
                Found::Nothing(match e.kind() {
                    io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
                        StatusCode::NOT_FOUND
                    }
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                })
            }),
        }
    }

    /// What is in the directory at these segments, by name.
    pub(super) fn list(&self, segments: &[String]) -> io::Result<Vec<Listed>> {
        let mut listed = match &*self.0 {
            Source::Held(tree) => {
                let of = joined(segments);
                let beneath = tree.iter().filter_map(|(path, held)| {
                    let name = match of.as_str() {
                        "" => path.as_str(),
                        of => path.strip_prefix(of)?.strip_prefix('/')?,
                    };
                    let len = match held {
                        Held::File(page) => Some(page.content.len()),
                        Held::Directory => None,
                    };
                    let own = !name.is_empty() && !name.contains('/');
                    own.then(|| Listed { name: name.to_owned(), len, modified: None })
                });
                beneath.collect()
            }
            Source::Disk { root, .. } => {
                let mut listed = Vec::new();
                for entry in fs::read_dir(within(root, segments)?)? {
                    let entry = entry?;
                    let Ok(name) = entry.file_name().into_string() else { continue };
                    // What does not lead to something within is as if it were not there.
                    let Ok(path) = fs::canonicalize(entry.path()) else { continue };
                    let Ok(metadata) = fs::metadata(&path) else { continue };
                    if path.starts_with(root) && (metadata.is_dir() || metadata.is_file()) {
                        let len = metadata.is_file().then_some(metadata.len());
                        listed.push(Listed { name, len, modified: Some(seconds(&metadata)) });
                    }
                }
                listed
            }
        };
        listed.sort_unstable();
        Ok(listed)
    }
}

fn joined(segments: &[String]) -> String {
    segments.iter().filter(|segment| !segment.is_empty()).map(String::as_str).collect::<Vec<_>>().join("/")
}

fn read_tree(
    root: &Path,
    directory: &Path,
    below: &str,
    tree: &mut BTreeMap<String, Held>,
    left: &mut u64,
    depth: usize,
) -> io::Result<()> {
    let too_much = |what: String| io::Error::other(format!("{} holds more than {what}", root.display()));
    if depth > DEEPEST {
        return Err(too_much(format!("{DEEPEST} directories in each other")));
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(path) = fs::canonicalize(entry.path()) else { continue };
        if !path.starts_with(root) {
            continue;
        }
        let at = if below.is_empty() { name } else { format!("{below}/{name}") };
        let metadata = fs::metadata(&path)?;
        if metadata.is_dir() {
            tree.insert(at.clone(), Held::Directory);
            read_tree(root, &path, &at, tree, left, depth + 1)?;
        } else if metadata.is_file() {
            *left = left.checked_sub(metadata.len()).ok_or_else(|| too_much(format!("{MOST_BYTES} bytes")))?;
            let bytes = fs::read(&path)?;
            let kind = kind(&at, &bytes[..bytes.len().min(START)]);
            tree.insert(at, Held::File(Page::new(Content::Bytes(bytes.into()), kind)));
        }
        if tree.len() > MOST_FILES {
            return Err(too_much(format!("{MOST_FILES} files")));
        }
    }
    Ok(())
}

/// The file that the segments lead to, links followed, where it is within.
fn within(root: &Path, segments: &[String]) -> io::Result<PathBuf> {
    let mut path = root.to_path_buf();
    path.extend(segments.iter().filter(|segment| !segment.is_empty()));
    let path = fs::canonicalize(path)?;
    if path.starts_with(root) { Ok(path) } else { Err(io::ErrorKind::NotFound.into()) }
}

fn on_disk(root: &Path, cache: &Mutex<Cache>, segments: &[String]) -> io::Result<Found> {
    let path = within(root, segments)?;
    let metadata = fs::metadata(&path)?;
    if metadata.is_dir() {
        return Ok(Found::Directory);
    }
    // Neither devices nor pipes, whose opening alone may wait for ever.
    if !metadata.is_file() {
        return Ok(Found::Nothing(StatusCode::FORBIDDEN));
    }
    let stamp = stamp(&metadata);
    let modified = seconds(&metadata);
    let name = segments.last().map(String::as_str).unwrap_or_default();
    if stamp.len > SMALL {
        let file = File::open(&path)?;
        let mut start = [0; START];
        let read = disk::read_at(&file, &mut start, 0)?;
        // The time and the length, as nginx has it: the content would have to be read for more.
        let etag = format!("\"{:x}-{:x}\"", stamp.nanos, stamp.len);
        let (file, kind) = (Arc::new(file), kind(name, &start[..read]));
        return Ok(Found::Large(Large { file, len: stamp.len, etag, modified, kind }));
    }
    let mut held = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, page)) = held.pages.get(&path)
        && *of == stamp
    {
        return Ok(Found::Page(page.clone(), Some(modified)));
    }
    let bytes: Bytes = fs::read(&path)?.into();
    let page = Page::new(Content::Bytes(bytes.clone()), kind(name, &bytes[..bytes.len().min(START)]));
    if held.bytes + stamp.len > HELD {
        *held = Cache::default();
    }
    held.bytes += stamp.len;
    if let Some((before, _)) = held.pages.insert(path, (stamp, page.clone())) {
        held.bytes -= before.len;
    }
    Ok(Found::Page(page, Some(modified)))
}

fn stamp(metadata: &Metadata) -> Stamp {
    let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Stamp { len: metadata.len(), nanos: since.unwrap_or_default().as_nanos() }
}

fn seconds(metadata: &Metadata) -> u64 {
    u64::try_from(stamp(metadata).nanos / 1_000_000_000).unwrap_or_default()
}
