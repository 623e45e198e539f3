//! What stands in the ports of a lab beside ordinary Ethernet: managed switches, shared lines, serial lines.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use septet_core::{Instant, Rate, Seed};
use septet_datalink::card::half_duplex::{self, HalfDuplexCard};
use septet_datalink::card::pause::PauseCard;
use septet_datalink::card::serial::{self, SerialCard};
use septet_datalink::card::{Card, Fitted};
use septet_datalink::ethernet::MacAddr;
use septet_datalink::hdlc::Accm;
use septet_datalink::lapb::{Arq, Modulo, Side};
use septet_datalink::ppp;
use septet_datalink::stp::bpdu::BridgeId;
use septet_datalink::stp::{Parameters, path_cost, rapid};
use septet_datalink::switch::{self, FlowControl, Switch, Tree, Version, Vlans};
use septet_datalink::turnaround::Turnaround;
use septet_host::Neighbor;
use septet_language::document::{Item, Table, Text, Value};
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::words::Word;
use septet_physical::queue::Limit;
use septet_physical::{Framing, Medium};

use crate::lab::Lab;
use crate::model::medium::{Cable, Serial};
use crate::model::node::{Node, NodeKind};
use crate::model::topology::{Place, Topology};
use crate::read::vlans::{self, Named};

/// Whether a port may send while it receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Duplex {
    /// It may.
    #[default]
    Full,
    /// It may not.
    Half,
}

impl Duplex {
    pub(crate) fn read(table: &Table) -> Self {
        match table.text("duplex") {
            Some(text) if text.text == "half" => Self::Half,
            _ => Self::Full,
        }
    }
}

/// What the file says of a managed switch; neighbours are indices of nodes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Management {
    /// The protocol and the priority of the spanning tree, where the switch takes part in one.
    pub spanning_tree: Option<(Version, u16)>,
    /// Neighbours that are end stations.
    pub edge_ports: BTreeSet<usize>,
    /// The VLAN of the port to each neighbour.
    pub vlans: BTreeMap<usize, u16>,
    /// Neighbours to whom all VLANs go, with tags.
    pub trunks: BTreeSet<usize>,
    /// The VLAN that goes to a trunk's neighbour without a tag.
    pub native: BTreeMap<usize, u16>,
    /// The VLANs that go to a trunk's neighbour, where not all do.
    pub allowed: BTreeMap<usize, BTreeSet<u16>>,
    /// Whose ports are watched, and who sees it.
    pub mirror: Option<(BTreeSet<usize>, usize)>,
    /// Whether PAUSE frames are sent.
    pub flow_control: Paused,
    /// The priority of what comes without one from each neighbour.
    pub priorities: BTreeMap<usize, u8>,
    /// Neighbours to whom it speaks half duplex.
    pub half_duplex: BTreeSet<usize>,
    /// Where the file names each neighbour.
    pub(crate) named: Vec<Named>,
}

/// Whether PAUSE frames are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Paused {
    /// They are not.
    #[default]
    Never,
    /// They are, where more comes in than can go out.
    WhenFull,
}

