//! TCP of a host: the endpoint, who waits for its sockets, and the handles that programs hold.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use septet_core::{EventId, Frame, Instant, Rng, Storey, Trace};
use septet_engine::executor;
use septet_socket::{
    BoxFuture, ListenOptions, Nodelay, TcpListener, TcpListenerImpl, TcpOptions, TcpStream, TcpStreamImpl,
};
use septet_transport::tcp::{
    self, Config, Endpoint, Error, Keepalive, Linger, Mib, Nagle, Options, Readiness, Shutdown, SocketId, SocketOption,
    State,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listening::{Accept, Late};
use crate::middlebox::Flow;
use crate::net::{poll, with};
use crate::registry::{self, HostKey};
use crate::stack::Stack;
use crate::udp::gone;
use crate::wakers::Wakers;

/// Segments that writes of shared bytes build before the first of them leaves: with more, super-segments would no longer
/// be in the processor's cache when they do.
const BURST: usize = 8;

/// A socket of one life of a host: the next boot begins with new ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket {
    boot: u32,
    id: SocketId,
}

/// The tasks that wait for one connection.
#[derive(Debug, Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// All TCP of one host.
#[derive(Debug)]
pub(crate) struct Tcp {
    /// Made when TCP is first used: most hosts of a large world never do.
    endpoint: Option<Box<Endpoint>>,
    config: Arc<Config>,
    rng: Rng,
    /// Whether the endpoint may have something to send.
    pub(crate) dirty: bool,
    /// When the endpoint's next timer fires.
    pub(crate) deadline: Option<Instant>,
    boot: u32,
    waiting: Vec<Waiting>,
    acceptors: BTreeMap<SocketId, Wakers>,
    /// Writers that wait until the segments that are built have left.
    held: Vec<Waker>,
    /// Counters of earlier lives.
    past: Vec<u64>,
}

impl Tcp {
    pub(crate) fn new(config: Arc<Config>, rng: Rng) -> Self {
        Self {
            endpoint: None,
            config,
            rng,
            dirty: false,
            deadline: None,
            boot: 0,
            waiting: Vec::new(),
            acceptors: BTreeMap::new(),
            held: Vec::new(),
            past: Vec::new(),
        }
    }

    /// Forgets all connections and begins a new life. Who waits for one from outside of the host finds it gone.
    pub(crate) fn wipe(&mut self) {
        let waiting = self.waiting.drain(..).flat_map(|Waiting { reader, writer }| [reader, writer]);
        waiting.flatten().chain(self.held.drain(..)).for_each(Waker::wake);
        self.acceptors.values_mut().for_each(Wakers::wake);
        let past = if self.endpoint.is_some() { self.counters().map(|(_, n)| n).collect() } else { Vec::new() };
        let fresh = Self::new(self.config.clone(), self.rng.clone());
        *self = Self { boot: self.boot + 1, past, ..fresh };
    }

    #[inline]
    pub(crate) fn endpoint(&mut self) -> &mut Endpoint {
        let Self { endpoint, config, rng, .. } = self;
        endpoint.get_or_insert_with(|| Box::new(Endpoint::new(config.clone(), rng)))
    }

    /// What `ss -ti` shows of each connection.
    pub(crate) fn infos(&self, now: Instant) -> Vec<(SocketId, tcp::Info)> {
        self.endpoint.as_ref().map(|e| e.infos(now).collect()).unwrap_or_default()
    }

    /// Every connection that is past its handshake and not yet over.
    pub(crate) fn flows(&self) -> Vec<Flow> {
        let flow = |c: &tcp::Connection| {
            let (sent, expected) = c.sequence_numbers();
            Flow { local: c.local(), remote: c.remote(), sent, expected }
        };
        self.endpoint.iter().flat_map(|e| e.living()).map(flow).collect()
    }

