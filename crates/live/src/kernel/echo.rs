//! ICMP echo sockets of Linux, of either version of IP: its ping sockets, or raw ones where those are forbidden.

use core::task::{Context, Poll, ready};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, cmsg_space, recvmsg, setsockopt, sockopt};
use septet_socket::{Broadcast, EchoReply, IcmpSocket, IcmpSocketImpl, IpOptions, MtuDiscovery, Unreached};
use septet_wire::packet::Packet;
use septet_wire::{icmp, icmpv6, protocol, reported};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::linux::sys::set_option;

use super::linux::{ErrorQueue, keep_errors, read_error, socket_addr};

/// A ping socket, or where `net.ipv4.ping_group_range` forbids it a raw one.
pub(super) fn open(peer: IpAddr) -> io::Result<IcmpSocket> {
    let version = if peer.is_ipv4() { Version::V4 } else { Version::V6 };
    let (domain, protocol) = match version {
        Version::V4 => (Domain::IPV4, Protocol::ICMPV4),
        Version::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    let (socket, kind) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => (socket, Kind::Ping(ErrorQueue::off())),
        Err(refused) => match Socket::new(domain, Type::RAW, Some(protocol)) {
            Ok(socket) => {
                let mut id = [0; 2];
                getrandom::fill(&mut id).map_err(io::Error::other)?;
                (socket, Kind::Raw { id })
            }
            Err(_) => {
                let why = format!("{refused}: no ping socket (net.ipv4.ping_group_range) and no raw one (CAP_NET_RAW)");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
        },
    };
    socket.set_nonblocking(true)?;
    match version {
        Version::V4 => {
            setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
            set_option(&socket, IP_RECVOPTS, &1i32.to_ne_bytes())?;
        }
        Version::V6 => setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?,
    }
    let socket = Arc::new(UdpSocket::from_std(OwnedFd::from(socket).into())?);
    if let Kind::Ping(errors) = &kind {
        keep_errors(&socket)?;
        errors.switch_on(&socket, version.reader());
    }
    Ok(IcmpSocket::new(Icmp { version, kind, socket }))
}

const IP_OPTIONS: (i32, i32) = (0, 4);
const IP_RECVOPTS: (i32, i32) = (0, 6);

struct Icmp {
    version: Version,
    kind: Kind,
    socket: Arc<UdpSocket>,
}

/// Whose ICMP it is.
#[derive(Clone, Copy)]
enum Version {
    V4,
    V6,
}

impl Version {
    const fn request(self) -> u8 {
        match self {
            Self::V4 => icmp::kind::ECHO,
            Self::V6 => icmpv6::kind::ECHO,
        }
    }

    const fn reply(self) -> u8 {
        match self {
            Self::V4 => icmp::kind::ECHO_REPLY,
            Self::V6 => icmpv6::kind::ECHO_REPLY,
        }
    }

    const fn protocol(self) -> u8 {
        match self {
            Self::V4 => protocol::ICMP,
            Self::V6 => protocol::ICMPV6,
        }
    }

    /// What takes an error off the queue of a ping socket.
    const fn reader(self) -> fn(&UdpSocket) -> io::Result<EchoReply> {
        match self {
            Self::V4 => |socket| read_echo_error(socket, Self::V4),
            Self::V6 => |socket| read_echo_error(socket, Self::V6),
        }
    }
}

enum Kind {
    /// The kernel sets the identifier and gives us only what carries it.
    Ping(ErrorQueue<EchoReply>),
    /// We see all ICMP that comes in, in IPv4 with its header, and take what carries our identifier.
    Raw { id: [u8; 2] },
}

/// What is known of a packet that came.
struct Taken {
    from: IpAddr,
    ttl: u8,
    options: IpOptions,
}

fn read_echo_error(socket: &UdpSocket, version: Version) -> io::Result<EchoReply> {
    let mut packet = [0; 64];
    let (error, len) = read_error(socket, &mut packet)?;
    // The queue gives back the ICMP message that was sent.
    match packet[..len.min(64)].first_chunk::<8>() {
        Some(&[kind, _, _, _, _, _, hi, lo]) if kind == version.request() => {
            let destination = SocketAddr::new(error.destination.ip(), 0);
            Ok(EchoReply::Error { seq: u16::from_be_bytes([hi, lo]), error: Unreached { destination, ..error } })
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

impl IcmpSocketImpl for Icmp {
    fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        match self.version {
            Version::V4 => self.socket.set_ttl(ttl.into()),
            Version::V6 => SockRef::from(&*self.socket).set_unicast_hops_v6(ttl.into()),
        }
    }

    fn set_mtu_discovery(&self, discovery: MtuDiscovery) -> io::Result<()> {
        use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery as V4, Ipv6PathMtuDiscovery as V6};
        let (v4, v6) = match discovery {
            MtuDiscovery::Dont => (V4::DONT, V6::DONT),
            MtuDiscovery::Want => (V4::WANT, V6::WANT),
            MtuDiscovery::Do => (V4::DO, V6::DO),
        };
        match self.version {
            Version::V4 => sockopt::set_ip_mtu_discover(&self.socket, v4)?,
            Version::V6 => sockopt::set_ipv6_mtu_discover(&self.socket, v6)?,
        }
        Ok(())
    }

    fn set_tos(&self, tos: u8) -> io::Result<()> {
        const IP_TOS: (i32, i32) = (0, 1);
        const IPV6_TCLASS: (i32, i32) = (41, 67);
        let option = if let Version::V4 = self.version { IP_TOS } else { IPV6_TCLASS };
        set_option(&self.socket, option, &i32::from(tos).to_ne_bytes())
    }

    fn bind(&self, source: IpAddr) -> io::Result<()> {
        SockRef::from(&*self.socket).bind(&SocketAddr::new(source, 0).into())
    }

    fn bind_device(&self, device: &str) -> io::Result<()> {
        let missing =
            |e: io::Error| if e.raw_os_error() == Some(nix::libc::ENODEV) { io::ErrorKind::NotFound.into() } else { e };
        SockRef::from(&*self.socket).bind_device(Some(device.as_bytes())).map_err(missing)
    }

    fn set_options(&self, options: &IpOptions) -> io::Result<()> {
        match self.version {
            Version::V4 => set_option(&self.socket, IP_OPTIONS, options.octets()),
            Version::V6 => Ok(()),
        }
    }

    fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()> {
        self.socket.set_broadcast(broadcast == Broadcast::Allowed)
    }

    fn check(&self, to: IpAddr) -> io::Result<()> {
        // A socket of its own: this one must hear whoever answers. As iputils, which asks for a port that nobody needs.
        let probe = Socket::new(Domain::for_address(SocketAddr::new(to, 0)), Type::DGRAM, None)?;
        probe.set_broadcast(self.socket.broadcast()?)?;
        probe.connect(&SocketAddr::new(to, 1025).into())
    }

    fn ident(&self) -> io::Result<u16> {
        match &self.kind {
            // The port of a ping socket is its identifier.
            Kind::Ping(_) => Ok(self.socket.local_addr()?.port()),
            Kind::Raw { id } => Ok(u16::from_be_bytes(*id)),
        }
    }

    fn poll_send(&self, cx: &mut Context<'_>, to: IpAddr, seq: u16, payload: &[u8]) -> Poll<io::Result<()>> {
        let mut message = Vec::with_capacity(8 + payload.len());
        let id = match &self.kind {
            Kind::Ping(_) => [0; 2],
            Kind::Raw { id } => *id,
        };
        message.extend_from_slice(&[self.version.request(), 0, 0, 0, id[0], id[1]]);
        message.extend_from_slice(&seq.to_be_bytes());
        message.extend_from_slice(payload);
        // RFC 3542 §3.1: of ICMPv6 "the kernel will calculate and insert the ICMPv6 checksum".
        if let Version::V4 = self.version {
            let sum = septet_core::checksum::Sum::new().bytes(&message).finish();
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        self.socket.poll_send_to(cx, &message, SocketAddr::new(to, 0)).map_ok(|_| ())
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<EchoReply>> {
        if let Kind::Ping(errors) = &self.kind
            && let Poll::Ready(error) = errors.poll(cx)
        {
            return Poll::Ready(error);
        }
        // An IP header, an ICMP header with what it quotes, and as much payload as the caller wants.
        let mut packet = vec![0; buf.len() + 128];
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            match self.socket.try_io(Interest::READABLE, || self.receive(&mut packet)) {
                Ok((len, taken)) => {
                    if let Some(reply) = self.parse(&packet[..len], &taken, buf) {
                        return Poll::Ready(Ok(reply));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // What the error queue tells with more detail.
                Err(e) if matches!(self.kind, Kind::Ping(_)) && is_icmp_error(&e) => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

fn is_icmp_error(e: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(e.kind(), K::HostUnreachable | K::NetworkUnreachable | K::ConnectionRefused | K::PermissionDenied)
        || e.raw_os_error()
            .is_some_and(|n| [nix::libc::EPROTO, nix::libc::ENOPROTOOPT, nix::libc::EMSGSIZE].contains(&n))
}

impl Icmp {
    fn receive(&self, packet: &mut [u8]) -> io::Result<(usize, Taken)> {
        let mut iov = [IoSliceMut::new(packet)];
        let mut space = vec![0; cmsg_space::<i32>() + cmsg_space::<[u8; IpOptions::MOST]>()];
        let message =
            recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
        let from = message.address.as_ref().and_then(socket_addr).ok_or(io::ErrorKind::InvalidData)?;
        let mut taken = Taken { from: from.ip(), ttl: 0, options: IpOptions::NONE };
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                    taken.ttl = u8::try_from(ttl).unwrap_or(0);
                }
                ControlMessageOwned::Unknown(other)
                    if (other.cmsg_header.cmsg_level, other.cmsg_header.cmsg_type) == IP_RECVOPTS =>
                {
                    taken.options = IpOptions::new(&other.data_bytes).unwrap_or(IpOptions::NONE);
                }
                _ => {}
            }
        }
        Ok((message.bytes, taken))
    }

    fn parse(&self, packet: &[u8], &Taken { from, ttl, options }: &Taken, buf: &mut [u8]) -> Option<EchoReply> {
        let icmp = match (&self.kind, self.version) {
            (Kind::Raw { .. }, Version::V4) => self.carried(packet)?.1,
            _ => packet,
        };
        let ours = |id: &[u8; 2]| match &self.kind {
            Kind::Ping(_) => true,
            Kind::Raw { id: own } => id == own,
        };
        let &[kind, code, _, _, a, b, hi, lo, ref rest @ ..] = icmp else { return None };
        if kind == self.version.reply() && ours(&[a, b]) {
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            let seq = u16::from_be_bytes([hi, lo]);
            return Some(EchoReply::Reply { from, seq, ttl, len: rest.len(), options });
        }
        let trouble = reported(self.version.protocol(), kind, code, u32::from_be_bytes([a, b, hi, lo]))?;
        let (destination, &[kind, _, _, _, a, b, hi, lo, ..]) = self.carried(rest)? else { return None };
        let error = Unreached { reporter: from, destination: SocketAddr::new(destination, 0), trouble };
        let is_ours = kind == self.version.request() && ours(&[a, b]);
        is_ours.then_some(EchoReply::Error { seq: u16::from_be_bytes([hi, lo]), error })
    }

    /// The destination and the payload of a packet that carries ICMP.
    fn carried<'p>(&self, packet: &'p [u8]) -> Option<(IpAddr, &'p [u8])> {
        let headers = Packet::read(packet)?;
        let is_icmp = headers.protocol == Some(self.version.protocol());
        is_icmp.then_some((headers.dst, headers.upper(packet)))
    }
}