impl Management {
    pub(crate) fn read(table: &Table, topology: &Topology, mistakes: &mut Mistakes) -> Self {
        let mut named = Vec::new();
        let mut neighbours = |key: &'static str, texts: Vec<&Text>| -> BTreeSet<usize> {
            let mut found = BTreeSet::new();
            for text in texts {
                match topology.nodes(Word { text: &text.text, at: 0 }) {
                    Ok(nodes) => {
                        named.extend(nodes.iter().map(|node| Named { key, node: *node, span: text.inner() }));
                        found.extend(nodes);
                    }
                    Err(wrong) => mistakes.push(wrong.mistake(text)),
                }
            }
            found
        };
        let trunks = neighbours("trunks", table.texts("trunks"));
        let half_duplex = neighbours("half_duplex", table.texts("half_duplex"));
        let edge_ports = neighbours("edge_ports", table.texts("edge_ports"));
        let mirror = table.table("mirror").and_then(|mirror| {
            let from = neighbours("mirror", mirror.texts("from"));
            let to = neighbours("mirror", mirror.text("to").into_iter().collect());
            to.into_iter().next().map(|to| (from, to))
        });
        let mut by_neighbour = |key: &'static str| -> Vec<(usize, &Item)> {
            let mut found = Vec::new();
            for (name, item) in table.table(key).map(|t| t.entries.as_slice()).unwrap_or_default() {
                let text = Text::bare(name.text.clone(), name.span.clone());
                found.extend(neighbours(key, vec![&text]).into_iter().map(|node| (node, item)));
            }
            found
        };
        let number = |item: &Item| match &item.value {
            Value::Integer(number) => u16::try_from(*number).ok(),
            _ => None,
        };
        let numbers = |found: Vec<(usize, &Item)>| -> BTreeMap<usize, u16> {
            found.into_iter().filter_map(|(node, item)| Some((node, number(item)?))).collect()
        };
        let vlans = numbers(by_neighbour("vlans"));
        let native = numbers(by_neighbour("native"));
        let priorities = numbers(by_neighbour("priorities"));
        let allowed = by_neighbour("allowed");
        let allowed = allowed.into_iter().map(|(node, item)| (node, vlans::lists(item, mistakes))).collect();
        Self {
            spanning_tree: spanning_tree(table, mistakes),
            edge_ports,
            vlans,
            trunks,
            native,
            allowed,
            priorities: priorities.into_iter().map(|(node, number)| (node, number as u8)).collect(),
            mirror,
            flow_control: if table.switch("flow_control") == Some(true) { Paused::WhenFull } else { Paused::Never },
            half_duplex,
            named,
        }
    }

    fn is_default(&self) -> bool {
        let Self { half_duplex, named, .. } = self.clone();
        *self == Self { half_duplex, named, ..Self::default() }
    }
}

/// Which spanning tree a switch takes part in, and with which priority.
fn spanning_tree(table: &Table, mistakes: &mut Mistakes) -> Option<(Version, u16)> {
    let span = |key: &str| table.entry(key).map(|(name, _)| name.span.clone()).unwrap_or_default();
    let version = match (table.switch("spanning_tree"), table.text("stp").map(|text| text.text.as_str())) {
        (Some(false), Some(stp)) => {
            let reason =
                format!("`stp = \"{stp}\"` takes part in the spanning tree, and `spanning_tree = false` does not");
            mistakes.push(
                Mistake::new("spanning-tree", span("stp"), reason, "one or the other")
                    .also(span("spanning_tree"), "against this"),
            );
            return None;
        }
        (_, Some("rstp")) => Version::Rstp,
        (_, Some(_)) | (Some(true), None) => Version::Stp,
        (_, None) => {
            for key in ["priority", "edge_ports"].into_iter().filter(|key| table.get(key).is_some()) {
                let reason = format!("`{key}` is of the spanning tree, and this switch takes part in none");
                mistakes.push(
                    Mistake::new("spanning-tree", span(key), reason, "does nothing")
                        .help("write `stp = \"rstp\"` or `stp = \"stp\"`".to_owned())
                        .warning(),
                );
            }
            return None;
        }
    };
    if version == Version::Stp && table.get("edge_ports").is_some() {
        let reason =
            "edge ports are a notion of the rapid spanning tree: in the older one every port listens and learns";
        mistakes.push(
            Mistake::new("spanning-tree", span("edge_ports"), reason, "does nothing")
                .help("write `stp = \"rstp\"`".to_owned()),
        );
    }
    let priority = table.count("priority").and_then(|n| u16::try_from(n).ok()).unwrap_or(32_768);
    if version == Version::Rstp && !priority.is_multiple_of(4096) {
        // 802.1D-2004 §9.2.5: the lower twelve bits of the older priority are no longer part of it.
        let reason = format!("a priority of the rapid spanning tree is a multiple of 4096, and {priority} is none");
        let near = (u32::from(priority) + 2048) / 4096 * 4096;
        mistakes.push(
            Mistake::new("spanning-tree", span("priority"), reason, "not a multiple of 4096")
                .help(format!("the nearest is {}", near.min(61_440))),
        );
    }
    Some((version, priority))
}

