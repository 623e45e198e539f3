//! The sockets of a host for callers that never wait, such as those that stand in for system calls.

mod groups;

use core::pin::Pin;
use core::task::Waker;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_core::Instant;
use septet_engine::executor;
use septet_socket::cpu::Cpu;
use septet_socket::{Datagram, Spawned, System, TcpSocketId, Watched, Wish};
use septet_transport::tcp::{Config, Error, Follows, Info, Options, Readiness, Shutdown, SocketOption, State};
use septet_transport::udp;

use super::registry::{HostKey, call, close, with};
use crate::stack::SocketName;

/// The sockets of one host, as plain ids.
#[derive(Clone, Debug)]
pub(crate) struct Sockets {
    key: HostKey,
    executor: executor::Handle,
}

impl Sockets {
    pub(crate) fn new(key: HostKey, executor: executor::Handle) -> Self {
        Self { key, executor }
    }
}

impl System for Sockets {
    fn now(&self) -> Instant {
        with(&self.key, |stack, _| stack.now).unwrap_or_default()
    }

    fn is_local(&self, address: IpAddr) -> bool {
        with(&self.key, |stack, _| stack.is_own(address)).unwrap_or(false)
    }

    fn config(&self) -> Arc<Config> {
        with(&self.key, |stack, _| stack.tcp.config().clone()).unwrap_or_default()
    }

    fn defaults(&self) -> Options {
        self.config().options.clone()
    }

    fn sysctl(&self, name: &str, value: &str) -> Result<(), String> {
        with(&self.key, |stack, _| stack.sysctl(name, value)).unwrap_or_else(|why| Err(why.to_string()))
    }

    fn connect(&self, from: Option<SocketAddr>, to: SocketAddr, options: &Options) -> io::Result<TcpSocketId> {
        call(&self.key, |stack, trace| stack.connect_plainly(from, to, options, trace))
    }

    fn listen(&self, at: SocketAddr, backlog: usize, options: &Options) -> io::Result<TcpSocketId> {
        call(&self.key, |stack, _| stack.listen_plainly(at, backlog, options))
    }

    fn is_bound(&self, at: SocketAddr) -> bool {
        with(&self.key, |stack, _| stack.tcp.endpoint().is_bound(at)).unwrap_or(false)
    }

    fn accept(&self, listener: TcpSocketId) -> io::Result<(TcpSocketId, SocketAddr)> {
        call(&self.key, |stack, trace| stack.accept_plainly(listener, trace))
    }

    fn read(&self, socket: TcpSocketId, buf: &mut [u8]) -> io::Result<usize> {
        call(&self.key, |stack, trace| stack.read_plainly(socket, buf, trace))
    }

