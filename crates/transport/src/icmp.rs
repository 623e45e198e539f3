//! What ICMP tells storey 4 about a packet that it sent.

use std::net::{IpAddr, SocketAddr};

use septet_core::EventId;
use septet_wire::Trouble;

/// An ICMP error, with what it quotes of the packet that met it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpError {
    /// The node that reported it.
    pub reporter: IpAddr,
    /// The source of the quoted packet: our own end.
    pub local: SocketAddr,
    /// The destination of the quoted packet.
    pub remote: SocketAddr,
    /// The four bytes behind the quoted ports: TCP's sequence number.
    pub seq: u32,
    /// What is wrong.
    pub trouble: Trouble,
    /// The event that made it known.
    pub cause: EventId,
}

/// Whether an ICMP error may be about something that was sent, or cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Belief {
    /// It quotes what is in flight.
    Yes,
    /// It does not: an old one, or an invented one (RFC 5927 §4).
    No,
}
