//! `[switch.NAME]`: its keys, and how they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use septet_datalink::ethernet::MacAddr;
use septet_datalink::switch::{PortLeave, Unknown, Version};
use septet_datalink::vlan::VlanId;
use septet_language::document::{Item, Name, Text, Value};
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::schema::{
    AnyKey, Choice, Count, Either, Key, Line, Named, OneOf, Phrase, Section, Switch, Table, TableOf, Texts, Time,
    Values,
};
use septet_language::words::{Word, Wrong};

use crate::model::switch::{self, Inspection, Layer, Owner, Paused, SwitchSpec};
use crate::model::topology::Topology;

pub(crate) static SWITCH: Section = Section::new("A learning Ethernet switch.", &[KEYS]);

/// What all switches have.
pub(crate) const KEYS: &[&dyn AnyKey] = &[
    &AGEING,
    &TABLE,
    &SPANNING_TREE,
    &STP,
    &EDGE_PORTS,
    &PRIORITY,
    &VLANS,
    &PRIORITIES,
    &TRUNKS,
    &NATIVE,
    &ALLOWED,
    &MIRROR,
    &FLOW_CONTROL,
    &SNOOPING,
    &DHCP_SNOOPING,
    &ARP_INSPECTION,
    &HALF_DUPLEX,
];

static AGEING: Key<Time> = Key::new("ageing", Time, "how long an address is remembered (300s)");
static TABLE: Key<Count<usize>> = Key::new("table", Count(1, 16_777_216), "how many addresses are remembered");
static SPANNING_TREE: Key<Switch> =
    Key::new("spanning_tree", Switch, "take part in the spanning tree of IEEE 802.1D (false)");
static STP: Key<Choice<Version>> = Key::new(
    "stp",
    Choice(|| vec![("stp", Version::Stp), ("rstp", Version::Rstp)]),
    "take part in the spanning tree, and how: `stp` as in 802.1D-1998 (what `spanning_tree = true` means), `rstp`, the \
     rapid one of 802.1D-2004",
);
static EDGE_PORTS: Key<Texts<Text>> = Key::new(
    "edge_ports",
    Texts(NEIGHBOUR),
    "neighbours that are end stations: with `rstp` their ports forward at once (others when nobody answers for 3s)",
);
static PRIORITY: Key<Count<u16>> =
    Key::new("priority", Count(0, 65_535), "as a bridge of the spanning tree; the lowest is the root (32768)");
static VLANS: Key<Named<Count<u16>>> =
    Key::new("vlans", Named("neighbour", VLAN), "the VLAN of the port to each neighbour; others are in VLAN 1");
static PRIORITIES: Key<Named<Count<u8>>> = Key::new(
    "priorities",
    Named("neighbour", Count(0, 7)),
    "the 802.1p priority of what comes untagged from each neighbour (0); trunks carry it, and `queue = \"prio\"` obeys it",
);
static TRUNKS: Key<Texts<Text>> = Key::new("trunks", Texts(NEIGHBOUR), "neighbours to whom all VLANs go, with tags");
static NATIVE: Key<Named<Count<u16>>> = Key::new(
    "native",
    Named("neighbour", VLAN),
    "the VLAN that goes without a tag over the trunk to each neighbour (none does)",
);
static ALLOWED: Key<Named<OneOf<Phrase<BTreeSet<u16>>, Values>>> = Key::new(
    "allowed",
    Named("neighbour", OneOf(VLAN_LIST, Values)),
    "the VLANs that go over the trunk to each neighbour (all): `\"10, 20, 30-39\"`, `[10, 20]`",
);
static MIRROR: Key<TableOf> = Key::new("mirror", TableOf(&MIRRORED), "a port that sees what passes others");
static FLOW_CONTROL: Key<Switch> =
    Key::new("flow_control", Switch, "pause those who send more than a port can pass on (false)");
static SNOOPING: Key<OneOf<Switch, TableOf>> = Key::new(
    "snooping",
    OneOf(Switch, TableOf(&SNOOPED)),
    "listen to IGMP and MLD, and send what is for a multicast group only where somebody wants it (false)",
);
static HALF_DUPLEX: Key<Texts<Text>> =
    Key::new("half_duplex", Texts(NEIGHBOUR), "neighbours to whom this switch speaks half duplex");

static SNOOPED: Section =
    Section::new("How a switch listens to IGMP and MLD (RFC 4541).", &[&[&UNKNOWN, &FAST_LEAVE, &SNOOPED_ROUTERS]]);
static UNKNOWN: Key<Choice<Unknown>> = Key::new(
    "unknown",
    Choice(|| vec![("flood", Unknown::Flood), ("routers", Unknown::Routers)]),
    "where frames for groups go that nobody has joined: everywhere, or to routers only (flood)",
);
static FAST_LEAVE: Key<Switch> =
    Key::new("fast_leave", Switch, "send nothing more to a port as soon as a member behind it leaves (false)");
