//! The world: stations, links, and the loop that plays them.

use core::any::Any;
use core::fmt;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use septet_core::{
    Carrier, DropReason, EventId, Fate, Fields, Frame, Instant, Monitor, Out, Port, Power, Seed, Station, StationId,
    Storey, Trace,
};
use septet_physical::{Blind, Direction, Lens, Medium};

use crate::Digest;
use crate::agenda::{Key, Kind};
use crate::fabric::{Door, End, Fabric, Path, Received, UNPLUGGED, tell_drop};

/// Which link of a world, in the order of connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

/// Which direction of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Heading {
    /// From the end that was named first.
    AToB,
    /// Towards it.
    BToA,
}

/// More happens at one instant than ever should: a loop without delay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Storm {
    /// The instant that does not end.
    pub at: Instant,
    /// The station that the last event was for.
    pub station: String,
    /// How many events there were.
    pub events: u64,
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, station, events } = self;
        write!(
            f,
            "{events} events at {at} s and no end, the last of them at `{station}`: frames circle without delay. \
             Give the links of the loop a delay or a rate, or break the loop"
        )
    }
}

impl std::error::Error for Storm {}

/// What a world has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Events taken from the agenda, stale ones included.
    pub events: u64,
    /// Frames delivered to stations.
    pub deliveries: u64,
}

/// Stations, the links between them, and the events to come.
///
/// ```
/// use septet_core::{Frame, Instant, Out, Port, Seed, Station};
/// use septet_engine::World;
/// use septet_physical::Medium;
///
/// /// Sends back whatever comes.
/// struct Echo(u32);
/// impl Station for Echo {
///     fn receive(&mut self, _: Instant, port: Port, frame: Frame, out: &mut Out<'_>) {
///         self.0 += 1;
///         out.send(port, frame);
///     }
///     fn on_deadline(&mut self, _: Instant, _: &mut Out<'_>) {}
///     fn deadline(&self) -> Option<Instant> {
///         None
///     }
/// }
///
/// let mut world = World::new(Seed::new(1));
/// let (a, b) = (world.add_station("a", Box::new(Echo(0))), world.add_station("b", Box::new(Echo(0))));
/// let cable = || Medium { delay: core::time::Duration::from_millis(10), ..Medium::default() };
/// world.connect((a, Port(0)), (b, Port(0)), cable(), cable(), "a--b");
/// world.inject(a, Port(0), Frame::new(Frame::HEADROOM, b"hello"));
/// world.run_until(Instant::from_secs(1)).unwrap();
/// assert_eq!(world.station::<Echo>(b).unwrap().0, 50);
/// ```
pub struct World {
    fabric: Fabric,
    trace: Trace,
    stations: Vec<Slot>,
    digest: Digest,
    stats: Stats,
    /// Events since time last moved.
    at_this_instant: u64,
    storm_limit: u64,
    actions: BinaryHeap<Reverse<Action>>,
    actions_entered: u64,
    /// Stations that were handed out to be changed; their deadlines are asked for again.
    touched: Vec<StationId>,
    started: bool,
    seed: Seed,
    lens: Arc<dyn Lens>,
    links: Vec<Link>,
    names: Vec<Box<str>>,
}

struct Slot {
    station: Box<dyn Station>,
    /// The earliest deadline in the agenda; `FAR_FUTURE` where there is none.
    armed: Instant,
    power: Power,
}

struct Link {
    name: Box<str>,
    plugged: Carrier,
    /// Plugged, and both ends are switched on.
    carrier: Carrier,
    media: [Arc<Medium>; 2],
}

struct Action {
    at: Instant,
    entered: u64,
    act: Box<dyn FnOnce(&mut World)>,
}

