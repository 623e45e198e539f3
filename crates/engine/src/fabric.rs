//! The cables between stations, and what is due on them: all that a station touches while it runs.

use septet_core::{
    DropReason, EventId, Fate, Frame, FrameId, Instant, LinkCounters, Port, StationId, Storey, Tally, Trace, Wire,
};
use septet_physical::{Direction, Observer, Splitter};
use smallvec::SmallVec;

use crate::agenda::{Agenda, Key, Kind};
use crate::gate::{FilterId, Gates, Side, Stopped};
use crate::watch::{Launch, Watch};

/// No cable at this port.
pub(crate) const UNPLUGGED: u32 = u32::MAX;

/// One direction of a link and what is pending on it. The paths of a link are neighbours: `p` and `p ^ 1`.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) direction: Direction,
    pub(crate) to: End,
    pub(crate) from: End,
    /// The earliest entry in the agenda for each kind; `FAR_FUTURE` where there is none.
    pub(crate) arrival: Instant,
    pub(crate) transmit: Instant,
    /// Frames that came out, and their bytes.
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    cold: Option<Box<Cold>>,
}

/// What is seldom touched of a path, and made when it first is.
#[derive(Debug)]
pub(crate) struct Cold {
    /// The earliest entry in the agenda; `FAR_FUTURE` where there is none.
    pub(crate) room: Instant,
    /// The backlog of which the sender wants to hear.
    pub(crate) mark: Option<usize>,
    /// Frames that came out touched by bit errors.
    pub(crate) errors: u64,
    /// Frames that came out and found nobody.
    pub(crate) drops: Tally,
    /// Where filters look at frames.
    pub(crate) gates: Option<Box<Gates>>,
    /// Frames about which a filter had something to say.
    pub(crate) matched: u64,
    /// So many of the next to arrive were sent to another part.
    pub(crate) packed: usize,
}

/// A port of a station.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct End {
    pub(crate) station: StationId,
    pub(crate) port: Port,
}

/// What leads out of a station.
#[derive(Default)]
pub(crate) struct Outlets {
    /// By port: the path that leads out.
    pub(crate) paths: SmallVec<[u32; 4]>,
    /// How many frames the station was the first to send.
    frames: u64,
}

/// All paths and the agenda.
#[derive(Default)]
pub(crate) struct Fabric {
    pub(crate) now: Instant,
    pub(crate) agenda: Agenda,
    pub(crate) paths: Vec<Path>,
    pub(crate) outlets: Vec<Outlets>,
    pub(crate) splitter: Option<Splitter>,
    pub(crate) watch: Option<Box<Watch>>,
    /// The station whose programs let no time pass.
    pub(crate) stuck: Option<StationId>,
}

/// What became of the frames that a port gave up, by the names of `ip -s link`.
pub(crate) struct GivenUp {
    /// Frames that met no carrier, or were too large for the link.
    pub(crate) errors: u64,
    /// Those of them that met no carrier.
    pub(crate) carrier_errors: u64,
    /// Frames that the transmit queue dropped.
    pub(crate) dropped: u64,
}

impl GivenUp {
    pub(crate) fn of(drops: &Tally) -> Self {
        let carrier_errors = drops.get(DropReason::Carrier) + drops.get(DropReason::Power);
        Self {
            errors: carrier_errors + drops.get(DropReason::Giant),
            carrier_errors,
            dropped: drops.get(DropReason::Queue) + drops.get(DropReason::Aqm),
        }
    }
}

impl Path {
    pub(crate) fn new(from: End, to: End, direction: Direction) -> Self {
        let (arrival, transmit) = (Instant::FAR_FUTURE, Instant::FAR_FUTURE);
        Self { direction, to, from, arrival, transmit, packets: 0, bytes: 0, cold: None }
    }

    /// What is seldom touched, where anything of it was.
    pub(crate) fn cold(&self) -> Option<&Cold> {
        self.cold.as_deref()
    }

    /// What is seldom touched, to be changed.
    pub(crate) fn cold_mut(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    /// The same, where there is any.
    pub(crate) fn cold_if_any(&mut self) -> Option<&mut Cold> {
        self.cold.as_deref_mut()
    }

    /// Whether filters look at its frames.
    #[inline]
    pub(crate) fn is_gated(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.gates.is_some())
    }

    /// Where filters look at frames, where there are any.
    pub(crate) fn gates(&mut self) -> Option<&mut Gates> {
        self.cold.as_mut()?.gates.as_deref_mut()
    }
}

impl Default for Cold {
    fn default() -> Self {
        Self {
            room: Instant::FAR_FUTURE,
            mark: None,
            errors: 0,
            drops: Tally::default(),
            gates: None,
            matched: 0,
            packed: 0,
        }
    }
}

impl Fabric {
    #[inline]
    pub(crate) fn outlet(&self, station: StationId, port: Port) -> Option<u32> {
        let path = *self.outlets.get(station.0 as usize)?.paths.get(usize::from(port.0))?;
        (path != UNPLUGGED).then_some(path)
    }

