//! Where storey 3 asks its packet filter, and what becomes of the answers.

use std::net::IpAddr;

use septet_core::{Checksums, DropReason, Frame, Instant, Out};
use septet_wire::packet::Packet;
use septet_wire::tcp::{self, Flags};
use septet_wire::{Trouble, ipv4, protocol};

use super::told::drop_frame;
use super::{Cast, Interface, Ip, Outgoing};
use crate::filter::{Filter, Hook, Own, Passage, Reject, Verdict};
use crate::route::Iface;

/// Where a packet is on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) hook: Hook,
    pub(super) input: Option<Iface>,
    pub(super) output: Option<Iface>,
    /// The address that this host itself would send from there.
    pub(super) source: Option<IpAddr>,
}

impl Place {
    pub(super) const fn new(hook: Hook, input: Option<Iface>, output: Option<Iface>) -> Self {
        Self { hook, input, output, source: None }
    }
}

impl Ip {
    /// Puts a filter in the way of all packets; `None` takes it out.
    pub fn set_filter(&mut self, filter: Option<Box<dyn Filter>>) {
        self.filter = filter;
    }

    /// The filter, where there is one.
    pub fn filter(&self) -> Option<&dyn Filter> {
        self.filter.as_deref()
    }

    /// Whether datagrams are put together before the filter sees them.
    pub(super) fn filters_whole(&self) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.wants_whole())
    }

    /// Asks the filter; gives the packet where it goes on, changed perhaps. Where it does not, all is done that there is to do.
    #[inline(never)]
    pub(super) fn filtered(
        &mut self,
        now: Instant,
        place: Place,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<Frame> {
        let Self { filter, interfaces, counters, .. } = self;
        let Some(filter) = filter else { return Some(frame) };
        let Place { hook, input, output, source } = place;
        let own: &Vec<Interface> = interfaces;
        let mut at = Passage { hook, now, input, output, source, own, counters, trace: out.trace };
        match filter.pass(&mut at, &mut frame) {
            Verdict::Accept => return Some(frame),
            Verdict::Drop(_) => self.count_discard(hook, &frame),
            Verdict::Reject(how) => {
                self.count_discard(hook, &frame);
                self.reject(now, how, &frame, out);
            }
        }
        None
    }

    fn count_discard(&mut self, hook: Hook, frame: &Frame) {
        let is_v6 = frame.bytes().first().is_some_and(|first| first >> 4 == 6);
        let leaves = matches!(hook, Hook::Output | Hook::Postrouting);
        *match (is_v6, leaves) {
            (false, false) => &mut self.counters.ip_in_discards,
            (false, true) => &mut self.counters.ip_out_discards,
            (true, false) => &mut self.counters6.in_discards,
            (true, true) => &mut self.counters6.out_discards,
        } += 1;
    }

    /// Tells the sender of a packet that it was refused.
    fn reject(&mut self, now: Instant, how: Reject, frame: &Frame, out: &mut Out<'_>) {
        let trouble = match how {
            Reject::TcpReset => return self.reset(now, frame, out),
            Reject::NoRoute => Trouble::NoRoute,
            Reject::HostUnreachable => Trouble::HostUnreachable,
            Reject::ProtocolUnreachable => Trouble::ProtocolUnreachable,
            Reject::PortUnreachable => Trouble::PortUnreachable,
            Reject::NetProhibited => Trouble::NetworkProhibited,
            Reject::HostProhibited => Trouble::HostProhibited,
            Reject::AdminProhibited => Trouble::Prohibited,
        };
        self.report_of(now, trouble, frame, out);
    }

    /// Reports trouble with a packet of either version, unless it went to many.
    fn report_of(&mut self, now: Instant, trouble: Trouble, frame: &Frame, out: &mut Out<'_>) {
        let Some(packet) = Packet::read(frame.bytes()) else { return };
        let IpAddr::V4(dst) = packet.dst else { return self.report_v6(now, trouble, frame, Cast::Unicast, out) };
        // RFC 1122 §3.2.2: never about "a datagram destined to an IP broadcast or IP multicast address".
        if dst.is_broadcast() || self.way(dst).is_no_ones_source() && !self.is_local(packet.dst) {
            return;
        }
        if let Ok(header) = ipv4::Header::parse(frame.bytes()) {
            self.report(now, trouble, &header, frame, out);
        }
    }

    /// Answers a segment with a reset, as if its receiver had: RFC 9293 §3.10.7.1. "If the ACK bit is off, sequence number zero
    /// is used … If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>".
    fn reset(&mut self, now: Instant, frame: &Frame, out: &mut Out<'_>) {
        let Some(packet) = Packet::read(frame.bytes()).filter(|p| p.protocol == Some(protocol::TCP)) else { return };
        let upper = packet.upper(frame.bytes());
        let Ok((segment, header_len)) = tcp::Header::parse(upper) else {
            return drop_frame(frame, DropReason::Malformed, out);
        };
        if segment.flags.has(Flags::RST) {
            return;
        }
        let control = segment.flags.has(Flags::SYN) as u32 + segment.flags.has(Flags::FIN) as u32;
        let len = (upper.len() - header_len) as u32 + control;
        let (seq, ack, flags) = if segment.flags.has(Flags::ACK) {
            (segment.ack, 0, Flags::RST)
        } else {
            (0, segment.seq.wrapping_add(len), Flags::RST | Flags::ACK)
        };
        let (src_port, dst_port) = (segment.dst_port, segment.src_port);
        let header = tcp::Header { src_port, dst_port, seq, ack, flags, ..tcp::Header::default() };
        let mut reset = Frame::empty(Frame::HEADROOM);
        header.write(reset.push(header.wire_len()));
        tcp::seal(packet.dst, packet.src, &mut reset);
        (reset.checksums, reset.cause) = (Checksums::Good, frame.cause);
        // Without a way back there is nobody to tell.
        let _ = self.send(now, &Outgoing::new(packet.dst, packet.src, protocol::TCP), reset, out);
    }
}

impl Own for Vec<Interface> {
    fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.iter().any(|i| i.addresses.iter().any(|own| own.addr() == addr))
    }

    fn has(&self, iface: Iface, addr: IpAddr) -> bool {
        let interface = self.get(usize::from(iface));
        interface.is_some_and(|i| i.addresses.iter().any(|own| own.addr() == addr))
    }

    fn address_of(&self, iface: Iface, like: IpAddr) -> Option<IpAddr> {
        let addresses = self.get(usize::from(iface))?.addresses.iter().map(|own| own.addr());
        { addresses }.find(|own| own.is_ipv4() == like.is_ipv4())
    }
}
