//! ICMP errors: those this host reports, and those that others report to it.

use core::time::Duration;
use std::net::IpAddr;

use septet_core::{Checksums, EventId, Frame, Instant, Out, Storey};

use super::told::{cause_of, drop_frame, with_cause};
use super::{Datagram, DontFragment, Ip, Outgoing, Report, Up};
use crate::icmp_limit::Allowed;
use septet_wire::icmp::{self, Message, kind};
use septet_wire::ipv4::{Header, protocol};
use septet_wire::ipv6;

/// RFC 1191 §6.3: "10 minutes"; Linux's `net.ipv4.route.mtu_expires`.
const PATH_MTU_EXPIRES: Duration = Duration::from_secs(600);
/// `net.ipv4.route.min_pmtu`: nobody makes us send smaller packets.
const PATH_MTU_MIN: u32 = 552;
/// Path MTUs remembered at once.
const PATH_MTUS: usize = 4096;

impl Ip {
    /// Tells the sender of `packet`, which begins at its IP header `header`, what went wrong; unless the rules forbid it.
    pub(super) fn report(
        &mut self,
        now: Instant,
        error: icmp::Error,
        header: &Header,
        packet: &Frame,
        out: &mut Out<'_>,
    ) {
        if !icmp::may_report(header, packet.bytes()) {
            return;
        }
        let sender = IpAddr::V4(header.src);
        if self.is_local(sender) {
            return self.report_to_self(error, header, packet, out);
        }
        if !is_unlimited(error) {
            let limiter = self.limiter.get_or_insert_default();
            if limiter.allow(now, sender) == Allowed::No {
                self.counters.icmp_out_rate_limit += 1;
                return;
            }
        }
        let (icmp_type, code, rest) = error.encode();
        let mut frame = Frame::new(Frame::HEADROOM, icmp::quote(packet.bytes()));
        Message { icmp_type, code, rest }.push(&mut frame);
        frame.checksums = Checksums::Good;
        let event = out.trace.emit(Storey::Network, "icmp.error", cause_of(packet), |f| {
            f.set("to", sender).set("about", header.dst).set("why", error.why());
            if let icmp::Error::FragmentationNeeded { mtu } = error {
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
    fn report_to_self(&mut self, error: icmp::Error, header: &Header, packet: &Frame, out: &mut Out<'_>) {
        let (icmp_type, code, rest) = error.encode();
        let mut quote = packet.clone();
        quote.pull(usize::from(header.header_len));
        if quote.len() < 8 {
            return;
        }
        quote.cause = out.trace.emit(Storey::Network, "icmp.error", cause_of(packet), |f| {
            f.set("to", header.src).set("about", header.dst).set("why", error.why());
        });
        self.up.push_back(Up::Error(Report {
            reporter: header.src.into(),
            src: header.src.into(),
            dst: header.dst.into(),
            protocol: header.protocol,
            icmp_type,
            code,
            mtu: if icmp_type == kind::UNREACHABLE && code == 4 { rest } else { 0 },
            quote,
        }));
    }

    /// Nothing listens on the port that `datagram` is for: RFC 1122 §4.1.3.1, "UDP SHOULD send an ICMP Port Unreachable
    /// message".
    pub fn port_unreachable(&mut self, now: Instant, datagram: Datagram, out: &mut Out<'_>) {
        let Datagram { src, mut frame, header_len, cast, .. } = datagram;
        if cast != super::Cast::Unicast {
            return;
        }
        frame.unpull(usize::from(header_len));
        if src.is_ipv6() {
            return self.port_unreachable_v6(now, &frame, out);
        }
        let Ok(header) = Header::parse(frame.bytes()) else { return };
        self.report(now, icmp::Error::PortUnreachable, &header, &frame, out);
    }

    /// An error about something that this host sent.
    pub(super) fn receive_error(
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
        let mut mtu = 0;
        if (message.icmp_type, message.code) == (kind::UNREACHABLE, 4) {
            mtu = message.rest & 0xffff;
            // TCP knows whether it has sent what is quoted, and learns only then (RFC 5927 §7.2).
            if mtu < u32::from(quoted.total_len) && quoted.protocol != protocol::TCP {
                self.learn_path_mtu(now, quoted.dst.into(), mtu);
            }
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
            icmp_type: message.icmp_type,
            code: message.code,
            mtu,
            quote: frame,
        }));
    }

    /// A router on the way to `dst` takes no more than `mtu` octets at once. Less than nobody need believe is not believed.
    pub fn learn_path_mtu(&mut self, now: Instant, dst: IpAddr, mtu: u32) {
        // RFC 8201 §4: "A node MUST NOT reduce its estimate of the Path MTU below the IPv6 minimum link MTU".
        let least = if dst.is_ipv4() { PATH_MTU_MIN } else { ipv6::MIN_MTU };
        if self.path_mtu.len() >= PATH_MTUS {
            self.path_mtu.retain(|_, (_, until)| *until > now);
            if self.path_mtu.len() >= PATH_MTUS {
                self.path_mtu.pop_first();
            }
        }
        self.path_mtu.insert(dst, (mtu.max(least), now + PATH_MTU_EXPIRES));
    }
}

/// Whether Linux exempts it from the rate limit: path MTU discovery depends on it.
const fn is_unlimited(error: icmp::Error) -> bool {
    matches!(error, icmp::Error::FragmentationNeeded { .. })
}
