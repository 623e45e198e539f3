//! A switch with VLANs, a spanning tree, a mirror, priorities and flow control takes any frames at any ports, while time
//! passes and carriers come and go; its table stays within its bound.
#![no_main]

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;
use septet_core::{Carrier, Frame, Instant, Out, Port, Power, Station, Trace, Wire};
use septet_datalink::ethernet::MacAddr;
use septet_datalink::stp::Parameters;
use septet_datalink::stp::bpdu::BridgeId;
use septet_datalink::switch::{Config, FlowControl, Management, PortMode, Snooping, Switch, Tree, Version, Vlans};
use septet_datalink::vlan::VlanId;

/// Counts what comes out; its backlog is what it was told.
#[derive(Default)]
struct Sink {
    sent: usize,
    backlog: usize,
}

impl Wire for Sink {
    fn send(&mut self, port: Port, _: Frame, _: &mut Trace) {
        assert!(port.0 < 6);
        self.sent += 1;
    }
    fn backlog(&self, _: Port) -> usize {
        self.backlog
    }
    fn wake_below(&mut self, _: Port, _: usize) {}
}

fuzz_target!(|bytes: &[u8]| {
    let mac = MacAddr::local(1);
    let vlan = |number| VlanId::new(number).unwrap();
    let ports = BTreeMap::from([
        (0, PortMode::Access(vlan(10))),
        (1, PortMode::Trunk { allowed: BTreeSet::new(), native: None }),
        (2, PortMode::Trunk { allowed: BTreeSet::from([vlan(10)]), native: Some(vlan(20)) }),
    ]);
    let management = Management {
        vlans: Some(Vlans { ports }),
        spanning_tree: Some(Tree {
            // Both protocols, each with half of the inputs.
            version: if bytes.first().is_some_and(|b| b % 2 == 1) { Version::Rstp } else { Version::Stp },
            parameters: Parameters::new(BridgeId { priority: 1, mac }),
            costs: BTreeMap::new(),
            edges: BTreeSet::from([4]),
            shared: BTreeSet::from([3]),
        }),
        mirror: Some((BTreeSet::from([0, 1]), 5)),
        flow_control: Some(FlowControl::default()),
        snooping: Some(Snooping::default()),
        ..Management::new(mac)
    };
    let mut switch = Switch::new(Config { capacity: 8, management: Some(management), ..Config::default() });
    let (mut wire, mut trace) = (Sink::default(), Trace::on());
    let mut now = Instant::from_millis(1);
    let mut out = Out::new(&mut wire, &mut trace);
    switch.on_power(now, Power::On, &mut out);
    for port in 0..6 {
        switch.on_carrier(now, Port(port), Carrier::Up, &mut out);
    }
    for piece in bytes.chunks(70) {
        let [what, wait, frame @ ..] = piece else { break };
        now = now + Duration::from_millis(u64::from(*wait) * 100);
        wire.backlog = usize::from(*wait) * 1000;
        let (mut out, port) = (Out::new(&mut wire, &mut trace), Port(u16::from(what % 6)));
        match what / 6 {
            0 => switch.on_carrier(now, port, Carrier::Down, &mut out),
            1 => switch.on_carrier(now, port, Carrier::Up, &mut out),
            2 => switch.on_room(now, port, &mut out),
            _ => {
                let mut frame = Frame::new(Frame::HEADROOM, frame);
                frame.pad_to(60);
                switch.receive(now, port, frame, &mut out);
            }
        }
        while let Some(at) = switch.deadline().filter(|at| *at <= now) {
            switch.on_deadline(at.max(now), &mut out);
        }
        assert!(switch.table().iter(now).count() <= 8);
        let _ = trace.drain().count();
    }
});
