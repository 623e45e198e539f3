//! The sockets of a host for callers that never wait, such as those that stand in for system calls.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_core::Instant;
use septet_socket::Datagram;
use septet_transport::tcp::{Config, Error, Follows, Info, Options, Readiness, Shutdown, SocketOption, State};
use septet_transport::udp;

use super::registry::{HostKey, call, close, with};
use crate::stack::{SocketName, TcpSocketId};

/// The sockets of one host. Each call returns at once, with `WouldBlock` where there is nothing to do yet; a socket lives
/// until it is closed by its id, or its host is switched off.
///
/// What a call changes leaves the host when that runs next: the world must be told to look at it again, as
/// `World::station_mut` does. Errors are those of the storey that says no: a [`tcp::Error`](septet_transport::tcp::Error), a
/// [`udp::Error`] or a [`SendError`](septet_network::ip::SendError) is inside.
#[derive(Clone, Debug)]
pub struct Sockets {
    key: HostKey,
}

impl Sockets {
    pub(crate) fn new(key: HostKey) -> Self {
        Self { key }
    }

    /// The time of the host; zero where it is gone.
    pub fn now(&self) -> Instant {
        with(&self.key, |stack, _| stack.now).unwrap_or_default()
    }

    /// Whether the host owns `address`.
    pub fn is_local(&self, address: IpAddr) -> bool {
        with(&self.key, |stack, _| stack.is_own(address)).unwrap_or(false)
    }

    /// The defaults of the host's TCP.
    pub fn config(&self) -> Arc<Config> {
        with(&self.key, |stack, _| stack.tcp.config().clone()).unwrap_or_default()
    }

    /// What a TCP socket starts with.
    pub fn defaults(&self) -> Options {
        self.config().options.clone()
    }

