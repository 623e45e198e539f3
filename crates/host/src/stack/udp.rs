//! The UDP sockets of a host: who waits for them, and what their errors are to a program. All else is storey 4's.

use core::num::NonZeroU16;
use core::task::{Context, Poll, Waker};
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_core::{DropReason, Rng, Trace};
use septet_network::Iface;
use septet_network::ip::{Cast, DEFAULT_TTL, Datagram, SendError};
use septet_network::membership::Filter;
use septet_socket::{Coalescing, Datagram as Received, Unreached, Wish};
use septet_transport::udp::{
    self, Broadcast, Endpoint, Error, GroupChange, Looping, Membership, Meta, Refused, SocketId, Transmit,
};
use septet_transport::{Ecn, IcmpError};
use smallvec::SmallVec;

use super::errors::switched_off;
use super::wakers::Wakers;
use super::watchers::Watchers;

/// The tasks that wait for one socket.
#[derive(Debug, Default)]
struct Waiting {
    readers: Wakers,
    writers: Wakers,
    error_readers: Wakers,
    /// Who waits for it by its number.
    watchers: Watchers,
    /// How many times its readiness has changed.
    changes: u64,
}

/// All UDP of one host.
#[derive(Debug, Default)]
pub(crate) struct Udp {
    endpoint: Endpoint,
    /// By [`SocketId::index`].
    waiting: Vec<Waiting>,
    /// Places that were taken in `watchers` so far.
    places: u64,
}

/// What a call fails with.
struct Failure(io::Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::BadSocket => switched_off(),
            // What only says to wait is said often.
            Error::WouldBlock => io::ErrorKind::WouldBlock.into(),
            other => other.into(),
        })
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self(error.into())
    }
}

fn io_error(error: Error) -> io::Error {
    Failure::from(error).0
}

impl Udp {
    /// Opens a socket. Whether the address is the host's own is the caller's to know.
    pub(crate) fn bind(&mut self, device: Option<Iface>, at: SocketAddr, rng: &mut Rng) -> io::Result<SocketId> {
        let id = self.endpoint.bind_on(device, at, rng).map_err(io_error)?;
        self.set_ttl(id, DEFAULT_TTL)?;
        if id.index() >= self.waiting.len() {
            self.waiting.resize_with(id.index() + 1, Waiting::default);
        }
        self.waiting[id.index()] = Waiting::default();
        Ok(id)
    }

    /// Closes all sockets. Who waits for one from outside of the host finds it gone.
    pub(crate) fn wipe(&mut self) {
        self.endpoint.wipe();
        for Waiting { readers, writers, error_readers, watchers, .. } in &mut self.waiting {
            [readers, writers, error_readers].into_iter().for_each(Wakers::wake);
            watchers.wake();
        }
        self.waiting = Vec::new();
    }

    /// Closes a socket; gives back the groups that it was in.
    pub(crate) fn close(&mut self, id: SocketId) -> SmallVec<[Membership; 1]> {
        let Ok(groups) = self.endpoint.close(id) else { return SmallVec::new() };
        core::mem::take(&mut self.waiting[id.index()]).watchers.wake();
        groups
    }

    /// Wakes `waker` when what it waits for is there, or the socket is gone; gives the number of its place.
    pub(crate) fn watch(&mut self, id: SocketId, wish: Wish, waker: &Waker) -> io::Result<u64> {
        self.endpoint.is_readable(id).map_err(io_error)?;
        self.places += 1;
        self.waiting[id.index()].watchers.enter(self.places, wish, waker);
        Ok(self.places)
    }

    /// Gives a place up.
    pub(crate) fn unwatch(&mut self, id: SocketId, wish: Wish, number: u64) {
        let Self { endpoint, waiting, .. } = self;
        let Some(waiting) = waiting.get_mut(id.index()) else { return };
        waiting.watchers.leave(number, wish, || match wish {
            Wish::Write => endpoint.is_writable(id).unwrap_or(false),
            Wish::Read | Wish::Change | Wish::Always => endpoint.is_readable(id).unwrap_or(false),
        });
    }

    /// How many times the readiness of the socket has changed.
    pub(crate) fn changes(&self, id: SocketId) -> u64 {
        let is_open = self.endpoint.is_readable(id).is_ok();
        self.waiting.get(id.index()).filter(|_| is_open).map_or(0, |waiting| waiting.changes)
    }

    pub(crate) fn is_readable(&self, id: SocketId) -> io::Result<bool> {
        self.endpoint.is_readable(id).map_err(io_error)
    }

