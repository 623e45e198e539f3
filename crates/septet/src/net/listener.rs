//! A TCP listener in tokio's shape.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io;
use std::net::SocketAddr;

use septet_host::{Here, ListenerHandle};
use septet_socket::{ListenOptions, NetExt as _, TcpListenerImpl as _};

use super::address::{ToSocketAddrs, first, resolve, simulated};
use super::stream::TcpStream;

/// Accepts TCP connections: on a simulated host, or outside of a simulation as [`tokio::net::TcpListener`].
///
/// ```
/// # use septet::net::{TcpListener, TcpStream};
/// # let mut world = septet::test::World::new();
/// world.client("alone", async {
///     let listener = TcpListener::bind(("127.0.0.1", 80)).await?;
///     let (ours, theirs) = tokio::join!(TcpStream::connect("127.0.0.1:80"), listener.accept());
///     assert_eq!(ours?.local_addr()?, theirs?.1);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub struct TcpListener(Kind);

enum Kind {
    Here(ListenerHandle),
    Real(tokio::net::TcpListener),
}

impl TcpListener {
    /// Listens at `addr`; port 0 chooses one. Of several addresses at the first that is free.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, and those of [`lookup_host`](super::lookup_host).
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let told = addr.told()?;
        let addresses = resolve(told).await?;
        first(addresses, |address| async move {
            match Here::current() {
                Some(here) => Self::here(&here, address, &ListenOptions::default()),
                None => tokio::net::TcpListener::bind(address).await.map(Self::from),
            }
        })
        .await
    }

    pub(super) fn here(here: &Here, address: SocketAddr, options: &ListenOptions) -> io::Result<Self> {
        // A host that speaks IPv4 alone takes `[::]` for all its addresses, as Linux does of both versions.
        here.listen(here.net().spoken(address), options).map(|listener| Self(Kind::Here(listener)))
    }

    /// Takes the next established connection, and the address of its far end.
    ///
    /// # Errors
    /// The socket is gone.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The same as a step.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        match &self.0 {
            Kind::Here(listener) => listener.poll_take(cx).map_ok(|(stream, peer)| (TcpStream::here(stream), peer)),
            Kind::Real(listener) => listener.poll_accept(cx).map_ok(|(stream, peer)| (stream.into(), peer)),
        }
    }

    /// A listener of the machine's, as [`tokio::net::TcpListener::from_std`] takes it.
    ///
    /// # Errors
    /// `Unsupported` in a simulation.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        match Here::current() {
            Some(_) => Err(simulated("is not made from one of the machine's")),
            None => tokio::net::TcpListener::from_std(listener).map(Self::from),
        }
    }

    /// The listener as the standard library has it.
    ///
    /// # Errors
    /// `Unsupported` where it is a simulated host's.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        match self.0 {
            Kind::Here(_) => Err(simulated("has no descriptor")),
            Kind::Real(listener) => listener.into_std(),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Kind::Here(listener) => listener.local_addr(),
            Kind::Real(listener) => listener.local_addr(),
        }
    }
}

impl From<tokio::net::TcpListener> for TcpListener {
    fn from(listener: tokio::net::TcpListener) -> Self {
        Self(Kind::Real(listener))
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("local", &self.local_addr().ok()).finish()
    }
}
