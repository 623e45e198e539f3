//! What a lab file says of a switch: VLANs, spanning tree, mirroring, flow control.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use septet_datalink::ethernet::MacAddr;
use septet_datalink::switch::{PortLeave, PortMode, Unknown, Version};
use septet_datalink::vlan::VlanId;
use septet_language::mistake::Span;

/// What the file says of a switch; neighbours are indices of nodes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SwitchSpec {
    /// How long it remembers an address.
    pub ageing: Option<Duration>,
    /// How many addresses it remembers.
    pub table: Option<usize>,
    /// The protocol and the priority of the spanning tree, where the switch takes part in one.
    pub spanning_tree: Option<(Version, u16)>,
    /// Neighbours that are end stations.
    pub edge_ports: BTreeSet<usize>,
    /// The VLAN of the port to each neighbour.
    pub vlans: BTreeMap<usize, u16>,
    /// Neighbours to whom all VLANs go, with tags.
    pub trunks: BTreeSet<usize>,
    /// The VLAN that goes to a trunk's neighbour without a tag.
    pub native: BTreeMap<usize, u16>,
    /// The VLANs that go to a trunk's neighbour, where not all do.
    pub allowed: BTreeMap<usize, BTreeSet<u16>>,
    /// Whose ports are watched, and who sees it.
    pub mirror: Option<(BTreeSet<usize>, usize)>,
    /// Whether PAUSE frames are sent.
    pub flow_control: Paused,
    /// The priority of what comes without one from each neighbour.
    pub priorities: BTreeMap<usize, u8>,
    /// Whether it listens to what is said of multicast groups, and how; and who are routers among its neighbours.
    pub snooping: Option<(Unknown, PortLeave, BTreeSet<usize>)>,
    /// Whether it watches DHCP, and behind whom servers are.
    pub dhcp_snooping: Option<BTreeSet<usize>>,
    /// Whether it inspects ARP, and how.
    pub arp_inspection: Option<Inspection>,
    /// Neighbours to whom it speaks half duplex.
    pub half_duplex: BTreeSet<usize>,
    /// Whether it routes between its VLANs.
    pub layer: Layer,
    /// Where the file names each neighbour.
    pub(crate) named: Vec<NamedNeighbour>,
}

/// How a switch inspects ARP.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inspection {
    /// Neighbours whose ARP is believed.
    pub trusted: BTreeSet<usize>,
    /// Addresses that are known to be somebody's without DHCP.
    pub bindings: Vec<(Ipv4Addr, Owner)>,
}

/// Whose an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// A node's.
    Node(usize),
    /// Of whoever has this link address.
    Mac(MacAddr),
}

/// What a switch looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Layer {
    /// Link addresses.
    #[default]
    Two,
    /// IP addresses too: it routes between its VLANs.
    Three,
}

/// Whether PAUSE frames are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Paused {
    /// They are not.
    #[default]
    Never,
    /// They are, where more comes in than can go out.
    WhenFull,
}

/// A neighbour that a switch's table names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NamedNeighbour {
    /// The key under which it stands.
    pub(crate) key: &'static str,
    pub(crate) node: usize,
    pub(crate) span: Span,
}

impl SwitchSpec {
    /// Whether it does more than learn and forward.
    pub(crate) fn is_managed(&self) -> bool {
        let Self { ageing, table, half_duplex, named, .. } = self.clone();
        *self != Self { ageing, table, half_duplex, named, ..Self::default() }
    }

    /// Whether the switch looks at tags.
    pub(crate) fn has_vlans(&self) -> bool {
        !self.vlans.is_empty() || !self.trunks.is_empty() || self.layer == Layer::Three
    }

    /// All VLANs that it names.
    pub(crate) fn named_vlans(&self) -> impl Iterator<Item = u16> + '_ {
        let one = self.vlans.values().chain(self.native.values()).copied();
        one.chain(self.allowed.values().flatten().copied())
    }

    /// How the port to the node `neighbour` treats tags; `None` where the switch looks at none.
    pub(crate) fn mode(&self, neighbour: usize) -> Option<PortMode> {
        if !self.has_vlans() {
            return None;
        }
        if self.trunks.contains(&neighbour) {
            let allowed = self.allowed.get(&neighbour).into_iter().flatten();
            return Some(PortMode::Trunk {
                allowed: allowed.filter_map(|number| VlanId::new(*number)).collect(),
                native: self.native.get(&neighbour).and_then(|number| VlanId::new(*number)),
            });
        }
        let vlan = self.vlans.get(&neighbour).and_then(|number| VlanId::new(*number));
        Some(PortMode::Access(vlan.unwrap_or(VlanId::DEFAULT)))
    }
}
