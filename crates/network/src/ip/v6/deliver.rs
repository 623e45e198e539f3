//! Packets of IPv6 for this host: their chain of headers, their fragments, and what they carry (RFC 8200 §4).

use septet_core::{DropReason, Frame, Instant, Out, Storey};

use crate::fragment::{self, Expired, Outcome};
use crate::ip::told::{cause_of, drop_frame};
use crate::ip::{Cast, Datagram, Ip, Outgoing, Up};
use crate::route::Iface;
use septet_wire::extension::{Extension, ExtensionOption, FRAGMENT_LEN, Fragment, JUMBO, ROUTER_ALERT, Unknown, next};
use septet_wire::icmp::{self, Message};
use septet_wire::icmpv6::{self, kind};
use septet_wire::ipv6::{self, Header};
use septet_wire::packet::Packet;
use septet_wire::{HeaderFault, Trouble, mld, protocol};

/// Fragment headers that one packet may have, each in what came out of the one before; RFC 8504 §5.3 lets a host set limits.
/// Other headers may be as many as there is room for, as in Linux: each is read once.
const FRAGMENTS: usize = 16;
/// Options in one header, padding left out: Linux's `max_hbh_opts_number` and `max_dst_opts_number`.
const OPTIONS: usize = 8;
/// Where the IPv6 header says how long its payload is.
const PAYLOAD_LEN_AT: u32 = 4;

/// How a packet for this host came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Where; `None` where it never left the host.
    pub(super) iface: Option<Iface>,
    /// To how many it was addressed.
    pub(super) cast: Cast,
    /// As in [`Datagram::mtu_back`].
    pub(super) mtu_back: Option<u32>,
}

impl Arrival {
    /// On `iface`, and no more is known.
    pub(super) const fn on(iface: Iface, cast: Cast) -> Self {
        Self { iface: Some(iface), cast, mtu_back: None }
    }
}

impl Ip {
    /// A packet that this host sent to itself.
    pub(in crate::ip) fn take_looped_v6(&mut self, now: Instant, mut frame: Frame, out: &mut Out<'_>) {
        self.counters6.in_receives += 1;
        let Ok(mut header) = Header::parse(frame.bytes()) else { return };
        if self.filter.is_some() {
            let Some(passed) = self.looped_filtered_v6(now, frame, out) else { return };
            (header, frame) = passed;
        }
        let cast = if header.dst.is_multicast() { Cast::Multicast } else { Cast::Unicast };
        self.deliver_v6(now, Arrival { iface: None, cast, mtu_back: None }, header, frame, out);
    }

    /// A packet for this host.
    pub(super) fn deliver_v6(
        &mut self,
        now: Instant,
        arrival: Arrival,
        mut header: Header,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        if self.filter.is_some() {
            let Some(passed) = self.input_filtered_v6(now, arrival.iface, frame, out) else { return };
            (header, frame) = passed;
        }
        let (mut following, mut names, mut at) = (header.next_header, ipv6::NEXT_HEADER_AT, ipv6::HEADER_LEN);
        let mut fragments = 0;
        loop {
            let (then, len) = match following {
                served if self.is_served(served) => {
                    let Ok(header_len) = u16::try_from(at) else { return self.bad_header_v6(&frame, out) };
                    self.counters6.in_delivers += 1;
                    let Arrival { iface, cast, mtu_back } = arrival;
                    frame.pull(at);
                    self.up.push_back(Up::Datagram(Datagram {
                        iface,
                        src: header.src.into(),
                        dst: header.dst.into(),
                        protocol: served,
                        ttl: header.hop_limit,
                        tos: header.traffic_class,
                        cast,
                        mtu_back,
                        header_len,
                        frame,
                    }));
                    return;
                }
                protocol::ICMPV6 => {
                    self.counters6.in_delivers += 1;
                    frame.pull(at);
                    return self.receive_icmpv6(now, arrival, &header, frame, out);
                }
                // What stands first was looked at when the packet came.
                next::HOP_BY_HOP if at == ipv6::HEADER_LEN => match Extension::parse(&frame.bytes()[at..]) {
                    Some(extension) => (extension.next, extension.bytes.len()),
                    None => return self.bad_header_v6(&frame, out),
                },
                next::DESTINATION => match self.options(now, arrival, &header, &frame, at, out) {
                    Some(passed) => passed,
                    None => return,
                },
                next::ROUTING => match self.routing(now, arrival, &frame, at, out) {
                    Some(passed) => passed,
                    None => return,
                },
                next::FRAGMENT if fragments == FRAGMENTS => return self.bad_header_v6(&frame, out),
                next::FRAGMENT => {
                    fragments += 1;
                    let Some(whole) = self.reassemble_v6(now, arrival, &header, frame, at, out) else { return };
                    let Ok(again) = Header::parse(whole.bytes()) else { return };
                    (header, frame) = (again, whole);
                    (following, names, at) = (header.next_header, ipv6::NEXT_HEADER_AT, ipv6::HEADER_LEN);
                    continue;
                }
                // RFC 8200 §4.7: "there is nothing following that header".
                next::NONE => return,
                _ => {
                    // §4: "If … the Next Header value in the current header is unrecognized by the node, it should discard
                    // the packet and send an ICMP Parameter Problem message".
                    self.counters6.in_unknown_protos += 1;
                    drop_frame(&frame, DropReason::UnknownProtocol, out);
                    let trouble = Trouble::Header { fault: HeaderFault::NextHeader, at: names };
                    return self.report_v6(now, trouble, &frame, arrival.cast, out);
                }
            };
            (following, names, at) = (then, at as u32, at + len);
        }
    }

