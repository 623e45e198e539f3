//! What an administrator may ask of a host while it runs: interfaces, addresses, routes, neighbours, as rtnetlink has them.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_core::{Carrier, Instant, LinkCounters};
use septet_network::neighbor::State;
use septet_network::{Cidr, Iface, Route};
use septet_wire::ethernet::MacAddr;

pub use septet_network::acd::{Check, Defence};
pub use septet_network::conntrack::listing::Line as Conversation;
pub use septet_network::ip::{AdminState, Change, Lifetime, NewAddress, News, Path, PathKind};

/// An interface of a host: `ip link`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its number here.
    pub iface: Iface,
    /// Its name: `eth0`, `eth0.10`.
    pub name: String,
    /// Its link address.
    pub mac: MacAddr,
    /// The largest packet that it sends, in bytes.
    pub mtu: u32,
    /// Whether it is to be used.
    pub state: AdminState,
    /// Whether it is in use: switched on, and with a carrier.
    pub carrier: Carrier,
}

/// An address of an interface: `ip address`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// On which interface.
    pub iface: Iface,
    /// The address and its prefix.
    pub address: Cidr,
    /// How long it is good.
    pub lifetime: Lifetime,
    /// Whether it is being made sure that nobody else has it.
    pub tentative: Tentative,
}

/// Whether an address may be used already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tentative {
    /// It is in use.
    No,
    /// The link is being asked whether somebody has it.
    Yes,
}

/// A neighbour: `ip neigh`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbor {
    /// On which interface.
    pub iface: Iface,
    /// Its address.
    pub address: IpAddr,
    /// Its link address, where it is known.
    pub mac: Option<MacAddr>,
    /// How sure that is.
    pub state: State,
    /// When it was used last.
    pub used: Instant,
    /// When it was confirmed last.
    pub confirmed: Instant,
    /// When its link address changed last.
    pub updated: Instant,
}

/// What an interface counted; `None` is the loopback.
pub type Counted = (Option<Iface>, LinkCounters);

/// What a network provides for whoever administers a host.
pub trait AdminImpl: Send + Sync + 'static {
    /// The time that lifetimes and ages are told in.
    fn now(&self) -> Instant;

    /// All interfaces but the loopback.
    ///
    /// # Errors
    /// Those of the network.
    fn links(&self) -> io::Result<Vec<Link>>;

    /// What each interface counted so far, its wire and its card put together; `None` is the loopback.
    ///
    /// # Errors
    /// `Unsupported` where nobody counts.
    fn poll_counters(&self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<Counted>>> {
        let _ = cx;
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// The rules of the packet filter and what they counted, as `nft list ruleset` prints them; nothing where there is none.
    ///
    /// # Errors
    /// `Unsupported` where nobody can tell.
    fn ruleset(&self) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The conversations that the packet filter remembers, as `conntrack -L` prints them.
    ///
    /// # Errors
    /// `Unsupported` where nobody can tell.
    fn connections(&self) -> io::Result<Vec<Conversation>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Switches an interface on or off.
    ///
    /// # Errors
    /// `NotFound` where there is none of this number.
    fn set_link(&self, iface: Iface, state: AdminState) -> io::Result<()>;

    /// The addresses of all interfaces.
    ///
    /// # Errors
    /// Those of the network.
    fn addresses(&self) -> io::Result<Vec<Address>>;

    /// Configures an address.
    ///
    /// # Errors
    /// `NotFound` where there is no such interface, `AlreadyExists` where it has the address.
    fn add_address(&self, iface: Iface, address: NewAddress) -> io::Result<()>;

    /// Sets how long an address is good.
    ///
    /// # Errors
    /// `AddrNotAvailable` where the interface does not have it.
    fn set_lifetime(&self, iface: Iface, address: IpAddr, lifetime: Lifetime) -> io::Result<()>;

    /// Takes an address away, with the routes that came with it.
    ///
    /// # Errors
    /// `AddrNotAvailable` where the interface does not have it.
    fn remove_address(&self, iface: Iface, address: IpAddr) -> io::Result<()>;

    /// All routes.
    ///
    /// # Errors
    /// Those of the network.
    fn routes(&self) -> io::Result<Vec<Route>>;

    /// Which way a packet to `to` takes now: `ip route get`.
    ///
    /// # Errors
    /// Those of sending there.
    fn path_to(&self, to: IpAddr) -> io::Result<Path>;

    /// Adds a route.
    ///
    /// # Errors
    /// `AlreadyExists`, or `NetworkUnreachable` where the gateway is on no link.
    fn add_route(&self, route: Route) -> io::Result<()>;

    /// Takes a route away.
    ///
    /// # Errors
    /// `NotFound`.
    fn remove_route(&self, route: Route) -> io::Result<()>;

    /// All neighbours.
    ///
    /// # Errors
    /// Those of the network.
    fn neighbors(&self) -> io::Result<Vec<Neighbor>>;

    /// Sets the entry of a neighbour.
    ///
    /// # Errors
    /// `NotFound` where there is no such interface.
    fn set_neighbor(&self, iface: Iface, address: IpAddr, mac: MacAddr, state: State) -> io::Result<()>;

    /// Forgets a neighbour.
    ///
    /// # Errors
    /// `NotFound`.
    fn remove_neighbor(&self, iface: Iface, address: IpAddr) -> io::Result<()>;

    /// Sets whom the host asks for names, and what it appends to those without a dot: its `resolv.conf`.
    ///
    /// # Errors
    /// Those of the network.
    fn set_name_servers(&self, servers: Vec<SocketAddr>, search: Vec<String>) -> io::Result<()>;

    /// Hears of changes from now on.
    ///
    /// # Errors
    /// Those of the network.
    fn watch(&self) -> io::Result<Changes>;
}

/// Who may change a host while it runs.
#[derive(Clone)]
pub struct Admin(Arc<dyn AdminImpl>);

impl Admin {
    /// Wraps a network's own.
    pub fn new(admin: impl AdminImpl) -> Self {
        Self(Arc::new(admin))
    }

    /// The interface of this name, or of this number.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub fn link(&self, name: &str) -> io::Result<Link> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no interface {name}"));
        self.links()?.into_iter().find(|link| link.name == name).ok_or_else(missing)
    }

    /// What each interface counted so far, its wire and its card put together; `None` is the loopback.
    ///
    /// # Errors
    /// `Unsupported` where nobody counts.
    pub async fn counters(&self) -> io::Result<Vec<Counted>> {
        poll_fn(|cx| self.0.poll_counters(cx)).await
    }
}

impl core::ops::Deref for Admin {
    type Target = dyn AdminImpl;
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admin")
    }
}

/// What a network provides for one who hears of changes.
pub trait ChangesImpl: Send + Sync + Unpin + 'static {
    /// Takes the next change.
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<io::Result<Change>>;
}

/// The changes of a host, in their order; as many wait as a socket's buffer would hold, and the oldest go.
pub struct Changes(Box<dyn ChangesImpl>);

impl Changes {
    /// Wraps a network's own.
    pub fn new(changes: impl ChangesImpl) -> Self {
        Self(Box::new(changes))
    }

    /// The next change.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn next(&mut self) -> io::Result<Change> {
        poll_fn(|cx| self.0.poll_next(cx)).await
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes")
    }
}
