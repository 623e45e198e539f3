//! What only Linux gives: the error queue of a socket, segments, the addresses of the interfaces.

use core::num::NonZeroU16;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrStorage, cmsg_space, recvmsg, sendmsg,
    setsockopt, sockopt,
};
use septet_socket::{Coalescing, Datagram, Unreached};
use septet_wire::{icmp, icmpv6};
use socket2::{Domain, SockRef};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// How many errors wait to be asked for.
const QUEUE: usize = 64;

/// The addresses of the interfaces that are not loopback.
pub(super) fn addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    interfaces
        .filter_map(|i| i.address)
        .filter_map(|a| match (a.as_sockaddr_in(), a.as_sockaddr_in6()) {
            (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
            (_, Some(v6)) => Some(IpAddr::V6(v6.ip())),
            _ => None,
        })
        .filter(|ip| !ip.is_loopback())
        .collect()
}

/// Errors that come in while nobody asks: a task takes them off the socket as they do. tokio wakes a reader for data,
/// but not for an error.
pub(super) struct ErrorQueue<T>(OnceLock<Watch<T>>);

struct Watch<T> {
    errors: Mutex<mpsc::Receiver<T>>,
    task: tokio::task::AbortHandle,
}

impl<T: Send + 'static> ErrorQueue<T> {
    pub(super) fn off() -> Self {
        Self(OnceLock::new())
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.get().is_some()
    }

    /// The next error; pending for ever where the queue is off.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(watch) = self.0.get() else { return Poll::Pending };
        let mut errors = watch.errors.lock().unwrap_or_else(PoisonError::into_inner);
        match ready!(errors.poll_recv(cx)) {
            Some(error) => Poll::Ready(Ok(error)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Lets a task take errors off `socket` by `read`.
    pub(super) fn switch_on(&self, socket: &Arc<UdpSocket>, read: fn(&UdpSocket) -> io::Result<T>) {
        if self.is_on() {
            return;
        }
        let (sender, errors) = mpsc::channel(QUEUE);
        let socket = socket.clone();
        let task = tokio::spawn(async move {
            while socket.ready(Interest::ERROR).await.is_ok() {
                match socket.try_io(Interest::ERROR, || read(&socket)) {
                    Ok(error) => {
                        if sender.send(error).await.is_err() {
                            return;
                        }
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    // An error that says nothing of a packet, such as a local one.
                    Err(e) if e.kind() == io::ErrorKind::InvalidData => {}
                    Err(_) => return,
                }
            }
        })
        .abort_handle();
        if let Err(watch) = self.0.set(Watch { errors: Mutex::new(errors), task }) {
            watch.task.abort();
        }
    }
}

impl<T> Drop for ErrorQueue<T> {
    fn drop(&mut self) {
        if let Some(watch) = self.0.get() {
            watch.task.abort();
        }
    }
}

/// Takes one error off the queue, with the first bytes of the packet that it is about.
pub(super) fn read_error(socket: &UdpSocket, packet: &mut [u8]) -> io::Result<(Unreached, usize)> {
    let mut iov = [IoSliceMut::new(packet)];
    // Room for either family's `sock_extended_err` and the offender's address behind it.
    let mut space = vec![0; cmsg_space::<[u8; 128]>()];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut iov, Some(&mut space), flags)?;
    let len = message.bytes;
    let nowhere = || SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let destination = message.address.as_ref().and_then(socket_addr).unwrap_or_else(nowhere);
    for control in message.cmsgs()? {
        // `SO_EE_OFFENDER` is filled for errors of ICMP only; a local error has no reporter.
        let (error, reporter) = match control {
            ControlMessageOwned::Ipv4RecvErr(error, Some(from)) => (error, IpAddr::V4(SockaddrIn::from(from).ip())),
            ControlMessageOwned::Ipv6RecvErr(error, Some(from)) => (error, IpAddr::V6(from.sin6_addr.s6_addr.into())),
            _ => continue,
        };
        const SO_EE_ORIGIN_ICMP: u8 = 2;
        const SO_EE_ORIGIN_ICMP6: u8 = 3;
        if matches!(error.ee_origin, SO_EE_ORIGIN_ICMP | SO_EE_ORIGIN_ICMP6) {
            let decode = if error.ee_origin == SO_EE_ORIGIN_ICMP { icmp::decode } else { icmpv6::decode };
            let trouble = decode(error.ee_type, error.ee_code, error.ee_info);
            return Ok((Unreached { reporter, destination, trouble }, len));
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// `IP_RECVERR`: from now on the kernel keeps each ICMP error with its particulars.
pub(super) fn keep_errors(socket: &UdpSocket) -> io::Result<()> {
    if SockRef::from(socket).domain()? == Domain::IPV6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    }
    Ok(())
}

/// The error that the next call on the socket would give: `SO_ERROR`.
pub(super) fn read_pending(socket: &UdpSocket) -> io::Result<io::Error> {
    socket.take_error()?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

pub(super) fn read_udp_error(socket: &UdpSocket) -> io::Result<Unreached> {
    read_error(socket, &mut [0; 64]).map(|(error, _)| error)
}

/// `UDP_SEGMENT`: one call for datagrams of `segment_size` bytes each.
pub(super) fn poll_send_segmented(
    socket: &UdpSocket,
    cx: &mut Context<'_>,
    payload: &[u8],
    segment_size: NonZeroU16,
    to: Option<SocketAddr>,
) -> Poll<io::Result<usize>> {
    let to = to.map(SockaddrStorage::from);
    let size = segment_size.get();
    loop {
        ready!(socket.poll_send_ready(cx))?;
        let sent = socket.try_io(Interest::WRITABLE, || {
            let control = [ControlMessage::UdpGsoSegments(&size)];
            Ok(sendmsg(socket.as_raw_fd(), &[IoSlice::new(payload)], &control, MsgFlags::empty(), to.as_ref())?)
        });
        match sent {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // Segments beyond the MTU are EINVAL to some versions of Linux and EMSGSIZE to others.
            Err(e) if e.raw_os_error() == Some(nix::Error::EMSGSIZE as i32) => {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidInput, e)));
            }
            other => return Poll::Ready(other),
        }
    }
}

/// `UDP_GRO`.
pub(super) fn set_coalescing(socket: &UdpSocket, coalescing: Coalescing) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::UdpGroSegment, &(coalescing == Coalescing::On))?)
}

/// Receives datagrams, several at once where they came so.
pub(super) fn poll_receive_segmented(
    socket: &UdpSocket,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<io::Result<Datagram>> {
    loop {
        ready!(socket.poll_recv_ready(cx))?;
        let received = socket.try_io(Interest::READABLE, || {
            let mut iov = [IoSliceMut::new(buf)];
            let mut space = vec![0; cmsg_space::<i32>()];
            let message =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::empty())?;
            let size = message.cmsgs()?.find_map(|c| match c {
                ControlMessageOwned::UdpGroSegments(size) => u16::try_from(size).ok().and_then(NonZeroU16::new),
                _ => None,
            });
            let from = message.address.as_ref().and_then(socket_addr).ok_or(io::ErrorKind::InvalidData)?;
            // One datagram alone is told with its own length.
            let segment_size = size.filter(|s| message.bytes > usize::from(s.get()));
            Ok(Datagram { len: message.bytes, from, segment_size })
        });
        match received {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            other => return Poll::Ready(other),
        }
    }
}

pub(super) fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(SocketAddr::from((v4.ip(), v4.port()))),
        (_, Some(v6)) => Some(super::canonical::canonical((v6.ip(), v6.port()).into())),
        _ => None,
    }
}
