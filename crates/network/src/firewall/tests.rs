//! A router that translates and filters, packet by packet.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;
use septet_core::{Checksums, Seed};
use septet_wire::icmp;
use septet_wire::tcp::Flags;

use super::rule::{Chain, Rule};
use super::*;
use crate::conntrack::samples::{self, error_from, query, tcp, udp};
use crate::conntrack::{Ends, Tuple};
use crate::filter::{Clause, Condition, Kind, Own, Reject};
use crate::nat::{Behaviour, Forward};

const SYN_ACK: Flags = Flags::from_bits(0x12);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// eth0 is inside, with 10.0.0.1; eth1 outside, with 192.0.2.1.
#[derive(Debug)]
struct Addresses;

impl Own for Addresses {
    fn is_own(&self, addr: IpAddr) -> bool {
        self.has(0, addr) || self.has(1, addr)
    }

    fn has(&self, iface: Iface, addr: IpAddr) -> bool {
        self.address_of(iface, addr) == Some(addr)
    }

    fn address_of(&self, iface: Iface, like: IpAddr) -> Option<IpAddr> {
        let addresses = [["10.0.0.1", "192.0.2.1"], ["fd00::1", "2001:db8::1"]];
        addresses[usize::from(like.is_ipv6())].get(usize::from(iface)).map(|a| ip(a))
    }
}

/// What became of a packet.
#[derive(Debug)]
enum Fate {
    Out(Iface, Frame),
    /// For the router itself.
    In,
    Gone(DropReason),
    Rejected(Reject),
}

struct Router {
    firewall: Firewall,
    counters: Counters,
    now: Instant,
}

impl Router {
    fn new(config: Config) -> Self {
        let firewall = Firewall::new(Arc::new(config), Seed::new(1).stream("nat"));
        Self { firewall, counters: Counters::default(), now: Instant::ZERO }
    }

    fn masquerading(nat: nat::Config) -> Self {
        Self::new(Config { nat: Some(nat::Config { outside: vec![1], ..nat }), ..Config::default() })
    }

    fn ask(&mut self, hook: Hook, input: Option<Iface>, output: Option<Iface>, frame: &mut Frame) -> Verdict {
        let like = Packet::read(frame.bytes()).map_or(ip("0.0.0.0"), |packet| packet.dst);
        let mut at = Passage {
            hook,
            now: self.now,
            input,
            output,
            source: output.and_then(|iface| Addresses.address_of(iface, like)),
            own: &Addresses,
            counters: &mut self.counters,
            trace: &mut Trace::off(),
        };
        self.firewall.pass(&mut at, frame)
    }

    /// A packet that comes in by `input`.
    fn take(&mut self, input: Iface, mut frame: Frame) -> Fate {
        let end = |verdict| match verdict {
            Verdict::Accept => None,
            Verdict::Drop(why) => Some(Fate::Gone(why)),
            Verdict::Reject(how) => Some(Fate::Rejected(how)),
        };
        if let Some(fate) = end(self.ask(Hook::Prerouting, Some(input), None, &mut frame)) {
            return fate;
        }
        // What has no header does not come so far.
        let Some(Packet { dst, .. }) = Packet::read(frame.bytes()) else { return Fate::Gone(DropReason::Malformed) };
        if Addresses.is_own(dst) {
            return end(self.ask(Hook::Input, Some(input), None, &mut frame)).unwrap_or(Fate::In);
        }
        let inside = dst.to_string().starts_with("10.") || dst.to_string().starts_with("fd00:");
        let output = u16::from(!inside);
        for hook in [Hook::Forward, Hook::Postrouting] {
            if let Some(fate) = end(self.ask(hook, Some(input), Some(output), &mut frame)) {
                return fate;
            }
        }
        Fate::Out(output, frame)
    }

