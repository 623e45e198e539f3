//! Packet filters: where storey 3 asks them ([`Filter`]), and which packets are meant: [`Match`] is what a rule asks of a
//! packet's [`Headers`]; what becomes of a packet that fits is not decided here.

pub mod headers;
mod seam;

use core::ops::RangeInclusive;
pub use headers::{Framing, Headers};
pub use seam::{Filter, Hook, Own, Passage, Reject, Verdict};

use crate::addr::Prefix;
use septet_wire::ethernet::EtherType;
use septet_wire::ipv4::protocol;

/// What a rule asks of a packet: all of its clauses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Match {
    /// The clauses; none fit every packet.
    pub clauses: Vec<Clause>,
}

/// A condition, or its opposite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clause {
    /// What is asked.
    pub condition: Condition,
    /// Whether it must be so.
    pub sense: Sense,
}

/// Whether a condition must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sense {
    /// It must.
    #[default]
    Is,
    /// It must not.
    IsNot,
}

/// Which end of a packet's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The sender.
    Source,
    /// The receiver.
    Destination,
    /// One of them.
    Either,
}

/// Something that can be asked of a packet. What a packet does not have fits no condition about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// It is one of these.
    Kind(Vec<Kind>),
    /// One of these ports.
    Port(End, Vec<RangeInclusive<u16>>),
    /// An address of one of these networks.
    Address(End, Vec<Prefix>),
    /// All of these control bits of TCP are set.
    Flags(u8),
    /// Of these control bits exactly these are set: mask and value.
    FlagsAmong(u8, u8),
    /// An ICMP message of one of these types and, where one is said, codes.
    Icmp(Vec<(u8, Option<u8>)>),
    /// One of these messages, of whichever version of ICMP carries it.
    Message(Vec<Message>),
    /// An ICMP message of one of these codes, of whatever type.
    IcmpCode(Vec<u8>),
    /// The length of the packet in octets, the link's header and padding not counted.
    Len(RangeInclusive<usize>),
    /// One of these times to live, or hop limits.
    Ttl(Vec<RangeInclusive<u8>>),
    /// One of these classes of differentiated services.
    Dscp(Vec<RangeInclusive<u8>>),
}

/// A message that ICMP or ICMPv6 has, or both, each by its type and, where it matters, its code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// In ICMP.
    pub v4: Option<(u8, Option<u8>)>,
    /// In ICMPv6.
    pub v6: Option<(u8, Option<u8>)>,
}

impl Message {
    fn fits(self, headers: &Headers) -> bool {
        let of_version = if headers.protocol == Some(protocol::ICMPV6) { self.v6 } else { self.v4 };
        let (Some((kind, code)), Some(found)) = (of_version, headers.icmp) else { return false };
        kind == found.0 && code.is_none_or(|code| code == found.1)
    }
}

/// What a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An IP packet, of either version.
    Ip,
    /// A packet of this number over Ethernet.
    EtherType(u16),
    /// An IP packet of this protocol.
    Protocol(u8),
    /// ICMP of either version.
    Icmp,
}

impl Kind {
    /// Address resolution.
    pub const ARP: Self = Self::EtherType(EtherType::ARP.0);
    /// TCP.
    pub const TCP: Self = Self::Protocol(protocol::TCP);
    /// UDP.
    pub const UDP: Self = Self::Protocol(protocol::UDP);
    /// IPv4.
    pub const IPV4: Self = Self::EtherType(EtherType::IPV4.0);
    /// IPv6.
    pub const IPV6: Self = Self::EtherType(EtherType::IPV6.0);

    fn fits(self, headers: &Headers) -> bool {
        match self {
            Self::Ip => [EtherType::IPV4, EtherType::IPV6].iter().any(|kind| headers.ether_type == Some(kind.0)),
            Self::EtherType(kind) => headers.ether_type == Some(kind),
            Self::Protocol(protocol) => headers.protocol == Some(protocol),
            Self::Icmp => matches!(headers.protocol, Some(protocol::ICMP | protocol::ICMPV6)),
        }
    }
}

impl Match {
    /// Whether a packet is meant.
    pub fn fits(&self, headers: &Headers) -> bool {
        self.clauses.iter().all(|clause| match clause.sense {
            Sense::Is => clause.condition.fits(headers),
            Sense::IsNot => !clause.condition.fits(headers),
        })
    }
}

impl Condition {
    /// Whether it holds of a packet.
    pub fn fits(&self, headers: &Headers) -> bool {
        match self {
            Self::Kind(kinds) => kinds.iter().any(|kind| kind.fits(headers)),
            Self::Port(end, ranges) => headers.ports.is_some_and(|(src, dst)| {
                end.of(src, dst).any(|port| ranges.iter().any(|range| range.contains(&port)))
            }),
            Self::Address(end, networks) => match (headers.src, headers.dst) {
                (Some(src), Some(dst)) => end.of(src, dst).any(|addr| networks.iter().any(|net| net.contains(addr))),
                _ => false,
            },
            Self::Flags(bits) => headers.flags.is_some_and(|flags| flags & bits == *bits),
            Self::Icmp(types) => headers
                .icmp
                .is_some_and(|(kind, code)| types.iter().any(|(k, c)| *k == kind && c.is_none_or(|c| c == code))),
            Self::Message(messages) => messages.iter().any(|message| message.fits(headers)),
            Self::IcmpCode(codes) => headers.icmp.is_some_and(|(_, code)| codes.contains(&code)),
            Self::FlagsAmong(mask, value) => headers.flags.is_some_and(|flags| flags & mask == *value),
            Self::Len(range) => range.contains(&headers.len),
            Self::Ttl(ranges) => headers.ttl.is_some_and(|ttl| ranges.iter().any(|range| range.contains(&ttl))),
            Self::Dscp(ranges) => headers.dscp.is_some_and(|dscp| ranges.iter().any(|range| range.contains(&dscp))),
        }
    }
}

impl End {
    fn of<T>(self, src: T, dst: T) -> impl Iterator<Item = T> {
        let src = (self != Self::Destination).then_some(src);
        let dst = (self != Self::Source).then_some(dst);
        src.into_iter().chain(dst)
    }
}

#[cfg(test)]
mod tests;
