//! The links of a lab: what joins which ports, and what each of their directions is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::nearest::suggest;
use septet_language::words::{Commas, Word, Words, Wrong};

use crate::model::cable::Cable;
use crate::model::files::Files;
use crate::model::link::Link;
use crate::model::link_text::{self, EndText, Joint, Pair};
use crate::model::medium;
use crate::model::node::NodeKind;
use crate::model::topology::{PortRef, Topology};
use crate::read::node::Declared;

/// The plugged ports of each node, with the links in them.
pub(crate) type Plugged = Vec<BTreeMap<u16, usize>>;

/// Reads the link strings.
pub(crate) struct Wiring<'a> {
    pub(crate) declared: &'a [Declared],
    pub(crate) media: &'a BTreeMap<String, Arc<Cable>>,
    /// What a link to a hub is made of where nothing is said.
    pub(crate) hub: Arc<Cable>,
    pub(crate) files: &'a Files,
    pub(crate) mistakes: &'a mut Mistakes,
}

/// A link to be.
struct Wire<'t> {
    ends: [EndText; 2],
    nodes: [usize; 2],
    /// What each direction is made of; nothing where none was said of it yet.
    cables: [Option<Arc<Cable>>; 2],
    text: &'t Text,
}

/// One direction, as `a -> b : …` says it.
struct Half<'t> {
    pair: Pair,
    nodes: [usize; 2],
    medium: Option<Word<'t>>,
    text: &'t Text,
}

impl Half<'_> {
    /// Where it stands in the file.
    fn span(&self) -> Span {
        self.text.place(self.pair.range())
    }
}

