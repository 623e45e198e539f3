//! How storey 1 sees packets: which flow they are of, where they carry ECN marks, and what a super-segment stands for.

use septet_core::Frame;
use septet_network::ip;
use septet_physical::{Lens, Marked, Splitter};
use septet_wire::ethernet::{EtherType, MIN_FRAME, payload};
use septet_wire::packet::{Packet, ports};
use septet_wire::{ipv4, ipv6, protocol};

/// Reads IPv4 and IPv6 in Ethernet, VLAN tags allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PacketLens;

/// RFC 3168 §5: the two bits of ECN, and both set for Congestion Experienced.
const CE: u8 = 0b11;

/// Mixes a word into a hash: the finaliser of MurmurHash3.
fn mix(hash: u64, word: u64) -> u64 {
    let mut h = (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

fn mix_bytes(hash: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(hash, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash, u64::from_le_bytes(word))
    })
}

/// A hash over addresses, protocol and ports; fragments but the first have no ports, so fragments go without.
fn flow(bytes: &[u8]) -> Option<u64> {
    let (kind, at) = payload(bytes)?;
    let bytes = bytes.get(at..)?;
    if !matches!(kind, EtherType::IPV4 | EtherType::IPV6) {
        return Some(mix(u64::from(kind.0), 0));
    }
    let packet = Packet::read(bytes)?;
    let hash = if packet.src.is_ipv4() { mix_bytes(4, &bytes[12..20]) } else { mix_bytes(6, &bytes[8..40]) };
    let protocol = packet.protocol.unwrap_or_default();
    let ports = match ports(packet.upper(bytes)) {
        Some((from, to)) if !packet.is_fragment && matches!(protocol, protocol::TCP | protocol::UDP) => {
            u64::from(from) << 16 | u64::from(to)
        }
        _ => 0,
    };
    Some(mix(hash, u64::from(protocol) << 32 | ports))
}

/// The priority code point of the tag; without one the precedence that IP asks for (RFC 2474 §4.2.2.1: the upper three
/// bits, which the class selectors keep).
fn priority(bytes: &[u8]) -> Option<u8> {
    let (kind, at) = payload(bytes)?;
    if at > 14 {
        return bytes.get(14).map(|control| control >> 5);
    }
    match kind {
        EtherType::IPV4 => bytes.get(at + 1).map(|tos| tos >> 5),
        EtherType::IPV6 => bytes.get(at).map(|first| first >> 1 & 7),
        _ => None,
    }
}

impl Lens for PacketLens {
    fn priority(&self, frame: &Frame) -> u8 {
        priority(frame.bytes()).unwrap_or(0)
    }

    fn flow(&self, frame: &Frame) -> u64 {
        flow(frame.bytes()).unwrap_or(0)
    }

    fn mark(&self, frame: &mut Frame) -> Marked {
        let Some((kind, at)) = payload(frame.bytes()) else { return Marked::No };
        let len = match kind {
            EtherType::IPV4 => ipv4::HEADER_LEN,
            EtherType::IPV6 => 2,
            _ => return Marked::No,
        };
        if frame.len() < at + len {
            return Marked::No;
        }
        // IPv4 keeps ECN in the low bits of its second octet; IPv6 in bits 4 and 5 of its second.
        let shift = if kind == EtherType::IPV4 { 0 } else { 4 };
        match frame.bytes()[at + 1] >> shift & CE {
            0 => return Marked::No,
            CE => return Marked::Yes,
            _ => {}
        }
        let header = &mut frame.header_mut(at + len)[at..];
        match kind {
            EtherType::IPV4 => ipv4::mark_congestion(header),
            _ => ipv6::mark_congestion(header),
        }
        Marked::Yes
    }

    fn splitter(&self) -> Option<Splitter> {
        Some(split)
    }
}

