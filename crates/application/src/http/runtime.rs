//! What hyper wants of a runtime, over `Net`: a timer, an executor, and its own read and write traits.

use core::future::Future;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::OnceLock;
use std::time::Instant as StdInstant;

use hyper::rt::{Executor, ReadBufCursor, Timer};
use pin_project_lite::pin_project;
use septet_core::Instant;
use septet_socket::{NetExt, NetRef, Sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Spawns on the network's host.
#[derive(Clone)]
pub(crate) struct NetExecutor(pub(crate) NetRef);

impl<F> Executor<F> for NetExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let _ = self.0.spawn(Box::pin(future));
    }
}

/// Counts the network's time.
#[derive(Clone)]
pub(crate) struct NetTimer(pub(crate) NetRef);

/// The moment that stands for the network's time zero: hyper speaks of `std::time::Instant`, which cannot be made from
/// a number. Only differences to it are ever used.
pub(super) fn base() -> StdInstant {
    static BASE: OnceLock<StdInstant> = OnceLock::new();
    *BASE.get_or_init(StdInstant::now)
}

impl Timer for NetTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(NetSleep(self.0.sleep(duration)))
    }

    fn sleep_until(&self, deadline: StdInstant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(NetSleep(self.0.sleep_until(Instant::ZERO + deadline.saturating_duration_since(base()))))
    }

    fn now(&self) -> StdInstant {
        base() + Duration::from_nanos(self.0.now().as_nanos())
    }
}

struct NetSleep(Sleep);

impl hyper::rt::Sleep for NetSleep {}

impl Future for NetSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

pin_project! {
    /// A tokio stream as hyper takes it.
    pub(crate) struct Io<S> {
        #[pin]
        stream: S,
    }
}

impl<S> Io<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream }
    }

    pub(crate) fn into_stream(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead> hyper::rt::Read for Io<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut cursor: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        // hyper's cursor can be filled without unsafe code only by copying.
        let mut space = [MaybeUninit::uninit(); 16 * 1024];
        let room = cursor.remaining().min(space.len());
        let mut buf = ReadBuf::uninit(&mut space[..room]);
        ready!(self.project().stream.poll_read(cx, &mut buf))?;
        cursor.put_slice(buf.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite> hyper::rt::Write for Io<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, bufs)
    }
}