    pub(crate) fn is_writable(&self, id: SocketId) -> io::Result<bool> {
        self.endpoint.is_writable(id).map_err(io_error)
    }

    pub(crate) fn take_error(&mut self, id: SocketId) -> io::Result<Option<Error>> {
        self.endpoint.take_error(id).map_err(io_error)
    }

    pub(crate) fn device(&self, id: SocketId) -> io::Result<Option<Iface>> {
        self.endpoint.device(id).map_err(io_error)
    }

    pub(crate) fn local_addr(&self, id: SocketId) -> io::Result<SocketAddr> {
        self.endpoint.local_addr(id).map_err(io_error)
    }

    pub(crate) fn connect(&mut self, id: SocketId, local: IpAddr, peer: SocketAddr) -> io::Result<()> {
        self.endpoint.connect(id, peer, local).map_err(io_error)
    }

    pub(crate) fn set_ttl(&mut self, id: SocketId, ttl: u8) -> io::Result<()> {
        self.endpoint.set_ttl(id, ttl).map_err(io_error)
    }

    pub(crate) fn rebind(&mut self, id: SocketId, at: SocketAddr, rng: &mut Rng) -> io::Result<()> {
        self.endpoint.rebind(id, at, rng).map_err(io_error)
    }

    pub(crate) fn set_multicast_ttl(&mut self, id: SocketId, ttl: u8) -> io::Result<()> {
        self.endpoint.set_multicast_ttl(id, ttl).map_err(io_error)
    }

    pub(crate) fn set_multicast_iface(&mut self, id: SocketId, iface: Option<u16>) -> io::Result<()> {
        self.endpoint.set_multicast_iface(id, iface).map_err(io_error)
    }

    pub(crate) fn multicast_iface(&self, id: SocketId) -> io::Result<Option<u16>> {
        self.endpoint.multicast_iface(id).map_err(io_error)
    }

    pub(crate) fn set_looping(&mut self, id: SocketId, looping: Looping) -> io::Result<()> {
        self.endpoint.set_looping(id, looping).map_err(io_error)
    }

    pub(crate) fn set_broadcast(&mut self, id: SocketId, broadcast: Broadcast) -> io::Result<()> {
        self.endpoint.set_broadcast(id, broadcast).map_err(io_error)
    }

    pub(crate) fn may_broadcast(&self, id: SocketId) -> io::Result<()> {
        self.endpoint.may_broadcast(id).map_err(io_error)
    }

    pub(crate) fn change_group(
        &mut self,
        id: SocketId,
        group: IpAddr,
        iface: u16,
        change: GroupChange,
    ) -> io::Result<(Filter, Filter)> {
        self.endpoint.change_group(id, group, iface, change).map_err(io_error)
    }

    pub(crate) fn set_coalescing(&mut self, id: SocketId, coalescing: Coalescing) -> io::Result<()> {
        let coalescing = match coalescing {
            Coalescing::Off => udp::Coalescing::Off,
            Coalescing::On => udp::Coalescing::On,
        };
        self.endpoint.set_coalescing(id, coalescing).map_err(io_error)
    }

