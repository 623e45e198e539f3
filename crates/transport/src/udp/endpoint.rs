//! All UDP sockets of one host.

mod options;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;
use septet_core::{DropReason, EventId, FixedState, Frame, Rng, Storey, Trace};
use slab::Slab;
use smallvec::SmallVec;

pub use options::{Broadcast, Coalescing, Looping, Reach};

use super::groups::{Groups, Membership};
use super::meaning::{Finality, meaning};
use super::wire::{HEADER_LEN, Header};
use super::{Error, Mib};
use crate::{Ecn, IcmpError};

/// Names a socket of one endpoint; a name is never used for another socket again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId {
    index: u32,
    generation: u32,
}

impl SocketId {
    /// A small number that no other open socket of the endpoint has, to find what the caller keeps for this one.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// What a socket has for its program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Readiness {
    /// A datagram or an error: [`Endpoint::recv`] would not block.
    pub readable: bool,
    /// An error, which the next call returns.
    pub failed: bool,
    /// An ICMP error in the error queue.
    pub icmp: bool,
}

/// A datagram that no socket took, as it came.
#[derive(Debug)]
pub struct Refused {
    /// Why. `NoSocket` is what storey 3 answers with "port unreachable", except for multicast and broadcast.
    pub why: DropReason,
    /// The bytes from the UDP header on.
    pub frame: Frame,
}

/// What storey 3 tells about a packet that carries a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meta {
    /// Who sent it.
    pub src: IpAddr,
    /// To which address: ours, a group, or a broadcast address.
    pub dst: IpAddr,
    /// Whether `dst` is a broadcast address of the link.
    pub cast: Cast,
    /// The interface by which it came; nothing where it never left the host.
    pub iface: Option<u16>,
    /// Its ECN codepoint.
    pub ecn: Ecn,
    /// Its time to live on arrival.
    pub ttl: u8,
}

/// To how many a packet is addressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cast {
    /// To one, or to a group that its address names.
    #[default]
    Unicast,
    /// To all on the link.
    Broadcast,
}

/// A datagram to be sent.
#[derive(Debug)]
pub struct Transmit {
    /// From which of our addresses.
    pub src: IpAddr,
    /// To whom.
    pub dst: IpAddr,
    /// The time to live, where the socket sets one.
    pub ttl: Option<u8>,
    /// Whether members on this host hear what is for a group.
    pub looping: Looping,
    /// The ECN codepoint for the IP header.
    pub ecn: Ecn,
    /// The bytes from the UDP header on; a super-datagram where `segment_size` is not zero.
    pub frame: Frame,
}

/// A datagram received.
#[derive(Debug)]
pub struct Received {
    /// Who sent it.
    pub from: SocketAddr,
    /// To which address of ours it came.
    pub to: IpAddr,
    /// Its time to live on arrival.
    pub ttl: u8,
    /// Its ECN codepoint.
    pub ecn: Ecn,
    /// Its payload. Where `segment_size` is not zero it is several datagrams of that size.
    pub frame: Frame,
}

#[derive(Debug)]
struct Socket {
    generation: u32,
    local: SocketAddr,
    /// The one interface that it speaks by: `SO_BINDTODEVICE`.
    device: Option<u16>,
    peer: Option<SocketAddr>,
    groups: Groups,
    ttl: Option<u8>,
    multicast_ttl: u8,
    /// The interface by which multicast leaves, where one is set.
    multicast_iface: Option<u16>,
    looping: Looping,
    broadcast: Broadcast,
    reach: Reach,
    coalescing: Coalescing,
    queue: VecDeque<Received>,
    queued: usize,
    receive_buffer: usize,
    unsent: usize,
    /// `SO_ERROR`: what the next call returns.
    error: Option<Error>,
    /// The error queue, once asked for: `IP_RECVERR`.
    errors: Option<VecDeque<IcmpError>>,
    event_queued: bool,
}

