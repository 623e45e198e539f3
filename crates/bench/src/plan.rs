//! Worlds of hosts and routers with addresses and routes of their own making.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use septet_core::{Port, Randomness, Seed, StationId};
use septet_datalink::ethernet::MacAddr;
use septet_datalink::switch::{self, Switch};
use septet_engine::{LinkId, World};
use septet_host::{Forwarding, Host, HostConfig, InterfaceConfig, PacketLens, Speaker};
use septet_network::firewall;
use septet_network::routes::{Member, Routes, Topology};
use septet_network::{Cidr, Ipv6Config, Prefix};
use septet_physical::Medium;
use septet_socket::NetRef;
use septet_transport::tcp;

use crate::Failure;

/// A node of a plan, in the order in which they were added; also its [`StationId`].
pub(crate) type Node = usize;

enum Kind {
    Host(Forwarding, Vec<Box<dyn Fn(NetRef)>>, Option<Arc<firewall::Config>>),
    Switch,
}

struct Draft {
    name: String,
    kind: Kind,
    interfaces: Vec<InterfaceConfig>,
}

/// Which version of IP a plan's nodes speak.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Version {
    #[default]
    Four,
    Six,
}

/// What a world will be built from.
#[derive(Default)]
pub(crate) struct Plan {
    version: Version,
    nodes: Vec<Draft>,
    cables: Vec<(Node, Node, Arc<Medium>)>,
    topology: Topology,
    segments: u32,
    macs: u64,
    tcp: Arc<tcp::Config>,
    speaks: Vec<Speaker>,
}

impl Plan {
    /// A plan whose nodes speak this version.
    pub(crate) fn of(version: Version) -> Self {
        Self { version, ..Self::default() }
    }

    pub(crate) fn host(&mut self, name: impl Into<String>) -> Node {
        self.node(name.into(), Kind::Host(Forwarding::Off, Vec::new(), None))
    }

    pub(crate) fn router(&mut self, name: impl Into<String>) -> Node {
        self.node(name.into(), Kind::Host(Forwarding::On, Vec::new(), None))
    }

    fn node(&mut self, name: String, kind: Kind) -> Node {
        self.topology.node(if let Kind::Host(f, ..) = &kind { *f } else { Forwarding::Off });
        self.nodes.push(Draft { name, kind, interfaces: Vec::new() });
        self.nodes.len() - 1
    }

    /// Gives a node a packet filter.
    pub(crate) fn filter(&mut self, node: Node, rules: Arc<firewall::Config>) {
        if let Kind::Host(.., firewall) = &mut self.nodes[node].kind {
            *firewall = Some(rules);
        }
    }

    /// Starts `program` when the host is switched on.
    pub(crate) fn boot(&mut self, node: Node, program: impl Fn(NetRef) + 'static) {
        if let Kind::Host(_, boots, _) = &mut self.nodes[node].kind {
            boots.push(Box::new(program));
        }
    }

    /// Joins two nodes by a cable with a subnet of its own.
    pub(crate) fn cable(&mut self, a: Node, b: Node, medium: &Arc<Medium>) -> LinkId {
        let members = self.subnet(30, &[a, b]);
        let prefix = members.1;
        self.topology.segment(prefix, 1, members.0);
        self.plug(a, b, medium)
    }

    /// Joins nodes by a switch, in a subnet of their own.
    pub(crate) fn switch(&mut self, name: impl Into<String>, nodes: &[Node], medium: &Arc<Medium>) -> Node {
        let switch = self.node(name.into(), Kind::Switch);
        let bits = (nodes.len() as u32 + 2).next_power_of_two().ilog2();
        let (members, prefix) = self.subnet(32 - bits as u8, nodes);
        self.topology.segment(prefix, 1, members);
        for &node in nodes {
            self.plug(node, switch, medium);
        }
        switch
    }

