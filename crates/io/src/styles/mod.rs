//! The styles of input and output.

mod busy;
mod events;
mod pending;
mod tasks;
mod threads;

use std::io;
use std::net::TcpListener;

use crate::Protocol;

/// A way to wait for connections and bytes.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a few words.
    pub help: &'static str,
    /// Serves whoever comes; it ends only by an error.
    pub(crate) serve: fn(TcpListener, Protocol) -> io::Result<()>,
}

/// All of them. One line a style.
pub static STYLES: &[Style] = &[
    Style { name: "threads", help: "a thread a connection, which blocks", serve: threads::serve },
    Style { name: "busy", help: "one thread, which asks every connection over and over", serve: busy::serve },
    Style { name: "events", help: "one thread, which epoll tells who is ready (mio)", serve: events::serve },
    Style { name: "async", help: "a task a connection, on one thread of tokio", serve: tasks::serve },
];

impl Style {
    /// The style of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        STYLES.iter().find(|style| style.name == name)
    }
}

/// Octets that a server reads at once.
const BUFFER: usize = 4096;
