//! TCP streams and listeners, whichever network they come from.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Nodelay;

/// What a network provides for one connection.
pub trait TcpStreamImpl: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {
    /// The near end.
    ///
    /// # Errors
    /// `NotConnected`.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The far end.
    ///
    /// # Errors
    /// `NotConnected`.
    fn peer_addr(&self) -> io::Result<SocketAddr>;

    /// Sets `TCP_NODELAY`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_nodelay(&self, nodelay: Nodelay) -> io::Result<()>;

    /// Sets `SO_LINGER` to zero, so that dropping the stream sends a reset instead of closing in order.
    ///
    /// # Errors
    /// Those of the network.
    fn set_zero_linger(&self) -> io::Result<()>;
}

/// A TCP connection.
///
/// `poll_shutdown` sends FIN and leaves the other direction open (half-close). Dropping it closes both directions in
/// order, or with a reset where received data was never read, as Linux does.
pub struct TcpStream(Box<dyn TcpStreamImpl>);

impl TcpStream {
    /// Wraps a network's own stream.
    pub fn new(stream: impl TcpStreamImpl) -> Self {
        Self(Box::new(stream))
    }

    /// The near end.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The far end.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Sets `TCP_NODELAY`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_nodelay(&self, nodelay: Nodelay) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    /// Makes dropping the stream send a reset: `SO_LINGER` of zero.
    ///
    /// # Errors
    /// Those of the network.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.0.set_zero_linger()
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}

/// What a network provides for one listener.
pub trait TcpListenerImpl: Send + Sync + Unpin + 'static {
    /// Where it listens.
    ///
    /// # Errors
    /// Those of the network.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Takes the next established connection.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>>;
}

/// Accepts TCP connections. Dropping it closes the port and resets connections that wait to be accepted.
pub struct TcpListener(Box<dyn TcpListenerImpl>);

impl TcpListener {
    /// Wraps a network's own listener.
    pub fn new(listener: impl TcpListenerImpl) -> Self {
        Self(Box::new(listener))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of the network.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Takes the next established connection and the address of its far end.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.0.poll_accept(cx)).await
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("local", &self.local_addr().ok()).finish()
    }
}
