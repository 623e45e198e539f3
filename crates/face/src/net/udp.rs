//! UDP sockets.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use super::{MSG_PEEK, SO_BROADCAST, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_DGRAM, SOL_SOCKET, ToAddresses, at_any};
use crate::descriptor::Descriptor;
use crate::program::Task;

/// A UDP socket, as `std::net::UdpSocket`.
#[derive(Debug)]
pub struct UdpSocket(pub(crate) Inner);

#[derive(Debug)]
pub(crate) enum Inner {
    Simulated(Descriptor),
    Kernel(std::net::UdpSocket),
}

use Inner::{Kernel, Simulated};

impl UdpSocket {
    /// Opens a socket; of several addresses at the first that can be had. Port 0 chooses one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, and those of [`to_addresses`](ToAddresses::to_addresses).
    pub fn bind(at: impl ToAddresses) -> io::Result<Self> {
        let addresses = at.to_addresses()?;
        let Some(task) = Task::current() else {
            return Ok(Self(Kernel(std::net::UdpSocket::bind(&*addresses)?)));
        };
        at_any(&addresses, |at| {
            let socket = Descriptor::open(&task.process, at, SOCK_DGRAM)?;
            socket.call("bind", |process, fd| process.bind(fd, *at))?;
            Ok(Self(Simulated(socket)))
        })
    }

    /// Receives a datagram: copies as much of it as `buf` takes, and tells how much that was and who sent it. The rest is
    /// lost.
    ///
    /// # Errors
    /// `WouldBlock`; `ConnectionRefused` where the socket is connected and nobody listens there.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Simulated(socket) => with_sender(socket.receive(buf, 0)?),
            Kernel(socket) => socket.recv_from(buf),
        }
    }

    /// The same, and the datagram stays where it is: `MSG_PEEK`.
    ///
    /// # Errors
    /// As for [`recv_from`](Self::recv_from).
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Simulated(socket) => with_sender(socket.receive(buf, MSG_PEEK)?),
            Kernel(socket) => socket.peek_from(buf),
        }
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// `NetworkUnreachable`; EMSGSIZE where it is larger than a datagram can be.
    pub fn send_to(&self, data: &[u8], to: impl ToAddresses) -> io::Result<usize> {
        let to = to.to_addresses()?;
        let no_address = || io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to");
        let to = to.first().ok_or_else(no_address)?;
        match &self.0 {
            Simulated(socket) => socket.send(data, Some(*to)),
            Kernel(socket) => socket.send_to(data, to),
        }
    }

    /// Fixes the peer: others' datagrams are not delivered, and what ICMP reports of this socket's become errors of it.
    ///
    /// # Errors
    /// `NetworkUnreachable`, and those of [`to_addresses`](ToAddresses::to_addresses).
    pub fn connect(&self, to: impl ToAddresses) -> io::Result<()> {
        let addresses = to.to_addresses()?;
        match &self.0 {
            Simulated(socket) => at_any(&addresses, |to| socket.connect(*to)),
            Kernel(socket) => socket.connect(&*addresses),
        }
    }

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    /// EDESTADDRREQ where there is none; `ConnectionRefused` where nobody listened to an earlier one.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Simulated(socket) => socket.send(data, None),
            Kernel(socket) => socket.send(data),
        }
    }

    /// Receives a datagram: copies as much of it as `buf` takes, and tells how much that was.
    ///
    /// # Errors
    /// As for [`recv_from`](Self::recv_from).
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Simulated(socket) => Ok(socket.receive(buf, 0)?.0),
            Kernel(socket) => socket.recv(buf),
        }
    }

    /// The same, and the datagram stays where it is: `MSG_PEEK`.
    ///
    /// # Errors
    /// As for [`recv_from`](Self::recv_from).
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Simulated(socket) => Ok(socket.receive(buf, MSG_PEEK)?.0),
            Kernel(socket) => socket.peek(buf),
        }
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// Those of the host.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Simulated(socket) => socket.local_addr(),
            Kernel(socket) => socket.local_addr(),
        }
    }

    /// The peer.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Simulated(socket) => socket.peer_addr(),
            Kernel(socket) => socket.peer_addr(),
        }
    }

    /// Another handle of the same socket, which is closed when the last one goes.
    ///
    /// # Errors
    /// The process has no more descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(match &self.0 {
            Simulated(socket) => Simulated(socket.duplicate()?),
            Kernel(socket) => Kernel(socket.try_clone()?),
        }))
    }

    /// Sets after which time receiving gives up, with `WouldBlock`: `SO_RCVTIMEO`. None for never.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_timeout(SO_RCVTIMEO, time),
            Kernel(socket) => socket.set_read_timeout(time),
        }
    }

    /// Sets after which time sending gives up, with `WouldBlock`: `SO_SNDTIMEO`. None for never.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_timeout(SO_SNDTIMEO, time),
            Kernel(socket) => socket.set_write_timeout(time),
        }
    }

    /// Whether it may send to all on a link, which fails with `PermissionDenied` otherwise: `SO_BROADCAST`.
    ///
    /// # Errors
    /// Those of the host.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_switch(SOL_SOCKET, SO_BROADCAST, on),
            Kernel(socket) => socket.set_broadcast(on),
        }
    }

    /// Whether calls return `WouldBlock` at once where they would have to wait. All handles of a socket share it.
    ///
    /// # Errors
    /// Those of the host.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_nonblocking(on),
            Kernel(socket) => socket.set_nonblocking(on),
        }
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// Those of the host.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Simulated(socket) => socket.take_error(),
            Kernel(socket) => socket.take_error(),
        }
    }
}

fn with_sender((len, from): (usize, Option<SocketAddr>)) -> io::Result<(usize, SocketAddr)> {
    Ok((len, from.ok_or(io::ErrorKind::NotConnected)?))
}
