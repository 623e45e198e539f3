//! Why a call failed, with the kinds the kernel would give.

use core::fmt;
use std::io;

/// Why a socket call did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Error {
    /// Nothing to do now; wait for readiness: `EAGAIN`.
    WouldBlock,
    /// The identifier names no socket of this endpoint: `EBADF`.
    BadSocket,
    /// The address and port are taken: `EADDRINUSE`.
    AddrInUse,
    /// No port of the ephemeral range is free towards that peer: `EADDRNOTAVAIL`.
    AddrNotAvailable,
    /// The connection is not established: `ENOTCONN`.
    NotConnected,
    /// The peer answered the SYN with a reset: `ECONNREFUSED`.
    ConnectionRefused,
    /// The peer reset the connection: `ECONNRESET`.
    ConnectionReset,
    /// This side ended the connection: `ECONNABORTED`.
    ConnectionAborted,
    /// Our side was shut down, or the connection is gone: `EPIPE`.
    BrokenPipe,
    /// The peer did not answer in time: `ETIMEDOUT`.
    TimedOut,
    /// ICMP: no route to the network: `ENETUNREACH`.
    NetworkUnreachable,
    /// ICMP: the host does not answer, or its path is filtered: `EHOSTUNREACH`.
    HostUnreachable,
    /// ICMP: the peer does not speak TCP: `ENOPROTOOPT`.
    ProtocolUnreachable,
    /// The value makes no sense: `EINVAL`.
    InvalidInput,
    /// No congestion controller by that name: `ENOENT`.
    NoSuchController,
}

impl Error {
    /// The kind that the kernel's error would have.
    pub const fn kind(self) -> io::ErrorKind {
        match self {
            Self::WouldBlock => io::ErrorKind::WouldBlock,
            Self::BadSocket | Self::InvalidInput => io::ErrorKind::InvalidInput,
            Self::AddrInUse => io::ErrorKind::AddrInUse,
            Self::AddrNotAvailable => io::ErrorKind::AddrNotAvailable,
            Self::NotConnected => io::ErrorKind::NotConnected,
            Self::ConnectionRefused => io::ErrorKind::ConnectionRefused,
            Self::ConnectionReset => io::ErrorKind::ConnectionReset,
            Self::ConnectionAborted => io::ErrorKind::ConnectionAborted,
            Self::BrokenPipe => io::ErrorKind::BrokenPipe,
            Self::TimedOut => io::ErrorKind::TimedOut,
            Self::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
            Self::HostUnreachable => io::ErrorKind::HostUnreachable,
            Self::ProtocolUnreachable => io::ErrorKind::Other,
            Self::NoSuchController => io::ErrorKind::NotFound,
        }
    }

    /// Linux's error number.
    pub const fn errno(self) -> i32 {
        match self {
            Self::WouldBlock => 11,
            Self::BadSocket => 9,
            Self::AddrInUse => 98,
            Self::AddrNotAvailable => 99,
            Self::NotConnected => 107,
            Self::ConnectionRefused => 111,
            Self::ConnectionReset => 104,
            Self::ConnectionAborted => 103,
            Self::BrokenPipe => 32,
            Self::TimedOut => 110,
            Self::NetworkUnreachable => 101,
            Self::HostUnreachable => 113,
            Self::ProtocolUnreachable => 92,
            Self::InvalidInput => 22,
            Self::NoSuchController => 2,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WouldBlock => "operation would block",
            Self::BadSocket => "no such socket",
            Self::AddrInUse => "address already in use",
            Self::AddrNotAvailable => "no free local port",
            Self::NotConnected => "socket is not connected",
            Self::ConnectionRefused => "connection refused",
            Self::ConnectionReset => "connection reset by peer",
            Self::ConnectionAborted => "connection aborted",
            Self::BrokenPipe => "broken pipe",
            Self::TimedOut => "connection timed out",
            Self::NetworkUnreachable => "network is unreachable",
            Self::HostUnreachable => "no route to host",
            Self::ProtocolUnreachable => "protocol not available",
            Self::InvalidInput => "invalid argument",
            Self::NoSuchController => "no such congestion controller",
        })
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(e: Error) -> Self {
        match e {
            // What only says to wait is said often.
            Error::WouldBlock => e.kind().into(),
            other => Self::new(other.kind(), other),
        }
    }
}
