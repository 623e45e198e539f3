//! UDP above IP.

use septet_core::{Instant, Out};
use septet_network::ip::{Datagram, Report};
use septet_network::ipv4::protocol;

use crate::stack::reports::icmp_error;
use crate::stack::storeys::{Storeys, Upper};

/// The table's entry.
pub(super) const UPPER: Upper = Upper { number: protocol::UDP, receive: Some(receive), error };

fn receive(host: &mut Storeys, now: Instant, datagram: Datagram, out: &mut Out<'_>) {
    if host.routing_udp(now, &datagram, out) {
        return;
    }
    host.tasks.because(datagram.frame.cause);
    if let Some(unwanted) = host.udp.receive(datagram, out.trace) {
        host.ip.port_unreachable(now, unwanted, out);
    }
}

fn error(host: &mut Storeys, _: Instant, report: &Report, _: &mut Out<'_>) {
    if let Some(error) = icmp_error(report) {
        host.udp.error(&error);
    }
}
