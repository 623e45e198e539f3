//! A managed switch against a wire that only records.

use super::*;
use crate::card::pause::Quanta;
use crate::ethernet::EtherType;
use crate::stp::bpdu::BridgeId;
use crate::stp::{Parameters, State};
use crate::vlan::{self, Tag};
use septet_core::{Trace, Wire};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct Sent {
    frames: Vec<(u16, Frame)>,
    backlog: BTreeMap<u16, usize>,
    marks: Vec<(u16, usize)>,
}

impl Wire for Sent {
    fn send(&mut self, port: Port, frame: Frame, _: &mut Trace) {
        self.frames.push((port.0, frame));
    }
    fn backlog(&self, port: Port) -> usize {
        self.backlog.get(&port.0).copied().unwrap_or(0)
    }
    fn wake_below(&mut self, port: Port, bytes: usize) {
        self.marks.push((port.0, bytes));
    }
}

struct Bench {
    switch: Switch,
    wire: Sent,
}

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0xff, 1]);

impl Bench {
    fn new(ports: u16, management: Management) -> Self {
        let switch = Switch::new(Config { management: Some(management), ..Config::default() });
        let mut bench = Self { switch, wire: Sent::default() };
        for port in 0..ports {
            bench.call(|s, out| s.on_carrier(Instant::ZERO, Port(port), Carrier::Up, out));
        }
        bench.wire.frames.clear();
        bench
    }

    fn call(&mut self, act: impl FnOnce(&mut Switch, &mut Out<'_>)) {
        let mut trace = Trace::on();
        act(&mut self.switch, &mut Out::new(&mut self.wire, &mut trace));
    }

    /// Ports and tags of what goes out.
    fn receive(&mut self, port: u16, frame: Frame) -> Vec<(u16, Option<u16>)> {
        self.call(|s, out| s.receive(Instant::from_secs(1), Port(port), frame, out));
        let tag = |frame: &Frame| vlan::parse(frame.bytes()).unwrap().and_then(|t| t.vlan).map(VlanId::get);
        self.wire.frames.drain(..).map(|(port, frame)| (port, tag(&frame))).collect()
    }
}

fn frame(to: MacAddr, from: u64, tag: Option<u16>) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, &[0; 60]);
    Header { destination: to, source: MacAddr::local(from), ether_type: EtherType::IPV4 }.push(&mut frame);
    if let Some(number) = tag {
        vlan::push(&mut frame, Tag { priority: 3, drop_eligible: 0, vlan: VlanId::new(number) });
    }
    frame
}

fn id(number: u16) -> VlanId {
    VlanId::new(number).unwrap()
}

fn vlans() -> Management {
    let ports = BTreeMap::from([
        (0, PortMode::Access(id(10))),
        (1, PortMode::Access(id(10))),
        (2, PortMode::Access(id(20))),
        (3, PortMode::Trunk { allowed: BTreeSet::new(), native: None }),
        (4, PortMode::Trunk { allowed: BTreeSet::from([id(20)]), native: Some(id(30)) }),
    ]);
    Management { vlans: Some(Vlans { ports }), ..Management::new(MAC) }
}

#[test]
fn vlans_are_apart() {
    let mut b = Bench::new(5, vlans());
    assert_eq!(b.receive(0, frame(MacAddr::BROADCAST, 1, None)), [(1, None), (3, Some(10))]);
    assert_eq!(b.receive(2, frame(MacAddr::BROADCAST, 2, None)), [(3, Some(20)), (4, Some(20))]);
    // Known in VLAN 10, unknown in 20: flooded there, and never across.
    assert_eq!(b.receive(2, frame(MacAddr::local(1), 2, None)), [(3, Some(20)), (4, Some(20))]);
    assert_eq!(b.receive(3, frame(MacAddr::local(1), 3, Some(10))), [(0, None)]);
    // The native VLAN goes without a tag.
    assert_eq!(b.receive(3, frame(MacAddr::BROADCAST, 3, Some(30))), [(4, None)]);
    assert_eq!(b.receive(4, frame(MacAddr::BROADCAST, 4, None)), [(3, Some(30))]);
}

#[test]
fn what_a_port_does_not_carry_is_dropped() {
    let mut b = Bench::new(5, vlans());
    assert_eq!(b.receive(0, frame(MacAddr::BROADCAST, 1, Some(20))), []);
    assert_eq!(b.receive(3, frame(MacAddr::BROADCAST, 1, None)), [], "no native VLAN");
    assert_eq!(b.receive(4, frame(MacAddr::BROADCAST, 1, Some(10))), []);
    assert_eq!(b.switch.counters().drops.get(DropReason::Vlan), 3);
    // A tag that only has a priority is no other VLAN.
    assert_eq!(b.receive(0, frame(MacAddr::BROADCAST, 1, Some(0))), [(1, None), (3, Some(10))]);
}

