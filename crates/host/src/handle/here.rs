//! The host whose program runs: what code that was given no network finds as its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use scoped_tls_hkt::scoped_thread_local;
use septet_core::{Instant, Trace};
use septet_engine::executor::Timer;
use septet_socket::{ListenOptions, NetRef, TcpOptions};

use super::net::HostNet;
use super::tcp::{ListenerHandle, StreamHandle};
use super::udp::UdpHandle;
use super::{scope, tcp, udp};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::stack::Storeys;

scoped_thread_local!(static HOST: Arc<HostNet>);

/// Lends a host and the trace to what `run` calls, as the host whose programs run there.
pub(crate) fn lend<R>(host: &Arc<HostNet>, storeys: &mut Storeys, trace: &mut Trace, run: impl FnOnce() -> R) -> R {
    HOST.set(host, || scope::lend(storeys, trace, run))
}

/// The simulated host whose program is running on this thread.
///
/// Its sockets are the same as those of its [`Net`](septet_socket::Net), without a box around each.
#[derive(Clone, Debug)]
pub struct Here(Arc<HostNet>);

impl Here {
    /// The host whose program calls; `None` outside of a simulation.
    #[inline]
    pub fn current() -> Option<Self> {
        HOST.is_set().then(|| HOST.with(|host| Self(host.clone())))
    }

    pub(crate) fn of(host: Arc<HostNet>) -> Self {
        Self(host)
    }

    /// Its network.
    pub fn net(&self) -> NetRef {
        self.0.clone()
    }

    /// The time of the world.
    pub fn now(&self) -> Instant {
        self.0.executor().now()
    }

    /// A timer.
    pub fn sleep_until(&self, at: Instant) -> Timer {
        self.0.executor().sleep_until(at)
    }

    /// Opens a TCP connection, from `from` as far as that says anything.
    ///
    /// # Errors
    /// Those of [`Net::connect`](septet_socket::Net::connect).
    pub fn connect(
        &self,
        from: Option<SocketAddr>,
        to: SocketAddr,
        options: TcpOptions,
    ) -> impl Future<Output = io::Result<StreamHandle>> + Send + 'static {
        tcp::open(self.0.key().clone(), from, to, options)
    }

    /// Accepts TCP connections at `at`.
    ///
    /// # Errors
    /// Those of [`Net::listen`](septet_socket::Net::listen).
    pub fn listen(&self, at: SocketAddr, options: &ListenOptions) -> io::Result<ListenerHandle> {
        tcp::listen(self.0.key().clone(), at, options, self.0.executor())
    }

    /// Opens a UDP socket at `at`.
    ///
    /// # Errors
    /// Those of [`Net::bind_udp`](septet_socket::Net::bind_udp).
    pub fn bind_udp(&self, at: SocketAddr) -> io::Result<UdpHandle> {
        udp::bind(self.0.key().clone(), at)
    }

    /// Its clock; `None` where nobody has made it go wrong.
    pub fn skewed_clock(&self) -> Option<&Clock> {
        self.0.used_parts().map(|parts| &parts.clock)
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.0.parts().clock
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        &self.0.parts().disk
    }

    /// What was [put beside](crate::Host::put_beside) the host, where it is a `T`.
    pub fn beside<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.beside()?.downcast().ok()
    }
}
