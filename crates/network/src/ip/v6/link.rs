//! What an interface keeps of IPv6, where it takes part in it by itself: its addresses on their way, and what it knows of routers
//! or tells as one.

use core::time::Duration;
use std::net::Ipv6Addr;

use septet_core::{EventId, Instant};

use super::config::{Advertise, Ipv6Config};
use crate::addr::{Cidr, Prefix};

/// What an interface keeps of IPv6, where it takes part in it by itself.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(super) config: Ipv6Config,
    pub(super) begins: Begins,
    /// The groups that it is in for discovery.
    pub(super) joined: Vec<Ipv6Addr>,
    /// Addresses that are not yet known to be nobody else's.
    pub(super) tentative: Vec<Tentative>,
    /// Addresses that turned out to be somebody else's.
    pub(super) failed: Vec<Ipv6Addr>,
    /// Addresses that were made of advertised prefixes.
    pub(super) leases: Vec<Lease>,
    pub(super) on_link: Vec<OnLink>,
    pub(super) routers: Vec<DefaultRouter>,
    pub(super) names: Names,
    /// Whether and when it asks for routers.
    pub(super) search: Search,
    pub(super) advertising: Option<Advertising>,
    /// What a router said of the link.
    pub(super) mtu: Option<u32>,
    pub(super) hop_limit: Option<u8>,
}

/// Whether a link has just come up.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Begins {
    /// It has, and nothing was done about it.
    Anew,
    /// It has been there.
    #[default]
    Before,
}

/// An address that is not yet known to be nobody else's.
#[derive(Clone, Debug)]
pub(super) struct Tentative {
    pub(super) cidr: Cidr,
    /// Questions still to be asked.
    pub(super) left: u8,
    /// When the next is due, or, after the last, when it counts as unique.
    pub(super) at: Instant,
    /// Where it was made of an advertised prefix.
    pub(super) lease: Option<Lease>,
}

/// An address that was made of an advertised prefix.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) addr: Ipv6Addr,
    /// `None`: for ever.
    pub(super) preferred_until: Option<Instant>,
    /// `None`: for ever.
    pub(super) valid_until: Option<Instant>,
    pub(super) stage: Stage,
    /// Where it is to change.
    pub(super) temporary: Option<Temporary>,
}

/// What a temporary address has beside its lifetimes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Temporary {
    /// When it was made.
    pub(super) created: Instant,
    /// For how long it is preferred at most, and valid.
    pub(super) preferred: Duration,
    pub(super) valid: Duration,
    /// How many of its kind were somebody else's before it.
    pub(super) tries: u8,
    /// Whether another takes its place already.
    pub(super) followed: Followed,
}

/// Whether a temporary address has a successor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Followed {
    /// It does not.
    NotYet,
    /// It does.
    Already,
}

/// Whether an address is taken for what is new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Preferred,
    Deprecated,
}

/// What `ip -6 addr` says of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressState {
    /// Its own.
    Preferred,
    /// Its own, but no longer taken for what is new.
    Deprecated,
    /// Not yet known to be nobody else's.
    Tentative,
    /// Somebody else's.
    DadFailed,
}

/// A prefix that a router said is on the link.
#[derive(Clone, Debug)]
pub(super) struct OnLink {
    pub(super) prefix: Prefix,
    pub(super) until: Option<Instant>,
}

/// A router that may be taken where no other route leads.
#[derive(Clone, Debug)]
pub(super) struct DefaultRouter {
    pub(super) addr: Ipv6Addr,
    pub(super) until: Option<Instant>,
}

/// What routers told on one link, each with its end; `None`: for ever.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) servers: Vec<(Ipv6Addr, Option<Instant>)>,
    pub(super) search: Vec<(String, Option<Instant>)>,
}

/// The search for routers: RFC 7559's, which does not give up.
#[derive(Clone, Copy, Default, Debug)]
pub(super) enum Search {
    /// None is needed.
    #[default]
    Over,
    /// The next question.
    Asks {
        /// When it is due.
        at: Instant,
        /// For how long it is waited afterwards.
        wait: Duration,
    },
}

/// An advertising interface.
#[derive(Clone, Debug)]
pub(super) struct Advertising {
    pub(super) config: Advertise,
    pub(super) at: Option<Instant>,
    /// Sent since the link came up, up to three (RFC 4861 §10).
    pub(super) sent: u8,
    pub(super) last: Option<Instant>,
    /// What asked for the next one.
    pub(super) cause: EventId,
}
