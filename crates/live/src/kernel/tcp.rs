//! TCP on the kernel.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use septet_socket::{ListenOptions, Nodelay, TcpListener, TcpListenerImpl, TcpOptions, TcpStream, TcpStreamImpl};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) async fn connect(to: SocketAddr, options: TcpOptions) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    apply(&SockRef::from(&socket), &options)?;
    let stream = tokio::net::TcpSocket::from_std_stream(socket.into()).connect(to).await?;
    Ok(TcpStream::new(Stream(stream)))
}

pub(super) fn listen(at: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if at.is_ipv6() {
        // So that 0.0.0.0 and [::] can be listened at side by side, as two sockets.
        socket.set_only_v6(true)?;
    }
    // On Windows the option means something else: that others may take the port away.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    // The window scale is fixed by the SYN, so the buffers must be set before.
    apply(&SockRef::from(&socket), &options.tcp)?;
    socket.bind(&at.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let listener = tokio::net::TcpListener::from_std(socket.into())?;
    Ok(wrap(listener, options.tcp))
}

/// Listens as it does already; accepted connections get `options`.
pub(crate) fn wrap(listener: tokio::net::TcpListener, options: TcpOptions) -> TcpListener {
    TcpListener::new(Listener { listener, options })
}

fn apply(socket: &SockRef<'_>, options: &TcpOptions) -> io::Result<()> {
    let TcpOptions { congestion, nodelay, send_buffer, receive_buffer, keepalive, user_timeout } = options;
    if let Some(nodelay) = nodelay {
        socket.set_tcp_nodelay(*nodelay == Nodelay::On)?;
    }
    if let Some(bytes) = send_buffer {
        socket.set_send_buffer_size(*bytes)?;
    }
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(*bytes)?;
    }
    if let Some(idle) = keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(*idle))?;
    }
    #[cfg(target_os = "linux")]
    {
        if let Some(name) = congestion {
            socket.set_tcp_congestion(name.as_bytes())?;
        }
        if let Some(timeout) = user_timeout {
            socket.set_tcp_user_timeout(Some(*timeout))?;
        }
    }
    #[cfg(not(target_os = "linux"))]
    if congestion.is_some() || user_timeout.is_some() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the congestion controller and the user timeout can be set on Linux only",
        ));
    }
    Ok(())
}

struct Stream(tokio::net::TcpStream);

impl TcpStreamImpl for Stream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    fn set_nodelay(&self, nodelay: Nodelay) -> io::Result<()> {
        self.0.set_nodelay(nodelay == Nodelay::On)
    }

    fn set_zero_linger(&self) -> io::Result<()> {
        SockRef::from(&self.0).set_linger(Some(Duration::ZERO))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

struct Listener {
    listener: tokio::net::TcpListener,
    options: TcpOptions,
}

impl TcpListenerImpl for Listener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let Poll::Ready((stream, from)) = self.listener.poll_accept(cx)? else { return Poll::Pending };
        // Linux lets accepted sockets inherit all but this. It fails where the connection was reset already; whoever takes
        // it hears of that.
        if let Some(nodelay) = self.options.nodelay {
            let _ = stream.set_nodelay(nodelay == Nodelay::On);
        }
        Poll::Ready(Ok((TcpStream::new(Stream(stream)), from)))
    }
}
