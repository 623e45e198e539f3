//! `Net` of a simulated host: plain ids, resolved through the registry at each call.

use core::num::NonZeroU16;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_core::{EventId, Instant, Randomness, Recorder};
use septet_engine::executor;
use septet_socket::{
    BoxFuture, Coalescing, Datagram, EchoReply, Entropy, IcmpSocket, IcmpSocketImpl, ListenOptions, MtuDiscovery, Net,
    Note, Sleep, Spawned, TcpListener, TcpOptions, TcpStream, UdpSocket, UdpSocketImpl, Unreached,
};
use septet_transport::udp::SocketId;

use crate::HostConfig;
use crate::registry::{self, HostKey};
use crate::slots::SlotId;
use crate::stack::Stack;
use crate::udp::gone;

/// The network as the programs of one host see it.
#[derive(Debug)]
pub(crate) struct HostNet {
    key: HostKey,
    executor: executor::Handle,
    config: Arc<HostConfig>,
    recorder: Recorder,
}

impl HostNet {
    pub(crate) fn new(key: HostKey, executor: executor::Handle, config: Arc<HostConfig>) -> Self {
        Self { key, executor, config, recorder: Recorder::new() }
    }

    pub(crate) fn own_recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    pub(crate) fn config(&self) -> &HostConfig {
        &self.config
    }
}

/// Calls `f` with the host, or says that it is gone.
pub(crate) fn with<R>(key: HostKey, f: impl FnOnce(&mut Stack) -> io::Result<R>) -> io::Result<R> {
    registry::with(key, f).unwrap_or_else(|| Err(gone()))
}

/// The same for what may have to wait.
pub(crate) fn poll<R>(key: HostKey, f: impl FnOnce(&mut Stack) -> Poll<io::Result<R>>) -> Poll<io::Result<R>> {
    registry::with(key, f).unwrap_or_else(|| Poll::Ready(Err(gone())))
}

impl Net for HostNet {
    fn hostname(&self) -> String {
        self.config.name.clone()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let of = |stack: &mut Stack| stack.ip.addresses().map(|(_, a)| a.addr()).collect();
        registry::with(self.key, of).unwrap_or_default()
    }

    fn name_servers(&self) -> Vec<SocketAddr> {
        self.config.name_servers.clone()
    }

    fn search_domains(&self) -> Vec<String> {
        self.config.search.clone()
    }

    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        // RFC 4343 §2: "comparisons on name lookup for DNS queries should be case insensitive"; the table is in lower case.
        self.config.hosts.get(&name.to_ascii_lowercase()).cloned().unwrap_or_default()
    }

    fn now(&self) -> Instant {
        self.executor.now()
    }

    fn unix_time(&self) -> Duration {
        self.config.epoch + self.now().saturating_since(Instant::ZERO)
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
                if registry::with(self.key, |stack| stack.rng.fill(buf)).is_none() {
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
        crate::tcp::connect(self.key, to, options)
    }

    fn listen(&self, at: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
        crate::tcp::listen(self.key, at, options, &self.executor)
    }

    fn bind_udp(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        let id = with(self.key, |stack| stack.bind_udp(at))?;
        Ok(UdpSocket::new(Udp { key: self.key, id }))
    }

    fn open_icmp(&self) -> io::Result<IcmpSocket> {
        let id = with(self.key, |stack| {
            stack.running()?;
            stack.pings.open(&mut stack.rng)
        })?;
        Ok(IcmpSocket::new(Ping { key: self.key, id }))
    }

    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    fn is_traced(&self) -> bool {
        registry::with(self.key, |stack| stack.trace.is_on()).unwrap_or(false)
    }

    fn note(&self, note: Note) {
        let Note { storey, kind, fields } = note;
        registry::with(self.key, |stack| {
            // What a program does next, it does because of what it has just told.
            let told = stack.trace.emit(storey, kind, stack.trace.cause(), |f| *f = fields);
            stack.trace.set_cause(told);
        });
    }

    fn cause(&self) -> EventId {
        self.executor.cause()
    }

    fn because(&self, cause: EventId) {
        self.executor.because(cause);
    }

    fn secret(&self, line: String) {
        registry::with(self.key, |stack| stack.trace.secret(line));
    }
}

/// A UDP socket's handle.
struct Udp {
    key: HostKey,
    id: SocketId,
}

impl UdpSocketImpl for Udp {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        with(self.key, |stack| stack.udp.local_addr(self.id))
    }

    fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        with(self.key, |stack| stack.connect_udp(self.id, peer))
    }

    fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        with(self.key, |stack| stack.udp.set_ttl(self.id, ttl))
    }

    fn join_multicast(&self, group: IpAddr) -> io::Result<()> {
        with(self.key, |stack| stack.join(self.id, group))
    }

    fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8], to: Option<SocketAddr>) -> Poll<io::Result<usize>> {
        poll(self.key, |stack| stack.poll_send_udp(cx, self.id, payload, None, to))
    }

    fn poll_send_segmented(
        &self,
        cx: &mut Context<'_>,
        payload: &[u8],
        segment_size: NonZeroU16,
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        poll(self.key, |stack| stack.poll_send_udp(cx, self.id, payload, Some(segment_size), to))
    }

    fn set_coalescing(&self, coalescing: Coalescing) -> io::Result<()> {
        with(self.key, |stack| stack.udp.set_coalescing(self.id, coalescing))
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Datagram>> {
        poll(self.key, |stack| stack.udp.poll_receive(cx, self.id, buf, &mut stack.trace))
    }

    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<io::Result<Unreached>> {
        poll(self.key, |stack| stack.udp.poll_error(cx, self.id, &mut stack.trace))
    }
}

impl Drop for Udp {
    fn drop(&mut self) {
        registry::with(self.key, |stack| stack.close_udp(self.id));
    }
}

/// An ICMP echo socket's handle.
struct Ping {
    key: HostKey,
    id: SlotId,
}

impl IcmpSocketImpl for Ping {
    fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        with(self.key, |stack| stack.pings.set_ttl(self.id, ttl))
    }

    fn set_mtu_discovery(&self, discovery: MtuDiscovery) -> io::Result<()> {
        with(self.key, |stack| stack.pings.set_mtu_discovery(self.id, discovery))
    }

    fn poll_send(&self, _: &mut Context<'_>, to: IpAddr, seq: u16, payload: &[u8]) -> Poll<io::Result<()>> {
        Poll::Ready(with(self.key, |stack| stack.send_ping(self.id, to, seq, payload)))
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<EchoReply>> {
        poll(self.key, |stack| stack.pings.poll_receive(cx, self.id, buf, &mut stack.trace))
    }
}

impl Drop for Ping {
    fn drop(&mut self) {
        registry::with(self.key, |stack| stack.pings.close(self.id));
    }
}
