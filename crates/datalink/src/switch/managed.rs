//! What a managed switch does beside learning: VLANs (IEEE 802.1Q), the spanning tree (802.1D), port mirroring, and
//! PAUSE frames (802.3x) when a port it forwards to is congested.

use std::collections::{BTreeMap, BTreeSet};

use septet_core::{Carrier, DropReason, EventId, Frame, Instant, Out, Port, Storey};

use super::guard::{Denied, Guard, Guardian, News, Protocol as Guarded};
use super::snooping::{Course, Learned, Snooper, Snooping};
use super::{Header, Switch};
use crate::card::pause::{self, Quanta};
use crate::ethernet::{EtherType, HEADER_LEN, MacAddr};
use crate::llc::{self, Llc};
use crate::stp::bpdu::{self, Bpdu, BridgeId};
use crate::stp::rapid::RapidTree;
use crate::stp::{Event, Parameters, Protocol, SpanningTree, State};
use crate::vlan::{self, Tag, VlanId};

/// What may be set on a managed switch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Management {
    /// Its address.
    pub mac: MacAddr,
    /// The addresses of its ports, from which they send BPDUs and PAUSE frames; its own where there is none.
    pub port_macs: BTreeMap<u16, MacAddr>,
    /// The modes of its ports; `None` for a switch that looks at no tag.
    pub vlans: Option<Vlans>,
    /// The spanning tree.
    pub spanning_tree: Option<Tree>,
    /// Frames that come in at these ports or go out of them also go out of that one, which carries nothing else.
    pub mirror: Option<(BTreeSet<u16>, u16)>,
    /// The priority of frames that come in without one, by port (802.1Q §6.9); 0 for others.
    pub priorities: BTreeMap<u16, u8>,
    /// PAUSE frames.
    pub flow_control: Option<FlowControl>,
    /// Whether it sends what is for a group only where somebody wants it.
    pub snooping: Option<Snooping>,
    /// Whether it makes sure of who says what of addresses, and how.
    pub guard: Option<Guard>,
    /// The port behind which the router of the same box is: no cable is there, and so no loop for the spanning tree to cut.
    pub inside: Option<u16>,
}

impl Management {
    /// Nothing but the address.
    pub const fn new(mac: MacAddr) -> Self {
        Self {
            mac,
            port_macs: BTreeMap::new(),
            vlans: None,
            spanning_tree: None,
            mirror: None,
            priorities: BTreeMap::new(),
            flow_control: None,
            snooping: None,
            guard: None,
            inside: None,
        }
    }
}

/// How a switch takes part in the spanning tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    /// Which protocol it speaks.
    pub version: Version,
    /// The bridge and its times.
    pub parameters: Parameters,
    /// The path costs of ports that have not the usual one.
    pub costs: BTreeMap<u16, u32>,
    /// Ports behind which there is an end station: in the rapid protocol they forward at once.
    pub edges: BTreeSet<u16>,
    /// Ports to lines that several may share: in the rapid protocol nobody agrees on them.
    pub shared: BTreeSet<u16>,
}

/// A spanning tree protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// That of 802.1D-1998.
    Stp,
    /// The rapid one of 802.1D-2004.
    Rstp,
}

impl Tree {
    /// Nothing but what must be said.
    pub const fn new(version: Version, parameters: Parameters) -> Self {
        Self { version, parameters, costs: BTreeMap::new(), edges: BTreeSet::new(), shared: BTreeSet::new() }
    }

    fn start(&self) -> Box<dyn Protocol> {
        let mut tree: Box<dyn Protocol> = match self.version {
            Version::Stp => Box::new(SpanningTree::new(self.parameters)),
            Version::Rstp => {
                let mut tree = RapidTree::new(self.parameters);
                self.edges.iter().for_each(|port| tree.set_edge(Port(*port)));
                self.shared.iter().for_each(|port| tree.set_shared(Port(*port)));
                Box::new(tree)
            }
        };
        for (port, cost) in &self.costs {
            tree.set_path_cost(Port(*port), *cost);
        }
        tree
    }
}

