//! What a box in the middle says to the ends of a conversation that it does not want: refusals and resets, over either
//! version of IP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use septet_core::Frame;
use septet_wire::ethernet::{self, EtherType, MacAddr};
use septet_wire::icmp::{self, Message};
use septet_wire::packet::Packet;
use septet_wire::tcp::{self as wire, Flags};
use septet_wire::{Trouble, icmpv6, ipv4, ipv6, protocol};

/// How a packet is refused: what iptables' REJECT may answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Refusal {
    /// TCP by a reset, anything else as if nothing listened on its port.
    #[default]
    ByProtocol,
    /// A reset, and nothing but for TCP.
    Reset,
    /// An ICMP error.
    Error(Trouble),
}

/// The addresses from which a box in the middle speaks, where it has any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Voice {
    /// Of IPv4.
    pub v4: Option<Ipv4Addr>,
    /// Of IPv6.
    pub v6: Option<Ipv6Addr>,
}

impl Voice {
    /// The first of each version among `addresses`.
    pub fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut voice = Self::default();
        for address in addresses {
            match address {
                IpAddr::V4(v4) => voice.v4 = voice.v4.or(Some(v4)),
                IpAddr::V6(v6) => voice.v6 = voice.v6.or(Some(v6)),
            }
        }
        voice
    }

    /// That of the version of `to`; where there is none, `to` itself.
    fn towards(self, to: IpAddr) -> IpAddr {
        let own = match to {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        };
        own.unwrap_or(to)
    }
}

/// Linux' `ip_default_ttl`, and `hop_limit`.
const TTL: u8 = 64;
const MULTICAST_MAC: u8 = 1;

/// The answer to `frame` by which it is refused; `None` where RFC 1122, RFC 4443 or RFC 9293 forbid any, and for frames that
/// are not IP over Ethernet. ICMP errors come from `voice`; where that has no address, from whom the packet was for.
pub fn refuse(frame: &Frame, refusal: Refusal, voice: Voice) -> Option<Frame> {
    let seen = Seen::read(frame)?;
    let trouble = match refusal {
        Refusal::ByProtocol if seen.ip.protocol == Some(protocol::TCP) => return seen.reset_sender(),
        Refusal::Reset => return seen.reset_sender(),
        Refusal::ByProtocol => Trouble::PortUnreachable,
        Refusal::Error(trouble) => trouble,
    };
    let from = voice.towards(seen.ip.dst);
    let mut answer = match (seen.ip.src, from) {
        (IpAddr::V4(to), IpAddr::V4(from)) => {
            let header = ipv4::Header::parse(seen.packet).ok()?;
            // RFC 1122 §3.2.2 keeps to itself what was sent to all, too.
            if header.dst.is_broadcast() || !icmp::may_report(&header, seen.packet) {
                return None;
            }
            let (icmp_type, code, rest) = icmp::encode(trouble);
            let mut answer = Frame::new(Frame::HEADROOM, icmp::quote(seen.packet));
            Message { icmp_type, code, rest }.push(&mut answer);
            header_v4(protocol::ICMP, from, to).push(&mut answer);
            answer
        }
        (IpAddr::V6(to), IpAddr::V6(from)) => {
            let is_error = seen.ip.protocol == Some(protocol::ICMPV6)
                && seen.upper().first().is_none_or(|kind| icmpv6::is_error(*kind));
            let header = ipv6::Header::parse(seen.packet).ok()?;
            if is_error || seen.ip.upper_at.is_none() || !icmpv6::may_report(&header, seen.packet) {
                return None;
            }
            let (icmp_type, code, rest) = icmpv6::encode(trouble);
            let mut answer = Frame::new(Frame::HEADROOM, icmpv6::quote(seen.packet));
            icmpv6::push(&Message { icmp_type, code, rest }, &mut answer, from, to);
            header_v6(protocol::ICMPV6, from, to).push(&mut answer);
            answer
        }
        _ => return None,
    };
    seen.turn(&mut answer);
    Some(answer)
}

/// The resets by which a box in the middle ends the connection that `frame` is of: to its sender, and to its receiver
/// in the frame's place.
pub fn reset_both(frame: &Frame) -> Option<(Frame, Frame)> {
    let seen = Seen::read(frame)?;
    let back = seen.reset_sender()?;
    let (tcp, _) = wire::Header::parse(seen.upper()).ok()?;
    // RFC 5961 §3.2: the receiver takes a reset only with the sequence number that it expects next.
    let header =
        wire::Header { flags: Flags::RST | Flags::ACK, window: 0, options: wire::HeaderOptions::default(), ..tcp };
    let mut on = segment(&header, seen.ip.src, seen.ip.dst)?;
    on.push(seen.link.len()).copy_from_slice(seen.link);
    pad(&mut on);
    Some((back, on))
}

