//! What a box in the middle says to the ends of a conversation that it does not want: refusals and resets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use septet_core::Frame;
use septet_wire::ethernet::{self, EtherType, MacAddr};
use septet_wire::icmp::{self, Message};
use septet_wire::tcp::{self as wire, Flags};
use septet_wire::{Trouble, ipv4, protocol};

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

/// Linux' `ip_default_ttl`.
const TTL: u8 = 64;
const MULTICAST_MAC: u8 = 1;

/// The answer to `frame` by which it is refused; `None` where RFC 1122 or RFC 9293 forbid any, and for frames that are
/// not IPv4 over Ethernet. ICMP errors come from `from`; where that is not given, from whom the packet was for.
pub fn refuse(frame: &Frame, refusal: Refusal, from: Option<Ipv4Addr>) -> Option<Frame> {
    let seen = Seen::read(frame)?;
    let error = match refusal {
        Refusal::ByProtocol if seen.ip.protocol == protocol::TCP => return seen.reset_sender(),
        Refusal::Reset => return seen.reset_sender(),
        Refusal::ByProtocol => Trouble::PortUnreachable,
        Refusal::Error(error) => error,
    };
    // RFC 1122 §3.2.2: "An ICMP error message MUST NOT be sent as the result of receiving: an ICMP error message, or a
    // datagram destined to an IP broadcast or IP multicast address, or a datagram sent as a link-layer broadcast, or a
    // non-initial fragment".
    let of_error =
        seen.ip.protocol == protocol::ICMP && Message::parse(seen.upper()).map_or(true, |message| message.is_error());
    if of_error || seen.ip.fragment_offset != 0 || seen.ip.dst.is_multicast() || seen.ip.dst.is_broadcast() {
        return None;
    }
    let (icmp_type, code, rest) = icmp::encode(error);
    let mut answer = Frame::new(Frame::HEADROOM, icmp::quote(seen.packet));
    Message { icmp_type, code, rest }.push(&mut answer);
    seen.send_back(&mut answer, protocol::ICMP, from.unwrap_or(seen.ip.dst));
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
    let mut on = segment(&header, seen.ip.src, seen.ip.dst);
    on.push(seen.link.len()).copy_from_slice(seen.link);
    pad(&mut on);
    Some((back, on))
}

/// A reset of a connection as its near end, at `to`, takes it from the far one: `next` is the sequence number that it
/// expects, `acknowledged` what it has sent.
pub fn reset(to: Endpoint, from: Endpoint, next: u32, acknowledged: u32) -> Frame {
    let header = wire::Header {
        src_port: from.port,
        dst_port: to.port,
        seq: next,
        ack: acknowledged,
        flags: Flags::RST | Flags::ACK,
        ..wire::Header::default()
    };
    let mut frame = segment(&header, from.address, to.address);
    let (destination, source) = (MacAddr(to.mac), MacAddr(from.mac));
    ethernet::Header { destination, source, ether_type: EtherType::IPV4 }.push(&mut frame);
    frame
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
    pub address: Ipv4Addr,
    /// The port.
    pub port: u16,
}

/// A frame with IPv4 in it.
struct Seen<'f> {
    link: &'f [u8],
    packet: &'f [u8],
    ip: ipv4::Header,
}

impl<'f> Seen<'f> {
    fn read(frame: &'f Frame) -> Option<Self> {
        let (_, at) = ethernet::payload(frame.bytes()).filter(|(kind, _)| *kind == EtherType::IPV4)?;
        let (link, packet) = frame.bytes().split_at(at);
        // Nobody in particular sent to a group.
        if link[..2] == [0, 0] || link[0] & MULTICAST_MAC != 0 {
            return None;
        }
        let ip = ipv4::Header::parse(packet).ok()?;
        let packet = packet.get(..usize::from(ip.total_len))?;
        Some(Self { link, packet, ip })
    }

