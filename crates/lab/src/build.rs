//! From a lab to a world.

mod multicast;

use core::fmt;
use core::time::Duration;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use septet_application::dns;
use septet_application::programs::Captured;
use septet_core::{Port as PortNumber, Randomness, Seed, Station};
use septet_datalink::ethernet::MacAddr;
use septet_datalink::hub::Hub;
use septet_datalink::switch;
use septet_datalink::vlan::VlanId;
use septet_engine::World;
use septet_host::{ByHand, Forwarding, Host, HostConfig, InterfaceConfig, LayerThreeSwitch, system_randomness};
use septet_language::document::Text;
use septet_network::ip::{
    Advertise, AdvertisedPrefix, Autoconf, ConfigError, Discovery, Ipv6Config, Privacy, VlanInterfaceConfig,
};
use septet_network::routes::{Member, Routes, Topology};
use septet_network::{Cidr, Iface, Origin, Prefix, StaticRoute};
use septet_presentation::ca::{Authority, CaError, KeySource, TrustStore};
use septet_service::{Service, StartError, USUAL};
use septet_transport::tcp;

use crate::expect::gauges::{self, Watched};
use crate::expect::readings::Readings;
use crate::fault::board::{self, Board};
use crate::lab::Lab;
use crate::model::cable::Cable;
use crate::model::node::{
    Advert, ByItself, HostSpec, Node, NodeKind, NodeSpec, Port, Resolver, Routing, StackSpec, Subinterface,
};
use crate::model::switch::SwitchSpec;
use crate::model::topology::DOMAIN;
use crate::model::versions::Version;
use crate::model::whereabouts::Whereabouts;
use crate::read::segments::dhcp_clients;
use crate::read::trust::own_authorities;
use crate::run::{Output, Run};
use crate::stage::boot::{self, Consoles, Progress, Stage};

/// Whose certificates the programs of a node believe.
fn trust(node: &Node, usual: Option<&Authority>, others: &BTreeMap<String, Authority>) -> Result<TrustStore, CaError> {
    let host = node.spec.host();
    let named: Vec<&Authority> = match host.and_then(|host| host.trust.as_ref()) {
        Some(names) => {
            let of = |name: &Text| if name.text == USUAL { usual } else { others.get(&name.text) };
            names.iter().filter_map(of).collect()
        }
        None => usual.into_iter().collect(),
    };
    let mut store = TrustStore::empty();
    for authority in named {
        store = store.and(&authority.trust_store());
        if host.is_some_and(|host| host.revocation) {
            store = store.with_revocations(authority.revocations()?);
        }
    }
    Ok(store)
}

/// The files of certificates that the programs of a node show, by name.
type OwnFiles = Vec<(String, String)>;

fn own_files(
    node: &Node,
    usual: Option<&Authority>,
    others: &BTreeMap<String, Authority>,
) -> Result<OwnFiles, CaError> {
    let mut files = Vec::new();
    for certificate in node.spec.host().map(|host| &host.certificates[..]).unwrap_or_default() {
        let authority = match &certificate.authority {
            Some(name) => others.get(name),
            None => usual,
        };
        if let Some(authority) = authority {
            files.push((certificate.file.clone(), certificate.pem(&node.name, authority)?));
        }
    }
    Ok(files)
}

/// How a run differs from what the lab file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BuildOptions {
    /// Another seed than the lab's.
    pub seed: Option<u64>,
    /// Where what must be a secret comes from.
    pub keys: Keys,
    /// Whether hosts leave the cutting of segments to their ports.
    pub segmentation: Segmentation,
}

/// Who cuts a stream into segments of one MTU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Segmentation {
    /// TCP, unless the lab file says otherwise (`gso-max-size`).
    #[default]
    Transport,
    /// The port, as on Linux with TSO: TCP hands on super-segments, which links without a bit rate or losses carry whole.
    Port,
}

/// Where a lab's secrets come from: the keys of its authority, and what its hosts keep to themselves (initial sequence
/// numbers, cookies, ports, identifiers).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Keys {
    /// From the seed, the same in every run; anybody who knows the seed knows the keys.
    #[default]
    Seeded,
    /// From the operating system, as it must be where real programs take part.
    System,
}