    fn bad_header_v6(&mut self, frame: &Frame, out: &mut Out<'_>) {
        self.counters6.in_hdr_errors += 1;
        drop_frame(frame, DropReason::Malformed, out);
    }

    /// Looks at the options of the header at octet `at`; gives what follows it, and its length. `None` where the packet
    /// goes no further.
    pub(super) fn options(
        &mut self,
        now: Instant,
        arrival: Arrival,
        header: &Header,
        frame: &Frame,
        at: usize,
        out: &mut Out<'_>,
    ) -> Option<(u8, usize)> {
        let Some(extension) = frame.bytes().get(at..).and_then(Extension::parse) else {
            self.bad_header_v6(frame, out);
            return None;
        };
        for (count, option) in extension.options().enumerate() {
            let Ok(option) = option.map_err(drop) else {
                self.bad_header_v6(frame, out);
                return None;
            };
            if count >= OPTIONS {
                self.bad_header_v6(frame, out);
                return None;
            }
            if option.kind == JUMBO && at == ipv6::HEADER_LEN && header.next_header == next::HOP_BY_HOP {
                self.jumbo(now, arrival, header, frame, &option, out);
                return None;
            }
            // A router alert is for who listens to what it announces, and here that is told by its group.
            let action = if option.kind == ROUTER_ALERT { Unknown::Skip } else { option.if_unknown() };
            let reports = match action {
                Unknown::Skip => continue,
                Unknown::Discard => false,
                Unknown::Report => true,
                Unknown::ReportUnicast => !header.dst.is_multicast() && arrival.cast == Cast::Unicast,
            };
            self.counters6.in_hdr_errors += 1;
            drop_frame(frame, DropReason::Malformed, out);
            if reports {
                let pointer = (at + option.at) as u32;
                let trouble = Trouble::Header { fault: HeaderFault::Option, at: pointer };
                // RFC 4443 §2.4 (e): to a group too "to report an unrecognized IPv6 option … that has the Option Type
                // highest-order two bits set to 10".
                self.report_v6(now, trouble, frame, arrival.cast, out);
            }
            return None;
        }
        Some((extension.next, extension.bytes.len()))
    }

    /// A packet says that it is longer than its header can say, which none is that comes over links of ours. RFC 2675 §3: what
    /// is not, has "Code: 0" and points to the length that is too small, or to the option where the header says a length too.
    fn jumbo(
        &mut self,
        now: Instant,
        arrival: Arrival,
        header: &Header,
        frame: &Frame,
        option: &ExtensionOption<'_>,
        out: &mut Out<'_>,
    ) {
        let at = (ipv6::HEADER_LEN + option.at) as u32;
        let wrong = match option.data.try_into().map(u32::from_be_bytes) {
            // §2: "The Jumbo Payload option has the alignment requirement 4n + 2", and four octets.
            _ if option.at % 4 != 2 => None,
            Ok(len) if len as usize <= ipv6::MAX_PAYLOAD => Some(at + 2),
            Ok(_) if header.payload_len != 0 => Some(at),
            Ok(_) | Err(_) => None,
        };
        self.bad_header_v6(frame, out);
        if let Some(at) = wrong {
            let trouble = Trouble::Header { fault: HeaderFault::Field, at };
            self.report_v6(now, trouble, frame, arrival.cast, out);
        }
    }