    /// Enters what is next on `path`, where that is earlier than what is entered already.
    #[inline(always)]
    pub(crate) fn schedule(&mut self, path: u32) {
        let p = &mut self.paths[path as usize];
        if let Some(at) = p.direction.next_arrival()
            && at < p.arrival
        {
            p.arrival = at;
            self.agenda.push(Key::new(at, p.to.station, Kind::Arrival, path));
        }
        if let Some(at) = p.direction.next_transmit()
            && at < p.transmit
        {
            p.transmit = at;
            self.agenda.push(Key::new(at, p.from.station, Kind::Transmit, path));
        }
    }

    pub(crate) fn schedule_room(&mut self, path: u32) {
        let p = &mut self.paths[path as usize];
        let Some(mark) = p.cold().and_then(|c| c.mark) else { return };
        let at = p.direction.room_at(self.now, mark).max(self.now);
        let cold = p.cold_mut();
        if at < cold.room {
            cold.room = at;
            self.agenda.push(Key::new(at, p.from.station, Kind::Room, path));
        }
    }

    /// Calls `act` on a path's direction with an observer that tells the monitors, and enters what follows.
    #[inline(always)]
    pub(crate) fn act(&mut self, path: u32, trace: &mut Trace, act: impl FnOnce(&mut Direction, &mut Told<'_>)) {
        let p = &mut self.paths[path as usize];
        let mut told = Told { now: self.now, path, from: p.from, watch: self.watch.as_deref_mut(), trace };
        act(&mut p.direction, &mut told);
        self.schedule(path);
    }

    #[inline]
    fn send(&mut self, station: StationId, port: Port, frame: Frame, trace: &mut Trace) {
        if frame.segment_size > 0 {
            return self.send_super_segment(station, port, frame, trace);
        }
        self.send_one(station, port, frame, trace);
    }

    #[inline(never)]
    fn send_super_segment(&mut self, station: StationId, port: Port, frame: Frame, trace: &mut Trace) {
        if let Some(path) = self.outlet(station, port)
            && (!self.paths[path as usize].direction.is_transparent() || self.paths[path as usize].is_gated())
            && let Some(split) = self.splitter
        {
            return split(frame, &mut |segment| {
                debug_assert_eq!(segment.segment_size, 0, "a segment is no super-segment");
                self.send_one(station, port, segment, trace);
            });
        }
        self.send_one(station, port, frame, trace);
    }

    // Inlined, as all on a frame's way are that hand it on whole: it is copied at each call.
    #[inline(always)]
    fn send_one(&mut self, station: StationId, port: Port, mut frame: Frame, trace: &mut Trace) {
        let path = self.outlet(station, port);
        if let Some(path) = path
            && self.paths[path as usize].is_gated()
            && !frame.is_empty()
        {
            return self.send_through(path, frame, None, trace);
        }
        self.name(&mut frame, station);
        let Some(path) = path else {
            tell_drop(trace, "link.drop", port, &frame, DropReason::Carrier, "no cable is plugged in");
            return;
        };
        let now = self.now;
        self.act(path, trace, |direction, told| direction.send(now, frame, told));
    }

    /// Gives a frame its name where it has none yet: `station` is the first to send it.
    #[inline]
    pub(crate) fn name(&mut self, frame: &mut Frame, station: StationId) {
        if frame.id == FrameId(0) {
            let frames = &mut self.outlets[station.0 as usize].frames;
            *frames += 1;
            frame.id = FrameId::new(station, *frames);
        }
    }

    /// Sends what the sender's gate lets through, asking the filters behind `after`.
    #[inline(never)]
    pub(crate) fn send_through(&mut self, path: u32, frame: Frame, after: Option<FilterId>, trace: &mut Trace) {
        let now = self.now;
        let p = &mut self.paths[path as usize];
        let End { station, port } = p.from;
        let Some(gates) = p.gates() else { return };
        let mut judged = gates.sides[Side::Out as usize].judge(now, frame, after);
        p.cold_mut().matched += u64::from(judged.matched);
        let mut cause = None;
        if let Some(mut stopped) = judged.stopped {
            self.name(&mut stopped.frame, station);
            let p = &mut self.paths[path as usize];
            p.direction.count_drop(DropReason::Filter);
            let event = tell_stopped(trace, port, &stopped);
            cause = Some(event);
            for mut answer in stopped.back {
                answer.cause = event;
                self.name(&mut answer, station);
                if let Some(gates) = self.paths[path as usize].gates() {
                    gates.back.push_back(answer);
                }
            }
        }
        for mut frame in judged.on.drain(..) {
            if let Some(cause) = cause {
                frame.cause = cause;
            }
            self.name(&mut frame, station);
            self.act(path, trace, |direction, told| direction.send(now, frame, told));
        }
        self.schedule_gates(path);
    }

    /// Enters when something that waits in a gate of `path` goes on.
    pub(crate) fn schedule_gates(&mut self, path: u32) {
        let now = self.now;
        let p = &mut self.paths[path as usize];
        let to = p.to.station;
        let Some(gates) = p.gates() else { return };
        if let Some(at) = gates.next().map(|at| at.max(now))
            && at < gates.due
        {
            gates.due = at;
            self.agenda.push(Key::new(at, to, Kind::Gate, path));
        }
    }
}

/// A station's side of the fabric.
pub(crate) struct StationWire<'a> {
    pub(crate) fabric: &'a mut Fabric,
    pub(crate) station: StationId,
}

