//! One end of a connection, whatever it runs over: TCP of any network, TLS above it, or what stands before either.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::TcpStream;

/// One end of a connection.
///
/// What it reads and writes it does as tokio's streams do; `poll_shutdown` ends the sending half and leaves the other one
/// open. Dropping it closes it in order.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// The near end.
    ///
    /// # Errors
    /// `NotConnected`.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The far end.
    ///
    /// # Errors
    /// `NotConnected`.
    fn peer_addr(&self) -> io::Result<SocketAddr>;

    /// From now on dropping it resets the connection. One that is gone cannot be reset, and need not be.
    fn reset_on_drop(&self);

    /// The protocol that both ends agreed upon to speak over it (RFC 7301), where they did.
    fn alpn(&self) -> Option<&str> {
        None
    }

    /// How short pieces that are written to it leave.
    fn writes(&self) -> Writes {
        Writes::AsTheyCome
    }
}

/// How short pieces leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writes {
    /// As segments like those that they came in.
    AsTheyCome,
    /// As records, which do not fit the segments that they came in: they had better be large.
    InRecords,
}

impl Stream for TcpStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn reset_on_drop(&self) {
        // It fails where the connection is gone already.
        let _ = self.set_zero_linger();
    }
}
