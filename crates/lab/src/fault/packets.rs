//! The words that say which packets a filter means: `tcp dport 53,853 not src client first 3`.

use core::ops::RangeInclusive;
use std::net::IpAddr;

use septet_language::nearest::suggest;
use septet_language::units;
use septet_language::words::{Word, Words, Wrong};
use septet_network::Prefix;
use septet_network::filter::{Clause, Condition, End, Framing, Headers, Kind, Match, Message, Sense};
use septet_network::icmp::kind as icmp;
use septet_network::icmpv6::kind as icmpv6;
use septet_transport::tcp::wire::Flags;

use crate::fault::places::Way;
use crate::model::layout::Layout;

/// Which packets are meant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Packets {
    pub(super) what: Match,
    pub(super) count: Count,
}

/// Which of the packets that fit are meant, counted from one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Count {
    #[default]
    All,
    /// This one.
    Nth(u64),
    /// Each whose number this divides.
    Every(u64),
    /// As many as this.
    First(u64),
}

impl Count {
    /// Whether the packet with this number is meant.
    pub(super) fn means(self, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::Nth(n) => number == n,
            Self::Every(n) => number.is_multiple_of(n),
            Self::First(n) => number <= n,
        }
    }
}

/// Packets that were chosen by words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacketChoice(Match);

impl PacketChoice {
    /// Whether the frame, from its Ethernet header on, is one of them.
    pub fn fits(&self, frame: &[u8]) -> bool {
        self.0.clauses.is_empty() || self.0.fits(&Headers::read(frame, Framing::Ethernet))
    }
}

/// The packets that are meant by words alone, without a place or a count.
pub(crate) fn choice(text: &str, lab: Layout<'_>) -> Result<PacketChoice, Wrong> {
    let mut reader = Reader { lab, packets: Packets::default(), ends: &[], way: None };
    reader.read(&mut Words::new(Word { text, at: 0 }))?;
    let Packets { what, count } = reader.packets;
    if count != Count::All || reader.way.is_some() {
        return Err(Wrong::new("filter", 0..text.len(), "packets are chosen here by what they are alone"));
    }
    Ok(PacketChoice(what))
}

/// What packets are, by name.
const KINDS: &[(&str, Kind)] = &[
    ("tcp", Kind::TCP),
    ("udp", Kind::UDP),
    ("icmp", Kind::Icmp),
    ("igmp", Kind::Protocol(septet_network::ipv4::protocol::IGMP)),
    ("arp", Kind::ARP),
    ("ip", Kind::Ip),
    ("ipv4", Kind::IPV4),
    ("ipv6", Kind::IPV6),
];

/// What carries the others.
const VERSIONS: [Kind; 3] = [Kind::Ip, Kind::IPV4, Kind::IPV6];

/// TCP's control bits, by name.
const FLAGS: &[(&str, Flags)] = &[
    ("syn", Flags::SYN),
    ("ack", Flags::ACK),
    ("fin", Flags::FIN),
    ("rst", Flags::RST),
    ("psh", Flags::PSH),
    ("urg", Flags::URG),
];

/// Messages of ICMP and ICMPv6 by the names of iptables and ip6tables.
const MESSAGES: &[(&str, Message)] = &[
    ("echo-request", both((icmp::ECHO, None), (icmpv6::ECHO, None))),
    ("echo-reply", both((icmp::ECHO_REPLY, None), (icmpv6::ECHO_REPLY, None))),
    ("destination-unreachable", both((icmp::UNREACHABLE, None), (icmpv6::UNREACHABLE, None))),
    ("host-unreachable", both((icmp::UNREACHABLE, Some(1)), (icmpv6::UNREACHABLE, Some(3)))),
    ("port-unreachable", both((icmp::UNREACHABLE, Some(3)), (icmpv6::UNREACHABLE, Some(4)))),
    ("fragmentation-needed", both((icmp::UNREACHABLE, Some(4)), (icmpv6::TOO_BIG, None))),
    ("packet-too-big", both((icmp::UNREACHABLE, Some(4)), (icmpv6::TOO_BIG, None))),
    ("time-exceeded", both((icmp::TIME_EXCEEDED, None), (icmpv6::TIME_EXCEEDED, None))),
    ("redirect", both((icmp::REDIRECT, None), (REDIRECT_V6, None))),
    ("router-solicitation", both((ROUTER_SOLICITATION_V4, None), (ROUTER_SOLICITATION, None))),
    ("router-advertisement", both((ROUTER_ADVERTISEMENT_V4, None), (ROUTER_ADVERTISEMENT, None))),
    ("neighbour-solicitation", of_v6(NEIGHBOUR_SOLICITATION)),
    ("neighbour-advertisement", of_v6(NEIGHBOUR_ADVERTISEMENT)),
];