impl Wire for StationWire<'_> {
    fn send(&mut self, port: Port, frame: Frame, trace: &mut Trace) {
        self.fabric.send(self.station, port, frame, trace);
    }

    fn backlog(&self, port: Port) -> usize {
        let Some(path) = self.fabric.outlet(self.station, port) else { return 0 };
        self.fabric.paths[path as usize].direction.backlog(self.fabric.now)
    }

    fn wake_below(&mut self, port: Port, bytes: usize) {
        let Some(path) = self.fabric.outlet(self.station, port) else { return };
        self.fabric.paths[path as usize].cold_mut().mark = Some(bytes);
        self.fabric.schedule_room(path);
    }

    fn counters(&self, port: Port) -> Option<LinkCounters> {
        let path = self.fabric.outlet(self.station, port)?;
        let (own, back) = (&self.fabric.paths[path as usize], &self.fabric.paths[(path ^ 1) as usize]);
        let sent = own.direction.counters(self.fabric.now);
        let GivenUp { errors, carrier_errors, dropped } = GivenUp::of(&sent.drops);
        Some(LinkCounters {
            rx_packets: back.packets,
            rx_bytes: back.bytes,
            rx_dropped: back.cold().map_or(0, |cold| cold.drops.total()),
            tx_packets: sent.packets,
            tx_bytes: sent.bytes,
            tx_errors: errors,
            tx_dropped: dropped,
            tx_carrier_errors: carrier_errors,
            ..LinkCounters::default()
        })
    }

    fn stuck(&mut self) {
        self.fabric.stuck = Some(self.station);
    }

    fn carries_super_segments(&self, port: Port) -> bool {
        let Some(path) = self.fabric.outlet(self.station, port) else { return false };
        self.fabric.splitter.is_some() || self.fabric.paths[path as usize].direction.is_transparent()
    }
}

/// Hears what becomes of frames on one path and tells the monitors, where there are any.
pub(crate) struct Told<'a> {
    now: Instant,
    path: u32,
    from: End,
    watch: Option<&'a mut Watch>,
    trace: &'a mut Trace,
}

impl Observer for Told<'_> {
    #[inline]
    fn launched(&mut self, at: Instant, frame: &mut Frame, whole: Option<&Frame>, fate: Fate) {
        let End { station, port } = self.from;
        let Some(watch) = self.watch.as_mut().filter(|w| w.wants(station, port, fate)) else { return };
        let (cause, mut event) = (frame.cause, EventId::NONE);
        if fate != Fate::Passed {
            event = self.trace.reserve();
        }
        if let Fate::Damaged(_) = fate
            && event != EventId::NONE
        {
            frame.cause = event;
        }
        let launch = Launch { station, port, frame: whole.unwrap_or(frame).clone(), fate, event, cause };
        watch.launched(self.now, at, self.path, launch, self.trace);
    }

    fn dropped(&mut self, frame: &Frame, reason: DropReason) {
        let why = match reason {
            DropReason::Queue => "the transmit queue is full",
            DropReason::Carrier => "the port has no carrier",
            DropReason::Power => "the station was switched off",
            DropReason::Giant => "a super-segment was not split for a link that counts frames",
            DropReason::Aqm => "the queue's discipline dropped it early",
            _ => reason.as_str(),
        };
        tell_drop(self.trace, "link.drop", self.from.port, frame, reason, why);
    }

    fn recalled(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.recalled(self.path);
        }
    }

    fn lost(&mut self, frame: &Frame, reason: DropReason) {
        let why = match reason {
            DropReason::Carrier => "the cable was cut while it was on it",
            DropReason::Power => "its sender was switched off while it was on the cable",
            _ => reason.as_str(),
        };
        tell_drop(self.trace, "link.lost", self.from.port, frame, reason, why);
    }
}

/// Tells of a frame that a filter stopped, and what did.
pub(crate) fn tell_stopped(trace: &mut Trace, port: Port, stopped: &Stopped) -> EventId {
    let Stopped { frame, text, cause, back } = stopped;
    trace.emit(Storey::Network, "filter.drop", *cause, |f| {
        f.set("port", port.to_string()).set("frame", frame.id).set("len", frame.len());
        f.set("reason", DropReason::Filter).set("rule", text.to_string());
        let why = if back.is_empty() { "the filter drops it" } else { "the filter refuses it, and says so" };
        f.set("why", why);
    })
}

/// Tells of a frame that goes no further.
pub(crate) fn tell_drop(
    trace: &mut Trace,
    kind: &'static str,
    port: Port,
    frame: &Frame,
    reason: DropReason,
    why: &'static str,
) {
    trace.emit(Storey::Physical, kind, frame.cause, |f| {
        f.set("port", port.to_string()).set("frame", frame.id).set("len", frame.len());
        f.set("reason", reason).set("why", why);
    });
}
