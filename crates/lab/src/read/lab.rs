//! How the text of a lab file becomes a lab.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use septet_core::Instant;
use septet_language::document::{self, Text};
use septet_language::mistake::{Gravity, Mistake, Mistakes};
use septet_language::schema::{self, Entry, Table};
use septet_language::words::{Word, Wrong};
use septet_network::Cidr;
use septet_transport::tcp::Config;

use crate::expect::expr::{Expectation, Probe};
use crate::expect::parser;
use crate::fault::kind::Fault;
use crate::fault::packets::{self, PacketChoice};
use crate::fault::script;
use crate::firewall;
use crate::lab::{Lab, SHORTEST_SAMPLE};
use crate::model::address::{self, Spot};
use crate::model::cable::Cable;
use crate::model::files::Files;
use crate::model::link::Link;
use crate::model::medium;
use crate::model::node::{ByItself, Node, NodeKind, NodeSpec, Port, Routing, Subinterface};
use crate::model::topology::{PortRef, Topology};
use crate::model::versions::{Version, Versions};
use crate::read::idle::Idle;
use crate::read::keys::{self, EXPECT, FAULTS, LAB, LINKS, MEDIA, SCRIPT, SWEEP, Sweep, TOPOLOGY};
use crate::read::links::Wiring;
use crate::read::node::{self, Declared, ROUTING_OF_ALL, firsts};
use crate::read::starts::{self, Stop};
use crate::read::{autoconf, dhcp, edit, multicast, routes, routing, segments, shared_line, sweep, tcp, trust, vlans};

/// 2026-01-01T00:00:00Z: a date that certificates can be valid at, the same for everybody.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);
const STOP: Duration = Duration::from_secs(60);
/// Ethernet's (IEEE 802.3 §3.2.7: at most 1500 octets of client data).
const MTU: u16 = 1500;

impl Lab {
    /// Reads a lab file. `source` names it in messages.
    ///
    /// ```
    /// let lab = septet_lab::Lab::parse("two.toml", r#"
    ///     [topology]
    ///     links = ["a -- b"]
    ///     [host.a]
    ///     [host.b]
    /// "#)?;
    /// assert_eq!(lab.links[0].name, "a--b");
    /// let mistakes = septet_lab::Lab::parse("two.toml", "topology.links = ['a -- b']\n[host.a]").unwrap_err();
    /// assert_eq!(mistakes.iter().next().unwrap().reason(), "no node is called `b`");
    /// # Ok::<(), septet_lab::Mistakes>(())
    /// ```
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(source: &str, text: &str) -> Result<Self, Mistakes> {
        let (lab, sweep) = Self::read(source, text, Gravity::Error)?;
        let mistakes = sweep::check(&lab, &sweep, source);
        if mistakes.has_errors() { Err(mistakes.sorted()) } else { Ok(lab) }
    }

    /// Reads a lab file some of whose values were changed, by a sweep or on the command line. Unlike
    /// [`parse`](Self::parse) it tries none of the values of its `[sweep]`, and only warns of what begins after the lab's
    /// end, which may have been changed for a short run.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse_changed(source: &str, text: &str) -> Result<Self, Mistakes> {
        Self::read(source, text, Gravity::Warning).map(|(lab, _)| lab)
    }

    fn read(source: &str, text: &str, late: Gravity) -> Result<(Self, Sweep), Mistakes> {
        let mut mistakes = Mistakes::new(source, text);
        let root = document::parse(text, &mut mistakes);
        // After a syntax error the rest may have been read as something else.
        if mistakes.has_errors() {
            return Err(mistakes.sorted());
        }
        let root = schema::read(&root, &keys::ROOT, &mut mistakes);
        let files = Files::beside(source);
        let lab = Reader { root: &root, files: &files, mistakes: &mut mistakes, late }.lab(source, text);
        if mistakes.has_errors() {
            return Err(mistakes.sorted());
        }
        let lab = Self { warnings: mistakes.sorted(), files: files.contents(), ..lab };
        Ok((lab, root.get(&SWEEP).unwrap_or_default()))
    }

    /// Reads a fault as in the file's `[faults]`, for a lab that runs already.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn fault(&self, text: &str) -> Result<Fault, Mistakes> {
        let text = Text::bare(text.to_owned(), 0..text.len());
        script::parse(&text, self.layout(), self.stop, &Files::beside(&self.source))
            .map_err(|wrong| in_no_file("fault", &text.text, wrong))
    }
}

