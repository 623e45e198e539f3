//! The calls of a socket: connect, listen, accept, write, read, shutdown, close, abort, options, info.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use septet_core::{EventId, Frame, Instant, Storey, Trace};

use super::listen::Listener;
use super::rfc6191_time_wait::{Asked, reuses};
use super::{Endpoint, Entry, SocketId, cx};
use crate::tcp::connection::{Cx, Payload};
use crate::tcp::{Connection, Error, Follows, Info, Options, Shutdown, SocketOption, State};

/// How many ports of its parity a connection may leave out: a little disorder in what is next.
const PORTS_LEFT_OUT: u32 = 8;

impl Endpoint {
    /// Opens a connection from `local` to `remote`; port 0 chooses an ephemeral one. `mtu` is that of the link towards
    /// `remote`. The socket is writable once the connection is established; an error is told by
    /// [`take_error`](Self::take_error).
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, `InvalidInput`, `NoSuchController`.
    pub fn connect(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        mtu: u32,
        options: &Options,
        trace: &mut Trace,
    ) -> Result<SocketId, Error> {
        if remote.port() == 0 || remote.ip().is_unspecified() || local.is_ipv4() != remote.is_ipv4() {
            return Err(Error::InvalidInput);
        }
        if remote.ip().is_multicast() {
            return Err(Error::NetworkUnreachable);
        }
        options.check()?;
        let (local, reused) = if local.port() == 0 {
            self.choose_port(now, local.ip(), remote)?
        } else {
            let isn = self.take_over(now, local, remote, Asked::ForIt).ok_or(Error::AddrInUse)?;
            (local, isn)
        };
        let isn = match reused {
            Some(index) => {
                let Entry::TimeWait(tw) = self.slots.entry(index) else { return Err(Error::AddrInUse) };
                let isn = tw.next_isn();
                self.mib.tw_recycled += 1;
                self.end_time_wait(index, trace, "a new connection takes the pair over");
                isn
            }
            None => self.secrets.isn(now, local, remote),
        };
        let ts_offset = self.secrets.timestamp_offset(local.ip(), remote.ip());
        let mut connection = Connection::connect(&self.config, local, remote, isn, ts_offset, mtu, options);
        connection.flags.accepted = true;
        connection.cause = trace.emit(Storey::Transport, "tcp.state", EventId::NONE, |f| {
            f.set("local", local)
                .set("remote", remote)
                .set("from", "CLOSED")
                .set("to", "SYN-SENT")
                .set("why", "connect");
        });
        self.mib.active_opens += 1;
        let id = self.slots.insert(Entry::Connection(connection));
        self.slots.link(id.index);
        self.after(id.index);
        Ok(id)
    }

    /// Whether the pair is free (`Some(None)`), held by a TIME-WAIT that may be reused (`Some(Some)`), or taken.
    fn take_over(&self, now: Instant, local: SocketAddr, remote: SocketAddr, asked: Asked) -> Option<Option<u32>> {
        match self.slots.find(local, remote) {
            None => Some(None),
            Some(index) => match self.slots.entry(index) {
                Entry::TimeWait(tw) if tw.may_reuse(&self.config, now, asked) => Some(Some(index)),
                _ => None,
            },
        }
    }

    /// RFC 6056 §3.3.4, the double hash: "offset" depends on the peer, "table" counts on with each use. As in Linux the
    /// first pass is over ports of the first one's parity, which listeners take last.
    fn choose_port(
        &mut self,
        now: Instant,
        local: IpAddr,
        remote: SocketAddr,
    ) -> Result<(SocketAddr, Option<u32>), Error> {
        let key = (local, remote, self.slots.departures());
        let used_up = self.used_up.filter(|(of, _)| *of == key).map_or(0, |(_, passes)| passes);
        let (low, high) = self.config.port_range;
        let span = u32::from(high.saturating_sub(low)) + 1;
        let span = if span > 1 { span & !1 } else { span };
        let hash = self.secrets.port_offset(local, remote);
        let index = hash as u16;
        let place = *self.port_places.entry(index).or_insert_with(|| self.secrets.port_place(index));
        let start = (place.wrapping_add((hash >> 32) as u32) % span) & !1;
        for parity in used_up..span.min(2) {
            for tried in (0..span).step_by(2) {
                let port = low + ((start + parity + tried) % span) as u16;
                let at = SocketAddr::new(local, port);
                if self.listeners.contains_key(&port) {
                    continue;
                }
                let Some(free) = self.take_over(now, at, remote, Asked::ForAny) else { continue };
                let left_out = self.secrets.port_place(port) % PORTS_LEFT_OUT;
                self.port_places.insert(index, place.wrapping_add(tried.max(2 * left_out) + 2));
                return Ok((at, free));
            }
            // Until one of the pairs comes free the answer is the same, unless their age alone frees them.
            if !reuses(&self.config, local, remote.ip()) {
                self.used_up = Some((key, parity + 1));
            }
        }
        Err(Error::AddrNotAvailable)
    }

