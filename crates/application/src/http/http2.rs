//! The server's side of an HTTP/2 connection (RFC 9113): hyper's, with an eye on the clock.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use septet_core::Instant;
use septet_socket::NetRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answers::Cut;
use super::body::Payload;
use super::gate::Alarm;
use super::http1::{Answer, take};
use super::patience::{self, Pace};
use super::runtime::{Io, NetExecutor, NetTimer};

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
pub(super) async fn serve<S, A>(net: &NetRef, stream: S, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answer + Clone + Send + Sync + 'static,
{
    let watch = Watch::new(net);
    let watched = Watched { stream, watch: watch.clone() };
    let service = {
        let watch = watch.clone();
        service_fn(move |request| respond(answer.clone(), watch.clone(), request))
    };
    let connection = hyper::server::conn::http2::Builder::new(NetExecutor(net.clone()))
        .timer(NetTimer(net.clone()))
        .keep_alive_interval(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(FIELDS)
        .max_pending_accept_reset_streams(RESETS)
        .auto_date_header(false)
        .serve_connection(Io::new(watched), service);
    let mut connection = pin!(connection);
    let mut alarm = Alarm::default();
    let mut leaving = None;
    // An error is the client's: it reset the connection, or broke the protocol.
    poll_fn(|cx| {
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

async fn respond<A: Answer>(answer: A, watch: Watch, request: Request<Incoming>) -> io::Result<Response<Watching>> {
    let mut open = watch.open();
    let (head, body) = request.into_parts();
    let response = match take(body, answer.max_body()).await {
        Ok(taken) => {
            open.turn(Turn::Ours);
            match answer.answer(head, taken).await {
                Ok(response) => response,
                Err(Cut::Stall) => return core::future::pending().await,
                Err(cut) => return Err(cut.into()),
            }
        }
        Err(status) => answer.refuse(status),
    };
    open.turn(Turn::Theirs);
    Ok(response.map(|payload| Watching { payload, _open: open }))
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

    fn open(&self) -> Open {
        let mut state = self.lock();
        if state.open == 0 {
            state.moved = Pace::default();
        }
        (state.open, state.limit) = (state.open + 1, patience::IDLE);
        drop(state);
        Open { watch: self.clone(), turn: Turn::Theirs }
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
    turn: Turn,
}

/// Who has to do something about a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    Theirs,
    Ours,
}

impl Open {
    fn turn(&mut self, to: Turn) {
        let ours = |turn| usize::from(turn == Turn::Ours);
        let mut state = self.watch.lock();
        state.ours = state.ours + ours(to) - ours(self.turn);
        self.turn = to;
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

/// A body whose request is over when it is.
struct Watching {
    payload: Payload,
    _open: Open,
}

impl Body for Watching {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.payload).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
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
