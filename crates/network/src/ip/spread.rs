//! Flows over several next hops: all packets of a flow take the same one.

use std::net::IpAddr;

use septet_core::{Carrier, Frame};

use super::flow::{Flow, Multipath, Spreading, choose};
use super::state::Ip;
use super::ways::{Address, Way};
use crate::route::{Iface, Target};

impl Ip {
    /// Chooses what makes a flow where a route has several next hops.
    pub fn set_multipath(&mut self, policy: Multipath) {
        self.spreading = Some(Box::new(Spreading::new(policy, &mut self.rng)));
        self.epoch += 1;
    }

    /// The way of what this host sends, where the route has several next hops; `payload` begins behind the IP header.
    #[cold]
    pub(super) fn spread_sent<A: Address>(
        &mut self,
        way: Way<A>,
        src: A,
        dst: A,
        protocol: u8,
        payload: &[u8],
    ) -> Way<A> {
        self.spread(way, dst, &Flow::sent(src.into(), dst.into(), protocol, payload))
    }

    /// The way of a packet that is passed on, where the route has several next hops.
    #[cold]
    pub(super) fn spread_forwarded<A: Address>(&mut self, way: Way<A>, dst: A, packet: &Frame) -> Way<A> {
        let flow = match dst.into() {
            IpAddr::V4(_) => Flow::of_v4(packet.bytes()),
            IpAddr::V6(_) => Flow::of_v6(packet.bytes()),
        };
        flow.map_or(way, |flow| self.spread(way, dst, &flow))
    }

    fn spread<A: Address>(&mut self, way: Way<A>, dst: A, flow: &Flow) -> Way<A> {
        let rng = &mut self.rng;
        let spreading = self.spreading.get_or_insert_with(|| Box::new(Spreading::new(Multipath::default(), rng)));
        let hash = flow.hash(spreading);
        let up = |iface: Iface| self.carrier(iface) == Some(Carrier::Up);
        let found = self.table.lookup(dst.into(), up);
        let Some(Target::Spread(hops)) = found.map(|found| found.target) else { return way };
        let hop = choose(hops, up, hash).and_then(|hop| Some((hop.iface, A::of(hop.gateway)?)));
        hop.map_or(way, |(iface, next_hop)| Way { iface, next_hop, neighbor: None, ..way })
    }
}