    /// Waits for connections at `local`; an unspecified address means all, port 0 an ephemeral one. As in Linux the
    /// accept queue takes one more than `backlog`.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, `InvalidInput`, `NoSuchController`.
    pub fn listen(&mut self, local: SocketAddr, backlog: usize, options: &Options) -> Result<SocketId, Error> {
        options.check()?;
        let local = if local.port() == 0 { self.choose_listening_port(local.ip())? } else { local };
        if let Some(at) = self.listeners.get(&local.port())
            && at.iter().any(|i| match self.slots.entry(*i) {
                Entry::Listener(l) => collide(l.local, local),
                _ => false,
            })
        {
            return Err(Error::AddrInUse);
        }
        let id = self.slots.insert(Entry::Listener(Box::new(Listener {
            local,
            backlog: backlog.min(self.config.somaxconn),
            options: options.clone(),
            queue: Default::default(),
            half_open: 0,
            event_queued: false,
            last_overflow: None,
        })));
        self.listeners.entry(local.port()).or_default().push(id.index);
        Ok(id)
    }

    /// Whether anything here has this address and port, be it a connection that is not quite over: what a socket without
    /// `SO_REUSEADDR` must not be bound to.
    pub fn is_bound(&self, at: SocketAddr) -> bool {
        self.slots.near_ends().any(|local| collide(local, at))
    }

    fn choose_listening_port(&mut self, ip: IpAddr) -> Result<SocketAddr, Error> {
        let (low, high) = self.config.port_range;
        let span = u64::from(high.saturating_sub(low)) + 1;
        let start = self.port_hint;
        self.port_hint = self.port_hint.wrapping_add(2);
        (0..span)
            .map(|i| low + (start.wrapping_add(i) % span) as u16)
            .find(|port| !self.listeners.contains_key(port))
            .map(|port| SocketAddr::new(ip, port))
            .ok_or(Error::AddrNotAvailable)
    }

    /// Takes the next established connection off a listener's queue.
    ///
    /// # Errors
    /// `WouldBlock` where there is none, `BadSocket`, `InvalidInput` where the socket does not listen.
    pub fn accept(&mut self, id: SocketId) -> Result<(SocketId, SocketAddr), Error> {
        let index = self.slots.resolve(id)?;
        loop {
            let listener = self.slots.listener_mut(index).ok_or(Error::InvalidInput)?;
            let child = listener.queue.pop_front().ok_or(Error::WouldBlock)?;
            let Ok(at) = self.slots.resolve(child) else { continue };
            let Some(c) = self.slots.connection_mut(at) else { continue };
            c.flags.accepted = true;
            return Ok((child, c.remote()));
        }
    }

