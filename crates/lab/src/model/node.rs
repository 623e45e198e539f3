//! The nodes of a lab: what each is, its ports, and what the file says of it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use septet_datalink::switch::PortMode;
use septet_datalink::vlan::VlanId;
use septet_host::{Listening, Speaker};
use septet_language::document::Text;
use septet_language::mistake::Span;
use septet_network::ip::{Autoconf, Multipath, Privacy, Redirects};
use septet_network::route::WrittenRoute;
use septet_network::{Cidr, Iface};
use septet_service::{OwnCertificate, Service};
use septet_socket::cpu::Costs;
use septet_transport::tcp;

use crate::model::address::Given;
use crate::model::command::Command;
use crate::model::firewall::{FirewallSpec, NatSpec};
use crate::model::multicast::MulticastSpec;
use crate::model::switch::SwitchSpec;
use crate::model::versions::Versions;

/// A node of a lab.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, which is also its DNS name in the domain `lab`.
    pub name: String,
    /// Its ports, by number.
    pub ports: Vec<Port>,
    /// The node at the other end of each of its links, and the link, by port.
    pub(crate) neighbours: Vec<(usize, usize)>,
    /// The versions of IP that it speaks where the file gives it no addresses.
    pub(crate) versions: Versions,
    /// The gateways that the file gives it, one of each version of IP at most.
    pub(crate) gateways: Vec<IpAddr>,
    /// Its packet filter and address translation.
    pub(crate) firewall: Option<Arc<septet_network::firewall::Config>>,
    /// The routing protocols that it speaks.
    pub(crate) speaks: Vec<Speaker>,
    /// The routes that the file gives it.
    pub(crate) routes: Vec<WrittenRoute>,
    /// What the file says of it; nodes of one range share it.
    pub spec: Arc<NodeSpec>,
}

impl Node {
    /// The interfaces whose links lead to `other`: of a switch that routes, those in the VLANs that its ports there carry.
    pub(crate) fn interfaces_to(&self, other: usize) -> Vec<Iface> {
        let leads = |link: usize| self.neighbours.contains(&(other, link));
        let ports = (0..).zip(&self.ports).filter(|(_, port)| port.link.is_some_and(leads)).map(|(number, _)| number);
        let (NodeKind::L3Switch, [inside]) = (self.kind(), self.stack_ports()) else { return ports.collect() };
        let Some(mode) = self.mode(other).filter(|_| ports.count() > 0) else { return Vec::new() };
        let carried = |sub: &Subinterface| VlanId::new(sub.vlan).is_some_and(|vlan| mode.carries(vlan));
        (1..).zip(&inside.vlans).filter(|(_, sub)| carried(sub)).map(|(iface, _)| iface).collect()
    }

    /// The number of the interface at a port, or of that for one VLAN there.
    pub(crate) fn iface(&self, port: u16, vlan: Option<u16>) -> Option<Iface> {
        let ports = self.stack_ports();
        let at = ports.get(usize::from(port))?;
        let Some(vlan) = vlan else { return Some(port) };
        let before: usize = ports[..usize::from(port)].iter().map(|port| port.vlans.len()).sum();
        let behind = at.vlans.iter().position(|sub| sub.vlan == vlan)?;
        Some((ports.len() + before + behind) as Iface)
    }

    /// The number by which a port goes among those of the interfaces: of a switch that routes the one inside is its eth0.
    pub(crate) fn stack_port(&self, port: u16) -> u16 {
        port.saturating_sub((self.ports.len() - self.stack_ports().len()) as u16)
    }

    /// What the file says of a port at which there are interfaces.
    pub(crate) fn port_spec(&self, port: u16) -> Option<&PortSpec> {
        self.spec.stack()?.ports.get(&self.stack_port(port))
    }

    /// What it is.
    pub fn kind(&self) -> NodeKind {
        self.spec.kind()
    }

    /// The programs that it runs.
    pub fn commands(&self) -> &[Command] {
        self.spec.stack().map_or(&[], |stack| &stack.commands)
    }

    /// The services that it offers.
    pub fn services(&self) -> &[Arc<dyn Service>] {
        self.spec.stack().map_or(&[], |stack| &stack.services)
    }

    /// Whether it is a switch that looks at tags.
    pub(crate) fn looks_at_tags(&self) -> bool {
        self.spec.switch().is_some_and(SwitchSpec::has_vlans)
    }

