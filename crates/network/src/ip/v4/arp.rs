//! ARP in a host: questions, answers, and what waits for them (RFC 826, RFC 1122 §2.3.2).

use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Checksums, DropReason, Frame, Instant, Out, Storey};
use septet_datalink::ethernet::{EtherType, MacAddr};

use crate::ip::told::cause_of;
use crate::ip::{Aftermath, Ip};
use crate::neighbor::{Evidence, Learned, Solicit};
use crate::route::Iface;
use septet_wire::arp::{Operation, Packet};

pub(super) const BROADCAST: MacAddr = MacAddr([0xff; 6]);
pub(super) const ZERO: MacAddr = MacAddr([0; 6]);

impl Ip {
    /// Takes an ARP packet that came in on `iface`: `frame` begins behind its link header.
    pub fn receive_arp(&mut self, now: Instant, iface: Iface, frame: Frame, out: &mut Out<'_>) -> Aftermath {
        let packet = match Packet::parse(frame.bytes()) {
            Ok(packet) => packet,
            Err(why) => return arp_drop(&frame, why, out),
        };
        let Packet { operation, sender_mac, sender_ip, target_ip, .. } = packet;
        match operation {
            Operation::Request => self.counters.arp_in_requests += 1,
            Operation::Reply => self.counters.arp_in_replies += 1,
        }
        let is_group = sender_mac.0[0] & 1 != 0;
        if is_group || sender_ip.is_multicast() || sender_ip.is_broadcast() || sender_ip.is_loopback() {
            return arp_drop(&frame, DropReason::Malformed, out);
        }
        // On a link of many, most questions are by others for others.
        if !self.book.as_ref().is_some_and(|book| book.claims.concern(iface, &packet))
            && !self.has_address(target_ip)
            && !self.has_address(sender_ip)
            && !self.neighbors.has_entry(iface, sender_ip.into())
        {
            return Aftermath::None;
        }
        if sender_mac != self.interfaces[usize::from(iface)].mac {
            self.watch_claims(now, iface, &packet, &frame, out);
        }
        // Who speaks from our own address, or is our own echo, teaches us nothing.
        if !sender_ip.is_unspecified() && self.has_address(sender_ip) {
            return Aftermath::Some;
        }
        let for_us = !target_ip.is_loopback() && self.has_address(target_ip);
        let evidence = match operation {
            // RFC 826: "set the protocol address … If the pair … is already in my translation table, update".
            _ if sender_ip == target_ip => Evidence::Gratuitous,
            Operation::Reply if for_us => Evidence::Answer,
            Operation::Request if for_us => Evidence::Question,
            Operation::Request | Operation::Reply => Evidence::Gratuitous,
        };
        if !sender_ip.is_unspecified() {
            self.learn(now, iface, sender_ip.into(), sender_mac, evidence, &frame, out);
        }
        if for_us && operation == Operation::Request {
            self.answer_arp(iface, &packet, &frame, out);
        }
        Aftermath::Some
    }

    /// Whether this host has an address by which others know it.
    fn has_address(&self, addr: Ipv4Addr) -> bool {
        match &self.interfaces[..] {
            // To look at these takes a fifth of asking the table, and is done for every question on the link.
            [only] if only.addresses.len() <= 4 => only.addresses.iter().any(|own| own.addr() == IpAddr::V4(addr)),
            _ => self.is_local(addr.into()),
        }
    }

    fn answer_arp(&mut self, iface: Iface, request: &Packet, frame: &Frame, out: &mut Out<'_>) {
        self.counters.arp_out_replies += 1;
        let mac = self.interfaces[usize::from(iface)].mac;
        let reply = Packet {
            operation: Operation::Reply,
            sender_mac: mac,
            sender_ip: request.target_ip,
            target_mac: request.sender_mac,
            target_ip: request.sender_ip,
        };
        let cause = out.trace.emit(Storey::Network, "arp.reply", cause_of(frame), |f| {
            f.set("is", request.target_ip).set("at", mac.0).set("to", request.sender_ip);
        });
        let mut frame = reply.to_frame();
        frame.cause = cause;
        self.transmit_arp(iface, request.sender_mac, frame, out);
    }

    #[allow(clippy::too_many_arguments)]
    fn learn(
        &mut self,
        now: Instant,
        iface: Iface,
        addr: IpAddr,
        mac: MacAddr,
        evidence: Evidence,
        frame: &Frame,
        out: &mut Out<'_>,
    ) {
        let Some(Learned { asked, waiting }) = self.neighbors.learn(now, iface, addr, mac, evidence) else { return };
        let Some(asked) = asked else { return };
        out.trace.emit(Storey::Network, "arp.resolved", cause_of(frame), |f| {
            f.set("ip", addr).set("mac", mac.0).set("after", now - asked).set("waiting", waiting.len());
        });
        for waiting in waiting {
            // It leaves now because the address is known, but it was made for a reason of its own; and whoever told the
            // address may have done so for his own ends.
            self.transmit_to(iface, mac, EtherType::IPV4, waiting.packet, out);
        }
    }

    /// Asks who has an address.
    pub(in crate::ip) fn solicit(&mut self, solicit: Solicit, out: &mut Out<'_>) {
        let Solicit { iface, target, to, attempt, cause } = solicit;
        let IpAddr::V4(target) = target else { return };
        let interface = &self.interfaces[usize::from(iface)];
        let own = interface.addresses.iter().filter_map(|a| match a.addr() {
            IpAddr::V4(addr) => Some((addr, a.prefix())),
            IpAddr::V6(_) => None,
        });
        let near = own.clone().find(|(_, prefix)| prefix.contains(target.into()));
        let sender_ip = near.or(own.clone().next()).map_or(Ipv4Addr::UNSPECIFIED, |(addr, _)| addr);
        let sender_mac = interface.mac;
        let event = out.trace.emit(Storey::Network, "arp.request", cause, |f| {
            f.set("who-has", target).set("tell", sender_ip).set("attempt", attempt);
            f.set("why", if to.is_some() { "the entry is stale" } else { "no link address is known" });
        });
        self.neighbors.asked(iface, target.into(), event);
        self.counters.arp_out_requests += 1;
        let request =
            Packet { operation: Operation::Request, sender_mac, sender_ip, target_mac: ZERO, target_ip: target };
        let mut frame = request.to_frame();
        frame.cause = event;
        self.transmit_arp(iface, to.unwrap_or(BROADCAST), frame, out);
    }

    pub(super) fn transmit_arp(&mut self, iface: Iface, to: MacAddr, mut frame: Frame, out: &mut Out<'_>) {
        frame.checksums = Checksums::Good;
        self.put_on_link(iface, to, EtherType::ARP, frame, out);
    }
}

fn arp_drop(frame: &Frame, why: DropReason, out: &mut Out<'_>) -> Aftermath {
    out.trace.emit(Storey::Network, "arp.drop", cause_of(frame), |f| {
        f.set("why", why);
    });
    Aftermath::None
}
