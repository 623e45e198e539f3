//! Storey 3 of one host: interfaces, routes, neighbours, and the datagrams that go up, down and through.

mod errors;
mod groups;
mod input;
mod offload;
mod outgoing;
mod output;
mod resolve;
mod timers;
mod told;
mod v6;
mod vlan;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Carrier, Frame, Instant, Port, Rng};
use septet_datalink::ethernet::MacAddr;
use septet_datalink::vlan::VlanId;

pub use self::offload::split;
pub use self::outgoing::{DEFAULT_TTL, DontFragment, Outgoing, SendError};

use crate::addr::{Cidr, Prefix};
use crate::counters::Counters;
use crate::forwarding::Forwarding;
use crate::fragment::Reassembler;
use crate::icmp_limit::Limiter;
use crate::igmp::Memberships;
use crate::neighbor::{self, NeighborId};
use crate::route::{Iface, Route, StaticRoute, Table, Target};
use crate::routes::Guide;

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
    carrier: Carrier,
    addresses: Vec<Cidr>,
    groups: Memberships,
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

/// An ICMP error about a datagram that this host sent.
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
    /// The ICMP type.
    pub icmp_type: u8,
    /// The ICMP code.
    pub code: u8,
    /// The MTU told with "fragmentation needed"; zero otherwise.
    pub mtu: u32,
    /// What is quoted of the datagram's payload; at least eight octets.
    pub quote: Frame,
}

/// Storey 3 of one host.
#[derive(Debug)]
pub struct Ip {
    interfaces: Vec<Interface>,
    table: Table,
    guide: Option<Guide>,
    lines: Vec<Line>,
    misses: u32,
    look_ups: u64,
    epoch: u32,
    neighbors: neighbor::Cache,
    reassembler: Option<Box<Reassembler>>,
    limiter: Option<Box<Limiter>>,
    path_mtu: BTreeMap<IpAddr, (u32, Instant)>,
    forwarding: Forwarding,
    /// The protocols above that take datagrams, a bit each.
    served: [u64; 4],
    ident: u16,
    rng: Rng,
    /// When the next membership report is due.
    report_at: Option<Instant>,
    loopback: VecDeque<(Instant, Frame)>,
    up: VecDeque<Up>,
    /// What was counted since the host was switched on.
    pub counters: Counters,
}

