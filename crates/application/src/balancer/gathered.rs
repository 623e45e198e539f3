//! The stream under the TLS of a balancer: records are gathered until they are flushed, so that those of one turn leave
//! as one write and fill its segments.

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, ready};
use std::io;
use std::net::SocketAddr;

use septet_socket::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So many bytes of records are gathered at most: four full ones.
const ENOUGH: usize = 64 * 1024;

/// Gathers what is written, once it is told to.
pub(super) struct Gathered<S> {
    stream: S,
    gathers: AtomicBool,
    held: Vec<u8>,
    /// How many bytes of them the stream has taken.
    taken: usize,
}

impl<S> Gathered<S> {
    /// Lets everything through until [`begin`](Self::begin): rustls does not flush the alert that ends a handshake.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, gathers: AtomicBool::new(false), held: Vec::new(), taken: 0 }
    }

    /// Gathers from now on.
    pub(super) fn begin(&self) {
        self.gathers.store(true, Ordering::Relaxed);
    }
}

impl<S: Stream> Stream for Gathered<S> {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    fn reset_on_drop(&self) {
        self.stream.reset_on_drop();
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Hands what is held to the stream.
    fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.taken < self.held.len() {
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.held[self.taken..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += n;
        }
        // An idle connection holds no buffer.
        (self.held, self.taken) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.gathers.load(Ordering::Relaxed) {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        if self.held.len() >= ENOUGH {
            ready!(self.poll_release(cx))?;
        }
        for buf in bufs {
            self.held.extend_from_slice(buf);
        }
        Poll::Ready(Ok(bufs.iter().map(|b| b.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_release(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_release(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
