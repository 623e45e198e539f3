//! UDP sockets, whichever network they come from.

use core::fmt;
use core::future::poll_fn;
use core::num::NonZeroU16;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::Unreached;
pub use septet_transport::udp::{Broadcast, GroupChange, Looping};

/// What came with a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Bytes written to the caller's buffer; what did not fit is lost, as with `recvfrom`.
    pub len: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// Where several came as one (see [`Coalescing`]): the bytes of each, of which the last may be shorter.
    pub segment_size: Option<NonZeroU16>,
}

/// Whether datagrams of one sender may be received several at once: `UDP_GRO`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Coalescing {
    /// Each by itself.
    #[default]
    Off,
    /// As many as came together, with their size beside them.
    On,
}

/// What a network provides for one UDP socket.
pub trait UdpSocketImpl: Send + Sync + Unpin + 'static {
    /// Where it is bound.
    ///
    /// # Errors
    /// Those of the network.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Fixes the peer: others' datagrams are not delivered, and ICMP errors become errors of this socket.
    ///
    /// # Errors
    /// `NetworkUnreachable`.
    fn connect(&self, peer: SocketAddr) -> io::Result<()>;

    /// Sets the time to live of what is sent to one: `IP_TTL`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_ttl(&self, ttl: u8) -> io::Result<()>;

    /// Sets the time to live of what is sent to groups, which is 1 at first: `IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()>;

    /// Sets the interface by which what is sent to groups leaves, by its name; none for the one that the routes lead to:
    /// `IP_MULTICAST_IF`.
    ///
    /// # Errors
    /// `NotFound` where there is none of that name.
    fn set_multicast_interface(&self, on: Option<&str>) -> io::Result<()>;

    /// Sets whether members on this host hear what this socket sends to a group: `IP_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_looping(&self, looping: Looping) -> io::Result<()>;

    /// Sets whether the socket may send to all on a link: `SO_BROADCAST`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()>;

    /// Changes what the socket wants of a multicast group, on the interface of that name; on the one that the routes lead to,
    /// where there is none.
    ///
    /// # Errors
    /// `InvalidInput` where the address is not multicast, or where the membership has the other mode; `AddrInUse` where it is
    /// joined already; `AddrNotAvailable` where what is taken back was not there; `NotFound` where there is no such interface.
    fn change_group(&self, group: IpAddr, on: Option<&str>, change: GroupChange) -> io::Result<()>;

    /// How long after this host left `group` its link last carried something for it; nothing where it carried nothing.
    ///
    /// # Errors
    /// `Unsupported` where the network does not tell.
    fn heard_after_leaving(&self, group: IpAddr) -> io::Result<Option<Duration>>;

    /// Sends a datagram: to `to`, or to the connected peer.
    fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8], to: Option<SocketAddr>) -> Poll<io::Result<usize>>;

    /// Sends datagrams of `segment_size` bytes each, of which the last may be shorter, in one call: `UDP_SEGMENT`.
    fn poll_send_segmented(
        &self,
        cx: &mut Context<'_>,
        payload: &[u8],
        segment_size: NonZeroU16,
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>>;

    /// Sets whether datagrams may be received several at once.
    ///
    /// # Errors
    /// `Unsupported` where the network cannot.
    fn set_coalescing(&self, coalescing: Coalescing) -> io::Result<()>;

    /// Receives a datagram.
    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Datagram>>;

    /// Takes the next ICMP error that a datagram of this socket met: `IP_RECVERR` with `MSG_ERRQUEUE`. Asking for it
    /// once switches the queue on.
    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<io::Result<Unreached>>;
}

/// A UDP socket.
pub struct UdpSocket(Box<dyn UdpSocketImpl>);

impl UdpSocket {
    /// Wraps a network's own socket.
    pub fn new(socket: impl UdpSocketImpl) -> Self {
        Self(Box::new(socket))
    }

    /// What the network provides, for a network that wraps another.
    pub fn provided(&self) -> &dyn UdpSocketImpl {
        &*self.0
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// Those of the network.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Fixes the peer: others' datagrams are not delivered, and ICMP errors become errors of this socket.
    ///
    /// # Errors
    /// `NetworkUnreachable`.
    pub fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        self.0.connect(peer)
    }

