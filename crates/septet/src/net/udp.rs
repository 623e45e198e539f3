//! A UDP socket in tokio's shape.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BufMut;
use septet_host::{Here, UdpHandle};
use septet_socket::{Broadcast, GroupChange, Looping, NetExt as _, UdpSocketImpl as _};
use tokio::io::{Interest, ReadBuf, Ready};

use super::address::{ToSocketAddrs, first, resolve, simulated};

/// A UDP socket: a simulated host's, or outside of a simulation [`tokio::net::UdpSocket`].
///
/// ```
/// # use septet::net::UdpSocket;
/// # let mut world = septet::test::World::new();
/// world.host("echo", || async {
///     let socket = UdpSocket::bind("0.0.0.0:7").await?;
///     let mut buf = [0; 1500];
///     loop {
///         let (len, from) = socket.recv_from(&mut buf).await?;
///         socket.send_to(&buf[..len], from).await?;
///     }
/// });
/// world.client("client", async {
///     let socket = UdpSocket::bind("0.0.0.0:0").await?;
///     socket.connect("echo:7").await?;
///     socket.send(b"hello").await?;
///     let mut buf = [0; 8];
///     assert_eq!(socket.recv(&mut buf).await?, 5);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub struct UdpSocket(Kind);

enum Kind {
    Here(Simulated),
    Real(tokio::net::UdpSocket),
}

struct Simulated {
    handle: UdpHandle,
    set: Mutex<Settings>,
}

/// What was set on it, as it is asked for again.
#[derive(Clone, Copy)]
struct Settings {
    broadcast: bool,
    looping: bool,
    ttl: u32,
    multicast_ttl: u32,
}

/// As `socket(2)` gives them.
const SETTINGS: Settings = Settings { broadcast: false, looping: true, ttl: 64, multicast_ttl: 1 };

impl Simulated {
    fn set(&self) -> MutexGuard<'_, Settings> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn octet(ttl: u32) -> io::Result<u8> {
    u8::try_from(ttl).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl UdpSocket {
    /// Opens a socket at `addr`; port 0 chooses one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, and those of [`lookup_host`](super::lookup_host).
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let told = addr.told()?;
        let addresses = resolve(told).await?;
        first(addresses, |address| async move {
            match Here::current() {
                Some(here) => {
                    let handle = here.bind_udp(here.net().spoken(address))?;
                    Ok(Self(Kind::Here(Simulated { handle, set: Mutex::new(SETTINGS) })))
                }
                None => tokio::net::UdpSocket::bind(address).await.map(Self::from),
            }
        })
        .await
    }

