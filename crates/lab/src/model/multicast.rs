//! What the file says of multicast in a router, and what that is at its ports.

use septet_language::mistake::Span;
use septet_network::membership::Settings;
use septet_network::{Prefix, ToMembers};

/// What the file says of multicast in a router.
#[derive(Clone, Default, Debug)]
pub(crate) struct MulticastSpec {
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) querier: Option<Settings>,
}

/// One route.
#[derive(Clone, Debug)]
pub(crate) struct RouteSpec {
    pub(crate) groups: Prefix,
    pub(crate) from: Vec<Origin>,
    pub(crate) to: Vec<(Neighbour, u8)>,
    pub(crate) members: ToMembers,
}

/// Who sends.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// Who has such an address.
    Addresses(Prefix),
    /// A host or a router, with all its addresses.
    Node(usize),
    /// Whoever is behind this switch or hub.
    Behind(Neighbour),
}

/// A node that the router has a link to, and where the file says so.
#[derive(Clone, Debug)]
pub(crate) struct Neighbour {
    pub(crate) node: usize,
    pub(crate) span: Span,
}

impl MulticastSpec {
    /// All whom it names as neighbours.
    pub(crate) fn neighbours(&self) -> impl Iterator<Item = &Neighbour> {
        self.routes.iter().flat_map(|route| {
            let behind = route.from.iter().filter_map(|from| match from {
                Origin::Behind(neighbour) => Some(neighbour),
                Origin::Addresses(_) | Origin::Node(_) => None,
            });
            behind.chain(route.to.iter().map(|(neighbour, _)| neighbour))
        })
    }
}
