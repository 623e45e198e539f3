//! An ICMP echo socket as a program holds it.

use core::task::{Context, Poll};
use std::io;
use std::net::IpAddr;

use septet_socket::{EchoReply, IcmpSocketImpl, MtuDiscovery};

use super::registry::{HostKey, call, poll, with};
use crate::stack::SlotId;

/// An ICMP echo socket's handle.
pub(super) struct PingHandle {
    pub(super) key: HostKey,
    pub(super) id: SlotId,
}

impl IcmpSocketImpl for PingHandle {
    fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        call(self.key, |stack| stack.pings.set_ttl(self.id, ttl))
    }

    fn set_mtu_discovery(&self, discovery: MtuDiscovery) -> io::Result<()> {
        call(self.key, |stack| stack.pings.set_mtu_discovery(self.id, discovery))
    }

    fn poll_send(&self, _: &mut Context<'_>, to: IpAddr, seq: u16, payload: &[u8]) -> Poll<io::Result<()>> {
        Poll::Ready(call(self.key, |stack| stack.send_ping(self.id, to, seq, payload)))
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<EchoReply>> {
        poll(self.key, |stack| stack.pings.poll_receive(cx, self.id, buf, &mut stack.trace))
    }
}

impl Drop for PingHandle {
    fn drop(&mut self) {
        with(self.key, |stack| stack.pings.close(self.id));
    }
}
