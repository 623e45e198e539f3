//! From which address to speak, and to which to speak first (RFC 6724).
//!
//! Of IPv4 there is little to choose; it takes part as IPv4-mapped addresses do, so that destinations of both versions
//! come into one order.

use core::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

/// An address from which this host may speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// The address.
    pub addr: IpAddr,
    /// The number of leading bits that its link shares.
    pub prefix_len: u8,
    /// How long it is good for.
    pub lifetime: Lifetime,
    /// Whether it is to change.
    pub kind: Kind,
}

/// Whether an address is one by which a host is found, or one that it speaks from to be private (RFC 8981).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Kind {
    /// The latter.
    Temporary,
    /// The former.
    #[default]
    Public,
}

impl Source {
    /// An address in use, of which no more is known: its prefix is as long as that of a link of IPv6 mostly is.
    pub const fn new(addr: IpAddr) -> Self {
        Self { addr, prefix_len: 64, lifetime: Lifetime::Preferred, kind: Kind::Public }
    }
}

/// Whether new conversations should begin from an address (RFC 4862 §5.5.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Lifetime {
    /// They should.
    #[default]
    Preferred,
    /// They should not.
    Deprecated,
}

/// The reach of an address (RFC 4291 §2.7); those of unicast compare with those of groups (RFC 6724 §3.1).
type Scope = u8;

const LINK: Scope = 2;
const SITE: Scope = 5;
const GLOBAL: Scope = 14;

/// RFC 6724 §2.1: "If an implementation is not configurable or has not been configured, then it SHOULD operate according to
/// the algorithms specified here in conjunction with the following default policy table": prefix, precedence, label. The
/// longest prefixes stand first.
const POLICY: [(Ipv6Addr, u8, u8, u8); 9] = [
    (Ipv6Addr::LOCALHOST, 128, 50, 0),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 35, 4),
    (Ipv6Addr::UNSPECIFIED, 96, 1, 3),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
    (Ipv6Addr::UNSPECIFIED, 0, 40, 1),
];

/// Precedence and label of an address.
fn policy(addr: IpAddr) -> (u8, u8) {
    let bits = mapped(addr).to_bits();
    let row = POLICY.iter().find(|(prefix, len, ..)| common_bits(prefix.to_bits(), bits) >= u32::from(*len));
    row.map_or((40, 1), |(_, _, precedence, label)| (*precedence, *label))
}

fn scope(addr: IpAddr) -> Scope {
    match addr {
        // §3.2: "IPv4 auto-configuration addresses, which have the prefix 169.254/16, are assigned link-local scope", and so
        // is the loopback; all others "are assigned global scope".
        IpAddr::V4(v4) if v4.is_link_local() || v4.is_loopback() => LINK,
        IpAddr::V4(_) => GLOBAL,
        IpAddr::V6(v6) if v6.is_multicast() => v6.octets()[1] & 0xf,
        // §3.4: "The loopback address MUST be treated as having link-local scope".
        IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_loopback() => LINK,
        IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfec0 => SITE,
        IpAddr::V6(_) => GLOBAL,
    }
}

const fn mapped(addr: IpAddr) -> Ipv6Addr {
    match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

const fn common_bits(a: u128, b: u128) -> u32 {
    (a ^ b).leading_zeros()
}

/// §2.2: the length of the longest prefix that the two have in common, "up to the length of S's prefix".
fn common_prefix_len(source: Source, dst: IpAddr) -> u32 {
    common_bits(mapped(source.addr).to_bits(), mapped(dst).to_bits()).min(source.prefix_len.into())
}

/// A source that may be chosen: it, and how near it is to the way that the datagram takes.
pub type Candidate = (Source, Nearness);

/// How near an address is to the way that a datagram takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Nearness {
    /// It is of the interface by which the datagram leaves, and of a prefix of the next hop.
    NextHop,
    /// It is of that interface.
    Interface,
    /// It is of another one.
    Elsewhere,
}

/// The address of IPv6 to speak to `dst` from; of equals the first.
pub fn choose(dst: IpAddr, candidates: impl IntoIterator<Item = Candidate>) -> Option<Source> {
    let better = |best: Candidate, next: Candidate| {
        if prefer(dst, next, best) == Ordering::Less { next } else { best }
    };
    candidates.into_iter().reduce(better).map(|(source, _)| source)
}

