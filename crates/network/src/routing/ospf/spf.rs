//! The shortest paths (RFC 2328 §16): Dijkstra's algorithm over the map that all routers share, and the routes that come of it.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};

use septet_core::Instant;
use septet_wire::ospf::{
    Body, External, ExternalKind, LsaKey, LsaType, MAX_AGE, RouterLink, RouterLinkKind, RouterLsa,
};

use super::super::act::{Context, RouteChange};
use super::computed::{Rank, Way};
use super::interface::State;
use super::router::Ospf;
use crate::addr::Prefix;
use crate::route::{Iface, NextHop};

/// A node of the map. Networks come before routers: RFC 2328 §16.1 (3) says to choose "network vertices before router
/// vertices" of equal cost, so that all equal paths are found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Vertex {
    Network(Ipv4Addr),
    Router(Ipv4Addr),
}

/// Where a path leads first: by an interface, to a router there, or to the link itself.
type Step = (Iface, Option<Ipv4Addr>);

/// How far a vertex is, and which ways lead there.
#[derive(Clone, Debug)]
struct Reached {
    cost: u32,
    steps: Vec<Step>,
    done: bool,
}

/// The map, as the database has it now.
struct Map<'a> {
    routers: BTreeMap<Ipv4Addr, &'a RouterLsa>,
    /// By the address of the designated router: the mask, and who is there.
    networks: BTreeMap<Ipv4Addr, (Ipv4Addr, &'a [Ipv4Addr])>,
    external: Vec<(&'a LsaKey, &'a External)>,
}

impl Ospf {
    /// Something has changed: paths are computed soon, and once for what changes together.
    pub(super) fn want_spf(&mut self, now: Instant) {
        self.spf_at = self.spf_at.or(Some(now + self.settings.spf_delay));
    }

    pub(super) fn compute(&mut self, cx: &mut Context<'_>) {
        self.counters.spf_runs += 1;
        let map = self.map(cx.now);
        let tree = self.tree(&map);
        let (routers, networks) = (map.routers.len(), map.networks.len());
        let mut routes = within(&map, &tree);
        outside(&map, &tree, self.id, &mut routes);
        // What this router is itself on, it needs no route to.
        let own: Vec<Prefix> = self.interfaces.values().map(|i| i.prefix).collect();
        let found: BTreeMap<Prefix, Way> = routes
            .into_iter()
            .filter(|(prefix, _)| !own.contains(prefix))
            .map(|(prefix, (rank, steps))| (prefix, Way { rank, hops: hops(steps) }))
            .filter(|(_, way)| !way.hops.is_empty())
            .collect();
        let before = core::mem::take(&mut self.computed.routes);
        let changed: Vec<Prefix> = before
            .keys()
            .chain(found.keys().filter(|prefix| !before.contains_key(prefix)))
            .filter(|prefix| before.get(prefix) != found.get(prefix))
            .copied()
            .collect();
        cx.tell("ospf.spf", |f| {
            f.set("routers", routers).set("networks", networks).set("routes", found.len());
            f.set("changed", changed.len());
        });
        cx.record("ospf.routes", found.len() as f64);
        for prefix in changed {
            let way = found.get(&prefix);
            let (hops, metric) = way.map_or((Vec::new(), 0), |way| (way.hops.clone(), way.rank.metric()));
            cx.route(RouteChange { prefix, hops, metric });
        }
        self.computed.routes = found;
    }

