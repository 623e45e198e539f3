//! What a port counts, by the names of `ip -s -s link`: the wire, the card and the station put together.

use std::collections::BTreeMap;

use septet_core::{DropReason, Port, StationId};
use septet_datalink::card::Fitted;
use septet_datalink::stats::LinkStats;
use septet_datalink::switch::Switch;
use septet_engine::World;
use septet_host::Host;

/// What a port counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PortReport {
    /// Every name in the table below.
    counted: BTreeMap<&'static str, u64>,
    /// Frames dropped at this port or sent by it in vain, by reason.
    drops: BTreeMap<DropReason, u64>,
}

/// The names, each with what it means: those of Linux' `struct rtnl_link_stats64` that can be other than zero here.
pub(crate) const NAMES: &[(&str, &str)] = &[
    ("rx_packets", "good frames received"),
    ("rx_bytes", "their octets, FCS not counted"),
    ("rx_errors", "bad frames received: the sum of rx_*_errors, and frames whose line code was broken"),
    ("rx_dropped", "good frames received that nobody took"),
    ("rx_length_errors", "runts, such as a collision leaves, and giants"),
    ("rx_crc_errors", "frames of whole octets whose check sequence did not match"),
    ("rx_frame_errors", "frames that were no whole number of octets long"),
    ("tx_packets", "frames sent"),
    ("tx_bytes", "their octets, FCS not counted"),
    ("tx_errors", "frames that could not be sent: the sum of tx_*_errors, and those too large for the link"),
    ("tx_dropped", "frames that found the queue full, or that its discipline dropped"),
    ("tx_aborted_errors", "frames given up after sixteen collisions"),
    ("tx_carrier_errors", "frames that met no carrier"),
    ("tx_window_errors", "frames given up because of a late collision"),
    ("collisions", "collisions"),
];

impl PortReport {
    /// What is counted under `name`: one of the table below, or `drop.REASON`. `None` where there is no such name.
    pub fn get(&self, name: &str) -> Option<u64> {
        match name.strip_prefix("drop.") {
            Some(word) => Some(self.drops.get(&DropReason::find(word)?).copied().unwrap_or(0)),
            None => self.counted.get(name).copied(),
        }
    }

    /// Everything: all names, and the reasons for which anything was dropped.
    pub fn iter(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        let counted = self.counted.iter().map(|(name, n)| ((*name).to_owned(), *n));
        counted.chain(self.drops.iter().map(|(reason, n)| (format!("drop.{reason}"), *n)))
    }
}

/// What `port` counted so far; `None` where it has no cable.
pub(crate) fn read(world: &World, station: StationId, port: Port) -> Option<PortReport> {
    let wire = world.port_counters(station, port)?;
    let card = world.station::<Fitted>(station).and_then(|fitted| fitted.card(port)).map(|card| card.link_stats());
    let host = world.station::<Host>(station).and_then(|host| host.link_stats(port));
    let switch = world.station::<Switch>(station).and_then(|switch| switch.link_stats(port).cloned());
    let mut own = LinkStats::default();
    for stats in [card, host, switch].iter().flatten() {
        own.add(stats);
    }
    let LinkStats { rx_crc_errors, rx_frame_errors, rx_length_errors, .. } = own;
    // What the line code made unreadable was a frame until the end of the cable: the other end counts it as sent.
    let unreadable = world.peer(station, port).and_then(|(station, port)| world.port_counters(station, port));
    let unreadable = |reason| unreadable.as_ref().map_or(0, |peer| peer.drops.get(reason));
    let broken = unreadable(DropReason::CodeViolation);
    let cut = unreadable(DropReason::Runt);
    let carrier = wire.drops.get(DropReason::Carrier) + wire.drops.get(DropReason::Power);
    let values = [
        wire.rx_packets.saturating_sub(own.delivered_in_vain),
        wire.rx_bytes.saturating_sub(own.octets_in_vain),
        own.rx_errors() + broken + cut,
        wire.rx_dropped + own.rx_dropped,
        rx_length_errors + cut,
        rx_crc_errors,
        rx_frame_errors,
        wire.tx_packets,
        wire.tx_bytes,
        wire.tx_errors + own.tx_aborted_errors + own.tx_window_errors,
        wire.tx_dropped + own.tx_dropped,
        own.tx_aborted_errors,
        carrier,
        own.tx_window_errors,
        own.collisions,
    ];
    let mut drops = BTreeMap::new();
    for (reason, n) in wire.drops.iter().chain(own.drops.iter()) {
        *drops.entry(reason).or_insert(0) += n;
    }
    Some(PortReport { counted: NAMES.iter().map(|(name, _)| *name).zip(values).collect(), drops })
}

/// What `station` counts under `name` at its ports: `eth0.NAME` at one of them, `NAME` at all. `None` where `name` is no
/// name of a port's counter.
pub(crate) fn counter(world: &World, station: StationId, name: &str) -> Option<u64> {
    let (port, name) = split(name);
    if !is_name(name) {
        return None;
    }
    let value = |port: u16| read(world, station, Port(port)).and_then(|report| report.get(name)).unwrap_or(0);
    Some(match port {
        Some(port) => value(port),
        None => (0..world.ports(station)).map(value).sum(),
    })
}

/// `eth2.rx_errors`: the port that is named, and the counter.
pub(crate) fn split(name: &str) -> (Option<u16>, &str) {
    let found = name.split_once('.').and_then(|(port, rest)| Some((port.strip_prefix("eth")?.parse().ok()?, rest)));
    found.map_or((None, name), |(port, rest)| (Some(port), rest))
}

/// Whether a port counts anything under this name.
pub(crate) fn is_name(name: &str) -> bool {
    match name.strip_prefix("drop.") {
        Some(word) => DropReason::find(word).is_some(),
        None => NAMES.iter().any(|(known, _)| *known == name),
    }
}
