//! Who hears whom at storey 2: what cables, hubs and switches join is one segment, and of a switch with VLANs each VLAN is
//! one of its own.

use std::collections::{BTreeMap, BTreeSet};

use septet_datalink::switch::PortMode;
use septet_datalink::vlan::VlanId;

use crate::model::address::{Given, Seat, Segment, Spot};
use crate::model::link::Link;
use crate::model::node::{GivenAddress, Node, NodeKind, Subinterface};
use crate::model::topology::PortRef;

/// The segments, in the order of their first links; on one link what travels without a tag comes before VLANs, in their
/// order. A router's port at a trunk gets an interface for each VLAN that has stations, unless the file names those that it
/// is to have.
pub(crate) fn segments(nodes: &mut [Node], links: &[Link]) -> Vec<Segment> {
    let mut lines = Lines::new(nodes, links);
    lines.join(nodes);
    let mut seats: BTreeMap<usize, Vec<Seat>> = BTreeMap::new();
    let mut greedy = Vec::new();
    for (index, link) in links.iter().enumerate() {
        for (place, beyond) in [(link.ends[0], link.ends[1]), (link.ends[1], link.ends[0])] {
            let node = &nodes[place.node];
            if node.kind().joins_links() {
                continue;
            }
            if speaks_untagged(nodes, place, beyond) {
                let segment = lines.of(index, None);
                seats.entry(segment).or_default().push(seat(node, place, None));
            }
            let port = &node.ports[usize::from(place.port)];
            for sub in &port.vlans {
                if let Some(segment) = lines.tagged(index, sub.vlan) {
                    seats.entry(segment).or_default().push(seat(node, place, Some(sub.vlan)));
                }
            }
            if port.vlans.is_empty() && node.kind() == NodeKind::Router {
                greedy.push((index, place));
            }
        }
    }
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.kind() == NodeKind::L3Switch) {
        // The port inside is the last.
        let place = PortRef { node: index, port: node.ports.len() as u16 - 1 };
        for sub in node.ports.last().into_iter().flat_map(|port| &port.vlans) {
            if let Some(segment) = lines.in_switch(node, sub.vlan) {
                seats.entry(segment).or_default().push(seat(node, place, Some(sub.vlan)));
            }
        }
    }
    let inhabited: BTreeSet<usize> = seats.keys().copied().collect();
    for (index, place) in greedy {
        for vlan in lines.tags.clone() {
            let segment = lines.tagged(index, vlan).filter(|segment| inhabited.contains(segment));
            let Some(segment) = segment.filter(|_| lines.is_trunk(nodes, links, index, place, vlan)) else { continue };
            nodes[place.node].ports[usize::from(place.port)].vlans.push(Subinterface::new(vlan));
            seats.entry(segment).or_default().push(seat(&nodes[place.node], place, Some(vlan)));
        }
    }
    let segments: Vec<Segment> = seats
        .into_values()
        .map(|mut seats| {
            // Routers first, then hosts, each in the order of the file.
            seats.sort_by_key(|s| (!s.router, s.spot));
            Segment { seats }
        })
        .collect();
    for (number, segment) in segments.iter().enumerate() {
        for Spot { place, vlan } in segment.seats.iter().map(|seat| seat.spot) {
            let port = &mut nodes[place.node].ports[usize::from(place.port)];
            match vlan {
                None => port.segment = number,
                Some(vlan) => port.vlans.iter_mut().filter(|sub| sub.vlan == vlan).for_each(|sub| sub.segment = number),
            }
        }
    }
    segments
}

/// Whether what `place` sends without a tag gets anywhere: a trunk without a native VLAN takes none of it.
pub(crate) fn speaks_untagged(nodes: &[Node], place: PortRef, beyond: PortRef) -> bool {
    !matches!(nodes[beyond.node].mode(place.node), Some(PortMode::Trunk { native: None, .. }))
}

fn seat(node: &Node, place: PortRef, vlan: Option<u16>) -> Seat {
    Seat {
        spot: Spot { place, vlan },
        router: node.kind().routes(),
        versions: node.versions,
        given: given(node, place.port, vlan).to_vec(),
    }
}

/// What the file says of the addresses of an interface.
fn given(node: &Node, number: u16, vlan: Option<u16>) -> &[GivenAddress] {
    let stack = node.spec.stack();
    let port = node.port_spec(number);
    let given = match vlan {
        Some(vlan) => {
            let of_port = port.and_then(|p| p.vlans.get(&vlan)).map(|sub| &sub.addresses).filter(|own| !own.is_empty());
            of_port.or_else(|| stack.and_then(|stack| stack.of_vlans.get(&vlan)))
        }
        None => {
            let of_all = || stack.map(|stack| &stack.addresses).filter(|_| node.ports.len() == 1);
            port.map(|port| &port.addresses).filter(|own| !own.is_empty()).or_else(of_all)
        }
    };
    given.map_or(&[], |all| all)
}

/// The interfaces of a node that ask for their addresses by DHCP.
pub(crate) fn dhcp_clients(node: &Node) -> Vec<String> {
    let asks = |number, vlan| given(node, number, vlan).iter().any(|(given, _)| *given == Given::Dhcp);
    let mut names = Vec::new();
    let first = (node.ports.len() - node.stack_ports().len()) as u16;
    for (number, port) in (first..).zip(node.stack_ports()) {
        let name = node.stack_port(number);
        names.extend(asks(number, None).then(|| format!("eth{name}")));
        let vlans = port.vlans.iter().filter(|sub| asks(number, Some(sub.vlan)));
        names.extend(vlans.map(|sub| format!("eth{name}.{}", sub.vlan)));
    }
    names
}

