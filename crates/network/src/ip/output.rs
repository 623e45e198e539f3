//! Datagrams that go out: a way, a header, fragments where they must be, a link address.

use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Carrier, DropReason, EventId, Frame, Instant, Out, Storey};
use septet_datalink::ethernet::{EtherType, Header as LinkHeader, MacAddr};
use septet_datalink::vlan::{self, Tag};

use super::told::drop_frame;
use super::{DontFragment, Interface, Ip, Kind, LOOPBACK_DELAY, LOOPBACK_MTU, Outgoing, SendError, Way, offload};
use crate::neighbor::{Origin, Output, Waiting};
use crate::route::Iface;
use septet_wire::ipv4::{self, Header};
use septet_wire::ipv6;

impl Ip {
    /// Sends a datagram of this host: `frame` holds what it carries. Gives the interface that it leaves by; `None` where it
    /// stays in the host.
    ///
    /// # Errors
    /// No way there, or too large.
    pub fn send(
        &mut self,
        now: Instant,
        to: &Outgoing,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        self.counters.ip_out_requests += 1;
        let (src, dst) = match (to.src, to.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => (src, dst),
            (IpAddr::V6(src), IpAddr::V6(dst)) => return self.send_v6(now, to, (src, dst), frame, out),
            _ => {
                self.counters.ip_out_no_routes += 1;
                return Err(SendError::NetworkUnreachable);
            }
        };
        let way = self.way_out(dst)?;
        let src = if src.is_unspecified() { self.source(&way, dst)? } else { src };
        let total = frame.len() + ipv4::HEADER_LEN;
        let mtu = self.mtu_of(now, &way, dst);
        // A super-segment is split at the port, into packets that its maker has sized.
        let fits = total <= mtu as usize || frame.segment_size != 0;
        if total > ipv4::MAX_LEN || (!fits && to.dont_fragment == DontFragment::Yes) {
            self.counters.ip_out_discards += 1;
            self.counters.ip_frag_fails += u64::from(total <= ipv4::MAX_LEN);
            return Err(SendError::MessageTooLong { mtu });
        }
        self.ident = self.ident.wrapping_add(1);
        let header = Header {
            tos: to.tos,
            total_len: total as u16,
            ident: self.ident,
            dont_fragment: fits && to.dont_fragment != DontFragment::No,
            more_fragments: false,
            fragment_offset: 0,
            ttl: to.ttl,
            protocol: to.protocol,
            src,
            dst,
            header_len: ipv4::HEADER_LEN as u8,
        };
        header.push(&mut frame);
        match way.kind {
            Kind::Local => {
                self.loopback.push_back((now + LOOPBACK_DELAY, frame));
                return Ok(None);
            }
            Kind::Broadcast => {
                self.counters.ip_out_bcast_pkts += 1;
                self.loopback.push_back((now + LOOPBACK_DELAY, frame.clone()));
            }
            Kind::Multicast => {
                self.counters.ip_out_mcast_pkts += 1;
                // RFC 1112 §6.1: a datagram is looped back where the host itself is a member on that interface.
                if self.is_member(way.iface, dst) {
                    self.loopback.push_back((now + LOOPBACK_DELAY, frame.clone()));
                }
            }
            Kind::Unicast | Kind::Unreachable | Kind::NoRoute => {}
        }
        if fits {
            self.transmit(now, dst, way, frame, Origin::Local, out);
        } else {
            self.transmit_fragments(now, header, way, mtu, frame, Origin::Local, out);
        }
        Ok(Some(way.iface))
    }

    /// The source address that a datagram to `dst` gets.
    ///
    /// # Errors
    /// No way there.
    pub fn source_for(&mut self, dst: IpAddr) -> Result<IpAddr, SendError> {
        self.origin_for(dst).map(|(source, _)| source)
    }

    /// The source address that a datagram to `dst` gets, and the interface that it leaves by; `None` where it stays in the
    /// host.
    ///
    /// # Errors
    /// No way there.
    pub fn origin_for(&mut self, dst: IpAddr) -> Result<(IpAddr, Option<Iface>), SendError> {
        match dst {
            IpAddr::V4(dst) => {
                let way = self.way_out(dst)?;
                let iface = (way.kind != Kind::Local).then_some(way.iface);
                Ok((self.source(&way, dst)?.into(), iface))
            }
            IpAddr::V6(dst) => {
                let way = self.way_v6(dst)?;
                Ok((self.source_v6(way, dst)?.into(), way.iface()))
            }
        }
    }

    /// The largest datagram that reaches `dst` whole, as far as is known.
    ///
    /// # Errors
    /// No way there.
    pub fn mtu_to(&mut self, now: Instant, dst: IpAddr) -> Result<u32, SendError> {
        match dst {
            IpAddr::V4(dst) => {
                let way = self.way_out(dst)?;
                Ok(self.mtu_of(now, &way, dst))
            }
            IpAddr::V6(dst) => {
                let way = self.way_v6(dst)?;
                Ok(self.mtu_of_v6(now, way, dst))
            }
        }
    }

