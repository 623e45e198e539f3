//! Carries one connection across the border between the kernel's network and the lab's.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bound on bytes under way in each direction.
const BUFFER: usize = 64 * 1024;

/// One end of a relay.
pub trait End: AsyncRead + AsyncWrite + Unpin {
    /// Makes dropping the stream send a reset.
    fn reset_on_drop(&self);
}

impl End for tokio::net::TcpStream {
    fn reset_on_drop(&self) {
        // Where the socket is gone already there is nobody to tell.
        let _ = self.set_zero_linger();
    }
}

impl End for septet_socket::TcpStream {
    fn reset_on_drop(&self) {
        let _ = self.set_zero_linger();
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the first end to the second.
    Forth,
    /// From the second end to the first.
    Back,
}

/// Carries bytes both ways until both ends have closed, and tells `carried` of them as they go. A close of one direction
/// is carried across as that; a reset or any other failure of one end resets the other. Neither side is read faster than
/// the other takes it.
///
/// # Errors
/// That of the end that failed first.
pub async fn relay(a: &mut impl End, b: &mut impl End, carried: impl Fn(Way, u64)) -> io::Result<()> {
    let mut forth = Half::default();
    let mut back = Half::default();
    let result = poll_fn(|cx| {
        let one = forth.poll(cx, &mut *a, &mut *b, |n| carried(Way::Forth, n))?;
        let two = back.poll(cx, &mut *b, &mut *a, |n| carried(Way::Back, n))?;
        if one.is_ready() && two.is_ready() { Poll::Ready(io::Result::Ok(())) } else { Poll::Pending }
    })
    .await;
    if result.is_err() {
        a.reset_on_drop();
        b.reset_on_drop();
    }
    result
}

/// One direction.
#[derive(Default)]
struct Half {
    buffer: Box<[u8]>,
    filled: usize,
    written: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    /// The source has closed; what is left goes out, then the close.
    Ending,
    Closed,
}

impl Half {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        carried: impl Fn(u64),
    ) -> Poll<io::Result<()>> {
        loop {
            while self.written < self.filled {
                let n = ready!(Pin::new(&mut *to).poll_write(cx, &self.buffer[self.written..self.filled]))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.written += n;
                carried(n as u64);
            }
            match self.state {
                State::Closed => return Poll::Ready(Ok(())),
                State::Ending => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Closed;
                    self.buffer = Box::default();
                    return Poll::Ready(Ok(()));
                }
                State::Open => {
                    if self.buffer.is_empty() {
                        self.buffer = vec![0; BUFFER].into();
                    }
                    let mut read = ReadBuf::new(&mut self.buffer);
                    ready!(Pin::new(&mut *from).poll_read(cx, &mut read))?;
                    (self.filled, self.written) = (read.filled().len(), 0);
                    if self.filled == 0 {
                        self.state = State::Ending;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// client -- (x relay y) -- server
    async fn chain() -> (TcpStream, TcpStream, tokio::task::JoinHandle<io::Result<[u64; 2]>>) {
        async fn pair() -> (TcpStream, TcpStream) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let (a, b) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
            (a.unwrap(), b.unwrap().0)
        }
        let (client, mut x) = pair().await;
        let (mut y, server) = pair().await;
        let task = tokio::spawn(async move {
            let count = [AtomicU64::new(0), AtomicU64::new(0)];
            let carried = |way, n| {
                count[way as usize].fetch_add(n, Ordering::Relaxed);
            };
            relay(&mut x, &mut y, carried).await?;
            Ok(count.map(AtomicU64::into_inner))
        });
        (client, server, task)
    }

    #[tokio::test]
    async fn half_close_is_carried_across() {
        let (mut client, mut server, task) = chain().await;
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"question");
        server.write_all(b"a late answer").await.unwrap();
        server.shutdown().await.unwrap();
        got.clear();
        client.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"a late answer");
        assert_eq!(task.await.unwrap().unwrap(), [8, 13]);
    }

    #[tokio::test]
    async fn reset_is_carried_across() {
        let (client, mut server, task) = chain().await;
        client.set_zero_linger().unwrap();
        drop(client);
        let error = server.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(task.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_slow_reader_slows_the_writer() {
        let (mut client, mut server, task) = chain().await;
        let total = 64 * 1024 * 1024;
        let writer = tokio::spawn(async move {
            let chunk = vec![7; 1 << 20];
            for _ in 0..64 {
                client.write_all(&chunk).await.unwrap();
            }
        });
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert!(!writer.is_finished(), "64 MiB fit in no buffer on the way");
        let mut left = total;
        let mut buf = vec![0; 1 << 20];
        while left > 0 {
            left -= server.read(&mut buf).await.unwrap();
        }
        writer.await.unwrap();
        drop(server);
        let _ = task.await.unwrap();
    }
}
