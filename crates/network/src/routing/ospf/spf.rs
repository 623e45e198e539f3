//! The shortest paths (RFC 2328 §16.1): Dijkstra's algorithm over the map that all routers share.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;

use septet_wire::ospf::{RouterLink, RouterLinkKind};

use super::super::act::{Context, RouteChange};
use super::destinations::{Tree, destinations};
use super::interface::State;
use super::map::{Map, Vertex};
use super::router::Ospf;
use super::ways::{Step, Ways};
use crate::addr::Prefix;

impl Ospf {
    pub(super) fn compute(&mut self, cx: &mut Context<'_>) {
        self.counters.spf_runs += 1;
        let map = Map::new(&self.database, cx.now);
        let mut ways = Ways::default();
        let tree = self.tree(&map, &mut ways);
        // What this router is itself on, it needs no route to.
        let own: Vec<Prefix> = self.interfaces.values().map(|i| i.prefix).collect();
        let found = destinations(&map, &tree, &mut ways, self.id);
        let found = found.into_iter().filter(|(prefix, way)| !own.contains(prefix) && !way.hops.is_empty()).collect();
        let (routers, networks) = map.counts();
        let changed = self.computed.replace(found);
        let routes = self.computed.routes.len();
        cx.tell("ospf.spf", |f| {
            f.set("routers", routers).set("networks", networks).set("routes", routes).set("changed", changed.len());
        });
        cx.record("ospf.routes", routes as f64);
        for (prefix, way) in changed {
            let (hops, metric) = way.map_or((Vec::new(), 0), |way| (way.hops.to_vec(), way.rank.metric()));
            cx.route(RouteChange { prefix, hops, metric });
        }
    }

    /// RFC 2328 §16.1, the first stage: the tree of shortest paths to all routers and networks that join several.
    fn tree(&self, map: &Map<'_>, ways: &mut Ways) -> Tree {
        let mut tree = vec![None; map.len()];
        let Some(root) = map.find_router(self.id) else { return tree };
        let mut done = vec![false; map.len()];
        tree[root] = Some((0, ways.of(Vec::new())));
        let mut heap = BinaryHeap::from([Reverse((0u32, root))]);
        while let Some(Reverse((_, vertex))) = heap.pop() {
            if core::mem::replace(&mut done[vertex], true) {
                continue;
            }
            let Some((cost, way)) = tree[vertex] else { continue };
            for edge in map.edges(vertex) {
                // "if … vertex W's LSA does not have a link back to vertex V", it is not used.
                if done[edge.to] || !map.leads(edge.to, vertex) {
                    continue;
                }
                let cost = cost.saturating_add(edge.metric);
                if tree[edge.to].is_some_and(|(known, _)| known < cost) {
                    continue;
                }
                let way = if vertex == root {
                    ways.of(self.first_steps(map, edge.to, edge.link))
                } else {
                    ways.onwards(way, address_on(map, vertex, edge.to))
                };
                if ways.is_empty(way) {
                    continue;
                }
                match &mut tree[edge.to] {
                    Some((known, all)) if *known == cost => *all = ways.join(*all, way),
                    nearer => {
                        *nearer = Some((cost, way));
                        heap.push(Reverse((cost, edge.to)));
                    }
                }
            }
        }
        tree
    }

    /// RFC 2328 §16.1.1, where the parent is the root itself.
    fn first_steps(&self, map: &Map<'_>, to: Vertex, link: Option<&RouterLink>) -> Vec<Step> {
        let Some(own) = link.map(|link| link.data) else { return Vec::new() };
        let Some((iface, interface)) = self.interfaces.iter().find(|(_, i)| i.address == own) else {
            return Vec::new();
        };
        match map.router(to) {
            None => vec![(*iface, None)],
            Some((id, _)) if interface.state == State::PointToPoint => {
                let near = interface.neighbors.iter().filter(|(_, n)| n.router == id && n.is_full());
                near.map(|(address, _)| (*iface, Some(*address))).collect()
            }
            Some(_) => Vec::new(),
        }
    }
}

/// The address of a router on a network.
fn address_on(map: &Map<'_>, network: Vertex, router: Vertex) -> Option<Ipv4Addr> {
    let id = map.network(network)?.id;
    let (_, router) = map.router(router)?;
    let link = router.links.iter().find(|link| link.kind == RouterLinkKind::Transit && link.id == id)?;
    Some(link.data)
}
