//! Anything with ports: a host, a hub, a switch, a router.

use core::any::Any;
use core::fmt;

use crate::{Frame, Instant, LinkCounters, PortReport, Trace};

/// Which station of the world, in the order of declaration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct StationId(pub u32);

impl StationId {
    /// The station of what has no one place: the world itself.
    pub const WORLD: Self = Self(u32::MAX);

    /// The most stations that a world can have, so that the names of events and frames hold their numbers.
    pub const MOST: usize = (1 << 24) - 1;

    /// A name of the station's own, the `n`th of its kind, counted from one: `station + 1` in the bits above the lowest
    /// 40, where the world itself is zero. So each station names what it makes without asking others.
    pub(crate) const fn name(self, n: u64) -> u64 {
        (self.0.wrapping_add(1) as u64) << NAME_BITS | n
    }

    /// Whose name this is, and which of its names.
    pub(crate) const fn of_name(name: u64) -> (Self, u64) {
        (Self(((name >> NAME_BITS) as u32).wrapping_sub(1)), name & ((1 << NAME_BITS) - 1))
    }
}

/// Bits of a name below the station.
const NAME_BITS: u32 = 40;

/// Which port of a station, counted from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Port(pub u16);

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "eth{}", self.0)
    }
}

/// Whether a port senses a signal from the other end of its cable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// The other end is there.
    Up,
    /// Cut, unplugged, or the other end is switched off.
    Down,
}

/// Whether a station runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Power {
    /// It starts afresh: nothing it knew before has survived.
    On,
    /// It stops at once, without a farewell: no frame leaves.
    Off,
}

/// A state machine with ports; the engine knows nothing else about it.
///
/// Every call hands in the time and what happened, and the station answers through [`Out`]. It owns no clock, no
/// thread, no socket and no source of randomness but the stream it was given when it was made.
pub trait Station: Any {
    /// A frame arrived whole on `port`.
    fn receive(&mut self, now: Instant, port: Port, frame: Frame, out: &mut Out<'_>);

    /// The time that [`deadline`](Self::deadline) named has come. It may be called early, and then does nothing.
    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>);

    /// When the station next wants to be called; asked after each other call.
    fn deadline(&self) -> Option<Instant>;

    /// The port gained or lost its carrier. Called once per connected port before anything else happens.
    fn on_carrier(&mut self, now: Instant, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        let _ = (now, port, carrier, out);
    }

    /// The transmit queue of `port` fell to the mark that [`Out::wake_below`] set.
    fn on_room(&mut self, now: Instant, port: Port, out: &mut Out<'_>) {
        let _ = (now, port, out);
    }

    /// The station is switched on or off. Each station is switched on once when the world starts.
    fn on_power(&mut self, now: Instant, power: Power, out: &mut Out<'_>) {
        let _ = (now, power, out);
    }

    /// Shows `see` what it counted as a whole, by the names that its crate declares. A station inside is asked for itself.
    fn show_counters(&self, now: Instant, see: &mut dyn FnMut(&'static str, u64)) {
        let _ = (now, see);
    }

    /// Adds to `report` what it counted at `port`, beside what the wire counts there. A station inside is asked for itself.
    fn show_port(&self, port: Port, report: &mut PortReport) {
        let _ = (port, report);
    }

    /// The station inside, where this one only stands around it (as cards in its ports do).
    fn inner(&self) -> Option<&dyn Station> {
        None
    }

    /// The station inside, to be changed.
    fn inner_mut(&mut self) -> Option<&mut dyn Station> {
        None
    }

    /// Calls `act` with the station inside and that one's way out, and lets what it leads to happen. Does nothing where there
    /// is none inside.
    fn act_inside(&mut self, now: Instant, out: &mut Out<'_>, act: &mut dyn FnMut(&mut dyn Station, &mut Out<'_>)) {
        let _ = (now, out, act);
    }
}

/// What a station's ports offer: the way out of it. The engine implements it; tests may with a `Vec`.
pub trait Wire {
    /// Hands `frame` to the transmit queue of `port`. A port without a cable drops it. What becomes of the frame is
    /// told to `trace`.
    fn send(&mut self, port: Port, frame: Frame, trace: &mut Trace);

    /// Bytes that wait in the transmit queue of `port`, the frame on the wire included.
    fn backlog(&self, port: Port) -> usize;

    /// Asks for one [`Station::on_room`] when the backlog of `port` has fallen to `bytes` or less.
    fn wake_below(&mut self, port: Port, bytes: usize);

    /// What the wire at `port` counted so far; `None` where nobody counts.
    fn counters(&self, port: Port) -> Option<LinkCounters> {
        let _ = port;
        None
    }

    /// Tells the world that this station's programs run in circles and let no time pass, so that there is no use in going
    /// on. Where nobody counts on an end, nothing is done.
    fn stuck(&mut self) {}

    /// Whether super-segments ([`Frame::segment_size`]) may be sent on `port`: the cable carries them whole, because
    /// nothing observable depends on their segments, or the port splits them as a network card does. Where neither is
    /// so, one that is sent all the same is dropped as a giant.
    fn carries_super_segments(&self, port: Port) -> bool {
        let _ = port;
        false
    }
}

/// Where a station's answers go.
pub struct Out<'a> {
    wire: &'a mut dyn Wire,
    /// The record of what happens and why.
    pub trace: &'a mut Trace,
}

impl<'a> Out<'a> {
    /// Answers go to `wire`, reasons to `trace`.
    pub fn new(wire: &'a mut dyn Wire, trace: &'a mut Trace) -> Self {
        Self { wire, trace }
    }

    /// The wire and the trace, for one who stands between a station and its wire.
    pub fn parts(&mut self) -> (&mut dyn Wire, &mut Trace) {
        (&mut *self.wire, &mut *self.trace)
    }

    /// Hands `frame` to the transmit queue of `port`.
    pub fn send(&mut self, port: Port, frame: Frame) {
        self.wire.send(port, frame, self.trace);
    }

    /// Bytes that wait in the transmit queue of `port`.
    pub fn backlog(&self, port: Port) -> usize {
        self.wire.backlog(port)
    }

    /// Asks for one [`Station::on_room`] when the backlog of `port` has fallen to `bytes` or less.
    pub fn wake_below(&mut self, port: Port, bytes: usize) {
        self.wire.wake_below(port, bytes);
    }

    /// What the wire at `port` counted so far; `None` where nobody counts.
    pub fn counters(&self, port: Port) -> Option<LinkCounters> {
        self.wire.counters(port)
    }

    /// Tells the world that the station's programs run in circles.
    pub fn stuck(&mut self) {
        self.wire.stuck();
    }

    /// Whether super-segments may be sent on `port`; elsewhere they must be split before.
    pub fn carries_super_segments(&self, port: Port) -> bool {
        self.wire.carries_super_segments(port)
    }
}
