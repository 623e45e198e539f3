//! The VLANs of switches: which neighbour is in which, and what of it cannot work.

use std::collections::BTreeSet;
use std::sync::Arc;

use septet_datalink::switch::PortMode;
use septet_datalink::vlan::VlanId;
use septet_language::document::{Item, Text, Value};
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::words::{Word, Wrong};

use crate::model::node::{Node, NodeKind, NodeSpec};
use crate::model::topology::Place;
use crate::read::links::Link;
use crate::read::segments::speaks_untagged;
use crate::stage::cards::Management;

/// A neighbour that a switch's table names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    /// The key under which it stands.
    pub(crate) key: &'static str,
    pub(crate) node: usize,
    pub(crate) span: Span,
}

impl Management {
    /// Whether the switch looks at tags.
    pub(crate) fn has_vlans(&self) -> bool {
        !self.vlans.is_empty() || !self.trunks.is_empty()
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

/// Reads `10, 20, 30-39`.
pub(crate) fn list(text: &Text) -> Result<BTreeSet<u16>, Wrong> {
    let number = |word: Word<'_>| {
        let number = word.text.parse::<u16>().ok().filter(|n| VlanId::new(*n).is_some());
        number.ok_or_else(|| {
            Wrong::new("vlan", word.range(), format!("`{}` is not a VLAN", word.text))
                .label("not a VLAN")
                .help("VLANs are numbered from 1 to 4094: `10, 20, 30-39`".to_owned())
        })
    };
    let mut vlans = BTreeSet::new();
    for word in (Word { text: &text.text, at: 0 }).split(",") {
        match word.split_once("-") {
            None => {
                vlans.insert(number(word)?);
            }
            Some((first, last)) => {
                let (from, to) = (number(first)?, number(last)?);
                if from > to {
                    return Err(Wrong::new("vlan", word.range(), format!("the range {from}-{to} runs backwards"))
                        .help(format!("write `{to}-{from}`")));
                }
                vlans.extend(from..=to);
            }
        }
    }
    Ok(vlans)
}

/// Reads a list of VLANs as a string, a number, or a list of these.
pub(crate) fn lists(item: &Item, mistakes: &mut Mistakes) -> BTreeSet<u16> {
    let text = match &item.value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => Text::bare(number.to_string(), item.span.clone()),
        Value::List(items) => return items.iter().flat_map(|item| lists(item, mistakes)).collect(),
        other => {
            let reason = format!("{} is no VLAN", other.what());
            mistakes.push(Mistake::new("type", item.span.clone(), reason, "a number here"));
            return BTreeSet::new();
        }
    };
    list(&text).map_err(|wrong| mistakes.push(wrong.mistake(&text))).unwrap_or_default()
}

/// Reports what the switches' tables say that cannot be, or that does nothing.
pub(crate) fn check(nodes: &[Node], links: &[Link], mistakes: &mut Mistakes) {
    let switches = || nodes.iter().filter(|n| n.kind == NodeKind::Switch);
    // What is said of a range of switches need be true of one of them.
    let mut met: BTreeSet<(usize, usize)> = BTreeSet::new();
    for switch in switches() {
        let beyond: BTreeSet<usize> = switch.neighbours.iter().map(|(node, _)| *node).collect();
        let named = switch.spec.management.named.iter().filter(|named| beyond.contains(&named.node));
        met.extend(named.map(|named| (named.span.start, named.node)));
    }
    let mut last: Option<&Arc<NodeSpec>> = None;
    for switch in switches() {
        if last.is_some_and(|last| Arc::ptr_eq(last, &switch.spec)) {
            continue;
        }
        last = Some(&switch.spec);
        for named in &switch.spec.management.named {
            if met.contains(&(named.span.start, named.node)) {
                check_named(nodes, &switch.spec.management, named, mistakes);
            } else {
                let names: Vec<&str> =
                    switch.neighbours.iter().map(|(node, _)| nodes[*node].name.as_str()).take(9).collect();
                let reason = format!("no link joins `{}` and `{}`", switch.name, nodes[named.node].name);
                mistakes.push(
                    Mistake::new("neighbour", named.span.clone(), reason, "no neighbour")
                        .help(format!("its neighbours: {}", names.join(", "))),
                );
            }
        }
    }
    for link in links {
        for (own, beyond) in [(link.ends[0], link.ends[1]), (link.ends[1], link.ends[0])] {
            match (nodes[own.node].kind, nodes[beyond.node].kind) {
                (NodeKind::Switch, NodeKind::Switch) if own < beyond => check_trunk(nodes, own, beyond, mistakes),
                (NodeKind::Host | NodeKind::Router, _) => check_port(nodes, own, beyond, mistakes),
                _ => {}
            }
        }
    }
}

/// What the keys of one switch say of one neighbour.
fn check_named(nodes: &[Node], spec: &Management, named: &Named, mistakes: &mut Mistakes) {
    let Named { key, node, span } = named;
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

/// Where two switches disagree about frames without a tag.
fn check_trunk(nodes: &[Node], a: Place, b: Place, mistakes: &mut Mistakes) {
    let mode = |own: Place, beyond: Place| nodes[own.node].spec.management.mode(beyond.node);
    let (Some(here), Some(there)) = (mode(a, b), mode(b, a)) else { return };
    if here.untagged() == there.untagged() {
        return;
    }
    let named = |own: Place, beyond: Place| {
        nodes[own.node].spec.management.named.iter().find(|named| named.node == beyond.node).map(|n| n.span.clone())
    };
    let Some(span) = named(a, b).or_else(|| named(b, a)) else { return };
    let show = |own: Place, mode: &PortMode| match mode.untagged() {
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
fn check_port(nodes: &[Node], own: Place, beyond: Place, mistakes: &mut Mistakes) {
    let node = &nodes[own.node];
    let mode = nodes[beyond.node].spec.management.mode(own.node);
    let spec = node.spec.ports.get(&own.port);
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
    let kind = node.kind.as_str();
    let given = spec.and_then(|p| p.address.clone()).or_else(|| {
        let alone = node.ports.len() == 1;
        node.spec.address.clone().filter(|_| alone)
    });
    let mend = format!(
        "write `[{kind}.{name}.eth{}.10]` for its interface in VLAN 10, or `native = {{ {name} = 10 }}` for `{switch}`",
        own.port
    );
    if let Some((_, span)) = given {
        let reason = format!("`{switch}` sends `{name}` only frames with tags: the port itself cannot use an address");
        mistakes.push(Mistake::new("vlan", span, reason, "of which VLAN?").help(mend));
    } else if node.kind == NodeKind::Host && node.ports[usize::from(own.port)].vlans.is_empty() {
        let named = &nodes[beyond.node].spec.management.named;
        let span = named.iter().find(|named| named.key == "trunks" && named.node == own.node).map(|n| n.span.clone());
        let reason = format!("`{name}` is behind a trunk of `{switch}`, and has no interface in any VLAN");
        mistakes.push(Mistake::new("vlan", span.unwrap_or_default(), reason, "it hears nothing").help(mend).warning());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u16>, String> {
        let text = Text::bare(text.to_owned(), 0..text.len());
        list(&text).map(|set| set.into_iter().collect()).map_err(|wrong| wrong.refusal.reason)
    }

    #[test]
    fn lists_of_vlans() {
        assert_eq!(read("10, 20,30-32").unwrap(), [10, 20, 30, 31, 32]);
        assert_eq!(read("4094").unwrap(), [4094]);
        for wrong in ["", "0", "4095", "10-", "20-10", "ten", "10 20"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
