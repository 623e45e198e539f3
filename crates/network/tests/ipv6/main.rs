//! IPv6 among hosts and routers: discovery, addresses that come by themselves, the chain of headers, fragments, errors.

mod chain;
mod filter;
mod forward;
mod lan;
mod told;

use core::time::Duration;
use std::net::Ipv6Addr;

use septet_core::Instant;
use septet_network::ip::{AddressState, Advertise, AdvertisedPrefix, DontFragment, Ipv6Config, SendError, Up};
use septet_network::neighbor::State;
use septet_network::{Forwarding, Trouble};
use septet_wire::icmpv6::kind;
use septet_wire::{ipv6, nd};

use lan::{Face, Lans, addr, face, link_local};

/// A message of ICMPv6: its type, and source and destination of its packet.
fn icmp(packet: &[u8]) -> Option<(u8, Ipv6Addr, Ipv6Addr)> {
    let header = ipv6::Header::parse(packet).ok()?;
    (header.next_header == 58).then(|| (packet[40], header.src, header.dst))
}

/// Two hosts on a link.
fn pair() -> Lans {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0)]]);
    for host in ["2001:db8::1/64", "2001:db8::2/64"] {
        lans.add(Forwarding::Off, &[face(&[host], Ipv6Config::with_discovery())]);
    }
    lans.run(3);
    lans
}

#[test]
fn an_address_is_asked_for_before_it_is_taken() {
    let mut lans = Lans::new(&[&[(0, 0)]]);
    lans.add(Forwarding::Off, &[face(&["2001:db8::1/64"], Ipv6Config::with_discovery())]);
    assert!(lans.own(0).is_empty());
    assert!(lans.nodes[0].ip.addresses_v6(0).all(|(_, state, ..)| state == AddressState::Tentative));
    lans.run(1);
    let asked: Vec<_> = lans.sent.iter().filter_map(|(_, _, packet)| icmp(packet)).collect();
    for own in [addr("2001:db8::1"), link_local(0, 0)] {
        assert!(asked.contains(&(kind::NEIGHBOR_SOLICIT, Ipv6Addr::UNSPECIFIED, nd::solicited_node(own))), "{asked:?}");
    }
    let (_, first, _) = lans.sent[0];
    assert!(first < Instant::from_secs(2), "delayed by less than a second");
    lans.run_until(first + Duration::from_millis(999));
    assert!(lans.own(0).is_empty());
    lans.run_until(first + Duration::from_secs(1));
    assert_eq!(lans.own(0), [addr("2001:db8::1"), link_local(0, 0)]);
}

#[test]
fn an_address_that_another_has_is_not_taken() {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0)]]);
    lans.add(Forwarding::Off, &[face(&["2001:db8::1/64"], Ipv6Config::with_discovery())]);
    lans.run(5);
    lans.add(Forwarding::Off, &[face(&["2001:db8::1/64", "2001:db8::2/64"], Ipv6Config::with_discovery())]);
    lans.run(5);
    assert_eq!(lans.own(1), [addr("2001:db8::2"), link_local(1, 0)]);
    assert_eq!(lans.own(0), [addr("2001:db8::1"), link_local(0, 0)], "who has it keeps it");
    let failed = |(cidr, state, ..): &(septet_network::Cidr, AddressState, _, _)| {
        cidr.addr() == addr("2001:db8::1") && *state == AddressState::DadFailed
    };
    assert!(lans.nodes[1].ip.addresses_v6(0).any(|a| failed(&a)));
    assert!(lans.told(1, "dad.duplicate"));
}

#[test]
fn of_two_that_want_an_address_at_once_one_gets_it() {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0)]]);
    for _ in 0..2 {
        lans.add(Forwarding::Off, &[face(&["2001:db8::1/64"], Ipv6Config::with_discovery())]);
    }
    lans.run(5);
    // RFC 4862 §5.4.3: whoever hears the other's question while his own is open lets the address be.
    let have = [0, 1].map(|node| lans.own(node).contains(&addr("2001:db8::1")));
    assert!(have == [true, false] || have == [false, true], "{have:?}");
    assert!(lans.told(usize::from(have[0]), "dad.duplicate"));
}

#[test]
fn without_questions_to_ask_an_address_is_taken_at_once() {
    let mut lans = Lans::new(&[&[(0, 0)]]);
    let v6 = Ipv6Config { dad_transmits: 0, ..Ipv6Config::with_discovery() };
    lans.add(Forwarding::Off, &[face(&["2001:db8::1/64"], v6)]);
    assert_eq!(lans.own(0), [addr("2001:db8::1"), link_local(0, 0)]);
}

