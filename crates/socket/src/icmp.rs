//! ICMP echo sockets, and the errors that ICMP brings to others.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_transport::Trouble;

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
    /// `NetworkUnreachable`, or `InvalidInput` where the payload is larger than a datagram can be, or than the path's MTU
    /// under [`MtuDiscovery::Do`].
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
