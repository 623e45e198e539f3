//! Who waits for a socket by its number: in line for what only one can take, or beside the line for any change.

use core::task::Waker;
use std::collections::{BTreeMap, BTreeSet};

use septet_socket::Wish;

/// Who waits for one socket. It takes no room to speak of until somebody does.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Option<Box<Places>>);

#[derive(Debug, Default)]
struct Places {
    /// Woken by any change, once.
    all: BTreeMap<u64, Waker>,
    /// Woken by every change.
    always: BTreeMap<u64, Waker>,
    readers: Line,
    writers: Line,
}

/// Those of whom one is woken at a time.
///
/// Wherever there is something to take and somebody waits, one at least was called and has not answered yet: what comes calls
/// the first, and the last of those called who answers while there is more calls the next.
#[derive(Debug, Default)]
struct Line {
    waits: BTreeMap<u64, Waker>,
    /// Woken, and still to answer.
    called: BTreeSet<u64>,
}

impl Watchers {
    /// Takes a place under a number, which no other of the host's has, and none that came earlier exceeds.
    pub(crate) fn enter(&mut self, number: u64, wish: Wish, waker: &Waker) {
        let places = self.0.get_or_insert_default();
        let waits = match wish {
            Wish::Change => &mut places.all,
            Wish::Always => &mut places.always,
            Wish::Read => &mut places.readers.waits,
            Wish::Write => &mut places.writers.waits,
        };
        waits.insert(number, waker.clone());
    }

    /// Gives a place up. Where it was called, and nobody else is, `is_ready` says whether the next is to be.
    pub(crate) fn leave(&mut self, number: u64, wish: Wish, is_ready: impl FnOnce() -> bool) {
        let Some(places) = &mut self.0 else { return };
        let line = match wish {
            Wish::Change => {
                places.all.remove(&number);
                return;
            }
            Wish::Always => {
                places.always.remove(&number);
                return;
            }
            Wish::Read => &mut places.readers,
            Wish::Write => &mut places.writers,
        };
        line.waits.remove(&number);
        if line.called.remove(&number) && line.called.is_empty() && !line.waits.is_empty() && is_ready() {
            line.call();
        }
    }

    /// Something has changed, whatever it is.
    pub(crate) fn tell(&mut self) {
        if let Some(places) = &mut self.0 {
            places.tell_all();
        }
    }

    /// There is something to read: the first reader is called.
    pub(crate) fn call_reader(&mut self) {
        if let Some(places) = &mut self.0 {
            places.readers.call();
        }
    }

    /// There is room to write: the first writer is called.
    pub(crate) fn call_writer(&mut self) {
        if let Some(places) = &mut self.0 {
            places.writers.call();
        }
    }

    /// Something has befallen the socket that concerns all, or it is gone.
    pub(crate) fn wake(&mut self) {
        let Some(places) = &mut self.0 else { return };
        places.tell_all();
        for line in [&mut places.readers, &mut places.writers] {
            while line.call() {}
        }
    }
}

impl Places {
    fn tell_all(&mut self) {
        core::mem::take(&mut self.all).into_values().for_each(Waker::wake);
        self.always.values().for_each(Waker::wake_by_ref);
    }
}

impl Line {
    /// Wakes the first; whether there was one.
    fn call(&mut self) -> bool {
        let Some((number, waker)) = self.waits.pop_first() else { return false };
        self.called.insert(number);
        waker.wake();
        true
    }
}
