//! Which translation a conversation gets when it begins, and what that makes of each of its packets.

use core::ops::RangeInclusive;
use std::net::IpAddr;

use septet_core::{DropReason, Frame, Instant};

use super::rule::Action;
use super::{Firewall, Walk, tell};
use crate::conntrack::{Connection, Direction, Ends, Of, State, Tuple};
use crate::filter::{Headers, Hook, Passage, Verdict};
use crate::nat::rewrite::{self, End};
use crate::nat::{Inbound, Peer};

/// Octets of the headers of IPv4, options included, and of what is above it as far as that is changed.
const HEADERS: usize = 60 + 20;

impl Firewall {
    /// Decides on the destination of a conversation that begins.
    pub(super) fn destination(&mut self, at: &mut Passage<'_>, frame: &mut Frame) -> Verdict {
        let Some(tuple) = self.begun() else { return Verdict::Accept };
        match self.ask_nat(at, frame) {
            Some(Action::Dnat(to, port)) if to.is_ipv4() == tuple.dst.is_ipv4() => {
                self.set_destination((to, port.unwrap_or(tuple.to())));
                return Verdict::Accept;
            }
            Some(Action::Redirect(port)) => {
                // As nft: to the address of the interface that it came in by; what the host sends, to itself.
                let loopback: IpAddr = if tuple.dst.is_ipv4() {
                    std::net::Ipv4Addr::LOCALHOST.into()
                } else {
                    std::net::Ipv6Addr::LOCALHOST.into()
                };
                let to = match at.input {
                    Some(iface) => at.own.address_of(iface, tuple.dst),
                    None => Some(loopback),
                };
                if let Some(to) = to {
                    self.set_destination((to, port.unwrap_or(tuple.to())));
                }
                return Verdict::Accept;
            }
            Some(_) => return Verdict::Accept,
            None => {}
        }
        if at.hook != Hook::Prerouting || !self.is_outside(at, tuple.dst) {
            return Verdict::Accept;
        }
        if let Some(to) = self.nat.forward(tuple.protocol, tuple.to()) {
            self.set_destination(to);
            return Verdict::Accept;
        }
        self.inbound(at, frame, &tuple)
    }

    /// A packet to an address outside that no port forward takes: for the endpoint whose mapping it is, or for the router.
    fn inbound(&mut self, at: &mut Passage<'_>, frame: &Frame, tuple: &Tuple) -> Verdict {
        let mut from = (tuple.src, tuple.from());
        if self.nat.inbound(at.now, tuple, from) == Inbound::Unmapped {
            return Verdict::Accept;
        }
        if self.is_inside(at.input) {
            // RFC 4787 §6 REQ-9 (a): a NAT "MUST be of type 'External source IP address and port'" where it hairpins.
            let Some(port) = self.nat.map(at.now, tuple, Peer::Inside, tuple.dst, None, |_| false) else {
                return self.no_port(at, frame);
            };
            from = (tuple.dst, port);
        }
        match self.nat.inbound(at.now, tuple, from) {
            Inbound::Unmapped => Verdict::Accept,
            Inbound::To(to) => {
                self.set_destination(to);
                if let Some(connection) = self.tracker.get_mut(Of::Begun) {
                    connection.translated.inbound = true;
                }
                Verdict::Accept
            }
            // RFC 5382 §4.3 REQ-4: "A NAT MUST NOT respond to an unsolicited inbound SYN packet for at least 6 seconds".
            Inbound::Refused(_) => {
                at.counters.nat_filtered += 1;
                let why = "nobody behind this port has asked for it";
                tell::dropped("nat.drop", at, frame, "", DropReason::NatFiltered, why);
                Verdict::Drop(DropReason::NatFiltered)
            }
        }
    }

