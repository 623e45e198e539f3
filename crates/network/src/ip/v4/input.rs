//! Datagrams that come in: checked, delivered, or passed on.

use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Checksums, DropReason, Frame, Instant, Out, Storey, checksum};
use septet_datalink::ethernet::EtherType;

use super::{Way, options};
use crate::forwarding::Forwarding;
use crate::fragment::{self, Outcome};
use crate::ip::told::{cause_of, drop_frame};
use crate::ip::ways::Kind;
use crate::ip::{Aftermath, Cast, Datagram, DontFragment, Ip, Outgoing, Up, offload};
use crate::neighbor::Origin;
use crate::route::Iface;
use septet_wire::Trouble;
use septet_wire::icmp::{self, Message, kind};
use septet_wire::ipv4::{self, Header, protocol};

/// How a datagram for this host came.
#[derive(Clone, Copy, Debug)]
pub(in crate::ip) struct Arrival {
    /// Where; `None` where it never left the host.
    iface: Option<Iface>,
    /// To how many it was addressed.
    cast: Cast,
    /// As in [`Datagram::mtu_back`].
    mtu_back: Option<u32>,
}

impl Ip {
    /// Takes a datagram that came in on `iface`: `frame` begins at its IP header, and the link addressed it to `cast`.
    #[inline]
    pub fn receive(
        &mut self,
        now: Instant,
        iface: Iface,
        cast: Cast,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Aftermath {
        self.counters.ip_in_receives += 1;
        let header = match self.check(&mut frame) {
            Ok(header) => header,
            Err(why) => {
                self.counters.ip_in_hdr_errors += 1;
                drop_frame(&frame, why, out);
                return Aftermath::Some;
            }
        };
        if usize::from(header.header_len) != ipv4::HEADER_LEN && !self.options_allow(now, &header, &frame, out) {
            return Aftermath::Some;
        }
        if self.filter.is_some() {
            self.receive_filtered(now, iface, cast, header, frame, out);
            return Aftermath::Some;
        }
        self.receive_checked(now, iface, cast, header, frame, out)
    }

    /// Finds out where a datagram goes.
    #[inline]
    pub(super) fn receive_checked(
        &mut self,
        now: Instant,
        iface: Iface,
        cast: Cast,
        header: Header,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Aftermath {
        let way = if self.owns(iface, header.dst) { Way::LOCAL } else { self.way(header.dst) };
        if way.kind == Kind::Unicast && cast == Cast::Unicast {
            return self.forward(now, iface, header, way, frame, out);
        }
        self.receive_other(now, iface, cast, header, way, frame, out);
        Aftermath::Some
    }

    /// Reads the header and cuts off what the link padded.
    #[inline]
    fn check(&self, frame: &mut Frame) -> Result<Header, DropReason> {
        let header = Header::parse(frame.bytes())?;
        if frame.checksums == Checksums::Unverified && !ipv4::checksum_ok(frame.bytes(), header.header_len) {
            // RFC 1122 §3.2.1.2: "A host MUST verify the IP header checksum on every received datagram and silently
            // discard every datagram that has a bad checksum."
            return Err(DropReason::IpChecksum);
        }
        frame.truncate(usize::from(header.total_len));
        Ok(header)
    }

    #[allow(clippy::too_many_arguments)]
    fn receive_other(
        &mut self,
        now: Instant,
        iface: Iface,
        cast: Cast,
        header: Header,
        way: Way,
        frame: Frame,
        out: &mut Out<'_>,
    ) {
        let scope = match way.kind {
            Kind::Broadcast => Cast::Broadcast,
            Kind::Multicast => Cast::Multicast,
            _ => Cast::Unicast,
        };
        let back = self.way(header.src);
        // RFC 1122 §3.2.1.3: addresses that "MUST NOT be sent" by anyone, or not outside a host.
        let martian = header.src.is_multicast()
            || header.src.is_broadcast()
            || header.src.is_loopback()
            || header.dst.is_loopback()
            || header.dst.octets()[0] == 0
            || header.src.octets()[0] == 0 && !header.src.is_unspecified()
            || back.is_no_ones_source()
            || (header.src.is_unspecified() && scope == Cast::Unicast);
        // RFC 1122 §3.3.6: "A host SHOULD silently discard a datagram that is received via a link-layer broadcast …
        // but does not specify an IP multicast or broadcast destination address."
        if martian || (cast != Cast::Unicast && scope == Cast::Unicast) {
            self.counters.ip_in_addr_errors += u64::from(martian);
            self.counters.ip_in_discards += u64::from(!martian);
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        let mtu_back = (back.kind == Kind::Unicast).then(|| self.mtu_of(now, &back, header.src));
        let at = |cast| Arrival { iface: Some(iface), cast, mtu_back };
        match way.kind {
            Kind::Local => self.deliver(now, at(Cast::Unicast), header, frame, out),
            Kind::Broadcast => {
                self.counters.ip_in_bcast_pkts += 1;
                self.deliver(now, at(Cast::Broadcast), header, frame, out);
            }
            Kind::Multicast => {
                self.counters.ip_in_mcast_pkts += 1;
                self.forward_multicast(now, iface, &header, &frame, out);
                if self.is_member(iface, header.dst.into())
                    || header.protocol == protocol::IGMP && self.hears(iface, header.dst.into())
                {
                    self.deliver(now, at(Cast::Multicast), header, frame, out);
                } else if header.protocol != protocol::IGMP {
                    self.hear_stray(now, iface, header.dst.into());
                }
            }
            Kind::NoRoute | Kind::Refused(_) => {
                self.counters.ip_in_no_routes += 1;
                if self.forwarding == Forwarding::Off {
                    self.counters.ip_in_addr_errors += 1;
                    return drop_frame(&frame, DropReason::NotForUs, out);
                }
                let error = match way.kind {
                    Kind::Refused(refused) => refused.trouble(),
                    _ => Some(Trouble::NoRoute),
                };
                drop_frame(&frame, DropReason::NoRoute, out);
                if let Some(error) = error {
                    self.report(now, error, &header, &frame, out);
                }
            }
            Kind::Unicast => unreachable!("a unicast to a unicast frame is forwarded before"),
        }
    }

    /// Whether `dst` is the first address of an interface, to which nearly all datagrams are that are for a host. What the
    /// routing table says makes no difference to those, as in Linux, which asks the table `local` before any other.
    #[inline]
    fn owns(&self, iface: Iface, dst: Ipv4Addr) -> bool {
        self.interfaces[usize::from(iface)].addresses.first().is_some_and(|own| own.addr() == IpAddr::V4(dst))
    }

    /// Passes a datagram on: one way found, one neighbour, the checksum mended in place.
    #[inline]
    fn forward(
        &mut self,
        now: Instant,
        iface: Iface,
        header: Header,
        way: Way,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) -> Aftermath {
        // What nearly every datagram is that is passed on; for the others each question is asked by itself below.
        let mtu = self.interfaces[usize::from(way.iface)].mtu;
        if self.forwarding == Forwarding::On
            && self.filter.is_none()
            && self.paths.is_none()
            && way.iface != iface
            && header.ttl > 1
            && u32::from(header.total_len) <= mtu
            && usize::from(header.header_len) == ipv4::HEADER_LEN
            && self.may_come_from(header.src)
            && let Some(id) = way.neighbor
            && let Some(mac) = self.neighbors.known(now, id)
        {
            self.counters.ip_forw_datagrams += 1;
            ipv4::decrement_ttl(frame.header_mut(ipv4::HEADER_LEN));
            self.put(way.iface, mac, EtherType::IPV4, frame, out);
            return Aftermath::None;
        }
        self.forward_other(now, iface, header, way, frame, out);
        Aftermath::Some
    }

    #[inline(never)]
    fn forward_other(
        &mut self,
        now: Instant,
        iface: Iface,
        header: Header,
        way: Way,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        if self.forwarding == Forwarding::Off {
            // RFC 1122 §3.2.1.3: "A host MUST silently discard an incoming datagram that is not destined for the host."
            self.counters.ip_in_addr_errors += 1;
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        if !self.may_come_from(header.src) {
            self.counters.ip_in_addr_errors += 1;
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        if header.ttl <= 1 {
            self.counters.ip_in_hdr_errors += 1;
            drop_frame(&frame, DropReason::Ttl, out);
            return self.report(now, Trouble::HopLimit, &header, &frame, out);
        }
        let way = if way.spread { self.spread_forwarded(way, header.dst, &frame) } else { way };
        if way.iface == iface {
            self.redirect(now, iface, &header, &way, &frame, out);
        }
        if self.filter.is_some() {
            return self.forward_filtered(now, iface, header, way, frame, out);
        }
        let mtu = self.fit_forwarded(self.interfaces[usize::from(way.iface)].mtu, header.dst.into()).bytes;
        if u32::from(header.total_len) > mtu && offload::packet_len(&frame, &header) > mtu {
            return self.forward_large(now, header, way, mtu, frame, out);
        }
        self.counters.ip_forw_datagrams += 1;
        self.stamp(now, &header, &way, &mut frame);
        self.transmit(now, header.dst, way, frame, Origin::Forwarded, out);
    }

    fn forward_large(&mut self, now: Instant, header: Header, way: Way, mtu: u32, mut frame: Frame, out: &mut Out<'_>) {
        if header.dont_fragment {
            self.counters.ip_frag_fails += 1;
            drop_frame(&frame, DropReason::TooBig, out);
            return self.report(now, Trouble::TooBig { mtu }, &header, &frame, out);
        }
        self.counters.ip_forw_datagrams += 1;
        self.stamp(now, &header, &way, &mut frame);
        self.transmit_fragments(now, header, way, mtu, frame, Origin::Forwarded, out);
    }

    /// Leaves in the header that this router has passed the datagram on.
    fn stamp(&mut self, now: Instant, header: &Header, way: &Way, frame: &mut Frame) {
        ipv4::decrement_ttl(frame.header_mut(ipv4::HEADER_LEN));
        let len = usize::from(header.header_len);
        if len != ipv4::HEADER_LEN {
            self.mark_forwarded(now, (header.src, header.dst), way, frame.header_mut(len));
        }
    }

    /// A datagram for this host.
    pub(in crate::ip) fn deliver(
        &mut self,
        now: Instant,
        Arrival { iface, cast, mtu_back }: Arrival,
        mut header: Header,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        if header.is_fragment() {
            let Some(whole) = self.reassemble(now, header, frame, out) else { return };
            (header, frame) = whole;
        }
        let len = usize::from(header.header_len);
        if len != ipv4::HEADER_LEN && cast == Cast::Unicast {
            self.mark(now, header.dst, frame.header_mut(len));
        }
        if self.filter.is_some() {
            let Some(passed) = self.input_filtered(now, iface, frame, out) else { return };
            (header, frame) = passed;
        }
        match header.protocol {
            served if self.is_served(served) => {
                self.counters.ip_in_delivers += 1;
                frame.pull(usize::from(header.header_len));
                self.up.push_back(Up::Datagram(Datagram {
                    iface,
                    src: header.src.into(),
                    dst: header.dst.into(),
                    protocol: header.protocol,
                    ttl: header.ttl,
                    tos: header.tos,
                    cast,
                    mtu_back,
                    header_len: header.header_len.into(),
                    frame,
                }));
            }
            protocol::ICMP => {
                self.counters.ip_in_delivers += 1;
                self.receive_icmp(now, iface, cast, header, frame, out);
            }
            protocol::IGMP => {
                self.counters.ip_in_delivers += 1;
                frame.pull(usize::from(header.header_len));
                self.receive_igmp(now, iface, header.src, &frame, out);
            }
            _ => {
                self.counters.ip_in_unknown_protos += 1;
                drop_frame(&frame, DropReason::UnknownProtocol, out);
                if cast == Cast::Unicast {
                    self.report(now, Trouble::ProtocolUnreachable, &header, &frame, out);
                }
            }
        }
    }

    /// Puts a fragment to the others of its datagram; gives that one when it is whole.
    pub(super) fn reassemble(
        &mut self,
        now: Instant,
        header: Header,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<(Header, Frame)> {
        self.counters.ip_reasm_reqds += 1;
        let reassembler = self.v4.reassembler.get_or_insert_default();
        let (key, piece) = fragment::v4::piece(&header, frame.clone());
        let outcome = match reassembler.insert(now, key, piece) {
            Outcome::Complete(pieces) => fragment::v4::whole(&pieces).ok_or(Outcome::Invalid),
            other => Err(other),
        };
        match outcome {
            Ok(mut whole) => {
                self.counters.ip_reasm_oks += 1;
                let header = Header::parse(whole.bytes()).ok()?;
                whole.cause = out.trace.emit(Storey::Network, "ip.reassembled", cause_of(&whole), |f| {
                    f.set("src", header.src).set("dst", header.dst).set("bytes", header.total_len);
                });
                return Some((header, whole));
            }
            Err(Outcome::Waiting) => self.expire_fragments(now, out),
            Err(Outcome::Duplicate) => {}
            Err(_) => {
                self.counters.ip_reasm_fails += 1;
                drop_frame(&frame, DropReason::Fragment, out);
            }
        }
        None
    }

    fn receive_icmp(
        &mut self,
        now: Instant,
        iface: Option<Iface>,
        cast: Cast,
        header: Header,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        self.counters.icmp_in_msgs += 1;
        frame.pull(usize::from(header.header_len));
        if frame.checksums == Checksums::Unverified && checksum::of(frame.bytes()) != 0 {
            self.counters.icmp_in_csum_errors += 1;
            self.counters.icmp_in_errors += 1;
            return drop_frame(&frame, DropReason::L4Checksum, out);
        }
        let Ok(message) = Message::parse(frame.bytes()) else {
            self.counters.icmp_in_errors += 1;
            return drop_frame(&frame, DropReason::Malformed, out);
        };
        match message.icmp_type {
            kind::ECHO => {
                self.counters.icmp_in_echos += 1;
                // As Linux with `icmp_echo_ignore_broadcasts`; RFC 1122 §3.2.2.6 allows it.
                if cast == Cast::Unicast {
                    self.answer_echo(now, header, message, frame, out);
                }
            }
            kind::ECHO_REPLY => {
                self.counters.icmp_in_echo_reps += 1;
                frame.pull(icmp::HEADER_LEN);
                self.up.push_back(Up::EchoReply {
                    from: header.src.into(),
                    ident: message.ident(),
                    seq: message.seq(),
                    ttl: header.ttl,
                    header_len: header.header_len.into(),
                    data: frame,
                });
            }
            kind::UNREACHABLE | kind::TIME_EXCEEDED | kind::PARAMETER_PROBLEM => {
                self.receive_error(now, header, message, frame, out);
            }
            kind::REDIRECT => {
                let iface = iface.filter(|_| cast == Cast::Unicast);
                self.receive_redirect(now, iface, &header, message, frame, out);
            }
            // RFC 1122 §3.2.2: "If an ICMP message of unknown type is received, it MUST be silently discarded."
            _ => {}
        }
    }

    /// RFC 1122 §3.2.2.6: "Data received in an ICMP Echo Request MUST be entirely included in the resulting Echo Reply."
    fn answer_echo(&mut self, now: Instant, header: Header, message: Message, mut frame: Frame, out: &mut Out<'_>) {
        let len = usize::from(header.header_len);
        let mut options = Vec::new();
        if len != ipv4::HEADER_LEN {
            frame.unpull(len);
            options = options::echoed(&frame.bytes()[..len]);
            frame.pull(len);
        }
        icmp::make_reply(frame.bytes_mut());
        let reply = Outgoing {
            tos: header.tos,
            dont_fragment: DontFragment::No,
            ..Outgoing::new(header.dst.into(), header.src.into(), protocol::ICMP)
        };
        self.send_echo_reply(now, &reply, message.seq(), &options, frame, out);
    }

    /// A datagram that this host sent to itself.
    pub(in crate::ip) fn take_looped(&mut self, now: Instant, mut frame: Frame, out: &mut Out<'_>) {
        match self.check(&mut frame) {
            Ok(mut header) => {
                if self.filter.is_some() {
                    let Some(passed) = self.looped_filtered(now, frame, out) else { return };
                    (header, frame) = passed;
                }
                let cast = match self.way(header.dst).kind {
                    Kind::Broadcast => Cast::Broadcast,
                    Kind::Multicast => Cast::Multicast,
                    _ => Cast::Unicast,
                };
                self.deliver(now, Arrival { iface: None, cast, mtu_back: None }, header, frame, out);
            }
            Err(why) => drop_frame(&frame, why, out),
        }
    }

    /// Sends the fragments of `packet`, whose header is `header`.
    #[allow(clippy::too_many_arguments)]
    pub(in crate::ip) fn transmit_fragments(
        &mut self,
        now: Instant,
        header: Header,
        way: Way,
        mtu: u32,
        mut packet: Frame,
        origin: Origin,
        out: &mut Out<'_>,
    ) {
        packet.cause = out.trace.emit(Storey::Network, "ip.fragment", cause_of(&packet), |f| {
            f.set("dst", header.dst).set("bytes", header.total_len).set("mtu", mtu);
            f.set("why", "larger than the next link's MTU");
        });
        // The header in the packet may have changed since `header` was read (its TTL has), lengths have not.
        let fragments: Vec<Frame> = fragment::v4::fragment(&packet, header, mtu as usize).collect();
        if fragments.is_empty() {
            self.counters.ip_frag_fails += 1;
            return drop_frame(&packet, DropReason::Fragment, out);
        }
        self.counters.ip_frag_oks += 1;
        for fragment in fragments {
            self.counters.ip_frag_creates += 1;
            self.transmit(now, header.dst, way, fragment, origin, out);
        }
    }
}
