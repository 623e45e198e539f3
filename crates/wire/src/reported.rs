//! What a message of ICMP (RFC 792) or ICMPv6 (RFC 4443) reports.

use crate::ipv4::protocol;
use crate::trouble::Trouble;
use crate::{icmp, icmpv6};

/// What a message of ICMP or ICMPv6, as `protocol` says, reports of a packet; `None` of messages that report none.
pub const fn reported(protocol: u8, icmp_type: u8, code: u8, rest: u32) -> Option<Trouble> {
    use icmp::kind::{PARAMETER_PROBLEM, TIME_EXCEEDED, UNREACHABLE};
    match (protocol, icmp_type) {
        (protocol::ICMP, UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM) => Some(icmp::decode(icmp_type, code, rest)),
        (protocol::ICMPV6, _) if icmpv6::is_error(icmp_type) => Some(icmpv6::decode(icmp_type, code, rest)),
        _ => None,
    }
}