/// Which port carries which VLANs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vlans {
    /// By port number; others are access ports of VLAN 1.
    pub ports: BTreeMap<u16, PortMode>,
}

/// How a port treats tags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PortMode {
    /// Untagged frames of one VLAN: an ordinary station is behind it.
    Access(VlanId),
    /// Tagged frames: another switch is behind it.
    Trunk {
        /// The VLANs that it carries; all where empty.
        allowed: BTreeSet<VlanId>,
        /// The VLAN whose frames go without a tag.
        native: Option<VlanId>,
    },
}

impl PortMode {
    /// Whether frames of `vlan` pass, with a tag or without.
    pub fn carries(&self, vlan: VlanId) -> bool {
        match self {
            Self::Access(own) => *own == vlan,
            Self::Trunk { allowed, native } => allowed.is_empty() || allowed.contains(&vlan) || *native == Some(vlan),
        }
    }

    /// The VLAN whose frames have no tag.
    pub fn untagged(&self) -> Option<VlanId> {
        match self {
            Self::Access(own) => Some(*own),
            Self::Trunk { native, .. } => *native,
        }
    }
}

const DEFAULT_MODE: PortMode = PortMode::Access(VlanId::DEFAULT);

/// When PAUSE frames are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowControl {
    /// Bytes waiting at a port from which on those who send to it are paused.
    pub high: usize,
    /// Bytes at which they may go on.
    pub low: usize,
    /// How long they are paused at most.
    pub quanta: Quanta,
}

impl Default for FlowControl {
    fn default() -> Self {
        Self { high: 48 * 1024, low: 16 * 1024, quanta: Quanta(u16::MAX) }
    }
}

/// The state of a managed switch.
#[derive(Debug)]
pub(super) struct Managed {
    management: Management,
    tree: Option<Box<dyn Protocol>>,
    /// For each congested port, who was paused because of it.
    paused: BTreeMap<u16, BTreeSet<u16>>,
    snooper: Option<Snooper>,
    guardian: Option<Guardian>,
}

impl Managed {
    pub(super) fn new(management: &Management) -> Self {
        let tree = management.spanning_tree.as_ref().map(Tree::start);
        let snooper = management.snooping.as_ref().map(Snooper::new);
        let guardian = management.guard.as_ref().map(Guardian::new);
        Self { management: management.clone(), tree, paused: BTreeMap::new(), snooper, guardian }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.tree.as_ref()?.poll_timeout()
    }

    fn mode(&self, port: Port) -> Option<&PortMode> {
        self.management.vlans.as_ref().map(|vlans| vlans.ports.get(&port.0).unwrap_or(&DEFAULT_MODE))
    }

    fn is_inside(&self, port: Port) -> bool {
        self.management.inside == Some(port.0)
    }

    fn state(&self, port: Port) -> State {
        self.tree.as_ref().filter(|_| !self.is_inside(port)).map_or(State::Forwarding, |tree| tree.state(port))
    }

    fn is_mirror(&self, port: Port) -> bool {
        self.management.mirror.as_ref().is_some_and(|(_, to)| *to == port.0)
    }

    /// IEEE 802.1D §7.12.2: each port has an individual address, and what the bridge itself sends out of the port comes from
    /// it.
    fn mac_of(&self, port: Port) -> MacAddr {
        self.management.port_macs.get(&port.0).copied().unwrap_or(self.management.mac)
    }

    /// The VLAN of a frame that came in at `port` (802.1Q §8.4.2), its tag taken off.
    fn classify(&self, port: Port, frame: &mut Frame) -> Result<VlanId, DropReason> {
        let Some(mode) = self.mode(port) else { return Ok(VlanId::DEFAULT) };
        let vlan = match vlan::parse(frame.bytes())? {
            Some(tag) => {
                let vlan = tag.vlan.or(mode.untagged());
                vlan::pop(frame);
                vlan
            }
            None => mode.untagged(),
        };
        vlan.filter(|vlan| mode.carries(*vlan)).ok_or(DropReason::Vlan)
    }

