//! What has come for one socket and waits to be taken, as whole packets.

use core::task::{Context, Poll};
use std::collections::VecDeque;

use septet_core::{Frame, Trace};

use super::wakers::Wakers;

/// Packets that wait in one socket; what comes beyond is lost.
const MOST: usize = 256;

/// Packets, each with what is known of it.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    queue: VecDeque<(T, Frame)>,
    readers: Wakers,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), readers: Wakers::default() }
    }
}

impl<T> Inbox<T> {
    /// Puts a packet in where there is room, and wakes who waits for it.
    pub(crate) fn put(&mut self, about: T, packet: Frame) {
        if self.queue.len() < MOST {
            self.queue.push_back((about, packet));
            self.readers.wake();
        }
    }

    /// Takes the first packet, which is then why the task does what it does; gives what is known of it, and how many octets
    /// found room in `buf`.
    pub(crate) fn poll_take(&mut self, cx: &Context<'_>, buf: &mut [u8], trace: &mut Trace) -> Poll<(T, usize)> {
        let Some((about, packet)) = self.queue.pop_front() else {
            self.readers.register(cx);
            return Poll::Pending;
        };
        trace.set_cause(packet.cause);
        let len = packet.len().min(buf.len());
        buf[..len].copy_from_slice(&packet.bytes()[..len]);
        Poll::Ready((about, len))
    }

    /// Wakes who waits, for the socket is gone.
    pub(crate) fn wake(&mut self) {
        self.readers.wake();
    }
}
