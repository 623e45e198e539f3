//! A part of a world: some of its stations, the directions of links that they send on, and what is due there.
//!
//! Most worlds are one part. A part knows every station and every link by their numbers, but has only its own; of a link
//! that leads to another part it has the direction out, and of the one in what is in flight.

use core::mem;

use septet_core::{DropReason, EventId, Frame, Instant, Out, Port, Power, Station, StationId, Trace};
use septet_physical::Direction;

use crate::agenda::{Key, Kind};
use crate::digest::Chain;
use crate::fabric::{End, Fabric, StationWire, Told, tell_drop};
use crate::gate::Side;
use crate::parcel::Parcel;
use crate::world::{Circle, Stats};

mod run;

/// Some stations, and all that touches them.
pub(crate) struct Part {
    pub(crate) fabric: Fabric,
    pub(crate) trace: Trace,
    pub(crate) slots: Vec<Slot>,
    pub(crate) stats: Stats,
    /// Events since time last moved.
    at_this_instant: u64,
    /// Events at one instant that are too many.
    pub(crate) storm_limit: u64,
    /// Stations that were handed out to be changed; their deadlines are asked for again.
    pub(crate) touched: Vec<StationId>,
}

pub(crate) struct Slot {
    pub(crate) station: Box<dyn Station>,
    /// The earliest deadline in the agenda; `FAR_FUTURE` where there is none.
    armed: Instant,
    pub(crate) presence: Presence,
    /// Over what was delivered to it.
    pub(crate) chain: Chain,
}

/// Whether a station hears anything here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    On,
    Off,
    /// It is in another part.
    Elsewhere,
}

/// No time passes at a station any more.
#[derive(Debug)]
pub(crate) struct Knot {
    pub(crate) at: Instant,
    pub(crate) station: StationId,
    pub(crate) of: Circle,
}

/// Whoever is in another part.
struct Absent;

impl Station for Absent {
    fn receive(&mut self, _: Instant, _: Port, _: Frame, _: &mut Out<'_>) {}

    fn on_deadline(&mut self, _: Instant, _: &mut Out<'_>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

impl Slot {
    pub(crate) fn new(station: Box<dyn Station>) -> Self {
        Self { station, armed: Instant::FAR_FUTURE, presence: Presence::On, chain: Chain::default() }
    }

    pub(crate) fn elsewhere() -> Self {
        Self { presence: Presence::Elsewhere, ..Self::new(Box::new(Absent)) }
    }

    #[inline]
    fn deadline(&self) -> Option<Instant> {
        if self.presence == Presence::On { self.station.deadline() } else { None }
    }
}

impl Part {
    pub(crate) fn new() -> Self {
        Self {
            fabric: Fabric::default(),
            trace: Trace::off(),
            slots: Vec::new(),
            stats: Stats::default(),
            at_this_instant: 0,
            storm_limit: u64::MAX,
            touched: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.fabric.now
    }

    /// Whether a station is here and switched on.
    pub(crate) fn is_on(&self, station: StationId) -> bool {
        self.slots.get(station.0 as usize).is_some_and(|s| s.presence == Presence::On)
    }

    pub(crate) fn set_power(&mut self, station: StationId, power: Power) {
        self.slots[station.0 as usize].presence = if power == Power::On { Presence::On } else { Presence::Off };
    }

    /// Calls a station and sees to what follows from it.
    #[inline]
    pub(crate) fn call(
        &mut self,
        id: StationId,
        cause: EventId,
        f: impl FnOnce(&mut dyn Station, Instant, &mut Out<'_>),
    ) {
        let slot = &mut self.slots[id.0 as usize];
        let now = self.fabric.now;
        self.trace.set_scene(now, id);
        self.trace.set_cause(cause);
        let mut door = StationWire { fabric: &mut self.fabric, station: id };
        f(&mut *slot.station, now, &mut Out::new(&mut door, &mut self.trace));
        arm(slot, id, &mut self.fabric);
        self.hand_on();
    }

    /// Does something to the direction of a link that leads out of here.
    pub(crate) fn act(&mut self, path: u32, cause: EventId, act: impl FnOnce(&mut Direction, &mut Told<'_>)) {
        self.trace.set_scene(self.fabric.now, self.fabric.paths[path as usize].from.station);
        self.trace.set_cause(cause);
        self.fabric.act(path, &mut self.trace, act);
        self.hand_on();
    }

    /// What waits at a gate of a link that is cut is lost, and that is told where the gate is.
    pub(crate) fn lose_waiting(&mut self, path: u32, side: Side, reason: DropReason, cause: EventId) {
        let p = &mut self.fabric.paths[path as usize];
        let End { station, port } = if side == Side::Out { p.from } else { p.to };
        let lost = p.gates().map(|gates| gates.lose(side)).unwrap_or_default();
        self.trace.set_scene(self.fabric.now, station);
        self.trace.set_cause(cause);
        for frame in lost {
            p.direction.count_drop(reason);
            tell_drop(&mut self.trace, "link.lost", port, &frame, reason, "it waited at a filter when the link went");
        }
        self.hand_on();
    }

    /// Hands what the trace recorded on to the monitors.
    #[inline]
    pub(crate) fn hand_on(&mut self) {
        if !self.trace.is_empty()
            && let Some(watch) = &mut self.fabric.watch
        {
            watch.drain(&mut self.trace, self.fabric.now);
        }
    }

    /// Packs up what arrives before `horizon` on a path that leads to another part, and was not packed up before.
    pub(crate) fn pack(&mut self, path: u32, horizon: Instant, parcels: &mut Vec<Parcel>) {
        let p = &mut self.fabric.paths[path as usize];
        let packed = p.cold().map_or(0, |cold| cold.packed);
        let flights = p.direction.in_flight().take_while(|frame| frame.ingress < horizon).skip(packed);
        let before = parcels.len();
        parcels.extend(flights.map(|frame| Parcel::new(path, frame)));
        if parcels.len() > before {
            p.cold_mut().packed += parcels.len() - before;
        }
    }

    /// Takes in what is in flight from another part.
    pub(crate) fn unpack(&mut self, parcel: &Parcel) {
        self.fabric.paths[parcel.path as usize].direction.accept(parcel.frame());
        self.fabric.schedule(parcel.path);
    }

    /// Asks those for their deadlines that were handed out.
    pub(crate) fn rearm_touched(&mut self) {
        for id in mem::take(&mut self.touched) {
            arm(&mut self.slots[id.0 as usize], id, &mut self.fabric);
        }
    }
}

#[inline]
fn arm(slot: &mut Slot, id: StationId, fabric: &mut Fabric) {
    if let Some(deadline) = slot.deadline() {
        let at = deadline.max(fabric.now);
        if at < slot.armed {
            slot.armed = at;
            fabric.agenda.push(Key::new(at, id, Kind::Deadline, 0));
        }
    }
}