#[test]
fn a_priority_survives_from_trunk_to_trunk() {
    let mut b = Bench::new(5, vlans());
    b.call(|s, out| s.receive(Instant::ZERO, Port(4), frame(MacAddr::BROADCAST, 1, Some(20)), out));
    let (_, out) = b.wire.frames.iter().find(|(port, _)| *port == 3).unwrap();
    assert_eq!(vlan::parse(out.bytes()).unwrap().unwrap().priority, 3);
}

#[test]
fn a_port_gives_its_priority_to_frames_without_a_tag() {
    let mut b = Bench::new(5, Management { priorities: BTreeMap::from([(2, 6), (3, 1)]), ..vlans() });
    let priority = |b: &mut Bench, from: u16, tag| {
        b.call(|s, out| s.receive(Instant::ZERO, Port(from), frame(MacAddr::BROADCAST, u64::from(from), tag), out));
        let out: Vec<_> = b.wire.frames.drain(..).filter_map(|(_, f)| vlan::parse(f.bytes()).unwrap()).collect();
        out[0].priority
    };
    assert_eq!(priority(&mut b, 0, None), 0);
    assert_eq!(priority(&mut b, 2, None), 6);
    // What has a tag keeps its priority.
    assert_eq!(priority(&mut b, 3, Some(20)), 3);
}

#[test]
fn the_mirror_sees_both_ways_and_takes_no_part() {
    let mut b = Bench::new(4, Management { mirror: Some((BTreeSet::from([0]), 3)), ..Management::new(MAC) });
    assert_eq!(b.receive(0, frame(MacAddr::BROADCAST, 1, None)), [(3, None), (1, None), (2, None)]);
    assert_eq!(b.receive(1, frame(MacAddr::local(1), 2, None)), [(3, None), (0, None)]);
    assert_eq!(b.receive(1, frame(MacAddr::local(9), 2, None)), [(3, None), (0, None), (2, None)]);
    assert_eq!(b.receive(3, frame(MacAddr::BROADCAST, 3, None)), []);
}

#[test]
fn a_port_learns_and_forwards_only_when_the_tree_lets_it() {
    let parameters = Parameters::new(BridgeId { priority: 32768, mac: MAC });
    let management = Management { spanning_tree: Some(Tree::new(Version::Stp, parameters)), ..Management::new(MAC) };
    let mut b = Bench::new(3, management);
    assert_eq!(b.switch.port_state(Port(0)), State::Listening);
    assert_eq!(b.receive(0, frame(MacAddr::BROADCAST, 1, None)), []);
    assert_eq!(b.switch.counters().drops.get(DropReason::StpBlocking), 1);
    for _ in 0..100 {
        let Some(at) = b.switch.deadline().filter(|at| *at <= Instant::from_secs(31)) else { break };
        b.call(|s, out| s.on_deadline(at, out));
    }
    assert_eq!(b.switch.port_state(Port(0)), State::Forwarding);
    // BPDUs went out with the bridges' address and no padding missing.
    assert!(b.wire.frames.iter().all(|(_, f)| f.bytes().starts_with(&[1, 0x80, 0xc2, 0, 0, 0]) && f.len() == 60));
    b.wire.frames.clear();
    assert_eq!(b.receive(0, frame(MacAddr::BROADCAST, 1, None)), [(1, None), (2, None)]);
}

#[test]
fn a_congested_port_pauses_who_sends_to_it() {
    let flow = FlowControl { high: 1000, low: 100, quanta: Quanta(500) };
    let mut b = Bench::new(3, Management { flow_control: Some(flow), ..Management::new(MAC) });
    b.receive(2, frame(MacAddr::BROADCAST, 2, None));
    b.wire.backlog.insert(2, 1500);
    b.call(|s, out| s.receive(Instant::ZERO, Port(0), frame(MacAddr::local(2), 1, None), out));
    let [(2, _), (0, pause)] = &b.wire.frames[..] else { panic!("{:?}", b.wire.frames) };
    assert_eq!(crate::card::pause::parse(pause), Some(Quanta(500)));
    assert_eq!(b.wire.marks, [(2, 100)]);
    b.wire.frames.clear();
    // Once is enough, until there is room.
    assert_eq!(b.receive(0, frame(MacAddr::local(2), 1, None)), [(2, None)]);
    b.call(|s, out| s.on_room(Instant::ZERO, Port(2), out));
    let [(0, resume)] = &b.wire.frames[..] else { panic!("{:?}", b.wire.frames) };
    assert_eq!(crate::card::pause::parse(resume), Some(Quanta(0)));
}
