//! What ways take whole: what routers have said of them (RFC 1191, RFC 8201), and what a person says of a route.

use core::time::Duration;
use std::net::IpAddr;

use septet_core::Instant;

use super::paths::Written;
use super::state::Ip;
use crate::route::{MtuLock, RouteMtu};
use septet_wire::ipv6;

/// RFC 1191 §6.3: "10 minutes"; Linux's `net.ipv4.route.mtu_expires`.
const EXPIRES: Duration = Duration::from_secs(600);
/// `net.ipv4.route.min_pmtu`: nobody makes us send smaller packets.
const MIN: u32 = 552;
/// Destinations remembered at once.
const DESTINATIONS: usize = 4096;

impl Ip {
    /// A router on the way to `dst` takes no more than `mtu` octets at once. It is not believed that more fits than was known,
    /// nor less than anybody need believe, as Linux's `__ip_rt_update_pmtu`; RFC 1191 §3: "A host MUST NOT increase its
    /// estimate of the Path MTU in response to the contents of a Datagram Too Big message."
    pub fn learn_path_mtu(&mut self, now: Instant, dst: IpAddr, mtu: u32) {
        let known = match dst {
            IpAddr::V4(dst) => {
                let way = self.way(dst);
                self.mtu_of(now, &way, dst)
            }
            IpAddr::V6(dst) => {
                let way = self.find_v6(dst);
                self.mtu_of_v6(now, &way, dst)
            }
        };
        let is_locked = self.mtu_of_route(dst).is_some_and(|of_route| of_route.lock == MtuLock::Locked);
        if is_locked || mtu > known {
            return;
        }
        let (least, lock) = match dst {
            // A way that takes less is gone by what may be cut: "lock", and the packets are sent without DF.
            IpAddr::V4(_) if mtu < MIN => (MIN, MtuLock::Locked),
            IpAddr::V4(_) => (MIN, MtuLock::Open),
            // RFC 8201 §4: "A node MUST NOT reduce its estimate of the Path MTU below the IPv6 minimum link MTU".
            IpAddr::V6(_) => (ipv6::MIN_MTU, MtuLock::Open),
        };
        let learned = RouteMtu { bytes: mtu.max(least).min(known), lock };
        let paths = self.paths.get_or_insert_default();
        if paths.learned.len() >= DESTINATIONS {
            paths.learned.retain(|_, (_, until)| *until > now);
            if paths.learned.len() >= DESTINATIONS {
                paths.learned.pop_first();
            }
        }
        paths.learned.insert(dst, (learned, now + EXPIRES));
    }

    /// A route with an MTU of its own was added.
    pub(super) fn mind_mtu(&mut self, mtu: Option<RouteMtu>) {
        if mtu.is_some() {
            self.paths.get_or_insert_default().of_routes = Written::Something;
        }
    }

    /// What fits on the way to `dst`, whose first link takes `link` octets, and whether that is looked for.
    #[inline]
    pub(super) fn fit(&self, now: Instant, link: u32, dst: IpAddr) -> RouteMtu {
        match &self.paths {
            None => RouteMtu::open(link),
            Some(_) => self.fit_known(now, link, dst),
        }
    }

    #[cold]
    fn fit_known(&self, now: Instant, link: u32, dst: IpAddr) -> RouteMtu {
        let written = self.fit_forwarded(link, dst);
        match self.learned_mtu(now, dst) {
            Some((RouteMtu { bytes, lock }, _)) => RouteMtu { bytes: bytes.min(written.bytes), lock },
            None => written,
        }
    }

    /// What a router passes on to `dst` by a link that takes `link` octets: it minds what is written, and not what was told of
    /// its own packets (`ip_forward_use_pmtu` = 0).
    #[inline]
    pub(super) fn fit_forwarded(&self, link: u32, dst: IpAddr) -> RouteMtu {
        match &self.paths {
            None => RouteMtu::open(link),
            Some(_) => {
                let written = self.mtu_of_route(dst).unwrap_or(RouteMtu::open(link));
                RouteMtu { bytes: written.bytes.min(link), ..written }
            }
        }
    }

    /// What was told of the way to `dst`, and until when that counts.
    pub(super) fn learned_mtu(&self, now: Instant, dst: IpAddr) -> Option<(RouteMtu, Instant)> {
        let learned = self.paths.as_ref()?.learned.get(&dst);
        learned.copied().filter(|(_, until)| now < *until)
    }

    /// What a person says of the route to `dst`.
    pub(super) fn mtu_of_route(&self, dst: IpAddr) -> Option<RouteMtu> {
        if self.paths.as_ref()?.of_routes == Written::Nothing {
            return None;
        }
        self.table.lookup(dst, |iface| self.carrier(iface) == Some(septet_core::Carrier::Up))?.mtu()
    }
}
