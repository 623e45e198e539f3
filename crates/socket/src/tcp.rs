//! TCP streams and listeners, whichever network they come from.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::net::SocketAddr;

use bytes::{Buf as _, Bytes};
use septet_core::{Frame, synthetic};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Nodelay;

/// Bytes that are generated or read at once where a network does not do better.
const PIECE: usize = 16 * 1024;

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

    /// Writes some of `len` bytes of the [synthetic stream](septet_core::synthetic) from `offset` on, and tells how
    /// many. A network that can generates them when they leave, so that they take no room.
    fn poll_write_synthetic(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<u64>> {
        let mut piece = [0; PIECE];
        let piece = &mut piece[..len.min(PIECE as u64) as usize];
        synthetic::fill(offset, piece);
        self.poll_write(cx, piece).map_ok(|n| n as u64)
    }

    /// Writes some of `bytes`, and tells how many. A network that can keeps them as they are until they are acknowledged.
    fn poll_write_bytes(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &Bytes) -> Poll<io::Result<usize>> {
        self.poll_write(cx, bytes)
    }

    /// Takes the next bytes that came, as they came where the network can; `None` at the end of the stream.
    fn poll_read_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        let mut piece = [0; PIECE];
        let mut buf = ReadBuf::new(&mut piece);
        self.poll_read(cx, &mut buf).map_ok(|()| match buf.filled() {
            [] => None,
            bytes => Some(Frame::new(0, bytes)),
        })
    }
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

    /// Writes `len` bytes of the [synthetic stream](septet_core::synthetic) from `offset` on. On a simulated host they
    /// take no room, however many there are: they are generated when they leave.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn write_synthetic(&mut self, offset: u64, len: u64) -> io::Result<()> {
        let mut done = 0;
        while done < len {
            done += poll_fn(|cx| Pin::new(&mut *self.0).poll_write_synthetic(cx, offset + done, len - done)).await?;
        }
        Ok(())
    }

    /// Writes `bytes`. On a network of ours they are not copied, but kept until they are acknowledged.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn write_bytes(&mut self, mut bytes: Bytes) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = poll_fn(|cx| Pin::new(&mut *self.0).poll_write_bytes(cx, &bytes)).await?;
            bytes.advance(n);
        }
        Ok(())
    }

    /// Takes the next bytes that came; `None` at the end of the stream. On a simulated host they are the payload of a
    /// segment, and nothing is copied.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn read_frame(&mut self) -> io::Result<Option<Frame>> {
        poll_fn(|cx| Pin::new(&mut *self.0).poll_read_frame(cx)).await
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

    /// Takes the next established connection and the address of its far end. A server takes them by an
    /// [`Acceptor`](crate::Acceptor), which bounds them and outlives those that fail.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The same as a step: [`Poll::Pending`] where none waits.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.0.poll_accept(cx)
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("local", &self.local_addr().ok()).finish()
    }
}
