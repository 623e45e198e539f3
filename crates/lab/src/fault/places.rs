//! Where a filter looks at packets: at the end of a link, at a port, or at all ports of a node.

use septet_engine::Side;
use septet_host::middlebox::Voice;
use septet_language::words::{Word, Wrong};
use septet_network::filter::Framing;

use crate::fault::damage::Gate;
use crate::model::layout::Layout;
use crate::model::link_text;
use crate::model::topology::PortRef;

/// One gate where a filter stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) gate: Gate,
    pub(super) scope: Scope,
    pub(super) framing: Framing,
    /// Who would answer there.
    pub(super) voice: Voice,
}

/// Which of the packets that come through a gate are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// All.
    All,
    /// Those that the node itself made: what it passes on was looked at when it came.
    Own,
}

/// Which way packets go at a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// What arrives.
    In,
    /// What leaves.
    Out,
}

/// The gates that `word` stands for: `r1--r2` the far ends of both directions, `r1->r2` of one, `r1.eth0` a port, `r1` all
/// ports of a node. At a port what arrives is looked at and what the node itself sends, unless `way` says otherwise.
pub(super) fn spots(lab: Layout<'_>, word: Word<'_>, way: Option<(Way, Word<'_>)>) -> Result<Vec<Spot>, Wrong> {
    if word.text.contains("--") || word.text.contains("->") {
        let links = lab.topology.links(word)?;
        if let Some((_, said)) = way {
            return Err(Wrong::new("filter", said.range(), format!("`{}` is said of a node or its port", said.text))
                .label("not of a link")
                .help("one direction of a link is written `r1->r2`".to_owned()));
        }
        let ways = links.iter().flat_map(|link| link.ways.directions().iter().map(|way| (link.link, *way)));
        return Ok(ways.map(|(link, way)| spot(lab, Gate { link, way, side: Side::In }, Scope::All)).collect());
    }
    let (name, port) = match link_text::split_port(word) {
        Some((name, port)) => (name, Some((link_text::port(port)?, port))),
        None => (word, None),
    };
    let mut found = Vec::new();
    for node in lab.topology.nodes(name)? {
        if let Some((number, port)) = port
            && !lab.topology.has_port(node, number)
        {
            let reason = format!("`{}` has no port eth{number}", lab.topology.name(node));
            return Err(Wrong::new("port", port.range(), reason).label("no such port"));
        }
        found.extend(of_node(lab, node, port.map(|(number, _)| number), way.map(|(way, _)| way)));
    }
    Ok(found)
}

/// The gates at all ports of a node, or at one.
pub(super) fn of_node(lab: Layout<'_>, node: usize, port: Option<u16>, way: Option<Way>) -> Vec<Spot> {
    let mut found = Vec::new();
    let plugged = lab.nodes[node].ports.iter().enumerate().filter_map(|(number, p)| Some((number as u16, p.link?)));
    for (number, link) in plugged.filter(|(number, _)| port.is_none_or(|only| only == *number)) {
        let leaves = usize::from(lab.links[link].ends[1] == PortRef { node, port: number });
        let arriving = Gate { link, way: 1 - leaves, side: Side::In };
        let leaving = Gate { link, way: leaves, side: Side::Out };
        match way {
            Some(Way::In) => found.push(spot(lab, arriving, Scope::All)),
            Some(Way::Out) => found.push(spot(lab, leaving, Scope::All)),
            None => found.extend([spot(lab, arriving, Scope::All), spot(lab, leaving, Scope::Own)]),
        }
    }
    found
}

fn spot(lab: Layout<'_>, gate: Gate, scope: Scope) -> Spot {
    let link = &lab.links[gate.link];
    let serial =
        link.cables[gate.way].serial.is_some() && link.ends.iter().all(|e| lab.nodes[e.node].kind().has_addresses());
    // A direction leads from its end of the same number to the other.
    let at = link.ends[if gate.side == Side::Out { gate.way } else { 1 - gate.way }];
    let own = lab.nodes[at.node].ports[usize::from(at.port)].known_addresses();
    let voice = Voice::of(own.iter().map(|cidr| cidr.addr()));
    Spot { gate, scope, framing: if serial { Framing::Serial } else { Framing::Ethernet }, voice }
}
