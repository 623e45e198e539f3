//! The trait and what it hands out.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_core::{EventId, Fields, Instant, Recorder, Storey};

use crate::{
    Admin, IcmpSocket, ListenOptions, PacketSocket, RawPacket, SystemRef, TcpListener, TcpOptions, TcpStream, UdpSocket,
};
use septet_wire::ethernet::EtherType;

/// A future on the heap that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A network as one program on one host sees it.
pub type NetRef = Arc<dyn Net>;

/// Looks up the addresses of a name, as `getaddrinfo(3)` does: in the host's own table, and then where names are asked for.
///
/// # Errors
/// `NotFound` where there is no such name, `TimedOut` where nobody answers.
pub type Lookup = fn(NetRef, String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;

/// What a program may ask of a network.
pub trait Net: Send + Sync + 'static {
    /// The host's name.
    fn hostname(&self) -> String;

    /// The host's own addresses, loopback excluded.
    fn addresses(&self) -> Vec<IpAddr>;

    /// Whether this host speaks IPv6.
    fn speaks_v6(&self) -> bool {
        self.addresses().iter().any(IpAddr::is_ipv6)
    }

    /// The address from which this host would speak to `to`; `None` where it knows no way there.
    fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        let _ = to;
        None
    }

    /// Where names are asked for, in order of preference: the `nameserver` lines of `resolv.conf`.
    fn name_servers(&self) -> Vec<SocketAddr>;

    /// What is appended to a name without a dot: the `search` line of `resolv.conf`.
    fn search_domains(&self) -> Vec<String> {
        Vec::new()
    }

    /// The addresses that this host knows by `name` without asking anyone: its `/etc/hosts`.
    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        let _ = name;
        Vec::new()
    }

    /// How names are looked up for programs that leave it to their operating system. Where there is none, those of
    /// [`hosts`](Self::hosts) are all there are.
    fn lookup(&self) -> Option<Lookup> {
        None
    }

    /// The time since the world (or the process) began. Virtual, where the world is.
    fn now(&self) -> Instant;

    /// The civil time, as the time since 1970-01-01T00:00:00Z. In virtual time it starts at the lab's epoch.
    fn unix_time(&self) -> Duration;

    /// Completes at `at`.
    fn sleep_until(&self, at: Instant) -> Sleep;

    /// Runs `future` beside the caller. It ends with the host, or when [`Spawned::abort`] is called; dropping the
    /// handle lets it run on.
    fn spawn(&self, future: BoxFuture<'static, ()>) -> Spawned;

    /// Fills `buf` with random bytes: seeded in virtual time, the operating system's elsewhere.
    fn fill_random(&self, buf: &mut [u8]);

    /// Where [`fill_random`](Self::fill_random) takes its bytes from. Only where the answer is
    /// [`Entropy::Seeded`] may TLS make its keys from them; a network in virtual time says so.
    fn entropy(&self) -> Entropy {
        Entropy::System
    }

    /// Opens a TCP connection.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`, `AddrInUse`, `AddrNotAvailable`.
    fn connect(&self, to: SocketAddr, options: TcpOptions) -> BoxFuture<'static, io::Result<TcpStream>>;

    /// Accepts TCP connections at `at`; port 0 chooses one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`.
    fn listen(&self, at: SocketAddr, options: ListenOptions) -> io::Result<TcpListener>;

    /// Opens a UDP socket at `at`; port 0 chooses one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`.
    fn bind_udp(&self, at: SocketAddr) -> io::Result<UdpSocket>;

    /// Opens a socket for ICMP echo with hosts that speak `peer`'s version of IP, as Linux's
    /// `socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)` and `socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6)`.
    ///
    /// # Errors
    /// `PermissionDenied` or `Unsupported` where the network has none.
    fn open_icmp(&self, peer: IpAddr) -> io::Result<IcmpSocket>;

    /// Opens a UDP socket at `at` that sends and receives by the interface `device` alone, whatever the routes say:
    /// `SO_BINDTODEVICE`. It works before the interface has an address.
    ///
    /// # Errors
    /// Those of [`bind_udp`](Self::bind_udp); `NotFound` where there is no such interface; `Unsupported` where the network
    /// has none.
    fn bind_udp_on(&self, device: &str, at: SocketAddr) -> io::Result<UdpSocket> {
        let _ = (device, at);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens a socket for the packets of one protocol on the link of the interface `device`.
    ///
    /// # Errors
    /// `NotFound` where there is no such interface; `Unsupported` where the network has none.
    fn open_packet(&self, device: &str, protocol: EtherType) -> io::Result<PacketSocket> {
        let _ = (device, protocol);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens a socket for all packets of one protocol that pass the interface `device`, those between others too: Linux's
    /// `PACKET_MR_PROMISC`. What passes is for the link to say: a hub repeats everything, a switch what it must.
    ///
    /// # Errors
    /// As [`open_packet`](Self::open_packet).
    fn open_promiscuous(&self, device: &str, protocol: EtherType) -> io::Result<PacketSocket> {
        let _ = (device, protocol);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends one packet of any protocol above IP, whose own header and checksum `payload` has: Linux's `SOCK_RAW`. What comes
    /// back [`open_packet`](Self::open_packet) shows.
    ///
    /// # Errors
    /// `NetworkUnreachable` and its kin; `AddrNotAvailable` and `NotFound` where the host has no such address or interface;
    /// `Unsupported` where the network has none.
    fn send_raw(&self, packet: &RawPacket<'_>) -> io::Result<()> {
        let _ = packet;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What may change this host's addresses, routes and neighbours, and read them.
    ///
    /// # Errors
    /// `Unsupported` where that is not this program's to do, as on the machine's own network.
    fn admin(&self) -> io::Result<Admin> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The operating system of this host: calls on sockets by number, which never wait.
    ///
    /// # Errors
    /// `Unsupported` where the network is not a host of ours: programs have the machine's own there.
    fn system(&self) -> io::Result<SystemRef> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The counters and series of this host.
    fn recorder(&self) -> &Recorder;

    /// Whether [`note`](Self::note) is heard; ask before computing what only the trace needs.
    fn is_traced(&self) -> bool {
        false
    }

    /// Tells the trace what happened on an upper storey.
    fn note(&self, note: Note) {
        let _ = note;
    }

    /// The event because of which the calling task does what it does: what it took in last, what it told last, or what
    /// made it run. [`EventId::NONE`] where nothing is traced.
    fn cause(&self) -> EventId {
        EventId::NONE
    }

    /// What the calling task does from here on, it does because of `cause`. Only a task that works for several others,
    /// and knows for which, has a use for it; all else the network follows by itself.
    fn because(&self, cause: EventId) {
        let _ = cause;
    }

    /// Hands on a line of the `SSLKEYLOGFILE` format, so that a capture can be read.
    fn secret(&self, line: String) {
        let _ = line;
    }
}

/// Where randomness comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entropy {
    /// The world's seed: the same bytes on every run, and no secret from anyone.
    Seeded,
    /// The operating system.
    System,
}

/// What an upper storey tells the trace.
#[derive(Clone, Debug)]
pub struct Note {
    /// On which storey it happened.
    pub storey: Storey,
    /// What, as `protocol.moment`: `dns.query`, `tls.client-hello`, `http.request`.
    pub kind: &'static str,
    /// The particulars.
    pub fields: Fields,
}

/// A timer; a future that completes at its time.
#[must_use = "a timer does nothing unless awaited"]
pub struct Sleep(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Sleep {
    /// Wraps a network's own timer.
    pub fn new(timer: impl Future<Output = ()> + Send + Sync + 'static) -> Self {
        Self(Box::pin(timer))
    }
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleep")
    }
}

/// A running task.
pub struct Spawned(Box<dyn FnOnce() + Send + Sync>);

impl Spawned {
    /// Wraps what ends the task early.
    pub fn new(abort: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Box::new(abort))
    }

    /// Ends the task; its future is dropped before it is polled again.
    pub fn abort(self) {
        (self.0)();
    }
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawned")
    }
}
