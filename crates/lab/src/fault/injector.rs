//! What faults do to a world, so that it can be undone.

use std::net::IpAddr;

use septet_core::{Carrier, EventId, Frame, Port, Power, Rng, Station, StationId};
use septet_datalink::card::Fitted;
use septet_engine::{Filter, FilterId, Rule, World};
use septet_host::Host;
use septet_network::Cidr;

use crate::fault::damage::{Damage, FaultId, Gate, Touched, heading};
use crate::model::cable::Change;
use crate::model::topology::LinkRef;

/// A link address of nobody here.
const SOMEBODY: [u8; 6] = [0x02, b'R', b'S', b'T', 0, 1];

/// With whom a filter shares what it counts or draws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kin {
    /// The others of its fault.
    OfFault,
    Nobody,
}

/// What a fault that begins does its work with, under its name; what it does so is undone when it ends.
pub(crate) struct Injector<'a> {
    pub(super) damage: &'a mut Damage,
    pub(crate) world: &'a mut World,
    pub(super) id: FaultId,
    /// The event that tells of the fault.
    pub(crate) cause: EventId,
    pub(super) text: &'a str,
}

impl Injector<'_> {
    /// A link becomes another, in some of its directions.
    pub(crate) fn change(&mut self, LinkRef { link, ways }: LinkRef, changes: &[Change]) {
        self.touch().links.insert(link);
        self.damage.changes += 1;
        let state = &mut self.damage.links[link];
        for &way in ways.directions() {
            state.patches[way].add(self.id, self.damage.changes, changes);
            state.show(self.world, way, self.cause);
        }
    }

    /// A link carries nothing.
    pub(crate) fn cut(&mut self, link: usize) {
        self.touch().links.insert(link);
        let state = &mut self.damage.links[link];
        state.cuts.insert(self.id);
        self.world.set_carrier(state.link, Carrier::Down, self.cause);
    }

    /// A node is without power.
    pub(crate) fn switch_off(&mut self, node: usize) {
        self.touch().nodes.insert(node);
        let state = &mut self.damage.nodes[node];
        state.off.insert(self.id);
        self.world.set_power(state.station, Power::Off, self.cause);
    }

    /// The civil time of a host is ahead by so many nanoseconds more.
    pub(crate) fn skew(&mut self, node: usize, nanos: i64) {
        self.touch().nodes.insert(node);
        let state = &mut self.damage.nodes[node];
        state.skews.insert(self.id, nanos);
        state.show_clock(self.world);
    }

    /// The clock of a host is too fast by so many parts in a million more.
    pub(crate) fn drift(&mut self, node: usize, ppm: i32) {
        self.touch().nodes.insert(node);
        let state = &mut self.damage.nodes[node];
        state.drifts.insert(self.id, ppm);
        state.show_clock(self.world);
    }

    /// A host loses all that is on its disk.
    pub(crate) fn wipe(&mut self, node: usize) {
        if let Some(host) = self.world.station_mut::<Host>(self.damage.nodes[node].station) {
            host.here().disk().wipe();
        }
    }

    /// A filter looks at the packets that come through a gate. Those of one fault may share what they count.
    pub(crate) fn filter(&mut self, gate: Gate, filter: Box<dyn Filter>, kin: Kin) {
        self.touch().links.insert(gate.link);
        self.damage.filters += 1;
        let id = FilterId(self.damage.filters);
        let state = &mut self.damage.links[gate.link];
        state.filters.push((self.id, gate, id));
        let kin = (kin == Kin::OfFault).then_some(self.id.number());
        let rule = Rule { id, text: self.text.into(), cause: self.cause, filter, kin };
        self.world.add_filter(state.link, heading(gate.way), gate.side, rule);
    }

    /// A node loses its power, where it has any, and gets it back.
    pub(crate) fn restart(&mut self, node: usize) {
        let state = &mut self.damage.nodes[node];
        state.off.clear();
        self.world.set_power(state.station, Power::Off, self.cause);
        self.world.set_power(state.station, Power::On, self.cause);
    }

    /// No fault is in effect on a link any more.
    pub(crate) fn restore_link(&mut self, link: usize) {
        let state = &mut self.damage.links[link];
        state.mend(self.world, None, self.cause);
        for touched in self.damage.touched.values_mut() {
            touched.links.remove(&link);
        }
    }

    /// No fault is in effect at a node any more.
    pub(crate) fn restore_node(&mut self, node: usize) {
        let state = &mut self.damage.nodes[node];
        state.off.clear();
        self.world.set_power(state.station, Power::On, self.cause);
        if !(state.skews.is_empty() && state.drifts.is_empty()) {
            state.skews.clear();
            state.drifts.clear();
            state.show_clock(self.world);
        }
        for touched in self.damage.touched.values_mut() {
            touched.nodes.remove(&node);
        }
    }

    /// The station of a node.
    pub(crate) fn station(&self, node: usize) -> StationId {
        self.damage.nodes[node].station
    }

    /// How many nodes there are.
    pub(crate) fn nodes(&self) -> usize {
        self.damage.nodes.len()
    }

    /// The port of a node that has this address.
    pub(crate) fn port_of(&self, node: usize, address: IpAddr) -> Option<u16> {
        let ports = &self.damage.nodes[node].ports;
        ports.iter().position(|(_, own)| own.iter().any(|own| own.addr() == address)).map(|port| port as u16)
    }

    /// The link address of a port.
    pub(crate) fn mac(&self, node: usize, port: u16) -> [u8; 6] {
        self.damage.nodes[node].ports[usize::from(port)].0
    }

    /// The link address from which a port hears of `address`: its own where it is on the port's network, otherwise that
    /// of another node there.
    pub(crate) fn mac_towards(&self, node: usize, port: u16, address: IpAddr) -> [u8; 6] {
        let here = &self.damage.nodes[node].ports[usize::from(port)].1;
        let others = self.damage.nodes.iter().enumerate().filter(|(other, _)| *other != node);
        let of_version = |cidr: &&Cidr| cidr.addr().is_ipv4() == address.is_ipv4();
        let near = |own: &[Cidr]| {
            own.iter().filter(of_version).any(|own| here.iter().any(|here| here.prefix() == own.prefix()))
        };
        let mut near: Vec<_> = others.flat_map(|(_, n)| &n.ports).filter(|(_, own)| near(own)).collect();
        near.sort_by_key(|(_, own)| own.iter().all(|own| own.addr() != address));
        near.first().map_or(SOMEBODY, |(mac, _)| *mac)
    }

    /// A host hears a frame at a port that nobody in the lab sent.
    pub(crate) fn receive(&mut self, node: usize, port: u16, mut frame: Frame) {
        frame.cause = self.cause;
        let (station, port) = (self.station(node), Port(port));
        let card = self.world.station::<Fitted>(station).and_then(|fitted| fitted.card(port));
        if card.is_none() {
            return self.world.inject(station, port, frame);
        }
        // What the card makes of Ethernet is its own: the host hears it behind the card.
        self.world.with(station, |host: &mut Host, now, out| host.receive(now, port, frame, out));
    }

    /// The random numbers of one part of the fault.
    pub(crate) fn random(&self, what: &str) -> Rng {
        self.world.seed().stream(&format!("fault {} {what}", self.text))
    }

    fn touch(&mut self) -> &mut Touched {
        self.damage.touched.entry(self.id).or_default()
    }
}
