//! What programs ask of sockets that they hold without a box, beside waiting for them: whether they are ready, what there
//! is now, and what lies ahead.

use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};
use std::net::SocketAddr;

use septet_socket::Datagram;
use septet_transport::tcp::{Follows, Shutdown, SocketOption};

use super::registry::{call, poll};
use super::tcp::StreamHandle;
use super::udp::UdpHandle;

impl StreamHandle {
    /// Completes when a read would find something: data, the end, or what befell the connection.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll(&self.key, |stack, _| stack.poll_tcp_readable(cx, self.socket))
    }

    /// Completes when a write would find room, or what befell the connection.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll(&self.key, |stack, _| stack.poll_tcp_writable(cx, self.socket))
    }

    /// Reads what is there; zero at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock`, or what befell the connection.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        call(&self.key, |stack, trace| stack.read_plainly(self.socket, buf, trace))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock`, or what befell the connection.
    pub fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut written = 0;
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            let wrote =
                call(&self.key, |stack, trace| stack.write_plainly(self.socket, piece, Follows::Nothing, trace));
            match wrote {
                Ok(n) => written += n,
                Err(e) if written == 0 => return Err(e),
                Err(_) => break,
            }
            if wrote.is_ok_and(|n| n < piece.len()) {
                break;
            }
        }
        Ok(written)
    }

    /// Reads without a `&mut`, as two halves of one stream do.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut tokio::io::ReadBuf<'_>) -> Poll<io::Result<()>> {
        poll(&self.key, |stack, trace| stack.read_tcp(cx, self.socket, buf, trace))
    }

    /// Writes without a `&mut`, as two halves of one stream do.
    pub fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        poll(&self.key, |stack, trace| stack.write_tcp(cx, self.socket, pieces, trace))
    }

    /// Looks at what a read would give, and leaves it: `MSG_PEEK`.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_readable(cx))?;
        Poll::Ready(call(&self.key, |stack, _| stack.ask_tcp(self.socket, |endpoint, _, id| endpoint.peek(id, buf))))
    }

    /// Ends a direction, or both.
    ///
    /// # Errors
    /// What the endpoint refuses.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.shutdown_tcp(self.socket, how, trace))
    }

    /// Sets an option.
    ///
    /// # Errors
    /// A value that the option does not take.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.set_tcp(self.socket, option, trace))
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let taken = call(&self.key, |stack, _| stack.ask_tcp(self.socket, |endpoint, _, id| endpoint.take_error(id)))?;
        Ok(taken.map(io::Error::from))
    }
}

impl UdpHandle {
    /// Completes when a receive would find something.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll(&self.key, |stack, _| stack.udp.poll_readable(cx, self.id))
    }

    /// Completes when a send of any size would find room.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll(&self.key, |stack, _| stack.udp.poll_writable(cx, self.id))
    }

    /// Takes the next datagram.
    ///
    /// # Errors
    /// `WouldBlock`, or what came back for one that was sent.
    pub fn try_receive(&self, buf: &mut [u8]) -> io::Result<Datagram> {
        call(&self.key, |stack, trace| stack.receive_udp_plainly(self.id, buf, trace))
    }

    /// Sends a datagram to `to`, or to the peer.
    ///
    /// # Errors
    /// `WouldBlock`, or what [`poll_send`](septet_socket::UdpSocketImpl::poll_send) fails with.
    pub fn try_send(&self, payload: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        call(&self.key, |stack, trace| stack.send_udp_plainly(self.id, payload, to, trace))
    }

    /// Looks at the next datagram, and leaves it: `MSG_PEEK`. `Err` of `WouldBlock` where there is none.
    ///
    /// # Errors
    /// `WouldBlock`, or what came back for one that was sent.
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<Datagram> {
        call(&self.key, |stack, _| stack.udp.peek(self.id, buf))
    }

    /// The peer.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let peer = call(&self.key, |stack, _| stack.udp.peer_addr(self.id))?;
        peer.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Takes what went wrong: `SO_ERROR`.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(call(&self.key, |stack, _| stack.udp.take_error(self.id))?.map(io::Error::from))
    }
}
