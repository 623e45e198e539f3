//! What this router advertises of itself (RFC 2328 §12.4), and when it does so anew.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use septet_wire::ospf::{
    Body, External, ExternalKind, Lsa, LsaKey, LsaType, MAX_AGE, MAX_SEQUENCE, MIN_SEQUENCE, RouterLink,
    RouterLinkKind, RouterLsa,
};

use super::super::act::Context;
use super::database::Source;
use super::interface::{Interface, State, mask};
use super::router::Ospf;
use crate::route::Iface;

/// RFC 2328 appendix B's MinLSInterval: how often one advertisement may be originated.
const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// What others add to the metric of a route by hand, of type 2 (as BIRD and FRR have it).
const EXTERNAL_METRIC: u32 = 20;

impl Ospf {
    /// Compares what should be advertised with what is, and sets right what differs.
    pub(super) fn originate(&mut self, cx: &mut Context<'_>) {
        let wanted = self.wanted();
        let own = self.database.iter().filter(|s| s.lsa.header.key.router == self.id).map(|s| s.lsa.header.key);
        let gone: Vec<LsaKey> = own.filter(|key| !wanted.contains_key(key)).collect();
        for key in gone {
            if self.database.get(&key).is_some_and(|stored| stored.age(cx.now) < MAX_AGE) {
                self.flush(cx, key, "it is so no more");
            }
        }
        for (key, body) in wanted {
            self.advertise(cx, key, &body, "something has changed");
        }
    }

    /// Originates an advertisement where it says something new.
    fn advertise(&mut self, cx: &mut Context<'_>, key: LsaKey, body: &Body, why: &'static str) {
        let now = cx.now;
        let before = self.database.get(&key);
        let sequence = match before.map(|stored| stored.lsa.header.sequence) {
            None => MIN_SEQUENCE,
            // RFC 2328 §12.1.6: the last number is followed by the first once it is flushed everywhere.
            Some(MAX_SEQUENCE) => {
                if before.is_some_and(|stored| stored.age(now) < MAX_AGE) {
                    self.flush(cx, key, "its numbers have come to their end");
                }
                return;
            }
            Some(sequence) => sequence + 1,
        };
        let lsa = Lsa::new(key, self.options(), sequence, body);
        let same = before.is_some_and(|stored| stored.lsa.says_as(&lsa) && stored.age(now) < MAX_AGE);
        if same {
            return;
        }
        // MinLSInterval, for what this router has originated itself of late.
        if let Some(stored) = before
            && stored.lsa.header.age == 0
            && now < stored.since + MIN_INTERVAL
        {
            self.originate_at.insert(key, stored.since + MIN_INTERVAL);
            return;
        }
        self.put(cx, lsa, why);
    }

    fn put(&mut self, cx: &mut Context<'_>, lsa: Lsa, why: &'static str) {
        let key = lsa.header.key;
        self.counters.originated += 1;
        cx.tell("ospf.originate", |f| {
            f.set("what", what(key.kind)).set("id", IpAddr::V4(key.id)).set("sequence", lsa.header.sequence as u32);
            f.set("why", why);
        });
        self.database.install(cx.now, lsa.clone(), Source::Own);
        self.flood(cx, &lsa, None);
        self.want_spf(cx.now);
    }

    /// RFC 2328 §12.4 (1): "the LS refresh timer".
    pub(super) fn refresh(&mut self, cx: &mut Context<'_>, key: LsaKey) {
        let Some(body) = self.wanted().remove(&key) else { return self.flush(cx, key, "it is so no more") };
        let Some(sequence) = self.database.get(&key).map(|stored| stored.lsa.header.sequence) else { return };
        if sequence == MAX_SEQUENCE {
            return self.flush(cx, key, "its numbers have come to their end");
        }
        self.put(cx, Lsa::new(key, self.options(), sequence + 1, &body), "it is half an hour old");
    }

