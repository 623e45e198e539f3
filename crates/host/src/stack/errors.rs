//! What calls of a socket fail with whose host was switched off.

use std::io;

/// The error of a socket that its host lost when it was switched off, or whose host is.
pub(crate) fn switched_off() -> io::Error {
    io::Error::new(io::ErrorKind::NetworkDown, "the host of this socket was switched off")
}
