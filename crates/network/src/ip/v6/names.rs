//! Whom a host asks for names, and where it looks for them, as routers tell (RFC 8106).

use std::net::Ipv6Addr;

use septet_core::{EventId, Instant, Out, Storey};

use super::autoconf::end;
use super::link::Names;
use crate::ip::state::Ip;
use crate::route::Iface;
use septet_wire::nd::{Resolvers, RouterAdvert, SearchList};

/// RFC 8106 §5.3.1: "the sufficient number of RDNSS addresses … is three"; of what comes beyond these nothing is kept.
const KEPT: usize = 8;

impl Names {
    /// When the first of it ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.servers
            .iter()
            .filter_map(|(_, until)| *until)
            .chain(self.search.iter().filter_map(|(_, until)| *until))
            .min()
    }
}

/// Keeps what is told, or for no time forgets it; gives whether it is new.
fn keep<T: PartialEq>(list: &mut Vec<(T, Option<Instant>)>, told: T, now: Instant, lifetime: u32) -> bool {
    let known = list.iter().position(|(known, _)| *known == told);
    match (known, lifetime) {
        // §5.1: "A value of zero means that the RDNSS addresses MUST no longer be used."
        (Some(at), 0) => {
            list.remove(at);
            false
        }
        (Some(at), _) => {
            list[at].1 = end(now, lifetime);
            false
        }
        (None, 0) => false,
        (None, _) => {
            let room = list.len() < KEPT;
            if room {
                list.push((told, end(now, lifetime)));
            }
            room
        }
    }
}

impl Ip {
    /// Takes what a router tells of names.
    pub(super) fn on_names(
        &mut self,
        now: Instant,
        iface: Iface,
        advert: &RouterAdvert,
        cause: EventId,
        out: &mut Out<'_>,
    ) {
        let Some(link) = self.link_mut(iface) else { return };
        for Resolvers { lifetime, servers } in &advert.resolvers {
            for &server in servers.iter().filter(|server| !server.is_multicast() && !server.is_unspecified()) {
                if keep(&mut link.names.servers, server, now, *lifetime) {
                    out.trace.emit(Storey::Network, "slaac.name-server", cause, |f| {
                        f.set("ip", server).set("iface", iface);
                    });
                }
            }
        }
        for SearchList { lifetime, domains } in &advert.search {
            for domain in domains {
                keep(&mut link.names.search, domain.clone(), now, *lifetime);
            }
        }
    }

    /// Forgets what has had its time.
    pub(super) fn run_names(&mut self, now: Instant, iface: Iface, out: &mut Out<'_>) {
        let past = |until: &Option<Instant>| until.is_some_and(|at| at <= now);
        let Some(link) = self.link_mut(iface) else { return };
        for (server, _) in link.names.servers.extract_if(.., |(_, until)| past(until)) {
            out.trace.emit(Storey::Network, "slaac.name-server-gone", EventId::NONE, |f| {
                f.set("ip", server).set("iface", iface).set("why", "its lifetime is over");
            });
        }
        link.names.search.retain(|(_, until)| !past(until));
    }

    /// The name servers that routers named, on all links that are there.
    pub fn told_name_servers(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.told_names().flat_map(|names| &names.servers).map(|(server, _)| *server)
    }

    /// The domains in which routers have hosts look for names.
    pub fn told_search_domains(&self) -> impl Iterator<Item = &str> {
        self.told_names().flat_map(|names| &names.search).map(|(domain, _)| domain.as_str())
    }

    fn told_names(&self) -> impl Iterator<Item = &Names> {
        let up = self.interfaces.iter().filter(|interface| interface.carrier == septet_core::Carrier::Up);
        up.filter_map(|interface| Some(&interface.v6.as_deref()?.names))
    }
}