/// The rules of §5 in turn: which of two sources comes first. Rule 4 is mobile hosts'; here there are none.
fn prefer(dst: IpAddr, (a, a_at): Candidate, (b, b_at): Candidate) -> Ordering {
    // "Rule 1: Prefer same address."
    (b.addr == dst)
        .cmp(&(a.addr == dst))
        // "Rule 2: Prefer appropriate scope."
        .then_with(|| appropriate(scope(a.addr), scope(b.addr), scope(dst)))
        // "Rule 3: Avoid deprecated addresses."
        .then_with(|| a.lifetime.cmp(&b.lifetime))
        // "Rule 5: Prefer outgoing interface." and "Rule 5.5: Prefer addresses in a prefix advertised by the next-hop."
        .then_with(|| a_at.cmp(&b_at))
        // "Rule 6: Prefer matching label."
        .then_with(|| {
            let fits = |source: Source| policy(source.addr).1 == policy(dst).1;
            fits(b).cmp(&fits(a))
        })
        // "Rule 7: Prefer temporary addresses."
        .then_with(|| a.kind.cmp(&b.kind))
        // "Rule 8: Use longest matching prefix."
        .then_with(|| common_prefix_len(b, dst).cmp(&common_prefix_len(a, dst)))
}

/// "If Scope(SA) < Scope(SB): If Scope(SA) < Scope(D), then prefer SB and otherwise prefer SA", and the other way round.
fn appropriate(a: Scope, b: Scope, dst: Scope) -> Ordering {
    match a.cmp(&b) {
        Ordering::Less if a < dst => Ordering::Greater,
        Ordering::Less => Ordering::Less,
        Ordering::Greater if b < dst => Ordering::Less,
        Ordering::Greater => Ordering::Greater,
        Ordering::Equal => Ordering::Equal,
    }
}