/// Why a lab could not be built. A lab that was parsed builds, unless the operating system gives no randomness.
#[derive(Debug)]
pub enum BuildError {
    /// The lab's authority could not be founded, or could not issue a certificate.
    Certificate(CaError),
    /// A zone of a name server will not do.
    Zone(dns::ZoneError),
    /// A host's addresses and routes do not go together.
    Host(String, ConfigError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(e) => e.fmt(f),
            Self::Zone(e) => e.fmt(f),
            Self::Host(name, e) => write!(f, "`{name}`: {e}"),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<StartError> for BuildError {
    fn from(e: StartError) -> Self {
        match e {
            StartError::Certificate(e) => Self::Certificate(e),
            StartError::Zone(e) => Self::Zone(e),
        }
    }
}

impl From<CaError> for BuildError {
    fn from(e: CaError) -> Self {
        Self::Certificate(e)
    }
}

impl Lab {
    /// Builds the world that the lab describes, with its faults and what its expectations need.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(&self, options: &BuildOptions) -> Result<Run, BuildError> {
        let seed = Seed::new(options.seed.unwrap_or(self.seed));
        let mut world = World::new(seed);
        world.set_lens(Arc::new(septet_host::PacketLens));
        let authority = self.authority(seed, options.keys)?.map(Arc::new);
        let others = self.other_authorities(seed, options.keys)?;
        // Before anybody gets a list of what was taken back, all certificates are made: those of clients first.
        let files = self.nodes.iter().map(|node| own_files(node, authority.as_deref(), &others));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let mut boots = Vec::new();
        for (node, spec) in self.nodes.iter().enumerate() {
            let stage = Stage { lab: self, node, authority: authority.as_ref(), others: &others };
            boots.push(spec.services().iter().map(|service| service.start(&stage)).collect::<Result<Vec<_>, _>>()?);
        }
        let mut boots = boots.into_iter();
        let outputs: Rc<RefCell<Vec<Output>>> = Rc::default();
        let consoles = consoles(&outputs, files);
        let names = Arc::new(self.hosts_file());
        let resolvers = self.resolvers();

        let mut places = Whereabouts::default();
        let mut board = Board::default();
        for (index, (node, routes)) in self.nodes.iter().zip(self.routes()).enumerate() {
            let own_boots = boots.next().unwrap_or_default();
            let (station, recorder) = match &*node.spec {
                NodeSpec::Hub => (world.add_station(&node.name, Box::new(Hub::new())), None),
                NodeSpec::Switch(spec) => {
                    let management = self.management(index, spec);
                    let station = self.fit(index, Box::new(switch(node, spec, management)), seed);
                    (world.add_station(&node.name, station), None)
                }
                NodeSpec::L3Switch(_, stack) | NodeSpec::Router(stack) | NodeSpec::Host(HostSpec { stack, .. }) => {
                    let config = HostConfig {
                        name: node.name.clone(),
                        interfaces: interfaces(node),
                        vlans: vlan_interfaces(node),
                        routes: routes.own,
                        by_hand: by_hand(node, stack),
                        ipv6: self.ipv6(index),
                        neighbors: self.across_serial_lines(index),
                        guide: routes.guide,
                        routing: node.speaks.clone(),
                        rates: self.rates(index),
                        forwarding: forwarding(node),
                        firewall: node.firewall.clone(),
                        multicast: self.multicast(index),
                        tcp: segmented(&stack.tcp, options.segmentation),
                        listening: stack.listening.clone(),
                        costs: stack.costs.clone(),
                        name_servers: self.name_servers(node, &resolvers),
                        search: vec![DOMAIN.to_owned()],
                        hosts: if resolvers.is_empty() { names.clone() } else { Arc::default() },
                        lookup: Some(dns::look_up),
                        epoch: self.epoch,
                        randomness: match options.keys {
                            Keys::Seeded => Randomness::Seeded(seed),
                            Keys::System => system_randomness(),
                        },
                    };
                    let mut host = Host::new(config).map_err(|e| BuildError::Host(node.name.clone(), e))?;
                    for boot in own_boots {
                        host.on_boot(boot);
                    }
                    if let Some(boot) = boot::clients(dhcp_clients(node)) {
                        host.on_boot(boot);
                    }
                    let trust = trust(node, authority.as_deref(), &others)?;
                    if let Some(boot) = boot::programs(index, &stack.commands, &trust, &consoles) {
                        host.on_boot(boot);
                    }
                    let recorder = host.recorder();
                    let station: Box<dyn Station> = match node.spec.switch() {
                        Some(spec) => {
                            let switch = switch(node, spec, self.management(index, spec));
                            Box::new(LayerThreeSwitch::new(switch, host, PortNumber(self.inside(index))))
                        }
                        None => Box::new(host),
                    };
                    (world.add_station(&node.name, self.fit(index, station, seed)), Some(recorder))
                }
            };
            board.damage.add_node(station, node);
            places.stations.push(station);
            places.recorders.push(recorder);
        }
        let mut media: BTreeMap<*const Cable, Arc<septet_physical::Medium>> = BTreeMap::new();
        for (index, link) in self.links.iter().enumerate() {
            // Links of one medium share it.
            let [ab, ba] = [0, 1].map(|way| {
                if self.layout().is_shared(link.ends) {
                    return Arc::new(self.medium(index, way));
                }
                let cable = &link.cables[way];
                media.entry(Arc::as_ptr(cable)).or_insert_with(|| Arc::new(cable.medium.clone())).clone()
            });
            let [a, b] = link.ends.map(|end| (places.stations[end.node], PortNumber(end.port)));
            let id = world.connect(a, b, ab, ba, &link.name);
            board.damage.add_link(id, link.cables.clone());
            places.links.push(id);
            places.cables.push(link.cables.clone());
        }
        let board = Rc::new(RefCell::new(board));
        for fault in &self.faults {
            board::schedule(&board, &mut world, fault, septet_core::Instant::ZERO);
        }
        let places = Rc::new(places);
        let probes = self.expectations.iter().flat_map(|e| e.probes()).collect();
        let watched = Watched { layout: self.layout(), nodes: self.watched(), every: self.sample, stop: self.stop };
        watched.watch(&mut world, &places);
        let readings = Readings::prepare(&mut world, &places, probes);
        Ok(Run {
            lab: self.clone(),
            seed: seed.get(),
            world,
            places,
            board,
            readings,
            authority,
            outputs,
            stop_told: false,
        })
    }

    /// The nodes that are looked at from time to time: all where the file says how often, otherwise those of which an
    /// expectation asks for it.
    fn watched(&self) -> BTreeSet<usize> {
        if self.sample.is_some() {
            return (0..self.nodes.len()).collect();
        }
        let series = self.expectations.iter().flat_map(|e| e.series());
        series.filter(|series| gauges::is_gauge(&series.name)).flat_map(|series| series.nodes.iter().copied()).collect()
    }

    /// The lab's certificate authority, where a service speaks TLS or a client has a certificate.
    fn authority(&self, seed: Seed, keys: Keys) -> Result<Option<Authority>, CaError> {
        let services = self.nodes.iter().flat_map(Node::services);
        let own = self.nodes.iter().filter_map(|node| node.spec.host()).flat_map(|host| &host.certificates);
        if services.flat_map(|s| s.certificate_names()).next().is_none() && own.count() == 0 {
            return Ok(None);
        }
        let keys = match keys {
            Keys::Seeded => KeySource::Seeded(seed),
            Keys::System => KeySource::System,
        };
        Authority::new(keys, self.epoch).map(Some)
    }

    /// The authorities that certificates name, beside the lab's own.
    fn other_authorities(&self, seed: Seed, keys: Keys) -> Result<BTreeMap<String, Authority>, CaError> {
        let keys = match keys {
            Keys::Seeded => KeySource::Seeded(seed),
            Keys::System => KeySource::System,
        };
        let of_services = self.nodes.iter().flat_map(Node::services).flat_map(|service| service.authorities());
        let names: BTreeSet<String> = of_services.chain(own_authorities(&self.nodes)).collect();
        let found = |name: String| Ok((name.clone(), Authority::other(&name, keys, self.epoch)?));
        names.into_iter().map(found).collect()
    }

    /// What the links at a node's ports carry, in bits a second; nothing where no routing protocol asks.
    fn rates(&self, node: usize) -> Vec<Option<u64>> {
        let rate = |port: &Port| {
            let link = &self.links[port.link?];
            let way = usize::from(link.ends[0].node != node);
            link.cables[way].medium.rate.map(|rate| rate.bits_per_sec())
        };
        let node = &self.nodes[node];
        if node.speaks.is_empty() { Vec::new() } else { node.stack_ports().iter().map(rate).collect() }
    }

    /// The lab's name servers.
    pub(crate) fn resolvers(&self) -> Vec<usize> {
        let of = |serves: fn(&dyn Service) -> bool| -> Vec<usize> {
            let serves = |n: &Node| n.services().iter().any(|s| serves(&**s));
            let servers = self.nodes.iter().enumerate().filter(|(_, n)| serves(n));
            servers.map(|(index, _)| index).collect()
        };
        let recursive = of(|service| service.finds_names_out());
        if recursive.is_empty() { of(|service| service.answers_names_at().is_some()) } else { recursive }
    }

    /// The first address of `server` of a version of IP that `node` speaks too; any where there is none.
    fn address_for(&self, node: &Node, server: usize) -> Option<IpAddr> {
        let speaks = |address: IpAddr| node.known_addresses().any(|own| own.addr().is_ipv4() == address.is_ipv4());
        let mut addresses = self.nodes[server].known_addresses().map(Cidr::addr);
        addresses.find(|address| speaks(*address)).or_else(|| self.address(server))
    }

    /// Whom `node` asks for names.
    fn name_servers(&self, node: &Node, default: &[usize]) -> Vec<SocketAddr> {
        // Whoever has an address by DHCP alone is told by DHCP whom to ask.
        let is_told = node.addresses().next().is_none();
        let of_lab = || default.iter().filter(|_| !is_told).map(|server| Resolver::Node(*server)).collect();
        let resolvers = node.spec.host().and_then(|host| host.resolvers.clone()).unwrap_or_else(of_lab);
        let address = |resolver: &Resolver| match *resolver {
            Resolver::Address(address) => Some(address),
            Resolver::Node(server) => self.address_for(node, server),
        };
        resolvers.iter().filter_map(address).map(|a| SocketAddr::new(a, dns::PORT)).collect()
    }

    /// Every node's addresses, by name and by name in `lab`: the `/etc/hosts` of a lab without name server.
    fn hosts_file(&self) -> BTreeMap<String, Vec<IpAddr>> {
        let mut names = BTreeMap::new();
        for node in &self.nodes {
            let addresses: Vec<IpAddr> = node.known_addresses().map(Cidr::addr).collect();
            if !addresses.is_empty() {
                let name = node.name.to_ascii_lowercase();
                names.insert(format!("{name}.lab"), addresses.clone());
                names.insert(name, addresses);
            }
        }
        names
    }

    /// The default gateways of `node`, one of each version of IP at most.
    pub(crate) fn gateways(&self, node: usize) -> Vec<IpAddr> {
        let routes = self.routes().into_iter().nth(node).unwrap_or_default();
        routes.own.iter().filter(|r| r.prefix.prefix_len() == 0).map(|r| r.gateway).collect()
    }

    /// What the interfaces of a node do of IPv6 by themselves. Those that have addresses of it take part in neighbour
    /// discovery; where all addresses are the lab's, nobody else has them, and they are used at once.
    fn ipv6(&self, index: usize) -> Vec<(Iface, Ipv6Config)> {
        let node = &self.nodes[index];
        let said = node.spec.host().and_then(|host| host.privacy.as_ref());
        let privacy = said.map_or(Privacy::Off, |(privacy, _)| *privacy);
        let config = |(iface, (addresses, own)): (Iface, (&[Cidr], &ByItself))| {
            let makes = own.autoconf == Autoconf::On;
            if !makes && addresses.iter().all(|cidr| cidr.addr().is_ipv4()) {
                return None;
            }
            let advertise = own.advertise.as_ref().map(|advert| self.advertise(advert, addresses));
            let dad_transmits = u8::from(makes);
            let autoconf = own.autoconf;
            Some((iface, Ipv6Config { discovery: Discovery::On, autoconf, advertise, dad_transmits, privacy }))
        };
        (0..).zip(node.interfaces()).filter_map(config).collect()
    }

    /// What a router advertises on one of its links.
    fn advertise(&self, advert: &Advert, addresses: &[Cidr]) -> Advertise {
        let name_servers = self.told_name_servers(advert);
        let domain = advert.domain.clone().or_else(|| (!name_servers.is_empty()).then(|| DOMAIN.to_owned()));
        Advertise { name_servers, search: domain.into_iter().collect(), ..advertise(advert, addresses) }
    }

    /// The name servers that a router tells hosts: those that are said, or those of the lab.
    fn told_name_servers(&self, advert: &Advert) -> Vec<Ipv6Addr> {
        let of_lab = || self.resolvers().into_iter().map(Resolver::Node).collect();
        let of = |resolver: &Resolver| match *resolver {
            Resolver::Address(address) => Some(address),
            Resolver::Node(node) => self.nodes[node].known_addresses().map(Cidr::addr).find(IpAddr::is_ipv6),
        };
        let servers = advert.name_servers.clone().unwrap_or_else(of_lab);
        servers
            .iter()
            .filter_map(of)
            .filter_map(|address| if let IpAddr::V6(v6) = address { Some(v6) } else { None })
            .collect()
    }

    /// The name servers that routers tell `node`, where it configures itself.
    pub(crate) fn name_servers_by_routers(&self, node: usize) -> Vec<IpAddr> {
        let learned = self.nodes[node].interfaces().flat_map(|(_, own)| own.learned.iter().map(|cidr| cidr.prefix()));
        let learned: Vec<Prefix> = learned.collect();
        let near = |addresses: &[Cidr]| addresses.iter().any(|cidr| learned.contains(&cidr.prefix()));
        let all = self.nodes.iter().flat_map(Node::interfaces).filter(|(addresses, _)| near(addresses));
        let told = all.filter_map(|(_, own)| own.advertise.as_ref()).flat_map(|advert| self.told_name_servers(advert));
        let told: BTreeSet<IpAddr> = told.map(IpAddr::V6).collect();
        told.into_iter().collect()
    }

    /// The routes of every node.
    fn routes(&self) -> Vec<Routes> {
        let mut routes = self.shortest_paths(Version::V4);
        for (routes, of_v6) in routes.iter_mut().zip(self.shortest_paths(Version::V6)) {
            routes.own.extend(of_v6.own);
            match (&routes.guide, of_v6.guide) {
                // A router has one map; what is on the other is written out.
                (Some(_), Some(guide)) => routes.own.extend(guide.routes()),
                (None, guide) => routes.guide = guide,
                (Some(_), None) => {}
            }
        }
        for (node, routes) in self.nodes.iter().zip(&mut routes) {
            let from = node.spec.stack().and_then(|stack| stack.routing).unwrap_or(self.routing);
            if from == Routing::None {
                *routes = Routes::default();
            } else if !node.speaks.is_empty() {
                // A router that speaks a protocol learns its routes of IPv4 from that.
                let others = routes.all().filter(|r| r.prefix.addr().is_ipv6()).collect();
                *routes = Routes { own: others, guide: None };
            }
            for &gateway in &node.gateways {
                let default = Prefix::new(gateway, 0).expect("no bits are fixed");
                routes.own.retain(|r| r.prefix != default);
                routes.own.push(StaticRoute::new(default, gateway));
            }
            // What a person says of a prefix stands in the place of what was computed.
            routes.own.retain(|r| r.origin != Origin::Oracle || node.routes.iter().all(|own| own.prefix != r.prefix));
        }
        routes
    }

    /// The shortest paths over one version of IP.
    fn shortest_paths(&self, version: Version) -> Vec<Routes> {
        let is_of = |address: IpAddr| Version::of(address) == version;
        let mut topology = Topology::default();
        for node in &self.nodes {
            let index = topology.node(forwarding(node));
            let is_default = |prefix: Prefix| prefix.prefix_len() == 0 && is_of(prefix.addr());
            if node.gateways.iter().any(|gateway| is_of(*gateway))
                || node.routes.iter().any(|route| is_default(route.prefix))
            {
                topology.explicit(index);
            }
        }
        // A network may be at several places: it is reached at the nearest.
        let mut segments: BTreeMap<Prefix, BTreeMap<usize, Vec<Member>>> = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            for (segment, cidr) in node.places().filter(|(_, cidr)| is_of(cidr.addr())) {
                let places = segments.entry(cidr.prefix()).or_default();
                places.entry(segment).or_default().push(Member { node: index, addr: cidr.addr() });
            }
        }
        for (prefix, places) in segments {
            // To an address of no network that several have only routes by hand lead.
            if prefix == Prefix::host(prefix.addr()) && places.values().map(Vec::len).sum::<usize>() > 1 {
                continue;
            }
            for mut members in places.into_values() {
                // The router with the lowest address is the first choice.
                members.sort_by_key(|m| m.addr);
                topology.segment(prefix, 1, members);
            }
        }
        topology.compute()
    }
}