static SNOOPED_ROUTERS: Key<Texts<Text>> =
    Key::new("routers", Texts(NEIGHBOUR), "neighbours that are routers, beside those that queries come from");

static DHCP_SNOOPING: Key<OneOf<Switch, TableOf>> = Key::new(
    "dhcp_snooping",
    OneOf(Switch, TableOf(&SNOOPED_DHCP)),
    "let DHCP servers speak behind trusted neighbours only, and remember whom they give which address (false)",
);
static SNOOPED_DHCP: Section = Section::new("How a switch watches DHCP.", &[&[&DHCP_TRUSTED]]);
static DHCP_TRUSTED: Key<Texts<Text>> =
    Key::new("trusted", Texts(NEIGHBOUR), "neighbours behind whom DHCP servers and relays are (none)");
static ARP_INSPECTION: Key<OneOf<Switch, TableOf>> = Key::new(
    "arp_inspection",
    OneOf(Switch, TableOf(&INSPECTED_ARP)),
    "drop ARP that says of an address what is not so, as far as `dhcp_snooping` and `bindings` know whose it is (false)",
);
static INSPECTED_ARP: Section = Section::new("How a switch inspects ARP.", &[&[&ARP_TRUSTED, &BINDINGS]]);
static ARP_TRUSTED: Key<Texts<Text>> = Key::new(
    "trusted",
    Texts(NEIGHBOUR),
    "neighbours whose ARP is believed: switches that inspect it themselves, routers (none)",
);
static BINDINGS: Key<Named<Line>> = Key::new(
    "bindings",
    Named("address", Line),
    "addresses that are somebody's without DHCP, a node's or of a link address: `{ \"10.0.1.1\" = \"r1\" }`",
);

static MIRRORED: Section =
    Section::new("A port that sees what passes others.", &[&[&MIRROR_FROM, &MIRROR_TO]]).required(&["from", "to"]);
static MIRROR_FROM: Key<Texts<Text>> = Key::new("from", Texts(NEIGHBOUR), "neighbours whose ports are watched");
static MIRROR_TO: Key<Line> = Key::new("to", Line, "the neighbour who sees it");

const VLAN: Count<u16> = Count(1, 4094);
const NEIGHBOUR: Phrase<Text> = Phrase::later("a neighbour", "web[1..3]");
const VLAN_LIST: Phrase<BTreeSet<u16>> =
    Phrase { what: "a list of VLANs", example: "10, 20, 30-39", read: |_, text| list(text) };

/// What the table of a switch says.
pub(crate) fn read(table: &Table, layer: Layer, topology: &Topology, mistakes: &mut Mistakes) -> SwitchSpec {
    let mut neighbours = Neighbours { topology, named: Vec::new() };
    let trunks = neighbours.all("trunks", table.get(&TRUNKS).unwrap_or_default(), mistakes);
    let half_duplex = neighbours.all("half_duplex", table.get(&HALF_DUPLEX).unwrap_or_default(), mistakes);
    let edge_ports = neighbours.all("edge_ports", table.get(&EDGE_PORTS).unwrap_or_default(), mistakes);
    let mirror = table.get(&MIRROR).and_then(|mirror| {
        let from = neighbours.all("mirror", mirror.get(&MIRROR_FROM).unwrap_or_default(), mistakes);
        let to = neighbours.all("mirror", mirror.get(&MIRROR_TO).into_iter().collect(), mistakes);
        to.into_iter().next().map(|to| (from, to))
    });
    let snooping = match table.get(&SNOOPING) {
        Some(Either::This(true)) => Some((Unknown::default(), PortLeave::default(), BTreeSet::new())),
        Some(Either::That(how)) => {
            let routers = neighbours.all("snooping", how.get(&SNOOPED_ROUTERS).unwrap_or_default(), mistakes);
            let leave = if how.get(&FAST_LEAVE) == Some(true) { PortLeave::AtOnce } else { PortLeave::Waits };
            Some((how.get(&UNKNOWN).unwrap_or_default(), leave, routers))
        }
        Some(Either::This(false)) | None => None,
    };
    let dhcp_snooping = match table.get(&DHCP_SNOOPING) {
        Some(Either::This(true)) => Some(BTreeSet::new()),
        Some(Either::That(how)) => {
            Some(neighbours.all("dhcp_snooping", how.get(&DHCP_TRUSTED).unwrap_or_default(), mistakes))
        }
        Some(Either::This(false)) | None => None,
    };
    let arp_inspection = match table.get(&ARP_INSPECTION) {
        Some(Either::This(true)) => Some(Inspection::default()),
        Some(Either::That(how)) => Some(Inspection {
            trusted: neighbours.all("arp_inspection", how.get(&ARP_TRUSTED).unwrap_or_default(), mistakes),
            bindings: bindings(&how, topology, mistakes),
        }),
        Some(Either::This(false)) | None => None,
    };
    nobody_is_believed(table, layer, (&dhcp_snooping, &arp_inspection), mistakes);
    let vlans = neighbours.each("vlans", table.get(&VLANS), mistakes);
    let native = neighbours.each("native", table.get(&NATIVE), mistakes);
    let priorities = neighbours.each("priorities", table.get(&PRIORITIES), mistakes);
    let allowed = neighbours.each("allowed", table.get(&ALLOWED), mistakes).into_iter().map(|(node, said)| {
        let vlans = match said {
            Either::This(vlans) => vlans,
            Either::That((_, items)) => items.iter().flat_map(|item| lists(item, mistakes)).collect(),
        };
        (node, vlans)
    });
    let allowed = allowed.collect();
    SwitchSpec {
        ageing: table.get(&AGEING),
        table: table.get(&TABLE),
        spanning_tree: spanning_tree(table, mistakes),
        edge_ports,
        vlans,
        trunks,
        native,
        allowed,
        priorities,
        mirror,
        flow_control: if table.get(&FLOW_CONTROL) == Some(true) { Paused::WhenFull } else { Paused::Never },
        snooping,
        dhcp_snooping,
        arp_inspection,
        half_duplex,
        layer,
        named: neighbours.named,
    }
}