impl Lab {
    /// The node at the other end of `place`'s link, and the medium towards it.
    fn beyond(&self, place: Place) -> Option<(Place, &Cable)> {
        let link = &self.links[self.nodes[place.node].ports.get(usize::from(place.port))?.link?];
        let way = link.ends.iter().position(|end| *end == place)?;
        Some((link.ends[1 - way], &link.cables[way]))
    }

    fn ports(&self, node: usize) -> impl Iterator<Item = Place> + use<> {
        (0..self.nodes[node].ports.len() as u16).map(move |port| Place { node, port })
    }

    /// The management of a switch; `None` for one that only learns.
    pub(crate) fn management(&self, index: usize) -> Option<switch::Management> {
        let node = &self.nodes[index];
        let spec = &node.spec.management;
        if spec.is_default() {
            return None;
        }
        let mac = node.ports.first().map_or(MacAddr::local(index as u64), |port| MacAddr(port.mac));
        let mut management = switch::Management::new(mac);
        management.port_macs = (0..).zip(node.ports.iter().map(|port| MacAddr(port.mac))).collect();
        let neighbours: Vec<(Place, usize, &Cable)> = self
            .ports(index)
            .filter_map(|place| self.beyond(place).map(|(beyond, cable)| (place, beyond.node, cable)))
            .collect();
        let ports_to = |nodes: &BTreeSet<usize>| -> BTreeSet<u16> {
            neighbours.iter().filter(|(_, node, _)| nodes.contains(node)).map(|(place, ..)| place.port).collect()
        };
        if spec.has_vlans() {
            let modes = neighbours.iter().filter_map(|(place, node, _)| Some((place.port, spec.mode(*node)?)));
            management.vlans = Some(Vlans { ports: modes.collect() });
        }
        management.priorities =
            neighbours.iter().filter_map(|(place, node, _)| Some((place.port, *spec.priorities.get(node)?))).collect();
        if let Some((version, priority)) = spec.spanning_tree {
            let cost = |cable: &Cable| {
                let rate = cable.medium.rate.map_or(u64::MAX, Rate::bits_per_sec);
                match version {
                    Version::Stp => path_cost(rate),
                    Version::Rstp => rapid::path_cost(rate),
                }
            };
            let mut tree = Tree::new(version, Parameters::new(BridgeId { priority, mac }));
            tree.costs = neighbours.iter().map(|(place, _, cable)| (place.port, cost(cable))).collect();
            tree.edges = ports_to(&spec.edge_ports);
            let is_shared =
                |place: &Place| self.beyond(*place).is_some_and(|(beyond, _)| self.is_shared([*place, beyond]));
            tree.shared = neighbours.iter().filter(|(place, ..)| is_shared(place)).map(|(p, ..)| p.port).collect();
            management.spanning_tree = Some(tree);
        }
        if let Some((from, to)) = &spec.mirror {
            let to = ports_to(&BTreeSet::from([*to])).into_iter().next();
            management.mirror = to.map(|to| (ports_to(from), to));
        }
        if spec.flow_control == Paused::WhenFull {
            management.flow_control = Some(FlowControl::default());
        }
        Some(management)
    }

    /// Whether the ends of this link hear each other while they send.
    fn is_shared(&self, ends: [Place; 2]) -> bool {
        ends.iter().any(|end| self.nodes[end.node].kind == NodeKind::Hub || self.duplex(*end) == Duplex::Half)
    }

    fn duplex(&self, place: Place) -> Duplex {
        let Some((beyond, _)) = self.beyond(place) else { return Duplex::Full };
        let spec = &self.nodes[place.node].spec;
        let on_hub = self.nodes[beyond.node].kind == NodeKind::Hub;
        if on_hub || spec.duplex == Duplex::Half || spec.management.half_duplex.contains(&beyond.node) {
            Duplex::Half
        } else {
            Duplex::Full
        }
    }