    /// Builds a datagram, or several of `segment_size` bytes each, where there is room for it. `way` gives the source
    /// address towards a destination.
    pub(crate) fn poll_send(
        &mut self,
        cx: &Context<'_>,
        id: SocketId,
        (payload, segment_size): (&[u8], Option<NonZeroU16>),
        to: Option<SocketAddr>,
        way: impl FnOnce(IpAddr, Option<IpAddr>) -> Result<IpAddr, SendError>,
        trace: &mut Trace,
    ) -> Poll<io::Result<Transmit>> {
        let way = |dst, bound| Ok::<_, Failure>(way(dst, bound)?);
        let size = segment_size.map_or(0, NonZeroU16::get);
        match self.endpoint.send_segmented(id, payload, size, to, way, trace.cause(), trace) {
            Ok(datagram) => Poll::Ready(Ok(datagram)),
            Err(Failure(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                self.waiting[id.index()].writers.register(cx);
                Poll::Pending
            }
            Err(Failure(e)) => Poll::Ready(Err(e)),
        }
    }

    /// A datagram of this socket with so many octets of payload has left the host's queue.
    pub(crate) fn sent(&mut self, id: SocketId, payload: usize) {
        if self.endpoint.sent(id, payload).is_ok() {
            let waiting = &mut self.waiting[id.index()];
            waiting.writers.wake();
            waiting.changes += 1;
            waiting.watchers.tell();
            if self.endpoint.is_writable(id).unwrap_or(false) {
                waiting.watchers.call_writer();
            }
        }
    }

    pub(crate) fn poll_receive(
        &mut self,
        cx: &Context<'_>,
        id: SocketId,
        buf: &mut [u8],
        trace: &mut Trace,
    ) -> Poll<io::Result<Received>> {
        match self.endpoint.recv(id) {
            Ok(udp::Received { from, frame, .. }) => {
                trace.set_cause(frame.cause);
                let len = frame.len().min(buf.len());
                buf[..len].copy_from_slice(&frame.bytes()[..len]);
                let segment_size = NonZeroU16::new(frame.segment_size);
                Poll::Ready(Ok(Received { len, from, segment_size }))
            }
            Err(Error::WouldBlock) => {
                self.waiting[id.index()].readers.register(cx);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(io_error(error))),
        }
    }

    /// Whether a receive would find something.
    pub(crate) fn poll_readable(&mut self, cx: &Context<'_>, id: SocketId) -> Poll<io::Result<()>> {
        if self.is_readable(id)? {
            return Poll::Ready(Ok(()));
        }
        self.waiting[id.index()].readers.register(cx);
        Poll::Pending
    }

    /// Whether a datagram of any size would find room.
    pub(crate) fn poll_writable(&mut self, cx: &Context<'_>, id: SocketId) -> Poll<io::Result<()>> {
        if self.endpoint.is_writable(id).map_err(io_error)? {
            return Poll::Ready(Ok(()));
        }
        self.waiting[id.index()].writers.register(cx);
        Poll::Pending
    }

    /// The next datagram, as much of it as fits; it stays.
    pub(crate) fn peek(&mut self, id: SocketId, buf: &mut [u8]) -> io::Result<Received> {
        let (payload, from) = self.endpoint.peek(id).map_err(io_error)?;
        let len = payload.len().min(buf.len());
        buf[..len].copy_from_slice(&payload[..len]);
        Ok(Received { len, from, segment_size: None })
    }

    pub(crate) fn peer_addr(&self, id: SocketId) -> io::Result<Option<SocketAddr>> {
        self.endpoint.peer_addr(id).map_err(io_error)
    }

    pub(crate) fn poll_error(
        &mut self,
        cx: &Context<'_>,
        id: SocketId,
        trace: &mut Trace,
    ) -> Poll<io::Result<Unreached>> {
        match self.endpoint.recv_icmp(id) {
            Ok(IcmpError { reporter, remote: destination, trouble, cause, .. }) => {
                trace.set_cause(cause);
                Poll::Ready(Ok(Unreached { reporter, destination, trouble }))
            }
            Err(Error::WouldBlock) => {
                self.waiting[id.index()].error_readers.register(cx);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(io_error(error))),
        }
    }

    /// Takes a datagram from storey 3; gives it back where nothing listens.
    pub(crate) fn receive(&mut self, mut datagram: Datagram, trace: &mut Trace) -> Option<Datagram> {
        let Datagram { src, dst, ttl, tos, cast, iface, .. } = datagram;
        let cast = if cast == Cast::Broadcast { udp::Cast::Broadcast } else { udp::Cast::Unicast };
        let meta = Meta { src, dst, cast, ecn: Ecn::from_bits(tos), ttl, iface };
        let result = self.endpoint.receive(&meta, datagram.frame, trace);
        self.settle();
        let Err(Refused { why: DropReason::NoSocket, frame }) = result else { return None };
        datagram.frame = frame;
        Some(datagram)
    }

    /// Takes an ICMP error about a datagram of this host.
    pub(crate) fn error(&mut self, error: &IcmpError) {
        // That it came, storey 3 has told.
        self.endpoint.icmp_error(error, &mut Trace::off());
        self.settle();
    }

    /// Wakes whoever waits for what has come.
    fn settle(&mut self) {
        while let Some((id, readiness)) = self.endpoint.poll_event() {
            let Waiting { readers, writers, error_readers, watchers, changes } = &mut self.waiting[id.index()];
            *changes += 1;
            watchers.tell();
            if readiness.icmp {
                error_readers.wake();
            }
            if readiness.readable {
                readers.wake();
                watchers.call_reader();
            }
            if readiness.failed {
                writers.wake();
                watchers.wake();
            }
        }
    }

    pub(crate) fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.endpoint.mib().iter()
    }
}
