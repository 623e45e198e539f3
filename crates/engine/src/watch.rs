//! Tells the monitors, in the order of time.
//!
//! Behind a drop-tail queue a frame's fate is known before its first bit leaves; such news waits here until its time
//! has come, and is taken back where the medium changes before.

use core::cell::RefCell;
use core::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::rc::Rc;

use septet_core::{
    DropReason, Event, EventId, Fate, Frame, Instant, Interest, Monitor, Observation, Port, Record, StationId, Storey,
    Trace, Way,
};

use crate::agenda::Key;

/// The monitors of a world.
#[derive(Default)]
pub(crate) struct Monitors(Vec<(Interest, Box<dyn Monitor>)>);

/// The monitors, in the hands of each part.
pub(crate) type SharedMonitors = Rc<RefCell<Monitors>>;

/// One part's way to the monitors, and what they will be told.
pub(crate) struct Watch {
    monitors: SharedMonitors,
    frames: Ports,
    later: BinaryHeap<Reverse<Later>>,
    entered: u64,
    /// Where other parts play the same time before or after this one: what is told when all have.
    notes: Option<Notes>,
}

/// What happened in one part, to be put in order with what happened in others.
#[derive(Default)]
struct Notes {
    /// Where in the order the part is.
    place: Place,
    list: Vec<Note>,
}

/// What one note is of, and its place.
pub(crate) struct Note {
    place: Place,
    news: News,
}

enum News {
    Event(Box<Event>),
    Secret(Instant, String),
    Frame { at: Instant, station: StationId, port: Port, way: Way, frame: Frame, fate: Fate },
}

/// A place in the order of a whole world: a time; what leaves then as was known before, and behind it the events of that
/// instant; of the former the path, of the latter the entry in the agenda.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Place(Instant, Turn, u128);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Turn {
    #[default]
    Leaves,
    Happens,
}

/// A frame that leaves later than now.
struct Later {
    at: Instant,
    entered: u64,
    path: u32,
    launch: Launch,
}

/// A frame that leaves.
pub(crate) struct Launch {
    pub(crate) station: StationId,
    pub(crate) port: Port,
    pub(crate) frame: Frame,
    pub(crate) fate: Fate,
    /// The name reserved for the event that tells of loss or damage, and that event's cause.
    pub(crate) event: EventId,
    pub(crate) cause: EventId,
}

/// The ports at which somebody wants frames.
#[derive(Clone)]
enum Ports {
    All,
    /// A bit for each port of each station; the highest stands for all ports from there on.
    Some(Vec<u64>),
}

impl Default for Ports {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Ports {
    fn add(&mut self, station: StationId, port: Port) {
        let Self::Some(masks) = self else { return };
        let at = station.0 as usize;
        if at >= masks.len() {
            masks.resize(at + 1, 0);
        }
        masks[at] |= 1 << port.0.min(63);
    }

    #[inline]
    fn has(&self, station: StationId, port: Port) -> bool {
        match self {
            Self::All => true,
            Self::Some(masks) => masks.get(station.0 as usize).is_some_and(|mask| mask >> port.0.min(63) & 1 == 1),
        }
    }
}

impl Monitors {
    pub(crate) fn add(&mut self, monitor: Box<dyn Monitor>) {
        self.0.push((monitor.interest(), monitor));
    }

    /// Tells what was noted in several parts, in the order in which it happened.
    pub(crate) fn tell(&mut self, mut notes: Vec<Note>) {
        // What one part noted at one place stays in order.
        notes.sort_by_key(|note| note.place);
        for Note { news, .. } in notes {
            match news {
                News::Event(event) => self.event(event),
                News::Secret(at, line) => self.secret(at, &line),
                News::Frame { at, station, port, way, frame, fate } => {
                    self.frame(&Observation { at, station, port, way, frame: &frame, fate });
                }
            }
        }
    }

    /// The first to want events may keep it, and is told last.
    fn event(&mut self, event: Box<Event>) {
        let Some(keeper) = self.0.iter().position(|(i, _)| i.events()) else { return };
        let (upto, others) = self.0.split_at_mut(keeper + 1);
        for (_, other) in others.iter_mut().filter(|(i, _)| i.events()) {
            other.event(&event);
        }
        upto[keeper].1.keep(event);
    }

    fn secret(&mut self, at: Instant, line: &str) {
        for (_, monitor) in self.0.iter_mut().filter(|(i, _)| i.events()) {
            monitor.secret(at, line);
        }
    }

    fn frame(&mut self, observation: &Observation<'_>) {
        for (_, monitor) in self.0.iter_mut().filter(|(i, _)| i.frames()) {
            monitor.frame(observation);
        }
    }
}

impl Watch {
    pub(crate) fn new(monitors: SharedMonitors) -> Self {
        Self { monitors, frames: Ports::default(), later: BinaryHeap::new(), entered: 0, notes: None }
    }

    /// A monitor wants frames at these ports, or at all.
    pub(crate) fn widen(&mut self, ports: Option<&[(StationId, Port)]>) {
        match ports {
            None => self.frames = Ports::All,
            Some(ports) => ports.iter().for_each(|(station, port)| self.frames.add(*station, *port)),
        }
    }