    /// `station`, which is node `index`, with the cards that its ports need.
    pub(crate) fn fit(
        &self,
        index: usize,
        station: Box<dyn septet_core::Station>,
        seed: Seed,
    ) -> Box<dyn septet_core::Station> {
        let station = match self.turnaround(index) {
            Duration::ZERO => station,
            time => Box::new(Turnaround::new(station, time)),
        };
        let cards: Vec<(u16, Box<dyn Card>)> =
            self.ports(index).filter_map(|place| Some((place.port, self.card(place, seed)?))).collect();
        if cards.is_empty() {
            return station;
        }
        let mut fitted = Fitted::new(station);
        for (port, card) in cards {
            fitted.fit(septet_core::Port(port), card);
        }
        Box::new(fitted)
    }

    /// How long a node takes to answer. On a line that only one may use at a time it shows, and there it is what an interrupt
    /// and a stack of a computer take.
    fn turnaround(&self, index: usize) -> Duration {
        const AT_SHARED_LINES: Duration = Duration::from_micros(20);
        let node = &self.nodes[index];
        if !node.kind.has_addresses() {
            return Duration::ZERO;
        }
        if let Some(time) = node.spec.turnaround {
            return time;
        }
        let mut ends = self.ports(index).filter_map(|place| Some([place, self.beyond(place)?.0]));
        if ends.any(|ends| self.is_shared(ends)) { AT_SHARED_LINES } else { Duration::ZERO }
    }

    fn card(&self, place: Place, seed: Seed) -> Option<Box<dyn Card>> {
        let node = &self.nodes[place.node];
        let (beyond, cable) = self.beyond(place)?;
        let rng = || seed.stream(&format!("{} eth{} card", node.name, place.port));
        let limit = match cable.medium.queue.limit() {
            Limit::Packets(n) => usize::try_from(n).unwrap_or(usize::MAX),
            Limit::Bytes(n) => usize::try_from(n / 1514).unwrap_or(usize::MAX).max(1),
        };
        if node.kind == NodeKind::Hub {
            return None;
        }
        if let Some(serial) = &cable.serial
            && node.kind.has_addresses()
        {
            let mac = MacAddr(node.ports[usize::from(place.port)].mac);
            return Some(Box::new(SerialCard::new(self.ppp(place, beyond, cable, serial), mac, rng())));
        }
        if self.is_shared([place, beyond]) {
            let duplex = match self.duplex(place) {
                Duplex::Full => half_duplex::Duplex::Full,
                Duplex::Half => half_duplex::Duplex::Half,
            };
            return Some(Box::new(HalfDuplexCard::new(duplex, rate(cable), limit, rng())));
        }
        let paused = self.nodes[beyond.node].spec.management.flow_control == Paused::WhenFull;
        paused.then(|| Box::new(PauseCard::new(rate(cable), limit)) as Box<dyn Card>)
    }

    /// Who is at the other end of each serial line of a node: there is nobody else to ask for.
    pub(crate) fn across_serial_lines(&self, index: usize) -> Vec<Neighbor> {
        let across = self.ports(index).filter_map(|place| {
            let (beyond, cable) = self.beyond(place)?;
            cable.serial.as_ref()?;
            let address = self.nodes[beyond.node].ports[usize::from(beyond.port)].address?.addr();
            Some(Neighbor { iface: place.port, address, mac: serial::NEIGHBOUR })
        });
        across.collect()
    }

    fn ppp(&self, place: Place, beyond: Place, cable: &Cable, serial: &Serial) -> ppp::Config {
        let address = |place: Place| match self.nodes[place.node].ports[usize::from(place.port)].address?.addr() {
            std::net::IpAddr::V4(address) => Some(address),
            std::net::IpAddr::V6(_) => None,
        };
        let mut config =
            ppp::Config { local: address(place).unwrap_or(std::net::Ipv4Addr::UNSPECIFIED), ..ppp::Config::default() };
        let asked = serial.lcp;
        config.terms.fcs = asked.fcs;
        config.terms.accm = Accm(asked.accm);
        config.terms.protocol_compression = asked.compression;
        config.terms.address_compression = asked.compression;
        // What this end takes is what its own medium says that it may be sent.
        config.terms.mru = cable.mtu.filter(|mtu| *mtu >= 128).unwrap_or(config.terms.mru);
        config.echo = asked.echo.filter(|every| !every.is_zero()).or(config.echo);
        if let Some(reliable) = serial.reliable {
            let side = if place < beyond { Side::Dte } else { Side::Dce };
            let window = reliable.window.unwrap_or_else(|| window(&cable.medium, reliable.arq));
            let t1 = reliable.t1.unwrap_or_else(|| round_trip(&cable.medium));
            config.reliable = Some(ppp::reliable(side, reliable.arq, window, t1));
        }
        config
    }

