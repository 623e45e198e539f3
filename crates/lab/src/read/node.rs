//! `[hub.NAME]`, `[switch.NAME]`, `[router.NAME]`, `[host.NAME]`: what may be said of a node, and how that is read.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use septet_datalink::vlan::VlanId;
use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::names;
use septet_language::schema::{
    AnyKey, AtLeast, Choice, Either, Entry, Key, Line, Named, OneOf, Phrase, PieceOf, Section, Switch, Table, TableOf,
    Texts, Time,
};
use septet_language::words::{Word, Wrong};
use septet_network::ip::{Multipath, Privacy, Redirects};
use septet_transport::tcp;

use crate::firewall::{self, FIREWALL, NAT};
use crate::model::address;
use crate::model::command::{self, Command};
use crate::model::files::Files;
use crate::model::medium;
use crate::model::multicast::MulticastSpec;
use crate::model::node::{
    Advert, Advertises, Duplex, GivenAddress, HostSpec, NodeKind, NodeSpec, PortSpec, Resolver, Routing, StackSpec,
    VlanSpec,
};
use crate::model::switch::Layer;
use crate::model::topology::Topology;
use crate::model::versions::Versions;
use crate::read::known::Known;
use crate::read::routes::ROUTES;
use crate::read::switch::{self, SWITCH};
use crate::read::tcp::TCP;
use crate::read::{costs, listeners, multicast, routing};

/// The tables of nodes by the name of the section, and so by kind.
type NodesOf = Key<Named<PieceOf>>;

pub(crate) static HUBS: NodesOf =
    Key::new("hub", Named("hub", PieceOf(&HUB)), "repeaters, by name: all on them share one line");
pub(crate) static SWITCHES: NodesOf =
    Key::new("switch", Named("switch", PieceOf(&SWITCH)), "learning Ethernet switches, by name");
pub(crate) static L3_SWITCHES: NodesOf =
    Key::new("l3switch", Named("l3switch", PieceOf(&L3_SWITCH)), "switches that route between their VLANs, by name");
pub(crate) static ROUTERS: NodesOf =
    Key::new("router", Named("router", PieceOf(&ROUTER)), "hosts that forward, by name");
pub(crate) static HOSTS: NodesOf =
    Key::new("host", Named("host", PieceOf(&HOST)), "hosts, by name or range: `\"web[1..3]\"`");

static HUB: Section =
    Section::new("A repeater: what comes in at one port goes out at all others, and its links are half duplex.", &[]);
static L3_SWITCH: Section = Section::new(
    "A switch that routes between its VLANs: it has an interface in each VLAN that it names.",
    &[
        switch::KEYS,
        &[
            &IP,
            &ADDRESSES,
            &MTU,
            &ROUTING,
            &GATEWAY,
            &ROUTES,
            &MULTIPATH,
            &REDIRECTS,
            &TCP,
            &listeners::LISTENERS,
            &costs::COSTS,
            &RUN,
            &FIREWALL,
        ],
        ROUTERS_OWN,
    ],
)
.more(of_routers)
.numbered(&INSIDE);
static INSIDE: Key<TableOf> = Key::new("eth", TableOf(&INSIDE_PORT), "the port inside, eth0");
static INSIDE_PORT: Section =
    Section::new("The port behind which the interfaces of a switch that routes are.", &[&[]]).numbered(&VLAN_PORTS);
static ADDRESSES: Key<Named<Texts<GivenAddress>>> = Key::new(
    "addresses",
    Named("VLAN", Texts(CIDR)),
    "its address in each VLAN, with the prefix: `{ 10 = \"10.0.10.1/24\" }` (they come by themselves)",
);
static ROUTER: Section = Section::new("A host that forwards.", &[STACK, ROUTERS_OWN]).more(of_routers).numbered(&PORTS);
static HOST: Section = Section::new("A host.", &[STACK, HOSTS_OWN]).more(septet_service::keys).numbered(&PORTS);

/// What protocols and services add to what may be said of a router.
fn of_routers() -> Vec<&'static dyn AnyKey> {
    [routing::keys(), septet_service::router_keys()].concat()
}

/// What hosts and routers have in common.
const STACK: &[&dyn AnyKey] = &[
    &IP,
    &ADDRESS,
    &MTU,
    &ROUTING,
    &GATEWAY,
    &ROUTES,
    &MULTIPATH,
    &REDIRECTS,
    &TCP,
    &listeners::LISTENERS,
    &costs::COSTS,
    &DUPLEX,
    &TURNAROUND,
    &RUN,
    &FIREWALL,
];

