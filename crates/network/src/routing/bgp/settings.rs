//! What is set of BGP on one router.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use septet_wire::bgp::Attributes;

use super::policy::Rule;
use crate::addr::Prefix;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) system: u32,
    pub(super) neighbors: BTreeMap<Ipv4Addr, u32>,
    pub(super) networks: BTreeSet<Prefix>,
    pub(super) imports: Vec<Rule>,
    pub(super) exports: Vec<Rule>,
    pub(super) hold: Duration,
    pub(super) interval: Duration,
    pub(super) router_id: Option<Ipv4Addr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            system: 0,
            neighbors: BTreeMap::new(),
            networks: BTreeSet::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            hold: Duration::from_secs(90),
            interval: Duration::from_secs(1),
            router_id: None,
        }
    }
}

impl Settings {
    /// What is kept of a route that `peer` has told. RFC 4271 §5.1.5: what another system says of LOCAL_PREF does not count.
    pub(super) fn import(&self, peer: Ipv4Addr, prefix: Prefix, route: Attributes) -> Option<Attributes> {
        let route = Attributes { local_pref: None, ..route };
        self.by_rule(&self.imports, peer, prefix, route)
    }

    /// What `peer` is told of a route. LOCAL_PREF stays within a system.
    pub(super) fn export(&self, peer: Ipv4Addr, prefix: Prefix, route: Attributes) -> Option<Attributes> {
        self.by_rule(&self.exports, peer, prefix, route).map(|route| Attributes { local_pref: None, ..route })
    }

    fn by_rule(&self, rules: &[Rule], peer: Ipv4Addr, prefix: Prefix, route: Attributes) -> Option<Attributes> {
        match rules.iter().find(|rule| rule.fits(peer, prefix)) {
            Some(rule) => rule.apply(self.system, route),
            None => Some(route),
        }
    }
}
