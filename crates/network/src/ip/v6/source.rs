//! Which of its addresses a host speaks from: what [`selection`] chooses among.

use std::net::Ipv6Addr;

use super::link::Lease;
use super::{Way, is_link_scoped};
use crate::ip::interface::Interface;
use crate::ip::ways::Kind;
use crate::ip::{Ip, SendError};
use crate::selection::{self, Kind as Kept, Lifetime, Nearness, Source};

impl Ip {
    /// The source address of what takes `way` to `dst` (RFC 6724 §5): of the interfaces all take part, but what is
    /// link-local means something on its own link alone.
    pub(in crate::ip) fn source_v6(&self, way: &Way, dst: Ipv6Addr) -> Result<Ipv6Addr, SendError> {
        if way.kind == Kind::Local {
            return Ok(dst);
        }
        let link_scoped = is_link_scoped(dst);
        // Rule 2 prefers what reaches beyond the link to what does not, before all that may differ in time: most hosts have
        // one such address, and there is nothing more to ask.
        let mut beyond =
            self.interfaces.iter().flat_map(Interface::own_v6).filter(|(own, _)| !own.is_unicast_link_local());
        if let (false, Some((only, _)), None) = (link_scoped, beyond.next(), beyond.next()) {
            return Ok(only);
        }
        let all = self.interfaces.iter().enumerate().flat_map(|(at, interface)| {
            let here = at == usize::from(way.iface);
            let leases = interface.v6.as_deref().map_or(&[][..], |link| &link.leases);
            interface.own_v6().filter_map(move |(addr, prefix)| {
                if !here && (addr.is_unicast_link_local() || link_scoped) {
                    return None;
                }
                let lease = leases.iter().find(|lease| lease.addr() == addr);
                let is_deprecated = lease.is_some_and(Lease::is_deprecated);
                let lifetime = if is_deprecated { Lifetime::Deprecated } else { Lifetime::Preferred };
                let kind = if lease.is_some_and(Lease::is_temporary) { Kept::Temporary } else { Kept::Public };
                let nearness = match here {
                    true if prefix.contains(way.next_hop.into()) => Nearness::NextHop,
                    true => Nearness::Interface,
                    false => Nearness::Elsewhere,
                };
                Some((Source { addr: addr.into(), prefix_len: prefix.prefix_len(), lifetime, kind }, nearness))
            })
        });
        match selection::choose(dst.into(), all).map(|source| source.addr) {
            Some(std::net::IpAddr::V6(addr)) => Ok(addr),
            _ => Err(SendError::NetworkUnreachable),
        }
    }
}
