//! All UDP sockets of one host.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use septet_core::{DropReason, EventId, Frame, Instant, Rng, Storey, Trace};
use slab::Slab;

use super::wire::{HEADER_LEN, Header};
use super::{Error, Mib};
use crate::{Ecn, IcmpError, Unreachable};

/// Names a socket of one endpoint; a name is never used for another socket again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId {
    index: u32,
    generation: u32,
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
    /// Its payload.
    pub frame: Frame,
}

#[derive(Debug)]
struct Socket {
    generation: u32,
    local: SocketAddr,
    peer: Option<SocketAddr>,
    groups: BTreeSet<IpAddr>,
    ttl: Option<u8>,
    multicast_ttl: u8,
    queue: VecDeque<Received>,
    queued: usize,
    receive_buffer: usize,
    error: Option<Error>,
    /// The error queue, once asked for: `IP_RECVERR`.
    errors: Option<VecDeque<IcmpError>>,
    event_queued: bool,
}

/// What a queued datagram is charged on top of its payload, as the kernel charges for its buffer.
const OVERHEAD: usize = 768;
/// `rmem_default`
const RECEIVE_BUFFER: usize = 212_992;
/// A bound on errors that nobody takes.
const ERRORS: usize = 64;
/// The largest payload of IPv4: 65,535 less two headers.
const LARGEST: usize = 65_507;

/// All UDP of one host, as a state machine.
#[derive(Debug)]
pub struct Endpoint {
    sockets: Slab<Socket>,
    ports: BTreeMap<u16, Vec<u32>>,
    generation: u32,
    out: VecDeque<Transmit>,
    events: VecDeque<SocketId>,
    mib: Mib,
    port_range: (u16, u16),
    rng: Rng,
}

impl Endpoint {
    /// An endpoint without sockets, which draws ephemeral ports from `rng`.
    pub fn new(rng: Rng) -> Self {
        Self {
            sockets: Slab::new(),
            ports: BTreeMap::new(),
            generation: 0,
            out: VecDeque::new(),
            events: VecDeque::new(),
            mib: Mib::default(),
            port_range: (32_768, 60_999),
            rng,
        }
    }

    /// The counters.
    pub fn mib(&self) -> &Mib {
        &self.mib
    }

    /// A socket at `local`; an unspecified address means all, port 0 an ephemeral one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`.
    pub fn bind(&mut self, local: SocketAddr) -> Result<SocketId, Error> {
        let port = if local.port() == 0 { self.choose_port(local.ip())? } else { local.port() };
        if self.is_taken(local.ip(), port) {
            return Err(Error::AddrInUse);
        }
        self.generation = self.generation.wrapping_add(1);
        let index = self.sockets.insert(Socket {
            generation: self.generation,
            local: SocketAddr::new(local.ip(), port),
            peer: None,
            groups: BTreeSet::new(),
            ttl: None,
            multicast_ttl: 1,
            queue: VecDeque::new(),
            queued: 0,
            receive_buffer: RECEIVE_BUFFER,
            error: None,
            errors: None,
            event_queued: false,
        }) as u32;
        self.ports.entry(port).or_default().push(index);
        Ok(SocketId { index, generation: self.generation })
    }

    fn is_taken(&self, ip: IpAddr, port: u16) -> bool {
        self.ports.get(&port).is_some_and(|at| {
            at.iter().any(|i| {
                let other = self.sockets[*i as usize].local.ip();
                other.is_ipv4() == ip.is_ipv4() && (other == ip || other.is_unspecified() || ip.is_unspecified())
            })
        })
    }

    fn choose_port(&mut self, ip: IpAddr) -> Result<u16, Error> {
        let (low, high) = self.port_range;
        let span = u64::from(high - low) + 1;
        let start = self.rng.below(span);
        (0..span)
            .map(|i| low + ((start + i) % span) as u16)
            .find(|port| !self.is_taken(ip, *port))
            .ok_or(Error::AddrNotAvailable)
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

    /// Frees the port and drops what waits.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn close(&mut self, id: SocketId) -> Result<(), Error> {
        let index = self.index(id)?;
        let port = self.sockets.remove(index).local.port();
        if let Some(at) = self.ports.get_mut(&port) {
            at.retain(|i| *i != id.index);
            if at.is_empty() {
                self.ports.remove(&port);
            }
        }
        Ok(())
    }

