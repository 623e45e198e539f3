//! Addresses: those that the file gives, and those that come by themselves.
//!
//! Everything that switches join is one segment with one prefix of each version of IP that is spoken there, and of switches
//! with VLANs each VLAN is. Segments are numbered in the order of their first link: `10.0.1.0/24` and `2001:db8:0:1::/64`,
//! `10.0.2.0/24` and `2001:db8:0:2::/64` and so on. Routers come first (1, 2), hosts from 10 on where there is a router and
//! from 1 on where there is none, each in the order of the file. A link between two routers is a `/30`, and a segment with
//! more nodes than a `/24` holds gets a shorter prefix. A node that is added at the end of the file gets the next address
//! and changes no other.
//!
//! In IPv6 the decimal numbers of the IPv4 address are written as they are: `10.0.1.12` is `2001:db8:0:1::12`. The prefix is
//! the one for documentation (RFC 3849) and not a unique local one: the policy table of RFC 6724 would prefer IPv4 to that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::units::Refusal;
use septet_network::{Cidr, Prefix};

use crate::model::topology::PortRef;
use crate::model::versions::{Version, Versions};

/// What the file says of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Given {
    /// It is this one.
    Fixed(Cidr),
    /// Of IPv6 the host makes itself one, in the prefix that a router tells (RFC 4862).
    Slaac,
    /// Of IPv4 the host asks for one (RFC 2131).
    Dhcp,
}

/// The word for an address that the host makes itself.
const SLAAC: &str = "slaac";

/// The word for an address that the host asks for.
const DHCP: &str = "dhcp";

/// Reads `10.0.1.5/24`, `2001:db8:0:1::5/64`, `slaac` or `dhcp`.
pub(crate) fn given(text: &str) -> Result<Given, Refusal> {
    match text.trim() {
        SLAAC => Ok(Given::Slaac),
        DHCP => Ok(Given::Dhcp),
        address => parse(address).map(Given::Fixed),
    }
}

/// Reads `10.0.1.5/24` or `2001:db8:0:1::5/64`.
fn parse(text: &str) -> Result<Cidr, Refusal> {
    let (address, len) = text.split_once('/').ok_or_else(|| {
        let refusal = Refusal::new(format!("`{text}` has no prefix"));
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => refusal.help(format!("write `{text}/24`")),
            Ok(IpAddr::V6(_)) => refusal.help(format!("write `{text}/64`")),
            Err(_) => refusal.help(
                "write an address and the length of its prefix, `10.0.1.5/24` or `2001:db8:0:1::5/64`, `slaac` or `dhcp`",
            ),
        }
    })?;
    let address: IpAddr = address.parse().map_err(|_| Refusal::new(format!("`{address}` is not an IP address")))?;
    let longest = width(address);
    let prefix = len.parse().ok().filter(|len| *len > 0).and_then(|len: u8| Cidr::new(address, len).ok());
    let cidr = prefix.ok_or_else(|| {
        Refusal::new(format!("`{len}` is not the length of a prefix")).help(format!("from 1 to {longest}"))
    })?;
    let is_odd = match address {
        IpAddr::V4(v4) => v4.is_broadcast(),
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some(),
    };
    if address.is_multicast() || address.is_loopback() || address.is_unspecified() || is_odd {
        return Err(Refusal::new(format!("{address} cannot be the address of a port")));
    }
    if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
        return Err(Refusal::new(format!("{address} is link-local")).help("every port makes itself one of those"));
    }
    if !is_for_hosts(cidr) {
        return Err(Refusal::new(format!("{address} names the network {} itself", cidr.prefix()))
            .help("take an address between the first and the last of the network"));
    }
    Ok(cidr)
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whether hosts can have this address: RFC 1122 §3.2.1.3 keeps the first and the last of an IPv4 network for itself, RFC
/// 3021 does not on links of two; RFC 4291 §2.6.1 makes the first of an IPv6 network that of its routers, RFC 6164 not on
/// links of two.
fn is_for_hosts(cidr: Cidr) -> bool {
    let net = cidr.prefix();
    let is_last = net.broadcast().is_some_and(|last| cidr.addr() == last);
    is_tight(net) || cidr.addr() != net.addr() && !is_last
}

