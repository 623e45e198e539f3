//! The link strings: `a -- b, c, web[1..3] : wan delay 10ms`, or of one direction: `a -> b : rate 256kbit`.

use septet_language::document::Text;
use septet_language::names;
use septet_language::words::{Word, Wrong};

/// The most links that one string may stand for.
const MOST_LINKS: usize = 4_000_000;

/// What a link string says, its ranges expanded.
#[derive(Debug)]
pub(crate) struct LinkText<'t> {
    /// The pairs that are joined, in order.
    pub(crate) pairs: Vec<Pair>,
    /// What stands behind the colon.
    pub(crate) medium: Option<Word<'t>>,
}

/// Two ends that are joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pair {
    pub(crate) ends: [EndText; 2],
    pub(crate) joint: Joint,
}

impl Pair {
    /// From the first to the last character of its ends, in bytes of the string.
    pub(crate) fn range(&self) -> core::ops::Range<usize> {
        let [a, b] = &self.ends;
        a.at.start.min(b.at.start)..a.at.end.max(b.at.end)
    }
}

/// What stands between two ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Joint {
    /// `--`: a link, both of its directions.
    Link,
    /// `->`: the direction from the first end to the second.
    Direction,
}

/// One end of a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EndText {
    pub(crate) node: String,
    /// The port, where it is given: `r1.eth1`.
    pub(crate) port: Option<u16>,
    /// Where the end is named, in bytes of the string.
    pub(crate) at: core::ops::Range<usize>,
}

/// Reads a link string. `a -- b -- c` is a chain; a list on either side of `--` is joined with all of the other side.
pub(crate) fn parse(text: &Text) -> Result<LinkText<'_>, Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let (ends, medium) = match whole.split_once(":") {
        Some((ends, medium)) => (ends, Some(medium)),
        None => (whole.trim(), None),
    };
    if let Some(medium) = medium
        && medium.text.is_empty()
    {
        return Err(Wrong::new("link", medium.at.saturating_sub(1)..medium.at, "no medium behind the colon"));
    }
    if let Some(at) = ends.text.find("<-") {
        let at = ends.at + at;
        return Err(Wrong::new("link", at..at + 2, "`<-` joins nothing")
            .help("one direction is written from its sender on: \"a -> b\"".to_owned()));
    }
    let (groups, joints) = parts(ends);
    if joints.is_empty() {
        let help = "two ends are joined by `--`: \"a -- b\"; one direction of a link is \"a -> b\"".to_owned();
        return Err(Wrong::new("link", ends.range(), format!("`{}` joins nothing", ends.text)).help(help));
    }
    let groups = groups.into_iter().map(group).collect::<Result<Vec<_>, _>>()?;
    let mut pairs = Vec::new();
    for (sides, joint) in groups.windows(2).zip(joints) {
        if sides[0].len().saturating_mul(sides[1].len()) > MOST_LINKS {
            return Err(Wrong::new("link", ends.range(), format!("more than {MOST_LINKS} links in one string")));
        }
        for a in &sides[0] {
            pairs.extend(sides[1].iter().map(|b| Pair { ends: [a.clone(), b.clone()], joint }));
        }
    }
    Ok(LinkText { pairs, medium })
}

/// The lists of ends, and what stands between them.
fn parts(ends: Word<'_>) -> (Vec<Word<'_>>, Vec<Joint>) {
    let (mut groups, mut joints) = (Vec::new(), Vec::new());
    let mut from = 0;
    let part = |from: usize, to: usize| Word { text: &ends.text[from..to], at: ends.at + from }.trim();
    while let Some(at) = ["--", "->"].iter().filter_map(|joint| ends.text[from..].find(joint)).min() {
        let at = from + at;
        joints.push(if ends.text[at..].starts_with("--") { Joint::Link } else { Joint::Direction });
        groups.push(part(from, at));
        from = at + 2;
    }
    groups.push(part(from, ends.text.len()));
    (groups, joints)
}

/// The ends in a list such as `lb, dns.eth1, web[1..3]`.
fn group(list: Word<'_>) -> Result<Vec<EndText>, Wrong> {
    let mut ends = Vec::new();
    for item in list.split(",") {
        let (name, port) = match split_port(item) {
            Some((name, port)) => (name, Some(self::port(port)?)),
            None => (item, None),
        };
        if name.text.is_empty() {
            // An empty place is shown by the character beside it.
            let at = name.at.min(list.at + list.text.len());
            return Err(Wrong::new("link", at..at, "a node's name is missing").label("expected here"));
        }
        ends.extend(names::expand(name)?.into_iter().map(|node| EndText { node, port, at: item.range() }));
    }
    Ok(ends)
}

/// Splits `r1.eth1`; the dots inside a range are none.
pub(crate) fn split_port(item: Word<'_>) -> Option<(Word<'_>, Word<'_>)> {
    let after = item.text.rfind(']').unwrap_or(0);
    let dot = after + item.text[after..].find('.')?;
    let (name, port) = (&item.text[..dot], &item.text[dot + 1..]);
    // `web[1..` has a bracket open: it is a broken range, not a port.
    (!name.contains('[') || name.contains(']'))
        .then_some((Word { text: name, at: item.at }, Word { text: port, at: item.at + dot + 1 }))
}

/// `eth1` is port 1.
pub(crate) fn port(word: Word<'_>) -> Result<u16, Wrong> {
    word.text
        .strip_prefix("eth")
        .and_then(|n| n.parse().ok().filter(|p: &u16| *p < u16::MAX && p.to_string() == n))
        .ok_or_else(|| {
            Wrong::new("port", word.range(), format!("`{}` is not a port", word.text))
                .label("not a port")
                .help("ports are called eth0, eth1, …".to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Result<Vec<String>, String> {
        let text = Text::bare(text.to_owned(), 0..text.len());
        let show = |e: &EndText| match e.port {
            Some(p) => format!("{}.eth{p}", e.node),
            None => e.node.clone(),
        };
        parse(&text)
            .map(|l| {
                let joint = |j| if j == Joint::Link { "-" } else { ">" };
                l.pairs.iter().map(|p| format!("{}{}{}", show(&p.ends[0]), joint(p.joint), show(&p.ends[1]))).collect()
            })
            .map_err(|w| w.refusal.reason)
    }

    #[test]
    fn lists_ranges_chains_and_ports() {
        assert_eq!(pairs("client -- s1").unwrap(), ["client-s1"]);
        assert_eq!(pairs("s2 -- lb, web[1..2]").unwrap(), ["s2-lb", "s2-web1", "s2-web2"]);
        assert_eq!(pairs("a -- b -- c : wan").unwrap(), ["a-b", "b-c"]);
        assert_eq!(pairs("l[1..2] -- s[1..2]").unwrap(), ["l1-s1", "l1-s2", "l2-s1", "l2-s2"]);
        assert_eq!(pairs("a -> b, c").unwrap(), ["a>b", "a>c"]);
        assert_eq!(pairs("a -> b -- c").unwrap(), ["a>b", "b-c"]);
        assert_eq!(pairs("r1.eth1 -- web[1..2].eth0").unwrap(), ["r1.eth1-web1.eth0", "r1.eth1-web2.eth0"]);
    }

    #[test]
    fn what_is_no_link() {
        for text in [
            "",
            "a",
            "a --",
            "-- b",
            "a -- b,",
            "a -- b :",
            "a.x -- b",
            "a.eth -- b",
            "a -- b.eth70000",
            "a - b",
            "a <- b",
            "a ->",
            "-> b",
            "a <-> b",
        ] {
            assert!(pairs(text).is_err(), "{text}");
        }
    }
}
