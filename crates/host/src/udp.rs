//! UDP (RFC 768) and its sockets: ports, receive queues, the error queue.

use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;
use septet_core::checksum::Sum;
use septet_core::{Checksums, DropReason, EventId, FixedState, Frame, Rng, Storey, Trace};
use septet_network::icmp::kind;
use septet_network::ip::{Cast, DEFAULT_TTL, Datagram, Report};
use septet_network::ipv4::protocol;
use septet_socket::{Datagram as Received, Unreached};
use smallvec::SmallVec;

use crate::slots::{SlotId, Slots};
use crate::wakers::Wakers;

/// Octets of the header.
const HEADER_LEN: usize = 8;
/// `net.core.rmem_default` and `wmem_default`: bytes that wait in one socket, with what each datagram costs beside.
const BUFFER: usize = 212_992;
const OVERHEAD: usize = 256;
/// The largest payload of a datagram over IPv4.
const MAX_PAYLOAD: usize = 65_535 - 20 - HEADER_LEN;
/// Errors kept for one socket.
const ERRORS: usize = 64;
/// `net.ipv4.ip_local_port_range`
const EPHEMERAL: core::ops::RangeInclusive<u16> = 32_768..=60_999;

/// What UDP counts, by the names of `nstat`.
#[derive(Clone, Default, Debug)]
pub(crate) struct Counters {
    in_datagrams: u64,
    no_ports: u64,
    in_errors: u64,
    out_datagrams: u64,
    rcvbuf_errors: u64,
    in_csum_errors: u64,
}

impl Counters {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self { in_datagrams, no_ports, in_errors, out_datagrams, rcvbuf_errors, in_csum_errors } = *self;
        [
            ("UdpInDatagrams", in_datagrams),
            ("UdpNoPorts", no_ports),
            ("UdpInErrors", in_errors),
            ("UdpOutDatagrams", out_datagrams),
            ("UdpRcvbufErrors", rcvbuf_errors),
            ("UdpInCsumErrors", in_csum_errors),
        ]
        .into_iter()
    }
}

#[derive(Debug)]
struct Socket {
    local: SocketAddr,
    peer: Option<SocketAddr>,
    ttl: u8,
    groups: SmallVec<[IpAddr; 1]>,
    queue: VecDeque<(SocketAddr, Frame)>,
    queued: usize,
    unsent: usize,
    /// `SO_ERROR`: what the next call returns.
    error: Option<io::ErrorKind>,
    /// The error queue, once asked for: `IP_RECVERR`.
    errors: Option<VecDeque<Unreached>>,
    readers: Wakers,
    writers: Wakers,
    error_readers: Wakers,
}

/// All UDP sockets of one host.
#[derive(Debug, Default)]
pub(crate) struct Udp {
    sockets: Slots<Socket>,
    ports: HashMap<u16, SmallVec<[SlotId; 1]>, FixedState>,
    pub(crate) counters: Counters,
}

/// A datagram that a program wants to send.
pub(crate) struct Send {
    pub(crate) src: IpAddr,
    pub(crate) to: SocketAddr,
    pub(crate) ttl: u8,
    pub(crate) frame: Frame,
}

impl Udp {
    /// Opens a socket. Whether the address is the host's own is the caller's to know.
    pub(crate) fn bind(&mut self, mut at: SocketAddr, rng: &mut Rng) -> io::Result<SlotId> {
        if at.port() == 0 {
            at.set_port(self.free_port(at.ip(), rng).ok_or(io::ErrorKind::AddrInUse)?);
        } else if self.is_taken(at) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let id = self.sockets.insert(Socket {
            local: at,
            peer: None,
            ttl: DEFAULT_TTL,
            groups: SmallVec::new(),
            queue: VecDeque::new(),
            queued: 0,
            unsent: 0,
            error: None,
            errors: None,
            readers: Wakers::default(),
            writers: Wakers::default(),
            error_readers: Wakers::default(),
        });
        self.ports.entry(at.port()).or_default().push(id);
        Ok(id)
    }

    /// Closes all sockets. Who waits for one from outside of the host finds it gone.
    pub(crate) fn wipe(&mut self) {
        for Socket { readers, writers, error_readers, .. } in self.sockets.iter_mut() {
            [readers, writers, error_readers].into_iter().for_each(Wakers::wake);
        }
        self.sockets.clear();
        self.ports = HashMap::default();
    }

    /// Closes a socket; gives back the groups that it was in.
    pub(crate) fn close(&mut self, id: SlotId) -> SmallVec<[IpAddr; 1]> {
        let Some(socket) = self.sockets.remove(id) else { return SmallVec::new() };
        let port = socket.local.port();
        if let Some(at) = self.ports.get_mut(&port) {
            at.retain(|i| *i != id);
            if at.is_empty() {
                self.ports.remove(&port);
            }
        }
        socket.groups
    }

