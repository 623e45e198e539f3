//! The routing table: longest prefix first, then the source that is trusted most, then the lowest metric.

use std::net::IpAddr;
use std::sync::Arc;

use crate::addr::Prefix;
use crate::trie::Trie;

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
    /// Nowhere: the sender is told that the host is unreachable.
    Unreachable,
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
            Self::Local | Self::Unreachable => true,
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
}

impl Route {
    /// A route of metric zero and of its origin's usual distance.
    pub const fn new(prefix: Prefix, target: Target, origin: Origin) -> Self {
        Self { prefix, target, metric: 0, origin, distance: origin.distance() }
    }

    /// The same with this metric.
    pub fn metric(self, metric: u32) -> Self {
        Self { metric, ..self }
    }

    /// What decides between routes to the same prefix; the lower one wins.
    const fn rank(&self) -> (u8, u32) {
        (self.distance, self.metric)
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

const END: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Entry {
    route: Route,
    next: u32,
}

/// A host's routes.
#[derive(Clone, Default, Debug)]
pub struct Table {
    v4: Trie<u32>,
    v6: Trie<u128>,
    /// Lists of routes to the same prefix, by distance and metric.
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Table {
    /// Adds a route, behind those to the same prefix that have the same distance and metric.
    pub fn add(&mut self, route: Route) {
        let new = self.free.pop().unwrap_or(self.entries.len() as u32);
        let Self { v4, v6, entries, .. } = self;
        let head = slot(v4, v6, route.prefix);
        let mut before: Option<usize> = None;
        let mut at = *head;
        while at != END && entries[at as usize].route.rank() <= route.rank() {
            before = Some(at as usize);
            at = entries[at as usize].next;
        }
        match before {
            Some(b) => entries[b].next = new,
            None => *head = new,
        }
        let entry = Entry { route, next: at };
        match entries.get_mut(new as usize) {
            Some(e) => *e = entry,
            None => entries.push(entry),
        }
    }

    /// Removes a route; returns whether it was there.
    pub fn remove(&mut self, route: &Route) -> bool {
        let Self { v4, v6, entries, free } = self;
        let head = slot(v4, v6, route.prefix);
        let mut before: Option<usize> = None;
        let mut at = *head;
        while at != END {
            let next = entries[at as usize].next;
            if entries[at as usize].route == *route {
                match before {
                    Some(b) => entries[b].next = next,
                    None => *head = next,
                }
                free.push(at);
                return true;
            }
            before = Some(at as usize);
            at = next;
        }
        false
    }

    /// The best route to `dst` among those whose interface is `usable`.
    pub fn lookup(&self, dst: IpAddr, usable: impl Fn(Iface) -> bool) -> Option<&Route> {
        let mut best = None;
        let mut pick = |head: u32| {
            let mut at = head;
            while let Some(entry) = self.entries.get(at as usize) {
                if entry.route.target.is_usable(&usable) {
                    best = Some(&entry.route);
                    return;
                }
                at = entry.next;
            }
        };
        match dst {
            IpAddr::V4(a) => self.v4.walk(a.to_bits(), &mut pick),
            IpAddr::V6(a) => self.v6.walk(a.to_bits(), &mut pick),
        }
        best
    }

    /// Makes `routes` all that `origin` knows; returns whether that is a change.
    pub fn replace(&mut self, origin: Origin, routes: Vec<Route>) -> bool {
        let known: Vec<Route> = self.iter().filter(|r| r.origin == origin).collect();
        let gone: Vec<&Route> = known.iter().filter(|r| !routes.contains(r)).collect();
        let mut changed = !gone.is_empty();
        for route in gone {
            self.remove(route);
        }
        for route in routes {
            changed |= self.add_once(route);
        }
        changed
    }

    /// Adds a route unless it is there already; returns whether it was not.
    pub fn add_once(&mut self, route: Route) -> bool {
        let known = self.at(route.prefix).any(|known| *known == route);
        if !known {
            self.add(route);
        }
        !known
    }

    /// Removes all that `origin` knows of these prefixes; returns whether there was any.
    pub fn withdraw(&mut self, origin: Origin, prefixes: &[Prefix]) -> bool {
        let mut changed = false;
        for prefix in prefixes {
            let gone: Vec<Route> = self.at(*prefix).filter(|r| r.origin == origin).cloned().collect();
            changed |= !gone.is_empty();
            for route in gone {
                self.remove(&route);
            }
        }
        changed
    }

    /// The routes to exactly this prefix, the best first.
    pub fn at(&self, prefix: Prefix) -> impl Iterator<Item = &Route> {
        let head = match prefix.addr() {
            IpAddr::V4(a) => self.v4.get(a.to_bits(), prefix.prefix_len()),
            IpAddr::V6(a) => self.v6.get(a.to_bits(), prefix.prefix_len()),
        };
        let entry = |at: u32| self.entries.get(at as usize);
        core::iter::successors(entry(head), move |e| entry(e.next)).map(|e| &e.route)
    }

    /// All routes, by prefix, distance and metric.
    pub fn iter(&self) -> impl Iterator<Item = Route> {
        let mut free = self.free.clone();
        free.sort_unstable();
        let live = self.entries.iter().enumerate().filter(|(i, _)| free.binary_search(&(*i as u32)).is_err());
        let mut routes: Vec<Route> = live.map(|(_, e)| e.route.clone()).collect();
        routes.sort_by_key(|r| (r.prefix, r.rank()));
        routes.into_iter()
    }
}

fn slot<'a>(v4: &'a mut Trie<u32>, v6: &'a mut Trie<u128>, prefix: Prefix) -> &'a mut u32 {
    match prefix.addr() {
        IpAddr::V4(a) => v4.slot(a.to_bits(), prefix.prefix_len()),
        IpAddr::V6(a) => v6.slot(a.to_bits(), prefix.prefix_len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(prefix: &str, target: Target, metric: u32) -> Route {
        Route::new(prefix.parse().unwrap(), target, Origin::Static).metric(metric)
    }

    fn find(t: &Table, dst: &str, down: &[Iface]) -> Option<Target> {
        t.lookup(dst.parse().unwrap(), |i| !down.contains(&i)).map(|r| r.target.clone())
    }

    #[test]
    fn longest_prefix_then_metric_then_what_is_up() {
        let via = |i, s: &str| Target::Via(i, s.parse().unwrap());
        let mut t = Table::default();
        t.add(route("0.0.0.0/0", via(0, "10.0.0.1"), 10));
        t.add(route("0.0.0.0/0", via(1, "10.1.0.1"), 5));
        t.add(route("10.1.0.0/16", Target::Link(1), 0));
        t.add(route("10.1.0.7/32", Target::Local, 0));
        t.add(route("fd00::/8", Target::Link(1), 0));
        assert_eq!(find(&t, "10.1.0.7", &[]), Some(Target::Local));
        assert_eq!(find(&t, "10.1.0.8", &[]), Some(Target::Link(1)));
        assert_eq!(find(&t, "10.1.0.8", &[1]), Some(via(0, "10.0.0.1")));
        assert_eq!(find(&t, "9.9.9.9", &[]), Some(via(1, "10.1.0.1")));
        assert_eq!(find(&t, "9.9.9.9", &[0, 1]), None);
        assert_eq!(find(&t, "fd00::1", &[]), Some(Target::Link(1)));
        assert!(t.remove(&route("0.0.0.0/0", via(1, "10.1.0.1"), 5)));
        assert!(!t.remove(&route("0.0.0.0/0", via(1, "10.1.0.1"), 5)));
        assert_eq!(find(&t, "9.9.9.9", &[]), Some(via(0, "10.0.0.1")));
        t.add(route("9.0.0.0/8", Target::Unreachable, 0));
        assert_eq!(find(&t, "9.9.9.9", &[]), Some(Target::Unreachable));
        assert_eq!(t.iter().count(), 5);
    }

    #[test]
    fn distance_comes_before_metric() {
        let via = |s: &str| Target::Via(0, s.parse().unwrap());
        let p: Prefix = "10.0.0.0/8".parse().unwrap();
        let mut t = Table::default();
        t.add(Route::new(p, via("10.0.0.3"), Origin::Rip).metric(1));
        t.add(Route::new(p, via("10.0.0.2"), Origin::Ospf).metric(20));
        assert_eq!(find(&t, "10.9.9.9", &[]), Some(via("10.0.0.2")));
        t.add(Route::new(p, via("10.0.0.1"), Origin::Static).metric(4096));
        assert_eq!(find(&t, "10.9.9.9", &[]), Some(via("10.0.0.1")));
        assert!(t.withdraw(Origin::Static, &[p]));
        assert!(!t.withdraw(Origin::Static, &[p]));
        assert_eq!(find(&t, "10.9.9.9", &[]), Some(via("10.0.0.2")));
    }

    #[test]
    fn a_set_of_one_origin_is_replaced() {
        let at = |p: &str, s: &str| Route::new(p.parse().unwrap(), Target::Via(0, s.parse().unwrap()), Origin::Ospf);
        let mut t = Table::default();
        t.add(route("10.1.0.0/16", Target::Link(0), 0));
        assert!(t.replace(Origin::Ospf, vec![at("10.1.0.0/16", "10.0.0.1"), at("10.2.0.0/16", "10.0.0.1")]));
        assert_eq!(t.iter().count(), 3);
        assert!(!t.replace(Origin::Ospf, vec![at("10.2.0.0/16", "10.0.0.1"), at("10.1.0.0/16", "10.0.0.1")]));
        assert!(t.replace(Origin::Ospf, vec![at("10.2.0.0/16", "10.0.0.2")]));
        let left: Vec<Route> = t.iter().collect();
        assert_eq!(left, [route("10.1.0.0/16", Target::Link(0), 0), at("10.2.0.0/16", "10.0.0.2")]);
    }

    #[test]
    fn several_next_hops_need_one_that_is_up() {
        let hop = |iface, s: &str| NextHop { iface, gateway: s.parse().unwrap() };
        let both = Target::through(vec![hop(1, "10.1.0.1"), hop(0, "10.0.0.1"), hop(0, "10.0.0.1")]).unwrap();
        assert_eq!(both, Target::Spread([hop(0, "10.0.0.1"), hop(1, "10.1.0.1")].into()));
        let mut t = Table::default();
        t.add(route("10.9.0.0/16", both.clone(), 0));
        assert_eq!(find(&t, "10.9.0.1", &[0]), Some(both));
        assert_eq!(find(&t, "10.9.0.1", &[0, 1]), None);
        assert_eq!(Target::through(vec![]), None);
    }
}
