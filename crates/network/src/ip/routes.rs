//! The routes of a host: those that come with its addresses, those that it is given, and what is looked up in them.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Carrier, Instant};

use super::config::ConfigError;
use super::flow::choose;
use super::interface::Interface;
use super::outgoing::SendError;
use super::state::Ip;
use super::ways::Refused;
use crate::addr::{Cidr, Prefix};
use crate::route::{Iface, NextHop, Origin, Route, RouteMtu, StaticRoute, Target, Towards, WrittenRoute};
use crate::routes::Guide;
use crate::table::Table;

/// Where packets for one destination go: a [`Target`] of which one next hop was chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Local,
    Broadcast(Iface),
    Link(Iface),
    Via(Iface, IpAddr),
    /// One of several; which one depends on the flow.
    Spread(Iface, IpAddr),
    Refused(Refused),
}

/// Which way packets to one destination take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    /// The interface that they leave by; `None` where they stay in the host.
    pub iface: Option<Iface>,
    /// The router that they are handed to, where the destination is not on the link itself.
    pub gateway: Option<IpAddr>,
    /// The source address that they get.
    pub source: IpAddr,
    /// To whom they are.
    pub kind: PathKind,
    /// What a router has told of it: for how long it is believed that another first hop is better.
    pub redirected: Option<Duration>,
    /// What it takes whole, where that is said of the route, or else was told by a router, and for how long that is believed.
    pub mtu: Option<(RouteMtu, Option<Duration>)>,
}

/// To whom a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathKind {
    /// To the host itself.
    Local,
    /// To one host.
    Unicast,
    /// To a group.
    Multicast,
    /// To all on a link.
    Broadcast,
}

impl Ip {
    /// Which way a packet to `dst` takes that has no source yet.
    ///
    /// # Errors
    /// There is none.
    pub fn path_to(&mut self, now: Instant, dst: IpAddr) -> Result<Path, SendError> {
        let (source, iface) = self.origin_for(dst)?;
        let redirected = self.detour_until(dst).map(|until| until.saturating_since(now));
        let told = self.learned_mtu(now, dst).map(|(mtu, until)| (mtu, Some(until.saturating_since(now))));
        let mtu = told.or_else(|| Some((self.mtu_of_route(dst)?, None)));
        let path = |kind| Path { iface, gateway: None, source, kind, redirected, mtu };
        if iface.is_none() {
            return Ok(path(PathKind::Local));
        }
        if dst.is_multicast() {
            return Ok(path(PathKind::Multicast));
        }
        let up = |i: Iface| self.carrier(i) == Some(Carrier::Up);
        Ok(match self.lookup(dst, up) {
            Some(Next::Via(_, gateway) | Next::Spread(_, gateway)) => {
                Path { gateway: Some(gateway), ..path(PathKind::Unicast) }
            }
            Some(Next::Broadcast(_)) => path(PathKind::Broadcast),
            _ if dst == IpAddr::V4(Ipv4Addr::BROADCAST) => path(PathKind::Broadcast),
            _ => path(PathKind::Unicast),
        })
    }

    /// The routes that come with an address: `proto kernel`.
    pub(super) fn add_connected(&mut self, iface: Iface, address: Cidr) {
        for route in connected(iface, address) {
            self.table.add(route);
        }
        self.epoch += 1;
    }

    /// Removes the routes that came with an address.
    pub(super) fn remove_connected(&mut self, iface: Iface, address: Cidr) {
        for route in connected(iface, address) {
            self.table.remove(&route);
        }
        self.epoch += 1;
    }

    /// Adds a route through a gateway, which must be on a link of this host.
    ///
    /// # Errors
    /// [`ConfigError::GatewayNotOnLink`].
    pub fn add_route(&mut self, route: StaticRoute) -> Result<(), ConfigError> {
        let StaticRoute { prefix, gateway, metric, origin } = route;
        let iface = self.iface_of(gateway).ok_or(ConfigError::GatewayNotOnLink(gateway))?;
        self.table.add(Route::new(prefix, Target::Via(iface, gateway), origin).metric(metric));
        self.routes_changed(true);
        Ok(())
    }

    /// Adds a route by hand.
    ///
    /// # Errors
    /// [`ConfigError::GatewayNotOnLink`], [`ConfigError::NoSuchInterface`].
    pub fn add_written(&mut self, route: &WrittenRoute) -> Result<(), ConfigError> {
        let target = match &route.towards {
            Towards::Via(gateways) => {
                let hop = |&gateway: &IpAddr| match self.iface_of(gateway) {
                    Some(iface) => Ok(NextHop { iface, gateway }),
                    None => Err(ConfigError::GatewayNotOnLink(gateway)),
                };
                let hops = gateways.iter().map(hop).collect::<Result<Vec<_>, _>>()?;
                Target::through(hops).unwrap_or(Target::Unreachable)
            }
            Towards::Link(iface) if usize::from(*iface) < self.interfaces.len() => Target::Link(*iface),
            Towards::Link(iface) => return Err(ConfigError::NoSuchInterface(*iface)),
            Towards::Unreachable => Target::Unreachable,
            Towards::Blackhole => Target::Blackhole,
            Towards::Prohibit => Target::Prohibit,
        };
        self.mind_mtu(route.mtu);
        self.table.add(Route::new(route.prefix, target, Origin::Static).metric(route.metric).mtu(route.mtu));
        self.routes_changed(true);
        Ok(())
    }

