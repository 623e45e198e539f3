//! A router that filters IPv6: what it tracks it puts together and cuts again, and whom it refuses it tells.

use std::net::Ipv6Addr;
use std::sync::Arc;

use septet_core::{Frame, Seed};
use septet_network::Trouble;
use septet_network::conntrack::State;
use septet_network::filter::{Condition, End, Hook, Reject, Sense};
use septet_network::firewall::rule::{Action, Chain, Face, Policy, Rule, Ruleset, Step, Test};
use septet_network::firewall::{Config, Firewall};
use septet_network::ip::{Advertise, SendError, Up};
use septet_wire::udp;

use crate::lan::{Lans, addr};
use crate::{made, routed};

/// Hosts 0 and 2 with the router 1 between them, which lets in from 2 only what answers 0, and refuses port 7.
fn filtered() -> Lans {
    let rule = |steps: Vec<Step>| Rule { text: "a rule".to_owned(), listed: String::new(), steps };
    let states = Test::State(vec![State::Established, State::Related], Sense::Is);
    let inside = Test::Input(vec![Face::Number(0)], Sense::Is);
    let port = Test::is(Condition::Port(End::Destination, vec![7..=7]));
    let rules = vec![
        rule(vec![Step::Match(states), Step::Do(Action::Accept)]),
        rule(vec![Step::Match(inside), Step::Do(Action::Accept)]),
        rule(vec![Step::Match(port), Step::Do(Action::Reject(Reject::AdminProhibited))]),
    ];
    let chain = Chain { name: "forward".to_owned(), policy: Policy::Drop, rules };
    let rules = Ruleset { chains: vec![chain], base: vec![(Hook::Forward, 0)], ..Ruleset::default() };
    let firewall = Firewall::new(Arc::new(Config { rules, ..Config::default() }), Seed::new(1).stream("firewall"));
    let mut lans = routed(Advertise::default());
    lans.nodes[1].ip.set_filter(Some(Box::new(firewall)));
    lans.run(10);
    lans
}

/// A datagram of UDP without its header of IP.
fn datagram((src, from): (Ipv6Addr, u16), (dst, to): (Ipv6Addr, u16), len: usize) -> Vec<u8> {
    let mut frame = Frame::new(Frame::HEADROOM, &vec![7; len]);
    udp::Header { src_port: from, dst_port: to }.push(src.into(), dst.into(), &mut frame);
    frame.bytes().to_vec()
}

#[test]
fn answers_pass_in_pieces_too_and_what_is_unsolicited_does_not() {
    let mut lans = filtered();
    let (a, b) = (made(1, 0), made(2, 2));
    let (ask, answer) = (datagram((a, 5000), (b, 53), 4000), datagram((b, 53), (a, 5000), 3000));
    lans.send(2, a, &answer).unwrap();
    lans.run(2);
    assert!(lans.datagrams(0).is_empty(), "nobody has asked");
    // The first is too large for the second link in pieces of 1500, as the router tells its sender; then they fit.
    for _ in 0..2 {
        lans.send(0, b, &ask).unwrap();
        lans.run(2);
    }
    let got = lans.datagrams(2);
    assert_eq!(got.iter().map(|d| d.frame.bytes() == ask).collect::<Vec<_>>(), [true]);
    let pieces = lans.take_sent(1).into_iter().filter(|packet| packet[6] == 44).collect::<Vec<_>>();
    assert!(pieces.len() >= 3 && pieces.iter().all(|packet| packet.len() <= 1400), "cut again as it came");
    lans.send(2, a, &answer).unwrap();
    lans.run(2);
    assert_eq!(lans.datagrams(0).len(), 1);
    assert_eq!(lans.nodes[1].ip.counters.firewall_drops, 1);
}

#[test]
fn who_is_refused_is_told_and_a_host_that_refuses_itself_gets_an_error() {
    let mut lans = filtered();
    let (a, b) = (made(1, 0), made(2, 2));
    lans.send(2, a, &datagram((b, 9), (a, 7), 10)).unwrap();
    lans.run(2);
    let told = core::mem::take(&mut lans.nodes[2].up);
    assert!(matches!(&told[..], [Up::Error(report)] if report.trouble == Trouble::Prohibited), "{told:?}");

    let rule = Rule { text: "drop".to_owned(), listed: String::new(), steps: vec![Step::Do(Action::Drop)] };
    let chain = Chain { name: "output".to_owned(), policy: Policy::Accept, rules: vec![rule] };
    let rules = Ruleset { chains: vec![chain], base: vec![(Hook::Output, 0)], ..Ruleset::default() };
    let firewall = Firewall::new(Arc::new(Config { rules, ..Config::default() }), Seed::new(1).stream("firewall"));
    lans.nodes[0].ip.set_filter(Some(Box::new(firewall)));
    assert_eq!(lans.send(0, addr("2001:db8:0:1::1"), &datagram((a, 1), (b, 2), 10)), Err(SendError::Prohibited));
}
