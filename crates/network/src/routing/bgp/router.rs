//! BGP on one router: what it has heard, what it decides, and whom it tells.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use septet_core::Instant;
use septet_wire::bgp::{Attributes, Message, Origin, Update};

use super::super::act::{Action, Context, Conversation, RouteChange, SessionEvent};
use super::super::link::{Arrival, Link, LinkState};
use super::super::protocol::RoutingProtocol;
use super::peer::{Peer, Stage};
use super::settings::Settings;
use crate::addr::Prefix;
use crate::route::NextHop;

septet_core::counters! {
    /// What BGP counts on one router.
    pub(super) struct Counters {
        established = "BgpEstablished", "sessions that were established";
        in_updates = "BgpInUpdates", "UPDATE messages received";
        out_updates = "BgpOutUpdates", "UPDATE messages sent";
        loops = "BgpInLoops", "routes refused because this router's own system is in their path";
        filtered = "BgpFiltered", "routes that a rule of import or export kept back";
        notifications = "BgpOutNotifications", "NOTIFICATION messages sent";
    }
}

/// BGP on one router.
#[derive(Debug)]
pub(super) struct Bgp {
    pub(super) settings: Settings,
    pub(super) id: Ipv4Addr,
    /// The networks that this system tells of.
    pub(super) networks: BTreeSet<Prefix>,
    pub(super) links: BTreeMap<u16, Link>,
    pub(super) peers: BTreeMap<Ipv4Addr, Peer>,
    pub(super) conversation: Conversation,
    /// The routes that were decided for: from whom, and what they are.
    pub(super) best: BTreeMap<Prefix, (Ipv4Addr, Attributes)>,
    pub(super) established: usize,
    pub(super) counters: Counters,
}

impl RoutingProtocol for Bgp {
    fn on_link(&mut self, cx: &mut Context<'_>, link: &Link) {
        if link.state == LinkState::Up {
            self.links.insert(link.iface, link.clone());
        } else {
            self.links.remove(&link.iface);
        }
        // As every implementation does by default ("fast external failover"): a neighbour on a dead link is gone.
        let peers: Vec<Ipv4Addr> = self.peers.keys().copied().collect();
        for address in peers {
            if self.own_address(address).is_none() {
                self.end(cx, address, None, "the link has no carrier");
            } else if self.peers[&address].stage == Stage::Idle {
                self.connect(cx, address);
            }
        }
        self.record(cx);
    }