    pub(crate) fn local_addr(&self, id: SlotId) -> io::Result<SocketAddr> {
        self.sockets.get(id).map(|s| s.local).ok_or_else(gone)
    }

    pub(crate) fn connect(&mut self, id: SlotId, local: IpAddr, peer: SocketAddr) -> io::Result<()> {
        let socket = self.sockets.get_mut(id).ok_or_else(gone)?;
        socket.peer = Some(peer);
        // As `connect(2)` on a socket bound to any address: it gets the one that leads to the peer.
        if socket.local.ip().is_unspecified() {
            socket.local.set_ip(local);
        }
        Ok(())
    }

    pub(crate) fn set_ttl(&mut self, id: SlotId, ttl: u8) -> io::Result<()> {
        if ttl == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.sockets.get_mut(id).ok_or_else(gone)?.ttl = ttl;
        Ok(())
    }

    /// Notes that a socket is in a group; tells whether it was not before.
    pub(crate) fn join(&mut self, id: SlotId, group: IpAddr) -> io::Result<()> {
        let socket = self.sockets.get_mut(id).ok_or_else(gone)?;
        if socket.groups.contains(&group) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        socket.groups.push(group);
        Ok(())
    }

    /// Builds a datagram, where there is room for it. `source` gives the address towards a destination.
    pub(crate) fn poll_send(
        &mut self,
        cx: &Context<'_>,
        id: SlotId,
        payload: &[u8],
        to: Option<SocketAddr>,
        source: impl FnOnce(IpAddr) -> io::Result<IpAddr>,
    ) -> Poll<io::Result<Send>> {
        let Some(socket) = self.sockets.get_mut(id) else { return Poll::Ready(Err(gone())) };
        if let Some(error) = socket.error.take() {
            return Poll::Ready(Err(error.into()));
        }
        let Some(to) = to.or(socket.peer) else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        if to.port() == 0 || to.is_ipv4() != socket.local.is_ipv4() {
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        }
        if payload.len() > MAX_PAYLOAD {
            let why = format!("a UDP datagram carries at most {MAX_PAYLOAD} octets, not {}", payload.len());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        if socket.unsent > 0 && socket.unsent + payload.len() + OVERHEAD > BUFFER {
            socket.writers.register(cx);
            return Poll::Pending;
        }
        let src = match socket.local.ip() {
            ip if ip.is_unspecified() || ip.is_multicast() => match source(to.ip()) {
                Ok(src) => src,
                Err(e) => return Poll::Ready(Err(e)),
            },
            ip => ip,
        };
        let mut frame = Frame::new(Frame::HEADROOM, payload);
        push_header(&mut frame, SocketAddr::new(src, socket.local.port()), to);
        socket.unsent += payload.len() + OVERHEAD;
        self.counters.out_datagrams += 1;
        Poll::Ready(Ok(Send { src, to, ttl: socket.ttl, frame }))
    }

    /// A datagram of this socket with so many octets of payload has left the host's queue.
    pub(crate) fn sent(&mut self, id: SlotId, payload: usize) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.unsent = socket.unsent.saturating_sub(payload + OVERHEAD);
            socket.writers.wake();
        }
    }

    pub(crate) fn poll_receive(&mut self, cx: &Context<'_>, id: SlotId, buf: &mut [u8]) -> Poll<io::Result<Received>> {
        let Some(socket) = self.sockets.get_mut(id) else { return Poll::Ready(Err(gone())) };
        if let Some(error) = socket.error.take() {
            return Poll::Ready(Err(error.into()));
        }
        let Some((from, frame)) = socket.queue.pop_front() else {
            socket.readers.register(cx);
            return Poll::Pending;
        };
        socket.queued -= frame.len() + OVERHEAD;
        let len = frame.len().min(buf.len());
        buf[..len].copy_from_slice(&frame.bytes()[..len]);
        Poll::Ready(Ok(Received { len, from }))
    }

    pub(crate) fn poll_error(&mut self, cx: &Context<'_>, id: SlotId) -> Poll<io::Result<Unreached>> {
        let Some(socket) = self.sockets.get_mut(id) else { return Poll::Ready(Err(gone())) };
        match socket.errors.get_or_insert_default().pop_front() {
            Some(error) => Poll::Ready(Ok(error)),
            None => {
                socket.error_readers.register(cx);
                Poll::Pending
            }
        }
    }

    /// Takes a datagram from storey 3; gives it back where nothing listens.
    pub(crate) fn receive(&mut self, mut datagram: Datagram, trace: &mut Trace) -> Option<Datagram> {
        let (src, dst, len) = match self.check(&datagram) {
            Ok(ok) => ok,
            Err(why) => {
                self.counters.in_errors += 1;
                trace.emit(Storey::Transport, "udp.drop", datagram.frame.cause, |f| {
                    f.set("src", datagram.src).set("dst", datagram.dst).set("why", why);
                });
                return None;
            }
        };
        let matching = self.find(src, dst, datagram.cast);
        if matching.is_empty() {
            self.counters.no_ports += 1;
            trace.emit(Storey::Transport, "udp.drop", datagram.frame.cause, |f| {
                f.set("src", src).set("dst", dst).set("why", DropReason::NoSocket);
            });
            return Some(datagram);
        }
        datagram.frame.truncate(len);
        datagram.frame.pull(HEADER_LEN);
        for id in matching {
            self.queue(id, src, dst, datagram.frame.clone(), trace);
        }
        None
    }

    fn queue(&mut self, id: SlotId, src: SocketAddr, dst: SocketAddr, frame: Frame, trace: &mut Trace) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if socket.queued + frame.len() + OVERHEAD > BUFFER && socket.queued > 0 {
            self.counters.in_errors += 1;
            self.counters.rcvbuf_errors += 1;
            trace.emit(Storey::Transport, "udp.drop", frame.cause, |f| {
                f.set("src", src).set("dst", dst).set("why", DropReason::SocketBuffer);
            });
            return;
        }
        self.counters.in_datagrams += 1;
        trace.emit(Storey::Transport, "udp.receive", frame.cause, |f| {
            f.set("src", src).set("dst", dst).set("bytes", frame.len());
        });
        socket.queued += frame.len() + OVERHEAD;
        socket.queue.push_back((src, frame));
        socket.readers.wake();
    }

    /// Reads the header; gives both ends and the length that is meant.
    fn check(&mut self, datagram: &Datagram) -> Result<(SocketAddr, SocketAddr, usize), DropReason> {
        let bytes = datagram.frame.bytes();
        let Some(h) = bytes.first_chunk::<HEADER_LEN>() else { return Err(DropReason::Malformed) };
        let word = |at: usize| u16::from_be_bytes([h[at], h[at + 1]]);
        let len = usize::from(word(4));
        if len < HEADER_LEN || len > bytes.len() {
            return Err(DropReason::Malformed);
        }
        // RFC 768: "An all zero transmitted checksum value means that the transmitter generated no checksum". RFC 8200
        // §8.1 does not allow that in IPv6.
        let none = word(6) == 0;
        let verify = datagram.frame.checksums == Checksums::Unverified && !(none && datagram.src.is_ipv4());
        if verify && (none || pseudo(datagram.src, datagram.dst, len).bytes(&bytes[..len]).finish() != 0) {
            self.counters.in_csum_errors += 1;
            return Err(DropReason::L4Checksum);
        }
        Ok((SocketAddr::new(datagram.src, word(0)), SocketAddr::new(datagram.dst, word(2)), len))
    }

    /// The sockets that a datagram is for: the one that fits best, or for a group all that fit.
    fn find(&self, src: SocketAddr, dst: SocketAddr, cast: Cast) -> SmallVec<[SlotId; 1]> {
        let Some(candidates) = self.ports.get(&dst.port()) else { return SmallVec::new() };
        let score = |id: &SlotId| {
            let socket = self.sockets.get(*id)?;
            let local = socket.local.ip();
            let for_us = local.is_unspecified() || local == dst.ip();
            let in_group = cast != Cast::Multicast || socket.groups.contains(&dst.ip());
            let of_family = local.is_ipv4() == dst.is_ipv4();
            if !(for_us && in_group && of_family && socket.peer.is_none_or(|p| p == src)) {
                return None;
            }
            Some(u8::from(socket.peer.is_some()) * 2 + u8::from(!local.is_unspecified()))
        };
        if cast != Cast::Unicast {
            return candidates.iter().filter(|id| score(id).is_some()).copied().collect();
        }
        // Of equals the first that was bound.
        let best = candidates.iter().rev().filter_map(|id| Some((score(id)?, *id))).max_by_key(|(s, _)| *s);
        best.into_iter().map(|(_, id)| id).collect()
    }

    /// Takes an ICMP error about a datagram of this host.
    pub(crate) fn error(&mut self, report: &Report) {
        let Some(h) = report.quote.bytes().first_chunk::<HEADER_LEN>() else { return };
        let local = SocketAddr::new(report.src, u16::from_be_bytes([h[0], h[1]]));
        let remote = SocketAddr::new(report.dst, u16::from_be_bytes([h[2], h[3]]));
        for id in self.find(remote, local, Cast::Unicast) {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            let (error, hard) = meaning(report);
            if let Some(errors) = &mut socket.errors
                && errors.len() < ERRORS
            {
                errors.push_back(Unreached {
                    reporter: report.reporter,
                    destination: remote,
                    icmp_type: report.icmp_type,
                    code: report.code,
                    mtu: report.mtu,
                });
                socket.error_readers.wake();
            }
            // RFC 1122 §4.1.3.3: "UDP MUST pass to the application layer all ICMP error messages that it receives";
            // Linux does so for connected sockets, and of those errors that may pass only with an error queue.
            if socket.peer.is_some() && (hard || socket.errors.is_some()) {
                socket.error = Some(error);
                socket.readers.wake();
                socket.writers.wake();
            }
        }
    }

    fn is_taken(&self, at: SocketAddr) -> bool {
        let overlaps = |id: &SlotId| {
            self.sockets.get(*id).is_some_and(|s| {
                s.local.is_ipv4() == at.is_ipv4()
                    && (s.local.ip() == at.ip() || s.local.ip().is_unspecified() || at.ip().is_unspecified())
            })
        };
        self.ports.get(&at.port()).is_some_and(|ids| ids.iter().any(overlaps))
    }

    fn free_port(&self, ip: IpAddr, rng: &mut Rng) -> Option<u16> {
        let count = EPHEMERAL.len() as u64;
        let start = rng.below(count);
        (0..count)
            .map(|i| EPHEMERAL.start() + ((start + i) % count) as u16)
            .find(|port| !self.is_taken(SocketAddr::new(ip, *port)))
    }
}

