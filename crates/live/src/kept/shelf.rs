//! The sockets that are open, and whose turn it is to take from each.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use septet_socket::{ListenOptions, NetRef, Note, TcpListener, UdpSocket};

use super::turn::Turn;

pub(super) struct Shelf {
    pub(super) net: NetRef,
    pub(super) hear: Box<dyn Fn(Note) + Send + Sync>,
    pub(super) loudness: Loudness,
    pub(super) sockets: Mutex<Sockets>,
}

/// What is told of the services.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loudness {
    /// What a server's keeper must know.
    Quiet,
    /// Whatever they note.
    All,
}

#[derive(Default)]
pub(super) struct Sockets {
    pub(super) tcp: BTreeMap<SocketAddr, Slot<TcpListener>>,
    pub(super) udp: BTreeMap<SocketAddr, Slot<UdpSocket>>,
}

/// A socket and whose turn it is to take from it.
pub(super) struct Slot<S> {
    socket: Arc<S>,
    pub(super) turn: Weak<Turn>,
}

impl<S> Slot<S> {
    fn new(socket: S) -> Self {
        Self { socket: Arc::new(socket), turn: Weak::new() }
    }

    /// From now on it is another's turn.
    pub(super) fn take_over(&mut self) -> (Arc<S>, Arc<Turn>) {
        let turn = Arc::new(Turn::default());
        self.end();
        self.turn = Arc::downgrade(&turn);
        (self.socket.clone(), turn)
    }

    pub(super) fn end(&self) {
        if let Some(before) = self.turn.upgrade() {
            before.end();
        }
    }

    fn is_used(&self) -> bool {
        self.turn.upgrade().is_some_and(|turn| !turn.is_over())
    }
}

impl Shelf {
    pub(super) fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was not open before.
    pub(super) fn open_tcp(&self, at: SocketAddr) -> io::Result<bool> {
        if self.lock().tcp.contains_key(&at) {
            return Ok(false);
        }
        let listener = match self.net.listen(at, ListenOptions::default()) {
            // What holds the port may be ours, at another address, and nobody's any more.
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && self.forget_unused(at.port()) => {
                self.net.listen(at, ListenOptions::default())
            }
            other => other,
        }?;
        self.lock().tcp.insert(at, Slot::new(listener));
        Ok(true)
    }

    pub(super) fn open_udp(&self, at: SocketAddr) -> io::Result<bool> {
        if self.lock().udp.contains_key(&at) {
            return Ok(false);
        }
        let socket = match self.net.bind_udp(at) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && self.forget_unused(at.port()) => self.net.bind_udp(at),
            other => other,
        }?;
        self.lock().udp.insert(at, Slot::new(socket));
        Ok(true)
    }

    /// Closes what nobody takes from at this port, and says whether there was any.
    fn forget_unused(&self, port: u16) -> bool {
        let mut sockets = self.lock();
        let before = sockets.tcp.len() + sockets.udp.len();
        sockets.tcp.retain(|at, slot| at.port() != port || slot.is_used());
        sockets.udp.retain(|at, slot| at.port() != port || slot.is_used());
        sockets.tcp.len() + sockets.udp.len() < before
    }
}
