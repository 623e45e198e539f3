//! The messages of MLD: version 2 (RFC 3810) with what it understands of version 1 (RFC 2710). They are messages of ICMPv6,
//! which checks them.

use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr};

use septet_core::DropReason;

use crate::icmp;
use crate::membership::{self, Message, Query, Six, Version};

/// All nodes on the link; never reported.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers on the link, to whom a member of version 1 tells that it leaves.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// RFC 3810 §5.2.14: where reports of version 2 go.
pub const ALL_REPORTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// RFC 3810 §5: "a Router Alert option in a Hop-by-Hop Options header", as that header stands in front of ICMPv6; its value says
/// that MLD is meant (RFC 2711).
pub const ROUTER_ALERT: [u8; 8] = [crate::protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0];

/// Types of ICMPv6 messages.
pub mod kind {
    /// A query, of either version.
    pub const QUERY: u8 = 130;
    /// A report of version 1.
    pub const REPORT_V1: u8 = 131;
    /// "Multicast Listener Done", of version 1.
    pub const DONE: u8 = 132;
    /// A report of version 2.
    pub const REPORT_V2: u8 = 143;
}

/// Octets of a message of version 1.
const SHORT: usize = 24;
/// Octets of a query of version 2 without its sources.
const LONG: usize = 28;

/// Whether ICMPv6 messages of this type are MLD's.
pub const fn is_mld(icmp_type: u8) -> bool {
    matches!(icmp_type, kind::QUERY | kind::REPORT_V1 | kind::DONE | kind::REPORT_V2)
}

/// Reads a message that begins at the header of ICMPv6.
///
/// # Errors
/// [`DropReason::Malformed`] where it is cut short or has a length that no version knows, [`DropReason::UnknownProtocol`] for
/// other types.
pub fn parse(bytes: &[u8]) -> Result<Message, DropReason> {
    let Some(m) = bytes.first_chunk::<{ icmp::HEADER_LEN }>() else { return Err(DropReason::Malformed) };
    let rest = &bytes[icmp::HEADER_LEN..];
    if m[0] == kind::REPORT_V2 {
        let records = membership::records::<Six, 16>(rest, u16::from_be_bytes([m[6], m[7]]));
        return records.map(Message::Report).ok_or(DropReason::Malformed);
    }
    if !is_mld(m[0]) {
        return Err(DropReason::UnknownProtocol);
    }
    let Some(group) = rest.first_chunk::<16>() else { return Err(DropReason::Malformed) };
    let group = Ipv6Addr::from_octets(*group);
    Ok(match m[0] {
        kind::REPORT_V1 => Message::Member(Version::V2, group.into()),
        kind::DONE => Message::Leave(group.into()),
        _ => Message::Query(query(bytes, u16::from_be_bytes([m[4], m[5]]), group).ok_or(DropReason::Malformed)?),
    })
}

fn query(bytes: &[u8], code: u16, group: Ipv6Addr) -> Option<Query> {
    let group = (!group.is_unspecified()).then_some(IpAddr::V6(group));
    // RFC 3810 §8.1: the version of a query is told by its length.
    Some(match bytes.len() {
        SHORT => Query::new(Version::V2, group, Duration::from_millis(code.into())),
        ..LONG => return None,
        _ => Query {
            sources: membership::addresses::<Six, 16>(&bytes[LONG..], u16::from_be_bytes([bytes[26], bytes[27]]))?,
            suppress: bytes[24] & 8 != 0,
            robustness: bytes[24] & 7,
            interval: Duration::from_secs(membership::decode8(bytes[25]).into()),
            ..Query::new(Version::V3, group, Duration::from_millis(decode16(code).into()))
        },
    })
}

