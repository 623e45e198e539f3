//! Addresses and ports replaced in a packet, and its checksums mended by what changed (RFC 1624): those of IP, of what it
//! carries, and of an ICMP error around the packet that it quotes.

use std::net::IpAddr;

use septet_core::checksum;
use septet_wire::packet::Packet;
use septet_wire::{icmp, protocol};
use smallvec::SmallVec;

use crate::conntrack::{Ends, Tuple};

/// Which end of a packet is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The sender.
    Source,
    /// The receiver.
    Destination,
}

impl End {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }
}

/// The 16-bit words that changed, before and after.
type Changes = SmallVec<[(u16, u16); 24]>;

/// Writes `new`, an even number of octets, at `at`.
fn put(bytes: &mut [u8], at: usize, new: &[u8], changes: &mut Changes) {
    let Some(place) = bytes.get_mut(at..at + new.len()) else { return };
    for (old, new) in place.chunks_exact_mut(2).zip(new.chunks_exact(2)) {
        let word = |pair: &[u8]| u16::from_be_bytes([pair[0], pair[1]]);
        if old != new {
            changes.push((word(old), word(new)));
            old.copy_from_slice(new);
        }
    }
}

/// Mends the checksum at `at`, where it is there, by what changed of what it covers.
fn mend(bytes: &mut [u8], at: usize, covered: &Changes, zero: Zero, changes: &mut Changes) {
    let Some(&[a, b]) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return };
    let before = u16::from_be_bytes([a, b]);
    if covered.is_empty() || zero == Zero::MeansNone && before == 0 {
        return;
    }
    let sum = covered.iter().fold(before, |sum, &(old, new)| checksum::update(sum, old, new));
    // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
    let sum = if zero == Zero::MeansNone && sum == 0 { 0xffff } else { sum };
    put(bytes, at, &sum.to_be_bytes(), changes);
}

/// What a checksum of zero says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Zero {
    /// Nothing but that it is zero.
    Counts,
    /// UDP's: that there is none.
    MeansNone,
}

/// Puts one end of `target` in the place of that of the packet at the start of `bytes`. Of a packet that is quoted in part
/// whatever is there is changed.
pub fn replace(bytes: &mut [u8], end: End, target: &Tuple) {
    replace_in(bytes, end, target, &mut Changes::new());
}

fn replace_in(bytes: &mut [u8], end: End, target: &Tuple, all: &mut Changes) {
    let Some(packet) = Packet::read(bytes) else { return };
    let address = replace_address(bytes, end, target, all);
    let (Some(at), Some(protocol)) = (packet.upper_at, packet.protocol) else { return };
    // Padding behind the packet is no part of it, and no checksum covers it.
    let end_of_packet = packet.len.min(bytes.len());
    let Some(upper) = bytes.get_mut(at..end_of_packet) else { return };
    let mut covered = Changes::new();
    match target.ends {
        Ends::Ports(from, to) => {
            let (port, at) = if end == End::Source { (from, 0) } else { (to, 2) };
            put(upper, at, &port.to_be_bytes(), &mut covered);
        }
        Ends::Query(ident, ..) => put(upper, 4, &ident.to_be_bytes(), &mut covered),
        Ends::None => {}
    }
    all.extend_from_slice(&covered);
    let (at, zero, has_pseudo_header) = match protocol {
        protocol::TCP => (16, Zero::Counts, true),
        protocol::UDP => (6, Zero::MeansNone, true),
        protocol::ICMP => (2, Zero::Counts, false),
        protocol::ICMPV6 => (2, Zero::Counts, true),
        _ => return,
    };
    if has_pseudo_header {
        covered.extend(address);
    }
    mend(upper, at, &covered, zero, all);
}

/// The address alone, with IPv4's checksum; gives what changed of the address.
fn replace_address(bytes: &mut [u8], end: End, target: &Tuple, all: &mut Changes) -> Changes {
    let mut address = Changes::new();
    match if end == End::Source { target.src } else { target.dst } {
        IpAddr::V4(addr) => {
            put(bytes, if end == End::Source { 12 } else { 16 }, &addr.octets(), &mut address);
            all.extend_from_slice(&address);
            mend(bytes, 10, &address, Zero::Counts, all);
        }
        IpAddr::V6(addr) => {
            put(bytes, if end == End::Source { 8 } else { 24 }, &addr.octets(), &mut address);
            all.extend_from_slice(&address);
        }
    }
    address
}