    /// Decides on the source of a conversation that begins.
    pub(super) fn source(&mut self, at: &mut Passage<'_>, frame: &mut Frame) -> Verdict {
        let Some(tuple) = self.begun() else { return Verdict::Accept };
        let is_translated = self.tracker.get(Of::Begun).is_some_and(|c| c.translated.destination);
        let outside = at.output.is_some_and(|iface| self.nat.config().outside.contains(&iface));
        let (address, ports, peer) = match self.ask_nat(at, frame) {
            Some(Action::Masquerade(ports)) => (at.source, ports, Peer::Outside),
            Some(Action::Snat(address, ports)) => (Some(address), ports, Peer::Outside),
            Some(_) => return Verdict::Accept,
            None if is_translated && !outside && at.output.is_some() && self.is_inside(self.came) => {
                (Some(tuple.dst), None, Peer::Inside)
            }
            None if outside && tuple.src.is_ipv4() => (at.source, None, Peer::Outside),
            None => return Verdict::Accept,
        };
        let Some(address) = address.filter(|address| address.is_ipv4() == tuple.src.is_ipv4()) else {
            return Verdict::Accept;
        };
        if address == tuple.src && ports.is_none() {
            return Verdict::Accept;
        }
        self.set_source(at, frame, address, ports, peer)
    }

    fn set_source(
        &mut self,
        at: &mut Passage<'_>,
        frame: &Frame,
        address: IpAddr,
        ports: Option<RangeInclusive<u16>>,
        peer: Peer,
    ) -> Verdict {
        let Self { tracker, nat, .. } = self;
        let Some([original, reply]) = tracker.get(Of::Begun).map(|c| c.tuples) else { return Verdict::Accept };
        let answer = Tuple { dst: address, ..reply };
        let is_taken = |port: u16| tracker.knows(at.now, &answer.with_to(port));
        let port = match original.ends {
            Ends::None if tracker.knows(at.now, &answer) => None,
            Ends::None => Some(0),
            Ends::Ports(..) | Ends::Query(..) => {
                // Who is outside is the receiver as it is there, after translation.
                let seen = match peer {
                    Peer::Inside => original,
                    Peer::Outside => Tuple { dst: reply.src, ..original },
                };
                let seen = match seen.ends {
                    Ends::Ports(..) if peer == Peer::Outside => seen.with_to(reply.from()),
                    _ => seen,
                };
                nat.map(at.now, &seen, peer, address, ports, is_taken)
            }
        };
        let Some(port) = port else { return self.no_port(at, frame) };
        if let Some(connection) = self.tracker.get_mut(Of::Begun) {
            connection.tuples[Direction::Reply as usize] = answer.with_to(port);
            connection.translated.source = true;
        }
        Verdict::Accept
    }

    fn no_port(&mut self, at: &mut Passage<'_>, frame: &Frame) -> Verdict {
        at.counters.nat_exhausted += 1;
        tell::dropped("nat.drop", at, frame, "", DropReason::NatPorts, "no port is left outside");
        Verdict::Drop(DropReason::NatPorts)
    }

    /// Where the answers of a conversation could not be told from another's, its source gets another port.
    pub(super) fn tell_apart(&mut self, now: Instant) {
        let Some(reply) = self.tracker.get(Of::Begun).map(|c| c.tuples[Direction::Reply as usize]) else { return };
        if matches!(reply.ends, Ends::None) || !self.tracker.knows(now, &reply) {
            return;
        }
        let first = reply.to().max(1024);
        let free = (1..=1024).map(|n| reply.with_to(first.wrapping_add(n).max(1024)));
        let Some(free) = { free }.find(|tuple| !self.tracker.knows(now, tuple)) else { return };
        if let Some(connection) = self.tracker.get_mut(Of::Begun) {
            connection.tuples[Direction::Reply as usize] = free;
            connection.translated.source = true;
        }
    }

