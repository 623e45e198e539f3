//! The world: stations, links, and the loop that plays them.

use core::any::Any;
use core::fmt;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use septet_core::{
    Carrier, EventId, Fields, Frame, Instant, Monitor, Out, Port, Power, Seed, Station, StationId, Storey, Trace,
};
use septet_physical::{Blind, Direction, Heading, Lens, LinkContext, Medium};

use crate::agenda::Key;
use crate::fabric::{End, Path, UNPLUGGED};
use crate::part::{Part, Slot};
use crate::watch::{SharedMonitors, Watch};
use crate::{Action, Agent, AgentId, Call, Digest};

mod account;
mod faults;
mod parts;
mod run;

pub use account::{PortCounters, QueueUse, QueueWatch};
use parts::Crossing;
pub use parts::Unparted;
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
    /// One, unless the world was put into several.
    parts: Vec<Part>,
    /// By station: the part that it is in.
    homes: Vec<usize>,
    /// The paths from one part to another.
    crossings: Vec<Crossing>,
    /// Of filters that share something: how many stand in which part.
    kin: BTreeMap<u64, BTreeMap<usize, usize>>,
    monitors: SharedMonitors,
    /// Events at one instant; where it is not set, more in a world of many stations.
    storm_limit: Option<u64>,
    /// What happens to the world as a whole.
    agenda: BinaryHeap<Reverse<Entry>>,
    entered: u64,
    /// `None` while it acts.
    agents: Vec<Option<Box<dyn Agent>>>,
    started: bool,
    seed: Seed,
    lens: Arc<dyn Lens>,
    links: Vec<Link>,
    names: Vec<Box<str>>,
}

struct Link {
    context: Arc<LinkContext>,
    plugged: Carrier,
    /// Plugged, and both ends are switched on.
    carrier: Carrier,
    media: [Arc<Medium>; 2],
}

/// What happens to the world at a time; of several at one instant the first to be entered comes first.
struct Entry {
    at: Instant,
    entered: u64,
    action: Action,
}

