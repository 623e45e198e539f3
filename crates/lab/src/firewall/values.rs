//! What stands behind a field of a packet in a rule: ports, addresses, states and so on, by nft's names.

use core::ops::RangeInclusive;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use septet_language::nearest::suggest;
use septet_language::words::{Word, Wrong};
use septet_network::Prefix;
use septet_network::conntrack::State;
use septet_network::firewall::rule::Face;

use crate::model::layout::Layout;
use crate::model::link_text;
use crate::model::node::NodeKind;

/// Names and the numbers that they stand for.
pub(super) type Names = &'static [(&'static str, u16)];

/// Protocols over IP (IANA's `protocol-numbers`).
pub(super) const PROTOCOLS: Names = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("sctp", 132),
    ("udplite", 136),
];

/// Services (IANA's `service-names-port-numbers`), those that people write by name.
const SERVICES: Names = &[
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap2", 143),
    ("snmp", 161),
    ("bgp", 179),
    ("https", 443),
    ("submission", 587),
    ("imaps", 993),
    ("pop3s", 995),
    ("openvpn", 1194),
    ("mdns", 5353),
    ("http-alt", 8080),
];

/// ICMP's types.
pub(super) const ICMP: Names = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];

/// ICMPv6's types.
pub(super) const ICMPV6: Names = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("mld-listener-reduction", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("router-renumbering", 138),
    ("mld2-listener-report", 143),
];

/// ICMP's codes of "destination unreachable".
pub(super) const ICMP_CODES: Names = &[
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("frag-needed", 4),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
];

/// ICMPv6's.
pub(super) const ICMPV6_CODES: Names = &[
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];

/// TCP's control bits.
pub(super) const FLAGS: Names =
    &[("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32), ("ecn", 64), ("cwr", 128)];

/// Classes of differentiated services (RFC 2474, RFC 2597, RFC 3246).
pub(super) const DSCP: Names = &[
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("be", 0),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("ef", 46),
];

/// States of connections.
pub(super) const STATES: &[(&str, State)] = &[
    ("invalid", State::Invalid),
    ("established", State::Established),
    ("related", State::Related),
    ("new", State::New),
    ("untracked", State::Untracked),
];

/// A number up to `most`, by one of these names or in digits; `0x` begins a hexadecimal one.
pub(super) fn number(word: Word<'_>, what: &str, names: Names, most: u16) -> Result<u16, Wrong> {
    if let Some((_, number)) = names.iter().find(|(name, _)| *name == word.text) {
        return Ok(*number);
    }
    let digits = match word.text.strip_prefix("0x") {
        Some(hexadecimal) => u16::from_str_radix(hexadecimal, 16).ok(),
        None => word.text.parse().ok(),
    };
    digits.filter(|number| *number <= most).ok_or_else(|| {
        let is_number = word.text.bytes().all(|b| b.is_ascii_digit());
        let wrong =
            Wrong::new("firewall", word.range(), format!("`{}` is no {what}", word.text)).label("not understood");
        match is_number {
            true => wrong.help(format!("from 0 to {most}")),
            false => wrong.help(suggest(word.text, what, names.iter().map(|(name, _)| *name))),
        }
    })
}

/// One number or a range of them: `80`, `http`, `1024-65535`.
pub(super) fn range(word: Word<'_>, what: &str, names: Names, most: u16) -> Result<RangeInclusive<u16>, Wrong> {
    // A name may have a dash of its own.
    let is_name = names.iter().any(|(name, _)| *name == word.text);
    let Some((first, last)) = word.split_once("-").filter(|_| !is_name) else {
        let one = number(word, what, names, most)?;
        return Ok(one..=one);
    };
    let (first, last) = (number(first, what, names, most)?, number(last, what, names, most)?);
    if first > last {
        return Err(Wrong::new("firewall", word.range(), format!("`{}` ends before it begins", word.text))
            .label("backwards")
            .help(format!("write `{last}-{first}`")));
    }
    Ok(first..=last)
}

/// Ports.
pub(super) fn ports(word: Word<'_>) -> Result<RangeInclusive<u16>, Wrong> {
    range(word, "port", SERVICES, u16::MAX)
}

/// A port, by name too, or another number up to `most`.
pub(super) fn bound(word: Word<'_>, is_port: bool, most: u16) -> Result<u16, Wrong> {
    number(word, if is_port { "port" } else { "number" }, if is_port { SERVICES } else { &[] }, most)
}

/// One of these words.
pub(super) fn choice<V: Copy>(word: Word<'_>, what: &str, of: &[(&'static str, V)]) -> Result<V, Wrong> {
    of.iter().find(|(name, _)| *name == word.text).map(|(_, value)| *value).ok_or_else(|| {
        Wrong::new("firewall", word.range(), format!("`{}` is no {what}", word.text))
            .label("not understood")
            .help(suggest(word.text, what, of.iter().map(|(name, _)| *name).collect::<Vec<_>>()))
    })
}

