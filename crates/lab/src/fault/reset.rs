//! `reset client->web1 port 80`: living TCP connections end as if a box in the middle had reset them.
//!
//! With a window whatever is sent on such a connection meanwhile is answered so too: that also reaches the connections of
//! programs whose TCP is not ours.

use std::net::{IpAddr, SocketAddr};

use septet_core::{Frame, FrameId, Instant};
use septet_engine::{Filter, Verdict};
use septet_host::Host;
use septet_host::middlebox::{self, Endpoint};
use septet_language::words::{Word, Words, Wrong};
use septet_network::filter::Headers;

use crate::fault::injector::{Injector, Kin};
use crate::fault::kind::{Context, Effect, FaultKind, Plan};
use crate::fault::places::{self, Scope, Spot};

/// Ends connections.
pub(super) const RESET: FaultKind =
    FaultKind::new("reset", "10s: reset client->web1; `reset web1 port 443`", "fault.reset", read);

/// Reads whose connections: those of nodes, or between some and others.
fn read(words: &mut Words<'_>, context: &Context<'_>) -> Result<Plan, Wrong> {
    let word = words.expect("a node, or two", "`reset client->web1`")?;
    let nodes = |word: Word<'_>| -> Result<Vec<usize>, Wrong> {
        let found = context.lab.topology.nodes(word)?;
        let deaf = found.iter().find(|node| !context.lab.nodes[**node].kind().has_addresses());
        match deaf {
            Some(node) => {
                let reason = format!("`{}` has no connections", context.lab.topology.name(*node));
                Err(Wrong::new("fault", word.range(), reason).label("neither a host nor a router"))
            }
            None => Ok(found),
        }
    };
    let between = word.split_once("->").or_else(|| word.split_once("--"));
    let (one, other) = match between {
        Some((one, other)) => (nodes(one)?, Some(nodes(other)?)),
        None => (nodes(word)?, None),
    };
    let mut ports = Vec::new();
    if words.take("port") {
        let list = words.expect("a port", "`port 80`")?;
        for word in list.split(",") {
            let wrong = || Wrong::new("fault", word.range(), format!("`{}` is no port", word.text)).label("not a port");
            ports.push(word.text.parse::<u16>().map_err(|_| wrong())?);
        }
    }
    let addresses = |nodes: Vec<usize>| -> Vec<IpAddr> {
        nodes.iter().flat_map(|node| context.lab.nodes[*node].known_addresses()).map(|cidr| cidr.addr()).collect()
    };
    let mut spots = Vec::new();
    if context.until.is_some() {
        for &node in one.iter().chain(other.iter().flatten()) {
            spots.extend(places::of_node(context.lab, node, None, None));
        }
    }
    let whose = Whose { one: addresses(one), other: other.map(addresses), ports };
    Ok(context.throughout(Reset { whose, spots }))
}

/// Connections that end.
#[derive(Debug)]
struct Reset {
    whose: Whose,
    /// Where it is seen that one goes on.
    spots: Vec<Spot>,
}

/// Whose connections are meant.
#[derive(Clone, Debug)]
struct Whose {
    one: Vec<IpAddr>,
    /// The other end's addresses, where they are told.
    other: Option<Vec<IpAddr>>,
    /// Only those with one of these ports at either end, where any are told.
    ports: Vec<u16>,
}

impl Whose {
    fn means(&self, here: SocketAddr, there: SocketAddr) -> bool {
        let (a, b) = (here.ip(), there.ip());
        let between = match &self.other {
            None => self.one.contains(&a) || self.one.contains(&b),
            Some(other) => {
                (self.one.contains(&a) && other.contains(&b)) || (self.one.contains(&b) && other.contains(&a))
            }
        };
        between && (self.ports.is_empty() || [here, there].iter().any(|end| self.ports.contains(&end.port())))
    }
}

impl Effect for Reset {
    fn begin(&self, with: &mut Injector<'_>) {
        let mut resets = Vec::new();
        for node in 0..with.nodes() {
            let Some(host) = with.world.station::<Host>(with.station(node)) else { continue };
            for flow in host.flows().into_iter().filter(|flow| self.whose.means(flow.local, flow.remote)) {
                resets.extend(with.port_of(node, flow.local.ip()).map(|port| (node, port, flow)));
            }
        }
        // First all are looked at, then all are told: none has yet heard of the other's end.
        for (node, port, flow) in resets {
            let (mac, beyond) = (with.mac(node, port), with.mac_towards(node, port, flow.remote.ip()));
            let end = |mac, of: SocketAddr| Endpoint { mac, address: of.ip(), port: of.port() };
            if let Some(reset) =
                middlebox::reset(end(mac, flow.local), end(beyond, flow.remote), flow.expected, flow.sent)
            {
                with.receive(node, port, reset);
            }
        }
        for spot in &self.spots {
            with.filter(spot.gate, Box::new(Judge { spot: *spot, whose: self.whose.clone() }), Kin::Nobody);
        }
    }
}

struct Judge {
    spot: Spot,
    whose: Whose,
}

impl Filter for Judge {
    fn judge(&mut self, _: Instant, frame: &Frame) -> Verdict {
        if self.spot.scope == Scope::Own && frame.id != FrameId(0) {
            return Verdict::Pass;
        }
        let headers = Headers::read(frame.bytes(), self.spot.framing);
        let (Some(src), Some(dst), Some((from, to)), true) =
            (headers.src, headers.dst, headers.ports, headers.flags.is_some())
        else {
            return Verdict::Pass;
        };
        if !self.whose.means(SocketAddr::new(src, from), SocketAddr::new(dst, to)) {
            return Verdict::Pass;
        }
        match middlebox::reset_both(frame) {
            Some((back, on)) => Verdict::answer(Some(back), Some(on)),
            None => Verdict::Pass,
        }
    }
}
