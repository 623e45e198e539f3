//! Static multicast routes of a router: what is sent to which groups, whence it must come, and whither it goes.

use std::net::IpAddr;

use crate::addr::Prefix;
use crate::membership::Settings;
use crate::route::Iface;

/// What a router does about multicast.
#[derive(Clone, Default, Debug)]
pub struct Multicast {
    /// Its routes; of those that fit the first is taken.
    pub routes: Vec<MulticastRoute>,
    /// How it asks for members on its links, where it does.
    pub querier: Option<Box<Settings>>,
}

/// One route.
#[derive(Clone, Debug)]
pub struct MulticastRoute {
    /// The groups.
    pub groups: Prefix,
    /// Who sends; anybody where there are none.
    pub sources: Vec<Prefix>,
    /// Where it comes in; where the way to its source leads, if nothing is said: reverse path forwarding.
    pub from: Option<Iface>,
    /// The interfaces by which it leaves.
    pub to: Vec<MulticastTarget>,
    /// Where else it leaves.
    pub members: ToMembers,
}

/// An interface by which multicast leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MulticastTarget {
    /// The interface.
    pub iface: Iface,
    /// The least time to live with which a datagram may come to leave there.
    pub threshold: u8,
}

/// Whether membership decides by which interfaces multicast leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToMembers {
    /// It leaves by those that the route names alone.
    No,
    /// It leaves also by those on whose link somebody wants it, if it comes with at least this time to live.
    Yes {
        /// The least time to live.
        threshold: u8,
    },
}

impl MulticastRoute {
    /// Whether it is for what `source` sends to `group`.
    pub(crate) fn fits(&self, source: IpAddr, group: IpAddr) -> bool {
        self.groups.contains(group) && (self.sources.is_empty() || self.sources.iter().any(|s| s.contains(source)))
    }
}
