//! The keys of a lab file: the one table behind unknown-key detection and the JSON Schema.

use core::time::Duration;
use std::sync::LazyLock;

use septet_language::document::Text;
use septet_language::schema::{Key, Kind, Phrase, Section, later, none};
use septet_language::units::Refusal;
use septet_language::words::{Word, Wrong};

use crate::model::address;
use crate::model::command;
use crate::model::medium;
use crate::read::listeners;
use crate::read::tcp;
use crate::service;

/// The whole file.
pub(crate) static ROOT: Section = Section {
    doc: "A network: its nodes, the links between them, what goes wrong, and what is expected.",
    groups: &[&[
        Key::new("lab", Kind::Table(&LAB), "name, seed and length of the run"),
        Key::new("media", Kind::Named("medium", &Kind::Table(&MEDIUM)), "what links are made of, by name"),
        Key::new("topology", Kind::Table(&TOPOLOGY), "who is joined to whom"),
        Key::new("hub", Kind::Named("hub", &Kind::Table(&HUB)), "repeaters, by name: all on them share one line"),
        Key::new("switch", Kind::Named("switch", &Kind::Table(&SWITCH)), "learning Ethernet switches, by name"),
        Key::new("router", Kind::Named("router", &Kind::Table(&ROUTER)), "hosts that forward, by name"),
        Key::new("host", Kind::Named("host", &Kind::Table(&HOST)), "hosts, by name or range: `\"web[1..3]\"`"),
        Key::new("faults", Kind::Table(&FAULTS), "what goes wrong, and when"),
        Key::new("expect", Kind::Named("expectation", &Kind::Phrase(&EXPECTATION)), "what the run must show, by name"),
        Key::new(
            "sweep",
            Kind::Named("parameter", &Kind::Values),
            "values to try for keys of this file, by path: `\"media.wan.loss\" = [\"0%\", \"1%\"]`",
        ),
    ]],
    more: none,
    required: &["topology"],
    numbered: None,
};

static LAB: Section = Section {
    doc: "The run as a whole.",
    groups: &[&[
        Key::new("name", Kind::Text, "the lab's name"),
        Key::new("description", Kind::Text, "what it shows"),
        Key::new("seed", Kind::Count(0, i64::MAX), "where all randomness comes from (1)"),
        Key::new("stop", Kind::Span(Duration::from_nanos(1)), "when the run ends (60s)"),
        Key::new("epoch", Kind::Date, "the civil time at which virtual time begins (2026-01-01T00:00:00Z)"),
        Key::new(
            "sample",
            Kind::Time,
            "how often connections and queues are looked at (10ms for what an expectation asks for, else never)",
        ),
        Key::new("tcp", TCP_CHOICE, "TCP of every host that says nothing else"),
    ]],
    more: none,
    required: &[],
    numbered: None,
};

static MEDIUM: Section = Section {
    doc: "What one kind of link is made of, in the words of tc-netem.",
    groups: &[],
    more: medium::keys,
    required: &[],
    numbered: None,
};

static TOPOLOGY: Section = Section {
    doc: "Who is joined to whom.",
    groups: &[&[Key::new(
        "links",
        Kind::Texts(&LINK),
        "one string a link, chain or star: `s2 -- lb, web[1..3] : wan`; `a -> b : …` says something of one direction",
    )]],
    more: none,
    required: &["links"],
    numbered: None,
};

pub(crate) static SWITCH: Section = Section {
    doc: "A learning Ethernet switch.",
    groups: &[&[
        Key::new("ageing", Kind::Time, "how long an address is remembered (300s)"),
        Key::new("table", Kind::Count(1, 16_777_216), "how many addresses are remembered"),
        Key::new("spanning_tree", Kind::Switch, "take part in the spanning tree of IEEE 802.1D (false)"),
        Key::new(
            "stp",
            Kind::Choice(tree_versions),
            "take part in the spanning tree, and how: `stp` as in 802.1D-1998 (what `spanning_tree = true` means), `rstp`, the \
             rapid one of 802.1D-2004",
        ),
        Key::new(
            "edge_ports",
            Kind::Texts(&NEIGHBOUR),
            "neighbours that are end stations: with `rstp` their ports forward at once (others when nobody answers for 3s)",
        ),
        Key::new(
            "priority",
            Kind::Count(0, 65_535),
            "as a bridge of the spanning tree; the lowest is the root (32768)",
        ),
        Key::new(
            "vlans",
            Kind::Named("neighbour", &Kind::Count(1, 4094)),
            "the VLAN of the port to each neighbour; others are in VLAN 1",
        ),
        Key::new(
            "priorities",
            Kind::Named("neighbour", &Kind::Count(0, 7)),
            "the 802.1p priority of what comes untagged from each neighbour (0); trunks carry it, and `queue = \"prio\"` obeys it",
        ),
        Key::new("trunks", Kind::Texts(&NEIGHBOUR), "neighbours to whom all VLANs go, with tags"),
        Key::new(
            "native",
            Kind::Named("neighbour", &Kind::Count(1, 4094)),
            "the VLAN that goes without a tag over the trunk to each neighbour (none does)",
        ),
        Key::new(
            "allowed",
            Kind::Named("neighbour", &Kind::Either(&Kind::Phrase(&VLAN_LIST), &Kind::Values)),
            "the VLANs that go over the trunk to each neighbour (all): `\"10, 20, 30-39\"`, `[10, 20]`",
        ),
        Key::new("mirror", Kind::Table(&MIRROR), "a port that sees what passes others"),
        Key::new("flow_control", Kind::Switch, "pause those who send more than a port can pass on (false)"),
        Key::new("half_duplex", Kind::Texts(&NEIGHBOUR), "neighbours to whom this switch speaks half duplex"),
    ]],
    more: none,
    required: &[],
    numbered: None,
};

