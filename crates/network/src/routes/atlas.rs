//! One map for all routers of a world, instead of a table for each: what a router finds on it, it computes when it
//! first asks, and the destinations are there once.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use super::merge::Merged;
use super::spf::{Graph, Hops};
use super::ways::{Owned, Ties};
use crate::addr::Prefix;
use crate::route::StaticRoute;
use crate::trie::Trie;

/// The routers on cycles, the prefixes that are reached at each, and the shortest paths between them.
#[derive(Debug)]
pub struct Atlas {
    graph: Graph,
    destinations: Destinations,
    ties: Ties,
    /// By place: what a router has found.
    found: Vec<OnceLock<Hops>>,
}

/// A router's own view of an [`Atlas`].
#[derive(Clone, Debug)]
pub struct Guide {
    atlas: Arc<Atlas>,
    place: u32,
}

impl Atlas {
    pub(super) fn new(graph: Graph, owned: Owned, ties: Ties) -> Self {
        let destinations = Destinations::new(owned, &graph);
        let found = (0..graph.len()).map(|_| OnceLock::new()).collect();
        Self { graph, destinations, ties, found }
    }

    fn hops(&self, place: u32) -> &Hops {
        self.found[place as usize].get_or_init(|| self.graph.hops(Some(place), self.graph.edges(place), self.ties))
    }
}

impl Guide {
    /// The view of `node`; `None` where it is not on the map.
    pub(super) fn new(atlas: &Arc<Atlas>, node: usize) -> Option<Self> {
        Some(Self { place: atlas.graph.place(node)?, atlas: atlas.clone() })
    }

    /// The longest prefix that holds `to` and whose gateway is `usable`, and that gateway. Prefixes that the router is
    /// itself connected to are left out.
    pub fn lookup<T>(&self, to: IpAddr, usable: impl Fn(IpAddr) -> Option<T>) -> Option<(Prefix, T)> {
        let Self { atlas, place } = self;
        let mut best = None;
        atlas.destinations.walk(to, |at| {
            if let Some(usable) = self.gateway(atlas.hops(*place), at).and_then(&usable) {
                best = Some((atlas.destinations.prefixes[at], usable));
            }
        });
        best
    }

    /// All routes written out, by gateway, in as few prefixes as there can be.
    pub fn routes(&self) -> Vec<StaticRoute> {
        let hops = self.atlas.hops(self.place);
        self.atlas.destinations.write(|at| self.gateway(hops, at))
    }

    fn gateway(&self, hops: &Hops, at: usize) -> Option<IpAddr> {
        let places = self.atlas.destinations.places(at);
        if places.contains(&self.place) {
            return None;
        }
        let step = hops.towards(&self.atlas.graph, places)?;
        Some(self.atlas.graph.edges(self.place)[step].addr)
    }
}

/// Prefixes in order, each with the places in a graph of the routers that it is reached at.
#[derive(Debug)]
pub(super) struct Destinations {
    pub(super) prefixes: Vec<Prefix>,
    /// Where the places of each prefix end.
    ends: Vec<u32>,
    places: Vec<u32>,
    v4: Trie<u32>,
    v6: Trie<u128>,
}

impl Destinations {
    pub(super) fn new(mut owned: Owned, graph: &Graph) -> Self {
        owned.sort_unstable_by_key(|(prefix, _)| *prefix);
        let mut all = Self {
            prefixes: Vec::with_capacity(owned.len()),
            ends: Vec::with_capacity(owned.len()),
            places: Vec::new(),
            v4: Trie::default(),
            v6: Trie::default(),
        };
        for (at, (prefix, nodes)) in owned.into_iter().enumerate() {
            all.prefixes.push(prefix);
            all.places.extend(nodes.into_iter().filter_map(|n| graph.place(n)));
            all.ends.push(all.places.len() as u32);
            *match prefix.addr() {
                IpAddr::V4(a) => all.v4.slot(a.to_bits(), prefix.prefix_len()),
                IpAddr::V6(a) => all.v6.slot(a.to_bits(), prefix.prefix_len()),
            } = at as u32;
        }
        all
    }

    /// Where a prefix is reached.
    pub(super) fn places(&self, at: usize) -> &[u32] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.places[start as usize..self.ends[at] as usize]
    }

    /// Routes to all prefixes, by gateway, neighbours joined.
    pub(super) fn write(&self, gateway: impl Fn(usize) -> Option<IpAddr>) -> Vec<StaticRoute> {
        let mut by_gateway: Vec<(IpAddr, Merged)> = Vec::new();
        let mut last = 0;
        for (at, &prefix) in self.prefixes.iter().enumerate() {
            let Some(gateway) = gateway(at) else { continue };
            // Neighbouring prefixes mostly have the same gateway.
            if by_gateway.get(last).is_none_or(|(g, _)| *g != gateway) {
                last = by_gateway.iter().position(|(g, _)| *g == gateway).unwrap_or_else(|| {
                    by_gateway.push((gateway, Merged::default()));
                    by_gateway.len() - 1
                });
            }
            by_gateway[last].1.add(prefix);
        }
        by_gateway.sort_unstable_by_key(|(gateway, _)| *gateway);
        let routes = by_gateway.into_iter();
        routes.flat_map(|(gateway, m)| m.0.into_iter().map(move |p| StaticRoute::computed(p, gateway))).collect()
    }

    /// The prefixes that hold `to`, from the shortest to the longest.
    fn walk(&self, to: IpAddr, mut pick: impl FnMut(usize)) {
        match to {
            IpAddr::V4(a) => self.v4.walk(a.to_bits(), |at| pick(at as usize)),
            IpAddr::V6(a) => self.v6.walk(a.to_bits(), |at| pick(at as usize)),
        }
    }
}
