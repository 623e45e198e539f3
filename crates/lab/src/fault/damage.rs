//! What is wrong now, by link and by node, and by which fault.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use septet_core::{Carrier, EventId, Power, StationId};
use septet_engine::{FilterId, Heading, LinkId, Side, World};
use septet_host::Host;
use septet_network::Cidr;

use crate::model::cable::{Cable, Change};
use crate::model::node::Node;

/// Names a fault that was put on the board.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FaultId(pub(super) u32);

impl FaultId {
    /// Its number: 1 for the first fault of a run, in the order in which they were put on the board.
    pub fn number(self) -> u64 {
        self.0.into()
    }
}

/// What is wrong now. Faults that overlap add up: what one leaves alone another may change, and when one ends, the others
/// stay.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    pub(super) filters: u64,
    pub(super) changes: u64,
    pub(super) links: Vec<LinkState>,
    pub(super) nodes: Vec<NodeState>,
    /// Where each fault that is in effect has done something.
    pub(super) touched: BTreeMap<FaultId, Touched>,
}

/// What is wrong with a link.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) link: LinkId,
    pub(super) base: [Arc<Cable>; 2],
    pub(super) patches: [Patches; 2],
    pub(super) cuts: BTreeSet<FaultId>,
    pub(super) filters: Vec<(FaultId, Gate, FilterId)>,
}

/// What is wrong with a node.
#[derive(Debug)]
pub(super) struct NodeState {
    pub(super) station: StationId,
    /// The link address of each port, and its addresses.
    pub(super) ports: Vec<([u8; 6], Vec<Cidr>)>,
    pub(super) off: BTreeSet<FaultId>,
    /// By how many nanoseconds its civil time is ahead.
    pub(super) skews: BTreeMap<FaultId, i64>,
    /// By how many parts in a million its clock is too fast.
    pub(super) drifts: BTreeMap<FaultId, i32>,
}

impl NodeState {
    /// Lets the clock of the host go as the faults in effect make it.
    pub(super) fn show_clock(&self, world: &mut World) {
        let now = world.now();
        let Some(host) = world.station_mut::<Host>(self.station) else { return };
        let here = host.here();
        here.clock().step(self.skews.values().fold(0i64, |sum, nanos| sum.saturating_add(*nanos)));
        here.clock().drift(now, self.drifts.values().fold(0i32, |sum, ppm| sum.saturating_add(*ppm)));
    }

    fn is_wrong_by(&self, id: FaultId) -> bool {
        self.off.contains(&id) || self.skews.contains_key(&id) || self.drifts.contains_key(&id)
    }
}

/// The changes of one direction by all faults in effect. Of those that change the same the last to begin holds, and the
/// others wait for it to end; so a change costs the same however many faults overlap.
#[derive(Debug, Default)]
pub(super) struct Patches {
    /// By what is changed, and when it began.
    changes: BTreeMap<&'static str, BTreeMap<u64, Change>>,
    by_fault: BTreeMap<FaultId, Vec<(&'static str, u64)>>,
}

impl Patches {
    pub(super) fn add(&mut self, id: FaultId, number: u64, changes: &[Change]) {
        for (index, change) in changes.iter().enumerate() {
            // The changes of one fault keep their order, too.
            let number = (number << 8) + (index as u64).min(255);
            self.changes.entry(change.what()).or_default().insert(number, change.clone());
            self.by_fault.entry(id).or_default().push((change.what(), number));
        }
    }

    /// Takes the changes of a fault away, and tells whether there were any.
    fn remove(&mut self, id: FaultId) -> bool {
        let Some(changes) = self.by_fault.remove(&id) else { return false };
        for (what, number) in changes {
            if let Some(others) = self.changes.get_mut(what) {
                others.remove(&number);
                if others.is_empty() {
                    self.changes.remove(what);
                }
            }
        }
        true
    }

