//! Routes: for which destinations, where to, and who knows it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::addr::Prefix;

/// Index of an interface of a host; the port of the same number carries it.
pub type Iface = u16;

/// Where packets for a prefix go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// To this host itself.
    Local,
    /// To all hosts on the link of this interface.
    Broadcast(Iface),
    /// Straight to the destination, which is on the link of this interface.
    Link(Iface),
    /// To a router on the link of this interface.
    Via(Iface, IpAddr),
    /// To one of several routers: all packets of a flow to the same.
    Spread(Arc<[NextHop]>),
    /// Nowhere: the sender is told that the host is unreachable (`EHOSTUNREACH`).
    Unreachable,
    /// Nowhere, and nobody on the way is told; an own program is (`EINVAL`).
    Blackhole,
    /// Nowhere: the sender is told that it is forbidden (`EACCES`).
    Prohibit,
}

/// One of the routers among which a route spreads its flows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NextHop {
    /// The interface on whose link the router is.
    pub iface: Iface,
    /// The router.
    pub gateway: IpAddr,
}

impl Target {
    /// To these routers: to one, or to several among which flows are spread. `None` where there is none.
    pub fn through(mut hops: Vec<NextHop>) -> Option<Self> {
        hops.sort_unstable();
        hops.dedup();
        match hops[..] {
            [] => None,
            [NextHop { iface, gateway }] => Some(Self::Via(iface, gateway)),
            _ => Some(Self::Spread(hops.into())),
        }
    }

    /// Whether packets can go there, if they can leave by the interfaces that are `usable`.
    pub fn is_usable(&self, usable: impl Fn(Iface) -> bool) -> bool {
        match self {
            Self::Broadcast(i) | Self::Link(i) | Self::Via(i, _) => usable(*i),
            Self::Spread(hops) => hops.iter().any(|hop| usable(hop.iface)),
            Self::Local | Self::Unreachable | Self::Blackhole | Self::Prohibit => true,
        }
    }
}

/// Who knows a route. Of several who know one to the same prefix, the one of the lowest
/// [distance](Self::distance) is believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Origin {
    /// The host itself: its own addresses, and the links that it is on.
    Kernel,
    /// A router that knows a shorter way, by ICMP.
    Redirect,
    /// A person, by hand.
    Static,
    /// A router that advertises itself, by ICMPv6.
    Ra,
    /// BGP.
    Bgp,
    /// OSPF.
    Ospf,
    /// RIP.
    Rip,
    /// The shortest paths that were computed from the whole topology ([`routes`](crate::routes)).
    Oracle,
    /// A DHCP server.
    Dhcp,
}

impl Origin {
    /// How far it is from being believed, the administrative distance: those of FRR's zebra (connected 0, static 1, eBGP
    /// 20, OSPF 110, RIP 120); a router's advertisement and DHCP as in Cisco's IOS (2, 254). What was computed comes behind
    /// every protocol.
    pub const fn distance(self) -> u8 {
        match self {
            Self::Kernel | Self::Redirect => 0,
            Self::Static => 1,
            Self::Ra => 2,
            Self::Bgp => 20,
            Self::Ospf => 110,
            Self::Rip => 120,
            Self::Oracle => 250,
            Self::Dhcp => 254,
        }
    }
}

/// What a route, or the way to one destination, takes whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RouteMtu {
    /// The largest packet.
    pub bytes: u32,
    /// Whether a larger or smaller one may be found.
    pub lock: MtuLock,
}

impl RouteMtu {
    /// So many octets, as far as is known.
    #[inline]
    pub const fn open(bytes: u32) -> Self {
        Self { bytes, lock: MtuLock::Open }
    }
}

/// Whether path MTU discovery is tried.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum MtuLock {
    /// It is.
    #[default]
    Open,
    /// It is not: packets of IPv4 are sent without DF, and those of IPv6 are cut here. `ip route`'s `mtu lock`.
    Locked,
}

/// A line of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The destinations it is for.
    pub prefix: Prefix,
    /// Where they go.
    pub target: Target,
    /// Among routes to the same prefix of the same distance the lowest metric wins.
    pub metric: u32,
    /// Who knows it.
    pub origin: Origin,
    /// Among routes to the same prefix the lowest distance wins.
    pub distance: u8,
    /// What it takes whole, where a person says so: `mtu`.
    pub mtu: Option<RouteMtu>,
}

impl Route {
    /// A route of metric zero and of its origin's usual distance.
    pub const fn new(prefix: Prefix, target: Target, origin: Origin) -> Self {
        Self { prefix, target, metric: 0, origin, distance: origin.distance(), mtu: None }
    }

    /// The same with this metric.
    pub fn metric(self, metric: u32) -> Self {
        Self { metric, ..self }
    }

    /// The same, which takes so much whole.
    pub fn mtu(self, mtu: Option<RouteMtu>) -> Self {
        Self { mtu, ..self }
    }
}

/// A route as a person writes it: `ip route add PREFIX via GATEWAY metric METRIC`. The interface is the one on whose
/// link the gateway is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaticRoute {
    /// The destinations it is for.
    pub prefix: Prefix,
    /// The router that takes them on.
    pub gateway: IpAddr,
    /// Among routes to the same prefix the lowest metric wins.
    pub metric: u32,
    /// Who knows it.
    pub origin: Origin,
}

/// A route by hand in all its forms, before it is known which interfaces it uses: those on whose links the gateways are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrittenRoute {
    /// The destinations it is for.
    pub prefix: Prefix,
    /// Where they go.
    pub towards: Towards,
    /// Among routes by hand to the same prefix the lowest metric wins.
    pub metric: u32,
    /// What it takes whole, where that is said: `mtu 1400`, `mtu lock 1400`.
    pub mtu: Option<RouteMtu>,
}

/// Where a route by hand leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Towards {
    /// To one of these routers: `via`.
    Via(Vec<IpAddr>),
    /// Straight to the destinations, which are on the link of this interface: `dev`.
    Link(Iface),
    /// See [`Target::Unreachable`].
    Unreachable,
    /// See [`Target::Blackhole`].
    Blackhole,
    /// See [`Target::Prohibit`].
    Prohibit,
}

impl StaticRoute {
    /// A route by hand, with metric zero.
    pub const fn new(prefix: Prefix, gateway: IpAddr) -> Self {
        Self { prefix, gateway, metric: 0, origin: Origin::Static }
    }

    /// A route that was computed.
    pub(crate) const fn computed(prefix: Prefix, gateway: IpAddr) -> Self {
        Self { origin: Origin::Oracle, ..Self::new(prefix, gateway) }
    }
}
