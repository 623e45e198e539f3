//! One generation of services: the network as it sees it, and its end.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use septet_core::{EventId, Instant, Recorder};
use septet_service::Boot;
use septet_socket::{
    Admin, BoxFuture, Entropy, IcmpSocket, ListenOptions, Net, NetRef, Note, PacketSocket, RawPacket, Sleep, Spawned,
    SystemRef, TcpListener, TcpOptions, TcpStream, UdpSocket,
};
use septet_wire::ethernet::EtherType;

use super::shelf::{Loudness, Shelf};
use super::turn::{Datagrams, Listener, Turn};

/// One generation of services, until it is retired.
pub struct Generation {
    shelf: Arc<Shelf>,
    turns: Mutex<Vec<Weak<Turn>>>,
    /// What the services themselves are, beside their connections.
    roots: Mutex<Vec<Spawned>>,
    booting: AtomicBool,
    open: Arc<()>,
}

impl Generation {
    pub(super) fn new(shelf: Arc<Shelf>) -> Arc<Self> {
        let (turns, roots) = (Mutex::default(), Mutex::default());
        Arc::new(Self { shelf, turns, roots, booting: AtomicBool::new(false), open: Arc::new(()) })
    }

    /// Starts a service.
    pub fn boot(self: &Arc<Self>, boot: &Boot) {
        self.booting.store(true, Ordering::Relaxed);
        boot(self.clone());
        self.booting.store(false, Ordering::Relaxed);
    }

    /// Takes no more connections and datagrams. What it has accepted goes on.
    pub fn retire(&self) {
        let turns = core::mem::take(&mut *self.turns.lock().unwrap_or_else(PoisonError::into_inner));
        turns.iter().filter_map(Weak::upgrade).for_each(|turn| turn.end());
    }

    /// How many of the connections that it accepted are open.
    pub fn connections(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }

    /// Ends its services. Connections that are tasks of their own go on.
    pub fn end(&self) {
        let roots = core::mem::take(&mut *self.roots.lock().unwrap_or_else(PoisonError::into_inner));
        roots.into_iter().for_each(Spawned::abort);
    }

    fn begin_turn(&self, turn: &Arc<Turn>) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|turn| turn.strong_count() > 0);
        turns.push(Arc::downgrade(turn));
    }

    fn net(&self) -> &NetRef {
        &self.shelf.net
    }
}

impl Net for Generation {
    fn listen(&self, at: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
        if at.port() == 0 {
            return self.net().listen(at, options);
        }
        self.shelf.open_tcp(at)?;
        let mut sockets = self.shelf.lock();
        let slot = sockets.tcp.get_mut(&at).ok_or(io::ErrorKind::AddrNotAvailable)?;
        // Two services of one generation at one place are a mistake here as elsewhere.
        if self.has(&slot.turn) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (socket, turn) = slot.take_over();
        drop(sockets);
        self.begin_turn(&turn);
        Ok(TcpListener::new(Listener::new(socket, turn, options.tcp.nodelay, Arc::downgrade(&self.open))?))
    }

    fn bind_udp(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        if at.port() == 0 {
            return self.net().bind_udp(at);
        }
        self.shelf.open_udp(at)?;
        let mut sockets = self.shelf.lock();
        let slot = sockets.udp.get_mut(&at).ok_or(io::ErrorKind::AddrNotAvailable)?;
        if self.has(&slot.turn) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (socket, turn) = slot.take_over();
        drop(sockets);
        self.begin_turn(&turn);
        Ok(UdpSocket::new(Datagrams { socket, turn }))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Spawned {
        let spawned = self.net().spawn(future);
        if !self.booting.load(Ordering::Relaxed) {
            return spawned;
        }
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).push(spawned);
        Spawned::new(|| ())
    }

    fn is_traced(&self) -> bool {
        self.shelf.loudness == Loudness::All
    }

    fn note(&self, note: Note) {
        (self.shelf.hear)(note);
    }

    fn hostname(&self) -> String {
        self.net().hostname()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.net().addresses()
    }

    fn speaks_v6(&self) -> bool {
        self.net().speaks_v6()
    }

    fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        self.net().source_for(to)
    }

    fn name_servers(&self) -> Vec<SocketAddr> {
        self.net().name_servers()
    }

    fn search_domains(&self) -> Vec<String> {
        self.net().search_domains()
    }

    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        self.net().hosts(name)
    }

    fn now(&self) -> Instant {
        self.net().now()
    }

    fn unix_time(&self) -> Duration {
        self.net().unix_time()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        self.net().sleep_until(at)
    }

    fn fill_random(&self, buf: &mut [u8]) {
        self.net().fill_random(buf);
    }

    fn entropy(&self) -> Entropy {
        self.net().entropy()
    }

    fn connect(&self, to: SocketAddr, options: TcpOptions) -> BoxFuture<'static, io::Result<TcpStream>> {
        self.net().connect(to, options)
    }

    fn open_icmp(&self, peer: IpAddr) -> io::Result<IcmpSocket> {
        self.net().open_icmp(peer)
    }

    fn bind_udp_on(&self, device: &str, at: SocketAddr) -> io::Result<UdpSocket> {
        self.net().bind_udp_on(device, at)
    }

    fn open_packet(&self, device: &str, protocol: EtherType) -> io::Result<PacketSocket> {
        self.net().open_packet(device, protocol)
    }

    fn open_promiscuous(&self, device: &str, protocol: EtherType) -> io::Result<PacketSocket> {
        self.net().open_promiscuous(device, protocol)
    }

    fn send_raw(&self, packet: &RawPacket<'_>) -> io::Result<()> {
        self.net().send_raw(packet)
    }

    fn admin(&self) -> io::Result<Admin> {
        self.net().admin()
    }

    fn system(&self) -> io::Result<SystemRef> {
        self.net().system()
    }

    fn recorder(&self) -> &Recorder {
        self.net().recorder()
    }

    fn cause(&self) -> EventId {
        self.net().cause()
    }

    fn because(&self, cause: EventId) {
        self.net().because(cause);
    }

    fn secret(&self, line: String) {
        self.net().secret(line);
    }
}

impl Generation {
    /// Whether this turn is one of its own.
    fn has(&self, turn: &Weak<Turn>) -> bool {
        let live = turn.upgrade().is_some_and(|turn| !turn.is_over());
        live && self.turns.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|own| Weak::ptr_eq(own, turn))
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("connections", &self.connections()).finish_non_exhaustive()
    }
}
