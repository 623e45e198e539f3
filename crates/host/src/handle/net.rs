//! `Net` of a simulated host: plain ids, resolved through the registry at each call.

use core::any::Any;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use septet_core::{EventId, Instant, Randomness, Recorder, Trace};
use septet_engine::executor;
use septet_socket::{
    Admin, BoxFuture, Entropy, IcmpSocket, ListenOptions, Lookup, Net, Note, PacketSocket, RawPacket, Sleep, Spawned,
    SystemRef, TcpListener, TcpOptions, TcpStream, UdpSocket,
};
use septet_wire::ethernet::EtherType;

use super::admin::AdminHandle;
use super::packet::PacketHandle;
use super::ping::PingHandle;
use super::registry::{self, HostKey};
use super::sockets::Sockets;
use super::udp::UdpHandle;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::stack::{Hears, HostConfig, Storeys};

/// Where name servers answer.
const DNS: u16 = 53;

/// The network as the programs of one host see it.
#[derive(Debug)]
pub(crate) struct HostNet {
    key: HostKey,
    executor: executor::Handle,
    config: Arc<HostConfig>,
    recorder: Recorder,
    /// What whoever made the host keeps with it.
    beside: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// Made when they are first asked for: most hosts of a large world never do.
    parts: OnceLock<Box<Parts>>,
}

/// What a host has that outlives a crash.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
}

impl HostNet {
    pub(crate) fn new(key: HostKey, executor: executor::Handle, config: Arc<HostConfig>, recorder: Recorder) -> Self {
        Self { key, executor, config, recorder, beside: OnceLock::new(), parts: OnceLock::new() }
    }

    pub(crate) fn own_recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    pub(crate) fn config(&self) -> &HostConfig {
        &self.config
    }

    /// The clock and the disk.
    pub(crate) fn parts(&self) -> &Parts {
        self.parts.get_or_init(Box::default)
    }

    /// The same, where they were asked for before.
    pub(crate) fn used_parts(&self) -> Option<&Parts> {
        self.parts.get().map(|parts| &**parts)
    }

    pub(super) fn key(&self) -> &HostKey {
        &self.key
    }

    pub(super) fn executor(&self) -> &executor::Handle {
        &self.executor
    }

    pub(super) fn beside(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.beside.get().cloned()
    }

    /// Keeps `what` with the host; tells whether nothing was kept there before.
    pub(crate) fn put_beside(&self, what: Arc<dyn Any + Send + Sync>) -> bool {
        self.beside.set(what).is_ok()
    }

    fn packet_socket(&self, device: &str, protocol: EtherType, hears: Hears) -> io::Result<PacketSocket> {
        let id = registry::call(&self.key, |stack, _| {
            stack.running()?;
            let device = stack.device(device)?;
            Ok(stack.packets.open(device, protocol, hears))
        })?;
        Ok(PacketSocket::new(PacketHandle { key: self.key.clone(), id }))
    }
}

impl Net for HostNet {
    fn hostname(&self) -> String {
        self.config.name.clone()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let of = |stack: &mut Storeys, _: &mut Trace| stack.ip.addresses().map(|(_, a)| a.addr()).collect();
        registry::with(&self.key, of).unwrap_or_default()
    }

    fn speaks_v6(&self) -> bool {
        registry::with(&self.key, |stack, _| stack.ip.speaks_v6()).unwrap_or(false)
    }

    fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        registry::with(&self.key, |stack, _| stack.ip.source_for(to).ok()).ok().flatten()
    }

    fn name_servers(&self) -> Vec<SocketAddr> {
        let of = |stack: &mut Storeys, _: &mut Trace| {
            let written = stack.resolvers.as_ref().map(|written| written.0.clone());
            (written, stack.ip.told_name_servers().collect::<Vec<_>>())
        };
        let (written, told) = registry::with(&self.key, of).unwrap_or_default();
        // RFC 8106 §5.3.1: what was told by DHCP "takes precedence over that from RA".
        let mut servers = written.unwrap_or_else(|| self.config.name_servers.clone());
        for server in told.into_iter().map(|server| SocketAddr::new(server.into(), DNS)) {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        servers
    }

    fn search_domains(&self) -> Vec<String> {
        let of = |stack: &mut Storeys, _: &mut Trace| {
            let written = stack.resolvers.as_ref().map(|written| written.1.clone());
            (written, stack.ip.told_search_domains().map(str::to_owned).collect::<Vec<_>>())
        };
        let (written, told) = registry::with(&self.key, of).unwrap_or_default();
        let mut domains = written.unwrap_or_else(|| self.config.search.clone());
        for domain in told {
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        domains
    }

    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        // RFC 4343 §2: "comparisons on name lookup for DNS queries should be case insensitive"; the table is in lower case.
        self.config.hosts.get(&name.to_ascii_lowercase()).cloned().unwrap_or_default()
    }

    fn lookup(&self) -> Option<Lookup> {
        self.config.lookup
    }

    fn now(&self) -> Instant {
        self.executor.now()
    }

    fn unix_time(&self) -> Duration {
        let (now, right) = (self.now(), self.config.epoch + self.now().saturating_since(Instant::ZERO));
        self.used_parts().map_or(right, |parts| parts.clock.civil(now, right))
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep::new(self.executor.sleep_until(at))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Spawned {
        let executor = self.executor.clone();
        let task = executor.spawn(future);
        Spawned::new(move || executor.abort(task))
    }

    fn fill_random(&self, buf: &mut [u8]) {
        match self.config.randomness {
            Randomness::Seeded(_) => {
                if registry::with(&self.key, |stack, _| stack.rng.fill(buf)).is_err() {
                    buf.fill(0);
                }
            }
            Randomness::Given(fill) => fill(buf),
        }
    }

    fn entropy(&self) -> Entropy {
        match self.config.randomness {
            Randomness::Seeded(_) => Entropy::Seeded,
            Randomness::Given(_) => Entropy::System,
        }
    }

    fn connect(&self, to: SocketAddr, options: TcpOptions) -> BoxFuture<'static, io::Result<TcpStream>> {
        let opened = super::tcp::open(self.key.clone(), None, to, options);
        Box::pin(async move { opened.await.map(TcpStream::new) })
    }

    fn listen(&self, at: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
        super::tcp::listen(self.key.clone(), at, &options, &self.executor).map(TcpListener::new)
    }

    fn bind_udp(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        super::udp::bind(self.key.clone(), at).map(UdpSocket::new)
    }

    fn open_icmp(&self, _: IpAddr) -> io::Result<IcmpSocket> {
        let id = registry::call(&self.key, |stack, _| {
            stack.running()?;
            stack.pings.open(&mut stack.rng)
        })?;
        Ok(IcmpSocket::new(PingHandle { key: self.key.clone(), id }))
    }

    fn bind_udp_on(&self, device: &str, at: SocketAddr) -> io::Result<UdpSocket> {
        let id = registry::call(&self.key, |stack, _| {
            let device = stack.device(device)?;
            stack.bind_udp_on(Some(device), at)
        })?;
        Ok(UdpSocket::new(UdpHandle { key: self.key.clone(), id }))
    }

    fn open_packet(&self, device: &str, protocol: EtherType) -> io::Result<PacketSocket> {
        self.packet_socket(device, protocol, Hears::Own)
    }

    fn open_promiscuous(&self, device: &str, protocol: EtherType) -> io::Result<PacketSocket> {
        self.packet_socket(device, protocol, Hears::All)
    }

    fn admin(&self) -> io::Result<Admin> {
        Ok(Admin::new(AdminHandle { key: self.key.clone() }))
    }

    fn system(&self) -> io::Result<SystemRef> {
        Ok(Arc::new(Sockets::new(self.key.clone(), self.executor.clone())))
    }

    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    fn send_raw(&self, packet: &RawPacket<'_>) -> io::Result<()> {
        registry::call(&self.key, |stack, trace| stack.send_raw(packet, trace))
    }

    fn is_traced(&self) -> bool {
        registry::with(&self.key, |_, trace| trace.is_on()).unwrap_or(false)
    }

    fn note(&self, note: Note) {
        let Note { storey, kind, fields } = note;
        let _ = registry::with(&self.key, |_, trace| {
            // What a program does next, it does because of what it has just told.
            let told = trace.emit(storey, kind, trace.cause(), |f| *f = fields);
            trace.set_cause(told);
        });
    }

    fn cause(&self) -> EventId {
        self.executor.cause()
    }

    fn because(&self, cause: EventId) {
        self.executor.because(cause);
    }

    fn secret(&self, line: String) {
        let _ = registry::with(&self.key, |_, trace| trace.secret(line));
    }
}
