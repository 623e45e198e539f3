//! Why a frame, packet or segment went no further.

use core::fmt;

/// A reason that a person can read, for counters, trace and story.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum DropReason {
    /// The channel lost it (the medium's `loss`).
    Loss,
    /// The queue in front of the transmitter was full.
    Queue,
    /// The queue's discipline (RED, CoDel, …) dropped it early.
    Aqm,
    /// The cable is cut, or the port has no carrier.
    Carrier,
    /// The station is switched off.
    Power,
    /// The frame check sequence did not match.
    Fcs,
    /// A coded line carried a symbol that is not in the code.
    CodeViolation,
    /// Shorter than the shortest frame of the medium.
    Runt,
    /// Longer than the port's largest frame.
    Giant,
    /// Not a whole number of octets.
    Alignment,
    /// Given up after 16 collisions.
    Collision,
    /// A collision after the slot time.
    LateCollision,
    /// The port does not carry this VLAN.
    Vlan,
    /// The spanning tree blocks this port.
    StpBlocking,
    /// Addressed to another station.
    NotForUs,
    /// No protocol by this number here.
    UnknownProtocol,
    /// A header that does not parse.
    Malformed,
    /// The IP header checksum did not match.
    IpChecksum,
    /// The TCP, UDP or ICMP checksum did not match.
    L4Checksum,
    /// Time to live reached zero.
    Ttl,
    /// No route to the destination.
    NoRoute,
    /// The next hop did not answer (ARP or neighbour discovery failed).
    HostUnreachable,
    /// The queue of packets that wait for a link address was full.
    NeighborQueue,
    /// Too large for the next link, and it may not be fragmented.
    TooBig,
    /// A fragment whose rest did not come in time, or did not fit.
    Fragment,
    /// Nothing listens on that port.
    NoSocket,
    /// The socket's receive buffer was full.
    SocketBuffer,
    /// The listener's backlog was full.
    Backlog,
    /// A packet filter that a fault put in its way.
    Filter,
    /// A rule of this node's firewall, or its policy.
    Firewall,
    /// Address translation has no port left.
    NatPorts,
    /// Address translation: nobody inside has asked for it.
    NatFiltered,
    /// The table of tracked connections is full.
    Conntrack,
    /// A policy of this node forbids it.
    Policy,
}

impl DropReason {
    /// All reasons, in their order.
    pub const ALL: &[Self] = &[
        Self::Loss,
        Self::Queue,
        Self::Aqm,
        Self::Carrier,
        Self::Power,
        Self::Fcs,
        Self::CodeViolation,
        Self::Runt,
        Self::Giant,
        Self::Alignment,
        Self::Collision,
        Self::LateCollision,
        Self::Vlan,
        Self::StpBlocking,
        Self::NotForUs,
        Self::UnknownProtocol,
        Self::Malformed,
        Self::IpChecksum,
        Self::L4Checksum,
        Self::Ttl,
        Self::NoRoute,
        Self::HostUnreachable,
        Self::NeighborQueue,
        Self::TooBig,
        Self::Fragment,
        Self::NoSocket,
        Self::SocketBuffer,
        Self::Backlog,
        Self::Filter,
        Self::Firewall,
        Self::NatPorts,
        Self::NatFiltered,
        Self::Conntrack,
        Self::Policy,
    ];

    /// The reason that [`as_str`](Self::as_str) calls `word`.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }

    /// The word used in counters, events and labs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Queue => "queue",
            Self::Aqm => "aqm",
            Self::Carrier => "carrier",
            Self::Power => "power",
            Self::Fcs => "fcs",
            Self::CodeViolation => "code-violation",
            Self::Runt => "runt",
            Self::Giant => "giant",
            Self::Alignment => "alignment",
            Self::Collision => "collision",
            Self::LateCollision => "late-collision",
            Self::Vlan => "vlan",
            Self::StpBlocking => "stp-blocking",
            Self::NotForUs => "not-for-us",
            Self::UnknownProtocol => "unknown-protocol",
            Self::Malformed => "malformed",
            Self::IpChecksum => "ip-checksum",
            Self::L4Checksum => "l4-checksum",
            Self::Ttl => "ttl",
            Self::NoRoute => "no-route",
            Self::HostUnreachable => "host-unreachable",
            Self::NeighborQueue => "neighbor-queue",
            Self::TooBig => "too-big",
            Self::Fragment => "fragment",
            Self::NoSocket => "no-socket",
            Self::SocketBuffer => "socket-buffer",
            Self::Backlog => "backlog",
            Self::Filter => "filter",
            Self::Firewall => "firewall",
            Self::NatPorts => "nat-ports",
            Self::NatFiltered => "nat-filtered",
            Self::Conntrack => "conntrack",
            Self::Policy => "policy",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_listed_once_under_a_word_of_its_own() {
        assert!(DropReason::ALL.windows(2).all(|w| w[0] < w[1]));
        assert!(DropReason::ALL.iter().all(|reason| DropReason::find(reason.as_str()) == Some(*reason)));
        assert_eq!(DropReason::ALL.last(), Some(&DropReason::Policy));
    }
}
