//! The nodes of a lab, and how their tables are read.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use septet_datalink::vlan::VlanId;
use septet_host::Listening;
use septet_language::document::{Item, Table, Text, Value};
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::names;
use septet_language::words::Word;
use septet_network::Cidr;
use septet_transport::tcp;

use crate::model::address::{self, Cidr4};
use crate::model::command::{self, Command};
use crate::model::medium;
use crate::model::topology::Topology;
use crate::read::listeners;
use crate::service::{self, Service};
use crate::stage::cards::{Duplex, Management};

/// A node of a lab.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, which is also its DNS name in the domain `lab`.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Its ports, by number.
    pub ports: Vec<Port>,
    /// The node at the other end of each of its links, and the link, by port.
    pub(crate) neighbours: Vec<(usize, usize)>,
    /// What the file says of it; nodes of one range share it.
    pub spec: Arc<NodeSpec>,
}

impl Node {
    /// Its addresses: of each port, then of the VLANs at it.
    pub fn addresses(&self) -> impl Iterator<Item = Cidr> + '_ {
        let of = |port: &Port| port.address.into_iter().chain(port.vlans.iter().filter_map(|s| s.address)).collect();
        self.ports.iter().flat_map(of as fn(&Port) -> Vec<Cidr>)
    }
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NodeKind {
    /// A repeater.
    Hub,
    /// A learning switch.
    Switch,
    /// A host that forwards.
    Router,
    /// A host.
    Host,
}

impl NodeKind {
    /// The kinds, by the name of their section.
    pub(crate) const SECTIONS: [(&'static str, Self); 4] =
        [("hub", Self::Hub), ("switch", Self::Switch), ("router", Self::Router), ("host", Self::Host)];

    /// The name of its section.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Switch => "switch",
            Self::Router => "router",
            Self::Host => "host",
        }
    }

    /// Whether it has addresses, or only joins links.
    pub fn has_addresses(self) -> bool {
        match self {
            Self::Hub | Self::Switch => false,
            Self::Router | Self::Host => true,
        }
    }
}

/// A port of a node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Port {
    /// The link that is plugged in, as an index into [`Lab::links`](crate::Lab::links).
    pub link: Option<usize>,
    /// The link address.
    pub mac: [u8; 6],
    /// The IPv4 address; switches have none, nor has a port at a trunk that takes only frames with tags.
    pub address: Option<Cidr>,
    /// Its interfaces for single VLANs.
    pub vlans: Vec<Subinterface>,
    /// The largest packet that it sends, in bytes.
    pub mtu: u16,
}

/// An interface for one VLAN at a port (802.1Q).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subinterface {
    /// The VLAN, `1..=4094`.
    pub vlan: u16,
    /// The IPv4 address.
    pub address: Option<Cidr>,
}

/// What the file says of a node, or of all nodes of a range.
#[derive(Clone, Debug, Default)]
pub struct NodeSpec {
    /// The defaults of its TCP.
    pub tcp: Arc<tcp::Config>,
    /// How its programs and services listen.
    pub listening: Arc<Listening>,
    /// The programs it runs.
    pub commands: Vec<Command>,
    /// The services it offers.
    pub services: Vec<Arc<dyn Service>>,
    /// How long a switch remembers an address.
    pub ageing: Option<Duration>,
    /// How many addresses a switch remembers.
    pub table: Option<usize>,
    /// VLANs, spanning tree, mirroring and flow control of a switch.
    pub management: Management,
    /// Whether a host's ports send and receive at once.
    pub duplex: Duplex,
    /// How long a host takes from the end of a frame to its answer, where the file says so.
    pub turnaround: Option<Duration>,
    pub(crate) address: Option<(Cidr4, Span)>,
    pub(crate) mtu: Option<u16>,
    pub(crate) ports: BTreeMap<u16, PortSpec>,
    /// A real program that takes the host's place when the lab is live.
    pub exec: Option<String>,
    /// A TAP interface that takes the host's place when the lab is live.
    pub tap: Option<String>,
    pub(crate) gateway: Option<Text>,
    pub(crate) resolvers: Option<Vec<Text>>,
}

/// What the file says of a port.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortSpec {
    pub(crate) address: Option<(Cidr4, Span)>,
    pub(crate) mtu: Option<u16>,
    pub(crate) vlans: BTreeMap<u16, VlanSpec>,
    pub(crate) span: Span,
}

/// What the file says of a VLAN at a port.
#[derive(Clone, Debug, Default)]
pub(crate) struct VlanSpec {
    pub(crate) address: Option<(Cidr4, Span)>,
    pub(crate) span: Span,
}

/// A node's declaration: its name and its table.
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) kind: NodeKind,
    /// Shared by the nodes of a range.
    pub(crate) table: Arc<Table>,
    /// Its key in the file, which may be a range.
    pub(crate) key: String,
    pub(crate) span: Span,
}

