//! The routing table: longest prefix first, then the source that is trusted most, then the lowest metric.

mod family;
mod targets;
mod tree_bitmap;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use self::family::{Entry, Family, Line, Standing};
use self::targets::{Leads, Targets};
use crate::addr::Prefix;
use crate::route::{Iface, Origin, Route, RouteMtu, Target};

/// A host's routes.
#[derive(Clone, Default, Debug)]
pub struct Table {
    v4: Family<u32>,
    /// Most hosts have none, and little room.
    v6: Option<Box<Family<u128>>>,
    targets: Targets,
}

/// What a look-up finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found<'a> {
    /// Where packets go.
    pub target: &'a Target,
    mtu: Option<RouteMtu>,
    entry: Kept<'a>,
}

/// Where the rest is kept, which is read when somebody asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept<'a> {
    V4(&'a Entry<u32>),
    V6(&'a Entry<u128>),
}

impl Found<'_> {
    /// How many bits of the destination the route is for.
    pub const fn prefix_len(&self) -> u8 {
        match self.entry {
            Kept::V4(entry) => entry.len,
            Kept::V6(entry) => entry.len,
        }
    }

    /// What the route takes whole, where a person says so.
    pub const fn mtu(&self) -> Option<RouteMtu> {
        self.mtu
    }

    /// The route's metric.
    pub const fn metric(&self) -> u32 {
        self.standing().metric
    }

    /// The route's distance.
    pub const fn distance(&self) -> u8 {
        self.standing().distance
    }

    /// Who knows the route.
    pub const fn origin(&self) -> Origin {
        self.standing().origin
    }

    const fn standing(&self) -> Standing {
        match self.entry {
            Kept::V4(entry) => entry.standing(),
            Kept::V6(entry) => entry.standing(),
        }
    }
}

impl Table {
    /// Adds a route, behind those to the same prefix that have the same distance and metric.
    pub fn add(&mut self, route: Route) {
        let Route { prefix, target, metric, origin, distance, mtu } = route;
        let line = (self.targets.hold(Leads { target, mtu }), Standing { metric, origin, distance });
        match prefix.addr() {
            IpAddr::V4(a) => self.v4.add(a.to_bits(), prefix.prefix_len(), line),
            IpAddr::V6(a) => self.v6.get_or_insert_default().add(a.to_bits(), prefix.prefix_len(), line),
        }
    }

    /// Adds a route unless it is there already; returns whether it was not.
    pub fn add_once(&mut self, route: Route) -> bool {
        let known = self.at(route.prefix).any(|known| known == route);
        if !known {
            self.add(route);
        }
        !known
    }

    /// Removes a route; returns whether it was there.
    pub fn remove(&mut self, route: &Route) -> bool {
        let leads = Leads { target: route.target.clone(), mtu: route.mtu };
        let Some(target) = self.targets.number(&leads) else { return false };
        let Route { prefix, metric, origin, distance, .. } = *route;
        let line = (target, Standing { metric, origin, distance });
        let was_there = match prefix.addr() {
            IpAddr::V4(a) => self.v4.remove(a.to_bits(), prefix.prefix_len(), line),
            IpAddr::V6(a) => self.v6.as_mut().is_some_and(|v6| v6.remove(a.to_bits(), prefix.prefix_len(), line)),
        };
        if was_there {
            self.targets.release(target);
        }
        was_there
    }

    /// Makes `routes` all that `origin` knows; returns whether that is a change.
    pub fn replace(&mut self, origin: Origin, mut routes: Vec<Route>) -> bool {
        let key = |r: &Route| (r.prefix, r.distance, r.metric);
        routes.sort_by_key(key);
        let known: Vec<Route> = self.iter().filter(|r| r.origin == origin).collect();
        let same = |route: &Route, among: &[Route]| {
            let first = among.partition_point(|r| key(r) < key(route));
            among[first..].iter().take_while(|r| key(r) == key(route)).any(|r| r == route)
        };
        let mut changed = false;
        for gone in known.iter().filter(|known| !same(known, &routes)) {
            changed |= self.remove(gone);
        }
        for route in routes {
            changed |= self.add_once(route);
        }
        changed
    }

    /// Removes all that `origin` knows of these prefixes; returns whether there was any.
    pub fn withdraw(&mut self, origin: Origin, prefixes: &[Prefix]) -> bool {
        let mut changed = false;
        for prefix in prefixes {
            let gone: Vec<Route> = self.at(*prefix).filter(|r| r.origin == origin).collect();
            for route in gone {
                changed |= self.remove(&route);
            }
        }
        changed
    }

    /// The best route to `dst` among those whose interface is `usable`.
    #[inline]
    pub fn lookup(&self, dst: IpAddr, usable: impl Fn(Iface) -> bool) -> Option<Found<'_>> {
        let fits = |target| self.targets[target].target.is_usable(&usable);
        let (target, entry) = match dst {
            IpAddr::V4(a) => self.v4.lookup(a.to_bits(), fits).map(|(target, entry)| (target, Kept::V4(entry)))?,
            IpAddr::V6(a) => {
                self.v6.as_ref()?.lookup(a.to_bits(), fits).map(|(target, entry)| (target, Kept::V6(entry)))?
            }
        };
        let Leads { target, mtu } = &self.targets[target];
        Some(Found { target, mtu: *mtu, entry })
    }

    /// The routes to exactly this prefix, the best first.
    pub fn at(&self, prefix: Prefix) -> impl Iterator<Item = Route> {
        let (v4, v6) = match prefix.addr() {
            IpAddr::V4(a) => (Some(self.v4.at(a.to_bits(), prefix.prefix_len())), None),
            IpAddr::V6(a) => (None, self.v6.as_ref().map(|v6| v6.at(a.to_bits(), prefix.prefix_len()))),
        };
        v4.into_iter().flatten().chain(v6.into_iter().flatten()).map(move |line| self.route(prefix, line))
    }

    /// All routes, by prefix, distance and metric.
    pub fn iter(&self) -> impl Iterator<Item = Route> {
        let v4 = self.v4.lines().into_iter().map(|(bits, len, line)| (Ipv4Addr::from_bits(bits).into(), len, line));
        let v6 = self.v6.as_ref().map(|v6| v6.lines()).unwrap_or_default();
        let v6 = v6.into_iter().map(|(bits, len, line)| (Ipv6Addr::from_bits(bits).into(), len, line));
        v4.chain(v6)
            .map(|(addr, len, line)| self.route(Prefix::new(addr, len).expect("the length was that of a prefix"), line))
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.as_ref().map_or(0, |v6| v6.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of memory that the routes take.
    pub fn bytes(&self) -> usize {
        self.v4.bytes() + self.v6.as_ref().map_or(0, |v6| size_of_val(&**v6) + v6.bytes()) + self.targets.bytes()
    }

    fn route(&self, prefix: Prefix, (target, standing): Line) -> Route {
        let Standing { metric, origin, distance } = standing;
        let Leads { target, mtu } = self.targets[target].clone();
        Route { prefix, target, metric, origin, distance, mtu }
    }
}

#[cfg(test)]
mod tests;
