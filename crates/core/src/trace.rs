//! The one record of what happened and why; the story, the event log, the capture's comments are views of it.

use core::fmt;
use core::time::Duration;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use crate::{DropReason, Frame, FrameId, Instant, Port, StationId};

/// The seven storeys, and the house around them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Storey {
    /// The lab itself: faults, switches thrown, programs started.
    Lab,
    /// 1
    Physical,
    /// 2
    DataLink,
    /// 3
    Network,
    /// 4
    Transport,
    /// 5
    Session,
    /// 6
    Presentation,
    /// 7
    Application,
}

impl Storey {
    /// The word used in events and stories.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Physical => "physical",
            Self::DataLink => "data link",
            Self::Network => "network",
            Self::Transport => "transport",
            Self::Session => "session",
            Self::Presentation => "presentation",
            Self::Application => "application",
        }
    }

    /// Its number in the OSI model; zero for the lab.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Storey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names an event so that later ones can give it as their cause: `station + 1` in the bits above the lowest 40, where
/// zero is the world itself, and below which of that station's events it is, counted from one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId(pub u64);

impl EventId {
    /// No event: the trace is off, or nothing in the world caused this.
    pub const NONE: Self = Self(0);

    /// The station whose event it is, and which of that one's, counted from one.
    pub const fn parts(self) -> (StationId, u64) {
        StationId::of_name(self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name.
    pub id: EventId,
    /// When.
    pub at: Instant,
    /// Where.
    pub station: StationId,
    /// On which storey.
    pub storey: Storey,
    /// What, as `protocol.moment`: `arp.request`, `tcp.retransmit`, `link.drop`.
    pub kind: &'static str,
    /// The event that led to this one.
    pub cause: EventId,
    /// The particulars, in the order in which a person wants to read them. The field `why` is the reason in words.
    pub fields: Fields,
}

impl Event {
    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }
}

/// The particulars of an event.
#[derive(Clone, Default, Debug)]
pub struct Fields(SmallVec<[(&'static str, Value); 4]>);

impl Fields {
    /// Adds a field.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.0.push((name, value.into()));
        self
    }

    /// The field called `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(n, v)| (*n, v))
    }
}

/// The value of a field.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// A count or a number of bytes.
    U64(u64),
    /// A number that may be negative.
    I64(i64),
    /// A ratio.
    F64(f64),
    /// A span of time.
    Duration(Duration),
    /// A word or a sentence.
    Text(Cow<'static, str>),
    /// An IP address.
    Ip(IpAddr),
    /// An IP address and a port.
    Socket(SocketAddr),
    /// A link address.
    Mac([u8; 6]),
    /// A frame.
    Frame(FrameId),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U64(v) => v.fmt(f),
            Self::I64(v) => v.fmt(f),
            Self::F64(v) => v.fmt(f),
            Self::Duration(v) => write!(f, "{v:?}"),
            Self::Text(v) => v.fmt(f),
            Self::Ip(v) => v.fmt(f),
            Self::Socket(v) => v.fmt(f),
            Self::Mac([a, b, c, d, e, g]) => write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"),
            Self::Frame(v) => write!(f, "frame {}", v.0),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident $(as $via:ty)?),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(v: $from) -> Self {
                $(let v = v as $via;)?
                Self::$variant(v.into())
            }
        })*
    };
}
value_from! {
    u64 => U64, u32 => U64, u16 => U64, u8 => U64, usize => U64 as u64, i64 => I64, i32 => I64, f64 => F64,
    Duration => Duration, &'static str => Text, String => Text, IpAddr => Ip, std::net::Ipv4Addr => Ip,
    std::net::Ipv6Addr => Ip, SocketAddr => Socket, [u8; 6] => Mac, FrameId => Frame,
}

impl From<DropReason> for Value {
    fn from(v: DropReason) -> Self {
        Self::Text(v.as_str().into())
    }
}