    fn map(&self, now: Instant) -> Map<'_> {
        let mut map = Map { routers: BTreeMap::new(), networks: BTreeMap::new(), external: Vec::new() };
        for stored in self.database.iter().filter(|stored| stored.age(now) < MAX_AGE) {
            let key = &stored.lsa.header.key;
            match (&stored.body, key.kind) {
                (Some(Body::Router(router)), LsaType::Router) => drop(map.routers.insert(key.router, router)),
                (Some(Body::Network(mask, routers)), LsaType::Network) => {
                    map.networks.insert(key.id, (*mask, routers));
                }
                (Some(Body::External(external)), LsaType::External) => map.external.push((key, external)),
                _ => {}
            }
        }
        map
    }

    /// RFC 2328 §16.1, the first stage: the tree of shortest paths to all routers and networks that join several.
    fn tree(&self, map: &Map<'_>) -> BTreeMap<Vertex, Reached> {
        let root = Vertex::Router(self.id);
        let mut reached = BTreeMap::from([(root, Reached { cost: 0, steps: Vec::new(), done: false })]);
        let mut heap = BinaryHeap::from([Reverse((0u32, root))]);
        while let Some(Reverse((cost, vertex))) = heap.pop() {
            let Some(here) = reached.get_mut(&vertex).filter(|here| !here.done && here.cost == cost) else { continue };
            here.done = true;
            let here = here.clone();
            for (to, metric, link) in map.neighbors(vertex) {
                // "if … vertex W's LSA does not have a link back to vertex V", it is not used.
                if !map.links_back(to, vertex) {
                    continue;
                }
                let cost = cost + metric;
                let steps = if here.steps.is_empty() {
                    self.first_steps(vertex, to, link)
                } else {
                    onwards(map, vertex, to, &here.steps)
                };
                if steps.is_empty() {
                    continue;
                }
                match reached.get_mut(&to) {
                    Some(known) if known.cost < cost || known.done => {}
                    Some(known) if known.cost == cost => {
                        known.steps.extend(steps);
                        known.steps.sort_unstable();
                        known.steps.dedup();
                    }
                    _ => {
                        reached.insert(to, Reached { cost, steps, done: false });
                        heap.push(Reverse((cost, to)));
                    }
                }
            }
        }
        reached
    }

    /// RFC 2328 §16.1.1, where the parent is the root itself.
    fn first_steps(&self, from: Vertex, to: Vertex, link: Option<&RouterLink>) -> Vec<Step> {
        if from != Vertex::Router(self.id) {
            return Vec::new();
        }
        let Some(own) = link.map(|link| link.data) else { return Vec::new() };
        let Some((iface, interface)) = self.interfaces.iter().find(|(_, i)| i.address == own) else {
            return Vec::new();
        };
        match to {
            Vertex::Network(_) => vec![(*iface, None)],
            Vertex::Router(id) if interface.state == State::PointToPoint => {
                let near = interface.neighbors.iter().filter(|(_, n)| n.router == id && n.is_full());
                near.map(|(address, _)| (*iface, Some(*address))).collect()
            }
            Vertex::Router(_) => Vec::new(),
        }
    }
}

/// The same further on: a router on a network that this one is on is the first hop itself; all else inherits.
fn onwards(map: &Map<'_>, from: Vertex, to: Vertex, steps: &[Step]) -> Vec<Step> {
    let (Vertex::Network(network), Vertex::Router(id)) = (from, to) else { return steps.to_vec() };
    let address = map.routers.get(&id).and_then(|router| {
        router
            .links
            .iter()
            .find(|link| link.kind == RouterLinkKind::Transit && link.id == network)
            .map(|link| link.data)
    });
    let step = |(iface, gateway): &Step| (*iface, gateway.or(address));
    steps.iter().map(step).collect()
}

impl<'a> Map<'a> {
    /// Where the links of a vertex lead, what each costs, and a router's own link.
    fn neighbors(&self, vertex: Vertex) -> Vec<(Vertex, u32, Option<&'a RouterLink>)> {
        match vertex {
            Vertex::Router(id) => {
                let links = self.routers.get(&id).map(|router| router.links.as_slice()).unwrap_or_default();
                let to = |link: &'a RouterLink| {
                    let vertex = match link.kind {
                        RouterLinkKind::Router => Vertex::Router(link.id),
                        RouterLinkKind::Transit => Vertex::Network(link.id),
                        RouterLinkKind::Stub | RouterLinkKind::Virtual => return None,
                    };
                    Some((vertex, u32::from(link.metric), Some(link)))
                };
                links.iter().filter_map(to).collect()
            }
            Vertex::Network(id) => {
                let routers = self.networks.get(&id).map(|(_, routers)| *routers).unwrap_or_default();
                routers.iter().map(|router| (Vertex::Router(*router), 0, None)).collect()
            }
        }
    }

    fn links_back(&self, from: Vertex, to: Vertex) -> bool {
        self.neighbors(from).iter().any(|(vertex, ..)| *vertex == to)
    }
}

