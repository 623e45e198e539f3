//! What the file says of multicast in a router, and what that is at its ports.

use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_network::membership::Settings;
use septet_network::{Iface, Multicast, MulticastRoute, MulticastTarget, Prefix, ToMembers};

use crate::lab::Lab;
use crate::model::node::Node;

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
    fn neighbours(&self) -> impl Iterator<Item = &Neighbour> {
        self.routes.iter().flat_map(|route| {
            let behind = route.from.iter().filter_map(|from| match from {
                Origin::Behind(neighbour) => Some(neighbour),
                Origin::Addresses(_) | Origin::Node(_) => None,
            });
            behind.chain(route.to.iter().map(|(neighbour, _)| neighbour))
        })
    }

    /// Reports nodes that `node` has no link to.
    pub(crate) fn check(&self, node: &Node, nodes: &[Node], mistakes: &mut Mistakes) {
        for Neighbour { node: other, span } in self.neighbours() {
            if ports_to(node, *other).next().is_none() {
                let beside: Vec<String> =
                    node.neighbours.iter().map(|(n, _)| format!("`{}`", nodes[*n].name)).collect();
                let reason = format!("`{}` has no link to `{}`", node.name, nodes[*other].name);
                mistakes.push(
                    Mistake::new("multicast", span.clone(), reason, "not a neighbour")
                        .help(format!("its neighbours are {}", beside.join(", "))),
                );
            }
        }
    }
}

/// The interfaces of `node` whose links lead to `other`.
fn ports_to(node: &Node, other: usize) -> impl Iterator<Item = Iface> + use<'_> {
    let leads = move |link: usize| node.neighbours.contains(&(other, link));
    (0..).zip(&node.ports).filter(move |(_, port)| port.link.is_some_and(leads)).map(|(number, _)| number)
}

impl Lab {
    /// What the router `index` does about multicast.
    pub(crate) fn multicast(&self, index: usize) -> Multicast {
        let node = &self.nodes[index];
        let Some(spec) = node.spec.stack().map(|stack| &stack.multicast) else { return Multicast::default() };
        let route = |spec: &RouteSpec| {
            let mut route = MulticastRoute {
                groups: spec.groups,
                sources: Vec::new(),
                from: None,
                to: Vec::new(),
                members: spec.members,
            };
            for from in &spec.from {
                match from {
                    Origin::Addresses(prefix) => route.sources.push(*prefix),
                    Origin::Node(sender) => {
                        route.sources.extend(self.nodes[*sender].addresses().map(|a| Prefix::host(a.addr())));
                    }
                    Origin::Behind(neighbour) => route.from = ports_to(node, neighbour.node).next(),
                }
            }
            for (neighbour, threshold) in &spec.to {
                let by = ports_to(node, neighbour.node);
                route.to.extend(by.map(|iface| MulticastTarget { iface, threshold: *threshold }));
            }
            route
        };
        Multicast { routes: spec.routes.iter().map(route).collect(), querier: spec.querier }
    }
}
