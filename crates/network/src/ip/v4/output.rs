//! Datagrams of IPv4 that go out: a way, a header, fragments where they must be, a link address.

use std::net::{IpAddr, Ipv4Addr};

use septet_core::{DropReason, Frame, Instant, Out};
use septet_datalink::ethernet::{EtherType, MacAddr};

use super::Way;
use crate::ip::told::drop_frame;
use crate::ip::ways::Kind;
use crate::ip::{DontFragment, Ip, LOOPBACK_DELAY, LOOPBACK_MTU, Looped, Outgoing, SendError};
use crate::neighbor::{Origin, Output, Waiting};
use crate::route::{Iface, MtuLock, RouteMtu};
use septet_wire::ipv4::{self, Header};

/// A datagram of this host that is about to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) header: Header,
    pub(super) way: Way,
    /// The MTU for which it is cut into fragments, where it is.
    pub(super) cut: Option<u32>,
    pub(super) looped: Looped,
}

impl Ip {
    pub(in crate::ip) fn send_v4(
        &mut self,
        now: Instant,
        to: &Outgoing,
        ends: (Ipv4Addr, Ipv4Addr),
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        self.send_v4_with(now, to, ends, &[], frame, out)
    }

    /// The same with options, whose octets are a multiple of four.
    #[inline]
    pub(in crate::ip) fn send_v4_with(
        &mut self,
        now: Instant,
        to: &Outgoing,
        (src, dst): (Ipv4Addr, Ipv4Addr),
        options: &[u8],
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        self.counters.ip_out_requests += 1;
        let way = match to.by {
            Some(iface) if dst.is_multicast() => self.way_by(iface, dst)?,
            Some(iface) => self.way_over(iface, dst)?,
            None => self.way_out(dst)?,
        };
        let way = if way.spread { self.spread_sent(way, src, dst, to.protocol, frame.bytes()) } else { way };
        let src = if src.is_unspecified() { self.source_by(to.by, &way, dst)? } else { src };
        let header_len = ipv4::HEADER_LEN + options.len();
        let total = frame.len() + header_len;
        let RouteMtu { bytes: mtu, lock } = self.fit_v4(now, &way, dst);
        // A super-segment is split at the port, into packets that its maker has sized.
        let fits = total <= mtu as usize || frame.segment_size != 0;
        let (refuses, forbids) = match to.dont_fragment {
            DontFragment::No => (false, false),
            DontFragment::Yes => (true, true),
            // Linux's `ip_dont_fragment`: not on a way whose MTU is locked.
            DontFragment::IfItFits => (false, lock == MtuLock::Open),
            DontFragment::Discover => (lock == MtuLock::Open, lock == MtuLock::Open),
        };
        if total > ipv4::MAX_LEN || !fits && refuses {
            self.counters.ip_out_discards += 1;
            self.counters.ip_frag_fails += u64::from(total <= ipv4::MAX_LEN);
            return Err(SendError::MessageTooLong { mtu });
        }
        self.v4.ident = self.v4.ident.wrapping_add(1);
        let header = Header {
            tos: to.tos,
            total_len: total as u16,
            ident: self.v4.ident,
            dont_fragment: fits && forbids,
            more_fragments: false,
            fragment_offset: 0,
            ttl: to.ttl,
            protocol: to.protocol,
            src,
            dst,
            header_len: header_len as u8,
        };
        header.push_with(options, &mut frame);
        if !options.is_empty() {
            self.mark(now, src, frame.header_mut(header_len));
        }
        let leaving = Leaving { header, way, cut: (!fits).then_some(mtu), looped: to.looped };
        if self.filter.is_some() {
            return self.send_filtered(now, leaving, frame, out);
        }
        Ok(self.launch(now, leaving, frame, out))
    }

    /// Sends a datagram of this host, which begins at its header, on its way.
    #[inline]
    pub(super) fn launch(
        &mut self,
        now: Instant,
        Leaving { header, way, cut, looped }: Leaving,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<Iface> {
        let dst = header.dst;
        match way.kind {
            Kind::Local => {
                self.unwired.looped(frame.len());
                self.loopback.push(now + LOOPBACK_DELAY, frame);
                return None;
            }
            Kind::Broadcast => {
                self.counters.ip_out_bcast_pkts += 1;
                self.loopback.push(now + LOOPBACK_DELAY, frame.clone());
            }
            Kind::Multicast => {
                self.counters.ip_out_mcast_pkts += 1;
                // RFC 1112 §6.1: a datagram is looped back where the host itself is a member on that interface.
                if looped == Looped::ToMembers && self.is_member(way.iface, dst.into()) {
                    self.loopback.push(now + LOOPBACK_DELAY, frame.clone());
                }
                // Linux's `ip_mc_output`: "Multicasts with ttl 0 must not go beyond the host".
                if header.ttl == 0 {
                    return None;
                }
            }
            Kind::Unicast | Kind::Refused(_) | Kind::NoRoute => {}
        }
        match cut {
            None => self.transmit(now, dst, way, frame, Origin::Local, out),
            Some(mtu) => self.transmit_fragments(now, header, way, mtu, frame, Origin::Local, out),
        }
        Some(way.iface)
    }

    pub(in crate::ip) fn way_out(&mut self, dst: Ipv4Addr) -> Result<Way, SendError> {
        let way = self.way(dst);
        match way.kind {
            Kind::NoRoute => {
                self.counters.ip_out_no_routes += 1;
                Err(SendError::NetworkUnreachable)
            }
            Kind::Refused(refused) => Err(refused.into()),
            _ => Ok(way),
        }
    }

    pub(in crate::ip) fn source(&self, way: &Way, dst: Ipv4Addr) -> Result<Ipv4Addr, SendError> {
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

    pub(in crate::ip) fn mtu_of(&self, now: Instant, way: &Way, dst: Ipv4Addr) -> u32 {
        self.fit_v4(now, way, dst).bytes
    }

    /// What fits on a way to `dst`, and whether that is looked for.
    #[inline]
    fn fit_v4(&self, now: Instant, way: &Way, dst: Ipv4Addr) -> RouteMtu {
        match way.kind {
            Kind::Local => RouteMtu::open(LOOPBACK_MTU),
            _ => self.fit(now, self.interfaces[usize::from(way.iface)].mtu, dst.into()),
        }
    }

    /// Hands a packet that begins at its IP header to the link, once the next hop's link address is known.
    #[inline]
    pub(in crate::ip) fn transmit(
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
                        let epoch = self.way_epoch();
                        self.v4.ways.set_neighbor(dst, epoch, id);
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
            Kind::Multicast => MacAddr::of_group(dst.into()),
            Kind::Local | Kind::Refused(_) | Kind::NoRoute => return,
        };
        self.transmit_to(way.iface, mac, EtherType::IPV4, packet, out);
    }
}
