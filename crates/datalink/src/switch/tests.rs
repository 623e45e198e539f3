//! The switch against a wire that only records.

use super::*;
use crate::ethernet::EtherType;
use septet_core::{Trace, Wire};

#[derive(Default)]
struct Sent(Vec<(u16, Frame)>);

impl Wire for Sent {
    fn send(&mut self, port: Port, frame: Frame, _: &mut Trace) {
        self.0.push((port.0, frame));
    }
    fn backlog(&self, _: Port) -> usize {
        0
    }
    fn wake_below(&mut self, _: Port, _: usize) {}
}

struct Bench {
    switch: Switch,
    trace: Trace,
}

impl Bench {
    fn new(ports: u16, config: Config) -> Self {
        let mut bench = Self { switch: Switch::new(config), trace: Trace::on() };
        for port in 0..ports {
            bench.carrier(port, Carrier::Up);
        }
        bench
    }

    fn carrier(&mut self, port: u16, carrier: Carrier) {
        let mut sent = Sent::default();
        let mut out = Out::new(&mut sent, &mut self.trace);
        self.switch.on_carrier(Instant::ZERO, Port(port), carrier, &mut out);
        assert!(sent.0.is_empty());
    }

    fn receive(&mut self, secs: u64, port: u16, frame: Frame) -> Vec<u16> {
        let mut sent = Sent::default();
        let mut out = Out::new(&mut sent, &mut self.trace);
        self.switch.receive(Instant::from_secs(secs), Port(port), frame, &mut out);
        sent.0.into_iter().map(|(p, _)| p).collect()
    }

    fn kinds(&mut self) -> Vec<&'static str> {
        self.trace
            .drain()
            .filter_map(|r| match r {
                septet_core::Record::Event(e) => Some(e.kind),
                septet_core::Record::Secret(_) => None,
            })
            .collect()
    }
}

fn frame(to: MacAddr, from: u64) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, b"x");
    Header { destination: to, source: MacAddr::local(from), ether_type: EtherType::IPV4 }.push(&mut frame);
    frame
}

fn mac(n: u64) -> MacAddr {
    MacAddr::local(n)
}

#[test]
fn learns_then_forwards_to_one_port() {
    let mut b = Bench::new(4, Config::default());
    assert_eq!(b.receive(0, 0, frame(mac(2), 1)), [1, 2, 3]);
    assert_eq!(b.receive(0, 2, frame(mac(1), 2)), [0]);
    assert_eq!(b.receive(0, 0, frame(mac(2), 1)), [2]);
    assert_eq!(b.kinds(), ["switch.learn", "switch.flood", "switch.learn"]);
    assert_eq!(b.receive(0, 1, frame(MacAddr::BROADCAST, 3)), [0, 2, 3]);
}

#[test]
fn never_sends_back_where_it_came_from() {
    let mut b = Bench::new(3, Config::default());
    b.receive(0, 0, frame(MacAddr::BROADCAST, 1));
    assert_eq!(b.receive(0, 0, frame(mac(1), 9)), []);
    assert_eq!(b.switch.counters().filtered, 1);
}

#[test]
fn forgets_after_the_ageing_time() {
    let mut b = Bench::new(3, Config::default());
    b.receive(0, 2, frame(MacAddr::BROADCAST, 2));
    assert_eq!(b.receive(299, 0, frame(mac(2), 1)), [2]);
    assert_eq!(b.receive(300, 0, frame(mac(2), 1)), [1, 2]);
    assert_eq!(
        b.switch.table().iter(Instant::from_secs(300)).map(|(m, p, _)| (m, p)).collect::<Vec<_>>(),
        [(mac(1), Port(0))]
    );
}

