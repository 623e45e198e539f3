//! TCP sockets as programs hold them.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};
use std::net::SocketAddr;

use bytes::Bytes;
use septet_core::Frame;
use septet_engine::executor;
use septet_socket::{ListenOptions, Nodelay, TcpListenerImpl, TcpOptions, TcpSocketId, TcpStream, TcpStreamImpl};
use septet_transport::tcp::{Linger, Shutdown, SocketOption};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::registry::{HostKey, call, close, poll, with};
use crate::stack::{Late, SocketName};

pub(super) async fn open(
    key: HostKey,
    from: Option<SocketAddr>,
    to: SocketAddr,
    options: TcpOptions,
) -> io::Result<StreamHandle> {
    let opened = async {
        let socket = call(&key, |stack, trace| stack.connect_tcp(from, to, &options, trace))?;
        // Dropped halfway, the stream closes the socket.
        let stream = StreamHandle { key: key.clone(), socket };
        poll_fn(|cx| poll(&key, |stack, trace| stack.tcp.poll_connected(cx, socket, trace))).await?;
        Ok(stream)
    };
    let result: io::Result<_> = opened.await;
    if let Err(e) = &result {
        let _ = with(&key, |stack, trace| stack.tell_refusal(to, e, trace));
    }
    result
}

pub(super) fn listen(
    key: HostKey,
    at: SocketAddr,
    options: &ListenOptions,
    executor: &executor::Handle,
) -> io::Result<ListenerHandle> {
    let (socket, accept) = call(&key, |stack, _| stack.listen_tcp(at, options))?;
    let late = accept.map(|accept| Late::new(accept, executor.clone()));
    Ok(ListenerHandle { key, socket, late })
}

/// A TCP connection of a simulated host, as a plain id that finds its host at each call.
#[derive(Debug)]
pub struct StreamHandle {
    pub(super) key: HostKey,
    pub(super) socket: TcpSocketId,
}

impl TcpStreamImpl for StreamHandle {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.ask_tcp(self.socket, |endpoint, _, id| endpoint.local_addr(id)))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.ask_tcp(self.socket, |endpoint, _, id| endpoint.peer_addr(id)))
    }

    fn set_nodelay(&self, nodelay: Nodelay) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.set_tcp(self.socket, SocketOption::Nodelay(nodelay), trace))
    }

    fn set_zero_linger(&self) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.set_tcp(self.socket, SocketOption::Linger(Linger::Reset), trace))
    }

    fn poll_write_bytes(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &Bytes) -> Poll<io::Result<usize>> {
        poll(&self.key, |stack, trace| stack.write_bytes(cx, self.socket, bytes, trace))
    }

    fn poll_write_synthetic(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<u64>> {
        poll(&self.key, |stack, trace| stack.write_synthetic(cx, self.socket, (offset, len), trace))
    }

    fn poll_read_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame>>> {
        poll(&self.key, |stack, trace| stack.take_tcp(cx, self.socket, trace))
    }
}

impl AsyncRead for StreamHandle {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        poll(&self.key, |stack, trace| stack.read_tcp(cx, self.socket, buf, trace))
    }
}

impl AsyncWrite for StreamHandle {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        poll(&self.key, |stack, trace| stack.write_tcp(cx, self.socket, &[IoSlice::new(buf)], trace))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll(&self.key, |stack, trace| stack.write_tcp(cx, self.socket, bufs, trace))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(call(&self.key, |stack, trace| stack.shutdown_tcp(self.socket, Shutdown::Write, trace)))
    }
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        close(&self.key, SocketName::Tcp(self.socket));
    }
}

/// A listener of a simulated host, as a plain id that finds its host at each call.
#[derive(Debug)]
pub struct ListenerHandle {
    key: HostKey,
    socket: TcpSocketId,
    late: Option<Late>,
}

impl TcpListenerImpl for ListenerHandle {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.ask_tcp(self.socket, |endpoint, _, id| endpoint.local_addr(id)))
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.poll_take(cx).map_ok(|(stream, peer)| (TcpStream::new(stream), peer))
    }
}

impl ListenerHandle {
    /// Takes the next established connection, without a box around it.
    pub fn poll_take(&self, cx: &mut Context<'_>) -> Poll<io::Result<(StreamHandle, SocketAddr)>> {
        if let Some(late) = &self.late {
            ready!(late.poll(cx, |cx| poll(&self.key, |stack, _| stack.tcp.poll_acceptable(cx, self.socket))))?;
        }
        let accepted = poll(&self.key, |stack, trace| stack.tcp.poll_accept(cx, self.socket, trace));
        accepted.map_ok(|(socket, peer)| (StreamHandle { key: self.key.clone(), socket }, peer))
    }
}

impl Drop for ListenerHandle {
    fn drop(&mut self) {
        close(&self.key, SocketName::Tcp(self.socket));
    }
}