/// Whose the addresses are that a table names.
fn bindings(table: &Table, topology: &Topology, mistakes: &mut Mistakes) -> Vec<(Ipv4Addr, Owner)> {
    let mut found = Vec::new();
    for (address, owner) in table.get(&BINDINGS).unwrap_or_default() {
        let Ok(ip) = address.text.parse::<Ipv4Addr>() else {
            let reason = format!("`{}` is not an IPv4 address", address.text);
            mistakes.push(
                Mistake::new("address", address.span.clone(), reason, "an address here")
                    .help("`bindings = { \"10.0.1.1\" = \"r1\" }`".to_owned()),
            );
            continue;
        };
        let owner = match owner.text.parse::<MacAddr>() {
            Ok(mac) => Ok(Owner::Mac(mac)),
            Err(_) => topology.node(Word { text: &owner.text, at: 0 }).map(Owner::Node).map_err(|w| w.mistake(&owner)),
        };
        match owner {
            Ok(owner) => found.push((ip, owner)),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    found
}

/// Warns where a switch lets nobody speak.
fn nobody_is_believed(
    table: &Table,
    layer: Layer,
    (dhcp, arp): (&Option<BTreeSet<usize>>, &Option<Inspection>),
    mistakes: &mut Mistakes,
) {
    let span = |key: &str| table.place(key).map(|name| name.span.clone()).unwrap_or_default();
    // In a switch that routes the server or relay may be inside.
    if dhcp.as_ref().is_some_and(BTreeSet::is_empty) && layer == Layer::Two {
        let reason = "no neighbour is trusted: no DHCP server will be heard";
        mistakes.push(
            Mistake::new("dhcp-snooping", span("dhcp_snooping"), reason, "nobody is trusted")
                .help("name who leads to the server: `dhcp_snooping = { trusted = \"server\" }`".to_owned())
                .warning(),
        );
    }
    if arp.as_ref().is_some_and(|arp| arp.bindings.is_empty()) && dhcp.is_none() {
        let reason = "nobody's address is known: all ARP is dropped but that of trusted neighbours";
        mistakes.push(
            Mistake::new("arp-inspection", span("arp_inspection"), reason, "nobody is known")
                .help("say whose addresses are whose, `bindings = { \"10.0.1.1\" = \"r1\" }`, or watch DHCP: `dhcp_snooping`".to_owned())
                .warning(),
        );
    }
}

/// The neighbours that a table names.
struct Neighbours<'a> {
    topology: &'a Topology,
    /// Where each is named.
    named: Vec<switch::NamedNeighbour>,
}

impl Neighbours<'_> {
    fn all(&mut self, key: &'static str, texts: Vec<Text>, mistakes: &mut Mistakes) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for text in texts {
            match self.topology.nodes(Word { text: &text.text, at: 0 }) {
                Ok(nodes) => {
                    self.named.extend(nodes.iter().map(|node| switch::NamedNeighbour {
                        key,
                        node: *node,
                        span: text.inner(),
                    }));
                    found.extend(nodes);
                }
                Err(wrong) => mistakes.push(wrong.mistake(&text)),
            }
        }
        found
    }

    /// What is said of each; a name may be a range.
    fn each<V: Clone>(
        &mut self,
        key: &'static str,
        said: Option<Vec<(Name, V)>>,
        mistakes: &mut Mistakes,
    ) -> BTreeMap<usize, V> {
        let mut found = BTreeMap::new();
        for (name, value) in said.unwrap_or_default() {
            let nodes = self.all(key, vec![Text::bare(name.text, name.span)], mistakes);
            found.extend(nodes.into_iter().map(|node| (node, value.clone())));
        }
        found
    }
}

