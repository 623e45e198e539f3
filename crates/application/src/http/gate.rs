//! What stands between the socket of an HTTP/1 server and hyper: it lets through one request at a time, each head only
//! when it is whole and will do, and gives up on clients that are too slow.
//!
//! hyper frames the messages: it takes chunked bodies apart, answers in order, keeps connections alive. The gate knows
//! where a head begins because it hands out no byte of the next one before hyper is done with the body before it: a body
//! of known length is cut there, and a chunked one, which always ends with a line, is handed out chunk by chunk and its
//! end line by line.

use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use http::{StatusCode, Version};
use septet_core::Instant;
use septet_socket::{Elapsed, NetRef, Sleep};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::cut::Cut;
use super::head::{self, After, Framing, MAX_HEAD};
use super::patience::{self, Pace};
use super::room::Room;

/// Room for what most heads need.
const HEAD_PIECE: usize = 2 * 1024;
/// A body is read in pieces of this size.
const BODY_PIECE: usize = 16 * 1024;
/// What hyper gets in place of a head that will not do. The service never looks at it: it answers with the status.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";

/// What the gate and the service tell each other of the request under way.
#[derive(Clone, Default)]
pub(super) struct Passed(Arc<Mutex<Request>>);

#[derive(Default)]
struct Request {
    number: u64,
    refused: Option<StatusCode>,
    kept_alive_by: Option<Version>,
    chunks_ended: bool,
    abandoned: bool,
    cut: Option<Cut>,
}

impl Passed {
    /// Which request of the connection is under way.
    pub(super) fn number(&self) -> u64 {
        self.lock().number
    }

    /// With what the request must be refused.
    pub(super) fn refused(&self) -> Option<StatusCode> {
        self.lock().refused
    }

    /// Whether the client must be told in so many words that the connection stays (HTTP/1.0).
    pub(super) fn asked_to_keep_alive(&self) -> bool {
        self.lock().kept_alive_by == Some(Version::HTTP_10)
    }

    /// The service has seen the end of the body of the request with this number.
    pub(super) fn body_ended(&self, number: u64) {
        let mut request = self.lock();
        request.chunks_ended |= request.number == number;
    }

    /// The service wants no more of the body of the request with this number, which has not ended.
    pub(super) fn body_abandoned(&self, number: u64) {
        let mut request = self.lock();
        request.abandoned |= request.number == number;
    }

    /// Whether the end of the body will not be seen.
    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// The connection breaks off here, when everything written so far has left.
    pub(super) fn cut(&self, cut: Cut) {
        self.lock().cut = Some(cut);
    }

    /// How the connection breaks off, if it does.
    pub(super) fn is_cut(&self) -> Option<Cut> {
        self.lock().cut
    }

    fn next(&self, request: Request) {
        let mut under_way = self.lock();
        *under_way = Request { number: under_way.number + 1, ..request };
    }

    fn lock(&self) -> MutexGuard<'_, Request> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gate before a stream.
pub(super) struct Gate<S> {
    net: NetRef,
    stream: S,
    passed: Passed,
    state: State,
    /// Received, and not yet looked at.
    input: BytesMut,
    /// What hyper may have.
    cleared: Bytes,
    reading: Alarm,
    writing: Alarm,
    /// How the answers leave, since the connection last waited for a request.
    written: Pace,
    room: Room,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing of a request has come; `until` is when that has lasted for too long.
    Waiting { until: Instant },
    /// A part of a head has come, of which `searched` bytes hold no end.
    Head { until: Instant, searched: usize },
    /// So much of a body is to come.
    Length(u64, Pace),
    /// Chunks are to come.
    Chunks(Chunk, Pace),
    /// A request has passed, and the next one was not asked for yet.
    Answering,
    /// Nothing more passes.
    Over,
}

/// Where in a chunked body we are.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    /// At the beginning of a line with a size.
    Size,
    /// In a chunk, of which so much is to come, its line end included.
    Content(u64),
    /// Behind the last chunk.
    Trailers,
}

/// A line with a size is not waited for beyond this length: hyper takes none as long.
const SIZE_LINE: usize = 20 * 1024;

