//! What to do when accept(2) fails: a server outlives every connection that it cannot take.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::fs::File;
use std::io;

/// The pause after a connection that could not be taken, so that a crowd that comes again and again leaves time for
/// the lab.
pub(crate) const PAUSE: Duration = Duration::from_millis(1);

/// Why a connection could not be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// That one has failed; the next one may be fine.
    Connection,
    /// Descriptors or memory have run out.
    Exhausted,
    /// The listener is broken.
    Listener,
}

impl Trouble {
    pub(crate) fn of(error: &io::Error) -> Self {
        /// Of every Unix: `EBADF`, `EFAULT`, `EINVAL`, `ENFILE`, `EMFILE`; `ENOTSOCK` of Linux and of the BSDs, and
        /// `ENOBUFS` of the same.
        const BROKEN: [i32; 5] = [9, 14, 22, 88, 38];
        const EXHAUSTED: [i32; 4] = [23, 24, 105, 55];
        match error.raw_os_error() {
            _ if error.kind() == io::ErrorKind::OutOfMemory => Self::Exhausted,
            Some(code) if EXHAUSTED.contains(&code) => Self::Exhausted,
            Some(code) if BROKEN.contains(&code) => Self::Listener,
            // accept(2): "Linux accept() […] passes already-pending network errors on the new socket as an error code
            // from accept()"; they concern that connection alone.
            _ => Self::Connection,
        }
    }
}

/// Descriptors held back for the time when there are no others.
#[derive(Debug)]
pub(crate) struct Spares {
    held: Vec<File>,
    wanted: usize,
}

impl Spares {
    /// Holds `wanted` back, or as many as there are.
    pub(crate) fn new(wanted: usize) -> Self {
        let mut this = Self { held: Vec::with_capacity(wanted), wanted };
        this.take_back();
        this
    }

    /// Gives one up for a connection that waits; nothing where none is held or no connection waits.
    pub(crate) fn spend<T>(&mut self, accept: impl Future<Output = io::Result<T>>) -> Option<T> {
        drop(self.held.pop()?);
        // One look: the connection may have gone meanwhile.
        match pin!(accept).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(taken)) => Some(taken),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    /// Holds back again what was given up, as far as there is any.
    pub(crate) fn take_back(&mut self) {
        while self.held.len() < self.wanted {
            match File::open("/dev/null") {
                Ok(file) => self.held.push(file),
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_listener_ends_a_server() {
        for (code, trouble) in [
            (24, Trouble::Exhausted),
            (23, Trouble::Exhausted),
            (12, Trouble::Exhausted),
            (103, Trouble::Connection),
            (113, Trouble::Connection),
            (1, Trouble::Connection),
            (9, Trouble::Listener),
        ] {
            assert_eq!(Trouble::of(&io::Error::from_raw_os_error(code)), trouble, "{code}");
        }
    }

    #[test]
    fn what_is_held_back_is_given_up_once() {
        let mut spares = Spares::new(1);
        assert_eq!(spares.spend(async { Ok(7) }), Some(7));
        assert_eq!(spares.spend(async { Ok(7) }), None, "nothing is held any more");
        spares.take_back();
        assert_eq!(spares.spend(core::future::pending::<io::Result<()>>()), None);
    }
}
