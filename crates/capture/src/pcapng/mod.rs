//! The capture: one pcapng file that holds every port of the lab, with reasons.

mod block;
mod once;
mod sights;

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use septet_core::{DropReason, Event, Fate, Instant, Monitor, Observation, Port, StationId, Way};

use crate::memory::Memory;
use crate::{LinkType, Names, sentence, serial};

use block::{Packet, Statistics};
use once::Once;
pub use sights::Sights;
use sights::{Seen, Show, TCP_KEPT};

/// What a capture holds besides frames.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The civil time at which virtual time begins, as the time since 1970-01-01T00:00:00Z.
    pub epoch: Duration,
    /// What the section header says of the file, in words.
    pub comment: Option<String>,
    /// The ports whose frames are written; all where empty.
    pub only: BTreeSet<(StationId, Port)>,
    /// Which sights of a frame are written.
    pub sights: Sights,
    /// The most bytes that are written of a frame, tcpdump's `-s`; all where `None`. Damaged frames are kept whole.
    pub snap: Option<u32>,
}

/// What a finished capture holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Packets written.
    pub packets: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes a pcapng capture while the world runs.
///
/// Each port is an interface; a frame is written where it is sent and where it is received, or as [`Sights`] says, each
/// time with the reason for which it was made and, where it does not arrive whole, what became of it. Lines of TLS key material
/// go into the file before the packets that they open. Little is held in memory: the latest events, and which parts of
/// TCP streams the file holds.
///
/// Each byte of a TCP stream is in the file once, where it is first seen; what carries it further, or again, is cut
/// after the TCP header. Readers put streams together from all interfaces alike, and would stumble over copies.
///
/// After a write error nothing more is written; [`error`](Self::error) tells of it during the run and
/// [`finish`](Self::finish) at its end.
pub struct Pcapng<W: io::Write> {
    out: Output<W>,
    names: Names,
    options: Options,
    interfaces: BTreeMap<(StationId, Port), Interface>,
    statistics: Vec<Statistics>,
    memory: Memory,
    now: Instant,
    /// The port whose frame was written last.
    last: Option<((StationId, Port), Interface)>,
    secrets: Secrets,
    once: Once,
    seen: Seen,
    fate: String,
    totals: Totals,
}

#[derive(Clone, Copy)]
struct Interface {
    number: u32,
    link_type: LinkType,
}

impl<W: io::Write> Pcapng<W> {
    /// Begins a capture: header, interfaces and names are written at once. `out` is buffered here.
    pub fn new(out: W, names: Names, options: Options) -> Self {
        let mut capture = Self {
            out: Output::new(out),
            interfaces: BTreeMap::new(),
            statistics: Vec::new(),
            memory: Memory::default(),
            now: Instant::ZERO,
            last: None,
            secrets: Secrets::default(),
            once: Once::default(),
            seen: Seen::default(),
            fate: String::new(),
            totals: Totals::default(),
            names,
            options,
        };
        let mut head = core::mem::take(&mut capture.out.buffer);
        let application = concat!("septet ", env!("CARGO_PKG_VERSION"));
        block::section_header(&mut head, application, capture.options.comment.as_deref());
        let ports: Vec<_> = capture.names.ports().map(|(s, p, _)| (s, p)).collect();
        for (station, port) in ports {
            if capture.wants(station, port) {
                capture.describe(station, port, &mut head);
            }
        }
        block::names(&mut head, capture.names.addresses());
        capture.out.buffer = head;
        capture
    }

    /// The error that ended the capture early.
    pub fn error(&self) -> Option<&io::Error> {
        self.out.error.as_ref()
    }

    /// Ends the capture with the statistics of every interface.
    ///
    /// # Errors
    /// The first error that a write met, now or during the run.
    pub fn finish(mut self) -> io::Result<(W, Totals)> {
        let end = stamp(&self.options, self.now);
        let tail = &mut self.out.buffer;
        self.secrets.flush(tail);
        for (number, seen) in self.statistics.iter().enumerate() {
            block::statistics(tail, number as u32, self.options.epoch, end, *seen);
        }
        let (inner, bytes) = self.out.finish()?;
        Ok((inner, Totals { bytes, ..self.totals }))
    }

    /// The interface of a port; `None` where its frames are not wanted. A port that nobody named is described when it is
    /// first seen, which pcapng allows.
    fn interface(&mut self, station: StationId, port: Port) -> Option<Interface> {
        if let Some((last, interface)) = self.last
            && last == (station, port)
        {
            return Some(interface);
        }
        if !self.wants(station, port) {
            return None;
        }
        let interface = match self.interfaces.get(&(station, port)) {
            Some(interface) => *interface,
            None => {
                let mut out = core::mem::take(&mut self.out.buffer);
                let interface = self.describe(station, port, &mut out);
                self.out.buffer = out;
                interface
            }
        };
        self.last = Some(((station, port), interface));
        Some(interface)
    }

