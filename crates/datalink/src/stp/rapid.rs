//! The rapid spanning tree (RSTP) of IEEE 802.1D-2004, clause 17: neighbours agree on each link by themselves, so that the
//! tree forwards again within milliseconds of a change where the older protocol waits twice the forward delay.
//!
//! [`RapidTree`] is one bridge, sans-IO. Its state machines and variables have the names of §17.15 to §17.31; a timer of
//! the standard, which counts down in seconds, is here the moment at which it reaches zero.

use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{Carrier, Instant, Port};

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

/// §17.5 and §17.6: root, cost, bridge, port; the lower is the better. Of a port's path to the root, also the own port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Vector {
    root: BridgeId,
    cost: u32,
    bridge: BridgeId,
    port: u16,
    own_port: u16,
}

/// §17.20.21 and others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Times {
    message_age: Duration,
    max_age: Duration,
    forward_delay: Duration,
    hello_time: Duration,
}

/// §17.19.10: where what a port knows comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum InfoIs {
    Disabled,
    Mine,
    Aged,
    Received,
}

/// §17.19.8: what a message says, compared with what is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Received {
    SuperiorDesignated,
    RepeatedDesignated,
    InferiorDesignated,
    InferiorRootAlternate,
    Other,
}

/// §17.31: the states of the topology change machine in which something can be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Inactive,
    Learning,
    Active,
}

/// A message as the machines see it; a configuration BPDU is one of a designated port (§17.21.8).
struct Message {
    vector: Vector,
    times: Times,
    rapid: Rapid,
    topology_change: Flag,
    topology_change_ack: Flag,
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