    pub(crate) fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mib = self.endpoint.as_ref().map_or_else(Mib::default, |e| e.mib().clone());
        let now: Vec<_> = mib.iter().collect();
        let past = self.past.iter().copied().chain(core::iter::repeat(0));
        now.into_iter().zip(past).map(|((name, now), past)| (name, now + past))
    }

    /// Wakes whoever waits for what has become ready, and takes note of the next deadline. Before each wake-up `because`
    /// is called with what gives its cause.
    pub(crate) fn settle(&mut self, mut because: impl FnMut(&dyn Fn() -> EventId)) {
        while let Some((id, readiness)) = self.endpoint.as_mut().and_then(|e| e.poll_event()) {
            because(&|| self.endpoint.as_ref().map_or(EventId::NONE, |e| e.cause(id)));
            self.wake(id, readiness);
        }
        self.deadline = self.endpoint.as_mut().and_then(|e| e.poll_timeout());
    }

    /// Everything that was built has left.
    #[inline]
    pub(crate) fn drained(&mut self) {
        self.held.drain(..).for_each(Waker::wake);
    }

    fn wake(&mut self, id: SocketId, readiness: Readiness) {
        if let Some(waiting) = self.waiting.get_mut(id.index()) {
            if readiness.is_readable()
                && let Some(waker) = waiting.reader.take()
            {
                waker.wake();
            }
            if readiness.is_writable()
                && let Some(waker) = waiting.writer.take()
            {
                waker.wake();
            }
        }
        if readiness.is_readable()
            && let Some(acceptors) = self.acceptors.get_mut(&id)
        {
            acceptors.wake();
        }
    }

    fn waiting(&mut self, id: SocketId) -> &mut Waiting {
        let at = id.index();
        if at >= self.waiting.len() {
            self.waiting.resize_with(at + 1, Waiting::default);
        }
        &mut self.waiting[at]
    }

    fn wait_readable(&mut self, id: SocketId, cx: &Context<'_>) {
        store(&mut self.waiting(id).reader, cx);
    }

    fn wait_writable(&mut self, id: SocketId, cx: &Context<'_>) {
        store(&mut self.waiting(id).writer, cx);
    }

    fn resolve(&self, socket: Socket) -> io::Result<SocketId> {
        if socket.boot == self.boot { Ok(socket.id) } else { Err(gone()) }
    }

    fn poll_connected(&mut self, cx: &Context<'_>, socket: Socket, trace: &mut Trace) -> Poll<io::Result<()>> {
        let id = self.resolve(socket)?;
        let cause = self.endpoint().cause(id);
        if let Some(error) = self.endpoint().take_error(id)? {
            trace.set_cause(cause);
            return Poll::Ready(Err(error.into()));
        }
        match self.endpoint().state(id)? {
            State::SynSent | State::SynReceived => {
                self.wait_writable(id, cx);
                Poll::Pending
            }
            state => {
                trace.set_cause(cause);
                let gone = (state == State::Closed).then(|| Error::ConnectionAborted.into());
                Poll::Ready(gone.map_or(Ok(()), Err))
            }
        }
    }

    /// Whether a connection waits to be accepted.
    fn poll_acceptable(&mut self, cx: &Context<'_>, socket: Socket) -> Poll<io::Result<()>> {
        let id = self.resolve(socket)?;
        if self.endpoint().readiness(id)?.is_readable() {
            return Poll::Ready(Ok(()));
        }
        self.acceptors.entry(id).or_default().register(cx);
        Poll::Pending
    }

    fn poll_accept(
        &mut self,
        cx: &Context<'_>,
        socket: Socket,
        trace: &mut Trace,
    ) -> Poll<io::Result<(Socket, SocketAddr)>> {
        let id = self.resolve(socket)?;
        match self.endpoint().accept(id) {
            Ok((id, peer)) => {
                trace.set_cause(self.endpoint().cause(id));
                Poll::Ready(Ok((Socket { boot: self.boot, id }, peer)))
            }
            Err(Error::WouldBlock) => {
                self.acceptors.entry(id).or_default().register(cx);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e.into())),
        }
    }
}

impl Stack {
    fn connect_tcp(&mut self, to: SocketAddr, options: &TcpOptions) -> io::Result<Socket> {
        self.running()?;
        let options = self.tcp_options(options)?;
        let source = self.ip.source_for(to.ip())?;
        let mtu = self.ip.mtu_to(self.now, to.ip())?;
        let local = SocketAddr::new(source, 0);
        self.tcp.dirty = true;
        let id = self.tcp.endpoint().connect(self.now, local, to, mtu, &options, &mut self.trace)?;
        Ok(Socket { boot: self.tcp.boot, id })
    }

    /// The program hears that it has no connection, and so does the trace.
    fn tell_refusal(&mut self, to: SocketAddr, error: &io::Error) {
        let told = self.trace.emit(Storey::Transport, "connect.failed", self.trace.cause(), |f| {
            f.set("remote", to).set("why", error.to_string());
        });
        self.trace.set_cause(told);
    }

