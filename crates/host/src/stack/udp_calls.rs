//! What programs ask of the UDP and the echo sockets of their host.

use core::num::NonZeroU16;
use core::task::{Context, Poll};
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_core::{Checksums, Frame, Trace};
use septet_network::Iface;
use septet_network::ip::{DEFAULT_TTL, DontFragment, Looped, Outgoing, SendError};
use septet_network::ipv4::protocol;
use septet_network::membership::Filter;
use septet_socket::{Broadcast, IpOptions, RawPacket, TcpSocketId as Socket};
use septet_transport::udp::{self, GroupChange};

use super::ping::Sending;
use super::slots::SlotId;
use super::storeys::{Owner, Storeys, Waiting};

/// Names a socket of any kind, so that it can be closed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SocketName {
    Tcp(Socket),
    Udp(udp::SocketId),
    Ping(SlotId),
    Packet(SlotId),
    Changes(SlotId),
}

impl Storeys {
    /// Closes a socket; nothing happens where it is closed already.
    pub(crate) fn close(&mut self, socket: SocketName, trace: &mut Trace) {
        match socket {
            SocketName::Tcp(socket) => self.close_tcp(socket, trace),
            SocketName::Udp(id) => self.close_udp(id),
            SocketName::Ping(id) => self.pings.close(id),
            SocketName::Packet(id) => self.packets.close(id),
            SocketName::Changes(id) => self.listeners.close(id),
        }
    }

    pub(crate) fn bind_udp(&mut self, at: SocketAddr) -> io::Result<udp::SocketId> {
        self.bind_udp_on(None, at)
    }

    pub(crate) fn bind_udp_on(&mut self, device: Option<Iface>, at: SocketAddr) -> io::Result<udp::SocketId> {
        self.running()?;
        self.may_bind(at.ip())?;
        self.udp.bind(device, at, &mut self.rng)
    }

    pub(crate) fn rebind_udp(&mut self, id: udp::SocketId, at: SocketAddr) -> io::Result<()> {
        self.running()?;
        self.may_bind(at.ip())?;
        self.udp.rebind(id, at, &mut self.rng)
    }

    /// Whether a socket may be bound to an address.
    fn may_bind(&self, ip: IpAddr) -> io::Result<()> {
        let is_broadcast = matches!(ip, IpAddr::V4(a) if a.is_broadcast());
        if ip.is_unspecified() || ip.is_multicast() || is_broadcast || self.ip.is_local(ip) {
            return Ok(());
        }
        Err(io::ErrorKind::AddrNotAvailable.into())
    }

    fn close_udp(&mut self, id: udp::SocketId) {
        for udp::Membership { group, iface, filter } in self.udp.close(id) {
            // An interface that is gone has no groups.
            let _ = self.ip.refilter(self.now, iface, group, &filter, &Filter::NONE);
        }
    }

    pub(crate) fn connect_udp(&mut self, id: udp::SocketId, peer: SocketAddr) -> io::Result<()> {
        if self.ip.is_broadcast(peer.ip()) {
            self.udp.may_broadcast(id)?;
        }
        let local = self.ip.source_for(peer.ip())?;
        self.udp.connect(id, local, peer)
    }

    /// Changes what a socket wants of a group: on the interface of that name, or on the one that the routes lead to.
    pub(crate) fn change_group(
        &mut self,
        id: udp::SocketId,
        group: IpAddr,
        on: Option<&str>,
        change: GroupChange,
    ) -> io::Result<()> {
        if !group.is_multicast() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let iface = match on {
            Some(name) => self.device(name)?,
            // As Linux, which looks for the interface by the route to the group.
            None => self.ip.iface_to(group).ok().flatten().ok_or_else(no_interface)?,
        };
        let (before, after) = self.udp.change_group(id, group, iface, change)?;
        self.ip.refilter(self.now, iface, group, &before, &after).map_err(io::Error::other)
    }

    pub(crate) fn set_multicast_iface(&mut self, id: udp::SocketId, on: Option<&str>) -> io::Result<()> {
        let iface = on.map(|name| self.device(name)).transpose()?;
        self.udp.set_multicast_iface(id, iface)
    }

