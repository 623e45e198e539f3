//! The two halves of a connection: borrowed, or owned.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BufMut;
use septet_socket::TcpStreamImpl as _;
use septet_transport::tcp::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::tcp as real;

use super::simulated::Simulated;

/// The half of a borrowed [`TcpStream`](super::TcpStream) that reads; see [`TcpStream::split`](super::TcpStream::split).
#[derive(Debug)]
pub struct ReadHalf<'a>(pub(super) Half<&'a Simulated, real::ReadHalf<'a>>);

/// The half of a borrowed [`TcpStream`](super::TcpStream) that writes; see [`TcpStream::split`](super::TcpStream::split).
#[derive(Debug)]
pub struct WriteHalf<'a>(pub(super) Half<&'a Simulated, real::WriteHalf<'a>>);

/// The half of a [`TcpStream`](super::TcpStream) that reads; see [`TcpStream::into_split`](super::TcpStream::into_split).
#[derive(Debug)]
pub struct OwnedReadHalf(pub(super) Half<Arc<Simulated>, real::OwnedReadHalf>);

/// The half of a [`TcpStream`](super::TcpStream) that writes; see [`TcpStream::into_split`](super::TcpStream::into_split). Dropping it ends that direction, unless it is
/// [forgotten](Self::forget).
#[derive(Debug)]
pub struct OwnedWriteHalf(pub(super) Half<Closing, real::OwnedWriteHalf>);

/// Whose it is.
#[derive(Debug)]
pub(super) enum Half<H, R> {
    Here(H),
    Real(R),
}

/// Ends its direction when it is dropped.
#[derive(Debug)]
pub(super) struct Closing(pub(super) Option<Arc<Simulated>>);

impl core::ops::Deref for Closing {
    type Target = Simulated;
    fn deref(&self) -> &Simulated {
        self.0.as_ref().expect("taken only when it is given up")
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(stream) = &self.0 {
            // It fails only where the connection has ended already.
            let _ = stream.handle.shutdown(Shutdown::Write);
        }
    }
}

/// What the halves have in common.
macro_rules! half {
    ($name:ident $(<$life:lifetime>)?) => {
        impl $name $(<$life>)? {
            /// The far end.
            ///
            /// # Errors
            /// `NotConnected`.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                match &self.0 {
                    Half::Here(stream) => stream.handle.peer_addr(),
                    Half::Real(half) => half.peer_addr(),
                }
            }

            /// The near end.
            ///
            /// # Errors
            /// `NotConnected`.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                match &self.0 {
                    Half::Here(stream) => stream.handle.local_addr(),
                    Half::Real(half) => half.local_addr(),
                }
            }

            /// Waits until it is ready for any of `interest`, and tells for which.
            ///
            /// # Errors
            /// The socket is gone.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                match &self.0 {
                    Half::Here(stream) => stream.ready(interest).await,
                    Half::Real(half) => half.ready(interest).await,
                }
            }
        }
    };
}

