//! How storey 1 sees packets: which flow they are of, where they carry ECN marks, and what a super-segment stands for.

use septet_core::Frame;
use septet_datalink::ethernet::MIN_FRAME;
use septet_network::ip;
use septet_physical::{Lens, Marked, Splitter};

/// Reads IPv4 and IPv6 in Ethernet, VLAN tags allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PacketLens;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: [u16; 2] = [0x8100, 0x88a8];
const TCP: u8 = 6;
const UDP: u8 = 17;
/// RFC 3168 §5: the two bits of ECN, and both set for Congestion Experienced.
const CE: u8 = 0b11;

/// The EtherType of a frame and where its payload begins.
fn payload(bytes: &[u8]) -> Option<(u16, usize)> {
    let mut at = 12;
    loop {
        let kind = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
        at += 2;
        if !VLAN.contains(&kind) {
            return Some((kind, at));
        }
        at += 2;
    }
}

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
    let packet = bytes.get(at..)?;
    let (protocol, hash, upper) = match kind {
        IPV4 => {
            let header = packet.get(..20)?;
            let fragmented = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
            let upper = if fragmented { None } else { packet.get(usize::from(header[0] & 0xf) * 4..) };
            (header[9], mix_bytes(4, &header[12..20]), upper)
        }
        IPV6 => (*packet.get(6)?, mix_bytes(6, packet.get(8..40)?), packet.get(40..)),
        _ => return Some(mix(u64::from(kind), 0)),
    };
    let ports = match upper.and_then(|u| u.get(..4)) {
        Some(ports) if protocol == TCP || protocol == UDP => u32::from_be_bytes(ports.try_into().ok()?),
        _ => 0,
    };
    Some(mix(hash, u64::from(protocol) << 32 | u64::from(ports)))
}

/// The priority code point of the tag; without one the precedence that IP asks for (RFC 2474 §4.2.2.1: the upper three
/// bits, which the class selectors keep).
fn priority(bytes: &[u8]) -> Option<u8> {
    let (kind, at) = payload(bytes)?;
    if at > 14 {
        return bytes.get(14).map(|control| control >> 5);
    }
    match kind {
        IPV4 => bytes.get(at + 1).map(|tos| tos >> 5),
        IPV6 => bytes.get(at).map(|first| first >> 1 & 7),
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
            IPV4 => 20,
            IPV6 => 2,
            _ => return Marked::No,
        };
        if frame.len() < at + len {
            return Marked::No;
        }
        // IPv4 keeps ECN in the low bits of its second octet; IPv6 in bits 4 and 5 of its second.
        let shift = if kind == IPV4 { 0 } else { 4 };
        match frame.bytes()[at + 1] >> shift & CE {
            0 => return Marked::No,
            CE => return Marked::Yes,
            _ => {}
        }
        let header = &mut frame.header_mut(at + len)[at..];
        let before = u16::from_be_bytes([header[0], header[1]]);
        header[1] |= CE << shift;
        if kind == IPV4 {
            // RFC 1624 §3: HC' = ~(~HC + ~m + m').
            let after = u16::from_be_bytes([header[0], header[1]]);
            let sum = u32::from(!u16::from_be_bytes([header[10], header[11]])) + u32::from(!before) + u32::from(after);
            let folded = (sum & 0xffff) + (sum >> 16);
            let folded = (folded & 0xffff) + (folded >> 16);
            header[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
        }
        Marked::Yes
    }

    fn splitter(&self) -> Option<Splitter> {
        Some(split)
    }
}

/// Hands on the frames that a super-segment stands for. A bridge on the way may have one whole, and a slower cable next.
fn split(frame: Frame, hand_on: &mut dyn FnMut(Frame)) {
    let Some((IPV4 | IPV6, at)) = payload(frame.bytes()) else { return };
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
    use septet_network::ipv4;

    /// An IPv4 packet in Ethernet, with `tags` before its EtherType.
    fn packet(tos: u8, ports: [u8; 4], tags: &[u8]) -> Frame {
        let mut ip = vec![0x45, tos, 0, 28, 0, 1, 0, 0, 64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
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
