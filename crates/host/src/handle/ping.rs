//! An ICMP echo socket as a program holds it.

use core::task::{Context, Poll};
use std::io;
use std::net::IpAddr;

use septet_socket::{Broadcast, EchoReply, IcmpSocketImpl, IpOptions, MtuDiscovery};

use super::registry::{HostKey, call, close, poll};
use crate::stack::{SlotId, SocketName};

/// An ICMP echo socket's handle.
pub(super) struct PingHandle {
    pub(super) key: HostKey,
    pub(super) id: SlotId,
}

impl IcmpSocketImpl for PingHandle {
    fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        call(&self.key, |stack, _| stack.pings.set_ttl(self.id, ttl))
    }

    fn set_mtu_discovery(&self, discovery: MtuDiscovery) -> io::Result<()> {
        call(&self.key, |stack, _| stack.pings.set_mtu_discovery(self.id, discovery))
    }

    fn set_tos(&self, tos: u8) -> io::Result<()> {
        call(&self.key, |stack, _| stack.pings.set_tos(self.id, tos))
    }

    fn bind(&self, source: IpAddr) -> io::Result<()> {
        call(&self.key, |stack, _| stack.bind_ping(self.id, source))
    }

    fn bind_device(&self, device: &str) -> io::Result<()> {
        call(&self.key, |stack, _| stack.bind_ping_to(self.id, device))
    }

    fn set_options(&self, options: &IpOptions) -> io::Result<()> {
        call(&self.key, |stack, _| stack.pings.set_options(self.id, *options))
    }

    fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()> {
        call(&self.key, |stack, _| stack.pings.set_broadcast(self.id, broadcast))
    }

    fn check(&self, to: IpAddr) -> io::Result<()> {
        call(&self.key, |stack, _| stack.check_ping(self.id, to))
    }

    fn ident(&self) -> io::Result<u16> {
        call(&self.key, |stack, _| stack.pings.ident(self.id))
    }

    fn poll_send(&self, _: &mut Context<'_>, to: IpAddr, seq: u16, payload: &[u8]) -> Poll<io::Result<()>> {
        Poll::Ready(call(&self.key, |stack, trace| stack.send_ping(self.id, to, seq, payload, trace)))
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<EchoReply>> {
        poll(&self.key, |stack, trace| stack.pings.poll_receive(cx, self.id, buf, trace))
    }
}

impl Drop for PingHandle {
    fn drop(&mut self) {
        close(&self.key, SocketName::Ping(self.id));
    }
}
