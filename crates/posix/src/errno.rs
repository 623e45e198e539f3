//! Error numbers of system calls.

use core::fmt;
use std::io::{self, ErrorKind};

use septet_network::ip::SendError;
use septet_transport::{tcp, udp};

/// An error of a system call: Linux's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident = $number:literal),* $(,)?) => {
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Self = Self($number);)*

            const NAMES: &[(&str, Self)] = &[$((stringify!($name), Self::$name)),*];
        }
    };
}

errnos! {
    EPERM = 1,
    ENOENT = 2,
    EIO = 5,
    EBADF = 9,
    EAGAIN = 11,
    EACCES = 13,
    EFAULT = 14,
    EEXIST = 17,
    ENODEV = 19,
    EINVAL = 22,
    EMFILE = 24,
    EPIPE = 32,
    ELOOP = 40,
    ENOMSG = 42,
    EPROTO = 71,
    ENOTSOCK = 88,
    EDESTADDRREQ = 89,
    EMSGSIZE = 90,
    EPROTOTYPE = 91,
    ENOPROTOOPT = 92,
    EPROTONOSUPPORT = 93,
    ESOCKTNOSUPPORT = 94,
    EOPNOTSUPP = 95,
    EPFNOSUPPORT = 96,
    EAFNOSUPPORT = 97,
    EADDRINUSE = 98,
    EADDRNOTAVAIL = 99,
    ENETDOWN = 100,
    ENETUNREACH = 101,
    ENETRESET = 102,
    ECONNABORTED = 103,
    ECONNRESET = 104,
    ENOBUFS = 105,
    EISCONN = 106,
    ENOTCONN = 107,
    ESHUTDOWN = 108,
    ETIMEDOUT = 110,
    ECONNREFUSED = 111,
    EHOSTDOWN = 112,
    EHOSTUNREACH = 113,
    EALREADY = 114,
    EINPROGRESS = 115,
}

impl Errno {
    /// The error called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| *n == name).map(|(_, errno)| *errno)
    }
}

impl fmt::Display for Errno {
    /// Its name, or its number where it has none here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(_, errno)| errno == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl From<Errno> for io::Error {
    /// The error that the standard library would give on Linux.
    fn from(Errno(number): Errno) -> Self {
        if cfg!(target_os = "linux") {
            return Self::from_raw_os_error(number);
        }
        let kinds = [
            (Errno::EPERM, ErrorKind::PermissionDenied),
            (Errno::EACCES, ErrorKind::PermissionDenied),
            (Errno::ENOENT, ErrorKind::NotFound),
            (Errno::EAGAIN, ErrorKind::WouldBlock),
            (Errno::EINPROGRESS, ErrorKind::WouldBlock),
            (Errno::EEXIST, ErrorKind::AlreadyExists),
            (Errno::EINVAL, ErrorKind::InvalidInput),
            (Errno::EPIPE, ErrorKind::BrokenPipe),
            (Errno::EOPNOTSUPP, ErrorKind::Unsupported),
            (Errno::EADDRINUSE, ErrorKind::AddrInUse),
            (Errno::EADDRNOTAVAIL, ErrorKind::AddrNotAvailable),
            (Errno::ENETDOWN, ErrorKind::NetworkDown),
            (Errno::ENETUNREACH, ErrorKind::NetworkUnreachable),
            (Errno::ECONNABORTED, ErrorKind::ConnectionAborted),
            (Errno::ECONNRESET, ErrorKind::ConnectionReset),
            (Errno::ENOTCONN, ErrorKind::NotConnected),
            (Errno::ETIMEDOUT, ErrorKind::TimedOut),
            (Errno::ECONNREFUSED, ErrorKind::ConnectionRefused),
            (Errno::EHOSTUNREACH, ErrorKind::HostUnreachable),
        ];
        let kind = kinds.iter().find(|(errno, _)| errno.0 == number).map_or(ErrorKind::Other, |(_, kind)| *kind);
        Self::new(kind, format!("error {number}"))
    }
}

impl From<tcp::Error> for Errno {
    fn from(error: tcp::Error) -> Self {
        Self(error.errno())
    }
}

impl From<udp::Error> for Errno {
    fn from(error: udp::Error) -> Self {
        Self(error.errno())
    }
}

impl From<SendError> for Errno {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NetworkUnreachable => Self::ENETUNREACH,
            SendError::HostUnreachable => Self::EHOSTUNREACH,
            SendError::SourceGone | SendError::Blackhole => Self::EINVAL,
            SendError::Forbidden => Self::EACCES,
            SendError::Prohibited => Self::EPERM,
            SendError::MessageTooLong { .. } => Self::EMSGSIZE,
        }
    }
}

impl From<io::Error> for Errno {
    /// The number of what the storey below said; of the kind, where the host itself says no.
    fn from(error: io::Error) -> Self {
        if let Some(inner) = error.get_ref() {
            let tcp = inner.downcast_ref::<tcp::Error>().map(|e| (*e).into());
            let udp = || inner.downcast_ref::<udp::Error>().map(|e| (*e).into());
            let way = || inner.downcast_ref::<SendError>().map(|e| (*e).into());
            if let Some(errno) = tcp.or_else(udp).or_else(way) {
                return errno;
            }
        }
        match error.kind() {
            ErrorKind::WouldBlock => Self::EAGAIN,
            ErrorKind::AddrInUse => Self::EADDRINUSE,
            ErrorKind::AddrNotAvailable => Self::EADDRNOTAVAIL,
            ErrorKind::InvalidInput => Self::EINVAL,
            ErrorKind::NetworkDown => Self::ENETDOWN,
            _ => Self::EIO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_storey_says_keeps_its_number_on_the_way_up() {
        let through = |error: io::Error| Errno::from(error);
        assert_eq!(through(tcp::Error::ConnectionReset.into()), Errno(104));
        assert_eq!(through(udp::Error::TooLong.into()), Errno::EMSGSIZE);
        assert_eq!(through(SendError::MessageTooLong { mtu: 1500 }.into()), Errno::EMSGSIZE);
        assert_eq!(through(SendError::Forbidden.into()), Errno::EACCES);
        assert_eq!(through(SendError::Blackhole.into()), Errno::EINVAL);
        assert_eq!(through(ErrorKind::AddrNotAvailable.into()), Errno::EADDRNOTAVAIL);
        assert_eq!(through(ErrorKind::WouldBlock.into()), Errno::EAGAIN);
    }
}
