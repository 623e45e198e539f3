//! A client's connection over HTTP/1 that ends when the backend of its response is drained and the time for that is over,
//! also while the client takes nothing and so nobody asks for more of the response.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response, StatusCode, Version};
use septet_socket::{BoxFuture, Stream, Writes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::backend::{Attempt, Ending};
use super::requests::Conversation;
use crate::http::{Body, Service};

/// The backend that the present response of a connection comes from.
#[derive(Default)]
pub(super) struct Source(Mutex<Option<Ending>>);

impl Source {
    /// Whether it was drained, and its time is over; else whoever asks is woken then.
    fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(ending) => ending.poll_cut(cx),
            None => Poll::Pending,
        }
    }

    fn set(&self, ending: Option<Ending>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ending;
    }
}

/// A conversation: who answers last is its [`Source`].
pub(super) struct Watched {
    pub(super) conversation: Conversation,
    pub(super) source: Arc<Source>,
}

/// What a response says of the backend that it comes from.
#[derive(Clone)]
pub(super) struct From(Arc<Mutex<Option<Ending>>>);

impl From {
    pub(super) fn new(attempt: &Attempt) -> Self {
        Self(Arc::new(Mutex::new(Some(attempt.ending()))))
    }
}

impl Service for Watched {
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async move {
            // Over HTTP/2 the other responses of the connection have nothing to do with it.
            let is_alone = request.version() < Version::HTTP_2;
            self.source.set(None);
            let mut response = self.conversation.call(request).await;
            let from = response.extensions_mut().remove::<From>();
            if let Some(From(ending)) = from.filter(|_| is_alone) {
                self.source.set(ending.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
            response
        })
    }

    fn refuse(&self, status: StatusCode) -> Response<Body> {
        self.conversation.refuse(status)
    }
}

/// The connection.
pub(super) struct Cuttable<S> {
    pub(super) stream: S,
    pub(super) source: Arc<Source>,
}

impl<S: Stream> Cuttable<S> {
    /// What came of the stream, or the end where nothing comes and the time is over.
    fn or_cut<T>(&self, came: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if came.is_pending() && self.source.poll_cut(cx).is_ready() {
            self.stream.reset_on_drop();
            let why = "the backend was drained, and its time is over";
            return Poll::Ready(Err(io::Error::new(ErrorKind::ConnectionAborted, why)));
        }
        came
    }
}

impl<S: Stream> Stream for Cuttable<S> {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    fn reset_on_drop(&self) {
        self.stream.reset_on_drop();
    }

    fn alpn(&self) -> Option<&str> {
        self.stream.alpn()
    }

    fn writes(&self) -> Writes {
        self.stream.writes()
    }
}

impl<S: Stream> AsyncRead for Cuttable<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.or_cut(came, cx)
    }
}

impl<S: Stream> AsyncWrite for Cuttable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.or_cut(came, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.or_cut(came, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_flush(cx);
        self.or_cut(came, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
