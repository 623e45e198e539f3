//! What programs ask of the TCP of their host.

use core::task::{Context, Poll};
use std::io::{self, IoSlice};
use std::net::SocketAddr;

use bytes::Bytes;
use septet_core::{Frame, Storey, Trace};
use septet_socket::TcpSocketId as Socket;
use septet_socket::{ListenOptions, TcpOptions};
use septet_transport::tcp::{Error, Options, Shutdown, SocketOption};
use tokio::io::ReadBuf;

use super::listening::Accept;
use super::storeys::Storeys;

/// Segments that writes of shared bytes build before the first of them leaves: with more, super-segments would no longer
/// be in the processor's cache when they do.
const BURST: usize = 8;

impl Storeys {
    pub(crate) fn connect_tcp(
        &mut self,
        from: Option<SocketAddr>,
        to: SocketAddr,
        options: &TcpOptions,
        trace: &mut Trace,
    ) -> io::Result<Socket> {
        let options = self.tcp.config().options.clone().with(options)?;
        self.open_tcp(from, to, &options, trace)
    }

    /// Whether a read would find something.
    pub(crate) fn poll_tcp_readable(&mut self, cx: &Context<'_>, socket: Socket) -> Poll<io::Result<()>> {
        let id = self.tcp.resolve(socket)?;
        if self.tcp.endpoint().readiness(id)?.is_readable() {
            return Poll::Ready(Ok(()));
        }
        self.tcp.wait_readable(id, cx);
        Poll::Pending
    }

    /// Whether a write would find room.
    pub(crate) fn poll_tcp_writable(&mut self, cx: &Context<'_>, socket: Socket) -> Poll<io::Result<()>> {
        let id = self.tcp.resolve(socket)?;
        if self.tcp.endpoint().ask_space(id)? {
            return Poll::Ready(Ok(()));
        }
        self.tcp.wait_writable(id, cx);
        Poll::Pending
    }

    /// The program hears that it has no connection, and so does the trace.
    pub(crate) fn tell_refusal(&mut self, to: SocketAddr, error: &io::Error, trace: &mut Trace) {
        let told = trace.emit(Storey::Transport, "connect.failed", trace.cause(), |f| {
            f.set("remote", to).set("why", error.to_string());
        });
        trace.set_cause(told);
    }

    /// A listening socket, and how late its program is to accept.
    pub(crate) fn listen_tcp(
        &mut self,
        at: SocketAddr,
        options: &ListenOptions,
    ) -> io::Result<(Socket, Option<Accept>)> {
        self.running()?;
        let rule = self.config.listening.at(at.port());
        let mut tcp = self.tcp.config().options.clone().with(&options.tcp)?;
        tcp.defer_accept = rule.defer.or(tcp.defer_accept);
        let socket = self.open_listener(at, rule.backlog.unwrap_or(options.backlog), &tcp)?;
        Ok((socket, rule.accept))
    }

    /// Listens at an address of the host.
    pub(super) fn open_listener(&mut self, at: SocketAddr, backlog: usize, options: &Options) -> io::Result<Socket> {
        if !at.ip().is_unspecified() && !self.ip.is_local(at.ip()) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let id = self.tcp.endpoint().listen(at, backlog, options)?;
        Ok(self.tcp.socket(id))
    }

    pub(crate) fn read_tcp(
        &mut self,
        cx: &Context<'_>,
        socket: Socket,
        buf: &mut ReadBuf<'_>,
        trace: &mut Trace,
    ) -> Poll<io::Result<()>> {
        let id = self.tcp.resolve(socket)?;
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.tcp.dirty = true;
        let read = self.tcp.endpoint().read(self.now, id, buf.initialize_unfilled(), trace);
        or_wait(read, || self.tcp.wait_readable(id, cx)).map_ok(|n| buf.advance(n))
    }

    pub(crate) fn write_tcp(
        &mut self,
        cx: &Context<'_>,
        socket: Socket,
        pieces: &[IoSlice<'_>],
        trace: &mut Trace,
    ) -> Poll<io::Result<usize>> {
        let id = self.tcp.resolve(socket)?;
        if pieces.iter().all(|piece| piece.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.tcp.dirty = true;
        let written = self.tcp.endpoint().write_pieces(self.now, id, pieces, trace);
        or_wait(written, || self.tcp.wait_writable(id, cx))
    }

    pub(crate) fn write_bytes(
        &mut self,
        cx: &Context<'_>,
        socket: Socket,
        bytes: &Bytes,
        trace: &mut Trace,
    ) -> Poll<io::Result<usize>> {
        let id = self.tcp.resolve(socket)?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.tcp.endpoint().built() >= BURST {
            self.tcp.hold(cx);
            return Poll::Pending;
        }
        self.tcp.dirty = true;
        let written = self.tcp.endpoint().write_bytes(self.now, id, bytes.clone(), trace);
        or_wait(written, || self.tcp.wait_writable(id, cx))
    }

    pub(crate) fn write_synthetic(
        &mut self,
        cx: &Context<'_>,
        socket: Socket,
        (offset, len): (u64, u64),
        trace: &mut Trace,
    ) -> Poll<io::Result<u64>> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        let written = self.tcp.endpoint().write_synthetic(self.now, id, offset, len, trace);
        or_wait(written, || self.tcp.wait_writable(id, cx))
    }

    pub(crate) fn take_tcp(
        &mut self,
        cx: &Context<'_>,
        socket: Socket,
        trace: &mut Trace,
    ) -> Poll<io::Result<Option<Frame>>> {
        let id = self.tcp.resolve(socket)?;
        let taken = self.tcp.endpoint().take_frame(self.now, id, trace);
        self.tcp.dirty |= taken.is_ok();
        or_wait(taken, || self.tcp.wait_readable(id, cx))
    }

    pub(crate) fn shutdown_tcp(&mut self, socket: Socket, how: Shutdown, trace: &mut Trace) -> io::Result<()> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        Ok(self.tcp.endpoint().shutdown(self.now, id, how, trace)?)
    }

    pub(crate) fn set_tcp(&mut self, socket: Socket, option: SocketOption, trace: &mut Trace) -> io::Result<()> {
        let id = self.tcp.resolve(socket)?;
        self.tcp.dirty = true;
        Ok(self.tcp.endpoint().set_option(self.now, id, option, trace)?)
    }

    pub(super) fn close_tcp(&mut self, socket: Socket, trace: &mut Trace) {
        let Ok(id) = self.tcp.resolve(socket) else { return };
        self.tcp.dirty = true;
        self.tcp.forget(id);
        // It fails only where the socket is gone already.
        let _ = self.tcp.endpoint().close(self.now, id, trace);
    }
}

/// What would block waits: `wait` keeps who is to be woken.
fn or_wait<T>(result: Result<T, Error>, wait: impl FnOnce()) -> Poll<io::Result<T>> {
    if matches!(result, Err(Error::WouldBlock)) {
        wait();
        return Poll::Pending;
    }
    Poll::Ready(result.map_err(io::Error::from))
}
