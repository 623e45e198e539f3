//! Datagrams to groups that a router passes on, each once by each interface.

use std::net::IpAddr;

use septet_core::{DropReason, EventId, Frame, Instant, Out, Storey};

use super::told::{cause_of, drop_frame};
use super::v4::layer::Way;
use super::v6::layer::is_link_scoped;
use super::ways::Kind;
use super::{Cast, Ip};
use crate::addr::Cidr;
use crate::membership::Family;
use crate::multicast::{Multicast, MulticastTarget, ToMembers};
use crate::neighbor::Origin;
use crate::route::Iface;
use septet_wire::Trouble;
use septet_wire::ipv4::{self, Header};
use septet_wire::ipv6;

impl Ip {
    /// What the router does about multicast from now on.
    pub fn set_multicast(&mut self, now: Instant, multicast: Multicast) {
        if let Some(settings) = multicast.querier.as_deref() {
            for iface in 0..self.interfaces.len() as Iface {
                for family in [Family::V4, Family::V6] {
                    let speaks = |a: &Cidr| Family::of(a.addr()) == family;
                    if self.interfaces[usize::from(iface)].addresses.iter().any(speaks) {
                        self.ask_for_members(now, iface, family, *settings).expect("the interface is there");
                    }
                }
            }
        }
        self.multicast = multicast.routes.into();
    }

    /// The interfaces by which what `source` sends to `group`, and what came in on `iface` with this time to live, leaves.
    ///
    /// # Errors
    /// It goes nowhere, or it came in elsewhere than on the way to its source: then the interface where it should have.
    fn multicast_ways(
        &self,
        iface: Iface,
        (source, group): (IpAddr, IpAddr),
        ttl: u8,
        reverse: Option<Iface>,
    ) -> Result<Vec<Iface>, Option<Iface>> {
        let route = self.multicast.iter().find(|route| route.fits(source, group)).ok_or(None)?;
        let expected = route.from.or(reverse);
        if expected != Some(iface) {
            return Err(expected);
        }
        let mut leaves: Vec<Iface> = Vec::new();
        for MulticastTarget { iface: by, threshold } in &route.to {
            if ttl >= *threshold && *by != iface && !leaves.contains(by) {
                leaves.push(*by);
            }
        }
        if let ToMembers::Yes { threshold } = route.members
            && ttl >= threshold
        {
            let wanted = |by: &Iface| self.interfaces[usize::from(*by)].groups.wanted(group, source);
            let links = (0..self.interfaces.len() as Iface).filter(|by| *by != iface && !leaves.contains(by));
            let members: Vec<Iface> = links.filter(wanted).collect();
            leaves.extend(members);
        }
        Ok(leaves)
    }

    /// Where a datagram that came in on `iface` goes on to, and the event that says so; nowhere where no route says so, or where it
    /// came in elsewhere than it should have.
    fn multicast_leaves(
        &self,
        iface: Iface,
        (source, group): (IpAddr, IpAddr),
        ttl: u8,
        reverse: Option<Iface>,
        frame: &Frame,
        out: &mut Out<'_>,
    ) -> Option<(Vec<Iface>, EventId)> {
        let ways = match self.multicast_ways(iface, (source, group), ttl, reverse) {
            Ok(ways) => ways,
            Err(None) => return None,
            Err(Some(expected)) => {
                out.trace.emit(Storey::Network, "multicast.drop", cause_of(frame), |f| {
                    f.set("src", source).set("group", group).set("iface", iface).set("frame", frame.id);
                    f.set("expected", expected).set("why", "it did not come in where the way to its source leads");
                });
                return None;
            }
        };
        if ways.is_empty() {
            return None;
        }
        let event = out.trace.emit(Storey::Network, "multicast.forward", cause_of(frame), |f| {
            let by: Vec<String> = ways.iter().map(|by| format!("eth{by}")).collect();
            f.set("src", source).set("group", group).set("from", format!("eth{iface}")).set("to", by.join(", "));
        });
        Some((ways, event))
    }

    /// Passes a datagram to a group on, where a route says so.
    pub(super) fn forward_multicast(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        frame: &Frame,
        out: &mut Out<'_>,
    ) {
        // RFC 5771 §4: what is for 224.0.0.0/24 "is not forwarded off-link". RFC 1112 §7.2: neither is what comes with its last
        // hop, and "no ICMP Time Exceeded message is sent".
        if self.multicast.is_empty() || matches!(header.dst.octets(), [224, 0, 0, _]) || header.ttl <= 1 {
            return;
        }
        let back = self.way(header.src);
        let reverse = (back.kind == Kind::Unicast).then_some(back.iface);
        let (source, group) = (header.src.into(), header.dst.into());
        let Some((ways, event)) = self.multicast_leaves(iface, (source, group), header.ttl, reverse, frame, out) else {
            return;
        };
        let mut frame = frame.clone();
        frame.cause = event;
        ipv4::decrement_ttl(frame.header_mut(ipv4::HEADER_LEN));
        for by in ways {
            self.pass_on(now, by, header, frame.clone(), out);
        }
    }

    fn pass_on(&mut self, now: Instant, by: Iface, header: &Header, frame: Frame, out: &mut Out<'_>) {
        let way = Way::new(Kind::Multicast, by, header.dst);
        let mtu = self.interfaces[usize::from(by)].mtu;
        self.counters.ip_forw_datagrams += 1;
        self.counters.ip_out_mcast_pkts += 1;
        if u32::from(header.total_len) <= mtu {
            self.transmit(now, header.dst, way, frame, Origin::Forwarded, out);
        } else if header.dont_fragment {
            // RFC 1112 §7.2: no ICMP error answers a datagram to a group.
            self.counters.ip_frag_fails += 1;
            drop_frame(&frame, DropReason::TooBig, out);
        } else {
            self.transmit_fragments(now, *header, way, mtu, frame, Origin::Forwarded, out);
        }
    }

    /// The same of IPv6, whose groups say by their scope how far they reach (RFC 4291 §2.7).
    pub(super) fn forward_multicast_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &ipv6::Header,
        frame: &Frame,
        out: &mut Out<'_>,
    ) {
        if self.multicast.is_empty() || is_link_scoped(header.dst) || is_link_scoped(header.src) {
            return;
        }
        if header.hop_limit <= 1 || header.src.is_unspecified() {
            return;
        }
        let back = self.find_v6(header.src);
        let reverse = (back.kind == Kind::Unicast).then_some(back.iface);
        let (source, group) = (header.src.into(), header.dst.into());
        let leaves = self.multicast_leaves(iface, (source, group), header.hop_limit, reverse, frame, out);
        let Some((ways, event)) = leaves else { return };
        let mut frame = frame.clone();
        frame.cause = event;
        frame.header_mut(ipv6::HEADER_LEN)[ipv6::HOP_LIMIT_AT] = header.hop_limit - 1;
        for by in ways {
            let mtu = self.interfaces[usize::from(by)].mtu;
            if frame.len() > mtu as usize {
                self.counters6.in_too_big_errors += 1;
                drop_frame(&frame, DropReason::TooBig, out);
                // RFC 8200 §5: no router cuts; RFC 4443 §2.4 (e.3) lets it say so of what is for a group too.
                self.report_v6(now, Trouble::TooBig { mtu }, &frame, Cast::Multicast, out);
                continue;
            }
            self.counters6.out_forw_datagrams += 1;
            self.counters6.out_mcast_pkts += 1;
            let way = super::ways::Way::new(Kind::Multicast, by, header.dst);
            self.transmit_v6(now, header.dst, way, frame.clone(), Origin::Forwarded, out);
        }
    }
}
