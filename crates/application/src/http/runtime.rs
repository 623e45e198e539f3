//! What hyper wants of a runtime, over `Net`: a timer, an executor, and its own read and write traits.

use core::future::Future;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant as StdInstant;

use hyper::rt::{Executor, ReadBufCursor, Timer};
use pin_project_lite::pin_project;
use septet_core::{EventId, Instant};
use septet_socket::{NetExt, NetRef, Sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Spawns on the network's host.
#[derive(Clone)]
pub(super) struct NetExecutor(pub(super) NetRef);

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
pub(super) struct NetTimer(pub(super) NetRef);

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

/// Carries causes between the task that asks and the one that moves hyper's bytes, which may be at work already, or for
/// several at once.
#[derive(Clone)]
pub(super) struct Errand {
    net: NetRef,
    /// Why something is asked, until bytes are written because of it.
    asked: Arc<AtomicU64>,
    /// What brought the bytes that were read last.
    came: Arc<AtomicU64>,
}

impl Errand {
    pub(super) fn new(net: &NetRef) -> Self {
        Self { net: net.clone(), asked: Arc::default(), came: Arc::default() }
    }

    /// What is written next is written because of the calling task's cause.
    pub(super) fn ask(&self) {
        self.asked.store(self.net.cause().0, Ordering::Relaxed);
    }

    /// The calling task has what came last: what it does now it does because of that.
    pub(super) fn take(&self) {
        let came = self.came.load(Ordering::Relaxed);
        if came != 0 {
            self.net.because(EventId(came));
        }
    }

    fn writes(&self) {
        let asked = self.asked.swap(0, Ordering::Relaxed);
        if asked != 0 {
            self.net.because(EventId(asked));
        }
    }

    fn read(&self) {
        self.came.store(self.net.cause().0, Ordering::Relaxed);
    }
}

pin_project! {
    /// A tokio stream as hyper takes it.
    pub struct Io<S> {
        #[pin]
        stream: S,
        errand: Option<Errand>,
    }
}

impl<S> Io<S> {
    /// Takes a stream.
    pub fn new(stream: S) -> Self {
        Self { stream, errand: None }
    }

    /// The same, where others ask for what is written.
    pub(super) fn on_errands(stream: S, errand: Errand) -> Self {
        Self { stream, errand: Some(errand) }
    }

    /// The stream inside.
    pub fn into_stream(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead> hyper::rt::Read for Io<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut cursor: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        // hyper's cursor can be filled without unsafe code only by copying.
        let mut space = [MaybeUninit::uninit(); 16 * 1024];
        let room = cursor.remaining().min(space.len());
        let mut buf = ReadBuf::uninit(&mut space[..room]);
        let this = self.project();
        let result = ready!(this.stream.poll_read(cx, &mut buf));
        // A failure has a cause as well.
        if let Some(errand) = this.errand {
            errand.read();
        }
        result?;
        cursor.put_slice(buf.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite> hyper::rt::Write for Io<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        if let Some(errand) = this.errand {
            errand.writes();
        }
        this.stream.poll_write(cx, buf)
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
        let this = self.project();
        if let Some(errand) = this.errand {
            errand.writes();
        }
        this.stream.poll_write_vectored(cx, bufs)
    }
}
