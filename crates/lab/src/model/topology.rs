//! Who is joined to whom: nodes by name, links by their ends, and the references to links in faults and expectations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use septet_language::names;
use septet_language::nearest::{nearest, suggest};
use septet_language::words::{Word, Wrong};
use septet_service::{HostId, Hosts};

use crate::model::link_text;

/// Nodes by name and links by their ends.
#[derive(Clone, Default, Debug)]
pub(crate) struct Topology {
    names: Vec<String>,
    by_name: BTreeMap<String, usize>,
    links: Vec<[PortRef; 2]>,
    by_ends: BTreeMap<(usize, usize), Vec<usize>>,
    /// The lab file's directory; none where the lab is no file.
    pub(crate) beside: Option<PathBuf>,
}

/// A port of a node, by its numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PortRef {
    /// The node, as an index into [`Lab::nodes`](crate::Lab::nodes).
    pub node: usize,
    /// The port.
    pub port: u16,
}

/// Which directions of a link are meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ways {
    /// Both.
    Both,
    /// From the first end to the second.
    Forth,
    /// From the second end to the first.
    Back,
}

impl Ways {
    /// The directions, 0 for forth and 1 for back.
    pub fn directions(self) -> &'static [usize] {
        match self {
            Self::Both => &[0, 1],
            Self::Forth => &[0],
            Self::Back => &[1],
        }
    }
}

/// A link, or one direction of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LinkRef {
    /// The link, as an index into [`Lab::links`](crate::Lab::links).
    pub link: usize,
    /// Which directions.
    pub ways: Ways,
}

/// The domain in which every node has its name.
pub(crate) const DOMAIN: &str = "lab";

impl Hosts for Topology {
    fn host(&self, word: Word<'_>) -> Result<HostId, Wrong> {
        self.node(word)
    }

    fn hosts(&self, word: Word<'_>) -> Result<Vec<HostId>, Wrong> {
        self.nodes(word)
    }

    fn domain(&self) -> Option<&str> {
        Some(DOMAIN)
    }

    fn directory(&self) -> Option<&Path> {
        self.beside.as_deref()
    }
}

impl Topology {
    pub(crate) fn add_node(&mut self, name: &str) -> usize {
        let index = self.names.len();
        self.names.push(name.to_owned());
        // DNS names ignore case, and nodes are DNS names.
        self.by_name.insert(name.to_ascii_lowercase(), index);
        index
    }