macro_rules! reads {
    ($name:ident $(<$life:lifetime>)?) => {
        half!($name $(<$life>)?);

        impl $name $(<$life>)? {
            /// Looks at what a read would give, and leaves it.
            ///
            /// # Errors
            /// Those of a read.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                match &mut self.0 {
                    Half::Here(stream) => poll_fn(|cx| stream.handle.poll_peek(cx, buf)).await,
                    Half::Real(half) => half.peek(buf).await,
                }
            }

            /// The same as a step.
            pub fn poll_peek(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
                match &mut self.0 {
                    Half::Here(stream) => stream.poll_peek(cx, buf),
                    Half::Real(half) => half.poll_peek(cx, buf),
                }
            }

            /// Waits until a read would find something.
            ///
            /// # Errors
            /// The socket is gone.
            pub async fn readable(&self) -> io::Result<()> {
                self.ready(Interest::READABLE).await.map(drop)
            }

            /// Reads what is there; zero at the end of the stream.
            ///
            /// # Errors
            /// `WouldBlock`, or what befell the connection.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                match &self.0 {
                    Half::Here(stream) => stream.handle.try_read(buf),
                    Half::Real(half) => half.try_read(buf),
                }
            }

            /// The same into several buffers.
            ///
            /// # Errors
            /// As [`try_read`](Self::try_read).
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                match &self.0 {
                    Half::Here(stream) => stream.try_read_vectored(bufs),
                    Half::Real(half) => half.try_read_vectored(bufs),
                }
            }

            /// The same into what grows.
            ///
            /// # Errors
            /// As [`try_read`](Self::try_read).
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                match &self.0 {
                    Half::Here(stream) => stream.try_read_buf(buf),
                    Half::Real(half) => half.try_read_buf(buf),
                }
            }
        }

        impl AsyncRead for $name $(<$life>)? {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                match &mut self.get_mut().0 {
                    Half::Here(stream) => stream.handle.poll_read(cx, buf),
                    Half::Real(half) => Pin::new(half).poll_read(cx, buf),
                }
            }
        }
    };
}

macro_rules! writes {
    ($name:ident $(<$life:lifetime>)?) => {
        half!($name $(<$life>)?);

        impl $name $(<$life>)? {
            /// Waits until a write would find room.
            ///
            /// # Errors
            /// The socket is gone.
            pub async fn writable(&self) -> io::Result<()> {
                self.ready(Interest::WRITABLE).await.map(drop)
            }

            /// Writes what there is room for.
            ///
            /// # Errors
            /// `WouldBlock`, or what befell the connection.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                match &self.0 {
                    Half::Here(stream) => stream.handle.try_write(&[IoSlice::new(buf)]),
                    Half::Real(half) => half.try_write(buf),
                }
            }

            /// The same of several pieces.
            ///
            /// # Errors
            /// As [`try_write`](Self::try_write).
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                match &self.0 {
                    Half::Here(stream) => stream.handle.try_write(bufs),
                    Half::Real(half) => half.try_write_vectored(bufs),
                }
            }
        }

        impl AsyncWrite for $name $(<$life>)? {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                match &mut self.get_mut().0 {
                    Half::Here(stream) => stream.handle.poll_write(cx, &[IoSlice::new(buf)]),
                    Half::Real(half) => Pin::new(half).poll_write(cx, buf),
                }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match &mut self.get_mut().0 {
                    Half::Here(stream) => stream.handle.poll_write(cx, bufs),
                    Half::Real(half) => Pin::new(half).poll_write_vectored(cx, bufs),
                }
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match &mut self.get_mut().0 {
                    Half::Here(stream) => Poll::Ready(stream.handle.shutdown(Shutdown::Write)),
                    Half::Real(half) => Pin::new(half).poll_shutdown(cx),
                }
            }
        }
    };
}

reads!(ReadHalf<'_>);
reads!(OwnedReadHalf);
writes!(WriteHalf<'_>);
writes!(OwnedWriteHalf);

impl OwnedReadHalf {
    pub(super) fn here(stream: Arc<Simulated>) -> Self {
        Self(Half::Here(stream))
    }

    pub(super) fn real(half: real::OwnedReadHalf) -> Self {
        Self(Half::Real(half))
    }
}

impl OwnedWriteHalf {
    pub(super) fn here(stream: Arc<Simulated>) -> Self {
        Self(Half::Here(Closing(Some(stream))))
    }

    pub(super) fn real(half: real::OwnedWriteHalf) -> Self {
        Self(Half::Real(half))
    }

    /// Drops it without ending its direction.
    pub fn forget(self) {
        match self.0 {
            Half::Here(mut closing) => drop(closing.0.take()),
            Half::Real(half) => half.forget(),
        }
    }
}

/// Two halves that are not of one stream.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite halves that are not from the same socket")
    }
}

impl std::error::Error for ReuniteError {}