/// Hands on the frames that a super-segment stands for. A bridge on the way may have one whole, and a slower cable next.
fn split(frame: Frame, hand_on: &mut dyn FnMut(Frame)) {
    let Some((EtherType::IPV4 | EtherType::IPV6, at)) = payload(frame.bytes()) else { return };
    let header = frame.bytes()[..at].to_vec();
    let mut packet = frame;
    packet.pull(at);
    for mut segment in ip::split(&packet) {
        segment.push(at).copy_from_slice(&header);
        segment.pad_to(MIN_FRAME);
        hand_on(segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 packet in Ethernet, with `tags` before its EtherType.
    fn packet(tos: u8, ports: [u8; 4], tags: &[u8]) -> Frame {
        let mut ip = vec![0x45, tos, 0, 28, 0, 1, 0, 0, 64, protocol::UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        let sum = ip.chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum::<u32>();
        let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let mut bytes = vec![2; 12];
        bytes.extend(tags);
        bytes.extend([0x08, 0x00]);
        bytes.extend(ip);
        bytes.extend(ports);
        bytes.extend([0, 8, 0, 0]);
        Frame::new(0, &bytes)
    }

    #[test]
    fn the_tag_says_the_priority_and_without_one_ip_does() {
        let priority = |tos, tags: &[u8]| PacketLens.priority(&packet(tos, [0; 4], tags));
        assert_eq!(priority(0, &[]), 0);
        // Expedited forwarding, 101110: precedence 5.
        assert_eq!(priority(0xb8, &[]), 5);
        assert_eq!(priority(0xb8, &[0x81, 0x00, 0x60, 0x0a]), 3);
        assert_eq!(PacketLens.priority(&Frame::new(0, &[0; 13])), 0);
    }

    #[test]
    fn flows_are_told_apart_by_their_ports() {
        let flow = |ports, tags: &[u8]| PacketLens.flow(&packet(0, ports, tags));
        assert_eq!(flow([0, 1, 0, 2], &[]), flow([0, 1, 0, 2], &[]));
        assert_ne!(flow([0, 1, 0, 2], &[]), flow([0, 1, 0, 3], &[]));
        assert_eq!(flow([0, 1, 0, 2], &[]), flow([0, 1, 0, 2], &[0x81, 0, 0, 5]), "a tag is no part of the flow");
    }

    #[test]
    fn marks_only_what_is_capable_and_keeps_the_checksum() {
        for (tos, marked) in [(0, Marked::No), (1, Marked::Yes), (2, Marked::Yes), (3, Marked::Yes)] {
            let mut frame = packet(tos, [0; 4], &[]);
            assert_eq!(PacketLens.mark(&mut frame), marked, "{tos}");
            assert!(ipv4::checksum_ok(&frame.bytes()[14..], 20), "{tos}");
            assert_eq!(frame.bytes()[15], if tos == 0 { 0 } else { 3 });
        }
    }

    #[test]
    fn any_bytes_are_survived() {
        let whole = packet(1, [1, 2, 3, 4], &[0x81, 0, 0, 5]);
        for len in 0..whole.len() {
            let mut frame = Frame::new(0, &whole.bytes()[..len]);
            PacketLens.flow(&frame);
            let _ = PacketLens.mark(&mut frame);
        }
    }

    #[test]
    fn a_super_segment_is_split_behind_its_link_header() {
        // Ethernet with a tag, IP, UDP.
        const HEADERS: usize = 18 + 20 + 8;
        let mut whole = packet(0, [1, 2, 3, 4], &[0x81, 0, 0, 7]);
        whole.truncate(HEADERS);
        whole.extend(&[9; 100]);
        let total = (whole.len() - 18) as u16;
        whole.bytes_mut()[20..22].copy_from_slice(&total.to_be_bytes());
        whole.segment_size = 60;
        let mut parts = Vec::new();
        split(whole.clone(), &mut |part| parts.push(part));
        assert_eq!(parts.iter().map(Frame::len).collect::<Vec<_>>(), [HEADERS + 60, HEADERS + 40]);
        for part in &parts {
            assert_eq!(part.bytes()[..18], whole.bytes()[..18]);
            assert_eq!((part.segment_size, ipv4::checksum_ok(&part.bytes()[18..], 20)), (0, true));
        }
    }
}
