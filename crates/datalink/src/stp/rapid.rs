//! The rapid spanning tree (RSTP) of IEEE 802.1D-2004, clause 17: neighbours agree on each link by themselves, so that the
//! tree forwards again within milliseconds of a change where the older protocol waits twice the forward delay.
//!
//! [`RapidTree`] is one bridge, sans-IO. Its state machines and variables have the names of §17.15 to §17.31; a timer of
//! the standard, which counts down in seconds, is here the moment at which it reaches zero.

mod change;
mod messages;
mod roles;

use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{Carrier, Instant, Port};

use self::messages::{Times, Vector, message, own_vector, times_of};
use super::bpdu::{Bpdu, BridgeId, Config as ConfigBpdu, Flag, Rapid, Role};
use super::{Event, Parameters, Protocol, State};

/// §17.13.9: Migrate Time.
const MIGRATE_TIME: Duration = Duration::from_secs(3);
/// §17.13.12: Transmit Hold Count.
const TX_HOLD_COUNT: u32 = 6;
/// §17.21.20, §17.21.25: what a bridge adds to the age of a message.
const MESSAGE_AGE_INCREMENT: Duration = Duration::from_secs(1);
/// The default priority of a port (§17.14, table 17-2: 128), above twelve bits of its number (§9.2.7).
const PORT_PRIORITY: u16 = 0x8000;

/// §17.14, table 17-3: the path cost of a port by its rate in bits a second.
pub const fn path_cost(rate: u64) -> u32 {
    match rate {
        0..=100_000 => 200_000_000,
        // 20 Tbit/s divided by the rate.
        100_001..=10_000_000_000_000 => (20_000_000_000_000 / rate) as u32,
        _ => 1,
    }
}

/// §17.19.10: where what a port knows comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum InfoIs {
    Disabled,
    Mine,
    Aged,
    Received,
}

/// §17.31: the states of the topology change machine in which something can be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Inactive,
    Learning,
    Active,
}

/// A bridge's part in the rapid spanning tree.
#[derive(Debug)]
pub struct RapidTree {
    parameters: Parameters,
    root: Vector,
    root_times: Times,
    root_port: Option<usize>,
    ports: Vec<PortData>,
    events: VecDeque<Event>,
}

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "the variables of §17.19, by their names")]
struct PortData {
    id: u16,
    path_cost: u32,
    admin_edge: bool,
    point_to_point: bool,
    enabled: bool,

    info_is: InfoIs,
    role: Role,
    selected_role: Role,
    port_priority: Vector,
    designated_priority: Vector,
    port_times: Times,
    designated_times: Times,
    reselect: bool,
    selected: bool,
    updt_info: bool,

    learn: bool,
    forward: bool,
    proposed: bool,
    proposing: bool,
    agree: bool,
    agreed: bool,
    sync: bool,
    synced: bool,
    re_root: bool,
    disputed: bool,
    oper_edge: bool,

    rcvd_rstp: bool,
    rcvd_stp: bool,
    send_rstp: bool,

    change: Change,
    rcvd_tc: bool,
    rcvd_tcn: bool,
    rcvd_tc_ack: bool,
    tc_prop: bool,
    tc_ack: bool,

    new_info: bool,
    tx_count: u32,

    edge_delay_while: Option<Instant>,
    fd_while: Option<Instant>,
    hello_when: Option<Instant>,
    mdelay_while: Option<Instant>,
    rb_while: Option<Instant>,
    rcvd_info_while: Option<Instant>,
    rr_while: Option<Instant>,
    tc_while: Option<Instant>,
    /// When `tx_count` next falls by one.
    tx_tick: Option<Instant>,
}

impl PortData {
    fn timers(&mut self) -> [&mut Option<Instant>; 8] {
        [
            &mut self.edge_delay_while,
            &mut self.fd_while,
            &mut self.hello_when,
            &mut self.mdelay_while,
            &mut self.rb_while,
            &mut self.rcvd_info_while,
            &mut self.rr_while,
            &mut self.tc_while,
        ]
    }

    /// Whether the role that was selected is the one it plays (the condition of most transitions of §17.29).
    fn is_settled(&self) -> bool {
        self.selected && !self.updt_info
    }

    /// rrWhile, which a root port holds up (§17.29.2).
    fn was_root_of_late(&self) -> bool {
        self.role == Role::Root || self.rr_while.is_some()
    }