    fn peek(&self, socket: TcpSocketId, buf: &mut [u8]) -> io::Result<usize> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.peek(id, buf)))
    }

    fn write(&self, socket: TcpSocketId, data: &[u8], follows: Follows) -> io::Result<usize> {
        call(&self.key, |stack, trace| stack.write_plainly(socket, data, follows, trace))
    }

    fn shutdown(&self, socket: TcpSocketId, how: Shutdown) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.shutdown_tcp(socket, how, trace))
    }

    fn close(&self, socket: TcpSocketId) {
        close(&self.key, SocketName::Tcp(socket));
    }

    fn abort(&self, socket: TcpSocketId) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.abort_tcp(socket, trace))
    }

    fn set_option(&self, socket: TcpSocketId, option: SocketOption) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.set_tcp(socket, option, trace))
    }

    fn info(&self, socket: TcpSocketId) -> io::Result<Info> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, now, id| endpoint.info(now, id)))
    }

    fn state(&self, socket: TcpSocketId) -> io::Result<State> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.state(id)))
    }

    fn readiness(&self, socket: TcpSocketId) -> io::Result<Readiness> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.readiness(id)))
    }

    fn changes(&self, socket: TcpSocketId) -> u64 {
        with(&self.key, |stack, _| stack.tcp.changes(socket)).unwrap_or(0)
    }

    fn take_error(&self, socket: TcpSocketId) -> io::Result<Option<Error>> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.take_error(id)))
    }

    fn local_addr(&self, socket: TcpSocketId) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.local_addr(id)))
    }

    fn peer_addr(&self, socket: TcpSocketId) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.peer_addr(id)))
    }

    fn bind_udp(&self, at: SocketAddr) -> io::Result<udp::SocketId> {
        call(&self.key, |stack, _| stack.bind_udp(at))
    }

    fn connect_udp(&self, socket: udp::SocketId, peer: SocketAddr) -> io::Result<()> {
        call(&self.key, |stack, _| stack.connect_udp(socket, peer))
    }

    fn send_udp(&self, socket: udp::SocketId, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        call(&self.key, |stack, trace| stack.send_udp_plainly(socket, data, to, trace))
    }

    fn receive_udp(&self, socket: udp::SocketId, buf: &mut [u8]) -> io::Result<Datagram> {
        call(&self.key, |stack, trace| stack.receive_udp_plainly(socket, buf, trace))
    }

    fn peek_udp(&self, socket: udp::SocketId, buf: &mut [u8]) -> io::Result<Datagram> {
        call(&self.key, |stack, _| stack.udp.peek(socket, buf))
    }

    fn set_udp_broadcast(&self, socket: udp::SocketId, broadcast: udp::Broadcast) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_broadcast(socket, broadcast))
    }

    fn is_udp_readable(&self, socket: udp::SocketId) -> io::Result<bool> {
        call(&self.key, |stack, _| stack.udp.is_readable(socket))
    }

    fn is_udp_writable(&self, socket: udp::SocketId) -> io::Result<bool> {
        call(&self.key, |stack, _| stack.udp.is_writable(socket))
    }

    fn take_udp_error(&self, socket: udp::SocketId) -> io::Result<Option<udp::Error>> {
        call(&self.key, |stack, _| stack.udp.take_error(socket))
    }

    fn udp_addr(&self, socket: udp::SocketId) -> io::Result<SocketAddr> {
        call(&self.key, |stack, _| stack.udp.local_addr(socket))
    }

    fn udp_peer(&self, socket: udp::SocketId) -> io::Result<Option<SocketAddr>> {
        call(&self.key, |stack, _| stack.udp.peer_addr(socket))
    }

    fn close_udp(&self, socket: udp::SocketId) {
        close(&self.key, SocketName::Udp(socket));
    }

    fn ask_room(&self, socket: TcpSocketId) -> io::Result<bool> {
        call(&self.key, |stack, _| stack.ask_tcp(socket, |endpoint, _, id| endpoint.ask_space(id)))
    }

    fn watch(&self, socket: Watched, wish: Wish, waker: &Waker) -> io::Result<u64> {
        call(&self.key, |stack, _| match socket {
            Watched::Tcp(socket) => stack.tcp.watch(socket, wish, waker),
            Watched::Udp(socket) => stack.udp.watch(socket, wish, waker),
        })
    }

    fn unwatch(&self, socket: Watched, wish: Wish, number: u64) {
        // Of a host that is gone nobody waits for anything.
        let _ = with(&self.key, |stack, _| match socket {
            Watched::Tcp(socket) => stack.tcp.unwatch(socket, wish, number),
            Watched::Udp(socket) => stack.udp.unwatch(socket, wish, number),
        });
    }

    fn udp_changes(&self, socket: udp::SocketId) -> u64 {
        with(&self.key, |stack, _| stack.udp.changes(socket)).unwrap_or(0)
    }

    fn cpu(&self) -> Option<Arc<Cpu>> {
        with(&self.key, |stack, _| stack.cpu.clone()).ok().flatten()
    }

    fn spawn_local(&self, task: Pin<Box<dyn Future<Output = ()>>>) -> Spawned {
        let executor = self.executor.clone();
        let task = executor.spawn_local(task);
        Spawned::new(move || executor.abort(task))
    }
}
