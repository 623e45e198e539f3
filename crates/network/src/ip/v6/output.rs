//! Packets of IPv6 that go out: a way, a header, fragments where they must be, a link address.

use std::net::Ipv6Addr;

use septet_core::{DropReason, Frame, Instant, Out, Storey};
use septet_datalink::ethernet::{EtherType, MacAddr};

use super::layer::{Cut, Way, is_link_scoped};
use crate::fragment;
use crate::ip::told::{cause_of, drop_frame};
use crate::ip::ways::Kind;
use crate::ip::{DEFAULT_TTL, DontFragment, Ip, LOOPBACK_DELAY, LOOPBACK_MTU, Looped, Outgoing, SendError};
use crate::neighbor::{Origin, Output, Waiting};
use crate::route::{Iface, MtuLock, RouteMtu};
use septet_wire::ipv6::{self, Header};
use septet_wire::protocol;

/// A packet of this host that is about to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) dst: Ipv6Addr,
    pub(super) way: Way,
    /// The MTU for which it is cut into fragments, where it is.
    pub(super) cut: Option<u32>,
    pub(super) looped: Looped,
}

/// Where a header has its hop limit (RFC 8200 §3).
const HOP_LIMIT_AT: usize = 7;

impl Ip {
    pub(in crate::ip) fn send_v6(
        &mut self,
        now: Instant,
        to: &Outgoing,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        self.counters6.out_requests += 1;
        let way = self.way_v6(dst, to.by)?;
        let way = if way.spread { self.spread_sent(way, src, dst, to.protocol, frame.bytes()) } else { way };
        let src = if src.is_unspecified() { self.source_v6(&way, dst)? } else { src };
        let RouteMtu { bytes: mtu, lock } = self.fit_v6(now, &way, dst);
        // A super-segment is split at the port, into packets that its maker has sized.
        let fits = frame.len() + ipv6::HEADER_LEN <= mtu as usize || frame.segment_size != 0;
        let refuses = match to.dont_fragment {
            DontFragment::No | DontFragment::IfItFits => false,
            DontFragment::Yes => true,
            DontFragment::Discover => lock == MtuLock::Open,
        };
        if frame.len() > ipv6::MAX_PAYLOAD || !fits && refuses {
            self.counters6.out_discards += 1;
            return Err(SendError::MessageTooLong { mtu });
        }
        let header = Header {
            traffic_class: to.tos,
            flow_label: self.flow_label(src, dst, to.protocol, frame.bytes()),
            payload_len: frame.len() as u16,
            next_header: to.protocol,
            hop_limit: self.hop_limit(to.ttl, &way),
            src,
            dst,
        };
        header.push(&mut frame);
        let leaving = Leaving { dst, way, cut: (!fits).then_some(mtu), looped: to.looped };
        if self.filter.is_some() {
            return self.send_filtered_v6(now, leaving, frame, out);
        }
        Ok(self.launch_v6(now, leaving, frame, out))
    }

