//! Cards: what stands in a port between a station and its cable where that cable is no ordinary full-duplex Ethernet.
//!
//! The station speaks Ethernet frames to its port and knows of no card. [`Fitted`] is the station with its cards, and
//! itself a [`Station`]; a station none of whose ports has a card is not wrapped and pays nothing.

use std::collections::VecDeque;

use septet_core::{
    Carrier, DropReason, Frame, Instant, LinkCounters, Metric, Out, Port, PortReport, Power, Station, Storey, Trace,
    Wire,
};

use crate::lapb;
use crate::stats::LinkStats;

pub mod half_duplex;
pub mod pause;
pub mod serial;

/// What cards count, beside what ports do.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    half_duplex::Counters::METRICS.iter().chain(pause::Counters::METRICS).chain(lapb::Counters::METRICS)
}

/// A card in a port.
pub trait Card {
    /// The station sends `frame`.
    fn transmit(&mut self, now: Instant, frame: Frame, line: &mut Line<'_>);

    /// `frame` came off the cable.
    fn receive(&mut self, now: Instant, frame: Frame, line: &mut Line<'_>);

    /// The cable gained or lost its carrier.
    fn on_carrier(&mut self, now: Instant, carrier: Carrier, line: &mut Line<'_>) {
        let _ = now;
        line.report(carrier);
    }

    /// The backlog of the cable fell to the mark that [`Line::wake_below`] set.
    fn on_room(&mut self, now: Instant, line: &mut Line<'_>) {
        let _ = (now, line);
    }

    /// The time that [`deadline`](Self::deadline) named has come. It may be called early.
    fn on_deadline(&mut self, now: Instant, line: &mut Line<'_>) {
        let _ = (now, line);
    }

    /// When the card next wants to be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Bytes that wait in the card.
    fn backlog(&self) -> usize;

    /// The station is switched on or off: what the card held is gone.
    fn on_power(&mut self, power: Power);

    /// What the card counts, by the names of `ip -s -s link`.
    fn link_stats(&self) -> LinkStats;

    /// Shows `see` what it counts beside that, by the names of `ethtool -S` which [`metrics`] declares.
    fn show_counters(&self, see: &mut dyn FnMut(&'static str, u64));
}

/// Where a card's answers go: to its cable, and up to its station.
pub struct Line<'a> {
    wire: &'a mut dyn Wire,
    /// The record of what happens and why.
    pub trace: &'a mut Trace,
    port: Port,
    up: &'a mut VecDeque<(Port, Up)>,
}

#[derive(Debug)]
enum Up {
    Frame(Frame),
    Carrier(Carrier),
}

impl Line<'_> {
    /// The port that the card is in.
    pub fn port(&self) -> Port {
        self.port
    }

    /// Puts `frame` on the cable.
    pub fn send(&mut self, frame: Frame) {
        self.wire.send(self.port, frame, self.trace);
    }

    /// Bytes that wait for the cable or are on it.
    pub fn backlog(&self) -> usize {
        self.wire.backlog(self.port)
    }

    /// Asks for one [`Card::on_room`] when so many bytes are left.
    pub fn wake_below(&mut self, bytes: usize) {
        self.wire.wake_below(self.port, bytes);
    }

    /// Tells that `frame` is dropped here.
    pub(crate) fn tell_drop(&mut self, frame: &Frame, reason: DropReason, why: &'static str) {
        let port = self.port;
        self.trace.emit(Storey::DataLink, "eth.drop", frame.cause, |f| {
            f.set("port", port.to_string()).set("frame", frame.id).set("len", frame.len());
            f.set("reason", reason).set("why", why);
        });
    }

    /// Hands `frame` to the station.
    pub fn deliver(&mut self, frame: Frame) {
        self.up.push_back((self.port, Up::Frame(frame)));
    }

    /// Tells the station that its port has or has not a carrier.
    pub fn report(&mut self, carrier: Carrier) {
        self.up.push_back((self.port, Up::Carrier(carrier)));
    }
}

/// A station with cards in some of its ports.
pub struct Fitted {
    station: Box<dyn Station>,
    cards: Vec<Option<Box<dyn Card>>>,
    /// Backlogs of which the station wants to hear.
    marks: Vec<Option<usize>>,
    up: VecDeque<(Port, Up)>,
    down: VecDeque<(Port, Frame)>,
    power: Power,
}

impl Fitted {
    /// `station` without cards yet.
    pub fn new(station: Box<dyn Station>) -> Self {
        Self {
            station,
            cards: Vec::new(),
            marks: Vec::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            power: Power::Off,
        }
    }

    /// Puts `card` into `port`.
    pub fn fit(&mut self, port: Port, card: Box<dyn Card>) {
        let at = usize::from(port.0);
        if self.cards.len() <= at {
            self.cards.resize_with(at + 1, || None);
            self.marks.resize(at + 1, None);
        }
        self.cards[at] = Some(card);
    }

    /// The card in `port`.
    pub fn card(&self, port: Port) -> Option<&dyn Card> {
        self.cards.get(usize::from(port.0))?.as_deref()
    }

    /// All cards, by their port.
    pub fn cards(&self) -> impl Iterator<Item = &dyn Card> {
        self.cards.iter().flatten().map(|card| &**card)
    }

    /// Calls the card in `port`, or else the station.
    fn at_port(
        &mut self,
        now: Instant,
        port: Port,
        out: &mut Out<'_>,
        card: impl FnOnce(&mut dyn Card, &mut Line<'_>),
        station: impl FnOnce(&mut dyn Station, &mut Out<'_>),
    ) {
        match self.cards.get_mut(usize::from(port.0)).and_then(Option::as_mut) {
            Some(c) => {
                let (wire, trace) = out.parts();
                card(&mut **c, &mut Line { wire, trace, port, up: &mut self.up });
            }
            None => self.in_station(out, station),
        }
        self.settle(now, out);
    }

    fn in_station(&mut self, out: &mut Out<'_>, act: impl FnOnce(&mut dyn Station, &mut Out<'_>)) {
        let Self { station, cards, marks, down, .. } = self;
        let (wire, trace) = out.parts();
        let mut door = CardWire { wire, cards, marks, down };
        act(&mut **station, &mut Out::new(&mut door, trace));
    }

    /// Carries frames between station and cards until none is left.
    fn settle(&mut self, now: Instant, out: &mut Out<'_>) {
        loop {
            if let Some((port, frame)) = self.down.pop_front() {
                if let Some(Some(card)) = self.cards.get_mut(usize::from(port.0)) {
                    let (wire, trace) = out.parts();
                    card.transmit(now, frame, &mut Line { wire, trace, port, up: &mut self.up });
                }
            } else if let Some((port, up)) = self.up.pop_front() {
                if self.power == Power::On || matches!(up, Up::Carrier(_)) {
                    self.in_station(out, |station, out| match up {
                        Up::Frame(frame) => station.receive(now, port, frame, out),
                        Up::Carrier(carrier) => station.on_carrier(now, port, carrier, out),
                    });
                }
            } else if let Some(port) = self.roomy_port(out) {
                self.in_station(out, |station, out| station.on_room(now, port, out));
            } else {
                return;
            }
        }
    }

    /// A port of which the station waits to hear that it has room, and it has.
    fn roomy_port(&mut self, out: &mut Out<'_>) -> Option<Port> {
        let (wire, _) = out.parts();
        let at = (0..self.cards.len()).find(|&at| match (&self.cards[at], self.marks[at]) {
            (Some(card), Some(mark)) => card.backlog() + wire.backlog(Port(at as u16)) <= mark,
            _ => false,
        })?;
        self.marks[at] = None;
        Some(Port(at as u16))
    }

    fn each_card(&mut self, out: &mut Out<'_>, mut act: impl FnMut(&mut dyn Card, &mut Line<'_>)) {
        for (at, card) in self.cards.iter_mut().enumerate() {
            if let Some(card) = card {
                let (wire, trace) = out.parts();
                act(&mut **card, &mut Line { wire, trace, port: Port(at as u16), up: &mut self.up });
            }
        }
    }
}

impl Station for Fitted {
    fn receive(&mut self, now: Instant, port: Port, frame: Frame, out: &mut Out<'_>) {
        let cell = core::cell::Cell::new(Some(frame));
        let frame = || cell.take().unwrap_or_else(|| Frame::empty(0));
        self.at_port(
            now,
            port,
            out,
            |card, line| card.receive(now, frame(), line),
            |station, out| station.receive(now, port, frame(), out),
        );
    }

    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        self.each_card(out, |card, line| {
            if card.deadline().is_some_and(|at| at <= now) {
                card.on_deadline(now, line);
            }
        });
        self.in_station(out, |station, out| {
            if station.deadline().is_some_and(|at| at <= now) {
                station.on_deadline(now, out);
            }
        });
        self.settle(now, out);
    }

    fn deadline(&self) -> Option<Instant> {
        if self.power == Power::Off {
            return None;
        }
        let cards = self.cards.iter().flatten().filter_map(|card| card.deadline());
        cards.chain(self.station.deadline()).min()
    }

    fn on_carrier(&mut self, now: Instant, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        self.at_port(
            now,
            port,
            out,
            |card, line| card.on_carrier(now, carrier, line),
            |station, out| station.on_carrier(now, port, carrier, out),
        );
    }

    fn on_room(&mut self, now: Instant, port: Port, out: &mut Out<'_>) {
        self.at_port(
            now,
            port,
            out,
            |card, line| card.on_room(now, line),
            |station, out| station.on_room(now, port, out),
        );
    }

    fn on_power(&mut self, now: Instant, power: Power, out: &mut Out<'_>) {
        self.power = power;
        self.up.retain(|(_, up)| matches!(up, Up::Carrier(_)));
        self.down.clear();
        self.marks.fill(None);
        for card in self.cards.iter_mut().flatten() {
            card.on_power(power);
        }
        self.in_station(out, |station, out| station.on_power(now, power, out));
        self.settle(now, out);
    }

    fn show_counters(&self, _: Instant, see: &mut dyn FnMut(&'static str, u64)) {
        self.cards().for_each(|card| card.show_counters(see));
    }

    fn show_port(&self, port: Port, report: &mut PortReport) {
        if let Some(card) = self.card(port) {
            card.link_stats().add_to(report);
        }
    }

    fn inner(&self) -> Option<&dyn Station> {
        Some(&*self.station)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Station> {
        Some(&mut *self.station)
    }

    fn act_inside(&mut self, now: Instant, out: &mut Out<'_>, act: &mut dyn FnMut(&mut dyn Station, &mut Out<'_>)) {
        self.in_station(out, |station, out| act(station, out));
        self.settle(now, out);
    }
}

/// The wire as the station sees it.
struct CardWire<'a> {
    wire: &'a mut dyn Wire,
    cards: &'a [Option<Box<dyn Card>>],
    marks: &'a mut [Option<usize>],
    down: &'a mut VecDeque<(Port, Frame)>,
}

impl CardWire<'_> {
    fn card(&self, port: Port) -> Option<&dyn Card> {
        self.cards.get(usize::from(port.0))?.as_deref()
    }
}

