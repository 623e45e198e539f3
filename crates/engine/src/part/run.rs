//! The loop: the next event, and what it means.

use septet_core::{DropReason, EventId, Fate, Frame, Instant};

use super::{Knot, Part, Presence};
use crate::agenda::{Key, Kind};
use crate::fabric::{End, tell_drop, tell_stopped};
use crate::gate::{FilterId, Side};
use crate::world::Circle;

impl Part {
    /// Plays everything before `horizon`.
    ///
    /// # Errors
    /// [`Knot`] where an instant does not end.
    pub(crate) fn play_before(&mut self, horizon: Instant) -> Result<(), Knot> {
        while self.step_before(horizon)? {}
        Ok(())
    }

    /// Plays the next event, if there is one before `horizon`, and tells whether there was.
    ///
    /// # Errors
    /// [`Knot`] where an instant does not end.
    #[inline]
    pub(crate) fn step_before(&mut self, horizon: Instant) -> Result<bool, Knot> {
        let Some(key) = self.fabric.agenda.peek().filter(|key| key.at() < horizon) else { return Ok(false) };
        self.advance(key.at());
        self.stats.events += 1;
        self.at_this_instant += 1;
        if self.at_this_instant > self.storm_limit {
            let of = Circle::Frames(self.at_this_instant);
            return Err(Knot { at: key.at(), station: key.station(), of });
        }
        if let Some(watch) = &mut self.fabric.watch {
            watch.on_event(key);
        }
        match key.kind() {
            Kind::Arrival => self.on_arrival(key),
            Kind::Deadline => self.on_deadline(key),
            Kind::Transmit => self.on_transmit(key),
            Kind::Room => self.on_room(key),
            Kind::Gate => self.on_gate(key),
        }
        self.stuck().map_or(Ok(true), Err)
    }

    /// Whether the programs of a station let no time pass.
    #[inline]
    pub(crate) fn stuck(&mut self) -> Option<Knot> {
        let station = self.fabric.stuck.take()?;
        Some(Knot { at: self.fabric.now, station, of: Circle::Programs })
    }

    /// The next entry, which may be stale.
    #[inline]
    pub(crate) fn peek(&self) -> Option<Key> {
        self.fabric.agenda.peek()
    }

    /// When something next happens here.
    pub(crate) fn next_event(&mut self) -> Option<Instant> {
        while let Some(key) = self.fabric.agenda.peek() {
            let (at, path) = (key.at(), key.path());
            let real = match key.kind() {
                Kind::Deadline => {
                    let slot = &mut self.slots[key.station().0 as usize];
                    let deadline = slot.deadline();
                    real_time(at, &mut slot.armed, deadline)
                }
                Kind::Arrival => {
                    let p = &mut self.fabric.paths[path as usize];
                    real_time(at, &mut p.arrival, p.direction.next_arrival())
                }
                Kind::Transmit => {
                    let p = &mut self.fabric.paths[path as usize];
                    real_time(at, &mut p.transmit, p.direction.next_transmit())
                }
                Kind::Room => Some(at),
                Kind::Gate => {
                    let gates = self.fabric.paths[path as usize].gates();
                    gates.and_then(|gates| {
                        let next = gates.next();
                        real_time(at, &mut gates.due, next)
                    })
                }
            };
            match real {
                Some(real) if real <= at => break,
                Some(real) => self.fabric.agenda.replace_first(Key::new(real, key.station(), key.kind(), path)),
                None => {
                    self.fabric.agenda.pop();
                }
            }
        }
        self.fabric.agenda.peek().map(Key::at)
    }

    /// Moves time on, and tells what leaves until then.
    #[inline]
    pub(crate) fn advance(&mut self, to: Instant) {
        if to > self.fabric.now {
            self.fabric.now = to;
            self.at_this_instant = 0;
            if let Some(watch) = &mut self.fabric.watch {
                watch.flush(to, &mut self.trace);
            }
        }
    }