/// RFC 1256.
const ROUTER_ADVERTISEMENT_V4: u8 = 9;
const ROUTER_SOLICITATION_V4: u8 = 10;
/// RFC 4861 §4.
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT_V6: u8 = 137;

const fn both(v4: (u8, Option<u8>), v6: (u8, Option<u8>)) -> Message {
    Message { v4: Some(v4), v6: Some(v6) }
}

const fn of_v6(kind: u8) -> Message {
    Message { v4: None, v6: Some((kind, None)) }
}

/// The other words.
const WORDS: &[&str] =
    &["port", "sport", "dport", "src", "dst", "host", "size", "proto", "nth", "every", "first", "not", "in", "out"];

/// All words that speak of packets.
fn names() -> impl Iterator<Item = &'static str> + Clone {
    let kinds = KINDS.iter().map(|(name, _)| *name);
    let flags = FLAGS.iter().map(|(name, _)| *name);
    let messages = MESSAGES.iter().map(|(name, ..)| *name);
    kinds.chain(WORDS.iter().copied()).chain(flags).chain(messages)
}

/// Whether this is one of them.
pub(super) fn is_word(word: &str) -> bool {
    names().any(|name| name == word)
}

/// Whether any of the words speaks of packets, so that a fault is a filter.
pub(super) fn spoken_of(words: Words<'_>) -> bool {
    let mut behind = false;
    words.into_iter().any(|word| {
        // A link or a node may be called like one of them.
        let place = core::mem::replace(&mut behind, word.text == "on" || word.text.ends_with(','));
        !place && word.text.split(',').all(is_word)
    })
}

/// Reads the words about packets up to one that ends them.
pub(super) struct Reader<'a, 't> {
    pub(super) lab: Layout<'a>,
    pub(super) packets: Packets,
    /// Words that say something else and end those about packets.
    pub(super) ends: &'static [&'static str],
    /// Which way packets go at a port, where it is said.
    pub(super) way: Option<(Way, Word<'t>)>,
}

