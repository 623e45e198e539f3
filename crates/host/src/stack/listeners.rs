//! Who hears of changes of addresses and interfaces.

use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::io;

use septet_network::ip::Change;

use super::errors::switched_off;
use super::slots::{SlotId, Slots};
use super::wakers::Wakers;

/// Changes that wait for one listener; the oldest go.
const QUEUE: usize = 256;

#[derive(Debug, Default)]
struct Listener {
    changes: VecDeque<Change>,
    readers: Wakers,
}

/// All listeners of one host.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Slots<Listener>);

impl Listeners {
    pub(crate) fn open(&mut self) -> SlotId {
        self.0.insert(Listener::default())
    }

    pub(crate) fn close(&mut self, id: SlotId) {
        self.0.remove(id);
    }

    /// Closes all.
    pub(crate) fn wipe(&mut self) {
        self.0.iter_mut().for_each(|listener| listener.readers.wake());
        self.0.clear();
    }

    pub(crate) fn tell(&mut self, change: Change) {
        for listener in self.0.iter_mut() {
            if listener.changes.len() >= QUEUE {
                listener.changes.pop_front();
            }
            listener.changes.push_back(change);
            listener.readers.wake();
        }
    }

    pub(crate) fn poll_next(&mut self, cx: &Context<'_>, id: SlotId) -> Poll<io::Result<Change>> {
        let Some(listener) = self.0.get_mut(id) else { return Poll::Ready(Err(switched_off())) };
        match listener.changes.pop_front() {
            Some(change) => Poll::Ready(Ok(change)),
            None => {
                listener.readers.register(cx);
                Poll::Pending
            }
        }
    }
}
