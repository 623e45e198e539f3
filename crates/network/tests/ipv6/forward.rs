//! What a router passes on, by the short way and by the long one: whoever takes the short one must do nothing else.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use septet_network::ip::{Advertise, Aftermath, Cast, Ipv6Config};
use septet_network::neighbor::State;
use septet_network::route::{RouteMtu, Towards, WrittenRoute};
use septet_network::{Forwarding, NextHop, Origin, Route, Target};
use septet_wire::icmpv6::kind;

use crate::chain::packet;
use crate::lan::{Lans, addr, face, link_local, mac};
use crate::{made, routed};

const ROUTER: usize = 1;

/// A router in the midst of two links, and what it does with packets of the host on the first for the one on the second.
fn ready() -> Lans {
    let mut lans = routed(Advertise::default());
    lans.run(10);
    // The first two find out who is where; to the third that is known.
    for (from, to) in [(0, made(2, 2)), (2, made(1, 0)), (0, made(2, 2))] {
        lans.send(from, to, b"12345678").unwrap();
        lans.run(1);
    }
    lans
}

/// What is sent because of a packet that came from the first link: how much is left to do after it, and each packet's hop limit
/// and, of an error, its type.
fn sent(lans: &mut Lans, packet: &[u8]) -> (Aftermath, Vec<(u8, Option<u8>)>) {
    lans.sent.clear();
    let aftermath = lans.inject(ROUTER, 0, Cast::Unicast, packet);
    let sent = lans.take_sent(ROUTER);
    (aftermath, sent.iter().map(|p| (p[7], (p[6] == 58 && p[40] < 128).then(|| p[40]))).collect())
}

#[test]
fn an_ordinary_packet_leaves_nothing_behind_and_each_other_is_looked_at() {
    let mut lans = ready();
    let (src, dst) = (made(1, 0), made(2, 2));
    let ordinary = packet(src, dst, 64, 17, &[0; 1000]);
    let before = lans.nodes[ROUTER].ip.counters6.out_forw_datagrams;
    assert_eq!(sent(&mut lans, &ordinary), (Aftermath::None, vec![(63, None)]));
    assert_eq!(lans.nodes[ROUTER].ip.counters6.out_forw_datagrams, before + 1);
    // Of one octet less than fits, and of one that is too much.
    assert_eq!(sent(&mut lans, &packet(src, dst, 2, 17, &[0; 1360])), (Aftermath::None, vec![(1, None)]));
    let (left, told) = sent(&mut lans, &packet(src, dst, 64, 17, &[0; 1361]));
    assert_eq!((left, told[0].1), (Aftermath::Some, Some(kind::TOO_BIG)));
    let (left, told) = sent(&mut lans, &packet(src, dst, 1, 17, &[0; 8]));
    assert_eq!((left, told[0].1), (Aftermath::Some, Some(kind::TIME_EXCEEDED)));
    let forwarded = lans.nodes[ROUTER].ip.counters6.out_forw_datagrams;
    let wrong = lans.nodes[ROUTER].ip.counters6.in_addr_errors;
    let of_nobody = [
        (Ipv6Addr::UNSPECIFIED, dst),
        (Ipv6Addr::LOCALHOST, dst),
        (addr("ff0e::1"), dst),
        (src, link_local(2, 0)),
        (link_local(0, 0), dst),
    ];
    for (src, dst) in of_nobody {
        let (left, sent) = sent(&mut lans, &packet(src, dst, 64, 17, &[0; 8]));
        assert_eq!(left, Aftermath::Some, "{src} to {dst}");
        assert!(sent.iter().all(|(_, error)| *error == Some(kind::UNREACHABLE)), "{src} to {dst}: {sent:?}");
    }
    assert_eq!(lans.nodes[ROUTER].ip.counters6.in_addr_errors, wrong + 5);
    assert_eq!(lans.nodes[ROUTER].ip.counters6.out_forw_datagrams, forwarded);
    // What every router looks at passes, but not unlooked at.
    let padded = packet(src, dst, 64, 0, &[17, 0, 1, 4, 0, 0, 0, 0, 0, 1, 0, 2, 0, 8, 0, 0]);
    assert_eq!(sent(&mut lans, &padded), (Aftermath::Some, vec![(63, None)]));
}

#[test]
fn a_neighbour_that_is_not_known_to_be_there_is_made_sure_of() {
    let mut lans = ready();
    let ordinary = packet(made(1, 0), made(2, 2), 64, 17, &[0; 8]);
    assert_eq!(sent(&mut lans, &ordinary).0, Aftermath::None);
    lans.run(100);
    let state = |lans: &Lans| lans.nodes[ROUTER].ip.neighbor_of(lans.now, made(2, 2).into());
    assert_eq!(state(&lans), Some(State::Stale));
    // The probe is due from here on, and so is not nothing.
    assert_eq!(sent(&mut lans, &ordinary), (Aftermath::Some, vec![(63, None)]));
    assert_eq!(state(&lans), Some(State::Delay));
    assert_eq!(sent(&mut lans, &ordinary).0, Aftermath::None);
    lans.run(10);
    assert_eq!(state(&lans), Some(State::Reachable));
}

#[test]
fn what_a_route_takes_whole_is_minded() {
    let mut lans = ready();
    let (src, dst) = (made(1, 0), made(2, 2));
    let large = packet(src, dst, 64, 17, &[0; 1300]);
    assert_eq!(sent(&mut lans, &large).0, Aftermath::None);
    let prefix = "2001:db8:0:2::/65".parse().unwrap();
    let narrow = WrittenRoute { prefix, towards: Towards::Link(1), metric: 0, mtu: Some(RouteMtu::open(1300)) };
    lans.nodes[ROUTER].ip.add_written(&narrow).unwrap();
    let told = sent(&mut lans, &large).1;
    assert_eq!(told.first().and_then(|first| first.1), Some(kind::TOO_BIG), "{told:?}");
}

#[test]
fn flows_take_several_ways_though_a_neighbour_was_set_by_hand() {
    let mut lans = Lans::new(&[&[(0, 0)], &[(0, 1)]]);
    let quiet = Ipv6Config { dad_transmits: 0, ..Ipv6Config::with_discovery() };
    lans.add(Forwarding::On, &[face(&["2001:db8:1::1/64"], quiet.clone()), face(&["2001:db8:2::1/64"], quiet)]);
    let hops: Vec<NextHop> = (2..6)
        .map(|n| {
            let gateway: Ipv6Addr = format!("2001:db8:2::{n}").parse().unwrap();
            lans.nodes[0].ip.neighbors_mut().set_permanent(lans.now, 1, gateway.into(), mac(9, n));
            NextHop { iface: 1, gateway: gateway.into() }
        })
        .collect();
    let route = Route::new("2001:db8:9::/48".parse().unwrap(), Target::through(hops).unwrap(), Origin::Static);
    lans.nodes[0].ip.add_routes([route]);
    lans.addressed.clear();
    for n in 16..80 {
        let from = addr(&format!("2001:db8:1::{n}"));
        lans.inject(0, 0, Cast::Unicast, &packet(from, addr("2001:db8:9::1"), 64, 17, &[0, 1, 0, 9, 0, 8, 0, 0]));
    }
    assert_eq!(lans.addressed.iter().copied().collect::<BTreeSet<_>>(), (2..6).map(|n| mac(9, n)).collect());
}
