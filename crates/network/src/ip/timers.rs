//! What happens to storey 3 without a datagram: time passes, a carrier comes or goes.

use std::net::IpAddr;

use septet_core::{Carrier, DropReason, Instant, Out, Port, Storey};

use super::told::drop_frame;
use super::{Cast, Ip};
use crate::fragment::Expired;
use crate::neighbor::{Due, Waiting};
use crate::route::Iface;
use septet_wire::Trouble;
use septet_wire::ipv4::Header;

impl Ip {
    /// When [`on_deadline`](Self::on_deadline) next has something to do.
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        let loopback = self.loopback.next();
        let reassembly = self.v4.reassembler.as_ref().and_then(|r| r.deadline());
        let book = self.book.as_ref().and_then(|book| book.deadline());
        // Asked after each frame, so one by one: an iterator over them costs thrice as much.
        let filter = self.filter.as_ref().and_then(|filter| filter.deadline());
        let first = Instant::earliest(Instant::earliest(self.neighbors.deadline(), self.report_at), filter);
        let first = Instant::earliest(first, self.v6.due);
        Instant::earliest(Instant::earliest(first, book), Instant::earliest(loopback, reassembly))
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        self.run_loopback(now, out);
        while let Some(due) = self.neighbors.on_timer(now) {
            match due {
                Due::Solicit(solicit) => match solicit.target {
                    IpAddr::V4(_) => self.solicit(solicit, out),
                    IpAddr::V6(target) => self.solicit_v6(now, solicit, target, out),
                },
                Due::Failed { iface, addr, cause, waiting } => {
                    self.counters.arp_res_failed += 1;
                    self.neighbor_gone_v6(iface, addr);
                    self.forget_detours_by(iface, addr, out);
                    let kind = if addr.is_ipv4() { "arp.failed" } else { "nd.failed" };
                    let event = out.trace.emit(Storey::Network, kind, cause, |f| {
                        f.set("ip", addr).set("iface", iface).set("waiting", waiting.len());
                        f.set("why", "nobody answers");
                    });
                    for waiting in waiting {
                        self.neighbor_failed(now, waiting, event, out);
                    }
                }
            }
        }
        self.expire_fragments(now, out);
        if let Some(filter) = &mut self.filter {
            filter.on_deadline(now, &mut self.counters, out.trace);
        }
        self.report_groups(now, out);
        self.keep_book(now, out);
        self.on_deadline_v6(now, out);
    }

    /// RFC 1812 §5.2.7.1: host unreachable (code 1) where the next hop does not answer. An own packet is reported to its
    /// own sender in the same way, as Linux does.
    fn neighbor_failed(&mut self, now: Instant, waiting: Waiting, cause: septet_core::EventId, out: &mut Out<'_>) {
        let Waiting { mut packet, origin: _ } = waiting;
        if out.trace.is_on() {
            packet.cause = cause;
        }
        drop_frame(&packet, DropReason::HostUnreachable, out);
        if let Ok(header) = Header::parse(packet.bytes()) {
            self.report(now, Trouble::HostUnreachable, &header, &packet, out);
        } else {
            self.report_v6(now, Trouble::HostUnreachable, &packet, Cast::Unicast, out);
        }
    }

    /// Gives up datagrams whose rest did not come. RFC 1122 §3.3.2: on a timeout "an ICMP Time Exceeded message sent to
    /// the source host (if fragment zero has been received)".
    pub(super) fn expire_fragments(&mut self, now: Instant, out: &mut Out<'_>) {
        while let Some((why, first)) = self.v4.reassembler.as_mut().and_then(|r| r.expire(now)) {
            self.counters.ip_reasm_fails += 1;
            if why == Expired::Time {
                self.counters.ip_reasm_timeout += 1;
            }
            drop_frame(&first, DropReason::Fragment, out);
            // Only who was to receive it tells of it: a router that filters puts together what is for others, too.
            if why == Expired::Time
                && let Ok(header) = Header::parse(first.bytes())
                && self.is_local(header.dst.into())
            {
                self.report(now, Trouble::Reassembly, &header, &first, out);
            }
        }
    }

    /// A port gained or lost its carrier, and with it the interfaces that send by it. Routes over those without are not used,
    /// and their neighbours are forgotten.
    pub fn set_carrier(&mut self, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        for iface in 0..self.interfaces.len() as Iface {
            if self.interfaces[usize::from(iface)].port == port {
                self.set_signal(iface, carrier, out);
            }
        }
    }

    /// The same of one interface alone: in a switch that routes each follows its VLAN, and not the port that they share.
    pub fn set_link(&mut self, iface: Iface, carrier: Carrier, out: &mut Out<'_>) {
        if usize::from(iface) < self.interfaces.len() {
            self.set_signal(iface, carrier, out);
        }
    }

    /// Whether an interface has a carrier.
    pub fn carrier(&self, iface: Iface) -> Option<Carrier> {
        self.interfaces.get(usize::from(iface)).map(|i| i.carrier)
    }

    /// The link addresses of `addr`'s neighbour entry, wherever it is.
    pub fn neighbor_of(&self, now: Instant, addr: IpAddr) -> Option<crate::neighbor::State> {
        (0..self.interfaces.len() as Iface).find_map(|i| self.neighbors.get(now, i, addr)).map(|(state, _)| state)
    }
}
