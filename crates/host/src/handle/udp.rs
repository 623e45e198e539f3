//! A UDP socket as a program holds it.

use core::num::NonZeroU16;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_socket::{Broadcast, Coalescing, Datagram, GroupChange, Looping, UdpSocketImpl, Unreached};
use septet_transport::udp::SocketId;

use super::registry::{HostKey, call, close, poll};
use crate::stack::SocketName;

pub(super) fn bind(key: HostKey, at: SocketAddr) -> io::Result<UdpHandle> {
    let id = call(&key, |stack, _| stack.bind_udp(at))?;
    Ok(UdpHandle { key, id })
}

/// A UDP socket of a simulated host, as a plain id that finds its host at each call.
#[derive(Debug)]
pub struct UdpHandle {
    pub(super) key: HostKey,
    pub(super) id: SocketId,
}

impl UdpSocketImpl for UdpHandle {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.udp.local_addr(self.id))
    }

    fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        call(&self.key, |stack, _| stack.connect_udp(self.id, peer))
    }

    fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_ttl(self.id, ttl))
    }

    fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_multicast_ttl(self.id, ttl))
    }

    fn set_multicast_interface(&self, on: Option<&str>) -> io::Result<()> {
        call(&self.key, |stack, _| stack.set_multicast_iface(self.id, on))
    }

    fn set_looping(&self, looping: Looping) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_looping(self.id, looping))
    }

    fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_broadcast(self.id, broadcast))
    }

    fn change_group(&self, group: IpAddr, on: Option<&str>, change: GroupChange) -> io::Result<()> {
        call(&self.key, |stack, _| stack.change_group(self.id, group, on, change))
    }

    fn heard_after_leaving(&self, group: IpAddr) -> io::Result<Option<Duration>> {
        call(&self.key, |stack, _| Ok(stack.ip.heard_after_leaving(group)))
    }

    fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8], to: Option<SocketAddr>) -> Poll<io::Result<usize>> {
        poll(&self.key, |stack, trace| stack.poll_send_udp(cx, self.id, (payload, None), to, trace))
    }

    fn poll_send_segmented(
        &self,
        cx: &mut Context<'_>,
        payload: &[u8],
        segment_size: NonZeroU16,
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        poll(&self.key, |stack, trace| stack.poll_send_udp(cx, self.id, (payload, Some(segment_size)), to, trace))
    }

    fn set_coalescing(&self, coalescing: Coalescing) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_coalescing(self.id, coalescing))
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Datagram>> {
        poll(&self.key, |stack, trace| stack.udp.poll_receive(cx, self.id, buf, trace))
    }

    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<io::Result<Unreached>> {
        poll(&self.key, |stack, trace| stack.udp.poll_error(cx, self.id, trace))
    }
}

impl Drop for UdpHandle {
    fn drop(&mut self) {
        close(&self.key, SocketName::Udp(self.id));
    }
}