    /// A listening socket, and how late its program is to accept.
    fn listen_tcp(&mut self, at: SocketAddr, options: &ListenOptions) -> io::Result<(Socket, Option<Accept>)> {
        self.running()?;
        if !at.ip().is_unspecified() && !self.ip.is_local(at.ip()) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let rule = self.config.listening.at(at.port());
        let tcp = Options { defer_accept: rule.defer, ..self.tcp_options(&options.tcp)? };
        let id = self.tcp.endpoint().listen(at, rule.backlog.unwrap_or(options.backlog), &tcp)?;
        Ok((Socket { boot: self.tcp.boot, id }, rule.accept))
    }

    fn read_tcp(&mut self, cx: &Context<'_>, socket: Socket, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let id = self.tcp.resolve(socket)?;
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.tcp.dirty = true;
        match self.tcp.endpoint().read(self.now, id, buf.initialize_unfilled(), &mut self.trace) {
            Ok(n) => {
                buf.advance(n);
                Poll::Ready(Ok(()))
            }
            Err(Error::WouldBlock) => {
                self.tcp.wait_readable(id, cx);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e.into())),
        }
    }

    fn write_tcp(&mut self, cx: &Context<'_>, socket: Socket, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let id = self.tcp.resolve(socket)?;
        if pieces.iter().all(|piece| piece.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.tcp.dirty = true;
        match self.tcp.endpoint().write_pieces(self.now, id, pieces, &mut self.trace) {
            Ok(n) => Poll::Ready(Ok(n)),
            Err(Error::WouldBlock) => {
                self.tcp.wait_writable(id, cx);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e.into())),
        }
    }

    fn write_bytes(&mut self, cx: &Context<'_>, socket: Socket, bytes: &Bytes) -> Poll<io::Result<usize>> {
        let id = self.tcp.resolve(socket)?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.tcp.endpoint().built() >= BURST {
            self.tcp.held.push(cx.waker().clone());
            return Poll::Pending;
        }
        self.tcp.dirty = true;
        match self.tcp.endpoint().write_bytes(self.now, id, bytes.clone(), &mut self.trace) {
            Ok(n) => Poll::Ready(Ok(n)),
            Err(Error::WouldBlock) => {
                self.tcp.wait_writable(id, cx);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e.into())),
        }
    }

    fn write_synthetic(&mut self, cx: &Context<'_>, socket: Socket, offset: u64, len: u64) -> Poll<io::Result<u64>> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        match self.tcp.endpoint().write_synthetic(self.now, id, offset, len, &mut self.trace) {
            Ok(n) => Poll::Ready(Ok(n)),
            Err(Error::WouldBlock) => {
                self.tcp.wait_writable(id, cx);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e.into())),
        }
    }

    fn take_tcp(&mut self, cx: &Context<'_>, socket: Socket) -> Poll<io::Result<Option<Frame>>> {
        let id = self.tcp.resolve(socket)?;
        match self.tcp.endpoint().take_frame(self.now, id, &mut self.trace) {
            Ok(frame) => {
                self.tcp.dirty = true;
                Poll::Ready(Ok(frame))
            }
            Err(Error::WouldBlock) => {
                self.tcp.wait_readable(id, cx);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e.into())),
        }
    }

    fn shutdown_tcp(&mut self, socket: Socket) -> io::Result<()> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        Ok(self.tcp.endpoint().shutdown(self.now, id, Shutdown::Write, &mut self.trace)?)
    }

    fn set_tcp(&mut self, socket: Socket, option: SocketOption) -> io::Result<()> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        Ok(self.tcp.endpoint().set_option(self.now, id, option, &mut self.trace)?)
    }

    fn close_tcp(&mut self, socket: Socket) {
        let Ok(id) = self.tcp.resolve(socket) else { return };
        self.tcp.dirty = true;
        if let Some(waiting) = self.tcp.waiting.get_mut(id.index()) {
            *waiting = Waiting::default();
        }
        self.tcp.acceptors.remove(&id);
        // It fails only where the socket is gone already.
        let _ = self.tcp.endpoint().close(self.now, id, &mut self.trace);
    }

    /// The host's defaults, and over them what the program asks for.
    fn tcp_options(&self, asked: &TcpOptions) -> io::Result<Options> {
        let TcpOptions { congestion, nodelay, send_buffer, receive_buffer, keepalive, user_timeout } = asked;
        let mut options = self.config.tcp.options.clone();
        if let Some(name) = congestion {
            let known = tcp::controller_names().find(|n| n == name);
            options.congestion = Some(known.ok_or(Error::NoSuchController)?);
        }
        if let Some(nodelay) = nodelay {
            options.nagle = nagle(*nodelay);
        }
        options.send_buffer = send_buffer.or(options.send_buffer);
        options.receive_buffer = receive_buffer.or(options.receive_buffer);
        if let Some(idle) = keepalive {
            options.keepalive = Some(Keepalive { idle: Some(*idle), ..Keepalive::default() });
        }
        options.user_timeout = user_timeout.or(options.user_timeout);
        Ok(options)
    }
}

