//! Packets of IPv6 that come in: checked, delivered, or passed on.

use std::net::Ipv6Addr;

use septet_core::{DropReason, Frame, Instant, Out};
use septet_datalink::ethernet::EtherType;

use super::deliver::Arrival;
use super::{Way, is_link_scoped};
use crate::forwarding::Forwarding;
use crate::ip::told::drop_frame;
use crate::ip::ways::Kind;
use crate::ip::{Aftermath, Cast, Ip, offload};
use crate::neighbor::Origin;
use crate::route::Iface;
use septet_wire::Trouble;
use septet_wire::extension::next;
use septet_wire::ipv6::{self, Header};

impl Ip {
    /// Takes a packet that came in: `frame` begins at its IPv6 header, and the link addressed it to `cast`.
    #[inline]
    pub fn receive_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        cast: Cast,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Aftermath {
        self.counters6.in_receives += 1;
        let header = match Header::parse(frame.bytes()) {
            Ok(header) => header,
            Err(why) => {
                let cut = Header::of_quote(frame.bytes()).is_ok();
                self.counters6.in_truncated_pkts += u64::from(cut);
                self.counters6.in_hdr_errors += u64::from(!cut);
                drop_frame(&frame, why, out);
                return Aftermath::Some;
            }
        };
        // RFC 2675 §2: without a length in the header, an option of what follows may say it.
        let looks_first = header.payload_len == 0 && header.next_header == next::HOP_BY_HOP;
        if !looks_first {
            frame.truncate(ipv6::HEADER_LEN + usize::from(header.payload_len));
        }
        // RFC 8200 §4: the Hop-by-Hop Options header is what every node on the way looks at.
        if header.next_header == next::HOP_BY_HOP {
            let at = Arrival::on(iface, cast);
            if self.options(now, at, &header, &frame, ipv6::HEADER_LEN, out).is_none() {
                return Aftermath::Some;
            }
            frame.truncate(ipv6::HEADER_LEN + usize::from(header.payload_len));
        }
        if self.filter.is_some() {
            self.receive_filtered_v6(now, iface, cast, header, frame, out);
            return Aftermath::Some;
        }
        self.receive_checked_v6(now, iface, cast, header, frame, out)
    }

    /// Finds out where a packet goes.
    #[inline]
    pub(super) fn receive_checked_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        cast: Cast,
        header: Header,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Aftermath {
        let way = if self.owns_v6(iface, &header) { Way::LOCAL } else { self.find_v6(header.dst) };
        if way.kind == Kind::Unicast && cast == Cast::Unicast {
            return self.forward_v6(now, iface, &header, way, frame, out);
        }
        self.receive_other_v6(now, iface, cast, header, way, frame, out);
        Aftermath::Some
    }

    /// Whether a packet is for the first address of an interface, to which most are that are for a host.
    #[inline]
    fn owns_v6(&self, iface: Iface, header: &Header) -> bool {
        self.interface(iface).addresses.first().is_some_and(|own| own.addr() == header.dst)
    }

