//! Waiting for a socket that is held by number, and giving the wait up.

use core::fmt;
use core::task::Waker;
use std::io;

use septet_transport::udp;

use crate::{SystemRef, TcpSocketId};

/// A socket that can be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watched {
    /// A TCP connection, or a listener.
    Tcp(TcpSocketId),
    /// A UDP socket.
    Udp(udp::SocketId),
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Anything that changes what calls find. All who wait for it are woken, as by `poll(2)` and `epoll(7)`.
    Change,
    /// Something to read, or a connection to accept. Who waits for it stands in line: as Linux has it with
    /// `prepare_to_wait_exclusive()`, what comes wakes the first. An error, and the end of the socket, wake all.
    Read,
    /// Room to write; in line as well.
    Write,
    /// Anything that changes what calls find, each time, until the place is given up: what an epoll instance hears of a socket.
    Always,
}

/// A place among those who wait for a socket, which is woken once, or always where that is the wish, and given up where this is
/// dropped.
///
/// Who was woken, and lets go of the place while the socket is still ready, wakes the next in line: be it that there was more
/// than one took, or that it took nothing. So nobody waits while there is something to take.
pub struct Watch {
    system: SystemRef,
    socket: Watched,
    wish: Wish,
    number: u64,
}

impl Watch {
    /// Waits: `waker` is woken when it is worth to call again, or when the socket is closed.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn begin(system: &SystemRef, socket: Watched, wish: Wish, waker: &Waker) -> io::Result<Self> {
        let number = system.watch(socket, wish, waker)?;
        Ok(Self { system: system.clone(), socket, wish, number })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.system.unwatch(self.socket, self.wish, self.number);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { system: _, socket, wish, number } = self;
        f.debug_tuple("Watch").field(socket).field(wish).field(number).finish()
    }
}
