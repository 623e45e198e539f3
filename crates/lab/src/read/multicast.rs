//! `multicast = ["239.1.1.1 from s1 to r2, s3"]` and `querier = true` of a router: how they are read.

use core::time::Duration;

use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::schema::{AtLeast, Count, Either, Key, OneOf, Phrase, Section, Switch, Table, TableOf, Texts};
use septet_language::words::{Word, Words, Wrong};
use septet_network::membership::{Leave, Settings, Version};
use septet_network::{Prefix, ToMembers};

use crate::model::multicast::{MulticastSpec, Neighbour, Origin, RouteSpec};
use crate::model::node::{Node, NodeKind};
use crate::model::topology::Topology;

const EXAMPLE: &str = "239.1.1.1 from s1 to r2, s3";

pub(crate) static MULTICAST: Key<Texts<Text>> = Key::new(
    "multicast",
    Texts(Phrase::later("a multicast route", EXAMPLE)),
    "multicast routes, the first that fits is taken: a group or a prefix of groups, `from` senders (anybody), `to` neighbours, \
     each with `ttl N` where only what comes with so many hops left is to leave there, or `to members`, where IGMP and MLD \
     say who wants it",
);
pub(crate) static QUERIER: Key<OneOf<Switch, TableOf>> = Key::new(
    "querier",
    OneOf(Switch, TableOf(&TIMES)),
    "ask the hosts on its links which groups they are in, as IGMPv3 and MLDv2 do (false; true where a route of `multicast` goes \
     `to members`)",
);

static TIMES: Section = Section::new(
    "How a router asks for members of groups (RFC 3376 §8, RFC 3810 §9).",
    &[&[&INTERVAL, &RESPONSE, &LAST_MEMBER, &ROBUSTNESS, &FAST_LEAVE, &VERSION]],
);
const SECOND_TENTH: AtLeast = AtLeast(Duration::from_millis(100));
static INTERVAL: Key<AtLeast> = Key::new("interval", AtLeast(Duration::from_secs(1)), "between general queries (125s)");
static RESPONSE: Key<AtLeast> = Key::new("response", SECOND_TENTH, "within what time those are answered (10s)");
static LAST_MEMBER: Key<AtLeast> = Key::new(
    "last_member",
    SECOND_TENTH,
    "within what time queries about one group are answered that a member has left, and between those (1s)",
);
static ROBUSTNESS: Key<Count<u8>> = Key::new("robustness", Count(1, 7), "how often is said what may get lost (2)");
static FAST_LEAVE: Key<Switch> =
    Key::new("fast_leave", Switch, "take a member that leaves for the last one and ask nobody (false)");
static VERSION: Key<Count<u8>> =
    Key::new("version", Count(2, 3), "of IGMP: 3, or 2, which knows no sources; with 2 goes MLDv1 (3)");

/// What the table of a router says.
pub(crate) fn read(
    table: &Table,
    topology: &Topology,
    kinds: &dyn Fn(usize) -> NodeKind,
    mistakes: &mut Mistakes,
) -> MulticastSpec {
    let routes: Vec<RouteSpec> = table
        .get(&MULTICAST)
        .unwrap_or_default()
        .iter()
        .filter_map(|text| route(text, topology, kinds).map_err(|wrong| mistakes.push(wrong.mistake(text))).ok())
        .collect();
    let to_members = routes.iter().any(|route| matches!(route.members, ToMembers::Yes { .. }));
    let querier = match table.get(&QUERIER) {
        Some(Either::That(times)) => Some(settings(&times, mistakes)),
        Some(Either::This(true)) => Some(Settings::default()),
        Some(Either::This(false)) => {
            if to_members && let Some(name) = table.name(&QUERIER) {
                let reason = "a route goes `to members`, and a router that does not ask knows of none";
                mistakes.push(
                    Mistake::new("multicast", name.span.clone(), reason, "without effect")
                        .help("leave `querier` out, or name the neighbours of the route".to_owned()),
                );
            }
            None
        }
        None => to_members.then(Settings::default),
    };
    MulticastSpec { routes, querier }
}

/// Reports routes that name who is no neighbour.
pub(crate) fn check(nodes: &[Node], mistakes: &mut Mistakes) {
    for node in nodes {
        if let Some(stack) = node.spec.stack() {
            strangers(&stack.multicast, node, nodes, mistakes);
        }
    }
}

fn settings(times: &Table, mistakes: &mut Mistakes) -> Settings {
    let usual = Settings::default();
    let interval = times.get(&INTERVAL).unwrap_or(usual.interval);
    // RFC 3376 §8.3: "The number of seconds represented by the [Query Response Interval] must be less than the [Query Interval]."
    let response = times.get(&RESPONSE).unwrap_or(usual.response.min(interval / 2));
    if response >= interval {
        let place = times.place("response").or(times.place("interval"));
        let reason = format!("answers within {response:?} to queries every {interval:?} overlap");
        let span = place.map(|name| name.span.clone()).unwrap_or_default();
        mistakes.push(
            Mistake::new("multicast", span, reason, "too long")
                .help("`response` is less than `interval` (RFC 3376 §8.3)".to_owned()),
        );
    }
    Settings {
        version: if times.get(&VERSION) == Some(2) { Version::V2 } else { Version::V3 },
        robustness: times.get(&ROBUSTNESS).unwrap_or(usual.robustness),
        interval,
        response,
        last_member: times.get(&LAST_MEMBER).unwrap_or(usual.last_member),
        leave: if times.get(&FAST_LEAVE) == Some(true) { Leave::AtOnce } else { Leave::Asks },
    }
}

