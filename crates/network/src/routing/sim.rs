//! A small network for tests: routers with nothing but a routing protocol, on links that take a millisecond.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{EventId, Instant, Seed, Trace};

use super::act::{Action, Context, SessionEvent};
use super::kind::{Carriage, Config, Identity, Kind, Value};
use super::link::{Arrival, Link, LinkState};
use super::protocol::RoutingProtocol;
use crate::addr::{Cidr, Prefix};
use crate::route::{Iface, NextHop};

const DELAY: Duration = Duration::from_millis(1);

pub(super) fn secs(s: u64) -> Instant {
    Instant::from_secs(s)
}

#[derive(Debug)]
struct Router {
    config: Box<dyn Config>,
    protocol: Box<dyn RoutingProtocol>,
    links: Vec<Link>,
    /// Of each interface, which wire it is at.
    wires: Vec<usize>,
    table: BTreeMap<Prefix, (Vec<NextHop>, u32)>,
    muted: bool,
    booted: bool,
    /// The far end of each conversation.
    peers: BTreeMap<u32, (usize, u32)>,
    accepted: u32,
}

#[derive(Debug)]
struct Wire {
    /// Who is on it.
    members: Vec<(usize, Iface)>,
    up: bool,
}

#[derive(Debug)]
enum Due {
    Packet(usize, Arrival, Vec<u8>),
    Session(usize, SessionEvent),
}

/// The network.
#[derive(Debug)]
pub(super) struct Sim {
    kind: &'static Kind,
    now: Instant,
    routers: Vec<Router>,
    wires: Vec<Wire>,
    due: BTreeMap<(Instant, u64), Due>,
    serial: u64,
    trace: Trace,
    /// Packets that were sent.
    pub(super) sent: u64,
}

impl Sim {
    /// So many routers of one protocol with these settings.
    pub(super) fn new(count: usize, kind: &'static Kind, settings: &[(&str, Value)]) -> Self {
        let router = |number: usize| {
            let mut config = (kind.config)();
            settings.iter().for_each(|(key, value)| config.set(None, key, value.clone()).unwrap());
            let protocol = config.start(identity(number));
            Router {
                config,
                protocol,
                links: Vec::new(),
                wires: Vec::new(),
                table: BTreeMap::new(),
                muted: false,
                booted: false,
                peers: BTreeMap::new(),
                accepted: 1 << 16,
            }
        };
        Self {
            kind,
            now: Instant::ZERO,
            routers: (0..count).map(router).collect(),
            wires: Vec::new(),
            due: BTreeMap::new(),
            serial: 0,
            trace: Trace::off(),
            sent: 0,
        }
    }

    /// Sets something of one router, before the first run.
    pub(super) fn set(&mut self, router: usize, iface: Option<Iface>, key: &str, value: Value) {
        let at = &mut self.routers[router];
        at.config.set(iface, key, value).unwrap();
        at.protocol = at.config.start(identity(router));
    }

    /// A route that somebody gave a router by hand.
    pub(super) fn by_hand(&mut self, router: usize, prefix: &str) {
        let at = &mut self.routers[router];
        let by_hand = vec![prefix.parse().unwrap()];
        at.protocol = at.config.start(Identity { by_hand, ..identity(router) });
    }

    /// A link of these routers, the `n`th of which gets the address `.n` (counted from one); gives its number.
    pub(super) fn link(&mut self, prefix: &str, members: &[usize]) -> usize {
        let prefix: Prefix = prefix.parse().unwrap();
        let IpAddr::V4(base) = prefix.addr() else { panic!("IPv4") };
        let addressed: Vec<_> =
            (1..).zip(members).map(|(n, &m)| (m, Ipv4Addr::from_bits(base.to_bits() + n))).collect();
        self.wire(&addressed, prefix.prefix_len())
    }

    /// A network that one router alone is on, at this address.
    pub(super) fn stub(&mut self, router: usize, address: &str) -> usize {
        let cidr: Cidr = address.parse().unwrap();
        let IpAddr::V4(address) = cidr.addr() else { panic!("IPv4") };
        self.wire(&[(router, address)], cidr.prefix_len())
    }

