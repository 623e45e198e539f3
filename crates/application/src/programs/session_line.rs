//! One end of a session over a TCP connection of any network: the octets go between them until either is done.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use bytes::{Buf as _, BytesMut};
use septet_core::Instant;
use septet_session::Transmit;
use septet_socket::{NetRef, Nodelay, Sleep, TcpOptions, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// The port where the session programs listen unless they are told another: that of ISO transport is 102, which only the
/// system may take on most machines.
pub(super) const PORT: u16 = 1102;

/// So much is written at once.
const ENOUGH: usize = 64 * 1024;

/// Options of a connection under a session: what ends a turn, a point or an answer, must not wait for the acknowledgement of
/// what went before it, which the other end delays.
pub(super) fn prompt() -> TcpOptions {
    TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() }
}

/// A sans-IO end.
pub(super) trait End {
    fn receive(&mut self, now: Instant, bytes: &[u8]);
    fn closed(&mut self, now: Instant, why: &str);
    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit>;
    fn poll_timeout(&self) -> Option<Instant>;
    fn on_timeout(&mut self, now: Instant);
    /// Whether it still uses the connection.
    fn is_open(&self) -> bool {
        true
    }
}

/// Whether a connection goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Open,
    Closed,
}

/// A connection under a session.
pub(super) struct Line<'n> {
    net: &'n NetRef,
    stream: TcpStream,
    /// What is to be written, gathered: a write for each short piece would be a segment for each.
    waiting: BytesMut,
    closing: bool,
    sleep: Option<(Instant, Sleep)>,
    buf: Vec<u8>,
}

impl<'n> Line<'n> {
    pub(super) fn new(net: &'n NetRef, stream: TcpStream) -> Self {
        Self { net, stream, waiting: BytesMut::new(), closing: false, sleep: None, buf: vec![0; 64 * 1024] }
    }

    /// Carries octets until the end has heard something, at `until` at the latest; then whoever drives it looks what it says.
    pub(super) async fn step(&mut self, end: &mut (impl End + Send), until: Option<Instant>) -> State {
        let state = poll_fn(|cx| self.poll_step(cx, end, until)).await;
        if state == State::Closed {
            // What the other end does not read any more is no concern of this one.
            let _ = self.stream.shutdown().await;
        }
        state
    }

    fn poll_step(&mut self, cx: &mut Context<'_>, end: &mut impl End, until: Option<Instant>) -> Poll<State> {
        let now = self.net.now();
        loop {
            while self.waiting.len() < ENOUGH && !self.closing {
                match end.poll_transmit(now) {
                    Some(Transmit::Bytes(bytes)) => self.waiting.extend_from_slice(&bytes),
                    Some(Transmit::Close) => self.closing = true,
                    None => break,
                }
            }
            if self.waiting.is_empty() {
                break;
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.waiting) {
                Poll::Ready(Ok(n)) if n > 0 => self.waiting.advance(n),
                Poll::Ready(Ok(_)) => return self.closed(now, end, &io::ErrorKind::WriteZero.into()),
                Poll::Ready(Err(e)) => return self.closed(now, end, &e),
                Poll::Pending => break,
            }
        }
        if self.waiting.is_empty() && (self.closing || !end.is_open()) {
            return Poll::Ready(State::Closed);
        }
        let mut buf = ReadBuf::new(&mut self.buf);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => {
                end.closed(now, "the other end closed the connection");
                return Poll::Ready(State::Closed);
            }
            Poll::Ready(Ok(())) => {
                end.receive(now, buf.filled());
                return Poll::Ready(State::Open);
            }
            Poll::Ready(Err(e)) => return self.closed(now, end, &e),
            Poll::Pending => {}
        }
        let Some(at) = [end.poll_timeout(), until].into_iter().flatten().min() else { return Poll::Pending };
        if self.sleep.as_ref().is_none_or(|(set, _)| *set != at) {
            self.sleep = Some((at, self.net.sleep_until(at)));
        }
        let Some((_, sleep)) = &mut self.sleep else { return Poll::Pending };
        if Pin::new(sleep).poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.sleep = None;
        end.on_timeout(self.net.now());
        Poll::Ready(State::Open)
    }

    fn closed(&self, now: Instant, end: &mut impl End, e: &io::Error) -> Poll<State> {
        end.closed(now, &e.to_string());
        Poll::Ready(State::Closed)
    }
}