#[test]
fn who_is_quiet_says_nothing_and_answers_nobody() {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0)]]);
    lans.add(Forwarding::Off, &[face(&["2001:db8::1/64"], Ipv6Config::default())]);
    lans.add(Forwarding::Off, &[face(&["2001:db8::2/64"], Ipv6Config::with_discovery())]);
    lans.run(5);
    lans.send(1, addr("2001:db8::1"), b"anyone?").unwrap();
    lans.run(5);
    assert!(lans.take_sent(0).is_empty());
    assert_eq!(lans.send(0, addr("2001:db8::2"), b"x"), Err(SendError::NetworkUnreachable));
}

#[test]
fn a_neighbour_is_asked_for_once_and_what_waits_goes() {
    let mut lans = pair();
    lans.sent.clear();
    for payload in [&b"12345678 one"[..], b"12345678 two"] {
        lans.send(0, addr("2001:db8::2"), payload).unwrap();
    }
    lans.run(1);
    let sent = lans.take_sent(0);
    let solicits = || sent.iter().filter_map(|p| icmp(p)).filter(|m| m.0 == kind::NEIGHBOR_SOLICIT);
    assert_eq!(
        solicits().collect::<Vec<_>>(),
        [(kind::NEIGHBOR_SOLICIT, addr("2001:db8::1"), nd::solicited_node(addr("2001:db8::2")))]
    );
    let got = lans.datagrams(1);
    assert_eq!(got.iter().map(|d| d.frame.bytes()).collect::<Vec<_>>(), [&b"12345678 one"[..], b"12345678 two"]);
    let of = |lans: &Lans, node: usize, who: &str| {
        lans.nodes[node].ip.neighbors().get(lans.now, 0, addr(who).into()).map(|(state, _)| state)
    };
    assert_eq!(of(&lans, 0, "2001:db8::2"), Some(State::Reachable));
    assert_eq!(of(&lans, 1, "2001:db8::1"), Some(State::Delay), "who was asked knows who asks, and has answered");
    assert!(lans.told(0, "nd.resolved"));
}

#[test]
fn a_neighbour_that_is_gone_is_found_out() {
    let mut lans = pair();
    lans.send(0, addr("2001:db8::2"), b"12345678").unwrap();
    lans.run(60);
    lans.deaf.insert(1);
    lans.sent.clear();
    lans.send(0, addr("2001:db8::2"), b"12345678").unwrap();
    lans.run(9);
    let asked: Vec<_> = lans.take_sent(0).iter().filter_map(|p| icmp(p)).map(|m| m.2).collect();
    // RFC 4861 §7.3.3: five seconds in DELAY, then three probes at its own address.
    assert_eq!(asked, [addr("2001:db8::2"); 3]);
    lans.nodes[0].up.clear();
    lans.send(0, addr("2001:db8::2"), b"12345678").unwrap();
    lans.run(4);
    let error = lans.nodes[0].up.iter().find_map(|up| if let Up::Error(report) = up { Some(report) } else { None });
    let report = error.expect("its sender is told");
    assert_eq!((report.trouble, report.dst), (Trouble::HostUnreachable, addr("2001:db8::2").into()));
    assert_eq!(report.protocol, lan::SERVED);
}

#[test]
fn link_local_neighbours_speak() {
    let mut lans = pair();
    lans.send(0, link_local(1, 0), b"12345678").unwrap();
    lans.run(1);
    let got = lans.datagrams(1);
    assert_eq!(got.iter().map(|d| d.src).collect::<Vec<_>>(), [link_local(0, 0)]);
}

/// A host on link 0, a router between links 0 and 1, and a host on link 1, whose MTU is less.
fn routed(advertise: Advertise) -> Lans {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0)], &[(1, 1), (2, 0)]]);
    lans.add(Forwarding::Off, &[face(&[], Ipv6Config::with_autoconf())]);
    let router = Ipv6Config { advertise: Some(advertise), ..Ipv6Config::with_discovery() };
    lans.add(
        Forwarding::On,
        &[
            face(&["2001:db8:0:1::1/64"], router.clone()),
            Face { addresses: &["2001:db8:0:2::1/64"], mtu: 1400, v6: router },
        ],
    );
    lans.add(Forwarding::Off, &[Face { addresses: &[], mtu: 1400, v6: Ipv6Config::with_autoconf() }]);
    lans
}

/// The address that a node makes of a prefix whose first four words are `2001:db8:0:link`.
fn made(link: u16, node: usize) -> Ipv6Addr {
    let [.., a, b, c, d] = link_local(node, 0).segments();
    Ipv6Addr::new(0x2001, 0xdb8, 0, link, a, b, c, d)
}

