//! What calls of a socket fail with where there is none any more.

use std::io;

/// The error of a socket that is closed, or whose host is.
pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NetworkDown, "the host of this socket is switched off")
}
