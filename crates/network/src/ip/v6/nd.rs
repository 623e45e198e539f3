//! Neighbour discovery (RFC 4861): which link address a neighbour has, and whether it is still there.

use std::net::{IpAddr, Ipv6Addr};

use septet_core::{Checksums, DropReason, EventId, Frame, Instant, Out, Storey};
use septet_datalink::ethernet::{EtherType, MacAddr};

use crate::forwarding::Forwarding;
use crate::ip::Ip;
use crate::ip::told::{cause_of, drop_frame};
use crate::neighbor::{Advertised, Learned, Origin, Solicit};
use crate::route::Iface;
use septet_wire::icmp::Message;
use septet_wire::icmpv6::kind;
use septet_wire::ipv6::{self, Header};
use septet_wire::nd::{self, Discovery, NeighborAdvert, NeighborSolicit};
use septet_wire::protocol;

impl Ip {
    /// Takes a message of neighbour discovery: `frame` begins at its ICMPv6 header.
    pub(super) fn receive_nd(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        message: &Message,
        frame: &Frame,
        out: &mut Out<'_>,
    ) {
        match message.icmp_type {
            kind::NEIGHBOR_SOLICIT => self.counters6.icmp_in_neighbor_solicits += 1,
            kind::NEIGHBOR_ADVERT => self.counters6.icmp_in_neighbor_advertisements += 1,
            kind::ROUTER_SOLICIT => self.counters6.icmp_in_router_solicits += 1,
            kind::REDIRECT => self.counters6.icmp_in_redirects += 1,
            _ => self.counters6.icmp_in_router_advertisements += 1,
        }
        if !self.interface(iface).discovers() {
            return;
        }
        // RFC 4861 §6.1 and §7.1: "The IP Hop Limit field has a value of 255, i.e., the packet could not possibly have
        // been forwarded by a router", and "ICMP Code is 0".
        let valid = header.hop_limit == nd::HOP_LIMIT && message.code == 0;
        let told = if valid { nd::parse(message, frame.bytes()) } else { None };
        let taken = match told {
            Some(Discovery::NeighborSolicit(ask)) => self.on_neighbor_solicit(now, iface, header, ask, frame, out),
            Some(Discovery::NeighborAdvert(told)) => self.on_neighbor_advert(now, iface, header, told, frame, out),
            Some(Discovery::RouterSolicit(link)) => self.on_router_solicit(now, iface, header, link, frame, out),
            Some(Discovery::RouterAdvert(advert)) => self.on_router_advert(now, iface, header, &advert, frame, out),
            Some(Discovery::Redirect(redirect)) => self.on_redirect(now, iface, header, redirect, frame, out),
            None => Err(Invalid),
        };
        if taken.is_err() {
            self.counters6.icmp_in_errors += 1;
            drop_frame(frame, DropReason::Malformed, out);
        }
        self.rearm_v6();
    }

    fn on_neighbor_solicit(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        ask: NeighborSolicit,
        frame: &Frame,
        out: &mut Out<'_>,
    ) -> Result<(), Invalid> {
        let NeighborSolicit { target, source } = ask;
        let group = nd::solicited_node(target);
        // §7.1.1: "If the IP source address is the unspecified address, the IP destination address is a solicited-node
        // multicast address", and "there is no source link-layer address option".
        let wants_it = header.src.is_unspecified();
        if target.is_multicast() || wants_it && (source.is_some() || header.dst != group) {
            return Err(Invalid);
        }
        if self.is_tentative(iface, target) {
            // RFC 4862 §5.4.3: "If the source address … is the unspecified address, the solicitation is from a node
            // performing Duplicate Address Detection."
            if wants_it {
                self.duplicate(iface, target, cause_of(frame), out);
            }
            return Ok(());
        }
        if !self.interface(iface).has_v6(target) {
            return Ok(());
        }
        if let (false, Some(mac)) = (wants_it, source) {
            self.hear_link(now, iface, header.src, mac, frame, out);
        }
        let mac = self.interface(iface).mac;
        let event = out.trace.emit(Storey::Network, "nd.advertise", cause_of(frame), |f| {
            f.set("is", target).set("at", mac.0).set("to", header.src);
        });
        // §7.2.4: "If the source of the solicitation is the unspecified address, the node MUST set the Solicited flag to
        // zero and multicast the advertisement to the all-nodes address."
        let answer = Discovery::NeighborAdvert(NeighborAdvert {
            target,
            router: self.forwarding == Forwarding::On,
            solicited: !wants_it,
            overrides: true,
            link: Some(mac),
        });
        let to = if wants_it { nd::ALL_NODES } else { header.src };
        self.send_nd(now, iface, target, to, &answer, event, out);
        Ok(())
    }

    fn on_neighbor_advert(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        told: NeighborAdvert,
        frame: &Frame,
        out: &mut Out<'_>,
    ) -> Result<(), Invalid> {
        let NeighborAdvert { target, router, solicited, overrides, link } = told;
        // §7.1.2: "If the IP Destination Address is a multicast address the Solicited flag is zero."
        if target.is_multicast() || header.dst.is_multicast() && solicited {
            return Err(Invalid);
        }
        if self.is_tentative(iface, target) {
            // RFC 4862 §5.4.4: "the tentative address is not unique."
            self.duplicate(iface, target, cause_of(frame), out);
            return Ok(());
        }
        if self.interface(iface).has_v6(target) {
            out.trace.emit(Storey::Network, "dad.conflict", cause_of(frame), |f| {
                f.set("ip", target).set("why", "another node says that our address is its own");
            });
            return Ok(());
        }
        let told = Advertised { mac: link, solicited, overrides };
        if let Some(learned) = self.neighbors.advertised(now, iface, target.into(), told) {
            self.resolved(now, iface, target, learned, frame, out);
        }
        // §7.2.5: "If the Router flag is cleared … the node MUST remove that router from the Default Router List".
        if !router {
            self.forget_router(iface, target, "it is no router any more", out);
        }
        Ok(())
    }