#[test]
fn hosts_configure_themselves_and_reach_one_another_through_the_router() {
    let mut lans = routed(Advertise::default());
    lans.run(10);
    assert_eq!(lans.own(0), [link_local(0, 0), made(1, 0)]);
    assert_eq!(lans.own(2), [link_local(2, 0), made(2, 2)]);
    assert!(lans.told(0, "slaac.address") && lans.told(1, "nd.router-advertise"));
    lans.send(0, made(2, 2), b"12345678").unwrap();
    lans.run(1);
    let got = lans.datagrams(2);
    assert_eq!(got.iter().map(|d| (d.src, d.ttl)).collect::<Vec<_>>(), [(made(1, 0).into(), 63)]);
    assert_eq!(lans.nodes[1].ip.counters6.out_forw_datagrams, 1);
}

#[test]
fn nobody_advertises_who_was_not_told_to() {
    let mut lans = Lans::new(&[&[(0, 0), (1, 0)]]);
    lans.add(Forwarding::Off, &[face(&[], Ipv6Config::with_autoconf())]);
    lans.add(Forwarding::On, &[face(&["2001:db8:0:1::1/64"], Ipv6Config::with_discovery())]);
    lans.run(60);
    assert_eq!(lans.own(0), [link_local(0, 0)]);
    let asked = lans.take_sent(0).iter().filter_map(|p| icmp(p)).filter(|m| m.0 == kind::ROUTER_SOLICIT).count();
    // RFC 7559: after 4, 8, 16 and 32 s, a tenth more or less.
    assert!((4..=5).contains(&asked), "asked {asked} times");
}

#[test]
fn what_is_too_large_comes_in_fragments_once_the_router_has_said_so() {
    let mut lans = routed(Advertise::default());
    lans.run(10);
    let payload: Vec<u8> = (0..1452u32).map(|i| i as u8).collect();
    lans.send(0, made(2, 2), &payload).unwrap();
    lans.run(1);
    assert!(lans.datagrams(2).is_empty(), "the router cuts nothing");
    let heard = lans.nodes[0].up.drain(..).find_map(|up| if let Up::Error(r) = up { Some(r.trouble) } else { None });
    assert_eq!(heard, Some(Trouble::TooBig { mtu: 1400 }));
    assert_eq!(lans.nodes[0].ip.mtu_to(lans.now, made(2, 2).into()), Ok(1400));
    lans.send(0, made(2, 2), &payload).unwrap();
    lans.run(1);
    assert_eq!(lans.datagrams(2)[0].frame.bytes(), payload);
    assert_eq!(lans.nodes[0].ip.counters6.frag_creates, 2);
    let refused = lans.send_as(0, made(2, 2), &payload, DontFragment::Yes);
    assert_eq!(refused, Err(SendError::MessageTooLong { mtu: 1400 }));
    // RFC 8201 §5.3: after ten minutes it is tried anew.
    lans.run(601);
    assert_eq!(lans.nodes[0].ip.mtu_to(lans.now, made(2, 2).into()), Ok(1500));
}

#[test]
fn lifetimes_end_and_routers_go() {
    let prefix = AdvertisedPrefix {
        valid: Some(Duration::from_secs(60)),
        preferred: Some(Duration::from_secs(30)),
        ..AdvertisedPrefix::new("2001:db8:0:1::/64".parse().unwrap())
    };
    let mut lans = routed(Advertise {
        lifetime: Duration::from_secs(40),
        prefixes: vec![prefix],
        // So far apart that none comes while the test runs, after the first.
        max_interval: Duration::from_secs(1800),
        min_interval: Duration::from_secs(1350),
        ..Advertise::default()
    });
    lans.run(3);
    assert!(lans.own(0).contains(&made(1, 0)));
    lans.deaf.insert(0);
    let state = |lans: &Lans| {
        let mut all = lans.nodes[0].ip.addresses_v6(0);
        all.find(|(cidr, ..)| cidr.addr() == made(1, 0)).map(|(_, state, ..)| state)
    };
    assert_eq!(state(&lans), Some(AddressState::Preferred));
    lans.run(32);
    assert_eq!(state(&lans), Some(AddressState::Deprecated));
    assert!(lans.nodes[0].ip.iface_to(addr("2001:db8:9::1").into()).is_ok());
    lans.run(10);
    assert_eq!(lans.nodes[0].ip.iface_to(addr("2001:db8:9::1").into()), Err(SendError::NetworkUnreachable));
    lans.run(20);
    assert_eq!((state(&lans), lans.own(0)), (None, vec![link_local(0, 0)]));
    assert!(lans.nodes[0].ip.iface_to(addr("2001:db8:0:1::1").into()).is_err(), "its link's prefix is gone too");
}

