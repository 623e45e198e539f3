//! Which of its addresses a host speaks from.

use std::net::Ipv6Addr;

use super::{Way, is_link_scoped};
use crate::ip::ways::Kind;
use crate::ip::{Ip, SendError};

impl Ip {
    /// The source address of what takes `way` to `dst`: one of the same scope that is preferred, that shares its prefix with
    /// the next hop where there is one, of the interface by which it leaves, or else of any (RFC 6724 §5's rules 2, 3, 5).
    pub(in crate::ip) fn source_v6(&self, way: &Way, dst: Ipv6Addr) -> Result<Ipv6Addr, SendError> {
        if way.kind == Kind::Local {
            return Ok(dst);
        }
        let link_scoped = is_link_scoped(dst);
        let rank = |here: bool, addr: Ipv6Addr, prefix: crate::Prefix, deprecated: bool| {
            let scope = addr.is_unicast_link_local() == link_scoped;
            let near = prefix.contains(dst.into()) || prefix.contains(way.next_hop.into());
            (scope, !deprecated, here, near)
        };
        let all = self.interfaces.iter().enumerate().flat_map(|(at, interface)| {
            let here = at == usize::from(way.iface);
            let leases = interface.v6.as_deref().map_or(&[][..], |link| &link.leases);
            interface.own_v6().filter_map(move |(addr, prefix)| {
                // An address of another link means nothing on this one.
                let fits = here || !addr.is_unicast_link_local() && !link_scoped;
                let deprecated = leases.iter().any(|l| l.addr() == addr && l.is_deprecated());
                fits.then_some((rank(here, addr, prefix, deprecated), addr))
            })
        });
        // The first of the best.
        let best = all.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, addr)| addr).ok_or(SendError::NetworkUnreachable)
    }
}
