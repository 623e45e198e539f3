//! Which packets fit, over the bytes of real frames.

use super::*;

/// Ethernet, with `tags`, IPv4 of `protocol` from 10.0.0.1 to 10.0.0.2, and padding.
fn frame(tags: &[u8], protocol: u8, fragment: [u8; 2], upper: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2; 12];
    bytes.extend(tags);
    bytes.extend([0x08, 0x00]);
    let total = (20 + upper.len()) as u16;
    bytes.extend([0x45, 0]);
    bytes.extend(total.to_be_bytes());
    bytes.extend([0, 1, fragment[0], fragment[1], 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend(upper);
    bytes.resize(bytes.len().max(60), 0);
    bytes
}

fn tcp(flags: u8) -> Vec<u8> {
    let mut upper = vec![0; 20];
    upper[..4].copy_from_slice(&[0x90, 0x00, 0, 80]);
    (upper[12], upper[13]) = (0x50, flags);
    frame(&[], 6, [0x40, 0], &upper)
}

fn fits(bytes: &[u8], condition: Condition) -> bool {
    let headers = Headers::read(bytes, Framing::Ethernet);
    Match { clauses: vec![Clause { condition, sense: Sense::Is }] }.fits(&headers)
}

#[test]
fn ports_flags_and_addresses() {
    let syn = tcp(0x02);
    assert!(fits(&syn, Condition::Kind(vec![Kind::UDP, Kind::TCP])));
    assert!(fits(&syn, Condition::Port(End::Destination, vec![80..=80])));
    assert!(!fits(&syn, Condition::Port(End::Source, vec![80..=80])));
    assert!(fits(&syn, Condition::Port(End::Either, vec![1..=79, 36_000..=37_000])));
    assert!(fits(&syn, Condition::Flags(0x02)) && !fits(&syn, Condition::Flags(0x12)));
    let net = |text: &str, len| Prefix::new(text.parse().unwrap(), len).unwrap();
    assert!(fits(&syn, Condition::Address(End::Source, vec![net("10.0.0.1", 32)])));
    assert!(!fits(&syn, Condition::Address(End::Destination, vec![net("10.0.0.1", 32)])));
    assert!(fits(&syn, Condition::Address(End::Either, vec![net("10.0.0.0", 8)])));
    // 40 octets of IP; the frame is padded to 60.
    assert!(fits(&syn, Condition::Len(40..=40)));
}

#[test]
fn what_a_packet_does_not_have_fits_nothing_and_is_not() {
    let headers = Headers::read(&frame(&[], 17, [0x20, 0xb9], &[0, 53, 0, 53]), Framing::Ethernet);
    assert_eq!((headers.protocol, headers.ports), (Some(17), None), "a fragment behind the first has no ports");
    let port = Condition::Port(End::Either, vec![53..=53]);
    let fits = |sense| Match { clauses: vec![Clause { condition: port.clone(), sense }] }.fits(&headers);
    assert!(!fits(Sense::Is) && fits(Sense::IsNot));
    assert!(Match::default().fits(&headers), "no clause fits all");
}

#[test]
fn tags_icmp_arp_and_serial_lines() {
    let echo = frame(&[0x81, 0, 0, 5], 1, [0, 0], &[8, 0, 0, 0]);
    assert!(fits(&echo, Condition::Kind(vec![Kind::Icmp])) && fits(&echo, Condition::Icmp(vec![(8, None)])));
    assert!(!fits(&echo, Condition::Icmp(vec![(3, None), (8, Some(1))])));
    // Time exceeded of ICMPv6 has the number of ICMP's destination unreachable.
    let unreachable = Message { v4: Some((3, None)), v6: Some((1, None)) };
    let expired = |version: u8| {
        if version == 4 {
            return frame(&[], 1, [0, 0], &[3, 0, 0, 0]);
        }
        let mut bytes = vec![2; 12];
        bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 4, 58, 64]);
        bytes.extend([0x20; 32]);
        bytes.extend([3, 0, 0, 0]);
        bytes
    };
    assert!(fits(&expired(4), Condition::Message(vec![unreachable])));
    assert!(!fits(&expired(6), Condition::Message(vec![unreachable])));
    assert!(fits(&expired(6), Condition::Message(vec![Message { v4: None, v6: Some((3, Some(0))) }])));
    assert!(
        fits(&expired(6), Condition::Kind(vec![Kind::IPV6])) && !fits(&expired(4), Condition::Kind(vec![Kind::IPV6]))
    );
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([2, 2, 2, 2, 2, 2, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9]);
    assert!(fits(&arp, Condition::Kind(vec![Kind::ARP])) && !fits(&arp, Condition::Kind(vec![Kind::Ip])));
    let packet = &tcp(0x10)[14..54];
    let mut line = vec![0x7e, 0xff, 0x7d, 0x23, 0x00, 0x21];
    for octet in packet {
        // Those that RFC 1662 has stuffed, and one that a map might ask for.
        match octet {
            0x7d | 0x7e | 0x02 => line.extend([0x7d, octet ^ 0x20]),
            octet => line.push(*octet),
        }
    }
    line.extend([1, 2, 0x7e]);
    let headers = Headers::read(&line, Framing::Serial);
    assert_eq!((headers.ports, headers.flags, headers.len), (Some((0x9000, 80)), Some(0x10), 40));
    let headers = Headers::read(&[0x7e, 0xff, 0x03, 0xc0, 0x21, 1, 2, 3, 4, 0x7e], Framing::Serial);
    assert_eq!(headers.ether_type, None, "LCP is no packet");
}

#[test]
fn any_bytes_are_survived() {
    let whole = tcp(0x12);
    for framing in [Framing::Ethernet, Framing::Serial] {
        for len in 0..whole.len() {
            Headers::read(&whole[..len], framing);
        }
        for first in 0..=255u8 {
            for kind in [[0x86, 0xdd], [0x08, 0x00], [0x81, 0x00]] {
                let mut bytes = vec![first; 80];
                bytes[12..14].copy_from_slice(&kind);
                Headers::read(&bytes, framing);
            }
        }
    }
}
