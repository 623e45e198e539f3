//! The words and the figures of iputils.

use std::net::IpAddr;

use septet_socket::{HeaderFault, Trouble};

/// A time in milliseconds with three significant digits, as iputils prints it.
pub(super) fn triplet(millis: f64) -> String {
    match millis {
        m if m >= 99.95 => format!("{m:.0}"),
        m if m >= 9.995 => format!("{m:.1}"),
        m if m >= 0.9995 => format!("{m:.2}"),
        m => format!("{m:.3}"),
    }
}

/// `%g` with six digits: `0`, `33.3333`, `100`.
pub(super) fn shortest(value: f64) -> String {
    let digits = match value {
        v if v >= 100.0 => 3,
        v if v >= 10.0 => 4,
        _ => 5,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The words of iputils for an error of ICMP or ICMPv6, by who reports it.
pub(super) fn describe(trouble: Trouble, reporter: IpAddr) -> String {
    match reporter {
        IpAddr::V4(_) => describe_v4(trouble),
        IpAddr::V6(_) => describe_v6(trouble),
    }
}

fn describe_v6(trouble: Trouble) -> String {
    let words = match trouble {
        Trouble::NoRoute => "Destination unreachable: No route",
        Trouble::Prohibited => "Destination unreachable: Administratively prohibited",
        Trouble::BeyondScope => "Destination unreachable: Beyond scope of source address",
        Trouble::HostUnreachable => "Destination unreachable: Address unreachable",
        Trouble::PortUnreachable => "Destination unreachable: Port unreachable",
        Trouble::SourcePolicy => "Destination unreachable: Unknown code 5",
        Trouble::RejectRoute => "Destination unreachable: Unknown code 6",
        Trouble::TooBig { mtu } => return format!("Packet too big: mtu={mtu}"),
        Trouble::HopLimit => "Time exceeded: Hop limit",
        Trouble::Reassembly => "Time exceeded: Defragmentation failure",
        Trouble::Header { fault, at } => {
            let what = match fault {
                HeaderFault::Field | HeaderFault::Length => "Wrong header field",
                HeaderFault::NextHeader => "Unknown header",
                HeaderFault::Option => "Unknown option",
                HeaderFault::FirstFragment => "Unknown code 3",
            };
            return format!("Parameter problem: {what} at {at}");
        }
        Trouble::Other { icmp_type: 1, code } => return format!("Destination unreachable: Unknown code {code}"),
        Trouble::Other { icmp_type, .. } => return format!("unknown icmp type: {icmp_type}"),
        // Of IPv4 alone.
        other => other.why(),
    };
    words.to_owned()
}

fn describe_v4(trouble: Trouble) -> String {
    let words = match trouble {
        Trouble::TooBig { mtu } if mtu != 0 => return format!("Frag needed and DF set (mtu = {mtu})"),
        Trouble::NoRoute => "Destination Net Unreachable",
        Trouble::HostUnreachable | Trouble::BeyondScope => "Destination Host Unreachable",
        Trouble::ProtocolUnreachable => "Destination Protocol Unreachable",
        Trouble::PortUnreachable => "Destination Port Unreachable",
        Trouble::TooBig { .. } => "Frag needed and DF set",
        Trouble::SourceRoute => "Source Route Failed",
        Trouble::NetworkUnknown => "Destination Net Unknown",
        Trouble::HostUnknown => "Destination Host Unknown",
        Trouble::NetworkProhibited => "Destination Net Prohibited",
        Trouble::HostProhibited => "Destination Host Prohibited",
        Trouble::Prohibited | Trouble::SourcePolicy | Trouble::RejectRoute => "Packet filtered",
        Trouble::HopLimit => "Time to live exceeded",
        Trouble::Reassembly => "Frag reassembly time exceeded",
        Trouble::Header { .. } => "Parameter problem",
        Trouble::Isolated => "Dest Unreachable, Bad Code: 8",
        Trouble::NetworkService => "Dest Unreachable, Bad Code: 11",
        Trouble::HostService => "Dest Unreachable, Bad Code: 12",
        Trouble::Precedence => "Dest Unreachable, Bad Code: 14",
        Trouble::PrecedenceCutoff => "Dest Unreachable, Bad Code: 15",
        Trouble::Other { icmp_type: 3, code } => return format!("Dest Unreachable, Bad Code: {code}"),
        Trouble::Other { icmp_type, code } => return format!("Bad ICMP type: {icmp_type} code {code}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_iputils_prints_them() {
        for (millis, text) in [(0.0321, "0.032"), (1.234, "1.23"), (12.345, "12.3"), (123.45, "123"), (0.99999, "1.00")]
        {
            assert_eq!(triplet(millis), text);
        }
        for (percent, text) in [(0.0, "0"), (100.0, "100"), (100.0 / 3.0, "33.3333"), (50.0, "50"), (0.5, "0.5")] {
            assert_eq!(shortest(percent), text);
        }
    }
}
