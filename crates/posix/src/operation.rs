//! Calls that may wait: each is begun once and asked again whenever something has happened.

use core::time::Duration;
use std::io::ErrorKind;
use std::net::SocketAddr;

use septet_core::Instant;
use septet_socket::TcpSocketId;
use septet_transport::tcp::{Follows, State};

use crate::bell::Wait;
use crate::epoll::EpollEvent;
use crate::socket::{Object, Stage, canonical, mapped};
use crate::udp::Peeks;
use crate::{Errno, Fd, Process};

pub(crate) const MSG_PEEK: i32 = 0x2;
const MSG_DONTWAIT: i32 = 0x40;
const MSG_EOR: i32 = 0x80;
const MSG_WAITALL: i32 = 0x100;
const MSG_ERRQUEUE: i32 = 0x2000;
const MSG_MORE: i32 = 0x8000;

/// A call that may wait.
#[derive(Clone, Debug)]
pub enum Request {
    /// `accept(2)`
    Accept {
        /// Who listens.
        listener: Fd,
        /// The number of the new descriptor; the lowest that is free by then, where the caller does not choose.
        fd: Option<Fd>,
    },
    /// `connect(2)`; `None` for `AF_UNSPEC`.
    Connect {
        /// Which socket.
        fd: Fd,
        /// To where.
        to: Option<SocketAddr>,
    },
    /// `recv(2)`, with at most `max` octets.
    Receive {
        /// Which socket.
        fd: Fd,
        /// How many octets at most.
        max: usize,
        /// `MSG_…`
        flags: i32,
    },
    /// `sendto(2)`
    Send {
        /// Which socket.
        fd: Fd,
        /// What to send.
        data: Vec<u8>,
        /// `MSG_…`
        flags: i32,
        /// To where, for a datagram.
        to: Option<SocketAddr>,
    },
    /// `poll(2)`; no time limit where there is none.
    Poll {
        /// What is asked.
        entries: Vec<PollEntry>,
        /// How long to wait.
        timeout: Option<Duration>,
    },
    /// `epoll_wait(2)`
    EpollWait {
        /// Which epoll instance.
        fd: Fd,
        /// How many events at most.
        max: usize,
        /// How long to wait.
        timeout: Option<Duration>,
    },
    /// `close(2)`, which lingers where `SO_LINGER` says so.
    Close {
        /// Which descriptor.
        fd: Fd,
    },
}

/// `struct pollfd`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PollEntry {
    /// Which descriptor.
    pub fd: Fd,
    /// What is waited for.
    pub events: i16,
    /// What is there.
    pub revents: i16,
}

/// What a call gives back.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A number.
    Number(i64),
    /// A connection was accepted.
    Accepted {
        /// Its descriptor.
        fd: Fd,
        /// Its far end.
        peer: SocketAddr,
    },
    /// Octets were received.
    Data {
        /// They.
        data: Vec<u8>,
        /// Whether they are still there to be received.
        peeked: bool,
        /// Who sent them, where they are a datagram.
        from: Option<SocketAddr>,
    },
    /// What `poll` found.
    Ready(Vec<PollEntry>),
    /// What `epoll_wait` found.
    Events(Vec<EpollEvent>),
}

/// A call under way.
#[derive(Debug)]
pub struct Operation {
    request: Request,
    deadline: Option<Instant>,
    /// Whether it has been asked before.
    begun: bool,
    /// Octets sent or received so far.
    done: usize,
    received: Vec<u8>,
    /// The sender found no room and waits until there is enough.
    waits_for_room: bool,
    /// The connection that a lingering close waits for.
    lingering: Option<TcpSocketId>,
    /// By what it is woken.
    pub(crate) watches: Vec<Wait>,
}

impl Operation {
    /// A call that begins now; ask it with [`poll`](Self::poll).
    pub fn start(process: &mut Process, request: Request) -> Self {
        let timeout = match &request {
            Request::Poll { timeout, .. } | Request::EpollWait { timeout, .. } => *timeout,
            Request::Receive { fd, .. } | Request::Accept { listener: fd, .. } => {
                process.descriptors.get(fd).and_then(|d| d.receive_timeout)
            }
            Request::Send { fd, .. } | Request::Connect { fd, .. } => {
                process.descriptors.get(fd).and_then(|d| d.send_timeout)
            }
            Request::Close { .. } => None,
        };
        let deadline = timeout.map(|t| process.now() + t);
        let (received, watches) = (Vec::new(), Vec::new());
        let (begun, done, waits_for_room, lingering) = (false, 0, false, None);
        Self { request, deadline, begun, done, received, waits_for_room, lingering, watches }
    }

    /// What was asked.
    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    /// The connection that it has let go of and waits for.
    pub(crate) fn lingers_for(&self) -> Option<TcpSocketId> {
        self.lingering
    }

