//! The policy of a system: by neighbour and prefix, what becomes of routes.

use core::str::FromStr;
use std::net::{IpAddr, Ipv4Addr};

use septet_wire::bgp::Attributes;

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
    pub(super) fn fits(&self, peer: Ipv4Addr, prefix: Prefix) -> bool {
        let IpAddr::V4(address) = prefix.addr() else { return false };
        let longer = prefix.prefix_len() >= self.prefix.prefix_len() && self.prefix.contains(address.into());
        self.peer.is_none_or(|own| own == peer)
            && match self.reach {
                Reach::Exactly => self.prefix == prefix,
                Reach::AndLonger => longer,
            }
    }

    pub(super) fn apply(&self, system: u32, mut route: Attributes) -> Option<Attributes> {
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

/// `10.9.0.0/16`
pub(super) fn network(text: &str) -> Result<Prefix, String> {
    let prefix: Option<Prefix> = text.trim().parse().ok();
    let v4 = prefix.filter(|prefix| matches!(prefix.addr(), IpAddr::V4(_)));
    v4.ok_or_else(|| format!("`{text}` is no network of IPv4, such as 10.9.0.0/16"))
}