    fn state(&self) -> State {
        match (self.enabled, self.learn, self.forward) {
            (false, ..) => State::Disabled,
            (_, _, true) => State::Forwarding,
            (_, true, _) => State::Learning,
            _ => State::Discarding,
        }
    }
}

impl Protocol for RapidTree {
    fn set_path_cost(&mut self, port: Port, cost: u32) {
        self.port_mut(port).path_cost = cost;
    }

    fn state(&self, port: Port) -> State {
        self.ports.get(usize::from(port.0)).map_or(State::Disabled, PortData::state)
    }

    fn root(&self) -> BridgeId {
        self.root.root
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let timers = self.ports.iter().flat_map(|p| {
            [
                p.edge_delay_while.filter(|_| p.proposing),
                p.fd_while.filter(|_| !p.forward),
                p.hello_when,
                p.mdelay_while,
                p.rb_while,
                p.rcvd_info_while,
                p.rr_while,
                p.tc_while,
                p.tx_tick,
            ]
        });
        timers.flatten().min()
    }

    fn set_carrier(&mut self, now: Instant, port: Port, carrier: Carrier) {
        self.expire(now);
        let hello = self.parameters.hello_time;
        let p = self.port_mut(port);
        let enabled = carrier == Carrier::Up;
        if core::mem::replace(&mut p.enabled, enabled) == enabled {
            return;
        }
        if enabled {
            // The machines were held in their first states until now.
            p.info_is = InfoIs::Aged;
            (p.send_rstp, p.new_info, p.tx_count) = (true, true, 0);
            p.mdelay_while = Some(now + MIGRATE_TIME);
            p.edge_delay_while = Some(now + MIGRATE_TIME);
            p.hello_when = Some(now + hello);
        } else {
            (p.proposing, p.proposed, p.agree, p.agreed) = (false, false, false, false);
            p.timers().into_iter().for_each(|timer| *timer = None);
            p.tx_tick = None;
            p.info_is = InfoIs::Disabled;
        }
        let p = self.port_mut(port);
        p.oper_edge = p.admin_edge;
        (p.reselect, p.selected) = (true, false);
        if !enabled {
            self.events.push_back(Event::Port(port, State::Disabled, "the port lost its carrier"));
        }
        self.settle(now);
    }

    fn receive(&mut self, now: Instant, port: Port, bpdu: &Bpdu) {
        self.expire(now);
        let at = usize::from(port.0);
        if self.ports.get(at).is_none_or(|p| !p.enabled) {
            return;
        }
        // §17.23: whoever speaks the protocol here is no end station. On a shared line, where a root port answers no
        // proposal, that holds as long as there without an answer: §17.20.4's delay instead of Migrate Time.
        let edge_delay = self.edge_delay(at);
        let p = &mut self.ports[at];
        p.oper_edge = false;
        p.edge_delay_while = Some(now + edge_delay);
        match bpdu {
            Bpdu::Rapid(..) => p.rcvd_rstp = true,
            Bpdu::Config(_) | Bpdu::TopologyChange => p.rcvd_stp = true,
        }
        self.migrate(now, at);
        match bpdu {
            Bpdu::TopologyChange => self.ports[at].rcvd_tcn = true,
            Bpdu::Config(config) => self.receive_message(now, at, &message(config, &Rapid::DESIGNATED)),
            Bpdu::Rapid(config, flags) => self.receive_message(now, at, &message(config, flags)),
        }
        self.settle(now);
    }

    fn on_timeout(&mut self, now: Instant) {
        self.expire(now);
        self.settle(now);
    }
}

