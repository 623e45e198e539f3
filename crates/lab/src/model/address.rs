//! Addresses: those that the file gives, and those that come by themselves.
//!
//! Everything that switches join is one segment with one prefix, and of switches with VLANs each VLAN is. Segments are numbered in the order of their first
//! link: `10.0.1.0/24`, `10.0.2.0/24` and so on. Routers come first (`.1`, `.2`), hosts from `.10` on where there is a
//! router and from `.1` on where there is none, each in the order of the file. A link between two routers is a `/30`,
//! and a segment with more nodes than a `/24` holds gets a shorter prefix. A node that is added at the end of the file
//! gets the next address and changes no other.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::units::Refusal;
use septet_network::Cidr;

use crate::model::topology::PortRef;

/// An IPv4 address with the length of its prefix, to be counted with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Cidr4 {
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix: u8,
}

impl Cidr4 {
    /// The address with its host bits zero.
    fn network(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & self.mask())
    }

    /// The last address of the network.
    fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.mask())
    }

    /// Whether `address` lies in the network.
    fn holds(self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.network().to_bits()
    }

    fn mask(self) -> u32 {
        if self.prefix == 0 { 0 } else { u32::MAX << (32 - self.prefix) }
    }

    /// Whether hosts can have this address: RFC 1122 §3.2.1.3 keeps the first and the last of a network for itself,
    /// RFC 3021 does not on links of two.
    fn is_for_hosts(self) -> bool {
        self.prefix >= 31 || (self.address != self.network() && self.address != self.broadcast())
    }
}

impl From<Cidr4> for Cidr {
    fn from(v4: Cidr4) -> Self {
        Self::new(v4.address.into(), v4.prefix).expect("prefixes are read as 32 at most")
    }
}

impl core::fmt::Display for Cidr4 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Reads `10.0.1.5/24`.
pub(crate) fn parse(text: &str) -> Result<Cidr4, Refusal> {
    let (address, prefix) = text.trim().split_once('/').ok_or_else(|| {
        let refusal = Refusal::new(format!("`{text}` has no prefix"));
        if text.trim().parse::<Ipv4Addr>().is_ok() {
            refusal.help(format!("write `{}/24`", text.trim()))
        } else {
            refusal.help("write an IPv4 address and the length of its prefix: `10.0.1.5/24`")
        }
    })?;
    let address: Ipv4Addr = address.parse().map_err(|_| Refusal::new(format!("`{address}` is not an IPv4 address")))?;
    let prefix: u8 = prefix
        .parse()
        .ok()
        .filter(|p| (1..=32).contains(p))
        .ok_or_else(|| Refusal::new(format!("`{prefix}` is not the length of a prefix")).help("from 1 to 32"))?;
    let cidr = Cidr4 { address, prefix };
    if address.is_multicast() || address.is_loopback() || address.is_unspecified() || address.is_broadcast() {
        return Err(Refusal::new(format!("{address} cannot be the address of a port")));
    }
    if !cidr.is_for_hosts() {
        return Err(Refusal::new(format!("{address} names the network {}/{prefix} itself", cidr.network()))
            .help("take an address between the first and the last of the network"));
    }
    Ok(cidr)
}

/// An interface: a port, or one VLAN at it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Spot {
    pub(crate) place: PortRef,
    pub(crate) vlan: Option<u16>,
}

/// An interface that wants an address.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) spot: Spot,
    pub(crate) router: bool,
    /// The address that the file gives, and where.
    pub(crate) given: Option<(Cidr4, Span)>,
}

/// All that is joined by switches or by one cable; of switches with VLANs, what is in one VLAN.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) seats: Vec<Seat>,
}