    /// A socket of the machine's, as [`tokio::net::UdpSocket::from_std`] takes it.
    ///
    /// # Errors
    /// `Unsupported` in a simulation.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        match Here::current() {
            Some(_) => Err(simulated("is not made from one of the machine's")),
            None => tokio::net::UdpSocket::from_std(socket).map(Self::from),
        }
    }

    /// The socket as the standard library has it.
    ///
    /// # Errors
    /// `Unsupported` where it is a simulated host's.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        match self.0 {
            Kind::Here(_) => Err(simulated("has no descriptor")),
            Kind::Real(socket) => socket.into_std(),
        }
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.local_addr(),
            Kind::Real(socket) => socket.local_addr(),
        }
    }

    /// The peer that was fixed by [`connect`](Self::connect).
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.peer_addr(),
            Kind::Real(socket) => socket.peer_addr(),
        }
    }

    /// Fixes the peer: others' datagrams are not delivered, and ICMP errors become errors of this socket.
    ///
    /// # Errors
    /// `NetworkUnreachable`, and those of [`lookup_host`](super::lookup_host).
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let told = addr.told()?;
        let addresses = resolve(told).await?;
        first(addresses, |address| async move {
            match &self.0 {
                Kind::Here(socket) => socket.handle.connect(address),
                Kind::Real(socket) => socket.connect(address).await,
            }
        })
        .await
    }

    /// Waits until it is ready for any of `interest`, and tells for which.
    ///
    /// # Errors
    /// The socket is gone.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let socket = match &self.0 {
            Kind::Here(socket) => socket,
            Kind::Real(socket) => return socket.ready(interest).await,
        };
        poll_fn(|cx| {
            let mut found = Ready::EMPTY;
            if interest.is_readable() && socket.handle.poll_readable(cx)?.is_ready() {
                found |= Ready::READABLE;
            }
            if interest.is_writable() && socket.handle.poll_writable(cx)?.is_ready() {
                found |= Ready::WRITABLE;
            }
            if found.is_empty() { Poll::Pending } else { Poll::Ready(Ok(found)) }
        })
        .await
    }

    /// Waits until a receive would find something.
    ///
    /// # Errors
    /// The socket is gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// The same as a step.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.poll_readable(cx),
            Kind::Real(socket) => socket.poll_recv_ready(cx),
        }
    }

    /// Waits until a send would find room.
    ///
    /// # Errors
    /// The socket is gone.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// The same as a step.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.poll_writable(cx),
            Kind::Real(socket) => socket.poll_send_ready(cx),
        }
    }

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    /// `NotConnected`, `ConnectionRefused` where an ICMP error came back for an earlier one, and those of
    /// [`send_to`](Self::send_to).
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, buf)).await
    }

    /// The same as a step.
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.poll_send(cx, buf, None),
            Kind::Real(socket) => socket.poll_send(cx, buf),
        }
    }

    /// Sends a datagram to the peer, if there is room for it now.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.try_send(buf, None),
            Kind::Real(socket) => socket.try_send(buf),
        }
    }

    /// Sends a datagram to `addr`: to the first of its addresses.
    ///
    /// # Errors
    /// `NetworkUnreachable`, `InvalidInput` where it is larger than a datagram can be, and those of
    /// [`lookup_host`](super::lookup_host).
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let told = addr.told()?;
        match resolve(told).await?.first() {
            Some(to) => poll_fn(|cx| self.poll_send_to(cx, buf, *to)).await,
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to")),
        }
    }

    /// The same as a step.
    pub fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], target: SocketAddr) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.poll_send(cx, buf, Some(target)),
            Kind::Real(socket) => socket.poll_send_to(cx, buf, target),
        }
    }

    /// Sends a datagram to `target`, if there is room for it now.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`send_to`](Self::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.try_send(buf, Some(target)),
            Kind::Real(socket) => socket.try_send_to(buf, target),
        }
    }

    /// Receives a datagram of the peer; what does not fit is lost.
    ///
    /// # Errors
    /// `ConnectionRefused` where an ICMP error came back.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buf).await.map(|(len, _)| len)
    }

    /// The same as a step.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, buf).map_ok(drop)
    }

    /// Receives a datagram that is there.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_recv_from(buf).map(|(len, _)| len)
    }

    /// Receives a datagram into what grows.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.recv_buf_from(buf).await.map(|(len, _)| len)
    }

    /// Receives a datagram into what grows, and tells who sent it.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let mut space = vec![0; buf.remaining_mut().min(LARGEST)];
        let (len, from) = self.recv_from(&mut space).await?;
        buf.put_slice(&space[..len]);
        Ok((len, from))
    }

    /// Receives a datagram, and tells who sent it; what does not fit is lost.
    ///
    /// # Errors
    /// `ConnectionRefused` where the socket is connected and an ICMP error came back.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Kind::Here(socket) => {
                let datagram = poll_fn(|cx| socket.handle.poll_receive(cx, buf)).await?;
                Ok((datagram.len, datagram.from))
            }
            Kind::Real(socket) => socket.recv_from(buf).await,
        }
    }

    /// The same as a step.
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> {
        match &self.0 {
            Kind::Here(socket) => {
                let datagram = ready!(socket.handle.poll_receive(cx, buf.initialize_unfilled()))?;
                buf.advance(datagram.len);
                Poll::Ready(Ok(datagram.from))
            }
            Kind::Real(socket) => socket.poll_recv_from(cx, buf),
        }
    }

    /// Receives a datagram that is there, and tells who sent it.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.try_receive(buf).map(|datagram| (datagram.len, datagram.from)),
            Kind::Real(socket) => socket.try_recv_from(buf),
        }
    }

    /// Looks at the next datagram of the peer, and leaves it.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buf).await.map(|(len, _)| len)
    }

    /// Looks at the next datagram and who sent it, and leaves it.
    ///
    /// # Errors
    /// Those of [`recv_from`](Self::recv_from).
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Kind::Here(socket) => {
                poll_fn(|cx| socket.handle.poll_readable(cx)).await?;
                socket.handle.try_peek(buf).map(|datagram| (datagram.len, datagram.from))
            }
            Kind::Real(socket) => socket.peek_from(buf).await,
        }
    }

    /// The same as a step.
    pub fn poll_peek_from(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> {
        match &self.0 {
            Kind::Here(socket) => {
                ready!(socket.handle.poll_readable(cx))?;
                let datagram = socket.handle.try_peek(buf.initialize_unfilled())?;
                buf.advance(datagram.len);
                Poll::Ready(Ok(datagram.from))
            }
            Kind::Real(socket) => socket.poll_peek_from(cx, buf),
        }
    }

    /// Looks at a datagram that is there, and leaves it.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv_from`](Self::recv_from).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.try_peek(buf).map(|datagram| (datagram.len, datagram.from)),
            Kind::Real(socket) => socket.try_peek_from(buf),
        }
    }

    /// Whether it may send to all on a link.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn broadcast(&self) -> io::Result<bool> {
        match &self.0 {
            Kind::Here(socket) => Ok(socket.set().broadcast),
            Kind::Real(socket) => socket.broadcast(),
        }
    }

    /// Sets whether it may send to all on a link: `SO_BROADCAST`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => {
                socket.handle.set_broadcast(if on { Broadcast::Allowed } else { Broadcast::Denied })?;
                socket.set().broadcast = on;
                Ok(())
            }
            Kind::Real(socket) => socket.set_broadcast(on),
        }
    }

    /// Whether members on this host hear what it sends to a group.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        match &self.0 {
            Kind::Here(socket) => Ok(socket.set().looping),
            Kind::Real(socket) => socket.multicast_loop_v4(),
        }
    }

    /// Sets whether members on this host hear what it sends to a group: `IP_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => socket.loops(on),
            Kind::Real(socket) => socket.set_multicast_loop_v4(on),
        }
    }

    /// The same of IPv6: `IPV6_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => socket.loops(on),
            Kind::Real(socket) => socket.set_multicast_loop_v6(on),
        }
    }

    /// The time to live of what it sends to groups.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        match &self.0 {
            Kind::Here(socket) => Ok(socket.set().multicast_ttl),
            Kind::Real(socket) => socket.multicast_ttl_v4(),
        }
    }

    /// Sets the time to live of what it sends to groups: `IP_MULTICAST_TTL`.
    ///
    /// # Errors
    /// `InvalidInput` for more than 255.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => {
                socket.handle.set_multicast_ttl(octet(ttl)?)?;
                socket.set().multicast_ttl = ttl;
                Ok(())
            }
            Kind::Real(socket) => socket.set_multicast_ttl_v4(ttl),
        }
    }

    /// The time to live of what it sends to one.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn ttl(&self) -> io::Result<u32> {
        match &self.0 {
            Kind::Here(socket) => Ok(socket.set().ttl),
            Kind::Real(socket) => socket.ttl(),
        }
    }

    /// Sets the time to live of what it sends to one: `IP_TTL`.
    ///
    /// # Errors
    /// `InvalidInput` for more than 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => {
                socket.handle.set_ttl(octet(ttl)?)?;
                socket.set().ttl = ttl;
                Ok(())
            }
            Kind::Real(socket) => socket.set_ttl(ttl),
        }
    }

    /// Takes part in a group of IPv4. A simulated host takes `interface` for the one that its routes lead to.
    ///
    /// # Errors
    /// `InvalidInput` where the address is not multicast, `AddrInUse` where it is joined already.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => socket.change(multiaddr.into(), GroupChange::Join),
            Kind::Real(socket) => socket.join_multicast_v4(multiaddr, interface),
        }
    }

    /// Takes part in a group of IPv6.
    ///
    /// # Errors
    /// As [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => socket.change((*multiaddr).into(), GroupChange::Join),
            Kind::Real(socket) => socket.join_multicast_v6(multiaddr, interface),
        }
    }

    /// Takes back [`join_multicast_v4`](Self::join_multicast_v4).
    ///
    /// # Errors
    /// `AddrNotAvailable` where it was not joined.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => socket.change(multiaddr.into(), GroupChange::Leave),
            Kind::Real(socket) => socket.leave_multicast_v4(multiaddr, interface),
        }
    }

    /// Takes back [`join_multicast_v6`](Self::join_multicast_v6).
    ///
    /// # Errors
    /// `AddrNotAvailable` where it was not joined.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        match &self.0 {
            Kind::Here(socket) => socket.change((*multiaddr).into(), GroupChange::Leave),
            Kind::Real(socket) => socket.leave_multicast_v6(multiaddr, interface),
        }
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Kind::Here(socket) => socket.handle.take_error(),
            Kind::Real(socket) => socket.take_error(),
        }
    }
}

/// The largest datagram.
const LARGEST: usize = 65_535;

impl Simulated {
    fn loops(&self, on: bool) -> io::Result<()> {
        self.handle.set_looping(if on { Looping::On } else { Looping::Off })?;
        self.set().looping = on;
        Ok(())
    }

    fn change(&self, group: IpAddr, change: GroupChange) -> io::Result<()> {
        self.handle.change_group(group, None, change)
    }
}

impl From<tokio::net::UdpSocket> for UdpSocket {
    fn from(socket: tokio::net::UdpSocket) -> Self {
        Self(Kind::Real(socket))
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket").field("local", &self.local_addr().ok()).finish()
    }
}
