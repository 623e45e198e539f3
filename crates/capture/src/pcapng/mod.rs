//! The capture: one pcapng file that holds every port of the lab, with reasons.

mod block;
mod once;

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use septet_core::{DropReason, Event, EventId, Fate, Instant, Monitor, Observation, Port, StationId, Way};

use crate::memory::Memory;
use crate::{LinkType, Names, sentence, serial};

use block::{Packet, Statistics};
use once::Once;

/// What a capture holds besides frames.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The civil time at which virtual time begins, as the time since 1970-01-01T00:00:00Z.
    pub epoch: Duration,
    /// What the section header says of the file, in words.
    pub comment: Option<String>,
    /// The ports whose frames are written; all where empty.
    pub only: BTreeSet<(StationId, Port)>,
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
/// Each port is an interface; a frame is written once where it is sent and once where it is received, each time with
/// the reason for which it was made and, where it does not arrive whole, what became of it. Lines of TLS key material
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
    batch: Batch,
    /// The blocks under construction.
    blocks: Vec<u8>,
    secrets: Secrets,
    once: Once,
    fate: String,
    totals: Totals,
}

#[derive(Clone, Copy)]
struct Interface {
    number: u32,
    link_type: LinkType,
}

/// Frames that were seen and wait to be written: many at once are written faster than one after the other between
/// the steps of the world.
#[derive(Default)]
struct Batch {
    seen: Vec<Seen>,
    /// The bytes that are kept of them, one after the other.
    bytes: Vec<u8>,
    /// Events since the first was seen; their causes must not be forgotten meanwhile.
    events: usize,
}

impl Batch {
    const FRAMES: usize = 64;
    const EVENTS: usize = 2048;
}

/// A frame that was seen at a port.
#[derive(Clone, Copy)]
struct Seen {
    interface: Interface,
    at: Instant,
    station: StationId,
    port: Port,
    way: Way,
    /// Damage of no known bits: it arrived so.
    fate: Fate,
    cause: EventId,
    fcs: Option<u32>,
    kept: usize,
    len: usize,
}

impl<W: io::Write> Pcapng<W> {
    /// Begins a capture: header, interfaces and names are written at once. `out` is buffered here.
    pub fn new(out: W, names: Names, options: Options) -> Self {
        let mut capture = Self {
            out: Output { inner: io::BufWriter::with_capacity(256 * 1024, out), error: None },
            interfaces: BTreeMap::new(),
            statistics: Vec::new(),
            memory: Memory::default(),
            now: Instant::ZERO,
            batch: Batch::default(),
            blocks: Vec::new(),
            secrets: Secrets::default(),
            once: Once::default(),
            fate: String::new(),
            totals: Totals::default(),
            names,
            options,
        };
        let mut head = Vec::new();
        let application = concat!("septet ", env!("CARGO_PKG_VERSION"));
        block::section_header(&mut head, application, capture.options.comment.as_deref());
        let ports: Vec<_> = capture.names.ports().map(|(s, p, _)| (s, p)).collect();
        for (station, port) in ports {
            if capture.wants(station, port) {
                capture.describe(station, port, &mut head);
            }
        }
        block::names(&mut head, capture.names.addresses());
        capture.out.write(&head, &mut capture.totals);
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
        self.write_batch();
        let end = stamp(&self.options, self.now);
        let mut tail = Vec::new();
        self.secrets.flush(&mut tail);
        for (number, seen) in self.statistics.iter().enumerate() {
            block::statistics(&mut tail, number as u32, self.options.epoch, end, *seen);
        }
        self.out.write(&tail, &mut self.totals);
        match self.out.error.take() {
            Some(error) => Err(error),
            None => Ok((self.out.inner.into_inner().map_err(io::IntoInnerError::into_error)?, self.totals)),
        }
    }