/// TCP's defaults on a node.
fn segmented(tcp: &Arc<tcp::Config>, segmentation: Segmentation) -> Arc<tcp::Config> {
    match segmentation {
        Segmentation::Port if tcp.gso_max_size == 0 => {
            Arc::new(tcp::Config { gso_max_size: 65_536, ..(**tcp).clone() })
        }
        _ => tcp.clone(),
    }
}

/// What the file says of a node's routes and of better ones.
fn by_hand(node: &Node, stack: &StackSpec) -> Option<Box<ByHand>> {
    let StackSpec { multipath, redirects, .. } = *stack;
    let by_hand = ByHand { routes: node.routes.clone(), multipath, redirects };
    (by_hand != ByHand::default()).then(|| Box::new(by_hand))
}

fn forwarding(node: &Node) -> Forwarding {
    match node.kind() {
        NodeKind::L3Switch | NodeKind::Router => Forwarding::On,
        NodeKind::Host | NodeKind::Switch | NodeKind::Hub => Forwarding::Off,
    }
}

fn switch(node: &Node, spec: &SwitchSpec, management: Option<switch::Management>) -> switch::Switch {
    let default = switch::Config::default();
    switch::Switch::new(switch::Config {
        ageing: spec.ageing.unwrap_or(default.ageing),
        capacity: spec.table.unwrap_or(default.capacity),
        mtus: node.ports.iter().map(|p| usize::from(p.mtu)).collect(),
        management,
    })
}

