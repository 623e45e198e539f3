//! A TCP connection in tokio's shape.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use bytes::BufMut;
use septet_host::{Here, StreamHandle};
use septet_socket::{Nodelay, TcpOptions, TcpStreamImpl as _};
use septet_transport::tcp::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use super::address::{ToSocketAddrs, first, resolve, simulated};
use super::simulated::Simulated;
use super::split::{Half, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};

/// A TCP connection: a simulated host's, or outside of a simulation [`tokio::net::TcpStream`].
///
/// ```
/// # use septet::test::World;
/// # use septet::net::{TcpListener, TcpStream};
/// # let mut world = World::new();
/// world.client("client", async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let stream = TcpStream::connect(listener.local_addr()?).await?;
///     stream.set_nodelay(true)?;
///     assert_eq!(stream.peer_addr()?, listener.local_addr()?);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub struct TcpStream(Kind);

/// Whose it is.
enum Kind {
    /// A simulated host's.
    Here(Simulated),
    /// The machine's.
    Real(tokio::net::TcpStream),
}

impl TcpStream {
    pub(super) fn here(handle: StreamHandle) -> Self {
        Self(Kind::Here(Simulated::new(handle)))
    }

    /// Opens a connection to `addr`; of several addresses to the first that takes it.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`, and those of
    /// [`lookup_host`](super::lookup_host).
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let told = addr.told()?;
        let addresses = resolve(told).await?;
        first(addresses, |address| async move {
            match Here::current() {
                Some(here) => here.connect(None, address, TcpOptions::default()).await.map(Self::here),
                None => tokio::net::TcpStream::connect(address).await.map(Self::from),
            }
        })
        .await
    }

    /// A connection of the machine's, as [`tokio::net::TcpStream::from_std`] takes it.
    ///
    /// # Errors
    /// `Unsupported` in a simulation, where the machine has no sockets.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        match Here::current() {
            Some(_) => Err(simulated("is not made from one of the machine's")),
            None => tokio::net::TcpStream::from_std(stream).map(Self::from),
        }
    }

    /// The connection as the standard library has it.
    ///
    /// # Errors
    /// `Unsupported` where it is a simulated host's.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        match self.0 {
            Kind::Here(_) => Err(simulated("has no descriptor")),
            Kind::Real(stream) => stream.into_std(),
        }
    }

    /// The near end.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Kind::Here(stream) => stream.handle.local_addr(),
            Kind::Real(stream) => stream.local_addr(),
        }
    }

    /// The far end.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Kind::Here(stream) => stream.handle.peer_addr(),
            Kind::Real(stream) => stream.peer_addr(),
        }
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Kind::Here(stream) => stream.handle.take_error(),
            Kind::Real(stream) => stream.take_error(),
        }
    }

    /// Looks at what a read would give, and leaves it.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Here(stream) => poll_fn(|cx| stream.handle.poll_peek(cx, buf)).await,
            Kind::Real(stream) => stream.peek(buf).await,
        }
    }

    /// The same as a step.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::Here(stream) => stream.poll_peek(cx, buf),
            Kind::Real(stream) => stream.poll_peek(cx, buf),
        }
    }

    /// Waits until it is ready for any of `interest`, and tells for which.
    ///
    /// # Errors
    /// The socket is gone.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match &self.0 {
            Kind::Here(stream) => stream.ready(interest).await,
            Kind::Real(stream) => stream.ready(interest).await,
        }
    }

    /// Waits until a read would find something.
    ///
    /// # Errors
    /// The socket is gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// The same as a step.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Kind::Here(stream) => stream.handle.poll_readable(cx),
            Kind::Real(stream) => stream.poll_read_ready(cx),
        }
    }

    /// Waits until a write would find room.
    ///
    /// # Errors
    /// The socket is gone.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// The same as a step.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Kind::Here(stream) => stream.handle.poll_writable(cx),
            Kind::Real(stream) => stream.poll_write_ready(cx),
        }
    }

    /// Reads what is there; zero at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock`, or what befell the connection.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Here(stream) => stream.handle.try_read(buf),
            Kind::Real(stream) => stream.try_read(buf),
        }
    }

    /// The same into several buffers.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match &self.0 {
            Kind::Here(stream) => stream.try_read_vectored(bufs),
            Kind::Real(stream) => stream.try_read_vectored(bufs),
        }
    }

    /// The same into what grows.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        match &self.0 {
            Kind::Here(stream) => stream.try_read_buf(buf),
            Kind::Real(stream) => stream.try_read_buf(buf),
        }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock`, or what befell the connection.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Here(stream) => stream.handle.try_write(&[IoSlice::new(buf)]),
            Kind::Real(stream) => stream.try_write(buf),
        }
    }

    /// The same of several pieces.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.0 {
            Kind::Here(stream) => stream.handle.try_write(bufs),
            Kind::Real(stream) => stream.try_write_vectored(bufs),
        }
    }

    /// Calls `f`, which reads or writes and says `WouldBlock` where it cannot.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn try_io<R>(&self, interest: Interest, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        match &self.0 {
            Kind::Here(_) => f(),
            Kind::Real(stream) => stream.try_io(interest, f),
        }
    }

    /// Calls `f` whenever the stream is ready, until it says something else than `WouldBlock`.
    ///
    /// # Errors
    /// Those of `f`.
    pub async fn async_io<R>(&self, interest: Interest, mut f: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        match &self.0 {
            Kind::Here(stream) => loop {
                stream.ready(interest).await?;
                match f() {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    done => return done,
                }
            },
            Kind::Real(stream) => stream.async_io(interest, f).await,
        }
    }

    /// Whether short segments are sent at once: `TCP_NODELAY`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn nodelay(&self) -> io::Result<bool> {
        match &self.0 {
            Kind::Here(stream) => Ok(stream.nodelay.load(Ordering::Relaxed)),
            Kind::Real(stream) => stream.nodelay(),
        }
    }

    /// Sets whether short segments are sent at once.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match &self.0 {
            Kind::Here(stream) => {
                stream.handle.set_nodelay(if nodelay { Nodelay::On } else { Nodelay::Off })?;
                stream.nodelay.store(nodelay, Ordering::Relaxed);
                Ok(())
            }
            Kind::Real(stream) => stream.set_nodelay(nodelay),
        }
    }

    /// What closing does with data that waits: `SO_LINGER`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        match &self.0 {
            Kind::Here(stream) => Ok(*stream.linger.lock().unwrap_or_else(PoisonError::into_inner)),
            Kind::Real(stream) => stream.linger(),
        }
    }

    /// Sets what closing does with data that waits.
    ///
    /// # Errors
    /// The socket is gone.
    #[expect(deprecated, reason = "tokio's own, of the same name")]
    pub fn set_linger(&self, dur: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Kind::Here(stream) => stream.set_linger(dur),
            Kind::Real(stream) => stream.set_linger(dur),
        }
    }

    /// Makes dropping the stream send a reset.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Here(stream) => stream.set_linger(Some(Duration::ZERO)),
            Kind::Real(stream) => stream.set_zero_linger(),
        }
    }

    /// The time to live of what is sent.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn ttl(&self) -> io::Result<u32> {
        match &self.0 {
            Kind::Here(_) => Ok(DEFAULT_TTL),
            Kind::Real(stream) => stream.ttl(),
        }
    }

    /// Sets the time to live of what is sent.
    ///
    /// # Errors
    /// `Unsupported` on a simulated host, whose TCP sends with 64.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        match &self.0 {
            Kind::Here(_) if ttl == DEFAULT_TTL => Ok(()),
            Kind::Here(_) => Err(simulated("of TCP has a time to live of 64")),
            Kind::Real(stream) => stream.set_ttl(ttl),
        }
    }

    /// Two halves that borrow it, to be used at once.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        match &mut self.0 {
            Kind::Here(stream) => (ReadHalf(Half::Here(stream)), WriteHalf(Half::Here(stream))),
            Kind::Real(stream) => {
                let (read, write) = stream.split();
                (ReadHalf(Half::Real(read)), WriteHalf(Half::Real(write)))
            }
        }
    }

    /// Two halves that may go to two tasks. Dropping the one that writes ends that direction.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        match self.0 {
            Kind::Here(stream) => {
                let stream = Arc::new(stream);
                (OwnedReadHalf::here(stream.clone()), OwnedWriteHalf::here(stream))
            }
            Kind::Real(stream) => {
                let (read, write) = stream.into_split();
                (OwnedReadHalf::real(read), OwnedWriteHalf::real(write))
            }
        }
    }
}

impl OwnedReadHalf {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    /// The halves, where they are of two streams.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        match (self.0, other.0) {
            (Half::Here(read), Half::Here(write)) if write.0.as_ref().is_some_and(|w| Arc::ptr_eq(&read, w)) => {
                let mut write = write;
                drop(write.0.take());
                let stream = Arc::try_unwrap(read).expect("its other half is gone");
                Ok(TcpStream(Kind::Here(stream)))
            }
            (Half::Real(read), Half::Real(write)) => match read.reunite(write) {
                Ok(stream) => Ok(stream.into()),
                Err(tokio::net::tcp::ReuniteError(read, write)) => {
                    Err(ReuniteError(Self(Half::Real(read)), OwnedWriteHalf(Half::Real(write))))
                }
            },
            (read, write) => Err(ReuniteError(Self(read), OwnedWriteHalf(write))),
        }
    }
}

impl OwnedWriteHalf {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    /// The halves, where they are of two streams.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        other.reunite(self)
    }
}

/// Linux's `net.ipv4.ip_default_ttl`.
const DEFAULT_TTL: u32 = 64;

impl From<tokio::net::TcpStream> for TcpStream {
    fn from(stream: tokio::net::TcpStream) -> Self {
        Self(Kind::Real(stream))
    }
}

impl AsyncRead for TcpStream {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Here(stream) => stream.handle.poll_read(cx, buf),
            Kind::Real(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for TcpStream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Here(stream) => stream.handle.poll_write(cx, &[IoSlice::new(buf)]),
            Kind::Real(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Here(stream) => stream.handle.poll_write(cx, bufs),
            Kind::Real(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Neither kind keeps anything back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Here(stream) => Poll::Ready(stream.handle.shutdown(Shutdown::Write)),
            Kind::Real(stream) => Pin::new(stream).poll_shutdown(cx),
        }
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
