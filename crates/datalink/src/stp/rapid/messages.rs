//! What a message says, how it compares with what is known (§17.6, §17.21.8), and what a port takes from it (§17.27).

use core::time::Duration;

use septet_core::Instant;

use super::{InfoIs, MESSAGE_AGE_INCREMENT, PortData, RapidTree};
use crate::stp::Parameters;
use crate::stp::bpdu::{BridgeId, Config as ConfigBpdu, Flag, Rapid, Role};

/// §17.5 and §17.6: root, cost, bridge, port; the lower is the better. Of a port's path to the root, also the own port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Vector {
    pub(super) root: BridgeId,
    pub(super) cost: u32,
    pub(super) bridge: BridgeId,
    pub(super) port: u16,
    pub(super) own_port: u16,
}

/// §17.20.21 and others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Times {
    pub(super) message_age: Duration,
    pub(super) max_age: Duration,
    pub(super) forward_delay: Duration,
    pub(super) hello_time: Duration,
}

/// §17.19.8: what a message says, compared with what is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Received {
    SuperiorDesignated,
    RepeatedDesignated,
    InferiorDesignated,
    InferiorRootAlternate,
    Other,
}

/// A message as the machines see it; a configuration BPDU is one of a designated port (§17.21.8).
pub(super) struct Message {
    pub(super) vector: Vector,
    pub(super) times: Times,
    pub(super) rapid: Rapid,
    pub(super) topology_change: Flag,
    pub(super) topology_change_ack: Flag,
}

impl RapidTree {
    /// §17.27, RECEIVE and what follows it.
    pub(super) fn receive_message(&mut self, now: Instant, at: usize, message: &Message) {
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
}

pub(super) fn own_vector(id: BridgeId) -> Vector {
    Vector { root: id, cost: 0, bridge: id, port: 0, own_port: 0 }
}

pub(super) fn times_of(parameters: &Parameters) -> Times {
    let Parameters { id: _, max_age, hello_time, forward_delay } = *parameters;
    Times { message_age: Duration::ZERO, max_age, forward_delay, hello_time }
}

pub(super) fn message(config: &ConfigBpdu, rapid: &Rapid) -> Message {
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
pub(super) fn received(p: &PortData, message: &Message) -> Received {
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
