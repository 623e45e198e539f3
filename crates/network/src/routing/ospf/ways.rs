//! Where paths lead first. Many destinations are reached by few sets of first steps, so each set is kept once and goes by a number.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::route::{Iface, NextHop};

/// Where a path leads first: by an interface, to a router there, or to the link itself.
pub(super) type Step = (Iface, Option<Ipv4Addr>);

/// The number of a set of steps.
pub(super) type WayId = usize;

#[derive(Default, Debug)]
pub(super) struct Ways {
    sets: Vec<Vec<Step>>,
    numbers: BTreeMap<Vec<Step>, WayId>,
    /// The routers of each set, once somebody has asked.
    hops: Vec<Option<Arc<[NextHop]>>>,
}

impl Ways {
    /// The number of this set.
    pub(super) fn of(&mut self, mut steps: Vec<Step>) -> WayId {
        steps.sort_unstable();
        steps.dedup();
        if let Some(known) = self.numbers.get(&steps) {
            return *known;
        }
        let id = self.sets.len();
        self.sets.push(steps.clone());
        self.hops.push(None);
        self.numbers.insert(steps, id);
        id
    }

    pub(super) fn is_empty(&self, id: WayId) -> bool {
        self.sets[id].is_empty()
    }

    /// Both sets together.
    pub(super) fn join(&mut self, a: WayId, b: WayId) -> WayId {
        if a == b {
            return a;
        }
        let both = self.sets[a].iter().chain(&self.sets[b]).copied().collect();
        self.of(both)
    }

    /// Goes on from the link itself to a router there: RFC 2328 §16.1.1, "the next hop … is the destination itself" where a directly
    /// attached network lies between.
    pub(super) fn onwards(&mut self, id: WayId, to: Option<Ipv4Addr>) -> WayId {
        if to.is_none() || self.sets[id].iter().all(|(_, gateway)| gateway.is_some()) {
            return id;
        }
        let steps = self.sets[id].iter().map(|(iface, gateway)| (*iface, gateway.or(to))).collect();
        self.of(steps)
    }

    /// The routers to which packets go first.
    pub(super) fn hops(&mut self, id: WayId) -> Arc<[NextHop]> {
        let hop =
            |(iface, gateway): &Step| gateway.map(|gateway| NextHop { iface: *iface, gateway: IpAddr::V4(gateway) });
        let steps = &self.sets[id];
        self.hops[id].get_or_insert_with(|| steps.iter().filter_map(hop).collect()).clone()
    }
}
