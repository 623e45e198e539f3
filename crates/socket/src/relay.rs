//! Carries bytes both ways between two ends, with half-close and reset carried across.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;

use bytes::{BufMut as _, BytesMut};
use tokio::io::AsyncReadExt as _;

use crate::{NetExt as _, NetRef, Sleep, Stream, Writes};

/// What a relay holds and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// The most bytes that are held in one direction; an idle one holds none.
    pub buffer: usize,
    /// It ends when nothing has moved for this long.
    pub idle: Option<Duration>,
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the first end to the second.
    Forth,
    /// From the second end to the first.
    Back,
}

/// Why a relay ended.
#[derive(Debug)]
pub enum End {
    /// Both directions were closed in order.
    Closed,
    /// One end broke off, and so the other was reset.
    Reset(io::Error),
    /// Nothing came for too long, and so both were reset.
    Idle,
}

/// A piece of this size is a full segment, which a sender fills where it has more to send. Shorter ones end what it
/// wrote, and go on at once.
const FULL: usize = 1200;
/// What goes on in records is gathered for so long while more is on its way: some hundred segments on a fast link, and
/// nothing to a person.
pub const GATHERED_FOR: Duration = Duration::from_millis(1);

/// Carries bytes both ways until both ends have closed, and tells `carried` of them as they go. A close of one direction
/// is carried across as that; a reset or any other failure of one end resets the other when it is dropped. Neither side
/// is read faster than the other takes it.
pub async fn relay(
    net: &NetRef,
    a: &mut impl Stream,
    b: &mut impl Stream,
    bounds: Bounds,
    mut carried: impl FnMut(Way, u64),
) -> End {
    let (mut forth, mut back) = (Direction::default(), Direction::default());
    // The timer is looked at only when it fires: it then waits for what is left since the last byte.
    let mut last = net.now();
    let mut timer = bounds.idle.map(|idle| net.sleep(idle));
    let end = poll_fn(|cx| {
        let mut moved = false;
        let mut tell = |way, n| {
            moved = true;
            carried(way, n);
        };
        let one = forth.poll(cx, net, bounds.buffer, &mut *a, &mut *b, |n| tell(Way::Forth, n));
        let two = back.poll(cx, net, bounds.buffer, &mut *b, &mut *a, |n| tell(Way::Back, n));
        if moved {
            last = net.now();
        }
        match (one, two) {
            (Poll::Ready(Err(e)), _) | (_, Poll::Ready(Err(e))) => return Poll::Ready(End::Reset(e)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(End::Closed),
            _ => {}
        }
        let (Some(idle), Some(timer)) = (bounds.idle, &mut timer) else { return Poll::Pending };
        loop {
            ready!(Pin::new(&mut *timer).poll(cx));
            if net.now() >= last + idle {
                return Poll::Ready(End::Idle);
            }
            *timer = net.sleep_until(last + idle);
        }
    })
    .await;
    if !matches!(end, End::Closed) {
        a.reset_on_drop();
        b.reset_on_drop();
    }
    end
}

/// One direction.
#[derive(Default)]
struct Direction {
    /// Bytes that were read and that the other side did not take yet.
    held: BytesMut,
    /// How many of them it has taken.
    taken: usize,
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
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        net: &NetRef,
        buffer: usize,
        reader: &mut impl Stream,
        writer: &mut impl Stream,
        mut carried: impl FnMut(u64),
    ) -> Poll<io::Result<()>> {
        loop {
            if self.gathering.is_none() {
                ready!(self.pass_on(cx, &mut *writer, &mut carried))?;
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
            let room = buffer - self.held.len();
            self.held.reserve(room);
            let mut space = (&mut self.held).limit(room);
            let polled = pin!(reader.read_buf(&mut space)).poll(cx);
            let read = match polled {
                Poll::Pending => {
                    if let Some(timer) = &mut self.gathering {
                        ready!(Pin::new(timer).poll(cx));
                        self.gathering = None;
                        continue;
                    }
                    self.held = BytesMut::new();
                    // TLS holds bytes back until it is told that no more come for now.
                    ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                    return Poll::Pending;
                }
                // TLS's word for an end that closed without saying so.
                Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => 0,
                Poll::Ready(read) => read?,
            };
            if read == 0 {
                (self.state, self.gathering) = (State::Closing, None);
                continue;
            }
            let more = writer.writes() == Writes::InRecords && read >= FULL && self.held.len() < buffer;
            self.gathering = match (more, self.gathering.take()) {
                (false, _) => None,
                (true, None) => Some(net.sleep(GATHERED_FOR)),
                (true, running) => running,
            };
        }
    }

    /// Writes what is held.
    fn pass_on(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut impl Stream,
        carried: &mut impl FnMut(u64),
    ) -> Poll<io::Result<()>> {
        while self.taken < self.held.len() {
            let n = ready!(Pin::new(&mut *writer).poll_write(cx, &self.held[self.taken..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += n;
            carried(n as u64);
        }
        self.held.clear();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }
}
