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

    /// Whether the FIN of a socket that was closed, and all before it, is acknowledged or given up. Where it is not, the socket is
    /// [told](Self::poll_delivered) when it is, whoever has let go of it by then: what `SO_LINGER` waits for.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn ask_delivered(&mut self, id: SocketId) -> Result<bool, Error> {
        let index = self.slots.resolve(id)?;
        let Entry::Connection(c) = self.slots.entry_mut(index) else { return Ok(true) };
        let is_delivering = c.state.is_delivering();
        if is_delivering {
            c.rare().awaited = true;
        }
        Ok(!is_delivering)
    }

    /// A socket that was [asked for](Self::ask_delivered), and of which all has arrived. Its name may be void by now.
    pub fn poll_delivered(&mut self) -> Option<SocketId> {
        self.delivered.pop()
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
