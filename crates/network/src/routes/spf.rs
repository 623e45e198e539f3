//! Dijkstra's algorithm over routers: how far each is from one node, and through which of the node's gateways.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::ways::{Gateway, Ties};

/// First hops among which destinations are spread.
const KEPT: usize = 16;
const ABSENT: u32 = u32::MAX;

/// Routers and what each reaches in one step.
#[derive(Debug)]
pub(super) struct Graph {
    /// Node number to place in `edges`.
    place: Vec<u32>,
    nodes: Vec<usize>,
    edges: Vec<Box<[Edge]>>,
}

/// A step to a router.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    to: u32,
    cost: u32,
    /// The router's address on that segment.
    pub(super) addr: IpAddr,
}

impl Graph {
    /// The graph of `routers`; `next` gives the gateways that a router reaches, all of them among `routers`.
    pub(super) fn new<I: Iterator<Item = Gateway>>(
        routers: impl Iterator<Item = usize>,
        next: impl Fn(usize) -> I,
    ) -> Self {
        let nodes: Vec<usize> = routers.collect();
        let mut place = vec![ABSENT; nodes.iter().max().map_or(0, |&m| m + 1)];
        for (i, &router) in nodes.iter().enumerate() {
            place[router] = i as u32;
        }
        let mut graph = Self { place, nodes, edges: Vec::new() };
        graph.edges = graph.nodes.iter().map(|&router| graph.steps(next(router))).collect();
        graph
    }

    /// Steps through `gateways`.
    pub(super) fn steps(&self, gateways: impl Iterator<Item = Gateway>) -> Box<[Edge]> {
        gateways.map(|Gateway { router, addr, cost }| Edge { to: self.place[router], cost, addr }).collect()
    }

    /// How many routers there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The place of a router.
    pub(super) fn place(&self, node: usize) -> Option<u32> {
        self.place.get(node).copied().filter(|&p| p != ABSENT)
    }

    /// The steps of the router at `place`.
    pub(super) fn edges(&self, place: u32) -> &[Edge] {
        &self.edges[place as usize]
    }

    /// The shortest paths of a node that reaches the graph through `steps`. Where it is a router of the graph, it is at
    /// `own` and not gone through.
    pub(super) fn hops(&self, own: Option<u32>, steps: &[Edge], ties: Ties) -> Hops {
        let kept = match ties {
            Ties::First => 1,
            Ties::Spread => KEPT,
        };
        let mut search = Search { distance: vec![u64::MAX; self.len()], first: vec![First::new(); self.len()], kept };
        let mut heap = BinaryHeap::new();
        for (n, &Edge { to, cost, .. }) in steps.iter().enumerate() {
            if search.improve(to as usize, cost.into(), &[n as u32]) {
                heap.push(Reverse((u64::from(cost), to as usize)));
            }
        }
        let own = own.unwrap_or(ABSENT);
        if let Some(distance) = search.distance.get_mut(own as usize) {
            *distance = 0;
        }
        while let Some(Reverse((distance, at))) = heap.pop() {
            if distance > search.distance[at] {
                continue;
            }
            let first = core::mem::take(&mut search.first[at]);
            for &Edge { to, cost, .. } in self.edges[at].iter().filter(|e| e.to != own) {
                let (to, further) = (to as usize, distance + u64::from(cost));
                if search.improve(to, further, &first) {
                    heap.push(Reverse((further, to)));
                }
            }
            search.first[at] = first;
        }
        // One that is not reached has no first hop.
        let choose = |(first, node): (&First, &usize)| first.get(node % first.len().max(1)).copied().unwrap_or(ABSENT);
        let first = search.first.iter().zip(&self.nodes).map(choose).collect();
        Hops { own, distance: search.distance.into(), first }
    }
}

/// What one node knows of all routers, by place.
#[derive(Debug)]
pub(super) struct Hops {
    own: u32,
    distance: Box<[u64]>,
    /// Which of the node's steps comes first.
    first: Box<[u32]>,
}

impl Hops {
    /// Which step leads to the nearest of the routers at these places, of equals the one that was declared first;
    /// `None` where none can be reached.
    #[inline]
    pub(super) fn towards(&self, graph: &Graph, places: &[u32]) -> Option<usize> {
        let reached = places.iter().filter(|&&p| self.first[p as usize] != ABSENT && p != self.own);
        let nearest = reached.min_by_key(|&&p| (self.distance[p as usize], graph.nodes[p as usize]))?;
        Some(self.first[*nearest as usize] as usize)
    }
}

/// Numbers of steps that lie on a shortest path, in the order in which they were found.
type First = SmallVec<[u32; 4]>;

struct Search {
    distance: Vec<u64>,
    first: Vec<First>,
    kept: usize,
}

impl Search {
    /// Takes note of a path; returns whether it is shorter than those known.
    fn improve(&mut self, at: usize, distance: u64, first: &[u32]) -> bool {
        let known = &mut self.first[at];
        if distance < self.distance[at] {
            self.distance[at] = distance;
            known.clear();
            known.extend_from_slice(first);
            return true;
        }
        if distance == self.distance[at] && known.len() < self.kept {
            for step in first {
                if known.len() < self.kept && !known.contains(step) {
                    known.push(*step);
                }
            }
        }
        false
    }
}
