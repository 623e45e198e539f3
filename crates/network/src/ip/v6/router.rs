//! A router's advertisements (RFC 4861 §6.2): when they are sent, and what they say.

use core::time::Duration;
use std::net::IpAddr;

use septet_core::{EventId, Frame, Instant, Out, Storey};
use septet_datalink::ethernet::MacAddr;

use super::config::{Advertise, AdvertisedPrefix, Autonomous};
use super::link::Advertising;
use super::nd::Invalid;
use crate::forwarding::Forwarding;
use crate::ip::state::Ip;
use crate::ip::told::cause_of;
use crate::route::Iface;
use septet_wire::ipv6::Header;
use septet_wire::nd::{self, Discovery, INFINITE, PrefixInformation, Resolvers, RouterAdvert, SearchList};

/// RFC 4861 §10: the first three follow one another within 16 seconds, an answer is delayed by up to half a second, and
/// two to everybody are three seconds apart.
const INITIAL: u8 = 3;
const INITIAL_INTERVAL: Duration = Duration::from_secs(16);
const ANSWER_DELAY: Duration = Duration::from_millis(500);
const APART: Duration = Duration::from_secs(3);

impl Advertising {
    pub(super) fn new(config: Advertise) -> Self {
        Self { config, at: None, sent: 0, last: None, cause: EventId::NONE }
    }
}

impl Ip {
    /// The link is there, and has an address to advertise with.
    pub(super) fn restart_advertising(&mut self, now: Instant, iface: Iface) {
        if self.forwarding == Forwarding::On
            && self.interface(iface).link_local().is_some()
            && let Some(advertising) = self.link_mut(iface).and_then(|link| link.advertising.as_mut())
        {
            (advertising.at, advertising.sent) = (Some(now), 0);
        }
    }

    /// RFC 4861 §6.2.6: "Router Advertisements sent in response to a Router Solicitation MUST be delayed by a random time
    /// between 0 and MAX_RA_DELAY_TIME seconds", and "consecutive Router Advertisements sent to the all-nodes multicast
    /// address MUST be rate limited to no more than one advertisement every MIN_DELAY_BETWEEN_RAS seconds."
    pub(super) fn on_router_solicit(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        source: Option<MacAddr>,
        frame: &Frame,
        out: &mut Out<'_>,
    ) -> Result<(), Invalid> {
        // §6.1.1: "If the IP source address is the unspecified address, there is no source link-layer address option".
        if header.src.is_unspecified() && source.is_some() {
            return Err(Invalid);
        }
        if self.forwarding == Forwarding::Off {
            return Ok(());
        }
        if let Some(mac) = source {
            self.hear_link(now, iface, header.src, mac, frame, out);
        }
        let can = self.interface(iface).link_local().is_some();
        if !can || self.interface(iface).v6.as_ref().is_none_or(|link| link.advertising.is_none()) {
            return Ok(());
        }
        let delay = Duration::from_nanos(self.rng.below(ANSWER_DELAY.as_nanos() as u64));
        if let Some(advertising) = self.link_mut(iface).and_then(|link| link.advertising.as_mut()) {
            let at = advertising.last.map_or(now + delay, |last| (now + delay).max(last + APART));
            if advertising.at.is_none_or(|planned| at < planned) {
                (advertising.at, advertising.cause) = (Some(at), cause_of(frame));
            }
        }
        Ok(())
    }

    pub(super) fn run_advertising(&mut self, now: Instant, iface: Iface, out: &mut Out<'_>) {
        let Some(src) = self.interface(iface).link_local() else { return };
        let advertising = self.interface(iface).v6.as_ref().and_then(|link| link.advertising.as_ref());
        let Some(Advertising { config, cause, .. }) = advertising.filter(|a| a.at.is_some_and(|at| at <= now)) else {
            return;
        };
        let (config, cause) = (config.clone(), *cause);
        let spread = config.max_interval.saturating_sub(config.min_interval).as_nanos() as u64;
        let wait = config.min_interval + Duration::from_nanos(self.rng.below(spread.max(1)));
        if let Some(advertising) = self.link_mut(iface).and_then(|link| link.advertising.as_mut()) {
            advertising.sent = (advertising.sent + 1).min(INITIAL);
            let wait = if advertising.sent < INITIAL { wait.min(INITIAL_INTERVAL) } else { wait };
            (advertising.at, advertising.last) = (Some(now + wait), Some(now));
            advertising.cause = EventId::NONE;
        }
        let advert = self.advert(iface, &config);
        let event = out.trace.emit(Storey::Network, "nd.router-advertise", cause, |f| {
            f.set("iface", iface).set("lifetime", config.lifetime).set("prefixes", advert.prefixes.len());
            f.set("why", if cause == EventId::NONE { "it is time" } else { "a host asks for routers" });
        });
        self.send_nd(now, iface, src, nd::ALL_NODES, &Discovery::RouterAdvert(advert), event, out);
    }

    fn advert(&self, iface: Iface, config: &Advertise) -> RouterAdvert {
        let interface = self.interface(iface);
        // §6.2.1, AdvPrefixList: "all prefixes that the router advertises via routing protocols as being on-link … The
        // link-local prefix SHOULD NOT be included".
        let own = interface.own_v6().filter(|(addr, _)| !addr.is_unicast_link_local());
        let own = own.map(|(_, prefix)| AdvertisedPrefix::new(prefix)).filter(|p| p.prefix.prefix_len() < 128);
        let mut prefixes = config.prefixes.clone();
        if prefixes.is_empty() {
            own.for_each(|prefix| {
                if !prefixes.iter().any(|known| known.prefix == prefix.prefix) {
                    prefixes.push(prefix);
                }
            });
        }
        // RFC 8106 §5.1: the lifetime "SHOULD be at least … 3 * MaxRtrAdvInterval".
        let lifetime = u32::try_from((3 * config.max_interval).as_secs()).unwrap_or(INFINITE);
        RouterAdvert {
            hop_limit: config.hop_limit,
            lifetime: config.lifetime,
            reachable: config.reachable,
            retrans: config.retrans,
            link: Some(interface.mac),
            mtu: config.mtu,
            prefixes: prefixes.iter().filter_map(information).collect(),
            // Where there are none, no option is written.
            resolvers: vec![Resolvers { lifetime, servers: config.name_servers.clone() }],
            search: vec![SearchList { lifetime, domains: config.search.clone() }],
        }
    }
}

fn information(advertised: &AdvertisedPrefix) -> Option<PrefixInformation> {
    let AdvertisedPrefix { prefix, valid, preferred, autonomous } = advertised;
    let IpAddr::V6(addr) = prefix.addr() else { return None };
    let seconds = |lifetime: Option<Duration>| {
        lifetime.map_or(INFINITE, |d| u32::try_from(d.as_secs()).unwrap_or(INFINITE).min(INFINITE - 1))
    };
    Some(PrefixInformation {
        prefix: addr,
        len: prefix.prefix_len(),
        on_link: true,
        autonomous: *autonomous == Autonomous::Yes && prefix.prefix_len() == 64,
        valid: seconds(*valid),
        preferred: seconds(*preferred),
    })
}