/// Whether all of a network's addresses are for hosts: it has two, or one.
fn is_tight(net: Prefix) -> bool {
    net.prefix_len() >= width(net.addr()) - 1
}

fn overlap(a: Prefix, b: Prefix) -> bool {
    a.contains(b.addr()) || b.contains(a.addr())
}

/// The address of a network's host of this number, counted from one; `None` where the network has no such.
fn host(net: Prefix, number: u32) -> Option<IpAddr> {
    let number = if is_tight(net) { number - 1 } else { number };
    let address: IpAddr = match net.addr() {
        IpAddr::V4(base) => Ipv4Addr::from_bits(base.to_bits().checked_add(number)?).into(),
        IpAddr::V6(base) => Ipv6Addr::from_bits(base.to_bits().checked_add(digits(number))?).into(),
    };
    (net.contains(address) && is_for_hosts(Cidr::new(address, net.prefix_len()).ok()?)).then_some(address)
}

/// A number whose hexadecimal digits are the decimal digits of `number`.
fn digits(number: u32) -> u128 {
    let (mut rest, mut shift, mut written) = (u128::from(number), 0, 0);
    while rest > 0 {
        written |= (rest % 10) << shift;
        (rest, shift) = (rest / 10, shift + 4);
    }
    written
}

/// An interface: a port, or one VLAN at it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Spot {
    pub(crate) place: PortRef,
    pub(crate) vlan: Option<u16>,
}

/// An interface that wants addresses.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) spot: Spot,
    pub(crate) router: bool,
    /// The versions of IP of which it has an address also where the file gives none.
    pub(crate) versions: Versions,
    /// What the file says of its addresses, and where.
    pub(crate) given: Vec<(Given, Span)>,
}

impl Seat {
    fn fixed(&self, version: Version) -> impl Iterator<Item = (Cidr, &Span)> {
        self.given.iter().filter_map(move |(given, span)| match given {
            Given::Fixed(cidr) if Version::of(cidr.addr()) == version => Some((*cidr, span)),
            Given::Fixed(_) | Given::Slaac | Given::Dhcp => None,
        })
    }

    /// Whether it gets itself an address of this version while it runs.
    fn makes(&self, version: Version) -> bool {
        let how = match version {
            Version::V4 => Given::Dhcp,
            Version::V6 => Given::Slaac,
        };
        self.given.iter().any(|(given, _)| *given == how)
    }

    /// Whether an address of this version is to come by itself.
    fn wants(&self, version: Version) -> bool {
        self.versions.has(version) && !self.makes(version) && self.fixed(version).next().is_none()
    }
}

/// All that is joined by switches or by one cable; of switches with VLANs, what is in one VLAN.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) seats: Vec<Seat>,
}

/// The networks of a segment, one of each version at most.
type Nets = [Option<Prefix>; 2];

