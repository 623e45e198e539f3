//! What every network can do once it can do what [`Net`] asks.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use septet_core::{Fields, Storey};

use crate::{Net, Note, Sleep, UdpSocket};

/// The time ran out first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(e: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, e)
    }
}

/// Conveniences over [`Net`].
pub trait NetExt: Net {
    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Runs `future` for at most `duration`.
    fn timeout<F: Future + Send>(
        &self,
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + Send {
        let mut sleep = self.sleep(duration);
        async move {
            let mut future = pin!(future);
            poll_fn(|cx| {
                if let Poll::Ready(value) = future.as_mut().poll(cx) {
                    return Poll::Ready(Ok(value));
                }
                core::pin::Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed))
            })
            .await
        }
    }

    /// Opens a UDP socket for datagrams to `peer`: at a free port of every address of that version of IP.
    ///
    /// # Errors
    /// Those of [`bind_udp`](Net::bind_udp).
    fn open_udp(&self, peer: IpAddr) -> io::Result<UdpSocket> {
        let any = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        self.bind_udp(SocketAddr::new(any, 0))
    }

    /// The port `port` of every address that this host has.
    fn everywhere(&self, port: u16) -> SocketAddr {
        self.spoken((Ipv6Addr::UNSPECIFIED, port).into())
    }

    /// `at`, but all addresses of IPv4 where it means all of both versions of IP and this host speaks IPv4 alone.
    fn spoken(&self, at: SocketAddr) -> SocketAddr {
        match at {
            SocketAddr::V6(all) if all.ip().is_unspecified() && !self.speaks_v6() => {
                (Ipv4Addr::UNSPECIFIED, at.port()).into()
            }
            at => at,
        }
    }

    /// A random number.
    fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Tells the trace what happened, where it is heard.
    fn trace(&self, storey: Storey, kind: &'static str, build: impl FnOnce(&mut Fields)) {
        if self.is_traced() {
            let mut fields = Fields::default();
            build(&mut fields);
            self.note(Note { storey, kind, fields });
        }
    }

    /// Adds one to the counter called `name`.
    fn count(&self, name: &str) {
        self.recorder().record(self.now(), name, 1.0);
    }

    /// Adds an observation to the series called `name`.
    fn observe(&self, name: &str, value: f64) {
        self.recorder().record(self.now(), name, value);
    }
}

impl<N: Net + ?Sized> NetExt for N {}
