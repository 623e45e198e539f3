//! Multicast groups of a host and of the links of a router, and what IGMP and MLD say about them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use core::time::Duration;
use septet_core::{Carrier, Checksums, DropReason, EventId, Frame, Instant, Out, Storey};
use septet_datalink::ethernet::{EtherType, MacAddr};

use super::config::ConfigError;
use super::members::Kept;
use super::outgoing::SendError;
use super::state::Ip;
use super::told::drop_frame;
use super::v4::layer::Way;
use super::ways::Kind;
use crate::membership::{Family, Filter, Memberships, Message, News, Querier, Settings};
use crate::neighbor::Origin;
use crate::route::Iface;
use septet_wire::ipv4::{Header, protocol};
use septet_wire::{icmpv6, igmp, ipv6, mld};

/// Groups left that are remembered.
const LEFT: usize = 64;

impl Ip {
    /// Takes part in a group on an interface, whoever sends: its datagrams go up from now on. The routers are told when
    /// [`on_deadline`](Self::on_deadline) is next called, which [`deadline`](Self::deadline) then wants at once.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn join(&mut self, now: Instant, iface: Iface, group: IpAddr) -> Result<(), ConfigError> {
        self.refilter(now, iface, group, &Filter::NONE, &Filter::ALL)
    }

    /// Takes back one [`join`](Self::join).
    pub fn leave(&mut self, now: Instant, iface: Iface, group: IpAddr) {
        // Of an interface that is gone there is nothing to leave.
        let _ = self.refilter(now, iface, group, &Filter::ALL, &Filter::NONE);
    }

    /// A member of a group wants its datagrams from others than before: [`Filter::NONE`] is no membership.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn refilter(
        &mut self,
        now: Instant,
        iface: Iface,
        group: IpAddr,
        from: &Filter,
        to: &Filter,
    ) -> Result<(), ConfigError> {
        let interface = self.interfaces.get_mut(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        let family = Family::of(group);
        let Kept { own, left, .. } = interface.groups.made();
        let own = own.of_mut(family).get_or_insert_with(|| Box::new(Memberships::new(family)));
        own.refilter(now, group, from, to);
        if own.contains(group) {
            left.remove(&group);
        } else if left.len() < LEFT || left.contains_key(&group) {
            left.insert(group, (now, None));
        }
        self.next_report();
        Ok(())
    }

    /// Asks from now on who on the link of an interface is a member of which group, as a router does.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn ask_for_members(
        &mut self,
        now: Instant,
        iface: Iface,
        family: Family,
        settings: Settings,
    ) -> Result<(), ConfigError> {
        let interface = self.interfaces.get_mut(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        *interface.groups.made().others.of_mut(family) = Some(Box::new(Querier::new(family, settings, now)));
        self.next_report();
        Ok(())
    }

    /// The groups that this host is in, for `ip maddress`: where, and from whom it wants their datagrams.
    pub fn groups(&self) -> impl Iterator<Item = (Iface, IpAddr, Filter)> {
        let interfaces = (0..).zip(&self.interfaces);
        interfaces.flat_map(|(iface, i)| {
            let own = i.groups.kept().into_iter().flat_map(|kept| kept.own.all());
            own.flat_map(Memberships::iter).map(move |(group, filter)| (iface, group, filter))
        })
    }

    /// The groups in which others on the link of an interface are, as a router knows them.
    pub fn members(&self, iface: Iface) -> impl Iterator<Item = IpAddr> {
        self.interfaces
            .get(usize::from(iface))
            .into_iter()
            .filter_map(|i| i.groups.kept())
            .flat_map(|kept| kept.others.all())
            .flat_map(Querier::groups)
    }

    /// Whether `addr` is that of all on a link: the limited broadcast address, or the one of a network that this host is in.
    pub fn is_broadcast(&self, addr: IpAddr) -> bool {
        let IpAddr::V4(addr) = addr else { return false };
        let own = || self.interfaces.iter().flat_map(|i| &i.addresses);
        addr.is_broadcast() || own().any(|a| a.prefix().broadcast() == Some(addr))
    }

    /// The source address of what is sent to the group `dst` by an interface.
    ///
    /// # Errors
    /// It has no address of that version.
    pub fn origin_on(&self, iface: Iface, dst: IpAddr) -> Result<IpAddr, SendError> {
        let own = self.interfaces.get(usize::from(iface)).into_iter().flat_map(|i| &i.addresses).map(|a| a.addr());
        own.into_iter().find(|own| own.is_ipv4() == dst.is_ipv4()).ok_or(SendError::NetworkUnreachable)
    }

    /// The way of what is sent to the group `dst` by an interface.
    pub(super) fn way_by(&self, iface: Iface, dst: Ipv4Addr) -> Result<Way, SendError> {
        match self.carrier(iface) {
            Some(Carrier::Up) => Ok(Way::new(Kind::Multicast, iface, dst)),
            _ => Err(SendError::NetworkUnreachable),
        }
    }

    /// How long after this host left `group` a link last carried something for it.
    pub fn heard_after_leaving(&self, group: IpAddr) -> Option<Duration> {
        let left = self.interfaces.iter().filter_map(|i| i.groups.kept()?.left.get(&group));
        left.filter_map(|(left, heard)| Some(heard.as_ref()?.saturating_since(*left))).max()
    }

    /// A link carries something for a group that this host is not in.
    pub(super) fn hear_stray(&mut self, now: Instant, iface: Iface, group: IpAddr) {
        let kept = self.interfaces[usize::from(iface)].groups.kept_mut();
        if let Some(left) = kept.and_then(|kept| kept.left.get_mut(&group)) {
            left.1 = Some(now);
        }
    }

    /// Whether datagrams to `group` that come in on `iface` are for this host.
    pub(super) fn is_member(&self, iface: Iface, group: IpAddr) -> bool {
        self.interfaces.get(usize::from(iface)).is_some_and(|i| i.groups.contains(group))
    }

    /// Whether this host must hear a datagram of IGMP or MLD to `group`: as a member, or as a router, to which members of the
    /// older versions speak by the group that they are in.
    pub(super) fn hears(&self, iface: Iface, group: IpAddr) -> bool {
        self.is_member(iface, group)
            || self.interfaces.get(usize::from(iface)).is_some_and(|i| i.groups.is_router(Family::of(group)))
    }

    pub(super) fn receive_igmp(
        &mut self,
        now: Instant,
        iface: Option<Iface>,
        src: Ipv4Addr,
        frame: &Frame,
        out: &mut Out<'_>,
    ) {
        if frame.checksums == Checksums::Unverified && !igmp::checksum_ok(frame.bytes()) {
            return drop_frame(frame, DropReason::L4Checksum, out);
        }
        // RFC 3376 §4: "Unrecognized message types MUST be silently ignored."
        if let (Some(iface), Ok(message)) = (iface, igmp::parse(frame.bytes())) {
            self.hear(now, iface, src.into(), &message, frame.cause, out);
        }
    }

    /// Takes a message of MLD, whose checksum was looked at: `frame` begins at its ICMPv6 header.
    pub(super) fn receive_mld(&mut self, now: Instant, iface: Iface, src: Ipv6Addr, frame: &Frame, out: &mut Out<'_>) {
        // RFC 3810 §5: "Unrecognized message types MUST be silently ignored."
        if let Ok(message) = mld::parse(frame.bytes()) {
            self.hear(now, iface, src.into(), &message, frame.cause, out);
        }
    }

    /// Takes what others say of groups.
    fn hear(&mut self, now: Instant, iface: Iface, from: IpAddr, message: &Message, cause: EventId, out: &mut Out<'_>) {
        let family = Family::of(from);
        let own = self.own_address(iface, family);
        let Some(interface) = self.interfaces.get_mut(usize::from(iface)) else { return };
        if let Some(groups) = interface.groups.own_mut(family) {
            groups.receive(now, message, &mut self.rng);
        }
        if let Some(querier) = interface.groups.others_mut(family) {
            querier.receive(now, own, from, message);
            tell_news(querier, iface, cause, out);
        }
        self.next_report();
    }

    /// The address from which membership is spoken of on an interface. RFC 3810 §5.1.14: "a valid IPv6 link-local source address";
    /// RFC 3376 §4.2.13, RFC 3810 §5.2.13: none, as long as there is no such address.
    fn own_address(&self, iface: Iface, family: Family) -> IpAddr {
        let own = self.interfaces.get(usize::from(iface)).into_iter().flat_map(|i| &i.addresses).map(|a| a.addr());
        let fits = |address: &IpAddr| match address {
            IpAddr::V4(_) => family == Family::V4,
            IpAddr::V6(address) => family == Family::V6 && address.is_unicast_link_local(),
        };
        own.into_iter().find(fits).unwrap_or(family.unspecified())
    }

    /// Sends the reports and queries that are due.
    pub(super) fn report_groups(&mut self, now: Instant, out: &mut Out<'_>) {
        if self.report_at.is_none_or(|at| at > now) {
            return;
        }
        for iface in 0..self.interfaces.len() as Iface {
            if self.carrier(iface) != Some(Carrier::Up) {
                continue;
            }
            for family in [Family::V4, Family::V6] {
                while let Some((to, message)) = self.due_message(now, iface, family, out) {
                    self.send_membership(now, iface, to, &message, out);
                }
            }
        }
        self.next_report();
    }

    fn due_message(
        &mut self,
        now: Instant,
        iface: Iface,
        family: Family,
        out: &mut Out<'_>,
    ) -> Option<(IpAddr, Message)> {
        let interface = &mut self.interfaces[usize::from(iface)];
        let mtu = interface.mtu;
        let own = interface.groups.own_mut(family);
        if let Some(due) = own.and_then(|own| own.on_timer(now, mtu, &mut self.rng)) {
            return Some(due);
        }
        let querier = interface.groups.others_mut(family)?;
        let due = querier.on_timer(now, mtu);
        tell_news(querier, iface, EventId::NONE, out);
        due
    }

    fn next_report(&mut self) {
        // What nobody would hear waits for the carrier.
        let up = self.interfaces.iter().filter(|i| i.carrier == Carrier::Up);
        self.report_at = up.filter_map(|i| i.groups.deadline()).min();
    }

    /// An interface gained or lost its carrier: who is there now has heard of no group, and has not been asked.
    pub(super) fn groups_hear_of_carrier(&mut self, iface: Iface, carrier: Carrier) {
        let groups = &mut self.interfaces[usize::from(iface)].groups;
        if carrier == Carrier::Up {
            for family in [Family::V4, Family::V6] {
                if let Some(own) = groups.own_mut(family) {
                    own.tell_all_again();
                }
                if let Some(others) = groups.others_mut(family) {
                    others.begin_again();
                }
            }
        }
        self.next_report();
    }

    fn send_membership(&mut self, now: Instant, iface: Iface, to: IpAddr, message: &Message, out: &mut Out<'_>) {
        let protocol = if to.is_ipv4() { "igmp" } else { "mld" };
        let kind = match (message, protocol) {
            (Message::Query(_), "igmp") => "igmp.query",
            (Message::Query(_), _) => "mld.query",
            (Message::Leave(_), "igmp") => "igmp.leave",
            (Message::Leave(_), _) => "mld.done",
            (Message::Member(..) | Message::Report(_), "igmp") => "igmp.report",
            (Message::Member(..) | Message::Report(_), _) => "mld.report",
        };
        let cause = out.trace.emit(Storey::Network, kind, EventId::NONE, |f| {
            f.set("iface", iface);
            match message {
                Message::Query(query) => {
                    f.set("group", query.group.map_or("all".to_owned(), |group| group.to_string()));
                    let asks = "who is a member?";
                    f.set("why", if query.group.is_some() { "a member left; are there others?" } else { asks });
                }
                Message::Member(_, group) | Message::Leave(group) => {
                    f.set("group", *group);
                }
                Message::Report(records) => {
                    let told = |r: &crate::membership::Record| format!("{} {}", r.said.name(), r.group);
                    let shown: Vec<String> = records.iter().take(4).map(told).collect();
                    let more = if records.len() > shown.len() { ", …" } else { "" };
                    f.set("group", format!("{}{more}", shown.join(", ")));
                }
            }
        });
        match (to, self.own_address(iface, Family::of(to))) {
            (IpAddr::V4(to), IpAddr::V4(src)) => self.send_igmp(now, iface, (src, to), message, cause, out),
            (IpAddr::V6(to), IpAddr::V6(src)) => self.send_mld(iface, (src, to), message, cause, out),
            _ => {}
        }
    }

    fn send_igmp(
        &mut self,
        now: Instant,
        iface: Iface,
        (src, dst): (Ipv4Addr, Ipv4Addr),
        message: &Message,
        cause: EventId,
        out: &mut Out<'_>,
    ) {
        let way = Way::new(Kind::Multicast, iface, dst);
        let mut frame = Frame::new(Frame::HEADROOM, &igmp::build(message));
        frame.checksums = Checksums::Good;
        frame.cause = cause;
        self.v4.ident = self.v4.ident.wrapping_add(1);
        let header = Header {
            // RFC 3376 §4: "an IP Precedence of Internetwork Control".
            tos: 0xc0,
            total_len: 0,
            ident: self.v4.ident,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 1,
            protocol: protocol::IGMP,
            src,
            dst,
            header_len: 0,
        };
        header.push_with(&igmp::ROUTER_ALERT, &mut frame);
        self.counters.ip_out_requests += 1;
        self.counters.ip_out_mcast_pkts += 1;
        self.transmit(now, dst, way, frame, Origin::Local, out);
    }

    fn send_mld(
        &mut self,
        iface: Iface,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        message: &Message,
        cause: EventId,
        out: &mut Out<'_>,
    ) {
        let (fixed, body) = mld::build(message);
        let mut frame = Frame::new(Frame::HEADROOM, &body);
        icmpv6::push(&fixed, &mut frame, src, dst);
        frame.checksums = Checksums::Good;
        frame.cause = cause;
        frame.push(mld::ROUTER_ALERT.len()).copy_from_slice(&mld::ROUTER_ALERT);
        let header =
            ipv6::Header { traffic_class: 0, flow_label: 0, payload_len: 0, next_header: 0, hop_limit: 1, src, dst };
        header.push(&mut frame);
        self.counters6.out_requests += 1;
        self.counters6.out_mcast_pkts += 1;
        self.counters6.icmp_out_msgs += 1;
        self.put_on_link(iface, MacAddr::of_group(dst.into()), EtherType::IPV6, frame, out);
    }
}

fn tell_news(querier: &mut Querier, iface: Iface, cause: EventId, out: &mut Out<'_>) {
    while let Some(news) = querier.news() {
        let kind = match news {
            News::Joined(_) => "multicast.member",
            News::Left(_) => "multicast.forgotten",
            News::Asks | News::Listens(_) => "multicast.querier",
        };
        out.trace.emit(Storey::Network, kind, cause, |f| {
            f.set("iface", iface);
            match news {
                News::Joined(group) => f.set("group", group).set("why", "the first member on the link told so"),
                News::Left(group) => f.set("group", group).set("why", "nobody on the link says that he is a member"),
                News::Asks => f.set("why", "no router with a lower address asks here"),
                News::Listens(other) => f.set("querier", other).set("why", "it has the lower address"),
            };
        });
    }
}
