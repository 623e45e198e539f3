//! IPv6 as far as it goes without neighbour discovery: between this host and neighbours whose link addresses were set by
//! hand. What is for others is not passed on, own packets are not cut, and there are no extension headers.

use std::net::{IpAddr, Ipv6Addr};

use septet_core::{Carrier, DropReason, Frame, Instant, Out, Storey};
use septet_datalink::ethernet::EtherType;

use super::routes::Next;
use super::told::{cause_of, drop_frame, with_cause};
use super::ways::{Kind, Ways};
use super::{Cast, Datagram, Ip, LOOPBACK_DELAY, LOOPBACK_MTU, Outgoing, Report, SendError, Up};
use crate::icmp_limit::Allowed;
use crate::neighbor::Output;
use crate::route::Iface;
use septet_wire::Trouble;
use septet_wire::icmp::{self, Message};
use septet_wire::icmpv6::{self, kind};
use septet_wire::ipv4::protocol;
use septet_wire::ipv6::{self, Header};

/// Where packets for one destination go.
pub(super) type Way = super::ways::Way<Ipv6Addr>;

/// What IPv6 keeps.
#[derive(Debug, Default)]
pub(super) struct Layer {
    ways: Ways<Ipv6Addr>,
}

impl Ip {
    /// Whether this host has an address of IPv6.
    pub fn speaks_v6(&self) -> bool {
        self.interfaces.iter().any(|i| i.addresses.iter().any(|a| a.addr().is_ipv6()))
    }

    /// Takes a packet that came in: `frame` begins at its IPv6 header, and the link addressed it to `cast`.
    pub fn receive_v6(&mut self, now: Instant, iface: Iface, cast: Cast, frame: Frame, out: &mut Out<'_>) {
        self.counters.ip_in_receives += 1;
        self.take_v6(now, Some(iface), cast, frame, out);
    }

