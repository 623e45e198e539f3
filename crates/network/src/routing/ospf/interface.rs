//! An interface of OSPF and its state (RFC 2328 §9).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::Instant;
use septet_wire::ospf::{self, LsaHeader};

use super::neighbor::Neighbor;
use crate::addr::Prefix;

/// RFC 2328 §9.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Nobody is looked for there.
    Passive,
    /// Who is the designated router is not decided yet.
    Waiting,
    /// The link has two ends.
    PointToPoint,
    /// Neither designated router nor backup.
    DrOther,
    /// The backup.
    Backup,
    /// The designated router.
    Dr,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Waiting => "waiting",
            Self::PointToPoint => "point-to-point",
            Self::DrOther => "neither",
            Self::Backup => "the backup",
            Self::Dr => "the designated router",
        }
    }
}

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) state: State,
    pub(super) address: Ipv4Addr,
    pub(super) prefix: Prefix,
    pub(super) mtu: u32,
    pub(super) cost: u16,
    pub(super) priority: u8,
    /// Whom this router takes for the designated router and its backup, by address; unspecified for nobody.
    pub(super) designated: Ipv4Addr,
    pub(super) backup: Ipv4Addr,
    pub(super) hello_at: Option<Instant>,
    pub(super) wait_until: Option<Instant>,
    /// By their addresses on the link.
    pub(super) neighbors: BTreeMap<Ipv4Addr, Neighbor>,
    /// Acknowledgements that wait to be sent together.
    pub(super) acks: Vec<LsaHeader>,
    pub(super) ack_at: Option<Instant>,
    /// A change of neighbours, after which it is decided anew who the designated router is.
    pub(super) unsure: bool,
}

impl Interface {
    pub(super) fn is_broadcast(&self) -> bool {
        !matches!(self.state, State::PointToPoint)
    }

    /// To whom what all routers of the link are to hear is sent (RFC 2328 §13.3 and §13.5).
    pub(super) fn all(&self) -> Ipv4Addr {
        match self.state {
            State::Dr | State::Backup | State::PointToPoint => ospf::ALL_ROUTERS,
            State::DrOther | State::Waiting | State::Passive => ospf::ALL_DESIGNATED,
        }
    }

    /// The mask of its network.
    pub(super) fn mask(&self) -> Ipv4Addr {
        mask(self.prefix)
    }

    /// The network that it is on.
    pub(super) fn network(&self) -> Ipv4Addr {
        match self.prefix.addr() {
            IpAddr::V4(network) => network,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let near = self.neighbors.values().filter_map(Neighbor::deadline);
        near.chain(self.hello_at).chain(self.wait_until).chain(self.ack_at).min()
    }

    /// RFC 2328 §10.4: whether an adjacency is formed with a neighbour.
    pub(super) fn should_be_adjacent(&self, neighbor: Ipv4Addr) -> bool {
        match self.state {
            State::PointToPoint | State::Dr | State::Backup => true,
            State::DrOther => neighbor == self.designated || neighbor == self.backup,
            State::Waiting | State::Passive => false,
        }
    }
}

pub(super) fn mask(prefix: Prefix) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefix.prefix_len())).unwrap_or(0))
}
