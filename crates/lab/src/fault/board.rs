//! The faults in effect while a world runs, and how they begin, overlap and end.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use septet_core::{Carrier, EventId, Frame, Instant, Port, Power, Rng, Station, StationId, Storey};
use septet_datalink::card::Fitted;
use septet_engine::{Filter, FilterId, Heading, LinkId, Rule, Side, World};
use septet_host::Host;
use septet_network::Cidr;

use crate::fault::Fault;
use crate::model::medium::{Cable, Change};
use crate::model::node::Node;
use crate::model::topology::LinkRef;

/// Names a fault that was put on the board.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FaultId(u32);

impl FaultId {
    /// Its number: 1 for the first fault of a run, in the order in which they were put on the board.
    pub fn number(self) -> u64 {
        self.0.into()
    }
}

/// How it stands with a fault that is not over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It begins, or begins again, at a time to come.
    Pending {
        /// When, in the run's time.
        at: Instant,
    },
    /// What it does lasts.
    InForce {
        /// When it ends by itself; absent: when it is undone.
        until: Option<Instant>,
    },
}

/// What is wrong now, by link and by node. Faults that overlap add up: what one leaves alone another may change, and
/// when one ends, the others stay.
#[derive(Debug, Default)]
pub(crate) struct Board {
    next: u32,
    filters: u64,
    changes: u64,
    links: Vec<LinkState>,
    nodes: Vec<NodeState>,
    /// Where each fault that is in effect has done something.
    touched: BTreeMap<FaultId, Touched>,
    /// The faults that are not over, as far as that was looked for.
    plans: BTreeMap<FaultId, Planned>,
}

/// A fault, and the times of the run at which it begins and ends.
#[derive(Debug)]
struct Planned {
    fault: Rc<Fault>,
    spans: Vec<(Instant, Option<Instant>)>,
    /// How many of the spans have begun.
    begun: usize,
}

#[derive(Debug)]
struct LinkState {
    link: LinkId,
    base: [Arc<Cable>; 2],
    patches: [Patches; 2],
    cuts: BTreeSet<FaultId>,
    filters: Vec<(FaultId, Gate, FilterId)>,
}

#[derive(Debug)]
struct NodeState {
    station: StationId,
    /// The link address of each port, and its own.
    ports: Vec<([u8; 6], Option<Cidr>)>,
    off: BTreeSet<FaultId>,
}