    fn upper(&self) -> &'f [u8] {
        &self.packet[usize::from(self.ip.header_len)..]
    }

    /// RFC 9293 §3.10.7.1: "If the ACK bit is off, sequence number zero is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN>
    /// <CTL=RST,ACK>. If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>." A reset is not answered.
    fn reset_sender(&self) -> Option<Frame> {
        if self.ip.protocol != protocol::TCP || self.ip.fragment_offset != 0 {
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
        let mut answer = segment(&header, self.ip.dst, self.ip.src);
        self.turn(&mut answer);
        Some(answer)
    }

    fn send_back(&self, payload: &mut Frame, protocol: u8, from: Ipv4Addr) {
        header(protocol, from, self.ip.src).push(payload);
        self.turn(payload);
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
fn segment(tcp: &wire::Header, from: Ipv4Addr, to: Ipv4Addr) -> Frame {
    let mut frame = Frame::empty(Frame::HEADROOM);
    tcp.write(frame.push(tcp.wire_len()));
    wire::seal(IpAddr::V4(from), IpAddr::V4(to), &mut frame);
    header(protocol::TCP, from, to).push(&mut frame);
    frame
}

fn header(protocol: u8, src: Ipv4Addr, dst: Ipv4Addr) -> ipv4::Header {
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

/// IEEE 802.3 §3.2.8: at least 46 octets of data, and with the header 60.
fn pad(frame: &mut Frame) {
    frame.pad_to(ethernet::MIN_FRAME);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Endpoint = Endpoint { mac: [2, 0, 0, 0, 0, 1], address: Ipv4Addr::new(10, 0, 0, 1), port: 80 };
    const THERE: Endpoint = Endpoint { mac: [2, 0, 0, 0, 0, 2], address: Ipv4Addr::new(10, 0, 0, 2), port: 40_000 };

    /// A segment from `HERE` to `THERE`.
    fn sent(flags: Flags, seq: u32, ack: u32) -> Frame {
        let tcp = wire::Header { src_port: 80, dst_port: 40_000, seq, ack, flags, ..wire::Header::default() };
        let mut frame = segment(&tcp, HERE.address, THERE.address);
        frame.push(14).copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00]);
        frame
    }

    fn read(frame: &Frame) -> (ipv4::Header, wire::Header) {
        let ip = ipv4::Header::parse(&frame.bytes()[14..]).unwrap();
        assert!(ipv4::checksum_ok(&frame.bytes()[14..], ip.header_len));
        let mut segment = Frame::new(0, &frame.bytes()[34..14 + usize::from(ip.total_len)]);
        let tcp = wire::Header::take(ip.src.into(), ip.dst.into(), &mut segment).expect("the sum is right");
        (ip, tcp)
    }

    #[test]
    fn a_syn_and_data_are_reset_as_rfc_9293_says() {
        let answer = refuse(&sent(Flags::SYN, 7, 0), Refusal::ByProtocol, None).unwrap();
        let (ip, tcp) = read(&answer);
        assert_eq!((ip.src, ip.dst, tcp.src_port), (THERE.address, HERE.address, 40_000));
        assert_eq!((tcp.flags, tcp.seq, tcp.ack), (Flags::RST | Flags::ACK, 0, 8));
        assert_eq!(answer.bytes()[..12], [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        let (_, tcp) = read(&refuse(&sent(Flags::ACK, 7, 99), Refusal::Reset, None).unwrap());
        assert_eq!((tcp.flags, tcp.seq), (Flags::RST, 99));
        assert!(refuse(&sent(Flags::RST, 7, 0), Refusal::ByProtocol, None).is_none(), "a reset is not answered");
    }

    #[test]
    fn an_error_quotes_the_packet_and_is_never_about_an_error() {
        let prohibited = Refusal::Error(Trouble::Prohibited);
        let answer = refuse(&sent(Flags::SYN, 7, 0), prohibited, Some(Ipv4Addr::new(10, 0, 0, 254))).unwrap();
        let ip = ipv4::Header::parse(&answer.bytes()[14..]).unwrap();
        assert_eq!((ip.protocol, ip.src, ip.dst), (1, Ipv4Addr::new(10, 0, 0, 254), HERE.address));
        let message = &answer.bytes()[34..];
        assert_eq!((message[0], message[1]), (3, 13));
        assert_eq!(message[8..12], sent(Flags::SYN, 7, 0).bytes()[14..18]);
        assert!(refuse(&answer, prohibited, None).is_none());
    }

    #[test]
    fn a_box_in_the_middle_resets_both_ends() {
        let (back, on) = reset_both(&sent(Flags::ACK, 500, 900)).unwrap();
        let ((_, back), (ip, on)) = (read(&back), read(&on));
        assert_eq!((back.flags, back.seq), (Flags::RST, 900));
        assert_eq!((ip.src, ip.dst, on.seq, on.ack), (HERE.address, THERE.address, 500, 900));
        let (_, tcp) = read(&reset(HERE, THERE, 11, 22));
        assert_eq!((tcp.src_port, tcp.dst_port, tcp.seq, tcp.ack), (40_000, 80, 11, 22));
    }
}