    /// Writes the frames that were seen.
    fn write_batch(&mut self) {
        self.batch.events = 0;
        if self.batch.seen.is_empty() {
            return;
        }
        self.blocks.clear();
        self.secrets.flush(&mut self.blocks);
        let names = &self.names;
        let mut start = 0;
        for seen in &self.batch.seen {
            let why = self.memory.told(seen.cause, |memory, event| sentence::reason(memory, event, names));
            self.fate.clear();
            describe_fate(&mut self.fate, seen, names);
            let mut flags = match seen.way {
                Way::Sent => block::OUTBOUND,
                Way::Received => block::INBOUND,
            };
            if seen.fcs.is_some() {
                flags |= block::FCS_LENGTH_4 | block::CRC_ERROR;
            }
            let packet = Packet {
                interface: seen.interface.number,
                nanos: stamp(&self.options, seen.at),
                bytes: &self.batch.bytes[start..start + seen.kept],
                missing: seen.len - seen.kept,
                // The FCS crosses the wire in the bit order that leaves a CRC-32 as little-endian bytes.
                fcs: seen.fcs.map(u32::to_le_bytes),
                flags,
                comments: [why, (!self.fate.is_empty()).then_some(self.fate.as_str())],
            };
            block::packet(&mut self.blocks, &packet);
            start += seen.kept;
        }
        self.totals.packets += self.batch.seen.len() as u64;
        self.batch.seen.clear();
        self.batch.bytes.clear();
        self.out.write(&self.blocks, &mut self.totals);
    }

    fn wants(&self, station: StationId, port: Port) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&(station, port))
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

fn stamp(options: &Options, at: Instant) -> u64 {
    u64::try_from(options.epoch.as_nanos()).unwrap_or(u64::MAX).saturating_add(at.as_nanos())
}

impl<W: io::Write> Monitor for Pcapng<W> {
    fn ports(&self) -> Option<Vec<(StationId, Port)>> {
        let only = &self.options.only;
        (!only.is_empty()).then(|| only.iter().copied().collect())
    }

    fn event(&mut self, event: &Event) {
        self.now = event.at;
        self.memory.add(event);
        self.batch.events += 1;
        if self.batch.events >= Batch::EVENTS {
            self.write_batch();
        }
    }

    fn secret(&mut self, at: Instant, line: &str) {
        // The frames that were seen before come before it.
        self.write_batch();
        self.now = at;
        self.secrets.add(line);
    }

    fn frame(&mut self, observation: &Observation<'_>) {
        let Observation { at, station, port, way, frame, fate } = *observation;
        self.now = at;
        if self.out.error.is_some() || !self.wants(station, port) {
            return;
        }
        let interface = match self.interfaces.get(&(station, port)) {
            Some(interface) => *interface,
            // A port that nobody named: it is described when it is first seen, which pcapng allows.
            None => {
                self.write_batch();
                let mut description = Vec::new();
                let interface = self.describe(station, port, &mut description);
                self.out.write(&description, &mut self.totals);
                interface
            }
        };
        let fcs = frame.fcs.filter(|_| interface.link_type == LinkType::ETHERNET);
        let exported;
        let bytes = if interface.link_type == LinkType::SERIAL {
            exported = serial::export(frame.bytes());
            &exported
        } else {
            frame.bytes()
        };
        // A damaged frame is shown as it arrived, to the last byte.
        let whole = fcs.is_some() || interface.link_type == LinkType::SERIAL;
        let kept = match self.options.snap {
            _ if whole => bytes.len(),
            None => self.once.keep(interface.link_type, bytes),
            Some(snap) => self.once.keep(interface.link_type, bytes).min(snap as usize),
        };
        let fate = if fate == Fate::Passed && frame.fcs.is_some() { Fate::Damaged(0) } else { fate };
        self.batch.bytes.extend_from_slice(&bytes[..kept]);
        let (cause, len) = (frame.cause, bytes.len());
        self.batch.seen.push(Seen { interface, at, station, port, way, fate, cause, fcs, kept, len });
        let statistics = &mut self.statistics[interface.number as usize];
        statistics.received += 1;
        statistics.dropped += u64::from(matches!(fate, Fate::Lost(_)));
        if self.batch.seen.len() >= Batch::FRAMES {
            self.write_batch();
        }
    }
}

impl<W: io::Write> fmt::Debug for Pcapng<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pcapng").field("totals", &self.totals).finish_non_exhaustive()
    }
}

/// What became of a frame that does not arrive whole.
fn describe_fate(out: &mut String, seen: &Seen, names: &Names) {
    use fmt::Write as _;
    match seen.fate {
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
    on_link(out, seen, names);
}

fn on_link(out: &mut String, seen: &Seen, names: &Names) {
    if let Some(link) = names.of_link(seen.station, seen.port)
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
    inner: io::BufWriter<W>,
    error: Option<io::Error>,
}

impl<W: io::Write> Output<W> {
    fn write(&mut self, bytes: &[u8], totals: &mut Totals) {
        use io::Write as _;
        if self.error.is_some() {
            return;
        }
        match self.inner.write_all(bytes) {
            Ok(()) => totals.bytes += bytes.len() as u64,
            Err(error) => self.error = Some(error),
        }
    }
}
