//! Error numbers of system calls.

use std::io::{self, ErrorKind};

use septet_network::ip::SendError;
use septet_transport::{tcp, udp};

/// An error of a system call: Linux's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

#[allow(missing_docs)]
impl Errno {
    pub const EPERM: Self = Self(1);
    pub const ENOENT: Self = Self(2);
    pub const EIO: Self = Self(5);
    pub const EBADF: Self = Self(9);
    pub const EAGAIN: Self = Self(11);
    pub const EACCES: Self = Self(13);
    pub const EEXIST: Self = Self(17);
    pub const EINVAL: Self = Self(22);
    pub const EPIPE: Self = Self(32);
    pub const EDESTADDRREQ: Self = Self(89);
    pub const EMSGSIZE: Self = Self(90);
    pub const ENOPROTOOPT: Self = Self(92);
    pub const EPROTONOSUPPORT: Self = Self(93);
    pub const EOPNOTSUPP: Self = Self(95);
    pub const EAFNOSUPPORT: Self = Self(97);
    pub const EADDRINUSE: Self = Self(98);
    pub const EADDRNOTAVAIL: Self = Self(99);
    pub const ENETDOWN: Self = Self(100);
    pub const ENETUNREACH: Self = Self(101);
    pub const ECONNABORTED: Self = Self(103);
    pub const ECONNRESET: Self = Self(104);
    pub const ETIMEDOUT: Self = Self(110);
    pub const ECONNREFUSED: Self = Self(111);
    pub const EHOSTUNREACH: Self = Self(113);
    pub const EISCONN: Self = Self(106);
    pub const ENOTCONN: Self = Self(107);
    pub const EALREADY: Self = Self(114);
    pub const EINPROGRESS: Self = Self(115);
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
