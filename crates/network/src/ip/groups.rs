//! Multicast groups of a host, and what IGMP says about them.

use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Checksums, DropReason, Frame, Instant, Out, Storey};

use super::told::{cause_of, drop_frame};
use super::v4::Way;
use super::ways::Kind;
use super::{ConfigError, Ip};
use crate::igmp::{self, Message};
use crate::neighbor::Origin;
use crate::route::Iface;
use septet_wire::ipv4::{Header, protocol};

impl Ip {
    /// Takes part in a group on an interface: its datagrams go up from now on. The routers are told when
    /// [`on_deadline`](Self::on_deadline) is next called, which [`deadline`](Self::deadline) then wants at once.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn join(&mut self, now: Instant, iface: Iface, group: IpAddr) -> Result<(), ConfigError> {
        let interface = self.interfaces.get_mut(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        if let IpAddr::V4(group) = group {
            interface.groups.join(now, group);
            self.next_report();
        }
        Ok(())
    }

    /// Takes back one [`join`](Self::join).
    pub fn leave(&mut self, iface: Iface, group: IpAddr) {
        if let Some(interface) = self.interfaces.get_mut(usize::from(iface))
            && let IpAddr::V4(group) = group
        {
            interface.groups.leave(group);
            self.next_report();
        }
    }

    /// Whether datagrams to `group` that come in on `iface` are for this host.
    pub(super) fn is_member(&self, iface: Iface, group: Ipv4Addr) -> bool {
        self.interfaces.get(usize::from(iface)).is_some_and(|i| i.groups.contains(group))
    }

    pub(super) fn receive_igmp(&mut self, now: Instant, iface: Option<Iface>, frame: &Frame, out: &mut Out<'_>) {
        let Some(interface) = iface.and_then(|i| self.interfaces.get_mut(usize::from(i))) else { return };
        if frame.checksums == Checksums::Unverified && !igmp::checksum_ok(frame.bytes()) {
            return drop_frame(frame, DropReason::L4Checksum, out);
        }
        match Message::parse(frame.bytes()) {
            Ok(message) => interface.groups.receive(now, &message, &mut self.rng),
            // RFC 2236 §2: "Unrecognized message types should be silently ignored."
            Err(_) => return,
        }
        self.next_report();
    }

    /// Sends the reports that are due.
    pub(super) fn report_groups(&mut self, now: Instant, out: &mut Out<'_>) {
        if self.report_at.is_none_or(|at| at > now) {
            return;
        }
        for iface in 0..self.interfaces.len() as Iface {
            while let Some(message) = self.interfaces[usize::from(iface)].groups.on_timer(now, &mut self.rng) {
                // RFC 2236 §9: reports go to the group, leaves to all routers.
                let (to, kind) = match message.kind {
                    igmp::Kind::Leave => (igmp::ALL_ROUTERS, "igmp.leave"),
                    _ => (message.group, "igmp.report"),
                };
                self.send_igmp(now, iface, to, &message, kind, out);
            }
        }
        self.next_report();
    }

    fn next_report(&mut self) {
        self.report_at = self.interfaces.iter().filter_map(|i| i.groups.deadline()).min();
    }

    fn send_igmp(
        &mut self,
        now: Instant,
        iface: Iface,
        to: Ipv4Addr,
        message: &Message,
        kind: &'static str,
        out: &mut Out<'_>,
    ) {
        let way = Way::new(Kind::Multicast, iface, to);
        let Ok(src) = self.source(&way, to) else { return };
        let mut frame = Frame::new(Frame::HEADROOM, &message.to_bytes());
        frame.checksums = Checksums::Good;
        frame.cause = out.trace.emit(Storey::Network, kind, cause_of(&frame), |f| {
            f.set("group", message.group).set("iface", iface);
        });
        self.v4.ident = self.v4.ident.wrapping_add(1);
        let header = Header {
            // RFC 2236 §2 and RFC 3376: internetwork control.
            tos: 0xc0,
            total_len: 0,
            ident: self.v4.ident,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 1,
            protocol: protocol::IGMP,
            src,
            dst: to,
            header_len: 0,
        };
        header.push_with(&igmp::ROUTER_ALERT, &mut frame);
        self.counters.ip_out_requests += 1;
        self.counters.ip_out_mcast_pkts += 1;
        self.transmit(now, to, way, frame, Origin::Local, out);
    }
}