impl Lab {
    /// The same lab with other faults, as lines of `[faults]`, and another end; where that is `None`, its own.
    ///
    /// # Errors
    /// What is wrong with it then: an expectation may ask for what is no longer part of the run.
    pub fn with_faults(&self, faults: &[String], stop: Option<Instant>) -> Result<Self, Mistakes> {
        let text = edit::with_faults(&self.text, faults, stop).map_err(|e| {
            let mut mistakes = Mistakes::new(&self.source, &self.text);
            mistakes.push(Mistake::new("syntax", 0..0, e.to_string(), "not understood"));
            mistakes
        })?;
        Self::parse_changed(&self.source, &text)
    }

    /// The lab that another text says, which names the same files beside it.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn with_text(&self, text: &str) -> Result<Self, Mistakes> {
        Self::parse_changed(&self.source, text)
    }

    /// Which packets these words of a filter of `[faults]` mean: `tcp syn dport 80 src client`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn packets(&self, words: &str) -> Result<PacketChoice, Mistakes> {
        packets::choice(words, self.layout()).map_err(|wrong| in_no_file("packets", words, wrong))
    }

    /// Reads an expectation as in the file's `[expect]`, for a lab that runs already. It may ask for whatever is counted or
    /// recorded anyway, and not for what has to be watched from the beginning.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn expectation(&self, text: &str) -> Result<Expectation, Mistakes> {
        let kind = |node: usize| self.nodes[node].kind();
        let read = parser::parse(text, &self.topology, &kind).and_then(|(condition, _)| {
            let read = Expectation { name: text.to_owned(), text: text.to_owned(), condition };
            match read.probes().iter().any(Probe::is_prepared) {
                false => Ok(read),
                true => Err(Wrong::new("expression", 0..text.len(), "this is to be watched from the beginning")
                    .help("say it in the lab's `[expect]`".to_owned())),
            }
        });
        read.map_err(|wrong| in_no_file("expectation", text, wrong))
    }
}

/// What is wrong with a text that stands in no file, as the only mistake in it.
fn in_no_file(what: &str, text: &str, wrong: Wrong) -> Mistakes {
    let mut mistakes = Mistakes::new(what, text);
    mistakes.push(wrong.mistake(&Text::bare(text.to_owned(), 0..text.len())));
    mistakes
}

struct Reader<'a> {
    root: &'a Table,
    files: &'a Files,
    mistakes: &'a mut Mistakes,
    /// How grave it is to begin after the end that the file gives.
    late: Gravity,
}

