//! ICMPv6's errors: those this host reports, and those that others report to it (RFC 4443).

use std::net::IpAddr;

use septet_core::{DropReason, Frame, Instant, Out, Storey};

use crate::icmp_limit::Allowed;
use crate::ip::told::{cause_of, drop_frame, with_cause};
use crate::ip::{Cast, Ip, Outgoing, Report, Up};
use septet_wire::icmp::{self, Message};
use septet_wire::icmpv6::{self, kind};
use septet_wire::ipv6::{self, Header};
use septet_wire::packet::Packet;
use septet_wire::{HeaderFault, Trouble, protocol};

impl Ip {
    /// Tells the sender of `packet`, which begins at its IPv6 header and came to `cast`, what went wrong; unless the rules
    /// forbid it.
    pub(in crate::ip) fn report_v6(
        &mut self,
        now: Instant,
        trouble: Trouble,
        packet: &Frame,
        cast: Cast,
        out: &mut Out<'_>,
    ) {
        let Ok(header) = Header::of_quote(packet.bytes()) else { return };
        // RFC 4443 §2.4 (e.3), (e.4): not about what was sent to many, but for "the Packet Too Big Message … to allow Path
        // MTU discovery to work for IPv6 multicast" and options that ask for it.
        let excepted = matches!(trouble, Trouble::TooBig { .. } | Trouble::Header { fault: HeaderFault::Option, .. });
        let to_many = cast != Cast::Unicast || header.dst.is_multicast();
        if to_many && !excepted || !icmpv6::may_report(&header, packet.bytes()) {
            return;
        }
        let sender = IpAddr::V6(header.src);
        // With a filter the message is sent: it may be for whom the sender's address stands.
        if self.filter.is_none() && self.is_local(sender) {
            return self.report_to_self_v6(trouble, &header, packet, out);
        }
        // §2.4 (f): "an IPv6 node MUST limit the rate of ICMPv6 error messages it originates."
        if !trouble.is_unlimited() && self.limiter.get_or_insert_default().allow(now, sender) == Allowed::No {
            self.counters6.icmp_out_rate_limit += 1;
            return;
        }
        // §2.2 (a), (b): from the address that the packet was for, where it is this host's, and otherwise from one that
        // fits the way to its sender.
        let own = IpAddr::V6(header.dst);
        let to = if self.is_local(own) { own } else { IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) };
        let src = match to {
            IpAddr::V6(addr) if !addr.is_unspecified() => Ok(addr),
            _ => self.way_v6(header.src, None).and_then(|way| self.source_v6(&way, header.src)),
        };
        // Without a way back there is nobody to tell.
        let Ok(src) = src else { return };
        let (icmp_type, code, rest) = icmpv6::encode(trouble);
        let mut frame = Frame::new(Frame::HEADROOM, icmpv6::quote(packet.bytes()));
        icmpv6::push(&Message { icmp_type, code, rest }, &mut frame, src, header.src);
        frame.checksums = septet_core::Checksums::Good;
        let event = out.trace.emit(Storey::Network, "icmp.error", cause_of(packet), |f| {
            f.set("to", sender).set("about", header.dst).set("why", icmpv6::describe(icmp_type, code));
            if let Trouble::TooBig { mtu } = trouble {
                f.set("mtu", mtu);
            }
        });
        match icmp_type {
            kind::UNREACHABLE => self.counters6.icmp_out_dest_unreachs += 1,
            kind::TOO_BIG => self.counters6.icmp_out_pkt_too_bigs += 1,
            kind::TIME_EXCEEDED => self.counters6.icmp_out_time_excds += 1,
            _ => self.counters6.icmp_out_parm_problems += 1,
        }
        self.counters6.icmp_out_msgs += 1;
        let to = Outgoing::new(src.into(), sender, protocol::ICMPV6);
        let _ = self.send(now, &to, with_cause(frame, event), out);
    }

    /// The sender is this host itself: no message need be built.
    fn report_to_self_v6(&mut self, trouble: Trouble, header: &Header, packet: &Frame, out: &mut Out<'_>) {
        let (icmp_type, code, _) = icmpv6::encode(trouble);
        let Some((protocol, mut quote)) = quoted(packet) else { return };
        quote.cause = out.trace.emit(Storey::Network, "icmp.error", cause_of(packet), |f| {
            f.set("to", header.src).set("about", header.dst).set("why", icmpv6::describe(icmp_type, code));
        });
        self.up.push_back(Up::Error(Report {
            reporter: header.src.into(),
            src: header.src.into(),
            dst: header.dst.into(),
            protocol,
            trouble,
            quote,
        }));
    }

    /// An error about something that this host sent: `frame` begins at its ICMPv6 header.
    pub(super) fn receive_error_v6(
        &mut self,
        now: Instant,
        header: &Header,
        message: &Message,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        match message.icmp_type {
            kind::UNREACHABLE => self.counters6.icmp_in_dest_unreachs += 1,
            kind::TOO_BIG => self.counters6.icmp_in_pkt_too_bigs += 1,
            kind::TIME_EXCEEDED => self.counters6.icmp_in_time_excds += 1,
            kind::PARAMETER_PROBLEM => self.counters6.icmp_in_parm_problems += 1,
            // RFC 4443 §2.4 (a) has unknown errors passed on too; to whom the quote does not matter, they say nothing.
            _ => {}
        }
        frame.pull(icmp::HEADER_LEN);
        let about = Header::of_quote(frame.bytes()).ok();
        let (Some(about), Some((protocol, mut quote))) = (about, quoted(&frame)) else {
            self.counters6.icmp_in_errors += 1;
            return drop_frame(&frame, DropReason::Malformed, out);
        };
        if !self.is_local(about.src.into()) {
            self.counters6.icmp_in_errors += 1;
            return drop_frame(&frame, DropReason::NotForUs, out);
        }
        let trouble = icmpv6::decode(message.icmp_type, message.code, message.rest);
        if let Trouble::TooBig { mtu } = trouble {
            // RFC 8201 §4: "If a node receives a Packet Too Big message reporting a next-hop MTU that is less than the IPv6
            // minimum link MTU, it must discard it."
            if mtu < ipv6::MIN_MTU {
                self.counters6.icmp_in_errors += 1;
                return drop_frame(&frame, DropReason::Malformed, out);
            }
            // TCP knows whether it has sent what is quoted, and learns only then (RFC 5927 §7.2).
            if protocol != protocol::TCP && (mtu as usize) < ipv6::HEADER_LEN + usize::from(about.payload_len) {
                self.learn_path_mtu(now, about.dst.into(), mtu);
            }
        }
        quote.cause = out.trace.emit(Storey::Network, "icmp.error-received", cause_of(&frame), |f| {
            f.set("from", header.src).set("about", about.dst);
            f.set("why", icmpv6::describe(message.icmp_type, message.code));
        });
        self.up.push_back(Up::Error(Report {
            reporter: header.src.into(),
            src: about.src.into(),
            dst: about.dst.into(),
            protocol,
            trouble,
            quote,
        }));
    }
}

/// What a packet, which may be cut short, carries: the protocol, and its first octets, of which there must be eight.
fn quoted(packet: &Frame) -> Option<(u8, Frame)> {
    let seen = Packet::read(packet.bytes())?;
    let (protocol, at) = (seen.protocol?, seen.upper_at?);
    let mut quote = packet.clone();
    if quote.len() < at + 8 {
        return None;
    }
    quote.pull(at);
    Some((protocol, quote))
}