/// A reset of a connection as its near end, at `to`, takes it from the far one: `next` is the sequence number that it
/// expects, `acknowledged` what it has sent. `None` where the ends are of different versions of IP.
pub fn reset(to: Endpoint, from: Endpoint, next: u32, acknowledged: u32) -> Option<Frame> {
    let header = wire::Header {
        src_port: from.port,
        dst_port: to.port,
        seq: next,
        ack: acknowledged,
        flags: Flags::RST | Flags::ACK,
        ..wire::Header::default()
    };
    let mut frame = segment(&header, from.address, to.address)?;
    let (destination, source) = (MacAddr(to.mac), MacAddr(from.mac));
    let ether_type = if to.address.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
    ethernet::Header { destination, source, ether_type }.push(&mut frame);
    Some(frame)
}

/// A TCP connection as one of its ends knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// This end.
    pub local: SocketAddr,
    /// The other.
    pub remote: SocketAddr,
    /// The sequence number behind what this end has sent: SND.NXT.
    pub sent: u32,
    /// The one that it expects next: RCV.NXT.
    pub expected: u32,
}

/// One end of a connection, and how the link knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The link address.
    pub mac: [u8; 6],
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// A frame with IP in it.
struct Seen<'f> {
    link: &'f [u8],
    packet: &'f [u8],
    ip: Packet,
}

impl<'f> Seen<'f> {
    fn read(frame: &'f Frame) -> Option<Self> {
        let (kind, at) = ethernet::payload(frame.bytes())?;
        let (link, packet) = frame.bytes().split_at(at);
        // Nobody in particular sent to a group.
        if link[..2] == [0, 0] || link[0] & MULTICAST_MAC != 0 {
            return None;
        }
        let ip = Packet::read(packet)?;
        let fits = if ip.src.is_ipv4() { kind == EtherType::IPV4 } else { kind == EtherType::IPV6 };
        let packet = packet.get(..ip.len)?;
        fits.then_some(Self { link, packet, ip })
    }

    fn upper(&self) -> &'f [u8] {
        self.ip.upper(self.packet)
    }

    /// RFC 9293 §3.10.7.1: "If the ACK bit is off, sequence number zero is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN>
    /// <CTL=RST,ACK>. If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>." A reset is not answered.
    fn reset_sender(&self) -> Option<Frame> {
        if self.ip.protocol != Some(protocol::TCP) || self.ip.upper_at.is_none() {
            return None;
        }
        let (tcp, len) = wire::Header::parse(self.upper()).ok()?;
        if tcp.flags.has(Flags::RST) {
            return None;
        }
        let header = wire::Header { src_port: tcp.dst_port, dst_port: tcp.src_port, ..wire::Header::default() };
        let header = if tcp.flags.has(Flags::ACK) {
            wire::Header { seq: tcp.ack, flags: Flags::RST, ..header }
        } else {
            let control = u32::from(tcp.flags.has(Flags::SYN)) + u32::from(tcp.flags.has(Flags::FIN));
            let length = (self.upper().len() - len) as u32 + control;
            wire::Header { ack: tcp.seq.wrapping_add(length), flags: Flags::RST | Flags::ACK, ..header }
        };
        let mut answer = segment(&header, self.ip.dst, self.ip.src)?;
        self.turn(&mut answer);
        Some(answer)
    }

    /// Puts this frame's link header before a packet that goes the other way.
    fn turn(&self, packet: &mut Frame) {
        let link = packet.push(self.link.len());
        link.copy_from_slice(self.link);
        link[..6].copy_from_slice(&self.link[6..12]);
        link[6..12].copy_from_slice(&self.link[..6]);
        pad(packet);
    }
}

/// A segment without data, in its packet.
fn segment(tcp: &wire::Header, from: IpAddr, to: IpAddr) -> Option<Frame> {
    let mut frame = Frame::empty(Frame::HEADROOM);
    tcp.write(frame.push(tcp.wire_len()));
    wire::seal(from, to, &mut frame);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => header_v4(protocol::TCP, from, to).push(&mut frame),
        (IpAddr::V6(from), IpAddr::V6(to)) => header_v6(protocol::TCP, from, to).push(&mut frame),
        _ => return None,
    }
    Some(frame)
}

fn header_v4(protocol: u8, src: Ipv4Addr, dst: Ipv4Addr) -> ipv4::Header {
    ipv4::Header {
        tos: 0,
        total_len: 0,
        ident: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: TTL,
        protocol,
        src,
        dst,
        header_len: ipv4::HEADER_LEN as u8,
    }
}

fn header_v6(next_header: u8, src: Ipv6Addr, dst: Ipv6Addr) -> ipv6::Header {
    ipv6::Header { traffic_class: 0, flow_label: 0, payload_len: 0, next_header, hop_limit: TTL, src, dst }
}

