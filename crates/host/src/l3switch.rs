//! A layer-3 switch: a switch, and behind a port of its own a router with an interface in each VLAN, all in one box. What is
//! for the router's link address, or for all, goes to it; what it routes comes back with the tag of another VLAN.
//!
//! The interface in a VLAN is up while any port of that VLAN is, and forwards (Cisco's autostate): with the last of them it goes,
//! its routes are taken no more, and the routing protocols hear of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use septet_core::{Carrier, Frame, Instant, LinkCounters, Out, Port, PortReport, Power, Station, Storey, Trace, Wire};
use septet_datalink::switch::Switch;
use septet_datalink::vlan::VlanId;
use septet_network::Iface;

use crate::host::Host;

/// The router's one port, which all its interfaces share.
const ROUTERS: Port = Port(0);

/// A switch that routes between its VLANs.
#[derive(Debug)]
pub struct LayerThreeSwitch {
    switch: Switch,
    router: Host,
    /// The port of the switch behind which the router is.
    inside: Port,
    /// Ports with a carrier.
    up: BTreeSet<u16>,
    /// Whether the router's interfaces are up, each with its VLAN; the one without hears what has no tag.
    links: BTreeMap<Iface, (Option<VlanId>, Carrier)>,
    /// The switch's course when that was found out.
    course: u32,
    crossing: Crossing,
}

/// Frames on their way between the two.
#[derive(Default, Debug)]
struct Crossing {
    to_router: VecDeque<Frame>,
    to_switch: VecDeque<Frame>,
}

impl LayerThreeSwitch {
    /// A switch whose port `inside`, a trunk of all VLANs, leads to the port of `router`.
    pub fn new(switch: Switch, router: Host, inside: Port) -> Self {
        let links = router.with_ip(|ip| (0..ip.interfaces()).map(|i| (i, (ip.vlan_of(i), Carrier::Down))).collect());
        let course = switch.course();
        Self { switch, router, inside, up: BTreeSet::new(), links, course, crossing: Crossing::default() }
    }

    fn with_switch(&mut self, out: &mut Out<'_>, act: impl FnOnce(&mut Switch, &mut Out<'_>)) {
        let (wire, trace) = out.parts();
        let mut side = SwitchSide { wire, inside: self.inside, frames: &mut self.crossing.to_router };
        act(&mut self.switch, &mut Out::new(&mut side, trace));
    }

    fn with_router(&mut self, out: &mut Out<'_>, act: impl FnOnce(&mut Host, &mut Out<'_>)) {
        let (wire, trace) = out.parts();
        let mut side = RouterSide { wire, frames: &mut self.crossing.to_switch };
        act(&mut self.router, &mut Out::new(&mut side, trace));
    }

    /// Lets everything cross that is to, and what follows from it.
    fn settle(&mut self, now: Instant, out: &mut Out<'_>) {
        loop {
            if self.course != self.switch.course() {
                self.follow(now, out);
            } else if let Some(frame) = self.crossing.to_router.pop_front() {
                self.with_router(out, |router, out| router.receive(now, ROUTERS, frame, out));
            } else if let Some(frame) = self.crossing.to_switch.pop_front() {
                let inside = self.inside;
                self.with_switch(out, |switch, out| switch.receive(now, inside, frame, out));
            } else {
                return;
            }
        }
    }

    /// Lets the interfaces follow their VLANs.
    fn follow(&mut self, now: Instant, out: &mut Out<'_>) {
        self.course = self.switch.course();
        let mut changed = Vec::new();
        for (iface, (vlan, carrier)) in &mut self.links {
            let is_up = vlan.map_or(!self.up.is_empty(), |vlan| self.switch.reaches(vlan));
            let found = if is_up { Carrier::Up } else { Carrier::Down };
            if core::mem::replace(carrier, found) != found {
                changed.push((*iface, found));
            }
        }
        for (iface, carrier) in changed {
            let name = self.router.with_ip(|ip| ip.name_of(iface));
            out.trace.emit(Storey::Network, "svi.state", out.trace.cause(), |f| {
                let up = carrier == Carrier::Up;
                f.set("iface", name).set("state", if up { "up" } else { "down" });
                f.set("why", if up { "a port of its VLAN forwards" } else { "no port of its VLAN forwards" });
            });
            self.with_router(out, |router, out| router.on_link(now, iface, carrier, out));
        }
    }
}

