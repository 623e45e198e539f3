//! What can go wrong with a packet on its way, said once for both versions of IP. How ICMP (RFC 792) and ICMPv6
//! (RFC 4443) write it is theirs: [`icmp::encode`](crate::icmp::encode), [`icmpv6::encode`](crate::icmpv6::encode).

use core::fmt;

/// What a node reports about a packet. What only one version can say, the other writes as what comes nearest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trouble {
    /// No route leads there.
    NoRoute,
    /// The last router gets no answer from the host.
    HostUnreachable,
    /// The host does not speak the protocol.
    ProtocolUnreachable,
    /// Nothing listens on the port.
    PortUnreachable,
    /// Larger than the next link takes, and not to be cut; zero where the router does not say how large it may be.
    TooBig {
        /// The largest packet that fits, in octets.
        mtu: u32,
    },
    /// A policy of a node on the way forbids it.
    Prohibited,
    /// Its time to live, or hop limit, ran out on the way.
    HopLimit,
    /// Not all of its fragments came in time.
    Reassembly,
    /// Something in its headers is wrong.
    Header {
        /// What.
        fault: HeaderFault,
        /// At which octet of the packet.
        at: u32,
    },
    /// IPv4: the route that the sender asked for cannot be taken.
    SourceRoute,
    /// IPv4: nobody knows such a network.
    NetworkUnknown,
    /// IPv4: nobody knows such a host.
    HostUnknown,
    /// IPv4: the sender is cut off.
    Isolated,
    /// IPv4: a policy forbids the whole network.
    NetworkProhibited,
    /// IPv4: a policy forbids the host.
    HostProhibited,
    /// IPv4: no route for this type of service.
    NetworkService,
    /// IPv4: the host is out of reach for this type of service.
    HostService,
    /// IPv4: its precedence is not allowed there.
    Precedence,
    /// IPv4: its precedence is below what the network's operators ask for.
    PrecedenceCutoff,
    /// IPv6: the way leads out of the zone of its source address.
    BeyondScope,
    /// IPv6: no packets from this source are let in or out.
    SourcePolicy,
    /// IPv6: a route says that packets to there are refused.
    RejectRoute,
    /// What only the message's numbers say.
    Other {
        /// The type of the message.
        icmp_type: u8,
        /// Its code.
        code: u8,
    },
}

/// What is wrong with a header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HeaderFault {
    /// A field has a value that it must not have.
    Field,
    /// IPv6: no such next header is known.
    NextHeader,
    /// An option is not known, or IPv4: one that is required is missing.
    Option,
    /// IPv6: the first fragment does not hold all headers (RFC 7112).
    FirstFragment,
    /// IPv4: a length is wrong.
    Length,
}

impl Trouble {
    /// It in words that fit both versions.
    pub const fn why(self) -> &'static str {
        match self {
            Self::NoRoute | Self::NetworkService => "destination net unreachable",
            Self::HostUnreachable | Self::HostService => "destination host unreachable",
            Self::ProtocolUnreachable => "destination protocol unreachable",
            Self::PortUnreachable => "destination port unreachable",
            Self::TooBig { .. } => "packet too big for the next link",
            Self::Prohibited
            | Self::NetworkProhibited
            | Self::HostProhibited
            | Self::SourcePolicy
            | Self::RejectRoute
            | Self::Precedence
            | Self::PrecedenceCutoff => "packet filtered",
            Self::HopLimit => "time to live exceeded",
            Self::Reassembly => "fragment reassembly time exceeded",
            Self::Header { .. } => "parameter problem",
            Self::SourceRoute => "source route failed",
            Self::NetworkUnknown => "destination net unknown",
            Self::HostUnknown => "destination host unknown",
            Self::Isolated => "source host isolated",
            Self::BeyondScope => "beyond the scope of its source",
            Self::Other { .. } => "destination unreachable",
        }
    }

    /// Whether Linux exempts it from the rate limit: path MTU discovery depends on it.
    pub const fn is_unlimited(self) -> bool {
        matches!(self, Self::TooBig { .. })
    }

    /// The MTU that it tells; zero where it tells none.
    pub const fn mtu(self) -> u32 {
        match self {
            Self::TooBig { mtu } => mtu,
            _ => 0,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}
