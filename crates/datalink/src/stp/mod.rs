//! The spanning tree algorithm and protocol of IEEE 802.1D-1998, clause 8: bridges agree on a tree, and block the ports
//! that would close a loop.
//!
//! [`SpanningTree`] is one bridge, sans-IO. Its procedures have the names of §8.6.

pub mod bpdu;
pub mod rapid;

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{Carrier, Instant, Port};

use bpdu::{Bpdu, BridgeId, Config as ConfigBpdu, Flag};

/// §8.4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Takes part in nothing: no carrier.
    Disabled,
    /// Neither learns nor forwards.
    Blocking,
    /// The same, as the rapid protocol calls it.
    Discarding,
    /// Is about to forward, and waits for others to hear of it.
    Listening,
    /// Learns, and does not forward yet.
    Learning,
    /// Forwards.
    Forwarding,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "disabled",
            Self::Blocking => "blocking",
            Self::Discarding => "discarding",
            Self::Listening => "listening",
            Self::Learning => "learning",
            Self::Forwarding => "forwarding",
        })
    }
}

/// The parameters of §8.10, with the recommended values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// This bridge.
    pub id: BridgeId,
    /// Bridge Max Age.
    pub max_age: Duration,
    /// Bridge Hello Time.
    pub hello_time: Duration,
    /// Bridge Forward Delay.
    pub forward_delay: Duration,
}

impl Parameters {
    /// The recommended values for the bridge `id`.
    pub const fn new(id: BridgeId) -> Self {
        Self {
            id,
            max_age: Duration::from_secs(20),
            hello_time: Duration::from_secs(2),
            forward_delay: Duration::from_secs(15),
        }
    }
}

/// §8.10.2, table 8-5: the path cost of a port by its rate in bits a second.
pub const fn path_cost(rate: u64) -> u32 {
    match rate {
        0..=4_000_000 => 250,
        4_000_001..=10_000_000 => 100,
        10_000_001..=16_000_000 => 62,
        16_000_001..=100_000_000 => 19,
        100_000_001..=1_000_000_000 => 4,
        _ => 2,
    }
}

/// §8.10: Hold Time.
const HOLD: Duration = Duration::from_secs(1);
/// §8.10: what a bridge adds to the age of a message.
const MESSAGE_AGE_INCREMENT: Duration = Duration::from_secs(1);
/// The default priority of a port.
const PORT_PRIORITY: u16 = 0x80;

/// What a bridge tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Send this out of the port.
    Send(Port, Bpdu),
    /// The port is in a new state.
    Port(Port, State, &'static str),
    /// This bridge takes another one for the root.
    Root(BridgeId),
    /// The tree changed: what was learnt at this port is to be learnt anew.
    Flush(Port),
    /// The tree changed: addresses age out in this time until further notice; `None` for the usual one.
    Ageing(Option<Duration>),
}

/// One of the protocols by which bridges agree on a tree.
pub trait Protocol: fmt::Debug {
    /// Sets the path cost of `port`, which must be done before it has a carrier.
    fn set_path_cost(&mut self, port: Port, cost: u32);

    /// The state of `port`.
    fn state(&self, port: Port) -> State;

    /// Whom this bridge takes for the root.
    fn root(&self) -> BridgeId;

    /// What is to be done and told.
    fn poll_event(&mut self) -> Option<Event>;

    /// When [`on_timeout`](Self::on_timeout) must be called.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The port gained or lost its carrier.
    fn set_carrier(&mut self, now: Instant, port: Port, carrier: Carrier);

    /// A BPDU came in at `port`.
    fn receive(&mut self, now: Instant, port: Port, bpdu: &Bpdu);

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    fn on_timeout(&mut self, now: Instant);
}

/// A bridge's part in the spanning tree.
#[derive(Debug)]
pub struct SpanningTree {
    parameters: Parameters,
    designated_root: BridgeId,
    root_path_cost: u32,
    root_port: Option<usize>,
    max_age: Duration,
    hello_time: Duration,
    forward_delay: Duration,
    topology_change_detected: Flag,
    topology_change: Flag,
    hello_timer: Option<Instant>,
    tcn_timer: Option<Instant>,
    topology_change_timer: Option<Instant>,
    ports: Vec<PortData>,
    events: VecDeque<Event>,
}

