//! The kernel's sockets as a `Net`, on tokio.

mod canonical;
#[cfg(target_os = "linux")]
mod echo;
#[cfg(target_os = "linux")]
mod groups;
#[cfg(target_os = "linux")]
mod linux;
mod resolv;
pub(crate) mod tcp;
mod udp;

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use septet_core::{Instant, Recorder};
use septet_socket::{
    BoxFuture, IcmpSocket, ListenOptions, Net, NetRef, Note, Sleep, Spawned, TcpListener, TcpOptions, TcpStream,
    UdpSocket,
};
use tokio::runtime::Handle;

type Hearer<T> = Box<dyn Fn(T) + Send + Sync>;

/// The machine's own network.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use septet_live::kernel::KernelNet;
/// use septet_socket::{ListenOptions, Net, TcpOptions};
///
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// runtime.block_on(async {
///     let net = KernelNet::new()?.into_net();
///     let listener = net.listen("127.0.0.1:0".parse().unwrap(), ListenOptions::default())?;
///     let stream = net.connect(listener.local_addr()?, TcpOptions::default()).await?;
///     let (_, from) = listener.accept().await?;
///     assert_eq!(from, stream.local_addr()?);
///     Ok(())
/// })
/// # }
/// ```
pub struct KernelNet {
    runtime: Handle,
    began: tokio::time::Instant,
    hostname: String,
    name_servers: Vec<SocketAddr>,
    search: Vec<String>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    recorder: Recorder,
    on_note: Option<Hearer<Note>>,
    on_secret: Option<Hearer<String>>,
}

impl KernelNet {
    /// The network as the machine is set up: its name, the name servers of `/etc/resolv.conf`, and `/etc/hosts`.
    ///
    /// # Errors
    /// `Other` outside of a tokio runtime.
    pub fn new() -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let resolv = resolv::read();
        Ok(Self {
            runtime,
            began: tokio::time::Instant::now(),
            hostname: hostname(),
            name_servers: resolv.name_servers,
            search: resolv.search,
            hosts: resolv::hosts(),
            recorder: Recorder::new(),
            on_note: None,
            on_secret: None,
        })
    }

    /// Goes by another name.
    #[must_use]
    pub fn with_hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = hostname.into();
        self
    }

    /// Asks these servers for names.
    #[must_use]
    pub fn with_name_servers(mut self, servers: Vec<SocketAddr>) -> Self {
        self.name_servers = servers;
        self
    }

    /// Appends these domains to names without enough dots.
    #[must_use]
    pub fn with_search_domains(mut self, domains: Vec<String>) -> Self {
        self.search = domains;
        self
    }

    /// Tells `hear` what the upper storeys note.
    #[must_use]
    pub fn on_note(mut self, hear: impl Fn(Note) + Send + Sync + 'static) -> Self {
        self.on_note = Some(Box::new(hear));
        self
    }

    /// Hands `hear` the lines of TLS key material.
    #[must_use]
    pub fn on_secret(mut self, hear: impl Fn(String) + Send + Sync + 'static) -> Self {
        self.on_secret = Some(Box::new(hear));
        self
    }

    /// The network as programs take it.
    #[must_use]
    pub fn into_net(self) -> NetRef {
        Arc::new(self)
    }
}

impl Net for KernelNet {
    fn hostname(&self) -> String {
        self.hostname.clone()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        #[cfg(target_os = "linux")]
        return linux::addresses();
        #[cfg(not(target_os = "linux"))]
        Vec::new()
    }

    fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        // As getaddrinfo(3) does: to connect a datagram socket sends nothing.
        let any = if to.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
        socket.connect((to, 53)).ok()?;
        socket.local_addr().ok().map(|local| local.ip())
    }

    fn name_servers(&self) -> Vec<SocketAddr> {
        self.name_servers.clone()
    }

    fn search_domains(&self) -> Vec<String> {
        self.search.clone()
    }

    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        self.hosts.get(&name.trim_end_matches('.').to_ascii_lowercase()).cloned().unwrap_or_default()
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.began.elapsed()
    }

    fn unix_time(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        let _runtime = self.runtime.enter();
        match self.began.checked_add(Duration::from_nanos(at.as_nanos())) {
            Some(deadline) => Sleep::new(tokio::time::sleep_until(deadline)),
            None => Sleep::new(core::future::pending()),
        }
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Spawned {
        let task = self.runtime.spawn(future).abort_handle();
        Spawned::new(move || task.abort())
    }

    fn fill_random(&self, buf: &mut [u8]) {
        // The system call fails only where the kernel has none, and then there is no safe way on.
        getrandom::fill(buf).unwrap_or_else(|e| panic!("the operating system gives no randomness: {e}"));
    }

    fn connect(&self, to: SocketAddr, options: TcpOptions) -> BoxFuture<'static, io::Result<TcpStream>> {
        Box::pin(tcp::connect(to, options))
    }

    fn listen(&self, at: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
        let _runtime = self.runtime.enter();
        tcp::listen(at, options)
    }

    fn bind_udp(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        let _runtime = self.runtime.enter();
        udp::bind(at)
    }

    fn open_icmp(&self, peer: IpAddr) -> io::Result<IcmpSocket> {
        #[cfg(target_os = "linux")]
        {
            let _runtime = self.runtime.enter();
            echo::open(peer)
        }
        #[cfg(not(target_os = "linux"))]
        Err(io::Error::new(io::ErrorKind::Unsupported, "ICMP sockets are implemented for Linux only"))
    }

    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    fn is_traced(&self) -> bool {
        self.on_note.is_some()
    }

    fn note(&self, note: Note) {
        if let Some(hear) = &self.on_note {
            hear(note);
        }
    }

    fn secret(&self, line: String) {
        if let Some(hear) = &self.on_secret {
            hear(line);
        }
    }
}

impl fmt::Debug for KernelNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelNet").field("hostname", &self.hostname).finish_non_exhaustive()
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|s| s.trim().to_owned())
        .or_else(|_| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")))
        .unwrap_or_else(|_| "localhost".to_owned())
}