/// The changes of one direction by all faults in effect. Of those that change the same the last to begin holds, and the
/// others wait for it to end; so a change costs the same however many faults overlap.
#[derive(Debug, Default)]
struct Patches {
    /// By what is changed, and when it began.
    changes: BTreeMap<&'static str, BTreeMap<u64, Change>>,
    by_fault: BTreeMap<FaultId, Vec<(&'static str, u64)>>,
}

impl Patches {
    fn add(&mut self, id: FaultId, number: u64, changes: &[Change]) {
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

#[derive(Debug, Default)]
struct Touched {
    links: BTreeSet<usize>,
    nodes: BTreeSet<usize>,
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

/// A link address of nobody here.
const SOMEBODY: [u8; 6] = [0x02, b'R', b'S', b'T', 0, 1];

/// The board, shared with what is to happen later in the world.
pub(crate) type SharedBoard = Rc<RefCell<Board>>;

/// Where a fault that begins does what it does, under its name.
pub(crate) struct Stage<'a> {
    board: &'a mut Board,
    pub(crate) world: &'a mut World,
    id: FaultId,
    /// The event that tells of the fault.
    pub(crate) cause: EventId,
    text: &'a str,
}

impl Stage<'_> {
    /// A link becomes another, in some of its directions.
    pub(crate) fn change(&mut self, LinkRef { link, ways }: LinkRef, changes: &[Change]) {
        self.touch().links.insert(link);
        self.board.changes += 1;
        let state = &mut self.board.links[link];
        for &way in ways.directions() {
            state.patches[way].add(self.id, self.board.changes, changes);
            state.show(self.world, way, self.cause);
        }
    }

    /// A link carries nothing.
    pub(crate) fn cut(&mut self, link: usize) {
        self.touch().links.insert(link);
        let state = &mut self.board.links[link];
        state.cuts.insert(self.id);
        self.world.set_carrier(state.link, Carrier::Down, self.cause);
    }

    /// A node is without power.
    pub(crate) fn switch_off(&mut self, node: usize) {
        self.touch().nodes.insert(node);
        let state = &mut self.board.nodes[node];
        state.off.insert(self.id);
        self.world.set_power(state.station, Power::Off, self.cause);
    }

    /// A filter looks at the packets that come through a gate.
    pub(crate) fn filter(&mut self, gate: Gate, filter: Box<dyn Filter>) {
        self.touch().links.insert(gate.link);
        self.board.filters += 1;
        let id = FilterId(self.board.filters);
        let state = &mut self.board.links[gate.link];
        state.filters.push((self.id, gate, id));
        let rule = Rule { id, text: self.text.into(), cause: self.cause, filter };
        self.world.add_filter(state.link, heading(gate.way), gate.side, rule);
    }

    /// A node loses its power, where it has any, and gets it back.
    pub(crate) fn restart(&mut self, node: usize) {
        let state = &mut self.board.nodes[node];
        state.off.clear();
        self.world.set_power(state.station, Power::Off, self.cause);
        self.world.set_power(state.station, Power::On, self.cause);
    }

    /// No fault is in effect on a link any more.
    pub(crate) fn restore_link(&mut self, link: usize) {
        let state = &mut self.board.links[link];
        state.mend(self.world, None, self.cause);
        for touched in self.board.touched.values_mut() {
            touched.links.remove(&link);
        }
    }

    /// No fault is in effect at a node any more.
    pub(crate) fn restore_node(&mut self, node: usize) {
        let state = &mut self.board.nodes[node];
        state.off.clear();
        self.world.set_power(state.station, Power::On, self.cause);
        for touched in self.board.touched.values_mut() {
            touched.nodes.remove(&node);
        }
    }

    /// The station of a node.
    pub(crate) fn station(&self, node: usize) -> StationId {
        self.board.nodes[node].station
    }

    /// How many nodes there are.
    pub(crate) fn nodes(&self) -> usize {
        self.board.nodes.len()
    }

    /// The port of a node that has this address.
    pub(crate) fn port_of(&self, node: usize, address: IpAddr) -> Option<u16> {
        let ports = &self.board.nodes[node].ports;
        ports.iter().position(|(_, own)| own.is_some_and(|own| own.addr() == address)).map(|port| port as u16)
    }

    /// The link address of a port.
    pub(crate) fn mac(&self, node: usize, port: u16) -> [u8; 6] {
        self.board.nodes[node].ports[usize::from(port)].0
    }

    /// The link address from which a port hears of `address`: its own where it is on the port's network, otherwise that
    /// of another node there.
    pub(crate) fn mac_towards(&self, node: usize, port: u16, address: IpAddr) -> [u8; 6] {
        let here = self.board.nodes[node].ports[usize::from(port)].1.map(Cidr::prefix);
        let others = self.board.nodes.iter().enumerate().filter(|(other, _)| *other != node);
        let near = |cidr: &Option<Cidr>| cidr.is_some_and(|cidr| Some(cidr.prefix()) == here);
        let mut near: Vec<_> = others.flat_map(|(_, n)| &n.ports).filter(|(_, cidr)| near(cidr)).collect();
        near.sort_by_key(|(_, cidr)| cidr.is_none_or(|cidr| cidr.addr() != address));
        near.first().map_or(SOMEBODY, |(mac, _)| *mac)
    }

    /// A host hears a frame at a port that nobody in the lab sent.
    pub(crate) fn receive(&mut self, node: usize, port: u16, mut frame: Frame) {
        frame.cause = self.cause;
        let (station, port) = (self.station(node), Port(port));
        let card = self.world.station::<Fitted>(station).and_then(|fitted| fitted.card(port));
        if card.is_none() {
            return self.world.inject(station, port, frame);
        }
        // What the card makes of Ethernet is its own: the host hears it behind the card.
        self.world.with(station, |host: &mut Host, now, out| host.receive(now, port, frame, out));
    }

    /// The random numbers of one part of the fault.
    pub(crate) fn random(&self, what: &str) -> Rng {
        self.world.seed().stream(&format!("fault {} {what}", self.text))
    }

    fn touch(&mut self) -> &mut Touched {
        self.board.touched.entry(self.id).or_default()
    }
}

impl LinkState {
    /// Gives a direction the medium that the faults in effect make of it.
    fn show(&self, world: &mut World, way: usize, cause: EventId) {
        let cable = self.patches[way].over(&self.base[way]);
        if world.medium(self.link, heading(way)).is_none_or(|now| **now != cable.medium) {
            world.set_medium(self.link, heading(way), cable.medium, cause);
        }
    }

