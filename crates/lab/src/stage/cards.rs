//! What stands in the ports of a lab beside ordinary Ethernet: managed switches, shared lines, serial lines.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use septet_core::{Rate, Seed};
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
use septet_datalink::switch::{self, FlowControl, Guard, PortMode, Snooping, Tree, Version, Vlans};
use septet_datalink::turnaround::Turnaround;
use septet_datalink::vlan::VlanId;
use septet_host::Neighbor;
use septet_network::Cidr;
use septet_network::ip::Autoconf;
use septet_physical::queue::Limit;
use septet_physical::{Framing, Medium};

use crate::lab::Lab;
use crate::model::address::link_identifier;
use crate::model::cable::{Cable, Serial};
use crate::model::node::{Duplex, NodeKind, Port};
use crate::model::switch::{Layer, Owner, Paused, SwitchSpec};
use crate::model::topology::PortRef;

impl Lab {
    fn ports(&self, node: usize) -> impl Iterator<Item = PortRef> + use<> {
        (0..self.nodes[node].ports.len() as u16).map(move |port| PortRef { node, port })
    }

    /// The management of a switch; `None` for one that only learns.
    pub(crate) fn management(&self, index: usize, spec: &SwitchSpec) -> Option<switch::Management> {
        let node = &self.nodes[index];
        if !spec.is_managed() {
            return None;
        }
        let mac = node.ports.first().map_or(MacAddr::local(index as u64), |port| MacAddr(port.mac));
        let mut management = switch::Management::new(mac);
        management.port_macs = (0..).zip(node.ports.iter().map(|port| MacAddr(port.mac))).collect();
        let neighbours: Vec<(PortRef, usize, &Cable)> = self
            .ports(index)
            .filter_map(|place| self.layout().beyond(place).map(|(beyond, cable)| (place, beyond.node, cable)))
            .collect();
        let ports_to = |nodes: &BTreeSet<usize>| -> BTreeSet<u16> {
            neighbours.iter().filter(|(_, node, _)| nodes.contains(node)).map(|(place, ..)| place.port).collect()
        };
        if spec.has_vlans() {
            let modes = neighbours.iter().filter_map(|(place, node, _)| Some((place.port, spec.mode(*node)?)));
            let mut ports: BTreeMap<u16, PortMode> = modes.collect();
            if spec.layer == Layer::Three {
                management.inside = Some(self.inside(index));
                // Inside there is an interface in each of these VLANs, and nobody who would hear of others.
                let vlans = node.stack_ports().iter().flat_map(|port| &port.vlans);
                let allowed = vlans.filter_map(|sub| VlanId::new(sub.vlan)).collect();
                ports.insert(self.inside(index), PortMode::Trunk { allowed, native: None });
            }
            management.vlans = Some(Vlans { ports });
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
            let is_shared = |place: &PortRef| {
                self.layout().beyond(*place).is_some_and(|(beyond, _)| self.layout().is_shared([*place, beyond]))
            };
            tree.shared = neighbours.iter().filter(|(place, ..)| is_shared(place)).map(|(p, ..)| p.port).collect();
            management.spanning_tree = Some(tree);
        }
        if let Some((from, to)) = &spec.mirror {
            let to = ports_to(&BTreeSet::from([*to])).into_iter().next();
            management.mirror = to.map(|to| (ports_to(from), to));
        }
        if let Some((unknown, leave, routers)) = &spec.snooping {
            management.snooping = Some(Snooping { unknown: *unknown, leave: *leave, routers: ports_to(routers) });
        }
        if spec.dhcp_snooping.is_some() || spec.arp_inspection.is_some() {
            let bindings = spec.arp_inspection.iter().flat_map(|arp| &arp.bindings);
            let fixed = bindings.map(|&(address, owner)| match owner {
                Owner::Mac(mac) => (address, (mac, None)),
                Owner::Node(owner) => {
                    // Who is no neighbour is somewhere behind one.
                    let mut at = ports_to(&BTreeSet::from([owner])).into_iter();
                    let port = at.next().filter(|_| at.next().is_none());
                    (address, (self.mac_of(owner, address, index), port))
                }
            });
            management.guard = Some(Guard {
                fixed: fixed.collect(),
                dhcp: spec.dhcp_snooping.as_ref().map(ports_to),
                arp: spec.arp_inspection.as_ref().map(|arp| ports_to(&arp.trusted)),
            });
        }
        if spec.flow_control == Paused::WhenFull {
            management.flow_control = Some(FlowControl::default());
        }
        Some(management)
    }