/// Which spanning tree a switch takes part in, and with which priority.
fn spanning_tree(table: &Table, mistakes: &mut Mistakes) -> Option<(Version, u16)> {
    let span = |key: &str| table.place(key).map(|name| name.span.clone()).unwrap_or_default();
    let version = match (table.get(&SPANNING_TREE), table.get(&STP)) {
        (Some(false), Some(version)) => {
            let stp = if version == Version::Stp { "stp" } else { "rstp" };
            let reason =
                format!("`stp = \"{stp}\"` takes part in the spanning tree, and `spanning_tree = false` does not");
            mistakes.push(
                Mistake::new("spanning-tree", span("stp"), reason, "one or the other")
                    .also(span("spanning_tree"), "against this"),
            );
            return None;
        }
        (_, Some(version)) => version,
        (Some(true), None) => Version::Stp,
        (Some(false) | None, None) => {
            for key in ["priority", "edge_ports"].into_iter().filter(|key| table.place(key).is_some()) {
                let reason = format!("`{key}` is of the spanning tree, and this switch takes part in none");
                mistakes.push(
                    Mistake::new("spanning-tree", span(key), reason, "does nothing")
                        .help("write `stp = \"rstp\"` or `stp = \"stp\"`".to_owned())
                        .warning(),
                );
            }
            return None;
        }
    };
    if version == Version::Stp && table.name(&EDGE_PORTS).is_some() {
        let reason =
            "edge ports are a notion of the rapid spanning tree: in the older one every port listens and learns";
        mistakes.push(
            Mistake::new("spanning-tree", span("edge_ports"), reason, "does nothing")
                .help("write `stp = \"rstp\"`".to_owned()),
        );
    }
    let priority = table.get(&PRIORITY).unwrap_or(32_768);
    if version == Version::Rstp && !priority.is_multiple_of(4096) {
        // 802.1D-2004 §9.2.5: the lower twelve bits of the older priority are no longer part of it.
        let reason = format!("a priority of the rapid spanning tree is a multiple of 4096, and {priority} is none");
        let near = (u32::from(priority) + 2048) / 4096 * 4096;
        mistakes.push(
            Mistake::new("spanning-tree", span("priority"), reason, "not a multiple of 4096")
                .help(format!("the nearest is {}", near.min(61_440))),
        );
    }
    Some((version, priority))
}

/// Reads `10, 20, 30-39`.
fn list(text: &Text) -> Result<BTreeSet<u16>, Wrong> {
    let number = |word: Word<'_>| {
        let number = word.text.parse::<u16>().ok().filter(|n| VlanId::new(*n).is_some());
        number.ok_or_else(|| {
            Wrong::new("vlan", word.range(), format!("`{}` is not a VLAN", word.text))
                .label("not a VLAN")
                .help("VLANs are numbered from 1 to 4094: `10, 20, 30-39`".to_owned())
        })
    };
    let mut vlans = BTreeSet::new();
    for word in (Word { text: &text.text, at: 0 }).split(",") {
        match word.split_once("-") {
            None => {
                vlans.insert(number(word)?);
            }
            Some((first, last)) => {
                let (from, to) = (number(first)?, number(last)?);
                if from > to {
                    return Err(Wrong::new("vlan", word.range(), format!("the range {from}-{to} runs backwards"))
                        .help(format!("write `{to}-{from}`")));
                }
                vlans.extend(from..=to);
            }
        }
    }
    Ok(vlans)
}

/// Reads a list of VLANs as a string, a number, or a list of these.
fn lists(item: &Item, mistakes: &mut Mistakes) -> BTreeSet<u16> {
    let text = match &item.value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => Text::bare(number.to_string(), item.span.clone()),
        Value::List(items) => return items.iter().flat_map(|item| lists(item, mistakes)).collect(),
        other => {
            let reason = format!("{} is no VLAN", other.what());
            mistakes.push(Mistake::new("type", item.span.clone(), reason, "a number here"));
            return BTreeSet::new();
        }
    };
    list(&text).map_err(|wrong| mistakes.push(wrong.mistake(&text))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u16>, String> {
        let text = Text::bare(text.to_owned(), 0..text.len());
        list(&text).map(|set| set.into_iter().collect()).map_err(|wrong| wrong.refusal.reason)
    }

    #[test]
    fn lists_of_vlans() {
        assert_eq!(read("10, 20,30-32").unwrap(), [10, 20, 30, 31, 32]);
        assert_eq!(read("4094").unwrap(), [4094]);
        for wrong in ["", "0", "4095", "10-", "20-10", "ten", "10 20"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