/// Gives every seat its addresses; mistakes in those that the file gives are reported. Addresses that hosts make themselves
/// are not among them.
pub(crate) fn assign(
    segments: &[Segment],
    names: &dyn Fn(Spot) -> String,
    mistakes: &mut Mistakes,
) -> BTreeMap<Spot, Vec<Cidr>> {
    let mut taken: BTreeMap<IpAddr, Taken> = BTreeMap::new();
    let mut shared = Shared::default();
    let mut nets: Vec<(Prefix, Span)> = Vec::new();
    let mut given: Vec<Nets> = Vec::new();
    for (number, segment) in segments.iter().enumerate() {
        let others = nets.len();
        let of_segment = Version::ALL.map(|version| {
            let own = given_nets((number, segment), version, names, &mut taken, &mut shared, mistakes);
            let first = own.first().map(|(net, _)| *net);
            for (net, span) in own {
                if shared.nets.contains(&net) {
                    at_both(segments, &given, (number, net), names, &span, mistakes);
                }
                let apart =
                    |other: Prefix| net == other && (net == Prefix::host(net.addr()) || shared.nets.contains(&net));
                let near = |other: Prefix| overlap(net, other) && !apart(other);
                if let Some((other, first)) = nets[..others].iter().find(|(other, _)| near(*other)) {
                    let reason = format!("{net} overlaps {other}, which is another segment");
                    mistakes.push(
                        Mistake::new("subnet", span.clone(), reason, "this network")
                            .also(first.clone(), "is used here already"),
                    );
                }
                nets.push((net, span));
            }
            first
        });
        given.push(of_segment);
    }
    let used: Vec<Prefix> = nets.into_iter().map(|(net, _)| net).collect();
    let mut counter = Counter { next: 1, used: &used };
    let mut found = BTreeMap::new();
    for (segment, given) in segments.iter().zip(given) {
        let wanted = |version| segment.seats.iter().any(|seat| seat.wants(version) || seat.makes(version));
        let missing = |version: Version| given[version as usize].is_none() && wanted(version);
        let mut nets = given;
        if Version::ALL.into_iter().any(missing) {
            let Some(block) = counter.block(segment) else {
                let spot = segment.seats.first().map(|s| s.spot);
                let reason = format!("no addresses are left in 10.0.0.0/8 for {}", spot.map(names).unwrap_or_default());
                mistakes.push(Mistake::new("address", 0..0, reason, "too many segments"));
                continue;
            };
            for version in Version::ALL.into_iter().filter(|version| missing(*version)) {
                nets[version as usize] = Some(block.net(version));
            }
        }
        fill(segment, nets, &mut taken, &mut found, names, mistakes);
    }
    found
}

/// Who has an address first: which interface, where the file says so, and on which segment.
type Taken = (Spot, Span, usize);

/// What the file gives at several places on purpose.
#[derive(Default)]
struct Shared {
    /// Addresses of no network.
    addresses: BTreeSet<IpAddr>,
    /// Networks of several segments on which somebody has the same address.
    nets: BTreeSet<Prefix>,
}

/// Reports nodes that are on two segments of one network: they could not tell by which of the two it is reached.
fn at_both(
    segments: &[Segment],
    given: &[Nets],
    (number, net): (usize, Prefix),
    names: &dyn Fn(Spot) -> String,
    span: &Span,
    mistakes: &mut Mistakes,
) {
    let nodes = |number: usize| segments[number].seats.iter().map(|seat| seat.spot);
    let before = (0..number).filter(|before| given[*before].contains(&Some(net)));
    let both =
        before.flat_map(nodes).find_map(|a| nodes(number).find(|b| b.place.node == a.place.node).map(|b| (a, b)));
    if let Some((a, b)) = both {
        let reason = format!("{net} would be the network of {} and of {}", names(a), names(b));
        mistakes.push(
            Mistake::new("subnet", span.clone(), reason, "the same network on two links").help(
                "an address at several places is on links that have no node in common, or a further address of no \
                 network: `address = [\"10.0.3.10/24\", \"192.0.2.53/32\"]`"
                    .to_owned(),
            ),
        );
    }
}