/// Puts destinations into the order in which to try them (§6), each with the source from which this host would speak to it;
/// `None` where it cannot reach it. Those of which no rule tells keep their order, as that of a name server's answer.
pub fn sort(destinations: &mut [(IpAddr, Option<Source>)]) {
    destinations.sort_by(|&(a, a_from), &(b, b_from)| {
        let (Some(a_from), Some(b_from)) = (a_from, b_from) else {
            // "Rule 1: Avoid unusable destinations."
            return b_from.is_some().cmp(&a_from.is_some());
        };
        let ((a_precedence, a_label), (b_precedence, b_label)) = (policy(a), policy(b));
        let same_scope = |dst, from: Source| scope(dst) == scope(from.addr);
        // "Rule 2: Prefer matching scope."
        same_scope(b, b_from)
            .cmp(&same_scope(a, a_from))
            // "Rule 3: Avoid deprecated addresses."
            .then_with(|| a_from.lifetime.cmp(&b_from.lifetime))
            // Rule 4 is mobile hosts'. "Rule 5: Prefer matching label."
            .then_with(|| (policy(b_from.addr).1 == b_label).cmp(&(policy(a_from.addr).1 == a_label)))
            // "Rule 6: Prefer higher precedence."
            .then_with(|| b_precedence.cmp(&a_precedence))
            // Rule 7 prefers native transport; none here is tunnelled. "Rule 8: Prefer smaller scope."
            .then_with(|| scope(a).cmp(&scope(b)))
            // "Rule 9: Use longest matching prefix." Not of IPv4: there it would undo the turns that name servers take.
            .then_with(|| match (a, b) {
                (IpAddr::V6(_), IpAddr::V6(_)) => common_prefix_len(b_from, b).cmp(&common_prefix_len(a_from, a)),
                _ => Ordering::Equal,
            })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `fe80::2 deprecated`, `10.0.0.1`
    fn source(text: &str) -> Source {
        let (addr, lifetime) = match text.split_once(' ') {
            Some((addr, _)) => (addr, Lifetime::Deprecated),
            None => (text, Lifetime::Preferred),
        };
        Source { lifetime, ..Source::new(addr.parse().unwrap()) }
    }

    /// §10.1, those without mobile hosts and without addresses that change; the first is as good as the last.
    #[test]
    fn sources_of_the_rfc() {
        for (dst, sources, chosen) in [
            ("2001:db8:1::1", ["2001:db8:3::1", "fe80::1"], "2001:db8:3::1"),
            ("ff05::1", ["2001:db8:3::1", "fe80::1"], "2001:db8:3::1"),
            ("2001:db8:1::1", ["2001:db8:1::1 deprecated", "2001:db8:2::1"], "2001:db8:1::1"),
            ("fe80::1", ["fe80::2 deprecated", "2001:db8:1::1"], "fe80::2"),
            ("2001:db8:1::1", ["2001:db8:1::2", "2001:db8:3::2"], "2001:db8:1::2"),
            (
                "2002:c633:6401::1",
                ["2002:c633:6401::d5e3:7953:13eb:22e8", "2001:db8:1::2"],
                "2002:c633:6401::d5e3:7953:13eb:22e8",
            ),
        ] {
            let all = sources.map(|text| (source(text), Nearness::Interface));
            let turned = [all[1], all[0]];
            for all in [all, turned] {
                let found = choose(dst.parse().unwrap(), all).unwrap().addr;
                assert_eq!(found, chosen.parse::<IpAddr>().unwrap(), "to {dst} from {all:?}");
            }
        }
    }

    #[test]
    fn the_outgoing_interface_goes_before_the_longest_prefix_and_after_the_scope() {
        let dst = "2001:db8:1::1".parse().unwrap();
        let near = (source("2001:db8:1::2"), Nearness::Elsewhere);
        let chosen = |own: &str| choose(dst, [near, (source(own), Nearness::Interface)]).unwrap().addr.to_string();
        assert_eq!(chosen("2001:db8:3::2"), "2001:db8:3::2");
        assert_eq!(chosen("fe80::2"), "2001:db8:1::2");
        assert_eq!(choose(dst, []), None);
    }

    /// §10.2, those without mobile hosts. Each source is the one that §5 chooses.
    #[test]
    fn destinations_of_the_rfc() {
        let cases: [(&[&str], [&str; 2], [&str; 2]); 8] = [
            (
                &["2001:db8:1::2", "fe80::1", "169.254.13.78"],
                ["2001:db8:1::1", "198.51.100.121"],
                ["2001:db8:1::1", "198.51.100.121"],
            ),
            (&["fe80::1", "198.51.100.117"], ["2001:db8:1::1", "198.51.100.121"], ["198.51.100.121", "2001:db8:1::1"]),
            (&["2001:db8:1::2", "fe80::1", "10.1.2.4"], ["2001:db8:1::1", "10.1.2.3"], ["2001:db8:1::1", "10.1.2.3"]),
            (&["2001:db8:1::2", "fe80::2"], ["2001:db8:1::1", "fe80::1"], ["fe80::1", "2001:db8:1::1"]),
            (&["2001:db8:1::2", "fe80::2 deprecated"], ["2001:db8:1::1", "fe80::1"], ["2001:db8:1::1", "fe80::1"]),
            (
                &["2001:db8:1::2", "2001:db8:3f44::2", "fe80::2"],
                ["2001:db8:1::1", "2001:db8:3ffe::1"],
                ["2001:db8:1::1", "2001:db8:3ffe::1"],
            ),
            (
                &["2002:c633:6401::2", "fe80::2"],
                ["2002:c633:6401::1", "2001:db8:1::1"],
                ["2002:c633:6401::1", "2001:db8:1::1"],
            ),
            (
                &["2002:c633:6401::2", "2001:db8:1::2", "fe80::2"],
                ["2002:c633:6401::1", "2001:db8:1::1"],
                ["2001:db8:1::1", "2002:c633:6401::1"],
            ),
        ];
        for (sources, destinations, wanted) in cases {
            let from = |dst: IpAddr| {
                let of_version = sources.iter().map(|text| source(text)).filter(|s| s.addr.is_ipv4() == dst.is_ipv4());
                choose(dst, of_version.map(|source| (source, Nearness::Interface)))
            };
            let [first, second] = destinations.map(|text| text.parse::<IpAddr>().unwrap());
            for order in [[first, second], [second, first]] {
                let mut order = order.map(|dst| (dst, from(dst)));
                sort(&mut order);
                assert_eq!(order.map(|(dst, _)| dst.to_string()), wanted, "from {sources:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_reached_comes_last_and_equals_stay_as_they_were() {
        let to = |dst: &str, from: Option<&str>| (dst.parse().unwrap(), from.map(source));
        let mut all = [
            to("2001:db8:9::1", None),
            to("10.0.2.1", Some("10.0.1.1")),
            to("10.0.1.9", Some("10.0.1.1")),
            to("fd00::7", Some("fd00::1")),
            to("2001:db8::7", Some("2001:db8::1")),
        ];
        sort(&mut all);
        let order = all.map(|(dst, _)| dst.to_string());
        assert_eq!(order, ["2001:db8::7", "10.0.2.1", "10.0.1.9", "fd00::7", "2001:db8:9::1"]);
    }
}
