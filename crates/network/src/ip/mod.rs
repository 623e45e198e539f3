//! Storey 3 of one host: interfaces, routes, neighbours, and the datagrams that go up, down and through.

mod admin;
mod bound;
mod errors;
mod filter;
mod groups;
mod mroute;
mod offload;
mod outgoing;
mod output;
mod routes;
mod spread;
mod timers;
mod told;
mod v4;
mod v6;
mod vlan;
mod ways;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use septet_core::{Carrier, Frame, Instant, Port, Rng};
use septet_datalink::ethernet::MacAddr;
use septet_datalink::vlan::VlanId;

use self::admin::Book;
pub use self::admin::{AdminState, Change, Lifetime, NewAddress, News};
pub use self::offload::split;
pub use self::outgoing::{DEFAULT_TTL, DontFragment, Looped, Outgoing, SendError};
pub use self::routes::{Path, PathKind};
pub use self::spread::Multipath;
pub use self::v6::{AddressState, Advertise, AdvertisedPrefix, Autoconf, Autonomous, Discovery, Ipv6Config};

use crate::addr::{Cidr, Prefix};
use crate::counters::{Counters, Seldom6};
use crate::filter::Filter;
use crate::forwarding::Forwarding;
use crate::icmp_limit::Limiter;
use crate::multicast::MulticastRoute;
use crate::neighbor;
use crate::route::Iface;
use crate::routes::Guide;
use crate::table::Table;
use septet_wire::Trouble;

/// What a datagram from a host to itself takes: about what Linux's `lo` does, and enough that time goes on.
const LOOPBACK_DELAY: Duration = Duration::from_micros(5);

/// MTU of the way from a host to itself: Linux's `lo`.
pub const LOOPBACK_MTU: u32 = 65_536;

/// How the link addressed a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cast {
    /// To one station.
    Unicast,
    /// To a group.
    Multicast,
    /// To all.
    Broadcast,
}

/// An interface as it is configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceConfig {
    /// Its link address.
    pub mac: MacAddr,
    /// Its IP addresses, the primary one of each family first.
    pub addresses: Vec<Cidr>,
    /// The largest datagram that its link takes.
    pub mtu: u32,
}

/// An interface for one VLAN of another interface's link, as `ip link add link eth0 name eth0.10 type vlan id 10` makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VlanInterfaceConfig {
    /// The interface whose link carries the VLAN; that one itself speaks without tags.
    pub over: Iface,
    /// The VLAN.
    pub vlan: VlanId,
    /// Its IP addresses, the primary one of each family first.
    pub addresses: Vec<Cidr>,
}

#[derive(Debug)]
struct Interface {
    port: Port,
    /// The one VLAN whose frames it sends and receives, with a tag.
    vlan: Option<VlanId>,
    mac: MacAddr,
    mtu: u32,
    /// Whether it can be used: it has a signal, and is not switched off.
    carrier: Carrier,
    signal: Carrier,
    admin: AdminState,
    addresses: Vec<Cidr>,
    groups: groups::Groups,
    /// What it does of IPv6 by itself.
    v6: Option<Box<v6::Link>>,
}

/// What storey 3 hands up.
#[derive(Debug)]
pub enum Up {
    /// A datagram for a protocol that [`Ip::serve`] has named.
    Datagram(Datagram),
    /// The answer to an echo request of this host.
    EchoReply {
        /// Who answered.
        from: IpAddr,
        /// The identifier of the request.
        ident: u16,
        /// The sequence number of the request.
        seq: u16,
        /// The time to live with which it came.
        ttl: u8,
        /// The data that came back.
        data: Frame,
    },
    /// A node reports an error about a datagram of this host.
    Error(Report),
    /// Something about addresses or interfaces changed, where [`Ip::watch`] asked for it.
    Change(Change),
}