    /// Where the socket is bound.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Error> {
        Ok(self.sockets[self.index(id)?].local)
    }

    /// The peer, where there is one.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn peer_addr(&self, id: SocketId) -> Result<Option<SocketAddr>, Error> {
        Ok(self.sockets[self.index(id)?].peer)
    }

    /// Sets the time to live of unicast: `IP_TTL`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_ttl(&mut self, id: SocketId, ttl: u8) -> Result<(), Error> {
        self.socket(id)?.ttl = Some(ttl);
        Ok(())
    }

    /// Sets the time to live of multicast, one at first: `IP_MULTICAST_TTL`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_multicast_ttl(&mut self, id: SocketId, ttl: u8) -> Result<(), Error> {
        self.socket(id)?.multicast_ttl = ttl;
        Ok(())
    }

    /// Bounds the bytes that wait to be received: `SO_RCVBUF`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_receive_buffer(&mut self, id: SocketId, bytes: usize) -> Result<(), Error> {
        self.socket(id)?.receive_buffer = (2 * bytes).max(2304);
        Ok(())
    }

    /// Takes part in a group: `IP_ADD_MEMBERSHIP`. Storey 3 tells the routers.
    ///
    /// # Errors
    /// `InvalidInput` where `group` is not multicast or already joined.
    pub fn join(&mut self, id: SocketId, group: IpAddr) -> Result<(), Error> {
        if !group.is_multicast() || !self.socket(id)?.groups.insert(group) {
            return Err(Error::InvalidInput);
        }
        Ok(())
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// `InvalidInput` where it was not joined.
    pub fn leave(&mut self, id: SocketId, group: IpAddr) -> Result<(), Error> {
        if self.socket(id)?.groups.remove(&group) { Ok(()) } else { Err(Error::InvalidInput) }
    }

    /// Whether any socket takes part in `group`: what storey 3 asks before it answers a membership query.
    pub fn is_member(&self, group: IpAddr) -> bool {
        self.sockets.iter().any(|(_, s)| s.groups.contains(&group))
    }

    /// Sends a datagram to `to`, or to the connected peer. `source` is the address that routing chooses, used where the
    /// socket is bound to none.
    ///
    /// # Errors
    /// `NoDestination`, `TooLong`, or an ICMP error that came back for an earlier one.
    pub fn send(
        &mut self,
        id: SocketId,
        payload: &[u8],
        to: Option<SocketAddr>,
        source: IpAddr,
        trace: &mut Trace,
    ) -> Result<usize, Error> {
        self.send_segmented(id, payload, 0, to, source, EventId::NONE, trace)
    }

    /// Sends `payload` as datagrams of `segment_size` bytes each, built as one: `UDP_SEGMENT`. A `segment_size` of zero
    /// sends one datagram. `cause` is the event that led to it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[expect(clippy::too_many_arguments, reason = "the call has what sendmsg has")]
    pub fn send_segmented(
        &mut self,
        id: SocketId,
        payload: &[u8],
        segment_size: u16,
        to: Option<SocketAddr>,
        source: IpAddr,
        cause: EventId,
        trace: &mut Trace,
    ) -> Result<usize, Error> {
        let socket = self.socket(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let to = to.or(socket.peer).ok_or(Error::NoDestination)?;
        let each = if segment_size == 0 { payload.len() } else { usize::from(segment_size) };
        if each > LARGEST || payload.len() > LARGEST || payload.len() > each.saturating_mul(64).max(each) {
            return Err(Error::TooLong);
        }
        let bound = socket.local.ip();
        let src = if bound.is_unspecified() || bound.is_multicast() { source } else { bound };
        let ttl = if to.ip().is_multicast() { Some(socket.multicast_ttl) } else { socket.ttl };
        let header = Header { src_port: socket.local.port(), dst_port: to.port() };
        let local = SocketAddr::new(src, header.src_port);
        let mut frame = Frame::new(Frame::HEADROOM, payload);
        header.push(src, to.ip(), &mut frame);
        if payload.len() > each {
            frame.segment_size = segment_size;
        }
        frame.cause = trace.emit(Storey::Transport, "udp.send", cause, |f| {
            f.set("local", local).set("remote", to).set("len", payload.len());
        });
        self.mib.out_datagrams += payload.len().div_ceil(each.max(1)).max(1) as u64;
        self.out.push_back(Transmit { src, dst: to.ip(), ttl, ecn: Ecn::NotEct, frame });
        Ok(payload.len())
    }

    /// The next datagram to be sent.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    /// A socket that has something to receive, or an error.
    pub fn poll_event(&mut self) -> Option<SocketId> {
        while let Some(id) = self.events.pop_front() {
            if let Ok(socket) = self.socket(id) {
                socket.event_queued = false;
                return Some(id);
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
    /// Why it went no further; `NoSocket` is what storey 3 answers with "port unreachable", except for multicast.
    pub fn receive(&mut self, _: Instant, meta: &Meta, mut frame: Frame, trace: &mut Trace) -> Result<(), DropReason> {
        let header = match Header::take(meta.src, meta.dst, &mut frame) {
            Ok(header) => header,
            Err(reason) => {
                self.mib.in_errors += 1;
                self.mib.in_csum_errors += u64::from(reason == DropReason::L4Checksum);
                return Err(reason);
            }
        };
        let from = SocketAddr::new(meta.src, header.src_port);
        let to = SocketAddr::new(meta.dst, header.dst_port);
        if meta.dst.is_multicast() || meta.cast == Cast::Broadcast {
            return self.receive_for_many(meta, from, to, &frame, trace);
        }
        let Some(index) = self.find(to, from) else {
            self.mib.no_ports += 1;
            trace.emit(Storey::Transport, "udp.drop", frame.cause, |f| {
                f.set("local", to)
                    .set("remote", from)
                    .set("len", frame.len())
                    .set("why", "nothing listens on the port");
            });
            return Err(DropReason::NoSocket);
        };
        self.enqueue(index, meta, from, to, frame, trace)
    }

    /// The socket that fits best: connected to the sender, then bound to the address, then bound to all.
    fn find(&self, to: SocketAddr, from: SocketAddr) -> Option<u32> {
        let mut best = None;
        for &index in self.ports.get(&to.port())? {
            let s = &self.sockets[index as usize];
            let any = s.local.ip().is_unspecified();
            if !(any && (s.local.is_ipv6() || to.is_ipv4())) && s.local.ip() != to.ip() {
                continue;
            }
            let score = match s.peer {
                Some(peer) if peer != from => continue,
                Some(_) => 4,
                None => 0,
            } + if any { 0 } else { 2 };
            if best.is_none_or(|(b, _)| score > b) {
                best = Some((score, index));
            }
        }
        best.map(|(_, index)| index)
    }

    /// RFC 1112 §6.1: a datagram goes to every socket that has joined the group.
    fn receive_for_many(
        &mut self,
        meta: &Meta,
        from: SocketAddr,
        to: SocketAddr,
        frame: &Frame,
        trace: &mut Trace,
    ) -> Result<(), DropReason> {
        let takers: Vec<u32> = self
            .ports
            .get(&to.port())
            .into_iter()
            .flatten()
            .copied()
            .filter(|i| {
                let s = &self.sockets[*i as usize];
                let member = meta.cast == Cast::Broadcast || s.groups.contains(&to.ip());
                let bound = s.local.ip().is_unspecified() || s.local.ip() == to.ip() || s.groups.contains(&to.ip());
                member && bound && s.peer.is_none_or(|peer| peer == from)
            })
            .collect();
        if takers.is_empty() {
            self.mib.ignored_multi += 1;
            return Err(DropReason::NotForUs);
        }
        for index in takers {
            // One socket's full buffer is no other's loss.
            let _ = self.enqueue(index, meta, from, to, frame.clone(), trace);
        }
        Ok(())
    }

    fn enqueue(
        &mut self,
        index: u32,
        meta: &Meta,
        from: SocketAddr,
        to: SocketAddr,
        mut frame: Frame,
        trace: &mut Trace,
    ) -> Result<(), DropReason> {
        let socket = &mut self.sockets[index as usize];
        let charge = frame.len() + OVERHEAD;
        if socket.queued + charge > socket.receive_buffer && !socket.queue.is_empty() {
            self.mib.in_errors += 1;
            self.mib.rcvbuf_errors += 1;
            trace.emit(Storey::Transport, "udp.drop", frame.cause, |f| {
                f.set("local", to).set("remote", from).set("len", frame.len()).set("why", "the receive buffer is full");
            });
            return Err(DropReason::SocketBuffer);
        }
        frame.cause = trace.emit(Storey::Transport, "udp.receive", frame.cause, |f| {
            f.set("local", to).set("remote", from).set("len", frame.len());
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
        let Some(index) = self.find_for_error(error) else { return };
        let kind = match error.kind {
            Unreachable::Port => (Error::ConnectionRefused, true),
            Unreachable::Protocol | Unreachable::ParameterProblem => (Error::ProtocolUnreachable, true),
            Unreachable::Prohibited => (Error::HostUnreachable, true),
            Unreachable::TooBig { .. } => (Error::TooLong, false),
            Unreachable::Network => (Error::NetworkUnreachable, false),
            Unreachable::Host | Unreachable::TimeExceeded => (Error::HostUnreachable, false),
        };
        trace.emit(Storey::Transport, "udp.icmp", error.cause, |f| {
            f.set("local", error.local).set("remote", error.remote).set("reporter", error.reporter);
            f.set("why", kind.0.to_string());
        });
        let socket = &mut self.sockets[index as usize];
        match &mut socket.errors {
            Some(queue) => {
                if queue.len() < ERRORS {
                    queue.push_back(*error);
                }
                if socket.peer.is_some() {
                    socket.error = Some(kind.0);
                }
            }
            None if kind.1 && socket.peer.is_some() => socket.error = Some(kind.0),
            None => return,
        }
        self.notify(index);
    }

    fn find_for_error(&self, error: &IcmpError) -> Option<u32> {
        self.find(error.local, error.remote)
    }
}

/// The datagrams of a super-datagram, which begins with its UDP header; a frame that is none comes back alone.
pub fn split(frame: &Frame, src: IpAddr, dst: IpAddr) -> Vec<Frame> {
    let size = usize::from(frame.segment_size);
    let (Some(ports), true) = (frame.bytes().first_chunk::<HEADER_LEN>(), size > 0) else { return vec![frame.clone()] };
    let header = Header {
        src_port: u16::from_be_bytes([ports[0], ports[1]]),
        dst_port: u16::from_be_bytes([ports[2], ports[3]]),
    };
    frame.bytes()[HEADER_LEN..]
        .chunks(size)
        .map(|chunk| {
            let mut piece = Frame::new(Frame::HEADROOM, chunk);
            header.push(src, dst, &mut piece);
            (piece.cause, piece.ingress) = (frame.cause, frame.ingress);
            piece
        })
        .collect()
}
