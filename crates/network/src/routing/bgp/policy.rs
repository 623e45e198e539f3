//! The policy of a system: by neighbour and prefix, what becomes of routes.

use core::str::FromStr;
use std::net::{IpAddr, Ipv4Addr};

use septet_wire::bgp::Attributes;

use super::settings::{Settings, network};
use crate::addr::Prefix;

/// A rule: `PEER PREFIX[+] ACTION…`, of which PEER may be `any`, and a `+` means longer prefixes too.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    peer: Option<Ipv4Addr>,
    prefix: Prefix,
    reach: Reach,
    deeds: Vec<Deed>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    Exactly,
    AndLonger,
}

/// What becomes of a route.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Deny,
    Permit,
    LocalPref(u32),
    Med(u32),
    /// So many times more the own system stands in its path.
    Prepend(u32),
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let (peer, prefix) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let peer = match peer.trim_end_matches(':') {
            "any" => None,
            address => Some(address.parse().map_err(|_| format!("`{address}` is no neighbour; `any` is all"))?),
        };
        let (prefix, reach) = match prefix.strip_suffix('+') {
            Some(prefix) => (prefix, Reach::AndLonger),
            None => (prefix, Reach::Exactly),
        };
        let prefix = network(prefix)?;
        let mut deeds = Vec::new();
        while let Some(word) = words.next() {
            let mut number = |most: u32| {
                let said = words.next().unwrap_or_default();
                let number = said.parse().ok().filter(|number| *number <= most);
                number.ok_or_else(|| format!("`{word}` wants a number from 0 to {most}"))
            };
            deeds.push(match word {
                "deny" => Deed::Deny,
                "permit" => Deed::Permit,
                "local-pref" => Deed::LocalPref(number(u32::MAX)?),
                "med" => Deed::Med(number(u32::MAX)?),
                "prepend" => Deed::Prepend(number(20)?),
                _ => return Err(format!("`{word}` is none of permit, deny, local-pref, med, prepend")),
            });
        }
        if deeds.is_empty() {
            return Err("it says not what becomes of the route: permit, deny, local-pref, med, prepend".to_owned());
        }
        Ok(Self { peer, prefix, reach, deeds })
    }
}

impl Rule {
    fn fits(&self, peer: Ipv4Addr, prefix: Prefix) -> bool {
        let IpAddr::V4(address) = prefix.addr() else { return false };
        let longer = prefix.prefix_len() >= self.prefix.prefix_len() && self.prefix.contains(address.into());
        self.peer.is_none_or(|own| own == peer)
            && match self.reach {
                Reach::Exactly => self.prefix == prefix,
                Reach::AndLonger => longer,
            }
    }

    fn apply(&self, system: u32, mut route: Attributes) -> Option<Attributes> {
        for deed in &self.deeds {
            match deed {
                Deed::Deny => return None,
                Deed::Permit => {}
                Deed::LocalPref(local_pref) => route.local_pref = Some(*local_pref),
                Deed::Med(med) => route.med = Some(*med),
                Deed::Prepend(times) => (0..*times).for_each(|_| route.path.insert(0, system)),
            }
        }
        Some(route)
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