/// A datagram on its way up.
#[derive(Debug)]
pub struct Datagram {
    /// Where it came in; `None` where it never left the host.
    pub iface: Option<Iface>,
    /// Source.
    pub src: IpAddr,
    /// Destination: an own address, a broadcast address or a group.
    pub dst: IpAddr,
    /// What it carries; see [`protocol`](septet_wire::ipv4::protocol).
    pub protocol: u8,
    /// The time to live with which it came.
    pub ttl: u8,
    /// Differentiated services and ECN.
    pub tos: u8,
    /// To how many it was addressed.
    pub cast: Cast,
    /// The largest datagram that reaches `src` whole, as far as is known and where that was looked up on the way here.
    pub mtu_back: Option<u32>,
    /// Octets of the IP header, which [`Ip::port_unreachable`] restores.
    header_len: u16,
    /// The payload.
    pub frame: Frame,
}

/// An error about a datagram that this host sent, whichever version of IP reported it.
#[derive(Debug)]
pub struct Report {
    /// The node that reported it.
    pub reporter: IpAddr,
    /// The source of the datagram.
    pub src: IpAddr,
    /// The destination of the datagram.
    pub dst: IpAddr,
    /// What it carried.
    pub protocol: u8,
    /// What is wrong.
    pub trouble: Trouble,
    /// What is quoted of the datagram's payload; at least eight octets.
    pub quote: Frame,
}

/// Storey 3 of one host.
#[derive(Debug)]
pub struct Ip {
    interfaces: Vec<Interface>,
    table: Table,
    guide: Option<Guide>,
    look_ups: u64,
    epoch: u32,
    neighbors: neighbor::Cache,
    v4: v4::Layer,
    v6: v6::Layer,
    limiter: Option<Box<Limiter>>,
    path_mtu: BTreeMap<IpAddr, (u32, Instant)>,
    forwarding: Forwarding,
    /// What stands in the way of packets.
    filter: Option<Box<dyn Filter>>,
    spreading: Option<Box<spread::Spreading>>,
    /// The protocols above that take datagrams, a bit each.
    served: [u64; 4],
    rng: Rng,
    /// How datagrams to groups are passed on.
    multicast: Box<[MulticastRoute]>,
    /// When the next membership report is due.
    report_at: Option<Instant>,
    loopback: VecDeque<(Instant, Frame)>,
    up: VecDeque<Up>,
    /// What was changed while the host runs, where anything was.
    book: Option<Box<Book>>,
    /// What was counted since the host was switched on.
    pub counters: Counters,
    /// What IPv6 counted since the host was switched on.
    pub counters6: Seldom6,
}