/// Links, each as many times as there are kinds of frames on it (without a tag, and of each VLAN), and which of them a
/// switch makes one: a union-find.
struct Lines {
    parent: Vec<usize>,
    /// Where those of a link begin.
    first: Vec<usize>,
    /// Whether a link has some for VLANs too.
    has_tags: Vec<bool>,
    /// All VLANs that the file names, in order, and the one of ports of which nothing is said.
    tags: Vec<u16>,
}

impl Lines {
    fn new(nodes: &[Node], links: &[Link]) -> Self {
        let mut tags = BTreeSet::new();
        for node in nodes {
            if let Some(switch) = node.spec.switch() {
                tags.extend(switch.has_vlans().then_some(VlanId::DEFAULT.get()));
                tags.extend(switch.named_vlans());
            }
            tags.extend(node.ports.iter().flat_map(|port| &port.vlans).map(|sub| sub.vlan));
        }
        let tags: Vec<u16> = tags.into_iter().collect();
        let (mut first, mut has_tags, mut next) = (Vec::new(), Vec::new(), 0);
        for link in links {
            let carries_tags = |own: PortRef, beyond: PortRef| {
                let node = &nodes[own.node];
                let is_plain = node.kind().joins_links() && !node.looks_at_tags();
                let has_subinterfaces =
                    !node.kind().joins_links() && !node.ports[usize::from(own.port)].vlans.is_empty();
                let mode = node.mode(beyond.node);
                is_plain || has_subinterfaces || matches!(mode, Some(PortMode::Trunk { .. }))
            };
            let tagged = !tags.is_empty()
                && (carries_tags(link.ends[0], link.ends[1]) || carries_tags(link.ends[1], link.ends[0]));
            first.push(next);
            has_tags.push(tagged);
            next += 1 + if tagged { tags.len() } else { 0 };
        }
        Self { parent: (0..next).collect(), first, has_tags, tags }
    }

    /// Joins what each hub and switch joins.
    fn join(&mut self, nodes: &[Node]) {
        for node in nodes.iter().filter(|n| n.kind().joins_links()) {
            let plugged: Vec<usize> = node.ports.iter().filter_map(|p| p.link).collect();
            if !node.looks_at_tags() {
                // What looks at no tag passes all on as it came.
                self.unite(plugged.iter().map(|link| self.first[*link]).collect());
                for at in 0..self.tags.len() {
                    let tagged = plugged.iter().filter(|link| self.has_tags[**link]);
                    self.unite(tagged.map(|link| self.first[*link] + 1 + at).collect());
                }
                continue;
            }
            for at in 0..self.tags.len() {
                let vlan = self.tags[at];
                let ports = node.neighbours.iter().filter_map(|(beyond, link)| {
                    let mode = node.mode(*beyond)?;
                    match mode {
                        _ if mode.untagged().map(VlanId::get) == Some(vlan) => Some(self.first[*link]),
                        PortMode::Trunk { .. } if VlanId::new(vlan).is_some_and(|vlan| mode.carries(vlan)) => {
                            Some(self.first[*link] + 1 + at)
                        }
                        _ => None,
                    }
                });
                let ports = ports.collect();
                self.unite(ports);
            }
        }
    }

    fn unite(&mut self, all: Vec<usize>) {
        for pair in all.windows(2) {
            let (a, b) = (self.root(pair[0]), self.root(pair[1]));
            // The smaller number wins, so that the order of the file decides.
            self.parent[a.max(b)] = a.min(b);
        }
    }

    fn root(&mut self, mut of: usize) -> usize {
        while self.parent[of] != of {
            self.parent[of] = self.parent[self.parent[of]];
            of = self.parent[of];
        }
        of
    }

    /// The segment of what travels on a link without a tag, or in a VLAN by its place in `tags`.
    fn of(&mut self, link: usize, tag: Option<usize>) -> usize {
        self.root(self.first[link] + tag.map_or(0, |at| 1 + at))
    }

    /// The segment of a VLAN on a link; `None` where no tags are on it.
    fn tagged(&mut self, link: usize, vlan: u16) -> Option<usize> {
        let at = self.tags.binary_search(&vlan).ok().filter(|_| self.has_tags[link])?;
        Some(self.of(link, Some(at)))
    }

    /// The segment of a VLAN in a switch that looks at tags; `None` where it has no port in it.
    fn in_switch(&mut self, node: &Node, vlan: u16) -> Option<usize> {
        let id = VlanId::new(vlan)?;
        node.neighbours.iter().find_map(|(beyond, link)| match node.mode(*beyond)? {
            mode if mode.untagged() == Some(id) => Some(self.of(*link, None)),
            mode @ PortMode::Trunk { .. } if mode.carries(id) => self.tagged(*link, vlan),
            _ => None,
        })
    }

    /// Whether the switch at the other end of a router's link sends it this VLAN with a tag.
    fn is_trunk(&self, nodes: &[Node], links: &[Link], link: usize, place: PortRef, vlan: u16) -> bool {
        let beyond = links[link].ends.iter().find(|end| **end != place);
        let mode = beyond.and_then(|end| nodes[end.node].mode(place.node));
        let Some((PortMode::Trunk { native, .. }, vlan)) = mode.as_ref().zip(VlanId::new(vlan)) else { return false };
        *native != Some(vlan) && mode.as_ref().is_some_and(|mode| mode.carries(vlan))
    }
}
