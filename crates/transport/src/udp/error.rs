//! Why a call failed, with the kinds the kernel would give.

use core::fmt;
use std::io;

/// Why a UDP call did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Error {
    /// Nothing to receive now: `EAGAIN`.
    WouldBlock,
    /// The identifier names no socket: `EBADF`.
    BadSocket,
    /// The address and port are taken, or no port is free, or the group is joined already: `EADDRINUSE`.
    AddrInUse,
    /// No destination: `EDESTADDRREQ`.
    NoDestination,
    /// Larger than a datagram can be: `EMSGSIZE`.
    TooLong,
    /// ICMP: nothing listens there: `ECONNREFUSED`.
    ConnectionRefused,
    /// ICMP: `EHOSTUNREACH`.
    HostUnreachable,
    /// ICMP: `ENETUNREACH`.
    NetworkUnreachable,
    /// ICMP: `ENOPROTOOPT`.
    ProtocolUnreachable,
    /// ICMP: a field of the header is wrong: `EPROTO`.
    BadParameter,
    /// No membership there: `EADDRNOTAVAIL`.
    AddrNotAvailable,
    /// To all, where that was not allowed: `EACCES`.
    Denied,
    /// Not a multicast group, or another nonsense: `EINVAL`.
    InvalidInput,
}

impl Error {
    /// The kind that the kernel's error would have.
    pub const fn kind(self) -> io::ErrorKind {
        match self {
            Self::WouldBlock => io::ErrorKind::WouldBlock,
            Self::AddrInUse => io::ErrorKind::AddrInUse,
            Self::AddrNotAvailable => io::ErrorKind::AddrNotAvailable,
            Self::Denied => io::ErrorKind::PermissionDenied,
            Self::NoDestination => io::ErrorKind::NotConnected,
            Self::ConnectionRefused => io::ErrorKind::ConnectionRefused,
            Self::HostUnreachable => io::ErrorKind::HostUnreachable,
            Self::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
            Self::ProtocolUnreachable => io::ErrorKind::Unsupported,
            Self::BadParameter => io::ErrorKind::InvalidData,
            Self::BadSocket | Self::TooLong | Self::InvalidInput => io::ErrorKind::InvalidInput,
        }
    }

    /// Linux's error number.
    pub const fn errno(self) -> i32 {
        match self {
            Self::WouldBlock => 11,
            Self::BadSocket => 9,
            Self::AddrInUse => 98,
            Self::AddrNotAvailable => 99,
            Self::Denied => 13,
            Self::NoDestination => 89,
            Self::TooLong => 90,
            Self::ConnectionRefused => 111,
            Self::HostUnreachable => 113,
            Self::NetworkUnreachable => 101,
            Self::ProtocolUnreachable => 92,
            Self::BadParameter => 71,
            Self::InvalidInput => 22,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WouldBlock => "operation would block",
            Self::BadSocket => "no such socket",
            Self::AddrInUse => "address already in use",
            Self::AddrNotAvailable => "cannot assign requested address",
            Self::Denied => "permission denied",
            Self::NoDestination => "destination address required",
            Self::TooLong => "message too long",
            Self::ConnectionRefused => "connection refused",
            Self::HostUnreachable => "no route to host",
            Self::NetworkUnreachable => "network is unreachable",
            Self::ProtocolUnreachable => "protocol not available",
            Self::BadParameter => "protocol error",
            Self::InvalidInput => "invalid argument",
        })
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(e: Error) -> Self {
        Self::new(e.kind(), e)
    }
}
