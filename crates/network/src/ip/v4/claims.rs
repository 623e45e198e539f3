//! Addresses that others have a say in: probes, announcements, conflicts and defence (RFC 5227), and the gratuitous ARP by
//! which an address moves.

use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Carrier, EventId, Frame, Instant, Out, Storey};

use super::arp::{BROADCAST, ZERO};
use crate::acd::{Act, Verdict};
use crate::addr::Cidr;
use crate::ip::Ip;
use crate::ip::told::cause_of;
use crate::route::Iface;
use septet_wire::arp::{Operation, Packet};

impl Ip {
    /// Tells everyone on the link of `iface` the link address of its IP addresses: gratuitous ARP.
    pub fn announce(&mut self, iface: Iface, out: &mut Out<'_>) {
        let Some(interface) = self.interfaces.get(usize::from(iface)) else { return };
        let v4 = |a: &Cidr| if let IpAddr::V4(address) = a.addr() { Some(address) } else { None };
        for address in interface.addresses.iter().filter_map(v4).collect::<Vec<_>>() {
            self.announce_one(iface, address, EventId::NONE, out);
        }
    }

    /// RFC 5227 §3: "identical to the ARP Probe … except that now the sender and target IP addresses are both set to the
    /// host's newly selected IPv4 address".
    fn announce_one(&mut self, iface: Iface, address: Ipv4Addr, cause: EventId, out: &mut Out<'_>) {
        let mac = self.interfaces[usize::from(iface)].mac;
        let event = out.trace.emit(Storey::Network, "arp.announce", cause, |f| {
            f.set("is", address).set("at", mac.0);
        });
        self.ask_link(iface, address, address, event, out);
    }

    /// RFC 5227 §2.1.1: "The 'sender IP address' field MUST be set to all zeroes; this is to avoid polluting ARP caches".
    fn probe(&mut self, iface: Iface, address: Ipv4Addr, out: &mut Out<'_>) {
        let event = out.trace.emit(Storey::Network, "arp.probe", EventId::NONE, |f| {
            f.set("who-has", address).set("why", "the address is to be used if nobody has it");
        });
        self.ask_link(iface, Ipv4Addr::UNSPECIFIED, address, event, out);
    }

    fn ask_link(&mut self, iface: Iface, sender_ip: Ipv4Addr, target_ip: Ipv4Addr, cause: EventId, out: &mut Out<'_>) {
        if self.carrier(iface) != Some(Carrier::Up) {
            return;
        }
        self.counters.arp_out_requests += 1;
        let sender_mac = self.interfaces[usize::from(iface)].mac;
        let operation = Operation::Request;
        let mut frame = Packet { operation, sender_mac, sender_ip, target_mac: ZERO, target_ip }.to_frame();
        frame.cause = cause;
        self.transmit_arp(iface, BROADCAST, frame, out);
    }

    /// Does what is due about claimed addresses.
    pub(in crate::ip) fn pursue_claims(&mut self, now: Instant, out: &mut Out<'_>) {
        while let Some((iface, address, act)) = self.book.as_mut().and_then(|b| b.claims.on_timer(now, &mut self.rng)) {
            match act {
                Act::Probe => self.probe(iface, address, out),
                Act::Announce => self.announce_one(iface, address, EventId::NONE, out),
                Act::Use(prefix_len) => {
                    if let Ok(cidr) = Cidr::new(address.into(), prefix_len) {
                        let _ = self.settle_address(iface, cidr);
                    }
                }
            }
        }
    }

    /// Looks whether another station uses an address of this host.
    pub(in crate::ip) fn watch_claims(
        &mut self,
        now: Instant,
        iface: Iface,
        packet: &Packet,
        frame: &Frame,
        out: &mut Out<'_>,
    ) {
        let from_own = !packet.sender_ip.is_unspecified()
            && !packet.sender_ip.is_loopback()
            && self
                .interfaces
                .get(usize::from(iface))
                .is_some_and(|i| i.addresses.iter().any(|a| a.addr() == IpAddr::V4(packet.sender_ip)));
        // RFC 5227 §2.1.1: not where "the packet's 'sender hardware address' is … the hardware address of any of the host's
        // interfaces".
        if self.book.is_none() && !from_own || self.interfaces.iter().any(|i| i.mac == packet.sender_mac) {
            return;
        }
        let Some((address, verdict)) = self.book().claims.hear(now, iface, packet, |_| from_own) else { return };
        let event = out.trace.emit(Storey::Network, "arp.conflict", cause_of(frame), |f| {
            f.set("ip", address).set("mac", packet.sender_mac.0);
            f.set(
                "why",
                match verdict {
                    Verdict::Lost => "another station uses it: it is given up",
                    Verdict::Defend => "another station uses it: it is defended",
                    Verdict::Endure => "another station uses it, and it was defended just now",
                },
            );
        });
        self.counters.arp_conflicts += 1;
        match verdict {
            Verdict::Lost => self.lose_address(iface, address.into(), packet.sender_mac),
            Verdict::Defend => self.announce_one(iface, address, event, out),
            Verdict::Endure => {}
        }
    }
}
