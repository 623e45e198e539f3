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
mod rip;
#[cfg(test)]
mod sim;

use septet_core::Instant;

pub use act::{Action, Context, Conversation, Packet, RouteChange, SessionEvent};
pub use kind::{Carriage, Config, Form, Identity, Kind, METRICS, Setting, Value};
pub use link::{Arrival, Link, LinkState};

/// All of them. One line a protocol.
pub static PROTOCOLS: &[&Kind] = &[&rip::KIND, &ospf::KIND, &bgp::KIND];

/// The protocol of this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    PROTOCOLS.iter().copied().find(|kind| kind.name == name)
}

/// A routing protocol as one router runs it.
pub trait RoutingProtocol: core::fmt::Debug {
    /// Says how an interface is now: at the start for each, and whenever it gains or loses its carrier or an address.
    fn on_link(&mut self, cx: &mut Context<'_>, link: &Link);

    /// Takes a packet: what IP, or UDP, carries. Its checksums below are right; what it says may be anything.
    fn receive(&mut self, cx: &mut Context<'_>, arrival: &Arrival, bytes: &[u8]);

    /// Hears of a connection that it asked for, or that a peer opened to it.
    fn on_session(&mut self, cx: &mut Context<'_>, event: SessionEvent) {
        let _ = (cx, event);
    }

    /// Does what is due.
    fn on_deadline(&mut self, cx: &mut Context<'_>);

    /// When [`on_deadline`](Self::on_deadline) next has something to do.
    fn deadline(&self) -> Option<Instant>;

    /// Shows `see` name and reading of each of its counters.
    fn show(&self, see: &mut dyn FnMut(&'static str, u64));
}