    /// Sets the time to live of what is sent to one: `IP_TTL`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// Sets the time to live of what is sent to groups, which is 1 at first: `IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()> {
        self.0.set_multicast_ttl(ttl)
    }

    /// Sets the interface by which what is sent to groups leaves, by its name (`eth0`); none for the one that the routes lead
    /// to: `IP_MULTICAST_IF`.
    ///
    /// # Errors
    /// `NotFound` where there is none of that name.
    pub fn set_multicast_interface(&self, on: Option<&str>) -> io::Result<()> {
        self.0.set_multicast_interface(on)
    }

    /// Sets whether members on this host hear what this socket sends to a group: `IP_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_looping(&self, looping: Looping) -> io::Result<()> {
        self.0.set_looping(looping)
    }

    /// Sets whether the socket may send to all on a link, which fails with `PermissionDenied` otherwise: `SO_BROADCAST`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()> {
        self.0.set_broadcast(broadcast)
    }

    /// Takes part in a multicast group, whoever sends, on the interface that the routes lead to: `IP_ADD_MEMBERSHIP`.
    ///
    /// # Errors
    /// Those of [`change_group`](Self::change_group).
    pub fn join_multicast(&self, group: IpAddr) -> io::Result<()> {
        self.0.change_group(group, None, GroupChange::Join)
    }

    /// Takes back [`join_multicast`](Self::join_multicast): `IP_DROP_MEMBERSHIP`.
    ///
    /// # Errors
    /// Those of [`change_group`](Self::change_group).
    pub fn leave_multicast(&self, group: IpAddr) -> io::Result<()> {
        self.0.change_group(group, None, GroupChange::Leave)
    }

    /// Changes what the socket wants of a multicast group, and from whom, on the interface of that name (`eth0`); on the one
    /// that the routes lead to, where there is none.
    ///
    /// # Errors
    /// `InvalidInput` where the address is not multicast, or where the membership has the other mode; `AddrInUse` where it is
    /// joined already; `AddrNotAvailable` where what is taken back was not there; `NotFound` where there is no such interface.
    pub fn change_group(&self, group: IpAddr, on: Option<&str>, change: GroupChange) -> io::Result<()> {
        self.0.change_group(group, on, change)
    }

    /// How long after this host left `group` its link last carried something for it; nothing where it carried nothing.
    ///
    /// # Errors
    /// `Unsupported` where the network does not tell.
    pub fn heard_after_leaving(&self, group: IpAddr) -> io::Result<Option<Duration>> {
        self.0.heard_after_leaving(group)
    }

    /// Sends a datagram to `to`.
    ///
    /// # Errors
    /// `NetworkUnreachable`, or `InvalidInput` where the payload is larger than a datagram can be.
    pub async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        poll_fn(|cx| self.0.poll_send(cx, payload, Some(to))).await
    }

    /// Sends a datagram to the connected peer.
    ///
    /// # Errors
    /// `NotConnected`, and `ConnectionRefused` where an ICMP error came back for an earlier one.
    pub async fn send(&self, payload: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.0.poll_send(cx, payload, None)).await
    }

    /// Sends datagrams of `segment_size` bytes each, of which the last may be shorter, in one call: `UDP_SEGMENT`. They
    /// go to `to`, or to the connected peer.
    ///
    /// # Errors
    /// Those of [`send_to`](Self::send_to) and [`send`](Self::send); `InvalidInput` for more than 64 datagrams, more than
    /// 65,507 bytes, or datagrams that do not fit the path's MTU, since none of them is cut.
    pub async fn send_segmented(
        &self,
        payload: &[u8],
        segment_size: NonZeroU16,
        to: Option<SocketAddr>,
    ) -> io::Result<usize> {
        poll_fn(|cx| self.0.poll_send_segmented(cx, payload, segment_size, to)).await
    }

    /// Sets whether datagrams of one sender may be received several at once: `UDP_GRO`.
    ///
    /// # Errors
    /// `Unsupported` where the network cannot.
    pub fn set_coalescing(&self, coalescing: Coalescing) -> io::Result<()> {
        self.0.set_coalescing(coalescing)
    }

    /// Receives a datagram.
    ///
    /// # Errors
    /// `ConnectionRefused` where the socket is connected and an ICMP error came back.
    pub async fn receive(&self, buf: &mut [u8]) -> io::Result<Datagram> {
        poll_fn(|cx| self.0.poll_receive(cx, buf)).await
    }

    /// Takes the next ICMP error that a datagram of this socket met.
    ///
    /// # Errors
    /// `Unsupported` where the network has no such queue.
    pub async fn error(&self) -> io::Result<Unreached> {
        poll_fn(|cx| self.0.poll_error(cx)).await
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket").field("local", &self.local_addr().ok()).finish()
    }
}
