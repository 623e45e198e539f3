//! What a service may ask of where it is: a small trait for each of its two times, when it is read and when it starts.

use core::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use septet_application::dns::ZoneError;
use septet_language::words::{Word, Wrong};
use septet_network::{Cidr, Prefix};
use septet_presentation::ca::{Authority, CaError};

/// A host, by a number that its site gave it.
pub type HostId = usize;

/// Whom a service's keys can name.
pub trait Hosts {
    /// The host that `word` names.
    ///
    /// # Errors
    /// Why it names none.
    fn host(&self, word: Word<'_>) -> Result<HostId, Wrong>;

    /// The hosts that `word` names, where it may be a range.
    ///
    /// # Errors
    /// Why it names none.
    fn hosts(&self, word: Word<'_>) -> Result<Vec<HostId>, Wrong> {
        self.host(word).map(|host| vec![host])
    }

    /// The zone that the site makes from its own hosts, which no service may have for itself.
    fn domain(&self) -> Option<&str> {
        None
    }

    /// The directory from which files are named, by paths that are not absolute; none where there are no files.
    fn directory(&self) -> Option<&Path> {
        None
    }

    /// Whether services may bring certificates and keys of their own. A lab's are its authority's: who signs with a key of
    /// another kind draws on the machine's randomness.
    fn takes_keys(&self) -> bool {
        false
    }

    /// The text of a file, by its name from the [`directory`](Self::directory). It must not lie outside of the directory
    /// `within`, which is named from there too.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn file(&self, name: &Path, within: &Path) -> Result<String, String> {
        let directory = self.directory().ok_or("no files can be named here")?;
        read_file(directory, name, within, LARGEST_FILE)
    }
}

/// The largest file that services name.
pub const LARGEST_FILE: u64 = 64 << 20;

/// Reads the text file `name`, of at most `most` bytes, beside the directory `beside`: not outside of `within` in it, whatever
/// links say.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn read_file(beside: &Path, name: &Path, within: &Path, most: u64) -> Result<String, String> {
    let path = beside.join(name);
    let unreadable = |e: io::Error| format!("{} cannot be read: {e}", path.display());
    let real = fs::canonicalize(&path).map_err(unreadable)?;
    let within = match beside.join(within) {
        empty if empty.as_os_str().is_empty() => PathBuf::from("."),
        within => within,
    };
    if !real.starts_with(fs::canonicalize(&within).map_err(unreadable)?) {
        return Err(format!("{} lies outside of {}", path.display(), within.display()));
    }
    let metadata = fs::metadata(&real).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    if metadata.len() > most {
        return Err(format!("{} has {} bytes, more than {most}", path.display(), metadata.len()));
    }
    fs::read_to_string(&real).map_err(unreadable)
}

/// Where a service starts. What it does there it does through the `Net` of its host, which it is given when that boots:
/// sockets, time, tasks, the recorder and the trace.
pub trait Site {
    /// The host that offers the service.
    fn here(&self) -> HostId;

    /// What a host is called.
    fn name(&self, host: HostId) -> String;

    /// The addresses of a host.
    fn addresses(&self, host: HostId) -> Vec<IpAddr>;

    /// The addresses of a host with the prefixes of their links, where the site knows these.
    fn links(&self, host: HostId) -> Vec<Cidr> {
        let _ = host;
        Vec::new()
    }

    /// The link that `address` is on, and the routers there, where the site knows it.
    fn link_of(&self, address: IpAddr) -> Option<(Prefix, Vec<IpAddr>)> {
        let _ = address;
        None
    }

    /// Whom hosts here ask for names.
    fn name_servers(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    /// From where name servers here are told what hosts are called.
    fn name_tellers(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    /// The zone that the site makes from its own hosts, with all of them.
    fn domain(&self) -> Option<(&str, Vec<HostId>)> {
        None
    }

    /// Who signs certificates here; nobody where no service needs one.
    fn authority(&self) -> Option<&Authority>;

    /// The same, for who goes on signing.
    fn shared_authority(&self) -> Option<Arc<Authority>> {
        None
    }

    /// Another authority, by the name that a service's certificate gives it; nobody where there is but one.
    fn other_authority(&self, name: &str) -> Option<&Authority> {
        let _ = name;
        None
    }
}

/// Why a service cannot start.
#[derive(Debug)]
pub enum StartError {
    /// Its certificate could not be issued.
    Certificate(CaError),
    /// A zone will not do.
    Zone(ZoneError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(e) => e.fmt(f),
            Self::Zone(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<CaError> for StartError {
    fn from(e: CaError) -> Self {
        Self::Certificate(e)
    }
}

impl From<ZoneError> for StartError {
    fn from(e: ZoneError) -> Self {
        Self::Zone(e)
    }
}
