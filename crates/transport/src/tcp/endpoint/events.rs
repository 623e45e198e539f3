//! Readiness, pulled.

use super::{Endpoint, Entry, SocketId};
use crate::tcp::{Error, Readiness};

impl Endpoint {
    /// A socket whose readiness has changed, and what it is ready for now.
    pub fn poll_event(&mut self) -> Option<(SocketId, Readiness)> {
        while let Some(id) = self.events.pop_front() {
            let Ok(index) = self.slots.resolve(id) else { continue };
            match self.slots.entry_mut(index) {
                Entry::Connection(c) => {
                    c.flags.event_queued = false;
                    if !c.flags.orphan {
                        return Some((id, c.readiness()));
                    }
                }
                Entry::Listener(l) => {
                    l.event_queued = false;
                    return Some((id, l.readiness()));
                }
                _ => {}
            }
        }
        None
    }

    /// Whether a write would find room. Where it would not, an event tells when it does: as Linux's `tcp_poll()`, who asks is
    /// a writer that found none (`SOCK_NOSPACE`).
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn ask_space(&mut self, id: SocketId) -> Result<bool, Error> {
        let ready = self.readiness(id)?.is_writable();
        let index = self.slots.resolve(id)?;
        if let (false, Entry::Connection(c)) = (ready, self.slots.entry_mut(index)) {
            c.flags.no_space = true;
        }
        Ok(ready)
    }

    /// What a call on the socket would find now.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn readiness(&self, id: SocketId) -> Result<Readiness, Error> {
        match self.slots.entry(self.slots.resolve(id)?) {
            Entry::Connection(c) => Ok(c.readiness()),
            Entry::Listener(l) => Ok(l.readiness()),
            _ => Err(Error::BadSocket),
        }
    }
}
