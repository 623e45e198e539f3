//! Which conversation a packet belongs to: Linux's `nf_conntrack_tuple`.

use std::net::IpAddr;

use septet_core::{Checksums, Frame, checksum};
use septet_wire::packet::{Packet, ports};
use septet_wire::{icmp, icmpv6, protocol, pseudo_header, tcp};

/// The ends of a conversation as packets of one direction have them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tuple {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// The protocol over IP.
    pub protocol: u8,
    /// What tells conversations between the same hosts apart.
    pub ends: Ends,
}

/// What tells conversations between the same hosts apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ends {
    /// Ports, from and to.
    Ports(u16, u16),
    /// An ICMP query: its identifier, type and code.
    Query(u16, u8, u8),
    /// Nothing: all that this protocol carries between them is one conversation.
    None,
}

/// ICMP's queries and their answers (RFC 792, RFC 950), then ICMPv6's.
const QUERIES: [(u8, u8); 4] = [(icmp::kind::ECHO, icmp::kind::ECHO_REPLY), (13, 14), (15, 16), (17, 18)];
const QUERIES_V6: [(u8, u8); 1] = [(icmpv6::kind::ECHO, icmpv6::kind::ECHO_REPLY)];

const fn queries(protocol: u8) -> &'static [(u8, u8)] {
    if protocol == protocol::ICMPV6 { &QUERIES_V6 } else { &QUERIES }
}

impl Tuple {
    /// What the answers look like.
    pub fn inverted(&self) -> Self {
        let ends = match self.ends {
            Ends::Ports(from, to) => Ends::Ports(to, from),
            Ends::Query(ident, kind, code) => {
                let other = queries(self.protocol).iter().find_map(|&(asks, answers)| match kind {
                    kind if kind == asks => Some(answers),
                    kind if kind == answers => Some(asks),
                    _ => None,
                });
                Ends::Query(ident, other.unwrap_or(kind), code)
            }
            Ends::None => Ends::None,
        };
        Self { src: self.dst, dst: self.src, ends, ..*self }
    }

    /// The sender's port, or a query's identifier; zero where there is neither.
    pub const fn from(&self) -> u16 {
        match self.ends {
            Ends::Ports(from, _) => from,
            Ends::Query(ident, ..) => ident,
            Ends::None => 0,
        }
    }

    /// The receiver's port, or a query's identifier; zero where there is neither.
    pub const fn to(&self) -> u16 {
        match self.ends {
            Ends::Ports(_, to) => to,
            Ends::Query(ident, ..) => ident,
            Ends::None => 0,
        }
    }

    /// The same from another sender's port, or with another identifier.
    pub const fn with_from(self, port: u16) -> Self {
        let ends = match self.ends {
            Ends::Ports(_, to) => Ends::Ports(port, to),
            Ends::Query(_, kind, code) => Ends::Query(port, kind, code),
            Ends::None => Ends::None,
        };
        Self { ends, ..self }
    }

    /// The same to another receiver's port, or with another identifier.
    pub const fn with_to(self, port: u16) -> Self {
        let ends = match self.ends {
            Ends::Ports(from, _) => Ends::Ports(from, port),
            Ends::Query(_, kind, code) => Ends::Query(port, kind, code),
            Ends::None => Ends::None,
        };
        Self { ends, ..self }
    }

    /// Whether it may begin a conversation. An answer that nobody asked for does not, nor does a query that has no answer.
    pub fn may_begin(&self) -> bool {
        match self.ends {
            Ends::Query(_, kind, _) => queries(self.protocol).iter().any(|&(asks, _)| asks == kind),
            Ends::Ports(..) | Ends::None => true,
        }
    }

