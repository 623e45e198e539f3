//! The server on a network: its sockets, the checks of addresses, and what it tells.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_core::{Instant, Metric, Storey};
use septet_network::neighbor::State;
use septet_socket::{Admin, Broadcast, EchoReply, NetExt, NetRef, UdpSocket};
use septet_wire::dhcp::{Message, SERVER_PORT};

use super::lease::{Dest, Found, Named, Naming, News, Output, Server, Told, Via};
use super::names::Teller;
use super::{TO_ALL, client_at, server_at, short};
use crate::task;

/// How long an address is asked for before it is offered: dhcpd's `ping-timeout`.
const PATIENCE: Duration = Duration::from_secs(1);
/// Checks that run at once; what comes beyond has to ask again.
const CHECKS: usize = 256;

/// What a server knows, which outlives its host as a file of leases does.
#[derive(Clone, Debug)]
pub struct Book(Arc<Mutex<Server>>);

impl Book {
    /// What this server knows.
    pub fn new(server: Server) -> Self {
        Self(Arc::new(Mutex::new(server)))
    }

    /// Looks at it.
    pub fn lock(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves on every interface that has an address of IPv4 until the host stops, and tells `name_servers` what its clients are
/// called.
///
/// # Errors
/// `AddrInUse` where another listens at the port, `Unsupported` where the network has no sockets of one interface.
pub async fn serve(net: NetRef, book: Book, name_servers: Vec<SocketAddr>) -> io::Result<()> {
    let admin = net.admin()?;
    let teller = Teller::new(net.clone(), name_servers);
    let watched = Arc::new(Mutex::new(BTreeMap::new()));
    let mut desks = Vec::new();
    for link in admin.links()? {
        let address = admin.addresses()?.into_iter().find_map(|a| match a.address.addr() {
            IpAddr::V4(v4) if a.iface == link.iface => Some(v4),
            _ => None,
        });
        let Some(address) = address else { continue };
        let socket = net.bind_udp_on(&link.name, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), SERVER_PORT))?;
        socket.set_broadcast(Broadcast::Allowed)?;
        let via = Via { iface: link.iface, address };
        let checks = Arc::new(Mutex::new(0));
        let (net, admin, book, teller) = (net.clone(), admin.clone(), book.clone(), teller.clone());
        let watched = watched.clone();
        desks.push(Desk { net, admin, book, teller, watched, socket: Arc::new(socket), via, checks });
    }
    if let Some(desk) = desks.first().filter(|desk| desk.teller.is_heard()) {
        // Those that were known before a crash.
        let known = book.lock().known();
        known.iter().for_each(|named| desk.watch(named.address));
    }
    let desks = desks.into_iter().map(|desk| task::spawn(&net, Box::pin(desk.serve()))).collect::<Vec<_>>();
    core::future::pending::<()>().await;
    drop(desks);
    Ok(())
}

/// One interface of the server.
#[derive(Clone)]
struct Desk {
    net: NetRef,
    admin: Admin,
    book: Book,
    teller: Teller,
    /// Until when each name is known, as far as somebody wakes up then.
    watched: Arc<Mutex<BTreeMap<Ipv4Addr, Instant>>>,
    socket: Arc<UdpSocket>,
    via: Via,
    checks: Arc<Mutex<usize>>,
}

impl Desk {
    async fn serve(self) {
        let mut buf = vec![0; 2048];
        loop {
            let Ok(datagram) = self.socket.receive(&mut buf).await else { return };
            let Ok(message) = Message::parse(&buf[..datagram.len]) else { continue };
            self.net.count(&format!("dhcp.server.received.{}", short(&message)));
            self.net.trace(Storey::Application, "dhcp.received", |f| {
                f.set("type", message.options.kind.as_str()).set("from", message.chaddr.0);
            });
            self.book.lock().receive(self.net.now(), self.via, &message);
            self.settle().await;
        }
    }

    /// Does what the machine wants done.
    async fn settle(&self) {
        loop {
            let output = self.book.lock().poll();
            match output {
                None => return,
                Some(Output::Send(dest, message)) => self.send(dest, &message).await,
                Some(Output::Check(address, question)) => self.check(address, question),
                Some(Output::Told(told)) => self.tell(&told),
                Some(Output::Name(naming, named)) => self.name(naming, named),
            }
        }
    }

    fn name(&self, naming: Naming, named: Named) {
        if !self.teller.is_heard() {
            return;
        }
        let address = named.address;
        self.teller.tell(naming, named);
        if naming == Naming::Known {
            self.watch(address);
        }
    }