/// What an ICMP error means to a socket, and whether it is final: Linux's `icmp_err_convert`.
pub(crate) fn meaning(report: &Report) -> (io::ErrorKind, bool) {
    match (report.icmp_type, report.code) {
        (kind::UNREACHABLE, 0 | 6 | 9 | 11) => {
            (io::ErrorKind::NetworkUnreachable, report.code != 0 && report.code != 11)
        }
        (kind::UNREACHABLE, 2) => (io::ErrorKind::Unsupported, true),
        (kind::UNREACHABLE, 3) => (io::ErrorKind::ConnectionRefused, true),
        (kind::UNREACHABLE, 4) => (io::ErrorKind::InvalidInput, false),
        (kind::UNREACHABLE, 8 | 10 | 13..=15) => (io::ErrorKind::HostUnreachable, true),
        (kind::PARAMETER_PROBLEM, _) => (io::ErrorKind::InvalidData, true),
        _ => (io::ErrorKind::HostUnreachable, false),
    }
}

/// The error of a socket that is closed, or whose host is.
pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NetworkDown, "the host of this socket is switched off")
}

/// Counts and traces, and gives the event that is the datagram's reason.
pub(crate) fn trace_send(send: &Send, cause: EventId, trace: &mut Trace) -> EventId {
    trace.emit(Storey::Transport, "udp.send", cause, |f| {
        f.set("to", send.to).set("bytes", send.frame.len() - HEADER_LEN);
    })
}