/// The networks of the addresses of one version that the file gives on a segment. The first of each seat's addresses
/// agree on one, which comes first; with further addresses there may be further networks.
fn given_nets(
    (number, segment): (usize, &Segment),
    version: Version,
    names: &dyn Fn(Spot) -> String,
    taken: &mut BTreeMap<IpAddr, Taken>,
    shared: &mut Shared,
    mistakes: &mut Mistakes,
) -> Vec<(Prefix, Span)> {
    let mut nets: Vec<(Prefix, Span)> = Vec::new();
    let mut more: Vec<(Prefix, Span)> = Vec::new();
    for seat in &segment.seats {
        for (nth, (cidr, span)) in seat.fixed(version).enumerate() {
            // An address of no network, beside the first, may be at several places: only routes lead to it (RFC 4786's anycast).
            let anycast = nth > 0 && cidr.prefix() == Prefix::host(cidr.addr());
            if let Some((_, first, place)) = taken.get(&cidr.addr())
                && nth == 0
                && *place != number
                && first != span
                && !anycast
            {
                // The same address on another link: each sender reaches the nearest.
                shared.nets.insert(cidr.prefix());
            } else if let Some((other, first, place)) = taken.get(&cidr.addr())
                && !(anycast && shared.addresses.contains(&cidr.addr()))
            {
                let reason =
                    format!("{} and {} both have the address {}", names(*other), names(seat.spot), cidr.addr());
                let mut mistake = Mistake::new("duplicate-address", span.clone(), reason, "the same address");
                if first != span {
                    mistake = mistake.also(first.clone(), "first here");
                    if *place == number {
                        mistake = mistake.help(format!(
                            "give each one of its own, and let the other come and go: `at 5s: ip address add {cidr} dev eth0`"
                        ));
                    }
                } else {
                    mistake = mistake.help("a range of hosts cannot share one address".to_owned());
                }
                mistakes.push(mistake);
                continue;
            }
            taken.insert(cidr.addr(), (seat.spot, span.clone(), number));
            if anycast {
                shared.addresses.insert(cidr.addr());
            }
            let own = cidr.prefix();
            match nets.first() {
                _ if nth > 0 => more.push((own, span.clone())),
                None => nets.push((own, span.clone())),
                Some((first, at)) if *first != own => {
                    let reason = format!("{cidr} lies outside of {first}, the network of this segment");
                    mistakes.push(
                        Mistake::new("subnet", span.clone(), reason, "outside of the subnet")
                            .also(at.clone(), "the network comes from here"),
                    );
                }
                Some(_) => {}
            }
        }
    }
    for (net, span) in more {
        if nets.iter().all(|(known, _)| *known != net) {
            nets.push((net, span));
        }
    }
    nets
}

/// Hands out networks from 10.0.0.0/8 in steps of a /24, and of IPv6 those of the same numbers.
struct Counter<'a> {
    next: u32,
    used: &'a [Prefix],
}

/// A place for the networks of a segment.
#[derive(Clone, Copy)]
struct Block {
    /// The second and third octet of the IPv4 network.
    start: u32,
    /// The length of the IPv4 network's prefix.
    prefix: u8,
}

impl Block {
    fn net(self, version: Version) -> Prefix {
        let Self { start, prefix } = self;
        let net = match version {
            Version::V4 => Prefix::new(Ipv4Addr::from_bits((10 << 24) | (start << 8)).into(), prefix),
            Version::V6 => {
                let [.., high, low] = start.to_be_bytes().map(|octet| digits(octet.into()) as u16);
                Prefix::new(Ipv6Addr::new(0x2001, 0xdb8, high, low, 0, 0, 0, 0).into(), 64)
            }
        };
        net.expect("the lengths are of their versions")
    }
}

impl Counter<'_> {
    fn block(&mut self, segment: &Segment) -> Option<Block> {
        let routers = segment.seats.iter().filter(|s| s.router).count();
        let hosts = segment.seats.len() - routers;
        // What the numbering below takes, and the last address of the network.
        let needed = u32::try_from(first_host(routers) as usize + hosts + 1).ok()?;
        let prefix = match needed {
            _ if hosts == 0 && routers == 2 => 30,
            ..=256 => 24,
            _ => 32 - u8::try_from(needed.next_power_of_two().trailing_zeros()).ok()?,
        };
        let blocks = 1 << 24u8.saturating_sub(prefix);
        loop {
            // Aligned, so that the network is one prefix.
            let start = self.next.next_multiple_of(blocks);
            if start + blocks > 1 << 16 {
                return None;
            }
            let block = Block { start, prefix };
            self.next = start + blocks;
            let is_free = |version| !self.used.iter().any(|used| overlap(*used, block.net(version)));
            if Version::ALL.into_iter().all(is_free) {
                return Some(block);
            }
        }
    }
}

/// The number of the first host beside so many routers.
fn first_host(routers: usize) -> u32 {
    match routers {
        0 => 1,
        1..=8 => 10,
        n => (n as u32 + 2).next_multiple_of(10),
    }
}

