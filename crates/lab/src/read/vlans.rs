//! The VLANs of switches: which neighbour is in which, and what of it cannot work.

use std::collections::BTreeSet;
use std::sync::Arc;

use septet_datalink::switch::PortMode;
use septet_datalink::vlan::VlanId;
use septet_language::mistake::{Mistake, Mistakes};

use crate::model::link::Link;
use crate::model::node::{Node, NodeKind, NodeSpec};
use crate::model::switch::{NamedNeighbour, SwitchSpec};
use crate::model::topology::PortRef;
use crate::read::segments::speaks_untagged;

/// Reports what the switches' tables say that cannot be, or that does nothing.
pub(crate) fn check(nodes: &[Node], links: &[Link], mistakes: &mut Mistakes) {
    let switches = || nodes.iter().filter_map(|node| Some((node, node.spec.switch()?)));
    // What is said of a range of switches need be true of one of them.
    let mut met: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (node, switch) in switches() {
        let beyond: BTreeSet<usize> = node.neighbours.iter().map(|(node, _)| *node).collect();
        let named = switch.named.iter().filter(|named| beyond.contains(&named.node));
        met.extend(named.map(|named| (named.span.start, named.node)));
    }
    let mut last: Option<&Arc<NodeSpec>> = None;
    for (node, switch) in switches() {
        if last.replace(&node.spec).is_some_and(|last| Arc::ptr_eq(last, &node.spec)) {
            continue;
        }
        for named in &switch.named {
            if met.contains(&(named.span.start, named.node)) {
                check_named(nodes, switch, named, mistakes);
            } else {
                let names: Vec<&str> =
                    node.neighbours.iter().map(|(node, _)| nodes[*node].name.as_str()).take(9).collect();
                let reason = format!("no link joins `{}` and `{}`", node.name, nodes[named.node].name);
                mistakes.push(
                    Mistake::new("neighbour", named.span.clone(), reason, "no neighbour")
                        .help(format!("its neighbours: {}", names.join(", "))),
                );
            }
        }
    }
    for link in links {
        for (own, beyond) in [(link.ends[0], link.ends[1]), (link.ends[1], link.ends[0])] {
            match (nodes[own.node].kind(), nodes[beyond.node].kind()) {
                (NodeKind::Switch | NodeKind::L3Switch, NodeKind::Switch | NodeKind::L3Switch) if own < beyond => {
                    check_trunk(nodes, own, beyond, mistakes)
                }
                (NodeKind::Host | NodeKind::Router, _) => check_port(nodes, own, beyond, mistakes),
                _ => {}
            }
        }
    }
}

/// What the keys of one switch say of one neighbour.
fn check_named(nodes: &[Node], spec: &SwitchSpec, named: &NamedNeighbour, mistakes: &mut Mistakes) {
    let NamedNeighbour { key, node, span } = named;
    let name = &nodes[*node].name;
    if *key == "vlans" && spec.trunks.contains(node) {
        let number = spec.vlans.get(node).copied().unwrap_or_default();
        let reason = format!("`{name}` is in VLAN {number} here and behind a trunk, which carries all");
        let help =
            format!("take it out of `trunks`, or give the trunk a native VLAN: `native = {{ {name} = {number} }}`");
        mistakes.push(Mistake::new("neighbour", span.clone(), reason, "one or the other").help(help));
    } else if matches!(*key, "native" | "allowed") && !spec.trunks.contains(node) {
        let reason = format!("`{key}` is said of a trunk, and `{name}` is behind none");
        let help = format!("write `trunks = \"{name}\"` beside it");
        mistakes.push(Mistake::new("neighbour", span.clone(), reason, "not a trunk").help(help));
    }
}

/// Whom a switch's table names; of another node nobody.
fn named(nodes: &[Node], place: PortRef) -> impl Iterator<Item = &NamedNeighbour> {
    nodes[place.node].spec.switch().into_iter().flat_map(|switch| &switch.named)
}