/// Octets of payload in a datagram that begins at its UDP header.
pub(crate) fn payload_len(frame: &Frame) -> usize {
    frame.len() - HEADER_LEN
}

fn push_header(frame: &mut Frame, src: SocketAddr, dst: SocketAddr) {
    let len = frame.len() + HEADER_LEN;
    let mut h = [0; HEADER_LEN];
    h[0..2].copy_from_slice(&src.port().to_be_bytes());
    h[2..4].copy_from_slice(&dst.port().to_be_bytes());
    h[4..6].copy_from_slice(&(len as u16).to_be_bytes());
    let sum = pseudo(src.ip(), dst.ip(), len).bytes(&h).bytes(frame.bytes()).finish();
    // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
    let sum = if sum == 0 { 0xffff } else { sum };
    h[6..8].copy_from_slice(&sum.to_be_bytes());
    frame.push(HEADER_LEN).copy_from_slice(&h);
    frame.checksums = Checksums::Good;
}

/// The pseudo header that protects against misrouted datagrams.
fn pseudo(src: IpAddr, dst: IpAddr, len: usize) -> Sum {
    let add = |sum: Sum, ip: IpAddr| match ip {
        IpAddr::V4(a) => sum.bytes(&a.octets()),
        IpAddr::V6(a) => sum.bytes(&a.octets()),
    };
    add(add(Sum::new(), src), dst).word(protocol::UDP.into()).dword(len as u32)
}