const fn nagle(nodelay: Nodelay) -> Nagle {
    match nodelay {
        Nodelay::On => Nagle::Off,
        Nodelay::Off => Nagle::On,
    }
}

fn store(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

pub(crate) fn connect(key: HostKey, to: SocketAddr, options: TcpOptions) -> BoxFuture<'static, io::Result<TcpStream>> {
    Box::pin(async move {
        let opened = async {
            let socket = with(key, |stack| stack.connect_tcp(to, &options))?;
            // Dropped halfway, the stream closes the socket.
            let stream = Stream { key, socket };
            poll_fn(|cx| poll(key, |stack| stack.tcp.poll_connected(cx, socket, &mut stack.trace))).await?;
            Ok(TcpStream::new(stream))
        };
        let result: io::Result<_> = opened.await;
        if let Err(e) = &result {
            registry::with(key, |stack| stack.tell_refusal(to, e));
        }
        result
    })
}

pub(crate) fn listen(
    key: HostKey,
    at: SocketAddr,
    options: ListenOptions,
    executor: &executor::Handle,
) -> io::Result<TcpListener> {
    let (socket, accept) = with(key, |stack| stack.listen_tcp(at, &options))?;
    let late = accept.map(|accept| Late::new(accept, executor.clone()));
    Ok(TcpListener::new(Listener { key, socket, late }))
}

/// A connection's handle.
struct Stream {
    key: HostKey,
    socket: Socket,
}

impl TcpStreamImpl for Stream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        with(self.key, |stack| {
            let id = stack.tcp.resolve(self.socket)?;
            Ok(stack.tcp.endpoint().local_addr(id)?)
        })
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        with(self.key, |stack| {
            let id = stack.tcp.resolve(self.socket)?;
            Ok(stack.tcp.endpoint().peer_addr(id)?)
        })
    }

    fn set_nodelay(&self, nodelay: Nodelay) -> io::Result<()> {
        with(self.key, |stack| stack.set_tcp(self.socket, SocketOption::Nagle(nagle(nodelay))))
    }

    fn set_zero_linger(&self) -> io::Result<()> {
        with(self.key, |stack| stack.set_tcp(self.socket, SocketOption::Linger(Linger::Reset)))
    }

    fn poll_write_bytes(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &Bytes) -> Poll<io::Result<usize>> {
        poll(self.key, |stack| stack.write_bytes(cx, self.socket, bytes))
    }

    fn poll_write_synthetic(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<u64>> {
        poll(self.key, |stack| stack.write_synthetic(cx, self.socket, offset, len))
    }

    fn poll_read_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        poll(self.key, |stack| stack.take_tcp(cx, self.socket))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        poll(self.key, |stack| stack.read_tcp(cx, self.socket, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        poll(self.key, |stack| stack.write_tcp(cx, self.socket, &[IoSlice::new(buf)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll(self.key, |stack| stack.write_tcp(cx, self.socket, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(with(self.key, |stack| stack.shutdown_tcp(self.socket)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        registry::with(self.key, |stack| stack.close_tcp(self.socket));
    }
}

/// A listener's handle.
struct Listener {
    key: HostKey,
    socket: Socket,
    late: Option<Late>,
}

impl TcpListenerImpl for Listener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        with(self.key, |stack| {
            let id = stack.tcp.resolve(self.socket)?;
            Ok(stack.tcp.endpoint().local_addr(id)?)
        })
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        if let Some(late) = &self.late {
            ready!(late.poll(cx, |cx| poll(self.key, |stack| stack.tcp.poll_acceptable(cx, self.socket))))?;
        }
        let accepted = poll(self.key, |stack| stack.tcp.poll_accept(cx, self.socket, &mut stack.trace));
        accepted.map_ok(|(socket, peer)| (TcpStream::new(Stream { key: self.key, socket }), peer))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        registry::with(self.key, |stack| stack.close_tcp(self.socket));
    }
}
