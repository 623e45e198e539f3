//! ICMP echo sockets, and the errors that ICMP brings to others.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_transport::Trouble;

use crate::udp::Broadcast;

/// An ICMP error about something that this socket sent: `struct sock_extended_err`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreached {
    /// The node that reported it.
    pub reporter: IpAddr,
    /// Where the packet was going; port zero for ICMP.
    pub destination: SocketAddr,
    /// What is wrong.
    pub trouble: Trouble,
}

/// Whether what is sent may be cut on its way: `IP_MTU_DISCOVER`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MtuDiscovery {
    /// It may be cut here and by any router: `IP_PMTUDISC_DONT`.
    Dont,
    /// Routers must not cut it; it is cut here where it is longer than the path's MTU: `IP_PMTUDISC_WANT`.
    #[default]
    Want,
    /// Nobody may cut it, and what is longer than the path's MTU is refused: `IP_PMTUDISC_DO`.
    Do,
}

/// Options in the header of IPv4: at most forty octets.
///
/// ```
/// use septet_socket::IpOptions;
/// // RFC 791's record of the route, with room for one address.
/// let options = IpOptions::new(&[7, 7, 4, 0, 0, 0, 0]).unwrap();
/// assert_eq!(options.octets(), [7, 7, 4, 0, 0, 0, 0, 0], "up to a multiple of four");
/// assert!(IpOptions::new(&[1; 41]).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IpOptions {
    octets: [u8; IpOptions::MOST],
    len: u8,
}

impl IpOptions {
    /// As many octets as a header has room for.
    pub const MOST: usize = 40;
    /// A header without options.
    pub const NONE: Self = Self { octets: [0; Self::MOST], len: 0 };

    /// These options, with the ends of the list behind them that make the header a multiple of four octets; `None` where
    /// there are too many.
    pub fn new(options: &[u8]) -> Option<Self> {
        let mut octets = [0; Self::MOST];
        octets.get_mut(..options.len())?.copy_from_slice(options);
        Some(Self { octets, len: options.len().next_multiple_of(4) as u8 })
    }

    /// What stands in the header.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }
}

impl fmt::Debug for IpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets().fmt(f)
    }
}

/// An echo reply, or the error that came instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EchoReply {
    /// The echo came back.
    Reply {
        /// Who answered.
        from: IpAddr,
        /// The sequence number of the request.
        seq: u16,
        /// The time to live with which it arrived.
        ttl: u8,
        /// Bytes of payload, written to the caller's buffer as far as they fitted.
        len: usize,
        /// The options of its header.
        options: IpOptions,
    },
    /// A node on the way reported an error about the request with this sequence number.
    Error {
        /// The sequence number of the request.
        seq: u16,
        /// What was reported, and by whom.
        error: Unreached,
    },
}

/// What a network provides for one ICMP echo socket.
pub trait IcmpSocketImpl: Send + Sync + Unpin + 'static {
    /// Sets the time to live of what is sent: `IP_TTL`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_ttl(&self, ttl: u8) -> io::Result<()>;

    /// Sets whether what is sent may be cut.
    ///
    /// # Errors
    /// Those of the network.
    fn set_mtu_discovery(&self, discovery: MtuDiscovery) -> io::Result<()>;

    /// Sets the differentiated services field of what is sent: `IP_TOS`, `IPV6_TCLASS`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_tos(&self, tos: u8) -> io::Result<()>;

    /// Sets the address that requests come from: `bind`.
    ///
    /// # Errors
    /// `AddrNotAvailable` where the host has no such address.
    fn bind(&self, source: IpAddr) -> io::Result<()>;

    /// Lets requests leave by one interface, whatever the routes say: `SO_BINDTODEVICE`.
    ///
    /// # Errors
    /// `NotFound` where there is no such interface.
    fn bind_device(&self, device: &str) -> io::Result<()>;

    /// Sets the options in the header of IPv4 of what is sent: `IP_OPTIONS`.
    ///
    /// # Errors
    /// `InvalidInput` where they are not as RFC 791 wants them, or ask for a way of their own, which is not taken.
    fn set_options(&self, options: &IpOptions) -> io::Result<()>;

    /// Sets whether requests may go to all on a link: `SO_BROADCAST`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()>;

    /// Whether requests could go to `to`, as `connect` would say it.
    ///
    /// # Errors
    /// `PermissionDenied` where that is all on a link, and [`set_broadcast`](Self::set_broadcast) did not allow it;
    /// `NetworkUnreachable` and its kin.
    fn check(&self, to: IpAddr) -> io::Result<()>;

    /// The identifier of its requests.
    ///
    /// # Errors
    /// Those of the network.
    fn ident(&self) -> io::Result<u16>;

    /// Sends an echo request; the identifier is the socket's own.
    fn poll_send(&self, cx: &mut Context<'_>, to: IpAddr, seq: u16, payload: &[u8]) -> Poll<io::Result<()>>;

    /// Takes the next reply or error for this socket.
    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<EchoReply>>;
}

