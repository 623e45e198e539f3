//! A TCP connection of a simulated host, as streams and their halves share it.

use core::future::poll_fn;
use core::sync::atomic::AtomicBool;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::{self, IoSliceMut};
use std::sync::{Mutex, PoisonError};

use bytes::BufMut;
use septet_host::StreamHandle;
use septet_transport::tcp::{Linger, SocketOption};
use tokio::io::{Interest, ReadBuf, Ready};

/// A connection of a simulated host, and what was set on it.
#[derive(Debug)]
pub(super) struct Simulated {
    pub(super) handle: StreamHandle,
    pub(super) nodelay: AtomicBool,
    pub(super) linger: Mutex<Option<Duration>>,
}

impl Simulated {
    pub(super) fn new(handle: StreamHandle) -> Self {
        Self { handle, nodelay: AtomicBool::new(false), linger: Mutex::new(None) }
    }

    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|cx| {
            let mut found = Ready::EMPTY;
            if interest.is_readable() && self.handle.poll_readable(cx)?.is_ready() {
                found |= Ready::READABLE;
            }
            if interest.is_writable() && self.handle.poll_writable(cx)?.is_ready() {
                found |= Ready::WRITABLE;
            }
            if found.is_empty() { Poll::Pending } else { Poll::Ready(Ok(found)) }
        })
        .await
    }

    pub(super) fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let n = ready!(self.handle.poll_peek(cx, buf.initialize_unfilled()))?;
        buf.advance(n);
        Poll::Ready(Ok(n))
    }

    pub(super) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut read = 0;
        for buf in bufs.iter_mut().filter(|buf| !buf.is_empty()) {
            match self.handle.try_read(buf) {
                Ok(n) => {
                    read += n;
                    if n < buf.len() {
                        break;
                    }
                }
                Err(e) if read == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(read)
    }

    pub(super) fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let mut space = [0; 16 * 1024];
        let room = buf.remaining_mut().min(space.len());
        let n = self.handle.try_read(&mut space[..room])?;
        buf.put_slice(&space[..n]);
        Ok(n)
    }

    pub(super) fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.handle.set_option(SocketOption::Linger(match linger {
            None => Linger::Background,
            Some(Duration::ZERO) => Linger::Reset,
            Some(time) => Linger::For(time),
        }))?;
        *self.linger.lock().unwrap_or_else(PoisonError::into_inner) = linger;
        Ok(())
    }
}