/// The same of an ICMP error: its own end as of an answer to the packet that it quotes, and in that packet the opposite end,
/// which `quoted` says. RFC 5508 §4.2 REQ-4 and REQ-5: "Revert the IP and transport headers of the embedded IP packet to
/// their original form … Leave the ICMP error type and code unchanged. Modify the destination IP address of the outer IP
/// header".
pub fn replace_error(bytes: &mut [u8], end: End, outer: &Tuple, quoted: &Tuple) {
    let Some(packet) = Packet::read(bytes) else { return };
    let mut ignored = Changes::new();
    let address = replace_address(bytes, end, outer, &mut ignored);
    let Some(at) = packet.upper_at else { return };
    let end_of_packet = packet.len.min(bytes.len());
    let Some(message) = bytes.get_mut(at..end_of_packet) else { return };
    let mut covered = Changes::new();
    if let Some(quote) = message.get_mut(icmp::HEADER_LEN..) {
        replace_in(quote, end.other(), quoted, &mut covered);
    }
    if packet.protocol == Some(protocol::ICMPV6) {
        covered.extend(address);
    }
    mend(message, 2, &covered, Zero::Counts, &mut ignored);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;
    use septet_core::{Checksums, Frame};
    use septet_wire::tcp::Flags;

    use super::*;
    use crate::conntrack::samples::{self, at};
    use crate::conntrack::{Seen, Verify};

    /// All checksums of a packet held against those that are computed anew.
    fn is_right(frame: &Frame) -> bool {
        let mut frame = frame.clone();
        frame.checksums = Checksums::Unverified;
        let packet = Packet::read(frame.bytes()).unwrap();
        let header_ok = packet.src.is_ipv6() || septet_wire::ipv4::checksum_ok(frame.bytes(), 20);
        header_ok && !matches!(Seen::of(&packet, &frame, Verify::Yes), Seen::Invalid(_))
    }

    fn tuple(frame: &Frame) -> Tuple {
        Tuple::read(&Packet::read(frame.bytes()).unwrap(), frame.bytes()).unwrap()
    }

    fn to(src: SocketAddr, dst: SocketAddr, of: &Tuple) -> Tuple {
        Tuple { src: src.ip(), dst: dst.ip(), ..of.with_to(dst.port()).with_from(src.port()) }
    }

    #[derive(Clone, Debug)]
    enum Sample {
        Tcp,
        Udp,
        UdpWithoutSum,
        Echo,
    }

    fn sample(kind: &Sample, a: SocketAddr, b: SocketAddr, data: &[u8]) -> Frame {
        match kind {
            Sample::Tcp => samples::tcp(a, b, Flags::ACK, 7, 9, data),
            Sample::Udp => samples::udp(a, b, data),
            Sample::UdpWithoutSum => {
                let mut frame = samples::udp(a, b, data);
                if a.is_ipv4() {
                    frame.bytes_mut()[26..28].fill(0);
                }
                frame
            }
            Sample::Echo => samples::echo_between(a.ip(), b.ip(), a.port(), data),
        }
    }

    fn address() -> impl Strategy<Value = SocketAddr> {
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(IpAddr::from(ip), port))
    }

    fn kind() -> impl Strategy<Value = Sample> {
        prop_oneof![Just(Sample::Tcp), Just(Sample::Udp), Just(Sample::UdpWithoutSum), Just(Sample::Echo)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn there_and_back_is_the_identity_and_every_sum_is_right(
            kind in kind(), a in address(), b in address(), c in address(),
            data in proptest::collection::vec(any::<u8>(), 0..70),
        ) {
            for six in [false, true] {
                let over = |addr: SocketAddr| match addr.ip() {
                    IpAddr::V4(ip) if six => SocketAddr::new(ip.to_ipv6_compatible().into(), addr.port()),
                    _ => addr,
                };
                let (a, b, c) = (over(a), over(b), over(c));
                let before = sample(&kind, a, b, &data);
                let own = tuple(&before);
                for end in [End::Source, End::Destination] {
                    let mut frame = before.clone();
                    let there = if end == End::Source { to(c, b, &own) } else { to(a, c, &own) };
                    let there = if matches!(own.ends, Ends::Query(..)) { there.with_from(c.port()) } else { there };
                    replace(frame.bytes_mut(), end, &there);
                    prop_assert!(is_right(&frame), "{kind:?} {end:?}");
                    prop_assert_eq!(tuple(&frame), there);
                    replace(frame.bytes_mut(), end, &own);
                    prop_assert_eq!(frame.bytes(), before.bytes());
                }
            }
        }

        #[test]
        fn errors_too_whatever_of_the_packet_they_quote(
            kind in kind(), a in address(), b in address(), c in address(), len in 8usize..60,
            data in proptest::collection::vec(any::<u8>(), 0..70),
        ) {
            let about = sample(&kind, a, b, &data);
            let own = tuple(&about);
            let mut quote = about.clone();
            quote.truncate(20 + len);
            let before = samples::error_from(c.ip(), a.ip(), 3, 1, &quote);
            let mut frame = before.clone();
            let inside = to(c, b, &own);
            let outer = Tuple { src: c.ip(), dst: c.ip(), ..own };
            replace_error(frame.bytes_mut(), End::Destination, &outer, &inside);
            prop_assert!(is_right(&frame));
            let read = tuple_of_quote(&frame);
            prop_assert_eq!((read.src, read.from(), read.dst), (c.ip(), c.port(), b.ip()));
            // What is quoted whole is right in itself.
            if quote.len() == about.len() {
                let mut inner = Frame::new(0, &frame.bytes()[28..]);
                inner.checksums = Checksums::Unverified;
                prop_assert!(is_right(&inner));
            }
            let back = Tuple { dst: a.ip(), ..outer };
            replace_error(frame.bytes_mut(), End::Destination, &back, &own);
            prop_assert_eq!(frame.bytes(), before.bytes());
        }

        #[test]
        fn any_bytes_are_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), first in 0u8..4) {
            let target = tuple(&samples::udp(at(1, 1), at(2, 2), b""));
            if let Some(byte) = bytes.first_mut() {
                *byte = [0x45, 0x60, 0x46, 0x4f][usize::from(first)];
            }
            for end in [End::Source, End::Destination] {
                replace(&mut bytes, end, &target);
                replace_error(&mut bytes, end, &target, &target);
            }
        }
    }

    fn tuple_of_quote(frame: &Frame) -> Tuple {
        let quote = &frame.bytes()[28..];
        Tuple::read(&Packet::read(quote).unwrap(), quote).unwrap()
    }
}
