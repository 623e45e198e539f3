//! ICMP redirects of IPv4 (RFC 792, RFC 1122 §3.2.2.2, RFC 1812 §5.2.7.2): a router that sends a datagram out where it came in
//! tells its sender of the better first hop, and a host believes its own.

use std::net::Ipv4Addr;

use septet_core::{Checksums, DropReason, Frame, Instant, Out};

use super::layer::Way;
use crate::ip::outgoing::{DontFragment, Outgoing};
use crate::ip::redirects::{Advice, Doubt, tell_redirect};
use crate::ip::state::Ip;
use crate::ip::told::{drop_frame, with_cause};
use crate::ip::ways::Kind;
use crate::route::Iface;
use septet_wire::icmp::{self, Message, kind};
use septet_wire::ipv4::{Header, protocol};

/// RFC 1812 §5.2.7.2: "Routers MUST be able to generate the Redirect for Host message (Type 5, Code 1)", and none for a
/// network.
const FOR_HOST: u8 = 1;
/// RFC 792: for a network, a host, and both with a type of service, which RFC 1122 §3.2.2.2 has a host take for that host.
const CODES: core::ops::RangeInclusive<u8> = 0..=3;

impl Ip {
    /// Tells the sender of a datagram that goes back onto the link that it came from who would be the better first hop. What
    /// has a source route, which would forbid it, was dropped before.
    #[cold]
    pub(super) fn redirect(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        way: &Way,
        packet: &Frame,
        out: &mut Out<'_>,
    ) {
        let Header { src, dst, .. } = *header;
        let gateway = way.next_hop;
        if !self.calls_for_redirect(iface, src.into(), gateway.into())
            || !icmp::may_report(header, packet.bytes())
            || !self.may_redirect(now, src.into())
        {
            return;
        }
        let mut frame = Frame::new(Frame::HEADROOM, icmp::quote(packet.bytes()));
        Message { icmp_type: kind::REDIRECT, code: FOR_HOST, rest: gateway.to_bits() }.push(&mut frame);
        frame.checksums = Checksums::Good;
        let event = tell_redirect(src.into(), dst.into(), gateway.into(), packet, out);
        self.counters.icmp_out_msgs += 1;
        self.counters.icmp_out_redirects += 1;
        // RFC 1812 §5.2.7.2: "The source address used in the ICMP Redirect MUST belong to the same logical (sub)net as the
        // destination address", as that of any datagram for a neighbour does.
        let to = Outgoing {
            tos: header.tos & 0x1e | 0xc0,
            dont_fragment: DontFragment::No,
            ..Outgoing::new(Ipv4Addr::UNSPECIFIED.into(), src.into(), protocol::ICMP)
        };
        // Without a way back there is nobody to tell.
        let _ = self.send(now, &to, with_cause(frame, event), out);
    }

    /// A router says that it is not the best first hop: `frame` begins at its ICMP header, and came to this host alone where
    /// `iface` says by which interface.
    pub(super) fn receive_redirect(
        &mut self,
        now: Instant,
        iface: Option<Iface>,
        header: &Header,
        message: Message,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        self.counters.icmp_in_redirects += 1;
        frame.pull(icmp::HEADER_LEN);
        let Some(about) = Header::of_quote(frame.bytes()).ok().filter(|_| CODES.contains(&message.code)) else {
            self.counters.icmp_in_errors += 1;
            return drop_frame(&frame, DropReason::Malformed, out);
        };
        let gateway = Ipv4Addr::from_bits(message.rest);
        let believed = iface
            .ok_or("it was not sent to this host alone")
            .and_then(|iface| self.weigh_redirect(iface, header.src, gateway, &about));
        let advice = Advice { router: header.src.into(), about: about.dst.into(), gateway: gateway.into() };
        self.heed_redirect(now, advice, believed, &frame, out);
    }

    /// Whether a redirect is to be believed; gives the interface that it leads out of, by which it came. RFC 1122 §3.2.2.2: "A Redirect message SHOULD be silently
    /// discarded if the new gateway address it specifies is not on the same connected (sub-) net through which the Redirect
    /// arrived, or if the source of the Redirect is not the current first-hop gateway for the specified destination".
    fn weigh_redirect(
        &mut self,
        iface: Iface,
        router: Ipv4Addr,
        gateway: Ipv4Addr,
        about: &Header,
    ) -> Result<Iface, Doubt> {
        self.believes_redirects()?;
        if !self.is_local(about.src.into()) {
            return Err("this host did not send what it is about");
        }
        let way = self.way(about.dst);
        if way.kind != Kind::Unicast || way.iface != iface || way.next_hop != router || way.next_hop == about.dst {
            return Err("it is not from the first hop there");
        }
        let there = self.way(gateway);
        let near = there.kind == Kind::Unicast && there.iface == iface && there.next_hop == gateway;
        if !near || !self.is_on_link(iface, gateway.into()) {
            return Err("the router that it names is not on the link");
        }
        Ok(iface)
    }
}
