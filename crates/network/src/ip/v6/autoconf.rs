//! What a host takes from router advertisements: default routers, prefixes, addresses of them (RFC 4861 §6.3, RFC 4862 §5.5).

use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr};

use septet_core::{EventId, Frame, Instant, Out, Storey};

use super::config::Autoconf;
use super::dad::MAX_ADDRESSES;
use super::link::{DefaultRouter, Lease, Link, OnLink, Search, Stage, Temporary};
use super::nd::Invalid;
use crate::addr::{Cidr, Prefix};
use crate::forwarding::Forwarding;
use crate::ip::state::Ip;
use crate::ip::told::cause_of;
use crate::route::{Iface, Origin, Route, Target};
use septet_wire::ipv6::{self, Header};
use septet_wire::nd::{self, Discovery, INFINITE, PrefixInformation, RouterAdvert};

/// The metric of what routers advertise: Linux's `IP6_RT_PRIO_USER`.
const METRIC: u32 = 1024;
/// Default routers of one link.
const ROUTERS: usize = 16;
/// RFC 4862 §5.5.3 (e): no advertisement shortens what is left of an address below this.
const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);
/// RFC 7559 §2: IRT (RFC 4861's RTR_SOLICITATION_INTERVAL) and MRT.
const FIRST_WAIT: Duration = Duration::from_secs(4);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

impl Lease {
    /// Of a temporary address.
    pub(super) const fn temporary(
        addr: Ipv6Addr,
        preferred_until: Option<Instant>,
        valid_until: Option<Instant>,
        temporary: Temporary,
    ) -> Self {
        Self { addr, preferred_until, valid_until, stage: Stage::Preferred, temporary: Some(temporary) }
    }

    pub(super) fn addr(&self) -> IpAddr {
        self.addr.into()
    }

    pub(super) fn is_deprecated(&self) -> bool {
        self.stage == Stage::Deprecated
    }

    /// When it is next to be looked at.
    pub(super) fn next_change(&self) -> Option<Instant> {
        let preferred = self.preferred_until.filter(|_| self.stage == Stage::Preferred);
        preferred.into_iter().chain(self.valid_until).chain(self.successor_at()).min()
    }

    /// RFC 4862 §5.5.3 (e): what a further advertisement of its prefix makes of its lifetimes.
    fn renew(&mut self, now: Instant, info: &PrefixInformation) {
        let remaining = self.valid_until.map(|until| if until > now { until - now } else { Duration::ZERO });
        let advertised = Duration::from_secs(info.valid.into());
        let longer = remaining.is_some_and(|left| advertised > left);
        if info.valid == INFINITE || advertised > TWO_HOURS || longer {
            self.valid_until = end(now, info.valid);
        } else if remaining.is_none_or(|left| left > TWO_HOURS) {
            self.valid_until = Some(now + TWO_HOURS);
        }
        self.preferred_until = end(now, info.preferred);
        if let Some(temporary) = self.temporary {
            temporary.bound(self);
        }
        let over = info.preferred == 0 || self.preferred_until.is_some_and(|until| until <= now);
        self.stage = if over { Stage::Deprecated } else { Stage::Preferred };
    }
}

impl Search {
    pub(super) fn at(&self) -> Option<Instant> {
        match self {
            Self::Over => None,
            Self::Asks { at, .. } => Some(*at),
        }
    }
}

/// When a lifetime of so many seconds ends.
pub(super) fn end(now: Instant, seconds: u32) -> Option<Instant> {
    (seconds != INFINITE).then(|| now + Duration::from_secs(seconds.into()))
}

impl Ip {
    fn configures_itself(&self, iface: Iface) -> bool {
        let link = self.interface(iface).v6.as_deref();
        self.forwarding == Forwarding::Off && link.is_some_and(|l: &Link| l.config.autoconf == Autoconf::On)
    }

    /// The link is there, or has an address to ask with: routers are asked for at once.
    pub(super) fn restart_search(&mut self, now: Instant, iface: Iface) {
        if self.configures_itself(iface)
            && self.interface(iface).link_local().is_some()
            && let Some(link) = self.link_mut(iface)
        {
            link.search = Search::Asks { at: now, wait: FIRST_WAIT };
        }
    }

