//! The faults of a run, in effect and to come, and how they begin and end at their times.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use septet_core::{EventId, Instant, Storey};
use septet_engine::World;

use crate::fault::damage::{Damage, FaultId};
use crate::fault::injector::Injector;
use crate::fault::kind::Fault;

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

/// The faults that are not over, and what they have done.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) damage: Damage,
    next: u32,
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

/// The board, shared with what is to happen later in the world.
pub(crate) type SharedBoard = Rc<RefCell<Board>>;

impl Board {
    fn standing(&self, id: FaultId) -> Option<Standing> {
        let Planned { spans, begun, .. } = self.plans.get(&id)?;
        if self.damage.in_force(id) {
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
                let damage = &mut board.damage;
                fault.effect.begin(&mut Injector { damage, world, id, cause, text: &fault.text });
                board.forget_if_over(id);
            });
        }
        let Some(until) = until else { continue };
        let (board, fault) = (board.clone(), fault.clone());
        world.at(until, move |world| {
            let mut board = board.borrow_mut();
            board.damage.end(world, id, |world| told_end(world, &fault, *begun.borrow()));
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
    board.damage.end(world, id, |world| told_end(world, &plan.fault, EventId::NONE));
    standing.is_some()
}

fn told_end(world: &mut World, fault: &Fault, begun: EventId) -> EventId {
    world.emit(None, Storey::Lab, "fault.end", begun, |f| {
        f.set("fault", fault.text.clone()).set("why", "its time is over");
    })
}