    pub(crate) fn poll_send_udp(
        &mut self,
        cx: &Context<'_>,
        id: udp::SocketId,
        (payload, segment_size): (&[u8], Option<NonZeroU16>),
        to: Option<SocketAddr>,
        trace: &mut Trace,
    ) -> Poll<io::Result<usize>> {
        if let Some(to) = to
            && self.ip.is_broadcast(to.ip())
        {
            self.udp.may_broadcast(id)?;
        }
        let (device, multicast_by) = (self.udp.device(id)?, self.udp.multicast_iface(id)?);
        let Self { ip, udp, now, .. } = self;
        let mut by = None;
        let way = |dst: IpAddr, bound: Option<IpAddr>| {
            let (src, iface) = match (bound, multicast_by.filter(|_| dst.is_multicast())) {
                (Some(src), Some(iface)) => (src, Some(iface)),
                (None, Some(iface)) => (ip.origin_on(iface, dst)?, Some(iface)),
                (bound, None) if let Some(device) = device => {
                    let (src, iface) = ip.origin_by(device, dst)?;
                    (bound.unwrap_or(src), iface)
                }
                (Some(src), None) => (src, ip.iface_to(dst)?),
                (None, None) => ip.origin_for(dst)?,
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
        let udp::Transmit { src, dst, ttl, looping, ecn, frame } = datagram;
        let ttl = ttl.unwrap_or(DEFAULT_TTL);
        let looped = if looping == udp::Looping::On { Looped::ToMembers } else { Looped::Never };
        let by_set = multicast_by.filter(|_| dst.is_multicast()).or(device);
        let to = Outgoing { ttl, tos: ecn.bits(), by: by_set, looped, ..Outgoing::new(src, dst, protocol::UDP) };
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
        let Sending { ttl, tos, dont_fragment, source, by, options, broadcast } = self.pings.sending(id)?;
        if broadcast == Broadcast::Denied && self.ip.is_broadcast(to) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let options = if to.is_ipv4() { options } else { IpOptions::NONE };
        let (origin, iface) = match by {
            Some(by) => self.ip.origin_by(by, to)?,
            None => self.ip.origin_for(to)?,
        };
        let src = source.unwrap_or(origin);
        let mut frame = self.pings.request(id, (src, to), seq, payload)?;
        let extra = options.octets().len();
        if dont_fragment == DontFragment::Yes {
            // As Linux says it, the room that options take is no part of the MTU.
            self.ip.must_fit(self.now, to, frame.len() + extra).map_err(|e| match e {
                SendError::MessageTooLong { mtu } => SendError::MessageTooLong { mtu: mtu - extra as u32 },
                e => e,
            })?;
        }
        frame.cause = self.ip.trace_echo(to, seq, trace.cause(), trace);
        let protocol = if to.is_ipv4() { protocol::ICMP } else { protocol::ICMPV6 };
        let outgoing = Outgoing { ttl, tos, dont_fragment, by, ..Outgoing::new(src, to, protocol) };
        let owner = if extra == 0 { Owner::Ping } else { Owner::PingWithOptions(extra as u8) };
        if extra > 0 {
            frame.push(extra).copy_from_slice(options.octets());
        }
        self.outbox.push_back(Waiting { to: outgoing, frame, owner, iface });
        Ok(())
    }

    /// Whether the requests of an echo socket could go there.
    pub(crate) fn check_ping(&mut self, id: SlotId, to: IpAddr) -> io::Result<()> {
        let Sending { by, broadcast, .. } = self.pings.sending(id)?;
        if broadcast == Broadcast::Denied && self.ip.is_broadcast(to) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        match by {
            Some(by) => self.ip.origin_by(by, to)?,
            None => self.ip.origin_for(to)?,
        };
        Ok(())
    }

    /// Sets where the requests of an echo socket come from.
    pub(crate) fn bind_ping(&mut self, id: SlotId, source: IpAddr) -> io::Result<()> {
        if !self.ip.is_local(source) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        self.pings.set_source(id, source)
    }

    /// Sets the interface that they leave by.
    pub(crate) fn bind_ping_to(&mut self, id: SlotId, device: &str) -> io::Result<()> {
        let by = self.device(device)?;
        self.pings.set_device(id, by)
    }

    /// Sends a packet of any protocol above IP, whose own header and checksum its payload has.
    pub(crate) fn send_raw(&mut self, packet: &RawPacket<'_>, trace: &Trace) -> io::Result<()> {
        self.running()?;
        let &RawPacket { to, protocol, ttl, source, device, payload } = packet;
        if source.is_some_and(|source| !self.ip.is_local(source)) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let by = device.map(|device| self.device(device)).transpose()?;
        let (origin, iface) = match by {
            Some(by) => self.ip.origin_by(by, to)?,
            None => self.ip.origin_for(to)?,
        };
        let mut frame = Frame::new(Frame::HEADROOM, payload);
        // Whoever builds packets by hand answers for their checksums.
        frame.checksums = Checksums::Unverified;
        frame.cause = trace.cause();
        let outgoing = Outgoing { ttl, by, ..Outgoing::new(source.unwrap_or(origin), to, protocol) };
        self.outbox.push_back(Waiting { to: outgoing, frame, owner: Owner::Ping, iface });
        Ok(())
    }
}

/// `ENODEV`
fn no_interface() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no such device")
}
