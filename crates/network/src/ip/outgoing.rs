//! What is to be sent, and why it is not.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::IpAddr;

use crate::route::Iface;

/// `net.ipv4.ip_default_ttl`.
pub const DEFAULT_TTL: u8 = 64;

/// What a datagram from a host to itself takes: about what Linux's `lo` does, and enough that time goes on.
pub(super) const LOOPBACK_DELAY: Duration = Duration::from_micros(5);

/// MTU of the way from a host to itself: Linux's `lo`.
pub const LOOPBACK_MTU: u32 = 65_536;

/// Whether routers may cut a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DontFragment {
    /// They may.
    No,
    /// They must not: path MTU discovery (RFC 1191). Too large, it is refused here.
    Yes,
    /// They must not, except where it has to be cut here already: Linux's `IP_PMTUDISC_WANT`.
    IfItFits,
    /// They must not, and too large it is refused here; unless the way's MTU is locked: as Linux's TCP sends.
    Discover,
}

/// How a datagram is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Source; unspecified lets the way decide.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// What it carries.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Differentiated services and ECN.
    pub tos: u8,
    /// Whether routers may cut it.
    pub dont_fragment: DontFragment,
    /// The interface that it leaves by, whatever the routes say: `SO_BINDTODEVICE`, and `IP_MULTICAST_IF` for groups.
    pub by: Option<Iface>,
    /// Whether this host hears what it sends to a group.
    pub looped: Looped,
}

/// Whether a host hears what it sends to a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Looped {
    /// RFC 1112 §6.1: it does, where it is a member on the interface by which that leaves.
    ToMembers,
    /// Only others do.
    Never,
}

impl Outgoing {
    /// With Linux's defaults: TTL 64, TOS 0, path MTU discovery.
    pub const fn new(src: IpAddr, dst: IpAddr, protocol: u8) -> Self {
        Self {
            src,
            dst,
            protocol,
            ttl: DEFAULT_TTL,
            tos: 0,
            dont_fragment: DontFragment::IfItFits,
            by: None,
            looped: Looped::ToMembers,
        }
    }
}

/// Why a datagram was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// No route: `ENETUNREACH`.
    NetworkUnreachable,
    /// A route says that there is no way: `EHOSTUNREACH`.
    HostUnreachable,
    /// A route says that nobody is to hear of it: `EINVAL`.
    Blackhole,
    /// A route says that it is forbidden: `EACCES`.
    Forbidden,
    /// The source was an address of this host, and is no longer: `EINVAL`.
    SourceGone,
    /// A packet filter of this host forbids it: `EPERM`.
    Prohibited,
    /// Larger than the path's MTU, and it must not be cut; or larger than a datagram can be: `EMSGSIZE`.
    MessageTooLong {
        /// The largest datagram that fits.
        mtu: u32,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkUnreachable => f.write_str("network is unreachable"),
            Self::Prohibited => f.write_str("operation not permitted"),
            Self::HostUnreachable => f.write_str("no route to host"),
            Self::Blackhole => f.write_str("a route drops what goes there"),
            Self::Forbidden => f.write_str("a route forbids to go there"),
            Self::SourceGone => f.write_str("the source is no address of this host any more"),
            Self::MessageTooLong { mtu } => write!(f, "message too long for an MTU of {mtu}"),
        }
    }
}

impl std::error::Error for SendError {}

impl From<SendError> for io::Error {
    fn from(e: SendError) -> Self {
        let kind = match e {
            SendError::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
            SendError::Prohibited => io::ErrorKind::PermissionDenied,
            SendError::HostUnreachable => io::ErrorKind::HostUnreachable,
            SendError::Forbidden => io::ErrorKind::PermissionDenied,
            SendError::Blackhole | SendError::SourceGone | SendError::MessageTooLong { .. } => {
                io::ErrorKind::InvalidInput
            }
        };
        Self::new(kind, e)
    }
}