    /// Refuses what of `len` octets beyond the IP header would be cut on its way to `dst`, as far as is known.
    ///
    /// # Errors
    /// `MessageTooLong`, or no way there.
    pub fn must_fit(&mut self, now: Instant, dst: IpAddr, len: usize) -> Result<(), SendError> {
        let mtu = self.mtu_to(now, dst)?;
        let header = if dst.is_ipv4() { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
        if len + header > mtu as usize { Err(SendError::MessageTooLong { mtu }) } else { Ok(()) }
    }

    /// The interface that datagrams to `dst` leave by; `None` where they stay in the host.
    ///
    /// # Errors
    /// No way there.
    #[inline]
    pub fn iface_to(&mut self, dst: IpAddr) -> Result<Option<Iface>, SendError> {
        match dst {
            IpAddr::V4(dst) => {
                let way = self.way_out(dst)?;
                Ok((way.kind != Kind::Local).then_some(way.iface))
            }
            IpAddr::V6(dst) => Ok(self.way_v6(dst)?.iface()),
        }
    }

    /// A storey above has proof that the next hop towards `dst` lives: RFC 4861 §7.3.1's forward progress.
    pub fn confirm(&mut self, now: Instant, dst: IpAddr) {
        let IpAddr::V4(dst) = dst else { return };
        if let Way { kind: Kind::Unicast, neighbor: Some(id), .. } = self.way(dst) {
            self.neighbors.confirm(now, id);
        }
    }

    fn way_out(&mut self, dst: Ipv4Addr) -> Result<Way, SendError> {
        let way = self.way(dst);
        match way.kind {
            Kind::NoRoute => {
                self.counters.ip_out_no_routes += 1;
                Err(SendError::NetworkUnreachable)
            }
            Kind::Unreachable => Err(SendError::HostUnreachable),
            _ => Ok(way),
        }
    }

    pub(super) fn source(&self, way: &Way, dst: Ipv4Addr) -> Result<Ipv4Addr, SendError> {
        if way.kind == Kind::Local {
            return Ok(dst);
        }
        let v4 = || {
            self.interfaces[usize::from(way.iface)].addresses.iter().filter_map(|a| match a.addr() {
                IpAddr::V4(addr) => Some((addr, a.prefix())),
                IpAddr::V6(_) => None,
            })
        };
        let near = v4().find(|(_, prefix)| prefix.contains(way.next_hop.into()));
        near.or_else(|| v4().next()).map(|(addr, _)| addr).ok_or(SendError::NetworkUnreachable)
    }

    pub(super) fn mtu_of(&self, now: Instant, way: &Way, dst: Ipv4Addr) -> u32 {
        if way.kind == Kind::Local {
            return LOOPBACK_MTU;
        }
        let link = self.interfaces[usize::from(way.iface)].mtu;
        if self.path_mtu.is_empty() {
            return link;
        }
        match self.path_mtu.get(&IpAddr::V4(dst)) {
            Some(&(mtu, until)) if now < until => mtu.min(link),
            _ => link,
        }
    }

    /// Hands a packet that begins at its IP header to the link, once the next hop's link address is known.
    #[inline]
    pub(super) fn transmit(
        &mut self,
        now: Instant,
        dst: Ipv4Addr,
        way: Way,
        packet: Frame,
        origin: Origin,
        out: &mut Out<'_>,
    ) {
        let mac = match way.kind {
            Kind::Unicast => {
                let id = match way.neighbor {
                    Some(id) => id,
                    None => {
                        let id = self.neighbors.entry(now, way.iface, way.next_hop.into());
                        self.set_neighbor(dst, id);
                        id
                    }
                };
                match self.neighbors.output(now, id, packet.cause) {
                    Output::Send(mac) => mac,
                    Output::Wait(solicit) => {
                        if let Some(dropped) = self.neighbors.enqueue(id, Waiting { packet, origin }) {
                            self.counters.arp_unresolved_discards += 1;
                            drop_frame(&dropped.packet, DropReason::NeighborQueue, out);
                        }
                        if let Some(solicit) = solicit {
                            self.solicit(solicit, out);
                        }
                        return;
                    }
                }
            }
            Kind::Broadcast => MacAddr([0xff; 6]),
            Kind::Multicast => multicast_mac(dst),
            Kind::Local | Kind::Unreachable | Kind::NoRoute => return,
        };
        self.transmit_to(way.iface, mac, packet, out);
    }

    /// Hands a packet to the link, addressed to `mac`.
    #[inline]
    pub(super) fn transmit_to(&mut self, iface: Iface, mac: MacAddr, packet: Frame, out: &mut Out<'_>) {
        if packet.segment_size != 0 && !out.carries_super_segments(self.port_of(iface)) {
            for segment in offload::split(&packet) {
                self.transmit_to(iface, mac, segment, out);
            }
            return;
        }
        let interface = &self.interfaces[usize::from(iface)];
        if interface.carrier == Carrier::Down {
            self.counters.ip_out_discards += 1;
            return drop_frame(&packet, DropReason::Carrier, out);
        }
        interface.send(mac, EtherType::IPV4, packet, out);
    }

    /// Counts and traces an echo request of this host, and gives the event that is its cause.
    pub fn trace_echo(&mut self, dst: IpAddr, seq: u16, cause: EventId, trace: &mut septet_core::Trace) -> EventId {
        self.counters.icmp_out_msgs += 1;
        self.counters.icmp_out_echos += 1;
        trace.emit(Storey::Network, "icmp.echo-request", cause, |f| {
            f.set("to", dst).set("seq", seq);
        })
    }
}

impl Interface {
    /// Puts a frame for `to` on the link.
    #[inline]
    pub(super) fn send(&self, to: MacAddr, ether_type: EtherType, mut frame: Frame, out: &mut Out<'_>) {
        LinkHeader { destination: to, source: self.mac, ether_type }.push(&mut frame);
        if let Some(vlan) = self.vlan {
            vlan::push(&mut frame, Tag::new(vlan));
        }
        out.send(self.port, frame);
    }
}

/// RFC 1112 §6.4: "placing the low-order 23-bits of the IP address into the low-order 23 bits of the Ethernet multicast
/// address 01-00-5E-00-00-00".
fn multicast_mac(group: Ipv4Addr) -> MacAddr {
    let [_, b, c, d] = group.octets();
    MacAddr([0x01, 0x00, 0x5e, b & 0x7f, c, d])
}
