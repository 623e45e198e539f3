//! A packet socket as a program holds it.

use core::task::{Context, Poll};
use std::io;

use septet_datalink::ethernet::MacAddr;
use septet_socket::{PacketSocketImpl, Taken};

use super::registry::{HostKey, call, close, poll};
use crate::stack::{SlotId, SocketName};

/// A packet socket's handle.
pub(super) struct PacketHandle {
    pub(super) key: HostKey,
    pub(super) id: SlotId,
}

impl PacketSocketImpl for PacketHandle {
    fn send(&self, packet: &[u8], to: MacAddr) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.send_packet(self.id, packet, to, trace))
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Taken>> {
        poll(&self.key, |stack, trace| stack.packets.poll_receive(cx, self.id, buf, trace))
    }
}

impl Drop for PacketHandle {
    fn drop(&mut self) {
        close(&self.key, SocketName::Packet(self.id));
    }
}
