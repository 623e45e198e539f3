//! Packet sockets: what one protocol has on one link, below storey 3. Linux's `socket(AF_PACKET, SOCK_DGRAM, …)`.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io;

use septet_wire::ethernet::MacAddr;

/// What came with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Bytes written to the caller's buffer; what did not fit is lost.
    pub len: usize,
    /// Whose frame it was.
    pub from: MacAddr,
    /// To whom it was sent.
    pub to: MacAddr,
}

/// What a network provides for one packet socket.
pub trait PacketSocketImpl: Send + Sync + Unpin + 'static {
    /// Sends a packet to a link address.
    ///
    /// # Errors
    /// `InvalidInput` where it is larger than the link takes, `NetworkDown` where the interface is not in use.
    fn send(&self, packet: &[u8], to: MacAddr) -> io::Result<()>;

    /// Takes the next packet that came in.
    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Taken>>;
}

/// A packet socket.
pub struct PacketSocket(Box<dyn PacketSocketImpl>);

impl PacketSocket {
    /// Wraps a network's own socket.
    pub fn new(socket: impl PacketSocketImpl) -> Self {
        Self(Box::new(socket))
    }

    /// Sends a packet to a link address.
    ///
    /// # Errors
    /// `InvalidInput` where it is larger than the link takes, `NetworkDown` where the interface is not in use.
    pub fn send(&self, packet: &[u8], to: MacAddr) -> io::Result<()> {
        self.0.send(packet, to)
    }

    /// Takes the next packet that came in; the host's own storey 3 has it too.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn receive(&self, buf: &mut [u8]) -> io::Result<Taken> {
        poll_fn(|cx| self.0.poll_receive(cx, buf)).await
    }
}

impl fmt::Debug for PacketSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PacketSocket")
    }
}