    fn on_arrival(&mut self, key: Key) {
        let fabric = &mut self.fabric;
        let p = &mut fabric.paths[key.path() as usize];
        if key.at() != p.arrival {
            fabric.agenda.pop();
            return;
        }
        let frame = p.direction.arrive(key.at());
        p.arrival = p.direction.next_arrival().unwrap_or(Instant::FAR_FUTURE);
        if p.arrival == Instant::FAR_FUTURE {
            fabric.agenda.pop();
        } else {
            fabric.agenda.replace_first(Key::new(p.arrival, p.to.station, Kind::Arrival, key.path()));
        }
        let Some(frame) = frame else { return };
        let to = p.to;
        if self.slots[to.station.0 as usize].presence != Presence::On {
            return self.find_nobody(key.path(), &frame);
        }
        if frame.is_empty() {
            return self.signal(to, frame);
        }
        if p.is_gated() {
            return self.arrive_through(key.path(), frame, None);
        }
        self.take_in(key.path(), frame);
    }

    /// A frame that came out of the cable is received.
    // Inlined, as all on a frame's way are that hand it on whole: it is copied at each call.
    #[inline(always)]
    fn take_in(&mut self, path: u32, frame: Frame) {
        let p = &mut self.fabric.paths[path as usize];
        p.packets += 1;
        p.bytes += frame.len() as u64;
        if frame.fcs.is_some() {
            p.cold_mut().errors += 1;
        }
        let to = p.to;
        self.deliver(to, frame);
    }

    /// What the receiver's gate lets through is received, asking the filters behind `after`.
    pub(crate) fn arrive_through(&mut self, path: u32, frame: Frame, after: Option<FilterId>) {
        let now = self.fabric.now;
        let p = &mut self.fabric.paths[path as usize];
        let to = p.to;
        let judged = match p.gates() {
            Some(gates) => gates.sides[Side::In as usize].judge(now, frame, after),
            None => return self.take_in(path, frame),
        };
        p.cold_mut().matched += u64::from(judged.matched);
        let mut cause = None;
        if let Some(mut stopped) = judged.stopped {
            p.direction.count_drop(DropReason::Filter);
            self.trace.set_scene(now, to.station);
            let event = tell_stopped(&mut self.trace, to.port, &stopped);
            self.hand_on();
            stopped.frame.cause = event;
            cause = Some(event);
            if let Some(watch) = &mut self.fabric.watch {
                let fate = Fate::Lost(DropReason::Filter);
                watch.received(now, to.station, to.port, &stopped.frame, fate);
            }
            for mut answer in stopped.back {
                answer.cause = event;
                self.fabric.name(&mut answer, to.station);
                self.fabric.act(path ^ 1, &mut self.trace, |direction, told| direction.send(now, answer, told));
            }
        }
        for mut frame in judged.on {
            if let Some(cause) = cause {
                frame.cause = cause;
            }
            self.fabric.name(&mut frame, to.station);
            if self.is_on(to.station) {
                self.take_in(path, frame);
            } else {
                self.find_nobody(path, &frame);
            }
        }
        self.fabric.schedule_gates(path);
        self.hand_on();
    }

    /// Frames that wait in the gates of a path go on.
    fn on_gate(&mut self, key: Key) {
        self.fabric.agenda.pop();
        let (now, path) = (self.fabric.now, key.path());
        let p = &mut self.fabric.paths[path as usize];
        let from = p.from;
        let Some(gates) = p.gates().filter(|gates| gates.due == key.at()) else { return };
        gates.due = Instant::FAR_FUTURE;
        let back = core::mem::take(&mut gates.back);
        let [out, arrived] = [Side::Out, Side::In].map(|side| gates.sides[side as usize].ripe(now));
        for frame in back {
            if self.is_on(from.station) {
                self.deliver(from, frame);
            }
        }
        self.go_on(path, out, arrived);
    }

    /// Frames that waited in the gates of a path go on to the next filter.
    pub(crate) fn go_on(&mut self, path: u32, out: Vec<(Frame, FilterId)>, arrived: Vec<(Frame, FilterId)>) {
        for (frame, by) in out {
            self.trace.set_scene(self.fabric.now, self.fabric.paths[path as usize].from.station);
            self.fabric.send_through(path, frame, Some(by), &mut self.trace);
            self.hand_on();
        }
        for (frame, by) in arrived {
            self.arrive_through(path, frame, Some(by));
        }
        self.fabric.schedule_gates(path);
    }

