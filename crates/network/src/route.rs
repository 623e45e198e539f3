//! The routing table: longest prefix first, then lowest metric.

use std::net::IpAddr;

use crate::addr::Prefix;
use crate::trie::Trie;

/// Index of an interface of a host; the port of the same number carries it.
pub type Iface = u16;

/// Where packets for a prefix go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// To this host itself.
    Local,
    /// To all hosts on the link of this interface.
    Broadcast(Iface),
    /// Straight to the destination, which is on the link of this interface.
    Link(Iface),
    /// To a router on the link of this interface.
    Via(Iface, IpAddr),
    /// Nowhere: the sender is told that the host is unreachable.
    Unreachable,
}

impl Target {
    /// The interface that must have a carrier for the route to be usable.
    pub const fn iface(self) -> Option<Iface> {
        match self {
            Self::Broadcast(i) | Self::Link(i) | Self::Via(i, _) => Some(i),
            Self::Local | Self::Unreachable => None,
        }
    }
}

/// A line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The destinations it is for.
    pub prefix: Prefix,
    /// Where they go.
    pub target: Target,
    /// Among routes to the same prefix the lowest metric wins.
    pub metric: u32,
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
}

impl StaticRoute {
    /// A route with metric zero.
    pub const fn new(prefix: Prefix, gateway: IpAddr) -> Self {
        Self { prefix, gateway, metric: 0 }
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
    /// Lists of routes to the same prefix, by metric.
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Table {
    /// Adds a route, behind those to the same prefix that have the same metric.
    pub fn add(&mut self, route: Route) {
        let new = self.free.pop().unwrap_or(self.entries.len() as u32);
        let Self { v4, v6, entries, .. } = self;
        let head = slot(v4, v6, route.prefix);
        let mut before: Option<usize> = None;
        let mut at = *head;
        while at != END && entries[at as usize].route.metric <= route.metric {
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
                if entry.route.target.iface().is_none_or(&usable) {
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

    /// All routes, by prefix and metric.
    pub fn iter(&self) -> impl Iterator<Item = Route> {
        let mut free = self.free.clone();
        free.sort_unstable();
        let live = self.entries.iter().enumerate().filter(|(i, _)| free.binary_search(&(*i as u32)).is_err());
        let mut routes: Vec<Route> = live.map(|(_, e)| e.route).collect();
        routes.sort_by_key(|r| (r.prefix, r.metric));
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
        Route { prefix: prefix.parse().unwrap(), target, metric }
    }

    fn find(t: &Table, dst: &str, down: &[Iface]) -> Option<Target> {
        t.lookup(dst.parse().unwrap(), |i| !down.contains(&i)).map(|r| r.target)
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
}
