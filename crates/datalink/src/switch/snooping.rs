//! IGMP and MLD snooping (RFC 4541): a switch listens to what hosts and routers say of multicast groups, and sends what is for a
//! group only where somebody wants it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use septet_core::{Instant, Port};
use septet_wire::membership::{Message, Query, Record, Said};
use septet_wire::packet::Packet;
use septet_wire::{igmp, mld, protocol};

use crate::vlan::VlanId;

/// Groups that are remembered; what is for others is flooded.
const GROUPS: usize = 4096;

/// How a switch snoops.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Snooping {
    /// What becomes of frames for groups that nobody has joined.
    pub unknown: Unknown,
    /// What a leave does.
    pub leave: PortLeave,
    /// Ports behind which there are routers, beside those that queries come in at.
    pub routers: BTreeSet<u16>,
}

/// What becomes of frames for groups that nobody has joined. RFC 4541 §2.1.2: "it must forward that packet on all ports to which
/// an IGMP router is attached. A switch may default to forwarding unregistered packets on all ports."
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Unknown {
    /// They go everywhere.
    #[default]
    Flood,
    /// They go to routers only.
    Routers,
}

/// What a switch does when a member behind a port leaves.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum PortLeave {
    /// It waits whether others answer the router's query.
    #[default]
    Waits,
    /// It sends nothing more there: where each port has one host.
    AtOnce,
}

/// Where a frame for a group goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Course {
    /// To all ports.
    Everywhere,
    /// To these.
    To(BTreeSet<u16>),
}

impl Course {
    pub(super) fn takes(&self, port: Port) -> bool {
        match self {
            Self::Everywhere => true,
            Self::To(ports) => ports.contains(&port.0),
        }
    }
}

/// What became known by a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Learned {
    /// Somebody behind the port is a member.
    Member(IpAddr),
    /// Nobody is any more.
    Gone(IpAddr),
    /// There is a router behind it.
    Router,
}

/// What a switch knows of groups.
#[derive(Debug)]
pub(super) struct Snooper {
    snooping: Snooping,
    /// By VLAN and port, until when.
    routers: BTreeMap<(VlanId, u16), Instant>,
    /// By VLAN and group: the ports, until when.
    groups: BTreeMap<(VlanId, IpAddr), BTreeMap<u16, Instant>>,
    /// How long a member that says nothing more is remembered: as routers do it.
    membership: Duration,
    next_sweep: Instant,
    pub(super) learned: Vec<Learned>,
}

/// RFC 3376 §8.4 with its defaults: 2 · 125 s + 10 s.
const MEMBERSHIP: Duration = Duration::from_secs(260);

impl Snooper {
    pub(super) fn new(snooping: &Snooping) -> Self {
        Self {
            snooping: snooping.clone(),
            routers: BTreeMap::new(),
            groups: BTreeMap::new(),
            membership: MEMBERSHIP,
            next_sweep: Instant::ZERO,
            learned: Vec::new(),
        }
    }

    /// How many groups have members at `now`.
    pub(super) fn groups(&self, now: Instant) -> usize {
        self.groups.values().filter(|ports| ports.values().any(|until| *until > now)).count()
    }

    /// What was known of a port is so no more.
    pub(super) fn forget(&mut self, port: Port) {
        self.routers.retain(|(_, at), _| *at != port.0);
        self.groups.retain(|_, ports| {
            ports.remove(&port.0);
            !ports.is_empty()
        });
    }

    /// Learns from the packet of IP in `bytes`, which came in at `port` for a group, and says where it goes.
    pub(super) fn course(&mut self, now: Instant, vlan: VlanId, port: Port, bytes: &[u8]) -> Course {
        let Some(packet) = Packet::read(bytes).filter(|packet| packet.dst.is_multicast()) else {
            return Course::Everywhere;
        };
        let upper = packet.upper(bytes);
        let message = match packet.protocol {
            Some(protocol::IGMP) if igmp::checksum_ok(upper) => igmp::parse(upper).ok(),
            Some(protocol::ICMPV6) => mld::parse(upper).ok(),
            _ => None,
        };
        match message {
            Some(Message::Query(query)) => {
                self.hear_query(now, vlan, port, packet.src, &query);
                // §2.1.1: queries go everywhere.
                Course::Everywhere
            }
            // §2.1.1 (1): "A snooping switch should forward IGMP Membership Reports only to those ports where multicast routers
            // are attached": members of the older versions would keep silent where they hear one another.
            Some(report) => {
                self.hear_report(now, vlan, port, report);
                Course::To(self.routers_of(now, vlan))
            }
            None => self.course_of_data(now, vlan, packet.dst),
        }
    }

