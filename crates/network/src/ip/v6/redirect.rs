//! Redirects of IPv6 (RFC 4861 §8): a router that sends a packet out where it came in tells its sender of the better first
//! hop, and a host believes its own.

use std::net::Ipv6Addr;

use septet_core::{EventId, Frame, Instant, Out};
use septet_datalink::ethernet::MacAddr;

use super::layer::Way;
use super::nd::Invalid;
use crate::ip::redirects::{Advice, Doubt, tell_redirect};
use crate::ip::state::Ip;
use crate::ip::told::cause_of;
use crate::ip::ways::Kind;
use crate::neighbor::{Output, State};
use crate::route::Iface;
use septet_wire::icmpv6;
use septet_wire::ipv6::Header;
use septet_wire::nd::{self, Discovery, Redirect};

impl Ip {
    /// Tells the sender of a packet that goes back onto the link that it came from who would be the better first hop.
    #[cold]
    pub(super) fn redirect_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        way: &Way,
        packet: &Frame,
        out: &mut Out<'_>,
    ) {
        let Header { src, dst, .. } = *header;
        let Some(own) = self.interface(iface).link_local().filter(|_| self.interface(iface).discovers()) else {
            return;
        };
        if !self.calls_for_redirect(iface, src.into(), way.next_hop.into())
            || !icmpv6::may_report(header, packet.bytes())
        {
            return;
        }
        // §8.2: "If the target is a router, that router's link-local address MUST be used. If the target is a host, the target
        // address field MUST be set to the same value as the Destination Address field."
        let target = if way.next_hop == dst {
            dst
        } else {
            match self.link_local_of(now, iface, way.next_hop, cause_of(packet), out) {
                Some(target) => target,
                None => return,
            }
        };
        if !self.may_redirect(now, src.into()) {
            return;
        }
        let link = self.link_address(now, iface, target);
        let event = tell_redirect(src.into(), dst.into(), target.into(), packet, out);
        let message = Discovery::Redirect(Redirect { target, destination: dst, link, packet: packet.bytes().to_vec() });
        self.send_nd(now, iface, own, src, &message, event, out);
    }

    /// The link-local address of a router on the link. §8.2: "A router MUST be able to determine the link-local address for
    /// each of its neighboring routers". Where its route names another address, it is the one that the router's link address
    /// makes (RFC 4862 §5.3), once the link was asked whether the router has that.
    fn link_local_of(
        &mut self,
        now: Instant,
        iface: Iface,
        router: Ipv6Addr,
        cause: EventId,
        out: &mut Out<'_>,
    ) -> Option<Ipv6Addr> {
        if router.is_unicast_link_local() {
            return Some(router);
        }
        let mac = self.link_address(now, iface, router)?;
        let made = nd::link_local(mac);
        let id = self.neighbors.entry(now, iface, made.into());
        match self.neighbors.output(now, id, cause) {
            Output::Send(answered) => (answered == mac).then_some(made),
            Output::Wait(solicit) => {
                if let Some(solicit) = solicit {
                    self.solicit_v6(now, solicit, made, out);
                }
                None
            }
        }
    }

    /// A neighbour's link address, where it is known.
    fn link_address(&self, now: Instant, iface: Iface, neighbor: Ipv6Addr) -> Option<MacAddr> {
        let (state, mac) = self.neighbors.get(now, iface, neighbor.into())?;
        (!matches!(state, State::Incomplete | State::Failed)).then_some(mac)
    }

    /// A router says that it is not the best first hop.
    pub(super) fn on_redirect(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        redirect: Redirect,
        frame: &Frame,
        out: &mut Out<'_>,
    ) -> Result<(), Invalid> {
        let Redirect { target, destination, link, .. } = redirect;
        // §8.1: "IP Source Address is a link-local address", "The ICMP Destination Address field in the redirect message does
        // not contain a multicast address", and "The ICMP Target Address is either a link-local address (when redirected to a
        // router) or the same as the ICMP Destination Address (when redirected to the on-link destination)."
        let leads = target.is_unicast_link_local() || target == destination;
        if !header.src.is_unicast_link_local() || destination.is_multicast() || !leads {
            return Err(Invalid);
        }
        let believed = self.weigh_redirect_v6(now, iface, header.src, target, destination);
        let advice = Advice { router: header.src.into(), about: destination.into(), gateway: target.into() };
        let is_heeded = self.heed_redirect(now, advice, believed, frame, out);
        // §8.3: "If the redirect contains a Target Link-Layer Address option, the host either creates or updates the Neighbor
        // Cache entry for the target."
        if let Some(mac) = link
            && is_heeded
        {
            self.hear_link(now, iface, target, mac, frame, out);
        }
        Ok(())
    }

    /// §8.1: "The IP source address of the Redirect is the same as the current first-hop router for the specified ICMP
    /// Destination Address." Where that is known by another address, the two are one router's if its link address makes the
    /// link-local one. Gives the interface that it leads out of, by which it came.
    fn weigh_redirect_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        router: Ipv6Addr,
        target: Ipv6Addr,
        destination: Ipv6Addr,
    ) -> Result<Iface, Doubt> {
        self.believes_redirects()?;
        let way = self.find_v6(destination);
        let hop = way.next_hop;
        let is_hop =
            hop == router || self.link_address(now, iface, hop).is_some_and(|mac| nd::link_local(mac) == router);
        if way.kind != Kind::Unicast || way.iface != iface || hop == destination || !is_hop {
            return Err("it is not from the first hop there");
        }
        if self.is_local(target.into()) || self.is_tentative(iface, target) {
            return Err("the router that it names is not on the link");
        }
        Ok(iface)
    }
}
