//! Packet sockets: what one protocol has on one link, below storey 3. Linux's `socket(AF_PACKET, SOCK_DGRAM, …)`.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io;
use std::net::IpAddr;

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

/// A packet of any protocol above IP that somebody has built: what Linux's `SOCK_RAW` sends.
#[derive(Clone, Copy, Debug)]
pub struct RawPacket<'a> {
    /// Where it goes.
    pub to: IpAddr,
    /// What it carries: the protocol number of IP.
    pub protocol: u8,
    /// Its time to live.
    pub ttl: u8,
    /// The address that it comes from; the one that the way there has, where none is said.
    pub source: Option<IpAddr>,
    /// The interface that it leaves by, whatever the routes say: `SO_BINDTODEVICE`.
    pub device: Option<&'a str>,
    /// The header of that protocol, with its checksum, and what follows it.
    pub payload: &'a [u8],
}

impl<'a> RawPacket<'a> {
    /// With the routes' way and Linux's time to live.
    pub const fn new(to: IpAddr, protocol: u8, payload: &'a [u8]) -> Self {
        Self { to, protocol, ttl: 64, source: None, device: None, payload }
    }
}
