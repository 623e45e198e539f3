//! TCP on the kernel.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use super::canonical::canonical;
use septet_socket::{ListenOptions, Nodelay, TcpListener, TcpListenerImpl, TcpOptions, TcpStream, TcpStreamImpl};
use septet_transport::tcp::SocketOption;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) async fn connect(to: SocketAddr, options: TcpOptions) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    apply(&SockRef::from(&socket), Domain::for_address(to), &options)?;
    let stream = tokio::net::TcpSocket::from_std_stream(socket.into()).connect(to).await?;
    Ok(TcpStream::new(Stream(stream)))
}

pub(super) fn listen(at: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if at.is_ipv6() {
        // Whatever `net.ipv6.bindv6only` says, [::] is all addresses of both versions.
        socket.set_only_v6(false)?;
    }
    // On Windows the option means something else: that others may take the port away.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    // The window scale is fixed by the SYN, so the buffers must be set before.
    apply(&SockRef::from(&socket), Domain::for_address(at), &options.tcp)?;
    socket.bind(&at.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let listener = tokio::net::TcpListener::from_std(socket.into())?;
    Ok(wrap(listener, options.tcp))
}

/// Listens as it does already; accepted connections get `options`.
pub(crate) fn wrap(listener: tokio::net::TcpListener, options: TcpOptions) -> TcpListener {
    TcpListener::new(Listener { listener, options })
}

fn apply(socket: &SockRef<'_>, family: Domain, options: &TcpOptions) -> io::Result<()> {
    options.options().try_for_each(|option| set(socket, family, option))
}

#[cfg(target_os = "linux")]
fn set(socket: &SockRef<'_>, family: Domain, option: SocketOption) -> io::Result<()> {
    let Some(row) = option.row() else { return Ok(()) };
    let numbers = if family == Domain::IPV6 { row.numbers_v6 } else { row.numbers };
    crate::linux::sys::set_option(&**socket, numbers, &row.form.octets(option.value()))
}

#[cfg(not(target_os = "linux"))]
fn set(socket: &SockRef<'_>, _: Domain, option: SocketOption) -> io::Result<()> {
    match option {
        SocketOption::Nodelay(nodelay) => socket.set_tcp_nodelay(nodelay == Nodelay::On),
        SocketOption::SendBuffer(bytes) => socket.set_send_buffer_size(bytes),
        SocketOption::ReceiveBuffer(bytes) => socket.set_recv_buffer_size(bytes),
        other => {
            let what = format!("{} can be set on Linux only", other.name());
            Err(io::Error::new(io::ErrorKind::Unsupported, what))
        }
    }
}

struct Stream(tokio::net::TcpStream);

impl TcpStreamImpl for Stream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr().map(canonical)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr().map(canonical)
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
        Poll::Ready(Ok((TcpStream::new(Stream(stream)), canonical(from))))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use septet_socket::TcpOptions;
    use septet_transport::tcp::{Config, Cork, Keepalive, Linger, OPTIONS};

    use super::*;

    fn socket() -> Socket {
        Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap()
    }

    #[test]
    fn the_kernel_knows_every_option_of_the_table() {
        for family in [Domain::IPV4, Domain::IPV6] {
            let socket = Socket::new(family, Type::STREAM, Some(Protocol::TCP)).unwrap();
            for row in OPTIONS {
                let value = (row.default)(&Config { congestion_control: "reno", ..Config::linux() });
                let Ok(option) = row.option(value) else { panic!("{} does not take its default", row.name) };
                set(&SockRef::from(&socket), family, option).unwrap_or_else(|e| panic!("{}: {e}", row.name));
            }
        }
    }

    #[test]
    fn the_kernel_takes_values_as_they_are_meant() {
        let options = TcpOptions {
            congestion: Some("reno".into()),
            nodelay: Some(Nodelay::On),
            cork: Some(Cork::On),
            keepalive: Some(Keepalive::On),
            keep_idle: Some(Duration::from_secs(10)),
            keep_interval: Some(Duration::from_millis(100)),
            keep_count: Some(3),
            user_timeout: Some(Duration::from_millis(1500)),
            linger: Some(Linger::For(Duration::from_secs(7))),
            traffic_class: Some(0x28),
            ..TcpOptions::default()
        };
        let socket = socket();
        apply(&SockRef::from(&socket), Domain::IPV4, &options).unwrap();
        assert_eq!((socket.tcp_nodelay().unwrap(), socket.tcp_cork().unwrap()), (true, true));
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(10));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(1), "its unit is a second");
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(1500)));
        assert_eq!(socket.linger().unwrap(), Some(Duration::from_secs(7)));
        assert_eq!(socket.tos_v4().unwrap(), 0x28);
        assert!(socket.tcp_congestion().unwrap().starts_with(b"reno"));
    }
}
