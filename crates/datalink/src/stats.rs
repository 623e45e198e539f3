//! What storey 2 counts at a port, by the names that Linux gives to an interface's counters (`ip -s -s link`,
//! `struct rtnl_link_stats64`).

use septet_core::{DropReason, PortReport, Tally};

/// The counters of one port that the wire cannot know. What the wire knows, packets and octets that passed, the engine
/// counts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LinkStats {
    /// Frames whose check sequence did not match, though they were whole octets long (aFrameCheckSequenceErrors).
    pub rx_crc_errors: u64,
    /// Frames that were no whole number of octets long and did not match either (aAlignmentErrors).
    pub rx_frame_errors: u64,
    /// Runts and giants.
    pub rx_length_errors: u64,
    /// Good frames that nobody here wanted, or that a rule kept out.
    pub rx_dropped: u64,
    /// Frames given up after sixteen collisions.
    pub tx_aborted_errors: u64,
    /// Frames given up because of a collision after the slot time.
    pub tx_window_errors: u64,
    /// Frames that found the port's own queue full.
    pub tx_dropped: u64,
    /// Collisions.
    pub collisions: u64,
    /// Frames of these that the wire delivered although they are none.
    pub delivered_in_vain: u64,
    /// Their octets.
    pub octets_in_vain: u64,
    /// All of these by reason.
    pub drops: Tally,
}

impl LinkStats {
    /// A frame of `octets` octets that the wire delivered is dropped for `reason`.
    pub fn refuse(&mut self, octets: usize, reason: DropReason) {
        self.drops.add(reason);
        let errors = match reason {
            DropReason::Fcs => &mut self.rx_crc_errors,
            DropReason::Alignment => &mut self.rx_frame_errors,
            DropReason::Runt | DropReason::Giant => &mut self.rx_length_errors,
            _ => {
                self.rx_dropped += 1;
                return;
            }
        };
        *errors += 1;
        self.in_vain(octets);
    }

    /// A piece of a frame of `bits` bits, preamble and delimiter not counted, which the wire did not deliver as one.
    pub fn fragment(&mut self, bits: u64) -> DropReason {
        // IEEE 802.3 §4.2.4.2.2: what is shorter than minFrameSize is a collision fragment. §30.3.1.1.7: an alignment
        // error is "not an integral number of octets in length and does not pass the FCS check".
        let (reason, errors) = match bits {
            0..512 => (DropReason::Runt, &mut self.rx_length_errors),
            _ if !bits.is_multiple_of(8) => (DropReason::Alignment, &mut self.rx_frame_errors),
            _ => (DropReason::Fcs, &mut self.rx_crc_errors),
        };
        *errors += 1;
        self.drops.add(reason);
        reason
    }

    /// A frame that was to be sent is given up for `reason`.
    pub fn give_up(&mut self, reason: DropReason) {
        match reason {
            DropReason::Collision => self.tx_aborted_errors += 1,
            DropReason::LateCollision => self.tx_window_errors += 1,
            _ => self.tx_dropped += 1,
        }
        self.drops.add(reason);
    }

    /// Bad frames received: what Linux has `rx_errors` include.
    pub fn rx_errors(&self) -> u64 {
        self.rx_crc_errors + self.rx_frame_errors + self.rx_length_errors
    }

    /// Adds what `other` counted at the same port.
    pub fn add(&mut self, other: &Self) {
        let Self {
            rx_crc_errors,
            rx_frame_errors,
            rx_length_errors,
            rx_dropped,
            tx_aborted_errors,
            tx_window_errors,
            tx_dropped,
            collisions,
            delivered_in_vain,
            octets_in_vain,
            drops,
        } = other;
        self.rx_crc_errors += rx_crc_errors;
        self.rx_frame_errors += rx_frame_errors;
        self.rx_length_errors += rx_length_errors;
        self.rx_dropped += rx_dropped;
        self.tx_aborted_errors += tx_aborted_errors;
        self.tx_window_errors += tx_window_errors;
        self.tx_dropped += tx_dropped;
        self.collisions += collisions;
        self.delivered_in_vain += delivered_in_vain;
        self.octets_in_vain += octets_in_vain;
        for (reason, n) in drops.iter() {
            self.drops.add_many(reason, n);
        }
    }

    /// Adds this to what the wire counted at the same port.
    pub fn add_to(&self, report: &mut PortReport) {
        let Self {
            rx_crc_errors,
            rx_frame_errors,
            rx_length_errors,
            rx_dropped,
            tx_aborted_errors,
            tx_window_errors,
            tx_dropped,
            collisions,
            delivered_in_vain,
            octets_in_vain,
            drops,
        } = self;
        let PortReport { counted, drops: all } = report;
        counted.rx_packets = counted.rx_packets.saturating_sub(*delivered_in_vain);
        counted.rx_bytes = counted.rx_bytes.saturating_sub(*octets_in_vain);
        counted.rx_errors += self.rx_errors();
        counted.rx_crc_errors += rx_crc_errors;
        counted.rx_frame_errors += rx_frame_errors;
        counted.rx_length_errors += rx_length_errors;
        counted.rx_dropped += rx_dropped;
        counted.tx_errors += tx_aborted_errors + tx_window_errors;
        counted.tx_aborted_errors += tx_aborted_errors;
        counted.tx_window_errors += tx_window_errors;
        counted.tx_dropped += tx_dropped;
        counted.collisions += collisions;
        for (reason, n) in drops.iter() {
            all.add_many(reason, n);
        }
    }

    fn in_vain(&mut self, octets: usize) {
        self.delivered_in_vain += 1;
        self.octets_in_vain += octets as u64;
    }
}

/// Counters by port number; ports appear as they are used.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ports(Vec<LinkStats>);

impl Ports {
    /// Those of `port`, to be counted up.
    pub fn at(&mut self, port: u16) -> &mut LinkStats {
        let at = usize::from(port);
        if self.0.len() <= at {
            self.0.resize_with(at + 1, LinkStats::default);
        }
        &mut self.0[at]
    }

    /// Those of `port`, where anything was counted there.
    pub fn get(&self, port: u16) -> Option<&LinkStats> {
        self.0.get(usize::from(port))
    }

    /// The sum over all ports.
    pub fn sum(&self) -> LinkStats {
        let mut sum = LinkStats::default();
        for stats in &self.0 {
            sum.add(stats);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_a_runt_misaligned_or_fails_its_check() {
        let mut stats = LinkStats::default();
        assert_eq!(stats.fragment(511), DropReason::Runt);
        assert_eq!(stats.fragment(513), DropReason::Alignment);
        assert_eq!(stats.fragment(520), DropReason::Fcs);
        assert_eq!((stats.rx_length_errors, stats.rx_frame_errors, stats.rx_crc_errors), (1, 1, 1));
        assert_eq!((stats.rx_errors(), stats.delivered_in_vain), (3, 0));
    }

    #[test]
    fn what_the_wire_delivered_in_vain_is_counted_apart() {
        let mut ports = Ports::default();
        ports.at(2).refuse(100, DropReason::Fcs);
        ports.at(0).refuse(60, DropReason::Vlan);
        let sum = ports.sum();
        assert_eq!((sum.rx_errors(), sum.rx_dropped, sum.delivered_in_vain, sum.octets_in_vain), (1, 1, 1, 100));
        assert_eq!(ports.get(2).unwrap().drops.get(DropReason::Fcs), 1);
        assert_eq!((ports.get(1), ports.get(3)), (Some(&LinkStats::default()), None));
    }
}