/// Why an address or a route was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// No interface is on the gateway's link.
    GatewayNotOnLink(IpAddr),
    /// The host has no interface of this number.
    NoSuchInterface(Iface),
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::GatewayNotOnLink(gateway) => write!(f, "the gateway {gateway} is on no link of this host"),
            Self::NoSuchInterface(iface) => write!(f, "there is no interface eth{iface}"),
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
            lines: Vec::new(),
            misses: 0,
            look_ups: 0,
            epoch: 1,
            neighbors: neighbor::Cache::new(&mut rng),
            reassembler: None,
            limiter: None,
            path_mtu: BTreeMap::new(),
            forwarding,
            served: [0; 4],
            ident: rng.next_u32() as u16,
            rng,
            report_at: None,
            loopback: VecDeque::new(),
            up: VecDeque::new(),
            counters: Counters::default(),
        };
        for InterfaceConfig { mac, addresses, mtu } in interfaces {
            let iface = ip.interfaces.len() as Iface;
            ip.interfaces.push(Interface {
                port: Port(iface),
                vlan: None,
                mac: *mac,
                mtu: *mtu,
                carrier: Carrier::Down,
                addresses: Vec::with_capacity(addresses.len()),
                groups: Memberships::default(),
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

    /// Gives an interface a further address, and the routes that come with it.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn add_address(&mut self, iface: Iface, address: Cidr) -> Result<(), ConfigError> {
        let interface = self.interfaces.get_mut(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        interface.addresses.push(address);
        let metric = 0;
        let prefix = address.prefix();
        self.table.add(Route { prefix: Prefix::host(address.addr()), target: Target::Local, metric });
        if prefix != Prefix::host(address.addr()) {
            self.table.add(Route { prefix, target: Target::Link(iface), metric });
        }
        if let Some(broadcast) = prefix.broadcast() {
            let prefix = Prefix::host(broadcast.into());
            self.table.add(Route { prefix, target: Target::Broadcast(iface), metric });
        }
        self.epoch += 1;
        Ok(())
    }

    /// Adds a route through a gateway, which must be on a link of this host.
    ///
    /// # Errors
    /// [`ConfigError::GatewayNotOnLink`].
    pub fn add_route(&mut self, prefix: Prefix, gateway: IpAddr, metric: u32) -> Result<(), ConfigError> {
        let iface = self.iface_of(gateway).ok_or(ConfigError::GatewayNotOnLink(gateway))?;
        self.table.add(Route { prefix, target: Target::Via(iface, gateway), metric });
        self.epoch += 1;
        Ok(())
    }

    /// Gives a router its view of the map that it shares with others: routes of metric zero, beside those in its table.
    pub fn set_guide(&mut self, guide: Guide) {
        self.guide = Some(guide);
        self.epoch += 1;
    }

    /// All routes, for `ip route`: those of the table, then those that the router shares with others.
    pub fn routes(&self) -> impl Iterator<Item = Route> {
        let shared = self.guide.as_ref().map(Guide::routes).unwrap_or_default().into_iter();
        let shared = shared.filter_map(|StaticRoute { prefix, gateway, metric }| {
            Some(Route { prefix, target: Target::Via(self.iface_of(gateway)?, gateway), metric })
        });
        self.table.iter().chain(shared)
    }

    /// The interface on whose link `gateway` is.
    fn iface_of(&self, gateway: IpAddr) -> Option<Iface> {
        let on_link = |i: &Interface| i.addresses.iter().any(|a| a.prefix().contains(gateway));
        self.interfaces.iter().position(on_link).map(|i| i as Iface)
    }

    /// The best usable route to `dst`.
    fn lookup(&self, dst: IpAddr, up: impl Fn(Iface) -> bool) -> Option<Target> {
        let own = self.table.lookup(dst, &up);
        let shared = self.guide.as_ref().and_then(|guide| {
            guide.lookup(dst, |gateway| {
                let iface = self.iface_of(gateway).filter(|i| up(*i))?;
                Some(Target::Via(iface, gateway))
            })
        });
        match (own, shared) {
            // The longest prefix, then the lowest metric, then the route that was there first.
            (Some(own), Some((prefix, target))) => {
                let (ours, theirs) = (own.prefix.prefix_len(), prefix.prefix_len());
                Some(if ours > theirs || ours == theirs && own.metric == 0 { own.target } else { target })
            }
            (own, shared) => own.map(|r| r.target).or(shared.map(|(_, target)| target)),
        }
    }

    /// The table, to be changed, as a routing protocol does.
    pub fn table_mut(&mut self) -> &mut Table {
        self.epoch += 1;
        &mut self.table
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

    /// Whether this host owns `addr`; all of 127.0.0.0/8 and ::1 are everyone's own.
    pub fn is_local(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.table.lookup(addr, |_| true).is_some_and(|r| r.target == Target::Local)
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

    /// Finds the way to `dst`; the answer is remembered until anything changes.
    #[inline]
    fn way(&mut self, dst: Ipv4Addr) -> Way {
        self.look_ups += 1;
        let epoch = self.epoch.wrapping_add(self.neighbors.epoch());
        let key = dst.to_bits();
        if !self.lines.is_empty() {
            let line = &self.lines[slot(key, self.lines.len())];
            if line.dst == key && line.epoch == epoch {
                return line.way;
            }
        }
        let way = self.way_slow(dst);
        self.remember(key, Line { dst: key, epoch, way });
        way
    }

    fn way_slow(&self, dst: Ipv4Addr) -> Way {
        let up = |i: Iface| self.interfaces[usize::from(i)].carrier == Carrier::Up;
        let way = |kind, iface| Way { kind, iface, next_hop: dst, neighbor: None };
        let first_up = || (0..self.interfaces.len() as Iface).find(|&i| up(i));
        if dst.is_loopback() {
            return way(Kind::Local, 0);
        }
        if dst.is_broadcast() {
            return first_up().map_or(way(Kind::NoRoute, 0), |i| way(Kind::Broadcast, i));
        }
        match self.lookup(dst.into(), up) {
            _ if dst.is_unspecified() => way(Kind::NoRoute, 0),
            Some(Target::Via(i, _) | Target::Link(i)) if dst.is_multicast() => way(Kind::Multicast, i),
            _ if dst.is_multicast() => first_up().map_or(way(Kind::NoRoute, 0), |i| way(Kind::Multicast, i)),
            Some(Target::Local) => way(Kind::Local, 0),
            Some(Target::Broadcast(i)) => way(Kind::Broadcast, i),
            Some(Target::Link(i)) => way(Kind::Unicast, i),
            Some(Target::Via(i, IpAddr::V4(gateway))) => Way { next_hop: gateway, ..way(Kind::Unicast, i) },
            Some(Target::Unreachable | Target::Via(..)) => way(Kind::Unreachable, 0),
            None => way(Kind::NoRoute, 0),
        }
    }

    fn remember(&mut self, key: u32, line: Line) {
        if self.lines.is_empty() {
            self.lines.resize(LINES_MIN, Line::EMPTY);
        }
        self.misses += 1;
        if self.misses as usize > 4 * self.lines.len() && self.lines.len() < LINES_MAX {
            let old = core::mem::take(&mut self.lines);
            self.lines.resize(old.len() * 2, Line::EMPTY);
            for line in old.into_iter().filter(|l| l.epoch != 0) {
                let at = slot(line.dst, self.lines.len());
                self.lines[at] = line;
            }
            self.misses = 0;
        }
        let at = slot(key, self.lines.len());
        self.lines[at] = line;
    }

    /// Remembers the neighbour that `way` to `dst` leads to.
    #[inline]
    fn set_neighbor(&mut self, dst: Ipv4Addr, id: NeighborId) {
        let key = dst.to_bits();
        let epoch = self.epoch.wrapping_add(self.neighbors.epoch());
        let at = slot(key, self.lines.len().max(1));
        if let Some(line) = self.lines.get_mut(at)
            && line.dst == key
        {
            (line.epoch, line.way.neighbor) = (epoch, Some(id));
        }
    }
}

const LINES_MIN: usize = 8;
const LINES_MAX: usize = 4096;

/// One remembered answer of the routing table.
#[derive(Clone, Copy, Debug)]
struct Line {
    dst: u32,
    epoch: u32,
    way: Way,
}

impl Line {
    const EMPTY: Self = Self {
        dst: 0,
        epoch: 0,
        way: Way { kind: Kind::NoRoute, iface: 0, next_hop: Ipv4Addr::UNSPECIFIED, neighbor: None },
    };
}

fn slot(key: u32, lines: usize) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> 16) as usize & (lines - 1)
}

/// Where packets for one destination go.
#[derive(Clone, Copy, Debug)]
struct Way {
    kind: Kind,
    iface: Iface,
    next_hop: Ipv4Addr,
    neighbor: Option<NeighborId>,
}

impl Way {
    /// To this host itself.
    const LOCAL: Self = Self { kind: Kind::Local, iface: 0, next_hop: Ipv4Addr::UNSPECIFIED, neighbor: None };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Local,
    Unicast,
    Broadcast,
    Multicast,
    Unreachable,
    NoRoute,
}