    #[allow(clippy::too_many_arguments)]
    fn receive_other_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        cast: Cast,
        header: Header,
        way: Way,
        frame: Frame,
        out: &mut Out<'_>,
    ) {
        let to_group = header.dst.is_multicast();
        // RFC 4291 §2.5.6: what is of a link is of the one that it came from.
        let back = if is_link_scoped(header.src) { self.on_link(iface, header.src) } else { self.find_v6(header.src) };
        let own = match back.kind {
            Kind::Unicast | Kind::NoRoute if is_link_scoped(header.src) => self.interface(iface).has_v6(header.src),
            kind => kind == Kind::Local,
        };
        // RFC 4291 §2.7: "Multicast addresses must not be used as source addresses"; §2.5.3: the loopback address "must not
        // be used as the source address in IPv6 packets that are sent outside of a single node"; §2.5.2 of the unspecified
        // one, "An IPv6 packet with a source address of unspecified must never be forwarded", and nobody can answer it.
        // §2.7: groups of the scopes 0 and 1 never come from a link.
        let martian = header.src.is_multicast()
            || header.src.is_loopback()
            || header.dst.is_loopback()
            || header.dst.is_unspecified()
            || header.src.is_unspecified() && !to_group
            || to_group && header.dst.octets()[1] & 0x0f <= 1
            || own;
        if martian {
            self.counters6.in_addr_errors += 1;
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        if to_group {
            self.counters6.in_mcast_pkts += 1;
            self.forward_multicast_v6(now, iface, &header, &frame, out);
            // MLD, which a router must hear of every group, begins with an alert for routers.
            let alerts = header.next_header == next::HOP_BY_HOP && self.hears(iface, header.dst.into());
            if alerts || self.is_member_v6(iface, header.dst) {
                self.deliver_v6(now, Arrival::on(iface, Cast::Multicast), header, frame, out);
            } else if header.next_header != next::HOP_BY_HOP {
                self.hear_stray(now, iface, header.dst.into());
            }
            return;
        }
        match way.kind {
            // RFC 1122 §3.3.6 says for IPv4 what holds here too: what the link sent to many is not for one.
            _ if cast != Cast::Unicast => {
                self.counters6.in_discards += 1;
                drop_frame(&frame, DropReason::NotForUs, out);
            }
            Kind::Local => {
                let mtu_back = (back.kind == Kind::Unicast).then(|| self.mtu_of_v6(now, &back, header.src));
                self.deliver_v6(now, Arrival { mtu_back, ..Arrival::on(iface, Cast::Unicast) }, header, frame, out);
            }
            _ if self.forwarding == Forwarding::Off => {
                self.counters6.in_addr_errors += 1;
                drop_frame(&frame, DropReason::NotForUs, out);
            }
            _ => {
                self.counters6.in_no_routes += 1;
                drop_frame(&frame, DropReason::NoRoute, out);
                let trouble = match way.kind {
                    Kind::Refused(refused) => refused.trouble_v6(),
                    _ => Some(Trouble::NoRoute),
                };
                if let Some(trouble) = trouble {
                    self.report_v6(now, trouble, &frame, cast, out);
                }
            }
        }
    }

    /// Passes a packet on: one way found, one neighbour, the hop limit lowered in place.
    #[inline]
    fn forward_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        way: Way,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Aftermath {
        // What nearly every packet is that is passed on; for the others each question is asked by itself below.
        if self.forwarding == Forwarding::On
            && self.filter.is_none()
            && self.paths.is_none()
            && way.iface != iface
            && header.hop_limit > 1
            && frame.len() <= self.interface(way.iface).mtu_v6() as usize
            && header.next_header != next::HOP_BY_HOP
            && may_be_passed_on(header)
            && let Some(id) = way.neighbor
            && let Some(mac) = self.neighbors.known(now, id)
        {
            self.counters6.out_forw_datagrams += 1;
            frame.header_mut(ipv6::HEADER_LEN)[ipv6::HOP_LIMIT_AT] = header.hop_limit - 1;
            self.put(way.iface, mac, EtherType::IPV6, frame, out);
            return Aftermath::None;
        }
        self.forward_other_v6(now, iface, header, way, frame, out);
        Aftermath::Some
    }

    #[inline(never)]
    fn forward_other_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        way: Way,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        if self.forwarding == Forwarding::Off {
            self.counters6.in_addr_errors += 1;
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        // RFC 4291 §2.5.6: "Routers must not forward any packets with Link-Local source or destination addresses to other
        // links."
        let (src, dst) = (header.src, header.dst);
        if src.is_multicast() || src.is_loopback() || src.is_unspecified() || dst.is_unicast_link_local() {
            self.counters6.in_addr_errors += 1;
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        if src.is_unicast_link_local() && way.iface != iface {
            self.counters6.in_addr_errors += 1;
            drop_frame(&frame, DropReason::NotForUs, out);
            return self.report_v6(now, Trouble::BeyondScope, &frame, Cast::Unicast, out);
        }
        if header.hop_limit <= 1 {
            self.counters6.in_hdr_errors += 1;
            drop_frame(&frame, DropReason::Ttl, out);
            return self.report_v6(now, Trouble::HopLimit, &frame, Cast::Unicast, out);
        }
        let way = if way.spread { self.spread_forwarded(way, dst, &frame) } else { way };
        if way.iface == iface {
            self.redirect_v6(now, iface, header, &way, &frame, out);
        }
        if self.filter.is_some() {
            return self.forward_filtered_v6(now, iface, header, way, frame, out);
        }
        let mtu = self.fit_forwarded(self.interface(way.iface).mtu_v6(), dst.into()).bytes;
        if frame.len() > mtu as usize && offload::packet_len_v6(&frame, header) > mtu {
            // RFC 8200 §5: no router cuts; it says how much fits.
            self.counters6.in_too_big_errors += 1;
            self.counters6.frag_fails += 1;
            drop_frame(&frame, DropReason::TooBig, out);
            return self.report_v6(now, Trouble::TooBig { mtu }, &frame, Cast::Unicast, out);
        }
        self.counters6.out_forw_datagrams += 1;
        frame.header_mut(ipv6::HEADER_LEN)[ipv6::HOP_LIMIT_AT] = header.hop_limit - 1;
        self.transmit_v6(now, dst, way, frame, Origin::Forwarded, out);
    }
}

/// Whether nothing about its addresses keeps a packet from other links than its own (RFC 4291 §2.5.2, §2.5.3, §2.5.6, §2.7).
#[inline]
fn may_be_passed_on(header: &Header) -> bool {
    let of_someone = |addr: Ipv6Addr| !addr.is_multicast() && !addr.is_unicast_link_local();
    // The unspecified address and the loopback address are zero and one.
    of_someone(header.src) && header.src.to_bits() > 1 && of_someone(header.dst)
}
