//! What callers ask of their host's sockets who never wait: a call does what it can now, or says `WouldBlock`.

use core::task::{Context, Poll, Waker};
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_core::{Instant, Trace};
use septet_socket::Datagram;
use septet_socket::TcpSocketId as Socket;
use septet_transport::tcp::{Endpoint, Error, Follows, Options};
use septet_transport::{tcp, udp};

use super::storeys::Storeys;

/// What would have to wait, would block.
fn at_once<T>(poll: impl FnOnce(&Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    match poll(&Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Storeys {
    /// Sets a sysctl of this host, until it is switched off.
    pub(crate) fn sysctl(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.tcp.configure(|config| tcp::set_sysctl(config, name, value))
    }

    /// Opens a connection from `from`, as far as that says anything.
    pub(crate) fn open_tcp(
        &mut self,
        from: Option<SocketAddr>,
        to: SocketAddr,
        options: &Options,
        trace: &mut Trace,
    ) -> io::Result<Socket> {
        self.running()?;
        let source = match from.map(|from| from.ip()).filter(|ip| !ip.is_unspecified()) {
            Some(bound) => bound,
            None => self.ip.source_for(to.ip())?,
        };
        let mtu = self.ip.mtu_to(self.now, to.ip())?;
        let local = SocketAddr::new(source, from.map_or(0, |from| from.port()));
        self.tcp.dirty = true;
        let id = self.tcp.endpoint().connect(self.now, local, to, mtu, options, trace)?;
        Ok(self.tcp.socket(id))
    }

    pub(crate) fn connect_plainly(
        &mut self,
        from: Option<SocketAddr>,
        to: SocketAddr,
        options: &Options,
        trace: &mut Trace,
    ) -> io::Result<Socket> {
        let socket = self.open_tcp(from, to, options, trace)?;
        self.tcp.count_changes(socket);
        Ok(socket)
    }

    pub(crate) fn listen_plainly(&mut self, at: SocketAddr, backlog: usize, options: &Options) -> io::Result<Socket> {
        self.running()?;
        let socket = self.open_listener(at, backlog, options)?;
        self.tcp.count_changes(socket);
        Ok(socket)
    }

    pub(crate) fn accept_plainly(&mut self, socket: Socket, trace: &mut Trace) -> io::Result<(Socket, SocketAddr)> {
        let (socket, peer) = at_once(|cx| self.tcp.poll_accept(cx, socket, trace))?;
        self.tcp.count_changes(socket);
        Ok((socket, peer))
    }

    pub(crate) fn read_plainly(&mut self, socket: Socket, buf: &mut [u8], trace: &mut Trace) -> io::Result<usize> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        done(self.tcp.endpoint().read(self.now, id, buf, trace))
    }

    pub(crate) fn write_plainly(
        &mut self,
        socket: Socket,
        data: &[u8],
        follows: Follows,
        trace: &mut Trace,
    ) -> io::Result<usize> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        done(self.tcp.endpoint().write_with(self.now, id, data, follows, trace))
    }

    pub(crate) fn abort_tcp(&mut self, socket: Socket, trace: &mut Trace) -> io::Result<()> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        self.tcp.forget(id);
        done(self.tcp.endpoint().abort(self.now, id, trace))
    }

    /// Asks the endpoint about a socket, or takes from it what changes nothing on the wire.
    pub(crate) fn ask_tcp<T>(
        &mut self,
        socket: Socket,
        question: impl FnOnce(&mut Endpoint, Instant, tcp::SocketId) -> Result<T, Error>,
    ) -> io::Result<T> {
        let id = self.tcp.resolve(socket)?;
        let now = self.now;
        done(question(self.tcp.endpoint(), now, id))
    }

    pub(crate) fn send_udp_plainly(
        &mut self,
        id: udp::SocketId,
        data: &[u8],
        to: Option<SocketAddr>,
        trace: &mut Trace,
    ) -> io::Result<usize> {
        at_once(|cx| self.poll_send_udp(cx, id, (data, None), to, trace))
    }

    pub(crate) fn receive_udp_plainly(
        &mut self,
        id: udp::SocketId,
        buf: &mut [u8],
        trace: &mut Trace,
    ) -> io::Result<Datagram> {
        at_once(|cx| self.udp.poll_receive(cx, id, buf, trace))
    }

    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.ip.is_local(address)
    }
}

fn done<T>(result: Result<T, Error>) -> io::Result<T> {
    result.map_err(io::Error::from)
}
