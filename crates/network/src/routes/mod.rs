//! Shortest-path routes for a whole topology, as a link-state protocol would find them, computed once.
//!
//! What hangs off the rest by one router needs no search: it gets a default route, and what lies behind it is told to
//! the router above as few prefixes as cover it exactly. Only routers on cycles run Dijkstra's algorithm, each when it
//! first has something to send on, and share one [`Atlas`] of destinations: what a world of 10,000 hosts costs grows
//! with its links, not with their square.

mod atlas;
mod merge;
mod spf;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

pub use self::atlas::{Atlas, Guide};
pub use self::ways::Ties;

use self::atlas::Destinations;
use self::merge::merge;
use self::spf::{Graph, Hops};
use self::ways::{Gateway, Owned};
use crate::addr::Prefix;
use crate::forwarding::Forwarding;
use crate::route::StaticRoute;

/// A node's place on a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// The node's number.
    pub node: usize,
    /// Its address there.
    pub addr: IpAddr,
}

#[derive(Debug)]
struct Segment {
    prefix: Prefix,
    cost: u32,
    members: Vec<Member>,
}

/// Nodes and the segments that join them; one address family.
///
/// ```
/// use septet_network::{Forwarding, routes::{Member, Topology}};
/// let mut t = Topology::default();
/// let (client, router, server) = (t.node(Forwarding::Off), t.node(Forwarding::On), t.node(Forwarding::Off));
/// let at = |node, addr: &str| Member { node, addr: addr.parse().unwrap() };
/// t.segment("10.0.0.0/24".parse()?, 1, vec![at(client, "10.0.0.2"), at(router, "10.0.0.1")]);
/// t.segment("10.0.1.0/24".parse()?, 1, vec![at(router, "10.0.1.1"), at(server, "10.0.1.2")]);
/// let routes = t.compute();
/// assert_eq!(routes[client].own[0].gateway.to_string(), "10.0.0.1");
/// assert_eq!(routes[router].all().count(), 0, "it is on both links");
/// # Ok::<(), septet_network::PrefixError>(())
/// ```
#[derive(Default, Debug)]
pub struct Topology {
    nodes: Vec<Forwarding>,
    /// Nodes that have a default route of their own.
    explicit: BTreeSet<usize>,
    segments: Vec<Segment>,
    ties: Ties,
}

impl Topology {
    /// Adds a node and gives its number, counted from zero.
    pub fn node(&mut self, forwarding: Forwarding) -> usize {
        self.nodes.push(forwarding);
        self.nodes.len() - 1
    }

    /// Adds a segment: all that is joined by one cable, or by switches. Crossing it costs `cost`, at least one.
    pub fn segment(&mut self, prefix: Prefix, cost: u32, members: Vec<Member>) {
        self.segments.push(Segment { prefix, cost: cost.max(1), members });
    }

    /// A router has a default route already: it gets a route to each prefix.
    pub fn explicit(&mut self, node: usize) {
        self.explicit.insert(node);
    }

    /// Chooses among equal paths.
    pub fn ties(&mut self, ties: Ties) {
        self.ties = ties;
    }

    /// The routes of every node, by its number. Prefixes that a node is itself connected to are not among them.
    pub fn compute(&self) -> Vec<Routes> {
        let mut state = State::new(self);
        state.peel();
        let mut routes = vec![Routes::default(); self.nodes.len()];
        state.routers(&mut routes);
        state.hosts(&mut routes);
        routes
    }
}

/// The routes of one node.
#[derive(Clone, Default, Debug)]
pub struct Routes {
    /// Those that it has for itself.
    pub own: Vec<StaticRoute>,
    /// Where it is a router on a cycle: its view of the map that all of these share.
    pub guide: Option<Guide>,
}

impl Routes {
    /// All of them, written out.
    pub fn all(&self) -> impl Iterator<Item = StaticRoute> + '_ {
        let shared = self.guide.as_ref().map(Guide::routes).unwrap_or_default();
        self.own.iter().copied().chain(shared)
    }
}