    /// The medium of a link as the engine sees it: on a shared line the cards keep the time.
    pub(crate) fn medium(&self, link: usize, way: usize) -> Medium {
        let link = &self.links[link];
        let medium = link.cables[way].medium.clone();
        if self.is_shared(link.ends) {
            let order = septet_physical::Order::Loose;
            return Medium { rate: None, trace: None, order, framing: Framing::BARE, ..medium };
        }
        medium
    }

    /// Whether this link's medium is one of the engine's own.
    pub(crate) fn is_shared_link(&self, link: usize) -> bool {
        self.is_shared(self.links[link].ends)
    }
}

/// Whether an end of a link between two stations says that it is half duplex.
pub(crate) fn is_half_duplex(nodes: &[Node], ends: [Place; 2]) -> bool {
    let says_so = |own: Place, beyond: Place| {
        let spec = &nodes[own.node].spec;
        spec.duplex == Duplex::Half || spec.management.half_duplex.contains(&beyond.node)
    };
    says_so(ends[0], ends[1]) || says_so(ends[1], ends[0])
}

/// Ten megabits, the rate of a shared line about which nothing is said.
pub(crate) fn rate(cable: &Cable) -> Rate {
    const TEN: Rate = match Rate::from_bits_per_sec(10_000_000) {
        Some(rate) => rate,
        None => unreachable!(),
    };
    cable.medium.rate.unwrap_or(TEN)
}

/// A frame there, an answer back, and one that was just begun before it.
fn round_trip(medium: &Medium) -> Duration {
    let frame = medium.rate.map_or(Duration::ZERO, |rate| rate.time_for(1510));
    2 * medium.delay + 3 * frame + Duration::from_millis(1)
}

/// A window that does not make the line wait: the small one of modulo 8 where it covers the round trip (for selective
/// repeat, also the one in which a frame is repeated), the largest otherwise.
fn window(medium: &Medium, arq: Arq) -> u8 {
    let small = arq.largest_window(Modulo::Eight);
    let frame = medium.rate.map_or(Duration::ZERO, |rate| rate.time_for(1510));
    let trips = if arq == Arq::SelectiveRepeat { 2 } else { 1 };
    if (2 * medium.delay + 2 * frame) * trips <= frame * u32::from(small) {
        small
    } else {
        arq.largest_window(Modulo::OneTwentyEight)
    }
}

/// What the cards of a station count under `name`, summed over its ports; `None` where none does.
pub(crate) fn counter(fitted: &Fitted, name: &str) -> Option<u64> {
    let mut counted = fitted.cards().flat_map(|card| card.counters()).filter(|(n, _)| *n == name).map(|(_, n)| n);
    let first = counted.next()?;
    Some(first + counted.sum::<u64>())
}

/// What a switch counts under `name`.
pub(crate) fn switch_counter(switch: &Switch, now: Instant, name: &str) -> Option<u64> {
    let counters = switch.counters();
    Some(match name {
        "switch_forwarded" => counters.forwarded,
        "switch_flooded" => counters.flooded,
        "switch_filtered" => counters.filtered,
        "switch_drops" => counters.drops.total(),
        "switch_addresses" => switch.table().iter(now).count() as u64,
        "switch_blocked_ports" => switch.blocked_ports() as u64,
        _ => return None,
    })
}

/// The names under which cards, switches and hubs count, each with what it means.
pub(crate) const COUNTERS: &[&str] = &[
    "deferred",
    "single_collision_frames",
    "multiple_collision_frames",
    "rx_pause",
    "paused_us",
    "lapb_sent",
    "lapb_repeated",
    "lapb_delivered",
    "lapb_discarded",
    "lapb_timeouts",
    "switch_forwarded",
    "switch_flooded",
    "switch_filtered",
    "switch_drops",
    "switch_addresses",
    "switch_blocked_ports",
    "hub_frames",
    "hub_collisions",
];
