//! What ports and queues counted.

use septet_core::{DropReason, Instant, LinkCounters, Port, PortReport, Station, StationId, Tally};
use septet_physical::queue::{Limit, Occupancy};
use septet_physical::{Direction, Violation};

use crate::fabric::{GivenUp, Path};
use crate::{Heading, LinkId, World};

/// What a port counts, by the names of `ip -s link`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PortCounters {
    /// Frames received.
    pub rx_packets: u64,
    /// Their bytes, FCS not counted.
    pub rx_bytes: u64,
    /// Frames of these that bit errors had touched.
    pub rx_errors: u64,
    /// Frames that came while the station was off.
    pub rx_dropped: u64,
    /// Frames whose first bit left.
    pub tx_packets: u64,
    /// Their bytes, FCS not counted.
    pub tx_bytes: u64,
    /// Frames that met no carrier, or were too large for the link.
    pub tx_errors: u64,
    /// Frames that the transmit queue dropped.
    pub tx_dropped: u64,
    /// Frames sent that do not arrive, by reason; those that the channel loses are not in `tx_errors` or `tx_dropped`.
    pub drops: Tally,
    /// Frames sent about which a filter had something to say, at this end of the cable or at the other.
    pub tx_filtered: u64,
}

/// How full the queue of one direction was.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct QueueUse {
    /// What waits now.
    pub now: Occupancy,
    /// The most that ever waited, in packets and, each for itself, in bytes.
    pub most: Occupancy,
    /// Packets that waited, in the mean over time.
    pub mean_packets: f64,
    /// Bytes that waited, in the mean over time.
    pub mean_bytes: f64,
}

/// A bound on a queue that is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueWatch {
    path: u32,
    number: usize,
}

impl World {
    /// What a port counted so far; `None` where it has no cable.
    pub fn port_counters(&self, station: StationId, port: Port) -> Option<PortCounters> {
        let path = self.outlet(station, port)?;
        // What a filter stops in front of the receiver is counted there.
        let (mut drops, mut filtered) = (Tally::default(), 0);
        for end in self.ends_of(path) {
            end.direction.counters(self.now()).drops.iter().for_each(|(reason, n)| drops.add_many(reason, n));
            filtered += end.cold().map_or(0, |c| c.matched);
        }
        let sends = self.ends_of(path).next()?;
        let sent = sends.direction.counters(self.now());
        let back = self.ends_of(path ^ 1).last()?;
        let cold = back.cold();
        let GivenUp { errors, dropped, .. } = GivenUp::of(&drops);
        Some(PortCounters {
            rx_packets: back.packets,
            rx_bytes: back.bytes,
            rx_errors: cold.map_or(0, |c| c.errors),
            rx_dropped: cold.map_or(0, |c| c.drops.total()),
            tx_packets: sent.packets,
            tx_bytes: sent.bytes,
            tx_errors: errors,
            tx_dropped: dropped,
            drops,
            tx_filtered: filtered,
        })
    }

    /// What `port` counted so far, the wire, the card and the station put together; `None` where it has no cable.
    pub fn port_report(&self, station: StationId, port: Port) -> Option<PortReport> {
        let wire = self.port_counters(station, port)?;
        // What the line code made unreadable was a frame until the end of the cable: the other end counts it as sent.
        let sent = self.peer(station, port).and_then(|(station, port)| self.port_counters(station, port));
        let unreadable = |reason| sent.as_ref().map_or(0, |sent| sent.drops.get(reason));
        let (broken, cut) = (unreadable(DropReason::CodeViolation), unreadable(DropReason::Runt));
        let counted = LinkCounters {
            rx_packets: wire.rx_packets,
            rx_bytes: wire.rx_bytes,
            rx_errors: broken + cut,
            rx_dropped: wire.rx_dropped,
            rx_length_errors: cut,
            tx_packets: wire.tx_packets,
            tx_bytes: wire.tx_bytes,
            tx_errors: wire.tx_errors,
            tx_dropped: wire.tx_dropped,
            tx_carrier_errors: GivenUp::of(&wire.drops).carrier_errors,
            ..LinkCounters::default()
        };
        let mut report = PortReport { counted, drops: wire.drops };
        self.nested(station).for_each(|station| station.show_port(port, &mut report));
        Some(report)
    }

