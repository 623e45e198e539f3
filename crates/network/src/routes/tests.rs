//! Every pair reaches each other, and by a shortest path.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use septet_core::Seed;

use super::*;
use crate::route::{Route, Target};
use crate::table::Table;

/// Builds a topology with one /24 a segment, addresses by the order of members.
fn build(nodes: &[Forwarding], segments: &[Vec<usize>], ties: Ties) -> Topology {
    let mut t = Topology::default();
    for &n in nodes {
        t.node(n);
    }
    t.ties(ties);
    for (s, members) in segments.iter().enumerate() {
        let base = 0x0a00_0000 + ((s as u32) << 8);
        let at = |(i, &node): (usize, &usize)| Member { node, addr: Ipv4Addr::from_bits(base + 1 + i as u32).into() };
        let prefix = Prefix::new(Ipv4Addr::from_bits(base).into(), 24).unwrap();
        t.segment(prefix, 1, members.iter().enumerate().map(at).collect());
    }
    t
}

/// The number of segments crossed from `from` to `to`, following the tables; `None` where a packet is dropped or loops.
fn follow(t: &Topology, tables: &[Table], from: usize, to: IpAddr) -> Option<usize> {
    let mut at = from;
    for hops in 1..64 {
        let on =
            |node: usize| t.segments.iter().enumerate().filter(move |(_, s)| s.members.iter().any(|m| m.node == node));
        if let Some((_, s)) = on(at).find(|(_, s)| s.prefix.contains(to)) {
            let arrived = s.members.iter().any(|m| m.addr == to);
            return arrived.then_some(hops);
        }
        let Target::Via(_, gateway) = tables[at].lookup(to, |_| true)?.target.clone() else { return None };
        let (_, s) = on(at).find(|(_, s)| s.prefix.contains(gateway)).expect("the gateway is on a link");
        at = s.members.iter().find(|m| m.addr == gateway)?.node;
        assert_eq!(t.nodes[at], Forwarding::On, "only routers are gateways");
    }
    None
}

fn tables(t: &Topology) -> Vec<Table> {
    let table = |routes: Routes| {
        let mut table = Table::default();
        for r in routes.all() {
            table.add(Route::new(r.prefix, Target::Via(0, r.gateway), r.origin).metric(r.metric));
        }
        table
    };
    t.compute().into_iter().map(table).collect()
}

/// Segments crossed on a shortest path from a node to a segment, hosts not passing anything on.
fn shortest(t: &Topology, from: usize, to: usize) -> Option<usize> {
    let mut frontier = vec![from];
    let mut seen = vec![false; t.nodes.len()];
    for hops in 1..64 {
        let reached: Vec<usize> = (0..t.segments.len())
            .filter(|&s| t.segments[s].members.iter().any(|m| frontier.contains(&m.node)))
            .collect();
        if reached.contains(&to) {
            return Some(hops);
        }
        for &s in &reached {
            for m in t.segments[s].members.iter().filter(|m| t.nodes[m.node] == Forwarding::On) {
                if !seen[m.node] {
                    seen[m.node] = true;
                    frontier.push(m.node);
                }
            }
        }
    }
    None
}

fn check(t: &Topology) {
    let tables = tables(t);
    // What is looked up on the map is what is written out.
    for routes in t.compute() {
        let (Some(guide), written) = (&routes.guide, routes.all()) else { continue };
        let written: Vec<StaticRoute> = written.collect();
        for m in t.segments.iter().flat_map(|s| &s.members) {
            let longest = written.iter().filter(|r| r.prefix.contains(m.addr)).max_by_key(|r| r.prefix.prefix_len());
            if let Some((_, gateway)) = guide.lookup(m.addr, Some) {
                assert_eq!(longest.map(|r| r.gateway), Some(gateway), "to {:?}", m.addr);
            }
        }
    }
    for from in 0..t.nodes.len() {
        for (s, segment) in t.segments.iter().enumerate() {
            let Some(expect) = shortest(t, from, s) else { continue };
            for m in segment.members.iter().filter(|m| m.node != from) {
                assert_eq!(follow(t, &tables, from, m.addr), Some(expect), "from {from} to {:?}", m.addr);
            }
        }
    }
}

const H: Forwarding = Forwarding::Off;
const R: Forwarding = Forwarding::On;

#[test]
fn chain_and_ring() {
    check(&build(&[H, R, R, R, H], &[vec![0, 1], vec![1, 2], vec![2, 3], vec![3, 4]], Ties::First));
    let ring = [vec![0, 1], vec![1, 2], vec![2, 3], vec![3, 4], vec![4, 1], vec![3, 5]];
    for ties in [Ties::First, Ties::Spread] {
        check(&build(&[H, R, R, R, R, H], &ring, ties));
    }
}

#[test]
fn unknown_destinations_are_not_sent_round() {
    let t = build(&[H, R, R, H], &[vec![0, 1], vec![1, 2], vec![2, 3]], Ties::First);
    assert_eq!(follow(&t, &tables(&t), 0, "192.0.2.1".parse().unwrap()), None);
}

#[test]
fn tree_of_ten_thousand_hosts_stays_small() {
    let mut nodes = vec![R];
    let mut segments = Vec::new();
    for i in 0..100 {
        let router = nodes.len();
        nodes.push(R);
        segments.push(vec![0, router]);
        for _ in 0..100 {
            nodes.push(H);
            segments.push(vec![router, nodes.len() - 1]);
        }
        let _ = i;
    }
    let t = build(&nodes, &segments, Ties::First);
    let routes = t.compute();
    let total: usize = routes.iter().map(|r| r.all().count()).sum();
    assert!(total < 11_500, "{total} routes");
    let tables = tables(&t);
    let (first, last) = (2, nodes.len() - 1);
    let to = t.segments.last().unwrap().members[1].addr;
    assert_eq!(follow(&t, &tables, first, to), Some(4));
    assert_eq!(t.segments.last().unwrap().members[1].node, last);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn random_topologies_are_routed_shortest(seed in any::<u64>(), size in 3u64..14, more in 0u64..8) {
        let mut rng = Seed::new(seed).stream("topology");
        let nodes: Vec<Forwarding> = (0..size).map(|_| if rng.chance(0.6) { R } else { H }).collect();
        let mut segments = Vec::new();
        for i in 1..size {
            segments.push(vec![i as usize, rng.below(i) as usize]);
        }
        for _ in 0..more {
            let mut members: Vec<usize> = (0..2 + rng.below(3)).map(|_| rng.below(size) as usize).collect();
            members.sort_unstable();
            members.dedup();
            if members.len() > 1 {
                segments.push(members);
            }
        }
        let ties = if rng.chance(0.5) { Ties::First } else { Ties::Spread };
        check(&build(&nodes, &segments, ties));
    }
}
