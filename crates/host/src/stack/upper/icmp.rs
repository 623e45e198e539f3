//! ICMP above IP, as far as programs have a part in it: storey 3 answers messages itself, and hands up replies to its own.

use septet_core::{Instant, Out};
use septet_network::ip::Report;
use septet_network::ipv4::protocol;

use crate::stack::storeys::{Storeys, Upper};

/// The table's entry for ICMP.
pub(super) const UPPER: Upper = Upper { number: protocol::ICMP, receive: None, error };
/// And for ICMPv6.
pub(super) const UPPER_V6: Upper = Upper { number: protocol::ICMPV6, receive: None, error };

fn error(host: &mut Storeys, _: Instant, report: &Report, _: &mut Out<'_>) {
    host.pings.error(report);
}