    /// RFC 8200 §4.4: "If Segments Left is zero, the node must ignore the Routing header … If Segments Left is non-zero, the
    /// node must discard the packet and send an ICMP Parameter Problem, Code 0, message … pointing to the unrecognized
    /// Routing Type." RFC 5095 §3 has type 0 among these.
    fn routing(
        &mut self,
        now: Instant,
        arrival: Arrival,
        frame: &Frame,
        at: usize,
        out: &mut Out<'_>,
    ) -> Option<(u8, usize)> {
        let Some(extension) = frame.bytes().get(at..).and_then(Extension::parse) else {
            self.bad_header_v6(frame, out);
            return None;
        };
        let (_, segments_left) = extension.routing();
        if segments_left == 0 {
            return Some((extension.next, extension.bytes.len()));
        }
        self.counters6.in_hdr_errors += 1;
        drop_frame(frame, DropReason::Policy, out);
        let trouble = Trouble::Header { fault: HeaderFault::Field, at: at as u32 + 2 };
        self.report_v6(now, trouble, frame, arrival.cast, out);
        None
    }

    /// Takes the fragment whose fragment header begins at octet `at`; gives the packet where it is whole.
    pub(super) fn reassemble_v6(
        &mut self,
        now: Instant,
        arrival: Arrival,
        header: &Header,
        frame: Frame,
        at: usize,
        out: &mut Out<'_>,
    ) -> Option<Frame> {
        self.counters6.reasm_reqds += 1;
        let Some(fragment) = frame.bytes().get(at..).and_then(Fragment::parse) else {
            self.counters6.reasm_fails += 1;
            self.bad_header_v6(&frame, out);
            return None;
        };
        let (key, piece) = fragment::v6::piece(header, &fragment, at, frame.clone());
        // RFC 8200 §4.5: a length that is no multiple of eight where more follow, and one beyond 65,535 octets, "must be
        // discarded and an ICMP Parameter Problem, Code 0, message should be sent", pointing to what is wrong.
        let wrong = if piece.more && !piece.len.is_multiple_of(8) {
            Some(Trouble::Header { fault: HeaderFault::Field, at: PAYLOAD_LEN_AT })
        } else if at - ipv6::HEADER_LEN + usize::from(piece.offset) + usize::from(piece.len) > ipv6::MAX_PAYLOAD {
            Some(Trouble::Header { fault: HeaderFault::Field, at: at as u32 + 2 })
        } else if fragment.offset == 0 && fragment.next == next::HOP_BY_HOP {
            // §4.1: hop-by-hop options stand "immediately after an IPv6 header only".
            Some(Trouble::Header { fault: HeaderFault::NextHeader, at: at as u32 })
        } else if fragment.offset == 0 && fragment.more && !has_all_headers(&frame) {
            // RFC 7112 §5: "A host that receives a First Fragment that does not satisfy the above-stated requirement SHOULD
            // discard the packet and MAY send an ICMPv6 error message".
            Some(Trouble::Header { fault: HeaderFault::FirstFragment, at: 0 })
        } else {
            None
        };
        if let Some(trouble) = wrong {
            self.counters6.reasm_fails += 1;
            self.counters6.in_hdr_errors += 1;
            drop_frame(&frame, DropReason::Fragment, out);
            self.report_v6(now, trouble, &frame, arrival.cast, out);
            return None;
        }
        // RFC 6946 §4: an atomic fragment "MUST be processed in isolation from any other packets".
        let outcome = if fragment.is_atomic() {
            Outcome::Complete(vec![piece])
        } else {
            self.v6.reassembler.get_or_insert_default().insert(now, key, piece)
        };
        let whole = match outcome {
            Outcome::Complete(pieces) => {
                self.v6.largest = pieces.iter().map(|piece| piece.frame.len() as u32).max().unwrap_or(0);
                fragment::v6::whole(&pieces)
            }
            Outcome::Waiting => {
                self.expire_fragments_v6(now, out);
                self.rearm_v6();
                return None;
            }
            Outcome::Duplicate => return None,
            Outcome::Invalid => None,
        };
        let Some(mut whole) = whole else {
            self.counters6.reasm_fails += 1;
            drop_frame(&frame, DropReason::Fragment, out);
            return None;
        };
        self.counters6.reasm_oks += 1;
        if !fragment.is_atomic() {
            whole.cause = out.trace.emit(Storey::Network, "ip.reassembled", cause_of(&whole), |f| {
                f.set("src", header.src).set("dst", header.dst).set("bytes", whole.len());
            });
        }
        Some(whole)
    }

