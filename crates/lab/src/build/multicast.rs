//! What a router does about multicast, from what the file says.

use septet_network::{Multicast, MulticastRoute, MulticastTarget, Prefix};

use crate::lab::Lab;
use crate::model::multicast::{Origin, RouteSpec};

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
                    Origin::Behind(neighbour) => route.from = node.interfaces_to(neighbour.node).first().copied(),
                }
            }
            for (neighbour, threshold) in &spec.to {
                let by = node.interfaces_to(neighbour.node).into_iter();
                route.to.extend(by.map(|iface| MulticastTarget { iface, threshold: *threshold }));
            }
            route
        };
        Multicast { routes: spec.routes.iter().map(route).collect(), querier: spec.querier.map(Box::new) }
    }
}
