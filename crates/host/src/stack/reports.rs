//! What storey 3 reports of packets that met trouble, as storey 4 understands it.

use std::net::{IpAddr, SocketAddr};

use septet_core::EventId;
use septet_network::ip::Report;
use septet_transport::{IcmpError, Trouble};

/// What storey 4 understands of an ICMP error; `None` where too little is quoted.
pub(super) fn icmp_error(report: &Report) -> Option<IcmpError> {
    let start = *report.quote.bytes().first_chunk()?;
    Some(quoted(report.reporter, report.src, report.dst, start, report.trouble, report.quote.cause))
}

/// An error about what begins with `start`: ports, and a segment's sequence number.
pub(super) fn quoted(
    reporter: IpAddr,
    src: IpAddr,
    dst: IpAddr,
    start: [u8; 8],
    trouble: Trouble,
    cause: EventId,
) -> IcmpError {
    let [s0, s1, d0, d1, q0, q1, q2, q3] = start;
    IcmpError {
        reporter,
        local: SocketAddr::new(src, u16::from_be_bytes([s0, s1])),
        remote: SocketAddr::new(dst, u16::from_be_bytes([d0, d1])),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        trouble,
        cause,
    }
}
