//! What is IPv6's own in storey 3 (RFC 8200, 4443, 4861, 4862).

mod autoconf;
mod config;
mod dad;
mod deliver;
mod errors;
mod filter;
mod input;
pub(super) mod layer;
pub(super) mod link;
mod names;
mod nd;
mod output;
mod privacy;
mod redirect;
mod router;
mod source;

use std::net::{IpAddr, Ipv6Addr};

use septet_core::{Carrier, Instant};

pub use self::config::{Advertise, AdvertisedPrefix, Autoconf, Autonomous, Discovery, Ipv6Config, Privacy};
pub use self::link::AddressState;

use self::layer::{Way, is_link_scoped};
use self::link::{Begins, Lease, Link, Tentative};
use super::interface::Interface;
use super::outgoing::SendError;
use super::routes::Next;
use super::state::Ip;
use super::ways::Kind;
use crate::addr::Prefix;
use crate::forwarding::Forwarding;
use crate::route::Iface;
use septet_wire::nd as wire;

impl Interface {
    fn discovers(&self) -> bool {
        self.v6.as_ref().is_some_and(|link| link.config.discovery == Discovery::On)
    }

    /// The addresses of IPv6 that are its own.
    fn own_v6(&self) -> impl Iterator<Item = (Ipv6Addr, Prefix)> + Clone {
        self.addresses.iter().filter_map(|a| match a.addr() {
            IpAddr::V6(addr) => Some((addr, a.prefix())),
            IpAddr::V4(_) => None,
        })
    }

    fn has_v6(&self, addr: Ipv6Addr) -> bool {
        self.own_v6().any(|(own, _)| own == addr)
    }

    fn link_local(&self) -> Option<Ipv6Addr> {
        self.own_v6().map(|(addr, _)| addr).find(Ipv6Addr::is_unicast_link_local)
    }

    /// Asks no longer for an address; gives whether it did.
    pub(super) fn forget_tentative(&mut self, addr: IpAddr) -> bool {
        let Some(link) = &mut self.v6 else { return false };
        let before = link.tentative.len();
        link.tentative.retain(|t| addr != t.addr());
        link.failed.retain(|failed| addr != *failed);
        link.tentative.len() != before
    }

    fn speaks_v6(&self) -> bool {
        self.discovers() || self.own_v6().next().is_some()
    }

    /// The largest packet of IPv6 for its link.
    fn mtu_v6(&self) -> u32 {
        self.v6.as_ref().and_then(|link| link.mtu).map_or(self.mtu, |mtu| mtu.min(self.mtu))
    }
}

impl Ip {
    /// Whether this host has a part in IPv6: an address, or an interface that will find one.
    pub fn speaks_v6(&self) -> bool {
        self.interfaces.iter().any(Interface::speaks_v6)
    }

    fn interface(&self, iface: Iface) -> &Interface {
        &self.interfaces[usize::from(iface)]
    }

    fn link_mut(&mut self, iface: Iface) -> Option<&mut Link> {
        self.interfaces[usize::from(iface)].v6.as_deref_mut()
    }

    /// Whether packets to `group` that come in on `iface` are for this host: RFC 4291 §2.8, all nodes, all routers where it
    /// is one, its solicited-node groups, and those that were joined.
    pub(super) fn is_member_v6(&self, iface: Iface, group: Ipv6Addr) -> bool {
        // Who is quiet hears of the groups that he has joined, and no more.
        let own = || self.own_groups(iface).contains(&group);
        if self.interface(iface).discovers() {
            self.is_member(iface, group.into()) || own()
        } else {
            group != wire::ALL_NODES && self.is_member(iface, group.into())
        }
    }

