//! UDP sockets.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use septet_transport::udp::{Broadcast, SocketId};

use crate::groups::Sending;
use crate::socket::{AF_INET, Object, POLLIN, POLLOUT, mapped};
use crate::{Errno, Fd, Process};

/// Whether what is received stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peeks {
    /// It does: `MSG_PEEK`.
    Yes,
    /// It is taken.
    No,
}

/// A UDP socket.
#[derive(Debug)]
pub(crate) struct UdpSocket {
    family: i32,
    /// Absent until it is bound, connected or sends, or joins a group.
    id: Option<SocketId>,
    /// Whether `bind(2)` may still say where it is.
    place: Place,
    /// What was set of how it sends to groups.
    sending: Sending,
    /// `SO_BROADCAST`
    broadcast: Broadcast,
}

/// Whether a socket has its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Not yet: it is at a port that nobody was told of, where it is at all.
    Open,
    /// It was bound, or has sent.
    Fixed,
}

impl UdpSocket {
    pub(crate) fn new(family: i32) -> Self {
        Self { family, id: None, place: Place::Open, sending: Sending::default(), broadcast: Broadcast::Denied }
    }

    pub(crate) fn id(&self) -> Option<SocketId> {
        self.id
    }

    fn unspecified(&self) -> SocketAddr {
        let ip = if self.family == AF_INET { IpAddr::from([0; 4]) } else { IpAddr::from([0u16; 8]) };
        SocketAddr::new(ip, 0)
    }
}

impl Process {
    fn udp_socket(&mut self, fd: Fd) -> Result<&mut UdpSocket, Errno> {
        match self.object_mut(fd)? {
            Object::Udp(socket) => Ok(socket),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    /// The socket at its ephemeral port, where it has none yet.
    fn udp_id(&mut self, fd: Fd) -> Result<SocketId, Errno> {
        let id = self.udp_draft(fd)?;
        self.udp_socket(fd)?.place = Place::Fixed;
        Ok(id)
    }

    /// The socket, which may still be bound elsewhere where it has no address yet: options can be set on it.
    pub(crate) fn udp_draft(&mut self, fd: Fd) -> Result<SocketId, Errno> {
        let socket = self.udp_socket(fd)?;
        if let Some(id) = socket.id {
            return Ok(id);
        }
        let (at, broadcast) = (socket.unspecified(), socket.broadcast);
        let id = self.sockets.bind_udp(at)?;
        self.udp_socket(fd)?.id = Some(id);
        self.follow_in_epolls(fd);
        self.sockets.set_udp_broadcast(id, broadcast)?;
        Ok(id)
    }

    /// What was set of how it sends to groups.
    pub(crate) fn udp_sending(&mut self, fd: Fd) -> Result<&mut Sending, Errno> {
        Ok(&mut self.udp_socket(fd)?.sending)
    }

    pub(crate) fn bind_udp(&mut self, fd: Fd, address: SocketAddr) -> Result<(), Errno> {
        let socket = self.udp_socket(fd)?;
        let broadcast = socket.broadcast;
        match (socket.id, socket.place) {
            (_, Place::Fixed) => return Err(Errno::EINVAL),
            (Some(id), Place::Open) => self.sockets.rebind_udp(id, address)?,
            (None, Place::Open) => {
                let id = self.sockets.bind_udp(address)?;
                self.udp_socket(fd)?.id = Some(id);
                self.follow_in_epolls(fd);
                self.sockets.set_udp_broadcast(id, broadcast)?;
            }
        }
        self.udp_socket(fd)?.place = Place::Fixed;
        Ok(())
    }

    /// `SO_BROADCAST`
    pub(crate) fn set_udp_broadcast(&mut self, fd: Fd, broadcast: Broadcast) -> Result<(), Errno> {
        let socket = self.udp_socket(fd)?;
        socket.broadcast = broadcast;
        match socket.id {
            Some(id) => Ok(self.sockets.set_udp_broadcast(id, broadcast)?),
            None => Ok(()),
        }
    }

    /// `SO_BROADCAST`
    pub(crate) fn udp_broadcast(&mut self, fd: Fd) -> Result<Broadcast, Errno> {
        Ok(self.udp_socket(fd)?.broadcast)
    }

    pub(crate) fn connect_udp(&mut self, fd: Fd, to: Option<SocketAddr>) -> Result<(), Errno> {
        let to = to.ok_or(Errno::EINVAL)?;
        let id = self.udp_id(fd)?;
        Ok(self.sockets.connect_udp(id, to)?)
    }

    pub(crate) fn close_udp(&mut self, socket: &UdpSocket) {
        if let Some(id) = socket.id {
            self.sockets.close_udp(id);
        }
    }

    pub(crate) fn send_udp(&mut self, fd: Fd, data: &[u8], to: Option<SocketAddr>) -> Result<usize, Errno> {
        let id = self.udp_id(fd)?;
        Ok(self.sockets.send_udp(id, data, to)?)
    }

    /// The next datagram, as much of it as fits; `None` where there is none.
    pub(crate) fn receive_from_udp(
        &mut self,
        fd: Fd,
        max: usize,
        peeks: Peeks,
    ) -> Option<Result<(Vec<u8>, SocketAddr), Errno>> {
        let id = match self.udp_id(fd) {
            Ok(id) => id,
            Err(errno) => return Some(Err(errno)),
        };
        let mut data = vec![0; max.min(usize::from(u16::MAX))];
        let received = match peeks {
            Peeks::Yes => self.sockets.peek_udp(id, &mut data),
            Peeks::No => self.sockets.receive_udp(id, &mut data),
        };
        match received {
            Ok(received) => {
                data.truncate(received.len);
                Some(Ok((data, received.from)))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// The far end, as `getpeername(2)` gives it.
    pub(crate) fn udp_peer(&self, socket: &UdpSocket) -> Result<SocketAddr, Errno> {
        let peer = socket.id.and_then(|id| self.sockets.udp_peer(id).ok().flatten());
        Ok(mapped(peer.ok_or(Errno::ENOTCONN)?, socket.family))
    }

    pub(crate) fn take_udp_error(&mut self, fd: Fd) -> i32 {
        let id = self.udp_socket(fd).ok().and_then(|s| s.id);
        id.and_then(|id| self.sockets.take_udp_error(id).ok().flatten()).map_or(0, |e| e.errno())
    }

    pub(crate) fn udp_addr(&mut self, fd: Fd) -> Result<SocketAddr, Errno> {
        let socket = self.udp_socket(fd)?;
        let unspecified = socket.unspecified();
        let id = socket.id.filter(|_| socket.place == Place::Fixed);
        Ok(id.and_then(|id| self.sockets.udp_addr(id).ok()).unwrap_or(unspecified))
    }

    pub(crate) fn udp_events(&self, socket: &UdpSocket) -> i16 {
        let Some(id) = socket.id else { return POLLOUT };
        let mut events = if self.sockets.is_udp_writable(id).unwrap_or(true) { POLLOUT } else { 0 };
        if self.sockets.is_udp_readable(id).unwrap_or(false) {
            events |= POLLIN;
        }
        events
    }
}
