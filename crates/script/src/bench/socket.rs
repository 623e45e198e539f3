//! Sockets as the kernel's callers know them: descriptors, and the calls that never block.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use septet_core::Frame;
use septet_transport::tcp::{self, Follows, Keepalive, Options, Readiness, SocketId, State};

use super::epoll::Epoll;
use super::udp::UdpSocket;
use super::{Bench, Errno, Fd};

pub(super) const AF_INET: i32 = 2;
pub(super) const AF_INET6: i32 = 10;
const SOCK_STREAM: i32 = 1;
const SOCK_DGRAM: i32 = 2;
pub(super) const O_NONBLOCK: i32 = 0o4000;
const O_RDWR: i32 = 2;
const F_GETFL: i32 = 3;
const F_SETFL: i32 = 4;
const SIOCINQ: u64 = 0x541b;
const SIOCOUTQ: u64 = 0x5411;
const SIOCOUTQNSD: u64 = 0x894b;

pub(super) const POLLIN: i16 = 0x001;
pub(super) const POLLOUT: i16 = 0x004;
pub(super) const POLLERR: i16 = 0x008;
pub(super) const POLLHUP: i16 = 0x010;
pub(super) const POLLNVAL: i16 = 0x020;
pub(super) const POLLRDHUP: i16 = 0x2000;
const POLLRDNORM: i16 = 0x040;
const POLLWRNORM: i16 = 0x100;

/// What a descriptor is for.
#[derive(Debug)]
pub(super) struct Descriptor {
    /// `O_NONBLOCK` is set.
    pub(super) nonblocking: bool,
    pub(super) object: Object,
}

#[derive(Debug)]
pub(super) enum Object {
    Tcp(Box<TcpSocket>),
    Udp(UdpSocket),
    Epoll(Epoll),
}

/// A TCP socket.
#[derive(Debug)]
pub(super) struct TcpSocket {
    pub(super) family: i32,
    pub(super) bound: Option<SocketAddr>,
    pub(super) stage: Stage,
    /// What was set before there was a connection.
    pub(super) options: Options,
    pub(super) nodelay: i32,
    pub(super) cork: i32,
    pub(super) tos: u8,
    pub(super) receive_timeout: Option<Duration>,
    pub(super) send_timeout: Option<Duration>,
    /// `SO_LINGER` as it was set: whether, and how long.
    pub(super) linger: [i32; 2],
    pub(super) keepalive_times: Keepalive,
    /// How many times the stack has told that the socket's readiness changed: what edge-triggered epoll waits for.
    pub(super) wakes: u64,
    /// Options that only read back what was set.
    pub(super) kept: std::collections::BTreeMap<(i32, i32), i32>,
}

/// How far a TCP socket is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Neither connected nor listening.
    New,
    /// Listening.
    Listening(SocketId),
    /// A connect is under way or has succeeded, and no call has told the caller so.
    Connecting(SocketId),
    /// Connected, or it was.
    Connected(SocketId),
}

impl TcpSocket {
    fn new(family: i32, options: Options) -> Self {
        Self {
            family,
            bound: None,
            stage: Stage::New,
            options,
            nodelay: 0,
            cork: 0,
            tos: 0,
            receive_timeout: None,
            send_timeout: None,
            linger: [0; 2],
            keepalive_times: Keepalive::default(),
            wakes: 1,
            kept: std::collections::BTreeMap::new(),
        }
    }

    pub(super) fn id(&self) -> Option<SocketId> {
        match self.stage {
            Stage::New => None,
            Stage::Listening(id) | Stage::Connecting(id) | Stage::Connected(id) => Some(id),
        }
    }
}