    /// Shows `see` what a station counted as a whole, with what stands around it or inside. What is shown twice under one
    /// name adds up.
    pub fn show_counters(&self, station: StationId, see: &mut dyn FnMut(&'static str, u64)) {
        let now = self.now();
        self.nested(station).for_each(|station| station.show_counters(now, see));
    }

    /// A station, and then what is inside it, and inside that.
    fn nested(&self, station: StationId) -> impl Iterator<Item = &dyn Station> {
        let home = self.homes.get(station.0 as usize);
        let outermost = home.map(|home| &*self.parts[*home].slots[station.0 as usize].station);
        core::iter::successors(outermost, |station| station.inner())
    }

    /// The path that leads out of a port.
    fn outlet(&self, station: StationId, port: Port) -> Option<u32> {
        let home = *self.homes.get(station.0 as usize)?;
        self.parts[home].fabric.outlet(station, port)
    }

    /// A path as its sender has it and, where that is another, the receiver's part.
    fn ends_of(&self, path: u32) -> impl Iterator<Item = &Path> {
        let Path { from, to, .. } = &self.parts[0].fabric.paths[path as usize];
        let (sends, hears) = (self.home(from.station), self.home(to.station));
        let at = move |home: usize| &self.parts[home].fabric.paths[path as usize];
        core::iter::once(at(sends)).chain((sends != hears).then(|| at(hears)))
    }

    /// How many ports of `station` ever had a cable, those between included.
    pub fn ports(&self, station: StationId) -> u16 {
        let outlets = self.parts[self.home(station)].fabric.outlets.get(station.0 as usize);
        outlets.map_or(0, |outlets| outlets.paths.len() as u16)
    }

    /// The port at the other end of the cable.
    pub fn peer(&self, station: StationId, port: Port) -> Option<(StationId, Port)> {
        let to = self.parts[0].fabric.paths[self.outlet(station, port)? as usize].to;
        Some((to.station, to.port))
    }

    /// Frames whose transmission began, over all links.
    pub fn transmissions(&self) -> u64 {
        let paths = self.parts.iter().flat_map(|part| &part.fabric.paths);
        paths.map(|p| p.direction.counters(self.now()).packets).sum()
    }

    /// How full the queue of one direction of a link was.
    pub fn queue_use(&mut self, link: LinkId, heading: Heading) -> Option<QueueUse> {
        let now = self.now();
        let direction = self.direction(path(link, heading))?;
        let waiting = direction.waiting(now);
        let meter = direction.meter(now);
        Some(QueueUse {
            now: waiting,
            most: meter.most(),
            mean_packets: meter.mean_packets(),
            mean_bytes: meter.mean_bytes(),
        })
    }

    /// Watches whether what waits in one direction of a link stays within `bound`, from `from` on and before `until`.
    pub fn watch_queue(
        &mut self,
        link: LinkId,
        heading: Heading,
        bound: Limit,
        from: Instant,
        until: Instant,
    ) -> Option<QueueWatch> {
        let (now, path) = (self.now(), path(link, heading));
        let number = self.direction(path)?.watch(now, bound, from, until);
        Some(QueueWatch { path, number })
    }

    /// When the bound was first broken, and by how much; `None` while it was not.
    pub fn violation(&mut self, watch: QueueWatch) -> Option<Violation> {
        let now = self.now();
        self.direction(watch.path)?.meter(now).violation(watch.number)
    }

    /// The direction of a link where it is sent on.
    fn direction(&mut self, path: u32) -> Option<&mut Direction> {
        (path as usize / 2 < self.links.len()).then(|| &mut self.sending(path).direction)
    }
}

fn path(link: LinkId, heading: Heading) -> u32 {
    link.0.saturating_mul(2).saturating_add(heading as u32)
}
