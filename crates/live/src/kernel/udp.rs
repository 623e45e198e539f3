//! UDP on the kernel.

use core::num::NonZeroU16;
#[cfg(target_os = "linux")]
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_socket::{Broadcast, Coalescing, Datagram, GroupChange, Looping, UdpSocket, UdpSocketImpl, Unreached};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::ReadBuf;

use super::canonical::canonical;

pub(super) fn bind(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&at.into())?;
    let socket = Arc::new(tokio::net::UdpSocket::from_std(socket.into())?);
    Ok(UdpSocket::new(KernelUdp {
        domain: Domain::for_address(at),
        #[cfg(target_os = "linux")]
        errors: super::linux::ErrorQueue::off(),
        #[cfg(target_os = "linux")]
        refusals: super::linux::ErrorQueue::off(),
        #[cfg(target_os = "linux")]
        coalescing: AtomicBool::new(false),
        socket,
    }))
}

struct KernelUdp {
    domain: Domain,
    /// ICMP errors with their particulars, once somebody asked for them.
    #[cfg(target_os = "linux")]
    errors: super::linux::ErrorQueue<Unreached>,
    /// What a receiver on a connected socket is told.
    #[cfg(target_os = "linux")]
    refusals: super::linux::ErrorQueue<io::Error>,
    /// Whether several datagrams may come as one.
    #[cfg(target_os = "linux")]
    coalescing: AtomicBool,
    socket: Arc<tokio::net::UdpSocket>,
}

impl KernelUdp {
    /// A peer as the system takes it: of a socket of IPv6 an address of IPv4 is a mapped one.
    fn mapped(&self, peer: SocketAddr) -> SocketAddr {
        match peer {
            SocketAddr::V4(v4) if self.domain == Domain::IPV6 => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
            peer => peer,
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn unnamed(on: Option<&str>) -> io::Result<()> {
    match on {
        None => Ok(()),
        Some(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "interfaces can be named on Linux only")),
    }
}

impl UdpSocketImpl for KernelUdp {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr().map(canonical)
    }

    fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        SockRef::from(&*self.socket).connect(&self.mapped(peer).into())?;
        #[cfg(target_os = "linux")]
        self.refusals.switch_on(&self.socket, super::linux::read_pending);
        Ok(())
    }

    fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        if self.domain == Domain::IPV6 {
            SockRef::from(&*self.socket).set_unicast_hops_v6(ttl.into())?;
        }
        // Of a socket of both versions Linux keeps the two apart; where it is of IPv6 alone the second says nothing.
        self.socket.set_ttl(ttl.into()).or_else(|e| if self.domain == Domain::IPV6 { Ok(()) } else { Err(e) })
    }

    #[cfg(target_os = "linux")]
    fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()> {
        super::groups::set_ttl(&self.socket, ttl)
    }

    #[cfg(not(target_os = "linux"))]
    fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()> {
        let socket = SockRef::from(&*self.socket);
        if self.socket.local_addr()?.is_ipv6() {
            return socket.set_multicast_hops_v6(ttl.into());
        }
        socket.set_multicast_ttl_v4(ttl.into())
    }

    #[cfg(target_os = "linux")]
    fn set_multicast_interface(&self, on: Option<&str>) -> io::Result<()> {
        super::groups::set_interface(&self.socket, on)
    }

    #[cfg(not(target_os = "linux"))]
    fn set_multicast_interface(&self, on: Option<&str>) -> io::Result<()> {
        unnamed(on)
    }

    #[cfg(target_os = "linux")]
    fn set_looping(&self, looping: Looping) -> io::Result<()> {
        super::groups::set_looping(&self.socket, looping)
    }

    #[cfg(not(target_os = "linux"))]
    fn set_looping(&self, looping: Looping) -> io::Result<()> {
        let (socket, on) = (SockRef::from(&*self.socket), looping == Looping::On);
        if self.socket.local_addr()?.is_ipv6() {
            socket.set_multicast_loop_v6(on)
        } else {
            socket.set_multicast_loop_v4(on)
        }
    }

    fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()> {
        self.socket.set_broadcast(broadcast == Broadcast::Allowed)
    }

    fn change_group(&self, group: IpAddr, on: Option<&str>, change: GroupChange) -> io::Result<()> {
        if !group.is_multicast() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{group} is no multicast address")));
        }
        #[cfg(target_os = "linux")]
        return super::groups::change(&self.socket, group, on, change);
        #[cfg(not(target_os = "linux"))]
        {
            unnamed(on)?;
            let any = &core::net::Ipv4Addr::UNSPECIFIED;
            let socket = SockRef::from(&*self.socket);
            match (group, change) {
                (IpAddr::V4(group), GroupChange::Join) => socket.join_multicast_v4(&group, any),
                (IpAddr::V4(group), GroupChange::Leave) => socket.leave_multicast_v4(&group, any),
                (IpAddr::V6(group), GroupChange::Join) => socket.join_multicast_v6(&group, 0),
                (IpAddr::V6(group), GroupChange::Leave) => socket.leave_multicast_v6(&group, 0),
                _ => Err(io::Error::new(io::ErrorKind::Unsupported, "sources of a group can be chosen on Linux only")),
            }
        }
    }

    fn heard_after_leaving(&self, _: IpAddr) -> io::Result<Option<Duration>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel does not tell what comes for groups that were left"))
    }

    fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8], to: Option<SocketAddr>) -> Poll<io::Result<usize>> {
        match to {
            Some(to) => self.socket.poll_send_to(cx, payload, self.mapped(to)),
            None => self.socket.poll_send(cx, payload),
        }
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Datagram>> {
        #[cfg(target_os = "linux")]
        if let Poll::Ready(Ok(refusal)) = self.refusals.poll(cx) {
            return Poll::Ready(Err(refusal));
        }
        #[cfg(target_os = "linux")]
        if self.coalescing.load(Ordering::Relaxed) {
            return super::linux::poll_receive_segmented(&self.socket, cx, buf);
        }
        let mut buf = ReadBuf::new(buf);
        loop {
            let poll = self.socket.poll_recv_from(cx, &mut buf);
            // With the error queue on, an unconnected socket reports each error here as well.
            #[cfg(target_os = "linux")]
            if matches!(poll, Poll::Ready(Err(_))) && self.errors.is_on() && !self.refusals.is_on() {
                continue;
            }
            return poll.map_ok(|from| Datagram { len: buf.filled().len(), from: canonical(from), segment_size: None });
        }
    }

    #[cfg(target_os = "linux")]
    fn poll_send_segmented(
        &self,
        cx: &mut Context<'_>,
        payload: &[u8],
        segment_size: NonZeroU16,
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        super::linux::poll_send_segmented(&self.socket, cx, payload, segment_size, to.map(|to| self.mapped(to)))
    }

    #[cfg(not(target_os = "linux"))]
    fn poll_send_segmented(
        &self,
        _: &mut Context<'_>,
        _: &[u8],
        _: NonZeroU16,
        _: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        let why = "datagrams can be sent several at once on Linux only";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    fn set_coalescing(&self, coalescing: Coalescing) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            super::linux::set_coalescing(&self.socket, coalescing)?;
            self.coalescing.store(coalescing == Coalescing::On, Ordering::Relaxed);
            Ok(())
        }
        #[cfg(not(target_os = "linux"))]
        match coalescing {
            Coalescing::Off => Ok(()),
            Coalescing::On => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<io::Result<Unreached>> {
        if !self.errors.is_on() {
            super::linux::keep_errors(&self.socket)?;
            self.errors.switch_on(&self.socket, super::linux::read_udp_error);
        }
        self.errors.poll(cx)
    }

    #[cfg(not(target_os = "linux"))]
    fn poll_error(&self, _: &mut Context<'_>) -> Poll<io::Result<Unreached>> {
        let why = "ICMP errors of a UDP socket can be read on Linux only";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::Unsupported, why)))
    }
}
