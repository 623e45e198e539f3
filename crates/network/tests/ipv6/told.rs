//! What routers tell hosts beyond prefixes: better first hops and name servers. And addresses that hosts change by themselves.

use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr};

use septet_core::Instant;
use septet_network::ip::{Advertise, Cast, Ipv6Config, Privacy, Redirects};
use septet_network::neighbor::State;
use septet_network::{Forwarding, Origin, StaticRoute, Target};
use septet_wire::nd::{self, Discovery, Redirect};
use septet_wire::{ipv6, protocol};

use crate::lan::{Lans, addr, face, link_local};

const FAR: &str = "2001:db8:2::3";

/// A host whose router is `1`, though `2`, on the same link, leads to the far host `3`.
fn wrong_router(gateway: Ipv6Addr) -> Lans {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0), (2, 0)], &[(2, 1), (3, 0)]]);
    lans.add(Forwarding::Off, &[face(&[], Ipv6Config::with_autoconf())]);
    let advertise = Some(Advertise::default());
    let router = Ipv6Config { advertise, dad_transmits: 0, ..Ipv6Config::with_discovery() };
    let quiet = Ipv6Config { dad_transmits: 0, ..Ipv6Config::with_discovery() };
    lans.add(Forwarding::On, &[face(&["2001:db8:1::1/64"], router)]);
    let far = face(&["2001:db8:2::1/64"], quiet.clone());
    lans.add(Forwarding::On, &[face(&["2001:db8:1::2/64"], quiet.clone()), far]);
    lans.add(Forwarding::Off, &[face(&["2001:db8:2::3/64"], quiet)]);
    let way = StaticRoute::new("2001:db8:2::/64".parse().unwrap(), gateway.into());
    lans.nodes[1].ip.add_route(way).unwrap();
    lans.run(10);
    lans
}

/// Sends a packet to the far host each second; gives how many of them the wrong router passed on.
fn detours(lans: &mut Lans, packets: u32) -> u64 {
    let before = lans.nodes[1].ip.counters6.out_forw_datagrams;
    for _ in 0..packets {
        lans.send(0, addr(FAR), b"12345678 by whom?").unwrap();
        lans.run(1);
    }
    assert_eq!(lans.datagrams(3).len(), packets as usize, "all arrive");
    lans.nodes[1].ip.counters6.out_forw_datagrams - before
}

fn redirected(lans: &Lans) -> Option<Target> {
    lans.nodes[0].ip.routes().find(|route| route.origin == Origin::Redirect).map(|route| route.target)
}

#[test]
fn a_host_that_is_told_of_a_better_first_hop_takes_it() {
    let mut lans = wrong_router(link_local(2, 0));
    assert_eq!(detours(&mut lans, 5), 1, "the second packet goes the right way");
    assert_eq!(redirected(&lans), Some(Target::Via(0, link_local(2, 0).into())));
    assert_eq!((lans.nodes[1].ip.counters6.icmp_out_redirects, lans.nodes[0].ip.counters6.icmp_in_redirects), (1, 1));
    assert!(lans.told(1, "icmp.redirect") && lans.told(0, "icmp.redirected"));
    lans.run(301);
    assert_eq!(redirected(&lans), None, "and does not for ever");
    assert_eq!(detours(&mut lans, 2), 1);
}

#[test]
fn a_router_whose_route_names_another_address_asks_for_the_link_local_one() {
    let mut lans = wrong_router(addr("2001:db8:1::2"));
    let passed = detours(&mut lans, 6);
    assert!((2..=3).contains(&passed), "{passed}: once for each address");
    assert_eq!(redirected(&lans), Some(Target::Via(0, link_local(2, 0).into())));
}

#[test]
fn who_sends_no_redirects_passes_all_on_and_who_believes_none_is_told_in_vain() {
    let mut lans = wrong_router(link_local(2, 0));
    lans.nodes[1].ip.set_redirects(Redirects::Off);
    assert_eq!(detours(&mut lans, 5), 5);
    let mut lans = wrong_router(link_local(2, 0));
    lans.nodes[0].ip.set_redirects(Redirects::Off);
    assert_eq!(detours(&mut lans, 5), 5);
    assert!(lans.told(0, "icmp.redirect-ignored"));
    // A router that is not listened to soon keeps still: nine in all, and these seconds apart.
    assert_eq!(detours(&mut lans, 20), 20);
    assert!(lans.nodes[1].ip.counters6.icmp_out_redirects <= 9);
}