/// IEEE 802.3 §3.2.8: at least 46 octets of data, and with the header 60.
fn pad(frame: &mut Frame) {
    frame.pad_to(ethernet::MIN_FRAME);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two ends of a connection, over each version of IP.
    fn pairs() -> [(Endpoint, Endpoint); 2] {
        [["10.0.0.1", "10.0.0.2"], ["2001:db8::1", "2001:db8::2"]].map(|[here, there]| {
            let end = |mac, address: &str, port| Endpoint { mac, address: address.parse().unwrap(), port };
            (end([2, 0, 0, 0, 0, 1], here, 80), end([2, 0, 0, 0, 0, 2], there, 40_000))
        })
    }

    /// A segment from one end to the other.
    fn sent(here: Endpoint, there: Endpoint, flags: Flags, seq: u32, ack: u32) -> Frame {
        let tcp = wire::Header { src_port: 80, dst_port: 40_000, seq, ack, flags, ..wire::Header::default() };
        let mut frame = segment(&tcp, here.address, there.address).unwrap();
        let ether_type = if here.address.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
        ethernet::Header { destination: MacAddr(there.mac), source: MacAddr(here.mac), ether_type }.push(&mut frame);
        frame
    }

    fn read(frame: &Frame) -> (Packet, wire::Header) {
        let bytes = &frame.bytes()[14..];
        let ip = Packet::read(bytes).unwrap();
        assert!(ip.src.is_ipv6() || ipv4::checksum_ok(bytes, 20));
        let mut segment = Frame::new(0, ip.upper(bytes));
        let tcp = wire::Header::take(ip.src, ip.dst, &mut segment).expect("the sum is right");
        (ip, tcp)
    }

    #[test]
    fn a_syn_and_data_are_reset_as_rfc_9293_says() {
        for (here, there) in pairs() {
            let nobody = Voice::default();
            let answer = refuse(&sent(here, there, Flags::SYN, 7, 0), Refusal::ByProtocol, nobody).unwrap();
            let (ip, tcp) = read(&answer);
            assert_eq!((ip.src, ip.dst, tcp.src_port), (there.address, here.address, 40_000));
            assert_eq!((tcp.flags, tcp.seq, tcp.ack), (Flags::RST | Flags::ACK, 0, 8));
            assert_eq!(answer.bytes()[..12], [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
            let (_, tcp) = read(&refuse(&sent(here, there, Flags::ACK, 7, 99), Refusal::Reset, nobody).unwrap());
            assert_eq!((tcp.flags, tcp.seq), (Flags::RST, 99));
            let reset = sent(here, there, Flags::RST, 7, 0);
            assert!(refuse(&reset, Refusal::ByProtocol, nobody).is_none(), "a reset is not answered");
        }
    }

    #[test]
    fn an_error_quotes_the_packet_and_is_never_about_an_error() {
        let prohibited = Refusal::Error(Trouble::Prohibited);
        let voice = Voice::of(["10.0.0.254".parse().unwrap(), "2001:db8::fe".parse().unwrap()]);
        for ((here, there), (from, kind, code)) in
            pairs().into_iter().zip([("10.0.0.254", 3, 13), ("2001:db8::fe", 1, 1)])
        {
            let syn = sent(here, there, Flags::SYN, 7, 0);
            let answer = refuse(&syn, prohibited, voice).unwrap();
            let packet = &answer.bytes()[14..];
            let ip = Packet::read(packet).unwrap();
            assert_eq!((ip.src.to_string(), ip.dst), (from.to_owned(), here.address));
            let message = ip.upper(packet);
            assert_eq!((message[0], message[1]), (kind, code));
            assert_eq!(message[8..12], syn.bytes()[14..18]);
            if let (IpAddr::V6(src), IpAddr::V6(dst)) = (ip.src, ip.dst) {
                icmpv6::parse(&Frame::new(0, message), src, dst).expect("the sum is right");
            }
            assert!(refuse(&answer, prohibited, voice).is_none());
        }
    }

    #[test]
    fn a_box_in_the_middle_resets_both_ends() {
        for (here, there) in pairs() {
            let (back, on) = reset_both(&sent(here, there, Flags::ACK, 500, 900)).unwrap();
            let ((_, back), (ip, on)) = (read(&back), read(&on));
            assert_eq!((back.flags, back.seq), (Flags::RST, 900));
            assert_eq!((ip.src, ip.dst, on.seq, on.ack), (here.address, there.address, 500, 900));
            let (_, tcp) = read(&reset(here, there, 11, 22).unwrap());
            assert_eq!((tcp.src_port, tcp.dst_port, tcp.seq, tcp.ack), (40_000, 80, 11, 22));
        }
        let [(four, _), (six, _)] = pairs();
        assert!(reset(four, six, 11, 22).is_none());
    }
}