impl Reader<'_> {
    /// Reads as much as can be; where there are mistakes the result is not used.
    fn lab(&mut self, source: &str, text: &str) -> Lab {
        let lab = self.root.get(&LAB).unwrap_or_default();
        let stem = source.rsplit(['/', '\\']).next().unwrap_or(source);
        let said = lab.get(&keys::STOP);
        let stop = Instant::ZERO + said.unwrap_or(STOP);
        let mut topology = Topology::default();
        topology.beside = Some(self.files.directory().to_path_buf());
        let declared = node::declared(self.root, self.mistakes);
        for node in firsts(&declared) {
            node.missing(self.mistakes);
        }
        for node in &declared {
            topology.add_node(&node.name);
        }
        let media = self.media();
        let texts = self.root.get(&TOPOLOGY).and_then(|joined| joined.get(&LINKS)).unwrap_or_default();
        let faults = self.root.get(&FAULTS).and_then(|faults| faults.get(&SCRIPT)).unwrap_or_default();
        let (hub, files) = (Arc::new(Cable::hub()), self.files);
        let mut wiring = Wiring { declared: &declared, media: &media, hub, files, mistakes: &mut *self.mistakes };
        let (links, spans, ports) = wiring.links(&texts, &mut topology);
        self.unused(&texts, &media, &links);
        let of_all = (tcp::of_all(&lab, self.mistakes), lab.get(&keys::IP).unwrap_or_default());
        let nodes = self.nodes(&declared, &links, ports, &of_all, &topology);
        shared_line::check(&nodes, &links, &spans, self.mistakes);
        let gravity = if said.is_some() { self.late } else { Gravity::Warning };
        let ends = Stop { at: stop, gravity };
        let said = self.root.get(&MEDIA).unwrap_or_default();
        let idle =
            Idle { media: &said, texts: &texts, faults: &faults, declared: &declared, links: &links, spans: &spans };
        idle.check(self.mistakes);
        trust::check(&nodes, self.mistakes);
        starts::check(&declared, &nodes, &topology, ends, self.mistakes);
        let mut made = Lab {
            name: lab.get(&keys::NAME).map_or_else(|| stem.trim_end_matches(".toml").to_owned(), |name| name.text),
            description: lab.get(&keys::DESCRIPTION).map(|text| text.text),
            seed: lab.get(&keys::SEED).unwrap_or(1),
            stop,
            epoch: lab.get(&keys::EPOCH).unwrap_or(EPOCH),
            routing: lab.get(&ROUTING_OF_ALL).unwrap_or_default(),
            sample: self.sample(&lab),
            faults: Vec::new(),
            expectations: self.expectations(&declared, &topology, ends),
            sweep: sweep::read(&self.root.get(&SWEEP).unwrap_or_default(), self.mistakes),
            nodes,
            links,
            warnings: Mistakes::new(source, text),
            text: text.to_owned(),
            files: BTreeMap::new(),
            source: source.to_owned(),
            media,
            says_when_to_stop: lab.name(&keys::STOP).is_some(),
            topology,
        };
        made.faults = self.faults(&faults, &made, ends);
        made
    }

    /// Looking more often than every tenth of a millisecond would be most of what a run does.
    fn sample(&mut self, lab: &Table) -> Option<Duration> {
        let Entry { span, value: &sample, .. } = lab.entry(&keys::SAMPLE)?;
        if sample < SHORTEST_SAMPLE {
            let span = span.clone();
            self.mistakes.push(Mistake::new("sample", span, "a sample is taken every 100us at most", "too often"));
        }
        Some(sample.max(SHORTEST_SAMPLE))
    }

    fn or_report<T>(&mut self, text: &Text, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.mistakes.push(wrong.mistake(text))).ok()
    }

    fn media(&mut self) -> BTreeMap<String, Arc<Cable>> {
        let mut media = BTreeMap::from([("lan".to_owned(), Arc::new(Cable::lan()))]);
        for (name, table) in self.root.get(&MEDIA).unwrap_or_default() {
            if medium::is_word(&name.text) || name.text.contains(|c: char| c.is_whitespace() || c == '/') {
                let reason = format!("a medium cannot be called `{}`", name.text);
                self.mistakes.push(
                    Mistake::new("name", name.span.clone(), reason, "not a name for a medium")
                        .help("it would read as one of netem's words in a link".to_owned()),
                );
            }
            let mut cable = Cable::perfect();
            for (text, changes) in medium::keys().iter().filter_map(|key| table.get(key)) {
                let changes = medium::with_files(changes, self.files);
                cable.apply(&self.or_report(&text, changes).unwrap_or_default());
            }
            media.insert(name.text, Arc::new(cable));
        }
        media
    }

    /// Media that no link is made of; netem words behind a medium's name make another one of it.
    fn unused(&mut self, texts: &[Text], media: &BTreeMap<String, Arc<Cable>>, links: &[Link]) {
        let mentioned: BTreeSet<&str> = texts.iter().flat_map(|t| t.text.split([' ', ':', '/'])).collect();
        for (name, _) in self.root.get(&MEDIA).unwrap_or_default() {
            let Some(cable) = media.get(&name.text) else { continue };
            let used = links.iter().any(|l| l.cables.iter().any(|c| Arc::ptr_eq(c, cable)));
            if !used && !mentioned.contains(name.text.as_str()) {
                let reason = format!("no link is made of `{}`", name.text);
                self.mistakes.push(Mistake::new("unused-medium", name.span.clone(), reason, "unused").warning());
            }
        }
    }

    fn nodes(
        &mut self,
        declared: &[Declared],
        links: &[Link],
        ports: Vec<BTreeMap<u16, usize>>,
        (defaults, versions): &(Arc<Config>, Versions),
        topology: &Topology,
    ) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::with_capacity(declared.len());
        let mut last: Option<(*const Table, Arc<NodeSpec>)> = None;
        for (index, (node, plugged)) in declared.iter().zip(ports).enumerate() {
            // The nodes of a range share one table, and so one spec.
            let table = Arc::as_ptr(&node.table);
            let spec = match &last {
                Some((of, spec)) if core::ptr::eq(*of, table) => spec.clone(),
                _ => Arc::new(node.spec(defaults, topology, &|node| declared[node].kind, self.files, self.mistakes)),
            };
            last = Some((table, spec.clone()));
            let stack = spec.stack();
            // Of a switch that routes it is the port inside of which is spoken.
            let is_inside = node.kind == NodeKind::L3Switch;
            let given = |number: u16| stack.filter(|_| !is_inside).and_then(|stack| stack.ports.get(&number));
            for (number, port) in stack.iter().flat_map(|stack| &stack.ports) {
                if is_inside && *number > 0 {
                    let reason = format!("`{}` has its interfaces behind one port, eth0", node.name);
                    let help = format!("write `[l3switch.{}.eth0.10]` of its interface in VLAN 10", node.name);
                    self.mistakes.push(Mistake::new("port", port.span.clone(), reason, "no port inside").help(help));
                } else if !is_inside && !plugged.contains_key(number) {
                    let reason = format!("port eth{number} of `{}` has no link", node.name);
                    self.mistakes.push(Mistake::new("port", port.span.clone(), reason, "no link here"));
                }
            }
            if let Some((_, span)) = stack.and_then(|stack| stack.addresses.first())
                && plugged.len() > 1
            {
                let reason = format!("`{}` has {} ports, and one address for them", node.name, plugged.len());
                self.mistakes.push(Mistake::new("address", span.clone(), reason, "of which port?").help(format!(
                    "write it in a table of the port: `[{}.{}.eth0]`",
                    node.kind.as_str(),
                    node.name
                )));
            }
            let count = plugged.keys().next_back().map_or(0, |last| usize::from(*last) + 1);
            let ports = (0..count as u16)
                .map(|number| {
                    let link = plugged.get(&number).copied();
                    let of_link = link.and_then(|l| links[l].cables.iter().filter_map(|c| c.mtu).min());
                    let own = given(number).and_then(|port| port.mtu).or(stack.and_then(|stack| stack.mtu));
                    let vlans = given(number).into_iter().flat_map(|port| port.vlans.keys());
                    Port {
                        link,
                        mac: address::mac(PortRef { node: index, port: number }),
                        addresses: Vec::new(),
                        by_itself: ByItself::default(),
                        segment: 0,
                        vlans: vlans.map(|vlan| Subinterface::new(*vlan)).collect(),
                        mtu: own.or(of_link).unwrap_or(MTU),
                    }
                })
                .collect();
            let ports = with_inner_port(ports, &spec, index);
            let neighbours = plugged.values().filter_map(|link| {
                let beyond = links[*link].ends.iter().map(|end| end.node).find(|node| *node != index)?;
                Some((beyond, *link))
            });
            let neighbours = neighbours.collect();
            let versions = stack.and_then(|stack| stack.versions).unwrap_or(*versions);
            nodes.push(Node {
                name: node.name.clone(),
                ports,
                neighbours,
                versions,
                gateways: Vec::new(),
                routes: Vec::new(),
                speaks: Vec::new(),
                firewall: None,
                spec,
            });
        }
        vlans::check(&nodes, links, self.mistakes);
        multicast::check(&nodes, self.mistakes);
        let segments = segments::segments(&mut nodes, links);
        let names = |Spot { place, vlan }: Spot| {
            let vlan = vlan.map_or_else(String::new, |vlan| format!(".{vlan}"));
            format!("`{}` eth{}{vlan}", nodes[place.node].name, nodes[place.node].stack_port(place.port))
        };
        for (Spot { place, vlan }, addresses) in address::assign(&segments, &names, self.mistakes) {
            let port = &mut nodes[place.node].ports[usize::from(place.port)];
            match vlan {
                None => port.addresses = addresses,
                Some(vlan) => {
                    port.vlans.iter_mut().filter(|s| s.vlan == vlan).for_each(|s| s.addresses.clone_from(&addresses));
                }
            }
        }
        autoconf::settle(&segments, &mut nodes, self.mistakes);
        dhcp::check(&segments, &nodes, self.mistakes);
        self.unconnected(declared, &nodes);
        self.gateways(&mut nodes, topology);
        firewall::fit(&mut nodes, links, topology, self.mistakes);
        self.speakers(declared, &mut nodes, topology);
        nodes
    }

    /// Nodes to which no link leads; those of one range are named together.
    fn unconnected(&mut self, declared: &[Declared], nodes: &[Node]) {
        let alone = declared.iter().zip(nodes).filter(|(_, node)| node.ports.is_empty()).map(|(declared, _)| declared);
        let mut alone = alone.peekable();
        while let Some(first) = alone.next() {
            let mut more = 0u32;
            while alone.next_if(|next| next.span == first.span).is_some() {
                more += 1;
            }
            let others = if more > 0 { format!(" and {more} more of its range") } else { String::new() };
            let reason = format!("no link leads to `{}`{others}", first.name);
            self.mistakes.push(Mistake::new("unconnected", first.span.clone(), reason, "unconnected").warning());
        }
    }

    /// Finds the gateways that the file names, and its routes by hand.
    fn gateways(&mut self, nodes: &mut [Node], topology: &Topology) {
        for index in 0..nodes.len() {
            let spec = nodes[index].spec.clone();
            let Some(stack) = spec.stack() else { continue };
            if let Some(text) = &stack.gateway {
                let gateway = gateway(text, &nodes[index], nodes, topology);
                nodes[index].gateways = self.or_report(text, gateway).unwrap_or_default();
            }
            nodes[index].routes = routes::read(&stack.routes, &nodes[index], nodes, topology, self.mistakes);
        }
    }

    /// Reads the routing protocols of all routers, once every address is known.
    fn speakers(&mut self, declared: &[Declared], nodes: &mut [Node], topology: &Topology) {
        let of_all = self.root.get(&LAB).and_then(|lab| lab.get(&ROUTING_OF_ALL)).unwrap_or_default();
        let named = |node: usize| match nodes[node].spec.stack().and_then(|stack| stack.routing).unwrap_or(of_all) {
            Routing::Protocol(name) => septet_network::routing::find(name),
            Routing::Computed | Routing::None => None,
        };
        let tables: Vec<Arc<Table>> = declared.iter().map(|node| node.table.clone()).collect();
        let all = routing::speakers(&tables, nodes, named, topology, self.mistakes);
        for (node, speaks) in nodes.iter_mut().zip(all) {
            node.speaks = speaks;
        }
    }

    fn faults(&mut self, texts: &[Text], lab: &Lab, stop: Stop) -> Vec<Fault> {
        texts
            .iter()
            .filter_map(|text| {
                let fault = script::parse(text, lab.layout(), lab.stop, self.files);
                let fault = self.or_report(text, fault)?;
                if fault.at >= stop.at {
                    self.mistakes.push(stop.too_late(text.inner(), "this begins"));
                }
                Some(fault)
            })
            .collect()
    }

    fn expectations(&mut self, declared: &[Declared], topology: &Topology, stop: Stop) -> Vec<Expectation> {
        let mut list = Vec::new();
        for (name, text) in self.root.get(&EXPECT).unwrap_or_default() {
            let parsed = parser::parse(&text.text, topology, &|node| declared[node].kind);
            let Some((condition, moments)) = self.or_report(&text, parsed) else { continue };
            for moment in moments.into_iter().filter(|moment| moment.until > stop.at) {
                self.mistakes.push(stop.too_late(text.place(moment.at), "this"));
            }
            list.push(Expectation { name: name.text, text: text.text, condition });
        }
        list
    }
}