    pub(super) fn run_search(&mut self, now: Instant, iface: Iface, out: &mut Out<'_>) {
        let Some(src) = self.interface(iface).link_local() else { return };
        let jitter = self.rng_below_if_due(now, iface);
        let Some(link) = self.link_mut(iface) else { return };
        let Search::Asks { at, wait } = link.search else { return };
        if at > now {
            return;
        }
        // RFC 7559 §2 with RFC 8415 §15: RT = 2 × RT + RAND × RT, RAND in ±0.1, and no more than MRT.
        link.search =
            Search::Asks { at: now + wait * 9 / 10 + wait * jitter / 5000, wait: (wait * 2).min(LONGEST_WAIT) };
        let mac = self.interface(iface).mac;
        let event = out.trace.emit(Storey::Network, "nd.router-solicit", EventId::NONE, |f| {
            f.set("iface", iface).set("why", "no router is known yet");
        });
        let ask = Discovery::RouterSolicit(Some(mac));
        self.send_nd(now, iface, src, nd::ALL_ROUTERS, &ask, event, out);
    }

    /// A random number below a thousand, drawn only where a question is due.
    fn rng_below_if_due(&mut self, now: Instant, iface: Iface) -> u32 {
        let at = self.interface(iface).v6.as_ref().and_then(|link| link.search.at());
        if at.is_some_and(|at| at <= now) { self.rng.below(1000) as u32 } else { 0 }
    }

    pub(super) fn on_router_advert(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        advert: &RouterAdvert,
        frame: &Frame,
        out: &mut Out<'_>,
    ) -> Result<(), Invalid> {
        // RFC 4861 §6.1.2: "IP Source Address is a link-local address."
        if !header.src.is_unicast_link_local() {
            return Err(Invalid);
        }
        if !self.configures_itself(iface) {
            return Ok(());
        }
        let event = out.trace.emit(Storey::Network, "nd.router-advert", cause_of(frame), |f| {
            f.set("from", header.src).set("iface", iface).set("lifetime", advert.lifetime);
            f.set("prefixes", advert.prefixes.len());
        });
        if let Some(mac) = advert.link {
            self.hear_link(now, iface, header.src, mac, frame, out);
        }
        self.neighbors.hear_timing(iface, advert.reachable, advert.retrans, &mut self.rng);
        let link_mtu = self.interface(iface).mtu;
        if let Some(link) = self.link_mut(iface) {
            link.search = Search::Over;
            if advert.hop_limit != 0 {
                link.hop_limit = Some(advert.hop_limit);
            }
            // RFC 4861 §6.3.4: "as long as the value is greater than or equal to the minimum link MTU … and does not
            // exceed the maximum LinkMTU value specified in the link-type-specific document".
            if let Some(mtu) = advert.mtu.filter(|mtu| (ipv6::MIN_MTU..=link_mtu).contains(mtu)) {
                link.mtu = Some(mtu);
            }
        }
        if advert.lifetime.is_zero() {
            self.forget_router(iface, header.src, "it says that it is one no more", out);
        } else {
            self.know_router(iface, header.src, now + advert.lifetime, event, out);
        }
        for info in &advert.prefixes {
            self.on_prefix(now, iface, info, event, out);
        }
        self.on_names(now, iface, advert, event, out);
        Ok(())
    }

    fn know_router(&mut self, iface: Iface, addr: Ipv6Addr, until: Instant, cause: EventId, out: &mut Out<'_>) {
        let Some(link) = self.link_mut(iface) else { return };
        if let Some(known) = link.routers.iter_mut().find(|r| r.addr == addr) {
            known.until = Some(until);
            return;
        }
        if link.routers.len() >= ROUTERS {
            return;
        }
        link.routers.push(DefaultRouter { addr, until: Some(until) });
        self.renew_advertised_routes();
        out.trace.emit(Storey::Network, "slaac.router", cause, |f| {
            f.set("ip", addr).set("iface", iface);
        });
    }

    /// A router is no longer to be taken.
    pub(super) fn forget_router(&mut self, iface: Iface, addr: Ipv6Addr, why: &'static str, out: &mut Out<'_>) {
        let Some(link) = self.link_mut(iface) else { return };
        let before = link.routers.len();
        link.routers.retain(|r| r.addr != addr);
        if link.routers.len() == before {
            return;
        }
        self.renew_advertised_routes();
        out.trace.emit(Storey::Network, "slaac.router-gone", EventId::NONE, |f| {
            f.set("ip", addr).set("iface", iface).set("why", why);
        });
    }

