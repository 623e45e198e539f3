//! The faults of a run, in effect and to come, and how they begin and end at their times.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use septet_core::{EventId, Instant, Storey};
use septet_engine::{Action, Agent, AgentId, Call, World};

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
    /// Who lets faults happen in the world, once there are any.
    agent: Option<AgentId>,
    next: u32,
    /// The faults that are not over, as far as that was looked for.
    plans: BTreeMap<FaultId, Planned>,
}

/// A fault, and the times of the run at which it begins and ends.
#[derive(Debug)]
struct Planned {
    fault: Rc<Fault>,
    spans: Vec<Span>,
    /// How many of the spans have begun.
    begun: usize,
}

/// The board, shared with what is to happen later in the world.
pub(crate) type SharedBoard = Rc<RefCell<Board>>;

/// A time in which a fault is in effect.
#[derive(Debug)]
struct Span {
    from: Instant,
    until: Option<Instant>,
    /// The event that told of its beginning.
    event: EventId,
}

impl Board {
    /// Begins a fault, where it was not called off.
    fn begin(&mut self, world: &mut World, id: FaultId, span: usize) {
        let Some(plan) = self.plans.get_mut(&id) else { return };
        plan.begun += 1;
        let (fault, until) = (plan.fault.clone(), plan.spans[span].until);
        let cause = world.emit(None, Storey::Lab, fault.event, EventId::NONE, |f| {
            f.set("fault", fault.text.clone());
            if let Some(until) = until {
                f.set("until", until - Instant::ZERO);
            }
            f.set("why", "the lab's script says so");
        });
        plan.spans[span].event = cause;
        let damage = &mut self.damage;
        fault.effect.begin(&mut Injector { damage, world, id, cause, text: &fault.text });
        self.forget_if_over(id);
    }

    /// The time of a fault is over. What it did may have ended before.
    fn end(&mut self, world: &mut World, id: FaultId, span: usize) {
        let Some(plan) = self.plans.get(&id) else { return };
        let (fault, begun) = (plan.fault.clone(), plan.spans[span].event);
        self.damage.end(world, id, |world| told_end(world, &fault, begun));
        self.forget_if_over(id);
    }

    fn standing(&self, id: FaultId) -> Option<Standing> {
        let Planned { spans, begun, .. } = self.plans.get(&id)?;
        if self.damage.in_force(id) {
            return Some(Standing::InForce { until: begun.checked_sub(1).and_then(|last| spans[last].until) });
        }
        spans.get(*begun).map(|span| Standing::Pending { at: span.from })
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
    let spans: Vec<Span> = fault
        .spans
        .iter()
        .map(|(from, until)| Span { from: at(*from), until: until.map(at), event: EventId::NONE })
        .collect();
    let agent = *board.borrow_mut().agent.get_or_insert_with(|| world.add_agent(Faults(board.clone())));
    let board = &mut *board.borrow_mut();
    board.next += 1;
    let id = FaultId(board.next);
    for (span, Span { from, until, .. }) in spans.iter().enumerate() {
        let turn = |edge| Action::Call(Call { agent, message: Turn { id, span, edge }.message() });
        world.at(*from, turn(Edge::Begins));
        if let Some(until) = until {
            world.at(*until, turn(Edge::Ends));
        }
    }
    board.plans.insert(id, Planned { fault: Rc::new(fault.clone()), spans, begun: 0 });
    id
}

/// What of a fault has its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Turn {
    id: FaultId,
    /// Which of its spans.
    span: usize,
    edge: Edge,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Edge {
    Begins,
    Ends,
}

impl Turn {
    /// As the world's agenda keeps it.
    fn message(self) -> u64 {
        self.id.number() << 32 | (self.span as u64) << 1 | self.edge as u64
    }

    fn of(message: u64) -> Self {
        let edge = if message & 1 == 0 { Edge::Begins } else { Edge::Ends };
        Self { id: FaultId((message >> 32) as u32), span: (message as u32 >> 1) as usize, edge }
    }
}

/// Lets faults begin and end when their time comes.
struct Faults(SharedBoard);

impl Agent for Faults {
    fn call(&mut self, call: Call, world: &mut World) {
        let Turn { id, span, edge } = Turn::of(call.message);
        let board = &mut *self.0.borrow_mut();
        match edge {
            Edge::Begins => board.begin(world, id, span),
            Edge::Ends => board.end(world, id, span),
        }
    }
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
