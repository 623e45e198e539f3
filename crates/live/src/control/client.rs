//! The client's end: blocking, one request after the other.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::protocol::{Reply, Request};
use super::{descriptor, path};

/// A connection to a running lab.
#[derive(Debug)]
pub struct Client {
    lines: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the lab called `name`.
    ///
    /// # Errors
    /// `NotFound` where no such lab runs, with the names of those that do.
    pub fn connect(name: &str) -> io::Result<Self> {
        let stream = UnixStream::connect(path::socket(name)?).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                let running = running().unwrap_or_default();
                let others = match running.len() {
                    0 => "no lab runs; start one with `septet up LAB`".to_owned(),
                    _ => format!("these run: {}", running.join(", ")),
                };
                io::Error::new(io::ErrorKind::NotFound, format!("no lab called `{name}` runs ({others})"))
            }
            kind => io::Error::new(kind, format!("lab `{name}`: {e}")),
        })?;
        Ok(Self { lines: BufReader::new(stream) })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The connection's.
    pub fn send(&mut self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.lines.get_mut().write_all(&line)
    }

    /// Takes the next line of an answer.
    ///
    /// # Errors
    /// `UnexpectedEof` where the lab has ended; `InvalidData` where it speaks another version.
    pub fn receive(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the lab has ended"));
        }
        serde_json::from_str(&line).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{e}: {line}")))
    }

    /// Sends a request and takes the answer, where that is one line.
    ///
    /// # Errors
    /// As [`receive`](Self::receive); `Other` with the lab's words where it answers with an error.
    pub fn ask(&mut self, request: &Request) -> io::Result<Reply> {
        self.send(request)?;
        match self.receive()? {
            Reply::Error { text } => Err(io::Error::other(text)),
            reply => Ok(reply),
        }
    }

    /// Hands over a descriptor, where the lab waits for one.
    ///
    /// # Errors
    /// The connection's.
    pub fn hand_over(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        descriptor::send(self.lines.get_ref().as_fd(), fd)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lines.get_ref().as_fd()
    }
}

/// The names of the labs that run, as far as their sockets tell.
///
/// # Errors
/// The directory's.
pub fn running() -> io::Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(path::directory()?)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".sock")?.to_owned();
            UnixStream::connect(&path).ok().map(|_| name)
        })
        .collect();
    names.sort();
    Ok(names)
}