/// Numbers the seats of a segment that have not all their addresses yet.
fn fill(
    segment: &Segment,
    nets: Nets,
    taken: &mut BTreeMap<IpAddr, Taken>,
    found: &mut BTreeMap<Spot, Vec<Cidr>>,
    names: &dyn Fn(Spot) -> String,
    mistakes: &mut Mistakes,
) {
    let of = |version: Version, number: u32| nets[version as usize].and_then(|net| host(net, number));
    // Whose IPv4 address the file gives has the same number in IPv6.
    let mut numbered: BTreeMap<Spot, u32> = BTreeMap::new();
    for seat in segment.seats.iter().filter(|seat| seat.wants(Version::V6)) {
        let Some((IpAddr::V4(own), IpAddr::V4(net))) =
            seat.fixed(Version::V4).next().map(|(cidr, _)| (cidr.addr(), cidr.prefix().addr()))
        else {
            continue;
        };
        let number = own.to_bits() - net.to_bits();
        if let Some(address) = of(Version::V6, number).filter(|_| number > 0)
            && !taken.contains_key(&address)
        {
            taken.insert(address, (seat.spot, 0..0, usize::MAX));
            numbered.insert(seat.spot, number);
        }
    }
    let routers = segment.seats.iter().filter(|s| s.router).count();
    let hosts = (segment.seats.len() - routers) as u32;
    // A network that the file gives may be too small for the gap between routers and hosts.
    let most = first_host(routers) - 1 + hosts;
    let roomy = nets.iter().flatten().all(|net| host(*net, most.max(1)).is_some());
    let mut next = [1, if roomy { first_host(routers) } else { 1 }];
    for seat in &segment.seats {
        let mut own = Vec::new();
        let wanted: Vec<Version> = Version::ALL.into_iter().filter(|version| seat.wants(*version)).collect();
        let mut number = numbered.get(&seat.spot).copied();
        if number.is_none() && !wanted.is_empty() {
            let next = &mut next[usize::from(!seat.router && roomy)];
            let is_taken = |n| wanted.iter().any(|v| of(*v, n).is_some_and(|address| taken.contains_key(&address)));
            while is_taken(*next) {
                *next += 1;
            }
            number = Some(*next);
            *next += 1;
        }
        for version in Version::ALL {
            own.extend(seat.fixed(version).map(|(cidr, _)| cidr));
            let (Some(net), true) = (nets[version as usize], wanted.contains(&version)) else { continue };
            let Some(address) = number.and_then(|number| of(version, number)) else {
                let span = segment.seats.iter().find_map(|s| s.fixed(version).next()).map(|(_, span)| span.clone());
                let reason = format!("{net} has no address left for {}", names(seat.spot));
                mistakes.push(Mistake::new("subnet", span.unwrap_or(0..0), reason, "the network is full"));
                return;
            };
            own.extend(Cidr::new(address, net.prefix_len()));
        }
        found.insert(seat.spot, own);
    }
}

/// The link address of a port: locally administered (IEEE 802 §8.4), made from the numbers of node and port.
pub(crate) fn mac(place: PortRef) -> [u8; 6] {
    let [_, a, b, c] = (place.node as u32 + 1).to_be_bytes();
    let [d, e] = place.port.to_be_bytes();
    [0x02, a, b, c, d, e]
}