#[test]
fn nobody_but_the_first_hop_is_believed() {
    let mut lans = wrong_router(link_local(2, 0));
    detours(&mut lans, 1);
    lans.nodes[0].ip.set_redirects(Redirects::On);
    let own = lans.own(0)[1];
    let mut forge = |src: Ipv6Addr, target: Ipv6Addr, destination: &str, hop_limit: u8| {
        let destination = addr(destination);
        let message = Discovery::Redirect(Redirect { target, destination, link: None, packet: Vec::new() });
        let mut frame = message.to_frame(src, own);
        let payload_len = frame.len() as u16;
        let next_header = protocol::ICMPV6;
        ipv6::Header { traffic_class: 0, flow_label: 0, payload_len, next_header, hop_limit, src, dst: own }
            .push(&mut frame);
        let packet = frame.bytes().to_vec();
        lans.inject(0, 0, Cast::Unicast, &packet);
        let to = IpAddr::V6(destination);
        lans.nodes[0].ip.routes().any(|r| r.origin == Origin::Redirect && r.prefix.contains(to))
    };
    let (router, other) = (link_local(1, 0), link_local(2, 0));
    assert!(!forge(other, other, "2001:db8:9::1", 255), "not the first hop");
    assert!(!forge(router, addr("2001:db8:1::2"), "2001:db8:9::1", 255), "a target of which no router is known");
    assert!(!forge(router, other, "2001:db8:9::1", 254), "from afar");
    assert!(!forge(router, other, "ff0e::1", 255), "for a group");
    assert!(!forge(router, own, "2001:db8:9::1", 255), "to itself");
    assert!(forge(router, other, "2001:db8:9::1", 255), "and all right");
    // RFC 4861 §8.3: a target that is the destination is on the link.
    assert!(forge(router, addr("2001:db8:9::2"), "2001:db8:9::2", 255));
    assert!(lans.nodes[0].ip.routes().any(|r| r.origin == Origin::Redirect && r.target == Target::Link(0)));
    // Routes that change void what was said of them.
    let way = StaticRoute::new("2001:db8:9::/48".parse().unwrap(), router.into());
    lans.nodes[0].ip.add_route(way).unwrap();
    assert_eq!(redirected(&lans), None);
}

#[test]
fn a_better_first_hop_that_does_not_answer_is_forgotten() {
    let mut lans = wrong_router(link_local(2, 0));
    assert_eq!(detours(&mut lans, 3), 1);
    lans.deaf.insert(2);
    for _ in 0..60 {
        let _ = lans.send(0, addr(FAR), b"12345678 lost");
        lans.run(1);
    }
    assert!(lans.told(0, "icmp.redirect-over"));
}

/// A host that configures itself from a router that tells `advertise`.
fn told(advertise: Advertise, v6: Ipv6Config) -> Lans {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0)]]);
    lans.add(Forwarding::Off, &[face(&[], v6)]);
    let router = Ipv6Config { advertise: Some(advertise), dad_transmits: 0, ..Ipv6Config::with_discovery() };
    lans.add(Forwarding::On, &[face(&["2001:db8:1::1/64"], router)]);
    lans
}

#[test]
fn name_servers_are_told_and_forgotten_in_time() {
    let servers = [addr("2001:db8:7::53"), addr("2001:db8:8::53")];
    let advertise = Advertise {
        max_interval: Duration::from_secs(4),
        min_interval: Duration::from_secs(3),
        name_servers: servers.to_vec(),
        search: vec!["lab".into(), "shop.test".into()],
        ..Advertise::default()
    };
    let mut lans = told(advertise, Ipv6Config::with_autoconf());
    lans.run(10);
    let known = |lans: &Lans| lans.nodes[0].ip.told_name_servers().collect::<Vec<_>>();
    assert_eq!(known(&lans), servers);
    assert_eq!(lans.nodes[0].ip.told_search_domains().collect::<Vec<_>>(), ["lab", "shop.test"]);
    // What is told again stays; a router that is gone is believed for three of its intervals.
    lans.run(60);
    assert_eq!(known(&lans), servers);
    lans.deaf.insert(0);
    lans.run(13);
    assert_eq!(known(&lans), [] as [Ipv6Addr; 0]);
    assert_eq!(lans.nodes[0].ip.told_search_domains().count(), 0);
    assert!(lans.told(0, "slaac.name-server") && lans.told(0, "slaac.name-server-gone"));
}

