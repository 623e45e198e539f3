//! What an administrator may change while the host runs, what is told of such changes, and what is kept of them.

use core::time::Duration;
use std::collections::VecDeque;
use std::net::IpAddr;

use septet_core::{Carrier, Instant};
use septet_datalink::ethernet::MacAddr;

use super::detours::Detours;
use crate::acd::{Check, Claims, Defence};
use crate::addr::Cidr;
use crate::neighbor::Waiting;
use crate::route::Iface;

/// Whether an interface is to be used: `ip link set eth0 up`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AdminState {
    /// It is.
    #[default]
    Up,
    /// It neither sends nor receives, whatever its carrier.
    Down,
}

/// How long an address is good: `ip address`'s `valid_lft` and `preferred_lft`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetime {
    /// Until when it is taken as the source of new conversations.
    pub preferred: Instant,
    /// When it goes.
    pub valid: Instant,
}

impl Lifetime {
    /// Without an end.
    pub const FOREVER: Self = Self { preferred: Instant::FAR_FUTURE, valid: Instant::FAR_FUTURE };

    /// From `now` on for so long.
    pub fn lasting(now: Instant, duration: Duration) -> Self {
        Self { preferred: now + duration, valid: now + duration }
    }
}

/// An address that is to be configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewAddress {
    /// The address and the prefix of its link.
    pub address: Cidr,
    /// How long it is good.
    pub lifetime: Lifetime,
    /// Whether it is made sure first that nobody else has it.
    pub check: Check,
    /// What is done about others who use it afterwards.
    pub defence: Defence,
}

impl NewAddress {
    /// As `ip address add` does: at once, without an end, and with a word to the link.
    pub const fn new(address: Cidr) -> Self {
        Self { address, lifetime: Lifetime::FOREVER, check: Check::Announce, defence: Defence::Keep }
    }
}

/// What changed about a host, as rtnetlink tells its listeners.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// An interface may be used from now on, or no longer.
    Link {
        /// Which.
        iface: Iface,
        /// With a carrier and switched on, or not.
        state: Carrier,
    },
    /// Something happened to an address.
    Address {
        /// On which interface.
        iface: Iface,
        /// The address.
        address: IpAddr,
        /// What happened.
        news: News,
    },
}

/// What happened to an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// It may be used.
    Ready,
    /// It is gone: it was taken away, or its lifetime is over.
    Gone,
    /// It is gone since somebody else uses it.
    Conflict {
        /// The link address of who does.
        with: MacAddr,
    },
}

/// What was changed while the host runs, and what is still to be done about it.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Addresses that others have a say in.
    pub(super) claims: Claims,
    /// Of addresses that will not stay: until when.
    pub(super) leases: Vec<Lease>,
    /// Addresses that this host had and has no longer.
    pub(super) gone: Vec<IpAddr>,
    /// What waited for neighbours that were set by hand, to be sent.
    pub(super) released: Vec<(Iface, MacAddr, VecDeque<Waiting>)>,
    /// Whether anybody wants to hear of changes.
    pub(super) watched: bool,
    /// What was told of better first hops.
    pub(super) detours: Detours,
}

/// Until when an address is good.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) iface: Iface,
    pub(super) address: IpAddr,
    pub(super) lifetime: Lifetime,
}

impl Book {
    /// When the first thing is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let released = (!self.released.is_empty()).then_some(Instant::ZERO);
        let expiry = self.leases.iter().map(|lease| lease.lifetime.valid).min();
        [released, expiry, self.claims.deadline(), self.detours.deadline()].into_iter().flatten().min()
    }

    pub(super) fn set_lifetime(&mut self, iface: Iface, address: IpAddr, lifetime: Lifetime) {
        self.leases.retain(|lease| (lease.iface, lease.address) != (iface, address));
        if lifetime != Lifetime::FOREVER {
            self.leases.push(Lease { iface, address, lifetime });
        }
    }
}