/// Gives every seat its address; mistakes in those that the file gives are reported.
pub(crate) fn assign(
    segments: &[Segment],
    names: &dyn Fn(Spot) -> String,
    mistakes: &mut Mistakes,
) -> BTreeMap<Spot, Cidr4> {
    let mut taken: BTreeMap<Ipv4Addr, (Spot, Span)> = BTreeMap::new();
    let mut nets: Vec<(Cidr4, Span)> = Vec::new();
    let mut given: Vec<Option<Cidr4>> = Vec::new();
    for segment in segments {
        let net = given_net(segment, names, &mut taken, mistakes);
        if let Some((net, span)) = &net {
            if let Some((other, first)) =
                nets.iter().find(|(other, _)| other.holds(net.network()) || net.holds(other.network()))
            {
                let reason = format!("{net} overlaps {other}, which is another segment");
                mistakes.push(
                    Mistake::new("subnet", span.clone(), reason, "this network")
                        .also(first.clone(), "is used here already"),
                );
            }
            nets.push((*net, span.clone()));
        }
        given.push(net.map(|(net, _)| net));
    }
    let used: Vec<Cidr4> = nets.into_iter().map(|(net, _)| net).collect();
    let mut counter = Counter { next: 1, used: &used };
    let mut found = BTreeMap::new();
    for (segment, given) in segments.iter().zip(given) {
        let Some(net) = given.or_else(|| counter.net(segment)) else {
            let spot = segment.seats.first().map(|s| s.spot);
            let reason = format!("no addresses are left in 10.0.0.0/8 for {}", spot.map(names).unwrap_or_default());
            mistakes.push(Mistake::new("address", 0..0, reason, "too many segments"));
            continue;
        };
        fill(segment, net, &taken, &mut found, names, mistakes);
    }
    found
}