impl World {
    /// An empty world.
    pub fn new(seed: Seed) -> Self {
        Self {
            fabric: Fabric::default(),
            trace: Trace::off(),
            stations: Vec::new(),
            digest: Digest::default(),
            stats: Stats::default(),
            at_this_instant: 0,
            storm_limit: 10_000_000,
            actions: BinaryHeap::new(),
            actions_entered: 0,
            touched: Vec::new(),
            started: false,
            seed,
            lens: Arc::new(Blind),
            links: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Sets how links connected from now on read, mark and split packets.
    pub fn set_lens(&mut self, lens: Arc<dyn Lens>) {
        self.fabric.splitter = lens.splitter();
        self.lens = lens;
    }

    /// Sets how many events may happen at one instant before a run ends with [`Storm`]; ten million unless set.
    pub fn set_storm_limit(&mut self, events: u64) {
        self.storm_limit = events;
    }

    /// Adds a station. Where the world has started it is switched on at once.
    pub fn add_station(&mut self, name: &str, station: Box<dyn Station>) -> StationId {
        let id = StationId(self.stations.len() as u32);
        self.stations.push(Slot { station, armed: Instant::FAR_FUTURE, power: Power::On });
        self.names.push(name.into());
        self.fabric.outlets.push(Default::default());
        if self.started {
            self.call(id, EventId::NONE, |station, now, out| station.on_power(now, Power::On, out));
        }
        id
    }

    /// Connects two ports. `ab` is the medium from `a` to `b`, `ba` the one back.
    ///
    /// # Panics
    /// If there is no such station, or a port has a cable already.
    pub fn connect(
        &mut self,
        a: (StationId, Port),
        b: (StationId, Port),
        ab: impl Into<Arc<Medium>>,
        ba: impl Into<Arc<Medium>>,
        name: &str,
    ) -> LinkId {
        let id = LinkId(self.links.len() as u32);
        let media = [ab.into(), ba.into()];
        let (a, b) = (End { station: a.0, port: a.1 }, End { station: b.0, port: b.1 });
        assert!(self.fabric.paths.len() + 2 <= Key::MAX_PATHS, "no world has more links than this");
        for (medium, from, to, way) in [(&media[0], a, b, "a>b"), (&media[1], b, a, "b>a")] {
            let path = self.fabric.paths.len() as u32;
            let direction = Direction::new(medium, self.seed, &format!("{name} {way}"), self.lens.clone());
            self.fabric.paths.push(Path {
                direction,
                to,
                from,
                arrival: Instant::FAR_FUTURE,
                transmit: Instant::FAR_FUTURE,
                room: Instant::FAR_FUTURE,
                mark: None,
                received: Received::default(),
            });
            let outlets = &mut self.fabric.outlets[from.station.0 as usize];
            let port = usize::from(from.port.0);
            if outlets.len() <= port {
                outlets.resize(port + 1, UNPLUGGED);
            }
            assert!(outlets[port] == UNPLUGGED, "port {} of `{}` has a cable", from.port, self.name(from.station));
            self.fabric.outlets[from.station.0 as usize][port] = path;
        }
        self.links.push(Link { name: name.into(), plugged: Carrier::Up, carrier: Carrier::Up, media });
        if self.started {
            // Born without carrier, then plugged in like any other.
            self.links[id.0 as usize].carrier = Carrier::Down;
            for path in self.paths(id) {
                self.fabric.paths[path as usize].direction.resume();
            }
            self.refresh(id, EventId::NONE);
        }
        id
    }

    /// Lets `act` happen at `at`, or now where that is past, before any station's event of that instant.
    pub fn at(&mut self, at: Instant, act: impl FnOnce(&mut World) + 'static) {
        let entered = self.actions_entered;
        self.actions_entered += 1;
        self.actions.push(Reverse(Action { at: at.max(self.now()), entered, act: Box::new(act) }));
    }

    /// Adds a monitor; from now on it is told what it wants.
    pub fn add_monitor(&mut self, monitor: impl Monitor + 'static) {
        let interest = self.fabric.watch.get_or_insert_default().add(Box::new(monitor));
        if interest.events() && !self.trace.is_on() {
            self.trace = Trace::on();
        }
    }

    /// Plays everything up to and including `end`; then it is `end`.
    ///
    /// # Errors
    /// [`Storm`] where an instant does not end.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Storm> {
        while self.step_until(end)? {}
        self.advance(end);
        Ok(())
    }

    /// Plays the next event, if there is one at or before `end`, and tells whether there was.
    ///
    /// # Errors
    /// [`Storm`] where an instant does not end.
    pub fn step_until(&mut self, end: Instant) -> Result<bool, Storm> {
        if !self.started {
            self.start();
        }
        if !self.touched.is_empty() {
            self.rearm_touched();
        }
        let key = self.fabric.agenda.peek();
        let event = key.map_or(Instant::FAR_FUTURE, Key::at);
        if let Some(Reverse(action)) = self.actions.peek()
            && action.at <= event
        {
            if action.at > end {
                return Ok(false);
            }
            if let Some(Reverse(Action { at, act, .. })) = self.actions.pop() {
                self.advance(at);
                act(self);
                self.hand_on();
            }
            return Ok(true);
        }
        let Some(key) = key else { return Ok(false) };
        if event > end {
            return Ok(false);
        }
        self.advance(event);
        self.stats.events += 1;
        self.at_this_instant += 1;
        if self.at_this_instant > self.storm_limit {
            let station = self.name(key.station()).to_owned();
            return Err(Storm { at: event, station, events: self.at_this_instant });
        }
        match key.kind() {
            Kind::Arrival => self.on_arrival(key),
            Kind::Deadline => self.on_deadline(key),
            Kind::Transmit => self.on_transmit(key),
            Kind::Room => self.on_room(key),
        }
        Ok(true)
    }

    /// When something next happens. `None`: nothing will, unless from outside.
    pub fn next_event(&mut self) -> Option<Instant> {
        if !self.started {
            return Some(self.now());
        }
        self.rearm_touched();
        while let Some(key) = self.fabric.agenda.peek() {
            let (at, path) = (key.at(), key.path());
            let real = match key.kind() {
                Kind::Deadline => {
                    let slot = &mut self.stations[key.station().0 as usize];
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
            };
            match real {
                Some(real) if real <= at => break,
                Some(real) => self.fabric.agenda.replace_first(Key::new(real, key.station(), key.kind(), path)),
                None => {
                    self.fabric.agenda.pop();
                }
            }
        }
        let event = self.fabric.agenda.peek().map(Key::at);
        let action = self.actions.peek().map(|Reverse(a)| a.at);
        event.into_iter().chain(action).min()
    }

    /// Lets `frame` be received on `port` of `station` now, as if it came out of a cable.
    pub fn inject(&mut self, station: StationId, port: Port, mut frame: Frame) {
        if !self.started {
            self.start();
        }
        frame.ingress = self.now();
        if self.is_on(station) {
            self.deliver(End { station, port }, frame);
        }
    }

    /// Calls `act` with a station of type `T`, the time, and its way out; then its deadline is asked for. `None`
    /// where there is no such station, it is of another type, or it is switched off.
    pub fn with<T: Station, R>(
        &mut self,
        id: StationId,
        act: impl FnOnce(&mut T, Instant, &mut Out<'_>) -> R,
    ) -> Option<R> {
        self.station::<T>(id)?;
        if !self.started {
            self.start();
        }
        if !self.is_on(id) {
            return None;
        }
        let mut result = None;
        self.call(id, EventId::NONE, |station, now, out| {
            let any: &mut dyn Any = station;
            result = any.downcast_mut::<T>().map(|station| act(station, now, out));
        });
        result
    }

    /// The station, where it is of type `T`.
    pub fn station<T: Station>(&self, id: StationId) -> Option<&T> {
        let any: &dyn Any = &*self.stations.get(id.0 as usize)?.station;
        any.downcast_ref()
    }

    /// The station, to be changed, where it is of type `T`.
    pub fn station_mut<T: Station>(&mut self, id: StationId) -> Option<&mut T> {
        let any: &mut dyn Any = &mut *self.stations.get_mut(id.0 as usize)?.station;
        let station = any.downcast_mut()?;
        self.touched.push(id);
        Some(station)
    }

    /// Records an event of the lab or of a cable, at `station` where it has one place.
    pub fn emit(
        &mut self,
        station: Option<StationId>,
        storey: Storey,
        kind: &'static str,
        cause: EventId,
        build: impl FnOnce(&mut Fields),
    ) -> EventId {
        self.trace.set_scene(self.fabric.now, station.unwrap_or(NOWHERE));
        let id = self.trace.emit(storey, kind, cause, build);
        self.hand_on();
        id
    }

    /// Cuts or mends a link. What is on a cable when it is cut is lost, what waits for it is dropped.
    pub fn set_carrier(&mut self, link: LinkId, carrier: Carrier, cause: EventId) {
        let Some(l) = self.links.get_mut(link.0 as usize) else { return };
        if l.plugged == carrier {
            return;
        }
        l.plugged = carrier;
        let name = l.name.to_string();
        let kind = if carrier == Carrier::Up { "link.up" } else { "link.down" };
        let event = self.emit(None, Storey::Physical, kind, cause, |f| {
            f.set("link", name);
        });
        if carrier == Carrier::Down {
            for path in self.paths(link) {
                self.stop(path, DropReason::Carrier, event);
                self.sever(path, DropReason::Carrier, event);
            }
        }
        self.refresh(link, event);
    }

    /// Gives one direction of a link another medium. Frames that have begun keep what the old one did to them.
    pub fn set_medium(&mut self, link: LinkId, heading: Heading, medium: impl Into<Arc<Medium>>, cause: EventId) {
        let Some(l) = self.links.get_mut(link.0 as usize) else { return };
        let medium = medium.into();
        l.media[heading as usize] = medium.clone();
        let path = link.0 * 2 + heading as u32;
        let now = self.fabric.now;
        self.trace.set_scene(now, self.fabric.paths[path as usize].from.station);
        self.trace.set_cause(cause);
        self.fabric.act(path, &mut self.trace, |direction, told| direction.set_medium(now, &medium, told));
        self.fabric.schedule_room(path);
        self.hand_on();
    }

    /// The medium of one direction of a link.
    pub fn medium(&self, link: LinkId, heading: Heading) -> Option<&Arc<Medium>> {
        Some(&self.links.get(link.0 as usize)?.media[heading as usize])
    }

    /// Switches a station on or off. One that is off receives nothing, and its neighbours lose the carrier.
    pub fn set_power(&mut self, station: StationId, power: Power, cause: EventId) {
        let Some(slot) = self.stations.get_mut(station.0 as usize) else { return };
        if slot.power == power {
            return;
        }
        slot.power = power;
        let kind = if power == Power::On { "power.on" } else { "power.off" };
        let event = self.emit(Some(station), Storey::Physical, kind, cause, |_| {});
        let outlets = self.fabric.outlets[station.0 as usize].clone();
        let out: Vec<u32> = outlets.into_iter().filter(|p| *p != UNPLUGGED).collect();
        match power {
            Power::Off => {
                for &path in &out {
                    self.stop(path, DropReason::Power, event);
                    self.sever(path, DropReason::Power, event);
                    // What comes the other way is in flight still, and finds nobody.
                    self.stop(path ^ 1, DropReason::Carrier, event);
                }
                if self.started {
                    self.call(station, event, |station, now, out| station.on_power(now, power, out));
                }
                for &path in &out {
                    self.refresh(LinkId(path / 2), event);
                }
            }
            Power::On => {
                for &path in &out {
                    self.refresh_paths(LinkId(path / 2));
                }
                if self.started {
                    self.power_up(station, event);
                }
                for &path in &out {
                    self.refresh(LinkId(path / 2), event);
                }
            }
        }
    }

    /// Puts another station into the place of one, ports and name kept: the old one is switched off, the new one on.
    /// Returns the old one, or the new one back where there is no such place.
    pub fn replace(&mut self, id: StationId, station: Box<dyn Station>, cause: EventId) -> Box<dyn Station> {
        if self.stations.get(id.0 as usize).is_none() {
            return station;
        }
        self.set_power(id, Power::Off, cause);
        let old = core::mem::replace(&mut self.stations[id.0 as usize].station, station);
        self.set_power(id, Power::On, cause);
        old
    }

    /// Whether a station is switched on.
    pub fn is_on(&self, station: StationId) -> bool {
        self.stations.get(station.0 as usize).is_some_and(|s| s.power == Power::On)
    }

    /// Whether a link has a carrier: it is not cut, and both its ends are switched on.
    pub fn carrier(&self, link: LinkId) -> Carrier {
        self.links.get(link.0 as usize).map_or(Carrier::Down, |l| l.carrier)
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.fabric.now
    }

    /// The seed.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The digest over everything that was delivered so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// A station's name.
    pub fn name(&self, station: StationId) -> &str {
        self.names.get(station.0 as usize).map_or("?", |n| n)
    }

    /// How many stations there are; they are numbered from zero.
    pub fn stations(&self) -> usize {
        self.stations.len()
    }

    /// How many links there are; they are numbered from zero.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// A link's name.
    pub fn link_name(&self, link: LinkId) -> &str {
        self.links.get(link.0 as usize).map_or("?", |l| &l.name)
    }

    /// The two ends of a link.
    pub fn ends(&self, link: LinkId) -> Option<[(StationId, Port); 2]> {
        let p = self.fabric.paths.get(link.0 as usize * 2)?;
        Some([(p.from.station, p.from.port), (p.to.station, p.to.port)])
    }

    pub(crate) fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    pub(crate) fn fabric_mut(&mut self) -> &mut Fabric {
        &mut self.fabric
    }

    /// Moves time on, and tells what leaves until then.
    #[inline]
    fn advance(&mut self, to: Instant) {
        if to > self.fabric.now {
            self.fabric.now = to;
            self.at_this_instant = 0;
            if let Some(watch) = &mut self.fabric.watch {
                watch.flush(to, &mut self.trace);
            }
        }
    }

    fn start(&mut self) {
        self.started = true;
        let all = || (0..self.stations.len() as u32).map(StationId);
        let on: Vec<StationId> = all().filter(|id| self.is_on(*id)).collect();
        for &id in &on {
            self.tell_carriers(id, EventId::NONE);
        }
        for &id in &on {
            self.call(id, EventId::NONE, |station, now, out| station.on_power(now, Power::On, out));
        }
    }

    fn power_up(&mut self, id: StationId, cause: EventId) {
        self.tell_carriers(id, cause);
        self.call(id, cause, |station, now, out| station.on_power(now, Power::On, out));
    }

    fn tell_carriers(&mut self, id: StationId, cause: EventId) {
        for port in 0..self.fabric.outlets[id.0 as usize].len() {
            let path = self.fabric.outlets[id.0 as usize][port];
            if path != UNPLUGGED {
                let carrier = self.fabric.paths[path as usize].direction.carrier();
                self.call(id, cause, |station, now, out| station.on_carrier(now, Port(port as u16), carrier, out));
            }
        }
    }

    fn paths(&self, link: LinkId) -> [u32; 2] {
        [link.0 * 2, link.0 * 2 + 1]
    }

    fn stop(&mut self, path: u32, reason: DropReason, cause: EventId) {
        let now = self.fabric.now;
        self.trace.set_scene(now, self.fabric.paths[path as usize].from.station);
        self.trace.set_cause(cause);
        self.fabric.act(path, &mut self.trace, |direction, told| direction.stop(now, reason, told));
        self.hand_on();
    }

    fn sever(&mut self, path: u32, reason: DropReason, cause: EventId) {
        let now = self.fabric.now;
        self.trace.set_scene(now, self.fabric.paths[path as usize].from.station);
        self.trace.set_cause(cause);
        self.fabric.act(path, &mut self.trace, |direction, told| direction.sever(now, reason, told));
        self.fabric.schedule_room(path);
        self.hand_on();
    }

    /// Brings the carrier of a link in line with cable and power.
    fn refresh_paths(&mut self, link: LinkId) -> Carrier {
        let ends = self.paths(link).map(|p| self.fabric.paths[p as usize].from.station);
        let up = self.links[link.0 as usize].plugged == Carrier::Up && ends.iter().all(|e| self.is_on(*e));
        if up {
            for path in self.paths(link) {
                self.fabric.paths[path as usize].direction.resume();
            }
        }
        if up { Carrier::Up } else { Carrier::Down }
    }

    /// As [`refresh_paths`](Self::refresh_paths), and tells the ends where it changed.
    fn refresh(&mut self, link: LinkId, cause: EventId) {
        let carrier = self.refresh_paths(link);
        let l = &mut self.links[link.0 as usize];
        if l.carrier == carrier {
            return;
        }
        l.carrier = carrier;
        if !self.started {
            return;
        }
        for path in self.paths(link) {
            let End { station, port } = self.fabric.paths[path as usize].from;
            if self.is_on(station) {
                self.call(station, cause, |station, now, out| station.on_carrier(now, port, carrier, out));
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
        if self.stations[to.station.0 as usize].power == Power::Off {
            return self.find_nobody(key.path(), &frame);
        }
        p.received.packets += 1;
        p.received.bytes += frame.len() as u64;
        p.received.errors += u64::from(frame.fcs.is_some());
        self.deliver(to, frame);
    }

    fn deliver(&mut self, to: End, frame: Frame) {
        self.stats.deliveries += 1;
        self.digest.deliver(self.fabric.now, to.station, to.port, &frame);
        if let Some(watch) = &mut self.fabric.watch {
            watch.received(self.fabric.now, to.station, to.port, &frame, Fate::Passed);
        }
        self.call(to.station, EventId::NONE, |station, now, out| station.receive(now, to.port, frame, out));
    }

    /// A frame arrives at a station that is off.
    fn find_nobody(&mut self, path: u32, frame: &Frame) {
        let p = &mut self.fabric.paths[path as usize];
        p.received.drops.add(DropReason::Power);
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
        let slot = &mut self.stations[id.0 as usize];
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
        if key.at() != p.room {
            return;
        }
        p.room = Instant::FAR_FUTURE;
        let Some(mark) = p.mark else { return };
        if p.direction.backlog(now) > mark {
            let at = p.direction.room_at(now, mark).max(Instant::from_nanos(now.as_nanos() + 1));
            p.room = at;
            self.fabric.agenda.push(Key::new(at, key.station(), Kind::Room, key.path()));
            return;
        }
        p.mark = None;
        let End { station, port } = p.from;
        if self.is_on(station) {
            self.call(station, EventId::NONE, |station, now, out| station.on_room(now, port, out));
        }
    }

    /// Calls a station and sees to what follows from it.
    #[inline]
    fn call(&mut self, id: StationId, cause: EventId, f: impl FnOnce(&mut dyn Station, Instant, &mut Out<'_>)) {
        let slot = &mut self.stations[id.0 as usize];
        let now = self.fabric.now;
        self.trace.set_scene(now, id);
        self.trace.set_cause(cause);
        let mut door = Door { fabric: &mut self.fabric, station: id };
        f(&mut *slot.station, now, &mut Out::new(&mut door, &mut self.trace));
        arm(slot, id, &mut self.fabric);
        self.hand_on();
    }

    fn rearm_touched(&mut self) {
        for id in self.touched.drain(..) {
            arm(&mut self.stations[id.0 as usize], id, &mut self.fabric);
        }
    }

    /// Hands what the trace recorded on to the monitors.
    #[inline]
    fn hand_on(&mut self) {
        if !self.trace.is_empty()
            && let Some(watch) = &mut self.fabric.watch
        {
            watch.drain(&mut self.trace, self.fabric.now);
        }
    }
}

/// The station of events that have no one place.
const NOWHERE: StationId = StationId(u32::MAX);

impl Slot {
    fn deadline(&self) -> Option<Instant> {
        if self.power == Power::On { self.station.deadline() } else { None }
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

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.fabric.now)
            .field("stations", &self.stations.len())
            .field("links", &self.links.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Ord for Action {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.entered).cmp(&(other.at, other.entered))
    }
}

impl PartialOrd for Action {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Action {}
