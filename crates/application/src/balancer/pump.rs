//! Passes bytes both ways between two streams, with half-close and reset carried across.

use core::future::poll_fn;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;

use septet_presentation::tls;
use septet_socket::{NetExt, NetRef, Sleep, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::gather::WAIT;
use super::gathered::Gathered;

/// The most that is held in one direction.
const BUFFER: usize = 16 * 1024;

/// A piece of this size is a full segment, which a sender fills where it has more to send. Shorter ones end what it
/// wrote, and go on at once.
const FULL: usize = 1200;

/// One side of the pump.
pub(super) trait Side {
    /// How short pieces that are written to it leave.
    const WRITES: Writes;

    /// Makes the far end see a reset when the stream is dropped.
    fn reset_on_drop(&self);
}

/// How short pieces leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    /// As segments like those that they came in.
    AsTheyCome,
    /// As records, which do not fit the segments that they came in: they had better be large.
    InRecords,
}

impl Side for TcpStream {
    const WRITES: Writes = Writes::AsTheyCome;

    fn reset_on_drop(&self) {
        // Where it fails the connection is gone already.
        let _ = self.set_zero_linger();
    }
}

impl Side for tls::Stream<Gathered<TcpStream>> {
    const WRITES: Writes = Writes::InRecords;

    fn reset_on_drop(&self) {
        self.get_ref().get_ref().reset_on_drop();
    }
}

/// Why it ended.
pub(super) enum End {
    /// Both directions were closed in order.
    Closed,
    /// One side broke off, and so the other was reset.
    Reset(io::Error),
    /// Nothing came for too long.
    Idle,
}

/// What was passed.
pub(super) struct Passed {
    pub(super) to_backend: u64,
    pub(super) to_client: u64,
    pub(super) end: End,
}

/// Passes bytes until both directions are closed, one side breaks off, or nothing comes for `idle`.
pub(super) async fn pass<C, B>(net: &NetRef, mut client: C, mut backend: B, idle: Duration) -> Passed
where
    C: AsyncRead + AsyncWrite + Side + Unpin,
    B: AsyncRead + AsyncWrite + Side + Unpin,
{
    let (mut up, mut down) = (Direction::default(), Direction::default());
    // The timer is looked at only when it fires: it then waits for what is left since the last byte.
    let mut last = net.now();
    let mut timer = net.sleep(idle);
    let end = poll_fn(|cx| {
        let before = up.total + down.total;
        let a = up.poll(cx, net, &mut client, &mut backend);
        let b = down.poll(cx, net, &mut backend, &mut client);
        if up.total + down.total > before {
            last = net.now();
        }
        match (a, b) {
            (Poll::Ready(Err(e)), _) | (_, Poll::Ready(Err(e))) => return Poll::Ready(End::Reset(e)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(End::Closed),
            _ => {}
        }
        loop {
            ready!(Pin::new(&mut timer).poll(cx));
            if net.now() >= last + idle {
                return Poll::Ready(End::Idle);
            }
            timer = net.sleep_until(last + idle);
        }
    })
    .await;
    if !matches!(end, End::Closed) {
        client.reset_on_drop();
        backend.reset_on_drop();
    }
    Passed { to_backend: up.total, to_client: down.total, end }
}

/// One direction.
#[derive(Default)]
struct Direction {
    /// Bytes that were read and that the other side did not take yet.
    held: Vec<u8>,
    /// How many of them it has taken.
    taken: usize,
    total: u64,
    state: State,
    /// Runs while more is waited for before what is held goes on.
    gathering: Option<Sleep>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    /// The reader has ended; what is held goes out, and then the end does.
    Closing,
    Closed,
}

impl Direction {
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, net: &NetRef, reader: &mut R, writer: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Side + Unpin,
    {
        loop {
            if self.gathering.is_none() {
                ready!(self.pass_on(cx, writer))?;
            }
            match self.state {
                State::Closed => return Poll::Ready(Ok(())),
                State::Closing => {
                    ready!(Pin::new(&mut *writer).poll_shutdown(cx))?;
                    self.state = State::Closed;
                    continue;
                }
                State::Open => {}
            }
            let mut space = [MaybeUninit::uninit(); BUFFER];
            let mut buf = ReadBuf::uninit(&mut space[..BUFFER - self.held.len()]);
            let poll = Pin::new(&mut *reader).poll_read(cx, &mut buf);
            if poll.is_pending() {
                if let Some(timer) = &mut self.gathering {
                    ready!(Pin::new(timer).poll(cx));
                    self.gathering = None;
                    continue;
                }
                // TLS holds bytes back until it is told that no more come for now.
                ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                return Poll::Pending;
            }
            match ready!(poll) {
                // TLS's word for a client that closed without saying so: to the backend it is the end.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {}
                other => other?,
            }
            let bytes = buf.filled();
            if bytes.is_empty() {
                (self.state, self.gathering) = (State::Closing, None);
                continue;
            }
            self.total += bytes.len() as u64;
            self.held.extend_from_slice(bytes);
            let more = W::WRITES == Writes::InRecords && bytes.len() >= FULL && self.held.len() < BUFFER;
            self.gathering = match (more, self.gathering.take()) {
                (false, _) => None,
                (true, None) => Some(net.sleep(WAIT)),
                (true, running) => running,
            };
        }
    }

    /// Writes what is held.
    fn pass_on<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>> {
        while self.taken < self.held.len() {
            let n = ready!(Pin::new(&mut *writer).poll_write(cx, &self.held[self.taken..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += n;
        }
        // An idle connection holds no buffer.
        if !self.held.is_empty() {
            (self.held, self.taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}
