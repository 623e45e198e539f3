//! OSPF on one router: what it keeps, and which part of it each call is for.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::Instant;
use septet_wire::ospf::{self, LsaKey, Message, Packet as Said};

use super::super::act::{Context, Packet};
use super::super::link::{Arrival, Link, LinkState};
use super::super::protocol::RoutingProtocol;
use super::computed::Computed;
use super::database::Database;
use super::delay::Backoff;
use super::interface::{Interface, State};
use super::settings::Settings;
use crate::addr::Prefix;
use crate::route::Iface;

septet_core::counters! {
    /// What OSPF counts on one router.
    pub(super) struct Counters {
        in_packets = "OspfInPackets", "packets received";
        in_bad = "OspfInBad", "packets received that cannot be right, or that are for another area";
        in_hello_mismatch = "OspfInHelloMismatch", "Hellos whose mask, interval, dead time or options differ from this router's";
        out_packets = "OspfOutPackets", "packets sent";
        out_retransmits = "OspfOutRetransmits", "advertisements, requests and descriptions sent again";
        originated = "OspfOriginated", "instances of its own advertisements that it has originated";
        received = "OspfReceived", "advertisements received that were newer than those it had";
        spf_runs = "OspfSpfRuns", "times that it has computed its shortest paths";
    }
}

/// OSPF on one router.
#[derive(Debug)]
pub(super) struct Ospf {
    pub(super) settings: Settings,
    /// This router's id.
    pub(super) id: Ipv4Addr,
    /// Routes by hand that are told as external.
    pub(super) by_hand: Vec<Prefix>,
    /// A number of its own for the exchanges of databases.
    pub(super) sequence: u32,
    /// Those with a carrier.
    pub(super) interfaces: BTreeMap<Iface, Interface>,
    pub(super) database: Database,
    /// Advertisements to be sent at the end of a call, so that several share a packet; each to a group or one neighbour.
    pub(super) updates: BTreeMap<(Iface, Ipv4Addr), Vec<ospf::Lsa>>,
    /// When the advertisement of each own thing may next be looked at: RFC 2328's MinLSInterval.
    pub(super) originate_at: BTreeMap<LsaKey, Instant>,
    /// Something of this router may have changed, and with it what it advertises.
    pub(super) stale: bool,
    /// When paths are computed next.
    pub(super) backoff: Backoff,
    pub(super) computed: Computed,
    /// Neighbours that were full when that was last recorded.
    pub(super) full: usize,
    pub(super) counters: Counters,
}

impl RoutingProtocol for Ospf {
    fn on_link(&mut self, cx: &mut Context<'_>, link: &Link) {
        self.database.set_now(cx.now);
        let Some((address, prefix)) = link.v4().next().filter(|_| link.state == LinkState::Up) else {
            self.interface_down(cx, link.iface);
            return self.settle(cx);
        };
        let same = |i: &Interface| i.address == address && i.prefix == prefix && i.mtu == link.mtu;
        if !self.interfaces.get(&link.iface).is_some_and(same) {
            self.interface_down(cx, link.iface);
            self.interface_up(cx, link, address, prefix);
        }
        self.settle(cx);
    }

    fn receive(&mut self, cx: &mut Context<'_>, arrival: &Arrival, bytes: &[u8]) {
        self.counters.in_packets += 1;
        self.database.set_now(cx.now);
        let (Some(interface), IpAddr::V4(src)) = (self.interfaces.get(&arrival.iface), arrival.src) else { return };
        let said = match Said::parse(bytes) {
            // RFC 2328 §8.2: the area must match, and on a link of a subnet the sender must be on that.
            Ok(said)
                if said.area == self.settings.area
                    && interface.state != State::Passive
                    && interface.prefix.contains(src.into()) =>
            {
                said
            }
            _ => {
                self.counters.in_bad += 1;
                return;
            }
        };
        // "packets originated by the router itself … should be discarded"; another router of the same id is the same to all.
        if src == interface.address || said.router == self.id {
            self.counters.in_bad += u64::from(src != interface.address);
            return;
        }
        // "If the packet's IP destination is AllDRouters, the state of the receiving interface must be DR or Backup."
        if arrival.dst == IpAddr::V4(ospf::ALL_DESIGNATED) && !matches!(interface.state, State::Dr | State::Backup) {
            return;
        }
        let at = (arrival.iface, src);
        match said.message {
            Message::Hello(hello) => self.hear_hello(cx, at, said.router, &hello),
            Message::Description(dd) => self.hear_description(cx, at, dd),
            Message::Request(keys) => self.hear_request(cx, at, &keys),
            Message::Update(lsas) => self.hear_update(cx, at, lsas),
            Message::Acknowledge(headers) => self.hear_acknowledgement(at, &headers),
        }
        self.settle(cx);
    }

    fn on_deadline(&mut self, cx: &mut Context<'_>) {
        self.database.set_now(cx.now);
        self.interface_timers(cx);
        self.neighbor_timers(cx);
        self.age(cx);
        let due: Vec<LsaKey> = self.originate_at.iter().filter(|(_, at)| **at <= cx.now).map(|(key, _)| *key).collect();
        for key in due {
            self.originate_at.remove(&key);
            self.stale = true;
        }
        self.settle(cx);
        if self.backoff.take_due(cx.now) {
            self.compute(cx);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let links = self.interfaces.values().filter_map(Interface::deadline);
        let own = self.originate_at.values().min().copied();
        links.chain(self.database.deadline()).chain(own).chain(self.backoff.deadline()).min()
    }

    fn show(&self, see: &mut dyn FnMut(&'static str, u64)) {
        self.counters.show(see);
    }
}

impl Ospf {
    /// Something has changed: paths are computed soon, and once for what changes together.
    pub(super) fn want_spf(&mut self, now: Instant) {
        self.backoff.event(now, &self.settings.delays);
    }

    /// Brings everything into line after a call: own advertisements, what is flooded, what was recorded.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        if core::mem::take(&mut self.stale) {
            self.originate(cx);
        }
        self.send_updates(cx);
        self.bury(cx);
        let full = self.interfaces.values().flat_map(|i| i.neighbors.values()).filter(|n| n.is_full()).count();
        if core::mem::replace(&mut self.full, full) != full {
            cx.record("ospf.full", full as f64);
        }
    }

    /// Sends a packet by an interface.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, iface: Iface, to: Ipv4Addr, message: Message) {
        let Some(interface) = self.interfaces.get(&iface) else { return };
        self.counters.out_packets += 1;
        let bytes = Said { router: self.id, area: self.settings.area, message }.to_bytes();
        // RFC 2328 appendix A.1: "the IP TTL … set to one", for packets that cross one link only.
        cx.send(Packet { iface, src: interface.address.into(), dst: to.into(), ttl: 1, bytes });
    }

    /// What this router can do, as its Hellos say.
    pub(super) fn options(&self) -> u8 {
        if self.settings.stub { 0 } else { ospf::OPTION_EXTERNAL }
    }
}