struct State<'a> {
    topology: &'a Topology,
    /// The segments each node is on.
    on: Vec<Vec<usize>>,
    /// Routers that hang off one other router: through which gateway.
    parent: Vec<Option<Gateway>>,
    /// What was peeled off below a router: the gateway to it, and what lies behind.
    below: Vec<Vec<(IpAddr, Vec<Prefix>)>>,
    /// Peeled routers in the order in which they were.
    peeled: Vec<usize>,
}

impl<'a> State<'a> {
    fn new(topology: &'a Topology) -> Self {
        let n = topology.nodes.len();
        let mut on = vec![Vec::new(); n];
        for (i, segment) in topology.segments.iter().enumerate() {
            for member in &segment.members {
                on[member.node].push(i);
            }
        }
        Self { topology, on, parent: vec![None; n], below: vec![Vec::new(); n], peeled: Vec::new() }
    }

    fn is_router(&self, node: usize) -> bool {
        self.topology.nodes[node] == Forwarding::On
    }

    /// The routers that `node` reaches over one segment, the nearest gateway to each.
    fn gateways(&self, node: usize) -> impl Iterator<Item = Gateway> + '_ {
        self.on[node].iter().flat_map(move |&s| {
            let Segment { cost, ref members, .. } = self.topology.segments[s];
            members.iter().filter(move |m| m.node != node && self.is_router(m.node)).map(move |m| Gateway {
                router: m.node,
                addr: m.addr,
                cost,
            })
        })
    }

    /// The one router that `node` still reaches, where it is one. Stops at the second.
    fn only_gateway(&self, node: usize) -> Option<Gateway> {
        let mut found: Option<Gateway> = None;
        for gateway in self.gateways(node).filter(|g| self.parent[g.router].is_none()) {
            match found {
                Some(f) if f.router != gateway.router => return None,
                Some(f) if f.cost <= gateway.cost => {}
                _ => found = Some(gateway),
            }
        }
        found
    }

    /// Takes off, again and again, the routers that only one other router leads to.
    fn peel(&mut self) {
        let mut todo: Vec<usize> = (0..self.topology.nodes.len()).rev().filter(|&n| self.is_router(n)).collect();
        while let Some(node) = todo.pop() {
            if self.parent[node].is_some() || self.topology.explicit.contains(&node) {
                continue;
            }
            let Some(up) = self.only_gateway(node) else { continue };
            self.parent[node] = Some(up);
            self.peeled.push(node);
            let behind = self.behind(node, up.router);
            let down = self.address_towards(node, up);
            self.below[up.router].push((down, behind));
            todo.push(up.router);
        }
    }

    /// The address of `node` on the segment where `gateway` is.
    fn address_towards(&self, node: usize, gateway: Gateway) -> IpAddr {
        let segments = self.on[node].iter().map(|&s| &self.topology.segments[s]);
        let shared = segments.filter(|s| s.members.iter().any(|m| m.addr == gateway.addr && m.node == gateway.router));
        let own = shared.flat_map(|s| s.members.iter()).find(|m| m.node == node);
        own.expect("a gateway shares a segment").addr
    }

    /// Everything that is reached through `node` and that `except` is not connected to itself.
    fn behind(&self, node: usize, except: usize) -> Vec<Prefix> {
        let own = self.on[node].iter().map(|&s| &self.topology.segments[s]);
        let own = own.filter(|s| s.members.iter().all(|m| m.node != except)).map(|s| s.prefix);
        let below = self.below[node].iter().flat_map(|(_, prefixes)| prefixes.iter().copied());
        merge(own.chain(below).collect())
    }

    fn routers(&self, routes: &mut [Routes]) {
        for (node, below) in self.below.iter().enumerate() {
            for (gateway, prefixes) in below {
                routes[node].own.extend(prefixes.iter().map(|&p| StaticRoute::computed(p, *gateway)));
            }
        }
        for &node in &self.peeled {
            let up = self.parent[node].expect("it was peeled");
            routes[node].own.push(StaticRoute::computed(default_for(up.addr), up.addr));
        }
        let core: Vec<usize> =
            (0..self.parent.len()).filter(|&n| self.is_router(n) && self.parent[n].is_none()).collect();
        if core.len() < 2 {
            return;
        }
        let graph =
            Graph::new(core.iter().copied(), |node| self.gateways(node).filter(|g| self.parent[g.router].is_none()));
        let atlas = Arc::new(Atlas::new(graph, self.owned(&core), self.topology.ties));
        for &node in &core {
            routes[node].guide = Guide::new(&atlas, node);
        }
    }

    /// Which routers of `core` each prefix is reached at. What one router alone leads to is merged.
    fn owned(&self, core: &[usize]) -> Owned {
        let mut at: BTreeMap<Prefix, Vec<usize>> = BTreeMap::new();
        for &node in core {
            let own = self.on[node].iter().map(|&s| self.topology.segments[s].prefix);
            let below = self.below[node].iter().flat_map(|(_, prefixes)| prefixes.iter().copied());
            for prefix in own.chain(below) {
                at.entry(prefix).or_default().push(node);
            }
        }
        let mut alone: BTreeMap<usize, Vec<Prefix>> = BTreeMap::new();
        let mut owned = Vec::new();
        for (prefix, nodes) in at {
            match nodes[..] {
                [node] => alone.entry(node).or_default().push(prefix),
                _ => owned.push((prefix, nodes)),
            }
        }
        for (node, prefixes) in alone {
            owned.extend(merge(prefixes).into_iter().map(|p| (p, vec![node])));
        }
        owned
    }

    fn hosts(&self, routes: &mut [Routes]) {
        // Hosts on the same segments have the same routes.
        let mut known: BTreeMap<&[usize], Vec<StaticRoute>> = BTreeMap::new();
        let mut whole: Option<(Graph, Destinations)> = None;
        for node in (0..self.topology.nodes.len()).filter(|&n| !self.is_router(n)) {
            let on = self.on[node].as_slice();
            if !known.contains_key(on) {
                let mut gateways: Vec<Gateway> = self.gateways(node).collect();
                gateways.dedup();
                let computed = match gateways[..] {
                    [] => Vec::new(),
                    [g] => vec![StaticRoute::computed(default_for(g.addr), g.addr)],
                    [first, ..] => {
                        let (graph, owned) = whole.get_or_insert_with(|| self.whole());
                        let steps = graph.steps(gateways.iter().copied());
                        let hops: Hops = graph.hops(None, &steps, self.topology.ties);
                        let connected = |prefix| on.iter().any(|&s| self.topology.segments[s].prefix == prefix);
                        let mut routes = owned.write(|at| {
                            let step = hops.towards(graph, owned.places(at))?;
                            (!connected(owned.prefixes[at])).then_some(steps[step].addr)
                        });
                        routes.retain(|r| r.gateway != first.addr);
                        routes.push(StaticRoute::computed(default_for(first.addr), first.addr));
                        routes
                    }
                };
                known.insert(on, computed);
            }
            // Not `clone_from`, which would keep room for more.
            routes[node].own = known[on].clone();
        }
    }

    /// All routers, and the prefixes that each is connected to.
    fn whole(&self) -> (Graph, Destinations) {
        let routers = (0..self.topology.nodes.len()).filter(|&n| self.is_router(n));
        let graph = Graph::new(routers, |node| self.gateways(node));
        let segments = self.topology.segments.iter();
        let owned = segments
            .map(|s| (s.prefix, s.members.iter().map(|m| m.node).filter(|&n| self.is_router(n)).collect::<Vec<_>>()))
            .filter(|(_, nodes)| !nodes.is_empty())
            .collect();
        let owned = Destinations::new(owned, &graph);
        (graph, owned)
    }
}

const fn default_for(gateway: IpAddr) -> Prefix {
    match gateway {
        IpAddr::V4(_) => Prefix::DEFAULT_V4,
        IpAddr::V6(_) => Prefix::DEFAULT_V6,
    }
}

#[cfg(test)]
mod tests;
