//! DNS: an authoritative server and a stub resolver (RFC 1034, 1035, 2308, 6891).

mod answer;
mod cache;
mod message;
mod resolver;
mod server;
mod zone;

pub use hickory_proto::op::ResponseCode;
pub use hickory_proto::rr::{Name, RData, Record, RecordType};
pub use resolver::{Family, LookupError, METRICS, Query, Reply, Resolver, Transport, exchange};
pub(crate) use resolver::{Found, in_order};
pub use server::{METRICS as SERVER_METRICS, Server};
pub use zone::{Data, Zone, ZoneError};

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
        9 => "NOTAUTH",
        16 => "BADVERS",
        other => return format!("RESERVED{other}"),
    };
    name.to_owned()
}