/// Reads `239.1.1.1 from s1 to r2 ttl 16, members`.
fn route(text: &Text, topology: &Topology, kinds: &dyn Fn(usize) -> NodeKind) -> Result<RouteSpec, Wrong> {
    let mut words = Words::of(text);
    let group = words.expect("the group", &format!("`{EXAMPLE}`"))?;
    let groups = groups(group)?;
    let mut from = Vec::new();
    if Words::take(&mut words, "from") {
        let senders = until(&words.rest(), " to ");
        for word in senders.split(",") {
            from.push(origin(word, text, topology, kinds)?);
        }
        while words.peek().is_some_and(|word| word.at < senders.at + senders.text.len()) {
            words.next();
        }
    }
    if !Words::take(&mut words, "to") {
        let place = words.peek().map_or(text.text.len()..text.text.len(), Word::range);
        return Err(Wrong::new("multicast", place, "it is not said whither")
            .label("expected `to`")
            .help(format!("for example `{EXAMPLE}`")));
    }
    let (mut to, mut members) = (Vec::new(), ToMembers::No);
    for part in words.rest().split(",") {
        let mut words = Words::new(part);
        let name = words.expect("the neighbour", &format!("`{EXAMPLE}`"))?;
        let threshold = if Words::take(&mut words, "ttl") {
            let ttl = words.expect("the time to live", "`to r2 ttl 16`")?;
            ttl.text.parse::<u8>().ok().filter(|n| *n > 0).ok_or_else(|| {
                Wrong::new("multicast", ttl.range(), format!("`{}` is not a time to live", ttl.text))
                    .label("from 1 to 255")
            })?
        } else {
            1
        };
        if let Some(more) = words.next() {
            return Err(Wrong::new("multicast", more.range(), format!("`{}` says nothing here", more.text))
                .label("one too many")
                .help("neighbours stand between commas: `to r2 ttl 16, s3`".to_owned()));
        }
        if name.text == "members" && topology.find("members").is_none() {
            members = ToMembers::Yes { threshold };
        } else {
            to.push((Neighbour { node: topology.node(name)?, span: text.place(name.range()) }, threshold));
        }
    }
    Ok(RouteSpec { groups, from, to, members })
}

/// The part of `rest` before `word`, or all of it.
fn until<'t>(rest: &Word<'t>, word: &str) -> Word<'t> {
    rest.split_once(word).map_or(*rest, |(before, _)| before)
}

fn groups(word: Word<'_>) -> Result<Prefix, Wrong> {
    let prefix = prefix(word.text);
    let prefix = prefix.filter(|p| p.addr().is_multicast() && p.prefix_len() >= if p.addr().is_ipv4() { 4 } else { 8 });
    let prefix = prefix.ok_or_else(|| {
        Wrong::new("multicast", word.range(), format!("`{}` is not a multicast group", word.text))
            .label("a group")
            .help("groups are 224.0.0.0/4 and ff00::/8: `239.1.1.1`, `232.0.0.0/8`".to_owned())
    })?;
    let on_link: Prefix = "224.0.0.0/24".parse().expect("a prefix");
    if prefix.prefix_len() >= 24 && on_link.contains(prefix.addr()) {
        let reason = format!("no router passes {} on: 224.0.0.0/24 stays on its link", word.text);
        return Err(Wrong::new("multicast", word.range(), reason).label("stays on its link"));
    }
    Ok(prefix)
}

/// An address or a prefix.
fn prefix(text: &str) -> Option<Prefix> {
    text.parse().ok().or_else(|| text.parse().ok().map(Prefix::host))
}

fn origin(
    word: Word<'_>,
    text: &Text,
    topology: &Topology,
    kinds: &dyn Fn(usize) -> NodeKind,
) -> Result<Origin, Wrong> {
    if let Some(prefix) = prefix(word.text) {
        return Ok(Origin::Addresses(prefix));
    }
    let node = topology.node(word)?;
    Ok(match kinds(node) {
        NodeKind::Host | NodeKind::Router | NodeKind::L3Switch => Origin::Node(node),
        NodeKind::Switch | NodeKind::Hub => Origin::Behind(Neighbour { node, span: text.place(word.range()) }),
    })
}

/// Reports nodes that `node` has no link to.
fn strangers(spec: &MulticastSpec, node: &Node, nodes: &[Node], mistakes: &mut Mistakes) {
    for Neighbour { node: other, span } in spec.neighbours() {
        if node.interfaces_to(*other).is_empty() {
            let beside: Vec<String> = node.neighbours.iter().map(|(n, _)| format!("`{}`", nodes[*n].name)).collect();
            let reason = format!("`{}` has no link to `{}`", node.name, nodes[*other].name);
            mistakes.push(
                Mistake::new("multicast", span.clone(), reason, "not a neighbour")
                    .help(format!("its neighbours are {}", beside.join(", "))),
            );
        }
    }
}
