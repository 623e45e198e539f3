//! DNS: an authoritative server and a stub resolver (RFC 1034, 1035, 2308, 6891).

mod answer;
mod cache;
mod message;
mod resolver;
mod server;
mod zone;

pub use hickory_proto::op::ResponseCode;
pub use hickory_proto::rr::{Name, RData, Record, RecordType};
pub use resolver::{LookupError, Query, Reply, Resolver, Transport, exchange};
pub use server::Server;
pub use zone::{Data, Zone, ZoneError};

/// The port of DNS.
pub const PORT: u16 = 53;

/// `NXDOMAIN` rather than hickory's sentence: the names that dig and the RFCs use.
pub(crate) fn code_name(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::BADVERS => "BADVERS",
        other => return format!("RESERVED{}", u16::from(other)),
    };
    name.to_owned()
}