    /// A packet of the router itself.
    fn send(&mut self, output: Iface, mut frame: Frame) -> Frame {
        for hook in [Hook::Output, Hook::Postrouting] {
            assert_eq!(self.ask(hook, None, Some(output), &mut frame), Verdict::Accept);
        }
        frame
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.firewall.on_deadline(self.now, &mut self.counters, &mut Trace::off());
    }

    /// Where a datagram comes out, and its ends there.
    fn udp(&mut self, input: Iface, from: &str, to: &str) -> Result<(Iface, String, String), DropReason> {
        match self.take(input, udp(end(from), end(to), b"data")) {
            Fate::Out(iface, frame) => {
                let (from, to) = ends(&frame);
                Ok((iface, from.to_string(), to.to_string()))
            }
            Fate::In => Ok((99, from.to_owned(), to.to_owned())),
            Fate::Gone(why) => Err(why),
            Fate::Rejected(how) => panic!("{how:?}"),
        }
    }
}

/// The ends of a packet whose checksums are all right.
fn ends(frame: &Frame) -> (SocketAddr, SocketAddr) {
    let tuple = tuple(frame);
    (SocketAddr::new(tuple.src, tuple.from()), SocketAddr::new(tuple.dst, tuple.to()))
}

fn tuple(frame: &Frame) -> Tuple {
    let mut frame = frame.clone();
    frame.checksums = Checksums::Unverified;
    let packet = Packet::read(frame.bytes()).unwrap();
    assert!(packet.src.is_ipv6() || septet_wire::ipv4::checksum_ok(frame.bytes(), 20), "the header's checksum");
    let seen = crate::conntrack::Seen::of(&packet, &frame, Verify::Yes);
    assert!(!matches!(seen, crate::conntrack::Seen::Invalid(_)), "{seen:?}");
    Tuple::read(&packet, frame.bytes()).unwrap()
}