/// Why an address or a route was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// No interface is on the gateway's link.
    GatewayNotOnLink(IpAddr),
    /// The host has no interface of this number.
    NoSuchInterface(Iface),
    /// The interface has this address already.
    AddressExists(IpAddr),
    /// The interface has no such address.
    NoSuchAddress(IpAddr),
    /// There is a route to this prefix with the same metric already.
    RouteExists(Prefix),
    /// There is no such route.
    NoSuchRoute(Prefix),
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::GatewayNotOnLink(gateway) => write!(f, "the gateway {gateway} is on no link of this host"),
            Self::NoSuchInterface(iface) => write!(f, "there is no interface eth{iface}"),
            Self::AddressExists(address) => write!(f, "the interface has {address} already"),
            Self::NoSuchAddress(address) => write!(f, "the interface has no address {address}"),
            Self::RouteExists(prefix) => write!(f, "there is a route to {prefix} already"),
            Self::NoSuchRoute(prefix) => write!(f, "there is no such route to {prefix}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Ip {
    /// Storey 3 with these interfaces; their carriers are down. What it chooses at random it draws from `rng`.
    pub fn new(interfaces: &[InterfaceConfig], forwarding: Forwarding, mut rng: Rng) -> Self {
        let mut ip = Self {
            interfaces: Vec::with_capacity(interfaces.len()),
            table: Table::default(),
            guide: None,
            look_ups: 0,
            epoch: 1,
            neighbors: neighbor::Cache::new(&mut rng),
            v4: v4::Layer::new(&mut rng),
            v6: v6::Layer::default(),
            limiter: None,
            path_mtu: BTreeMap::new(),
            forwarding,
            filter: None,
            spreading: None,
            served: [0; 4],
            rng,
            multicast: Box::default(),
            report_at: None,
            loopback: VecDeque::new(),
            up: VecDeque::new(),
            book: None,
            counters: Counters::default(),
            counters6: Seldom6::default(),
        };
        for InterfaceConfig { mac, addresses, mtu } in interfaces {
            let iface = ip.interfaces.len() as Iface;
            ip.interfaces.push(Interface {
                port: Port(iface),
                vlan: None,
                mac: *mac,
                mtu: *mtu,
                carrier: Carrier::Down,
                signal: Carrier::Down,
                admin: AdminState::Up,
                addresses: Vec::with_capacity(addresses.len()),
                groups: groups::Groups::default(),
                v6: None,
            });
            for &address in addresses {
                ip.add_address(iface, address).expect("the interface was just made");
            }
        }
        ip
    }

    /// Hands datagrams of this protocol up from now on; what nobody takes is answered as unreachable. ICMP and IGMP are
    /// storey 3's own.
    pub fn serve(&mut self, protocol: u8) {
        self.served[usize::from(protocol / 64)] |= 1 << (protocol % 64);
    }

    fn is_served(&self, protocol: u8) -> bool {
        self.served[usize::from(protocol / 64)] >> (protocol % 64) & 1 == 1
    }

    /// Gives an interface a further address, and the routes that come with it; one of IPv6, where the interface takes part
    /// in discovery, once nobody else turns out to have it.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn add_address(&mut self, iface: Iface, address: Cidr) -> Result<(), ConfigError> {
        if usize::from(iface) >= self.interfaces.len() {
            return Err(ConfigError::NoSuchInterface(iface));
        }
        if address.addr().is_ipv6() {
            self.take_address_v6(iface, address);
        } else {
            self.assign(iface, address);
        }
        Ok(())
    }

    /// Makes an address an interface's own, with the routes that come with it.
    fn assign(&mut self, iface: Iface, address: Cidr) {
        self.interfaces[usize::from(iface)].addresses.push(address);
        self.add_connected(iface, address);
    }

    /// The neighbours, for `ip neighbour`.
    pub fn neighbors(&self) -> &neighbor::Cache {
        &self.neighbors
    }

    /// The neighbours, to be set by hand.
    pub fn neighbors_mut(&mut self) -> &mut neighbor::Cache {
        &mut self.neighbors
    }

    /// The addresses of all interfaces, in order.
    pub fn addresses(&self) -> impl Iterator<Item = (Iface, Cidr)> {
        let of = |(i, interface): (usize, &Interface)| {
            interface.addresses.iter().map(|&a| (i as Iface, a)).collect::<Vec<_>>()
        };
        self.interfaces.iter().enumerate().flat_map(of)
    }

    /// The link address of an interface.
    pub fn mac(&self, iface: Iface) -> Option<MacAddr> {
        self.interfaces.get(usize::from(iface)).map(|i| i.mac)
    }

    /// The MTU of an interface.
    pub fn mtu(&self, iface: Iface) -> Option<u32> {
        self.interfaces.get(usize::from(iface)).map(|i| i.mtu)
    }

    /// The next thing for the storeys above.
    #[inline]
    pub fn poll_up(&mut self) -> Option<Up> {
        self.up.pop_front()
    }

    /// Whether [`poll_up`](Self::poll_up) has something.
    #[inline]
    pub fn has_up(&self) -> bool {
        !self.up.is_empty()
    }

    /// How many ways were looked up since the host was switched on, those whose answer was remembered too.
    pub fn look_ups(&self) -> u64 {
        self.look_ups
    }

    /// What remembered ways must be of to hold: it changes with routes, links and neighbours.
    #[inline]
    fn way_epoch(&self) -> u32 {
        self.epoch.wrapping_add(self.neighbors.epoch())
    }
}