    /// Puts what is translated into a packet: its destination where it comes in, its source where it leaves.
    pub(super) fn translate(&mut self, now: Instant, end: End, frame: &mut Frame) {
        let (of, direction) = (self.found.of, self.found.direction);
        let Some(connection) = self.tracker.get(of) else { return };
        let translated = match (end, direction) {
            (End::Source, Direction::Original) | (End::Destination, Direction::Reply) => connection.translated.source,
            (End::Destination, Direction::Original) | (End::Source, Direction::Reply) => {
                connection.translated.destination
            }
        };
        if !translated {
            return;
        }
        let target = connection.translation(direction);
        if self.found.state == State::Related {
            let quoted = connection.tuples[direction.other() as usize];
            rewrite::replace_error(frame.bytes_mut(), end, &target, &quoted);
            return;
        }
        // What stands behind the headers does not change, nor the hash of it that is remembered.
        let head = if target.src.is_ipv4() { frame.len().min(HEADERS) } else { frame.len() };
        rewrite::replace(frame.header_mut(head), end, &target);
        if end == End::Source {
            self.nat.refresh(now, &target);
        }
    }

    /// A conversation is remembered: what it uses is held.
    pub(super) fn hold(&mut self, at: &mut Passage<'_>, of: Of, frame: &mut Frame) {
        let Some(connection) = self.tracker.get(of) else { return };
        let [original, reply] = connection.tuples;
        if connection.translated == crate::conntrack::Translated::default() {
            return;
        }
        at.counters.nat_new += 1;
        frame.cause = tell::translated(connection, frame.cause, at.trace);
        let translated = connection.translated;
        if translated.source {
            self.nat.hold(original.protocol, (reply.dst, reply.to()));
        }
        if translated.inbound {
            self.nat.hold(original.protocol, (original.dst, original.to()));
        }
    }

    /// A conversation is forgotten, and with it what it used.
    pub(super) fn let_go(&mut self, now: Instant, connection: &Connection) {
        let [original, reply] = connection.tuples;
        if connection.translated.source {
            self.nat.release(now, original.protocol, (reply.dst, reply.to()));
        }
        if connection.translated.inbound {
            self.nat.release(now, original.protocol, (original.dst, original.to()));
        }
    }

    /// The same of all that gave way to others.
    pub(super) fn let_all_go(&mut self, now: Instant) {
        while let Some(gone) = self.tracker.pop_gone() {
            self.let_go(now, &gone);
        }
    }

    /// The ends of the conversation that the packet in hand begins.
    fn begun(&self) -> Option<Tuple> {
        if self.found.of != Of::Begun {
            return None;
        }
        self.tracker.get(Of::Begun).map(|connection| connection.tuples[Direction::Original as usize])
    }

    fn set_destination(&mut self, (address, port): (IpAddr, u16)) {
        if let Some(connection) = self.tracker.get_mut(Of::Begun) {
            let answer = connection.tuples[Direction::Reply as usize];
            let answer = Tuple { src: address, ..answer };
            connection.tuples[Direction::Reply as usize] = match answer.ends {
                Ends::Ports(..) => answer.with_from(port),
                Ends::Query(..) | Ends::None => answer,
            };
            connection.translated.destination = true;
        }
    }

    /// Whether an address is one of the router's outside.
    fn is_outside(&self, at: &Passage<'_>, address: IpAddr) -> bool {
        let config = self.nat.config();
        if config.outside.is_empty() {
            return !config.forwards.is_empty() && at.own.is_own(address);
        }
        config.outside.iter().any(|iface| at.own.has(*iface, address))
    }

    /// Whether a packet came in from inside.
    fn is_inside(&self, came: Option<u16>) -> bool {
        let outside = &self.nat.config().outside;
        !outside.is_empty() && came.is_some_and(|iface| !outside.contains(&iface))
    }

    /// What the rules say of the translation of a conversation that begins.
    fn ask_nat(&mut self, at: &mut Passage<'_>, frame: &mut Frame) -> Option<Action> {
        let &(_, chain) = self.config.rules.nat.iter().find(|(hook, _)| *hook == at.hook)?;
        let config = self.config.clone();
        let headers = Headers::of_packet(frame.bytes());
        match self.walk(&config.rules, chain, at, &headers, frame, 0) {
            Walk::Decided(action, _) => Some(action),
            Walk::On => None,
        }
    }
}