    fn wants(&self, station: StationId, port: Port) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&(station, port))
    }

    fn show(&mut self, observation: &Observation<'_>, link_type: LinkType, fate: Fate) -> Show {
        let Observation { frame, .. } = observation;
        if self.options.sights == Sights::All {
            return Show::Whole;
        }
        let first = self.seen.is_first(frame.id);
        match link_type {
            _ if first && !self.is_passed_on(observation, link_type) => Show::Whole,
            // What a serial line makes of a packet is worth a look.
            LinkType::SERIAL if first => Show::Again,
            _ if fate == Fate::Passed => Show::Nothing,
            _ => Show::Again,
        }
    }

    /// Whether a segment that is sent in a new frame was made elsewhere, and is in the capture there: a router has taken it
    /// off another kind of link.
    fn is_passed_on(&self, observation: &Observation<'_>, link_type: LinkType) -> bool {
        let Observation { station, way, frame, .. } = *observation;
        self.options.only.is_empty()
            && way == Way::Sent
            && self.memory.get(frame.cause).is_some_and(|made| made.station != station)
            && crate::packet::Packet::parse(link_type, frame.bytes()).is_some_and(|packet| packet.tcp.is_some())
    }

    fn describe(&mut self, station: StationId, port: Port, out: &mut Vec<u8>) -> Interface {
        let number = self.statistics.len() as u32;
        let name = self.names.of_port(station, port);
        let known = self.names.get(station, port).cloned().unwrap_or_default();
        let description = known.link.as_deref().map(|link| match self.names.peer(station, port) {
            Some(peer) => format!("link {link}, to {peer}"),
            None => format!("link {link}"),
        });
        block::interface(out, &name, description.as_deref(), &known);
        let interface = Interface { number, link_type: known.link_type };
        self.interfaces.insert((station, port), interface);
        self.statistics.push(Statistics::default());
        interface
    }
}

/// How much is kept of a frame that was shown already.
fn short(link_type: LinkType, bytes: &[u8]) -> usize {
    let segment = crate::packet::Packet::parse(link_type, bytes).and_then(|packet| packet.tcp);
    segment.map_or(bytes.len(), |segment| (segment.header_at + TCP_KEPT).min(bytes.len()))
}

fn stamp(options: &Options, at: Instant) -> u64 {
    u64::try_from(options.epoch.as_nanos()).unwrap_or(u64::MAX).saturating_add(at.as_nanos())
}

impl<W: io::Write> Monitor for Pcapng<W> {
    fn ports(&self) -> Option<Vec<(StationId, Port)>> {
        let only = &self.options.only;
        (!only.is_empty()).then(|| only.iter().copied().collect())
    }

    fn event(&mut self, event: &Event) {
        self.keep(Box::new(event.clone()));
    }

    fn keep(&mut self, event: Box<Event>) {
        self.now = event.at;
        self.memory.add(event);
    }

    fn secret(&mut self, at: Instant, line: &str) {
        self.now = at;
        self.secrets.add(line);
    }

    fn frame(&mut self, observation: &Observation<'_>) {
        let Observation { at, station, port, way, frame, fate } = *observation;
        self.now = at;
        if self.out.error.is_some() {
            return;
        }
        // Damage of no known bits: it arrived so.
        let fate = if fate == Fate::Passed && frame.fcs.is_some() { Fate::Damaged(0) } else { fate };
        let Some(interface) = self.interface(station, port) else { return };
        let show = self.show(observation, interface.link_type, fate);
        if show == Show::Nothing {
            return;
        }
        let fcs = frame.fcs.filter(|_| interface.link_type == LinkType::ETHERNET);
        let exported;
        let (bytes, packet) = if interface.link_type == LinkType::SERIAL {
            exported = serial::export(frame.bytes());
            (&exported.bytes[..], exported.ip)
        } else {
            (frame.bytes(), None)
        };
        // A damaged frame is shown as it arrived, to the last byte.
        let kept = match (fcs, interface.link_type, packet) {
            (Some(_), ..) | (None, LinkType::SERIAL, None) => bytes.len(),
            (None, LinkType::SERIAL, Some(at)) if show == Show::Again => at + short(LinkType::RAW, &bytes[at..]),
            (None, LinkType::SERIAL, Some(at)) => at + self.once.keep(LinkType::RAW, &bytes[at..]),
            (None, link_type, _) if show == Show::Again => short(link_type, bytes),
            (None, link_type, _) => self.once.keep(link_type, bytes),
        };
        let kept = match self.options.snap {
            Some(snap) if fcs.is_none() => kept.min(snap as usize),
            _ => kept,
        };
        let names = &self.names;
        let why = self.memory.told(frame.cause, |memory, event, out| sentence::reason(memory, event, names, out));
        self.fate.clear();
        describe_fate(&mut self.fate, fate, (station, port), names);
        let mut flags = match way {
            Way::Sent => block::OUTBOUND,
            Way::Received => block::INBOUND,
        };
        if fcs.is_some() {
            flags |= block::FCS_LENGTH_4 | block::CRC_ERROR;
        }
        let packet = Packet {
            interface: interface.number,
            nanos: stamp(&self.options, at),
            bytes: &bytes[..kept],
            missing: bytes.len() - kept,
            // The FCS crosses the wire in the bit order that leaves a CRC-32 as little-endian bytes.
            fcs: fcs.map(u32::to_le_bytes),
            flags,
            comments: [why, (!self.fate.is_empty()).then_some(self.fate.as_str())],
        };
        self.secrets.flush(&mut self.out.buffer);
        block::packet(&mut self.out.buffer, &packet);
        self.out.write_due(at);
        self.totals.packets += 1;
        let statistics = &mut self.statistics[interface.number as usize];
        statistics.received += 1;
        statistics.dropped += u64::from(matches!(fate, Fate::Lost(_)));
    }
}

