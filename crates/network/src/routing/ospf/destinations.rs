//! What lies at the ends of the shortest paths: networks within the area (RFC 2328 §16.1), in others (§16.2) and outside (§16.4).

use std::net::Ipv4Addr;

use septet_wire::ospf::{ExternalKind, LsaType, RouterLinkKind};

use super::computed::{Rank, Way};
use super::map::Map;
use super::ways::{WayId, Ways};
use crate::addr::Prefix;

/// RFC 2328 appendix B: "LSInfinity", the metric of what cannot be reached.
const INFINITY: u32 = 0x00ff_ffff;

/// How far each vertex is, and which ways lead there; nothing for what is not reached.
pub(super) type Tree = Vec<Option<(u32, WayId)>>;

/// A way to a destination.
type Found = (Prefix, Rank, WayId);

/// The best ways to all destinations, by prefix.
pub(super) fn destinations(map: &Map<'_>, tree: &Tree, ways: &mut Ways, own: Ipv4Addr) -> Vec<(Prefix, Way)> {
    let mut all = within(map, tree);
    let borders = Borders::new(map, tree, ways, own);
    all.extend(&borders.networks);
    let mut best = best_of(all, ways);
    let outside = outside(map, tree, &borders, &best, ways, own);
    if !outside.is_empty() {
        best.extend(outside);
        best = best_of(best, ways);
    }
    best.into_iter().map(|(prefix, rank, way)| (prefix, Way { rank, hops: ways.hops(way) })).collect()
}

/// Of several ways to one destination the best, and all that are as good.
fn best_of(mut all: Vec<Found>, ways: &mut Ways) -> Vec<Found> {
    all.sort_unstable();
    let mut best: Vec<Found> = Vec::with_capacity(all.len());
    for (prefix, rank, way) in all {
        match best.last_mut() {
            Some((same, known, chosen)) if *same == prefix => {
                if *known == rank {
                    *chosen = ways.join(*chosen, way);
                }
            }
            _ => best.push((prefix, rank, way)),
        }
    }
    best
}