    /// Whether a frame of `vlan` may leave by `port`.
    fn lets_out(&self, port: Port, vlan: VlanId) -> Result<(), DropReason> {
        if self.is_mirror(port) || self.mode(port).is_some_and(|mode| !mode.carries(vlan)) {
            return Err(DropReason::Vlan);
        }
        match self.state(port) {
            State::Forwarding => Ok(()),
            _ => Err(DropReason::StpBlocking),
        }
    }
}

impl Switch {
    /// The state of `port` in the spanning tree; every port forwards where there is none.
    pub fn port_state(&self, port: Port) -> State {
        self.managed.as_ref().map_or(State::Forwarding, |managed| managed.state(port))
    }

    /// Whether frames of `vlan` can leave by any port but the one inside: it has a carrier, carries the VLAN, and forwards. While
    /// there is one, an interface in that VLAN is up.
    pub fn reaches(&self, vlan: VlanId) -> bool {
        let Some(managed) = &self.managed else { return self.carriers.contains(&Some(Carrier::Up)) };
        let up = (0..self.carriers.len()).filter(|at| self.carriers[*at] == Some(Carrier::Up));
        let mut ports = up.map(|at| Port(at as u16)).filter(|port| !managed.is_inside(*port));
        ports.any(|port| managed.lets_out(port, vlan).is_ok())
    }

    /// Changes whenever a port may have begun or ceased to forward.
    pub const fn course(&self) -> u32 {
        self.course
    }

    /// How many ports with a carrier the spanning tree blocks.
    pub fn blocked_ports(&self) -> usize {
        let up = (0..self.carriers.len()).filter(|at| self.carriers[*at] == Some(Carrier::Up));
        up.filter(|at| matches!(self.port_state(Port(*at as u16)), State::Blocking | State::Discarding)).count()
    }

    /// How many groups have members at `now`, as far as a switch that snoops knows.
    pub fn snooped_groups(&self, now: Instant) -> usize {
        self.managed.as_ref().and_then(|managed| managed.snooper.as_ref()).map_or(0, |snooper| snooper.groups(now))
    }

    /// How many addresses a switch knows the owners of by DHCP at `now`.
    pub fn bindings(&self, now: Instant) -> usize {
        self.managed.as_ref().and_then(|managed| managed.guardian.as_ref()).map_or(0, |guardian| guardian.bindings(now))
    }

    /// The spanning tree, where the switch takes part in one.
    pub fn spanning_tree(&self) -> Option<&dyn Protocol> {
        self.managed.as_ref()?.tree.as_deref()
    }

    pub(super) fn receive_managed(
        &mut self,
        now: Instant,
        port: Port,
        header: &Header,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        let Some(managed) = &mut self.managed else { return };
        if managed.is_mirror(port) {
            return self.drop(port, &frame, DropReason::Policy, out);
        }
        if header.destination == bpdu::DESTINATION && managed.tree.is_some() {
            return self.receive_bpdu(now, port, header, &frame, out);
        }
        // 802.1D §7.12.6: the reserved addresses 01-80-C2-00-00-0x are never forwarded.
        if let [0x01, 0x80, 0xc2, 0, 0, 1..=0x0f] = header.destination.0 {
            self.counters.filtered += 1;
            return;
        }
        let state = managed.state(port);
        if !matches!(state, State::Forwarding | State::Learning) {
            return self.drop(port, &frame, DropReason::StpBlocking, out);
        }
        self.mirror(port, &frame, out);
        let Some(managed) = &self.managed else { return };
        let original = frame.clone();
        let vlan = match managed.classify(port, &mut frame) {
            Ok(vlan) => vlan,
            Err(reason) => return self.drop(port, &original, reason, out),
        };
        // A priority survives from trunk to trunk.
        let tag = match vlan::parse(original.bytes()) {
            Ok(Some(tag)) => Tag { vlan: Some(vlan), ..tag },
            _ => Tag { priority: managed.management.priorities.get(&port.0).copied().unwrap_or(0), ..Tag::new(vlan) },
        };
        self.learn(now, vlan, header.source, port, frame.cause, out);
        if state == State::Learning {
            return self.drop(port, &original, DropReason::StpBlocking, out);
        }
        if !self.guard(now, vlan, port, &frame, out) {
            return;
        }
        self.forward_managed(now, port, header, tag, vlan, frame, out);
    }