    /// The link address that a node has with an address: that of the port which has it, or else of the one that leads to `near`.
    fn mac_of(&self, node: usize, address: Ipv4Addr, near: usize) -> MacAddr {
        let all = &self.nodes[node].ports;
        let has = |port: &&Port| {
            let vlans = port.vlans.iter().flat_map(|sub| &sub.addresses);
            port.addresses.iter().chain(vlans).any(|cidr| cidr.addr() == address)
        };
        let leads =
            |port: &&Port| port.link.is_some_and(|link| self.links[link].ends.iter().any(|end| end.node == near));
        let found = all.iter().find(has).or_else(|| all.iter().find(leads)).or(all.first());
        found.map_or(MacAddr::local(node as u64), |port| MacAddr(port.mac))
    }

    /// The port of a switch that routes behind which its interfaces are.
    pub(crate) fn inside(&self, index: usize) -> u16 {
        self.nodes[index].ports.len() as u16 - 1
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
        if node.kind().joins_links() {
            return Duration::ZERO;
        }
        if let Some(time) = node.spec.stack().and_then(|stack| stack.turnaround) {
            return time;
        }
        let mut ends = self.ports(index).filter_map(|place| Some([place, self.layout().beyond(place)?.0]));
        if ends.any(|ends| self.layout().is_shared(ends)) { AT_SHARED_LINES } else { Duration::ZERO }
    }

    fn card(&self, place: PortRef, seed: Seed) -> Option<Box<dyn Card>> {
        let node = &self.nodes[place.node];
        let (beyond, cable) = self.layout().beyond(place)?;
        let rng = || seed.stream(&format!("{} eth{} card", node.name, place.port));
        let limit = match cable.medium.queue.limit() {
            Limit::Packets(n) => usize::try_from(n).unwrap_or(usize::MAX),
            Limit::Bytes(n) => usize::try_from(n / 1514).unwrap_or(usize::MAX).max(1),
        };
        if node.kind() == NodeKind::Hub {
            return None;
        }
        if let Some(serial) = &cable.serial
            && node.kind().has_addresses()
        {
            let mac = MacAddr(node.ports[usize::from(place.port)].mac);
            return Some(Box::new(SerialCard::new(self.ppp(place, beyond, cable, serial), mac, rng())));
        }
        if self.layout().is_shared([place, beyond]) {
            let duplex = match self.layout().duplex(place) {
                Duplex::Full => half_duplex::Duplex::Full,
                Duplex::Half => half_duplex::Duplex::Half,
            };
            return Some(Box::new(HalfDuplexCard::new(duplex, cable.shared_rate(), limit, rng())));
        }
        let paused =
            self.nodes[beyond.node].spec.switch().is_some_and(|switch| switch.flow_control == Paused::WhenFull);
        paused.then(|| Box::new(PauseCard::new(cable.shared_rate(), limit)) as Box<dyn Card>)
    }

    /// Who is at the other end of each serial line of a node by IPv4, where there is nobody else to ask for; by IPv6 he is
    /// found, as discovery handles such links "just like multicast links" (RFC 4861 §3.1).
    pub(crate) fn across_serial_lines(&self, index: usize) -> Vec<Neighbor> {
        let across = self.ports(index).filter_map(|place| {
            let (beyond, cable) = self.layout().beyond(place)?;
            cable.serial.as_ref()?;
            let beyond = &self.nodes[beyond.node].ports[usize::from(beyond.port)].addresses;
            let neighbor =
                move |cidr: &Cidr| Neighbor { iface: place.port, address: cidr.addr(), mac: serial::NEIGHBOUR };
            Some(beyond.iter().filter(|cidr| cidr.addr().is_ipv4()).map(neighbor))
        });
        across.flatten().collect()
    }

    fn ppp(&self, place: PortRef, beyond: PortRef, cable: &Cable, serial: &Serial) -> ppp::Config {
        let address = |place: PortRef| {
            let own = &self.nodes[place.node].ports[usize::from(place.port)].addresses;
            own.iter().find_map(|cidr| match cidr.addr() {
                std::net::IpAddr::V4(address) => Some(address),
                std::net::IpAddr::V6(_) => None,
            })
        };
        let mut config =
            ppp::Config { local: address(place).unwrap_or(std::net::Ipv4Addr::UNSPECIFIED), ..ppp::Config::default() };
        let port = &self.nodes[place.node].ports[usize::from(place.port)];
        let makes_one = port.by_itself.autoconf == Autoconf::On;
        let speaks_v6 = makes_one || port.addresses.iter().any(|cidr| cidr.addr().is_ipv6());
        config.identifier = speaks_v6.then(|| link_identifier(port.mac));
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
        if self.layout().is_shared(link.ends) {
            let order = septet_physical::Order::Loose;
            return Medium { rate: None, trace: None, order, framing: Framing::BARE, ..medium };
        }
        medium
    }
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