/// Which family of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    const fn of(addr: IpAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// Addresses: `10.0.1.0/24`, `10.0.1.5-10.0.1.9`, or the names of nodes.
pub(super) fn addresses(word: Word<'_>, family: Family, lab: Layout<'_>) -> Result<Vec<Prefix>, Wrong> {
    let right = |addr: IpAddr| {
        if Family::of(addr) == family {
            return Ok(addr);
        }
        let key = if family == Family::V4 { "ip6" } else { "ip" };
        Err(Wrong::new("firewall", word.range(), format!("{addr} is no address of {}", family.as_str()))
            .label("of the other family")
            .help(format!("it stands behind `{key}`")))
    };
    if let Some((first, last)) = word.split_once("-")
        && let (Ok(first), Ok(last)) = (first.text.parse::<IpAddr>(), last.text.parse::<IpAddr>())
    {
        let (first, last) = (right(first)?, right(last)?);
        return between(first, last).ok_or_else(|| {
            Wrong::new("firewall", word.range(), format!("`{}` ends before it begins", word.text)).label("backwards")
        });
    }
    let (text, len) = word.text.split_once('/').map_or((word.text, None), |(text, len)| (text, Some(len)));
    if let Ok(addr) = text.parse::<IpAddr>() {
        let addr = right(addr)?;
        let prefix = match len {
            None => Some(Prefix::host(addr)),
            Some(len) => len.parse().ok().and_then(|len| Prefix::new(addr, len).ok()),
        };
        return prefix.map(|prefix| vec![prefix]).ok_or_else(|| {
            Wrong::new("firewall", word.range(), format!("`{}` is no network", word.text))
                .help("a network is its first address and a length: `10.0.1.0/24`".to_owned())
        });
    }
    let mut found = Vec::new();
    for node in lab.topology.nodes(word)? {
        let own: Vec<_> = addresses_of(lab, node, family).map(Prefix::host).collect();
        if own.is_empty() {
            let reason =
                format!("`{}` has no address of {} that the file could know", lab.topology.name(node), family.as_str());
            return Err(Wrong::new("firewall", word.range(), reason));
        }
        found.extend(own);
    }
    Ok(found)
}

/// The addresses of a node.
pub(super) fn addresses_of(lab: Layout<'_>, node: usize, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
    lab.nodes[node].addresses().map(|cidr| cidr.addr()).filter(move |addr| Family::of(*addr) == family)
}

/// The networks that make up all from one address to another; `None` where the second is lower.
fn between(first: IpAddr, last: IpAddr) -> Option<Vec<Prefix>> {
    let (mut at, last, width) = match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return None,
    };
    if at > last {
        return None;
    }
    let mut found = Vec::new();
    loop {
        // The largest block that begins here and does not reach beyond the last.
        let mut bits = at.trailing_zeros().min(width);
        while bits > 0 && (bits == 128 || last - at < (1u128 << bits) - 1) {
            bits -= 1;
        }
        let addr = if width == 32 { Ipv4Addr::from_bits(at as u32).into() } else { Ipv6Addr::from_bits(at).into() };
        found.push(Prefix::new(addr, (width - bits) as u8).ok()?);
        let next = at.checked_add(1u128 << bits);
        match next {
            Some(next) if next <= last => at = next,
            _ => return Some(found),
        }
    }
}

