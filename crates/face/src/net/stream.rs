//! TCP connections.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};

use septet_posix::{PollEntry, Reply, Request};

use super::{
    MSG_PEEK, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_STREAM, SOL_SOCKET, SOL_TCP, TCP_NODELAY, ToAddresses, at_any,
};
use crate::descriptor::Descriptor;
use crate::program::Task;

/// A TCP connection, as `std::net::TcpStream`: reads and writes wait until they can do something, unless it is
/// [non-blocking](Self::set_nonblocking). Both may do less than they are asked for.
#[derive(Debug)]
pub struct TcpStream(pub(crate) Inner);

#[derive(Debug)]
pub(crate) enum Inner {
    Simulated(Descriptor),
    Kernel(std::net::TcpStream),
}

use Inner::{Kernel, Simulated};

impl TcpStream {
    /// Connects; of several addresses to the first that takes the connection.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`, and those of
    /// [`to_addresses`](ToAddresses::to_addresses).
    pub fn connect(to: impl ToAddresses) -> io::Result<Self> {
        let addresses = to.to_addresses()?;
        let Some(task) = Task::current() else {
            return Ok(Self(Kernel(std::net::TcpStream::connect(&*addresses)?)));
        };
        at_any(&addresses, |to| {
            let socket = Descriptor::open(&task.process, to, SOCK_STREAM)?;
            socket.connect(*to)?;
            Ok(Self(Simulated(socket)))
        })
    }

    /// Connects within a time.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect); `TimedOut` where the time is over, `InvalidInput` where there is none.
    pub fn connect_timeout(to: &SocketAddr, time: Duration) -> io::Result<Self> {
        const POLLOUT: i16 = 4;
        let Some(task) = Task::current() else {
            return Ok(Self(Kernel(std::net::TcpStream::connect_timeout(to, time)?)));
        };
        if time.is_zero() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout"));
        }
        let socket = Descriptor::open(&task.process, to, SOCK_STREAM)?;
        socket.set_nonblocking(true)?;
        // As the standard library does it: the connection is begun, and its socket is polled.
        let begun = socket.connect(*to);
        if begun.is_err() {
            let entry = PollEntry { fd: socket.fd(), events: POLLOUT, revents: 0 };
            let polled = socket.perform(Request::Poll { entries: vec![entry], timeout: Some(time) })?;
            match polled {
                Reply::Ready(entries) if entries.iter().any(|entry| entry.revents != 0) => {}
                _ => return Err(io::Error::new(io::ErrorKind::TimedOut, "connection timed out")),
            }
            if let Some(error) = socket.take_error()? {
                return Err(error);
            }
            socket.peer_addr().map_err(|_| begun.err().unwrap_or_else(|| io::ErrorKind::TimedOut.into()))?;
        }
        socket.set_nonblocking(false)?;
        Ok(Self(Simulated(socket)))
    }

    /// The far end.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Simulated(socket) => socket.peer_addr(),
            Kernel(stream) => stream.peer_addr(),
        }
    }

    /// The near end.
    ///
    /// # Errors
    /// Those of the host.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Simulated(socket) => socket.local_addr(),
            Kernel(stream) => stream.local_addr(),
        }
    }

    /// Ends a direction, or both.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.shutdown(how),
            Kernel(stream) => stream.shutdown(how),
        }
    }

    /// Another handle of the same socket, which is closed when the last one goes.
    ///
    /// # Errors
    /// The process has no more descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(match &self.0 {
            Simulated(socket) => Simulated(socket.duplicate()?),
            Kernel(stream) => Kernel(stream.try_clone()?),
        }))
    }

    /// Sets after which time a read gives up, with `WouldBlock`: `SO_RCVTIMEO`. None for never.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_timeout(SO_RCVTIMEO, time),
            Kernel(stream) => stream.set_read_timeout(time),
        }
    }

    /// Sets after which time a write gives up, with `WouldBlock`: `SO_SNDTIMEO`. None for never.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_timeout(SO_SNDTIMEO, time),
            Kernel(stream) => stream.set_write_timeout(time),
        }
    }

    /// After which time a read gives up.
    ///
    /// # Errors
    /// Those of the host.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        match &self.0 {
            Simulated(socket) => socket.timeout(SO_RCVTIMEO),
            Kernel(stream) => stream.read_timeout(),
        }
    }

    /// After which time a write gives up.
    ///
    /// # Errors
    /// Those of the host.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        match &self.0 {
            Simulated(socket) => socket.timeout(SO_SNDTIMEO),
            Kernel(stream) => stream.write_timeout(),
        }
    }

    /// Reads without taking what is read: `MSG_PEEK`.
    ///
    /// # Errors
    /// Those of a read.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Simulated(socket) => Ok(socket.receive(buf, MSG_PEEK)?.0),
            Kernel(stream) => stream.peek(buf),
        }
    }

    /// Whether short segments leave at once: `TCP_NODELAY`.
    ///
    /// # Errors
    /// Those of the host.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_switch(SOL_TCP, TCP_NODELAY, on),
            Kernel(stream) => stream.set_nodelay(on),
        }
    }

    /// Whether short segments leave at once.
    ///
    /// # Errors
    /// Those of the host.
    pub fn nodelay(&self) -> io::Result<bool> {
        match &self.0 {
            Simulated(socket) => Ok(socket.get_number(SOL_TCP, TCP_NODELAY)? != 0),
            Kernel(stream) => stream.nodelay(),
        }
    }

    /// How long closing waits for what was written to arrive: `SO_LINGER`. With a time of zero the connection is reset; with
    /// none closing does not wait, and the host sees to the rest.
    ///
    /// # Errors
    /// Those of the host.
    pub fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => {
                let mut value = i32::from(time.is_some()).to_le_bytes().to_vec();
                value.extend((time.unwrap_or_default().as_secs() as i32).to_le_bytes());
                socket.set(SOL_SOCKET, SO_LINGER, &value)
            }
            Kernel(stream) => socket2::SockRef::from(stream).set_linger(time),
        }
    }

    /// Whether calls return `WouldBlock` at once where they would have to wait. All handles of a socket share it.
    ///
    /// # Errors
    /// Those of the host.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_nonblocking(on),
            Kernel(stream) => stream.set_nonblocking(on),
        }
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// Those of the host.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Simulated(socket) => socket.take_error(),
            Kernel(stream) => stream.take_error(),
        }
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Simulated(socket) => Ok(socket.receive(buf, 0)?.0),
            Kernel(stream) => (&*stream).read(buf),
        }
    }
}

impl Write for &TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Simulated(socket) => socket.send(buf, None),
            Kernel(stream) => (&*stream).write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Write for TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