impl<W: io::Write> fmt::Debug for Pcapng<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pcapng").field("totals", &self.totals).finish_non_exhaustive()
    }
}

/// What became of a frame that does not arrive whole.
fn describe_fate(out: &mut String, fate: Fate, at: (StationId, Port), names: &Names) {
    use fmt::Write as _;
    match fate {
        Fate::Passed => return,
        Fate::Damaged(0) => return out.push_str("damaged: the FCS does not match"),
        Fate::Damaged(bits) => {
            let plural = if bits == 1 { "bit" } else { "bits" };
            let _ = write!(out, "damaged: {bits} {plural} flipped");
        }
        Fate::Lost(DropReason::Power) => return out.push_str("lost: the station is switched off"),
        Fate::Lost(DropReason::Carrier) => out.push_str("lost: the cable is cut"),
        Fate::Lost(DropReason::Queue) => out.push_str("dropped: queue full"),
        Fate::Lost(DropReason::Aqm) => out.push_str("dropped: by the queue's discipline"),
        Fate::Lost(reason) => {
            let _ = write!(out, "lost: {reason}");
        }
    }
    on_link(out, at, names);
}

fn on_link(out: &mut String, (station, port): (StationId, Port), names: &Names) {
    if let Some(link) = names.of_link(station, port)
        && !out.contains(link)
    {
        out.push_str(" on ");
        out.push_str(link);
    }
}

/// Key log lines that no packet has followed yet. Both ends of a connection tell the same lines; one is enough.
#[derive(Default)]
struct Secrets {
    pending: String,
    recent: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Secrets {
    const REMEMBERED: usize = 1024;

    fn add(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || !self.recent.insert(line.to_owned()) {
            return;
        }
        self.order.push_back(line.to_owned());
        if self.order.len() > Self::REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        self.pending.push_str(line);
        self.pending.push('\n');
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            block::secrets(out, &self.pending);
            self.pending.clear();
        }
    }
}

/// Where the bytes go, until the first error.
struct Output<W: io::Write> {
    /// `None` once it was taken out.
    inner: Option<W>,
    /// What was not written yet.
    buffer: Vec<u8>,
    written: u64,
    /// When something was last written.
    last: Instant,
    error: Option<io::Error>,
}

impl<W: io::Write> Output<W> {
    /// Bytes written at a time, at offsets that are multiples of it: whole pages, once each. With fewer the kernel spends
    /// more on each request to the disk than the processor's cache saves.
    const CHUNK: usize = 1024 * 1024;

    /// Where less comes, it is written as late as this: whoever reads the capture of a live lab is not far behind.
    const LATE: Duration = Duration::from_secs(1);

    fn new(inner: W) -> Self {
        let buffer = Vec::with_capacity(Self::CHUNK + 4096);
        Self { inner: Some(inner), buffer, written: 0, last: Instant::ZERO, error: None }
    }

    /// Writes up to the end of a chunk, where there is so much, or what there is, where it has waited long.
    #[inline]
    fn write_due(&mut self, now: Instant) {
        let chunk = Self::CHUNK - (self.written % Self::CHUNK as u64) as usize;
        if self.buffer.len() >= chunk {
            self.last = now;
            self.write(chunk);
        } else if now - self.last >= Self::LATE {
            self.last = now;
            self.write(self.buffer.len());
        }
    }

    /// Writes the first `len` bytes of what was not written yet; after an error they are dropped.
    fn write(&mut self, len: usize) {
        if self.error.is_none()
            && let Some(inner) = &mut self.inner
        {
            match inner.write_all(&self.buffer[..len]) {
                Ok(()) => self.written += len as u64,
                Err(error) => self.error = Some(error),
            }
        }
        self.buffer.drain(..len);
    }

    /// Writes what is left, and gives back where it went and how many bytes there are in all.
    fn finish(mut self) -> io::Result<(W, u64)> {
        self.write(self.buffer.len());
        let inner = self.inner.take();
        match self.error.take() {
            Some(error) => Err(error),
            None => {
                let mut inner = inner.ok_or(io::ErrorKind::Other)?;
                inner.flush()?;
                Ok((inner, self.written))
            }
        }
    }
}

impl<W: io::Write> Drop for Output<W> {
    fn drop(&mut self) {
        // A capture that nobody finished ends with what was seen.
        self.write(self.buffer.len());
    }
}
