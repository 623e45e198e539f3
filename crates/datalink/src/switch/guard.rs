//! Who may say what of addresses: DHCP snooping, by which a switch knows to whom a server gave which address, and dynamic ARP
//! inspection, by which nobody says that another's address is at his own. As Cisco's `ip dhcp snooping` and `ip arp inspection`:
//! a port is trusted or not, and only what comes in at one that is not is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use core::time::Duration;

use septet_core::{Instant, Port};
use septet_wire::arp::{self, Operation};
use septet_wire::dhcp::{CLIENT_PORT, Kind, Message, Op, SERVER_PORT};
use septet_wire::packet::{Packet, ports};
use septet_wire::{protocol, udp};

use crate::ethernet::{EtherType, HEADER_LEN, Header, MacAddr};
use crate::vlan::VlanId;

/// Addresses whose owners are remembered.
const BINDINGS: usize = 8192;
/// Clients that wait for an answer, and how long they do at most: RFC 2131 §4.1 has them ask again after "64 seconds".
const CLIENTS: usize = 8192;
const PATIENCE: Duration = Duration::from_secs(64);

/// What a switch makes sure of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Guard {
    /// The ports behind which DHCP servers and relays may be; `None` where DHCP is not looked at.
    pub dhcp: Option<BTreeSet<u16>>,
    /// The ports whose ARP is believed; `None` where ARP is not looked at.
    pub arp: Option<BTreeSet<u16>>,
    /// Addresses that are known to be somebody's without DHCP: whose, and behind which port where that matters.
    pub fixed: BTreeMap<Ipv4Addr, (MacAddr, Option<u16>)>,
}

/// Who has an address by DHCP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Binding {
    mac: MacAddr,
    port: u16,
    /// The end of its lease.
    until: Instant,
}

/// What became known by a frame that goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum News {
    /// A server gave somebody an address.
    Bound(Ipv4Addr, MacAddr, Port),
    /// Somebody gave it back.
    Released(Ipv4Addr, MacAddr),
}

/// A frame that goes no further.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Denied {
    pub(super) what: Protocol,
    /// The address that it is about.
    pub(super) address: Option<Ipv4Addr>,
    pub(super) why: String,
}

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protocol {
    Arp,
    Dhcp,
}

impl Protocol {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Arp => "ARP",
            Self::Dhcp => "DHCP",
        }
    }
}

/// What a switch knows of whose addresses are whose.
#[derive(Debug)]
pub(super) struct Guardian {
    guard: Guard,
    bindings: BTreeMap<(VlanId, Ipv4Addr), Binding>,
    /// Clients that have asked: where, and when last.
    asking: BTreeMap<(VlanId, MacAddr), (Port, Instant)>,
}

impl Guardian {
    pub(super) fn new(guard: &Guard) -> Self {
        Self { guard: guard.clone(), bindings: BTreeMap::new(), asking: BTreeMap::new() }
    }

    /// How many addresses are known to be whose by DHCP at `now`.
    pub(super) fn bindings(&self, now: Instant) -> usize {
        self.bindings.values().filter(|binding| binding.until > now).count()
    }