/// The network that the given addresses of a segment agree on.
fn given_net(
    segment: &Segment,
    names: &dyn Fn(Spot) -> String,
    taken: &mut BTreeMap<Ipv4Addr, (Spot, Span)>,
    mistakes: &mut Mistakes,
) -> Option<(Cidr4, Span)> {
    let mut net: Option<(Cidr4, Span)> = None;
    for seat in &segment.seats {
        let Some((cidr, span)) = &seat.given else { continue };
        if let Some((other, first)) = taken.get(&cidr.address) {
            let reason = format!("{} and {} both have the address {}", names(*other), names(seat.spot), cidr.address);
            let mut mistake = Mistake::new("duplicate-address", span.clone(), reason, "the same address");
            if first != span {
                mistake = mistake.also(first.clone(), "first here");
            } else {
                mistake = mistake.help("a range of hosts cannot share one address".to_owned());
            }
            mistakes.push(mistake);
            continue;
        }
        taken.insert(cidr.address, (seat.spot, span.clone()));
        let own = Cidr4 { address: cidr.network(), prefix: cidr.prefix };
        match &net {
            None => net = Some((own, span.clone())),
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
    net
}

/// Hands out networks from 10.0.0.0/8 in steps of a /24.
struct Counter<'a> {
    next: u32,
    used: &'a [Cidr4],
}

impl Counter<'_> {
    fn net(&mut self, segment: &Segment) -> Option<Cidr4> {
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
            let net = Cidr4 { address: Ipv4Addr::from_bits((10 << 24) | (start << 8)), prefix };
            self.next = start + blocks;
            if !self.used.iter().any(|u| u.holds(net.network()) || net.holds(u.network())) {
                return Some(net);
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

/// Numbers the seats of a segment that have no address yet.
fn fill(
    segment: &Segment,
    net: Cidr4,
    taken: &BTreeMap<Ipv4Addr, (Spot, Span)>,
    found: &mut BTreeMap<Spot, Cidr4>,
    names: &dyn Fn(Spot) -> String,
    mistakes: &mut Mistakes,
) {
    let routers = segment.seats.iter().filter(|s| s.router).count();
    let base = net.network().to_bits();
    let last = if net.prefix >= 31 { net.broadcast().to_bits() } else { net.broadcast().to_bits() - 1 };
    let first = base + u32::from(net.prefix < 31);
    // A network that the file gives may be too small for the gap between routers and hosts.
    let roomy = last - first + 1 >= first_host(routers) - 1 + (segment.seats.len() - routers) as u32;
    let mut next = [first, if roomy { base + first_host(routers) } else { first }];
    if net.prefix >= 31 {
        next = [first, first];
    }
    for seat in &segment.seats {
        if let Some((cidr, _)) = &seat.given {
            found.insert(seat.spot, *cidr);
            continue;
        }
        let next = &mut next[usize::from(!seat.router && roomy)];
        while taken.contains_key(&Ipv4Addr::from_bits(*next)) && *next <= last {
            *next += 1;
        }
        if *next > last {
            let span = segment.seats.iter().find_map(|s| s.given.as_ref()).map_or(0..0, |(_, span)| span.clone());
            let reason = format!("{net} has no address left for {}", names(seat.spot));
            mistakes.push(Mistake::new("subnet", span, reason, "the network is full"));
            return;
        }
        found.insert(seat.spot, Cidr4 { address: Ipv4Addr::from_bits(*next), prefix: net.prefix });
        *next += 1;
    }
}

/// The link address of a port: locally administered (IEEE 802 §8.4), made from the numbers of node and port.
pub(crate) fn mac(place: PortRef) -> [u8; 6] {
    let [_, a, b, c] = (place.node as u32 + 1).to_be_bytes();
    let [d, e] = place.port.to_be_bytes();
    [0x02, a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(node: usize, router: bool) -> Seat {
        Seat { spot: Spot { place: PortRef { node, port: 0 }, vlan: None }, router, given: None }
    }

    fn given(node: usize, cidr: &str) -> Seat {
        Seat { given: Some((parse(cidr).unwrap(), node..node + 1)), ..seat(node, false) }
    }

    fn addresses(segments: &[Vec<Seat>]) -> Result<Vec<String>, Vec<&'static str>> {
        let mut mistakes = Mistakes::new("t", "");
        let segments: Vec<_> = segments.iter().map(|seats| Segment { seats: seats.clone() }).collect();
        let found = assign(&segments, &|s| s.place.node.to_string(), &mut mistakes);
        if mistakes.is_empty() {
            Ok(found.values().map(Cidr4::to_string).collect())
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
        let many = (0..1000).map(|n| seat(n, false)).collect();
        let found = addresses(&[vec![seat(2000, false)], many, vec![seat(2001, false)]]).unwrap();
        assert_eq!((&found[0][..], &found[999][..]), ("10.0.4.1/22", "10.0.7.232/22"));
        assert_eq!(found[1000..], ["10.0.1.1/24", "10.0.8.1/24"]);
    }

    #[test]
    fn given_addresses_win() {
        let found = addresses(&[vec![seat(0, false), given(1, "10.0.2.1/24"), seat(2, false)], vec![seat(3, false)]]);
        assert_eq!(found.unwrap(), ["10.0.2.2/24", "10.0.2.1/24", "10.0.2.3/24", "10.0.1.1/24"]);
        let small = addresses(&[vec![given(0, "10.9.0.0/31"), seat(1, true)]]);
        assert_eq!(small.unwrap(), ["10.9.0.0/31", "10.9.0.1/31"]);
    }

    #[test]
    fn what_cannot_be_given() {
        assert_eq!(
            addresses(&[vec![given(0, "10.0.0.1/24"), given(1, "10.0.0.1/24")]]),
            Err(vec!["duplicate-address"])
        );
        assert_eq!(addresses(&[vec![given(0, "10.0.0.1/24"), given(1, "10.1.0.1/24")]]), Err(vec!["subnet"]));
        assert_eq!(addresses(&[vec![given(0, "10.0.0.1/24")], vec![given(1, "10.0.0.9/16")]]), Err(vec!["subnet"]));
        assert_eq!(
            addresses(&[vec![given(0, "10.0.0.1/30"), seat(1, true), seat(2, false), seat(3, false)]]),
            Err(vec!["subnet"])
        );
        for text in ["10.0.0.0/24", "10.0.0.255/24", "10.0.0.1", "10.0.0.1/33", "224.0.0.1/4", "::1/64", "127.0.0.1/8"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