    /// The groups that an interface must be in for neighbour discovery: RFC 4861 §7.2.1, the solicited-node groups of its
    /// addresses, and those of the addresses that it asks for; a router in that of all routers too.
    fn own_groups(&self, iface: Iface) -> Vec<Ipv6Addr> {
        let interface = self.interface(iface);
        // RFC 4862 §5.4.2: the group of an address is joined when it is asked for, and not before.
        let asks = |link: &'_ Link, t: &&Tentative| t.has_asked(&link.config);
        let tentative = interface.v6.iter().flat_map(|link| link.tentative.iter().filter(move |t| asks(link, t)));
        let own = interface.own_v6().map(|(addr, _)| addr).chain(tentative.map(Tentative::addr));
        let mut groups: Vec<Ipv6Addr> = own.map(wire::solicited_node).collect();
        groups.sort_unstable();
        groups.dedup();
        if self.forwarding == Forwarding::On {
            groups.push(wire::ALL_ROUTERS);
        }
        groups
    }

    /// Joins and leaves groups, so that they are those that discovery needs: MLD tells of them.
    fn keep_groups(&mut self, now: Instant, iface: Iface) {
        let wanted = self.own_groups(iface);
        let Some(link) = self.link_mut(iface) else { return };
        if link.joined == wanted {
            return;
        }
        let joined = core::mem::replace(&mut link.joined, wanted.clone());
        for &group in wanted.iter().filter(|group| !joined.contains(group)) {
            let _ = self.join(now, iface, group.into());
        }
        for &group in joined.iter().filter(|group| !wanted.contains(group)) {
            self.leave(now, iface, group.into());
        }
    }

    /// Finds the way to `dst`; the answer is remembered until anything changes.
    #[inline]
    pub(super) fn find_v6(&mut self, dst: Ipv6Addr) -> Way {
        self.look_ups += 1;
        let epoch = self.way_epoch();
        if let Some(way) = self.v6.ways.get(dst, epoch) {
            return way;
        }
        let way = self.find_v6_slow(dst);
        if !is_link_scoped(dst) {
            self.v6.ways.remember(dst, epoch, way);
        }
        way
    }

    fn find_v6_slow(&self, dst: Ipv6Addr) -> Way {
        let way = |kind, iface| Way::new(kind, iface, dst);
        if dst.is_loopback() {
            return way(Kind::Local, 0);
        }
        if dst.is_unspecified() {
            return way(Kind::NoRoute, 0);
        }
        let up = |i: Iface| self.interface(i).carrier == Carrier::Up;
        let target = self.lookup(dst.into(), up);
        if dst.is_multicast() || is_link_scoped(dst) && target != Some(Next::Local) {
            let routed = match target {
                Some(Next::Link(iface) | Next::Via(iface, _) | Next::Spread(iface, _)) => Some(iface),
                _ => None,
            };
            return self.on_some_link(dst, routed);
        }
        let (iface, next_hop) = match target {
            Some(Next::Local) => return way(Kind::Local, 0),
            Some(Next::Link(iface)) => (iface, dst),
            Some(Next::Via(iface, IpAddr::V6(gateway)) | Next::Spread(iface, IpAddr::V6(gateway))) => (iface, gateway),
            Some(Next::Refused(refused)) => return way(Kind::Refused(refused), 0),
            Some(Next::Via(..) | Next::Spread(..) | Next::Broadcast(_)) | None => return way(Kind::NoRoute, 0),
        };
        let way = self.to_neighbor(iface, next_hop);
        if matches!(target, Some(Next::Spread(..))) { Way { spread: true, neighbor: None, ..way } } else { way }
    }

    /// The way to a neighbour on `iface`. Where discovery is off, whoever was not set by hand is out of reach.
    fn to_neighbor(&self, iface: Iface, next_hop: Ipv6Addr) -> Way {
        let neighbor = self.neighbors.permanent(iface, next_hop.into());
        let kind = if neighbor.is_some() || self.interface(iface).discovers() { Kind::Unicast } else { Kind::NoRoute };
        Way { neighbor, ..Way::new(kind, iface, next_hop) }
    }

    /// The way to what is of one link only, or to a group: by the interface that a route names, where the neighbour is
    /// known, or else by the first that speaks IPv6. Who means another says so.
    fn on_some_link(&self, dst: Ipv6Addr, routed: Option<Iface>) -> Way {
        let usable = |i: Iface| self.interface(i).carrier == Carrier::Up && self.interface(i).speaks_v6();
        let all = || (0..self.interfaces.len() as Iface).filter(|&i| usable(i));
        let known = || all().find(|&i| !dst.is_multicast() && self.neighbors.knows(i, dst.into()));
        match routed.filter(|_| dst.is_multicast()).or_else(known).or_else(|| all().next()) {
            None => Way::new(Kind::NoRoute, 0, dst),
            Some(iface) => self.on_link(iface, dst),
        }
    }

