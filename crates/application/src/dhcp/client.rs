//! The client on a network: it plays the machine on one interface, and configures what it is given.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use septet_core::{Carrier, EventId, Instant, Metric, Storey};
use septet_network::{Cidr, Origin, Prefix, Route, Target};
use septet_socket::admin::{Change, Check, Defence, Lifetime, Link, NewAddress, News};
use septet_socket::{Admin, Broadcast, NetExt, NetRef, UdpSocket};
use septet_wire::dhcp::{CLIENT_PORT, Message};

use super::machine::{Identity, Lease, Machine, Output, State, To};
use super::{TO_ALL, server_at, short};

/// Where the client of the first interface hears `release` and `renew`, on 127.0.0.1 alone; those of further interfaces at
/// the ports that follow.
pub const CONTROL_PORT: u16 = 7912;

/// How long an address outlives the message that gives it back.
const FAREWELL: Duration = Duration::from_millis(1);

/// The address that a client had last, which outlives its host as a file of leases does.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Option<(Ipv4Addr, Instant)>>>);

impl Memory {
    /// The address, where its lease is not over at `now`.
    fn recall(&self, now: Instant) -> Option<Ipv4Addr> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.filter(|(_, ends)| *ends > now).map(|(address, _)| address)
    }

    fn keep(&self, lease: Option<&Lease>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lease.map(|lease| (lease.address, lease.ends_at));
    }
}

/// A client.
pub struct Client {
    net: NetRef,
    admin: Admin,
    link: Link,
    socket: UdpSocket,
    memory: Memory,
    machine: Machine,
    /// The address that is configured, or about to be.
    own: Option<Lease>,
    /// What brought it: the link's silence, after which it is used, comes of nothing.
    brought: EventId,
}

/// What the client wakes up for.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and nearly always it is a message")]
enum Woken {
    Message(Message),
    Change(Change),
    Command(Command),
    Due,
}

