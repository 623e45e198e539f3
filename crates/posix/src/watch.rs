//! Who is woken when it is worth to ask a call again that has to wait.

use core::task::Waker;

use crate::socket::Object;
use crate::{Fd, Operation, Process, Request};

/// How deep epoll instances may watch one another, as Linux has it (`EP_MAX_NESTS`).
const NESTS: usize = 4;

impl Process {
    /// Wakes `waker` once, when something has happened for which `operation` may wait. Beside that it may be worth asking at its
    /// [deadline](Operation::deadline).
    pub fn watch(&self, operation: &Operation, waker: &Waker) {
        if let Some(id) = operation.lingers_for() {
            // It is gone when nothing is left to wait for.
            let _ = self.sockets.watch(id, waker);
            return;
        }
        match operation.request() {
            Request::Accept { listener: fd, .. }
            | Request::Connect { fd, .. }
            | Request::Receive { fd, .. }
            | Request::Send { fd, .. }
            | Request::EpollWait { fd, .. } => self.watch_descriptor(*fd, waker, NESTS),
            Request::Poll { entries, .. } => {
                entries.iter().for_each(|entry| self.watch_descriptor(entry.fd, waker, NESTS));
            }
            Request::Close { .. } => {}
        }
    }

    fn watch_descriptor(&self, fd: Fd, waker: &Waker, nests: usize) {
        // A socket that is gone tells so at the next call.
        match self.descriptors.get(&fd).map(|d| &d.object) {
            Some(Object::Tcp(socket)) => drop(socket.id().map(|id| self.sockets.watch(id, waker))),
            Some(Object::Udp(socket)) => drop(socket.id().map(|id| self.sockets.watch_udp(id, waker))),
            Some(Object::Epoll(epoll)) if nests > 0 => {
                epoll.descriptors().for_each(|fd| self.watch_descriptor(fd, waker, nests - 1));
            }
            Some(Object::Epoll(_)) | None => {}
        }
    }
}