    pub(crate) fn add_link(&mut self, ends: [PortRef; 2]) -> usize {
        let index = self.links.len();
        self.links.push(ends);
        let (a, b) = (ends[0].node.min(ends[1].node), ends[0].node.max(ends[1].node));
        self.by_ends.entry((a, b)).or_default().push(index);
        index
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    pub(crate) fn name(&self, node: usize) -> &str {
        &self.names[node]
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(String::as_str)
    }

    pub(crate) fn between(&self, a: usize, b: usize) -> &[usize] {
        self.by_ends.get(&(a.min(b), a.max(b))).map_or(&[], Vec::as_slice)
    }

    /// Whether a link ends at port `port` of `node`.
    pub(crate) fn has_port(&self, node: usize, port: u16) -> bool {
        self.links.iter().flatten().any(|place| *place == PortRef { node, port })
    }

    /// The node called `word`.
    pub(crate) fn node(&self, word: Word<'_>) -> Result<usize, Wrong> {
        self.find(word.text).ok_or_else(|| self.unknown(word.text, word.range()))
    }

    pub(crate) fn unknown(&self, name: &str, at: core::ops::Range<usize>) -> Wrong {
        Wrong::new("unknown-node", at, format!("no node is called `{name}`")).label("unknown node").help(suggest(
            name,
            "nodes",
            self.names(),
        ))
    }

    /// A link names who is not declared.
    pub(crate) fn undeclared(&self, name: &str, at: core::ops::Range<usize>) -> Wrong {
        let wrong = self.unknown(name, at);
        // What begins like one of them is rather misspelt than forgotten.
        let first = |name: &str| name.chars().next().map(|c| c.to_ascii_lowercase());
        let like = nearest(name, self.names()).is_some() || self.names().any(|known| first(known) == first(name));
        match like {
            true => wrong,
            false => wrong.help(format!("declare it: `[host.{name}]`, or a router, switch or hub")),
        }
    }

    /// All nodes that `word` stands for: `web2`, `web[1..3]`.
    pub(crate) fn nodes(&self, word: Word<'_>) -> Result<Vec<usize>, Wrong> {
        let names = names::expand(word)?;
        names.iter().map(|name| self.find(name).ok_or_else(|| self.unknown(name, word.range()))).collect()
    }

    /// All links that `word` stands for: `r1--r2` in both directions, `r1->r2` in one, `s2--web[1..3]` several.
    pub(crate) fn links(&self, word: Word<'_>) -> Result<Vec<LinkRef>, Wrong> {
        let (one_way, ends) = match (word.split_once("--"), word.split_once("->")) {
            (Some(ends), _) => (false, ends),
            (None, Some(ends)) => (true, ends),
            (None, None) => {
                let mut wrong = Wrong::new("unknown-link", word.range(), format!("`{}` is not a link", word.text));
                if let Some(node) = self.find(word.text) {
                    wrong = wrong.help(self.neighbours(node));
                } else {
                    wrong = wrong.help("a link is written `r1--r2`, one direction of it `r1->r2`".to_owned());
                }
                return Err(wrong.label("not a link"));
            }
        };
        let (from, to) = (self.side(ends.0)?, self.side(ends.1)?);
        let mut found = Vec::new();
        for (a, a_port) in &from {
            for (b, b_port) in &to {
                let mut any = false;
                for &link in self.between(*a, *b) {
                    let [x, y] = self.links[link];
                    let fits =
                        |p: PortRef, node: usize, port: Option<u16>| p.node == node && port.is_none_or(|n| n == p.port);
                    let ways = if fits(x, *a, *a_port) && fits(y, *b, *b_port) {
                        Ways::Forth
                    } else if fits(y, *a, *a_port) && fits(x, *b, *b_port) {
                        Ways::Back
                    } else {
                        continue;
                    };
                    any = true;
                    found.push(LinkRef { link, ways: if one_way { ways } else { Ways::Both } });
                }
                if !any {
                    let reason = format!("no link joins {} and {}", self.name(*a), self.name(*b));
                    return Err(Wrong::new("unknown-link", word.range(), reason)
                        .label("unknown link")
                        .help(self.neighbours(*a)));
                }
            }
        }
        Ok(found)
    }

    fn neighbours(&self, node: usize) -> Option<String> {
        let mut names: Vec<_> = self
            .links
            .iter()
            .filter_map(|[a, b]| match (a.node == node, b.node == node) {
                (true, _) => Some(b.node),
                (_, true) => Some(a.node),
                _ => None,
            })
            .map(|peer| format!("{}--{}", self.name(node), self.name(peer)))
            .take(9)
            .collect();
        names.dedup();
        match names.len() {
            0 => Some(format!("{} has no links", self.name(node))),
            9 => Some(format!("links of {}: {}, …", self.name(node), names[..8].join(", "))),
            _ => Some(format!("links of {}: {}", self.name(node), names.join(", "))),
        }
    }

    /// One side of a link reference: nodes with an optional port.
    fn side(&self, word: Word<'_>) -> Result<Vec<(usize, Option<u16>)>, Wrong> {
        if word.text.is_empty() {
            return Err(Wrong::new("unknown-link", word.range(), "one end of the link is missing"));
        }
        let (name, port) = match link_text::split_port(word) {
            Some((name, port)) => (name, Some(link_text::port(port)?)),
            None => (word, None),
        };
        Ok(self.nodes(name)?.into_iter().map(|node| (node, port)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Topology {
        let mut t = Topology::default();
        for name in ["r1", "r2", "s", "web1", "web2"] {
            t.add_node(name);
        }
        for (a, b) in [((0, 0), (1, 0)), ((1, 1), (2, 0)), ((2, 1), (3, 0)), ((2, 2), (4, 0)), ((0, 1), (1, 2))] {
            t.add_link([PortRef { node: a.0, port: a.1 }, PortRef { node: b.0, port: b.1 }]);
        }
        t
    }

    fn links(text: &str) -> Result<Vec<(usize, Ways)>, String> {
        shop()
            .links(Word { text, at: 0 })
            .map(|l| l.iter().map(|r| (r.link, r.ways)).collect())
            .map_err(|w| w.refusal.reason)
    }

    #[test]
    fn references() {
        assert_eq!(links("s--r2").unwrap(), [(1, Ways::Both)]);
        assert_eq!(links("r2->s").unwrap(), [(1, Ways::Forth)]);
        assert_eq!(links("s->r2").unwrap(), [(1, Ways::Back)]);
        assert_eq!(links("r1--r2").unwrap(), [(0, Ways::Both), (4, Ways::Both)], "both of two parallel links");
        assert_eq!(links("r2.eth2->r1").unwrap(), [(4, Ways::Back)]);
        assert_eq!(links("s--web[1..2]").unwrap(), [(2, Ways::Both), (3, Ways::Both)]);
        for text in ["r1--s", "r1--x", "r1", "r1--", "r1.eth5--r2"] {
            assert!(links(text).is_err(), "{text}");
        }
    }
}