    /// Ends a fault here, or all.
    fn mend(&mut self, world: &mut World, id: Option<FaultId>, cause: EventId) {
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

impl Board {
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
        let ports = node.ports.iter().map(|port| (port.mac, port.address)).collect();
        self.nodes.push(NodeState { station, ports, off: BTreeSet::new() });
    }

    /// Ends what a fault did, where that has not ended already, and tells whether there was anything to end.
    fn end(&mut self, world: &mut World, id: FaultId, cause: impl FnOnce(&mut World) -> EventId) -> bool {
        let Some(Touched { links, nodes }) = self.touched.remove(&id) else { return false };
        let nodes: Vec<usize> = nodes.into_iter().filter(|node| self.nodes[*node].off.contains(&id)).collect();
        if links.is_empty() && nodes.is_empty() {
            return false;
        }
        let cause = cause(world);
        for link in links {
            self.links[link].mend(world, Some(id), cause);
        }
        for node in nodes {
            let state = &mut self.nodes[node];
            if state.off.remove(&id) && state.off.is_empty() {
                world.set_power(state.station, Power::On, cause);
            }
        }
        true
    }

    /// Whether anything that a fault did still lasts: its time may be over, or another fault may have restored what it
    /// touched.
    fn in_force(&self, id: FaultId) -> bool {
        self.touched.get(&id).is_some_and(|Touched { links, nodes }| {
            !links.is_empty() || nodes.iter().any(|node| self.nodes[*node].off.contains(&id))
        })
    }

    fn standing(&self, id: FaultId) -> Option<Standing> {
        let Planned { spans, begun, .. } = self.plans.get(&id)?;
        if self.in_force(id) {
            return Some(Standing::InForce { until: begun.checked_sub(1).and_then(|last| spans[last].1) });
        }
        spans.get(*begun).map(|(from, _)| Standing::Pending { at: *from })
    }

    /// Forgets a fault of which nothing is to come and nothing lasts.
    fn forget_if_over(&mut self, id: FaultId) {
        if self.standing(id).is_none() {
            self.plans.remove(&id);
        }
    }

    /// The faults in effect and to come, in the order in which they were put on the board.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (FaultId, &Fault, Standing)> {
        self.plans.iter().filter_map(|(id, plan)| Some((*id, &*plan.fault, self.standing(*id)?)))
    }
}

fn heading(way: usize) -> Heading {
    if way == 0 { Heading::AToB } else { Heading::BToA }
}

/// Lets a fault happen at its times, each counted from `origin`.
pub(crate) fn schedule(board: &SharedBoard, world: &mut World, fault: &Fault, origin: Instant) -> FaultId {
    let at = |time: Instant| origin + (time - Instant::ZERO);
    let fault = Rc::new(fault.clone());
    let spans: Vec<_> = fault.spans.iter().map(|(from, until)| (at(*from), until.map(at))).collect();
    let id = {
        let mut board = board.borrow_mut();
        board.next += 1;
        let id = FaultId(board.next);
        board.plans.insert(id, Planned { fault: fault.clone(), spans: spans.clone(), begun: 0 });
        id
    };
    for (from, until) in spans {
        let begun = Rc::new(RefCell::new(EventId::NONE));
        {
            let (board, fault, begun) = (board.clone(), fault.clone(), begun.clone());
            world.at(from, move |world| {
                match board.borrow_mut().plans.get_mut(&id) {
                    Some(plan) => plan.begun += 1,
                    // It was called off.
                    None => return,
                }
                let cause = world.emit(None, Storey::Lab, fault.event, EventId::NONE, |f| {
                    f.set("fault", fault.text.clone());
                    if let Some(until) = until {
                        f.set("until", until - Instant::ZERO);
                    }
                    f.set("why", "the lab's script says so");
                });
                *begun.borrow_mut() = cause;
                let board = &mut *board.borrow_mut();
                fault.effect.begin(&mut Stage { board, world, id, cause, text: &fault.text });
                board.forget_if_over(id);
            });
        }
        let Some(until) = until else { continue };
        let (board, fault) = (board.clone(), fault.clone());
        world.at(until, move |world| {
            let mut board = board.borrow_mut();
            board.end(world, id, |world| told_end(world, &fault, *begun.borrow()));
            board.forget_if_over(id);
        });
    }
    id
}

/// Ends a fault before its time, or calls it off before it begins; tells whether there was anything to end.
pub(crate) fn cancel(board: &SharedBoard, world: &mut World, id: FaultId) -> bool {
    let mut board = board.borrow_mut();
    let standing = board.standing(id);
    let Some(plan) = board.plans.remove(&id) else { return false };
    board.end(world, id, |world| told_end(world, &plan.fault, EventId::NONE));
    standing.is_some()
}

fn told_end(world: &mut World, fault: &Fault, begun: EventId) -> EventId {
    world.emit(None, Storey::Lab, "fault.end", begun, |f| {
        f.set("fault", fault.text.clone()).set("why", "its time is over");
    })
}
