//! What IPv6 keeps.

use std::net::Ipv6Addr;

use septet_core::Instant;

use crate::fragment::Reassembler;
use crate::ip::ways::{self, Ways};

/// Where packets for one destination go.
pub(crate) type Way = ways::Way<Ipv6Addr>;

/// What IPv6 keeps.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(super) ways: Ways<Ipv6Addr>,
    pub(super) reassembler: Option<Box<Reassembler>>,
    /// How the packet in hand, which was put together for a filter, is cut again when it goes on.
    pub(super) again: Option<Cut>,
    /// Octets of the largest piece of the packet that was put together last.
    pub(super) largest: u32,
    /// When something of IPv6 is next due.
    pub(crate) due: Option<Instant>,
    /// What flow labels are made with; zero until the first.
    pub(super) flow_key: u64,
}

/// How a packet is cut into fragments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The longest fragment.
    pub(super) mtu: u32,
    /// What the fragments of one packet share.
    pub(super) ident: u32,
}

/// Whether an address is of the link only: RFC 4291 §2.5.6, and groups of link-local scope or less (§2.7).
pub(crate) fn is_link_scoped(addr: Ipv6Addr) -> bool {
    addr.is_unicast_link_local() || addr.is_multicast() && addr.octets()[1] & 0x0f <= 2
}
