//! Whether CSMA/CD can work on the lines that stations share: one rate, no loop, and no longer than the slot time allows
//! (IEEE 802.3 §4.4.2).

use core::time::Duration;
use std::collections::BTreeMap;

use septet_core::Rate;
use septet_datalink::card::half_duplex::parameters::SLOT;
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::units::{Dimension, render};

use crate::model::link::Link;
use crate::model::node::{Duplex, Node, NodeKind};
use crate::model::topology::PortRef;

/// What a link that stations share must be made of, for example.
const MEND: &str = "a hub's links are short and slow: leave the words away, or write `rate 10mbit delay 500ns`";

/// Reports what cannot work; `spans` says where each link stands.
pub(crate) fn check(nodes: &[Node], links: &[Link], spans: &[Span], mistakes: &mut Mistakes) {
    let is_hub = |node: usize| nodes[node].kind() == NodeKind::Hub;
    let mut seen = vec![false; links.len()];
    for (first, link) in links.iter().enumerate() {
        if !seen[first] && link.ends.iter().any(|end| is_hub(end.node)) {
            let line = line(nodes, links, first, &mut seen);
            check_line(&line, links, spans, mistakes);
        }
    }
    for (index, link) in links.iter().enumerate() {
        if !seen[index] && is_half_duplex(nodes, link.ends) {
            let rate = link.cables[0].shared_rate().min(link.cables[1].shared_rate());
            if let Some(reason) = too_long(delay(link), rate) {
                mistakes.push(
                    Mistake::new("shared-line", spans[index].clone(), reason, "too long for half duplex")
                        .help(
                            "collisions on it come late, and cost frames: write a lower rate or a shorter delay"
                                .to_owned(),
                        )
                        .warning(),
                );
            }
        }
    }
}

/// Whether an end of a link between two stations says that it is half duplex.
fn is_half_duplex(nodes: &[Node], [a, b]: [PortRef; 2]) -> bool {
    let says_so = |own: PortRef, beyond: PortRef| nodes[own.node].spec.duplex(beyond.node) == Duplex::Half;
    says_so(a, b) || says_so(b, a)
}

/// All that one collision domain is: its links, and where its stations are.
struct Line {
    links: Vec<usize>,
    /// A link that closes a loop.
    loops: Option<usize>,
    /// From one station to the one farthest from it, and the link by which it is reached.
    longest: Option<(Duration, usize)>,
}

/// Walks over the hubs that `first` leads to.
fn line(nodes: &[Node], links: &[Link], first: usize, seen: &mut [bool]) -> Line {
    let is_hub = |node: usize| nodes[node].kind() == NodeKind::Hub;
    let hub = links[first].ends.iter().map(|end| end.node).find(|node| is_hub(*node)).unwrap_or_default();
    let Walk { reached, links: all, loops } = walk(nodes, links, hub);
    for &link in &all {
        seen[link] = true;
    }
    // In a tree the node farthest from any is an end of the longest way.
    let Some((end, (_, by))) = farthest(&reached) else { return Line { links: all, loops, longest: None } };
    let hub = links[by].ends.iter().map(|e| e.node).find(|node| *node != end && is_hub(*node)).unwrap_or(hub);
    let mut reached = walk(nodes, links, hub).reached;
    reached.remove(&end);
    let longest = farthest(&reached).map(|(_, (delay, last))| (delay + self::delay(&links[by]), last));
    Line { links: all, loops, longest }
}

fn farthest(reached: &BTreeMap<usize, (Duration, usize)>) -> Option<(usize, (Duration, usize))> {
    reached.iter().max_by_key(|(_, (delay, _))| *delay).map(|(node, way)| (*node, *way))
}

/// What a hub leads to.
struct Walk {
    /// How far each other node is, and by which link it is reached.
    reached: BTreeMap<usize, (Duration, usize)>,
    links: Vec<usize>,
    loops: Option<usize>,
}

fn walk(nodes: &[Node], links: &[Link], hub: usize) -> Walk {
    let mut found = Walk { reached: BTreeMap::new(), links: Vec::new(), loops: None };
    let mut todo = vec![(hub, Duration::ZERO, None)];
    while let Some((node, far, by)) = todo.pop() {
        for link in nodes[node].ports.iter().filter_map(|port| port.link).filter(|link| Some(*link) != by) {
            let Some(beyond) = links[link].ends.iter().map(|end| end.node).find(|n| *n != node) else { continue };
            let is_hub = nodes[beyond].kind() == NodeKind::Hub;
            found.links.push(link);
            if is_hub && (beyond == hub || found.reached.contains_key(&beyond)) {
                found.loops = Some(link);
                continue;
            }
            let way = far + delay(&links[link]);
            // Of a station with several ports on the line the farther one counts.
            if found.reached.get(&beyond).is_none_or(|(known, _)| *known < way) {
                found.reached.insert(beyond, (way, link));
            }
            if is_hub {
                todo.push((beyond, way, Some(link)));
            }
        }
    }
    found
}

fn check_line(line: &Line, links: &[Link], spans: &[Span], mistakes: &mut Mistakes) {
    if let Some(link) = line.loops {
        let reason = "these hubs are joined in a ring: a repeater that hears its own signal jams the line for ever";
        mistakes.push(
            Mistake::new("shared-line", spans[link].clone(), reason, "closes the ring")
                .help("take one of the links away, or use switches with a spanning tree".to_owned()),
        );
        return;
    }
    let of = |link: usize| links[link].cables.iter().map(|cable| cable.shared_rate());
    let rate = line.links.iter().flat_map(|link| of(*link)).min();
    let Some(rate) = rate else { return };
    for &link in &line.links {
        if let Some(other) = of(link).find(|r| *r != rate) {
            let reason = format!(
                "everyone on a hub has one rate: this link has {}, another one {}",
                show_rate(other),
                show_rate(rate)
            );
            mistakes.push(
                Mistake::new("shared-line", spans[link].clone(), reason, "another rate").help(
                    "a repeater keeps nothing that it could send more slowly: a switch joins links of different rates"
                        .to_owned(),
                ),
            );
            return;
        }
    }
    if let Some((delay, link)) = line.longest
        && let Some(reason) = too_long(delay, rate)
    {
        mistakes
            .push(Mistake::new("shared-line", spans[link].clone(), reason, "too long a line").help(MEND.to_owned()));
    }
}

/// A station must hear a collision while it still sends the shortest frame: §4.2.3.2.3's collision window.
fn too_long(delay: Duration, rate: Rate) -> Option<String> {
    let slot = rate.time_for_bits(SLOT);
    let show = |time: Duration| render(time.as_secs_f64(), Dimension::Time);
    (delay * 2 > slot).then(|| {
        format!(
            "a collision is heard up to {} late on this line, and must be within the slot time of {} (512 bits at {})",
            show(delay * 2),
            show(slot),
            show_rate(rate)
        )
    })
}

fn delay(link: &Link) -> Duration {
    link.cables.iter().map(|cable| cable.medium.delay + cable.medium.jitter).max().unwrap_or_default()
}

fn show_rate(rate: Rate) -> String {
    render(rate.bits_per_sec() as f64, Dimension::Rate)
}
