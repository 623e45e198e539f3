//! Datagrams that go out: a way, a header, fragments where they must be, a link address.

use std::net::IpAddr;

use septet_core::{Carrier, DropReason, EventId, Frame, FrameId, Instant, Out, Storey};
use septet_datalink::ethernet::{EtherType, Header as LinkHeader, MacAddr};
use septet_datalink::vlan::{self, Tag};

use super::told::{cause_of, drop_frame};
use super::{Ip, Outgoing, SendError, offload};
use crate::route::Iface;
use septet_wire::ipv4;
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
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        if self.is_gone(to.src) {
            self.counters.ip_out_no_routes += 1;
            return Err(SendError::SourceGone);
        }
        match (to.src, to.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.send_v4(now, to, (src, dst), frame, out),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.send_v6(now, to, (src, dst), frame, out),
            _ => {
                self.counters.ip_out_no_routes += 1;
                Err(SendError::NetworkUnreachable)
            }
        }
    }

    /// The same with options of IPv4 in the header ([`are_options_valid`](super::are_options_valid)), whose octets are a multiple
    /// of four. IPv6 has none.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with_options(
        &mut self,
        now: Instant,
        to: &Outgoing,
        options: &[u8],
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        match (to.src, to.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) if !self.is_gone(to.src) => {
                self.send_v4_with(now, to, (src, dst), options, frame, out)
            }
            _ => self.send(now, to, frame, out),
        }
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
                Ok((self.source(&way, dst)?.into(), way.out_of()))
            }
            IpAddr::V6(dst) => {
                let way = self.way_v6(dst, None)?;
                Ok((self.source_v6(&way, dst)?.into(), way.out_of()))
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
                let way = self.way_v6(dst, None)?;
                Ok(self.mtu_of_v6(now, &way, dst))
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
                Ok(way.out_of())
            }
            IpAddr::V6(dst) => Ok(self.way_v6(dst, None)?.out_of()),
        }
    }

    /// A storey above has proof that the next hop towards `dst` lives: RFC 4861 §7.3.1's forward progress.
    pub fn confirm(&mut self, now: Instant, dst: IpAddr) {
        let neighbor = match dst {
            IpAddr::V4(dst) => self.way(dst).neighbor,
            IpAddr::V6(dst) => self.find_v6(dst).neighbor,
        };
        if let Some(id) = neighbor {
            self.neighbors.confirm(now, id);
        }
    }

    /// Sends the answer to an echo request, in the memory of the request: a packet of its own, which no wire has carried yet.
    pub(super) fn send_echo_reply(
        &mut self,
        now: Instant,
        reply: &Outgoing,
        seq: u16,
        options: &[u8],
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        frame.id = FrameId(0);
        frame.cause = out.trace.emit(Storey::Network, "icmp.echo-reply", cause_of(&frame), |f| {
            f.set("to", reply.dst).set("seq", seq).set("why", "an echo request came");
        });
        if reply.dst.is_ipv6() {
            self.counters6.icmp_out_msgs += 1;
            self.counters6.icmp_out_echo_replies += 1;
        } else {
            self.counters.icmp_out_msgs += 1;
            self.counters.icmp_out_echo_reps += 1;
        }
        // A reply that has no way back is counted by `send`, and nobody is left to tell.
        let _ = match (reply.src, reply.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.send_v4_with(now, reply, (src, dst), options, frame, out),
            _ => self.send(now, reply, frame, out),
        };
    }

    /// Runs the datagrams that this host sent to itself and whose time has come.
    pub(super) fn run_loopback(&mut self, now: Instant, out: &mut Out<'_>) {
        while let Some((at, mut frame)) = self.loopback.take(now) {
            frame.ingress = at;
            if frame.bytes().first().is_some_and(|first| first >> 4 == 6) {
                self.take_looped_v6(now, frame, out);
            } else {
                self.counters.ip_in_receives += 1;
                self.take_looped(now, frame, out);
            }
        }
    }

    /// Hands a packet to the link, addressed to `mac`.
    #[inline(never)]
    pub(super) fn transmit_to(
        &mut self,
        iface: Iface,
        mac: MacAddr,
        ether_type: EtherType,
        packet: Frame,
        out: &mut Out<'_>,
    ) {
        self.put(iface, mac, ether_type, packet, out);
    }

    /// The same, without a call on the way of those that are many.
    #[inline(always)]
    pub(super) fn put(&mut self, iface: Iface, mac: MacAddr, ether_type: EtherType, packet: Frame, out: &mut Out<'_>) {
        if packet.segment_size != 0 && !out.carries_super_segments(self.port_of(iface)) {
            return self.transmit_split(iface, mac, ether_type, &packet, out);
        }
        if self.interfaces[usize::from(iface)].carrier == Carrier::Down {
            self.counters.ip_out_discards += 1;
            return drop_frame(&packet, DropReason::Carrier, out);
        }
        self.put_on_link(iface, mac, ether_type, packet, out);
    }

    /// Puts a frame for `to` on the link, whatever it holds.
    #[inline(always)]
    pub(super) fn put_on_link(
        &mut self,
        iface: Iface,
        to: MacAddr,
        ether_type: EtherType,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        let interface = &self.interfaces[usize::from(iface)];
        let packet = frame.len();
        LinkHeader { destination: to, source: interface.mac, ether_type }.push(&mut frame);
        if let Some(vlan) = interface.vlan {
            self.unwired.sent(iface, packet);
            vlan::push(&mut frame, Tag::new(vlan));
        }
        out.send(interface.port, frame);
    }

    /// Hands the segments of a super-segment to a link that takes none.
    #[inline(never)]
    fn transmit_split(&mut self, iface: Iface, mac: MacAddr, ether_type: EtherType, packet: &Frame, out: &mut Out<'_>) {
        for segment in offload::split(packet) {
            self.transmit_to(iface, mac, ether_type, segment, out);
        }
    }

    /// Counts and traces an echo request of this host, and gives the event that is its cause.
    pub fn trace_echo(&mut self, dst: IpAddr, seq: u16, cause: EventId, trace: &mut septet_core::Trace) -> EventId {
        if dst.is_ipv6() {
            self.counters6.icmp_out_msgs += 1;
            self.counters6.icmp_out_echos += 1;
        } else {
            self.counters.icmp_out_msgs += 1;
            self.counters.icmp_out_echos += 1;
        }
        trace.emit(Storey::Network, "icmp.echo-request", cause, |f| {
            f.set("to", dst).set("seq", seq);
        })
    }
}