    /// The same, also for what never left the host.
    pub(super) fn take_v6(
        &mut self,
        now: Instant,
        iface: Option<Iface>,
        cast: Cast,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        let header = match Header::parse(frame.bytes()) {
            Ok(header) => header,
            Err(why) => {
                self.counters.ip_in_hdr_errors += 1;
                return drop_frame(&frame, why, out);
            }
        };
        frame.truncate(ipv6::HEADER_LEN + usize::from(header.payload_len));
        // RFC 4291 §2.7: "Multicast addresses must not be used as source addresses"; §2.5.3: the loopback address "must not
        // be used as the source address in IPv6 packets that are sent outside of a single node".
        let from_outside = iface.is_some();
        let martian =
            header.src.is_multicast() || from_outside && (header.src.is_loopback() || self.is_local(header.src.into()));
        if martian || cast != Cast::Unicast || !self.is_local(header.dst.into()) {
            self.counters.ip_in_addr_errors += 1;
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        self.counters.ip_in_delivers += 1;
        match header.next_header {
            served if self.is_served(served) => {
                frame.pull(ipv6::HEADER_LEN);
                self.up.push_back(Up::Datagram(Datagram {
                    iface,
                    src: header.src.into(),
                    dst: header.dst.into(),
                    protocol: header.next_header,
                    ttl: header.hop_limit,
                    tos: header.traffic_class,
                    cast,
                    mtu_back: None,
                    header_len: ipv6::HEADER_LEN as u16,
                    frame,
                }));
            }
            protocol::ICMPV6 => self.receive_icmpv6(now, &header, frame, out),
            _ => {
                self.counters.ip_in_delivers -= 1;
                self.counters.ip_in_unknown_protos += 1;
                drop_frame(&frame, DropReason::UnknownProtocol, out);
            }
        }
    }

    fn receive_icmpv6(&mut self, now: Instant, header: &Header, mut frame: Frame, out: &mut Out<'_>) {
        self.counters.icmp_in_msgs += 1;
        frame.pull(ipv6::HEADER_LEN);
        let message = match icmpv6::parse(&frame, header.src, header.dst) {
            Ok(message) => message,
            Err(why) => {
                self.counters.icmp_in_errors += 1;
                self.counters.icmp_in_csum_errors += u64::from(why == DropReason::L4Checksum);
                return drop_frame(&frame, why, out);
            }
        };
        match message.icmp_type {
            kind::ECHO => {
                self.counters.icmp_in_echos += 1;
                self.answer_echo_v6(now, header, &message, frame, out);
            }
            kind::UNREACHABLE | kind::TOO_BIG | kind::TIME_EXCEEDED | kind::PARAMETER_PROBLEM => {
                self.receive_error_v6(now, header, &message, frame, out);
            }
            // RFC 4443 §2.4 (b): "If an ICMPv6 informational message of unknown type is received, it MUST be silently
            // discarded."
            _ => {}
        }
    }

    /// RFC 4443 §4.2: "The data received in the ICMPv6 Echo Request message MUST be returned entirely and unmodified".
    fn answer_echo_v6(
        &mut self,
        now: Instant,
        header: &Header,
        message: &Message,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        frame.pull(icmp::HEADER_LEN);
        icmpv6::push(&Message { icmp_type: kind::ECHO_REPLY, ..*message }, &mut frame, header.dst, header.src);
        let reply = Outgoing {
            tos: header.traffic_class,
            ..Outgoing::new(header.dst.into(), header.src.into(), protocol::ICMPV6)
        };
        self.send_echo_reply(now, &reply, message.seq(), frame, out);
    }

    /// An error about something that this host sent.
    fn receive_error_v6(
        &mut self,
        now: Instant,
        header: &Header,
        message: &Message,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        match message.icmp_type {
            kind::TIME_EXCEEDED => self.counters.icmp_in_time_excds += 1,
            kind::PARAMETER_PROBLEM => self.counters.icmp_in_parm_probs += 1,
            _ => self.counters.icmp_in_dest_unreachs += 1,
        }
        frame.pull(icmp::HEADER_LEN);
        let quoted = Header::of_quote(frame.bytes()).ok().filter(|_| frame.len() >= ipv6::HEADER_LEN + 8);
        let Some(quoted) = quoted else {
            self.counters.icmp_in_errors += 1;
            return drop_frame(&frame, DropReason::Malformed, out);
        };
        if !self.is_local(quoted.src.into()) {
            self.counters.icmp_in_errors += 1;
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        let trouble = icmpv6::decode(message.icmp_type, message.code, message.rest);
        if let Trouble::TooBig { mtu } = trouble
            && quoted.next_header != protocol::TCP
        {
            self.learn_path_mtu(now, quoted.dst.into(), mtu);
        }
        frame.cause = out.trace.emit(Storey::Network, "icmp.error-received", cause_of(&frame), |f| {
            f.set("from", header.src).set("about", quoted.dst);
            f.set("why", icmpv6::describe(message.icmp_type, message.code));
        });
        frame.pull(ipv6::HEADER_LEN);
        self.up.push_back(Up::Error(Report {
            reporter: header.src.into(),
            src: quoted.src.into(),
            dst: quoted.dst.into(),
            protocol: quoted.next_header,
            trouble,
            quote: frame,
        }));
    }

    /// Nothing listens on the port that `packet` is for. RFC 4443 §3.1: "A destination node SHOULD originate a Destination
    /// Unreachable message with Code 4 in response to a packet for which the transport protocol … has no listener".
    pub(super) fn port_unreachable_v6(&mut self, now: Instant, packet: &Frame, out: &mut Out<'_>) {
        let Ok(header) = Header::parse(packet.bytes()) else { return };
        let sender = IpAddr::V6(header.src);
        if !icmpv6::may_report(&header, packet.bytes()) {
            return;
        }
        if self.limiter.get_or_insert_default().allow(now, sender) == Allowed::No {
            self.counters.icmp_out_rate_limit += 1;
            return;
        }
        let (icmp_type, code, rest) = icmpv6::encode(Trouble::PortUnreachable);
        let message = Message { icmp_type, code, rest };
        let mut frame = Frame::new(Frame::HEADROOM, icmpv6::quote(packet.bytes()));
        icmpv6::push(&message, &mut frame, header.dst, header.src);
        let event = out.trace.emit(Storey::Network, "icmp.error", cause_of(packet), |f| {
            f.set("to", sender).set("about", header.dst);
            f.set("why", icmpv6::describe(message.icmp_type, message.code));
        });
        self.counters.icmp_out_dest_unreachs += 1;
        self.counters.icmp_out_msgs += 1;
        let to = Outgoing::new(header.dst.into(), sender, protocol::ICMPV6);
        // Without a way back there is nobody to tell.
        let _ = self.send(now, &to, with_cause(frame, event), out);
    }

    pub(super) fn send_v6(
        &mut self,
        now: Instant,
        to: &Outgoing,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        self.counters.ip_out_requests += 1;
        let way = self.way_v6(dst)?;
        let src = if src.is_unspecified() { self.source_v6(&way, dst)? } else { src };
        let mtu = self.mtu_of_v6(now, &way, dst);
        // A super-segment is split at the port, into packets that its maker has sized.
        let fits = frame.len() + ipv6::HEADER_LEN <= mtu as usize || frame.segment_size != 0;
        if frame.len() > ipv6::MAX_PAYLOAD || !fits {
            self.counters.ip_out_discards += 1;
            return Err(SendError::MessageTooLong { mtu });
        }
        let header = Header {
            traffic_class: to.tos,
            flow_label: 0,
            payload_len: frame.len() as u16,
            next_header: to.protocol,
            hop_limit: to.ttl,
            src,
            dst,
        };
        header.push(&mut frame);
        if way.kind == Kind::Local {
            self.loopback.push_back((now + LOOPBACK_DELAY, frame));
            return Ok(None);
        }
        self.transmit_v6(now, way, frame, out);
        Ok(Some(way.iface))
    }

    fn transmit_v6(&mut self, now: Instant, way: Way, packet: Frame, out: &mut Out<'_>) {
        if let Some(id) = way.neighbor
            && let Output::Send(mac) = self.neighbors.output(now, id, packet.cause)
        {
            self.transmit_to(way.iface, mac, EtherType::IPV6, packet, out);
        }
    }

    /// The way to `dst`. A neighbour that was not set by hand is out of reach.
    pub(super) fn way_v6(&mut self, dst: Ipv6Addr) -> Result<Way, SendError> {
        let way = self.find_v6(dst);
        match way.kind {
            Kind::NoRoute => {
                self.counters.ip_out_no_routes += 1;
                Err(SendError::NetworkUnreachable)
            }
            Kind::Unreachable => Err(SendError::HostUnreachable),
            _ => Ok(way),
        }
    }

    /// Finds the way to `dst`; the answer is remembered until anything changes.
    #[inline]
    pub(super) fn find_v6(&mut self, dst: Ipv6Addr) -> Way {
        self.look_ups += 1;
        let epoch = self.way_epoch();
        if let Some(way) = self.v6.ways.get(dst, epoch) {
            return way;
        }
        let way = self.find_v6_slow(dst);
        self.v6.ways.remember(dst, epoch, way);
        way
    }

    fn find_v6_slow(&self, dst: Ipv6Addr) -> Way {
        let way = |kind, iface| Way::new(kind, iface, dst);
        if dst.is_loopback() {
            return way(Kind::Local, 0);
        }
        if dst.is_unspecified() || dst.is_multicast() {
            return way(Kind::NoRoute, 0);
        }
        let up = |i: Iface| self.interfaces[usize::from(i)].carrier == Carrier::Up;
        let (iface, next_hop) = match self.lookup(dst.into(), up) {
            Some(Next::Local) => return way(Kind::Local, 0),
            Some(Next::Link(iface)) => (iface, dst),
            Some(Next::Via(iface, IpAddr::V6(gateway))) => (iface, gateway),
            Some(Next::Unreachable | Next::Via(..)) => return way(Kind::Unreachable, 0),
            Some(Next::Broadcast(_)) | None => return way(Kind::NoRoute, 0),
        };
        match self.neighbors.permanent(iface, next_hop.into()) {
            Some(id) => Way { next_hop, neighbor: Some(id), ..way(Kind::Unicast, iface) },
            None => way(Kind::NoRoute, 0),
        }
    }

    pub(super) fn source_v6(&self, way: &Way, dst: Ipv6Addr) -> Result<Ipv6Addr, SendError> {
        if way.kind == Kind::Local {
            return Ok(dst);
        }
        let own = self.interfaces[usize::from(way.iface)].addresses.iter().filter_map(|a| match a.addr() {
            IpAddr::V6(addr) => Some((addr, a.prefix())),
            IpAddr::V4(_) => None,
        });
        let near = own.clone().find(|(_, prefix)| prefix.contains(dst.into()));
        near.or(own.clone().next()).map(|(addr, _)| addr).ok_or(SendError::NetworkUnreachable)
    }

    pub(super) fn mtu_of_v6(&self, now: Instant, way: &Way, dst: Ipv6Addr) -> u32 {
        if way.kind == Kind::Local {
            return LOOPBACK_MTU;
        }
        let link = self.interfaces[usize::from(way.iface)].mtu;
        match self.path_mtu.get(&IpAddr::V6(dst)) {
            Some(&(mtu, until)) if now < until => mtu.min(link),
            _ => link,
        }
    }
}
