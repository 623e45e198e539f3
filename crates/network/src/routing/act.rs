//! What a routing protocol does: packets, connections, routes, and what it tells of itself.

use std::collections::VecDeque;
use std::net::IpAddr;

use septet_core::{EventId, Fields, Instant, Storey, Trace};

use crate::addr::Prefix;
use crate::route::{Iface, NextHop};

/// A packet to be sent by one interface, whatever the routing table says. IP, or UDP with the protocol's port at both ends,
/// carries it, with the precedence of routing (RFC 1812 §5.3.2: "internetwork control").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// By which interface.
    pub iface: Iface,
    /// From which of its addresses.
    pub src: IpAddr,
    /// To whom on its link, or which group.
    pub dst: IpAddr,
    /// Its time to live.
    pub ttl: u8,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// A route of the protocol, as it is from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteChange {
    /// The destinations it is for.
    pub prefix: Prefix,
    /// The routers that are equally good on the way there; none where the route is withdrawn.
    pub hops: Vec<NextHop>,
    /// The protocol's own metric.
    pub metric: u32,
}

/// Names a connection of a protocol that is carried by TCP; the protocol chooses the number.
pub type Conversation = u32;

/// What befell a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionEvent {
    /// A peer has opened one, which goes by this number.
    Accepted(Conversation, IpAddr),
    /// One that was asked for is there.
    Connected(Conversation),
    /// The peer said something.
    Data(Conversation, Vec<u8>),
    /// It is gone, or never came; the reason in words.
    Closed(Conversation, String),
}

/// What a protocol wants done.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Send a packet, because of this event.
    Send(Packet, EventId),
    /// Take part in a group on an interface.
    Join(Iface, IpAddr),
    /// Take part in it no longer.
    Leave(Iface, IpAddr),
    /// Put a route into the table, or take it out.
    Route(RouteChange),
    /// Open a connection from the first address to the second.
    Connect(Conversation, IpAddr, IpAddr),
    /// Say something on a connection, because of this event.
    Say(Conversation, Vec<u8>, EventId),
    /// End a connection, once what was said is sent.
    Close(Conversation),
    /// Record a sample under a name of the protocol's `METRICS`.
    Record(&'static str, f64),
}

/// What a protocol is given with each call: the time, why it is called, and where its answers go.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Instant,
    cause: EventId,
    trace: &'a mut Trace,
    actions: &'a mut VecDeque<Action>,
}

impl<'a> Context<'a> {
    /// For a call at `now` because of `cause`; answers are put behind those in `actions`.
    pub fn new(now: Instant, cause: EventId, trace: &'a mut Trace, actions: &'a mut VecDeque<Action>) -> Self {
        Self { now, cause, trace, actions }
    }

    /// Tells that something happened; what is done from now on is done because of it.
    pub fn tell(&mut self, kind: &'static str, fields: impl FnOnce(&mut Fields)) {
        let told = self.trace.emit(Storey::Network, kind, self.cause, fields);
        if told != EventId::NONE {
            self.cause = told;
        }
    }

    /// Sends a packet.
    pub fn send(&mut self, packet: Packet) {
        self.actions.push_back(Action::Send(packet, self.cause));
    }

    /// Says something on a connection.
    pub fn say(&mut self, to: Conversation, bytes: Vec<u8>) {
        self.actions.push_back(Action::Say(to, bytes, self.cause));
    }

    /// Puts a route into the table, or takes it out, and tells so.
    pub fn route(&mut self, change: RouteChange) {
        // What is done next is not done because of it.
        self.trace.emit(Storey::Network, "route.changed", self.cause, |f| {
            f.set("prefix", change.prefix.to_string());
            if let Some(hop) = change.hops.first() {
                let all: Vec<String> = change.hops.iter().map(|hop| hop.gateway.to_string()).collect();
                f.set("via", all.join(" and ")).set("iface", hop.iface).set("metric", change.metric);
            }
        });
        self.actions.push_back(Action::Record(ROUTE_CHANGES, 1.0));
        self.actions.push_back(Action::Route(change));
    }

    /// Whatever else is to be done.
    pub fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Records a sample.
    pub fn record(&mut self, name: &'static str, value: f64) {
        self.actions.push_back(Action::Record(name, value));
    }
}

/// What every protocol records where a route of its changes.
pub(super) const ROUTE_CHANGES: &str = "route.changes";