/// The identifier of an interface that is made of its link address (RFC 4291, appendix A: modified EUI-64).
pub(crate) fn link_identifier([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([a ^ 0x02, b, c, 0xff, 0xfe, d, e, f])
}

/// The link-local address that an interface makes itself.
pub(crate) fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(link_identifier(mac)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(node: usize, router: bool) -> Seat {
        let spot = Spot { place: PortRef { node, port: 0 }, vlan: None };
        Seat { spot, router, versions: Versions::V4, given: Vec::new() }
    }

    fn dual(node: usize, router: bool) -> Seat {
        Seat { versions: Versions::Dual, ..seat(node, router) }
    }

    fn v6(node: usize, router: bool) -> Seat {
        Seat { versions: Versions::V6, ..seat(node, router) }
    }

    fn given(seat: Seat, addresses: &[&str]) -> Seat {
        let at = seat.spot.place.node;
        let given = addresses.iter().map(|text| (super::given(text).unwrap(), at..at + 1)).collect();
        Seat { given, ..seat }
    }

    fn addresses(segments: &[Vec<Seat>]) -> Result<Vec<String>, Vec<&'static str>> {
        let mut mistakes = Mistakes::new("t", "");
        let segments: Vec<_> = segments.iter().map(|seats| Segment { seats: seats.clone() }).collect();
        let found = assign(&segments, &|s| s.place.node.to_string(), &mut mistakes);
        if mistakes.is_empty() {
            let all = |of: &Vec<Cidr>| of.iter().map(Cidr::to_string).collect::<Vec<_>>().join(" ");
            Ok(found.values().map(all).collect())
        } else {
            Err(mistakes.iter().map(Mistake::kind).collect())
        }
    }

    #[test]
    fn readable_by_default() {
        let found = addresses(&[
            vec![seat(0, false), seat(1, false)],
            vec![seat(2, true), seat(3, false), seat(4, false)],
            vec![seat(5, true), seat(6, true)],
        ]);
        let wanted =
            ["10.0.1.1/24", "10.0.1.2/24", "10.0.2.1/24", "10.0.2.10/24", "10.0.2.11/24", "10.0.3.1/30", "10.0.3.2/30"];
        assert_eq!(found.unwrap(), wanted);
    }

    #[test]
    fn the_addresses_of_both_versions_have_the_same_numbers() {
        let many = (10..1021).map(|n| v6(n, false)).collect();
        let found = addresses(&[
            vec![dual(0, true), dual(1, false), v6(2, false), seat(3, false)],
            vec![v6(4, true), v6(5, true)],
            vec![dual(6, true), dual(7, true)],
            many,
        ]);
        let found = found.unwrap();
        let wanted = [
            "10.0.1.1/24 2001:db8:0:1::1/64",
            "10.0.1.10/24 2001:db8:0:1::10/64",
            "2001:db8:0:1::11/64",
            "10.0.1.12/24",
            "2001:db8:0:2::1/64",
            "2001:db8:0:2::2/64",
            "10.0.3.1/30 2001:db8:0:3::1/64",
            "10.0.3.2/30 2001:db8:0:3::2/64",
            "2001:db8:0:4::1/64",
        ];
        assert_eq!(found[..9], wanted);
        assert_eq!(found.last().unwrap(), "2001:db8:0:4::1011/64");
        let far = Block { start: 0x01_ff, prefix: 24 };
        assert_eq!(far.net(Version::V6).to_string(), "2001:db8:1:255::/64", "of 10.1.255.0/24");
    }

    #[test]
    fn a_node_more_at_the_end_changes_no_other() {
        let before = addresses(&[vec![seat(0, true), seat(1, false)], vec![seat(2, true), seat(3, true)]]).unwrap();
        let after =
            addresses(&[vec![seat(0, true), seat(1, false), seat(4, false)], vec![seat(2, true), seat(3, true)]])
                .unwrap();
        assert_eq!(before, after[..4]);
        assert_eq!(after[4], "10.0.1.11/24");
    }

    #[test]
    fn large_segments_get_short_prefixes() {
        let many = (0..1000).map(|n| dual(n, false)).collect();
        let found = addresses(&[vec![seat(2000, false)], many, vec![seat(2001, false)]]).unwrap();
        let wanted = ("10.0.4.1/22 2001:db8:0:4::1/64", "10.0.7.232/22 2001:db8:0:4::1000/64");
        assert_eq!((&found[0][..], &found[999][..]), wanted);
        assert_eq!(found[1000..], ["10.0.1.1/24", "10.0.8.1/24"]);
    }

    #[test]
    fn given_addresses_win() {
        let one = |n, text| given(seat(n, false), &[text]);
        let found = addresses(&[vec![seat(0, false), one(1, "10.0.2.1/24"), seat(2, false)], vec![seat(3, false)]]);
        assert_eq!(found.unwrap(), ["10.0.2.2/24", "10.0.2.1/24", "10.0.2.3/24", "10.0.1.1/24"]);
        let small = addresses(&[vec![one(0, "10.9.0.0/31"), dual(1, true)]]);
        assert_eq!(small.unwrap(), ["10.9.0.0/31", "10.9.0.1/31 2001:db8:0:1::2/64"]);
        let found = addresses(&[
            vec![given(dual(0, false), &["192.168.7.77/24"]), dual(1, false), one(2, "2001:db8:9::2/64")],
            vec![given(v6(3, false), &["fd00::1/127"]), v6(4, false)],
        ]);
        let wanted = [
            "192.168.7.77/24 2001:db8:9::77/64",
            "192.168.7.1/24 2001:db8:9::1/64",
            "192.168.7.2/24 2001:db8:9::2/64",
            "fd00::1/127",
            "fd00::/127",
        ];
        assert_eq!(found.unwrap(), wanted);
    }

    #[test]
    fn several_addresses_and_those_that_a_host_makes_itself() {
        let found = addresses(&[vec![
            given(dual(0, true), &["2001:db8:7::1/64", "fd00:7::1/64", "10.7.0.1/24"]),
            given(dual(1, false), &["slaac"]),
            given(seat(2, false), &["fd00:7::9/64"]),
        ]]);
        assert_eq!(found, Err(vec!["subnet"]), "the first address of each is of one network");
        let found = addresses(&[
            vec![
                given(dual(0, true), &["2001:db8:7::1/64", "fd00:7::1/64", "10.7.0.1/24"]),
                given(dual(1, false), &["slaac"]),
                given(v6(2, false), &["slaac"]),
            ],
            vec![given(dual(3, true), &["2001:db8:8::1/64", "fd00:7::2/96"])],
        ]);
        assert_eq!(found, Err(vec!["subnet"]), "a further network is another segment's");
        let found = addresses(&[vec![
            given(dual(0, true), &["2001:db8:7::1/64", "fd00:7::1/64", "10.7.0.1/24"]),
            given(dual(1, false), &["slaac"]),
            given(v6(2, false), &["slaac"]),
        ]]);
        assert_eq!(found.unwrap(), ["10.7.0.1/24 2001:db8:7::1/64 fd00:7::1/64", "10.7.0.10/24", ""]);
    }

    #[test]
    fn identifiers_are_made_of_link_addresses() {
        assert_eq!(link_local([0x02, 0, 0, 1, 0, 0]).to_string(), "fe80::ff:fe01:0");
    }

    #[test]
    fn what_cannot_be_given() {
        let one = |n, text| given(seat(n, false), &[text]);
        assert_eq!(addresses(&[vec![one(0, "10.0.0.1/24"), one(1, "10.0.0.1/24")]]), Err(vec!["duplicate-address"]));
        assert_eq!(addresses(&[vec![one(0, "fd00::1/64"), one(1, "fd00::1/64")]]), Err(vec!["duplicate-address"]));
        assert_eq!(addresses(&[vec![one(0, "10.0.0.1/24"), one(1, "10.1.0.1/24")]]), Err(vec!["subnet"]));
        assert_eq!(addresses(&[vec![one(0, "fd00::1/64"), one(1, "fd01::1/64")]]), Err(vec!["subnet"]));
        assert_eq!(addresses(&[vec![one(0, "10.0.0.1/24")], vec![one(1, "10.0.0.9/16")]]), Err(vec!["subnet"]));
        assert_eq!(addresses(&[vec![one(0, "fd00::1/64")], vec![one(1, "fd00::9/48")]]), Err(vec!["subnet"]));
        assert_eq!(
            addresses(&[vec![one(0, "10.0.0.1/30"), seat(1, true), seat(2, false), seat(3, false)]]),
            Err(vec!["subnet"])
        );
        for text in [
            "10.0.0.0/24",
            "10.0.0.255/24",
            "10.0.0.1",
            "10.0.0.1/33",
            "224.0.0.1/4",
            "127.0.0.1/8",
            "::1/64",
            "::/0",
            "fd00::/64",
            "fd00::1",
            "fd00::1/129",
            "fe80::1/64",
            "ff02::1/64",
            "::ffff:10.0.0.1/96",
            "slaac/64",
        ] {
            assert!(super::given(text).is_err(), "{text}");
        }
    }
}
