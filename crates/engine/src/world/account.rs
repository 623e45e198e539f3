//! What ports and queues counted.

use septet_core::{DropReason, Instant, LinkCounters, Port, PortReport, Station, StationId, Tally};
use septet_physical::Violation;
use septet_physical::queue::{Limit, Occupancy};

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
        let fabric = self.fabric();
        let path = fabric.outlet(station, port)?;
        let sent = fabric.paths[path as usize].direction.counters(fabric.now);
        let back = &fabric.paths[(path ^ 1) as usize];
        let cold = back.cold();
        let queue = sent.drops.get(DropReason::Queue) + sent.drops.get(DropReason::Aqm);
        let no_carrier =
            sent.drops.get(DropReason::Carrier) + sent.drops.get(DropReason::Power) + sent.drops.get(DropReason::Giant);
        Some(PortCounters {
            rx_packets: back.packets,
            rx_bytes: back.bytes,
            rx_errors: cold.map_or(0, |c| c.errors),
            rx_dropped: cold.map_or(0, |c| c.drops.total()),
            tx_packets: sent.packets,
            tx_bytes: sent.bytes,
            tx_errors: no_carrier,
            tx_dropped: queue,
            drops: sent.drops,
            tx_filtered: fabric.paths[path as usize].cold().map_or(0, |c| c.matched),
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
            tx_carrier_errors: wire.drops.get(DropReason::Carrier) + wire.drops.get(DropReason::Power),
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
        let outermost = self.stations.get(station.0 as usize).map(|s| &*s.station);
        core::iter::successors(outermost, |station| station.inner())
    }

    /// How many ports of `station` ever had a cable, those between included.
    pub fn ports(&self, station: StationId) -> u16 {
        self.fabric().outlets.get(station.0 as usize).map_or(0, |outlets| outlets.paths.len() as u16)
    }

    /// The port at the other end of the cable.
    pub fn peer(&self, station: StationId, port: Port) -> Option<(StationId, Port)> {
        let fabric = self.fabric();
        let to = fabric.paths[fabric.outlet(station, port)? as usize].to;
        Some((to.station, to.port))
    }

    /// Frames whose transmission began, over all links.
    pub fn transmissions(&self) -> u64 {
        let fabric = self.fabric();
        fabric.paths.iter().map(|p| p.direction.counters(fabric.now).packets).sum()
    }

    /// How full the queue of one direction of a link was.
    pub fn queue_use(&mut self, link: LinkId, heading: Heading) -> Option<QueueUse> {
        let fabric = self.fabric_mut();
        let now = fabric.now;
        let direction = &mut fabric.paths.get_mut(path(link, heading) as usize)?.direction;
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
        let fabric = self.fabric_mut();
        let now = fabric.now;
        let path = path(link, heading);
        let number = fabric.paths.get_mut(path as usize)?.direction.watch(now, bound, from, until);
        Some(QueueWatch { path, number })
    }

    /// When the bound was first broken, and by how much; `None` while it was not.
    pub fn violation(&mut self, watch: QueueWatch) -> Option<Violation> {
        let fabric = self.fabric_mut();
        let now = fabric.now;
        fabric.paths.get_mut(watch.path as usize)?.direction.meter(now).violation(watch.number)
    }
}

fn path(link: LinkId, heading: Heading) -> u32 {
    link.0.saturating_mul(2).saturating_add(heading as u32)
}
