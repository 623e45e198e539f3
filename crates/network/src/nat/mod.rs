//! Address translation: which endpoint outside stands for which inside (RFC 4787, RFC 5382, RFC 5508).
//!
//! A [mapping](Nat::map) gives an endpoint inside a port outside that is its own while it is used; what conversations use it is
//! connection tracking's to know. [`rewrite`] changes the packets.

mod ports;
pub mod rewrite;

use core::cmp::Reverse;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;

use hashbrown::HashMap;
use septet_core::{FixedState, Instant, Rng};
use septet_wire::protocol;

use crate::conntrack::{Ends, Tuple};
use crate::route::Iface;
use ports::Ports;

/// RFC 4787 §4.3 REQ-5: "A NAT UDP mapping timer MUST NOT expire in less than two minutes".
pub const MAPPING_TIMEOUT: Duration = Duration::from_secs(120);

/// Whom a mapping, or a filter, tells apart: RFC 4787's three behaviours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Behaviour {
    /// Nobody.
    #[default]
    EndpointIndependent,
    /// Hosts outside.
    AddressDependent,
    /// Ports of hosts outside.
    AddressAndPortDependent,
}

/// A port forward: what comes to these ports outside goes to a host inside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forward {
    /// TCP or UDP.
    pub protocol: u8,
    /// The ports outside.
    pub ports: RangeInclusive<u16>,
    /// The host inside.
    pub to: IpAddr,
    /// Its port that stands for the first of `ports`; the others follow.
    pub port: u16,
}

/// How a router translates addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The interfaces outside: what leaves by them gets their address.
    pub outside: Vec<Iface>,
    /// Port forwards.
    pub forwards: Vec<Forward>,
    /// What a mapping depends on.
    pub mapping: Behaviour,
    /// From whom a mapping lets packets in.
    pub filtering: Behaviour,
    /// How long a mapping that no conversation uses is kept after its last packet.
    pub timeout: Duration,
    /// The ports outside that may be given; `None` for all of the range in which the port inside is (RFC 4787 REQ-3).
    pub ports: Option<RangeInclusive<u16>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            outside: Vec::new(),
            forwards: Vec::new(),
            mapping: Behaviour::EndpointIndependent,
            filtering: Behaviour::AddressAndPortDependent,
            timeout: MAPPING_TIMEOUT,
            ports: None,
        }
    }
}

/// Address and port, or a query's identifier.
pub type Endpoint = (IpAddr, u16);

/// What a mapping is found by from inside: protocol, endpoint, the address outside, and of whom it tells apart which.
type Key = (u8, Endpoint, IpAddr, Option<IpAddr>, Option<u16>);

#[derive(Debug)]
struct Mapping {
    key: Key,
    inside: Endpoint,
    outside: Endpoint,
    /// Conversations that use it.
    uses: u32,
    /// When it goes, unless it is used.
    expires: Instant,
    /// Whether the heap asks for it; it does not while it is used.
    armed: bool,
    generation: u32,
    /// Whom the endpoint inside has sent to, and when last, where that is not connection tracking's to know.
    contacts: BTreeMap<Endpoint, Instant>,
}

/// Contacts of all mappings that are remembered at once.
const CONTACTS: usize = 65_536;

/// Where the receiver of what goes out by a mapping is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// Outside.
    Outside,
    /// Inside too, behind an address outside (RFC 4787 §6's hairpinning).
    Inside,
}

/// What there is for a packet from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inbound {
    /// No mapping: it is for this host itself.
    Unmapped,
    /// It is for this endpoint inside.
    To(Endpoint),
    /// There is a mapping, but it does not let this sender in.
    Refused(Endpoint),
}

/// The mappings of one router.
#[derive(Debug)]
pub struct Nat {
    config: Config,
    maps: Vec<Option<Mapping>>,
    free: Vec<u32>,
    inside: HashMap<Key, u32, FixedState>,
    outside: HashMap<(u8, Endpoint), u32, FixedState>,
    ports: BTreeMap<(u8, IpAddr), Ports>,
    due: BinaryHeap<Reverse<(Instant, u32, u32)>>,
    made: u32,
    contacts: usize,
    rng: Rng,
}

