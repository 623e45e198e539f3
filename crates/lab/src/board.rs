//! The faults in effect while a world runs, and how they begin, overlap and end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use septet_core::{Carrier, EventId, Instant, Power, StationId, Storey};
use septet_engine::{Heading, LinkId, World};

use crate::fault::{Effect, Fault};
use crate::medium::{Cable, Change};
use crate::topology::LinkRef;

/// Names a fault that was put on the board.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FaultId(u32);

/// What is wrong now, by link and by node. Faults that overlap add up: what one leaves alone another may change, and
/// when one ends, the others stay.
#[derive(Debug, Default)]
pub(crate) struct Board {
    next: u32,
    links: Vec<LinkState>,
    nodes: Vec<NodeState>,
}

#[derive(Debug)]
struct LinkState {
    link: LinkId,
    base: [Arc<Cable>; 2],
    patches: [Vec<(FaultId, Arc<[Change]>)>; 2],
    cuts: BTreeSet<FaultId>,
}

#[derive(Debug)]
struct NodeState {
    station: StationId,
    off: BTreeSet<FaultId>,
}

/// The board, shared with what is to happen later in the world.
pub(crate) type SharedBoard = Rc<RefCell<Board>>;

impl Board {
    pub(crate) fn add_link(&mut self, link: LinkId, base: [Arc<Cable>; 2]) {
        self.links.push(LinkState { link, base, patches: [Vec::new(), Vec::new()], cuts: BTreeSet::new() });
    }

    pub(crate) fn add_node(&mut self, station: StationId) {
        self.nodes.push(NodeState { station, off: BTreeSet::new() });
    }

    fn begin(&mut self, world: &mut World, id: FaultId, effect: &Effect, cause: EventId) {
        match effect {
            Effect::Change(links, changes) => {
                let changes: Arc<[Change]> = changes.as_slice().into();
                for LinkRef { link, ways } in links {
                    for &way in ways.directions() {
                        self.links[*link].patches[way].push((id, changes.clone()));
                    }
                    self.renew(world, *link, cause);
                }
            }
            Effect::Cut(links) => {
                for LinkRef { link, .. } in links {
                    self.links[*link].cuts.insert(id);
                    world.set_carrier(self.links[*link].link, Carrier::Down, cause);
                }
            }
            Effect::Off(nodes) => {
                for &node in nodes {
                    self.nodes[node].off.insert(id);
                    world.set_power(self.nodes[node].station, Power::Off, cause);
                }
            }
            Effect::Restart(nodes) => {
                for &node in nodes {
                    let state = &mut self.nodes[node];
                    state.off.clear();
                    world.set_power(state.station, Power::Off, cause);
                    world.set_power(state.station, Power::On, cause);
                }
            }
            Effect::Restore(links, nodes) => {
                for LinkRef { link, .. } in links {
                    let state = &mut self.links[*link];
                    state.cuts.clear();
                    state.patches = [Vec::new(), Vec::new()];
                    self.renew(world, *link, cause);
                }
                for &node in nodes {
                    self.nodes[node].off.clear();
                    world.set_power(self.nodes[node].station, Power::On, cause);
                }
            }
        }
    }

    /// Ends what `begin` did, where it has not ended already, and tells whether there was anything to end.
    fn end(
        &mut self,
        world: &mut World,
        id: FaultId,
        effect: &Effect,
        cause: impl FnOnce(&mut World) -> EventId,
    ) -> bool {
        let active = match effect {
            Effect::Change(links, _) => {
                links.iter().any(|l| self.links[l.link].patches.iter().flatten().any(|(of, _)| *of == id))
            }
            Effect::Cut(links) => links.iter().any(|l| self.links[l.link].cuts.contains(&id)),
            Effect::Off(nodes) => nodes.iter().any(|n| self.nodes[*n].off.contains(&id)),
            Effect::Restart(_) | Effect::Restore(..) => false,
        };
        if !active {
            return false;
        }
        let cause = cause(world);
        match effect {
            Effect::Change(links, _) | Effect::Cut(links) => {
                for LinkRef { link, .. } in links {
                    let state = &mut self.links[*link];
                    state.patches.iter_mut().for_each(|patches| patches.retain(|(of, _)| *of != id));
                    state.cuts.remove(&id);
                    self.renew(world, *link, cause);
                }
            }
            Effect::Off(nodes) => {
                for &node in nodes {
                    let state = &mut self.nodes[node];
                    if state.off.remove(&id) && state.off.is_empty() {
                        world.set_power(state.station, Power::On, cause);
                    }
                }
            }
            Effect::Restart(_) | Effect::Restore(..) => {}
        }
        true
    }

    /// Brings a link in line with the faults that are in effect.
    fn renew(&self, world: &mut World, link: usize, cause: EventId) {
        let state = &self.links[link];
        for (way, heading) in [(0, Heading::AToB), (1, Heading::BToA)] {
            let mut cable = Cable::clone(&state.base[way]);
            for (_, changes) in &state.patches[way] {
                cable.apply(changes);
            }
            if world.medium(state.link, heading).is_none_or(|now| **now != cable.medium) {
                world.set_medium(state.link, heading, cable.medium, cause);
            }
        }
        let carrier = if state.cuts.is_empty() { Carrier::Up } else { Carrier::Down };
        world.set_carrier(state.link, carrier, cause);
    }
}

/// Lets a fault happen at its times, each counted from `origin`.
pub(crate) fn schedule(board: &SharedBoard, world: &mut World, fault: &Fault, origin: Instant) -> FaultId {
    let id = {
        let mut board = board.borrow_mut();
        board.next += 1;
        FaultId(board.next)
    };
    let fault = Rc::new(fault.clone());
    for (from, until) in fault.spans.clone() {
        let at = move |time: Instant| origin + (time - Instant::ZERO);
        let begun = Rc::new(RefCell::new(EventId::NONE));
        {
            let (board, fault, begun) = (board.clone(), fault.clone(), begun.clone());
            world.at(at(from), move |world| {
                let event = world.emit(None, Storey::Lab, fault.event, EventId::NONE, |f| {
                    f.set("fault", fault.text.clone());
                    if let Some(until) = until {
                        f.set("until", at(until) - Instant::ZERO);
                    }
                    f.set("why", "the lab's script says so");
                });
                *begun.borrow_mut() = event;
                board.borrow_mut().begin(world, id, &fault.effect, event);
            });
        }
        let Some(until) = until else { continue };
        let (board, fault) = (board.clone(), fault.clone());
        world.at(at(until), move |world| {
            board.borrow_mut().end(world, id, &fault.effect, |world| told_end(world, &fault, *begun.borrow()));
        });
    }
    id
}

/// Ends a fault before its time.
pub(crate) fn cancel(board: &SharedBoard, world: &mut World, id: FaultId, fault: &Fault) -> bool {
    board.borrow_mut().end(world, id, &fault.effect, |world| told_end(world, fault, EventId::NONE))
}

fn told_end(world: &mut World, fault: &Fault, begun: EventId) -> EventId {
    world.emit(None, Storey::Lab, "fault.end", begun, |f| {
        f.set("fault", fault.text.clone()).set("why", "its time is over");
    })
}