    /// Reads the packet at the start of `bytes`, which may be cut short behind the ends.
    pub fn read(packet: &Packet, bytes: &[u8]) -> Option<Self> {
        let protocol = packet.protocol?;
        let upper = packet.upper(bytes);
        let ends = match protocol {
            protocol::TCP | protocol::UDP => {
                let (from, to) = ports(upper)?;
                Ends::Ports(from, to)
            }
            protocol::ICMP | protocol::ICMPV6 => {
                let message = icmp::Message::parse(upper).ok()?;
                Ends::Query(message.ident(), message.icmp_type, message.code)
            }
            // Behind the first fragment nothing tells whose it is.
            _ => packet.upper_at.map(|_| Ends::None)?,
        };
        Some(Self { src: packet.src, dst: packet.dst, protocol, ends })
    }
}

/// What connection tracking makes of a packet before it looks anything up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// A packet of a conversation.
    Flow(Tuple),
    /// An ICMP error about a packet with these ends, which it quotes.
    Error(Tuple),
    /// What is not tracked: neighbour discovery and the like.
    Untracked,
    /// What cannot belong to anything, and why.
    Invalid(&'static str),
}

/// Whether the checksums of a packet are looked at, where they are not known to be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verify {
    /// They are: the packet comes from outside.
    Yes,
    /// They are not: this host made it.
    No,
}

impl Seen {
    /// Looks at the packet that `frame` begins with.
    pub fn of(packet: &Packet, frame: &Frame, verify: Verify) -> Self {
        let bytes = frame.bytes();
        let Some(protocol) = packet.protocol else { return Self::Invalid("its headers are cut short") };
        if packet.is_fragment {
            return Self::Invalid("a fragment");
        }
        let upper = packet.upper(bytes);
        if verify == Verify::Yes && frame.checksums == Checksums::Unverified && !checksum_ok(packet, protocol, upper) {
            return Self::Invalid("its checksum is wrong");
        }
        match protocol {
            protocol::TCP => match tcp::Header::parse(upper) {
                Ok((header, _)) if flags_make_sense(header.flags) => Self::flow(packet, bytes),
                Ok(_) => Self::Invalid("no TCP has such control bits"),
                Err(_) => Self::Invalid("its TCP header is cut short"),
            },
            protocol::UDP => match upper.first_chunk::<6>() {
                Some(&[.., a, b]) if (8..=upper.len()).contains(&usize::from(u16::from_be_bytes([a, b]))) => {
                    Self::flow(packet, bytes)
                }
                _ => Self::Invalid("its UDP header is cut short"),
            },
            protocol::ICMP | protocol::ICMPV6 => Self::icmp(packet, bytes, protocol, upper),
            _ => Self::flow(packet, bytes),
        }
    }

    fn flow(packet: &Packet, bytes: &[u8]) -> Self {
        Tuple::read(packet, bytes).map_or(Self::Invalid("its headers are cut short"), Self::Flow)
    }

    fn icmp(packet: &Packet, bytes: &[u8], protocol: u8, upper: &[u8]) -> Self {
        let Ok(message) = icmp::Message::parse(upper) else { return Self::Invalid("its ICMP header is cut short") };
        let kind = message.icmp_type;
        let is_error = match protocol {
            protocol::ICMPV6 => icmpv6::is_error(kind),
            _ => matches!(
                kind,
                icmp::kind::UNREACHABLE
                    | icmp::kind::SOURCE_QUENCH
                    | icmp::kind::REDIRECT
                    | icmp::kind::TIME_EXCEEDED
                    | icmp::kind::PARAMETER_PROBLEM
            ),
        };
        if is_error {
            return quoted(&upper[icmp::HEADER_LEN..])
                .map_or(Self::Invalid("it quotes no packet that could be known"), Self::Error);
        }
        // As Linux: multicast listeners, neighbour discovery and redirects are between neighbours.
        if protocol == protocol::ICMPV6 && matches!(kind, 130..=137 | 143) {
            return Self::Untracked;
        }
        if !queries(protocol).iter().any(|&(asks, answers)| kind == asks || kind == answers) {
            return Self::Invalid("an ICMP message that neither asks nor answers");
        }
        Self::flow(packet, bytes)
    }
}