    /// Whether a frame may say what it says of addresses.
    fn guard(&mut self, now: Instant, vlan: VlanId, port: Port, frame: &Frame, out: &mut Out<'_>) -> bool {
        let Some(managed) = &mut self.managed else { return true };
        let is_inside = managed.is_inside(port);
        let Some(guardian) = managed.guardian.as_mut() else { return true };
        match guardian.judge(now, vlan, (!is_inside).then_some(port), frame.bytes()) {
            Ok(None) => {}
            Ok(Some(News::Bound(address, mac, at))) => {
                out.trace.emit(Storey::DataLink, "guard.bound", frame.cause, |f| {
                    f.set("ip", address).set("mac", mac).set("port", at.to_string()).set("vlan", vlan.get());
                    f.set("why", "a DHCP server gave it the address");
                });
            }
            Ok(Some(News::Released(address, mac))) => {
                out.trace.emit(Storey::DataLink, "guard.released", frame.cause, |f| {
                    f.set("ip", address).set("mac", mac).set("vlan", vlan.get()).set("why", "it gave the address back");
                });
            }
            Err(Denied { what, address, why }) => {
                self.stats.at(port.0).refuse(frame.len(), DropReason::Policy);
                self.counters.drops.add(DropReason::Policy);
                match what {
                    Guarded::Arp => self.counters.arp_denied += 1,
                    Guarded::Dhcp => self.counters.dhcp_denied += 1,
                }
                out.trace.emit(Storey::DataLink, "guard.denied", frame.cause, |f| {
                    f.set("port", port.to_string()).set("vlan", vlan.get()).set("frame", frame.id);
                    f.set("what", what.as_str()).set("reason", DropReason::Policy);
                    if let Some(address) = address {
                        f.set("ip", address);
                    }
                    f.set("why", why);
                });
                return false;
            }
        }
        true
    }

    #[allow(clippy::too_many_arguments, reason = "one step of one path, cut where it is read best")]
    fn forward_managed(
        &mut self,
        now: Instant,
        from: Port,
        header: &Header,
        tag: Tag,
        vlan: VlanId,
        frame: Frame,
        out: &mut Out<'_>,
    ) {
        let known =
            if header.destination.is_multicast() { None } else { self.table.look_up(now, vlan, header.destination) };
        if let Some(to) = known {
            if to == from {
                self.counters.filtered += 1;
                return;
            }
            let Some(managed) = &self.managed else { return };
            if let Err(reason) = managed.lets_out(to, vlan) {
                return self.drop_outgoing(to, &frame, reason, out);
            }
            self.counters.forwarded += 1;
            return self.send_tagged(from, to, tag, vlan, frame, out);
        }
        let course = self.snoop(now, from, header, vlan, &frame, out);
        self.counters.flooded += u64::from(course == Course::Everywhere);
        self.counters.snooped += u64::from(course != Course::Everywhere);
        let kind = if course == Course::Everywhere { "switch.flood" } else { "switch.group" };
        out.trace.emit(Storey::DataLink, kind, frame.cause, |f| {
            f.set("mac", header.destination).set("from", from.to_string()).set("frame", frame.id);
            f.set("vlan", vlan.get());
            let group = header.destination.is_multicast();
            f.set(
                "why",
                match (&course, group) {
                    (Course::To(_), _) => "its destination is a group, and who wants it is known",
                    (Course::Everywhere, true) => "its destination is a group",
                    (Course::Everywhere, false) => "its destination was not heard of yet",
                },
            );
        });
        for at in 0..self.carriers.len() {
            let to = Port(at as u16);
            let up = self.carriers[at] == Some(Carrier::Up) && course.takes(to);
            if up && to != from && self.managed.as_ref().is_some_and(|m| m.lets_out(to, vlan).is_ok()) {
                self.send_tagged(from, to, tag, vlan, frame.clone(), out);
            }
        }
    }