pub(crate) static HUB: Section = Section {
    doc: "A repeater: what comes in at one port goes out at all others, and its links are half duplex.",
    groups: &[],
    more: none,
    required: &[],
    numbered: None,
};

static MIRROR: Section = Section {
    doc: "A port that sees what passes others.",
    groups: &[&[
        Key::new("from", Kind::Texts(&NEIGHBOUR), "neighbours whose ports are watched"),
        Key::new("to", Kind::Text, "the neighbour who sees it"),
    ]],
    more: none,
    required: &["from", "to"],
    numbered: None,
};

pub(crate) static ROUTER: Section = Section {
    doc: "A host that forwards.",
    groups: &[STACK],
    more: none,
    required: &[],
    numbered: Some(("eth", Kind::Table(&PORT))),
};

pub(crate) static HOST: Section = Section {
    doc: "A host.",
    groups: &[STACK, HOSTS_OWN, service::KEYS],
    more: none,
    required: &[],
    numbered: Some(("eth", Kind::Table(&PORT))),
};

/// What hosts and routers have in common.
const STACK: &[Key] = &[
    Key::new("address", Kind::Phrase(&ADDRESS), "the IPv4 address with its prefix, where there is one port only"),
    Key::new("mtu", Kind::Phrase(&MTU), "the largest packet that it sends, in bytes (1500)"),
    Key::new("tcp", TCP_CHOICE, "the congestion controller, or a table of TCP options"),
    Key::new(
        "listeners",
        LISTENERS,
        "how its programs and services listen, by port or for `any`: `80 = { backlog = 8 }`",
    ),
    Key::new("duplex", Kind::Choice(duplexes), "`half` where the ports must not send while they receive (full)"),
    Key::new(
        "turnaround",
        Kind::Time,
        "how long it takes from the end of a frame to its answer (0s; 20us where it has a port at a shared line)",
    ),
    Key::new("run", Kind::Texts(&COMMAND), "programs and when they start: `at 1s: ping web1`"),
];

const HOSTS_OWN: &[Key] = &[
    Key::new("gateway", Kind::Text, "the router of its default route, by name or address"),
    Key::new(
        "exec",
        Kind::Text,
        "a real program that takes this host's place when the lab is live: `nginx -g 'daemon off;'`",
    ),
    Key::new("tap", Kind::Text, "a TAP interface that takes this host's place when the lab is live: `tap0`"),
    Key::new("resolver", Kind::Texts(&RESOLVER), "whom it asks for names, by name or address (the lab's DNS hosts)"),
];

static PORT: Section = Section {
    doc: "One port of a host or router.",
    groups: &[&[
        Key::new("address", Kind::Phrase(&ADDRESS), "the IPv4 address with its prefix: `10.0.1.5/24`"),
        Key::new("mtu", Kind::Phrase(&MTU), "the largest packet that it sends, in bytes (1500)"),
    ]],
    more: none,
    required: &[],
    numbered: Some(("", Kind::Table(&VLAN_PORT))),
};

static VLAN_PORT: Section = Section {
    doc: "The interface for one VLAN at a port, named by its number.",
    groups: &[&[Key::new("address", Kind::Phrase(&ADDRESS), "the IPv4 address with its prefix: `10.0.1.5/24`")]],
    more: none,
    required: &[],
    numbered: None,
};

const TCP_CHOICE: Kind = Kind::Either(&Kind::Choice(controllers), &Kind::Table(&TCP));

const LISTENERS: Kind = Kind::Named("port", &Kind::Table(&listeners::LISTENER));

static TCP: Section =
    Section { doc: "Options of TCP.", groups: &[tcp::KEYS], more: none, required: &[], numbered: None };

static FAULTS: Section = Section {
    doc: "What goes wrong, and when.",
    groups: &[&[Key::new("script", Kind::Texts(&FAULT), "one string a fault: `5s..7s: loss 20% on r1--r2`")]],
    more: none,
    required: &[],
    numbered: None,
};

fn tree_versions() -> &'static [&'static str] {
    &["stp", "rstp"]
}

fn duplexes() -> &'static [&'static str] {
    &["full", "half"]
}

/// The congestion controllers of storey 4.
pub(crate) fn controllers() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| septet_transport::tcp::controller_names().collect());
    &NAMES
}

static LINK: Phrase = Phrase { what: "a link", example: "client -- s1 : wan", check: later };
static FAULT: Phrase = Phrase { what: "a fault", example: "5s..7s: loss 20% on r1--r2", check: later };
static EXPECTATION: Phrase = Phrase { what: "an expectation", example: "client.http.ok >= 195", check: later };
static NEIGHBOUR: Phrase = Phrase { what: "a neighbour", example: "web[1..3]", check: later };
static VLAN_LIST: Phrase = Phrase { what: "a list of VLANs", example: "10, 20, 30-39", check: later };
static RESOLVER: Phrase = Phrase { what: "a name server", example: "dns", check: later };
static COMMAND: Phrase =
    Phrase { what: "a command", example: "at 1s: ping web1", check: |_, text| command::parse(text).map(|_| ()) };
static ADDRESS: Phrase = Phrase {
    what: "an address",
    example: "10.0.1.5/24",
    check: |_, text| address::parse(&text.text).map(|_| ()).map_err(|r| whole("address", text, r)),
};
static MTU: Phrase = Phrase {
    what: "a size",
    example: "1500",
    check: |_, text| medium::mtu(Word { text: &text.text, at: 0 }).map(|_| ()),
};

/// A refusal of a whole string.
pub(crate) fn whole(code: &'static str, text: &Text, refusal: Refusal) -> Wrong {
    Wrong::refused(code, 0..text.text.len(), refusal)
}