    #[inline(always)]
    pub(crate) fn deliver(&mut self, to: End, frame: Frame) {
        self.stats.deliveries += 1;
        self.slots[to.station.0 as usize].chain.deliver(self.fabric.now, to.station, to.port, &frame);
        if let Some(watch) = &mut self.fabric.watch {
            watch.received(self.fabric.now, to.station, to.port, &frame, Fate::Passed);
        }
        self.call(to.station, EventId::NONE, |station, now, out| station.receive(now, to.port, frame, out));
    }

    /// A signal of a shared line: no frame, and so neither counted nor shown.
    #[cold]
    fn signal(&mut self, to: End, signal: Frame) {
        self.call(to.station, EventId::NONE, |station, now, out| station.receive(now, to.port, signal, out));
    }

    /// A frame arrives at a station that is off, or in another part.
    #[cold]
    fn find_nobody(&mut self, path: u32, frame: &Frame) {
        let p = &mut self.fabric.paths[path as usize];
        if self.slots[p.to.station.0 as usize].presence == Presence::Elsewhere {
            // It was sent there as a parcel, and counts where that arrives.
            self.stats.events -= 1;
            let packed = &mut p.cold_mut().packed;
            *packed = packed.saturating_sub(1);
            return;
        }
        p.cold_mut().drops.add(DropReason::Power);
        let (now, to) = (self.fabric.now, p.to);
        if let Some(watch) = &mut self.fabric.watch {
            watch.received(now, to.station, to.port, frame, Fate::Lost(DropReason::Power));
        }
        self.trace.set_scene(now, to.station);
        tell_drop(&mut self.trace, "link.drop", to.port, frame, DropReason::Power, "the station is switched off");
        self.hand_on();
    }

    fn on_deadline(&mut self, key: Key) {
        let id = key.station();
        let slot = &mut self.slots[id.0 as usize];
        if key.at() != slot.armed {
            self.fabric.agenda.pop();
            return;
        }
        match slot.deadline() {
            Some(real) if real > key.at() => {
                slot.armed = real;
                self.fabric.agenda.replace_first(Key::new(real, id, Kind::Deadline, 0));
            }
            real => {
                slot.armed = Instant::FAR_FUTURE;
                self.fabric.agenda.pop();
                if real.is_some() {
                    self.call(id, EventId::NONE, |station, now, out| station.on_deadline(now, out));
                }
            }
        }
    }

    fn on_transmit(&mut self, key: Key) {
        self.fabric.agenda.pop();
        let (now, path) = (self.fabric.now, key.path());
        let p = &mut self.fabric.paths[path as usize];
        if key.at() != p.transmit {
            return;
        }
        p.transmit = Instant::FAR_FUTURE;
        self.trace.set_scene(now, key.station());
        self.fabric.act(path, &mut self.trace, |direction, told| direction.transmit(now, told));
        self.hand_on();
    }

    fn on_room(&mut self, key: Key) {
        self.fabric.agenda.pop();
        let now = self.fabric.now;
        let p = &mut self.fabric.paths[key.path() as usize];
        let cold = p.cold_mut();
        if key.at() != cold.room {
            return;
        }
        cold.room = Instant::FAR_FUTURE;
        let Some(mark) = cold.mark else { return };
        if p.direction.backlog(now) > mark {
            let at = p.direction.room_at(now, mark).max(Instant::from_nanos(now.as_nanos() + 1));
            p.cold_mut().room = at;
            self.fabric.agenda.push(Key::new(at, key.station(), Kind::Room, key.path()));
            return;
        }
        p.cold_mut().mark = None;
        let End { station, port } = p.from;
        if self.is_on(station) {
            self.call(station, EventId::NONE, |station, now, out| station.on_room(now, port, out));
        }
    }
}

/// The time for which an entry for `at` really stands: `None` where it is stale, and `armed` follows.
fn real_time(at: Instant, armed: &mut Instant, real: Option<Instant>) -> Option<Instant> {
    if at != *armed {
        return None;
    }
    match real {
        Some(real) if real <= at => Some(at),
        real => {
            *armed = real.unwrap_or(Instant::FAR_FUTURE);
            real
        }
    }
}
