//! Who there is in a lab, and how they are joined: what faults, services and expectations are read against.

use crate::model::cable::Cable;
use crate::model::link::Link;
use crate::model::node::{Duplex, Node, NodeKind};
use crate::model::topology::{PortRef, Topology};

/// The nodes and the links of a lab.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) links: &'a [Link],
    pub(crate) topology: &'a Topology,
}

impl<'a> Layout<'a> {
    /// The node at the other end of `place`'s link, and the medium towards it.
    pub(crate) fn beyond(self, place: PortRef) -> Option<(PortRef, &'a Cable)> {
        let link = &self.links[self.nodes[place.node].ports.get(usize::from(place.port))?.link?];
        let way = link.ends.iter().position(|end| *end == place)?;
        Some((link.ends[1 - way], &link.cables[way]))
    }

    /// Whether the ends of this link hear each other while they send.
    pub(crate) fn is_shared(self, ends: [PortRef; 2]) -> bool {
        ends.iter().any(|end| self.nodes[end.node].kind() == NodeKind::Hub || self.duplex(*end) == Duplex::Half)
    }

    /// Whether a port may send while it receives.
    pub(crate) fn duplex(self, place: PortRef) -> Duplex {
        let Some((beyond, _)) = self.beyond(place) else { return Duplex::Full };
        match self.nodes[beyond.node].kind() {
            NodeKind::Hub => Duplex::Half,
            NodeKind::Switch | NodeKind::L3Switch | NodeKind::Router | NodeKind::Host => {
                self.nodes[place.node].spec.duplex(beyond.node)
            }
        }
    }
}
