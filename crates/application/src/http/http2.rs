//! The server's side of an HTTP/2 connection (RFC 9113): hyper's, with an eye on the clock.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use septet_core::Instant;
use septet_socket::NetRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::body::{Body, failed};
use super::cut::Cut;
use super::ending::Ending;
use super::gate::Alarm;
use super::patience::{self, Pace};
use super::runtime::{Io, NetExecutor, NetTimer};
use super::service::{Broken, Peer, Service};

/// A silent client is pinged after this time, as long as it has requests open.
const PING: Duration = Duration::from_secs(60);
/// Requests that a client may have open at a time.
const STREAMS: u32 = 200;
/// Bytes of fields that a request may have.
const FIELDS: u32 = 16 * 1024;
/// Streams that a client may open and reset at once before we have seen to them ("rapid reset", CVE-2023-44487).
const RESETS: usize = 20;
/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(15);

/// Serves a connection until one side ends it.
pub(super) async fn serve(
    net: &NetRef,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    service: Arc<dyn Service>,
    ending: &Ending,
) {
    let watch = Watch::new(net);
    let watched = Watched { stream, watch: watch.clone() };
    let respond = {
        let watch = watch.clone();
        service_fn(move |request| respond(service.clone(), peer, watch.clone(), request))
    };
    let connection = hyper::server::conn::http2::Builder::new(NetExecutor(net.clone()))
        .timer(NetTimer(net.clone()))
        .keep_alive_interval(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(FIELDS)
        .max_pending_accept_reset_streams(RESETS)
        .auto_date_header(false)
        .serve_connection(Io::new(watched), respond);
    let mut connection = pin!(connection);
    let mut alarm = Alarm::default();
    let mut leaving = None;
    let mut ends = pin!(ending.come());
    let mut asked_to_leave = false;
    // An error is the client's: it reset the connection, or broke the protocol.
    poll_fn(|cx| {
        if !asked_to_leave && ends.as_mut().poll(cx).is_ready() {
            asked_to_leave = true;
            // GOAWAY; what is asked already is answered.
            connection.as_mut().graceful_shutdown();
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let now = net.now();
            let until = match leaving {
                Some(until) => until,
                None => watch.deadline(now),
            };
            if now < until {
                // What happens on a stream may bring the deadline nearer and wakes nobody here.
                let next = until.min(now + LOOK);
                if alarm.poll(cx, net, next).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            if leaving.is_some() {
                return Poll::Ready(());
            }
            // GOAWAY, and a moment to get it across; what is stuck is left behind.
            leaving = Some(now + Duration::from_secs(2));
            connection.as_mut().graceful_shutdown();
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
    })
    .await;
}

async fn respond(
    service: Arc<dyn Service>,
    peer: SocketAddr,
    watch: Watch,
    request: Request<Incoming>,
) -> io::Result<Response<Leaving>> {
    let open = watch.open();
    let mut request = request.map(|body| match body.is_end_stream() {
        true => Body::default(),
        false => Body::new(Coming { body, open: Arc::downgrade(&open) }),
    });
    request.extensions_mut().insert(Peer(peer));
    let response = service.call(request).await;
    match response.extensions().get() {
        Some(Broken(Cut::Stall)) => core::future::pending().await,
        Some(Broken(cut)) => Err((*cut).into()),
        None => {
            open.turn(Turn::Theirs);
            Ok(response.map(|body| Leaving { body, open }))
        }
    }
}

/// What a connection is about.
#[derive(Clone)]
struct Watch {
    net: NetRef,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Requests open, and of these the ones that wait for us.
    open: usize,
    ours: usize,
    /// Since when no request is open.
    idle: Instant,
    /// How long that may last: until the first request as long as for a head, for the preface comes before it.
    limit: Duration,
    moved: Pace,
}

impl Watch {
    fn new(net: &NetRef) -> Self {
        let state = State { open: 0, ours: 0, idle: net.now(), limit: patience::HEAD, moved: Pace::default() };
        Self { net: net.clone(), state: Arc::new(Mutex::new(state)) }
    }

    fn deadline(&self, now: Instant) -> Instant {
        let mut state = self.lock();
        match *state {
            State { open: 0, idle, limit, .. } => idle + limit,
            State { ours: 0, .. } => state.moved.wait(now),
            // As long as we owe it an answer the client need do nothing.
            _ => {
                state.moved = Pace::default();
                now + patience::IDLE
            }
        }
    }

    fn open(&self) -> Arc<Open> {
        let mut state = self.lock();
        if state.open == 0 {
            state.moved = Pace::default();
        }
        (state.open, state.ours, state.limit) = (state.open + 1, state.ours + 1, patience::IDLE);
        drop(state);
        Arc::new(Open { watch: self.clone(), ours: AtomicBool::new(true) })
    }

    fn moved(&self, bytes: usize) {
        if bytes > 0 {
            self.lock().moved.moved(self.net.now(), bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is open; over when it is dropped.
struct Open {
    watch: Watch,
    ours: AtomicBool,
}

/// Who has to do something about a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    Theirs,
    Ours,
}

impl Open {
    fn turn(&self, to: Turn) {
        let ours = to == Turn::Ours;
        let were = self.ours.swap(ours, Ordering::Relaxed);
        let mut state = self.watch.lock();
        state.ours = state.ours + usize::from(ours) - usize::from(were);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.turn(Turn::Theirs);
        let now = self.watch.net.now();
        let mut state = self.watch.lock();
        state.open -= 1;
        if state.open == 0 {
            state.idle = now;
        }
    }
}

/// The body of a request on its way in: as long as the service waits for more of it, it is the client's turn.
struct Coming {
    body: Incoming,
    open: Weak<Open>,
}

impl hyper::body::Body for Coming {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(open) = self.open.upgrade() {
            open.turn(if polled.is_pending() { Turn::Theirs } else { Turn::Ours });
        }
        polled.map(|frame| frame.map(|f| f.map_err(failed)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response, whose request is over when it is. It is the client's turn but while the service has nothing.
struct Leaving {
    body: Body,
    open: Arc<Open>,
}

impl hyper::body::Body for Leaving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.open.turn(if polled.is_pending() { Turn::Ours } else { Turn::Theirs });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose bytes are counted.
struct Watched<S> {
    stream: S,
    watch: Watch,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch.moved(buf.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(n)) = polled {
            self.watch.moved(n);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        if let Poll::Ready(Ok(n)) = polled {
            self.watch.moved(n);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