/// What a queued datagram is charged on top of its payload, as the kernel charges for its buffer.
const OVERHEAD: usize = 256;
/// `net.core.rmem_default`
const RECEIVE_BUFFER: usize = 212_992;
/// `net.core.wmem_default`
const SEND_BUFFER: usize = 212_992;
/// `net.ipv4.ip_local_port_range`
const EPHEMERAL: core::ops::RangeInclusive<u16> = 32_768..=60_999;
/// A bound on errors that nobody takes.
const ERRORS: usize = 64;
/// The largest payload of IPv4: 65,535 less two headers.
const LARGEST: usize = 65_507;

/// All UDP of one host, as a state machine.
#[derive(Debug, Default)]
pub struct Endpoint {
    sockets: Slab<Socket>,
    /// Of each port the sockets, in the order in which they were bound.
    ports: HashMap<u16, SmallVec<[u32; 1]>, FixedState>,
    generation: u32,
    events: VecDeque<SocketId>,
    mib: Mib,
}

impl Endpoint {
    /// The counters.
    pub fn mib(&self) -> &Mib {
        &self.mib
    }

    /// A socket at `local`; an unspecified address means all, port 0 an ephemeral one, drawn from `rng`. Whether the
    /// address is the host's own is the caller's to know.
    ///
    /// # Errors
    /// `AddrInUse`, also where no ephemeral port is free.
    pub fn bind(&mut self, local: SocketAddr, rng: &mut Rng) -> Result<SocketId, Error> {
        self.bind_on(None, local, rng)
    }

