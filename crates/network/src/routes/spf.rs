//! Dijkstra's algorithm over routers, keeping every first hop that lies on a shortest path.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use super::Gateway;

/// First hops kept for one destination.
const KEPT: usize = 16;
const ABSENT: u32 = u32::MAX;

/// Routers and what each reaches in one step.
pub(super) struct Graph {
    /// Node number to place in `edges`.
    place: Vec<u32>,
    nodes: Vec<usize>,
    edges: Vec<Vec<(u32, u32)>>,
}

impl Graph {
    /// The graph of `routers`; `next` gives the gateways that a router reaches, all of them among `routers`.
    pub(super) fn new<I: Iterator<Item = Gateway>>(
        routers: impl Iterator<Item = usize>,
        next: impl Fn(usize) -> I,
    ) -> Self {
        let routers: Vec<usize> = routers.collect();
        let mut place = vec![ABSENT; routers.iter().max().map_or(0, |&m| m + 1)];
        for (i, &router) in routers.iter().enumerate() {
            place[router] = i as u32;
        }
        let edges = routers.iter().map(|&r| next(r).map(|g| (place[g.router], g.cost)).collect()).collect();
        Self { place, nodes: routers, edges }
    }

    /// The place of a router.
    pub(super) fn place(&self, node: usize) -> Option<u32> {
        self.place.get(node).copied().filter(|&p| p != ABSENT)
    }

    /// The shortest paths of a node that reaches the graph through `gateways`. `from` itself is not gone through.
    pub(super) fn paths(&self, from: usize, gateways: impl Iterator<Item = Gateway>) -> Paths<'_> {
        let mut paths = Paths {
            graph: self,
            distance: vec![u64::MAX; self.edges.len()],
            first: vec![Vec::new(); self.edges.len()],
            own: self.place(from),
        };
        let mut heap = BinaryHeap::new();
        for Gateway { router, addr, cost } in gateways {
            let at = self.place[router] as usize;
            if paths.improve(at, cost.into(), &[addr]) {
                heap.push(Reverse((u64::from(cost), at)));
            }
        }
        let own = paths.own.unwrap_or(ABSENT);
        if let Some(distance) = paths.distance.get_mut(own as usize) {
            *distance = 0;
        }
        while let Some(Reverse((distance, at))) = heap.pop() {
            if distance > paths.distance[at] {
                continue;
            }
            let first = core::mem::take(&mut paths.first[at]);
            for &(to, cost) in self.edges[at].iter().filter(|(to, _)| *to != own) {
                let (to, further) = (to as usize, distance + u64::from(cost));
                if paths.improve(to, further, &first) {
                    heap.push(Reverse((further, to)));
                }
            }
            paths.first[at] = first;
        }
        paths
    }
}

/// What one node knows of all routers.
pub(super) struct Paths<'a> {
    graph: &'a Graph,
    distance: Vec<u64>,
    first: Vec<Vec<IpAddr>>,
    /// The place of the node itself, where it is a router of the graph.
    own: Option<u32>,
}

impl Paths<'_> {
    /// The nearest of the routers at these places, of equals the one that was declared first; `None` where none can be
    /// reached.
    #[inline]
    pub(super) fn nearest(&self, places: &[u32]) -> Option<u32> {
        let reached = places.iter().filter(|&&p| self.distance[p as usize] != u64::MAX && Some(p) != self.own);
        reached.min_by_key(|&&p| (self.distance[p as usize], self.node(p))).copied()
    }

    /// The router at a place.
    #[inline]
    pub(super) fn node(&self, place: u32) -> usize {
        self.graph.nodes[place as usize]
    }

    /// The gateways that lie on a shortest path to the router at `place`, in the order of declaration.
    #[inline]
    pub(super) fn gateways(&self, place: u32) -> &[IpAddr] {
        &self.first[place as usize]
    }

    /// Takes note of a path; returns whether it is shorter than those known.
    fn improve(&mut self, at: usize, distance: u64, first: &[IpAddr]) -> bool {
        let known = &mut self.first[at];
        if distance < self.distance[at] {
            self.distance[at] = distance;
            known.clear();
            known.extend_from_slice(first);
            return true;
        }
        if distance == self.distance[at] {
            for gateway in first {
                if known.len() < KEPT && !known.contains(gateway) {
                    known.push(*gateway);
                }
            }
        }
        false
    }
}