    /// The same for another part.
    pub(crate) fn fork(&self) -> Self {
        Self { frames: self.frames.clone(), ..Self::new(self.monitors.clone()) }
    }

    /// From now on what happens is noted and not told.
    pub(crate) fn note(&mut self) {
        self.notes = Some(Notes::default());
    }

    /// From now on what happens is told again; what was noted comes back.
    pub(crate) fn noted(&mut self) -> Vec<Note> {
        self.notes.take().map(|notes| notes.list).unwrap_or_default()
    }

    /// What happens from now on is because of this entry in the agenda.
    #[inline]
    pub(crate) fn on_event(&mut self, key: Key) {
        if let Some(notes) = &mut self.notes {
            notes.place = Place(key.at(), Turn::Happens, key.number());
        }
    }

    /// Hands on what the trace recorded.
    pub(crate) fn drain(&mut self, trace: &mut Trace, now: Instant) {
        if let Some(Notes { place, list }) = &mut self.notes {
            list.extend(trace.drain().map(|record| {
                let news = match record {
                    Record::Event(event) => News::Event(event),
                    Record::Secret(line) => News::Secret(now, line),
                };
                Note { place: *place, news }
            }));
            return;
        }
        let monitors = &mut *self.monitors.borrow_mut();
        for record in trace.drain() {
            match record {
                Record::Event(event) => monitors.event(event),
                Record::Secret(line) => monitors.secret(now, &line),
            }
        }
    }

    /// Whether somebody wants to be told of a frame that leaves `port` of `station` with this fate.
    #[inline]
    pub(crate) fn wants(&self, station: StationId, port: Port, fate: Fate) -> bool {
        fate != Fate::Passed || self.frames.has(station, port)
    }

    /// A frame leaves at `at`, now or later.
    pub(crate) fn launched(&mut self, now: Instant, at: Instant, path: u32, launch: Launch, trace: &mut Trace) {
        if at <= now {
            self.tell_launch(at, &launch, trace);
        } else {
            self.entered += 1;
            self.later.push(Reverse(Later { at, entered: self.entered, path, launch }));
        }
    }

    /// What `path` was to send later than now will not happen.
    pub(crate) fn recalled(&mut self, path: u32) {
        self.later.retain(|Reverse(l)| l.path != path);
    }

    /// Tells whatever leaves by `now`.
    #[inline]
    pub(crate) fn flush(&mut self, now: Instant, trace: &mut Trace) {
        if !self.later.is_empty() {
            self.tell_later(now, trace);
        }
    }

    fn tell_later(&mut self, now: Instant, trace: &mut Trace) {
        while let Some(Reverse(first)) = self.later.peek()
            && first.at <= now
            && let Some(Reverse(Later { at, launch, path, .. })) = self.later.pop()
        {
            if let Some(notes) = &mut self.notes {
                notes.place = Place(at, Turn::Leaves, path.into());
            }
            trace.set_scene(at, launch.station);
            self.tell_launch(at, &launch, trace);
        }
    }

    /// A frame was received, or would have been.
    pub(crate) fn received(&mut self, at: Instant, station: StationId, port: Port, frame: &Frame, fate: Fate) {
        if self.frames.has(station, port) {
            self.tell(&Observation { at, station, port, way: Way::Received, frame, fate });
        }
    }

    fn tell_launch(&mut self, at: Instant, launch: &Launch, trace: &mut Trace) {
        let Launch { station, port, frame, fate, event, cause } = launch;
        // What led to the frame is told before the frame.
        self.drain(trace, at);
        if self.frames.has(*station, *port) {
            self.tell(&Observation { at, station: *station, port: *port, way: Way::Sent, frame, fate: *fate });
        }
        match *fate {
            Fate::Passed => return,
            Fate::Damaged(bits) => trace.emit_reserved(*event, Storey::Physical, "link.damage", *cause, |f| {
                f.set("port", port.to_string()).set("frame", frame.id).set("len", frame.len()).set("bits", bits);
                f.set("why", "bit errors on the line");
            }),
            Fate::Lost(reason) => trace.emit_reserved(*event, Storey::Physical, "link.lost", *cause, |f| {
                f.set("port", port.to_string()).set("frame", frame.id).set("len", frame.len());
                f.set("reason", reason);
                f.set(
                    "why",
                    match reason {
                        DropReason::CodeViolation => "noise broke its line code, and the receiver took it for none",
                        DropReason::Runt => "noise cut it short on the line",
                        _ => "the channel lost it",
                    },
                );
            }),
        }
        self.drain(trace, at);
    }

    fn tell(&mut self, observation: &Observation<'_>) {
        let Some(Notes { place, list }) = &mut self.notes else {
            return self.monitors.borrow_mut().frame(observation);
        };
        let &Observation { at, station, port, way, frame, fate } = observation;
        let news = News::Frame { at, station, port, way, frame: frame.clone(), fate };
        list.push(Note { place: *place, news });
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of several links at one instant the order is that of the links, whoever played them.
        (self.at, self.path, self.entered).cmp(&(other.at, other.path, other.entered))
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Later {}
