//! What is set of OSPF on one router.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::super::link::Link;
use super::delay::Delays;
use crate::route::Iface;

/// What a link is (RFC 2328 §1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LinkType {
    /// Several routers may be on it, of which one speaks for all.
    Broadcast,
    /// Two are on it.
    PointToPoint,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) hello: Duration,
    pub(super) dead: Option<Duration>,
    pub(super) retransmit: Duration,
    pub(super) area: Ipv4Addr,
    pub(super) stub: bool,
    pub(super) router_id: Option<Ipv4Addr>,
    pub(super) link_type: LinkType,
    pub(super) reference: u64,
    pub(super) redistribute: bool,
    pub(super) delays: Delays,
    pub(super) costs: BTreeMap<Iface, u16>,
    pub(super) priorities: BTreeMap<Iface, u8>,
    pub(super) types: BTreeMap<Iface, LinkType>,
    pub(super) passive: BTreeSet<Iface>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            dead: None,
            retransmit: Duration::from_secs(5),
            area: Ipv4Addr::UNSPECIFIED,
            stub: false,
            router_id: None,
            link_type: LinkType::Broadcast,
            reference: 100,
            redistribute: false,
            delays: Delays::default(),
            costs: BTreeMap::new(),
            priorities: BTreeMap::new(),
            types: BTreeMap::new(),
            passive: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// The time after which a silent neighbour is gone: "some multiple of the HelloInterval (say 4)" (RFC 2328 appendix C.3).
    pub(super) fn dead(&self) -> Duration {
        self.dead.unwrap_or(self.hello * 4)
    }

    /// What crossing a link costs.
    pub(super) fn cost(&self, link: &Link) -> u16 {
        let of_rate = |rate: u64| (self.reference * 1_000_000 / rate.max(1)).clamp(1, u64::from(u16::MAX)) as u16;
        self.costs.get(&link.iface).copied().or(link.rate.map(of_rate)).unwrap_or(10)
    }

    pub(super) fn priority(&self, iface: Iface) -> u8 {
        self.priorities.get(&iface).copied().unwrap_or(1)
    }

    pub(super) fn link_type(&self, iface: Iface) -> LinkType {
        self.types.get(&iface).copied().unwrap_or(self.link_type)
    }

    pub(super) fn is_passive(&self, iface: Iface) -> bool {
        self.passive.contains(&iface)
    }
}