fn interfaces(node: &Node) -> Vec<InterfaceConfig> {
    let interface = |port: &Port| InterfaceConfig {
        mac: MacAddr(port.mac),
        addresses: port.addresses.clone(),
        mtu: u32::from(port.mtu),
    };
    node.stack_ports().iter().map(interface).collect()
}

fn vlan_interfaces(node: &Node) -> Vec<VlanInterfaceConfig> {
    let at = |(over, port): (u16, &Port)| {
        let of = |sub: &Subinterface| {
            let vlan = VlanId::new(sub.vlan)?;
            Some(VlanInterfaceConfig { over, vlan, addresses: sub.addresses.clone() })
        };
        port.vlans.iter().filter_map(of).collect::<Vec<_>>()
    };
    (0..).zip(node.stack_ports()).flat_map(at).collect()
}

/// What a router advertises on one of its links, but for name servers.
fn advertise(advert: &Advert, addresses: &[Cidr]) -> Advertise {
    let standard = Advertise::default();
    let max_interval = advert.interval.unwrap_or(standard.max_interval);
    // RFC 4861 §6.2.1: MinRtrAdvInterval is "0.33 * MaxRtrAdvInterval", and at least three seconds.
    let min_interval = (max_interval * 33 / 100).max(Duration::from_secs(3));
    let prefix = |cidr: &Cidr| {
        let standard = AdvertisedPrefix::new(cidr.prefix());
        let valid = advert.valid.or(standard.valid);
        // RFC 4861 §6.2.1: AdvPreferredLifetime "MUST NOT be larger than AdvValidLifetime".
        let preferred = advert.preferred.or(standard.preferred).min(valid);
        AdvertisedPrefix { valid, preferred, ..standard }
    };
    Advertise {
        max_interval,
        min_interval,
        lifetime: advert.lifetime.unwrap_or(3 * max_interval),
        reachable: advert.reachable.unwrap_or(standard.reachable),
        retrans: advert.retransmit.unwrap_or(standard.retrans),
        prefixes: addresses.iter().filter(|cidr| cidr.addr().is_ipv6()).map(prefix).collect(),
        ..standard
    }
}

/// Keeps what every program prints.
fn consoles(outputs: &Rc<RefCell<Vec<Output>>>, files: Vec<OwnFiles>) -> Consoles {
    let outputs = outputs.clone();
    Rc::new(move |node, command| {
        let (console, progress) = (Captured::default(), Arc::<Progress>::default());
        for (file, pem) in files.get(node).into_iter().flatten() {
            console.put_file(file, pem.as_bytes());
        }
        outputs.borrow_mut().push(Output { node, command, console: console.clone(), progress: progress.clone() });
        (Arc::new(console), progress)
    })
}