    /// Where a frame goes whose destination is no one known station.
    fn snoop(
        &mut self,
        now: Instant,
        from: Port,
        header: &Header,
        vlan: VlanId,
        frame: &Frame,
        out: &mut Out<'_>,
    ) -> Course {
        let snooper = self.managed.as_mut().and_then(|managed| managed.snooper.as_mut());
        let Some(snooper) = snooper.filter(|_| header.destination.is_multicast()) else { return Course::Everywhere };
        let Ok(Header { ether_type: EtherType::IPV4 | EtherType::IPV6, .. }) = Header::parse(frame.bytes()) else {
            return Course::Everywhere;
        };
        let course = snooper.course(now, vlan, from, frame.bytes().get(HEADER_LEN..).unwrap_or_default());
        for learned in snooper.learned.drain(..) {
            let kind = match learned {
                Learned::Member(_) => "snooping.member",
                Learned::Gone(_) => "snooping.gone",
                Learned::Router => "snooping.router",
            };
            out.trace.emit(Storey::DataLink, kind, frame.cause, |f| {
                f.set("port", from.to_string()).set("vlan", vlan.get());
                match learned {
                    Learned::Member(group) => f.set("group", group).set("why", "a member there told so"),
                    Learned::Gone(group) => f.set("group", group).set("why", "the member there leaves"),
                    Learned::Router => f.set("why", "it asks who is a member"),
                };
            });
        }
        course
    }

    fn send_tagged(&mut self, from: Port, to: Port, tag: Tag, vlan: VlanId, mut frame: Frame, out: &mut Out<'_>) {
        let Some(managed) = &self.managed else { return };
        if managed.mode(to).is_some_and(|mode| mode.untagged() != Some(vlan)) {
            vlan::push(&mut frame, tag);
        }
        self.mirror(to, &frame, out);
        self.send(to, frame, out);
        self.press(from, to, out);
    }

    /// Copies a frame that passes `port` to the mirror.
    fn mirror(&mut self, port: Port, frame: &Frame, out: &mut Out<'_>) {
        if let Some((ports, to)) = self.managed.as_ref().and_then(|m| m.management.mirror.as_ref())
            && ports.contains(&port.0)
        {
            let to = Port(*to);
            self.send(to, frame.clone(), out);
        }
    }

    /// Where too much waits at `to`, `from` is asked to pause.
    fn press(&mut self, from: Port, to: Port, out: &mut Out<'_>) {
        let Some(managed) = &mut self.managed else { return };
        let Some(flow) = managed.management.flow_control else { return };
        let backlog = out.backlog(to);
        if backlog < flow.high || !managed.paused.entry(to.0).or_default().insert(from.0) {
            return;
        }
        let mut frame = pause::build(managed.mac_of(from), flow.quanta);
        frame.cause = out.trace.emit(Storey::DataLink, "switch.pause", EventId::NONE, |f| {
            f.set("port", from.to_string()).set("congested", to.to_string()).set("bytes", backlog);
            f.set("why", "more comes in for that port than it can send");
        });
        out.send(from, frame);
        out.wake_below(to, flow.low);
    }

    pub(super) fn on_managed_room(&mut self, _: Instant, port: Port, out: &mut Out<'_>) {
        let Some(managed) = &mut self.managed else { return };
        for from in managed.paused.remove(&port.0).unwrap_or_default() {
            let mut frame = pause::build(managed.mac_of(Port(from)), Quanta(0));
            frame.cause = out.trace.emit(Storey::DataLink, "switch.resume", EventId::NONE, |f| {
                f.set("port", Port(from).to_string()).set("why", "the congested port has room again");
            });
            out.send(Port(from), frame);
        }
    }

