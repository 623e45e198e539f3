//! Which routers advertise themselves, and which addresses hosts make themselves of that (RFC 4862).

use std::net::{IpAddr, Ipv6Addr};

use septet_language::mistake::{Mistake, Mistakes};
use septet_network::ip::{Autoconf, Privacy};
use septet_network::{Cidr, Prefix};

use crate::model::address::{Given, Segment, Spot, link_identifier};
use crate::model::node::{Advertises, ByItself, Node};

/// Settles for each interface what it does of IPv6 by itself.
pub(crate) fn settle(segments: &[Segment], nodes: &mut [Node], mistakes: &mut Mistakes) {
    for segment in segments {
        let mut told: Vec<Prefix> = Vec::new();
        for seat in &segment.seats {
            let said = said(&nodes[seat.spot.place.node], seat.spot);
            let (addresses, own) = interface(nodes, seat.spot);
            let Some((Some(advert), _)) = said.filter(|_| seat.router) else { continue };
            let prefixes = addresses.iter().filter(|cidr| cidr.addr().is_ipv6()).map(|cidr| cidr.prefix());
            let before = told.len();
            told.extend(prefixes);
            own.advertise = (told.len() > before).then_some(advert);
        }
        for seat in &segment.seats {
            let Some((_, span)) = seat.given.iter().find(|(given, _)| *given == Given::Slaac) else { continue };
            let name = &nodes[seat.spot.place.node].name;
            if seat.router {
                let reason = format!("`{name}` is a router, and those make themselves no addresses");
                mistakes.push(
                    Mistake::new("address", span.clone(), reason, "not of a router")
                        .help("give it one, or let it have one by itself".to_owned()),
                );
                continue;
            }
            if told.is_empty() {
                let reason = format!("no router tells `{name}` an IPv6 prefix");
                mistakes.push(
                    Mistake::new("address", span.clone(), reason, "nothing to make an address of")
                        .help("let a router that speaks IPv6 on its segment say `advertise = true`".to_owned())
                        .warning(),
                );
            }
            let mac = nodes[seat.spot.place.node].ports[usize::from(seat.spot.place.port)].mac;
            let (_, own) = interface(nodes, seat.spot);
            own.autoconf = Autoconf::On;
            // RFC 4862 §5.5.3 (d): only a prefix that leaves room for the interface's identifier will do.
            let fits = told.iter().filter(|prefix| prefix.prefix_len() == 64);
            own.learned = fits.filter_map(|prefix| made_of(*prefix, mac)).collect();
        }
    }
    for node in nodes.iter() {
        idle(node, mistakes);
    }
}

/// What the file says of advertisements at an interface, or else of the whole node.
fn said(node: &Node, spot: Spot) -> Option<Advertises> {
    let stack = node.spec.stack()?;
    let port = node.port_spec(spot.place.port);
    let own = match spot.vlan {
        None => port.and_then(|port| port.advertises.clone()),
        Some(vlan) => port.and_then(|port| port.vlans.get(&vlan)?.advertises.clone()),
    };
    own.or_else(|| stack.advertises.clone())
}

fn interface(nodes: &mut [Node], Spot { place, vlan }: Spot) -> (&[Cidr], &mut ByItself) {
    let port = &mut nodes[place.node].ports[usize::from(place.port)];
    match vlan.and_then(|vlan| port.vlans.iter().position(|sub| sub.vlan == vlan)) {
        None => (&port.addresses, &mut port.by_itself),
        Some(at) => {
            let sub = &mut port.vlans[at];
            (&sub.addresses, &mut sub.by_itself)
        }
    }
}

/// The address that an interface makes itself of a prefix.
fn made_of(prefix: Prefix, mac: [u8; 6]) -> Option<Cidr> {
    let IpAddr::V6(net) = prefix.addr() else { return None };
    let address = Ipv6Addr::from_bits(net.to_bits() | u128::from(link_identifier(mac)));
    Cidr::new(address.into(), prefix.prefix_len()).ok()
}

/// Reports advertisements of a node that has nothing to advertise, and temporary addresses of one that makes itself none.
fn idle(node: &Node, mistakes: &mut Mistakes) {
    let Some(stack) = node.spec.stack() else { return };
    if let Some((Privacy::On { .. }, span)) = node.spec.host().and_then(|host| host.privacy.clone())
        && node.interfaces().all(|(_, own)| own.autoconf == Autoconf::Off)
    {
        let reason = format!("`{}` makes itself no addresses, and so no temporary ones", node.name);
        mistakes.push(
            Mistake::new("privacy", span, reason, "nothing to change").help("let it: `address = \"slaac\"`".to_owned()),
        );
    }
    let of_ports = stack
        .ports
        .values()
        .flat_map(|port| port.advertises.iter().chain(port.vlans.values().filter_map(|sub| sub.advertises.as_ref())));
    let spans = stack.advertises.iter().chain(of_ports).filter(|(advert, _)| advert.is_some());
    let Some((_, span)) = { spans }.next() else { return };
    let (name, router) = (&node.name, node.kind().routes());
    if router && node.interfaces().any(|(_, own)| own.advertise.is_some()) {
        return;
    }
    let (reason, help) = match router {
        true => (format!("`{name}` has no IPv6 prefix to advertise"), "let it speak IPv6: `ip = \"dual\"`"),
        false => (format!("`{name}` is a host, and advertises nothing"), "say it of a router"),
    };
    mistakes.push(Mistake::new("advertise", span.clone(), reason, "nothing to tell").help(help.to_owned()));
}