    fn wire(&mut self, members: &[(usize, Ipv4Addr)], len: u8) -> usize {
        let mut wire = Wire { members: Vec::new(), up: true };
        for &(router, address) in members {
            let at = &mut self.routers[router];
            let iface = at.links.len() as Iface;
            let addresses = vec![Cidr::new(address.into(), len).unwrap()];
            at.links.push(Link { iface, state: LinkState::Up, addresses, mtu: 1500, rate: None });
            at.wires.push(self.wires.len());
            wire.members.push((router, iface));
        }
        self.wires.push(wire);
        self.wires.len() - 1
    }

    pub(super) fn run_until(&mut self, until: Instant) {
        for router in 0..self.routers.len() {
            if !core::mem::replace(&mut self.routers[router].booted, true) {
                let links = self.routers[router].links.clone();
                links.iter().for_each(|link| self.call(router, |p, cx| p.on_link(cx, link)));
            }
        }
        loop {
            let packet = self.due.keys().next().map(|(at, _)| *at);
            let timer = (0..self.routers.len()).filter(|&r| !self.routers[r].muted);
            let timer = timer.filter_map(|r| Some((self.routers[r].protocol.deadline()?, r))).min();
            match (packet, timer) {
                (Some(at), timer) if at <= until && timer.is_none_or(|(t, _)| at <= t) => {
                    self.now = self.now.max(at);
                    match self.due.pop_first().unwrap().1 {
                        Due::Packet(to, arrival, bytes) if !self.routers[to].muted => {
                            self.call(to, |p, cx| p.receive(cx, &arrival, &bytes));
                        }
                        Due::Session(to, event) if !self.routers[to].muted => {
                            self.call(to, |p, cx| p.on_session(cx, event));
                        }
                        _ => {}
                    }
                }
                (_, Some((at, router))) if at <= until => {
                    self.now = self.now.max(at);
                    self.call(router, |p, cx| p.on_deadline(cx));
                }
                _ => break,
            }
        }
        self.now = until;
    }