    fn receive_bpdu(&mut self, now: Instant, port: Port, header: &Header, frame: &Frame, out: &mut Out<'_>) {
        let payload = frame.bytes().get(HEADER_LEN..).unwrap_or_default();
        let bpdu = llc::parse(header.ether_type, payload).and_then(|payload| match payload.llc {
            Llc::SPANNING_TREE => Bpdu::parse(payload.info),
            _ => Err(DropReason::UnknownProtocol),
        });
        match bpdu {
            Ok(bpdu) => {
                if let Some(tree) = self.managed.as_mut().and_then(|m| m.tree.as_mut()) {
                    tree.receive(now, port, &bpdu);
                }
                self.do_as_tree_says(now, frame.cause, out);
            }
            Err(reason) => self.drop(port, frame, reason, out),
        }
    }

    pub(super) fn on_managed_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        if let Some(tree) = self.managed.as_mut().and_then(|m| m.tree.as_mut()) {
            tree.on_timeout(now);
            self.do_as_tree_says(now, EventId::NONE, out);
        }
    }

    pub(super) fn on_managed_carrier(&mut self, now: Instant, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        let Some(managed) = &mut self.managed else { return };
        if let Some(snooper) = &mut managed.snooper
            && carrier == Carrier::Down
        {
            snooper.forget(port);
        }
        let is_apart = managed.is_mirror(port) || managed.is_inside(port);
        if let Some(tree) = &mut managed.tree
            && !is_apart
        {
            tree.set_carrier(now, port, carrier);
            self.do_as_tree_says(now, EventId::NONE, out);
        }
    }

    /// After a restart the tree knows none of the ports that have carriers.
    pub(super) fn start_managed(&mut self, now: Instant, out: &mut Out<'_>) {
        for at in 0..self.carriers.len() {
            if self.carriers[at] == Some(Carrier::Up) {
                self.on_managed_carrier(now, Port(at as u16), Carrier::Up, out);
            }
        }
    }

    fn do_as_tree_says(&mut self, _: Instant, cause: EventId, out: &mut Out<'_>) {
        loop {
            let Some(managed) = &mut self.managed else { return };
            let Some(event) = managed.tree.as_mut().and_then(|tree| tree.poll_event()) else { return };
            match event {
                Event::Send(port, bpdu) => {
                    let source = managed.mac_of(port);
                    let mut frame = llc::build(bpdu::DESTINATION, source, Llc::SPANNING_TREE, &bpdu.build());
                    frame.cause = cause;
                    out.send(port, frame);
                }
                Event::Port(port, state, why) => {
                    self.course = self.course.wrapping_add(1);
                    out.trace.emit(Storey::DataLink, "stp.port", cause, |f| {
                        f.set("port", port.to_string()).set("state", state.to_string()).set("why", why);
                    });
                    if matches!(state, State::Blocking | State::Disabled) {
                        self.table.forget_port(port);
                        managed.snooper.iter_mut().for_each(|snooper| snooper.forget(port));
                    }
                }
                Event::Flush(port) => {
                    managed.snooper.iter_mut().for_each(|snooper| snooper.forget(port));
                    let forgotten = self.table.forget_port(port);
                    if forgotten > 0 {
                        out.trace.emit(Storey::DataLink, "switch.forget", cause, |f| {
                            f.set("port", port.to_string()).set("addresses", forgotten).set("why", "the tree changed");
                        });
                    }
                }
                Event::Root(BridgeId { priority, mac }) => {
                    out.trace.emit(Storey::DataLink, "stp.root", cause, |f| {
                        f.set("root", mac).set("priority", priority).set("why", "no better bridge is heard of");
                    });
                }
                Event::Ageing(ageing) => {
                    self.table.set_ageing(ageing.unwrap_or(self.config.ageing));
                    out.trace.emit(Storey::DataLink, "stp.change", cause, |f| {
                        f.set("ageing", ageing.unwrap_or(self.config.ageing));
                        let why = if ageing.is_some() { "the tree changes" } else { "the tree has settled" };
                        f.set("why", why);
                    });
                }
            }
        }
    }
}