const ROUTERS_OWN: &[&dyn AnyKey] = &[&NAT, &ADVERTISE, &multicast::MULTICAST, &multicast::QUERIER];

const HOSTS_OWN: &[&dyn AnyKey] = &[&EXEC, &TAP, &RESOLVER, &PRIVACY, &TRUST, &REVOCATION, &septet_service::OWN];

static IP: Key<Choice<Versions>> =
    Key::new("ip", Choice(Versions::words), "the versions of IP that it speaks: `4`, `6` or `dual` (the lab's)");
static ADDRESS: Key<Texts<GivenAddress>> =
    Key::new("address", Texts(CIDR), "the address with its prefix, several, or `dhcp`, where there is one port only");
static MTU: Key<Phrase<u16>> = Key::new("mtu", BYTES, "the largest packet that it sends, in bytes (1500)");
static ROUTING: Key<Choice<Routing>> = Key::new(
    "routing",
    ROUTES_FROM,
    "where its routes come from: `computed` from the whole topology, or `none` beside those to its own links, by hand and \
     by protocols (computed)",
);
pub(crate) static ROUTING_OF_ALL: Key<Choice<Routing>> =
    Key::new("routing", ROUTES_FROM, "where the routes of nodes come from that do not say it themselves (computed)");
const ROUTES_FROM: Choice<Routing> = Choice(|| {
    let protocols = routing::by_name().map(|kind| (kind.name, Routing::Protocol(kind.name)));
    [("computed", Routing::Computed), ("none", Routing::None)].into_iter().chain(protocols).collect()
});
static MULTIPATH: Key<Choice<Multipath>> = Key::new(
    "multipath",
    Choice(|| vec![("addresses", Multipath::Addresses), ("ports", Multipath::Ports)]),
    "what decides which of several gateways of a route a packet takes: its `addresses`, or its `ports` too (addresses)",
);
static REDIRECTS: Key<Switch> = Key::new(
    "redirects",
    Switch,
    "whether it believes its router that knows a better one, or as a router tells hosts of a better one (true)",
);
static DUPLEX: Key<Choice<Duplex>> = Key::new(
    "duplex",
    Choice(|| vec![("full", Duplex::Full), ("half", Duplex::Half)]),
    "`half` where the ports must not send while they receive (full)",
);
static TURNAROUND: Key<Time> = Key::new(
    "turnaround",
    Time,
    "how long it takes from the end of a frame to its answer (0s; 20us where it has a port at a shared line)",
);
static RUN: Key<Texts<Command>> = Key::new("run", Texts(COMMAND), "programs and when they start: `at 1s: ping web1`");
static GATEWAY: Key<Line> = Key::new("gateway", Line, "the router of its default route, by name or address");
static EXEC: Key<Line> = Key::new(
    "exec",
    Line,
    "a real program that takes this host's place when the lab is live: `nginx -g 'daemon off;'`",
);
static TAP: Key<Line> =
    Key::new("tap", Line, "a TAP interface that takes this host's place when the lab is live: `tap0`");
static RESOLVER: Key<Texts<Text>> = Key::new(
    "resolver",
    Texts(Phrase::later("a name server", "dns")),
    "whom it asks for names, by name or address (the lab's DNS hosts)",
);
static TRUST: Key<Texts<Text>> = Key::new(
    "trust",
    Texts(Phrase::later("an authority", "lab")),
    "whose certificates its programs believe: `lab`, the lab's own authority, and those that certificates name (lab)",
);
static REVOCATION: Key<Switch> =
    Key::new("revocation", Switch, "whether its programs get the lists of what those authorities took back (false)");

static PRIVACY: Key<OneOf<Switch, TableOf>> = Key::new(
    "privacy",
    OneOf(Switch, TableOf(&PRIVATE)),
    "whether a `slaac` host speaks from temporary addresses that it makes at random, or for how long from each (false)",
);
static PRIVATE: Section = Section::new("How long temporary addresses last (RFC 8981).", &[&[&IN_USE, &USABLE]]);
static IN_USE: Key<AtLeast> = Key::new(
    "preferred",
    AtLeast(Duration::from_secs(10)),
    "for how long one is used for what is new, less a random part of up to two fifths (1 day)",
);
static USABLE: Key<AtLeast> =
    Key::new("valid", AtLeast(Duration::from_secs(10)), "for how long it is used at all (2 days)");

