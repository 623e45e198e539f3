//! The validated lab, and how a file becomes one.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use septet_core::Instant;
use septet_language::document::{self, Table, Text, Value};
use septet_language::mistake::{Gravity, Mistake, Mistakes};
use septet_language::words::{Word, Wrong};
use septet_language::{schema, units};
use septet_network::Cidr;
use septet_transport::tcp::Config;

use crate::expect::{self, Expectation};
use crate::fault::{self, Fault};
use crate::model::address::{self, Spot};
use crate::model::files::Files;
use crate::model::medium::{self, Cable};
use crate::model::node::{self, Declared, Node, NodeKind, NodeSpec, Port, Subinterface};
use crate::model::topology::{Place, Topology};
use crate::read::idle::Idle;
use crate::read::keys;
use crate::read::links::{Link, Wiring};
use crate::read::segments;
use crate::read::shared_line;
use crate::read::starts::{self, Stop};
use crate::read::sweep;
use crate::read::tcp;
use crate::read::vlans;
use crate::stage::gauges;

/// A lab: everything that a file says, checked and resolved.
#[derive(Clone, Debug)]
pub struct Lab {
    /// Its name; that of the file where it has none of its own.
    pub name: String,
    /// What it shows.
    pub description: Option<String>,
    /// Where all randomness comes from.
    pub seed: u64,
    /// When a run ends.
    pub stop: Instant,
    /// The civil time at which virtual time begins, as the time since 1970.
    pub epoch: Duration,
    /// How often connections and queues of all nodes are looked at, where the file says so.
    pub sample: Option<Duration>,
    /// The nodes, in the order of the file.
    pub nodes: Vec<Node>,
    /// The links, in the order of the file.
    pub links: Vec<Link>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What a run must show.
    pub expectations: Vec<Expectation>,
    /// Keys of the file, by path, and the values to try for them.
    pub sweep: Vec<(String, Vec<String>)>,
    /// What may not be as it was meant.
    pub warnings: Mistakes,
    /// The text of the file.
    pub text: String,
    /// The text of each file that it names, by the name that it uses.
    pub files: BTreeMap<String, Arc<str>>,
    /// What the file is called, with its path.
    pub(crate) source: String,
    pub(crate) topology: Topology,
}

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
        let lab = Self::read(source, text, Gravity::Error)?;
        let mistakes = sweep::check(&lab, source);
        if mistakes.has_errors() { Err(mistakes.sorted()) } else { Ok(lab) }
    }

    /// Reads a lab file some of whose values were changed, by a sweep or on the command line. Unlike
    /// [`parse`](Self::parse) it tries none of the values of its `[sweep]`, and only warns of what begins after the lab's
    /// end, which may have been changed for a short run.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse_changed(source: &str, text: &str) -> Result<Self, Mistakes> {
        Self::read(source, text, Gravity::Warning)
    }

    fn read(source: &str, text: &str, late: Gravity) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::new(source, text);
        let root = document::parse(text, &mut mistakes);
        // After a syntax error the rest may have been read as something else.
        if mistakes.has_errors() {
            return Err(mistakes.sorted());
        }
        schema::check(&root, &keys::ROOT, "", &(0..0), &mut mistakes);
        let files = Files::beside(source);
        let lab = Reader { root: &root, files: &files, mistakes: &mut mistakes, late }.lab(source, text);
        if mistakes.has_errors() {
            return Err(mistakes.sorted());
        }
        Ok(Self { warnings: mistakes.sorted(), files: files.contents(), ..lab })
    }

    /// The node called `name`, as an index into [`nodes`](Self::nodes).
    pub fn node(&self, name: &str) -> Option<usize> {
        self.topology.find(name)
    }

    /// The first address of a node.
    pub fn address(&self, node: usize) -> Option<IpAddr> {
        self.nodes.get(node)?.addresses().next().map(Cidr::addr)
    }

    /// Whether the file itself says when a run ends; where it does not, 60 s are taken.
    pub fn says_when_to_stop(&self) -> bool {
        let root = document::parse(&self.text, &mut Mistakes::new("", &self.text));
        root.table("lab").is_some_and(|lab| lab.time("stop").is_some())
    }

    /// Ends runs after `time`, as `90s`, instead of when the file says.
    ///
    /// # Errors
    /// Why it is no time.
    pub fn stop_after(&mut self, time: &str) -> Result<(), String> {
        self.stop = Instant::ZERO + units::time(time).map_err(|refusal| refusal.reason)?;
        Ok(())
    }

    /// Reads a fault as in the file's `[faults]`, for a lab that runs already.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn fault(&self, text: &str) -> Result<Fault, Mistakes> {
        let text = Text::bare(text.to_owned(), 0..text.len());
        fault::parse(&text, self, &Files::beside(&self.source)).map_err(|wrong| {
            let mut mistakes = Mistakes::new("fault", &text.text);
            mistakes.push(wrong.mistake(&text));
            mistakes
        })
    }
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
        let empty = Table::default();
        let lab = self.root.table("lab").unwrap_or(&empty);
        let stem = source.rsplit(['/', '\\']).next().unwrap_or(source);
        let stop = lab.time("stop").unwrap_or(STOP);
        let mut topology = Topology::default();
        let declared = node::declared(self.root, self.mistakes);
        self.required(&declared);
        for node in &declared {
            topology.add_node(&node.name);
        }
        let media = self.media();
        let texts = self.root.table("topology").map(|t| t.texts("links")).unwrap_or_default();
        let (hub, files) = (Arc::new(Cable::hub()), self.files);
        let mut wiring = Wiring { declared: &declared, media: &media, hub, files, mistakes: &mut *self.mistakes };
        let (links, spans, ports) = wiring.links(&texts, &mut topology);
        self.unused(&media, &links);
        let nodes = self.nodes(&declared, &links, ports, &Arc::new(tcp::read(lab, &Config::linux())), &topology);
        shared_line::check(&nodes, &links, &spans, self.mistakes);
        let stop = Instant::ZERO + stop;
        let gravity = if lab.get("stop").is_some() { self.late } else { Gravity::Warning };
        let ends = Stop { at: stop, gravity };
        Idle { root: self.root, declared: &declared, links: &links, spans: &spans }.check(self.mistakes);
        starts::check(&declared, &nodes, &topology, ends, self.mistakes);
        let mut lab = Lab {
            name: lab.text("name").map_or_else(|| stem.trim_end_matches(".toml").to_owned(), |t| t.text.clone()),
            description: lab.text("description").map(|t| t.text.clone()),
            seed: lab.count("seed").unwrap_or(1),
            stop,
            epoch: lab.get("epoch").and_then(|item| schema::date(&item.value).ok()).unwrap_or(EPOCH),
            sample: self.sample(lab),
            faults: Vec::new(),
            expectations: self.expectations(&topology, ends),
            sweep: sweep::read(self.root, self.mistakes),
            nodes,
            links,
            warnings: Mistakes::new(source, text),
            text: text.to_owned(),
            files: BTreeMap::new(),
            source: source.to_owned(),
            topology,
        };
        lab.faults = self.faults(&lab, ends);
        lab
    }

    /// Looking more often than every tenth of a millisecond would be most of what a run does.
    fn sample(&mut self, lab: &Table) -> Option<Duration> {
        let sample = lab.time("sample")?;
        if sample < gauges::SHORTEST {
            let span = lab.get("sample").map(|item| item.span.clone()).unwrap_or_default();
            self.mistakes.push(Mistake::new("sample", span, "a sample is taken every 100us at most", "too often"));
        }
        Some(sample.max(gauges::SHORTEST))
    }

    fn or_report<T>(&mut self, text: &Text, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.mistakes.push(wrong.mistake(text))).ok()
    }

    fn media(&mut self) -> BTreeMap<String, Arc<Cable>> {
        let mut media = BTreeMap::from([("lan".to_owned(), Arc::new(Cable::lan()))]);
        for (name, item) in self.root.table("media").map(|t| t.entries.as_slice()).unwrap_or_default() {
            let Value::Table(table) = &item.value else { continue };
            if medium::is_word(&name.text) || name.text.contains(|c: char| c.is_whitespace() || c == '/') {
                let reason = format!("a medium cannot be called `{}`", name.text);
                self.mistakes.push(
                    Mistake::new("name", name.span.clone(), reason, "not a name for a medium")
                        .help("it would read as one of netem's words in a link".to_owned()),
                );
            }
            let mut settings: Vec<_> = table.entries.iter().map(|(key, _)| key.text.as_str()).collect();
            settings.sort_by_key(|key| medium::rank(key));
            let mut cable = Cable::perfect();
            for key in settings {
                let Some(text) = table.phrase(key) else { continue };
                match medium::value(key, &text, self.files) {
                    Ok(changes) => cable.apply(&changes),
                    Err(wrong) if wrong.code == medium::TRACE => self.mistakes.push(wrong.mistake(&text)),
                    // Whatever else cannot be read has been reported.
                    Err(_) => {}
                }
            }
            media.insert(name.text.clone(), Arc::new(cable));
        }
        media
    }

    /// Media that no link is made of; netem words behind a medium's name make another one of it.
    fn unused(&mut self, media: &BTreeMap<String, Arc<Cable>>, links: &[Link]) {
        let texts = self.root.table("topology").map(|t| t.texts("links")).unwrap_or_default();
        let mentioned: BTreeSet<&str> = texts.iter().flat_map(|t| t.text.split([' ', ':', '/'])).collect();
        for (name, _) in self.root.table("media").map(|t| t.entries.as_slice()).unwrap_or_default() {
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
        defaults: &Arc<Config>,
        topology: &Topology,
    ) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::with_capacity(declared.len());
        let mut last: Option<(*const Table, Arc<NodeSpec>)> = None;
        for (index, (node, plugged)) in declared.iter().zip(ports).enumerate() {
            // The nodes of a range share one table, and so one spec.
            let table = Arc::as_ptr(&node.table);
            let spec = match &last {
                Some((of, spec)) if core::ptr::eq(*of, table) => spec.clone(),
                _ => Arc::new(NodeSpec::read(&node.table, defaults, topology, self.mistakes)),
            };
            last = Some((table, spec.clone()));
            for (number, port) in &spec.ports {
                if !plugged.contains_key(number) {
                    let reason = format!("port eth{number} of `{}` has no link", node.name);
                    self.mistakes.push(Mistake::new("port", port.span.clone(), reason, "no link here"));
                }
            }
            if let Some((_, span)) = &spec.address
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
                    let own = spec.ports.get(&number).and_then(|p| p.mtu).or(spec.mtu);
                    let vlans = spec.ports.get(&number).into_iter().flat_map(|p| p.vlans.keys());
                    Port {
                        link,
                        mac: address::mac(Place { node: index, port: number }),
                        address: None,
                        vlans: vlans.map(|vlan| Subinterface { vlan: *vlan, address: None }).collect(),
                        mtu: own.or(of_link).unwrap_or(MTU),
                    }
                })
                .collect();
            let neighbours = plugged.values().filter_map(|link| {
                let beyond = links[*link].ends.iter().map(|end| end.node).find(|node| *node != index)?;
                Some((beyond, *link))
            });
            let neighbours = neighbours.collect();
            nodes.push(Node { name: node.name.clone(), kind: node.kind, ports, neighbours, spec });
        }
        vlans::check(&nodes, links, self.mistakes);
        let segments = segments::segments(&mut nodes, links);
        let names = |Spot { place, vlan }: Spot| {
            let vlan = vlan.map_or_else(String::new, |vlan| format!(".{vlan}"));
            format!("`{}` eth{}{vlan}", nodes[place.node].name, place.port)
        };
        for (Spot { place, vlan }, cidr) in address::assign(&segments, &names, self.mistakes) {
            let port = &mut nodes[place.node].ports[usize::from(place.port)];
            match vlan {
                None => port.address = Some(cidr.into()),
                Some(vlan) => {
                    port.vlans.iter_mut().filter(|s| s.vlan == vlan).for_each(|s| s.address = Some(cidr.into()));
                }
            }
        }
        self.unconnected(declared, &nodes);
        self.gateways(&nodes, topology);
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

    /// Whether gateways and resolvers that the file names are there.
    fn gateways(&mut self, nodes: &[Node], topology: &Topology) {
        let mut seen: Option<*const NodeSpec> = None;
        for node in nodes {
            let spec = Arc::as_ptr(&node.spec);
            if let Some(text) = &node.spec.gateway {
                let gateway = gateway(node, nodes, topology);
                self.or_report(text, gateway);
            }
            if seen != Some(spec) {
                for text in node.spec.resolvers.iter().flatten() {
                    if text.text.parse::<IpAddr>().is_err() {
                        let found = topology.node(Word { text: &text.text, at: 0 });
                        self.or_report(text, found);
                    }
                }
            }
            seen = Some(spec);
        }
    }

    /// Keys that are missing where all that the file says of a node is put together.
    fn required(&mut self, declared: &[Declared]) {
        let mut last: Option<*const Table> = None;
        for node in declared {
            if last.replace(Arc::as_ptr(&node.table)) != Some(Arc::as_ptr(&node.table)) {
                let section = match node.kind {
                    NodeKind::Hub => &keys::HUB,
                    NodeKind::Switch => &keys::SWITCH,
                    NodeKind::Router => &keys::ROUTER,
                    NodeKind::Host => &keys::HOST,
                };
                let path = format!("{}.{}", node.kind.as_str(), node.key);
                schema::required(&node.table, section, &path, &node.span, self.mistakes);
            }
        }
    }

    fn faults(&mut self, lab: &Lab, stop: Stop) -> Vec<Fault> {
        let texts = self.root.table("faults").map(|t| t.texts("script")).unwrap_or_default();
        texts
            .into_iter()
            .filter_map(|text| {
                let fault = fault::parse(text, lab, self.files);
                let fault = self.or_report(text, fault)?;
                if fault.at >= stop.at {
                    self.mistakes.push(stop.too_late(text.inner(), "this begins"));
                }
                Some(fault)
            })
            .collect()
    }

    fn expectations(&mut self, topology: &Topology, stop: Stop) -> Vec<Expectation> {
        let mut list = Vec::new();
        for (name, item) in self.root.table("expect").map(|t| t.entries.as_slice()).unwrap_or_default() {
            let Value::Text(text) = &item.value else { continue };
            let parsed = expect::parse(&text.text, topology, expect::counters());
            let Some((condition, moments)) = self.or_report(text, parsed) else { continue };
            for moment in moments.into_iter().filter(|moment| moment.until > stop.at) {
                self.mistakes.push(stop.too_late(text.place(moment.at), "this"));
            }
            list.push(Expectation { name: name.text.clone(), text: text.text.clone(), condition });
        }
        list
    }
}

/// The gateway that the file gives a host, which must be on one of its networks.
pub(crate) fn gateway(node: &Node, nodes: &[Node], topology: &Topology) -> Result<Option<IpAddr>, Wrong> {
    let Some(text) = &node.spec.gateway else { return Ok(None) };
    let word = Word { text: &text.text, at: 0 };
    let own: Vec<Cidr> = node.addresses().collect();
    if let Ok(address) = text.text.parse::<IpAddr>() {
        if own.iter().any(|net| net.prefix().contains(address)) {
            return Ok(Some(address));
        }
        return Err(Wrong::new("gateway", word.range(), format!("{address} is on no network of `{}`", node.name))
            .label("out of reach"));
    }
    let gateway = topology.node(word)?;
    nodes[gateway]
        .addresses()
        .map(Cidr::addr)
        .find(|a| own.iter().any(|net| net.prefix().contains(*a)))
        .map(Some)
        .ok_or_else(|| {
            Wrong::new("gateway", word.range(), format!("`{}` is on no network of `{}`", text.text, node.name))
                .label("out of reach")
        })
}
