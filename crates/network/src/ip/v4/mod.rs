//! What is IPv4's own in storey 3.

mod arp;
mod claims;
mod errors;
mod filter;
mod input;
pub(super) mod layer;
mod options;
mod output;
mod redirect;

use std::net::{IpAddr, Ipv4Addr};

use septet_core::Carrier;

use self::layer::Way;
use super::routes::Next;
use super::state::Ip;
use super::ways::Kind;
use crate::route::Iface;

impl Ip {
    /// Finds the way to `dst`; the answer is remembered until anything changes.
    // Inlined, as each packet asks once or twice, and often for a part of the answer.
    #[inline(always)]
    pub(super) fn way(&mut self, dst: Ipv4Addr) -> Way {
        self.look_ups += 1;
        let epoch = self.way_epoch();
        match self.v4.ways.get(dst, epoch) {
            Some(way) => way,
            None => self.way_anew(dst, epoch),
        }
    }

    /// Whether a datagram to be passed on may come from `src`. RFC 1812 §5.3.7: a router should not forward what comes from
    /// network 0 or 127, nor what no host can have sent.
    #[inline]
    fn may_come_from(&mut self, src: Ipv4Addr) -> bool {
        // Nearly always the one before it came from there too.
        self.v4.sender == (src, self.way_epoch()) || self.may_come_anew(src)
    }

    #[inline(never)]
    fn may_come_anew(&mut self, src: Ipv4Addr) -> bool {
        let of_nobody = src.is_loopback() || src.octets()[0] == 0 || src.is_multicast();
        if of_nobody || self.way(src).is_no_ones_source() {
            return false;
        }
        self.v4.sender = (src, self.way_epoch());
        true
    }

    #[cold]
    fn way_anew(&mut self, dst: Ipv4Addr, epoch: u32) -> Way {
        let way = self.way_slow(dst);
        self.v4.ways.remember(dst, epoch, way);
        way
    }

    fn way_slow(&self, dst: Ipv4Addr) -> Way {
        let up = |i: Iface| self.interfaces[usize::from(i)].carrier == Carrier::Up;
        let way = |kind, iface| Way::new(kind, iface, dst);
        let first_up = || (0..self.interfaces.len() as Iface).find(|&i| up(i));
        if dst.is_loopback() {
            return way(Kind::Local, 0);
        }
        if dst.is_broadcast() {
            return first_up().map_or(way(Kind::NoRoute, 0), |i| way(Kind::Broadcast, i));
        }
        match self.lookup(dst.into(), up) {
            // RFC 1812 §5.3.7: nor is there a way to network 0.
            _ if dst.octets()[0] == 0 => way(Kind::NoRoute, 0),
            Some(Next::Via(i, _) | Next::Spread(i, _) | Next::Link(i)) if dst.is_multicast() => way(Kind::Multicast, i),
            _ if dst.is_multicast() => first_up().map_or(way(Kind::NoRoute, 0), |i| way(Kind::Multicast, i)),
            Some(Next::Local) => way(Kind::Local, 0),
            Some(Next::Broadcast(i)) => way(Kind::Broadcast, i),
            Some(Next::Link(i)) => way(Kind::Unicast, i),
            Some(Next::Via(i, IpAddr::V4(gateway))) => Way { next_hop: gateway, ..way(Kind::Unicast, i) },
            Some(Next::Spread(i, IpAddr::V4(gateway))) => {
                Way { next_hop: gateway, spread: true, ..way(Kind::Unicast, i) }
            }
            Some(Next::Refused(refused)) => way(Kind::Refused(refused), 0),
            Some(Next::Via(..) | Next::Spread(..)) => way(Kind::NoRoute, 0),
            None => way(Kind::NoRoute, 0),
        }
    }
}