/// Where two switches disagree about frames without a tag.
fn check_trunk(nodes: &[Node], a: PortRef, b: PortRef, mistakes: &mut Mistakes) {
    let mode = |own: PortRef, beyond: PortRef| nodes[own.node].mode(beyond.node);
    let (Some(here), Some(there)) = (mode(a, b), mode(b, a)) else { return };
    if here.untagged() == there.untagged() {
        return;
    }
    let place = |own: PortRef, beyond: PortRef| {
        named(nodes, own).find(|named| named.node == beyond.node).map(|named| named.span.clone())
    };
    let Some(span) = place(a, b).or_else(|| place(b, a)) else { return };
    let show = |own: PortRef, mode: &PortMode| match mode.untagged() {
        Some(vlan) => format!("`{}` takes frames without a tag for VLAN {vlan}", nodes[own.node].name),
        None => format!("`{}` takes no frame without a tag", nodes[own.node].name),
    };
    mistakes.push(
        Mistake::new(
            "native-vlan",
            span,
            format!("{}, and {}", show(a, &here), show(b, &there)),
            "the two ends of this link differ",
        )
        .help("let both be trunks with the same `native`, or both in one VLAN".to_owned())
        .warning(),
    );
}

/// What stands at a port of a host or router against what comes over its link.
fn check_port(nodes: &[Node], own: PortRef, beyond: PortRef, mistakes: &mut Mistakes) {
    let node = &nodes[own.node];
    let mode = nodes[beyond.node].mode(own.node);
    let stack = node.spec.stack();
    let spec = stack.and_then(|stack| stack.ports.get(&own.port));
    let (name, switch) = (&node.name, &nodes[beyond.node].name);
    for (vlan, sub) in spec.into_iter().flat_map(|port| &port.vlans) {
        let Some(mode) = &mode else { continue };
        let id = VlanId::new(*vlan).filter(|id| mode.carries(*id));
        let (reason, help) = match (mode, id) {
            (PortMode::Access(other), _) => (
                format!("`{switch}` gives `{name}` VLAN {other}, without tags, and no other"),
                format!("write `trunks = \"{name}\"` for `{switch}`"),
            ),
            (_, None) => (
                format!("the trunk from `{switch}` to `{name}` does not carry VLAN {vlan}"),
                format!("add it to `allowed` of `{switch}`"),
            ),
            (_, Some(id)) if mode.untagged() == Some(id) => (
                format!("VLAN {vlan} is native on this trunk: its frames have no tag"),
                format!("they are those of the port itself, eth{}", own.port),
            ),
            _ => continue,
        };
        mistakes.push(Mistake::new("vlan", sub.span.clone(), reason, "nothing comes in here").help(help));
    }
    if speaks_untagged(nodes, own, beyond) {
        return;
    }
    let kind = node.kind().as_str();
    let given = spec.and_then(|p| p.addresses.first()).or_else(|| {
        let alone = node.ports.len() == 1;
        stack.and_then(|stack| stack.addresses.first()).filter(|_| alone)
    });
    let mend = format!(
        "write `[{kind}.{name}.eth{}.10]` for its interface in VLAN 10, or `native = {{ {name} = 10 }}` for `{switch}`",
        own.port
    );
    if let Some((_, span)) = given {
        let reason = format!("`{switch}` sends `{name}` only frames with tags: the port itself cannot use an address");
        mistakes.push(Mistake::new("vlan", span.clone(), reason, "of which VLAN?").help(mend));
    } else if node.kind() == NodeKind::Host && node.ports[usize::from(own.port)].vlans.is_empty() {
        let span =
            named(nodes, beyond).find(|named| named.key == "trunks" && named.node == own.node).map(|n| n.span.clone());
        let reason = format!("`{name}` is behind a trunk of `{switch}`, and has no interface in any VLAN");
        mistakes.push(Mistake::new("vlan", span.unwrap_or_default(), reason, "it hears nothing").help(mend).warning());
    }
}