fn out(fate: Fate) -> Frame {
    match fate {
        Fate::Out(_, frame) => frame,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_clients_with_one_port_get_two_ports_outside_and_each_its_own_answers() {
    let mut router = Router::masquerading(nat::Config::default());
    let (_, first, to) = router.udp(0, "10.0.0.10:5000", "198.51.100.7:53").unwrap();
    assert_eq!((first.as_str(), to.as_str()), ("192.0.2.1:5000", "198.51.100.7:53"), "the port is kept");
    let (_, second, _) = router.udp(0, "10.0.0.11:5000", "198.51.100.7:53").unwrap();
    assert_ne!(second, first);
    assert!(second.starts_with("192.0.2.1:") && end(&second).port().is_multiple_of(2), "and its parity");
    for (outside, inside) in [(first, "10.0.0.10:5000"), (second, "10.0.0.11:5000")] {
        let answer = router.udp(1, "198.51.100.7:53", &outside).unwrap();
        assert_eq!(answer, (0, "198.51.100.7:53".to_owned(), inside.to_owned()));
    }
    assert_eq!((router.counters.nat_new, router.counters.conntrack_new), (2, 2));
}

#[test]
fn a_mapping_is_the_same_for_all_receivers_unless_it_shall_depend_on_them() {
    let mut router = Router::masquerading(nat::Config::default());
    // Somebody else has the port already, so that it is not merely kept.
    router.udp(0, "10.0.0.99:5000", "198.51.100.1:1").unwrap();
    let seen: Vec<_> =
        (1..5).map(|n| router.udp(0, "10.0.0.10:5000", &format!("198.51.100.{n}:53")).unwrap().1).collect();
    assert!(seen.iter().all(|s| *s == seen[0]), "{seen:?}");
    let mut symmetric =
        Router::masquerading(nat::Config { mapping: Behaviour::AddressAndPortDependent, ..nat::Config::default() });
    let seen: std::collections::BTreeSet<_> =
        (1..5).map(|n| symmetric.udp(0, "10.0.0.10:5000", &format!("198.51.100.7:{n}")).unwrap().1).collect();
    assert_eq!(seen.len(), 4);
}

#[test]
fn who_may_send_in_is_said_by_the_filtering() {
    use Behaviour::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
    for (filtering, other_port, other_host) in
        [(EndpointIndependent, true, true), (AddressDependent, true, false), (AddressAndPortDependent, false, false)]
    {
        let mut router = Router::masquerading(nat::Config { filtering, ..nat::Config::default() });
        router.udp(0, "10.0.0.10:5000", "198.51.100.7:53").unwrap();
        assert!(router.udp(1, "198.51.100.7:53", "192.0.2.1:5000").is_ok());
        for (from, passes) in [("198.51.100.7:99", other_port), ("198.51.100.8:53", other_host)] {
            let fate = router.udp(1, from, "192.0.2.1:5000");
            let wanted = if passes {
                Ok((0, from.to_owned(), "10.0.0.10:5000".to_owned()))
            } else {
                Err(DropReason::NatFiltered)
            };
            assert_eq!(fate, wanted, "{filtering:?} {from}");
        }
        assert_eq!(router.udp(1, "198.51.100.7:53", "192.0.2.1:6000").unwrap().0, 99, "no mapping: the router's own");
    }
}

#[test]
fn mappings_outlive_their_conversations_by_the_timeout() {
    let mut router = Router::masquerading(nat::Config::default());
    router.udp(0, "10.0.0.99:5000", "198.51.100.1:1").unwrap();
    let before = router.udp(0, "10.0.0.10:5000", "198.51.100.7:53").unwrap().1;
    router.wait(31);
    assert!(router.firewall.tracker().is_empty(), "nobody answered for thirty seconds");
    router.wait(88);
    assert_eq!(router.firewall.nat().len(), 2);
    assert_eq!(router.udp(0, "10.0.0.10:5000", "198.51.100.8:53").unwrap().1, before, "within two minutes the same");
    router.wait(1);
    assert_eq!(router.firewall.nat().len(), 1);
    router.wait(200);
    assert!(router.firewall.nat().is_empty() && router.firewall.tracker().is_empty());
    assert_eq!(router.firewall.deadline(), None);
}

#[test]
fn a_connection_that_takes_the_place_of_another_holds_its_mapping_no_longer_than_itself() {
    const FIN_ACK: Flags = Flags::from_bits(0x11);
    let mut router = Router::masquerading(nat::Config::default());
    let (client, server, outside) = (end("10.0.0.10:4000"), end("198.51.100.7:80"), end("192.0.2.1:4000"));
    for _ in 0..3 {
        for (inside, flags, seq, ack) in [
            (true, Flags::SYN, 100, 0),
            (false, SYN_ACK, 900, 101),
            (true, Flags::ACK, 101, 901),
            (true, FIN_ACK, 101, 901),
            (false, FIN_ACK, 901, 102),
            (true, Flags::ACK, 102, 902),
        ] {
            let frame = match inside {
                true => tcp(client, server, flags, seq, ack, b""),
                false => tcp(server, outside, flags, seq, ack, b""),
            };
            out(router.take(u16::from(!inside), frame));
        }
    }
    assert_eq!(
        (router.counters.conntrack_new, router.firewall.tracker().len(), router.firewall.nat().len()),
        (3, 1, 1)
    );
    router.wait(120);
    router.wait(120);
    assert!(router.firewall.tracker().is_empty() && router.firewall.nat().is_empty());
}

#[test]
fn a_ping_and_the_errors_about_it_find_back() {
    let mut router = Router::masquerading(nat::Config::default());
    let (client, server) = (ip("10.0.0.10"), ip("198.51.100.7"));
    router.take(0, query(ip("10.0.0.9"), server, true, 77, b"other"));
    let sent = out(router.take(0, query(client, server, true, 77, b"data")));
    let seen = tuple(&sent);
    assert_eq!(seen.src, ip("192.0.2.1"));
    assert_ne!(seen.from(), 77, "somebody else pings with that identifier");
    let answer = out(router.take(1, query(server, seen.src, false, seen.from(), b"data")));
    assert_eq!((tuple(&answer).dst, tuple(&answer).from()), (client, 77));
    let error = error_from(ip("203.0.113.5"), seen.src, icmp::kind::TIME_EXCEEDED, 0, &sent);
    let error = out(router.take(1, error));
    let packet = Packet::read(error.bytes()).unwrap();
    assert_eq!((packet.src, packet.dst), (ip("203.0.113.5"), client));
    let mut quoted = Frame::new(0, &error.bytes()[28..]);
    quoted.checksums = Checksums::Unverified;
    assert_eq!((tuple(&quoted).src, tuple(&quoted).from()), (client, 77), "what is quoted is what was sent");
}

#[test]
fn a_port_forward_from_outside_and_from_inside() {
    let forward = Forward { protocol: 6, ports: 8080..=8081, to: ip("10.0.0.80"), port: 80 };
    let mut router = Router::masquerading(nat::Config { forwards: vec![forward], ..nat::Config::default() });
    let syn = out(router.take(1, tcp(end("198.51.100.7:4000"), end("192.0.2.1:8081"), Flags::SYN, 1, 0, b"")));
    assert_eq!(ends(&syn), (end("198.51.100.7:4000"), end("10.0.0.80:81")));
    let answer = out(router.take(0, tcp(end("10.0.0.80:81"), end("198.51.100.7:4000"), SYN_ACK, 9, 2, b"")));
    assert_eq!(ends(&answer), (end("192.0.2.1:8081"), end("198.51.100.7:4000")));
    // Hairpin: the server sees the address outside, and so its answer comes back here.
    let syn = out(router.take(0, tcp(end("10.0.0.10:4000"), end("192.0.2.1:8080"), Flags::SYN, 1, 0, b"")));
    let (from, to) = ends(&syn);
    assert_eq!((from.ip(), to), (ip("192.0.2.1"), end("10.0.0.80:80")));
    let answer = out(router.take(0, tcp(end("10.0.0.80:80"), from, SYN_ACK, 9, 2, b"")));
    assert_eq!(ends(&answer), (end("192.0.2.1:8080"), end("10.0.0.10:4000")));
    // An error of the server about it looks as if it came from outside.
    let about = out(router.take(1, tcp(end("198.51.100.7:4001"), end("192.0.2.1:8080"), Flags::SYN, 1, 0, b"")));
    let error = out(router.take(0, error_from(ip("10.0.0.80"), ip("198.51.100.7"), 3, 3, &about)));
    assert_eq!(Packet::read(error.bytes()).unwrap().src, ip("192.0.2.1"));
    let quote = &error.bytes()[28..];
    let quoted = Tuple::read(&Packet::read(quote).unwrap(), quote).unwrap();
    assert_eq!((quoted.dst, quoted.to()), (ip("192.0.2.1"), 8080));
}

#[test]
fn two_clients_find_each_other_by_their_ports_outside() {
    let mut router = Router::masquerading(nat::Config::default());
    let a = router.udp(0, "10.0.0.10:5000", "198.51.100.7:3478").unwrap().1;
    let b = router.udp(0, "10.0.0.11:6000", "198.51.100.7:3478").unwrap().1;
    // The first knock is refused, the second one finds that the other has knocked.
    assert_eq!(router.udp(0, "10.0.0.10:5000", &b), Err(DropReason::NatFiltered));
    assert_eq!(router.udp(0, "10.0.0.11:6000", &a), Ok((0, b.clone(), "10.0.0.10:5000".to_owned())));
    assert_eq!(router.udp(0, "10.0.0.10:5000", &b), Ok((0, a, "10.0.0.11:6000".to_owned())));
}

#[test]
fn when_no_port_is_left_it_is_dropped_and_counted() {
    let mut router = Router::masquerading(nat::Config { ports: Some(2000..=2003), ..nat::Config::default() });
    for n in 0..4 {
        assert!(router.udp(0, &format!("10.0.0.{}:5000", 10 + n), "198.51.100.7:53").is_ok());
    }
    assert_eq!(router.udp(0, "10.0.0.50:5000", "198.51.100.7:53"), Err(DropReason::NatPorts));
    assert_eq!(router.counters.nat_exhausted, 1);
    router.wait(300);
    assert!(router.udp(0, "10.0.0.50:5000", "198.51.100.7:53").is_ok());
}

#[test]
fn errors_of_the_router_itself_quote_what_their_receiver_sent() {
    let mut router = Router::masquerading(nat::Config::default());
    router.udp(0, "10.0.0.10:5000", "198.51.100.7:53").unwrap();
    // The answer's destination is translated back before the router finds that it can go no further.
    let mut answer = udp(end("198.51.100.7:53"), end("192.0.2.1:5000"), b"data");
    assert_eq!(router.ask(Hook::Prerouting, Some(1), None, &mut answer), Verdict::Accept);
    assert_eq!(ends(&answer).1, end("10.0.0.10:5000"));
    let error = error_from(ip("192.0.2.1"), ip("198.51.100.7"), icmp::kind::TIME_EXCEEDED, 0, &answer);
    let error = router.send(1, error);
    let quote = &error.bytes()[28..];
    let quoted = Tuple::read(&Packet::read(quote).unwrap(), quote).unwrap();
    assert_eq!((quoted.dst, quoted.to()), (ip("192.0.2.1"), 5000));
}

fn rule(text: &str, steps: Vec<Step>) -> Rule {
    Rule { text: text.to_owned(), listed: text.to_owned(), steps }
}

fn chain(name: &str, policy: Policy, rules: Vec<Rule>) -> Chain {
    Chain { name: name.to_owned(), policy, rules }
}

/// `ct state established,related accept` behind a policy of dropping, and what else is said.
fn stateful(more: Vec<Rule>) -> Router {
    let states = Test::State(vec![State::Established, State::Related], Sense::Is);
    let mut all =
        vec![rule("ct state established,related accept", vec![Step::Match(states), Step::Do(Action::Accept)])];
    all.extend(more);
    let rules = Ruleset {
        chains: vec![chain("forward", Policy::Drop, all)],
        base: vec![(Hook::Forward, 0)],
        ..Ruleset::default()
    };
    Router::new(Config { rules, ..Config::default() })
}

fn from_inside() -> Rule {
    let inside = Test::Input(vec![Face::Number(0)], Sense::Is);
    rule("iifname eth0 accept", vec![Step::Match(inside), Step::Do(Action::Accept)])
}

#[test]
fn answers_pass_and_what_is_unsolicited_does_not_in_both_families() {
    for (a, b) in [("10.0.0.10:5000", "198.51.100.7:53"), ("[fd00::10]:5000", "[2001:db8::7]:53")] {
        let mut router = stateful(vec![from_inside()]);
        assert_eq!(router.udp(1, b, a), Err(DropReason::Firewall));
        assert_eq!(router.udp(0, a, b), Ok((1, a.to_owned(), b.to_owned())));
        assert_eq!(router.udp(1, b, a), Ok((0, b.to_owned(), a.to_owned())));
        router.wait(31);
        assert_eq!(router.udp(1, b, a), Err(DropReason::Firewall), "forgotten");
        assert_eq!(router.counters.firewall_drops, 2);
    }
}

#[test]
fn chains_lead_to_others_and_back() {
    let is_udp = || Test::is(Condition::Kind(vec![Kind::UDP]));
    let port = |port| Test::is(Condition::Port(End::Destination, vec![port..=port]));
    let hook = vec![
        rule("jump sub", vec![Step::Do(Action::Jump(1))]),
        rule("udp reject", vec![Step::Match(is_udp()), Step::Do(Action::Reject(Reject::PortUnreachable))]),
    ];
    let sub = vec![
        rule("udp dport 1 return", vec![Step::Match(port(1)), Step::Do(Action::Return)]),
        rule("udp dport 2 accept", vec![Step::Match(port(2)), Step::CountAs(0), Step::Do(Action::Accept)]),
        rule("udp dport 3 goto end", vec![Step::Match(port(3)), Step::Do(Action::Goto(2))]),
        rule("continue", vec![Step::Do(Action::Continue)]),
        rule(
            "udp dport vmap { 5 : drop }",
            vec![Step::Map(vec![(port(5), Action::Drop)]), Step::Match(port(6)), Step::Do(Action::Accept)],
        ),
    ];
    let end_chain = vec![rule("udp dport 4 drop", vec![Step::Match(port(4)), Step::Do(Action::Drop)])];
    let rules = Ruleset {
        chains: vec![
            chain("forward", Policy::Accept, hook),
            chain("sub", Policy::Accept, sub),
            chain("end", Policy::Accept, end_chain),
        ],
        base: vec![(Hook::Forward, 0)],
        counters: vec!["two".to_owned()],
        ..Ruleset::default()
    };
    let mut router = Router::new(Config { rules, ..Config::default() });
    let mut fate = |port: u16| {
        let to = SocketAddr::new(Ipv4Addr::new(198, 51, 100, 7).into(), port);
        match router.take(0, udp(end("10.0.0.10:5000"), to, b"")) {
            Fate::Out(..) => "accept",
            Fate::Gone(DropReason::Firewall) => "drop",
            Fate::Rejected(Reject::PortUnreachable) => "reject",
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        [1, 2, 3, 4, 5, 6, 7].map(&mut fate),
        ["reject", "accept", "reject", "reject", "drop", "accept", "reject"]
    );
    assert_eq!(router.firewall.count("two").map(|c| c.packets), Some(1));
    let counted: Vec<_> = router.firewall.counts().filter(|(_, _, count)| count.packets > 0).collect();
    assert!(counted.iter().any(|(chain, text, count)| (*chain, *text, count.packets) == ("forward", "udp reject", 4)));
}

#[test]
fn without_rules_that_ask_for_it_nothing_is_tracked() {
    let clause = Clause { condition: Condition::Kind(vec![Kind::TCP]), sense: Sense::IsNot };
    let only = rule("meta l4proto != tcp drop", vec![Step::Match(Test::Packet(clause)), Step::Do(Action::Drop)]);
    let rules = Ruleset {
        chains: vec![chain("input", Policy::Accept, vec![only])],
        base: vec![(Hook::Input, 0)],
        ..Ruleset::default()
    };
    let mut router = Router::new(Config { rules, ..Config::default() });
    assert!(!router.firewall.wants_whole());
    assert!(matches!(router.take(1, udp(end("198.51.100.7:1"), end("192.0.2.1:1"), b"")), Fate::Gone(_)));
    let syn = tcp(end("198.51.100.7:1"), end("192.0.2.1:1"), Flags::SYN, 1, 0, b"");
    assert!(matches!(router.take(1, syn), Fate::In));
    assert!(router.firewall.tracker().is_empty());
}

/// Packets, many of them of few conversations.
fn any_packet() -> impl Strategy<Value = (bool, Frame)> {
    let host =
        prop_oneof![Just("10.0.0.10"), Just("10.0.0.11"), Just("192.0.2.1"), Just("198.51.100.7"), Just("10.0.0.1")];
    let port = prop_oneof![Just(80u16), Just(5000), Just(8080)];
    let ends = (host.clone(), port.clone(), host, port);
    let kind = (0u8..8, any::<u8>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40));
    (ends, kind).prop_map(|((a, pa, b, pb), (kind, flags, inside, data))| {
        let (from, to) = (SocketAddr::new(ip(a), pa), SocketAddr::new(ip(b), pb));
        let frame = match kind {
            0 | 1 => tcp(from, to, Flags::from_bits(flags & 0x1f), u32::from(flags), 1, &data),
            2 => udp(from, to, &data),
            3 => query(from.ip(), to.ip(), flags & 1 == 0, pa, &data),
            4 => error_from(from.ip(), to.ip(), 3, flags & 3, &udp(to, from, &data)),
            5 => error_from(from.ip(), to.ip(), 11, 0, &tcp(to, from, Flags::SYN, 1, 0, &data)),
            6 => samples::packet(from.ip(), to.ip(), flags, Frame::new(Frame::HEADROOM, &data)),
            _ => {
                let mut frame = udp(from, to, &data);
                let at = usize::from(flags) % frame.len();
                frame.bytes_mut()[at] ^= 0x55;
                frame
            }
        };
        (inside, frame)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_packets_in_whatever_order_do_harm(
        packets in proptest::collection::vec((any_packet(), 0u64..40), 0..120), hairpin in any::<bool>()
    ) {
        let forward = Forward { protocol: 17, ports: 8080..=8080, to: ip("10.0.0.11"), port: 80 };
        let filtering = if hairpin { Behaviour::EndpointIndependent } else { Behaviour::AddressAndPortDependent };
        let nat = nat::Config { outside: vec![1], forwards: vec![forward], filtering, ..nat::Config::default() };
        let mut router = Router::new(Config { nat: Some(nat), connections: 7, ..Config::default() });
        for ((inside, frame), seconds) in packets {
            let fate = router.take(u16::from(!inside), frame);
            if let Fate::Out(1, frame) = fate
                && router.firewall.found.of != Of::None
                && router.firewall.found.direction == crate::conntrack::Direction::Original
            {
                let src = Packet::read(frame.bytes()).unwrap().src;
                prop_assert!(!src.to_string().starts_with("10."), "nobody inside begins anything under an address inside");
            }
            router.wait(seconds);
            prop_assert!(router.firewall.tracker().len() <= 7);
        }
        router.wait(1_000_000);
        router.wait(1_000_000);
        prop_assert!(router.firewall.tracker().is_empty() && router.firewall.nat().is_empty());
        prop_assert_eq!(router.firewall.deadline(), None);
    }

    #[test]
    fn every_answer_finds_back_to_who_asked(
        flows in proptest::collection::vec((10u8..20, 0u16..4, 0u8..4, any::<bool>()), 1..60)
    ) {
        let mut router = Router::masquerading(nat::Config::default());
        for (host, port, server, is_tcp) in flows {
            let from = SocketAddr::new(Ipv4Addr::new(10, 0, 0, host).into(), 5000 + port);
            let to = SocketAddr::new(Ipv4Addr::new(198, 51, 100, server).into(), 53);
            let sent = if is_tcp { tcp(from, to, Flags::SYN, 1, 0, b"") } else { udp(from, to, b"?") };
            let (seen, there) = ends(&out(router.take(0, sent)));
            prop_assert_eq!((seen.ip(), there), (ip("192.0.2.1"), to));
            let answer = if is_tcp { tcp(to, seen, SYN_ACK, 9, 2, b"") } else { udp(to, seen, b"!") };
            prop_assert_eq!(ends(&out(router.take(1, answer))), (to, from));
        }
    }
}

#[test]
fn what_has_no_ports_is_told_apart_by_its_hosts() {
    let mut router = Router::masquerading(nat::Config::default());
    let gre = |from: &str, to: &str| samples::packet(ip(from), ip(to), 47, Frame::new(Frame::HEADROOM, b"tunnel"));
    let sent = out(router.take(0, gre("10.0.0.10", "198.51.100.7")));
    assert_eq!((tuple(&sent).src, tuple(&sent).ends), (ip("192.0.2.1"), Ends::None));
    assert_eq!(tuple(&out(router.take(1, gre("198.51.100.7", "192.0.2.1")))).dst, ip("10.0.0.10"));
    // A second tunnel to the same server could not be told from the first.
    assert!(matches!(router.take(0, gre("10.0.0.11", "198.51.100.7")), Fate::Gone(DropReason::NatPorts)));
}