impl<S> Gate<S> {
    pub(super) fn new(net: &NetRef, stream: S, passed: Passed) -> Self {
        let net = net.clone();
        // As in nginx, the time of the first head counts from when the connection stood.
        let state = State::Waiting { until: net.now() + patience::HEAD };
        let (reading, writing) = (Alarm::default(), Alarm::default());
        let (input, cleared, written) = (BytesMut::new(), Bytes::new(), Pace::default());
        Self { net, stream, passed, state, input, cleared, reading, writing, written, room: Room::default() }
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Looks for a whole head in the input.
    fn look_for_head(&mut self, until: Instant, searched: usize) {
        // RFC 9112 §2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty
        // line (CRLF) received prior to the request-line".
        while searched == 0 && matches!(self.input.first(), Some(b'\r' | b'\n')) {
            self.input.advance(1);
        }
        if let Some(end) = head::end_of_head(&self.input, searched) {
            let bytes = self.input.split_to(end).freeze();
            match head::parse(&bytes) {
                Ok(head) => self.pass(&head, bytes),
                Err(status) => self.refuse(status),
            }
        } else if self.input.is_empty() {
            self.state = State::Waiting { until };
        } else if let Some(status) = head::may_become_head(&self.input).err().filter(|_| searched == 0) {
            // Who speaks another protocol, TLS say, would wait for an answer as we would for the end of the head.
            self.refuse(status);
        } else if self.input.len() > MAX_HEAD {
            self.refuse(head::too_large(&self.input));
        } else {
            let until = if searched == 0 { until.min(self.net.now() + patience::HEAD) } else { until };
            self.state = State::Head { until, searched: self.input.len() };
        }
    }

    fn pass(&mut self, head: &head::Head, bytes: Bytes) {
        let kept_alive_by = (head.after == After::KeepAlive).then_some(head.version);
        self.passed.next(Request { kept_alive_by, ..Request::default() });
        // RFC 9110 §6.2: "A server SHOULD send a response version equal to the highest version to which the server is
        // conformant that has a major version less than or equal to the one received in the request." hyper answers in
        // the version of the request.
        self.cleared = if head.version == Version::HTTP_10 { head.as_http_11().into() } else { bytes };
        self.state = match head.framing {
            Framing::Length(0) => State::Answering,
            Framing::Length(length) => State::Length(length, Pace::default()),
            Framing::Chunked => State::Chunks(Chunk::Size, Pace::default()),
        };
    }

    /// Hands out the next piece of a chunked body and says what follows it; nothing where the piece is not whole.
    fn next_of_chunks(&mut self, chunk: Chunk) -> io::Result<Option<Chunk>> {
        let line = self.input.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let (len, next) = match (chunk, line) {
            (Chunk::Size, Some(len)) => {
                let size = size_of_chunk(&self.input[..len])?;
                (len, if size == 0 { Chunk::Trailers } else { Chunk::Content(size + 2) })
            }
            (Chunk::Size, None) if self.input.len() < SIZE_LINE => return Ok(None),
            (Chunk::Content(left), _) => {
                let len = left.min(self.input.len() as u64);
                (len as usize, if len == left { Chunk::Size } else { Chunk::Content(left - len) })
            }
            (Chunk::Size | Chunk::Trailers, line) => (line.unwrap_or(self.input.len()), chunk),
        };
        self.cleared = self.input.split_to(len).freeze();
        Ok(Some(next))
    }

    fn refuse(&mut self, status: StatusCode) {
        self.passed.next(Request { refused: Some(status), ..Request::default() });
        self.cleared = Bytes::from_static(STAND_IN);
        self.state = State::Over;
    }

    /// The client has kept silent for too long.
    fn give_up(&mut self) -> io::Result<()> {
        match self.state {
            State::Head { .. } => self.refuse(StatusCode::REQUEST_TIMEOUT),
            State::Length(..) | State::Chunks(..) => {
                self.state = State::Over;
                return Err(Elapsed.into());
            }
            State::Waiting { .. } | State::Answering | State::Over => self.state = State::Over,
        }
        Ok(())
    }
}

/// The size on a line that begins a chunk. Whether the line will do hyper judges, but that it counts with 64 bits and we,
/// as nginx, with 63: RFC 9112 §7.1: "A recipient MUST anticipate potentially large hexadecimal numerals and prevent parsing
/// errors due to integer conversion overflows".
fn size_of_chunk(line: &[u8]) -> io::Result<u64> {
    let digits = line.iter().map_while(|b| char::from(*b).to_digit(16));
    let size = digits.fold(0u64, |size, digit| size.saturating_mul(16).saturating_add(digit.into()));
    if size > i64::MAX as u64 { Err(io::ErrorKind::InvalidData.into()) } else { Ok(size) }
}

impl<S: AsyncRead + Unpin> Gate<S> {
    /// Reads more, unless it is too late for it. At the end of the stream nothing more passes.
    fn fill(&mut self, cx: &mut Context<'_>, piece: usize) -> Poll<io::Result<()>> {
        self.input.reserve(piece);
        let polled = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        let now = self.net.now();
        let until = match (&mut self.state, &polled) {
            (State::Length(_, pace) | State::Chunks(_, pace), Poll::Pending) => pace.wait(now),
            (State::Length(_, pace) | State::Chunks(_, pace), Poll::Ready(Ok(n))) => {
                pace.moved(now, *n);
                now
            }
            (State::Waiting { until } | State::Head { until, .. }, _) => *until,
            _ => now,
        };
        match polled {
            Poll::Ready(Ok(read)) => {
                if read == 0 {
                    self.state = State::Over;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => {
                ready!(self.reading.poll(cx, &self.net, until));
                Poll::Ready(self.give_up())
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let gate = &mut *self;
        loop {
            if !gate.cleared.is_empty() {
                let piece = gate.cleared.split_to(gate.cleared.len().min(buf.remaining()));
                buf.put_slice(&piece);
                return Poll::Ready(Ok(()));
            }
            match gate.state {
                State::Over => return Poll::Ready(Ok(())),
                // hyper asks for the next request when it has framed the answer to this one, which may still have to leave.
                State::Answering => {
                    if !gate.written.is_waiting() {
                        gate.written = Pace::default();
                    }
                    gate.look_for_head(gate.net.now() + patience::IDLE, 0);
                }
                State::Waiting { .. } => {
                    ready!(gate.fill(cx, HEAD_PIECE))?;
                    if let State::Waiting { until } = gate.state {
                        gate.look_for_head(until, 0);
                    }
                }
                State::Head { .. } => {
                    ready!(gate.fill(cx, HEAD_PIECE))?;
                    if let State::Head { until, searched } = gate.state {
                        gate.look_for_head(until, searched);
                    }
                }
                State::Length(0, _) => gate.state = State::Answering,
                State::Length(left, pace) if !gate.input.is_empty() => {
                    let n = left.min(gate.input.len() as u64);
                    gate.cleared = gate.input.split_to(n as usize).freeze();
                    gate.state = State::Length(left - n, pace);
                }
                State::Chunks(..) if gate.passed.lock().chunks_ended => gate.state = State::Answering,
                State::Chunks(chunk, pace) if !gate.input.is_empty() => match gate.next_of_chunks(chunk)? {
                    Some(chunk) => gate.state = State::Chunks(chunk, pace),
                    None => ready!(gate.fill(cx, BODY_PIECE))?,
                },
                State::Length(..) | State::Chunks(..) => ready!(gate.fill(cx, BODY_PIECE))?,
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Gate<S> {
    /// Whether it is not too late for this.
    fn in_time(&self) -> io::Result<()> {
        if self.written.is_over(self.net.now()) { Err(Elapsed.into()) } else { Ok(()) }
    }

    /// Counts what was written, and gives up where nothing has left for too long.
    fn watch(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let now = self.net.now();
        match polled {
            Poll::Ready(Ok(n)) => {
                if self.written.is_waiting() && !self.room.is_told() {
                    self.written.found_room(n);
                } else {
                    self.written.moved(now, n);
                }
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => {
                let until = self.written.wait(now);
                self.writing.poll(cx, &self.net, until).map(|()| Err(Elapsed.into()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time()?;
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_write(&mut Context::from_waker(this.room.waker(cx)), bytes);
        self.watch(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.in_time()?;
        let this = &mut *self;
        let mut by_stream = Context::from_waker(this.room.waker(cx));
        let polled = Pin::new(&mut this.stream).poll_write_vectored(&mut by_stream, pieces);
        self.watch(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_flush(&mut Context::from_waker(this.room.waker(cx)));
        ready!(self.watch(cx, polled.map_ok(|()| 0)))?;
        // hyper flushes when it has handed over all that it has.
        Poll::Ready(self.passed.is_cut().map_or(Ok(()), |cut| Err(cut.into())))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A timer that is set anew only where it must ring earlier, or has rung too early.
#[derive(Default)]
pub(super) struct Alarm(Option<(Instant, Sleep)>);

impl Alarm {
    /// Ready from `until` on.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, net: &NetRef, until: Instant) -> Poll<()> {
        loop {
            let armed = match &mut self.0 {
                Some(armed) if armed.0 <= until => armed,
                other => other.insert((until, net.sleep_until(until))),
            };
            ready!(Pin::new(&mut armed.1).poll(cx));
            let rang = armed.0;
            self.0 = None;
            if rang >= until {
                return Poll::Ready(());
            }
        }
    }
}
