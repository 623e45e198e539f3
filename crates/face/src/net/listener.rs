//! Sockets that take TCP connections.

use std::io;
use std::net::SocketAddr;

use septet_posix::{Errno, Reply, Request};

use super::stream::Inner as Stream;
use super::{SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, Shutdown, TcpStream, ToAddresses, at_any};
use crate::descriptor::Descriptor;
use crate::program::Task;

/// A socket that takes TCP connections, as `std::net::TcpListener`.
#[derive(Debug)]
pub struct TcpListener(pub(crate) Inner);

#[derive(Debug)]
pub(crate) enum Inner {
    Simulated(Descriptor),
    Kernel(std::net::TcpListener),
}

use Inner::{Kernel, Simulated};

/// What may be said of a listener when it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenOptions {
    /// How many connections may wait to be accepted. As in Linux the queue takes one more.
    pub backlog: u16,
    /// Whether it may listen where connections of an earlier listener still end.
    pub reuse_address: ReuseAddress,
}

/// `SO_REUSEADDR` of a listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReuseAddress {
    /// It may, as the standard library has it.
    #[default]
    On,
    /// It may not: `AddrInUse`.
    Off,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { backlog: 4096, reuse_address: ReuseAddress::On }
    }
}

impl TcpListener {
    /// Listens; of several addresses at the first that can be had. Port 0 chooses one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, and those of [`to_addresses`](ToAddresses::to_addresses).
    pub fn bind(at: impl ToAddresses) -> io::Result<Self> {
        Self::bind_with(at, ListenOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind).
    pub fn bind_with(at: impl ToAddresses, options: ListenOptions) -> io::Result<Self> {
        let addresses = at.to_addresses()?;
        let reuses = options.reuse_address == ReuseAddress::On;
        let Some(task) = Task::current() else {
            return at_any(&addresses, |at| {
                let socket = socket2::Socket::new(socket2::Domain::for_address(*at), socket2::Type::STREAM, None)?;
                socket.set_reuse_address(reuses)?;
                socket.bind(&(*at).into())?;
                socket.listen(options.backlog.into())?;
                Ok(Self(Kernel(socket.into())))
            });
        };
        at_any(&addresses, |at| {
            let socket = Descriptor::open(&task.process, at, SOCK_STREAM)?;
            socket.set_switch(SOL_SOCKET, SO_REUSEADDR, reuses)?;
            socket.call("bind", |process, fd| process.bind(fd, *at))?;
            socket.call("listen", |process, fd| process.listen(fd, options.backlog.into()))?;
            Ok(Self(Simulated(socket)))
        })
    }

    /// Takes the next connection; waits for one where none is there.
    ///
    /// # Errors
    /// `WouldBlock` where it is [non-blocking](Self::set_nonblocking) and there is none.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.0 {
            Simulated(socket) => match socket.perform(Request::Accept { listener: socket.fd(), fd: None })? {
                Reply::Accepted { fd, peer } => Ok((TcpStream(Stream::Simulated(socket.process().own(fd))), peer)),
                _ => Err(Errno::EINVAL.into()),
            },
            Kernel(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((TcpStream(Stream::Kernel(stream)), peer))
            }
        }
    }

    /// The connections that come, without an end.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of the host.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Simulated(socket) => socket.local_addr(),
            Kernel(listener) => listener.local_addr(),
        }
    }

    /// Listens no more, unless `how` is [`Shutdown::Write`], which changes nothing: as `shutdown(2)` on Linux. Connections that wait
    /// to be accepted are reset, and whoever waits in [`accept`](Self::accept) hears `InvalidInput`, as does who calls it later.
    ///
    /// # Errors
    /// `NotConnected` where it listens no more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.shutdown(how),
            Kernel(listener) => socket2::SockRef::from(listener).shutdown(how),
        }
    }

    /// Another handle of the same socket, which is closed when the last one goes.
    ///
    /// # Errors
    /// The process has no more descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(match &self.0 {
            Simulated(socket) => Simulated(socket.duplicate()?),
            Kernel(listener) => Kernel(listener.try_clone()?),
        }))
    }

    /// Whether [`accept`](Self::accept) returns `WouldBlock` at once where no connection is there.
    ///
    /// # Errors
    /// Those of the host.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Simulated(socket) => socket.set_nonblocking(on),
            Kernel(listener) => listener.set_nonblocking(on),
        }
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// Those of the host.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Simulated(socket) => socket.take_error(),
            Kernel(listener) => listener.take_error(),
        }
    }
}

/// The connections that a listener takes.
#[derive(Debug)]
pub struct Incoming<'a>(&'a TcpListener);

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.accept().map(|(stream, _)| stream))
    }
}
