//! What the operating system of a host does for programs that hold sockets by number: calls that never wait, and who is woken
//! when it is worth to call again.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::Waker;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_core::Instant;
use septet_transport::tcp::{self, Config, Error, Follows, Info, Options, Readiness, Shutdown, SocketOption, State};
use septet_transport::udp;

use crate::cpu::Cpu;
use crate::{Datagram, Spawned, SystemGroups, Watched, Wish};

/// Names a TCP socket of one life of a host: the next boot begins with new ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpSocketId {
    /// Which life.
    pub boot: u32,
    /// Which socket.
    pub id: tcp::SocketId,
}

/// The operating system of one host, as its programs hold it.
pub type SystemRef = Arc<dyn System>;

/// The system calls of one host on its sockets. Each returns at once, with `WouldBlock` where there is nothing to do yet; a
/// socket lives until it is closed by its id, or its host is switched off.
///
/// Where a call comes from outside of the host's own programs, what it changes leaves the host when that runs next: the world
/// must be told to look at it again, as `World::station_mut` does. Errors are those of the storey that says no: a
/// [`tcp::Error`], a [`udp::Error`] or a [`SendError`](septet_network::ip::SendError) is inside.
pub trait System: SystemGroups + fmt::Debug + Send + Sync + 'static {
    /// The time of the host; zero where it is gone.
    fn now(&self) -> Instant;

    /// Whether the host owns `address`.
    fn is_local(&self, address: IpAddr) -> bool;

    /// The defaults of the host's TCP.
    fn config(&self) -> Arc<Config>;

    /// What a TCP socket starts with.
    fn defaults(&self) -> Options;

    /// Sets `net.ipv4.NAME` until the host is switched off, for sockets made from now on.
    ///
    /// # Errors
    /// A name that is not known, a value that it does not take, or a host that is gone.
    fn sysctl(&self, name: &str, value: &str) -> Result<(), String>;

    /// Opens a connection to `to`; where `from` leaves address or port open, the host chooses. It is writable once it is
    /// established; what went wrong [`take_error`](Self::take_error) tells.
    ///
    /// # Errors
    /// No way there, or what the endpoint refuses.
    fn connect(&self, from: Option<SocketAddr>, to: SocketAddr, options: &Options) -> io::Result<TcpSocketId>;

    /// Listens at `at`. As in Linux the queue takes one more than `backlog`.
    ///
    /// # Errors
    /// `AddrNotAvailable` where the address is not the host's, or what the endpoint refuses.
    fn listen(&self, at: SocketAddr, backlog: usize, options: &Options) -> io::Result<TcpSocketId>;

    /// Whether TCP has anything at this address and port, be it a connection that is not quite over: what a socket without
    /// `SO_REUSEADDR` must not be bound to.
    fn is_bound(&self, at: SocketAddr) -> bool;

    /// Takes the next connection that waits, and the address of its far end.
    ///
    /// # Errors
    /// `WouldBlock`, or what the endpoint refuses.
    fn accept(&self, listener: TcpSocketId) -> io::Result<(TcpSocketId, SocketAddr)>;

    /// Reads what is there; zero at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock`, or what befell the connection.
    fn read(&self, socket: TcpSocketId, buf: &mut [u8]) -> io::Result<usize>;

    /// The same without taking it: `MSG_PEEK`.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn peek(&self, socket: TcpSocketId, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock`, or what befell the connection.
    fn write(&self, socket: TcpSocketId, data: &[u8], follows: Follows) -> io::Result<usize>;

    /// Ends a direction, or both.
    ///
    /// # Errors
    /// What the endpoint refuses.
    fn shutdown(&self, socket: TcpSocketId, how: Shutdown) -> io::Result<()>;

    /// Lets go of a socket: its connection ends in order, or as `SO_LINGER` says.
    fn close(&self, socket: TcpSocketId);

    /// Lets go of a socket and resets its connection.
    ///
    /// # Errors
    /// The socket is gone.
    fn abort(&self, socket: TcpSocketId) -> io::Result<()>;

    /// Sets an option of a connection, or of what a listener's connections start with.
    ///
    /// # Errors
    /// A value that the option does not take.
    fn set_option(&self, socket: TcpSocketId, option: SocketOption) -> io::Result<()>;

    /// What `ss -ti` shows: `TCP_INFO`.
    ///
    /// # Errors
    /// `NotConnected` where the socket listens.
    fn info(&self, socket: TcpSocketId) -> io::Result<Info>;

    /// The state of the socket.
    ///
    /// # Errors
    /// The socket is gone.
    fn state(&self, socket: TcpSocketId) -> io::Result<State>;

    /// What a call would find now.
    ///
    /// # Errors
    /// The socket is gone.
    fn readiness(&self, socket: TcpSocketId) -> io::Result<Readiness>;

    /// How many times the readiness of the socket has changed: what edge-triggered `epoll(7)` reports.
    fn changes(&self, socket: TcpSocketId) -> u64;

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// The socket is gone.
    fn take_error(&self, socket: TcpSocketId) -> io::Result<Option<Error>>;

    /// The near end.
    ///
    /// # Errors
    /// The socket is gone.
    fn local_addr(&self, socket: TcpSocketId) -> io::Result<SocketAddr>;

    /// The far end.
    ///
    /// # Errors
    /// `NotConnected`, or the socket is gone.
    fn peer_addr(&self, socket: TcpSocketId) -> io::Result<SocketAddr>;

    /// Opens a UDP socket; port 0 chooses one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`.
    fn bind_udp(&self, at: SocketAddr) -> io::Result<udp::SocketId>;

    /// Fixes the peer of a UDP socket.
    ///
    /// # Errors
    /// No way there.
    fn connect_udp(&self, socket: udp::SocketId, peer: SocketAddr) -> io::Result<()>;

    /// Sends a datagram to `to`, or to the peer.
    ///
    /// # Errors
    /// No way there, too large, no destination, or what came back for an earlier one.
    fn send_udp(&self, socket: udp::SocketId, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize>;

    /// Takes the next datagram, as much of it as fits.
    ///
    /// # Errors
    /// `WouldBlock`, or what came back for one that was sent.
    fn receive_udp(&self, socket: udp::SocketId, buf: &mut [u8]) -> io::Result<Datagram>;

    /// The same without taking it: `MSG_PEEK`.
    ///
    /// # Errors
    /// As for [`receive_udp`](Self::receive_udp).
    fn peek_udp(&self, socket: udp::SocketId, buf: &mut [u8]) -> io::Result<Datagram>;

    /// Sets whether the socket may send to all on a link: `SO_BROADCAST`.
    ///
    /// # Errors
    /// The socket is gone.
    fn set_udp_broadcast(&self, socket: udp::SocketId, broadcast: udp::Broadcast) -> io::Result<()>;

    /// Whether a datagram or an error waits.
    ///
    /// # Errors
    /// The socket is gone.
    fn is_udp_readable(&self, socket: udp::SocketId) -> io::Result<bool>;

    /// Whether there is room for another datagram.
    ///
    /// # Errors
    /// The socket is gone.
    fn is_udp_writable(&self, socket: udp::SocketId) -> io::Result<bool>;

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// The socket is gone.
    fn take_udp_error(&self, socket: udp::SocketId) -> io::Result<Option<udp::Error>>;

    /// The near end of a UDP socket.
    ///
    /// # Errors
    /// The socket is gone.
    fn udp_addr(&self, socket: udp::SocketId) -> io::Result<SocketAddr>;

    /// The peer of a UDP socket, where it has one.
    ///
    /// # Errors
    /// The socket is gone.
    fn udp_peer(&self, socket: udp::SocketId) -> io::Result<Option<SocketAddr>>;

    /// Closes a UDP socket.
    fn close_udp(&self, socket: udp::SocketId);

    /// Asks whether a write would find room. Where it would not, who watches the socket is woken when it does: as in Linux's
    /// `tcp_poll()`, who asks is a writer that found none (`SOCK_NOSPACE`).
    ///
    /// # Errors
    /// The socket is gone.
    fn ask_room(&self, socket: TcpSocketId) -> io::Result<bool>;

    /// Wakes `waker` when it is worth to call again or when the socket is closed, once unless the wish is
    /// [`Always`](Wish::Always); gives the number of the place, which is to be [given up](Self::unwatch) in any case. [`Watch`](crate::Watch) sees to that.
    ///
    /// # Errors
    /// The socket is gone.
    fn watch(&self, socket: Watched, wish: Wish, waker: &Waker) -> io::Result<u64>;

    /// Gives a place up, be it that it was woken or not.
    fn unwatch(&self, socket: Watched, wish: Wish, number: u64);

    /// How many times the readiness of a UDP socket has changed.
    fn udp_changes(&self, socket: udp::SocketId) -> u64;

    /// The cores of the host, where its calls cost time.
    fn cpu(&self) -> Option<Arc<Cpu>>;

    /// Starts a task that stays on the thread that plays the host, and ends with the host.
    fn spawn_local(&self, task: Pin<Box<dyn Future<Output = ()>>>) -> Spawned;
}