/// What a client can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Command {
    Release,
    Renew,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client")
            .field("device", &self.link.name)
            .field("state", self.machine.state())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the interface `device`.
    ///
    /// # Errors
    /// `NotFound` where there is no such interface, `AddrInUse` where another client has it, `Unsupported` where the
    /// network lets nobody configure it.
    pub fn new(net: NetRef, device: &str, memory: Memory) -> io::Result<Self> {
        let admin = net.admin()?;
        let link = admin.link(device)?;
        let socket = net.bind_udp_on(device, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), CLIENT_PORT))?;
        socket.set_broadcast(Broadcast::Allowed)?;
        let identity = Identity { mac: link.mac, host_name: net.hostname() };
        let machine = Machine::new(identity, memory.recall(net.now()), net.now(), net.random_u64());
        Ok(Self { net, admin, link, socket, memory, machine, own: None, brought: EventId::NONE })
    }

    /// Gets an address and keeps it, until the host stops.
    ///
    /// # Errors
    /// Those of its sockets.
    pub async fn run(mut self) -> io::Result<()> {
        let mut changes = self.admin.watch()?;
        let control = Control::new(&self.net, self.link.iface);
        let mut buf = vec![0; 2048];
        loop {
            self.settle().await;
            let woken = {
                let mut due = self.machine.deadline().map(|at| self.net.sleep_until(at));
                let mut change = pin!(changes.next());
                let mut datagram = pin!(self.socket.receive(&mut buf));
                let mut command = pin!(control.next());
                core::future::poll_fn(|cx| {
                    if let Poll::Ready(change) = change.as_mut().poll(cx) {
                        return Poll::Ready(change.map(|change| Ok(Woken::Change(change))));
                    }
                    if let Poll::Ready(datagram) = datagram.as_mut().poll(cx) {
                        return Poll::Ready(datagram.map(|datagram| Err(datagram.len)));
                    }
                    if let Poll::Ready(command) = command.as_mut().poll(cx) {
                        return Poll::Ready(Ok(Ok(Woken::Command(command))));
                    }
                    let is_due = due.as_mut().is_some_and(|due| core::pin::Pin::new(due).poll(cx).is_ready());
                    if is_due { Poll::Ready(Ok(Ok(Woken::Due))) } else { Poll::Pending }
                })
                .await?
            };
            let woken = match woken {
                Ok(woken) => woken,
                Err(len) => match Message::parse(&buf[..len]) {
                    Ok(message) => Woken::Message(message),
                    Err(_) => continue,
                },
            };
            self.take(woken);
        }
    }

    fn take(&mut self, woken: Woken) {
        let now = self.net.now();
        match woken {
            Woken::Message(message) => {
                self.net.trace(Storey::Application, "dhcp.received", |f| {
                    f.set("type", message.options.kind.as_str());
                    if !message.yiaddr.is_unspecified() {
                        f.set("address", message.yiaddr);
                    }
                });
                self.net.count(&format!("dhcp.received.{}", short(&message)));
                self.machine.receive(now, &message);
            }
            Woken::Change(Change::Link { iface, state: Carrier::Up }) if iface == self.link.iface => {
                self.machine.link_is_back(now);
            }
            Woken::Change(Change::Address { iface, address, news }) if iface == self.link.iface => {
                let is_own = self.own.as_ref().is_some_and(|lease| IpAddr::V4(lease.address) == address);
                match news {
                    News::Ready if is_own => self.ready(now),
                    News::Conflict { .. } if is_own => {
                        self.net.count("dhcp.declined");
                        self.own = None;
                        self.memory.keep(None);
                        self.machine.declined(now);
                    }
                    _ => {}
                }
            }
            Woken::Change(_) => {}
            Woken::Command(Command::Release) => self.machine.release(now),
            Woken::Command(Command::Renew) => self.machine.renew(now),
            Woken::Due => self.machine.on_deadline(now),
        }
    }

    /// Does what the machine wants done.
    async fn settle(&mut self) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Send(to, message) => self.send(to, &message).await,
                Output::Use(lease) => self.begin(lease),
                Output::Prolong(lease) => {
                    let lifetime = Lifetime { preferred: lease.ends_at, valid: lease.ends_at };
                    let _ = self.admin.set_lifetime(self.link.iface, lease.address.into(), lifetime);
                    self.net.count("dhcp.renewed");
                    self.told(&lease, "the lease is prolonged");
                    self.own = Some(lease);
                    self.memory.keep(self.own.as_ref());
                }
                Output::Drop(address, why) => {
                    self.net.count("dhcp.lost");
                    self.net.trace(Storey::Application, "dhcp.lost", |f| {
                        f.set("address", address).set("why", why);
                    });
                    self.own = None;
                    if *self.machine.state() == State::Released {
                        self.memory.keep(None);
                        // The DHCPRELEASE leaves by this address, which must not be gone before.
                        self.net.sleep(FAREWELL).await;
                    }
                    // Gone already where its lifetime in storey 3 was over first.
                    let _ = self.admin.remove_address(self.link.iface, address.into());
                }
            }
        }
    }

    async fn send(&self, to: To, message: &Message) {
        let to = match to {
            To::All => TO_ALL,
            To::Server(server) => server,
        };
        self.net.count(&format!("dhcp.sent.{}", short(message)));
        self.net.trace(Storey::Application, "dhcp.sent", |f| {
            f.set("type", message.options.kind.as_str()).set("state", self.machine.state().as_str());
            if let Some(address) = message.options.requested {
                f.set("address", address);
            }
        });
        // What cannot be sent now is sent again when its time comes.
        let _ = self.socket.send_to(&message.to_bytes(), server_at(to)).await;
    }

    /// RFC 2131 §2.2: "the client SHOULD probe the newly received address, e.g., with ARP".
    fn begin(&mut self, lease: Lease) {
        let Ok(address) = Cidr::new(lease.address.into(), lease.prefix_len) else { return };
        let lifetime = Lifetime { preferred: lease.ends_at, valid: lease.ends_at };
        let new = NewAddress { address, lifetime, check: Check::Probe, defence: Defence::Once };
        (self.own, self.brought) = (Some(lease), self.net.cause());
        if let Err(error) = self.admin.add_address(self.link.iface, new) {
            // The interface has it already, by hand or from a lease before the link was gone.
            if error.kind() == io::ErrorKind::AlreadyExists {
                let _ = self.admin.set_lifetime(self.link.iface, address.addr(), lifetime);
                self.ready(self.net.now());
            }
        }
    }

    /// The address is in use: routes and name servers follow.
    fn ready(&mut self, now: Instant) {
        let Some(lease) = self.own.clone() else { return };
        self.net.because(self.brought);
        self.machine.used(now);
        self.memory.keep(Some(&lease));
        if let Some(router) = lease.routers.first() {
            let target = Target::Via(self.link.iface, (*router).into());
            // Refused where the router is not on the link, or another interface was first: its route stays.
            let _ = self.admin.add_route(Route::new(Prefix::DEFAULT_V4, target, Origin::Dhcp));
        }
        if !lease.name_servers.is_empty() {
            let servers = lease.name_servers.iter().map(|server| SocketAddr::new((*server).into(), 53)).collect();
            let _ = self.admin.set_name_servers(servers, lease.domain.clone().into_iter().collect());
        }
        self.net.count("dhcp.bound");
        self.net.observe("dhcp.time", now.saturating_since(Instant::ZERO).as_secs_f64());
        self.told(&lease, "nobody else has it");
    }

    fn told(&self, lease: &Lease, why: &'static str) {
        self.net.trace(Storey::Application, "dhcp.bound", |f| {
            f.set("address", format!("{}/{}", lease.address, lease.prefix_len)).set("server", lease.server);
            f.set("lease", lease.ends_at.saturating_since(self.net.now())).set("why", why);
        });
    }
}

/// The ear by which a client hears commands of its own host.
struct Control(Option<UdpSocket>);

impl Control {
    fn new(net: &NetRef, iface: u16) -> Self {
        Self(net.bind_udp(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), CONTROL_PORT + iface)).ok())
    }

    async fn next(&self) -> Command {
        let Some(socket) = &self.0 else { return core::future::pending().await };
        let mut buf = [0; 64];
        loop {
            let Ok(datagram) = socket.receive(&mut buf).await else { return core::future::pending().await };
            match &buf[..datagram.len.min(buf.len())] {
                b"release" => return Command::Release,
                b"renew" => return Command::Renew,
                _ => {}
            }
        }
    }
}

/// What it records.
pub const METRICS: &[Metric] = &[
    Metric::counter("dhcp.sent.*", "messages that this host sent as a client, by type: `dhcp.sent.discover`"),
    Metric::counter("dhcp.received.*", "messages that it heard as a client, by type: `dhcp.received.nak`"),
    Metric::counter("dhcp.declined", "addresses that it was given and found somebody else at"),
    Metric::counter("dhcp.bound", "addresses that it was given and uses"),
    Metric::counter("dhcp.renewed", "leases that were prolonged"),
    Metric::counter("dhcp.lost", "addresses that it had to let go, or gave back"),
    Metric::times("dhcp.time", "when each address came into use, since the beginning"),
];