    /// Takes a router last among several: RFC 4861 §6.3.6, "Routers that are reachable … SHOULD be preferred over routers
    /// whose reachability is unknown or suspect".
    pub(super) fn demote_router(&mut self, iface: Iface, addr: Ipv6Addr) {
        let Some(link) = self.link_mut(iface) else { return };
        if let Some(at) = link.routers.iter().position(|r| r.addr == addr) {
            let router = link.routers.remove(at);
            link.routers.push(router);
            self.renew_advertised_routes();
        }
    }

    /// Makes what routers advertise on all links what the table has of it.
    fn renew_advertised_routes(&mut self) {
        let links = (0..).zip(&self.interfaces).filter_map(|(iface, i)| Some((iface, i.v6.as_deref()?)));
        let of = |(iface, link): (Iface, &Link)| {
            let prefixes = link.on_link.iter().map(|p| Route::new(p.prefix, Target::Link(iface), Origin::Ra));
            let way = |r: &DefaultRouter| Target::Via(iface, r.addr.into());
            let routers =
                link.routers.iter().map(|r| Route::new(Prefix::DEFAULT_V6, way(r), Origin::Ra).metric(METRIC));
            prefixes.chain(routers).collect::<Vec<_>>()
        };
        let routes = links.flat_map(of).collect();
        self.replace_routes(Origin::Ra, routes);
        self.epoch += 1;
    }

    fn on_prefix(&mut self, now: Instant, iface: Iface, info: &PrefixInformation, cause: EventId, out: &mut Out<'_>) {
        // RFC 4861 §6.3.4: "a host SHOULD ignore … the link-local prefix"; RFC 4862 §5.5.3 (c): nor a preferred lifetime
        // "greater than the valid lifetime".
        if info.prefix.is_unicast_link_local() || info.prefix.is_multicast() {
            return;
        }
        let Ok(prefix) = Prefix::new(info.prefix.into(), info.len) else { return };
        if info.on_link {
            self.on_link_prefix(now, iface, prefix, info.valid);
        }
        if info.autonomous && info.preferred <= info.valid {
            self.on_autonomous_prefix(now, iface, prefix, info, cause, out);
        }
    }

    fn on_link_prefix(&mut self, now: Instant, iface: Iface, prefix: Prefix, valid: u32) {
        let Some(link) = self.link_mut(iface) else { return };
        let known = link.on_link.iter().position(|p| p.prefix == prefix);
        match (known, valid) {
            (None, 0) => return,
            (Some(at), 0) => {
                link.on_link.remove(at);
            }
            (Some(at), _) => {
                link.on_link[at].until = end(now, valid);
                return;
            }
            (None, _) => {
                if link.on_link.len() >= MAX_ADDRESSES {
                    return;
                }
                link.on_link.push(OnLink { prefix, until: end(now, valid) });
            }
        }
        self.renew_advertised_routes();
    }

    fn on_autonomous_prefix(
        &mut self,
        now: Instant,
        iface: Iface,
        prefix: Prefix,
        info: &PrefixInformation,
        cause: EventId,
        out: &mut Out<'_>,
    ) {
        // RFC 4862 §5.5.3 (d): "If the sum of the prefix length and interface identifier length does not equal 128 bits,
        // the Prefix Information option MUST be ignored", and ours has 64 (RFC 2464 §4).
        let IpAddr::V6(base) = prefix.addr() else { return };
        if prefix.prefix_len() != 64 {
            return;
        }
        let addr = Ipv6Addr::from_bits(base.to_bits() | u128::from(nd::interface_id(self.interface(iface).mac)));
        let Some(link) = self.link_mut(iface) else { return };
        let leases = link.leases.iter_mut().chain(link.tentative.iter_mut().filter_map(|t| t.lease_mut()));
        let mut known = false;
        for lease in leases.filter(|lease| lease.addr == addr || lease.is_temporary() && prefix.contains(lease.addr()))
        {
            lease.renew(now, info);
            known |= lease.addr == addr;
        }
        if info.valid != 0 {
            self.keep_temporary(now, iface, prefix, info, cause, out);
        }
        let Some(link) = self.link_mut(iface).filter(|_| !known) else { return };
        let taken = !link.has_room() || link.failed.contains(&addr) || link.is_tentative(addr);
        if taken || info.valid == 0 || self.interface(iface).has_v6(addr) {
            return;
        }
        let lease = Lease {
            addr,
            preferred_until: end(now, info.preferred),
            valid_until: end(now, info.valid),
            stage: if info.preferred == 0 { Stage::Deprecated } else { Stage::Preferred },
            temporary: None,
        };
        let cidr = Cidr::new(addr.into(), 64).expect("64 bits fit");
        out.trace.emit(Storey::Network, "slaac.address", cause, |f| {
            f.set("ip", addr).set("iface", iface).set("why", "a router advertises its prefix");
        });
        self.ask_for_address(iface, cidr, Some(lease));
    }