impl Nat {
    /// None yet.
    pub fn new(config: Config, rng: Rng) -> Self {
        Self {
            config,
            maps: Vec::new(),
            free: Vec::new(),
            inside: HashMap::default(),
            outside: HashMap::default(),
            ports: BTreeMap::new(),
            due: BinaryHeap::new(),
            made: 0,
            contacts: 0,
            rng,
        }
    }

    /// How it translates.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many mappings there are.
    pub fn len(&self) -> usize {
        self.maps.len() - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The port forward that a packet to `to` takes.
    pub fn forward(&self, protocol: u8, port: u16) -> Option<Endpoint> {
        let found = self.config.forwards.iter().find(|f| f.protocol == protocol && f.ports.contains(&port))?;
        Some((found.to, found.port.wrapping_add(port - found.ports.start())))
    }

    /// The port, or identifier, that stands on `outside` for the sender of `tuple`; one that is its own from now on. RFC 4787
    /// §4.1 REQ-1: "A NAT MUST have an 'Endpoint-Independent Mapping' behavior" is the default. `None` where no port is left.
    /// `is_taken` says of a port whether somebody else uses it, `within` which ports may be given.
    pub fn map(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        peer: Peer,
        outside: IpAddr,
        within: Option<RangeInclusive<u16>>,
        is_taken: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let inside = (tuple.src, tuple.from());
        let (address, port) = match self.config.mapping {
            Behaviour::EndpointIndependent => (None, None),
            Behaviour::AddressDependent => (Some(tuple.dst), None),
            Behaviour::AddressAndPortDependent => (Some(tuple.dst), Some(tuple.to())),
        };
        let key = (tuple.protocol, inside, outside, address, port);
        let index = match self.inside.get(&key) {
            Some(&index) => index,
            None => self.make(now, key, inside, outside, within, is_taken)?,
        };
        self.touch(now, index);
        let contact = match (self.config.filtering, peer) {
            (Behaviour::AddressDependent, _) => Some((tuple.dst, 0)),
            (Behaviour::AddressAndPortDependent, Peer::Inside) => Some((tuple.dst, tuple.to())),
            _ => None,
        };
        let mapping = self.maps[index as usize].as_mut()?;
        if let Some(contact) = contact {
            if self.contacts >= CONTACTS && !mapping.contacts.contains_key(&contact) {
                let oldest = mapping.contacts.iter().min_by_key(|(_, at)| **at).map(|(endpoint, _)| *endpoint);
                self.contacts -= usize::from(oldest.is_some_and(|oldest| mapping.contacts.remove(&oldest).is_some()));
            }
            if self.contacts < CONTACTS {
                self.contacts += usize::from(mapping.contacts.insert(contact, now).is_none());
            }
        }
        Some(mapping.outside.1)
    }

    fn make(
        &mut self,
        now: Instant,
        key: Key,
        inside: Endpoint,
        outside: IpAddr,
        within: Option<RangeInclusive<u16>>,
        is_taken: impl Fn(u16) -> bool,
    ) -> Option<u32> {
        let is_query = matches!(key.0, protocol::ICMP | protocol::ICMPV6);
        let range = within.or_else(|| self.config.ports.clone()).unwrap_or(match inside.1 {
            _ if is_query => 0..=u16::MAX,
            // RFC 4787 §4.2 REQ-3 (a): a port in the range 0-1023 stands for one of that range, and one above for one above.
            0..1024 => 1..=1023,
            1024.. => 1024..=u16::MAX,
        });
        let ports = self.ports.entry((key.0, outside)).or_default();
        let port = ports.take(inside.1, range, &mut self.rng, is_taken)?;
        self.made = self.made.wrapping_add(1);
        let expires = now + self.config.timeout;
        let mapping = Mapping {
            key,
            inside,
            outside: (outside, port),
            uses: 0,
            expires,
            armed: true,
            generation: self.made,
            contacts: BTreeMap::new(),
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.maps.push(None);
            (self.maps.len() - 1) as u32
        });
        self.inside.insert(key, index);
        self.outside.insert((key.0, mapping.outside), index);
        self.due.push(Reverse((expires, index, mapping.generation)));
        self.maps[index as usize] = Some(mapping);
        Some(index)
    }