impl<'t> Reader<'_, 't> {
    pub(super) fn read(&mut self, words: &mut Words<'t>) -> Result<(), Wrong> {
        let mut negated: Option<Word<'_>> = None;
        while let Some(word) = words.peek().filter(|word| !self.ends.contains(&word.text)) {
            words.next();
            if word.text == "not" && negated.is_none() {
                negated = Some(word);
                continue;
            }
            let sense = if negated.take().is_some() { Sense::IsNot } else { Sense::Is };
            match word.text {
                "in" | "out" => self.direction(word)?,
                "nth" | "every" | "first" => self.counting(word, words)?,
                _ => {
                    let condition = self.condition(word, words)?;
                    self.add(Clause { condition, sense }, word)?;
                }
            }
        }
        match negated {
            Some(not) => Err(Wrong::new("filter", not.range(), "not what?").label("a condition is missing behind it")),
            None => Ok(()),
        }
    }

    fn direction(&mut self, word: Word<'t>) -> Result<(), Wrong> {
        let way = if word.text == "in" { Way::In } else { Way::Out };
        match self.way.replace((way, word)) {
            None => Ok(()),
            Some(_) => Err(Wrong::new("filter", word.range(), "the way is said twice")
                .help("without a word it is what arrives and what the node itself sends".to_owned())),
        }
    }

    fn counting(&mut self, word: Word<'t>, words: &mut Words<'t>) -> Result<(), Wrong> {
        let number = words.expect("a number", &format!("`{} 3`", word.text))?;
        let Some(n) = number.text.parse().ok().filter(|n: &u64| *n > 0) else {
            let reason = format!("`{}` is not a number of packets", number.text);
            return Err(Wrong::new("filter", number.range(), reason).help("packets are counted from 1".to_owned()));
        };
        let count = match word.text {
            "nth" => Count::Nth(n),
            "every" => Count::Every(n),
            _ => Count::First(n),
        };
        match core::mem::replace(&mut self.packets.count, count) {
            Count::All => Ok(()),
            _ => Err(Wrong::new("filter", word.range(), "packets are counted twice").label("again")),
        }
    }

    fn condition(&mut self, word: Word<'t>, words: &mut Words<'t>) -> Result<Condition, Wrong> {
        let parts = || word.split(",").map(|part| part.text);
        let kind = |name: &str| KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        if let Some(kinds) = parts().map(kind).collect::<Option<Vec<_>>>() {
            return Ok(Condition::Kind(kinds));
        }
        let flag = |name: &str| FLAGS.iter().find(|(known, _)| *known == name).map(|(_, flag)| *flag);
        if let Some(flags) = parts().map(flag).collect::<Option<Vec<_>>>() {
            return Ok(Condition::Flags(flags.into_iter().fold(Flags::NONE, |all, flag| all | flag).bits()));
        }
        let message = |name: &str| MESSAGES.iter().find(|(known, _)| *known == name).map(|(_, message)| *message);
        if let Some(messages) = parts().map(message).collect::<Option<Vec<_>>>() {
            return Ok(Condition::Message(messages));
        }
        match word.text {
            "sport" => ports(End::Source, words),
            "dport" => ports(End::Destination, words),
            "port" => ports(End::Either, words),
            // As tcpdump has it.
            "src" if words.take("port") => ports(End::Source, words),
            "dst" if words.take("port") => ports(End::Destination, words),
            "src" => self.addresses(End::Source, words),
            "dst" => self.addresses(End::Destination, words),
            "host" => self.addresses(End::Either, words),
            "size" => size(words),
            "proto" => {
                let number = words.expect("the number of a protocol", "`proto 47`")?;
                let wrong =
                    || Wrong::new("filter", number.range(), format!("`{}` is no protocol's number", number.text));
                Ok(Condition::Kind(vec![Kind::Protocol(number.text.parse().map_err(|_| wrong())?)]))
            }
            other => Err(Wrong::new("unknown-word", word.range(), format!("`{other}` says nothing of a packet"))
                .label("unknown word")
                .help(suggest(other, "words", names().chain(self.ends.iter().copied())))),
        }
    }

    /// Names of nodes, addresses and networks, parted by commas.
    fn addresses(&self, end: End, words: &mut Words<'t>) -> Result<Condition, Wrong> {
        let list = words.expect("a node or an address", "`src client` or `dst 10.0.1.0/24`")?;
        let mut networks = Vec::new();
        for word in list.split(",") {
            let (text, len) = word.text.split_once('/').map_or((word.text, None), |(text, len)| (text, Some(len)));
            if let Ok(address) = text.parse::<IpAddr>() {
                let prefix = match len {
                    None => Some(Prefix::host(address)),
                    Some(len) => len.parse().ok().and_then(|len| Prefix::new(address, len).ok()),
                };
                networks.push(prefix.ok_or_else(|| {
                    Wrong::new("filter", word.range(), format!("`{}` is no network", word.text))
                        .help("a network is its first address and a length: `10.0.1.0/24`".to_owned())
                })?);
                continue;
            }
            for node in self.lab.topology.nodes(word)? {
                let before = networks.len();
                let addresses = self.lab.nodes[node].known_addresses();
                networks.extend(addresses.map(|cidr| Prefix::host(cidr.addr())));
                if networks.len() == before {
                    let reason = format!("`{}` has no address", self.lab.topology.name(node));
                    return Err(Wrong::new("filter", word.range(), reason));
                }
            }
        }
        Ok(Condition::Address(end, networks))
    }

    /// What no packet can be at once is a mistake.
    fn add(&mut self, clause: Clause, word: Word<'_>) -> Result<(), Wrong> {
        let clauses = &mut self.packets.what.clauses;
        let asked = |c: &Clause| match (&c.condition, c.sense) {
            (Condition::Kind(kinds), Sense::Is) => Some(kinds.clone()),
            _ => None,
        };
        let kinds = clauses.iter().chain([&clause]).filter_map(asked);
        // A version of IP, and what it carries.
        let (carriers, kinds): (Vec<_>, Vec<_>) =
            kinds.partition(|kinds| kinds.iter().all(|kind| VERSIONS.contains(kind)));
        if kinds.len() > 1 || carriers.len() > 1 || !carriers.is_empty() && kinds.concat().contains(&Kind::ARP) {
            return Err(Wrong::new("filter", word.range(), "a packet is not two things at once")
                .help("either of two is written with a comma: `tcp,udp`".to_owned()));
        }
        clauses.push(clause);
        let Some(kinds) = kinds.first() else { return Ok(()) };
        for Clause { condition, .. } in clauses.iter() {
            let (what, of): (&str, &[Kind]) = match condition {
                Condition::Flags(_) => ("control bits are", &[Kind::TCP]),
                Condition::Message(_) => ("such messages are", &[Kind::Icmp]),
                Condition::Port(..) => ("ports are", &[Kind::TCP, Kind::UDP]),
                _ => continue,
            };
            if kinds.iter().any(|kind| !of.contains(kind)) {
                let names = KINDS.iter().filter(|(_, kind)| of.contains(kind)).map(|(name, _)| *name);
                let owners = names.collect::<Vec<_>>().join(" and ");
                return Err(
                    Wrong::new("filter", word.range(), format!("{what} {owners}'s")).label("no packet has both")
                );
            }
        }
        Ok(())
    }
}

