//! What the file says of a node's packet filter and address translation, its rules still as they are written.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::BTreeMap;

use septet_language::document::{Name, Text};
use septet_network::conntrack::Timeouts;
use septet_network::filter::Hook;
use septet_network::firewall::rule::Policy;
use septet_network::nat::Behaviour;

/// What the file says of a packet filter. Its rules are read when all nodes have their addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirewallSpec {
    pub(crate) policies: BTreeMap<Hook, Policy>,
    pub(crate) rules: BTreeMap<Hook, Vec<Text>>,
    pub(crate) chains: Vec<(Name, Vec<Text>)>,
    pub(crate) sets: BTreeMap<String, Text>,
    pub(crate) timeouts: Timeouts,
    pub(crate) most: Option<u32>,
}

/// What the file says of address translation. Who is outside is read when all links are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct NatSpec {
    pub(crate) masquerade: Vec<Text>,
    pub(crate) forward: Vec<Text>,
    pub(crate) mapping: Option<Behaviour>,
    pub(crate) filtering: Option<Behaviour>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) ports: Option<RangeInclusive<u16>>,
}