/// All nodes that the file declares, in its order, their ranges expanded. A node that is declared by name and as part
/// of a range has the keys of both; its own go before those of the range.
pub(crate) fn declared(root: &Table, mistakes: &mut Mistakes) -> Vec<Declared> {
    let mut sections = Vec::new();
    for (section, kind) in NodeKind::SECTIONS {
        for (name, item) in root.table(section).map(|t| t.entries.as_slice()).unwrap_or_default() {
            // What is not a table has been reported.
            let Item { value: Value::Table(table), .. } = item else { continue };
            match names::expand(Word { text: &name.text, at: 0 }) {
                Ok(all) => sections.push((name, kind, table, all)),
                Err(wrong) => {
                    // Quotes around the key are part of its place.
                    let quoted = usize::from(name.span.len() == name.text.len() + 2);
                    let at = name.span.start + quoted;
                    let place = at + wrong.at.start..at + wrong.at.end;
                    mistakes.push(Mistake::refused(wrong.code, place, wrong.label, wrong.refusal));
                }
            }
        }
    }
    sections.sort_by_key(|(name, ..)| name.span.start);
    let mut nodes: Vec<Declared> = Vec::new();
    let mut known: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    for (name, kind, table, all) in sections {
        let ranged = name.text.contains('[');
        let table = Arc::new(table.clone());
        for node in all {
            let key = node.to_ascii_lowercase();
            match known.get(&key) {
                None => {
                    known.insert(key, (nodes.len(), ranged));
                    let (key, span) = (name.text.clone(), name.span.clone());
                    nodes.push(Declared { name: node, kind, table: table.clone(), key, span });
                }
                Some(&(index, other_ranged)) if ranged != other_ranged && nodes[index].kind == kind => {
                    let before = &mut nodes[index];
                    let merged = if ranged { before.table.over(&table) } else { table.over(&before.table) };
                    before.table = Arc::new(merged);
                    before.key.clone_from(&before.name);
                }
                Some(&(index, _)) => {
                    mistakes.push(
                        Mistake::new(
                            "duplicate-node",
                            name.span.clone(),
                            format!("two nodes are called `{node}`"),
                            "again here",
                        )
                        .also(nodes[index].span.clone(), "first here"),
                    );
                }
            }
        }
    }
    nodes
}

impl NodeSpec {
    /// Reads a node's table, which has been checked for keys and types.
    pub(crate) fn read(
        table: &Table,
        defaults: &Arc<tcp::Config>,
        topology: &Topology,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut ports = BTreeMap::new();
        for (name, item) in &table.entries {
            if let (Some(number), Value::Table(port)) = (name.text.strip_prefix("eth"), &item.value)
                && let Ok(number) = number.parse::<u16>()
            {
                let vlans = vlans(port, mistakes);
                let span = name.span.clone();
                ports.insert(number, PortSpec { address: address(port), mtu: mtu(port), vlans, span });
            }
        }
        Self {
            tcp: match table.get("tcp") {
                Some(_) => Arc::new(crate::read::tcp::read(table, defaults)),
                None => defaults.clone(),
            },
            listening: listeners::read(table, mistakes),
            commands: table.texts("run").into_iter().filter_map(|text| command::parse(text).ok()).collect(),
            services: service::read(table, topology, mistakes),
            ageing: table.time("ageing"),
            table: table.count("table").and_then(|n| usize::try_from(n).ok()),
            management: Management::read(table, topology, mistakes),
            duplex: Duplex::read(table),
            turnaround: table.time("turnaround"),
            address: address(table),
            mtu: mtu(table),
            ports,
            exec: table.text("exec").map(|t| t.text.clone()),
            tap: table.text("tap").map(|t| t.text.clone()),
            gateway: table.text("gateway").cloned(),
            resolvers: table.get("resolver").map(|_| table.texts("resolver").into_iter().cloned().collect()),
        }
    }
}

/// The tables of a port that are named by a VLAN's number.
fn vlans(port: &Table, mistakes: &mut Mistakes) -> BTreeMap<u16, VlanSpec> {
    let mut vlans = BTreeMap::new();
    for (name, item) in &port.entries {
        let (Ok(number), Value::Table(table)) = (name.text.parse::<u16>(), &item.value) else { continue };
        if VlanId::new(number).is_none() {
            let reason = format!("there is no VLAN {number}");
            mistakes
                .push(Mistake::new("vlan", name.span.clone(), reason, "not a VLAN").help("from 1 to 4094".to_owned()));
            continue;
        }
        vlans.insert(number, VlanSpec { address: address(table), span: name.span.clone() });
    }
    vlans
}

fn address(table: &Table) -> Option<(Cidr4, Span)> {
    let text = table.text("address")?;
    Some((address::parse(&text.text).ok()?, text.inner()))
}

fn mtu(table: &Table) -> Option<u16> {
    medium::mtu(Word { text: &table.phrase("mtu")?.text, at: 0 }).ok()
}
