//! A TCP socket that is neither connected nor listening yet, in tokio's shape.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use septet_host::Here;
use septet_socket::{ListenOptions, Nodelay, TcpOptions};
use septet_transport::tcp::Keepalive;

use super::address::simulated;
use super::listener::TcpListener;
use super::stream::TcpStream;

/// A TCP socket to be set up before it connects or listens: on a simulated host, or outside of a simulation
/// [`tokio::net::TcpSocket`].
///
/// ```
/// # use septet::net::TcpSocket;
/// # let mut world = septet::test::World::new();
/// world.client("alone", async {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_reuseaddr(true)?;
///     socket.bind("127.0.0.1:80".parse()?)?;
///     let listener = socket.listen(16)?;
///     assert_eq!(listener.local_addr()?.port(), 80);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
#[derive(Debug)]
pub struct TcpSocket(Kind);

#[derive(Debug)]
enum Kind {
    Here(Here, Box<Mutex<Wish>>),
    Real(tokio::net::TcpSocket),
}

/// What a simulated socket is to be.
#[derive(Clone, Debug)]
struct Wish {
    any: SocketAddr,
    bound: Option<SocketAddr>,
    options: TcpOptions,
    reuse_address: bool,
}

impl TcpSocket {
    /// A socket of IPv4.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    pub fn new_v4() -> io::Result<Self> {
        Self::new((Ipv4Addr::UNSPECIFIED, 0).into(), tokio::net::TcpSocket::new_v4)
    }

    /// A socket of IPv6.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    pub fn new_v6() -> io::Result<Self> {
        Self::new((Ipv6Addr::UNSPECIFIED, 0).into(), tokio::net::TcpSocket::new_v6)
    }

    fn new(any: SocketAddr, real: fn() -> io::Result<tokio::net::TcpSocket>) -> io::Result<Self> {
        let wish = Wish { any, bound: None, options: TcpOptions::default(), reuse_address: false };
        match Here::current() {
            Some(here) => Ok(Self(Kind::Here(here, Box::new(Mutex::new(wish))))),
            None => real().map(|socket| Self(Kind::Real(socket))),
        }
    }

    /// Sets whether an idle peer is probed: `SO_KEEPALIVE`.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        let as_option = if keepalive { Keepalive::On } else { Keepalive::Off };
        self.set(|wish| wish.options.keepalive = Some(as_option), |real| real.set_keepalive(keepalive))
    }

    /// Whether an idle peer is probed.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.get(|wish| wish.options.keepalive == Some(Keepalive::On), tokio::net::TcpSocket::keepalive)
    }

    /// Sets whether an address in TIME-WAIT may be taken: `SO_REUSEADDR`. A simulated host always lets a listener take one.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.set(|wish| wish.reuse_address = reuseaddr, |real| real.set_reuseaddr(reuseaddr))
    }

    /// Whether an address in TIME-WAIT may be taken.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        self.get(|wish| wish.reuse_address, tokio::net::TcpSocket::reuseaddr)
    }

    /// Sets the bound on bytes not yet acknowledged: `SO_SNDBUF`.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.set(|wish| wish.options.send_buffer = Some(size as usize), |real| real.set_send_buffer_size(size))
    }

    /// Sets the bound on bytes not yet read: `SO_RCVBUF`.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.set(|wish| wish.options.receive_buffer = Some(size as usize), |real| real.set_recv_buffer_size(size))
    }

    /// Sets whether short segments are sent at once: `TCP_NODELAY`.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        let as_option = if nodelay { Nodelay::On } else { Nodelay::Off };
        self.set(|wish| wish.options.nodelay = Some(as_option), |real| real.set_nodelay(nodelay))
    }

    /// Whether short segments are sent at once.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.get(|wish| wish.options.nodelay == Some(Nodelay::On), tokio::net::TcpSocket::nodelay)
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get(|wish| wish.bound.unwrap_or(wish.any), tokio::net::TcpSocket::local_addr)
    }

    /// Binds it to an address of the host. A simulated host looks whether it is free when the socket connects or listens.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.set(|wish| wish.bound = Some(addr), |real| real.bind(addr))
    }

    /// Opens a connection to `addr`.
    ///
    /// # Errors
    /// Those of [`TcpStream::connect`].
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        match self.0 {
            Kind::Here(here, wish) => {
                let Wish { bound, options, .. } = wish.into_inner().unwrap_or_else(PoisonError::into_inner);
                let nodelay = options.nodelay == Some(Nodelay::On);
                let stream = here.connect(bound, addr, options).await.map(TcpStream::here)?;
                if nodelay {
                    stream.set_nodelay(true)?;
                }
                Ok(stream)
            }
            Kind::Real(socket) => socket.connect(addr).await.map(TcpStream::from),
        }
    }

    /// Listens where it is bound; so many connections may wait to be accepted.
    ///
    /// # Errors
    /// Those of [`TcpListener::bind`].
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        match self.0 {
            Kind::Here(here, wish) => {
                let Wish { any, bound, options, .. } = wish.into_inner().unwrap_or_else(PoisonError::into_inner);
                let options = ListenOptions { backlog: backlog as usize, tcp: options };
                TcpListener::here(&here, bound.unwrap_or(any), &options)
            }
            Kind::Real(socket) => socket.listen(backlog).map(TcpListener::from),
        }
    }

    /// A socket of the machine's, as [`tokio::net::TcpSocket::from_std_stream`] takes it.
    ///
    /// # Errors
    /// `Unsupported` in a simulation.
    pub fn from_std_stream(std_stream: std::net::TcpStream) -> io::Result<Self> {
        match Here::current() {
            Some(_) => Err(simulated("is not made from one of the machine's")),
            None => Ok(Self(Kind::Real(tokio::net::TcpSocket::from_std_stream(std_stream)))),
        }
    }

    fn set(
        &self,
        here: impl FnOnce(&mut Wish),
        real: impl FnOnce(&tokio::net::TcpSocket) -> io::Result<()>,
    ) -> io::Result<()> {
        match &self.0 {
            Kind::Here(_, wish) => {
                here(&mut lock(wish));
                Ok(())
            }
            Kind::Real(socket) => real(socket),
        }
    }

    fn get<T>(
        &self,
        here: impl FnOnce(&Wish) -> T,
        real: impl FnOnce(&tokio::net::TcpSocket) -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.0 {
            Kind::Here(_, wish) => Ok(here(&lock(wish))),
            Kind::Real(socket) => real(socket),
        }
    }
}

fn lock(wish: &Mutex<Wish>) -> MutexGuard<'_, Wish> {
    wish.lock().unwrap_or_else(PoisonError::into_inner)
}