    /// Sends a packet of this host, which begins at its header, on its way.
    #[inline]
    pub(super) fn launch_v6(
        &mut self,
        now: Instant,
        Leaving { dst, way, cut, looped }: Leaving,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<Iface> {
        match way.kind {
            Kind::Local => {
                self.unwired.looped(frame.len());
                self.loopback.push(now + LOOPBACK_DELAY, frame);
                return None;
            }
            Kind::Multicast => {
                self.counters6.out_mcast_pkts += 1;
                // RFC 3493 §5.2, IPV6_MULTICAST_LOOP: looped back "by default" where the host itself is a member.
                if looped == Looped::ToMembers && self.is_member_v6(way.iface, dst) {
                    self.loopback.push(now + LOOPBACK_DELAY, frame.clone());
                }
                // Linux's `ip6_finish_output2`: what has no hop left must not go beyond the host.
                if frame.bytes().get(HOP_LIMIT_AT) == Some(&0) {
                    return None;
                }
            }
            _ => {}
        }
        match cut {
            None => self.transmit_v6(now, dst, way, frame, Origin::Local, out),
            Some(mtu) => {
                // RFC 7739 §5: identifications that nobody can guess.
                let ident = self.rng.next_u32();
                self.transmit_fragments_v6(now, dst, way, Cut { mtu, ident }, frame, out);
            }
        }
        Some(way.iface)
    }

    /// The hop limit: what a router advertised for the link takes the place of the default (RFC 4861 §6.3.4).
    fn hop_limit(&self, ttl: u8, way: &Way) -> u8 {
        let advertised = || self.interface(way.iface).v6.as_ref().and_then(|link| link.hop_limit);
        if ttl == DEFAULT_TTL && way.kind != Kind::Local { advertised().unwrap_or(ttl) } else { ttl }
    }

    /// RFC 6437 §3: a flow's packets share a label that tells nothing of it, "from an approximation to a discrete uniform
    /// distribution"; a flow is what shares addresses, protocol and ports. Linux labels so by default (`auto_flowlabels`).
    fn flow_label(&mut self, src: Ipv6Addr, dst: Ipv6Addr, protocol: u8, upper: &[u8]) -> u32 {
        let ports = match (protocol, upper.first_chunk::<4>()) {
            (protocol::TCP | protocol::UDP, Some(ports)) => u32::from_be_bytes(*ports),
            _ => return 0,
        };
        if self.v6.flow_key == 0 {
            self.v6.flow_key = u64::from(self.rng.next_u32()) << 32 | u64::from(self.rng.next_u32()) | 1;
        }
        let (src, dst) = (src.to_bits(), dst.to_bits());
        let words = [
            (src >> 64) as u64,
            src as u64,
            (dst >> 64) as u64,
            dst as u64,
            u64::from(ports) << 8 | u64::from(protocol),
        ];
        let hash = words.into_iter().fold(self.v6.flow_key, |hash, word| {
            let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^ mixed >> 29
        });
        // Zero says that there is no label.
        ((hash >> 44) as u32 & 0xf_ffff).max(1)
    }

    pub(in crate::ip) fn mtu_of_v6(&self, now: Instant, way: &Way, dst: Ipv6Addr) -> u32 {
        self.fit_v6(now, way, dst).bytes
    }

    /// What fits on a way to `dst`, and whether that is looked for.
    #[inline]
    fn fit_v6(&self, now: Instant, way: &Way, dst: Ipv6Addr) -> RouteMtu {
        match way.kind {
            Kind::Local => RouteMtu::open(LOOPBACK_MTU),
            _ => self.fit(now, self.interface(way.iface).mtu_v6(), dst.into()),
        }
    }

    /// Cuts a packet of this host's own: RFC 8200 §5, "fragmentation in IPv6 is performed only by source nodes"; or one again
    /// that came in fragments.
    pub(super) fn transmit_fragments_v6(
        &mut self,
        now: Instant,
        dst: Ipv6Addr,
        way: Way,
        Cut { mtu, ident }: Cut,
        mut packet: Frame,
        out: &mut Out<'_>,
    ) {
        packet.cause = out.trace.emit(Storey::Network, "ip.fragment", cause_of(&packet), |f| {
            f.set("dst", dst).set("bytes", packet.len()).set("mtu", mtu);
            f.set("why", "larger than the path's MTU");
        });
        let fragments: Vec<Frame> = fragment::v6::fragment(&packet, mtu as usize, ident).collect();
        if fragments.is_empty() {
            self.counters6.frag_fails += 1;
            return drop_frame(&packet, DropReason::Fragment, out);
        }
        self.counters6.frag_oks += 1;
        for fragment in fragments {
            self.counters6.frag_creates += 1;
            self.transmit_v6(now, dst, way, fragment, Origin::Local, out);
        }
    }

    /// Hands a packet that begins at its IP header to the link, once the next hop's link address is known.
    #[inline]
    pub(in crate::ip) fn transmit_v6(
        &mut self,
        now: Instant,
        dst: Ipv6Addr,
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
                        if !is_link_scoped(dst) {
                            let epoch = self.way_epoch();
                            self.v6.ways.set_neighbor(dst, epoch, id);
                        }
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
                            self.solicit_v6(now, solicit, way.next_hop, out);
                        }
                        return;
                    }
                }
            }
            Kind::Multicast => MacAddr::of_group(dst.into()),
            Kind::Broadcast | Kind::Local | Kind::Refused(_) | Kind::NoRoute => return,
        };
        self.transmit_to(way.iface, mac, EtherType::IPV6, packet, out);
    }
}
