//! What a port counts, by the names of `ip -s -s link`: the wire, the card and the station put together.

use crate::{DropReason, Metric, Tally, counters};

counters! {
    /// The counters of Linux' `struct rtnl_link_stats64` that can be other than zero here.
    pub struct LinkCounters {
        rx_packets = "rx_packets", "good frames received";
        rx_bytes = "rx_bytes", "their octets, FCS not counted";
        rx_errors = "rx_errors", "bad frames received: the sum of rx_*_errors, and frames whose line code was broken";
        rx_dropped = "rx_dropped", "good frames received that nobody took";
        rx_length_errors = "rx_length_errors", "runts, such as a collision leaves, and giants";
        rx_crc_errors = "rx_crc_errors", "frames of whole octets whose check sequence did not match";
        rx_frame_errors = "rx_frame_errors", "frames that were no whole number of octets long";
        tx_packets = "tx_packets", "frames sent";
        tx_bytes = "tx_bytes", "their octets, FCS not counted";
        tx_errors = "tx_errors", "frames that could not be sent: the sum of tx_*_errors, and those too large for the link";
        tx_dropped = "tx_dropped", "frames that found the queue full, or that its discipline dropped";
        tx_aborted_errors = "tx_aborted_errors", "frames given up after sixteen collisions";
        tx_carrier_errors = "tx_carrier_errors", "frames that met no carrier";
        tx_window_errors = "tx_window_errors", "frames given up because of a late collision";
        collisions = "collisions", "collisions";
    }
}

/// What a port counted. Everybody who counts there adds to it: the wire, then the station and what stands in its ports.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PortReport {
    /// By the names of Linux.
    pub counted: LinkCounters,
    /// Frames dropped at this port or sent by it in vain, by reason.
    pub drops: Tally,
}

impl PortReport {
    /// Every reason to drop a frame is a counter of its own.
    pub const DROPS: Metric =
        Metric::counter("drop.*", "frames dropped for this reason: `drop.queue`, `drop.fcs`, `drop.stp-blocking`");

    /// Everything that a port counts.
    pub fn metrics() -> impl Iterator<Item = &'static Metric> + Clone {
        LinkCounters::METRICS.iter().chain([&Self::DROPS])
    }

    /// What is counted under `name`: one of Linux' names, or `drop.REASON`. `None` where there is no such name.
    pub fn get(&self, name: &str) -> Option<u64> {
        match name.strip_prefix("drop.") {
            Some(word) => DropReason::find(word).map(|reason| self.drops.get(reason)),
            None => self.counted.get(name),
        }
    }

    /// Whether a port counts anything under `name`.
    pub fn is_name(name: &str) -> bool {
        Self::default().get(name).is_some()
    }

    /// Everything: all names, and the reasons for which anything was dropped.
    pub fn iter(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        let counted = self.counted.iter().map(|(name, n)| (name.to_owned(), n));
        counted.chain(self.drops.iter().map(|(reason, n)| (format!("drop.{reason}"), n)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_linux_and_the_reasons() {
        let mut report = PortReport::default();
        report.counted.rx_crc_errors = 3;
        report.drops.add(DropReason::Fcs);
        assert_eq!(
            (report.get("rx_crc_errors"), report.get("drop.fcs"), report.get("drop.queue")),
            (Some(3), Some(1), Some(0))
        );
        assert!(!PortReport::is_name("drop.fsc") && !PortReport::is_name("drop.") && !PortReport::is_name("rx_crc"));
        assert_eq!(report.iter().count(), LinkCounters::METRICS.len() + 1);
    }
}