/// What the trace hands to the monitors.
#[derive(Clone, Debug)]
pub enum Record {
    /// Something happened. Events are large and change hands often: of trace, world, monitors and what these remember.
    Event(Box<Event>),
    /// A line of the `SSLKEYLOGFILE` format, so that a capture can be read.
    Secret(String),
}

/// Collects what happens while stations run. Off, an emit is one branch.
#[derive(Debug, Default)]
pub struct Trace {
    on: bool,
    at: Instant,
    station: StationId,
    /// The cause of events that name none themselves.
    cause: EventId,
    /// How many events each station named, the world itself first.
    named: Vec<u64>,
    records: Vec<Record>,
}

impl Trace {
    /// A trace that records nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// A trace that records.
    pub fn on() -> Self {
        Self { on: true, ..Self::default() }
    }

    /// Another that records where this one does, for stations of which this one names no more events.
    pub fn fork(&self) -> Self {
        Self { on: self.on, named: self.named.clone(), ..Self::default() }
    }

    /// Whether it records; ask before computing what only the trace needs.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Sets when and where the coming events happen. The engine calls it before it calls a station.
    pub fn set_scene(&mut self, at: Instant, station: StationId) {
        (self.at, self.station, self.cause) = (at, station, EventId::NONE);
    }

    /// Until the next scene, events that name no cause have this one. The engine sets it where a fault, and not a
    /// frame or a timer, is why the station is called; a host sets it to the cause of the program that calls, and a socket
    /// to that of what it hands over.
    #[inline]
    pub fn set_cause(&mut self, cause: EventId) {
        self.cause = cause;
    }

    /// The cause of events that name none themselves.
    #[inline]
    pub fn cause(&self) -> EventId {
        self.cause
    }

    /// Records an event and returns its name, to be given as the cause of what follows. Where the trace is off,
    /// nothing is built and `cause` comes back.
    #[inline]
    pub fn emit(
        &mut self,
        storey: Storey,
        kind: &'static str,
        cause: EventId,
        build: impl FnOnce(&mut Fields),
    ) -> EventId {
        if !self.on {
            return cause;
        }
        let id = self.reserve();
        self.emit_reserved(id, storey, kind, cause, build);
        id
    }

    /// A name for an event of the scene's station that will be emitted later, so that what it causes can already point
    /// at it. Where the trace is off, it is [`EventId::NONE`].
    pub fn reserve(&mut self) -> EventId {
        if !self.on {
            return EventId::NONE;
        }
        let at = self.station.0.wrapping_add(1) as usize;
        if at >= self.named.len() {
            self.named.resize(at + 1, 0);
        }
        self.named[at] += 1;
        EventId(self.station.name(self.named[at]))
    }

    /// Records an event under a name that [`reserve`](Self::reserve) gave.
    pub fn emit_reserved(
        &mut self,
        id: EventId,
        storey: Storey,
        kind: &'static str,
        cause: EventId,
        build: impl FnOnce(&mut Fields),
    ) {
        if !self.on {
            return;
        }
        let cause = if cause == EventId::NONE { self.cause } else { cause };
        let (at, station, fields) = (self.at, self.station, Fields::default());
        let mut event = Box::new(Event { id, at, station, storey, kind, cause, fields });
        // Filled where it stands.
        build(&mut event.fields);
        self.records.push(Record::Event(event));
    }

    /// Hands on a line of TLS key material.
    pub fn secret(&mut self, line: String) {
        if self.on {
            self.records.push(Record::Secret(line));
        }
    }

    /// Takes what was recorded since the last call.
    pub fn drain(&mut self) -> impl Iterator<Item = Record> + '_ {
        self.records.drain(..)
    }

    /// Whether nothing was recorded since the last [`drain`](Self::drain).
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// Which way a frame passes a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// Out of the station, onto the wire.
    Sent,
    /// Off the wire, into the station.
    Received,
}