    /// Something went out by a mapping. RFC 4787 §4.3 REQ-6: "The NAT mapping Refresh Direction MUST have a 'NAT Outbound
    /// refresh behavior' of 'True'".
    fn touch(&mut self, now: Instant, index: u32) {
        if let Some(mapping) = self.maps[index as usize].as_mut() {
            mapping.expires = now + self.config.timeout;
        }
    }

    /// A further packet of a conversation went out with this source.
    pub fn refresh(&mut self, now: Instant, outside: &Tuple) {
        if let Some(&index) = self.outside.get(&(outside.protocol, (outside.src, outside.from()))) {
            self.touch(now, index);
        }
    }

    /// What there is for a packet to an address outside. `from` is its sender as it is known outside.
    pub fn inbound(&self, now: Instant, tuple: &Tuple, from: Endpoint) -> Inbound {
        // A query that comes in is for the router: only answers are for who has asked.
        if !matches!(tuple.ends, Ends::Ports(..)) {
            return Inbound::Unmapped;
        }
        let found = self.outside.get(&(tuple.protocol, (tuple.dst, tuple.to())));
        let Some(mapping) = found.and_then(|&index| self.maps[index as usize].as_ref()) else {
            return Inbound::Unmapped;
        };
        let is_recent = |at: &Instant| mapping.uses > 0 || *at + self.config.timeout > now;
        let contact = match self.config.filtering {
            Behaviour::EndpointIndependent => return Inbound::To(mapping.inside),
            Behaviour::AddressDependent => (from.0, 0),
            Behaviour::AddressAndPortDependent => from,
        };
        let lets_in = mapping.contacts.get(&contact).is_some_and(is_recent);
        if lets_in { Inbound::To(mapping.inside) } else { Inbound::Refused(mapping.inside) }
    }

    /// Conversations with these ends outside use their mapping from now on.
    pub fn hold(&mut self, protocol: u8, outside: Endpoint) {
        if let Some(mapping) = self.mapping_mut(protocol, outside) {
            mapping.uses += 1;
        }
    }

    /// One of them is over.
    pub fn release(&mut self, now: Instant, protocol: u8, outside: Endpoint) {
        let Some(&index) = self.outside.get(&(protocol, outside)) else { return };
        let Some(mapping) = self.maps[index as usize].as_mut() else { return };
        mapping.uses = mapping.uses.saturating_sub(1);
        if mapping.uses == 0 && !core::mem::replace(&mut mapping.armed, true) {
            self.due.push(Reverse((mapping.expires.max(now), index, mapping.generation)));
        }
    }

    fn mapping_mut(&mut self, protocol: u8, outside: Endpoint) -> Option<&mut Mapping> {
        let index = *self.outside.get(&(protocol, outside))?;
        self.maps[index as usize].as_mut()
    }

    /// When [`expire`](Self::expire) next has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// Gives up a mapping whose time has come: protocol, inside, outside. Call until it gives `None`.
    pub fn expire(&mut self, now: Instant) -> Option<(u8, Endpoint, Endpoint)> {
        while let Some(&Reverse((at, index, generation))) = self.due.peek()
            && at <= now
        {
            self.due.pop();
            let Some(mapping) = self.maps[index as usize].as_mut().filter(|m| m.generation == generation) else {
                continue;
            };
            match (mapping.expires <= now, mapping.uses) {
                (true, 0) => return self.remove(index),
                (true, _) => mapping.armed = false,
                (false, _) => self.due.push(Reverse((mapping.expires, index, generation))),
            }
        }
        None
    }

    fn remove(&mut self, index: u32) -> Option<(u8, Endpoint, Endpoint)> {
        let mapping = self.maps[index as usize].take()?;
        self.free.push(index);
        self.contacts -= mapping.contacts.len();
        let protocol = mapping.key.0;
        self.inside.remove(&mapping.key);
        self.outside.remove(&(protocol, mapping.outside));
        if let Some(ports) = self.ports.get_mut(&(protocol, mapping.outside.0)) {
            ports.give(mapping.outside.1);
            if ports.is_empty() {
                self.ports.remove(&(protocol, mapping.outside.0));
            }
        }
        Some((protocol, mapping.inside, mapping.outside))
    }
}