/// The ports of a node; of a switch that routes also the one inside, behind which its interfaces are.
fn with_inner_port(mut ports: Vec<Port>, spec: &NodeSpec, index: usize) -> Vec<Port> {
    if let NodeSpec::L3Switch(switch, stack) = spec {
        let number = ports.len() as u16;
        let spoken_of = stack.ports.get(&0).into_iter().flat_map(|port| port.vlans.keys());
        let named = switch.named_vlans().chain(stack.of_vlans.keys().chain(spoken_of).copied());
        let vlans: BTreeSet<u16> = if switch.vlans.is_empty() { named.chain([1]).collect() } else { named.collect() };
        ports.push(Port {
            mac: address::mac(PortRef { node: index, port: number }),
            vlans: vlans.into_iter().map(Subinterface::new).collect(),
            mtu: stack.mtu.unwrap_or(MTU),
            ..Port::default()
        });
    }
    ports
}

/// The gateway that the file gives a host, which must be on one of its networks: of a router's name, its address of each
/// version of IP that they share.
fn gateway(text: &Text, node: &Node, nodes: &[Node], topology: &Topology) -> Result<Vec<IpAddr>, Wrong> {
    let word = Word { text: &text.text, at: 0 };
    let own: Vec<Cidr> = node.addresses().collect();
    if let Ok(address) = text.text.parse::<IpAddr>() {
        if own.iter().any(|net| net.prefix().contains(address)) {
            return Ok(vec![address]);
        }
        return Err(Wrong::new("gateway", word.range(), format!("{address} is on no network of `{}`", node.name))
            .label("out of reach"));
    }
    let gateway = topology.node(word)?;
    let near = nodes[gateway].addresses().map(Cidr::addr).filter(|a| own.iter().any(|net| net.prefix().contains(*a)));
    let near: Vec<IpAddr> = near.collect();
    let first = |version| near.iter().copied().find(|address| Version::of(*address) == version);
    let gateways: Vec<IpAddr> = Version::ALL.into_iter().filter_map(first).collect();
    if gateways.is_empty() {
        let reason = format!("`{}` is on no network of `{}`", text.text, node.name);
        return Err(Wrong::new("gateway", word.range(), reason).label("out of reach"));
    }
    Ok(gateways)
}