    /// The first address of a node.
    pub(crate) fn address(&self, node: Node) -> IpAddr {
        let first = self.nodes[node].interfaces.first().and_then(|i| i.addresses.first());
        first.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.addr())
    }

    /// Sets how the TCP of all hosts behaves; Linux's way where it is not called.
    pub(crate) fn tcp(&mut self, config: tcp::Config) {
        self.tcp = Arc::new(config);
    }

    /// Lets all routers speak a protocol, and compute nothing for them.
    pub(crate) fn speaks(&mut self, speaker: Speaker) {
        self.speaks.push(speaker);
    }

    /// Builds the world; node *n* is station *n*.
    pub(crate) fn build(self, seed: Seed) -> Result<World, Failure> {
        let routes = match self.speaks[..] {
            [] => self.topology.compute(),
            _ => vec![Routes::default(); self.nodes.len()],
        };
        let mut world = World::new(seed);
        world.set_lens(Arc::new(PacketLens));
        let mut ports = vec![0; self.nodes.len()];
        for (draft, routes) in self.nodes.into_iter().zip(routes) {
            let Draft { name, kind, interfaces } = draft;
            match kind {
                Kind::Switch => world.add_station(&name, Box::new(Switch::new(switch::Config::default()))),
                Kind::Host(forwarding, boots, firewall) => {
                    let six = Ipv6Config { dad_transmits: 0, ..Ipv6Config::with_discovery() };
                    let discovers = if self.version == Version::Six { interfaces.len() as u16 } else { 0 };
                    let config = HostConfig {
                        interfaces,
                        ipv6: (0..discovers).map(|iface| (iface, six.clone())).collect(),
                        routes: routes.own,
                        guide: routes.guide,
                        forwarding,
                        firewall,
                        routing: if forwarding == Forwarding::On { self.speaks.clone() } else { Vec::new() },
                        randomness: Randomness::Seeded(seed),
                        tcp: self.tcp.clone(),
                        ..HostConfig::new(name.clone())
                    };
                    let mut host = Host::new(config).map_err(|e| Failure::new(e.to_string()))?;
                    for boot in boots {
                        host.on_boot(boot);
                    }
                    world.add_station(&name, Box::new(host))
                }
            };
        }
        for (a, b, medium) in self.cables {
            let mut end = |node: Node| {
                ports[node] += 1;
                (StationId(node as u32), Port(ports[node] - 1))
            };
            let (a, b) = (end(a), end(b));
            let name = format!("{}--{}", world.name(a.0), world.name(b.0));
            world.connect(a, b, medium.clone(), medium, &name);
        }
        Ok(world)
    }

    fn plug(&mut self, a: Node, b: Node, medium: &Arc<Medium>) -> LinkId {
        self.cables.push((a, b, medium.clone()));
        LinkId(self.cables.len() as u32 - 1)
    }

    /// An interface in the next free subnet of this length for each node.
    fn subnet(&mut self, len: u8, nodes: &[Node]) -> (Vec<Member>, Prefix) {
        let size = 1u32 << (32 - len);
        // 10.0.0.0/8, aligned to the size of the subnet.
        let base = self.segments.next_multiple_of(size);
        self.segments = base + size;
        let version = self.version;
        let len = if version == Version::Six { 64 } else { len };
        let at = |n: u32| match version {
            Version::Four => IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + base + n)),
            // 2001:db8::/32, a link each.
            Version::Six => IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(base) << 64 | u128::from(n))),
        };
        let mut members = Vec::with_capacity(nodes.len());
        let cidr = |addr| Cidr::new(addr, len).expect("no longer than the address");
        for (n, &node) in (1..).zip(nodes) {
            self.macs += 1;
            let (mac, addr) = (MacAddr::local(self.macs), at(n));
            let interfaces = &mut self.nodes[node].interfaces;
            interfaces.reserve_exact(1);
            interfaces.push(InterfaceConfig { mac, addresses: vec![cidr(addr)], mtu: 1500 });
            members.push(Member { node, addr });
        }
        (members, cidr(at(1)).prefix())
    }
}
