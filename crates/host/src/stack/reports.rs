//! ICMP's reports of what went wrong, as storey 4 understands them.

use std::net::{IpAddr, SocketAddr};

use septet_core::EventId;
use septet_network::ip::Report;
use septet_network::{icmp, icmpv6};
use septet_transport::{IcmpError, Unreachable};

/// What storey 4 understands of an ICMP error.
pub(super) fn icmp_error(report: &Report) -> Option<IcmpError> {
    let start = *report.quote.bytes().first_chunk()?;
    let kind = if report.reporter.is_ipv4() { meaning_v4(report)? } else { meaning_v6(report)? };
    let said = (report.icmp_type, report.code);
    Some(quoted(report.reporter, report.src, report.dst, start, kind, said, report.quote.cause))
}

fn meaning_v4(report: &Report) -> Option<Unreachable> {
    Some(match (report.icmp_type, report.code) {
        (icmp::kind::UNREACHABLE, 0 | 6 | 11) => Unreachable::Network,
        (icmp::kind::UNREACHABLE, 2) => Unreachable::Protocol,
        (icmp::kind::UNREACHABLE, 3) => Unreachable::Port,
        (icmp::kind::UNREACHABLE, 4) => Unreachable::TooBig { mtu: report.mtu },
        (icmp::kind::UNREACHABLE, 9 | 10 | 13..=15) => Unreachable::Prohibited,
        (icmp::kind::UNREACHABLE, _) => Unreachable::Host,
        (icmp::kind::TIME_EXCEEDED, _) => Unreachable::TimeExceeded,
        (icmp::kind::PARAMETER_PROBLEM, _) => Unreachable::ParameterProblem,
        _ => return None,
    })
}

fn meaning_v6(report: &Report) -> Option<Unreachable> {
    Some(match (report.icmp_type, report.code) {
        (icmpv6::kind::UNREACHABLE, 0) => Unreachable::Network,
        (icmpv6::kind::UNREACHABLE, 1 | 5 | 6) => Unreachable::Prohibited,
        (icmpv6::kind::UNREACHABLE, 4) => Unreachable::Port,
        (icmpv6::kind::UNREACHABLE, _) => Unreachable::Host,
        (icmpv6::kind::TOO_BIG, _) => Unreachable::TooBig { mtu: report.mtu },
        (icmpv6::kind::TIME_EXCEEDED, _) => Unreachable::TimeExceeded,
        (icmpv6::kind::PARAMETER_PROBLEM, _) => Unreachable::ParameterProblem,
        _ => return None,
    })
}

/// An error about what begins with `start`: ports, and a segment's sequence number.
pub(super) fn quoted(
    reporter: IpAddr,
    src: IpAddr,
    dst: IpAddr,
    start: [u8; 8],
    kind: Unreachable,
    (icmp_type, code): (u8, u8),
    cause: EventId,
) -> IcmpError {
    let [s0, s1, d0, d1, q0, q1, q2, q3] = start;
    IcmpError {
        reporter,
        local: SocketAddr::new(src, u16::from_be_bytes([s0, s1])),
        remote: SocketAddr::new(dst, u16::from_be_bytes([d0, d1])),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        kind,
        icmp_type,
        code,
        cause,
    }
}