impl Station for LayerThreeSwitch {
    fn receive(&mut self, now: Instant, port: Port, frame: Frame, out: &mut Out<'_>) {
        self.with_switch(out, |switch, out| switch.receive(now, port, frame, out));
        self.settle(now, out);
    }

    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        self.with_switch(out, |switch, out| switch.on_deadline(now, out));
        self.with_router(out, |router, out| router.on_deadline(now, out));
        self.settle(now, out);
    }

    fn deadline(&self) -> Option<Instant> {
        [self.switch.deadline(), self.router.deadline()].into_iter().flatten().min()
    }

    fn on_carrier(&mut self, now: Instant, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        self.with_switch(out, |switch, out| switch.on_carrier(now, port, carrier, out));
        let before = self.up.is_empty();
        match carrier {
            Carrier::Up => self.up.insert(port.0),
            Carrier::Down => self.up.remove(&port.0),
        };
        if self.up.is_empty() != before {
            // Behind the port inside there is no cable that could be cut, but without any other it has nobody to speak for.
            let (inside, carrier) = (self.inside, if before { Carrier::Up } else { Carrier::Down });
            self.with_switch(out, |switch, out| switch.on_carrier(now, inside, carrier, out));
        }
        self.settle(now, out);
    }

    fn on_room(&mut self, now: Instant, port: Port, out: &mut Out<'_>) {
        self.with_switch(out, |switch, out| switch.on_room(now, port, out));
        self.settle(now, out);
    }

    fn on_power(&mut self, now: Instant, power: Power, out: &mut Out<'_>) {
        self.with_switch(out, |switch, out| switch.on_power(now, power, out));
        self.with_router(out, |router, out| router.on_power(now, power, out));
        if power == Power::Off {
            // Ports are told of their carriers before it is switched on again.
            (self.crossing, self.course) = (Crossing::default(), self.switch.course());
            self.up.clear();
            self.links.values_mut().for_each(|(_, carrier)| *carrier = Carrier::Down);
        }
        self.settle(now, out);
    }

    fn show_counters(&self, now: Instant, see: &mut dyn FnMut(&'static str, u64)) {
        self.switch.show_counters(now, see);
    }

    fn show_port(&self, port: Port, report: &mut PortReport) {
        self.switch.show_port(port, report);
    }

    fn inner(&self) -> Option<&dyn Station> {
        Some(&self.router)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Station> {
        Some(&mut self.router)
    }

    fn act_inside(&mut self, now: Instant, out: &mut Out<'_>, act: &mut dyn FnMut(&mut dyn Station, &mut Out<'_>)) {
        self.with_router(out, |router, out| act(router, out));
        self.settle(now, out);
    }
}

/// The switch's ports.
struct SwitchSide<'a> {
    wire: &'a mut dyn Wire,
    inside: Port,
    frames: &'a mut VecDeque<Frame>,
}

impl Wire for SwitchSide<'_> {
    fn send(&mut self, port: Port, frame: Frame, trace: &mut Trace) {
        if port == self.inside {
            self.frames.push_back(frame);
        } else {
            self.wire.send(port, frame, trace);
        }
    }

    fn backlog(&self, port: Port) -> usize {
        if port == self.inside { 0 } else { self.wire.backlog(port) }
    }

    fn wake_below(&mut self, port: Port, bytes: usize) {
        if port != self.inside {
            self.wire.wake_below(port, bytes);
        }
    }

    fn counters(&self, port: Port) -> Option<LinkCounters> {
        if port == self.inside { None } else { self.wire.counters(port) }
    }

    fn stuck(&mut self) {
        self.wire.stuck();
    }

    fn carries_super_segments(&self, port: Port) -> bool {
        port != self.inside && self.wire.carries_super_segments(port)
    }
}

/// The router's port.
struct RouterSide<'a> {
    wire: &'a mut dyn Wire,
    frames: &'a mut VecDeque<Frame>,
}

impl Wire for RouterSide<'_> {
    fn send(&mut self, _: Port, frame: Frame, _: &mut Trace) {
        self.frames.push_back(frame);
    }

    fn backlog(&self, _: Port) -> usize {
        0
    }

    fn wake_below(&mut self, _: Port, _: usize) {}

    fn stuck(&mut self) {
        self.wire.stuck();
    }
}