#[test]
fn follows_a_station_that_moves_and_a_port_that_goes_dark() {
    let mut b = Bench::new(4, Config::default());
    b.receive(0, 2, frame(MacAddr::BROADCAST, 2));
    b.receive(1, 3, frame(MacAddr::BROADCAST, 2));
    assert_eq!(b.receive(1, 0, frame(mac(2), 1)), [3]);
    b.carrier(3, Carrier::Down);
    assert_eq!(b.receive(1, 0, frame(mac(2), 1)), [1, 2]);
    let kinds = b.kinds();
    assert!(kinds.contains(&"switch.move") && kinds.contains(&"switch.forget"), "{kinds:?}");
}

#[test]
fn a_full_table_floods_and_recovers_by_ageing() {
    let mut b = Bench::new(3, Config { capacity: 2, ..Config::default() });
    for n in 1..=3 {
        b.receive(0, 0, frame(MacAddr::BROADCAST, n));
    }
    assert!(b.kinds().contains(&"switch.full"));
    assert_eq!(b.receive(1, 1, frame(mac(3), 1)), [0, 2], "3 found no room");
    assert_eq!(b.receive(1, 1, frame(mac(2), 1)), [0]);
    b.receive(301, 2, frame(MacAddr::BROADCAST, 7));
    assert_eq!(b.receive(301, 1, frame(mac(7), 8)), [2]);
}

#[test]
fn drops_what_no_card_would_accept() {
    let mut b = Bench::new(3, Config::default());
    let mut bad = frame(mac(2), 1);
    bad.fcs = Some(0);
    assert_eq!(b.receive(0, 0, bad), []);
    assert_eq!(b.receive(0, 0, Frame::new(0, &[0; 20])), []);
    assert_eq!(b.receive(0, 0, Frame::new(0, &[0; 1600])), []);
    let mut group = frame(mac(2), 1);
    group.bytes_mut()[6] |= 1;
    assert_eq!(b.receive(0, 0, group), []);
    let drops = &b.switch.counters().drops;
    for reason in [DropReason::Fcs, DropReason::Runt, DropReason::Giant, DropReason::Malformed] {
        assert_eq!(drops.get(reason), 1, "{reason}");
    }
}

#[test]
fn what_the_link_behind_a_port_does_not_take_is_dropped_at_that_port() {
    let mut b = Bench::new(3, Config { mtus: vec![1500, 1400, 1500], ..Config::default() });
    let sized = |to: MacAddr, from: u64, payload: usize| {
        let mut frame = Frame::new(Frame::HEADROOM, &vec![0; payload]);
        Header { destination: to, source: MacAddr::local(from), ether_type: EtherType::IPV4 }.push(&mut frame);
        frame
    };
    let too_big = |b: &Bench, port| b.switch.link_stats(Port(port)).map_or(0, |s| s.drops.get(DropReason::TooBig));
    // Flooded: everywhere but there.
    assert_eq!(b.receive(0, 0, sized(mac(2), 1, 1400)), [1, 2]);
    assert_eq!(b.receive(0, 0, sized(mac(2), 1, 1401)), [2]);
    assert_eq!(too_big(&b, 1), 1);
    // To one: not at all.
    b.receive(0, 1, sized(mac(1), 2, 100));
    assert_eq!(b.receive(0, 0, sized(mac(2), 1, 1500)), []);
    assert_eq!((too_big(&b, 1), too_big(&b, 0)), (2, 0));
    assert_eq!(b.switch.link_stats(Port(1)).unwrap().tx_dropped, 2);
    // In the other direction a frame that its link does not take is a giant.
    assert_eq!(b.receive(0, 1, sized(mac(1), 2, 1500)), []);
    assert_eq!(b.switch.counters().drops.get(DropReason::Giant), 1);
    assert!(b.kinds().contains(&"switch.drop"));
    // A tag is no part of the packet.
    let mut tagged = sized(mac(2), 1, 1400);
    crate::vlan::push(&mut tagged, crate::vlan::Tag::new(VlanId::DEFAULT));
    assert_eq!(b.receive(0, 0, tagged), [1]);
}