#[derive(Clone, Debug)]
struct PortData {
    id: u16,
    state: State,
    path_cost: u32,
    designated_root: BridgeId,
    designated_cost: u32,
    designated_bridge: BridgeId,
    designated_port: u16,
    topology_change_acknowledge: Flag,
    config_pending: Flag,
    /// When what was heard here is too old.
    message_age_timer: Option<Instant>,
    forward_delay_timer: Option<Instant>,
    hold_timer: Option<Instant>,
}

impl Protocol for SpanningTree {
    fn set_path_cost(&mut self, port: Port, cost: u32) {
        self.port_mut(port).path_cost = cost;
    }

    fn state(&self, port: Port) -> State {
        self.ports.get(usize::from(port.0)).map_or(State::Disabled, |p| p.state)
    }

    fn root(&self) -> BridgeId {
        self.designated_root
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let ports = self.ports.iter().flat_map(|p| [p.message_age_timer, p.forward_delay_timer, p.hold_timer]);
        ports.chain([self.hello_timer, self.tcn_timer, self.topology_change_timer]).flatten().min()
    }

    /// §8.8.1, §8.8.2, §8.8.3.
    fn set_carrier(&mut self, now: Instant, port: Port, carrier: Carrier) {
        let at = usize::from(port.0);
        self.port_mut(port);
        match (carrier, self.ports[at].state) {
            (Carrier::Up, State::Disabled) => {
                self.initialize_port(at);
                if self.hello_timer.is_none() {
                    self.hello_timer = Some(now);
                }
                self.port_state_selection(now);
            }
            (Carrier::Down, state) if state != State::Disabled => self.disable_port(now, at),
            _ => {}
        }
    }

    /// §8.7.1, §8.7.2.
    fn receive(&mut self, now: Instant, port: Port, bpdu: &Bpdu) {
        let at = usize::from(port.0);
        if self.state(port) == State::Disabled {
            return;
        }
        match bpdu {
            Bpdu::Config(config) => self.received_config_bpdu(now, at, config),
            Bpdu::TopologyChange => {
                if self.designated_for(at) {
                    self.topology_change_detection(now);
                    self.ports[at].topology_change_acknowledge = Flag::Set;
                    self.transmit_config(now, at);
                }
            }
            // Of a protocol that this one is older than: §9.3.4 knows no such type.
            Bpdu::Rapid(..) => {}
        }
    }

    /// §8.7.3 to §8.7.8.
    fn on_timeout(&mut self, now: Instant) {
        if due(&mut self.hello_timer, now) {
            self.config_bpdu_generation(now);
            self.hello_timer = Some(now + self.hello_time);
        }
        if due(&mut self.tcn_timer, now) {
            self.transmit_tcn();
            self.tcn_timer = Some(now + self.parameters.hello_time);
        }
        if due(&mut self.topology_change_timer, now) {
            self.topology_change_detected = Flag::Clear;
            self.set_topology_change(Flag::Clear);
        }
        for at in 0..self.ports.len() {
            if due(&mut self.ports[at].message_age_timer, now) {
                self.message_age_timer_expiry(now, at);
            }
            if due(&mut self.ports[at].forward_delay_timer, now) {
                self.forward_delay_timer_expiry(now, at);
            }
            if due(&mut self.ports[at].hold_timer, now) && self.ports[at].config_pending == Flag::Set {
                self.transmit_config(now, at);
            }
        }
    }
}