/// Interfaces of a node: `eth1`, `eth1.10`, `"eth*"`, `lo`, and by where they lead: `r1--r2`, `r2`.
pub(super) fn faces(word: Word<'_>, lab: Layout<'_>, node: usize) -> Result<Vec<Face>, Wrong> {
    let own = &lab.nodes[node];
    if word.text == "lo" {
        return Ok(vec![Face::Loopback]);
    }
    if word.text.contains("--") || word.text.contains("->") {
        let links = lab.topology.links(word)?;
        let ends =
            links.iter().map(|link| lab.links[link.link].ends).filter(|ends| ends.iter().any(|end| end.node == node));
        let mut found = Vec::new();
        for end in ends.flatten() {
            match own.kind() {
                NodeKind::L3Switch => found.extend(own.interfaces_to(end.node).into_iter().map(Face::Number)),
                _ if end.node == node => found.push(Face::Number(end.port)),
                _ => {}
            }
        }
        if found.is_empty() {
            let reason = format!("`{}` is no link of `{}`", word.text, own.name);
            return Err(Wrong::new("firewall", word.range(), reason).label("of others").help(known(lab, node)));
        }
        return Ok(found);
    }
    let all = interfaces(lab, node);
    if let Some(start) = word.text.strip_suffix('*') {
        let found: Vec<_> = all.iter().filter(|(name, _)| name.starts_with(start)).map(|(_, face)| *face).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if let Some((_, face)) = all.iter().find(|(name, _)| *name == word.text) {
        return Ok(vec![*face]);
    }
    if link_text::port(word).is_ok() || word.text.starts_with("eth") && word.text.contains('.') {
        return Err(Wrong::new("port", word.range(), format!("`{}` has no port {}", own.name, word.text))
            .label("no such port")
            .help(known(lab, node)));
    }
    let beyond = lab.topology.nodes(word).map_err(|wrong| wrong.help(known(lab, node)))?;
    let mut found = Vec::new();
    for neighbour in beyond {
        let before = found.len();
        found.extend(own.interfaces_to(neighbour).into_iter().map(Face::Number));
        if found.len() == before {
            let reason = format!("no link leads from `{}` to `{}`", own.name, lab.topology.name(neighbour));
            return Err(Wrong::new("firewall", word.range(), reason).label("not a neighbour").help(known(lab, node)));
        }
    }
    Ok(found)
}

/// The interfaces of a node by their names, those of VLANs behind the ports.
pub(super) fn interfaces(lab: Layout<'_>, node: usize) -> Vec<(String, Face)> {
    lab.nodes[node].interface_names().zip(0..).map(|(name, number)| (name, Face::Number(number))).collect()
}

/// What interfaces there are, for who named another.
fn known(lab: Layout<'_>, node: usize) -> String {
    let own = &lab.nodes[node];
    if own.kind() == NodeKind::L3Switch {
        let list: Vec<_> = own.interface_names().skip(1).take(8).collect();
        return format!("interfaces of {}: {}", own.name, list.join(", "));
    }
    let ports = own.ports.iter().enumerate();
    let list: Vec<_> = ports
        .filter_map(|(number, port)| {
            let link = &lab.links[port.link?];
            let other = link.ends.iter().find(|end| end.node != node)?;
            Some(format!("eth{number} (to {})", lab.topology.name(other.node)))
        })
        .take(8)
        .collect();
    format!("interfaces of {}: {}", lab.topology.name(node), list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range_of(first: &str, last: &str) -> Option<Vec<String>> {
        let found = between(first.parse().unwrap(), last.parse().unwrap())?;
        Some(found.iter().map(|prefix| format!("{}/{}", prefix.addr(), prefix.prefix_len())).collect())
    }

    #[test]
    fn ranges_are_made_up_of_networks() {
        assert_eq!(range_of("10.0.0.0", "10.0.0.255").unwrap(), ["10.0.0.0/24"]);
        assert_eq!(range_of("10.0.0.5", "10.0.0.9").unwrap(), ["10.0.0.5/32", "10.0.0.6/31", "10.0.0.8/31"]);
        assert_eq!(range_of("0.0.0.0", "255.255.255.255").unwrap(), ["0.0.0.0/0"]);
        assert_eq!(range_of("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").unwrap(), ["::/1", "8000::/1"]);
        assert_eq!(range_of("fd00::1", "fd00::1").unwrap(), ["fd00::1/128"]);
        assert_eq!(range_of("10.0.0.9", "10.0.0.5"), None);
    }
}
