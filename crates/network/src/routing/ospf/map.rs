//! The map that all routers share, as the database has it now: routers and networks by number, and the ways from one to the next.
//!
//! It is laid out anew for each computation: that is linear in what the database holds, where the computation itself is not, and what
//! changes between two of them need not be tracked.

use std::net::Ipv4Addr;

use septet_core::Instant;
use septet_wire::ospf::{Body, External, LsaKey, LsaType, MAX_AGE, RouterLink, RouterLinkKind, RouterLsa};

use super::database::Database;

/// A node of the map, by its number. Networks come before routers: RFC 2328 §16.1 (3) says to choose "network vertices before router
/// vertices" of equal cost, so that all equal paths are found.
pub(super) type Vertex = usize;

/// A way from one vertex to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge<'a> {
    pub(super) to: Vertex,
    pub(super) metric: u32,
    /// The router's own link, where it leads from a router.
    pub(super) link: Option<&'a RouterLink>,
}

/// A link that several routers are on, as its designated router has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network<'a> {
    /// The address of the designated router.
    pub(super) id: Ipv4Addr,
    pub(super) mask: Ipv4Addr,
    routers: &'a [Ipv4Addr],
}

/// What a router at the border of the area says lies behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary<'a> {
    pub(super) key: &'a LsaKey,
    pub(super) mask: Ipv4Addr,
    pub(super) metric: u32,
}

#[derive(Default, Debug)]
pub(super) struct Map<'a> {
    /// By id.
    networks: Vec<Network<'a>>,
    /// By id.
    routers: Vec<(Ipv4Addr, &'a RouterLsa)>,
    pub(super) summaries: Vec<Summary<'a>>,
    pub(super) external: Vec<(&'a LsaKey, &'a External)>,
    /// Where the edges of each vertex begin, and behind the last where they all end.
    begin: Vec<usize>,
    /// Of each vertex in turn, by where they lead.
    edges: Vec<Edge<'a>>,
}

impl<'a> Map<'a> {
    pub(super) fn new(database: &'a Database, now: Instant) -> Self {
        let mut map = Self::default();
        for stored in database.iter().filter(|stored| stored.age(now) < MAX_AGE) {
            let key = &stored.lsa.header.key;
            match (&stored.body, key.kind) {
                // The database has them in the order of their keys: by kind, then by id.
                (Some(Body::Router(router)), LsaType::Router) if key.id == key.router => {
                    map.routers.push((key.router, router));
                }
                (Some(Body::Network(mask, routers)), LsaType::Network) => {
                    // Where a designated router was renamed there are two for a time, of which the later counts.
                    map.networks.pop_if(|last| last.id == key.id);
                    map.networks.push(Network { id: key.id, mask: *mask, routers });
                }
                (Some(Body::Summary(mask, metric)), LsaType::Summary | LsaType::SummaryAsbr) => {
                    map.summaries.push(Summary { key, mask: *mask, metric: *metric });
                }
                (Some(Body::External(external)), LsaType::External) => map.external.push((key, external)),
                _ => {}
            }
        }
        map.join();
        map
    }

    /// Finds where all links lead.
    fn join(&mut self) {
        let count = self.networks.len() + self.routers.len();
        let mut edges = Vec::new();
        self.begin.reserve_exact(count + 1);
        for vertex in 0..count {
            self.begin.push(edges.len());
            let from = edges.len();
            match self.router(vertex) {
                Some((_, router)) => edges.extend(router.links.iter().filter_map(|link| {
                    let to = match link.kind {
                        RouterLinkKind::Router => self.find_router(link.id),
                        RouterLinkKind::Transit => self.find_network(link.id),
                        RouterLinkKind::Stub | RouterLinkKind::Virtual => None,
                    };
                    Some(Edge { to: to?, metric: link.metric.into(), link: Some(link) })
                })),
                None => edges.extend(
                    self.networks[vertex]
                        .routers
                        .iter()
                        .filter_map(|id| Some(Edge { to: self.find_router(*id)?, metric: 0, link: None })),
                ),
            }
            edges[from..].sort_by_key(|edge| edge.to);
        }
        self.begin.push(edges.len());
        self.edges = edges;
    }

    /// How many vertices there are.
    pub(super) fn len(&self) -> usize {
        self.begin.len() - 1
    }

    /// How many routers and how many networks there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.routers.len(), self.networks.len())
    }

    pub(super) fn find_router(&self, id: Ipv4Addr) -> Option<Vertex> {
        Some(self.networks.len() + self.routers.binary_search_by_key(&id, |(id, _)| *id).ok()?)
    }

    fn find_network(&self, id: Ipv4Addr) -> Option<Vertex> {
        self.networks.binary_search_by_key(&id, |network| network.id).ok()
    }

    /// The router that a vertex is, and what it says.
    pub(super) fn router(&self, vertex: Vertex) -> Option<(Ipv4Addr, &'a RouterLsa)> {
        self.routers.get(vertex.checked_sub(self.networks.len())?).copied()
    }

    /// The network that a vertex is.
    pub(super) fn network(&self, vertex: Vertex) -> Option<Network<'a>> {
        self.networks.get(vertex).copied()
    }

    pub(super) fn edges(&self, from: Vertex) -> &[Edge<'a>] {
        &self.edges[self.begin[from]..self.begin[from + 1]]
    }

    /// Whether a way leads from one vertex to another.
    pub(super) fn leads(&self, from: Vertex, to: Vertex) -> bool {
        self.edges(from).binary_search_by_key(&to, |edge| edge.to).is_ok()
    }
}
