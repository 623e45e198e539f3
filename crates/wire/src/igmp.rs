//! The messages of IGMP (RFC 2236, version 2).

use core::time::Duration;
use std::net::Ipv4Addr;

use septet_core::{DropReason, checksum};

/// Octets of a message.
pub const LEN: usize = 8;
/// All systems on the link; never reported.
pub const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// All routers on the link, to whom a leave is told.
pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
/// RFC 2236 §2: every message carries the Router Alert option (RFC 2113).
pub const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A router asks who is a member.
    Query,
    /// An IGMPv1 report.
    ReportV1,
    /// A report.
    Report,
    /// The last member on a host leaves.
    Leave,
}

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// In a query, within what time members answer.
    pub max_response: Duration,
    /// The group; unspecified in a general query.
    pub group: Ipv4Addr,
}

impl Message {
    /// Reads a message. Its checksum is looked at by [`checksum_ok`].
    ///
    /// # Errors
    /// [`DropReason::Malformed`] where it is too short, [`DropReason::UnknownProtocol`] for other types.
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let Some(m) = bytes.first_chunk::<LEN>() else { return Err(DropReason::Malformed) };
        let kind = match m[0] {
            0x11 => Kind::Query,
            0x12 => Kind::ReportV1,
            0x16 => Kind::Report,
            0x17 => Kind::Leave,
            _ => return Err(DropReason::UnknownProtocol),
        };
        // RFC 2236 §4: an IGMPv1 query has zero there, and means 10 seconds.
        let tenths = if m[1] == 0 { 100 } else { m[1] };
        let group = Ipv4Addr::new(m[4], m[5], m[6], m[7]);
        Ok(Self { kind, max_response: Duration::from_millis(u64::from(tenths) * 100), group })
    }

    /// The message's octets.
    pub fn to_bytes(&self) -> [u8; LEN] {
        let (kind, tenths) = match self.kind {
            Kind::Query => (0x11, (self.max_response.as_millis() / 100).min(255) as u8),
            Kind::ReportV1 => (0x12, 0),
            Kind::Report => (0x16, 0),
            Kind::Leave => (0x17, 0),
        };
        let [a, b, c, d] = self.group.octets();
        let mut m = [kind, tenths, 0, 0, a, b, c, d];
        let sum = checksum::of(&m);
        m[2..4].copy_from_slice(&sum.to_be_bytes());
        m
    }
}

/// Whether the checksum of a message is right.
pub fn checksum_ok(bytes: &[u8]) -> bool {
    checksum::of(bytes) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

    #[test]
    fn parse_gives_back_what_was_written() {
        for kind in [Kind::Query, Kind::Report, Kind::Leave, Kind::ReportV1] {
            let m = Message { kind, max_response: Duration::from_millis(10_000), group: GROUP };
            assert!(checksum_ok(&m.to_bytes()));
            assert_eq!(Message::parse(&m.to_bytes()), Ok(m));
        }
        assert_eq!(Message::parse(&[0x11; 7]), Err(DropReason::Malformed));
    }
}