    /// §17.27, RECEIVE and what follows it.
    fn receive_message(&mut self, now: Instant, at: usize, message: &Message) {
        let p = &mut self.ports[at];
        let record_proposal = |p: &mut PortData| {
            p.proposed |=
                message.rapid.role == Role::Designated && message.rapid.proposal == Flag::Set && p.point_to_point;
        };
        let set_tc_flags = |p: &mut PortData| {
            p.rcvd_tc |= message.topology_change == Flag::Set;
            p.rcvd_tc_ack |= message.topology_change_ack == Flag::Set;
        };
        let record_agreement = |p: &mut PortData| {
            p.agreed = p.point_to_point && message.rapid.agreement == Flag::Set;
            p.proposing &= !p.agreed;
        };
        // §17.21.23.
        let updt_rcvd_info_while = |p: &mut PortData| {
            let lives = p.port_times.message_age + MESSAGE_AGE_INCREMENT <= p.port_times.max_age;
            p.rcvd_info_while = lives.then(|| now + 3 * p.port_times.hello_time);
        };
        match received(p, message) {
            Received::SuperiorDesignated => {
                (p.agreed, p.proposing) = (false, false);
                record_proposal(p);
                set_tc_flags(p);
                p.agree &= p.info_is == InfoIs::Received && message.vector <= p.port_priority;
                p.port_priority = message.vector;
                p.port_times = message.times;
                updt_rcvd_info_while(p);
                p.info_is = InfoIs::Received;
                (p.reselect, p.selected) = (true, false);
            }
            Received::RepeatedDesignated => {
                record_proposal(p);
                set_tc_flags(p);
                record_agreement(p);
                updt_rcvd_info_while(p);
            }
            // §17.21.10: someone worse that forwards has not heard this bridge.
            Received::InferiorDesignated => {
                if message.rapid.learning == Flag::Set {
                    (p.disputed, p.agreed) = (true, false);
                }
            }
            Received::InferiorRootAlternate => {
                record_agreement(p);
                set_tc_flags(p);
            }
            Received::Other => {}
        }
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

    /// §17.29: one transition of the port role transitions machine.
    fn play_role(&mut self, now: Instant, at: usize) -> bool {
        let p = &self.ports[at];
        if !p.is_settled() {
            return false;
        }
        if p.role != p.selected_role {
            self.take_role(now, at);
            return true;
        }
        match p.role {
            Role::Disabled => self.rest(at),
            Role::Root => self.play_root(now, at),
            Role::Designated => self.play_designated(now, at),
            Role::Alternate | Role::Backup => self.play_alternate(at),
        }
    }

    /// A role begins, and with it end the timers that the last one held up.
    fn take_role(&mut self, now: Instant, at: usize) {
        let delay = self.root_times.forward_delay;
        let (hello, max_age) = (self.parameters.hello_time, self.root_times.max_age);
        let p = &mut self.ports[at];
        let last = core::mem::replace(&mut p.role, p.selected_role);
        match last {
            Role::Disabled => p.fd_while = Some(now + max_age),
            Role::Root => p.rr_while = Some(now + delay),
            Role::Alternate => p.fd_while = Some(now + delay),
            Role::Backup => (p.fd_while, p.rb_while) = (Some(now + delay), Some(now + 2 * hello)),
            Role::Designated => {}
        }
        match p.role {
            Role::Disabled => self.set_state(at, State::Discarding, "the port lost its carrier"),
            Role::Alternate => {
                self.set_state(at, State::Discarding, "alternate port: another one is the way to the root")
            }
            Role::Backup => {
                self.set_state(at, State::Discarding, "backup port: this bridge has another on that segment")
            }
            // Until it may forward it stays as it is.
            Role::Root | Role::Designated => {}
        }
    }

    /// DISABLED_PORT, ALTERNATE_PORT: nothing is asked of a port that does not forward.
    fn rest(&mut self, at: usize) -> bool {
        let p = &mut self.ports[at];
        (p.fd_while, p.rr_while) = (None, None);
        let rests = p.synced && !p.sync && !p.re_root;
        (p.synced, p.sync, p.re_root) = (true, false, false);
        !rests
    }

    fn play_root(&mut self, now: Instant, at: usize) -> bool {
        let all_synced = self.all_synced(at);
        let re_rooted = (0..self.ports.len()).all(|other| other == at || !self.ports[other].was_root_of_late());
        let delay = self.forward_delay(at);
        let p = &mut self.ports[at];
        if p.proposed && !p.agree {
            p.proposed = false;
            self.ports.iter_mut().for_each(|p| p.sync = true);
        } else if all_synced && !p.agree || p.proposed && p.agree {
            (p.proposed, p.sync, p.agree, p.new_info) = (false, false, true, true);
        } else if !p.forward && !p.re_root {
            self.ports.iter_mut().for_each(|p| p.re_root = true);
        } else if p.re_root && p.forward {
            p.re_root = false;
        } else if p.fd_while.is_none() || re_rooted && p.rb_while.is_none() {
            let why = "root port: it is the way to the root";
            match (p.learn, p.forward) {
                (false, _) => {
                    p.fd_while = Some(now + delay);
                    self.set_state(at, State::Learning, why);
                }
                (true, false) => {
                    p.fd_while = None;
                    self.set_state(at, State::Forwarding, why);
                }
                (true, true) => return false,
            }
        } else {
            return false;
        }
        true
    }

    fn play_designated(&mut self, now: Instant, at: usize) -> bool {
        let delay = self.forward_delay(at);
        let edge_delay = self.edge_delay(at);
        let p = &mut self.ports[at];
        let may_open = p.fd_while.is_none() || p.agreed || p.oper_edge;
        let why = match () {
            () if p.oper_edge => "edge port: an end station is behind it",
            () if p.agreed => "designated port: the neighbour agrees",
            () => "designated port: nobody objected for the forward delay",
        };
        if !p.forward && !p.agreed && !p.proposing && !p.oper_edge {
            p.proposing = true;
            p.edge_delay_while = Some(now + edge_delay);
            p.new_info = true;
        } else if !p.learn && !p.forward && !p.synced
            || p.agreed && !p.synced
            || p.oper_edge && !p.synced
            || p.sync && p.synced
        {
            (p.rr_while, p.synced, p.sync) = (None, true, false);
        } else if !p.was_root_of_late() && p.re_root {
            p.re_root = false;
        } else if (p.sync && !p.synced || p.re_root && p.was_root_of_late() || p.disputed)
            && !p.oper_edge
            && (p.learn || p.forward)
        {
            let why = if p.disputed { "a neighbour did not hear this bridge" } else { "the neighbour is asked anew" };
            p.disputed = false;
            p.fd_while = Some(now + delay);
            self.set_state(at, State::Discarding, why);
        } else if may_open && (!p.was_root_of_late() || !p.re_root) && !p.sync && !p.forward {
            if p.learn {
                p.fd_while = None;
                p.agreed = p.send_rstp;
                self.set_state(at, State::Forwarding, why);
            } else {
                p.fd_while = Some(now + delay);
                self.set_state(at, State::Learning, why);
            }
        } else {
            return false;
        }
        true
    }

    fn play_alternate(&mut self, at: usize) -> bool {
        let all_synced = self.all_synced(at);
        let p = &mut self.ports[at];
        if p.proposed && !p.agree {
            p.proposed = false;
            self.ports.iter_mut().for_each(|p| p.sync = true);
        } else if all_synced && !p.agree || p.proposed && p.agree {
            (p.proposed, p.agree, p.new_info) = (false, true, true);
        } else {
            return self.rest(at);
        }
        true
    }

    /// §17.20.3, for the port `at`: the others have done what it asked for.
    fn all_synced(&self, at: usize) -> bool {
        let is_synced = |p: &PortData| p.selected && p.role == p.selected_role && (p.role == Role::Root || p.synced);
        (0..self.ports.len()).all(|other| other == at || is_synced(&self.ports[other]))
            && self.ports[at].selected
            && self.ports[at].role == self.ports[at].selected_role
    }

    /// §17.20.4.
    fn edge_delay(&self, at: usize) -> Duration {
        if self.ports[at].point_to_point { MIGRATE_TIME } else { self.root_times.max_age }
    }

    /// §17.20.5.
    fn forward_delay(&self, at: usize) -> Duration {
        if self.ports[at].send_rstp { self.root_times.hello_time } else { self.root_times.forward_delay }
    }

    /// §17.31: one transition of the topology change machine.
    fn change(&mut self, now: Instant, at: usize) -> bool {
        let p = &mut self.ports[at];
        let is_active_role = matches!(p.role, Role::Root | Role::Designated);
        match p.change {
            Change::Inactive => {
                if !p.learn {
                    (p.tc_while, p.tc_ack, p.tc_prop) = (None, false, false);
                    (p.rcvd_tc, p.rcvd_tcn, p.rcvd_tc_ack) = (false, false, false);
                    return false;
                }
                p.change = Change::Learning;
            }
            Change::Learning => {
                (p.rcvd_tc, p.rcvd_tcn, p.rcvd_tc_ack, p.tc_prop) = (false, false, false, false);
                if is_active_role && p.forward && !p.oper_edge {
                    p.change = Change::Active;
                    self.new_tc_while(now, at);
                    self.set_tc_prop_tree(at);
                    self.ports[at].new_info = true;
                } else if !is_active_role && !p.learn {
                    p.change = Change::Inactive;
                    self.events.push_back(Event::Flush(Port(at as u16)));
                } else {
                    return false;
                }
            }
            Change::Active => {
                if !is_active_role || p.oper_edge {
                    p.change = Change::Learning;
                } else if p.rcvd_tcn || p.rcvd_tc {
                    if p.rcvd_tcn {
                        self.new_tc_while(now, at);
                    }
                    let p = &mut self.ports[at];
                    p.tc_ack |= p.rcvd_tcn && p.role == Role::Designated;
                    (p.rcvd_tcn, p.rcvd_tc) = (false, false);
                    self.set_tc_prop_tree(at);
                } else if p.tc_prop {
                    p.tc_prop = false;
                    self.new_tc_while(now, at);
                    self.events.push_back(Event::Flush(Port(at as u16)));
                } else if p.rcvd_tc_ack {
                    (p.tc_while, p.rcvd_tc_ack) = (None, false);
                } else {
                    return false;
                }
            }
        }
        true
    }

    /// §17.21.7.
    fn new_tc_while(&mut self, now: Instant, at: usize) {
        let Times { max_age, forward_delay, hello_time, .. } = self.root_times;
        let p = &mut self.ports[at];
        if p.tc_while.is_none() {
            let time = if p.send_rstp { hello_time + Duration::from_secs(1) } else { max_age + forward_delay };
            p.tc_while = Some(now + time);
            p.new_info = true;
        }
    }

    /// §17.21.18: the others are told.
    fn set_tc_prop_tree(&mut self, at: usize) {
        let others = self.ports.iter_mut().enumerate().filter(|(other, _)| *other != at);
        others.for_each(|(_, p)| p.tc_prop = true);
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

fn own_vector(id: BridgeId) -> Vector {
    Vector { root: id, cost: 0, bridge: id, port: 0, own_port: 0 }
}

fn times_of(parameters: &Parameters) -> Times {
    let Parameters { id: _, max_age, hello_time, forward_delay } = *parameters;
    Times { message_age: Duration::ZERO, max_age, forward_delay, hello_time }
}

fn message(config: &ConfigBpdu, rapid: &Rapid) -> Message {
    let vector = Vector {
        root: config.root,
        cost: config.root_path_cost,
        bridge: config.bridge,
        port: config.port,
        own_port: 0,
    };
    let times = Times {
        message_age: config.message_age,
        max_age: config.max_age,
        forward_delay: config.forward_delay,
        hello_time: config.hello_time,
    };
    let ConfigBpdu { topology_change, topology_change_ack, .. } = *config;
    Message { vector, times, rapid: *rapid, topology_change, topology_change_ack }
}

/// §17.21.8, rcvInfo.
fn received(p: &PortData, message: &Message) -> Received {
    let (theirs, known) = (message.vector, p.port_priority);
    match message.rapid.role {
        Role::Designated => {
            // §17.6: also what comes from the same port as what is known takes its place, even where it is worse.
            let same_port = theirs.bridge.mac == known.bridge.mac && theirs.port == known.port;
            match () {
                () if theirs == known && message.times == p.port_times && p.info_is == InfoIs::Received => {
                    Received::RepeatedDesignated
                }
                () if theirs < known || same_port => Received::SuperiorDesignated,
                () => Received::InferiorDesignated,
            }
        }
        Role::Root | Role::Alternate | Role::Backup if theirs >= known => Received::InferiorRootAlternate,
        _ => Received::Other,
    }
}

#[cfg(test)]
#[path = "rapid_tests.rs"]
mod tests;