/// The message: the fixed part of ICMPv6, which [`icmpv6::push`](crate::icmpv6::push) writes, and what stands behind it. Addresses
/// of the other version of IP are left out.
pub fn build(message: &Message) -> (icmp::Message, Vec<u8>) {
    let fixed = |icmp_type, rest| icmp::Message { icmp_type, code: 0, rest };
    let group = |group: Option<IpAddr>| match group {
        Some(IpAddr::V6(group)) => group.octets().to_vec(),
        _ => vec![0; 16],
    };
    match message {
        Message::Query(query) => {
            let millis = query.max_response.as_millis();
            let mut body = group(query.group);
            let code = match query.version {
                Version::V1 | Version::V2 => millis.min(u16::MAX.into()) as u16,
                Version::V3 => {
                    let flags = u8::from(query.suppress) << 3 | query.robustness & 7;
                    let [high, low] = (query.sources.len() as u16).to_be_bytes();
                    body.extend([flags, membership::encode8(query.interval.as_secs().into()), high, low]);
                    membership::put::<Six, 16>(&query.sources, &mut body);
                    encode16(millis)
                }
            };
            (fixed(kind::QUERY, u32::from(code) << 16), body)
        }
        Message::Member(_, address) => (fixed(kind::REPORT_V1, 0), group(Some(*address))),
        Message::Leave(address) => (fixed(kind::DONE, 0), group(Some(*address))),
        Message::Report(records) => {
            let mut body = Vec::new();
            membership::put_records::<Six, 16>(records, &mut body);
            (fixed(kind::REPORT_V2, records.len() as u32 & 0xffff), body)
        }
    }
}

/// RFC 3810 §5.1.3: a number of milliseconds below 32768, or a mantissa of twelve bits and an exponent of three.
const fn decode16(code: u16) -> u32 {
    if code < 32_768 { code as u32 } else { (code as u32 & 0x0fff | 0x1000) << ((code >> 12 & 7) + 3) }
}

/// The largest code that means no more than `value`.
const fn encode16(value: u128) -> u16 {
    if value < 32_768 {
        return value as u16;
    }
    let mut exponent = 0;
    while exponent < 7 && value >> (exponent + 3) > 0x1fff {
        exponent += 1;
    }
    let mantissa = value >> (exponent + 3);
    if mantissa > 0x1fff { 0xffff } else { 0x8000 | exponent << 12 | (mantissa as u16 & 0x0fff) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use septet_core::Frame;

    use super::*;
    use crate::icmpv6;
    use crate::membership::{Record, Said};

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn bytes(message: &Message) -> Vec<u8> {
        let (fixed, body) = build(message);
        let mut frame = Frame::new(Frame::HEADROOM, &body);
        icmpv6::push(&fixed, &mut frame, "fe80::1".parse().unwrap(), ALL_REPORTS);
        frame.bytes().to_vec()
    }

    #[test]
    fn parse_gives_back_what_was_written() {
        let (group, source) = (address("ff1e::7"), address("2001:db8::1"));
        let query = Query {
            sources: vec![source, source],
            suppress: false,
            robustness: 2,
            interval: Duration::from_secs(125),
            ..Query::new(Version::V3, Some(group), Duration::from_millis(40_000))
        };
        let messages = [
            Message::Query(Query::new(Version::V2, None, Duration::from_secs(10))),
            Message::Query(query),
            Message::Member(Version::V2, group),
            Message::Leave(group),
            Message::Report(vec![
                Record { said: Said::ToExclude, group, sources: vec![] },
                Record { said: Said::Allow, group, sources: vec![source] },
            ]),
        ];
        for message in messages {
            assert_eq!(parse(&bytes(&message)), Ok(message));
        }
        assert_eq!(parse(&[130; 27]), Err(DropReason::Malformed), "longer than version 1, shorter than version 2");
        assert_eq!(parse(&[128; 24]), Err(DropReason::UnknownProtocol));
    }

    #[test]
    fn numbers_in_sixteen_bits() {
        for value in [0, 1, 32_767] {
            assert_eq!(decode16(encode16(value)), value as u32);
        }
        assert_eq!((decode16(0x8000), decode16(0xffff)), (32_768, 8_387_584));
        for code in (0..=u16::MAX).step_by(7) {
            assert_eq!(encode16(decode16(code).into()), code);
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_so_that_it_reads_the_same(octets in proptest::collection::vec(any::<u8>(), 0..96)) {
            if let Ok(message) = parse(&octets) {
                prop_assert_eq!(parse(&bytes(&message)), Ok(message));
            }
        }
    }
}