/// `53`, `80,443`, `1024-65535`
fn ports(end: End, words: &mut Words<'_>) -> Result<Condition, Wrong> {
    let list = words.expect("a port", "`dport 53`")?;
    let mut ranges = Vec::new();
    for word in list.split(",") {
        let wrong = || {
            Wrong::new("filter", word.range(), format!("`{}` is no port", word.text))
                .label("not understood")
                .help("ports are numbers: `53`, several `80,443`, a range `1024-65535`".to_owned())
        };
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| wrong());
        let range: RangeInclusive<u16> = match word.text.split_once('-').or_else(|| word.text.split_once("..")) {
            Some((from, to)) => port(from)?..=port(to)?,
            None => port(word.text)?..=port(word.text)?,
        };
        if range.is_empty() {
            return Err(wrong());
        }
        ranges.push(range);
    }
    Ok(Condition::Port(end, ranges))
}

/// `1500`, `1400..`, `..100`, `576..1500`; in bytes.
fn size(words: &mut Words<'_>) -> Result<Condition, Wrong> {
    let word = words.expect("a size", "`size 1400..`")?;
    let bytes = |text: &str, otherwise: usize| match text {
        "" => Ok(otherwise),
        text => units::size(text).map(|bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX)).map_err(|refusal| {
            Wrong::refused("unit", word.range(), refusal)
                .label("not understood")
                .help("`1500` bytes, `1400..` or more, `..100` or less, `576..1500`".to_owned())
        }),
    };
    let range = match word.text.split_once("..") {
        Some((from, to)) => bytes(from, 0)?..=bytes(to, usize::MAX)?,
        None => {
            let one = bytes(word.text, 0)?;
            one..=one
        }
    };
    if range.is_empty() {
        return Err(Wrong::new("filter", word.range(), "no packet has such a size").label("backwards"));
    }
    Ok(Condition::Len(range))
}
