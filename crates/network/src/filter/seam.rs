//! The seam between storey 3 and a packet filter: where a packet is on its way, and what becomes of it.

use core::fmt;
use std::net::IpAddr;

use septet_core::{DropReason, Frame, Instant, Trace};

use crate::conntrack::listing::Line;
use crate::counters::Counters;
use crate::route::Iface;

/// Where storey 3 asks: netfilter's hooks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hook {
    /// It came in; where it goes is not known yet.
    Prerouting,
    /// It is for this host.
    Input,
    /// It is passed on.
    Forward,
    /// This host made it.
    Output,
    /// It is about to leave.
    Postrouting,
}

impl Hook {
    /// All, in the order in which packets that are passed on meet them, those of the host itself between.
    pub const ALL: [Self; 5] = [Self::Prerouting, Self::Input, Self::Forward, Self::Output, Self::Postrouting];

    /// nft's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Verdict {
    /// It goes on, perhaps with other addresses than it came with.
    Accept,
    /// It goes no further. The filter has told why.
    Drop(DropReason),
    /// The same, and its sender is told.
    Reject(Reject),
}

/// How the sender of a packet is told that it went no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reject {
    /// ICMP: no route to the network.
    NoRoute,
    /// ICMP: the host is not reached.
    HostUnreachable,
    /// ICMP: nothing speaks the protocol.
    ProtocolUnreachable,
    /// ICMP: nothing listens on the port.
    PortUnreachable,
    /// ICMP: the network is out of bounds.
    NetProhibited,
    /// ICMP: the host is out of bounds.
    HostProhibited,
    /// ICMP: a policy forbids it.
    AdminProhibited,
    /// A reset of TCP.
    TcpReset,
}

/// The addresses of the host that filters.
pub trait Own: fmt::Debug {
    /// Whether the host itself has this address.
    fn is_own(&self, addr: IpAddr) -> bool;

    /// Whether this interface has it.
    fn has(&self, iface: Iface, addr: IpAddr) -> bool;

    /// The first address of an interface of the family of `like`.
    fn address_of(&self, iface: Iface, like: IpAddr) -> Option<IpAddr>;
}

/// A packet's place on its way.
#[derive(Debug)]
pub struct Passage<'a> {
    /// Where it is.
    pub hook: Hook,
    /// When.
    pub now: Instant,
    /// Where it came in; `None` where it never was outside of this host.
    pub input: Option<Iface>,
    /// Where it leaves; `None` where it does not, and where that is not known yet.
    pub output: Option<Iface>,
    /// The address that this host itself would send from on that way.
    pub source: Option<IpAddr>,
    /// The host's addresses.
    pub own: &'a dyn Own,
    /// What storey 3 counts.
    pub counters: &'a mut Counters,
    /// The record of what happens and why.
    pub trace: &'a mut Trace,
}

/// A filter in storey 3 of one host.
///
/// Storey 3 asks at each [`Hook`] in turn and does nothing else in between with that packet; so a filter may keep from hook to
/// hook what it found out about the packet in hand. A packet that comes in is asked about first at `Prerouting`, one of the
/// host itself at `Output`.
pub trait Filter: fmt::Debug {
    /// What becomes of a packet: `frame` begins at its IP header, of either version. It may be changed, its length excepted.
    fn pass(&mut self, at: &mut Passage<'_>, frame: &mut Frame) -> Verdict;

    /// Whether it must see datagrams whole, so that fragments are put together before it is asked.
    fn wants_whole(&self) -> bool {
        true
    }

    /// Whether the packet in hand is of a conversation whose addresses are translated, or may come to be: who is told of a
    /// better way then would go past the translation.
    fn translates(&self) -> bool {
        false
    }

    /// When [`on_deadline`](Self::on_deadline) next has something to do.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Its rules and what they counted, as `nft list ruleset` prints them.
    fn ruleset(&self) -> String {
        String::new()
    }

    /// The conversations that it remembers, as `conntrack -L` prints them.
    fn connections(&self, now: Instant) -> Vec<Line> {
        let _ = now;
        Vec::new()
    }

    /// Does what is due.
    fn on_deadline(&mut self, now: Instant, counters: &mut Counters, trace: &mut Trace) {
        let _ = (now, counters, trace);
    }
}