    /// The same for a socket that speaks by the interface `device` alone: `SO_BINDTODEVICE`. Others may have the port on
    /// other interfaces.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_on(&mut self, device: Option<u16>, local: SocketAddr, rng: &mut Rng) -> Result<SocketId, Error> {
        let port = self.free_port(device, local, rng)?;
        self.generation = self.generation.wrapping_add(1);
        let index = self.sockets.insert(Socket {
            generation: self.generation,
            local: SocketAddr::new(local.ip(), port),
            device,
            peer: None,
            groups: Groups::default(),
            ttl: None,
            multicast_ttl: 1,
            multicast_iface: None,
            looping: Looping::default(),
            broadcast: Broadcast::default(),
            reach: Reach::default(),
            coalescing: Coalescing::default(),
            queue: VecDeque::new(),
            queued: 0,
            receive_buffer: RECEIVE_BUFFER,
            unsent: 0,
            error: None,
            errors: None,
            event_queued: false,
        }) as u32;
        self.ports.entry(port).or_default().push(index);
        Ok(SocketId { index, generation: self.generation })
    }

    /// Moves a socket to another address and port, with all that was set on it and the groups that it is in: `bind(2)` of
    /// one that had been given options before.
    ///
    /// # Errors
    /// `BadSocket`, `AddrInUse`.
    pub fn rebind(&mut self, id: SocketId, local: SocketAddr, rng: &mut Rng) -> Result<(), Error> {
        let index = self.index(id)?;
        let (before, device) = (self.sockets[index].local, self.sockets[index].device);
        // Its own port is not in its way, but those of others are.
        self.leave_port(before.port(), id.index);
        let port = self.free_port(device, local, rng);
        let now = port.map_or(before, |port| SocketAddr::new(local.ip(), port));
        self.ports.entry(now.port()).or_default().push(id.index);
        self.sockets[index].local = now;
        port.map(|_| ())
    }

    /// The port of `local`, where nobody has it; any for port 0.
    fn free_port(&self, device: Option<u16>, local: SocketAddr, rng: &mut Rng) -> Result<u16, Error> {
        match local.port() {
            0 => self.choose_port(local.ip(), rng),
            port if self.is_taken(device, local.ip(), port) => Err(Error::AddrInUse),
            port => Ok(port),
        }
    }

    fn leave_port(&mut self, port: u16, index: u32) {
        if let Some(at) = self.ports.get_mut(&port) {
            at.retain(|i| *i != index);
            if at.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    fn is_taken(&self, device: Option<u16>, ip: IpAddr, port: u16) -> bool {
        self.ports.get(&port).is_some_and(|at| {
            at.iter().any(|i| {
                let socket = &self.sockets[*i as usize];
                let other = socket.local.ip();
                let apart = socket.device.zip(device).is_some_and(|(theirs, ours)| theirs != ours);
                !apart
                    && other.is_ipv4() == ip.is_ipv4()
                    && (other == ip || other.is_unspecified() || ip.is_unspecified())
            })
        })
    }

    fn choose_port(&self, ip: IpAddr, rng: &mut Rng) -> Result<u16, Error> {
        let count = EPHEMERAL.len() as u64;
        let start = rng.below(count);
        (0..count)
            .map(|i| EPHEMERAL.start() + ((start + i) % count) as u16)
            .find(|port| !self.is_taken(None, ip, *port))
            .ok_or(Error::AddrInUse)
    }

    fn index(&self, id: SocketId) -> Result<usize, Error> {
        let index = id.index as usize;
        match self.sockets.get(index) {
            Some(s) if s.generation == id.generation => Ok(index),
            _ => Err(Error::BadSocket),
        }
    }

    fn socket(&mut self, id: SocketId) -> Result<&mut Socket, Error> {
        let index = self.index(id)?;
        Ok(&mut self.sockets[index])
    }

    /// Fixes the peer: others' datagrams are not delivered, and ICMP errors become errors of this socket. `source` is the
    /// address that routing chooses towards it, taken where the socket is bound to none.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn connect(&mut self, id: SocketId, peer: SocketAddr, source: IpAddr) -> Result<(), Error> {
        let socket = self.socket(id)?;
        if socket.local.ip().is_unspecified() {
            socket.local.set_ip(source);
        }
        socket.peer = Some(peer);
        Ok(())
    }

    /// Frees the port and drops what waits; gives back the groups that the socket was in.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn close(&mut self, id: SocketId) -> Result<SmallVec<[Membership; 1]>, Error> {
        let index = self.index(id)?;
        let Socket { local, groups, .. } = self.sockets.remove(index);
        self.leave_port(local.port(), id.index);
        Ok(groups.into_all())
    }

    /// Closes all sockets, as when the host is switched off. The counters go on.
    pub fn wipe(&mut self) {
        let Self { generation, ref mut mib, .. } = *self;
        *self = Self { generation, mib: core::mem::take(mib), ..Self::default() };
    }

    /// Where the socket is bound.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Error> {
        Ok(self.sockets[self.index(id)?].local)
    }

    /// The interface that the socket is bound to, where it is to one.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn device(&self, id: SocketId) -> Result<Option<u16>, Error> {
        Ok(self.sockets[self.index(id)?].device)
    }

    /// The peer, where there is one.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn peer_addr(&self, id: SocketId) -> Result<Option<SocketAddr>, Error> {
        Ok(self.sockets[self.index(id)?].peer)
    }

    /// Whether any socket takes part in `group`: what storey 3 asks before it answers a membership query.
    pub fn is_member(&self, group: IpAddr) -> bool {
        self.sockets.iter().any(|(_, s)| s.groups.contains(group))
    }

    /// Builds a datagram to `to`, or to the connected peer, for storey 3 to send. `way` asks it for the source address
    /// towards a destination, given the one that the socket is bound to. What is built counts against the socket's
    /// buffer until [`sent`](Self::sent). `cause` is the event that led to it.
    ///
    /// # Errors
    /// `NoDestination`, `InvalidInput` for a destination that none can have, `TooLong`, `WouldBlock` where the buffer is
    /// full, an ICMP error that came back for an earlier datagram, or that of `way`.
    pub fn send<E: From<Error>>(
        &mut self,
        id: SocketId,
        payload: &[u8],
        to: Option<SocketAddr>,
        way: impl FnOnce(IpAddr, Option<IpAddr>) -> Result<IpAddr, E>,
        cause: EventId,
        trace: &mut Trace,
    ) -> Result<Transmit, E> {
        self.send_segmented(id, payload, 0, to, way, cause, trace)
    }

    /// Builds from `payload` datagrams of `segment_size` bytes each, as one: `UDP_SEGMENT`. A `segment_size` of zero
    /// builds one datagram.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[expect(clippy::too_many_arguments, reason = "the call has what sendmsg has")]
    pub fn send_segmented<E: From<Error>>(
        &mut self,
        id: SocketId,
        payload: &[u8],
        segment_size: u16,
        to: Option<SocketAddr>,
        way: impl FnOnce(IpAddr, Option<IpAddr>) -> Result<IpAddr, E>,
        cause: EventId,
        trace: &mut Trace,
    ) -> Result<Transmit, E> {
        let socket = self.socket(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        let to = to.or(socket.peer).ok_or(Error::NoDestination)?;
        if to.port() == 0 || !socket.speaks_with(to.ip()) {
            return Err(Error::InvalidInput.into());
        }
        let each = if segment_size == 0 { payload.len() } else { usize::from(segment_size) };
        if each > LARGEST || payload.len() > LARGEST || payload.len() > each.saturating_mul(64).max(each) {
            return Err(Error::TooLong.into());
        }
        let charge = payload.len() + OVERHEAD;
        if socket.unsent > 0 && socket.unsent + charge > SEND_BUFFER {
            return Err(Error::WouldBlock.into());
        }
        let bound = socket.local.ip();
        let src = way(to.ip(), (!bound.is_unspecified() && !bound.is_multicast()).then_some(bound))?;
        let ttl = if to.ip().is_multicast() { Some(socket.multicast_ttl) } else { socket.ttl };
        let header = Header { src_port: socket.local.port(), dst_port: to.port() };
        let mut frame = Frame::new(Frame::HEADROOM, payload);
        header.push(src, to.ip(), &mut frame);
        if payload.len() > each {
            frame.segment_size = segment_size;
        }
        frame.cause = trace.emit(Storey::Transport, "udp.send", cause, |f| {
            f.set("to", to).set("bytes", payload.len());
        });
        socket.unsent += charge;
        let looping = socket.looping;
        self.mib.out_datagrams += payload.len().div_ceil(each.max(1)).max(1) as u64;
        Ok(Transmit { src, dst: to.ip(), ttl, looping, ecn: Ecn::NotEct, frame })
    }

    /// A datagram of this socket with so many bytes of payload has left the host: there is room for more.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn sent(&mut self, id: SocketId, payload: usize) -> Result<(), Error> {
        let socket = self.socket(id)?;
        socket.unsent = socket.unsent.saturating_sub(payload + OVERHEAD);
        Ok(())
    }

    /// A socket that has something for its program, and what.
    pub fn poll_event(&mut self) -> Option<(SocketId, Readiness)> {
        while let Some(id) = self.events.pop_front() {
            if let Ok(socket) = self.socket(id) {
                socket.event_queued = false;
                return Some((id, socket.readiness()));
            }
        }
        None
    }

    fn notify(&mut self, index: u32) {
        let socket = &mut self.sockets[index as usize];
        if !core::mem::replace(&mut socket.event_queued, true) {
            let generation = socket.generation;
            self.events.push_back(SocketId { index, generation });
        }
    }

    /// Takes in a datagram: `frame` begins with the UDP header.
    ///
    /// # Errors
    /// Why it went no further, with the datagram as it came.
    pub fn receive(&mut self, meta: &Meta, mut frame: Frame, trace: &mut Trace) -> Result<(), Refused> {
        let (header, len) = match Header::parse(meta.src, meta.dst, &frame) {
            Ok(ok) => ok,
            Err(why) => {
                self.mib.in_errors += 1;
                self.mib.in_csum_errors += u64::from(why == DropReason::L4Checksum);
                trace.emit(Storey::Transport, "udp.drop", frame.cause, |f| {
                    f.set("src", meta.src).set("dst", meta.dst).set("why", why);
                });
                return Err(Refused { why, frame });
            }
        };
        let from = SocketAddr::new(meta.src, header.src_port);
        let to = SocketAddr::new(meta.dst, header.dst_port);
        let takers = if meta.dst.is_multicast() || meta.cast == Cast::Broadcast {
            self.find_all(to, from, meta)
        } else {
            self.find(to, from, meta.iface).into_iter().collect()
        };
        let Some((last, others)) = takers.split_last() else {
            self.mib.no_ports += 1;
            let why = DropReason::NoSocket;
            trace.emit(Storey::Transport, "udp.drop", frame.cause, |f| {
                f.set("src", from).set("dst", to).set("why", why);
            });
            return Err(Refused { why, frame });
        };
        frame.truncate(len);
        frame.pull(HEADER_LEN);
        for index in others {
            // One socket's full buffer is no other's loss.
            let _ = self.take(*index, meta, from, to, frame.clone(), trace);
        }
        self.take(*last, meta, from, to, frame, trace)
    }

    /// Gives a payload to a socket: a super-datagram whole, or the datagrams that it stands for.
    fn take(
        &mut self,
        index: u32,
        meta: &Meta,
        from: SocketAddr,
        to: SocketAddr,
        mut frame: Frame,
        trace: &mut Trace,
    ) -> Result<(), Refused> {
        let size = usize::from(frame.segment_size);
        if size == 0 || self.sockets[index as usize].coalescing == Coalescing::On {
            return self.enqueue(index, meta, from, to, frame, trace);
        }
        frame.segment_size = 0;
        for at in (0..frame.len()).step_by(size) {
            let mut piece = frame.clone();
            piece.pull(at);
            piece.truncate(size);
            // What finds no room is lost by itself, as if it had come so.
            let _ = self.enqueue(index, meta, from, to, piece, trace);
        }
        Ok(())
    }

    /// The socket that fits best: connected to the sender, then bound to the address, then bound to all.
    fn find(&self, to: SocketAddr, from: SocketAddr, iface: Option<u16>) -> Option<u32> {
        let mut best = None;
        for &index in self.ports.get(&to.port())? {
            let s = &self.sockets[index as usize];
            if !s.takes(to.ip(), from) || !s.hears(iface) {
                continue;
            }
            let (peer, bound) = (s.peer.is_some(), !s.local.ip().is_unspecified());
            let score = u8::from(peer) * 2 + u8::from(bound) + u8::from(s.device.is_some()) * 4;
            // Of equals the first that was bound.
            if best.is_none_or(|(b, _)| score > b) {
                best = Some((score, index));
            }
        }
        best.map(|(_, index)| index)
    }

    /// RFC 1112 §6.1: a datagram goes to every socket that has joined the group.
    fn find_all(&self, to: SocketAddr, from: SocketAddr, meta: &Meta) -> SmallVec<[u32; 1]> {
        let fits = |index: &u32| {
            let s = &self.sockets[*index as usize];
            let wanted = || s.groups.want(to.ip(), meta.iface, from.ip());
            s.takes(to.ip(), from) && s.hears(meta.iface) && (meta.cast == Cast::Broadcast || wanted())
        };
        self.ports.get(&to.port()).into_iter().flatten().copied().filter(fits).collect()
    }

    fn enqueue(
        &mut self,
        index: u32,
        meta: &Meta,
        from: SocketAddr,
        to: SocketAddr,
        mut frame: Frame,
        trace: &mut Trace,
    ) -> Result<(), Refused> {
        let socket = &mut self.sockets[index as usize];
        let charge = frame.len() + OVERHEAD;
        if socket.queued + charge > socket.receive_buffer && !socket.queue.is_empty() {
            self.mib.in_errors += 1;
            self.mib.rcvbuf_errors += 1;
            let why = DropReason::SocketBuffer;
            trace.emit(Storey::Transport, "udp.drop", frame.cause, |f| {
                f.set("src", from).set("dst", to).set("why", why);
            });
            frame.unpull(HEADER_LEN);
            return Err(Refused { why, frame });
        }
        frame.cause = trace.emit(Storey::Transport, "udp.receive", frame.cause, |f| {
            f.set("src", from).set("dst", to).set("bytes", frame.len());
        });
        socket.queued += charge;
        socket.queue.push_back(Received { from, to: to.ip(), ttl: meta.ttl, ecn: meta.ecn, frame });
        self.mib.in_datagrams += 1;
        self.notify(index);
        Ok(())
    }

    /// Takes the next datagram.
    ///
    /// # Errors
    /// `WouldBlock`, or an ICMP error that came back.
    pub fn recv(&mut self, id: SocketId) -> Result<Received, Error> {
        let socket = self.socket(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let received = socket.queue.pop_front().ok_or(Error::WouldBlock)?;
        socket.queued -= received.frame.len() + OVERHEAD;
        Ok(received)
    }

    /// The payload of the next datagram, which stays, and who sent it: `MSG_PEEK`.
    ///
    /// # Errors
    /// As for [`recv`](Self::recv).
    pub fn peek(&mut self, id: SocketId) -> Result<(&[u8], SocketAddr), Error> {
        let socket = self.socket(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        socket.queue.front().map(|received| (received.frame.bytes(), received.from)).ok_or(Error::WouldBlock)
    }

    /// Whether [`send`](Self::send) would not block, however large the datagram.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn is_writable(&self, id: SocketId) -> Result<bool, Error> {
        let s = &self.sockets[self.index(id)?];
        Ok(s.error.is_some() || s.unsent == 0 || s.unsent + LARGEST + OVERHEAD <= SEND_BUFFER)
    }

    /// Whether [`recv`](Self::recv) would not block.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn is_readable(&self, id: SocketId) -> Result<bool, Error> {
        let s = &self.sockets[self.index(id)?];
        Ok(!s.queue.is_empty() || s.error.is_some())
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn take_error(&mut self, id: SocketId) -> Result<Option<Error>, Error> {
        Ok(self.socket(id)?.error.take())
    }

    /// Takes the next ICMP error from the error queue, which the first call switches on: `IP_RECVERR`.
    ///
    /// # Errors
    /// `WouldBlock`.
    pub fn recv_icmp(&mut self, id: SocketId) -> Result<IcmpError, Error> {
        self.socket(id)?.errors.get_or_insert_default().pop_front().ok_or(Error::WouldBlock)
    }

    /// Switches the error queue on: `IP_RECVERR`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn receive_errors(&mut self, id: SocketId) -> Result<(), Error> {
        self.socket(id)?.errors.get_or_insert_default();
        Ok(())
    }

    /// Takes in an ICMP error about a datagram that we sent. RFC 1122 §4.1.3.3: "UDP MUST pass to the application layer all
    /// ICMP error messages that it receives"; a socket without error queue hears of those about its one peer.
    pub fn icmp_error(&mut self, error: &IcmpError, trace: &mut Trace) {
        let Some(index) = self.find(error.local, error.remote, None) else { return };
        let (kind, finality) = meaning(error.trouble);
        trace.emit(Storey::Transport, "udp.icmp", error.cause, |f| {
            f.set("local", error.local).set("remote", error.remote).set("reporter", error.reporter);
            f.set("why", kind.to_string());
        });
        let socket = &mut self.sockets[index as usize];
        if let Some(queue) = &mut socket.errors
            && queue.len() < ERRORS
        {
            queue.push_back(*error);
        }
        // Linux tells connected sockets, and of those errors that may pass only with an error queue.
        if socket.peer.is_some() && (finality == Finality::Hard || socket.errors.is_some()) {
            socket.error = Some(kind);
        }
        self.notify(index);
    }
}

impl Socket {
    fn speaks_with(&self, ip: IpAddr) -> bool {
        self.local.is_ipv4() == ip.is_ipv4() || (self.local.is_ipv6() && self.reach == Reach::Both)
    }

    /// Whether a datagram from `from` to `to` may be for this socket; its port is.
    fn takes(&self, to: IpAddr, from: SocketAddr) -> bool {
        let local = self.local.ip();
        let bound = local == to || (local.is_unspecified() && self.speaks_with(to));
        bound && self.peer.is_none_or(|peer| peer == from)
    }

    /// Whether what came in by `iface` may be for it.
    fn hears(&self, iface: Option<u16>) -> bool {
        self.device.is_none() || iface.is_none() || self.device == iface
    }

    fn readiness(&self) -> Readiness {
        let failed = self.error.is_some();
        let icmp = self.errors.as_ref().is_some_and(|e| !e.is_empty());
        Readiness { readable: failed || !self.queue.is_empty(), failed, icmp }
    }
}
