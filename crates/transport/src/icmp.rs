//! What ICMP tells storey 4 about a packet that it sent.

use std::net::{IpAddr, SocketAddr};

use septet_core::EventId;

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
    pub kind: Unreachable,
    /// The ICMP type as received.
    pub icmp_type: u8,
    /// The ICMP code as received.
    pub code: u8,
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

/// What an ICMP error says, the same for ICMPv4 and ICMPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unreachable {
    /// No route to the network.
    Network,
    /// The host does not answer.
    Host,
    /// The destination does not speak the protocol.
    Protocol,
    /// Nothing listens on the port.
    Port,
    /// The packet may not be fragmented and is larger than the next link's MTU; zero where the router did not say.
    TooBig {
        /// The largest packet that fits.
        mtu: u32,
    },
    /// A filter forbids it.
    Prohibited,
    /// The time to live reached zero on the way.
    TimeExceeded,
    /// A header field is wrong.
    ParameterProblem,
}
