//! Tells the monitors, in the order of time.
//!
//! Behind a drop-tail queue a frame's fate is known before its first bit leaves; such news waits here until its time
//! has come, and is taken back where the medium changes before.

use core::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use septet_core::{
    DropReason, EventId, Fate, Frame, Instant, Interest, Monitor, Observation, Port, Record, StationId, Storey, Trace,
    Way,
};

/// The monitors, and what they will be told.
#[derive(Default)]
pub(crate) struct Watch {
    monitors: Vec<(Interest, Box<dyn Monitor>)>,
    frames: Ports,
    later: BinaryHeap<Reverse<Later>>,
    entered: u64,
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

impl Watch {
    pub(crate) fn add(&mut self, monitor: Box<dyn Monitor>) -> Interest {
        let interest = monitor.interest();
        if interest.frames() {
            match monitor.ports() {
                None => self.frames = Ports::All,
                Some(ports) => ports.into_iter().for_each(|(station, port)| self.frames.add(station, port)),
            }
        }
        self.monitors.push((interest, monitor));
        interest
    }

    /// Hands on what the trace recorded.
    pub(crate) fn drain(&mut self, trace: &mut Trace, now: Instant) {
        let Some(keeper) = self.monitors.iter().position(|(i, _)| i.events()) else { return drop(trace.drain()) };
        let (upto, others) = self.monitors.split_at_mut(keeper + 1);
        let (_, keeper) = &mut upto[keeper];
        for record in trace.drain() {
            for (_, other) in others.iter_mut().filter(|(i, _)| i.events()) {
                match &record {
                    Record::Event(event) => other.event(event),
                    Record::Secret(line) => other.secret(now, line),
                }
            }
            match record {
                Record::Event(event) => keeper.keep(event),
                Record::Secret(line) => keeper.secret(now, &line),
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
            && let Some(Reverse(Later { at, launch, .. })) = self.later.pop()
        {
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
        for (_, monitor) in self.monitors.iter_mut().filter(|(i, _)| i.frames()) {
            monitor.frame(observation);
        }
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.entered).cmp(&(other.at, other.entered))
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
