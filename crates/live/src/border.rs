//! One connection across the border between the machine's network and the lab's.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::net::SocketAddr;

use septet_core::StationId;
use septet_socket::{Bounds, NetRef, Stream, TcpStream, Way, relay};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pump::Pump;

/// The bound on bytes under way in each direction.
const BUFFER: usize = 64 * 1024;

/// Carries what comes over `near` to the end that `far` leads to, and back, and tells `carried` of it. Where `far` leads to
/// none, `near` is reset. Each side hears of the other's end by the end of its own connection.
///
/// # Errors
/// Those of `far`.
pub(crate) async fn cross<F: Stream>(
    net: &NetRef,
    mut near: impl Stream,
    far: impl Future<Output = io::Result<F>>,
    carried: impl FnMut(Way, u64),
) -> io::Result<()> {
    match far.await {
        Ok(mut far) => {
            // A connection that is idle is idle on both sides: whoever opened it knows for how long.
            relay(net, &mut near, &mut far, Bounds { buffer: BUFFER, idle: None }, carried).await;
            Ok(())
        }
        Err(e) => {
            near.reset_on_drop();
            Err(e)
        }
    }
}

/// The lab's end: before anything is written to it the world is brought up to now, so that no byte enters the lab before
/// the time at which it came.
pub(crate) struct Inside {
    pub(crate) pump: Pump,
    pub(crate) host: StationId,
    pub(crate) stream: TcpStream,
}

impl Stream for Inside {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    fn reset_on_drop(&self) {
        self.stream.reset_on_drop();
    }
}

impl AsyncRead for Inside {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Inside {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pump.settle(self.host);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pump.settle(self.host);
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