    /// Ends what has had its time.
    pub(super) fn run_leases(&mut self, now: Instant, iface: Iface, out: &mut Out<'_>) {
        let past = |until: Option<Instant>| until.is_some_and(|at| at <= now);
        let Some(link) = self.link_mut(iface) else { return };
        for lease in link.leases.iter_mut().filter(|l| l.stage == Stage::Preferred && past(l.preferred_until)) {
            lease.stage = Stage::Deprecated;
            out.trace.emit(Storey::Network, "slaac.deprecated", EventId::NONE, |f| {
                f.set("ip", lease.addr).set("why", "its preferred lifetime is over");
            });
        }
        let ended: Vec<Ipv6Addr> = link.leases.iter().filter(|l| past(l.valid_until)).map(|l| l.addr).collect();
        link.leases.retain(|l| !past(l.valid_until));
        let prefixes: Vec<Prefix> = link.on_link.iter().filter(|p| past(p.until)).map(|p| p.prefix).collect();
        let routers: Vec<Ipv6Addr> = link.routers.iter().filter(|r| past(r.until)).map(|r| r.addr).collect();
        for addr in ended {
            out.trace.emit(Storey::Network, "slaac.expired", EventId::NONE, |f| {
                f.set("ip", addr).set("why", "its valid lifetime is over");
            });
            let _ = self.drop_lease(iface, addr);
        }
        for prefix in prefixes {
            self.on_link_prefix(now, iface, prefix, 0);
        }
        for addr in routers {
            self.forget_router(iface, addr, "its lifetime is over", out);
        }
    }
}

impl Link {
    /// Whether a further address can be made.
    pub(super) const fn has_room(&self) -> bool {
        self.leases.len() < MAX_ADDRESSES
    }

    fn is_tentative(&self, addr: Ipv6Addr) -> bool {
        self.tentative.iter().any(|t| t.addr() == addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Until when an address is valid that had `left` seconds, once its prefix is advertised for `advertised` more.
    fn valid(left: Option<u64>, advertised: u32) -> Option<u64> {
        let now = Instant::from_secs(1000);
        let mut lease = Lease {
            addr: Ipv6Addr::LOCALHOST,
            preferred_until: None,
            valid_until: left.map(|left| now + Duration::from_secs(left)),
            stage: Stage::Preferred,
            temporary: None,
        };
        let prefix = Ipv6Addr::UNSPECIFIED;
        let info =
            PrefixInformation { prefix, len: 64, on_link: true, autonomous: true, valid: advertised, preferred: 0 };
        lease.renew(now, &info);
        assert!(lease.is_deprecated(), "whatever becomes of the other");
        lease.valid_until.map(|until| (until - now).as_secs())
    }

    #[test]
    fn nobody_can_shorten_what_is_left_below_two_hours() {
        // RFC 4862 §5.5.3 (e): longer than two hours, or than what is left, counts; …
        assert_eq!(valid(Some(100_000), 7201), Some(7201));
        assert_eq!(valid(Some(10), 20), Some(20));
        assert_eq!(valid(Some(10), INFINITE), None);
        // … else what is left stays, where it is no more than two hours, …
        assert_eq!(valid(Some(7200), 1), Some(7200));
        assert_eq!(valid(Some(60), 0), Some(60));
        // … and becomes two hours where it was more.
        assert_eq!(valid(Some(100_000), 60), Some(7200));
        assert_eq!(valid(None, 60), Some(7200));
    }
}
