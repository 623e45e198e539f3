//! ICMP's errors: those this host reports, and those that others report to it.

use std::net::IpAddr;

use septet_core::{Checksums, EventId, Frame, Instant, Out, Storey};

use crate::icmp_limit::Allowed;
use crate::ip::told::{cause_of, drop_frame, with_cause};
use crate::ip::{DontFragment, Ip, Outgoing, Report, Up};
use septet_wire::Trouble;
use septet_wire::icmp::{self, Message, kind};
use septet_wire::ipv4::{Header, protocol};

impl Ip {
    /// Tells the sender of `packet`, which begins at its IP header `header`, what went wrong; unless the rules forbid it.
    pub(in crate::ip) fn report(
        &mut self,
        now: Instant,
        trouble: Trouble,
        header: &Header,
        packet: &Frame,
        out: &mut Out<'_>,
    ) {
        if !icmp::may_report(header, packet.bytes()) {
            return;
        }
        let sender = IpAddr::V4(header.src);
        // With a filter the message is sent: it may be for whom the sender's address stands.
        if self.filter.is_none() && self.is_local(sender) {
            return self.report_to_self(trouble, header, packet, out);
        }
        if !trouble.is_unlimited() {
            let limiter = self.limiter.get_or_insert_default();
            if limiter.allow(now, sender) == Allowed::No {
                self.counters.icmp_out_rate_limit += 1;
                return;
            }
        }
        let (icmp_type, code, rest) = icmp::encode(trouble);
        let mut frame = Frame::new(Frame::HEADROOM, icmp::quote(packet.bytes()));
        Message { icmp_type, code, rest }.push(&mut frame);
        frame.checksums = Checksums::Good;
        let event = out.trace.emit(Storey::Network, "icmp.error", cause_of(packet), |f| {
            f.set("to", sender).set("about", header.dst).set("why", icmp::describe(icmp_type, code));
            if let Trouble::TooBig { mtu } = trouble {
                f.set("mtu", mtu);
            }
        });
        match icmp_type {
            kind::UNREACHABLE => self.counters.icmp_out_dest_unreachs += 1,
            kind::TIME_EXCEEDED => self.counters.icmp_out_time_excds += 1,
            _ => self.counters.icmp_out_parm_probs += 1,
        }
        self.counters.icmp_out_msgs += 1;
        // RFC 1812 §4.3.2.4: the source is the address of the interface over which the message leaves, unless the
        // packet was for one of this host's own addresses (RFC 1122 §3.2.2).
        let own = IpAddr::V4(header.dst);
        let src = if self.is_local(own) { own } else { IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED) };
        let to = Outgoing {
            // RFC 1812 §4.3.2.5: "ICMP error messages … SHOULD … IP Precedence value 6 or 7".
            tos: header.tos & 0x1e | 0xc0,
            dont_fragment: DontFragment::No,
            ..Outgoing::new(src, sender, protocol::ICMP)
        };
        // Without a way back there is nobody to tell.
        let _ = self.send(now, &to, with_cause(frame, event), out);
    }

    /// The sender is this host itself: no message need be built.
    fn report_to_self(&mut self, trouble: Trouble, header: &Header, packet: &Frame, out: &mut Out<'_>) {
        let (icmp_type, code, _) = icmp::encode(trouble);
        let mut quote = packet.clone();
        quote.pull(usize::from(header.header_len));
        if quote.len() < 8 {
            return;
        }
        quote.cause = out.trace.emit(Storey::Network, "icmp.error", cause_of(packet), |f| {
            f.set("to", header.src).set("about", header.dst).set("why", icmp::describe(icmp_type, code));
        });
        self.up.push_back(Up::Error(Report {
            reporter: header.src.into(),
            src: header.src.into(),
            dst: header.dst.into(),
            protocol: header.protocol,
            trouble,
            quote,
        }));
    }

    /// An error about something that this host sent.
    pub(in crate::ip) fn receive_error(
        &mut self,
        now: Instant,
        header: Header,
        message: Message,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        match message.icmp_type {
            kind::UNREACHABLE => self.counters.icmp_in_dest_unreachs += 1,
            kind::TIME_EXCEEDED => self.counters.icmp_in_time_excds += 1,
            _ => self.counters.icmp_in_parm_probs += 1,
        }
        frame.pull(icmp::HEADER_LEN);
        // The quote is cut short, so its length field tells more than is there.
        let quoted = Header::of_quote(frame.bytes()).ok();
        let Some(quoted) = quoted.filter(|q| frame.len() >= usize::from(q.header_len) + 8) else {
            self.counters.icmp_in_errors += 1;
            return drop_frame(&frame, septet_core::DropReason::Malformed, out);
        };
        if !self.is_local(quoted.src.into()) {
            self.counters.icmp_in_errors += 1;
            return drop_frame(&frame, septet_core::DropReason::NotForUs, out);
        }
        let trouble = icmp::decode(message.icmp_type, message.code, message.rest);
        // TCP knows whether it has sent what is quoted, and learns only then (RFC 5927 §7.2).
        if let Trouble::TooBig { mtu } = trouble
            && mtu < u32::from(quoted.total_len)
            && quoted.protocol != protocol::TCP
        {
            self.learn_path_mtu(now, quoted.dst.into(), mtu);
        }
        let event: EventId = out.trace.emit(Storey::Network, "icmp.error-received", cause_of(&frame), |f| {
            f.set("from", header.src).set("about", quoted.dst);
            f.set("why", icmp::describe(message.icmp_type, message.code));
        });
        frame.cause = event;
        frame.pull(usize::from(quoted.header_len));
        if quoted.fragment_offset != 0 {
            return;
        }
        self.up.push_back(Up::Error(Report {
            reporter: header.src.into(),
            src: quoted.src.into(),
            dst: quoted.dst.into(),
            protocol: quoted.protocol,
            trouble,
            quote: frame,
        }));
    }
}