fn prefix(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Prefix> {
    let bits = mask.to_bits();
    let is_mask = bits.leading_ones() + bits.trailing_zeros() >= 32;
    Prefix::new(address.into(), bits.leading_ones() as u8).ok().filter(|_| is_mask)
}

/// RFC 2328 §16.1, the second stage: the networks that are reached, those with a single router among them.
fn within(map: &Map<'_>, tree: &Tree) -> Vec<Found> {
    let mut found = Vec::new();
    for (vertex, reached) in tree.iter().enumerate() {
        let Some((cost, way)) = *reached else { continue };
        if let Some(network) = map.network(vertex) {
            found.extend(prefix(network.id, network.mask).map(|prefix| (prefix, Rank::Within(cost), way)));
        }
        let links = map.router(vertex).map_or(&[][..], |(_, router)| &router.links);
        for link in links.iter().filter(|link| link.kind == RouterLinkKind::Stub) {
            let rank = Rank::Within(cost.saturating_add(link.metric.into()));
            found.extend(prefix(link.id, link.data).map(|prefix| (prefix, rank, way)));
        }
    }
    found
}

/// What the routers at the area's borders say of other areas.
struct Borders {
    networks: Vec<Found>,
    /// Routers there that know ways out, by id.
    routers: Vec<(Ipv4Addr, u32, WayId)>,
}

impl Borders {
    /// RFC 2328 §16.2.
    fn new(map: &Map<'_>, tree: &Tree, ways: &mut Ways, own: Ipv4Addr) -> Self {
        let mut borders = Self { networks: Vec::new(), routers: Vec::new() };
        for summary in &map.summaries {
            // (1) "If the cost specified by the LSA is LSInfinity … then examine the next LSA", (2) likewise "if the LSA was originated by
            // the calculating router itself", (4) and where its router is no border router that is reached.
            let border = map.find_router(summary.key.router).filter(|_| summary.key.router != own);
            let border = border.filter(|at| map.router(*at).is_some_and(|(_, router)| router.border));
            let Some((cost, way)) = border.and_then(|at| tree[at]).filter(|_| summary.metric < INFINITY) else {
                continue;
            };
            let cost = cost.saturating_add(summary.metric);
            if summary.key.kind == LsaType::SummaryAsbr {
                borders.routers.push((summary.key.id, cost, way));
            } else if let Some(prefix) = prefix(summary.key.id, summary.mask) {
                borders.networks.push((prefix, Rank::Between(cost), way));
            }
        }
        borders.routers.sort_unstable();
        borders.routers.dedup_by(|later, first| {
            if (later.0, later.1) == (first.0, first.1) {
                first.2 = ways.join(first.2, later.2);
            }
            later.0 == first.0
        });
        borders
    }

    fn router(&self, id: Ipv4Addr) -> Option<(u32, WayId)> {
        let at = self.routers.binary_search_by_key(&id, |(id, ..)| *id).ok()?;
        Some((self.routers[at].1, self.routers[at].2))
    }
}

/// RFC 2328 §16.4: what lies outside.
fn outside(
    map: &Map<'_>,
    tree: &Tree,
    borders: &Borders,
    inside: &[Found],
    ways: &mut Ways,
    own: Ipv4Addr,
) -> Vec<Found> {
    let mut found = Vec::new();
    for (key, external) in &map.external {
        let Some(prefix) = prefix(key.id, external.mask) else { continue };
        // "If the advertising router is the calculating router itself", or it is not reached, or metric LSInfinity.
        if key.router == own || external.metric >= INFINITY {
            continue;
        }
        // §16.2 (6): "intra-area paths are always preferred" on the way to the router that tells of it.
        let here = map.find_router(key.router);
        let here = here.filter(|at| map.router(*at).is_some_and(|(_, router)| router.external));
        let Some(mut to) = here.and_then(|at| tree[at]).or_else(|| borders.router(key.router)) else { continue };
        if !external.forward.is_unspecified() {
            // "look up the forwarding address in the routing table": the matching entry must be one of the inside.
            let Some((cost, way)) = lookup(inside, external.forward) else { continue };
            to = (cost, ways.onwards(way, Some(external.forward)));
        }
        let rank = match external.kind {
            ExternalKind::One => Rank::One(to.0.saturating_add(external.metric)),
            ExternalKind::Two => Rank::Two(external.metric, to.0),
        };
        found.push((prefix, rank, to.1));
    }
    found
}

/// The way by the longest prefix that an address is in.
fn lookup(inside: &[Found], address: Ipv4Addr) -> Option<(u32, WayId)> {
    (0..=32).rev().find_map(|len| {
        let prefix = Prefix::new(address.into(), len).ok()?;
        let at = inside.binary_search_by_key(&prefix, |(prefix, ..)| *prefix).ok()?;
        Some((inside[at].1.inside()?, inside[at].2))
    })
}

#[cfg(test)]
mod tests {
    use septet_core::Instant;
    use septet_wire::ospf::{Body, External, Lsa, LsaKey, MIN_SEQUENCE, RouterLink, RouterLsa};

    use super::super::database::{Database, Source};
    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
    /// At the border, ten away.
    const BORDER: Ipv4Addr = Ipv4Addr::new(2, 2, 2, 2);
    /// The same, twenty away.
    const FARTHER: Ipv4Addr = Ipv4Addr::new(3, 3, 3, 3);
    /// Only says that something is behind it.
    const INNER: Ipv4Addr = Ipv4Addr::new(4, 4, 4, 4);
    /// In another area.
    const ABROAD: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);
    const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);

    fn net(third: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, third, 0)
    }

    fn external(kind: ExternalKind, metric: u32, forward: Ipv4Addr) -> Body {
        Body::External(External { mask: MASK, kind, metric, forward, tag: 0 })
    }

    /// The routes that follow of these advertisements, beside those of the four routers: the third octet, rank and gateways of each.
    fn routes(more: &[(LsaType, Ipv4Addr, Ipv4Addr, Body)]) -> Vec<(u8, Rank, Vec<u8>)> {
        let mut database = Database::default();
        let mut add = |kind, id, router, body: &Body| {
            let key = LsaKey { kind, id, router };
            database.install(Instant::ZERO, Lsa::new(key, 2, MIN_SEQUENCE, body), Source::Other);
        };
        for (id, border) in [(OWN, false), (BORDER, true), (FARTHER, true), (INNER, false)] {
            // The first of the others is on a network of its own.
            let stub = RouterLink { kind: RouterLinkKind::Stub, id: net(1), data: MASK, metric: 5 };
            let links = if id == BORDER { vec![stub] } else { Vec::new() };
            add(LsaType::Router, id, id, &Body::Router(RouterLsa { external: border, border, links }));
        }
        more.iter().for_each(|(kind, id, router, body)| add(*kind, *id, *router, body));
        let (map, mut ways) = (Map::new(&database, Instant::ZERO), Ways::default());
        let mut tree = vec![None; map.len()];
        for (id, cost, gateway) in [(BORDER, 10, 2), (FARTHER, 20, 3), (INNER, 1, 4)] {
            let way = ways.of(vec![(0, Some(Ipv4Addr::new(192, 0, 2, gateway)))]);
            tree[map.find_router(id).unwrap()] = Some((cost, way));
        }
        let last = |address: std::net::IpAddr, at: usize| match address {
            std::net::IpAddr::V4(address) => address.octets()[at],
            std::net::IpAddr::V6(_) => 0,
        };
        let found = destinations(&map, &tree, &mut ways, OWN).into_iter();
        found
            .map(|(prefix, way)| {
                let gateways = way.hops.iter().map(|hop| last(hop.gateway, 3)).collect();
                (last(prefix.addr(), 2), way.rank, gateways)
            })
            .collect()
    }

    fn summary(third: u8, router: Ipv4Addr, metric: u32) -> (LsaType, Ipv4Addr, Ipv4Addr, Body) {
        (LsaType::Summary, net(third), router, Body::Summary(MASK, metric))
    }

    #[test]
    fn networks_of_other_areas_are_reached_through_the_nearer_border() {
        let within = (1, Rank::Within(15), vec![2]);
        assert_eq!(routes(&[]), std::slice::from_ref(&within));
        let found = routes(&[
            summary(7, BORDER, 30),
            summary(7, FARTHER, 25),
            summary(8, FARTHER, 1),
            // The own network goes before what others say of it; what is no border, or infinitely far, does not count.
            summary(1, FARTHER, 0),
            summary(5, INNER, 1),
            summary(6, BORDER, INFINITY),
            summary(6, ABROAD, 1),
        ]);
        assert_eq!(found, [within, (7, Rank::Between(40), vec![2]), (8, Rank::Between(21), vec![3])]);
        let equal = routes(&[summary(7, BORDER, 30), summary(7, FARTHER, 20)]);
        assert_eq!(equal[1], (7, Rank::Between(40), vec![2, 3]));
    }

    #[test]
    fn what_lies_outside_is_reached_through_a_router_of_another_area() {
        let none = Ipv4Addr::UNSPECIFIED;
        let told = (LsaType::External, net(9), ABROAD, external(ExternalKind::One, 4, none));
        let asbr = |router, metric| (LsaType::SummaryAsbr, ABROAD, router, Body::Summary(none, metric));
        assert_eq!(routes(std::slice::from_ref(&told)).len(), 1, "nobody knows where it is");
        let found = routes(&[told.clone(), asbr(BORDER, 30), asbr(FARTHER, 5)]);
        assert_eq!(found[1], (9, Rank::One(29), vec![3]));
        let found = routes(&[told.clone(), asbr(BORDER, 15), asbr(FARTHER, 5), summary(9, BORDER, 500)]);
        assert_eq!(found[1], (9, Rank::Between(510), vec![2]), "another area goes before the outside");
        // A forwarding address may be in another area, and in none that nobody knows.
        for (forward, expected) in [(Ipv4Addr::new(10, 0, 7, 7), 2), (Ipv4Addr::new(172, 16, 0, 1), 1)] {
            let told = (LsaType::External, net(9), ABROAD, external(ExternalKind::Two, 4, forward));
            let found = routes(&[told, asbr(FARTHER, 5), summary(7, BORDER, 1)]);
            assert_eq!(found.iter().filter(|(third, ..)| *third == 9).count(), expected - 1);
        }
        let near = (LsaType::External, net(9), FARTHER, external(ExternalKind::Two, 4, none));
        let found = routes(&[near, told, asbr(BORDER, 1)]);
        assert_eq!(found[1], (9, Rank::One(15), vec![2]), "type 1 goes before type 2");
    }
}
