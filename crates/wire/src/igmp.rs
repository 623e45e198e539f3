//! The messages of IGMP: version 3 (RFC 3376) with what it understands of versions 2 (RFC 2236) and 1 (RFC 1112).

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{DropReason, checksum};

use crate::membership::{self, Four, Message, Query, Version};

/// All systems on the link; never reported.
pub const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// All routers on the link, to whom a leave of version 2 is told.
pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
/// RFC 3376 §4.2.14: where reports of version 3 go.
pub const ALL_REPORTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
/// RFC 3376 §4: every message carries the Router Alert option (RFC 2113).
pub const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];

const QUERY: u8 = 0x11;
const REPORT_V1: u8 = 0x12;
const REPORT_V2: u8 = 0x16;
const LEAVE: u8 = 0x17;
const REPORT_V3: u8 = 0x22;

/// Octets of a message of versions 1 and 2.
const SHORT: usize = 8;
/// Octets of a query of version 3 without its sources.
const LONG: usize = 12;

/// Reads a message. Its checksum is looked at by [`checksum_ok`].
///
/// # Errors
/// [`DropReason::Malformed`] where it is cut short or has a length that no version knows, [`DropReason::UnknownProtocol`] for
/// other types.
pub fn parse(bytes: &[u8]) -> Result<Message, DropReason> {
    let Some(m) = bytes.first_chunk::<SHORT>() else { return Err(DropReason::Malformed) };
    let group = Ipv4Addr::new(m[4], m[5], m[6], m[7]);
    match m[0] {
        QUERY => query(bytes, m[1], group).map(Message::Query).ok_or(DropReason::Malformed),
        REPORT_V1 => Ok(Message::Member(Version::V1, group.into())),
        REPORT_V2 => Ok(Message::Member(Version::V2, group.into())),
        LEAVE => Ok(Message::Leave(group.into())),
        REPORT_V3 => {
            let records = membership::records::<Four, 4>(&bytes[SHORT..], u16::from_be_bytes([m[6], m[7]]));
            records.map(Message::Report).ok_or(DropReason::Malformed)
        }
        _ => Err(DropReason::UnknownProtocol),
    }
}

fn query(bytes: &[u8], code: u8, group: Ipv4Addr) -> Option<Query> {
    let group = (!group.is_unspecified()).then_some(IpAddr::V4(group));
    let tenths = |tenths: u32| Duration::from_millis(u64::from(tenths) * 100);
    // RFC 3376 §7.1: the version of a query is told by its length, and by whether its time is zero.
    Some(match (bytes.len(), code) {
        // RFC 2236 §4: a query of version 1 has zero there, and means 10 seconds.
        (SHORT, 0) => Query::new(Version::V1, group, tenths(100)),
        (SHORT, code) => Query::new(Version::V2, group, tenths(code.into())),
        (..LONG, _) => return None,
        _ => Query {
            sources: membership::addresses::<Four, 4>(&bytes[LONG..], u16::from_be_bytes([bytes[10], bytes[11]]))?,
            suppress: bytes[8] & 8 != 0,
            robustness: bytes[8] & 7,
            interval: Duration::from_secs(membership::decode8(bytes[9]).into()),
            ..Query::new(Version::V3, group, tenths(membership::decode8(code)))
        },
    })
}

/// The message's octets, its checksum among them. Addresses of the other version of IP are left out.
pub fn build(message: &Message) -> Vec<u8> {
    let head = |kind, code, group: Option<IpAddr>| {
        let [a, b, c, d] = match group {
            Some(IpAddr::V4(group)) => group.octets(),
            _ => [0; 4],
        };
        vec![kind, code, 0, 0, a, b, c, d]
    };
    let mut bytes = match message {
        Message::Query(query) => {
            let tenths = query.max_response.as_millis() / 100;
            match query.version {
                Version::V1 => head(QUERY, 0, query.group),
                Version::V2 => head(QUERY, tenths.clamp(1, 255) as u8, query.group),
                Version::V3 => {
                    let mut bytes = head(QUERY, membership::encode8(tenths), query.group);
                    let flags = u8::from(query.suppress) << 3 | query.robustness & 7;
                    let [high, low] = (query.sources.len() as u16).to_be_bytes();
                    bytes.extend([flags, membership::encode8(query.interval.as_secs().into()), high, low]);
                    membership::put::<Four, 4>(&query.sources, &mut bytes);
                    bytes
                }
            }
        }
        Message::Member(Version::V1, group) => head(REPORT_V1, 0, Some(*group)),
        Message::Member(_, group) => head(REPORT_V2, 0, Some(*group)),
        Message::Leave(group) => head(LEAVE, 0, Some(*group)),
        Message::Report(records) => {
            let [high, low] = (records.len() as u16).to_be_bytes();
            let mut bytes = vec![REPORT_V3, 0, 0, 0, 0, 0, high, low];
            membership::put_records::<Four, 4>(records, &mut bytes);
            bytes
        }
    };
    let sum = checksum::of(&bytes);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Whether the checksum of a message is right.
pub fn checksum_ok(bytes: &[u8]) -> bool {
    checksum::of(bytes) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::membership::{Record, Said};

    const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

    #[test]
    fn parse_gives_back_what_was_written() {
        let ten = Duration::from_secs(10);
        let query = Query {
            sources: vec![SOURCE, SOURCE],
            suppress: true,
            robustness: 2,
            interval: Duration::from_secs(125),
            ..Query::new(Version::V3, Some(GROUP), Duration::from_secs(1))
        };
        let record = |said, sources| Record { said, group: GROUP, sources };
        let report = Said::ALL.map(|said| record(said, vec![SOURCE])).into_iter().chain([record(Said::Block, vec![])]);
        let messages = [
            Message::Query(Query::new(Version::V1, None, ten)),
            Message::Query(Query::new(Version::V2, Some(GROUP), Duration::from_millis(100))),
            Message::Query(query),
            Message::Query(Query::new(Version::V3, None, ten)),
            Message::Member(Version::V1, GROUP),
            Message::Member(Version::V2, GROUP),
            Message::Leave(GROUP),
            Message::Report(report.collect()),
        ];
        for message in messages {
            let bytes = build(&message);
            assert!(checksum_ok(&bytes));
            assert_eq!(parse(&bytes), Ok(message));
        }
    }

    #[test]
    fn what_is_cut_short_is_malformed_and_what_is_unknown_is_left_out() {
        assert_eq!(parse(&[0x11; 7]), Err(DropReason::Malformed));
        assert_eq!(parse(&[0x11; 9]), Err(DropReason::Malformed), "longer than version 2, shorter than version 3");
        assert_eq!(parse(&[0x13; 8]), Err(DropReason::UnknownProtocol));
        let mut bytes =
            build(&Message::Report(vec![Record { said: Said::Allow, group: GROUP, sources: vec![SOURCE] }]));
        assert_eq!(parse(&bytes[..19]), Err(DropReason::Malformed));
        bytes[8] = 7;
        assert_eq!(parse(&bytes), Ok(Message::Report(vec![])));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_so_that_it_reads_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(message) = parse(&bytes) {
                prop_assert_eq!(parse(&build(&message)), Ok(message));
            }
        }
    }
}
