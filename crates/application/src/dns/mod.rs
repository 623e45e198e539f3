//! DNS: an authoritative server that takes updates, a recursive resolver, and a stub (RFC 1034, 1035, 2136, 2308, 6891).

use std::net::IpAddr;

mod answer;
mod cache;
mod limit;
mod message;
mod notify;
mod recursion;
mod resolver;
mod secondary;
mod served;
mod server;
mod transfer;
mod update;
mod zone;
mod zone_file;

pub use hickory_proto::op::ResponseCode;
pub use hickory_proto::rr::{Name, RData, Record, RecordType};
pub use limit::RateLimit;
pub use recursion::{
    Case, Hint, HintError, Ids, Limits, METRICS as RECURSOR_METRICS, Ports, Recursor, iana, read_hints,
};
pub use resolver::{Family, LookupError, METRICS, Query, Reply, Resolver, Transport, exchange, look_up};
pub(crate) use resolver::{Found, in_order};
pub use server::{METRICS as SERVER_METRICS, Server};
pub use update::{Change, Update};
pub use zone::{Data, Zone, ZoneError};
pub use zone_file::{LARGEST as LARGEST_ZONE_FILE, Memory, Place, ZoneFileError, read_zone};

/// The port of DNS.
pub const PORT: u16 = 53;

/// `NXDOMAIN` rather than hickory's sentence: the names that dig and the RFCs use.
pub(crate) fn code_name(code: ResponseCode) -> String {
    // By number: two names share 16, and only one of them belongs in a message without a signature.
    let name = match u16::from(code) {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        16 => "BADVERS",
        other => return format!("RESERVED{other}"),
    };
    name.to_owned()
}

/// Where the name behind an address stands (RFC 1035 §3.5, RFC 3596 §2.5): the zone, one for each first octet and of IPv6 for
/// each first 32 bits, and the name in it.
pub fn reversed(address: IpAddr) -> (String, String) {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (format!("{a}.in-addr.arpa"), format!("{d}.{c}.{b}"))
        }
        IpAddr::V6(v6) => {
            let digits = |bits: core::ops::Range<u32>| {
                let digit = |at: u32| format!("{:x}", v6.to_bits() >> (124 - 4 * at) & 0xf);
                bits.rev().map(digit).collect::<Vec<_>>().join(".")
            };
            (format!("{}.ip6.arpa", digits(0..8)), digits(8..32))
        }
    }
}