    fn course_of_data(&self, now: Instant, vlan: VlanId, group: IpAddr) -> Course {
        // §2.1.2 (2): "Packets with a destination IP address in the 224.0.0.X range … must be forwarded on all ports"; §3: so
        // must those for all nodes of a link in IPv6, among whom neighbours look for one another.
        let on_link = match group {
            IpAddr::V4(group) => matches!(group.octets(), [224, 0, 0, _]),
            IpAddr::V6(group) => group.octets()[1] & 0x0f <= 2,
        };
        if on_link {
            return Course::Everywhere;
        }
        let members = self.groups.get(&(vlan, group)).into_iter().flatten();
        let mut ports: BTreeSet<u16> = members.filter(|(_, until)| **until > now).map(|(port, _)| *port).collect();
        if ports.is_empty() && self.snooping.unknown == Unknown::Flood {
            return Course::Everywhere;
        }
        ports.extend(self.routers_of(now, vlan));
        Course::To(ports)
    }

    fn routers_of(&self, now: Instant, vlan: VlanId) -> BTreeSet<u16> {
        let heard = self.routers.iter().filter(|((of, _), until)| *of == vlan && **until > now);
        heard.map(|((_, port), _)| *port).chain(self.snooping.routers.iter().copied()).collect()
    }

    fn hear_query(&mut self, now: Instant, vlan: VlanId, port: Port, from: IpAddr, query: &Query) {
        let robustness = u32::from(if query.robustness == 0 { 2 } else { query.robustness });
        if query.group.is_none() && !query.interval.is_zero() {
            self.membership = query.interval * robustness + query.max_response;
        }
        // §2.1.1 (1) b: "queries … from 0.0.0.0" are of switches that ask in a router's stead.
        if !from.is_unspecified() && self.routers.insert((vlan, port.0), now + self.membership).is_none() {
            self.learned.push(Learned::Router);
        }
        if let Some(group) = query.group
            && !query.suppress
            && query.sources.is_empty()
        {
            // As the router does: who does not answer is soon given up.
            let soon = now + query.max_response * robustness;
            let ports = self.groups.get_mut(&(vlan, group)).into_iter().flat_map(BTreeMap::values_mut);
            ports.for_each(|until| *until = soon.min(*until));
        }
    }

    fn hear_report(&mut self, now: Instant, vlan: VlanId, port: Port, report: Message) {
        match report {
            Message::Member(_, group) => self.join(now, vlan, port, group),
            Message::Leave(group) => self.leave(vlan, port, group),
            Message::Report(records) => {
                for Record { said, group, sources } in records {
                    match said {
                        Said::IsExclude | Said::ToExclude => self.join(now, vlan, port, group),
                        Said::ToInclude if sources.is_empty() => self.leave(vlan, port, group),
                        Said::IsInclude | Said::ToInclude | Said::Allow if !sources.is_empty() => {
                            self.join(now, vlan, port, group);
                        }
                        Said::IsInclude | Said::ToInclude | Said::Allow | Said::Block => {}
                    }
                }
            }
            Message::Query(_) => {}
        }
    }

    fn join(&mut self, now: Instant, vlan: VlanId, port: Port, group: IpAddr) {
        if !group.is_multicast() {
            return;
        }
        if !self.groups.contains_key(&(vlan, group)) && self.groups.len() >= GROUPS {
            self.sweep(now);
            if self.groups.len() >= GROUPS {
                return;
            }
        }
        let ports = self.groups.entry((vlan, group)).or_default();
        let before = ports.insert(port.0, now + self.membership);
        if before.is_none_or(|until| until <= now) {
            self.learned.push(Learned::Member(group));
        }
    }

    /// Gives up groups without members; not for every frame, while there is no room.
    fn sweep(&mut self, now: Instant) {
        if now >= self.next_sweep {
            self.groups.retain(|_, ports| {
                ports.retain(|_, until| *until > now);
                !ports.is_empty()
            });
            self.next_sweep = now + Duration::from_secs(1);
        }
    }

    fn leave(&mut self, vlan: VlanId, port: Port, group: IpAddr) {
        if self.snooping.leave == PortLeave::Waits {
            return;
        }
        if let Some(ports) = self.groups.get_mut(&(vlan, group)) {
            if ports.remove(&port.0).is_some() {
                self.learned.push(Learned::Gone(group));
            }
            if ports.is_empty() {
                self.groups.remove(&(vlan, group));
            }
        }
    }
}

#[cfg(test)]
#[path = "snooping_tests.rs"]
mod tests;