    /// How its port to the node `neighbour` treats tags, where it is a switch that looks at them.
    pub(crate) fn mode(&self, neighbour: usize) -> Option<PortMode> {
        self.spec.switch().and_then(|switch| switch.mode(neighbour))
    }

    /// Its addresses, those that it makes itself too: under which others know it.
    pub fn known_addresses(&self) -> impl Iterator<Item = Cidr> + '_ {
        let learned = self.interfaces().flat_map(|(_, own)| own.learned.iter().copied());
        self.addresses().chain(learned)
    }

    /// Its addresses from the beginning, each with the number of the segment on which it is.
    pub(crate) fn places(&self) -> impl Iterator<Item = (usize, Cidr)> + '_ {
        let of = |port: &Port| -> Vec<(usize, Cidr)> {
            let own = port.addresses.iter().map(|cidr| (port.segment, *cidr));
            let vlans = port.vlans.iter().flat_map(|sub| sub.addresses.iter().map(|cidr| (sub.segment, *cidr)));
            own.chain(vlans).collect()
        };
        self.ports.iter().flat_map(of)
    }

    /// The addresses of each interface, and what it does of IPv6 by itself: of the ports, then of the VLANs at them.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = (&[Cidr], &ByItself)> {
        let ports = self.stack_ports().iter().map(|port| (&port.addresses[..], &port.by_itself));
        let vlans =
            self.stack_ports().iter().flat_map(|port| &port.vlans).map(|sub| (&sub.addresses[..], &sub.by_itself));
        ports.chain(vlans)
    }

    /// Its addresses from the beginning: of each port, then of the VLANs at it.
    pub fn addresses(&self) -> impl Iterator<Item = Cidr> + '_ {
        let of = |port: &Port| -> Vec<Cidr> {
            port.addresses.iter().chain(port.vlans.iter().flat_map(|sub| &sub.addresses)).copied().collect()
        };
        self.ports.iter().flat_map(of)
    }

    /// The ports at which its interfaces are, by number: of a switch that routes only the one inside.
    pub(crate) fn stack_ports(&self) -> &[Port] {
        match (self.kind(), &self.ports[..]) {
            (NodeKind::L3Switch, [.., inside]) => core::slice::from_ref(inside),
            (_, ports) => ports,
        }
    }

    /// The names of its interfaces: those of the ports, then those of VLANs at them.
    pub(crate) fn interface_names(&self) -> impl Iterator<Item = String> + '_ {
        let ports = (0..self.stack_ports().len()).map(|number| format!("eth{number}"));
        let of = |(number, port): (usize, &Port)| -> Vec<String> {
            port.vlans.iter().map(|sub| format!("eth{number}.{}", sub.vlan)).collect()
        };
        ports.chain(self.stack_ports().iter().enumerate().flat_map(of))
    }
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NodeKind {
    /// A repeater.
    Hub,
    /// A learning switch.
    Switch,
    /// A switch that routes between its VLANs.
    L3Switch,
    /// A host that forwards.
    Router,
    /// A host.
    Host,
}

impl NodeKind {
    /// The kinds, by the name of their section.
    pub(crate) const SECTIONS: [(&'static str, Self); 5] = [
        ("hub", Self::Hub),
        ("switch", Self::Switch),
        ("l3switch", Self::L3Switch),
        ("router", Self::Router),
        ("host", Self::Host),
    ];

    /// The name of its section.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Switch => "switch",
            Self::L3Switch => "l3switch",
            Self::Router => "router",
            Self::Host => "host",
        }
    }

    /// Whether it has addresses, or only joins links.
    pub fn has_addresses(self) -> bool {
        match self {
            Self::Hub | Self::Switch => false,
            Self::L3Switch | Self::Router | Self::Host => true,
        }
    }

    /// Whether it joins the links at its ports.
    pub fn joins_links(self) -> bool {
        match self {
            Self::Hub | Self::Switch | Self::L3Switch => true,
            Self::Router | Self::Host => false,
        }
    }

    /// Whether it forwards.
    pub fn routes(self) -> bool {
        matches!(self, Self::L3Switch | Self::Router)
    }
}

