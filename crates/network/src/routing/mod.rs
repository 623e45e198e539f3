//! Routing protocols: each a state machine of one router, that packets, links and the time go into, and that answers with packets,
//! routes and its next deadline.
//!
//! None knows sockets or the routing table. Whoever drives one (a host of `septet-host`) carries its [`Action`]s out: it sends
//! [`Packet`]s as the protocol's [`Carriage`] says, keeps the connections that it asks for, and puts its [`RouteChange`]s into
//! the table. A new protocol is a file here and its line in [`PROTOCOLS`].

mod act;
mod bgp;
mod kind;
mod link;
mod ospf;
mod protocol;
mod rip;

pub use act::{Action, Context, Conversation, Packet, RouteChange, SessionEvent};
pub use kind::{Carriage, Config, Form, Identity, Kind, METRICS, Setting, Value};
pub use link::{Arrival, Link, LinkState};
pub use protocol::RoutingProtocol;

/// All of them. One line a protocol.
pub static PROTOCOLS: &[&Kind] = &[&rip::KIND, &ospf::KIND, &bgp::KIND];

/// The protocol of this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    PROTOCOLS.iter().copied().find(|kind| kind.name == name)
}

#[cfg(test)]
mod sim;
