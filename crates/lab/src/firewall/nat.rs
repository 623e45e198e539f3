//! Address translation as a lab file writes it: `nat = "masquerade on r1--isp"`, or a table with port forwards.

use core::ops::RangeInclusive;
use core::time::Duration;

use septet_language::document::Text;
use septet_language::mistake::Mistakes;
use septet_language::schema::{AtLeast, Choice, Either, Key, OneOf, Phrase, Section, Table, TableOf, Texts};
use septet_language::words::{Word, Words, Wrong};
use septet_network::firewall::rule::Face;
use septet_network::nat::{self, Behaviour, Forward};

use crate::firewall::values::{self, Family};
use crate::model::firewall::NatSpec;
use crate::model::layout::Layout;

/// The key `nat`: interfaces outside, or a table.
pub(crate) static NAT: Key<OneOf<Texts<Text>, TableOf>> = Key::new(
    "nat",
    OneOf(OUTSIDE, TableOf(&TABLE)),
    "address translation: the interfaces outside, `masquerade on r1--isp`, or a table",
);

const OUTSIDE: Texts<Text> = Texts(Phrase::later("an interface", "masquerade on r1--isp"));

static TABLE: Section = Section::new(
    "Address translation (RFC 4787).",
    &[&[&MASQUERADE, &FORWARD, &MAPPING, &FILTERING, &TIMEOUT, &PORTS]],
);
static MASQUERADE: Key<Texts<Text>> =
    Key::new("masquerade", OUTSIDE, "the interfaces outside: what leaves by them gets their address");
static FORWARD: Key<Texts<Text>> = Key::new(
    "forward",
    Texts(Phrase::later("a port forward", "tcp 8080 -> web:80")),
    "ports outside that stand for a host inside: `tcp 8080 -> web:80`",
);
static MAPPING: Key<Choice<Behaviour>> =
    Key::new("mapping", BEHAVIOURS, "what the port outside depends on (endpoint-independent)");
static FILTERING: Key<Choice<Behaviour>> = Key::new(
    "filtering",
    BEHAVIOURS,
    "from whom a port outside takes packets (address-and-port-dependent: from whom packets were sent to)",
);
static TIMEOUT: Key<AtLeast> = Key::new(
    "timeout",
    AtLeast(Duration::from_secs(1)),
    "how long a port outside is kept that no connection uses (120s)",
);
static PORTS: Key<Phrase<RangeInclusive<u16>>> = Key::new(
    "ports",
    Phrase { what: "a range of ports", example: "20000-29999", read: |_, text| ports(text) },
    "the ports outside that may be given (1-1023 for those below 1024, 1024-65535 for others)",
);

const BEHAVIOURS: Choice<Behaviour> = Choice(|| {
    vec![
        ("endpoint-independent", Behaviour::EndpointIndependent),
        ("address-dependent", Behaviour::AddressDependent),
        ("address-and-port-dependent", Behaviour::AddressAndPortDependent),
    ]
});

/// What the table of a router says of its address translation.
pub(crate) fn read(table: &Table) -> Option<NatSpec> {
    Some(match table.get(&NAT)? {
        Either::This(masquerade) => NatSpec { masquerade, ..NatSpec::default() },
        Either::That(table) => NatSpec {
            masquerade: table.get(&MASQUERADE).unwrap_or_default(),
            forward: table.get(&FORWARD).unwrap_or_default(),
            mapping: table.get(&MAPPING),
            filtering: table.get(&FILTERING),
            timeout: table.get(&TIMEOUT),
            ports: table.get(&PORTS),
        },
    })
}

fn ports(text: &Text) -> Result<RangeInclusive<u16>, Wrong> {
    let word = Word { text: &text.text, at: 0 }.trim();
    let ports = match word.split_once("..") {
        Some((first, last)) => values::ports(first)?.start().to_owned()..=values::ports(last)?.end().to_owned(),
        None => values::ports(word)?,
    };
    if ports.is_empty() || *ports.start() == 0 {
        return Err(Wrong::new("port", word.range(), format!("`{}` is no range of ports", word.text))
            .help("the first and the last: `20000-29999`".to_owned()));
    }
    Ok(ports)
}