    /// Whether a frame without a tag, which came in at `port`, may go on. `None` is the router in the same box, which is trusted.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        vlan: VlanId,
        port: Option<Port>,
        frame: &[u8],
    ) -> Result<Option<News>, Denied> {
        let Ok(header) = Header::parse(frame) else { return Ok(None) };
        let payload = frame.get(HEADER_LEN..).unwrap_or_default();
        match header.ether_type {
            EtherType::ARP => self.judge_arp(now, vlan, port, &header, payload).map(|()| None),
            EtherType::IPV4 => self.judge_ip(now, vlan, port, &header, payload),
            _ => Ok(None),
        }
    }

    fn judge_arp(
        &self,
        now: Instant,
        vlan: VlanId,
        port: Option<Port>,
        header: &Header,
        payload: &[u8],
    ) -> Result<(), Denied> {
        let (Some(trusted), Some(port)) = (&self.guard.arp, port) else { return Ok(()) };
        if trusted.contains(&port.0) {
            return Ok(());
        }
        let denied = |address, why: String| Err(Denied { what: Protocol::Arp, address, why });
        let Ok(arp::Packet { operation, sender_mac, sender_ip, target_mac, .. }) = arp::Packet::parse(payload) else {
            return denied(None, "it is no ARP of IPv4 over Ethernet".to_owned());
        };
        if sender_mac != header.source {
            return denied(Some(sender_ip), format!("it comes from {} and speaks for {sender_mac}", header.source));
        }
        if operation == Operation::Reply && !header.destination.is_multicast() && target_mac != header.destination {
            return denied(Some(sender_ip), format!("it goes to {} and is for {target_mac}", header.destination));
        }
        // RFC 5227 §1.1: a probe's sender address is "all zeroes", and so it claims nothing.
        if sender_ip.is_unspecified() && operation == Operation::Request {
            return Ok(());
        }
        let leased = self.bindings.get(&(vlan, sender_ip)).filter(|binding| binding.until > now);
        let fixed = self.guard.fixed.get(&sender_ip).copied();
        match leased.map(|binding| (binding.mac, Some(binding.port))).or(fixed) {
            None => denied(Some(sender_ip), "nobody is known to have that address".to_owned()),
            Some((owner, _)) if owner != sender_mac => denied(Some(sender_ip), format!("that address is {owner}'s")),
            Some((_, Some(place))) if place != port.0 => {
                denied(Some(sender_ip), format!("who has that address is behind {}", Port(place)))
            }
            Some(_) => Ok(()),
        }
    }

    fn judge_ip(
        &mut self,
        now: Instant,
        vlan: VlanId,
        port: Option<Port>,
        header: &Header,
        payload: &[u8],
    ) -> Result<Option<News>, Denied> {
        let Some(trusted) = &self.guard.dhcp else { return Ok(None) };
        let port = port.filter(|port| !trusted.contains(&port.0));
        let Some(packet) = Packet::read(payload).filter(|p| p.protocol == Some(protocol::UDP) && !p.is_fragment) else {
            return Ok(None);
        };
        let upper = packet.upper(payload);
        let Some((_, SERVER_PORT | CLIENT_PORT)) = ports(upper) else { return Ok(None) };
        let Some(Ok(message)) = upper.get(udp::HEADER_LEN..).map(Message::parse) else { return Ok(None) };
        match (message.op, port) {
            (Op::Reply, None) => Ok(self.answered(now, vlan, &message)),
            (Op::Request, None) => Ok(None),
            (Op::Reply, Some(_)) => {
                let why = "it is a server's, and no server is to be behind that port".to_owned();
                Err(Denied { what: Protocol::Dhcp, address: Some(message.yiaddr), why })
            }
            (Op::Request, Some(port)) => self.asked(now, vlan, port, header, &message),
        }
    }

    /// A client behind a port that is not trusted says something.
    fn asked(
        &mut self,
        now: Instant,
        vlan: VlanId,
        port: Port,
        header: &Header,
        message: &Message,
    ) -> Result<Option<News>, Denied> {
        let client = message.chaddr;
        let denied = |address, why: String| Err(Denied { what: Protocol::Dhcp, address, why });
        if header.source != client {
            return denied(None, format!("it comes from {} and asks for {client}", header.source));
        }
        // RFC 3046 §2.1: an agent "receiving a DHCP packet from an untrusted circuit with giaddr set to zero … but with a Relay
        // Agent Information option already present in the packet SHALL discard the packet".
        if !message.giaddr.is_unspecified() || message.options.relay.is_some() {
            return denied(None, "it is a relay's, and no relay is to be behind that port".to_owned());
        }
        let given_up = match message.options.kind {
            Kind::Release => Some(message.ciaddr),
            Kind::Decline => message.options.requested,
            _ => None,
        };
        if let Some(address) = given_up {
            return match self.bindings.get(&(vlan, address)) {
                Some(binding) if binding.mac == client && binding.port == port.0 => {
                    self.bindings.remove(&(vlan, address));
                    Ok(Some(News::Released(address, client)))
                }
                Some(_) => denied(Some(address), "it gives back what another has".to_owned()),
                None => Ok(None),
            };
        }
        if self.asking.len() >= CLIENTS {
            self.asking.retain(|_, (_, at)| *at + PATIENCE > now);
        }
        if self.asking.len() < CLIENTS || self.asking.contains_key(&(vlan, client)) {
            self.asking.insert((vlan, client), (port, now));
        }
        Ok(None)
    }

    /// A server behind a trusted port says something.
    fn answered(&mut self, now: Instant, vlan: VlanId, message: &Message) -> Option<News> {
        let Message { yiaddr, chaddr, options, .. } = message;
        // An answer to who has an address already (DHCPINFORM) gives none.
        if options.kind != Kind::Ack || yiaddr.is_unspecified() {
            return None;
        }
        let (port, at) = self.asking.remove(&(vlan, *chaddr))?;
        if at + PATIENCE <= now {
            return None;
        }
        let until = match options.lease {
            // RFC 2131 §3.3: "The time value of 0xffffffff is reserved to represent 'infinity'."
            None | Some(u32::MAX) => Instant::FAR_FUTURE,
            Some(seconds) => now + Duration::from_secs(seconds.into()),
        };
        if self.bindings.len() >= BINDINGS {
            self.bindings.retain(|_, binding| binding.until > now);
        }
        let key = (vlan, *yiaddr);
        let binding = Binding { mac: *chaddr, port: port.0, until };
        let known = self.bindings.get(&key).is_some_and(|b| b.mac == *chaddr && b.port == port.0 && b.until > now);
        if self.bindings.len() >= BINDINGS && !self.bindings.contains_key(&key) {
            return None;
        }
        self.bindings.insert(key, binding);
        // What is prolonged is no news.
        (!known).then_some(News::Bound(*yiaddr, *chaddr, port))
    }
}