/// The global addresses of the host.
fn global(lans: &Lans) -> Vec<Ipv6Addr> {
    lans.own(0).into_iter().filter(|addr| !addr.is_unicast_link_local()).collect()
}

#[test]
fn a_private_host_speaks_from_addresses_that_it_changes() {
    let privacy = Privacy::On { preferred: Duration::from_secs(100), valid: Duration::from_secs(200) };
    let mut lans = told(Advertise::default(), Ipv6Config { privacy, ..Ipv6Config::with_autoconf() });
    lans.run(10);
    let made = Ipv6Addr::from_bits(addr("2001:db8:1::").to_bits() | link_local(0, 0).to_bits() & u128::from(u64::MAX));
    let mut sources = Vec::new();
    for _ in 0..60 {
        let all = global(&lans);
        assert!(all.contains(&made), "the public address stays");
        assert!((2..=4).contains(&all.len()), "{all:?}");
        lans.send(0, addr("2001:db8:1::1"), b"12345678 from whom?").unwrap();
        lans.run(10);
        let got = lans.datagrams(1);
        let IpAddr::V6(src) = got[0].src else { panic!("IPv6") };
        if sources.last() != Some(&src) {
            sources.push(src);
        }
    }
    // Ten minutes, and a new one each 55 to 95 seconds.
    assert!((6..=12).contains(&sources.len()), "{sources:?}");
    assert!(!sources.contains(&made));
    let unique: std::collections::BTreeSet<_> = sources.iter().collect();
    assert_eq!(unique.len(), sources.len(), "none comes again");
}

#[test]
fn without_privacy_and_for_prefixes_that_end_at_once_there_is_no_temporary_address() {
    let mut lans = told(Advertise::default(), Ipv6Config::with_autoconf());
    lans.run(10);
    assert_eq!(global(&lans).len(), 1);
    let short = septet_network::ip::AdvertisedPrefix {
        valid: Some(Duration::from_secs(10)),
        preferred: Some(Duration::from_secs(5)),
        ..septet_network::ip::AdvertisedPrefix::new("2001:db8:1::/64".parse().unwrap())
    };
    let advertise = Advertise { prefixes: vec![short], ..Advertise::default() };
    let mut lans = told(advertise, Ipv6Config { privacy: Privacy::ON, ..Ipv6Config::with_autoconf() });
    lans.run_until(Instant::from_secs(8));
    assert_eq!(global(&lans).len(), 1, "RFC 8981 §3.4 (4)");
}

#[test]
fn what_is_told_fits_into_one_message() {
    let all: Vec<Ipv6Addr> = (0..40u16).map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n)).collect();
    let mut lans = told(Advertise { name_servers: all, ..Advertise::default() }, Ipv6Config::with_autoconf());
    lans.run(10);
    // More than eight nobody keeps.
    assert_eq!(lans.nodes[0].ip.told_name_servers().count(), 8);
    assert!(nd::ALL_NODES.is_multicast());
}

#[test]
fn a_router_says_how_neighbours_are_timed() {
    let advertise =
        Advertise { reachable: Duration::from_secs(4), retrans: Duration::from_millis(200), ..Advertise::default() };
    let times = |advertise: Advertise| {
        let mut lans = told(advertise, Ipv6Config::with_autoconf());
        lans.run(10);
        lans.sent.clear();
        let begun = lans.now;
        // Nobody has this address: three questions, and then it is given up.
        lans.send(0, addr("2001:db8:1::77"), b"12345678").unwrap();
        lans.run(10);
        let asked = lans.sent.iter().filter(|(by, _, packet)| *by == 0 && packet[6] == 58 && packet[40] == 135);
        let at: Vec<u64> = asked.map(|(_, at, _)| (*at - begun).as_millis() as u64).collect();
        // Who answered is asked again once it was taken for there long enough.
        lans.send(0, addr("2001:db8:1::1"), b"12345678").unwrap();
        lans.run(8);
        let state = lans.nodes[0].ip.neighbors().get(lans.now, 0, addr("2001:db8:1::1").into());
        (at, state.map(|(state, _)| state))
    };
    assert_eq!(times(advertise), (vec![0, 200, 400], Some(State::Stale)));
    assert_eq!(times(Advertise::default()), (vec![0, 1000, 2000], Some(State::Reachable)));
}
