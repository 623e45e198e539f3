//! Sockets as the kernel's callers know them: descriptors, and the calls that never block.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use septet_socket::TcpSocketId;
use septet_transport::tcp::{self, Linger, Options, Readiness, State};

use crate::epoll::Epoll;
use crate::udp::UdpSocket;
use crate::{Errno, FIRST_FD, Fd, Process};

pub(crate) const AF_INET: i32 = 2;
pub(crate) const AF_INET6: i32 = 10;
const SOCK_STREAM: i32 = 1;
const SOCK_DGRAM: i32 = 2;
pub(crate) const O_NONBLOCK: i32 = 0o4000;
const O_RDWR: i32 = 2;
const SOL_SOCKET: i32 = 1;
const SO_REUSEADDR: i32 = 2;
const F_GETFL: i32 = 3;
const F_SETFL: i32 = 4;
const SIOCINQ: u64 = 0x541b;
const SIOCOUTQ: u64 = 0x5411;
const SIOCOUTQNSD: u64 = 0x894b;

pub(crate) const POLLIN: i16 = 0x001;
pub(crate) const POLLOUT: i16 = 0x004;
pub(crate) const POLLERR: i16 = 0x008;
pub(crate) const POLLHUP: i16 = 0x010;
pub(crate) const POLLNVAL: i16 = 0x020;
pub(crate) const POLLRDHUP: i16 = 0x2000;
const POLLRDNORM: i16 = 0x040;
const POLLWRNORM: i16 = 0x100;

/// What a descriptor is for.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// `O_NONBLOCK` is set.
    pub(crate) nonblocking: bool,
    /// `SO_RCVTIMEO` and `SO_SNDTIMEO`
    pub(crate) receive_timeout: Option<Duration>,
    pub(crate) send_timeout: Option<Duration>,
    /// The epoll instances that watch it.
    pub(crate) watched_by: Vec<Fd>,
    pub(crate) object: Object,
}

impl Descriptor {
    /// Calls on it wait, however long.
    pub(crate) fn new(object: Object) -> Self {
        Self { nonblocking: false, receive_timeout: None, send_timeout: None, watched_by: Vec::new(), object }
    }
}

#[derive(Debug)]
pub(crate) enum Object {
    Tcp(Box<TcpSocket>),
    Udp(UdpSocket),
    Epoll(Epoll),
}

/// A TCP socket.
#[derive(Debug)]
pub(crate) struct TcpSocket {
    pub(crate) family: i32,
    pub(crate) bound: Option<SocketAddr>,
    pub(crate) stage: Stage,
    /// What was set before there was a connection.
    pub(crate) options: Options,
    /// Options that only read back what was set.
    pub(crate) kept: std::collections::BTreeMap<(i32, i32), i32>,
}

/// How far a TCP socket is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Neither connected nor listening.
    New,
    /// Listening.
    Listening(TcpSocketId),
    /// A connect is under way or has succeeded, and no call has told the caller so.
    Connecting(TcpSocketId),
    /// Connected, or it was.
    Connected(TcpSocketId),
}

impl TcpSocket {
    fn new(family: i32, options: Options) -> Self {
        Self { family, bound: None, stage: Stage::New, options, kept: std::collections::BTreeMap::new() }
    }

    pub(crate) fn id(&self) -> Option<TcpSocketId> {
        match self.stage {
            Stage::New => None,
            Stage::Listening(id) | Stage::Connecting(id) | Stage::Connected(id) => Some(id),
        }
    }
}

impl Process {
    /// The lowest descriptor that is free: what `socket` would return.
    pub fn free_fd(&self) -> Fd {
        let taken = |fd: &Fd| self.descriptors.contains_key(fd);
        let free = (self.least_free.get()..).find(|fd| !taken(fd)).expect("descriptors are few");
        self.least_free.set(free);
        free
    }

    /// `socket(2)`, which gives the new descriptor the number `fd`.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`, `EPROTONOSUPPORT`.
    pub fn socket(&mut self, fd: Fd, family: i32, kind: i32, protocol: i32) -> Result<(), Errno> {
        if family != AF_INET && family != AF_INET6 {
            return Err(Errno::EAFNOSUPPORT);
        }
        let nonblocking = kind & O_NONBLOCK != 0;
        let object = match (kind & 0xf, protocol) {
            (SOCK_STREAM, 0 | 6) => Object::Tcp(Box::new(TcpSocket::new(family, self.sockets.defaults()))),
            (SOCK_DGRAM, 0 | 17) => Object::Udp(UdpSocket::new(family)),
            _ => return Err(Errno::EPROTONOSUPPORT),
        };
        self.descriptors.insert(fd, Descriptor { nonblocking, ..Descriptor::new(object) });
        Ok(())
    }

