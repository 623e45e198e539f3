//! What is to happen in a world at a time, as data: it can be kept, sent and played elsewhere.

use std::sync::Arc;

use septet_core::{Carrier, EventId, Power, StationId};
use septet_physical::{Heading, Medium};

use crate::{FilterId, LinkId, Rule, Side, World};

/// What happens to a world.
#[derive(Debug)]
pub enum Action {
    /// A link is cut or mended.
    Carrier {
        /// Which link.
        link: LinkId,
        /// Whether it carries anything from now on.
        carrier: Carrier,
        /// The event that led to it.
        cause: EventId,
    },
    /// One direction of a link gets another medium.
    Medium {
        /// Which link.
        link: LinkId,
        /// Which direction of it.
        heading: Heading,
        /// The new medium.
        medium: Arc<Medium>,
        /// The event that led to it.
        cause: EventId,
    },
    /// A station is switched on or off.
    Power {
        /// Which station.
        station: StationId,
        /// Whether it runs from now on.
        power: Power,
        /// The event that led to it.
        cause: EventId,
    },
    /// A filter is put into a gate.
    Filter {
        /// Which link.
        link: LinkId,
        /// Which direction of it.
        heading: Heading,
        /// Before whom.
        side: Side,
        /// What judges there.
        rule: Rule,
    },
    /// A filter is taken away.
    Unfilter {
        /// Which link.
        link: LinkId,
        /// Which direction of it.
        heading: Heading,
        /// Before whom.
        side: Side,
        /// Which filter of that gate.
        filter: FilterId,
    },
    /// An agent decides what happens.
    Call(Call),
}

/// What an agent is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// Who.
    pub agent: AgentId,
    /// What: the agent's own affair.
    pub message: u64,
}

/// Which agent of a world, in the order in which they were added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AgentId(pub(crate) u32);

/// Somebody above the world who decides at certain times what happens in it: the faults of a lab, whoever looks at its
/// queues. The world's agenda holds no more of it than its number and a message.
pub trait Agent {
    /// The time of a call has come.
    fn call(&mut self, call: Call, world: &mut World);
}

impl<F: FnMut(Call, &mut World)> Agent for F {
    fn call(&mut self, call: Call, world: &mut World) {
        self(call, world);
    }
}

impl World {
    /// Lets `action` happen now.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Carrier { link, carrier, cause } => self.set_carrier(link, carrier, cause),
            Action::Medium { link, heading, medium, cause } => self.set_medium(link, heading, medium, cause),
            Action::Power { station, power, cause } => self.set_power(station, power, cause),
            Action::Filter { link, heading, side, rule } => self.add_filter(link, heading, side, rule),
            Action::Unfilter { link, heading, side, filter } => self.remove_filter(link, heading, side, filter),
            Action::Call(call) => self.ask(call),
        }
    }
}

const _: () = {
    const fn can_be_sent<T: Send>() {}
    can_be_sent::<Action>();
};