impl Wiring<'_> {
    /// The links, where each stands in the file, and the plugged ports of each node.
    pub(crate) fn links(&mut self, texts: &[Text], topology: &mut Topology) -> (Vec<Link>, Vec<Span>, Plugged) {
        let mut parsed = Vec::new();
        for text in texts {
            match link_text::parse(text) {
                Ok(link) => parsed.push((link, text)),
                Err(wrong) => self.mistakes.push(wrong.mistake(text)),
            }
        }
        // Which nodes a whole link joins, wherever it stands: a direction between them is one of it.
        let pairs = parsed.iter().flat_map(|(link, _)| &link.pairs).filter(|p| p.joint == Joint::Link);
        let whole: BTreeSet<_> = pairs.filter_map(|p| Some(unordered(nodes(&p.ends, topology)?))).collect();

        let (mut wires, mut halves) = (Vec::new(), Vec::new());
        let mut claimed: BTreeMap<PortRef, Span> = BTreeMap::new();
        let mut by_halves: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (link, text) in parsed {
            // What its links are made of: those to a hub begin with another cable than the rest.
            let mut made: [Option<[Arc<Cable>; 2]>; 2] = [None, None];
            for pair in link.pairs {
                let Some(nodes) = self.nodes(&pair, text, topology) else { continue };
                match pair.joint {
                    Joint::Link => {
                        self.claim(&pair, nodes, text, &mut claimed);
                        let base = self.base(nodes);
                        let cables = made[usize::from(!Arc::ptr_eq(&base, &self.media["lan"]))].get_or_insert_with(
                            || match link.medium {
                                Some(word) => self.cables(word, &base, text),
                                None => [base.clone(), base],
                            },
                        );
                        let cables = cables.clone().map(Some);
                        wires.push(Wire { ends: pair.ends, nodes, cables, text });
                    }
                    Joint::Direction if whole.contains(&unordered(nodes)) => {
                        halves.push(Half { pair, nodes, medium: link.medium, text });
                    }
                    Joint::Direction => {
                        let half = Half { pair, nodes, medium: link.medium, text };
                        let known = by_halves.entry(unordered(nodes)).or_default();
                        self.join(half, known, &mut wires, &mut claimed);
                    }
                }
            }
        }
        for wire in &mut wires {
            self.complete(wire);
        }
        let spans = wires.iter().map(|wire| wire.text.inner()).collect();
        let (mut links, ports) = self.plug(wires, &claimed, topology);
        self.refine(halves, topology, &mut links);
        (links, spans, ports)
    }

    /// The nodes that `pair` joins, where there are two.
    fn nodes(&mut self, pair: &Pair, text: &Text, topology: &Topology) -> Option<[usize; 2]> {
        for end in &pair.ends {
            if topology.find(&end.node).is_none() {
                self.mistakes.push(topology.undeclared(&end.node, end.at.clone()).mistake(text));
            }
        }
        let found = nodes(&pair.ends, topology)?;
        if found[0] == found[1] {
            let reason = format!("the link joins `{}` with itself", pair.ends[0].node);
            self.mistakes.push(Mistake::new("self-link", text.place(pair.range()), reason, "both ends are one node"));
            return None;
        }
        Some(found)
    }

    /// A port that is named takes one cable.
    fn claim(&mut self, pair: &Pair, nodes: [usize; 2], text: &Text, claimed: &mut BTreeMap<PortRef, Span>) {
        for (end, node) in pair.ends.iter().zip(nodes) {
            let Some(port) = end.port else { continue };
            let span = text.place(end.at.clone());
            if let Some(first) = claimed.insert(PortRef { node, port }, span.clone()) {
                let reason = format!("port eth{port} of `{}` has two links", end.node);
                self.mistakes
                    .push(Mistake::new("port-in-use", span, reason, "plugged in again").also(first, "first here"));
            }
        }
    }

    /// A direction of a link that is written as its two directions.
    fn join<'t>(
        &mut self,
        half: Half<'t>,
        known: &mut Vec<usize>,
        wires: &mut Vec<Wire<'t>>,
        claimed: &mut BTreeMap<PortRef, Span>,
    ) {
        let base = self.base(half.nodes);
        let cable = match half.medium {
            Some(word) => self.cable(word, &base, half.text),
            None => base,
        };
        for &index in known.iter() {
            let wire = &mut wires[index];
            let way = usize::from(wire.nodes != half.nodes);
            let mut ends = half.pair.ends.clone();
            if way == 1 {
                ends.reverse();
            }
            let fits =
                wire.ends.iter().zip(&ends).all(|(a, b)| a.port.is_none() || b.port.is_none() || a.port == b.port);
            if !fits {
                continue;
            }
            if wire.cables[way].is_some() {
                let [a, b] = &half.pair.ends;
                let reason = format!("the direction {}->{} is told of twice", a.node, b.node);
                self.mistakes
                    .push(Mistake::new("link", half.span(), reason, "again").help(
                        "of several links between two nodes each names its ports: `a.eth1 -> b.eth1`".to_owned(),
                    ));
                return;
            }
            wire.cables[way] = Some(cable);
            for ((end, other), node) in wire.ends.iter_mut().zip(&ends).zip(wire.nodes) {
                if let (None, Some(port)) = (end.port, other.port) {
                    end.port = Some(port);
                    claimed.entry(PortRef { node, port }).or_insert_with(|| half.text.place(other.at.clone()));
                }
            }
            return;
        }
        self.claim(&half.pair, half.nodes, half.text, claimed);
        known.push(wires.len());
        let Half { pair, nodes, text, .. } = half;
        wires.push(Wire { ends: pair.ends, nodes, cables: [Some(cable), None], text });
    }

    /// A link has two directions.
    fn complete(&mut self, wire: &mut Wire<'_>) {
        if wire.cables[1].is_none() {
            let [a, b] = &wire.ends;
            let reason = format!("nothing says what goes from `{}` to `{}`", b.node, a.node);
            let span = wire.text.place(a.at.start.min(b.at.start)..a.at.end.max(b.at.end));
            let help = format!(
                "add \"{b} -> {a}\", or declare the link, \"{a} -- {b}\", of which this is then one direction",
                a = a.node,
                b = b.node
            );
            self.mistakes.push(Mistake::new("link", span, reason, "one direction only").help(help));
        }
        if let [Some(forth), Some(back)] = &wire.cables {
            self.alike([forth, back], wire.text);
        }
    }

    /// A serial line is one in both directions, and a line code is spoken by both ends.
    fn alike(&mut self, [forth, back]: [&Cable; 2], text: &Text) {
        let phy = |cable: &Cable| cable.phy.map(|phy| phy.name);
        if forth.serial.is_some() != back.serial.is_some() || phy(forth) != phy(back) {
            let reason = "the two directions are different kinds of line";
            let help = "`framing` and `phy` are the same both ways".to_owned();
            self.mistakes.push(Mistake::new("link", text.inner(), reason, "of this link").help(help));
        }
    }

    /// Gives each link its ports and its name.
    fn plug(
        &mut self,
        wires: Vec<Wire<'_>>,
        claimed: &BTreeMap<PortRef, Span>,
        topology: &mut Topology,
    ) -> (Vec<Link>, Plugged) {
        let mut ports: Plugged = vec![BTreeMap::new(); self.declared.len()];
        // Ports that are given are kept free by those that are not, wherever they stand.
        let mut next = vec![0u16; self.declared.len()];
        let mut links: Vec<Link> = Vec::new();
        for Wire { ends: [a, b], nodes, cables, text } in wires {
            let mut seat = |end: &EndText, node: usize| {
                let port = end.port.unwrap_or_else(|| {
                    while claimed.contains_key(&PortRef { node, port: next[node] }) {
                        next[node] = next[node].saturating_add(1);
                    }
                    let port = next[node];
                    next[node] = port.saturating_add(1);
                    port
                });
                PortRef { node, port }
            };
            let ends = [seat(&a, nodes[0]), seat(&b, nodes[1])];
            if let Some(full) = ends.iter().find(|p| p.port >= u16::MAX - 1) {
                let reason = format!("`{}` has more than 65533 links", self.declared[full.node].name);
                self.mistakes.push(Mistake::new("port-in-use", text.span.clone(), reason, "no port is left"));
                break;
            }
            let parallel = !topology.between(nodes[0], nodes[1]).is_empty();
            let name = if parallel {
                format!("{}.eth{}--{}.eth{}", a.node, ends[0].port, b.node, ends[1].port)
            } else {
                format!("{}--{}", self.declared[nodes[0]].name, self.declared[nodes[1]].name)
            };
            topology.add_link(ends);
            for end in ends {
                ports[end.node].insert(end.port, links.len());
            }
            let base = self.base(nodes);
            let cables = cables.map(|cable| cable.unwrap_or_else(|| base.clone()));
            links.push(Link { name, ends, cables });
        }
        (links, ports)
    }

    /// Directions of links that are declared as a whole.
    fn refine(&mut self, halves: Vec<Half<'_>>, topology: &Topology, links: &mut [Link]) {
        let mut told: BTreeMap<(usize, usize), Span> = BTreeMap::new();
        for half in halves {
            let fits = |place: PortRef, node: usize, end: &EndText| {
                place.node == node && end.port.is_none_or(|port| port == place.port)
            };
            let [from, to] = &half.pair.ends;
            let found: Vec<(usize, usize)> = topology
                .between(half.nodes[0], half.nodes[1])
                .iter()
                .filter_map(|&link| {
                    let [x, y] = links[link].ends;
                    if fits(x, half.nodes[0], from) && fits(y, half.nodes[1], to) {
                        Some((link, 0))
                    } else if fits(y, half.nodes[0], from) && fits(x, half.nodes[1], to) {
                        Some((link, 1))
                    } else {
                        None
                    }
                })
                .collect();
            let [(link, way)] = found[..] else {
                let (reason, label) = match found.len() {
                    0 => (format!("no link joins {} and {} at these ports", from.node, to.node), "unknown link"),
                    n => (format!("{n} links join {} and {}", from.node, to.node), "which of them?"),
                };
                let names = topology.between(half.nodes[0], half.nodes[1]).iter().take(4).map(|l| {
                    let [x, y] = links[*l].ends;
                    format!("`{}.eth{} -> {}.eth{}`", topology.name(x.node), x.port, topology.name(y.node), y.port)
                });
                let help = format!("name its ports: {}", names.collect::<Vec<_>>().join(", "));
                self.mistakes.push(Mistake::new("unknown-link", half.span(), reason, label).help(help));
                continue;
            };
            let Some(word) = half.medium else {
                let reason = format!("nothing is said of the direction {}->{}", from.node, to.node);
                let help = format!("for example \"{} -> {} : rate 256kbit\"", from.node, to.node);
                self.mistakes.push(Mistake::new("link", half.span(), reason, "made of what?").help(help));
                continue;
            };
            if let Some(first) = told.insert((link, way), half.span()) {
                let reason = format!("the direction {}->{} is told of twice", from.node, to.node);
                self.mistakes.push(Mistake::new("link", half.span(), reason, "again").also(first, "first here"));
                continue;
            }
            let base = links[link].cables[way].clone();
            links[link].cables[way] = self.cable(word, &base, half.text);
            let [forth, back] = &links[link].cables;
            if told.contains_key(&(link, 1 - way)) || forth.serial.is_some() || back.serial.is_some() {
                let cables = [forth.clone(), back.clone()];
                self.alike([&cables[0], &cables[1]], half.text);
            }
        }
    }

    /// What a link between these nodes is made of where nothing is said.
    fn base(&self, nodes: [usize; 2]) -> Arc<Cable> {
        let is_hub = |node: &usize| self.declared[*node].kind == NodeKind::Hub;
        if nodes.iter().any(is_hub) { self.hub.clone() } else { self.media["lan"].clone() }
    }

    /// What stands behind the colon of a link: a medium, netem words, or both; two of them parted by `/` for the two
    /// directions. One that cannot be read is reported, and is `base` for all that comes.
    fn cables(&mut self, word: Word<'_>, base: &Arc<Cable>, text: &Text) -> [Arc<Cable>; 2] {
        match directions(word) {
            Some((forth, back)) => [self.cable(forth, base, text), self.cable(back, base, text)],
            None => {
                let cable = self.cable(word, base, text);
                [cable.clone(), cable]
            }
        }
    }

    /// What one direction is made of: a medium or `base`, and netem words.
    fn cable(&mut self, word: Word<'_>, base: &Arc<Cable>, text: &Text) -> Arc<Cable> {
        let read = || -> Result<Arc<Cable>, Wrong> {
            if let Some((_, back)) = directions(word) {
                return Err(Wrong::new(
                    "link",
                    back.at.saturating_sub(1)..back.range().end,
                    "this is one direction already",
                ));
            }
            let mut words = Words::new(word);
            words.take_commas(Commas::Part);
            let first = words.expect("a medium", "`wan` or `delay 10ms`")?;
            let base = if medium::is_word(first.text) {
                words = Words::new(word);
                base
            } else {
                self.media.get(first.text).ok_or_else(|| {
                    let mut known: Vec<&str> = self.media.keys().map(String::as_str).collect();
                    medium::names().for_each(|name| known.push(name));
                    Wrong::new("unknown-medium", first.range(), format!("no medium is called `{}`", first.text))
                        .label("unknown medium")
                        .help(suggest(first.text, "media", known.iter().copied()))
                })?
            };
            let changes = medium::with_files(medium::phrases(&mut words, None)?, self.files)?;
            if changes.is_empty() {
                return Ok(base.clone());
            }
            let mut cable = Cable::clone(base);
            cable.apply(&changes);
            Ok(Arc::new(cable))
        };
        read().unwrap_or_else(|wrong| {
            self.mistakes.push(wrong.mistake(text));
            base.clone()
        })
    }
}

fn nodes(ends: &[EndText; 2], topology: &Topology) -> Option<[usize; 2]> {
    Some([topology.find(&ends[0].node)?, topology.find(&ends[1].node)?])
}

fn unordered([a, b]: [usize; 2]) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// The parts before and after the `/`; one in the name of a file, behind `trace`, is none.
fn directions(whole: Word<'_>) -> Option<(Word<'_>, Word<'_>)> {
    let mut before = "";
    for word in Words::new(whole) {
        if let Some(at) = word.text.find('/').filter(|_| before != "trace") {
            let at = word.at - whole.at + at;
            let (forth, back) = (&whole.text[..at], &whole.text[at + 1..]);
            return Some((
                Word { text: forth, at: whole.at }.trim(),
                Word { text: back, at: whole.at + at + 1 }.trim(),
            ));
        }
        before = word.text;
    }
    None
}
