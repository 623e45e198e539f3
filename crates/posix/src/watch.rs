//! Who is woken when it is worth to ask a call again that has to wait.

use core::task::Waker;

use septet_transport::tcp::State;

use crate::socket::{Object, POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT};
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

    /// Whether a call that has to wait would come to an end now, were it asked.
    pub fn is_ready(&self, operation: &Operation) -> bool {
        const ALWAYS: i16 = POLLERR | POLLHUP | POLLNVAL;
        if let Some(id) = operation.lingers_for() {
            return !self.is_closing(id);
        }
        let is_any = |fd: &Fd, events: i16| self.poll_events(*fd) & (events | ALWAYS) != 0;
        match operation.request() {
            Request::Accept { listener: fd, .. } | Request::Receive { fd, .. } => is_any(fd, POLLIN),
            Request::Send { fd, .. } => is_any(fd, POLLOUT),
            Request::Connect { fd, .. } => {
                let id = self.tcp_id(*fd).ok().flatten();
                id.is_none_or(|id| !matches!(self.state(id), State::SynSent | State::SynReceived))
            }
            Request::Poll { entries, .. } => entries.iter().any(|entry| is_any(&entry.fd, entry.events)),
            Request::EpollWait { fd, .. } => match self.object(*fd) {
                Ok(Object::Epoll(epoll)) => self.epoll_is_ready(epoll),
                // It fails.
                _ => true,
            },
            Request::Close { .. } => true,
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