/// What is meant, on this node.
pub(crate) fn fit(spec: &NatSpec, lab: Layout<'_>, node: usize, mistakes: &mut Mistakes) -> Option<nat::Config> {
    let default = nat::Config::default();
    let mut config = nat::Config {
        mapping: spec.mapping.unwrap_or(default.mapping),
        filtering: spec.filtering.unwrap_or(default.filtering),
        timeout: spec.timeout.unwrap_or(default.timeout),
        ports: spec.ports.clone(),
        ..default
    };
    for text in &spec.masquerade {
        match outside(text, lab, node) {
            Ok(found) => config.outside.extend(found),
            Err(wrong) => mistakes.push(wrong.mistake(text)),
        }
    }
    for text in &spec.forward {
        match forward(text, lab, &config.forwards) {
            Ok(found) => config.forwards.extend(found),
            Err(wrong) => mistakes.push(wrong.mistake(text)),
        }
    }
    Some(config)
}

/// `masquerade on r1--isp`, `on eth1`, `eth1`, `isp`
fn outside(text: &Text, lab: Layout<'_>, node: usize) -> Result<Vec<u16>, Wrong> {
    let words = &mut Words::of(text);
    let _ = words.take("masquerade");
    let _ = words.take("on");
    let example = "`masquerade on r1--isp`";
    let mut found = Vec::new();
    for word in words.expect("an interface", example)?.split(",") {
        for face in values::faces(word, lab, node)? {
            match face {
                Face::Number(number) => found.push(number),
                Face::Loopback => {
                    return Err(Wrong::new("nat", word.range(), "nothing leaves by `lo`").label("not outside"));
                }
            }
        }
    }
    match words.next() {
        Some(word) => Err(Wrong::new("unknown-word", word.range(), format!("`{}` is left over", word.text))
            .label("not understood here")
            .help(format!("for example {example}"))),
        None => Ok(found),
    }
}

/// `tcp 8080 -> web:80`, `tcp,udp 53 -> dns`, `udp 6000-6010 -> 10.0.1.5:7000`
fn forward(text: &Text, lab: Layout<'_>, others: &[Forward]) -> Result<Vec<Forward>, Wrong> {
    let example = "`tcp 8080 -> web:80`";
    let words = &mut Words::of(text);
    let protocols = words.expect("a protocol", example)?;
    let known = [("tcp", 6), ("udp", 17)];
    let protocols: Result<Vec<u8>, Wrong> =
        protocols.split(",").map(|word| values::choice(word, "protocol that has ports", &known)).collect();
    let from = words.expect("a port", example)?;
    let outside = values::ports(from)?;
    if !words.take("->") {
        let at = words.rest();
        return Err(Wrong::new("nat", at.range(), "`->` is missing, and where it leads")
            .label("expected here")
            .help(format!("for example {example}")));
    }
    let to = words.expect("a host", example)?;
    if let Some(word) = words.next() {
        return Err(Wrong::new("unknown-word", word.range(), format!("`{}` is left over", word.text))
            .label("not understood here")
            .help(format!("for example {example}")));
    }
    let (host, port) = match to.text.rsplit_once(':') {
        Some((host, port)) => {
            let port = Word { text: port, at: to.at + host.len() + 1 };
            (Word { text: host, at: to.at }, *values::ports(port)?.start())
        }
        None => (to, *outside.start()),
    };
    let address = values::addresses(host, Family::V4, lab)?[0].addr();
    if u32::from(port) + u32::from(outside.end() - outside.start()) > u32::from(u16::MAX) {
        return Err(Wrong::new("nat", to.range(), "there are not so many ports behind this one"));
    }
    let taken = |protocol: u8| {
        let same = |other: &&Forward| other.protocol == protocol;
        others.iter().filter(same).any(|o| o.ports.start() <= outside.end() && outside.start() <= o.ports.end())
    };
    let protocols = protocols?;
    if protocols.iter().any(|protocol| taken(*protocol)) {
        return Err(Wrong::new("nat", from.range(), "this port is forwarded already").label("again"));
    }
    let one = |protocol| Forward { protocol, ports: outside.clone(), to: address, port };
    Ok(protocols.into_iter().map(one).collect())
}