/// A port of a node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Port {
    /// The link that is plugged in, as an index into [`Lab::links`](crate::Lab::links).
    pub link: Option<usize>,
    /// The link address.
    pub mac: [u8; 6],
    /// Its addresses, those of IPv4 first; switches have none, nor has a port at a trunk that takes only frames with tags.
    pub addresses: Vec<Cidr>,
    /// What it does of IPv6 by itself.
    pub(crate) by_itself: ByItself,
    /// The segment that it is on, by number, where it has addresses.
    pub(crate) segment: usize,
    /// Its interfaces for single VLANs.
    pub vlans: Vec<Subinterface>,
    /// The largest packet that it sends, in bytes.
    pub mtu: u16,
}

impl Port {
    /// Its addresses, those that it makes itself too.
    pub(crate) fn known_addresses(&self) -> Vec<Cidr> {
        self.addresses.iter().chain(&self.by_itself.learned).copied().collect()
    }
}

/// An interface for one VLAN at a port (802.1Q).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subinterface {
    /// The VLAN, `1..=4094`.
    pub vlan: u16,
    /// Its addresses, those of IPv4 first.
    pub addresses: Vec<Cidr>,
    /// What it does of IPv6 by itself.
    pub(crate) by_itself: ByItself,
    /// The segment that it is on, by number, where it has addresses.
    pub(crate) segment: usize,
}

impl Subinterface {
    /// An interface whose addresses are still to be found.
    pub(crate) fn new(vlan: u16) -> Self {
        Self { vlan, addresses: Vec::new(), by_itself: ByItself::default(), segment: 0 }
    }
}

/// What an interface does of IPv6 by itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ByItself {
    /// Whether it makes itself addresses.
    pub(crate) autoconf: Autoconf,
    /// Those that it makes.
    pub(crate) learned: Vec<Cidr>,
    /// What it advertises, as a router's.
    pub(crate) advertise: Option<Advert>,
}

/// What a router advertises on a link, as far as the file says how.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Advert {
    /// The longest time between two advertisements that nobody asked for.
    pub(crate) interval: Option<Duration>,
    /// For how long it may be used as a default router.
    pub(crate) lifetime: Option<Duration>,
    /// For how long addresses of its prefixes are preferred.
    pub(crate) preferred: Option<Duration>,
    /// For how long they are valid.
    pub(crate) valid: Option<Duration>,
    /// For how long hosts take a neighbour for reachable without a sign of life.
    pub(crate) reachable: Option<Duration>,
    /// How long they wait between two questions.
    pub(crate) retransmit: Option<Duration>,
    /// Whom hosts are to ask for names.
    pub(crate) name_servers: Option<Vec<Resolver>>,
    /// Where they are to look for names without a dot.
    pub(crate) domain: Option<String>,
}

/// Whether a router advertises, and where the file says so.
pub(crate) type Advertises = (Option<Advert>, Span);

/// What the file says of a node, or of all nodes of a range: of each kind what there is to say of it.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for all nodes of a range, and it is never moved")]
pub enum NodeSpec {
    /// Of a repeater nothing.
    Hub,
    /// Of a switch.
    Switch(SwitchSpec),
    /// Of a switch that routes: of both of its parts.
    L3Switch(SwitchSpec, StackSpec),
    /// Of a host that forwards.
    Router(StackSpec),
    /// Of a host.
    Host(HostSpec),
}

impl NodeSpec {
    /// The kind of node that it is of.
    pub fn kind(&self) -> NodeKind {
        match self {
            Self::Hub => NodeKind::Hub,
            Self::Switch(_) => NodeKind::Switch,
            Self::L3Switch(..) => NodeKind::L3Switch,
            Self::Router(_) => NodeKind::Router,
            Self::Host(_) => NodeKind::Host,
        }
    }

    /// Of a switch.
    pub fn switch(&self) -> Option<&SwitchSpec> {
        match self {
            Self::Switch(switch) | Self::L3Switch(switch, _) => Some(switch),
            Self::Hub | Self::Router(_) | Self::Host(_) => None,
        }
    }

    /// Of a host or a router, what they have in common.
    pub fn stack(&self) -> Option<&StackSpec> {
        match self {
            Self::Router(stack) | Self::L3Switch(_, stack) => Some(stack),
            Self::Host(host) => Some(&host.stack),
            Self::Hub | Self::Switch(_) => None,
        }
    }

