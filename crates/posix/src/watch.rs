//! Who is woken when it is worth to ask a call again that has to wait.

use core::task::Waker;

use septet_socket::{Watch, Watched, Wish};
use septet_transport::tcp::State;

use crate::bell::{Manner, Wait};
use crate::socket::{Object, POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT};
use crate::{Fd, Operation, Process, Request};

impl Process {
    /// Wakes `waker` once, when something has happened for which `operation` may wait; what it waited with before is given up.
    /// Beside that it may be worth asking at its [deadline](Operation::deadline).
    ///
    /// Of those who wait to receive, to accept or to send, or for an epoll instance, one is woken for what one can take. Who is
    /// woken is to ask its operation again, or to drop it: then the next is woken where there is more.
    pub fn watch(&self, operation: &mut Operation, waker: &Waker) {
        let mut watches = core::mem::take(&mut operation.watches);
        if !matches!(operation.request(), Request::EpollWait { .. }) {
            // Given up first: who was woken for nothing stands at the end of the line again.
            watches.clear();
        }
        let mut watch = |fd, wish| self.watch_descriptor(fd, wish, waker, &mut watches);
        match operation.request() {
            Request::Accept { listener: fd, .. } | Request::Receive { fd, .. } => watch(*fd, Wish::Read),
            Request::Send { fd, .. } => watch(*fd, Wish::Write),
            Request::Connect { fd, .. } => watch(*fd, Wish::Change),
            Request::EpollWait { fd, .. } => self.stand_in_line(*fd, waker, &mut watches),
            Request::Poll { entries, .. } => entries.iter().for_each(|entry| watch(entry.fd, Wish::Change)),
            Request::Close { .. } => {
                let left = operation.lingers_for().map(Watched::Tcp);
                // It is gone when nothing is left to wait for.
                let watch = left.and_then(|left| Watch::begin(&self.sockets, left, Wish::Change, waker).ok());
                watches.extend(watch.map(|watch| Wait::Socket { _watch: watch }));
            }
        }
        operation.watches = watches;
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

    /// Lets a call wait for an epoll instance. Who was called for nothing waits on at its place.
    fn stand_in_line(&self, fd: Fd, waker: &Waker, watches: &mut Vec<Wait>) {
        // One that is gone tells so at the next call.
        let Ok(Object::Epoll(epoll)) = self.object(fd) else { return watches.clear() };
        watches.retain(|wait| matches!(wait, Wait::Instance(place) if place.wait_on(epoll.bell(), waker)));
        if watches.is_empty() {
            watches.push(Wait::Instance(epoll.bell().wait(Manner::InLine, waker)));
        }
    }

    /// Of those who wait for an epoll instance, the next is to look.
    pub(crate) fn call_next(&self, fd: Fd) {
        if let Ok(Object::Epoll(epoll)) = self.object(fd) {
            epoll.bell().call();
        }
    }

    fn watch_descriptor(&self, fd: Fd, wish: Wish, waker: &Waker, watches: &mut Vec<Wait>) {
        let socket = match self.descriptors.get(&fd).map(|d| &d.object) {
            Some(Object::Tcp(socket)) => socket.id().map(Watched::Tcp),
            Some(Object::Udp(socket)) => socket.id().map(Watched::Udp),
            Some(Object::Epoll(epoll)) => {
                watches.push(Wait::Instance(epoll.bell().wait(Manner::Once, waker)));
                None
            }
            None => None,
        };
        // A socket that is gone tells so at the next call.
        let watch = socket.and_then(|socket| Watch::begin(&self.sockets, socket, wish, waker).ok());
        watches.extend(watch.map(|watch| Wait::Socket { _watch: watch }));
    }
}
