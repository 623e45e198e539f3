//! The world: stations, links, and the loop that plays them.

use core::any::Any;
use core::fmt;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use septet_core::{
    Carrier, EventId, Fields, Frame, Instant, Monitor, Out, Port, Power, Seed, Station, StationId, Storey, Trace,
};
use septet_physical::{Blind, Direction, Heading, Lens, Medium, Origin};

use crate::Digest;
use crate::agenda::{Key, Kind};
use crate::digest::Chain;
use crate::fabric::{Door, End, Fabric, Path, UNPLUGGED};

mod account;
mod faults;
mod run;

pub use account::{PortCounters, QueueUse, QueueWatch};
pub use run::{Circle, Storm};

/// Which link of a world, in the order of connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

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
    stats: Stats,
    /// Events since time last moved.
    at_this_instant: u64,
    /// Events at one instant; where it is not set, more in a world of many stations.
    storm_limit: Option<u64>,
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
    /// Over what was delivered to it.
    chain: Chain,
}

struct Link {
    origin: Arc<Origin>,
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
            stats: Stats::default(),
            at_this_instant: 0,
            storm_limit: None,
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

    /// Sets how many events may happen at one instant before a run ends with [`Storm`]; unless set two million, and a
    /// hundred for each station.
    pub fn set_storm_limit(&mut self, events: u64) {
        self.storm_limit = Some(events);
    }

    /// Adds a station. Where the world has started it is switched on at once.
    ///
    /// # Panics
    /// If there are [`StationId::MOST`] already.
    pub fn add_station(&mut self, name: &str, station: Box<dyn Station>) -> StationId {
        let id = StationId(self.stations.len() as u32);
        assert!(self.stations.len() < StationId::MOST, "no world has more stations than this");
        let (armed, chain) = (Instant::FAR_FUTURE, Chain::default());
        self.stations.push(Slot { station, armed, power: Power::On, chain });
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
        let origin = Arc::new(Origin { name: name.into(), seed: self.seed, lens: self.lens.clone() });
        for (medium, from, to, heading) in [(&media[0], a, b, Heading::AToB), (&media[1], b, a, Heading::BToA)] {
            let path = self.fabric.paths.len() as u32;
            let direction = Direction::new(medium, &origin, heading);
            self.fabric.paths.push(Path::new(from, to, direction));
            let outlets = &mut self.fabric.outlets[from.station.0 as usize].paths;
            let port = usize::from(from.port.0);
            if outlets.len() <= port {
                outlets.resize(port + 1, UNPLUGGED);
            }
            assert!(outlets[port] == UNPLUGGED, "port {} of `{}` has a cable", from.port, self.name(from.station));
            self.fabric.outlets[from.station.0 as usize].paths[port] = path;
        }
        self.links.push(Link { origin, plugged: Carrier::Up, carrier: Carrier::Up, media });
        if self.started {
            // Born without carrier, then plugged in like any other.
            self.links[id.0 as usize].carrier = Carrier::Down;
            for path in self.paths(id) {
                self.fabric.paths[path as usize].direction.resume();
            }
            self.refresh(id, None, EventId::NONE);
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

    /// Lets `frame` be received on `port` of `station` now, as if it came out of a cable.
    pub fn inject(&mut self, station: StationId, port: Port, mut frame: Frame) {
        if !self.started {
            self.start();
        }
        frame.ingress = self.now();
        if self.is_on(station) {
            self.fabric.name(&mut frame, station);
            self.deliver(End { station, port }, frame);
        }
    }

    /// Calls `act` with a station of type `T`, or the one inside it that is, the time, and its way out; then its deadline is
    /// asked for. `None` where there is no such station, it is of another type, or it is switched off.
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
        let mut act = Some(act);
        self.call(id, EventId::NONE, |station, now, out| {
            reach::<T>(station, now, out, &mut |station, out| {
                result = act.take().map(|act| act(station, now, out));
            });
        });
        result
    }

    /// The station, or the one inside it, where it is of type `T`.
    pub fn station<T: Station>(&self, id: StationId) -> Option<&T> {
        let mut station = &*self.stations.get(id.0 as usize)?.station;
        loop {
            let any: &dyn Any = station;
            match any.downcast_ref() {
                Some(found) => return Some(found),
                None => station = station.inner()?,
            }
        }
    }

    /// The station, or the one inside it, to be changed, where it is of type `T`.
    pub fn station_mut<T: Station>(&mut self, id: StationId) -> Option<&mut T> {
        let mut station = &mut *self.stations.get_mut(id.0 as usize)?.station;
        while !(&*station as &dyn Any).is::<T>() {
            station = station.inner_mut()?;
        }
        self.touched.push(id);
        (station as &mut dyn Any).downcast_mut()
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
        self.trace.set_scene(self.fabric.now, station.unwrap_or(StationId::WORLD));
        let id = self.trace.emit(storey, kind, cause, build);
        self.hand_on();
        id
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
        Digest::of(self.stations.iter().map(|slot| slot.chain))
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
        self.links.get(link.0 as usize).map_or("?", |l| &l.origin.name)
    }

    /// The two ends of a link.
    pub fn ends(&self, link: LinkId) -> Option<[(StationId, Port); 2]> {
        let p = self.fabric.paths.get(link.0 as usize * 2)?;
        Some([(p.from.station, p.from.port), (p.to.station, p.to.port)])
    }

    fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    fn fabric_mut(&mut self) -> &mut Fabric {
        &mut self.fabric
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

/// Calls `act` with `station`, or the one inside it, that is of type `T`.
fn reach<T: Station>(
    station: &mut dyn Station,
    now: Instant,
    out: &mut Out<'_>,
    act: &mut dyn FnMut(&mut T, &mut Out<'_>),
) {
    if (&*station as &dyn Any).is::<T>() {
        let any: &mut dyn Any = station;
        if let Some(found) = any.downcast_mut() {
            act(found, out);
        }
    } else {
        station.act_inside(now, out, &mut |inner, out| reach(inner, now, out, act));
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.fabric.now)
            .field("stations", &self.stations.len())
            .field("links", &self.links.len())
            .field("digest", &self.digest())
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
