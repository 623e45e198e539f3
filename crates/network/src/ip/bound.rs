//! Datagrams that must leave by one interface, whatever the routes say: what `SO_BINDTODEVICE` asks for, and what a host
//! that has no address yet needs.

use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Carrier, Frame, Out};
use septet_datalink::ethernet::{EtherType, MacAddr};

use super::routes::Next;
use super::v4::layer::Way;
use super::ways::Kind;
use super::{Ip, SendError};
use crate::route::Iface;

impl Ip {
    /// The source address that a datagram to `dst` gets that leaves by `iface`. Where the interface has none that is
    /// 0.0.0.0, "this host on this network" (RFC 1122 §3.2.1.3 (a)).
    ///
    /// # Errors
    /// The interface cannot be used.
    pub fn origin_by(&mut self, iface: Iface, dst: IpAddr) -> Result<(IpAddr, Option<Iface>), SendError> {
        let IpAddr::V4(dst) = dst else { return self.origin_for(dst) };
        let way = self.way_over(iface, dst)?;
        let source = self.source_by(Some(iface), &way, dst)?;
        Ok((source.into(), (way.kind != Kind::Local).then_some(iface)))
    }

    /// The way to `dst` over `iface`.
    pub(super) fn way_over(&self, iface: Iface, dst: Ipv4Addr) -> Result<Way, SendError> {
        let usable = |i: Iface| self.carrier(i) == Some(Carrier::Up);
        if !usable(iface) {
            return Err(SendError::NetworkUnreachable);
        }
        let way = |kind| Way::new(kind, iface, dst);
        if dst.is_broadcast() {
            return Ok(way(Kind::Broadcast));
        }
        if dst.is_multicast() {
            return self.way_by(iface, dst);
        }
        if self.is_local(dst.into()) {
            return Ok(Way { iface: 0, ..way(Kind::Local) });
        }
        Ok(match self.lookup(dst.into(), |i| i == iface && usable(i)) {
            Some(Next::Broadcast(_)) => way(Kind::Broadcast),
            Some(Next::Via(_, IpAddr::V4(gateway)) | Next::Spread(_, IpAddr::V4(gateway))) => {
                Way { next_hop: gateway, ..way(Kind::Unicast) }
            }
            // As Linux's `ip_route_output_key_hash_rcu`: "Assume, that the destination is on link."
            _ => way(Kind::Unicast),
        })
    }

    pub(super) fn source_by(&self, by: Option<Iface>, way: &Way, dst: Ipv4Addr) -> Result<Ipv4Addr, SendError> {
        match (self.source(way, dst), by) {
            (Err(_), Some(_)) => Ok(Ipv4Addr::UNSPECIFIED),
            (source, _) => source,
        }
    }

    /// Puts a packet of any protocol on the link of `iface`: what a packet socket sends.
    pub fn send_on_link(&mut self, iface: Iface, to: MacAddr, ether_type: EtherType, packet: Frame, out: &mut Out<'_>) {
        if self.carrier(iface) == Some(Carrier::Up) {
            self.put_on_link(iface, to, ether_type, packet, out);
        }
    }
}
