//! What a routing protocol is to whoever drives it.

use septet_core::Instant;

use super::act::{Context, SessionEvent};
use super::link::{Arrival, Link};

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