    /// Sees to it that the name at an address is forgotten when its lease ends: one task for each, however often it is leased.
    fn watch(&self, address: Ipv4Addr) {
        let Some(until) = self.known_until(address) else { return };
        if self.watched().get(&address).is_some_and(|at| *at <= until) {
            return;
        }
        let desk = self.clone();
        let _ = self.net.spawn(Box::pin(async move {
            // What prolongs the lease moves its end.
            while let Some(until) = desk.known_until(address)
                && until > desk.net.now()
            {
                desk.watched().insert(address, until);
                desk.net.sleep_until(until).await;
                // A shorter lease has somebody who wakes up sooner.
                if desk.watched().get(&address) != Some(&until) {
                    return;
                }
            }
            desk.watched().remove(&address);
            desk.book.lock().expire(desk.net.now());
            desk.settle().await;
        }));
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<Ipv4Addr, Instant>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_until(&self, address: Ipv4Addr) -> Option<Instant> {
        self.book.lock().known_until(address)
    }

    async fn send(&self, dest: Dest, message: &Message) {
        let to = match dest {
            Dest::Relay(relay) => server_at(relay),
            Dest::Client(address) => client_at(address),
            Dest::All => client_at(TO_ALL),
            Dest::Future(address, mac) => {
                // It cannot answer ARP yet.
                let _ = self.admin.set_neighbor(self.via.iface, address.into(), mac, State::Reachable);
                client_at(address)
            }
        };
        self.net.count(&format!("dhcp.server.sent.{}", short(message)));
        self.net.trace(Storey::Application, "dhcp.sent", |f| {
            f.set("type", message.options.kind.as_str()).set("to", message.chaddr.0);
            if !message.yiaddr.is_unspecified() {
                f.set("address", message.yiaddr);
            }
        });
        // What cannot be sent is asked for again.
        let _ = self.socket.send_to(&message.to_bytes(), to).await;
    }

    /// RFC 2131 §2.2: "the allocating server SHOULD probe the reused address before allocating the address, e.g., with an
    /// ICMP echo request".
    fn check(&self, address: Ipv4Addr, question: Message) {
        {
            let mut running = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
            if *running >= CHECKS {
                return;
            }
            *running += 1;
        }
        let desk = self.clone();
        let _ = self.net.spawn(Box::pin(async move {
            let found = answers(&desk.net, address).await;
            *desk.checks.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
            desk.book.lock().checked(desk.net.now(), desk.via, address, &question, found);
            desk.settle().await;
        }));
    }

    fn tell(&self, told: &Told) {
        let now = self.net.now();
        let leased = self.book.lock().leased(now);
        self.net.observe("dhcp.server.leased", leased as f64);
        self.net.trace(Storey::Application, "dhcp.lease", |f| match told {
            Told::Leased { address, mac, name, lease, news } => {
                f.set("address", *address).set("to", mac.0).set("lease", *lease);
                if let Some(name) = name {
                    f.set("name", name.clone());
                }
                f.set("why", if *news == News::New { "it was offered and taken" } else { "it is prolonged" });
            }
            Told::Released(address, mac) => {
                f.set("address", *address).set("from", mac.0).set("why", "its client needs it no longer");
            }
            Told::Abandoned(address, why) => {
                f.set("address", *address).set("why", *why);
            }
            Told::Refused(mac, why) => {
                f.set("to", mac.0).set("why", *why);
            }
            Told::Exhausted(mac) => {
                f.set("to", mac.0).set("why", "no address is left");
            }
        });
        let counter = match told {
            Told::Leased { news: News::New, .. } => "dhcp.server.new",
            Told::Leased { .. } => "dhcp.server.renewed",
            Told::Released(..) => "dhcp.server.released",
            Told::Abandoned(..) => "dhcp.server.abandoned",
            Told::Refused(..) => "dhcp.server.refused",
            Told::Exhausted(_) => "dhcp.server.exhausted",
        };
        self.net.count(counter);
    }
}

async fn answers(net: &NetRef, address: Ipv4Addr) -> Found {
    let Ok(socket) = net.open_icmp(address.into()) else { return Found::Nobody };
    if socket.send(address.into(), 1, &[0; 56]).await.is_err() {
        return Found::Nobody;
    }
    let mut buf = [0; 64];
    match net.timeout(PATIENCE, socket.receive(&mut buf)).await {
        Ok(Ok(EchoReply::Reply { .. })) => Found::Somebody,
        _ => Found::Nobody,
    }
}

/// What it records.
pub const METRICS: &[Metric] = &[
    Metric::counter("dhcp.server.received.*", "messages of clients by type: `dhcp.server.received.discover`"),
    Metric::counter("dhcp.server.sent.*", "messages sent by type: `dhcp.server.sent.offer`"),
    Metric::counter("dhcp.server.new", "addresses that were leased anew"),
    Metric::counter("dhcp.server.renewed", "leases that were prolonged"),
    Metric::counter("dhcp.server.released", "addresses that their clients gave back"),
    Metric::counter("dhcp.server.abandoned", "addresses that somebody has whom nobody gave them"),
    Metric::counter("dhcp.server.refused", "clients that were told that an address is not theirs"),
    Metric::counter("dhcp.server.exhausted", "clients for whom no address was left"),
    Metric::counter("dhcp.server.named", "changes of a client's name that a name server made"),
    Metric::counter("dhcp.server.unnamed", "changes of a client's name that a name server did not make"),
    Metric::numbers("dhcp.server.leased", "addresses that are leased, at each change"),
];
