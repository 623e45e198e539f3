//! Better first hops (RFC 792, RFC 1122 §3.2.2.2, RFC 4861 §8): when a router tells of one, and what a host does with it.

use core::time::Duration;
use std::net::IpAddr;

use septet_core::{EventId, Frame, Instant, Out, Storey};

use super::detours::Redirects;
use super::state::Ip;
use super::told::cause_of;
use crate::addr::Prefix;
use crate::forwarding::Forwarding;
use crate::route::{Iface, Origin, Route, Target};

/// `net.ipv4.route.gc_timeout`: for how long one is believed that is not told again.
const BELIEVED: Duration = Duration::from_secs(300);
/// Destinations of which better first hops are remembered.
const DESTINATIONS: usize = 1024;

/// Why a host does not believe what it is told.
pub(super) type Doubt = &'static str;

/// What a router says to a host: `gateway` is the better first hop to `about`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advice {
    pub(super) router: IpAddr,
    pub(super) about: IpAddr,
    pub(super) gateway: IpAddr,
}

/// Tells of a redirect that is about to go to the sender of `packet`; gives the event.
pub(super) fn tell_redirect(to: IpAddr, about: IpAddr, gateway: IpAddr, packet: &Frame, out: &mut Out<'_>) -> EventId {
    out.trace.emit(Storey::Network, "icmp.redirect", cause_of(packet), |f| {
        f.set("to", to).set("about", about).set("gateway", gateway);
        f.set("why", "the way leads back onto the link that the packet came from");
    })
}

impl Ip {
    /// Says whether this host believes redirects, and as a router sends them.
    pub fn set_redirects(&mut self, redirects: Redirects) {
        self.redirects = redirects;
    }

    /// Whether a packet from `src` that leaves by the interface that it came in on, for `next_hop`, calls for a redirect. RFC
    /// 1812 §5.2.7.2: a router must not send one unless "the IP source address in the packet is on the same Logical IP
    /// (sub)network as the next-hop IP address", and RFC 4861 §8.2 unless it "identifies a neighbor".
    pub(super) fn calls_for_redirect(&self, iface: Iface, src: IpAddr, next_hop: IpAddr) -> bool {
        self.redirects == Redirects::On
            && !self.filter.as_ref().is_some_and(|filter| filter.translates())
            && match next_hop {
                IpAddr::V4(_) => {
                    let addresses = &self.interfaces[usize::from(iface)].addresses;
                    addresses.iter().any(|own| own.prefix().contains(src) && own.prefix().contains(next_hop))
                }
                IpAddr::V6(_) => self.is_on_link(iface, src),
            }
    }

    /// Whether `addr` is of a network of this interface.
    pub(super) fn is_on_link(&self, iface: Iface, addr: IpAddr) -> bool {
        self.interfaces[usize::from(iface)].addresses.iter().any(|own| own.prefix().contains(addr))
    }

    /// Whether `host` may be told of a better first hop once more.
    pub(super) fn may_redirect(&mut self, now: Instant, host: IpAddr) -> bool {
        self.book().detours.may_tell(now, host)
    }

    /// Whether this host listens to redirects at all.
    pub(super) fn believes_redirects(&self) -> Result<(), Doubt> {
        match (self.forwarding, self.redirects) {
            (Forwarding::On, _) => Err("it is a router"),
            (Forwarding::Off, Redirects::Off) => Err("it believes none"),
            (Forwarding::Off, Redirects::On) => Ok(()),
        }
    }

    /// Does as a router says where that is `believed`, which is by the interface that its word came in on, and tells of it
    /// either way; gives whether it did.
    pub(super) fn heed_redirect(
        &mut self,
        now: Instant,
        advice: Advice,
        believed: Result<Iface, Doubt>,
        frame: &Frame,
        out: &mut Out<'_>,
    ) -> bool {
        let Advice { router, about, gateway } = advice;
        let event = if believed.is_ok() { "icmp.redirected" } else { "icmp.redirect-ignored" };
        out.trace.emit(Storey::Network, event, cause_of(frame), |f| {
            f.set("from", router).set("about", about).set("gateway", gateway);
            if let Err(why) = believed {
                f.set("why", why);
            }
        });
        let Ok(iface) = believed else { return false };
        // Who is himself on the link is the best first hop to himself.
        let target = if gateway == about { Target::Link(iface) } else { Target::Via(iface, gateway) };
        self.take_detour(now, about, target);
        true
    }

    /// Sends what is for `dst` to `target` from now on.
    fn take_detour(&mut self, now: Instant, dst: IpAddr, target: Target) {
        let route = Route::new(Prefix::host(dst), target, Origin::Redirect);
        let detours = &mut self.book.get_or_insert_default().detours;
        if !detours.known.contains_key(&dst) && detours.known.len() >= DESTINATIONS {
            let first = detours.known.iter().min_by_key(|(_, (_, until))| *until).map(|(dst, _)| *dst);
            if let Some((old, _)) = first.and_then(|first| detours.known.remove(&first)) {
                self.table.remove(&old);
            }
        }
        if let Some((old, _)) = detours.known.insert(dst, (route.clone(), now + BELIEVED)) {
            self.table.remove(&old);
        }
        detours.rearm();
        self.table.add(route);
        self.epoch += 1;
    }

    /// Until when a better first hop to `dst` is believed that was told of.
    pub(super) fn detour_until(&self, dst: IpAddr) -> Option<Instant> {
        self.book.as_ref()?.detours.known.get(&dst).map(|(_, until)| *until)
    }

    /// Forgets what was told of better first hops: it was said of routes that are others now.
    pub(super) fn forget_detours(&mut self) {
        let Some(book) = &mut self.book else { return };
        book.detours.due = None;
        for (route, _) in core::mem::take(&mut book.detours.known).into_values() {
            self.table.remove(&route);
            self.epoch += 1;
        }
    }

    /// Forgets those through a neighbour that does not answer: RFC 1122 §3.3.1.4, RFC 4861 §7.3.3, "next-hop determination is
    /// performed again".
    pub(super) fn forget_detours_by(&mut self, iface: Iface, gateway: IpAddr, out: &mut Out<'_>) {
        let leads = |dst: &IpAddr, route: &Route| match &route.target {
            Target::Via(i, via) => (*i, *via) == (iface, gateway),
            Target::Link(i) => (*i, *dst) == (iface, gateway),
            _ => false,
        };
        self.end_detours(|dst, route, _| leads(dst, route), "the better first hop does not answer", out);
    }

    /// Forgets those that were not told again.
    pub(super) fn expire_detours(&mut self, now: Instant, out: &mut Out<'_>) {
        if self.book.as_ref().and_then(|book| book.detours.due).is_some_and(|due| due <= now) {
            self.end_detours(|_, _, until| until <= now, "it was not told again", out);
        }
    }

    fn end_detours(
        &mut self,
        mut over: impl FnMut(&IpAddr, &Route, Instant) -> bool,
        why: &'static str,
        out: &mut Out<'_>,
    ) {
        let Some(book) = &mut self.book else { return };
        let ended: Vec<_> = book.detours.known.extract_if(.., |dst, (route, until)| over(dst, route, *until)).collect();
        book.detours.rearm();
        for (dst, (route, _)) in ended {
            self.table.remove(&route);
            self.epoch += 1;
            out.trace.emit(Storey::Network, "icmp.redirect-over", EventId::NONE, |f| {
                f.set("about", dst).set("why", why);
            });
        }
    }
}