    fn receive(&mut self, _: &mut Context<'_>, _: &Arrival, _: &[u8]) {}

    fn on_session(&mut self, cx: &mut Context<'_>, event: SessionEvent) {
        match event {
            SessionEvent::Accepted(conversation, from) => self.accepted(cx, conversation, from),
            SessionEvent::Connected(conversation) => {
                if let Some(address) = self.peer_of(conversation) {
                    self.say_open(cx, address);
                }
            }
            SessionEvent::Data(conversation, bytes) => self.hear(cx, conversation, &bytes),
            SessionEvent::Closed(conversation, why) => {
                if let Some(address) = self.peer_of(conversation) {
                    self.lost(cx, address, &why);
                }
            }
        }
        self.record(cx);
    }

    fn on_deadline(&mut self, cx: &mut Context<'_>) {
        let due: Vec<Ipv4Addr> =
            self.peers.iter().filter(|(_, p)| p.deadline().is_some_and(|at| at <= cx.now)).map(|(a, _)| *a).collect();
        for address in due {
            self.peer_timers(cx, address);
        }
        self.record(cx);
    }

    fn deadline(&self) -> Option<Instant> {
        self.peers.values().filter_map(Peer::deadline).min()
    }

    fn show(&self, see: &mut dyn FnMut(&'static str, u64)) {
        self.counters.show(see);
    }
}

impl Bgp {
    /// The own address on the link where a neighbour is.
    pub(super) fn own_address(&self, neighbor: Ipv4Addr) -> Option<(u16, Ipv4Addr)> {
        let near = |(iface, link): (&u16, &Link)| {
            let on = link.v4().find(|(_, prefix)| prefix.contains(neighbor.into()))?;
            Some((*iface, on.0))
        };
        self.links.iter().find_map(near)
    }

    /// Takes the routes of an update, and decides anew.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, from: Ipv4Addr, update: Update) {
        self.counters.in_updates += 1;
        let Update { withdrawn, attributes, networks } = update;
        let mut touched = BTreeSet::new();
        let Some(peer) = self.peers.get_mut(&from) else { return };
        for prefix in withdrawn.into_iter().filter_map(|(address, len)| Prefix::new(address.into(), len).ok()) {
            peer.routes.remove(&prefix);
            touched.insert(prefix);
        }
        for prefix in networks.into_iter().filter_map(|(address, len)| Prefix::new(address.into(), len).ok()) {
            touched.insert(prefix);
            // A route that is told again replaces the one before, even by none where it is refused now.
            peer.routes.remove(&prefix);
            let Some(attributes) = attributes.clone() else { continue };
            // RFC 4271 §9.1.2: "If the AS_PATH attribute of a BGP route contains an AS loop, the BGP route should be excluded".
            if attributes.path.contains(&self.settings.system) {
                self.counters.loops += 1;
                continue;
            }
            match self.settings.import(from, prefix, attributes) {
                Some(attributes) => drop(peer.routes.insert(prefix, attributes)),
                None => self.counters.filtered += 1,
            }
        }
        self.decide(cx, touched);
    }

    /// RFC 4271 §9.1.2.2: chooses for each of these prefixes, and tells who is to know.
    pub(super) fn decide(&mut self, cx: &mut Context<'_>, prefixes: impl IntoIterator<Item = Prefix>) {
        let mut changed = BTreeSet::new();
        for prefix in prefixes {
            if self.networks.contains(&prefix) {
                continue;
            }
            let candidates = self.peers.iter().filter(|(_, peer)| peer.stage == Stage::Established);
            let candidates = candidates.filter_map(|(address, peer)| Some((*address, peer, peer.routes.get(&prefix)?)));
            let preferred = |a: &Attributes| a.local_pref.unwrap_or(100);
            let best = candidates.min_by_key(|(address, peer, a)| {
                let neighbor = a.path.first().copied();
                // MED is compared among routes of one neighbouring system; among several the order of these decides first.
                (
                    core::cmp::Reverse(preferred(a)),
                    a.path.len(),
                    a.origin,
                    neighbor.map(|system| (system, a.med.unwrap_or(0))),
                    peer.id,
                    *address,
                )
            });
            let best = best.map(|(address, _, attributes)| (address, attributes.clone()));
            if self.best.get(&prefix) == best.as_ref() {
                continue;
            }
            let hops = best.iter().filter_map(|(from, attributes)| {
                // A next hop that is not on the link is of no use without another protocol; its teller is.
                let gateway = if self.own_address(attributes.next_hop).is_some() { attributes.next_hop } else { *from };
                let (iface, _) = self.own_address(gateway)?;
                Some(NextHop { iface, gateway: IpAddr::V4(gateway) })
            });
            let metric = best.as_ref().and_then(|(_, attributes)| attributes.med).unwrap_or(0);
            cx.route(RouteChange { prefix, hops: hops.collect(), metric });
            match best {
                Some(best) => drop(self.best.insert(prefix, best)),
                None => drop(self.best.remove(&prefix)),
            }
            changed.insert(prefix);
        }
        if changed.is_empty() {
            return;
        }
        cx.record("bgp.routes", self.best.len() as f64);
        let peers: Vec<Ipv4Addr> = self.peers.keys().copied().collect();
        for address in peers {
            self.owe(cx, address, changed.iter().copied());
        }
    }

    /// What a neighbour is to hear of a prefix; nothing where it must not, or where there is nothing.
    fn told(&self, to: Ipv4Addr, prefix: Prefix) -> Option<Attributes> {
        let (_, own) = self.own_address(to)?;
        let mut attributes = if self.networks.contains(&prefix) {
            Attributes { origin: Origin::Igp, path: Vec::new(), next_hop: own, med: None, local_pref: None }
        } else {
            let (from, attributes) = self.best.get(&prefix)?;
            if *from == to {
                return None;
            }
            attributes.clone()
        };
        // RFC 4271 §5.1: to another system, the path begins with this one, the next hop is this router, and neither a
        // neighbour's MED nor LOCAL_PREF goes on.
        attributes.path.insert(0, self.settings.system);
        (attributes.next_hop, attributes.med, attributes.local_pref) = (own, None, None);
        self.settings.export(to, prefix, attributes)
    }

    /// Sends an UPDATE for what has changed since the last, now that RFC 4271 §9.2.1.1's interval is over.
    pub(super) fn send_owed(&mut self, cx: &mut Context<'_>, to: Ipv4Addr) {
        let Some(peer) = self.peers.get_mut(&to) else { return };
        let owed = core::mem::take(&mut peer.owed);
        let mut withdrawn = Vec::new();
        let mut told: Vec<(Attributes, Vec<Prefix>)> = Vec::new();
        for prefix in owed {
            let now = self.told(to, prefix);
            let Some(peer) = self.peers.get_mut(&to) else { return };
            match now {
                Some(attributes) if peer.told.get(&prefix) != Some(&attributes) => {
                    peer.told.insert(prefix, attributes.clone());
                    match told.iter_mut().find(|(same, _)| *same == attributes) {
                        Some((_, prefixes)) => prefixes.push(prefix),
                        None => told.push((attributes, vec![prefix])),
                    }
                }
                Some(_) => {}
                None if peer.told.remove(&prefix).is_some() => withdrawn.push(prefix),
                None => {}
            }
        }
        let network = |prefix: &Prefix| match prefix.addr() {
            IpAddr::V4(address) => Some((address, prefix.prefix_len())),
            IpAddr::V6(_) => None,
        };
        // RFC 4271 §4.1: a message has 4096 octets at most; 500 prefixes and their attributes take less.
        const MOST: usize = 500;
        let withdrawals = withdrawn.chunks(MOST).map(|some| (None, &[][..], some));
        let tellings =
            told.iter().flat_map(|(a, prefixes)| prefixes.chunks(MOST).map(move |some| (Some(a), some, &[][..])));
        let updates: Vec<Update> = withdrawals
            .chain(tellings)
            .map(|(attributes, networks, withdrawn)| Update {
                withdrawn: withdrawn.iter().filter_map(network).collect(),
                attributes: attributes.cloned(),
                networks: networks.iter().filter_map(network).collect(),
            })
            .collect();
        for update in updates {
            self.counters.out_updates += 1;
            cx.tell("bgp.update", |f| {
                f.set("peer", IpAddr::V4(to)).set("routes", update.networks.len());
                f.set("withdrawn", update.withdrawn.len());
            });
            self.say(cx, to, &Message::Update(update));
        }
    }

    fn record(&mut self, cx: &mut Context<'_>) {
        let established = self.peers.values().filter(|peer| peer.stage == Stage::Established).count();
        if core::mem::replace(&mut self.established, established) != established {
            cx.record("bgp.established", established as f64);
        }
    }

    pub(super) fn close(&self, cx: &mut Context<'_>, conversation: Conversation) {
        cx.act(Action::Close(conversation));
    }
}