    /// What the faults in effect make of `base`.
    fn over(&self, base: &Cable) -> Cable {
        let mut last: Vec<_> = self.changes.values().filter_map(|of_one| of_one.last_key_value()).collect();
        last.sort_by_key(|(number, _)| **number);
        let changes: Vec<Change> = last.into_iter().map(|(_, change)| change.clone()).collect();
        let mut cable = base.clone();
        cable.apply(&changes);
        cable
    }
}

/// Where a fault has done something.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) links: BTreeSet<usize>,
    pub(super) nodes: BTreeSet<usize>,
}

/// Where a filter looks at packets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Gate {
    /// The link, as an index into the lab's.
    pub(crate) link: usize,
    /// Which direction of it: 0 from its first end on, or 1.
    pub(crate) way: usize,
    pub(crate) side: Side,
}

impl LinkState {
    /// Gives a direction the medium that the faults in effect make of it.
    pub(super) fn show(&self, world: &mut World, way: usize, cause: EventId) {
        let cable = self.patches[way].over(&self.base[way]);
        if world.medium(self.link, heading(way)).is_none_or(|now| **now != cable.medium) {
            world.set_medium(self.link, heading(way), cable.medium, cause);
        }
    }

    /// Ends a fault here, or all.
    pub(super) fn mend(&mut self, world: &mut World, id: Option<FaultId>, cause: EventId) {
        for way in [0, 1] {
            let changed = match id {
                Some(id) => self.patches[way].remove(id),
                None => !core::mem::take(&mut self.patches[way]).changes.is_empty(),
            };
            if changed {
                self.show(world, way, cause);
            }
        }
        match id {
            Some(id) => {
                self.cuts.remove(&id);
            }
            None => self.cuts.clear(),
        }
        let carrier = if self.cuts.is_empty() { Carrier::Up } else { Carrier::Down };
        world.set_carrier(self.link, carrier, cause);
        for (_, gate, filter) in self.filters.extract_if(.., |(of, ..)| id.is_none_or(|id| id == *of)) {
            world.remove_filter(self.link, heading(gate.way), gate.side, filter);
        }
    }
}

impl Damage {
    pub(crate) fn add_link(&mut self, link: LinkId, base: [Arc<Cable>; 2]) {
        self.links.push(LinkState {
            link,
            base,
            patches: Default::default(),
            cuts: BTreeSet::new(),
            filters: Vec::new(),
        });
    }

    pub(crate) fn add_node(&mut self, station: StationId, node: &Node) {
        let ports = node.ports.iter().map(|port| (port.mac, port.known_addresses())).collect();
        self.nodes.push(NodeState {
            station,
            ports,
            off: BTreeSet::new(),
            skews: BTreeMap::new(),
            drifts: BTreeMap::new(),
        });
    }

    /// Ends what a fault did, where that has not ended already, and tells whether there was anything to end.
    pub(super) fn end(&mut self, world: &mut World, id: FaultId, cause: impl FnOnce(&mut World) -> EventId) -> bool {
        let Some(Touched { links, nodes }) = self.touched.remove(&id) else { return false };
        let nodes: Vec<usize> = nodes.into_iter().filter(|node| self.nodes[*node].is_wrong_by(id)).collect();
        if links.is_empty() && nodes.is_empty() {
            return false;
        }
        let cause = cause(world);
        for link in links {
            self.links[link].mend(world, Some(id), cause);
        }
        for node in nodes {
            let state = &mut self.nodes[node];
            let (skewed, drifted) = (state.skews.remove(&id), state.drifts.remove(&id));
            if skewed.is_some() || drifted.is_some() {
                state.show_clock(world);
            }
            if state.off.remove(&id) && state.off.is_empty() {
                world.set_power(state.station, Power::On, cause);
            }
        }
        true
    }

    /// Whether anything that a fault did still lasts: its time may be over, or another fault may have restored what it
    /// touched.
    pub(super) fn in_force(&self, id: FaultId) -> bool {
        self.touched.get(&id).is_some_and(|Touched { links, nodes }| {
            !links.is_empty() || nodes.iter().any(|node| self.nodes[*node].is_wrong_by(id))
        })
    }
}

pub(super) fn heading(way: usize) -> Heading {
    if way == 0 { Heading::AToB } else { Heading::BToA }
}