    /// Whether it sends to the node `neighbour` while it hears it.
    pub(crate) fn duplex(&self, neighbour: usize) -> Duplex {
        match self {
            Self::Switch(switch) | Self::L3Switch(switch, _) if switch.half_duplex.contains(&neighbour) => Duplex::Half,
            Self::Hub | Self::Switch(_) | Self::L3Switch(..) => Duplex::Full,
            Self::Router(stack) | Self::Host(HostSpec { stack, .. }) => stack.duplex,
        }
    }

    /// Of a host.
    pub fn host(&self) -> Option<&HostSpec> {
        match self {
            Self::Host(host) => Some(host),
            Self::Hub | Self::Switch(_) | Self::L3Switch(..) | Self::Router(_) => None,
        }
    }
}

/// What the file says of a host or a router.
#[derive(Clone, Debug)]
pub struct StackSpec {
    /// The defaults of its TCP.
    pub tcp: Arc<tcp::Config>,
    /// How its programs and services listen.
    pub listening: Arc<Listening>,
    /// What the system calls of its programs cost, where they cost anything.
    pub costs: Option<Arc<Costs>>,
    /// The programs it runs.
    pub commands: Vec<Command>,
    /// The services it offers.
    pub services: Vec<Arc<dyn Service>>,
    /// Whether its ports send and receive at once.
    pub duplex: Duplex,
    /// How long it takes from the end of a frame to its answer, where the file says so.
    pub turnaround: Option<Duration>,
    pub(crate) versions: Option<Versions>,
    pub(crate) advertises: Option<Advertises>,
    pub(crate) addresses: Vec<GivenAddress>,
    pub(crate) mtu: Option<u16>,
    pub(crate) routing: Option<Routing>,
    pub(crate) gateway: Option<Text>,
    /// Routes by hand, as they are written.
    pub(crate) routes: Vec<Text>,
    pub(crate) multipath: Multipath,
    pub(crate) redirects: Redirects,
    /// The addresses that a switch that routes has in its VLANs, where the file says so.
    pub(crate) of_vlans: BTreeMap<u16, Vec<GivenAddress>>,
    pub(crate) ports: BTreeMap<u16, PortSpec>,
    /// What its packet filter is to be, to be read when all nodes have their addresses.
    pub(crate) firewall: Option<FirewallSpec>,
    /// And its address translation.
    pub(crate) nat: Option<NatSpec>,
    /// Of a router: what it does about multicast.
    pub(crate) multicast: MulticastSpec,
}

/// Where the routes of a host or a router come from, beside those to its own links and those by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Routing {
    /// From the whole topology: the shortest paths, computed once.
    #[default]
    Computed,
    /// From the routing protocol of this name, where it is a router.
    Protocol(&'static str),
    /// From nowhere, or from the routing protocols that it speaks.
    None,
}

/// What the file says of a host.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// What it has in common with routers.
    pub stack: StackSpec,
    /// A real program that takes the host's place when the lab is live.
    pub exec: Option<String>,
    /// A TAP interface that takes the host's place when the lab is live.
    pub tap: Option<String>,
    pub(crate) resolvers: Option<Vec<Resolver>>,
    /// Whether it speaks from addresses that change, and where the file says so.
    pub(crate) privacy: Option<(Privacy, Span)>,
    /// Whose certificates its programs believe, where the file says so.
    pub(crate) trust: Option<Vec<Text>>,
    /// Whether they get the lists of what was taken back.
    pub(crate) revocation: bool,
    /// The certificates that its programs show.
    pub(crate) certificates: Vec<OwnCertificate>,
}

/// Whom a host asks for names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resolver {
    /// Who has this address.
    Address(IpAddr),
    /// A node, by its index.
    Node(usize),
}

/// Whether a port may send while it receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Duplex {
    /// It may.
    #[default]
    Full,
    /// It may not.
    Half,
}

/// What the file says of an address, and where.
pub(crate) type GivenAddress = (Given, Span);

/// What the file says of a port.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortSpec {
    pub(crate) addresses: Vec<GivenAddress>,
    pub(crate) advertises: Option<Advertises>,
    pub(crate) mtu: Option<u16>,
    pub(crate) vlans: BTreeMap<u16, VlanSpec>,
    pub(crate) span: Span,
}

/// What the file says of a VLAN at a port.
#[derive(Clone, Debug, Default)]
pub(crate) struct VlanSpec {
    pub(crate) addresses: Vec<GivenAddress>,
    pub(crate) advertises: Option<Advertises>,
    pub(crate) span: Span,
}