    /// `bind(2)`
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` where it is bound already, `EADDRNOTAVAIL` where the address is not the host's, `EADDRINUSE` where
    /// something of this port is not quite over and `SO_REUSEADDR` is not set.
    pub fn bind(&mut self, fd: Fd, address: SocketAddr) -> Result<(), Errno> {
        let address = canonical(address);
        let is_own = address.ip().is_unspecified() || self.sockets.is_local(address.ip());
        match self.object_mut(fd)? {
            Object::Tcp(socket) if socket.bound.is_none() && socket.stage == Stage::New => {
                if !is_own {
                    return Err(Errno::EADDRNOTAVAIL);
                }
                let reuses = socket.kept.get(&(SOL_SOCKET, SO_REUSEADDR)).is_some_and(|value| *value != 0);
                if address.port() != 0 && !reuses && self.sockets.is_bound(address) {
                    return Err(Errno::EADDRINUSE);
                }
                self.tcp_socket(fd)?.bound = Some(address);
                Ok(())
            }
            Object::Udp(_) => self.bind_udp(fd, address),
            _ => Err(Errno::EINVAL),
        }
    }

    /// `listen(2)`
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` where it is connected, `EADDRINUSE`.
    pub fn listen(&mut self, fd: Fd, backlog: i32) -> Result<(), Errno> {
        let unspecified = if self.tcp_socket(fd)?.family == AF_INET { [0; 4].into() } else { IpAddr::from([0u16; 8]) };
        let socket = self.tcp_socket(fd)?;
        match socket.stage {
            Stage::New => {
                let at = socket.bound.unwrap_or(SocketAddr::new(unspecified, 0));
                let options = socket.options.clone();
                let id = self.sockets.listen(at, backlog.max(0) as usize, &options)?;
                self.become_stage(fd, Stage::Listening(id))
            }
            Stage::Listening(_) => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// `shutdown(2)`: 0, 1 and 2 for reading, writing and both.
    ///
    /// As Linux's `inet_shutdown()` has it, a listener that is shut for reading listens no more, and a connect that is under way
    /// is given up: the socket is as it was before, and who waits in `accept` or `connect` hears `EINVAL` or `ECONNRESET`.
    ///
    /// # Errors
    /// `EBADF`, `EINVAL`, `ENOTCONN`.
    pub fn shutdown(&mut self, fd: Fd, how: i32) -> Result<(), Errno> {
        let how = match how {
            0 => tcp::Shutdown::Read,
            1 => tcp::Shutdown::Write,
            2 => tcp::Shutdown::Both,
            _ => return Err(Errno::EINVAL),
        };
        let id = self.tcp_id(fd)?.ok_or(Errno::ENOTCONN)?;
        let stage = self.tcp_socket(fd)?.stage;
        match stage {
            // "if (!(how & RCV_SHUTDOWN)) break;"
            Stage::Listening(_) if how == tcp::Shutdown::Write => Ok(()),
            Stage::Listening(_) => {
                self.sockets.close(id);
                self.become_stage(fd, Stage::New)
            }
            Stage::Connecting(id) if self.state(id) == State::SynSent => self.disconnect(fd),
            _ => Ok(self.sockets.shutdown(id, how)?),
        }
    }

    /// `fcntl(2)` with `F_GETFL` and `F_SETFL`.
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` for other commands.
    pub fn fcntl(&mut self, fd: Fd, command: i32, value: i32) -> Result<i32, Errno> {
        let descriptor = self.descriptors.get_mut(&fd).ok_or(Errno::EBADF)?;
        match command {
            F_GETFL => Ok(O_RDWR | if descriptor.nonblocking { O_NONBLOCK } else { 0 }),
            F_SETFL => {
                descriptor.nonblocking = value & O_NONBLOCK != 0;
                Ok(0)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// `ioctl(2)` with `SIOCINQ`, `SIOCOUTQ` and `SIOCOUTQNSD`: the number that it writes.
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` for other requests and for a listener.
    pub fn ioctl(&mut self, fd: Fd, request: u64) -> Result<i32, Errno> {
        let Some(id) = self.tcp_id(fd)? else { return Ok(0) };
        if matches!(self.tcp_socket(fd)?.stage, Stage::Listening(_)) {
            return Err(Errno::EINVAL);
        }
        let info = self.sockets.info(id)?;
        match request {
            SIOCINQ => Ok(info.receive_queue as i32),
            SIOCOUTQ => Ok(info.send_queue as i32),
            SIOCOUTQNSD => Ok(info.tcpi_notsent_bytes as i32),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Lets go of a descriptor: what `close(2)` does before it may linger.
    pub(crate) fn release(&mut self, fd: Fd) -> Result<Option<TcpSocketId>, Errno> {
        let descriptor = self.descriptors.remove(&fd).ok_or(Errno::EBADF)?;
        self.least_free.set(self.least_free.get().min(fd.max(FIRST_FD)));
        self.forget_in_epolls(fd, &descriptor);
        let id = match descriptor.object {
            Object::Tcp(socket) => socket.id(),
            Object::Udp(socket) => {
                self.close_udp(&socket);
                None
            }
            Object::Epoll(_) => None,
        };
        if let Some(id) = id {
            self.sockets.close(id);
        }
        Ok(id)
    }

    /// The near end, as `getsockname(2)` gives it.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn local_addr(&mut self, fd: Fd) -> Result<SocketAddr, Errno> {
        if self.is_datagram(fd) {
            return self.udp_addr(fd);
        }
        let socket = self.tcp_socket(fd)?;
        let (family, bound) = (socket.family, socket.bound);
        let unspecified = if family == AF_INET { [0; 4].into() } else { IpAddr::from([0u16; 8]) };
        let id = socket.id();
        let known = id.and_then(|id| self.sockets.local_addr(id).ok());
        Ok(mapped(known.or(bound).unwrap_or(SocketAddr::new(unspecified, 0)), family))
    }

    /// The far end, as `getpeername(2)` gives it.
    ///
    /// # Errors
    /// `EBADF`, `ENOTCONN`.
    pub fn peer_addr(&mut self, fd: Fd) -> Result<SocketAddr, Errno> {
        if let Object::Udp(socket) = &self.descriptors.get(&fd).ok_or(Errno::EBADF)?.object {
            return self.udp_peer(socket);
        }
        let family = self.tcp_socket(fd)?.family;
        let id = self.tcp_id(fd)?.ok_or(Errno::ENOTCONN)?;
        Ok(mapped(self.sockets.peer_addr(id)?, family))
    }

    /// The local port of a socket, zero where it has none yet.
    pub fn local_port(&mut self, fd: Fd) -> u16 {
        self.local_addr(fd).map_or(0, |a| a.port())
    }

    /// Whether it is a datagram socket.
    pub fn is_datagram(&self, fd: Fd) -> bool {
        matches!(self.descriptors.get(&fd), Some(Descriptor { object: Object::Udp(_), .. }))
    }

    /// Whether calls on it wait.
    pub fn is_blocking(&self, fd: Fd) -> bool {
        self.descriptors.get(&fd).is_some_and(|d| !d.nonblocking)
    }

    /// What `poll(2)` would report of `fd`, of all events.
    pub(crate) fn poll_events(&self, fd: Fd) -> i16 {
        match self.descriptors.get(&fd).map(|d| &d.object) {
            None => POLLNVAL,
            Some(Object::Udp(socket)) => self.udp_events(socket),
            Some(Object::Epoll(epoll)) => {
                if self.epoll_is_ready(epoll) {
                    POLLIN
                } else {
                    0
                }
            }
            Some(Object::Tcp(socket)) => match socket.id() {
                // A socket that never was connected hangs up on both sides.
                None => POLLOUT | POLLWRNORM | POLLHUP,
                Some(id) => self.sockets.readiness(id).map_or(POLLNVAL, events_of),
            },
        }
    }

    pub(crate) fn object(&self, fd: Fd) -> Result<&Object, Errno> {
        self.descriptors.get(&fd).map(|d| &d.object).ok_or(Errno::EBADF)
    }

    pub(crate) fn object_mut(&mut self, fd: Fd) -> Result<&mut Object, Errno> {
        self.descriptors.get_mut(&fd).map(|d| &mut d.object).ok_or(Errno::EBADF)
    }

    pub(crate) fn tcp_socket(&mut self, fd: Fd) -> Result<&mut TcpSocket, Errno> {
        match self.object_mut(fd)? {
            Object::Tcp(socket) => Ok(socket),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    pub(crate) fn tcp_id(&self, fd: Fd) -> Result<Option<TcpSocketId>, Errno> {
        match self.descriptors.get(&fd).map(|d| &d.object) {
            Some(Object::Tcp(socket)) => Ok(socket.id()),
            Some(_) => Err(Errno::EOPNOTSUPP),
            None => Err(Errno::EBADF),
        }
    }

    pub(crate) fn state(&self, id: TcpSocketId) -> State {
        self.sockets.state(id).unwrap_or(State::Closed)
    }

    /// Begins to connect.
    pub(crate) fn open(&mut self, fd: Fd, to: SocketAddr) -> Result<TcpSocketId, Errno> {
        let socket = self.tcp_socket(fd)?;
        let (bound, options) = (socket.bound, socket.options.clone());
        let id = self.sockets.connect(bound, to, &options)?;
        self.become_stage(fd, Stage::Connecting(id))?;
        Ok(id)
    }

    /// `connect(2)` with `AF_UNSPEC`: the socket is as new, its connection is reset.
    pub(crate) fn disconnect(&mut self, fd: Fd) -> Result<(), Errno> {
        if let Some(id) = self.tcp_id(fd)? {
            let _ = self.sockets.abort(id);
            self.become_stage(fd, Stage::New)?;
        }
        Ok(())
    }

    /// The descriptor stands for another socket of the host's, or for none, from now on.
    fn become_stage(&mut self, fd: Fd, stage: Stage) -> Result<(), Errno> {
        self.tcp_socket(fd)?.stage = stage;
        self.follow_in_epolls(fd);
        Ok(())
    }

    /// The connection failed before it was one: the socket may connect again.
    pub(crate) fn forget_connection(&mut self, fd: Fd) {
        let _ = self.disconnect(fd);
    }

    /// How long a call that closes a socket waits for its data to be acknowledged.
    pub(crate) fn lingers(&mut self, fd: Fd) -> Option<Duration> {
        match self.tcp_socket(fd).ok()?.options.linger {
            Linger::For(span) => Some(span),
            Linger::Background | Linger::Reset => None,
        }
    }

    /// Whether a socket that was let go still has something to send.
    pub(crate) fn is_closing(&self, id: TcpSocketId) -> bool {
        self.sockets.state(id).is_ok_and(State::is_delivering)
    }

    /// How many times the host has told that the socket's readiness changed: what edge-triggered epoll waits for.
    pub(crate) fn wakes(&self, fd: Fd) -> u64 {
        match self.descriptors.get(&fd).map(|d| &d.object) {
            Some(Object::Tcp(socket)) => socket.id().map_or(0, |id| self.sockets.changes(id)),
            Some(Object::Udp(socket)) => socket.id().map_or(0, |id| self.sockets.udp_changes(id)),
            Some(Object::Epoll(epoll)) => epoll.rings(),
            None => 0,
        }
    }

    /// Octets that wait to be read, where `TCP_INQ` asks for them.
    pub fn inq(&mut self, fd: Fd) -> Option<i32> {
        const SOL_TCP: i32 = 6;
        const TCP_INQ: i32 = 36;
        let asked = self.tcp_socket(fd).ok()?.kept.get(&(SOL_TCP, TCP_INQ)).is_some_and(|v| *v != 0);
        let id = self.tcp_id(fd).ok()??;
        // The end of the stream counts as one, as the kernel has it.
        let info = self.sockets.info(id).ok().filter(|_| asked)?;
        let ended = self.sockets.readiness(id).is_ok_and(|r| r.contains(Readiness::READ_CLOSED));
        Some(info.receive_queue as i32 + i32::from(ended && info.receive_queue == 0))
    }

    /// Gives an accepted connection a descriptor of its own.
    pub(crate) fn adopt(&mut self, listener: Fd, fd: Fd, id: TcpSocketId) -> Result<(), Errno> {
        let parent = self.tcp_socket(listener)?;
        let child = TcpSocket {
            family: parent.family,
            bound: None,
            stage: Stage::Connected(id),
            options: parent.options.clone(),
            kept: parent.kept.clone(),
        };
        let object = Object::Tcp(Box::new(child));
        let (receive_timeout, send_timeout) = self
            .descriptors
            .get(&listener)
            .map_or((None, None), |parent| (parent.receive_timeout, parent.send_timeout));
        self.descriptors.insert(fd, Descriptor { receive_timeout, send_timeout, ..Descriptor::new(object) });
        Ok(())
    }
}

fn events_of(readiness: Readiness) -> i16 {
    let mut events = 0;
    for (bit, event) in [
        (Readiness::READABLE, POLLIN | POLLRDNORM),
        (Readiness::WRITABLE, POLLOUT | POLLWRNORM),
        (Readiness::READ_CLOSED, POLLIN | POLLRDNORM | POLLRDHUP),
        (Readiness::HANGUP, POLLHUP),
        (Readiness::ERROR, POLLERR),
    ] {
        if readiness.contains(bit) {
            events |= event;
        }
    }
    events
}

/// An IPv4 address where it is one that is mapped into IPv6.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The address as a socket of `family` shows it.
pub(crate) fn mapped(address: SocketAddr, family: i32) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(four) if family == AF_INET6 => SocketAddr::new(IpAddr::V6(four.to_ipv6_mapped()), address.port()),
        _ => address,
    }
}
