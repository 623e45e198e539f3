//! Multicast, for callers that never wait: what `setsockopt(2)` says of groups.

use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_transport::udp::{GroupChange, Looping, SocketId};

use crate::admin::{Address, Link};

/// The groups of a host's UDP sockets, by plain ids.
pub trait SystemGroups {
    /// Moves a socket to another address and port; what was set on it stays, and so do its groups.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable` where the host has no such address; the socket is gone.
    fn rebind_udp(&self, socket: SocketId, at: SocketAddr) -> io::Result<()>;

    /// Changes what a socket wants of a group, on the interface of that name or on the one that the routes lead to:
    /// `MCAST_JOIN_GROUP` and its kin.
    ///
    /// # Errors
    /// `InvalidInput` where it is no group, or a membership of the other mode; `AddrInUse` where it is joined already;
    /// `AddrNotAvailable` where it is not; `NotFound` where there is no such interface; the socket is gone.
    fn change_udp_group(
        &self,
        socket: SocketId,
        group: IpAddr,
        on: Option<&str>,
        change: GroupChange,
    ) -> io::Result<()>;

    /// Sets the time to live of what is sent to groups: `IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`.
    ///
    /// # Errors
    /// The socket is gone.
    fn set_udp_multicast_ttl(&self, socket: SocketId, ttl: u8) -> io::Result<()>;

    /// Sets whether members on this host hear what the socket sends to groups: `IP_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// The socket is gone.
    fn set_udp_looping(&self, socket: SocketId, looping: Looping) -> io::Result<()>;

    /// Sets the interface by which what is sent to groups leaves; none for the one that the routes lead to:
    /// `IP_MULTICAST_IF`.
    ///
    /// # Errors
    /// `NotFound` where there is none of this name; the socket is gone.
    fn set_udp_multicast_interface(&self, socket: SocketId, on: Option<&str>) -> io::Result<()>;

    /// The interfaces of the host, without the loopback.
    ///
    /// # Errors
    /// The host is gone.
    fn links(&self) -> io::Result<Vec<Link>>;

    /// The addresses of its interfaces.
    ///
    /// # Errors
    /// The host is gone.
    fn addresses(&self) -> io::Result<Vec<Address>>;
}