    fn call(&mut self, router: usize, what: impl FnOnce(&mut dyn RoutingProtocol, &mut Context<'_>)) {
        let mut actions = VecDeque::new();
        let mut cx = Context::new(self.now, EventId::NONE, &mut self.trace, &mut actions);
        what(&mut *self.routers[router].protocol, &mut cx);
        for action in actions {
            self.act(router, action);
        }
    }

    fn later(&mut self, due: Due) {
        self.serial += 1;
        self.due.insert((self.now + DELAY, self.serial), due);
    }

    fn act(&mut self, router: usize, action: Action) {
        match action {
            Action::Send(packet, _) => {
                self.sent += 1;
                assert!(packet.bytes.len() + 28 <= 1500, "{} octets are too many for the link", packet.bytes.len());
                let wire = &self.wires[self.routers[router].wires[usize::from(packet.iface)]];
                let others: Vec<_> = wire.members.iter().copied().filter(|m| wire.up && m.0 != router).collect();
                let src_port = if let Carriage::Udp(port) = self.kind.carriage { port } else { 0 };
                for (to, iface) in others {
                    let own = self.routers[to].links[usize::from(iface)].v4().any(|(own, _)| packet.dst == own);
                    if own || packet.dst.is_multicast() {
                        let (src, dst, ttl) = (packet.src, packet.dst, packet.ttl);
                        let arrival = Arrival { iface, src, dst, ttl, src_port };
                        self.later(Due::Packet(to, arrival, packet.bytes.clone()));
                    }
                }
            }
            Action::Route(change) => {
                let table = &mut self.routers[router].table;
                if change.hops.is_empty() {
                    table.remove(&change.prefix);
                } else {
                    table.insert(change.prefix, (change.hops, change.metric));
                }
            }
            Action::Connect(conversation, from, to) => {
                let at = (0..self.routers.len()).find(|&r| {
                    let reached =
                        |(link, wire): (&Link, &usize)| self.wires[*wire].up && link.v4().any(|(a, _)| to == a);
                    self.routers[r].links.iter().zip(&self.routers[r].wires).any(reached)
                });
                let Some(peer) = at.filter(|&r| !self.routers[r].muted) else {
                    let why = "nobody answers".to_owned();
                    return self.later(Due::Session(router, SessionEvent::Closed(conversation, why)));
                };
                self.routers[peer].accepted += 1;
                let theirs = self.routers[peer].accepted;
                self.routers[peer].peers.insert(theirs, (router, conversation));
                self.routers[router].peers.insert(conversation, (peer, theirs));
                self.later(Due::Session(peer, SessionEvent::Accepted(theirs, from)));
                self.later(Due::Session(router, SessionEvent::Connected(conversation)));
            }
            Action::Say(conversation, bytes, _) => {
                if let Some(&(peer, theirs)) = self.routers[router].peers.get(&conversation) {
                    self.later(Due::Session(peer, SessionEvent::Data(theirs, bytes)));
                }
            }
            Action::Close(conversation) => {
                if let Some((peer, theirs)) = self.routers[router].peers.remove(&conversation) {
                    self.routers[peer].peers.remove(&theirs);
                    self.later(Due::Session(peer, SessionEvent::Closed(theirs, "the peer has closed it".to_owned())));
                }
            }
            Action::Join(..) | Action::Leave(..) | Action::Record(..) => {}
        }
    }

    /// Takes the carrier from all who are on a wire.
    pub(super) fn cut(&mut self, wire: usize) {
        self.carrier(wire, LinkState::Down);
    }

    pub(super) fn mend(&mut self, wire: usize) {
        self.carrier(wire, LinkState::Up);
    }

    /// Nothing crosses the wire from now on, and nobody notices.
    pub(super) fn block(&mut self, wire: usize) {
        self.wires[wire].up = false;
    }

    fn carrier(&mut self, wire: usize, state: LinkState) {
        self.wires[wire].up = state == LinkState::Up;
        for (router, iface) in self.wires[wire].members.clone() {
            self.routers[router].links[usize::from(iface)].state = state;
            let link = self.routers[router].links[usize::from(iface)].clone();
            self.call(router, |p, cx| p.on_link(cx, &link));
        }
    }

    /// A router says and hears nothing any more.
    pub(super) fn mute(&mut self, router: usize) {
        self.routers[router].muted = true;
    }

    /// A router that was mute begins anew, and has forgotten all.
    pub(super) fn reboot(&mut self, router: usize) {
        let at = &mut self.routers[router];
        at.protocol = at.config.start(identity(router));
        at.table.clear();
        (at.muted, at.booted) = (false, false);
    }

    /// A packet that nobody here has sent.
    pub(super) fn inject(&mut self, router: usize, iface: Iface, src: &str, src_port: u16, bytes: &[u8]) {
        let dst = "224.0.0.5".parse().unwrap();
        let arrival = Arrival { iface, src: src.parse().unwrap(), dst, ttl: 1, src_port };
        self.call(router, |p, cx| p.receive(cx, &arrival, bytes));
    }

    /// The gateways and the metric of a router's route.
    pub(super) fn route(&self, router: usize, prefix: &str) -> Option<(Vec<IpAddr>, u32)> {
        let (hops, metric) = self.routers[router].table.get(&prefix.parse().unwrap())?;
        Some((hops.iter().map(|hop| hop.gateway).collect(), *metric))
    }

    /// How many routes a router has.
    pub(super) fn routes(&self, router: usize) -> usize {
        self.routers[router].table.len()
    }

    pub(super) fn counter(&self, router: usize, name: &str) -> u64 {
        let mut found = None;
        self.routers[router].protocol.show(&mut |n, value| found = if n == name { Some(value) } else { found });
        found.unwrap_or_else(|| panic!("no counter {name}"))
    }
}

fn identity(number: usize) -> Identity {
    Identity {
        router: Ipv4Addr::new(192, 0, 2, number as u8 + 1),
        rng: Seed::new(1).stream(&format!("routing r{}", number + 1)),
        by_hand: Vec::new(),
    }
}