    /// Adds routes to the table while the host runs; those that are there already stay as they are.
    pub fn add_routes(&mut self, routes: impl IntoIterator<Item = Route>) {
        let added = routes.into_iter().filter(|route| self.table.add_once(route.clone())).count();
        self.routes_changed(added > 0);
    }

    /// Makes `routes` all that `origin` knows, as a routing protocol does that has computed its routes anew.
    pub fn replace_routes(&mut self, origin: Origin, routes: Vec<Route>) {
        let changed = self.table.replace(origin, routes);
        self.routes_changed(changed);
    }

    /// Removes what `origin` knows of these prefixes.
    pub fn withdraw_routes(&mut self, origin: Origin, prefixes: &[Prefix]) {
        let changed = self.table.withdraw(origin, prefixes);
        self.routes_changed(changed);
    }

    /// The ways that were remembered fall where the table has changed, and with them what was told of better first hops.
    pub(super) fn routes_changed(&mut self, changed: bool) {
        if changed {
            self.epoch += 1;
            self.forget_detours();
        }
    }

    /// The routing table, without what a router shares with others.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Gives a router its view of the map that it shares with others: routes of metric zero, beside those in its table.
    pub fn set_guide(&mut self, guide: Guide) {
        self.guide = Some(guide);
        self.epoch += 1;
    }

    /// All routes, for `ip route`: those of the table, then those that the router shares with others.
    pub fn routes(&self) -> impl Iterator<Item = Route> {
        let shared = self.guide.as_ref().map(Guide::routes).unwrap_or_default().into_iter();
        let shared = shared.filter_map(|StaticRoute { prefix, gateway, metric, origin }| {
            Some(Route::new(prefix, Target::Via(self.iface_of(gateway)?, gateway), origin).metric(metric))
        });
        self.table.iter().chain(shared)
    }

    /// Whether this host owns `addr`; all of 127.0.0.0/8 and ::1 are everyone's own.
    pub fn is_local(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.table.lookup(addr, |_| true).is_some_and(|r| *r.target == Target::Local)
    }

    /// The interface on whose link `gateway` is.
    pub fn iface_of(&self, gateway: IpAddr) -> Option<Iface> {
        let on_link = |i: &Interface| i.addresses.iter().any(|a| a.prefix().contains(gateway));
        self.interfaces.iter().position(on_link).map(|i| i as Iface)
    }

    /// The best usable route to `dst`.
    pub(super) fn lookup(&self, dst: IpAddr, up: impl Fn(Iface) -> bool) -> Option<Next> {
        let own = self.table.lookup(dst, &up);
        let shared = self.guide.as_ref().and_then(|guide| {
            guide.lookup(dst, |gateway| {
                let iface = self.iface_of(gateway).filter(|i| up(*i))?;
                Some(Next::Via(iface, gateway))
            })
        });
        match (own, shared) {
            // The longest prefix, then the lowest distance and metric, then the route that was there first.
            (Some(own), Some((prefix, target))) => {
                let (ours, theirs) = (own.prefix_len(), prefix.prefix_len());
                let ranked = (own.distance(), own.metric()) <= (Origin::Oracle.distance(), 0);
                Some(if ours > theirs || ours == theirs && ranked { next(own.target, up)? } else { target })
            }
            (Some(own), None) => next(own.target, up),
            (None, shared) => shared.map(|(_, target)| target),
        }
    }
}

/// What an address on an interface leads to: the host itself, those on its link, and all of them.
fn connected(iface: Iface, address: Cidr) -> impl Iterator<Item = Route> {
    let prefix = address.prefix();
    let own = Prefix::host(address.addr());
    let link = (prefix != own).then(|| Route::new(prefix, Target::Link(iface), Origin::Kernel));
    let all =
        prefix.broadcast().map(|all| Route::new(Prefix::host(all.into()), Target::Broadcast(iface), Origin::Kernel));
    [Some(Route::new(own, Target::Local, Origin::Kernel)), link, all].into_iter().flatten()
}

/// Where a route leads packets.
fn next(target: &Target, up: impl Fn(Iface) -> bool) -> Option<Next> {
    Some(match target {
        Target::Local => Next::Local,
        Target::Broadcast(iface) => Next::Broadcast(*iface),
        Target::Link(iface) => Next::Link(*iface),
        Target::Via(iface, gateway) => Next::Via(*iface, *gateway),
        Target::Spread(hops) => {
            // For those who ask for no flow in particular.
            let NextHop { iface, gateway } = choose(hops, up, 0)?;
            Next::Spread(iface, gateway)
        }
        Target::Unreachable => Next::Refused(Refused::Unreachable),
        Target::Blackhole => Next::Refused(Refused::Blackhole),
        Target::Prohibit => Next::Refused(Refused::Prohibited),
    })
}