impl RapidTree {
    /// A bridge without ports, which takes itself for the root.
    pub fn new(parameters: Parameters) -> Self {
        let root_times = times_of(&parameters);
        Self {
            parameters,
            root: own_vector(parameters.id),
            root_times,
            root_port: None,
            ports: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Says that an end station is behind `port` (§17.13.1, AdminEdge): it forwards at once. Before it has a carrier.
    pub fn set_edge(&mut self, port: Port) {
        self.port_mut(port).admin_edge = true;
    }

    /// Says that several bridges may be behind `port` (§6.4.3): nobody can agree for all of them.
    pub fn set_shared(&mut self, port: Port) {
        self.port_mut(port).point_to_point = false;
    }

    fn port_mut(&mut self, port: Port) -> &mut PortData {
        let at = usize::from(port.0);
        while self.ports.len() <= at {
            let id = PORT_PRIORITY | (self.ports.len() as u16 + 1) & 0x0fff;
            let own = Vector { port: id, ..own_vector(self.parameters.id) };
            let times = times_of(&self.parameters);
            self.ports.push(PortData {
                id,
                path_cost: path_cost(1_000_000_000),
                admin_edge: false,
                point_to_point: true,
                enabled: false,
                info_is: InfoIs::Disabled,
                role: Role::Disabled,
                selected_role: Role::Disabled,
                port_priority: own,
                designated_priority: own,
                port_times: times,
                designated_times: times,
                reselect: false,
                selected: true,
                updt_info: false,
                learn: false,
                forward: false,
                proposed: false,
                proposing: false,
                agree: false,
                agreed: false,
                sync: false,
                synced: true,
                re_root: false,
                disputed: false,
                oper_edge: false,
                rcvd_rstp: false,
                rcvd_stp: false,
                send_rstp: true,
                change: Change::Inactive,
                rcvd_tc: false,
                rcvd_tcn: false,
                rcvd_tc_ack: false,
                tc_prop: false,
                tc_ack: false,
                new_info: false,
                tx_count: 0,
                edge_delay_while: None,
                fd_while: None,
                hello_when: None,
                mdelay_while: None,
                rb_while: None,
                rcvd_info_while: None,
                rr_while: None,
                tc_while: None,
                tx_tick: None,
            });
        }
        &mut self.ports[at]
    }

    /// Timers whose time has come are at zero.
    fn expire(&mut self, now: Instant) {
        let hello = self.parameters.hello_time;
        for p in &mut self.ports {
            for timer in p.timers() {
                timer.take_if(|at| *at <= now);
            }
            // §17.22: txCount falls by one each second.
            while let Some(at) = p.tx_tick.filter(|at| *at <= now) {
                p.tx_count = p.tx_count.saturating_sub(1);
                p.tx_tick = (p.tx_count > 0).then(|| at + Duration::from_secs(1));
            }
            // §17.26, TRANSMIT_PERIODIC.
            if p.enabled && p.hello_when.is_none() {
                p.hello_when = Some(now + hello);
                p.new_info |= p.role == Role::Designated || p.role == Role::Root && p.tc_while.is_some();
            }
        }
    }

    /// Lets all machines run until none moves, and then sends.
    fn settle(&mut self, now: Instant) {
        loop {
            let mut moved = false;
            for at in 0..self.ports.len() {
                moved |= self.detect_edge(now, at);
                moved |= self.age(at);
            }
            if self.ports.iter().any(|p| p.reselect) {
                self.select_roles();
                moved = true;
            }
            for at in 0..self.ports.len() {
                moved |= self.update(at);
                moved |= self.play_role(now, at);
                moved |= self.change(now, at);
            }
            if !moved {
                break;
            }
        }
        for at in 0..self.ports.len() {
            self.transmit(now, at);
        }
    }

    /// §17.24: which of the two protocols is spoken here.
    fn migrate(&mut self, now: Instant, at: usize) {
        let p = &mut self.ports[at];
        let (rstp, stp) = (core::mem::take(&mut p.rcvd_rstp), core::mem::take(&mut p.rcvd_stp));
        if p.mdelay_while.is_some() {
            return;
        }
        if p.send_rstp && stp {
            p.send_rstp = false;
        } else if !p.send_rstp && rstp {
            p.send_rstp = true;
        } else {
            return;
        }
        p.mdelay_while = Some(now + MIGRATE_TIME);
    }

    /// §17.25: a port on which nobody answers proposals has an end station behind it.
    fn detect_edge(&mut self, _: Instant, at: usize) -> bool {
        let p = &mut self.ports[at];
        let alone = p.enabled && p.edge_delay_while.is_none() && p.send_rstp && p.proposing;
        alone && !core::mem::replace(&mut p.oper_edge, true)
    }

    /// §17.27, CURRENT to AGED.
    fn age(&mut self, at: usize) -> bool {
        let p = &mut self.ports[at];
        let aged = p.info_is == InfoIs::Received && p.rcvd_info_while.is_none() && !p.updt_info;
        if aged {
            p.info_is = InfoIs::Aged;
            (p.reselect, p.selected) = (true, false);
        }
        aged
    }

    /// §17.27, UPDATE.
    fn update(&mut self, at: usize) -> bool {
        let p = &mut self.ports[at];
        if !p.selected || !p.updt_info {
            return false;
        }
        (p.proposing, p.proposed) = (false, false);
        let same_or_better = p.info_is == InfoIs::Mine && p.designated_priority <= p.port_priority;
        p.agreed &= same_or_better;
        p.synced &= p.agreed;
        p.port_priority = p.designated_priority;
        p.port_times = p.designated_times;
        p.updt_info = false;
        p.info_is = InfoIs::Mine;
        p.new_info = true;
        true
    }

    /// §17.28 and §17.21.25, updtRolesTree.
    fn select_roles(&mut self) {
        let own = own_vector(self.parameters.id);
        let before = self.root.root;
        (self.root, self.root_port, self.root_times) = (own, None, times_of(&self.parameters));
        for (at, p) in self.ports.iter().enumerate() {
            // Information of this bridge itself that came back is no way to the root.
            if p.info_is != InfoIs::Received || p.port_priority.bridge.mac == self.parameters.id.mac {
                continue;
            }
            let path =
                Vector { cost: p.port_priority.cost.saturating_add(p.path_cost), own_port: p.id, ..p.port_priority };
            if path < self.root {
                (self.root, self.root_port) = (path, Some(at));
                self.root_times =
                    Times { message_age: p.port_times.message_age + MESSAGE_AGE_INCREMENT, ..p.port_times };
            }
        }
        let Self { root, root_times, root_port, parameters, .. } = self;
        for (at, p) in self.ports.iter_mut().enumerate() {
            p.designated_priority =
                Vector { root: root.root, cost: root.cost, bridge: parameters.id, port: p.id, own_port: 0 };
            p.designated_times = Times { hello_time: parameters.hello_time, ..*root_times };
            let mine_is_better = p.designated_priority < p.port_priority;
            (p.selected_role, p.updt_info) = match p.info_is {
                InfoIs::Disabled => (Role::Disabled, false),
                InfoIs::Aged => (Role::Designated, true),
                InfoIs::Mine => {
                    let news = p.port_priority != p.designated_priority || p.port_times != p.designated_times;
                    (Role::Designated, news)
                }
                InfoIs::Received if *root_port == Some(at) => (Role::Root, false),
                InfoIs::Received if mine_is_better => (Role::Designated, true),
                InfoIs::Received if p.port_priority.bridge == parameters.id => (Role::Backup, false),
                InfoIs::Received => (Role::Alternate, false),
            };
            (p.reselect, p.selected) = (false, true);
        }
        if self.root.root != before {
            self.events.push_back(Event::Root(self.root.root));
        }
    }

    /// §17.26.
    fn transmit(&mut self, now: Instant, at: usize) {
        let p = &mut self.ports[at];
        if !p.enabled || !p.new_info || !p.is_settled() || p.tx_count >= TX_HOLD_COUNT {
            return;
        }
        let flag = |set: bool| if set { Flag::Set } else { Flag::Clear };
        let (vector, times) = (p.designated_priority, p.designated_times);
        let config = ConfigBpdu {
            topology_change_ack: flag(p.tc_ack && !p.send_rstp),
            topology_change: flag(p.tc_while.is_some()),
            root: vector.root,
            root_path_cost: vector.cost,
            bridge: vector.bridge,
            port: p.id,
            message_age: times.message_age,
            max_age: times.max_age,
            hello_time: times.hello_time,
            forward_delay: times.forward_delay,
        };
        p.new_info = false;
        let bpdu = match (p.send_rstp, p.role) {
            (true, role) => Bpdu::Rapid(
                config,
                Rapid {
                    proposal: flag(p.proposing),
                    role,
                    learning: flag(p.learn),
                    forwarding: flag(p.forward),
                    agreement: flag(p.agree),
                },
            ),
            (false, Role::Designated) => Bpdu::Config(config),
            (false, Role::Root) if p.tc_while.is_some() => Bpdu::TopologyChange,
            (false, _) => return,
        };
        p.tc_ack = false;
        p.tx_count += 1;
        p.tx_tick.get_or_insert(now + Duration::from_secs(1));
        self.events.push_back(Event::Send(Port(at as u16), bpdu));
    }

    fn set_state(&mut self, at: usize, state: State, why: &'static str) {
        let p = &mut self.ports[at];
        let before = p.state();
        (p.learn, p.forward) = match state {
            State::Forwarding => (true, true),
            State::Learning => (true, false),
            _ => (false, false),
        };
        // What has no carrier was told already.
        if p.state() != before && p.enabled {
            self.events.push_back(Event::Port(Port(at as u16), state, why));
        }
    }
}

#[cfg(test)]
#[path = "rapid_tests.rs"]
mod tests;