/// The ends of the packet that an ICMP error quotes.
fn quoted(quote: &[u8]) -> Option<Tuple> {
    let packet = Packet::read(quote)?;
    let tuple = Tuple::read(&packet, quote)?;
    // RFC 1122 §3.2.2: an error is never about an error.
    if let Ends::Query(_, kind, _) = tuple.ends
        && !queries(tuple.protocol).iter().any(|&(asks, answers)| kind == asks || kind == answers)
    {
        return None;
    }
    Some(tuple)
}

fn checksum_ok(packet: &Packet, protocol: u8, upper: &[u8]) -> bool {
    let whole = || pseudo_header(packet.src, packet.dst, protocol, upper.len()).bytes(upper).finish() == 0;
    match protocol {
        protocol::TCP | protocol::ICMPV6 => whole(),
        // RFC 768: no checksum.
        protocol::UDP if upper.get(6..8) == Some(&[0, 0]) => packet.src.is_ipv4(),
        protocol::UDP => {
            let len = upper.get(4..6).map_or(0, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
            let Some(datagram) = upper.get(..len) else { return false };
            pseudo_header(packet.src, packet.dst, protocol, len).bytes(datagram).finish() == 0
        }
        protocol::ICMP => checksum::of(upper) == 0,
        _ => true,
    }
}

/// The combinations that Linux takes; PSH, ECE and CWR go with any.
fn flags_make_sense(flags: tcp::Flags) -> bool {
    let flags = flags.without(tcp::Flags::PSH | tcp::Flags::ECE | tcp::Flags::CWR);
    let plain = flags.without(tcp::Flags::URG);
    let (syn, fin, rst, ack) = (tcp::Flags::SYN, tcp::Flags::FIN, tcp::Flags::RST, tcp::Flags::ACK);
    plain == syn || plain == (fin | ack) || plain == ack || [syn | ack, rst, rst | ack].contains(&flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::samples::{self, at};

    fn seen(frame: &Frame) -> Seen {
        Seen::of(&Packet::read(frame.bytes()).unwrap(), frame, Verify::Yes)
    }

    #[test]
    fn tuples_invert_to_themselves_and_queries_to_answers() {
        let Seen::Flow(tcp) = seen(&samples::tcp(at(1, 5000), at(2, 80), tcp::Flags::SYN, 1, 0, b"")) else { panic!() };
        assert_eq!((tcp.from(), tcp.to(), tcp.inverted().inverted()), (5000, 80, tcp));
        let Seen::Flow(ping) = seen(&samples::echo(1, 2, 77)) else { panic!() };
        assert_eq!(ping.inverted().ends, Ends::Query(77, icmp::kind::ECHO_REPLY, 0));
        assert!(ping.may_begin() && !ping.inverted().may_begin());
    }

    #[test]
    fn an_error_is_known_by_what_it_quotes() {
        let about = samples::udp(at(1, 5000), at(2, 53), b"hello");
        let error = samples::error(3, 1, icmp::kind::TIME_EXCEEDED, 0, &about);
        let Seen::Error(inner) = seen(&error) else { panic!() };
        assert_eq!((inner.src, inner.from(), inner.to()), (at(1, 0).ip(), 5000, 53));
        let about_error = samples::error(3, 1, icmp::kind::UNREACHABLE, 1, &error);
        assert!(matches!(seen(&about_error), Seen::Invalid(_)));
    }

    #[test]
    fn what_no_stack_sends_is_invalid() {
        for flags in [0x00, 0x03, 0x29, 0x3f, 0x06, 0x05] {
            let frame = samples::tcp(at(1, 1), at(2, 2), tcp::Flags::from_bits(flags), 1, 0, b"");
            assert!(matches!(seen(&frame), Seen::Invalid(_)), "{flags:#x}");
        }
        let mut bad = samples::udp(at(1, 1), at(2, 2), b"abc");
        bad.bytes_mut()[30] ^= 1;
        bad.checksums = Checksums::Unverified;
        assert_eq!(seen(&bad), Seen::Invalid("its checksum is wrong"));
    }
}