    /// Sets `net.ipv4.NAME` until the host is switched off, for sockets made from now on.
    ///
    /// # Errors
    /// A name that is not known, a value that it does not take, or a host that is gone.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<(), String> {
        with(&self.key, |stack, _| stack.sysctl(name, value)).unwrap_or_else(|why| Err(why.to_string()))
    }

    /// Opens a connection to `to`; where `from` leaves address or port open, the host chooses. It is writable once it is
    /// established; what went wrong [`take_error`](Self::take_error) tells.
    ///
    /// # Errors
    /// No way there, or what the endpoint refuses.
    pub fn connect(&self, from: Option<SocketAddr>, to: SocketAddr, options: &Options) -> io::Result<TcpSocketId> {
        call(&self.key, |stack, trace| stack.connect_plainly(from, to, options, trace))
    }

    /// Listens at `at`. As in Linux the queue takes one more than `backlog`.
    ///
    /// # Errors
    /// `AddrNotAvailable` where the address is not the host's, or what the endpoint refuses.
    pub fn listen(&self, at: SocketAddr, backlog: usize, options: &Options) -> io::Result<TcpSocketId> {
        call(&self.key, |stack, _| stack.listen_plainly(at, backlog, options))
    }

    /// Takes the next connection that waits, and the address of its far end.
    ///
    /// # Errors
    /// `WouldBlock`, or what the endpoint refuses.
    pub fn accept(&self, listener: TcpSocketId) -> io::Result<(TcpSocketId, SocketAddr)> {
        call(&self.key, |stack, trace| stack.accept_plainly(listener, trace))
    }

    /// Reads what is there; zero at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock`, or what befell the connection.
    pub fn read(&self, socket: TcpSocketId, buf: &mut [u8]) -> io::Result<usize> {
        call(&self.key, |stack, trace| stack.read_plainly(socket, buf, trace))
    }

    /// The same without taking it: `MSG_PEEK`.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn peek(&self, socket: TcpSocketId, buf: &mut [u8]) -> io::Result<usize> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.peek(id, buf)))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock`, or what befell the connection.
    pub fn write(&self, socket: TcpSocketId, data: &[u8], follows: Follows) -> io::Result<usize> {
        call(&self.key, |stack, trace| stack.write_plainly(socket, data, follows, trace))
    }

    /// Ends a direction, or both.
    ///
    /// # Errors
    /// What the endpoint refuses.
    pub fn shutdown(&self, socket: TcpSocketId, how: Shutdown) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.shutdown_tcp(socket, how, trace))
    }

    /// Lets go of a socket: its connection ends in order, or as `SO_LINGER` says.
    pub fn close(&self, socket: TcpSocketId) {
        close(&self.key, SocketName::Tcp(socket));
    }

    /// Lets go of a socket and resets its connection.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn abort(&self, socket: TcpSocketId) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.abort_tcp(socket, trace))
    }

    /// Sets an option of a connection, or of what a listener's connections start with.
    ///
    /// # Errors
    /// A value that the option does not take.
    pub fn set_option(&self, socket: TcpSocketId, option: SocketOption) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.set_tcp(socket, option, trace))
    }

    /// What `ss -ti` shows: `TCP_INFO`.
    ///
    /// # Errors
    /// `NotConnected` where the socket listens.
    pub fn info(&self, socket: TcpSocketId) -> io::Result<Info> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, now, id| endpoint.info(now, id)))
    }

    /// The state of the socket.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn state(&self, socket: TcpSocketId) -> io::Result<State> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.state(id)))
    }

    /// What a call would find now.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn readiness(&self, socket: TcpSocketId) -> io::Result<Readiness> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.readiness(id)))
    }

    /// How many times the readiness of the socket has changed: what edge-triggered `epoll(7)` reports.
    pub fn changes(&self, socket: TcpSocketId) -> u64 {
        with(&self.key, |stack, _| stack.tcp.changes(socket)).unwrap_or(0)
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn take_error(&self, socket: TcpSocketId) -> io::Result<Option<Error>> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.take_error(id)))
    }

    /// The near end.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn local_addr(&self, socket: TcpSocketId) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.local_addr(id)))
    }

    /// Opens a UDP socket; port 0 chooses one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`.
    pub fn bind_udp(&self, at: SocketAddr) -> io::Result<udp::SocketId> {
        call(&self.key, |stack, _| stack.bind_udp(at))
    }

    /// Fixes the peer of a UDP socket.
    ///
    /// # Errors
    /// No way there.
    pub fn connect_udp(&self, socket: udp::SocketId, peer: SocketAddr) -> io::Result<()> {
        call(&self.key, |stack, _| stack.connect_udp(socket, peer))
    }

    /// Sends a datagram to `to`, or to the peer.
    ///
    /// # Errors
    /// No way there, too large, no destination, or what came back for an earlier one.
    pub fn send_udp(&self, socket: udp::SocketId, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        call(&self.key, |stack, trace| stack.send_udp_plainly(socket, data, to, trace))
    }

    /// Takes the next datagram, as much of it as fits.
    ///
    /// # Errors
    /// `WouldBlock`, or what came back for one that was sent.
    pub fn receive_udp(&self, socket: udp::SocketId, buf: &mut [u8]) -> io::Result<Datagram> {
        call(&self.key, |stack, trace| stack.receive_udp_plainly(socket, buf, trace))
    }

    /// Sets whether the socket may send to all on a link: `SO_BROADCAST`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn set_udp_broadcast(&self, socket: udp::SocketId, broadcast: udp::Broadcast) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_broadcast(socket, broadcast))
    }

    /// Whether a datagram or an error waits.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn is_udp_readable(&self, socket: udp::SocketId) -> io::Result<bool> {
        call(&self.key, |stack, _| stack.udp.is_readable(socket))
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn take_udp_error(&self, socket: udp::SocketId) -> io::Result<Option<udp::Error>> {
        call(&self.key, |stack, _| stack.udp.take_error(socket))
    }

    /// The near end of a UDP socket.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn udp_addr(&self, socket: udp::SocketId) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.udp.local_addr(socket))
    }

    /// Closes a UDP socket.
    pub fn close_udp(&self, socket: udp::SocketId) {
        close(&self.key, SocketName::Udp(socket));
    }
}