    /// When it gives up.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Goes on as far as it can; `None` while it has to wait.
    pub fn poll(&mut self, process: &mut Process) -> Option<Result<Reply, Errno>> {
        let result = match self.request {
            Request::Accept { listener, fd } => self.accept(process, listener, fd),
            Request::Connect { fd, to } => self.connect(process, fd, to),
            Request::Receive { fd, max, flags } => self.receive(process, fd, max, flags),
            Request::Send { fd, flags, to, .. } => self.send(process, fd, flags, to),
            Request::Poll { ref entries, .. } => self.poll_entries(process, entries.clone()),
            Request::EpollWait { fd, max, .. } => self.epoll_wait(process, fd, max),
            Request::Close { fd } => self.close(process, fd),
        };
        self.begun = true;
        if result.is_some() {
            // It has taken what it took: where there is more, the next in line is woken.
            self.watches.clear();
        }
        result
    }

    fn expired(&self, process: &Process) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= process.now())
    }

    /// `EAGAIN` where the caller does not wait or has waited long enough.
    fn wait(&self, process: &Process, fd: Fd, flags: i32) -> Option<Result<Reply, Errno>> {
        let waits = process.is_blocking(fd) && flags & MSG_DONTWAIT == 0 && !self.expired(process);
        if waits { None } else { Some(Err(Errno::EAGAIN)) }
    }

    fn accept(&self, process: &mut Process, listener: Fd, fd: Option<Fd>) -> Option<Result<Reply, Errno>> {
        let id = match process.tcp_socket(listener).map(|s| s.stage) {
            Ok(Stage::Listening(id)) => id,
            Ok(_) => return Some(Err(Errno::EINVAL)),
            Err(errno) => return Some(Err(errno)),
        };
        match process.sockets.accept(id) {
            Ok((id, peer)) => {
                let family = process.tcp_socket(listener).map_or(0, |s| s.family);
                let fd = fd.unwrap_or_else(|| process.free_fd());
                let adopted = process.adopt(listener, fd, id);
                Some(adopted.map(|()| Reply::Accepted { fd, peer: mapped(peer, family) }))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(process, listener, 0),
            Err(error) => Some(Err(error.into())),
        }
    }

    fn connect(&mut self, process: &mut Process, fd: Fd, to: Option<SocketAddr>) -> Option<Result<Reply, Errno>> {
        let done = Some(Ok(Reply::Number(0)));
        let to = to.map(canonical);
        match process.object_mut(fd) {
            Ok(Object::Tcp(_)) => {}
            Ok(Object::Udp(_)) => return Some(process.connect_udp(fd, to).map(|()| Reply::Number(0))),
            Ok(Object::Epoll(_)) => return Some(Err(Errno::EOPNOTSUPP)),
            Err(errno) => return Some(Err(errno)),
        }
        let Some(to) = to else { return Some(process.disconnect(fd).map(|()| Reply::Number(0))) };
        let stage = match process.tcp_socket(fd) {
            Ok(socket) => socket.stage,
            Err(errno) => return Some(Err(errno)),
        };
        let id = match stage {
            // It was shut while this waited: `tcp_disconnect()` leaves a socket in SYN-SENT "ECONNRESET".
            Stage::New if self.begun => return Some(Err(Errno::ECONNRESET)),
            Stage::New => match process.open(fd, to) {
                Ok(id) => id,
                Err(errno) => return Some(Err(errno)),
            },
            Stage::Connecting(id) if self.begun => id,
            Stage::Connecting(id) if matches!(process.state(id), State::SynSent | State::SynReceived) => {
                return Some(Err(Errno::EALREADY));
            }
            Stage::Connecting(id) => id,
            Stage::Connected(_) => return Some(Err(Errno::EISCONN)),
            Stage::Listening(_) => return Some(Err(Errno::EISCONN)),
        };
        match process.state(id) {
            State::SynSent | State::SynReceived => {
                if process.is_blocking(fd) && !self.expired(process) {
                    None
                } else {
                    Some(Err(Errno::EINPROGRESS))
                }
            }
            _ => match process.sockets.take_error(id).ok().flatten() {
                Some(error) => {
                    // The socket may connect again.
                    process.forget_connection(fd);
                    Some(Err(error.into()))
                }
                None => {
                    if let Ok(socket) = process.tcp_socket(fd) {
                        socket.stage = Stage::Connected(id);
                    }
                    done
                }
            },
        }
    }

    fn receive(&mut self, process: &mut Process, fd: Fd, max: usize, flags: i32) -> Option<Result<Reply, Errno>> {
        let peeked = flags & MSG_PEEK != 0;
        if process.is_datagram(fd) {
            let peeks = if peeked { Peeks::Yes } else { Peeks::No };
            return match process.receive_from_udp(fd, max, peeks) {
                Some(result) => Some(result.map(|(data, from)| Reply::Data { data, peeked, from: Some(from) })),
                None => self.wait(process, fd, flags),
            };
        }
        let id = match process.tcp_id(fd) {
            Ok(Some(id)) => id,
            Ok(None) => return Some(Err(Errno::ENOTCONN)),
            Err(errno) => return Some(Err(errno)),
        };
        if flags & MSG_ERRQUEUE != 0 {
            return Some(Err(Errno::EAGAIN));
        }
        let wanted = max - self.received.len();
        let mut buffer = vec![0; wanted];
        let read = if peeked { process.sockets.peek(id, &mut buffer) } else { process.sockets.read(id, &mut buffer) };
        match read {
            Ok(0) => {}
            Ok(len) => {
                self.received.extend(&buffer[..len]);
                let all = flags & MSG_WAITALL != 0 && !peeked && self.received.len() < max;
                if all && self.wait(process, fd, flags).is_none() {
                    return None;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let gives_up = self.wait(process, fd, flags);
                if self.received.is_empty() {
                    return gives_up;
                }
                gives_up.map(drop)?;
            }
            Err(error) if self.received.is_empty() => return Some(Err(error.into())),
            Err(_) => {}
        }
        Some(Ok(Reply::Data { data: core::mem::take(&mut self.received), peeked, from: None }))
    }

    fn send(
        &mut self,
        process: &mut Process,
        fd: Fd,
        flags: i32,
        to: Option<SocketAddr>,
    ) -> Option<Result<Reply, Errno>> {
        let Request::Send { data, .. } = &self.request else { return Some(Err(Errno::EINVAL)) };
        if process.is_datagram(fd) {
            return match process.send_udp(fd, data, to.map(canonical)) {
                Err(Errno::EAGAIN) => self.wait(process, fd, flags),
                sent => Some(sent.map(|n| Reply::Number(n as i64))),
            };
        }
        let id = match process.tcp_id(fd) {
            Ok(Some(id)) => id,
            // Linux: writing to a socket that never was connected is writing to a broken pipe.
            Ok(None) => return Some(Err(Errno::EPIPE)),
            Err(errno) => return Some(Err(errno)),
        };
        if self.waits_for_room && !process.sockets.readiness(id).is_ok_and(|r| r.is_writable()) {
            return self.no_room(process, fd, flags);
        }
        let how = match flags {
            _ if flags & MSG_MORE != 0 => Follows::More,
            _ if flags & MSG_EOR != 0 => Follows::Record,
            _ => Follows::Nothing,
        };
        match process.sockets.write(id, &data[self.done..], how) {
            Ok(written) => {
                self.done += written;
                if self.done == data.len() {
                    return Some(Ok(Reply::Number(self.done as i64)));
                }
                self.waits_for_room = true;
                self.no_room(process, fd, flags)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.waits_for_room = true;
                self.no_room(process, fd, flags)
            }
            Err(_) if self.done > 0 => Some(Ok(Reply::Number(self.done as i64))),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// The rest has to wait; what is done is reported where the caller does not.
    fn no_room(&self, process: &Process, fd: Fd, flags: i32) -> Option<Result<Reply, Errno>> {
        match self.wait(process, fd, flags) {
            Some(_) if self.done > 0 => Some(Ok(Reply::Number(self.done as i64))),
            other => other,
        }
    }

    fn poll_entries(&self, process: &mut Process, mut entries: Vec<PollEntry>) -> Option<Result<Reply, Errno>> {
        for entry in &mut entries {
            // Errors and hang-ups are reported whether asked for or not.
            let always = crate::socket::POLLERR | crate::socket::POLLHUP | crate::socket::POLLNVAL;
            entry.revents = process.poll_events(entry.fd) & (entry.events | always);
        }
        let ready = entries.iter().any(|e| e.revents != 0);
        if ready || self.expired(process) { Some(Ok(Reply::Ready(entries))) } else { None }
    }

    fn epoll_wait(&mut self, process: &mut Process, fd: Fd, max: usize) -> Option<Result<Reply, Errno>> {
        // epoll_wait(2): "maxevents is less than or equal to zero". It would never find what it is woken for.
        if max == 0 {
            return Some(Err(Errno::EINVAL));
        }
        let events = match process.epoll_collect(fd, max) {
            Ok(events) => events,
            Err(errno) => return Some(Err(errno)),
        };
        if events.is_empty() {
            self.watches.retain(|wait| !wait.is_over());
            return self.expired(process).then_some(Ok(Reply::Events(events)));
        }
        // ep_done_scan(): "if (!list_empty(&ep->rdllist)) … wake_up(&ep->wq)". Who was called itself hands on as it leaves.
        if !self.watches.iter().any(Wait::is_called) {
            process.call_next(fd);
        }
        Some(Ok(Reply::Events(events)))
    }

    fn close(&mut self, process: &mut Process, fd: Fd) -> Option<Result<Reply, Errno>> {
        let done = Some(Ok(Reply::Number(0)));
        let Some(id) = self.lingering else {
            let linger = process.lingers(fd);
            let blocking = process.is_blocking(fd);
            let id = match process.release(fd) {
                Ok(id) => id,
                Err(errno) => return Some(Err(errno)),
            };
            // With SO_LINGER the caller waits until all is acknowledged, the FIN too, or the time is over.
            let (Some(span), true, Some(id)) = (linger, blocking, id) else { return done };
            self.deadline = Some(process.now() + span);
            self.lingering = Some(id);
            return if process.is_closing(id) { None } else { done };
        };
        if process.is_closing(id) && !self.expired(process) { None } else { done }
    }
}