impl World {
    /// An empty world.
    pub fn new(seed: Seed) -> Self {
        Self {
            parts: vec![Part::new()],
            homes: Vec::new(),
            crossings: Vec::new(),
            kin: BTreeMap::new(),
            monitors: SharedMonitors::default(),
            storm_limit: None,
            agenda: BinaryHeap::new(),
            entered: 0,
            agents: Vec::new(),
            started: false,
            seed,
            lens: Arc::new(Blind),
            links: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Sets how links connected from now on read, mark and split packets.
    pub fn set_lens(&mut self, lens: Arc<dyn Lens>) {
        for part in &mut self.parts {
            part.fabric.splitter = lens.splitter();
        }
        self.lens = lens;
    }

    /// Sets how many events may happen at one instant before a run ends with [`Storm`]; unless set two million, and a
    /// hundred for each station.
    pub fn set_storm_limit(&mut self, events: u64) {
        self.storm_limit = Some(events);
    }

    /// Adds a station. Where the world has started it is switched on at once; of a world in parts it is in the first.
    ///
    /// # Panics
    /// If there are [`StationId::MOST`] already.
    pub fn add_station(&mut self, name: &str, station: Box<dyn Station>) -> StationId {
        assert!(self.homes.len() < StationId::MOST, "no world has more stations than this");
        let id = StationId(self.homes.len() as u32);
        let (first, others) = self.parts.split_first_mut().expect("a world has a part");
        first.slots.push(Slot::new(station));
        others.iter_mut().for_each(|part| part.slots.push(Slot::elsewhere()));
        for part in &mut self.parts {
            part.fabric.outlets.push(Default::default());
        }
        self.homes.push(0);
        self.names.push(name.into());
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
        assert!(self.links.len() * 2 + 2 <= Key::MAX_PATHS, "no world has more links than this");
        let context = Arc::new(LinkContext { name: name.into(), seed: self.seed, lens: self.lens.clone() });
        for (medium, from, to, heading) in [(&media[0], a, b, Heading::AToB), (&media[1], b, a, Heading::BToA)] {
            let path = id.0 * 2 + heading as u32;
            let home = self.home(from.station);
            let outlets = &mut self.parts[home].fabric.outlets[from.station.0 as usize].paths;
            let port = usize::from(from.port.0);
            if outlets.len() <= port {
                outlets.resize(port + 1, UNPLUGGED);
            }
            assert!(
                outlets[port] == UNPLUGGED,
                "port {} of `{}` has a cable",
                from.port,
                self.names[from.station.0 as usize]
            );
            outlets[port] = path;
            self.place_path(Path::new(from, to, Direction::new(medium, &context, heading)));
        }
        self.links.push(Link { context, plugged: Carrier::Up, carrier: Carrier::Up, media });
        if self.started {
            // Born without carrier, then plugged in like any other.
            self.links[id.0 as usize].carrier = Carrier::Down;
            for path in self.paths(id) {
                self.sending(path).direction.resume();
            }
            self.refresh(id, None, EventId::NONE);
        }
        id
    }

    /// Lets `action` happen at `at`, or now where that is past, before any station's event of that instant.
    pub fn at(&mut self, at: Instant, action: Action) {
        self.entered += 1;
        self.agenda.push(Reverse(Entry { at: at.max(self.now()), entered: self.entered, action }));
    }

    /// Adds somebody who decides what happens when an [`Action::Call`] comes.
    pub fn add_agent(&mut self, agent: impl Agent + 'static) -> AgentId {
        self.agents.push(Some(Box::new(agent)));
        AgentId(self.agents.len() as u32 - 1)
    }

    /// Lets an agent act. One that acts already hears nothing.
    pub(crate) fn ask(&mut self, call: Call) {
        let at = call.agent.0 as usize;
        let Some(mut agent) = self.agents.get_mut(at).and_then(Option::take) else { return };
        agent.call(call, self);
        self.agents[at] = Some(agent);
    }

    /// Adds a monitor; from now on it is told what it wants.
    pub fn add_monitor(&mut self, monitor: impl Monitor + 'static) {
        let (interest, ports) = (monitor.interest(), monitor.ports());
        self.monitors.borrow_mut().add(Box::new(monitor));
        for part in &mut self.parts {
            let watch = part.fabric.watch.get_or_insert_with(|| Box::new(Watch::new(self.monitors.clone())));
            if interest.frames() {
                watch.widen(ports.as_deref());
            }
            if interest.events() && !part.trace.is_on() {
                part.trace = Trace::on();
            }
        }
    }

    /// Lets `frame` be received on `port` of `station` now, as if it came out of a cable.
    pub fn inject(&mut self, station: StationId, port: Port, mut frame: Frame) {
        if !self.started {
            self.start();
        }
        frame.ingress = self.now();
        if self.is_on(station) {
            let part = self.part_of(station);
            part.fabric.name(&mut frame, station);
            part.deliver(End { station, port }, frame);
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
        let home = *self.homes.get(id.0 as usize)?;
        let mut station = &*self.parts[home].slots[id.0 as usize].station;
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
        let home = *self.homes.get(id.0 as usize)?;
        let Part { slots, touched, .. } = &mut self.parts[home];
        let mut station = &mut *slots[id.0 as usize].station;
        while !(&*station as &dyn Any).is::<T>() {
            station = station.inner_mut()?;
        }
        touched.push(id);
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
        let part = match station {
            Some(station) => self.part_of(station),
            None => &mut self.parts[0],
        };
        part.trace.set_scene(part.fabric.now, station.unwrap_or(StationId::WORLD));
        let id = part.trace.emit(storey, kind, cause, build);
        part.hand_on();
        id
    }

    /// Whether a station is switched on.
    pub fn is_on(&self, station: StationId) -> bool {
        self.homes.get(station.0 as usize).is_some_and(|home| self.parts[*home].is_on(station))
    }

    /// Whether a link has a carrier: it is not cut, and both its ends are switched on.
    pub fn carrier(&self, link: LinkId) -> Carrier {
        self.links.get(link.0 as usize).map_or(Carrier::Down, |l| l.carrier)
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.parts[0].now()
    }

    /// The seed.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The digest over everything that was delivered so far.
    pub fn digest(&self) -> Digest {
        Digest::of(self.homes.iter().enumerate().map(|(station, home)| self.parts[*home].slots[station].chain))
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.parts.iter().fold(Stats::default(), |sum, part| Stats {
            events: sum.events + part.stats.events,
            deliveries: sum.deliveries + part.stats.deliveries,
        })
    }

    /// A station's name.
    pub fn name(&self, station: StationId) -> &str {
        self.names.get(station.0 as usize).map_or("?", |n| n)
    }

    /// How many stations there are; they are numbered from zero.
    pub fn stations(&self) -> usize {
        self.homes.len()
    }

    /// How many links there are; they are numbered from zero.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// A link's name.
    pub fn link_name(&self, link: LinkId) -> &str {
        self.links.get(link.0 as usize).map_or("?", |l| &l.context.name)
    }

    /// The two ends of a link.
    pub fn ends(&self, link: LinkId) -> Option<[(StationId, Port); 2]> {
        let p = self.parts[0].fabric.paths.get(link.0 as usize * 2)?;
        Some([(p.from.station, p.from.port), (p.to.station, p.to.port)])
    }

    /// The part that a station is in; the first, where there is no such station.
    fn home(&self, station: StationId) -> usize {
        self.homes.get(station.0 as usize).copied().unwrap_or_default()
    }

    fn part_of(&mut self, station: StationId) -> &mut Part {
        let home = self.home(station);
        &mut self.parts[home]
    }

    /// The part that sends on a path.
    fn sender(&mut self, path: u32) -> &mut Part {
        let from = self.parts[0].fabric.paths[path as usize].from.station;
        self.part_of(from)
    }

    /// The part that hears what is sent on a path.
    fn hearer(&mut self, path: u32) -> &mut Part {
        let to = self.parts[0].fabric.paths[path as usize].to.station;
        self.part_of(to)
    }

    /// A path where it is sent on.
    fn sending(&mut self, path: u32) -> &mut Path {
        &mut self.sender(path).fabric.paths[path as usize]
    }

    /// Calls a station and sees to what follows from it.
    fn call(&mut self, id: StationId, cause: EventId, f: impl FnOnce(&mut dyn Station, Instant, &mut Out<'_>)) {
        self.part_of(id).call(id, cause, f);
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
            .field("now", &self.now())
            .field("stations", &self.stations())
            .field("links", &self.links.len())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.entered).cmp(&(other.at, other.entered))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}
