//! Whose turn it is to take from a socket, and the sockets as one that has its turn sees them.

use core::num::NonZeroU16;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use septet_socket::{
    Broadcast, Coalescing, Datagram, GroupChange, Looping, Nodelay, TcpListener, TcpListenerImpl, TcpStream,
    TcpStreamImpl, UdpSocket, UdpSocketImpl, Unreached,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One's turn, until it ends.
#[derive(Default)]
pub(super) struct Turn(Mutex<State>);

#[derive(Default)]
struct State {
    over: bool,
    waker: Option<Waker>,
}

impl Turn {
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.over = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Whether it is over; else the task is woken when it ends.
    fn poll_over(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        if !state.over {
            match &mut state.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        state.over
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener as long as one has one's turn.
pub(super) struct Listener {
    /// Let go when the turn is over, so that the port is free where nobody else listens.
    socket: Mutex<Option<Arc<TcpListener>>>,
    at: SocketAddr,
    turn: Arc<Turn>,
    nodelay: Option<Nodelay>,
    open: Weak<()>,
}

impl Listener {
    /// `open` is held by each connection.
    pub(super) fn new(
        socket: Arc<TcpListener>,
        turn: Arc<Turn>,
        nodelay: Option<Nodelay>,
        open: Weak<()>,
    ) -> io::Result<Self> {
        let at = socket.local_addr()?;
        Ok(Self { socket: Mutex::new(Some(socket)), at, turn, nodelay, open })
    }
}

impl TcpListenerImpl for Listener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let mut held = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if self.turn.poll_over(cx) {
            *held = None;
        }
        let Some(socket) = &*held else {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, "another listens here now")));
        };
        socket.poll_accept(cx).map_ok(|(stream, from)| {
            if let Some(nodelay) = self.nodelay {
                // It fails where the connection was reset already; whoever takes it hears of that.
                let _ = stream.set_nodelay(nodelay);
            }
            (TcpStream::new(Counted { stream, _open: self.open.upgrade() }), from)
        })
    }
}

/// A connection that is counted as long as it is open.
struct Counted {
    stream: TcpStream,
    _open: Option<Arc<()>>,
}

impl TcpStreamImpl for Counted {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    fn set_nodelay(&self, nodelay: Nodelay) -> io::Result<()> {
        self.stream.set_nodelay(nodelay)
    }

    fn set_zero_linger(&self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A UDP socket of which one receives as long as one has one's turn, and sends even afterwards: what was asked before is
/// answered.
pub(super) struct Datagrams {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) turn: Arc<Turn>,
}

impl UdpSocketImpl for Datagrams {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        self.socket.connect(peer)
    }

    fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        self.socket.set_ttl(ttl)
    }

    fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()> {
        self.socket.set_multicast_ttl(ttl)
    }

    fn set_multicast_interface(&self, on: Option<&str>) -> io::Result<()> {
        self.socket.set_multicast_interface(on)
    }

    fn set_looping(&self, looping: Looping) -> io::Result<()> {
        self.socket.set_looping(looping)
    }

    fn set_broadcast(&self, broadcast: Broadcast) -> io::Result<()> {
        self.socket.set_broadcast(broadcast)
    }

    fn change_group(&self, group: IpAddr, on: Option<&str>, change: GroupChange) -> io::Result<()> {
        self.socket.change_group(group, on, change)
    }

    fn heard_after_leaving(&self, group: IpAddr) -> io::Result<Option<Duration>> {
        self.socket.heard_after_leaving(group)
    }

    fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8], to: Option<SocketAddr>) -> Poll<io::Result<usize>> {
        self.socket.provided().poll_send(cx, payload, to)
    }

    fn poll_send_segmented(
        &self,
        cx: &mut Context<'_>,
        payload: &[u8],
        segment_size: NonZeroU16,
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        self.socket.provided().poll_send_segmented(cx, payload, segment_size, to)
    }

    fn set_coalescing(&self, coalescing: Coalescing) -> io::Result<()> {
        self.socket.set_coalescing(coalescing)
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Datagram>> {
        // A server of datagrams goes on after an error; what has had its turn waits until it is ended.
        if self.turn.poll_over(cx) { Poll::Pending } else { self.socket.provided().poll_receive(cx, buf) }
    }

    fn poll_error(&self, cx: &mut Context<'_>) -> Poll<io::Result<Unreached>> {
        self.socket.provided().poll_error(cx)
    }
}