impl Bench {
    /// The lowest descriptor that is free: what `socket` would return.
    pub fn free_fd(&self) -> Fd {
        (3..).find(|fd| !self.descriptors.contains_key(fd)).expect("descriptors are few")
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
            (SOCK_STREAM, 0 | 6) => Object::Tcp(Box::new(TcpSocket::new(family, self.tcp.config().options.clone()))),
            (SOCK_DGRAM, 0 | 17) => Object::Udp(UdpSocket::new(family)),
            _ => return Err(Errno::EPROTONOSUPPORT),
        };
        self.descriptors.insert(fd, Descriptor { nonblocking, object });
        Ok(())
    }

    /// `bind(2)`
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` where it is bound already.
    pub fn bind(&mut self, fd: Fd, address: SocketAddr) -> Result<(), Errno> {
        let address = canonical(address);
        if !address.ip().is_unspecified() {
            match address.ip() {
                IpAddr::V4(_) => self.local4 = address.ip(),
                IpAddr::V6(_) => self.local6 = address.ip(),
            }
        }
        match self.object_mut(fd)? {
            Object::Tcp(socket) if socket.bound.is_none() && socket.stage == Stage::New => {
                socket.bound = Some(address);
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
                let id = self.tcp.listen(at, backlog.max(0) as usize, &options)?;
                self.tcp_socket(fd)?.stage = Stage::Listening(id);
                Ok(())
            }
            Stage::Listening(_) => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// `shutdown(2)`: 0, 1 and 2 for reading, writing and both.
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
        let result = self.tcp.shutdown(self.now, id, how, &mut self.trace);
        self.flush();
        Ok(result?)
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
        let info = self.tcp.info(self.now, id)?;
        match request {
            SIOCINQ => Ok(info.receive_queue as i32),
            SIOCOUTQ => Ok(info.send_queue as i32),
            SIOCOUTQNSD => Ok(info.tcpi_notsent_bytes as i32),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Lets go of a descriptor: what `close(2)` does before it may linger.
    pub(super) fn release(&mut self, fd: Fd) -> Result<Option<SocketId>, Errno> {
        let descriptor = self.descriptors.remove(&fd).ok_or(Errno::EBADF)?;
        self.forget_in_epolls(fd);
        let id = match descriptor.object {
            Object::Tcp(socket) => socket.id(),
            Object::Udp(socket) => {
                self.close_udp(&socket);
                None
            }
            Object::Epoll(_) => None,
        };
        if let Some(id) = id {
            // A socket that nothing has become of is not known to the endpoint any more.
            let _ = self.tcp.close(self.now, id, &mut self.trace);
            self.flush();
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
        let known = id.and_then(|id| self.tcp.local_addr(id).ok());
        Ok(mapped(known.or(bound).unwrap_or(SocketAddr::new(unspecified, 0)), family))
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
    pub(super) fn poll_events(&self, fd: Fd) -> i16 {
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
                Some(id) => self.tcp.readiness(id).map_or(POLLNVAL, events_of),
            },
        }
    }

    pub(super) fn object_mut(&mut self, fd: Fd) -> Result<&mut Object, Errno> {
        self.descriptors.get_mut(&fd).map(|d| &mut d.object).ok_or(Errno::EBADF)
    }

    pub(super) fn tcp_socket(&mut self, fd: Fd) -> Result<&mut TcpSocket, Errno> {
        match self.object_mut(fd)? {
            Object::Tcp(socket) => Ok(socket),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    pub(super) fn tcp_id(&self, fd: Fd) -> Result<Option<SocketId>, Errno> {
        match self.descriptors.get(&fd).map(|d| &d.object) {
            Some(Object::Tcp(socket)) => Ok(socket.id()),
            Some(_) => Err(Errno::EOPNOTSUPP),
            None => Err(Errno::EBADF),
        }
    }

    pub(super) fn state(&self, id: SocketId) -> State {
        self.tcp.state(id).unwrap_or(State::Closed)
    }

    /// What is to be written into the traffic class beside the ECN bits of a segment.
    pub(super) fn tos_of(&self, segment: &Frame, src: IpAddr, dst: IpAddr) -> u8 {
        let Some(ports) = segment.bytes().first_chunk::<4>() else { return 0 };
        let local = SocketAddr::new(src, u16::from_be_bytes([ports[0], ports[1]]));
        let remote = SocketAddr::new(dst, u16::from_be_bytes([ports[2], ports[3]]));
        let owner = self.descriptors.values().find_map(|d| match &d.object {
            Object::Tcp(socket) => {
                let connection = self.tcp.connection(socket.id()?).ok()?;
                (connection.local() == local && connection.remote() == remote).then_some(socket.tos)
            }
            Object::Udp(_) | Object::Epoll(_) => None,
        });
        owner.unwrap_or(0)
    }

    /// Begins to connect.
    pub(super) fn open(&mut self, fd: Fd, to: SocketAddr) -> Result<SocketId, Errno> {
        let local = match self.tcp_socket(fd)?.bound {
            Some(bound) if !bound.ip().is_unspecified() => bound,
            other => SocketAddr::new(self.local_for(to.ip()), other.map_or(0, |a| a.port())),
        };
        let options = self.tcp_socket(fd)?.options.clone();
        let id = self.tcp.connect(self.now, local, to, self.mtu_for(to.ip()), &options, &mut self.trace)?;
        self.tcp_socket(fd)?.stage = Stage::Connecting(id);
        self.flush();
        Ok(id)
    }

    /// `connect(2)` with `AF_UNSPEC`: the socket is as new, its connection is reset.
    pub(super) fn disconnect(&mut self, fd: Fd) -> Result<(), Errno> {
        if let Some(id) = self.tcp_id(fd)? {
            let _ = self.tcp.abort(self.now, id, &mut self.trace);
            self.tcp_socket(fd)?.stage = Stage::New;
            self.flush();
        }
        Ok(())
    }

    /// The connection failed before it was one: the socket may connect again.
    pub(super) fn forget_connection(&mut self, fd: Fd) {
        let _ = self.disconnect(fd);
    }

    /// Whether a socket that was let go still has something to send.
    pub(super) fn is_closing(&self, id: SocketId) -> bool {
        matches!(self.tcp.state(id), Ok(State::FinWait1 | State::Closing | State::LastAck))
    }

    pub(super) fn read(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<usize, tcp::Error> {
        let result = self.tcp.read(self.now, id, buffer, &mut self.trace);
        self.flush();
        result
    }

    pub(super) fn write(&mut self, id: SocketId, data: &[u8], follows: Follows) -> Result<usize, tcp::Error> {
        let result = self.tcp.write_with(self.now, id, data, follows, &mut self.trace);
        self.flush();
        result
    }

    pub(super) fn note_wake(&mut self, id: SocketId) {
        for descriptor in self.descriptors.values_mut() {
            if let Object::Tcp(socket) = &mut descriptor.object
                && socket.id() == Some(id)
            {
                socket.wakes += 1;
            }
        }
    }

    pub(super) fn wakes(&self, fd: Fd) -> u64 {
        match self.descriptors.get(&fd).map(|d| &d.object) {
            Some(Object::Tcp(socket)) => socket.wakes,
            _ => 1,
        }
    }

    /// Octets that wait to be read, where `TCP_INQ` asks for them.
    pub fn inq(&mut self, fd: Fd) -> Option<i32> {
        const SOL_TCP: i32 = 6;
        const TCP_INQ: i32 = 36;
        let asked = self.tcp_socket(fd).ok()?.kept.get(&(SOL_TCP, TCP_INQ)).is_some_and(|v| *v != 0);
        let id = self.tcp_id(fd).ok()??;
        // The end of the stream counts as one, as the kernel has it.
        let info = self.tcp.info(self.now, id).ok().filter(|_| asked)?;
        let ended = self.tcp.readiness(id).is_ok_and(|r| r.contains(Readiness::READ_CLOSED));
        Some(info.receive_queue as i32 + i32::from(ended && info.receive_queue == 0))
    }

    /// Gives an accepted connection a descriptor of its own.
    pub(super) fn adopt(&mut self, listener: Fd, fd: Fd, id: SocketId) -> Result<(), Errno> {
        let parent = self.tcp_socket(listener)?;
        let child = TcpSocket {
            family: parent.family,
            bound: None,
            stage: Stage::Connected(id),
            options: parent.options.clone(),
            nodelay: parent.nodelay,
            cork: parent.cork,
            tos: parent.tos,
            receive_timeout: parent.receive_timeout,
            send_timeout: parent.send_timeout,
            linger: parent.linger,
            keepalive_times: parent.keepalive_times,
            wakes: 1,
            kept: parent.kept.clone(),
        };
        self.descriptors.insert(fd, Descriptor { nonblocking: false, object: Object::Tcp(Box::new(child)) });
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
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The address as a socket of `family` shows it.
pub(super) fn mapped(address: SocketAddr, family: i32) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(four) if family == AF_INET6 => SocketAddr::new(IpAddr::V6(four.to_ipv6_mapped()), address.port()),
        _ => address,
    }
}
