//! A neighbour of BGP, and how far the session with it has come (RFC 4271 §8).

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use septet_core::Instant;
use septet_wire::bgp::Attributes;

use super::super::act::Conversation;
use crate::addr::Prefix;

/// RFC 4271 §8.2.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// Nothing is tried.
    Idle,
    /// A connection is being opened.
    Connect,
    /// This router has said who it is.
    OpenSent,
    /// The neighbour has too.
    OpenConfirm,
    /// Routes are told.
    Established,
}

#[derive(Debug)]
pub(super) struct Peer {
    /// The system that it must be of.
    pub(super) system: u32,
    pub(super) stage: Stage,
    pub(super) conversation: Option<Conversation>,
    /// Its identifier, once it has said so.
    pub(super) id: Ipv4Addr,
    pub(super) four_octets: bool,
    /// What has come of a message that is not whole yet.
    pub(super) unread: Vec<u8>,
    pub(super) hold: Duration,
    pub(super) dead_at: Option<Instant>,
    pub(super) keepalive_at: Option<Instant>,
    pub(super) retry_at: Option<Instant>,
    /// When it may next be told of changes.
    pub(super) update_at: Option<Instant>,
    /// What it has told, as import has left it: RFC 4271's Adj-RIB-In.
    pub(super) routes: BTreeMap<Prefix, Attributes>,
    /// What it was told: Adj-RIB-Out.
    pub(super) told: BTreeMap<Prefix, Attributes>,
    /// Prefixes of which it may have to be told.
    pub(super) owed: BTreeSet<Prefix>,
}

impl Peer {
    pub(super) fn new(system: u32) -> Self {
        Self {
            system,
            stage: Stage::Idle,
            conversation: None,
            id: Ipv4Addr::UNSPECIFIED,
            four_octets: true,
            unread: Vec::new(),
            hold: Duration::ZERO,
            dead_at: None,
            keepalive_at: None,
            retry_at: None,
            update_at: None,
            routes: BTreeMap::new(),
            told: BTreeMap::new(),
            owed: BTreeSet::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let update = self.update_at.filter(|_| !self.owed.is_empty());
        [self.dead_at, self.keepalive_at, self.retry_at, update].into_iter().flatten().min()
    }
}