/// What becomes of a frame at a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It goes on.
    Passed,
    /// It leaves whole and arrives with this many bits flipped.
    Damaged(u32),
    /// It was on the wire and does not arrive.
    Lost(DropReason),
}

/// A frame as seen at a port.
#[derive(Debug)]
pub struct Observation<'a> {
    /// When: the first bit out, or the last bit in.
    pub at: Instant,
    /// Whose port.
    pub station: StationId,
    /// Which port.
    pub port: Port,
    /// Which way.
    pub way: Way,
    /// The frame.
    pub frame: &'a Frame,
    /// What becomes of it.
    pub fate: Fate,
}

/// What a monitor wants to be told; what no monitor wants is not computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Events and secrets.
    Events,
    /// Frames at ports.
    Frames,
    /// Everything.
    All,
}

impl Interest {
    /// Whether events are wanted.
    pub const fn events(self) -> bool {
        matches!(self, Self::Events | Self::All)
    }

    /// Whether frames are wanted.
    pub const fn frames(self) -> bool {
        matches!(self, Self::Frames | Self::All)
    }
}

/// Watches a world. Everything is told in the order of time. A frame that a port sends is told at its first bit,
/// with the fate that its channel has drawn; one that the transmit queue drops is never told (an event `link.drop`
/// is), and one that a cut overtakes in flight was told as passed (an event `link.lost` follows).
pub trait Monitor {
    /// What this monitor wants to be told; asked once, when it is added.
    fn interest(&self) -> Interest {
        Interest::All
    }

    /// The ports whose frames this monitor wants, all where `None`; asked once, when it is added. Frames at other
    /// ports cost nothing, but it may be told of some nevertheless.
    fn ports(&self) -> Option<Vec<(StationId, Port)>> {
        None
    }

    /// Something happened.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// Something happened, and everybody else has been told: the event may be kept without a copy. The engine tells so
    /// the monitor that was added first.
    fn keep(&mut self, event: Box<Event>) {
        self.event(&event);
    }

    /// A line of TLS key material became known.
    fn secret(&mut self, at: Instant, line: &str) {
        let _ = (at, line);
    }

    /// A frame passed a port.
    fn frame(&mut self, observation: &Observation<'_>) {
        let _ = observation;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_builds_nothing_and_passes_the_cause_on() {
        let mut trace = Trace::off();
        let id = trace.emit(Storey::Transport, "tcp.syn", EventId(9), |_| panic!("built while off"));
        assert_eq!(id, EventId(9));
        assert!(trace.is_empty());
    }

    #[test]
    fn each_station_counts_its_own_events() {
        let mut trace = Trace::on();
        let mut named = |station| {
            trace.set_scene(Instant::ZERO, station);
            trace.reserve().parts()
        };
        let (first, third) = (StationId(0), StationId(2));
        let stations = [third, StationId::WORLD, third, first, StationId::WORLD];
        let found: Vec<_> = stations.map(&mut named).into_iter().collect();
        assert_eq!(found, [(third, 1), (StationId::WORLD, 1), (third, 2), (first, 1), (StationId::WORLD, 2)]);
        trace.set_scene(Instant::ZERO, StationId(StationId::MOST as u32 - 1));
        assert_eq!(trace.reserve().0, 0xff_ffff << 40 | 1);
    }

    #[test]
    fn causes_chain() {
        let mut trace = Trace::on();
        trace.set_scene(Instant::from_millis(5), StationId(2));
        let a = trace.emit(Storey::Lab, "fault", EventId::NONE, |f| {
            f.set("why", "script");
        });
        trace.emit(Storey::Physical, "link.down", a, |_| {});
        let events: Vec<_> = trace.drain().collect();
        let [Record::Event(first), Record::Event(second)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((first.id, second.cause, second.at), (a, a, Instant::from_millis(5)));
        assert_eq!(first.field("why").unwrap().to_string(), "script");
    }
}