#[test]
fn what_a_router_says_of_the_link_is_kept() {
    let mut lans = routed(Advertise { mtu: Some(1280), hop_limit: 9, ..Advertise::default() });
    lans.run(10);
    assert_eq!(lans.nodes[0].ip.mtu_to(lans.now, made(2, 2).into()), Ok(1280));
    lans.send(0, made(2, 2), b"12345678").unwrap();
    lans.run(1);
    assert_eq!(lans.datagrams(2)[0].ttl, 8);
}

#[test]
fn routers_answer_as_rfc_4443_says() {
    let mut lans = routed(Advertise::default());
    lans.run(10);
    let from = made(1, 0);
    let mut answer = |dst: Ipv6Addr, hop_limit: u8, src: Ipv6Addr, len: usize| {
        lans.sent.clear();
        let packet = chain::packet(src, dst, hop_limit, 17, &vec![0; len]);
        lans.inject(1, 0, septet_network::ip::Cast::Unicast, &packet);
        lans.run(5);
        let sent = lans.take_sent(1);
        let error = sent.iter().find(|p| icmp(p).is_some_and(|m| m.0 < 128));
        error.map(|p| (p[40], p[41], u32::from_be_bytes(p[44..48].try_into().unwrap())))
    };
    assert_eq!(answer(made(2, 2), 1, from, 8), Some((kind::TIME_EXCEEDED, 0, 0)));
    assert_eq!(answer(addr("2001:db8:77::1"), 64, from, 8), Some((kind::UNREACHABLE, 0, 0)));
    assert_eq!(answer(addr("2001:db8:0:2::99"), 64, from, 8), Some((kind::UNREACHABLE, 3, 0)), "nobody is there");
    assert_eq!(answer(made(2, 2), 64, from, 1400), Some((kind::TOO_BIG, 0, 1400)));
    assert_eq!(answer(made(2, 2), 64, link_local(0, 0), 8), Some((kind::UNREACHABLE, 2, 0)));
    assert_eq!(answer(made(2, 2), 1, Ipv6Addr::UNSPECIFIED, 8), None, "nobody to tell");
    assert_eq!(answer(link_local(2, 0), 64, from, 8), None, "link-local is not passed on");
}

#[test]
fn errors_are_limited_but_for_what_path_mtu_discovery_needs() {
    let mut lans = routed(Advertise::default());
    lans.run(10);
    lans.send(0, addr("2001:db8:0:1::1"), b"12345678").unwrap();
    lans.run(1);
    lans.sent.clear();
    let dying = chain::packet(made(1, 0), made(2, 2), 1, 17, &[0; 8]);
    let large = chain::packet(made(1, 0), made(2, 2), 64, 17, &[0; 1440]);
    for _ in 0..50 {
        lans.inject(1, 0, septet_network::ip::Cast::Unicast, &dying);
        lans.inject(1, 0, septet_network::ip::Cast::Unicast, &large);
    }
    let sent = lans.take_sent(1);
    let of = |wanted: u8| sent.iter().filter(|p| p[40] == wanted && p[6] == 58).count();
    assert_eq!((of(kind::TIME_EXCEEDED), of(kind::TOO_BIG)), (6, 50));
    assert!(lans.nodes[1].ip.counters6.icmp_out_rate_limit > 0);
}

#[test]
fn groups_are_heard_by_their_members_alone() {
    let mut lans = pair();
    let group = addr("ff02::abcd");
    lans.send(0, group, b"12345678").unwrap();
    lans.run(1);
    assert!(lans.datagrams(1).is_empty());
    lans.with(1, |ip, now, _| ip.join(now, 0, group.into()).unwrap());
    lans.send(0, group, b"12345678").unwrap();
    lans.run(1);
    assert_eq!(lans.datagrams(1).len(), 1);
}

#[test]
fn a_flow_keeps_its_label_and_another_has_another() {
    let mut lans = pair();
    lans.sent.clear();
    for ports in [[0, 1, 0, 2], [0, 1, 0, 2], [0, 1, 0, 3]] {
        lans.send(0, addr("2001:db8::2"), &[&ports[..], &[0; 8]].concat()).unwrap();
    }
    lans.run(1);
    let sent = lans.take_sent(0);
    let labels: Vec<u32> = sent
        .iter()
        .filter_map(|p| ipv6::Header::parse(p).ok().filter(|h| h.next_header == 17).map(|h| h.flow_label))
        .collect();
    assert_eq!((labels.len(), labels[0]), (3, labels[1]));
    assert!(labels[0] != 0 && labels[2] != 0 && labels[0] != labels[2], "{labels:?}");
}