    /// Somebody has told his link address beside what he said.
    pub(super) fn hear_link(
        &mut self,
        now: Instant,
        iface: Iface,
        addr: Ipv6Addr,
        mac: MacAddr,
        frame: &Frame,
        out: &mut Out<'_>,
    ) {
        if mac.is_multicast() || self.is_local(addr.into()) {
            return;
        }
        let learned = self.neighbors.heard(now, iface, addr.into(), mac);
        self.resolved(now, iface, addr, learned, frame, out);
    }

    /// Sends what waited for a link address that is known now.
    fn resolved(
        &mut self,
        now: Instant,
        iface: Iface,
        addr: Ipv6Addr,
        learned: Learned,
        frame: &Frame,
        out: &mut Out<'_>,
    ) {
        let Learned { asked: Some(asked), waiting } = learned else { return };
        let Some((_, mac)) = self.neighbors.get(now, iface, addr.into()) else { return };
        out.trace.emit(Storey::Network, "nd.resolved", cause_of(frame), |f| {
            f.set("ip", addr).set("mac", mac.0).set("after", now - asked).set("waiting", waiting.len());
        });
        for waiting in waiting {
            self.transmit_to(iface, mac, EtherType::IPV6, waiting.packet, out);
        }
    }

    /// Asks who has an address: everyone who may, or the one that is known whether he is still there.
    pub(in crate::ip) fn solicit_v6(&mut self, now: Instant, solicit: Solicit, target: Ipv6Addr, out: &mut Out<'_>) {
        let Solicit { iface, to, attempt, cause, .. } = solicit;
        let interface = self.interface(iface);
        // §7.2.2: "If the source address of the packet prompting the solicitation is the same as one of the addresses
        // assigned to the outgoing interface, that address SHOULD be placed in the IP Source Address".
        let prompting = self.neighbors.waits(iface, target.into());
        let prompting = prompting.and_then(|packet| Header::of_quote(packet.bytes()).ok()).map(|header| header.src);
        let own = || interface.link_local().or_else(|| interface.own_v6().next().map(|(addr, _)| addr));
        let Some(src) = prompting.filter(|&addr| interface.has_v6(addr)).or_else(own) else { return };
        let mac = interface.mac;
        let event = out.trace.emit(Storey::Network, "nd.solicit", cause, |f| {
            f.set("who-has", target).set("tell", src).set("attempt", attempt);
            f.set("why", if to.is_some() { "the entry is stale" } else { "no link address is known" });
        });
        self.neighbors.asked(iface, target.into(), event);
        let ask = Discovery::NeighborSolicit(NeighborSolicit { target, source: Some(mac) });
        let dst = if to.is_some() { target } else { nd::solicited_node(target) };
        self.send_nd(now, iface, src, dst, &ask, event, out);
    }

    /// Sends a message of neighbour discovery on a link.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn send_nd(
        &mut self,
        now: Instant,
        iface: Iface,
        src: Ipv6Addr,
        dst: Ipv6Addr,
        message: &Discovery,
        cause: EventId,
        out: &mut Out<'_>,
    ) {
        let mut frame = message.to_frame(src, dst);
        frame.checksums = Checksums::Good;
        frame.cause = cause;
        match message {
            Discovery::NeighborSolicit(_) => self.counters6.icmp_out_neighbor_solicits += 1,
            Discovery::NeighborAdvert(_) => self.counters6.icmp_out_neighbor_advertisements += 1,
            Discovery::RouterSolicit(_) => self.counters6.icmp_out_router_solicits += 1,
            Discovery::RouterAdvert(_) => self.counters6.icmp_out_router_advertisements += 1,
            Discovery::Redirect(_) => self.counters6.icmp_out_redirects += 1,
        }
        self.counters6.icmp_out_msgs += 1;
        self.counters6.out_requests += 1;
        let header = Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: frame.len() as u16,
            next_header: protocol::ICMPV6,
            hop_limit: nd::HOP_LIMIT,
            src,
            dst,
        };
        header.push(&mut frame);
        debug_assert!(frame.len() >= ipv6::HEADER_LEN);
        self.counters6.out_mcast_pkts += u64::from(dst.is_multicast());
        let way = self.on_link(iface, dst);
        self.transmit_v6(now, dst, way, frame, Origin::Local, out);
    }

    /// The next hop does not answer, and a router among several is no longer the first choice (RFC 4861 §6.3.6).
    pub(in crate::ip) fn neighbor_gone_v6(&mut self, iface: Iface, addr: IpAddr) {
        if let IpAddr::V6(addr) = addr {
            self.demote_router(iface, addr);
        }
    }
}

/// A message that RFC 4861 has us discard.
#[derive(Debug)]
pub(super) struct Invalid;