    /// Runs one step of a connection and does what follows from it.
    fn step<T>(
        &mut self,
        now: Instant,
        id: SocketId,
        trace: &mut Trace,
        f: impl FnOnce(&mut Connection, &mut Cx<'_>) -> T,
    ) -> Result<T, Error> {
        let index = self.slots.resolve(id)?;
        let c = self.slots.connection_mut(index).ok_or(Error::NotConnected)?;
        let result = f(c, cx!(self, now, trace));
        self.after(index);
        Ok(result)
    }

    /// The same for what the program does and the peer sees: it happens because of the program's cause.
    fn act<T>(
        &mut self,
        now: Instant,
        id: SocketId,
        trace: &mut Trace,
        f: impl FnOnce(&mut Connection, &mut Cx<'_>) -> T,
    ) -> Result<T, Error> {
        let cause = trace.cause();
        self.step(now, id, trace, |c, cx| {
            c.because(cause);
            f(c, cx)
        })
    }

    /// The event that last told of a connection: the segment that came, the call, the timer; of a listener, what told of
    /// the newest connection that waits to be accepted. [`EventId::NONE`] where nothing was told.
    pub fn cause(&self, id: SocketId) -> EventId {
        let newest = self.slots.listener(id).and_then(|listener| listener.queue.back().copied());
        self.slots.connection(newest.unwrap_or(id)).map_or(EventId::NONE, |c| c.cause)
    }

    /// Copies `data` into the send buffer; returns how much found room.
    ///
    /// # Errors
    /// `WouldBlock`, `BrokenPipe`, or what ended the connection.
    pub fn write(&mut self, now: Instant, id: SocketId, data: &[u8], trace: &mut Trace) -> Result<usize, Error> {
        self.write_with(now, id, data, Follows::Nothing, trace)
    }

    /// The same, telling what follows: `MSG_MORE`, `MSG_EOR`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_with(
        &mut self,
        now: Instant,
        id: SocketId,
        data: &[u8],
        follows: Follows,
        trace: &mut Trace,
    ) -> Result<usize, Error> {
        self.act(now, id, trace, |c, cx| c.write(cx, Payload::Copied(&[IoSlice::new(data)]), follows))?
            .map(|n| n as usize)
    }

    /// The same with several pieces: `writev(2)`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_pieces(
        &mut self,
        now: Instant,
        id: SocketId,
        pieces: &[IoSlice<'_>],
        trace: &mut Trace,
    ) -> Result<usize, Error> {
        self.act(now, id, trace, |c, cx| c.write(cx, Payload::Copied(pieces), Follows::Nothing))?.map(|n| n as usize)
    }

    /// Takes `data` into the send buffer without copying; returns how much of it found room.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_bytes(&mut self, now: Instant, id: SocketId, data: Bytes, trace: &mut Trace) -> Result<usize, Error> {
        self.act(now, id, trace, |c, cx| c.write(cx, Payload::Shared(data), Follows::Nothing))?.map(|n| n as usize)
    }

