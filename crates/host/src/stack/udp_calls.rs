//! What programs ask of the UDP and the echo sockets of their host.

use core::num::NonZeroU16;
use core::task::{Context, Poll};
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_core::Trace;
use septet_network::ip::{DEFAULT_TTL, DontFragment, Outgoing};
use septet_network::ipv4::protocol;
use septet_transport::udp;

use super::slots::SlotId;
use super::storeys::{Owner, Storeys, Waiting};
use super::tcp::Socket;

/// Names a socket of any kind, so that it can be closed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SocketName {
    Tcp(Socket),
    Udp(udp::SocketId),
    Ping(SlotId),
}

impl Storeys {
    /// Closes a socket; nothing happens where it is closed already.
    pub(crate) fn close(&mut self, socket: SocketName, trace: &mut Trace) {
        match socket {
            SocketName::Tcp(socket) => self.close_tcp(socket, trace),
            SocketName::Udp(id) => self.close_udp(id),
            SocketName::Ping(id) => self.pings.close(id),
        }
    }

    pub(crate) fn bind_udp(&mut self, at: SocketAddr) -> io::Result<udp::SocketId> {
        self.running()?;
        let ip = at.ip();
        let is_broadcast = matches!(ip, IpAddr::V4(a) if a.is_broadcast());
        if !(ip.is_unspecified() || ip.is_multicast() || is_broadcast || self.ip.is_local(ip)) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        self.udp.bind(at, &mut self.rng)
    }

    fn close_udp(&mut self, id: udp::SocketId) {
        for group in self.udp.close(id) {
            if let Ok(Some(iface)) = self.ip.iface_to(group) {
                self.ip.leave(iface, group);
            }
        }
    }

    pub(crate) fn connect_udp(&mut self, id: udp::SocketId, peer: SocketAddr) -> io::Result<()> {
        let local = self.ip.source_for(peer.ip())?;
        self.udp.connect(id, local, peer)
    }

    pub(crate) fn join(&mut self, id: udp::SocketId, group: IpAddr) -> io::Result<()> {
        if !group.is_multicast() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let iface = self.ip.iface_to(group)?.ok_or(io::ErrorKind::AddrNotAvailable)?;
        self.udp.join(id, group)?;
        self.ip.join(self.now, iface, group).map_err(io::Error::other)
    }

    pub(crate) fn poll_send_udp(
        &mut self,
        cx: &Context<'_>,
        id: udp::SocketId,
        (payload, segment_size): (&[u8], Option<NonZeroU16>),
        to: Option<SocketAddr>,
        trace: &mut Trace,
    ) -> Poll<io::Result<usize>> {
        let Self { ip, udp, now, .. } = self;
        let mut by = None;
        let way = |dst: IpAddr, bound: Option<IpAddr>| {
            let (src, iface) = match bound {
                Some(src) => (src, ip.iface_to(dst)?),
                None => ip.origin_for(dst)?,
            };
            by = iface;
            // Whoever asks for segments gets those, uncut.
            if let Some(size) = segment_size {
                ip.must_fit(*now, dst, udp::wire::HEADER_LEN + payload.len().min(size.get().into()))?;
            }
            Ok(src)
        };
        let datagram = match udp.poll_send(cx, id, (payload, segment_size), to, way, trace) {
            Poll::Ready(Ok(datagram)) => datagram,
            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
            Poll::Pending => return Poll::Pending,
        };
        let udp::Transmit { src, dst, ttl, ecn, frame } = datagram;
        let ttl = ttl.unwrap_or(DEFAULT_TTL);
        let to = Outgoing { ttl, tos: ecn.bits(), ..Outgoing::new(src, dst, protocol::UDP) };
        self.outbox.push_back(Waiting { to, frame, owner: Owner::Udp(id), iface: by });
        Poll::Ready(Ok(payload.len()))
    }

    pub(crate) fn send_ping(
        &mut self,
        id: SlotId,
        to: IpAddr,
        seq: u16,
        payload: &[u8],
        trace: &mut Trace,
    ) -> io::Result<()> {
        let (src, iface) = self.ip.origin_for(to)?;
        let (ttl, dont_fragment, mut frame) = self.pings.request(id, seq, payload)?;
        if dont_fragment == DontFragment::Yes {
            self.ip.must_fit(self.now, to, frame.len())?;
        }
        frame.cause = self.ip.trace_echo(to, seq, trace.cause(), trace);
        let outgoing = Outgoing { ttl, dont_fragment, ..Outgoing::new(src, to, protocol::ICMP) };
        self.outbox.push_back(Waiting { to: outgoing, frame, owner: Owner::Ping, iface });
        Ok(())
    }
}