impl Wire for CardWire<'_> {
    fn send(&mut self, port: Port, frame: Frame, trace: &mut Trace) {
        if self.card(port).is_some() {
            self.down.push_back((port, frame));
        } else {
            self.wire.send(port, frame, trace);
        }
    }

    fn backlog(&self, port: Port) -> usize {
        let waiting: usize = self.down.iter().filter(|(p, _)| *p == port).map(|(_, frame)| frame.len()).sum();
        self.card(port).map_or(0, |card| card.backlog() + waiting) + self.wire.backlog(port)
    }

    fn wake_below(&mut self, port: Port, bytes: usize) {
        if self.card(port).is_some() {
            self.marks[usize::from(port.0)] = Some(bytes);
        } else {
            self.wire.wake_below(port, bytes);
        }
    }

    fn counters(&self, port: Port) -> Option<LinkCounters> {
        let mut report = PortReport { counted: self.wire.counters(port)?, ..PortReport::default() };
        if let Some(card) = self.card(port) {
            card.link_stats().add_to(&mut report);
        }
        Some(report.counted)
    }

    fn stuck(&mut self) {
        self.wire.stuck();
    }

    fn carries_super_segments(&self, port: Port) -> bool {
        self.card(port).is_none() && self.wire.carries_super_segments(port)
    }
}