impl SpanningTree {
    /// A bridge without ports, which takes itself for the root.
    pub fn new(parameters: Parameters) -> Self {
        Self {
            parameters,
            designated_root: parameters.id,
            root_path_cost: 0,
            root_port: None,
            max_age: parameters.max_age,
            hello_time: parameters.hello_time,
            forward_delay: parameters.forward_delay,
            topology_change_detected: Flag::Clear,
            topology_change: Flag::Clear,
            hello_timer: None,
            tcn_timer: None,
            topology_change_timer: None,
            ports: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Whether this bridge is the root.
    pub fn is_root(&self) -> bool {
        self.designated_root == self.parameters.id
    }

    fn port_mut(&mut self, port: Port) -> &mut PortData {
        let at = usize::from(port.0);
        while self.ports.len() <= at {
            let id = PORT_PRIORITY << 8 | (self.ports.len() as u16 + 1) & 0xff;
            let bridge = self.parameters.id;
            self.ports.push(PortData {
                id,
                state: State::Disabled,
                path_cost: path_cost(1_000_000_000),
                designated_root: bridge,
                designated_cost: 0,
                designated_bridge: bridge,
                designated_port: id,
                topology_change_acknowledge: Flag::Clear,
                config_pending: Flag::Clear,
                message_age_timer: None,
                forward_delay_timer: None,
                hold_timer: None,
            });
        }
        &mut self.ports[at]
    }

    fn designated_for(&self, at: usize) -> bool {
        let p = &self.ports[at];
        p.designated_bridge == self.parameters.id && p.designated_port == p.id
    }

    fn is_designated_bridge(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.ports.len()).filter(|&at| self.ports[at].state != State::Disabled && self.designated_for(at))
    }

    /// §8.8.1.3.
    fn initialize_port(&mut self, at: usize) {
        self.become_designated_port(at);
        self.set_state(at, State::Blocking, "the port has a carrier");
        let p = &mut self.ports[at];
        (p.topology_change_acknowledge, p.config_pending) = (Flag::Clear, Flag::Clear);
        (p.message_age_timer, p.forward_delay_timer, p.hold_timer) = (None, None, None);
    }

    /// §8.8.3.
    fn disable_port(&mut self, now: Instant, at: usize) {
        let was_root = self.is_root();
        self.become_designated_port(at);
        let was_forwarding = matches!(self.ports[at].state, State::Forwarding | State::Learning);
        self.set_state(at, State::Disabled, "the port lost its carrier");
        let p = &mut self.ports[at];
        (p.topology_change_acknowledge, p.config_pending) = (Flag::Clear, Flag::Clear);
        (p.message_age_timer, p.forward_delay_timer) = (None, None);
        self.configuration_update();
        self.port_state_selection(now);
        self.after_root_change(now, was_root);
        if was_forwarding {
            // The stations behind it are to be looked for elsewhere at once, not when the next port forwards.
            self.topology_change_detection(now);
        }
    }

    /// §8.7.1.
    fn received_config_bpdu(&mut self, now: Instant, at: usize, config: &ConfigBpdu) {
        if self.supersedes_port_info(at, config) {
            let was_root = self.is_root();
            self.record_config_information(now, at, config);
            self.configuration_update();
            self.port_state_selection(now);
            if was_root && !self.is_root() {
                self.hello_timer = None;
                if self.topology_change_detected == Flag::Set {
                    self.topology_change_timer = None;
                    self.transmit_tcn();
                    self.tcn_timer = Some(now + self.parameters.hello_time);
                }
            }
            if self.root_port == Some(at) {
                // §8.6.3 and §8.6.5.
                self.max_age = config.max_age;
                self.hello_time = config.hello_time;
                self.forward_delay = config.forward_delay;
                self.set_topology_change(config.topology_change);
                self.config_bpdu_generation(now);
                if config.topology_change_ack == Flag::Set {
                    // §8.6.15.
                    self.topology_change_detected = Flag::Clear;
                    self.tcn_timer = None;
                }
            }
        } else if self.designated_for(at) {
            // §8.6.6: who says something worse is answered.
            self.transmit_config(now, at);
        }
    }

    /// §8.6.2.2.
    fn supersedes_port_info(&self, at: usize, config: &ConfigBpdu) -> bool {
        let p = &self.ports[at];
        let theirs = (config.root, config.root_path_cost, config.bridge);
        let ours = (p.designated_root, p.designated_cost, p.designated_bridge);
        match theirs.cmp(&ours) {
            core::cmp::Ordering::Less => true,
            core::cmp::Ordering::Greater => false,
            core::cmp::Ordering::Equal => config.bridge != self.parameters.id || config.port <= p.designated_port,
        }
    }

    /// §8.6.2.3.2.
    fn record_config_information(&mut self, now: Instant, at: usize, config: &ConfigBpdu) {
        let p = &mut self.ports[at];
        p.designated_root = config.root;
        p.designated_cost = config.root_path_cost;
        p.designated_bridge = config.bridge;
        p.designated_port = config.port;
        p.message_age_timer = Some(now + config.max_age.saturating_sub(config.message_age));
    }

    /// §8.6.1.
    fn transmit_config(&mut self, now: Instant, at: usize) {
        if self.ports[at].hold_timer.is_some() {
            self.ports[at].config_pending = Flag::Set;
            return;
        }
        let message_age = match self.root_port {
            None => Duration::ZERO,
            Some(root) => {
                let left = self.ports[root].message_age_timer.map_or(Duration::ZERO, |t| t.saturating_since(now));
                self.max_age.saturating_sub(left) + MESSAGE_AGE_INCREMENT
            }
        };
        if message_age >= self.max_age {
            return;
        }
        let p = &mut self.ports[at];
        let bpdu = Bpdu::Config(ConfigBpdu {
            topology_change_ack: core::mem::take(&mut p.topology_change_acknowledge),
            topology_change: self.topology_change,
            root: self.designated_root,
            root_path_cost: self.root_path_cost,
            bridge: self.parameters.id,
            port: p.id,
            message_age,
            max_age: self.max_age,
            hello_time: self.hello_time,
            forward_delay: self.forward_delay,
        });
        p.config_pending = Flag::Clear;
        p.hold_timer = Some(now + HOLD);
        self.events.push_back(Event::Send(Port(at as u16), bpdu));
    }

    /// §8.6.4.
    fn config_bpdu_generation(&mut self, now: Instant) {
        let ports: Vec<_> = self.is_designated_bridge().collect();
        for at in ports {
            self.transmit_config(now, at);
        }
    }

    /// §8.6.7.
    fn transmit_tcn(&mut self) {
        if let Some(at) = self.root_port {
            self.events.push_back(Event::Send(Port(at as u16), Bpdu::TopologyChange));
        }
    }

    /// §8.6.7 to §8.6.10: root selection and designated port selection.
    fn configuration_update(&mut self) {
        let before = self.designated_root;
        let id = self.parameters.id;
        // §8.6.8: the best root, way, bridge and port that is heard of anywhere.
        let rank = |at: usize| {
            let p = &self.ports[at];
            let cost = p.designated_cost.saturating_add(p.path_cost);
            (p.designated_root, cost, p.designated_bridge, p.designated_port, p.id)
        };
        self.root_port = (0..self.ports.len())
            .filter(|&at| self.ports[at].state != State::Disabled)
            .filter(|&at| !self.designated_for(at) && self.ports[at].designated_root < id)
            .min_by_key(|&at| rank(at));
        match self.root_port {
            None => (self.designated_root, self.root_path_cost) = (id, 0),
            Some(at) => {
                let p = &self.ports[at];
                self.designated_root = p.designated_root;
                self.root_path_cost = p.designated_cost.saturating_add(p.path_cost);
            }
        }
        // §8.6.10: a port is ours where nobody on its LAN has a better claim.
        for at in 0..self.ports.len() {
            let p = &self.ports[at];
            let ours = (self.root_path_cost, id, p.id);
            let theirs = (p.designated_cost, p.designated_bridge, p.designated_port);
            if self.designated_for(at) || p.designated_root != self.designated_root || ours <= theirs {
                self.become_designated_port(at);
            }
        }
        if self.designated_root != before {
            self.events.push_back(Event::Root(self.designated_root));
        }
    }

    /// §8.6.11.
    fn become_designated_port(&mut self, at: usize) {
        let p = &mut self.ports[at];
        p.designated_root = self.designated_root;
        p.designated_cost = self.root_path_cost;
        p.designated_bridge = self.parameters.id;
        p.designated_port = p.id;
    }

    /// §8.6.12.
    fn port_state_selection(&mut self, now: Instant) {
        for at in 0..self.ports.len() {
            if self.ports[at].state == State::Disabled {
                continue;
            }
            if self.root_port == Some(at) {
                let p = &mut self.ports[at];
                (p.config_pending, p.topology_change_acknowledge) = (Flag::Clear, Flag::Clear);
                self.make_forwarding(now, at, "it is the way to the root");
            } else if self.designated_for(at) {
                self.ports[at].message_age_timer = None;
                self.make_forwarding(now, at, "this bridge is the best on that segment");
            } else {
                let p = &mut self.ports[at];
                (p.config_pending, p.topology_change_acknowledge) = (Flag::Clear, Flag::Clear);
                self.make_blocking(now, at);
            }
        }
    }

    /// §8.6.13.
    fn make_forwarding(&mut self, now: Instant, at: usize, why: &'static str) {
        if self.ports[at].state == State::Blocking {
            self.set_state(at, State::Listening, why);
            self.ports[at].forward_delay_timer = Some(now + self.forward_delay);
        }
    }

    /// §8.6.14.
    fn make_blocking(&mut self, now: Instant, at: usize) {
        let state = self.ports[at].state;
        if !matches!(state, State::Disabled | State::Blocking) {
            if matches!(state, State::Forwarding | State::Learning) {
                self.topology_change_detection(now);
            }
            self.set_state(at, State::Blocking, "another bridge has the better way, and this one would close a loop");
            self.ports[at].forward_delay_timer = None;
        }
    }

    /// §8.6.14: topology change detection.
    fn topology_change_detection(&mut self, now: Instant) {
        if self.is_root() {
            self.set_topology_change(Flag::Set);
            self.topology_change_timer = Some(now + self.parameters.max_age + self.parameters.forward_delay);
        } else if self.topology_change_detected == Flag::Clear {
            self.transmit_tcn();
            self.tcn_timer = Some(now + self.parameters.hello_time);
        }
        self.topology_change_detected = Flag::Set;
    }

    /// §8.7.3.
    fn message_age_timer_expiry(&mut self, now: Instant, at: usize) {
        let was_root = self.is_root();
        self.become_designated_port(at);
        self.configuration_update();
        self.port_state_selection(now);
        self.after_root_change(now, was_root);
    }

    fn after_root_change(&mut self, now: Instant, was_root: bool) {
        if self.is_root() && !was_root {
            self.max_age = self.parameters.max_age;
            self.hello_time = self.parameters.hello_time;
            self.forward_delay = self.parameters.forward_delay;
            self.topology_change_detection(now);
            self.tcn_timer = None;
            self.config_bpdu_generation(now);
            self.hello_timer = Some(now + self.hello_time);
        }
    }

    /// §8.7.4.
    fn forward_delay_timer_expiry(&mut self, now: Instant, at: usize) {
        match self.ports[at].state {
            State::Listening => {
                self.set_state(at, State::Learning, "it has listened for the forward delay");
                self.ports[at].forward_delay_timer = Some(now + self.forward_delay);
            }
            State::Learning => {
                self.set_state(at, State::Forwarding, "it has learnt for the forward delay");
                // "if the Bridge is the Designated Bridge for at least one LAN".
                if self.is_designated_bridge().next().is_some() {
                    self.topology_change_detection(now);
                }
            }
            State::Disabled | State::Blocking | State::Discarding | State::Forwarding => {}
        }
    }

    fn set_state(&mut self, at: usize, state: State, why: &'static str) {
        if core::mem::replace(&mut self.ports[at].state, state) != state {
            self.events.push_back(Event::Port(Port(at as u16), state, why));
        }
    }

    /// §8.3.5: while the tree changes, addresses age out in the forward delay.
    fn set_topology_change(&mut self, flag: Flag) {
        if core::mem::replace(&mut self.topology_change, flag) != flag {
            let ageing = (flag == Flag::Set).then_some(self.forward_delay);
            self.events.push_back(Event::Ageing(ageing));
        }
    }
}

fn due(timer: &mut Option<Instant>, now: Instant) -> bool {
    timer.take_if(|at| *at <= now).is_some()
}

#[cfg(test)]
mod tests;