    /// Gives up packets whose rest did not come. RFC 8200 §4.5: "If the first fragment … has been received, an ICMP Time
    /// Exceeded -- Fragment Reassembly Time Exceeded message should be sent to the source of that fragment."
    pub(super) fn expire_fragments_v6(&mut self, now: Instant, out: &mut Out<'_>) {
        while let Some((why, first)) = self.v6.reassembler.as_mut().and_then(|r| r.expire(now)) {
            self.counters6.reasm_fails += 1;
            self.counters6.reasm_timeout += u64::from(why == Expired::Time);
            drop_frame(&first, DropReason::Fragment, out);
            // Only who was to receive it tells of it: a router that filters puts together what is for others, too.
            let own = Header::of_quote(first.bytes()).is_ok_and(|header| self.is_local(header.dst.into()));
            if why == Expired::Time && own {
                self.report_v6(now, Trouble::Reassembly, &first, Cast::Unicast, out);
            }
        }
    }

    fn receive_icmpv6(&mut self, now: Instant, arrival: Arrival, header: &Header, mut frame: Frame, out: &mut Out<'_>) {
        self.counters6.icmp_in_msgs += 1;
        let message = match icmpv6::parse(&frame, header.src, header.dst) {
            Ok(message) => message,
            Err(why) => {
                self.counters6.icmp_in_errors += 1;
                self.counters6.icmp_in_csum_errors += u64::from(why == DropReason::L4Checksum);
                return drop_frame(&frame, why, out);
            }
        };
        match message.icmp_type {
            kind::ECHO => {
                self.counters6.icmp_in_echos += 1;
                self.answer_echo_v6(now, arrival, header, &message, frame, out);
            }
            kind::ECHO_REPLY => {
                self.counters6.icmp_in_echo_replies += 1;
                frame.pull(icmp::HEADER_LEN);
                self.up.push_back(Up::EchoReply {
                    from: header.src.into(),
                    ident: message.ident(),
                    seq: message.seq(),
                    ttl: header.hop_limit,
                    header_len: ipv6::HEADER_LEN,
                    data: frame,
                });
            }
            error if icmpv6::is_error(error) => self.receive_error_v6(now, header, &message, frame, out),
            kind::ROUTER_SOLICIT
            | kind::ROUTER_ADVERT
            | kind::NEIGHBOR_SOLICIT
            | kind::NEIGHBOR_ADVERT
            | kind::REDIRECT => {
                if let Some(iface) = arrival.iface {
                    self.receive_nd(now, iface, header, &message, &frame, out);
                }
            }
            of_groups if mld::is_mld(of_groups) => {
                // RFC 3810 §5: "sent with a link-local IPv6 Source Address, an IPv6 Hop Limit of 1"; §5.2.13 lets a report
                // without an address pass.
                let near = header.src.is_unicast_link_local() || header.src.is_unspecified();
                if let Some(iface) = arrival.iface.filter(|_| near && header.hop_limit == 1) {
                    self.receive_mld(now, iface, header.src, &frame, out);
                }
            }
            // RFC 4443 §2.4 (b): "If an ICMPv6 informational message of unknown type is received, it MUST be silently
            // discarded."
            _ => {}
        }
    }

    /// RFC 4443 §4.2: "The data received in the ICMPv6 Echo Request message MUST be returned entirely and unmodified", and
    /// the source of the answer to one for a group "MUST be a unicast address belonging to the interface on which" it came.
    fn answer_echo_v6(
        &mut self,
        now: Instant,
        arrival: Arrival,
        header: &Header,
        message: &Message,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        let src = if header.dst.is_multicast() {
            let Ok(src) = self.way_v6(header.src, arrival.iface).and_then(|way| self.source_v6(&way, header.src))
            else {
                return;
            };
            src
        } else {
            header.dst
        };
        frame.pull(icmp::HEADER_LEN);
        icmpv6::push(&Message { icmp_type: kind::ECHO_REPLY, ..*message }, &mut frame, src, header.src);
        let reply = Outgoing {
            tos: header.traffic_class,
            by: arrival.iface,
            ..Outgoing::new(src.into(), header.src.into(), protocol::ICMPV6)
        };
        self.send_echo_reply(now, &reply, message.seq(), &[], frame, out);
    }
}

/// Whether a first fragment holds the header of what the packet carries, so that it can be judged (RFC 7112 §4). As Linux's
/// `ipv6frag_thdr_truncated`: a chain that goes on in the next fragment is judged when all of it is there.
fn has_all_headers(frame: &Frame) -> bool {
    let Some(packet) = Packet::read(frame.bytes()) else { return false };
    let needs = match packet.protocol {
        None => return true,
        Some(protocol::TCP) => 20,
        Some(protocol::UDP | protocol::ICMPV6) => FRAGMENT_LEN,
        Some(_) => 0,
    };
    packet.upper(frame.bytes()).len() >= needs
}