/// A socket for ICMP echo.
pub struct IcmpSocket(Box<dyn IcmpSocketImpl>);

impl IcmpSocket {
    /// Wraps a network's own socket.
    pub fn new(socket: impl IcmpSocketImpl) -> Self {
        Self(Box::new(socket))
    }

    /// Sets the time to live of what is sent.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// Sets whether what is sent may be cut.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_mtu_discovery(&self, discovery: MtuDiscovery) -> io::Result<()> {
        self.0.set_mtu_discovery(discovery)
    }

    /// Sets the differentiated services field of what is sent.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_tos(&self, tos: u8) -> io::Result<()> {
        self.0.set_tos(tos)
    }

    /// Sets the address that requests come from.
    ///
    /// # Errors
    /// `AddrNotAvailable` where the host has no such address.
    pub fn bind(&self, source: IpAddr) -> io::Result<()> {
        self.0.bind(source)
    }

    /// Lets requests leave by one interface, whatever the routes say.
    ///
    /// # Errors
    /// `NotFound` where there is no such interface.
    pub fn bind_device(&self, device: &str) -> io::Result<()> {
        self.0.bind_device(device)
    }

    /// Sets the options in the header of IPv4 of what is sent.
    ///
    /// # Errors
    /// `InvalidInput` where they are not as RFC 791 wants them, or ask for a way of their own, which is not taken.
    pub fn set_options(&self, options: &IpOptions) -> io::Result<()> {
        self.0.set_options(options)
    }

    /// Sets whether requests may go to all on a link.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()> {
        self.0.set_broadcast(broadcast)
    }

    /// Whether requests could go to `to`.
    ///
    /// # Errors
    /// `PermissionDenied` where that is all on a link, and [`set_broadcast`](Self::set_broadcast) did not allow it;
    /// `NetworkUnreachable` and its kin.
    pub fn check(&self, to: IpAddr) -> io::Result<()> {
        self.0.check(to)
    }

    /// The identifier of its requests.
    ///
    /// # Errors
    /// Those of the network.
    pub fn ident(&self) -> io::Result<u16> {
        self.0.ident()
    }

    /// Sends an echo request.
    ///
    /// # Errors
    /// `NetworkUnreachable`, `PermissionDenied` for all on a link where that was not allowed, or `InvalidInput` where the
    /// payload is larger than a datagram can be, or than the path's MTU under [`MtuDiscovery::Do`].
    pub async fn send(&self, to: IpAddr, seq: u16, payload: &[u8]) -> io::Result<()> {
        poll_fn(|cx| self.0.poll_send(cx, to, seq, payload)).await
    }

    /// Takes the next reply or error for this socket.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn receive(&self, buf: &mut [u8]) -> io::Result<EchoReply> {
        poll_fn(|cx| self.0.poll_receive(cx, buf)).await
    }
}

impl fmt::Debug for IcmpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IcmpSocket")
    }
}