    /// RFC 2328 §13.4: a newer instance of an own advertisement has come, from before this router was restarted. It is outdone by a
    /// newer one still, or flushed where it no longer holds.
    pub(super) fn take_back(&mut self, cx: &mut Context<'_>, key: LsaKey) {
        let wanted = if key.router == self.id { self.wanted().remove(&key) } else { None };
        let Some(stored) = self.database.get(&key) else { return };
        if stored.age(cx.now) >= MAX_AGE && wanted.is_none() {
            return;
        }
        let sequence = stored.lsa.header.sequence;
        match wanted {
            Some(body) if sequence < MAX_SEQUENCE => {
                self.put(
                    cx,
                    Lsa::new(key, self.options(), sequence + 1, &body),
                    "an older self has said something else",
                );
            }
            _ => self.flush(cx, key, "an older self has said so"),
        }
    }

    /// All that this router should advertise now.
    fn wanted(&self) -> BTreeMap<LsaKey, Body> {
        let mut wanted = BTreeMap::new();
        let key = |kind, id| LsaKey { kind, id, router: self.id };
        wanted.insert(key(LsaType::Router, self.id), Body::Router(self.router_lsa()));
        for (iface, interface) in &self.interfaces {
            // RFC 2328 §12.4.2: "a network-LSA is generated for every transit broadcast … network".
            if interface.state == State::Dr && self.has_full(*iface) {
                let full = interface.neighbors.values().filter(|n| n.is_full()).map(|n| n.router);
                let mut routers: Vec<Ipv4Addr> = full.chain([self.id]).collect();
                routers.sort_unstable();
                wanted.insert(key(LsaType::Network, interface.address), Body::Network(interface.mask(), routers));
            }
        }
        for prefix in &self.by_hand {
            let IpAddr::V4(mut id) = prefix.addr() else { continue };
            let external = External {
                mask: mask(*prefix),
                kind: ExternalKind::Two,
                metric: EXTERNAL_METRIC,
                forward: Ipv4Addr::UNSPECIFIED,
                tag: 0,
            };
            // Appendix E: of two networks of one address the smaller is named by its last address.
            if wanted.contains_key(&key(LsaType::External, id)) {
                id = Ipv4Addr::from_bits(id.to_bits() | !mask(*prefix).to_bits());
            }
            wanted.insert(key(LsaType::External, id), Body::External(external));
        }
        wanted
    }

    fn router_lsa(&self) -> RouterLsa {
        let links = self.interfaces.iter().flat_map(|(iface, i)| self.links(*iface, i)).collect();
        RouterLsa { external: !self.by_hand.is_empty(), border: false, links }
    }

    /// RFC 2328 §12.4.1.1 and §12.4.1.2.
    fn links(&self, iface: Iface, interface: &Interface) -> Vec<RouterLink> {
        let Interface { address, cost: metric, .. } = *interface;
        let stub = RouterLink { kind: RouterLinkKind::Stub, id: interface.network(), data: interface.mask(), metric };
        match interface.state {
            State::Passive | State::Waiting => vec![stub],
            State::PointToPoint => {
                let full = interface.neighbors.values().filter(|n| n.is_full());
                let link = |id| RouterLink { kind: RouterLinkKind::Router, id, data: address, metric };
                full.map(|n| link(n.router)).chain([stub]).collect()
            }
            State::Dr | State::Backup | State::DrOther => {
                let with_designated = interface.neighbors.get(&interface.designated).is_some_and(|n| n.is_full());
                if with_designated || interface.state == State::Dr && self.has_full(iface) {
                    vec![RouterLink { kind: RouterLinkKind::Transit, id: interface.designated, data: address, metric }]
                } else {
                    vec![stub]
                }
            }
        }
    }
}

/// What an advertisement is about, in words.
const fn what(kind: LsaType) -> &'static str {
    match kind {
        LsaType::Router => "router",
        LsaType::Network => "network",
        LsaType::Summary | LsaType::SummaryAsbr => "summary",
        LsaType::External => "external route",
    }
}