    /// Writes `len` bytes of the [synthetic stream](septet_core::synthetic) from `offset` on. They take no room: bulk
    /// flows of any size cost no memory. Returns how many were taken.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_synthetic(
        &mut self,
        now: Instant,
        id: SocketId,
        offset: u64,
        len: u64,
        trace: &mut Trace,
    ) -> Result<u64, Error> {
        self.act(now, id, trace, |c, cx| c.write(cx, Payload::Synthetic { offset, len }, Follows::Nothing))?
    }

    /// Copies received bytes to `out`; zero means the end of the stream (or an empty `out`).
    ///
    /// # Errors
    /// `WouldBlock`, `NotConnected`, or what ended the connection.
    pub fn read(&mut self, now: Instant, id: SocketId, out: &mut [u8], trace: &mut Trace) -> Result<usize, Error> {
        self.step(now, id, trace, |c, cx| c.read(cx, out))?
    }

    /// Reads and throws away up to `most` bytes: `MSG_TRUNC`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn discard(&mut self, now: Instant, id: SocketId, most: usize, trace: &mut Trace) -> Result<usize, Error> {
        self.step(now, id, trace, |c, cx| c.discard(cx, most))?
    }

    /// Takes the first piece of what was received as it came, without copying; `None` at the end of the stream.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn take_frame(&mut self, now: Instant, id: SocketId, trace: &mut Trace) -> Result<Option<Frame>, Error> {
        self.step(now, id, trace, |c, cx| c.take_frame(cx))?
    }

    /// Copies received bytes and keeps them: `MSG_PEEK`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn peek(&mut self, id: SocketId, out: &mut [u8]) -> Result<usize, Error> {
        let index = self.slots.resolve(id)?;
        self.slots.connection_mut(index).ok_or(Error::NotConnected)?.peek(out)
    }

    /// Ends one or both directions.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn shutdown(&mut self, now: Instant, id: SocketId, how: Shutdown, trace: &mut Trace) -> Result<(), Error> {
        self.act(now, id, trace, |c, cx| c.shutdown(cx, how))?
    }

    /// Lets go of the socket: its name is void afterwards. What was written is still sent, in the background.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn close(&mut self, now: Instant, id: SocketId, trace: &mut Trace) -> Result<(), Error> {
        self.let_go(now, id, trace, |c, cx| c.close(cx))
    }

    /// Lets go of the socket with a reset: RFC 9293's ABORT.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn abort(&mut self, now: Instant, id: SocketId, trace: &mut Trace) -> Result<(), Error> {
        self.let_go(now, id, trace, |c, cx| c.abort(cx))
    }

    fn let_go(
        &mut self,
        now: Instant,
        id: SocketId,
        trace: &mut Trace,
        f: impl FnOnce(&mut Connection, &mut Cx<'_>),
    ) -> Result<(), Error> {
        let index = self.slots.resolve(id)?;
        match self.slots.entry_mut(index) {
            Entry::Connection(c) => {
                if c.flags.orphan {
                    return Err(Error::BadSocket);
                }
                c.because(trace.cause());
                f(c, cx!(self, now, trace));
                self.after(index);
                Ok(())
            }
            Entry::Listener(_) => {
                self.close_listener(now, index, trace);
                Ok(())
            }
            _ => Err(Error::BadSocket),
        }
    }

    /// Connections that nobody accepted are reset; half-open ones end with their next timer.
    fn close_listener(&mut self, now: Instant, index: u32, trace: &mut Trace) {
        let Entry::Listener(listener) = self.slots.remove(index) else { return };
        let port = listener.local.port();
        if let Some(at) = self.listeners.get_mut(&port) {
            at.retain(|i| *i != index);
            if at.is_empty() {
                self.listeners.remove(&port);
            }
        }
        self.used_up = None;
        for child in listener.queue {
            let _ = self.let_go(now, child, trace, |c, cx| c.abort(cx));
        }
    }

    /// Changes an option of a connection, or of what a listener's connections start with.
    ///
    /// # Errors
    /// `InvalidInput`, `NoSuchController`.
    pub fn set_option(
        &mut self,
        now: Instant,
        id: SocketId,
        option: SocketOption,
        trace: &mut Trace,
    ) -> Result<(), Error> {
        let index = self.slots.resolve(id)?;
        if let Some(listener) = self.slots.listener_mut(index) {
            return listener.options.set(option);
        }
        self.step(now, id, trace, |c, cx| c.set_option(cx, option))?
    }

    /// Everything that `ss -ti` shows.
    ///
    /// # Errors
    /// `NotConnected` where the socket listens.
    pub fn info(&self, now: Instant, id: SocketId) -> Result<Info, Error> {
        Ok(self.slots.connection(id)?.info(now))
    }

    /// Everything that `ss -ti` shows of every connection that is past its handshake and may still have something in
    /// flight, in a fixed order.
    pub fn infos(&self, now: Instant) -> impl Iterator<Item = (SocketId, Info)> {
        let alive = |c: &Connection| c.state.is_synchronized() && c.state != State::FinWait2;
        self.slots.connections().filter(move |(_, c)| alive(c)).map(move |(id, c)| (id, c.info(now)))
    }

    /// Every connection that is past its handshake and not yet over, in a fixed order.
    pub fn living(&self) -> impl Iterator<Item = &Connection> {
        let lives = |c: &Connection| c.state.is_synchronized() && !matches!(c.state, State::TimeWait | State::Closed);
        self.slots.connections().map(|(_, c)| c).filter(move |c| lives(c))
    }

    /// The state of the socket.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn state(&self, id: SocketId) -> Result<State, Error> {
        match self.slots.entry(self.slots.resolve(id)?) {
            Entry::Connection(c) => Ok(c.state),
            Entry::Listener(_) => Ok(State::Listen),
            _ => Err(Error::BadSocket),
        }
    }

    /// The connection behind a socket, to look at.
    ///
    /// # Errors
    /// `NotConnected` where the socket listens.
    pub fn connection(&self, id: SocketId) -> Result<&Connection, Error> {
        self.slots.connection(id)
    }

    /// The near end.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Error> {
        match self.slots.entry(self.slots.resolve(id)?) {
            Entry::Connection(c) => Ok(c.local()),
            Entry::Listener(l) => Ok(l.local),
            _ => Err(Error::BadSocket),
        }
    }

    /// The far end.
    ///
    /// # Errors
    /// `NotConnected` where the socket listens.
    pub fn peer_addr(&self, id: SocketId) -> Result<SocketAddr, Error> {
        Ok(self.slots.connection(id)?.remote())
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn take_error(&mut self, id: SocketId) -> Result<Option<Error>, Error> {
        let index = self.slots.resolve(id)?;
        Ok(self.slots.connection_mut(index).and_then(|c| c.take_error()))
    }
}

/// Whether two sockets are in each other's way at these addresses and ports.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let (one, other) = (a.ip(), b.ip());
    a.port() == b.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one == other || one.is_unspecified() || other.is_unspecified())
}