static ADVERTISE: Key<OneOf<Switch, TableOf>> = Key::new(
    "advertise",
    OneOf(Switch, TableOf(&ADVERT)),
    "whether it tells hosts its IPv6 prefixes, so that they make themselves addresses, or how (false)",
);
static ADVERT: Section = Section::new(
    "How a router advertises itself (RFC 4861).",
    &[&[&INTERVAL, &LIFETIME, &PREFERRED, &VALID, &REACHABLE, &RETRANSMIT, &NAME_SERVERS, &SEARCH]],
);
static INTERVAL: Key<AtLeast> = Key::new(
    "interval",
    AtLeast(Duration::from_secs(4)),
    "the longest time between two advertisements that nobody asked for (10m)",
);
static LIFETIME: Key<Time> =
    Key::new("lifetime", Time, "for how long it may be used as a default router, 0s: not at all (three intervals)");
static PREFERRED: Key<Time> =
    Key::new("preferred", Time, "for how long addresses of its prefixes are used for what is new (7 days)");
static VALID: Key<Time> = Key::new("valid", Time, "for how long addresses of its prefixes are used at all (30 days)");
static REACHABLE: Key<Time> =
    Key::new("reachable", Time, "for how long hosts take a neighbour to be there without a sign of it (30s)");
static RETRANSMIT: Key<Time> =
    Key::new("retransmit", Time, "how long hosts wait for an answer before they ask a neighbour again (1s)");
static NAME_SERVERS: Key<Texts<Text>> = Key::new(
    "name_servers",
    Texts(Phrase::later("a name server", "dns")),
    "whom hosts are to ask for names, by name or IPv6 address (the lab's DNS hosts)",
);
static SEARCH: Key<Line> = Key::new("domain", Line, "the domain of names without a dot (lab)");

static PORTS: Key<TableOf> = Key::new("eth", TableOf(&PORT), "one port");
static PORT: Section =
    Section::new("One port of a host or router.", &[&[&PORT_ADDRESS, &ADVERTISE, &MTU]]).numbered(&VLAN_PORTS);
static PORT_ADDRESS: Key<Texts<GivenAddress>> = Key::new(
    "address",
    Texts(CIDR),
    "the address with its prefix, or several: `10.0.1.5/24`, `2001:db8:0:1::5/64`; or `dhcp` or `slaac`",
);
static VLAN_PORTS: Key<TableOf> = Key::new("", TableOf(&VLAN_PORT), "the interface for one VLAN");
static VLAN_PORT: Section =
    Section::new("The interface for one VLAN at a port, named by its number.", &[&[&PORT_ADDRESS, &ADVERTISE]]);

const COMMAND: Phrase<Command> =
    Phrase { what: "a command", example: "at 1s: ping web1", read: |_, text| command::parse(text) };
const CIDR: Phrase<GivenAddress> = Phrase {
    what: "an address",
    example: "10.0.1.5/24",
    read: |_, text| {
        let address = address::given(&text.text);
        let address = address.map_err(|refusal| Wrong::refused("address", 0..text.text.len(), refusal))?;
        Ok((address, text.inner()))
    },
};
const BYTES: Phrase<u16> =
    Phrase { what: "a size", example: "1500", read: |_, text| medium::mtu(Word { text: &text.text, at: 0 }) };