type Found = BTreeMap<Prefix, (Rank, Vec<Step>)>;

/// Of several ways to one destination the best, and all that are as good.
fn keep(found: &mut Found, prefix: Prefix, rank: Rank, steps: &[Step]) {
    match found.get_mut(&prefix) {
        Some((known, _)) if *known < rank => {}
        Some((known, all)) if *known == rank => all.extend(steps),
        _ => drop(found.insert(prefix, (rank, steps.to_vec()))),
    }
}

fn prefix(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Prefix> {
    let bits = mask.to_bits();
    let is_mask = bits.leading_ones() + bits.trailing_zeros() >= 32;
    Prefix::new(address.into(), bits.leading_ones() as u8).ok().filter(|_| is_mask)
}

/// RFC 2328 §16.1, the second stage: the networks that are reached, those with a single router among them.
fn within(map: &Map<'_>, tree: &BTreeMap<Vertex, Reached>) -> Found {
    let mut found = Found::new();
    for (vertex, Reached { cost, steps, .. }) in tree {
        match vertex {
            Vertex::Network(id) => {
                if let Some(prefix) = map.networks.get(id).and_then(|(mask, _)| prefix(*id, *mask)) {
                    keep(&mut found, prefix, Rank::Within(*cost), steps);
                }
            }
            Vertex::Router(id) => {
                let links = map.routers.get(id).map(|router| router.links.as_slice()).unwrap_or_default();
                for link in links.iter().filter(|link| link.kind == RouterLinkKind::Stub) {
                    if let Some(prefix) = prefix(link.id, link.data) {
                        keep(&mut found, prefix, Rank::Within(cost + u32::from(link.metric)), steps);
                    }
                }
            }
        }
    }
    found
}

/// RFC 2328 §16.4: what lies outside.
fn outside(map: &Map<'_>, tree: &BTreeMap<Vertex, Reached>, own: Ipv4Addr, found: &mut Found) {
    let inside = found.clone();
    for (key, external) in &map.external {
        let Some(prefix) = prefix(key.id, external.mask) else { continue };
        // "If the advertising router is the calculating router itself", or it is not reached, or metric LSInfinity.
        if key.router == own || external.metric >= 0x00ff_ffff {
            continue;
        }
        let asbr = tree.get(&Vertex::Router(key.router));
        let Some(asbr) = asbr.filter(|_| map.routers.get(&key.router).is_some_and(|router| router.external)) else {
            continue;
        };
        let (cost, steps) = if external.forward.is_unspecified() {
            (asbr.cost, asbr.steps.clone())
        } else {
            // The way to the forwarding address, which must lie within.
            let to = inside.iter().filter(|(net, _)| net.contains(external.forward.into()));
            let Some((_, (Rank::Within(cost), steps))) = to.max_by_key(|(net, _)| net.prefix_len()) else { continue };
            (*cost, steps.iter().map(|(iface, gateway)| (*iface, gateway.or(Some(external.forward)))).collect())
        };
        let rank = match external.kind {
            ExternalKind::One => Rank::One(cost + external.metric),
            ExternalKind::Two => Rank::Two(external.metric, cost),
        };
        keep(found, prefix, rank, &steps);
    }
}

/// The routers to which packets go first.
fn hops(steps: Vec<Step>) -> Vec<NextHop> {
    let hop = |(iface, gateway): Step| gateway.map(|gateway| NextHop { iface, gateway: IpAddr::V4(gateway) });
    let mut hops: Vec<NextHop> = steps.into_iter().filter_map(hop).collect();
    hops.sort_unstable();
    hops.dedup();
    hops
}
