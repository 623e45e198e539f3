//! A neighbour of OSPF, and how far it has come (RFC 2328 §10).

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

use septet_core::Instant;
use septet_wire::ospf::{Description, LsaHeader, LsaKey};

use crate::route::Iface;

/// Which neighbour: its interface, and its address there.
pub(super) type At = (Iface, Ipv4Addr);

/// RFC 2328 §10.1; one that is down is not kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// It is heard.
    Init,
    /// It hears this router too.
    TwoWay,
    /// Both agree on who leads.
    ExStart,
    /// They tell each other what they have.
    Exchange,
    /// What the other has more is fetched.
    Loading,
    /// Both have the same.
    Full,
}

#[derive(Debug)]
pub(super) struct Neighbor {
    pub(super) stage: Stage,
    pub(super) router: Ipv4Addr,
    pub(super) priority: u8,
    pub(super) designated: Ipv4Addr,
    pub(super) backup: Ipv4Addr,
    pub(super) dead_at: Instant,
    /// Whether this router leads the exchange.
    pub(super) leads: bool,
    pub(super) sequence: u32,
    /// What of the own database is still to be described.
    pub(super) summary: VecDeque<LsaHeader>,
    /// The last description that was sent, which is sent again where it may be lost.
    pub(super) described: Option<Description>,
    pub(super) describe_at: Option<Instant>,
    /// The last that came, without its headers.
    pub(super) heard: Option<Description>,
    /// What the neighbour has more, and is to be asked for.
    pub(super) wanted: BTreeMap<LsaKey, LsaHeader>,
    pub(super) ask_at: Option<Instant>,
    /// What was sent and is not acknowledged, and when it is to be sent again.
    pub(super) unacknowledged: BTreeMap<LsaKey, (LsaHeader, Instant)>,
    /// The first of these times, or an earlier one.
    pub(super) repeat_at: Option<Instant>,
}

impl Neighbor {
    pub(super) fn new(router: Ipv4Addr, dead_at: Instant) -> Self {
        Self {
            stage: Stage::Init,
            router,
            priority: 0,
            designated: Ipv4Addr::UNSPECIFIED,
            backup: Ipv4Addr::UNSPECIFIED,
            dead_at,
            leads: false,
            sequence: 0,
            summary: VecDeque::new(),
            described: None,
            describe_at: None,
            heard: None,
            wanted: BTreeMap::new(),
            ask_at: None,
            unacknowledged: BTreeMap::new(),
            repeat_at: None,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.stage == Stage::Full
    }

    pub(super) fn is_exchanging(&self) -> bool {
        self.stage >= Stage::Exchange
    }

    /// It has been sent this, and must acknowledge it before `again`.
    pub(super) fn await_ack(&mut self, header: LsaHeader, again: Instant) {
        self.unacknowledged.insert(header.key, (header, again));
        self.repeat_at = Some(self.repeat_at.map_or(again, |at| at.min(again)));
    }

    /// Forgets all of an exchange.
    pub(super) fn clear(&mut self) {
        self.summary.clear();
        self.wanted.clear();
        self.unacknowledged.clear();
        (self.described, self.heard) = (None, None);
        (self.describe_at, self.ask_at, self.repeat_at) = (None, None, None);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let all = [Some(self.dead_at), self.describe_at, self.ask_at, self.repeat_at];
        all.into_iter().flatten().min()
    }
}