/// The kinds of nodes, with their tables.
const SECTIONS: &[(NodeKind, &NodesOf)] = &[
    (NodeKind::Hub, &HUBS),
    (NodeKind::Switch, &SWITCHES),
    (NodeKind::L3Switch, &L3_SWITCHES),
    (NodeKind::Router, &ROUTERS),
    (NodeKind::Host, &HOSTS),
];

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
    for (kind, section) in SECTIONS {
        for (name, table) in root.get(*section).unwrap_or_default() {
            let kind = *kind;
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
        let table = Arc::new(table);
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

/// The first of the nodes of each table: what is wrong with it need be said once.
pub(crate) fn firsts(declared: &[Declared]) -> impl Iterator<Item = &Declared> {
    let mut last: Option<*const Table> = None;
    declared.iter().filter(move |node| last.replace(Arc::as_ptr(&node.table)) != Some(Arc::as_ptr(&node.table)))
}

impl Declared {
    /// Reports keys that are missing where all that the file says of the node is put together.
    pub(crate) fn missing(&self, mistakes: &mut Mistakes) {
        let section = match self.kind {
            NodeKind::Hub => &HUB,
            NodeKind::Switch => &SWITCH,
            NodeKind::L3Switch => &L3_SWITCH,
            NodeKind::Router => &ROUTER,
            NodeKind::Host => &HOST,
        };
        let path = format!("{}.{}", self.kind.as_str(), self.key);
        self.table.missing(section, &path, &self.span, mistakes);
    }

    /// What the file says of the node.
    pub(crate) fn spec(
        &self,
        defaults: &Arc<tcp::Config>,
        topology: &Topology,
        kinds: &dyn Fn(usize) -> NodeKind,
        files: &Files,
        mistakes: &mut Mistakes,
    ) -> NodeSpec {
        let known = Known { topology, files };
        match self.kind {
            NodeKind::Hub => NodeSpec::Hub,
            NodeKind::Switch => NodeSpec::Switch(switch::read(&self.table, Layer::Two, topology, mistakes)),
            NodeKind::L3Switch => {
                let switch = switch::read(&self.table, Layer::Three, topology, mistakes);
                let mut stack = stack(&self.table, defaults, known, mistakes);
                stack.of_vlans = vlan_addresses(&self.table, mistakes);
                stack.multicast = multicast::read(&self.table, topology, kinds, mistakes);
                said_twice(&stack, mistakes);
                NodeSpec::L3Switch(switch, stack)
            }
            NodeKind::Router => NodeSpec::Router(StackSpec {
                multicast: multicast::read(&self.table, topology, kinds, mistakes),
                ..stack(&self.table, defaults, known, mistakes)
            }),
            NodeKind::Host => NodeSpec::Host(host(&self.table, defaults, known, mistakes)),
        }
    }
}

fn host(table: &Table, defaults: &Arc<tcp::Config>, known: Known<'_>, mistakes: &mut Mistakes) -> HostSpec {
    let topology = known.topology;
    HostSpec {
        stack: stack(table, defaults, known, mistakes),
        exec: table.get(&EXEC).map(|text| text.text),
        tap: table.get(&TAP).map(|text| text.text),
        resolvers: table
            .get(&RESOLVER)
            .map(|texts| texts.iter().filter_map(|text| resolver(text, topology, mistakes)).collect()),
        privacy: privacy(table),
        trust: table.get(&TRUST),
        revocation: table.get(&REVOCATION).unwrap_or(false),
        certificates: septet_service::own_certificates(table, mistakes),
    }
}

/// What a table says of temporary addresses.
fn privacy(table: &Table) -> Option<(Privacy, Span)> {
    let privacy = match table.get(&PRIVACY)? {
        Either::This(false) => Privacy::Off,
        Either::This(true) => Privacy::ON,
        Either::That(of) => {
            let Privacy::On { preferred, valid } = Privacy::ON else { return None };
            let valid = of.get(&USABLE).unwrap_or(valid);
            Privacy::On { preferred: of.get(&IN_USE).unwrap_or(preferred).min(valid), valid }
        }
    };
    Some((privacy, table.name(&PRIVACY)?.span.clone()))
}

/// A name server, by its address or by its name.
fn resolver(text: &Text, topology: &Topology, mistakes: &mut Mistakes) -> Option<Resolver> {
    if let Ok(address) = text.text.parse() {
        return Some(Resolver::Address(address));
    }
    let node = topology.node(Word { text: &text.text, at: 0 });
    node.map(Resolver::Node).map_err(|wrong| mistakes.push(wrong.mistake(text))).ok()
}

fn stack(table: &Table, defaults: &Arc<tcp::Config>, known: Known<'_>, mistakes: &mut Mistakes) -> StackSpec {
    let topology = known.topology;
    let port = |(number, port): (u16, Entry<'_, Table>)| {
        let vlans = vlans(port.value, topology, mistakes);
        let (addresses, mtu) = (port.value.get(&PORT_ADDRESS).unwrap_or_default(), port.value.get(&MTU));
        let advertises = advertises(port.value, topology, mistakes);
        (number, PortSpec { addresses, advertises, mtu, vlans, span: port.name.span.clone() })
    };
    let ports = table.numbered(&PORTS).into_iter().map(port).collect();
    StackSpec {
        tcp: crate::read::tcp::read(table, defaults, mistakes),
        listening: listeners::read(table, mistakes),
        costs: costs::read(table),
        commands: table.get(&RUN).unwrap_or_default(),
        services: septet_service::read(table, &known, mistakes),
        duplex: table.get(&DUPLEX).unwrap_or_default(),
        turnaround: table.get(&TURNAROUND),
        versions: table.get(&IP),
        advertises: advertises(table, topology, mistakes),
        addresses: table.get(&ADDRESS).unwrap_or_default(),
        mtu: table.get(&MTU),
        routing: table.get(&ROUTING),
        gateway: table.get(&GATEWAY),
        routes: table.get(&ROUTES).unwrap_or_default(),
        multipath: table.get(&MULTIPATH).unwrap_or_default(),
        redirects: if table.get(&REDIRECTS) == Some(false) { Redirects::Off } else { Redirects::On },
        of_vlans: BTreeMap::new(),
        ports,
        firewall: firewall::read(table),
        nat: firewall::nat::read(table),
        multicast: MulticastSpec::default(),
    }
}

/// What a table says of router advertisements.
fn advertises(table: &Table, topology: &Topology, mistakes: &mut Mistakes) -> Option<Advertises> {
    let mut server = |text: &Text| match resolver(text, topology, mistakes)? {
        Resolver::Address(IpAddr::V4(address)) => {
            let reason = format!("a router tells name servers of IPv6 alone, and `{address}` is of IPv4");
            mistakes.push(Mistake::new("address", text.inner(), reason, "not of IPv6"));
            None
        }
        server => Some(server),
    };
    let mut how = |of: Table| Advert {
        name_servers: of.get(&NAME_SERVERS).map(|texts| texts.iter().filter_map(&mut server).collect()),
        domain: of.get(&SEARCH).map(|text| text.text),
        reachable: of.get(&REACHABLE),
        retransmit: of.get(&RETRANSMIT),
        interval: of.get(&INTERVAL),
        lifetime: of.get(&LIFETIME),
        preferred: of.get(&PREFERRED),
        valid: of.get(&VALID),
    };
    let advert = match table.get(&ADVERTISE)? {
        Either::This(said) => said.then(Advert::default),
        Either::That(of) => Some(how(of)),
    };
    Some((advert, table.name(&ADVERTISE)?.span.clone()))
}

/// Whether a port of a host or router has an address in a table of its own, and where its key `address` is written.
pub(crate) fn addresses_twice(table: &Table) -> Option<Span> {
    let own = |(_, port): (u16, Entry<'_, Table>)| port.value.name(&PORT_ADDRESS).is_some();
    let address = table.name(&ADDRESS)?;
    table.numbered(&PORTS).into_iter().any(own).then(|| address.span.clone())
}

/// The addresses of a switch that routes, by VLAN.
fn vlan_addresses(table: &Table, mistakes: &mut Mistakes) -> BTreeMap<u16, Vec<GivenAddress>> {
    let mut found = BTreeMap::new();
    for (name, address) in table.get(&ADDRESSES).unwrap_or_default() {
        match name.text.parse::<u16>().ok().filter(|vlan| VlanId::new(*vlan).is_some()) {
            Some(vlan) => {
                found.insert(vlan, address);
            }
            None => {
                let reason = format!("`{}` is not a VLAN", name.text);
                mistakes.push(
                    Mistake::new("vlan", name.span.clone(), reason, "not a VLAN").help("from 1 to 4094".to_owned()),
                );
            }
        }
    }
    found
}

/// Reports addresses in a VLAN that stand in the table of its interface, and under `addresses` too.
fn said_twice(stack: &StackSpec, mistakes: &mut Mistakes) {
    for (vlan, sub) in stack.ports.get(&0).into_iter().flat_map(|port| &port.vlans) {
        let other = stack.of_vlans.get(vlan).and_then(|all| all.first());
        if let (Some((_, here)), Some((_, there))) = (sub.addresses.first(), other) {
            let reason = format!("the address in VLAN {vlan} is said twice");
            let mistake = Mistake::new("address", here.clone(), reason, "one or the other");
            mistakes.push(mistake.also(there.clone(), "and here, under `addresses`"));
        }
    }
}

/// The tables of a port that are named by a VLAN's number.
fn vlans(port: &Table, topology: &Topology, mistakes: &mut Mistakes) -> BTreeMap<u16, VlanSpec> {
    let mut vlans = BTreeMap::new();
    for (number, Entry { name, value, .. }) in port.numbered(&VLAN_PORTS) {
        if VlanId::new(number).is_none() {
            let reason = format!("there is no VLAN {number}");
            mistakes
                .push(Mistake::new("vlan", name.span.clone(), reason, "not a VLAN").help("from 1 to 4094".to_owned()));
            continue;
        }
        vlans.insert(
            number,
            VlanSpec {
                addresses: value.get(&PORT_ADDRESS).unwrap_or_default(),
                advertises: advertises(value, topology, mistakes),
                span: name.span.clone(),
            },
        );
    }
    vlans
}
