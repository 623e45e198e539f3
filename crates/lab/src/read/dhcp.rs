//! Whether somebody gives addresses where interfaces ask for them by DHCP.

use septet_language::mistake::{Mistake, Mistakes};
use septet_network::Prefix;

use crate::model::address::{Given, Seat, Segment};
use crate::model::node::Node;

/// Warns of interfaces that ask in vain: no server and no relay is on their segment.
pub(crate) fn check(segments: &[Segment], nodes: &[Node], mistakes: &mut Mistakes) {
    for segment in segments {
        let asks =
            |seat: &Seat| seat.given.iter().find(|(given, _)| *given == Given::Dhcp).map(|(_, span)| span.clone());
        if segment.seats.iter().any(|seat| serves(nodes, seat)) {
            continue;
        }
        for (seat, span) in segment.seats.iter().filter_map(|seat| Some((seat, asks(seat)?))) {
            let name = &nodes[seat.spot.place.node].name;
            let reason =
                format!("no DHCP server gives addresses on the link of `{name}`, and no relay hands on what it asks");
            mistakes.push(
                Mistake::new("dhcp", span, reason, "nobody answers")
                    .help(
                        "give a host of the link `[host.NAME.dhcp]`, or its router `[router.NAME.dhcp_relay]`"
                            .to_owned(),
                    )
                    .warning(),
            );
        }
    }
}

/// Whether the node of this seat gives addresses of the network that it is in there.
fn serves(nodes: &[Node], seat: &Seat) -> bool {
    let node = &nodes[seat.spot.place.node];
    let port = &node.ports[usize::from(seat.spot.place.port)];
    let addresses = match seat.spot.vlan {
        None => &port.addresses,
        Some(vlan) => match port.vlans.iter().find(|sub| sub.vlan == vlan) {
            Some(sub) => &sub.addresses,
            None => return false,
        },
    };
    let nets: Vec<Prefix> = addresses.iter().filter(|a| a.addr().is_ipv4()).map(|a| a.prefix()).collect();
    node.services().iter().any(|service| nets.iter().any(|net| service.gives_addresses_of(*net)))
}