    /// The way to `dst` on the link of `iface`.
    pub(super) fn on_link(&self, iface: Iface, dst: Ipv6Addr) -> Way {
        if dst.is_multicast() { Way::new(Kind::Multicast, iface, dst) } else { self.to_neighbor(iface, dst) }
    }

    /// The way for something of this host's own, by `by` where that is said and there is a choice.
    pub(super) fn way_v6(&mut self, dst: Ipv6Addr, by: Option<Iface>) -> Result<Way, SendError> {
        let by = by.filter(|&i| usize::from(i) < self.interfaces.len());
        let way = match by {
            Some(iface) if dst.is_multicast() || dst.is_unicast_link_local() && !self.is_local(dst.into()) => {
                self.on_link(iface, dst)
            }
            _ => self.find_v6(dst),
        };
        match way.kind {
            Kind::NoRoute => {
                self.counters6.out_no_routes += 1;
                Err(SendError::NetworkUnreachable)
            }
            Kind::Refused(refused) => Err(refused.into()),
            _ => Ok(way),
        }
    }

    /// Says anew when something of IPv6 is due.
    fn rearm_v6(&mut self) {
        let reassembly = self.v6.reassembler.as_ref().and_then(|r| r.deadline());
        let up = self.interfaces.iter().filter(|i| i.carrier == Carrier::Up);
        let links = up.filter_map(|i| i.v6.as_ref()?.deadline()).min();
        self.v6.due = [reassembly, links].into_iter().flatten().min();
    }

    /// A link that has come up begins anew: what waited for it, the search for routers, and what it says as one.
    fn begin_v6(&mut self, now: Instant, iface: Iface) {
        let begins = self.link_mut(iface).map(|link| core::mem::take(&mut link.begins));
        if begins == Some(Begins::Anew) {
            self.restart_dad(now, iface);
            self.restart_search(now, iface);
            self.restart_advertising(now, iface);
        }
    }

    /// Does what is due.
    pub(super) fn on_deadline_v6(&mut self, now: Instant, out: &mut septet_core::Out<'_>) {
        if self.v6.due.is_none_or(|at| at > now) {
            return;
        }
        self.expire_fragments_v6(now, out);
        for iface in 0..self.interfaces.len() as Iface {
            if self.interface(iface).carrier == Carrier::Up && self.interface(iface).discovers() {
                self.begin_v6(now, iface);
                self.run_dad(now, iface, out);
                self.run_privacy(now, iface, out);
                self.run_leases(now, iface, out);
                self.run_names(now, iface, out);
                self.run_search(now, iface, out);
                self.run_advertising(now, iface, out);
                self.keep_groups(now, iface);
            }
        }
        self.rearm_v6();
    }

    /// The link of `iface` came or went.
    pub(super) fn set_carrier_v6(&mut self, iface: Iface, carrier: Carrier) {
        if let Some(link) = self.link_mut(iface) {
            if carrier == Carrier::Up && link.config.discovery == Discovery::On {
                link.begins = Begins::Anew;
            }
            self.rearm_v6();
        }
    }
}

impl Link {
    fn deadline(&self) -> Option<Instant> {
        if self.begins == Begins::Anew {
            return Some(Instant::ZERO);
        }
        let dad = self.tentative.iter().map(Tentative::at);
        let leases = self.leases.iter().filter_map(Lease::next_change);
        let prefixes = self.on_link.iter().filter_map(|p| p.until);
        let routers = self.routers.iter().filter_map(|r| r.until);
        let advertising = self.advertising.as_ref().and_then(|a| a.at);
        let all = dad.chain(leases).chain(prefixes).chain(routers);
        all.chain(self.search.at()).chain(self.names.deadline()).chain(advertising).min()
    }
}
