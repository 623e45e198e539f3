//! What outlives a reload: the sockets that services listen on, handed from one generation of them to the next.
//!
//! Services know nothing of it: each [`Generation`] is a `Net` of its own, and where a later one listens at an address at which
//! an earlier one does, it gets the same socket, whose backlog nobody resets. The earlier one finds its listener ended, as on a
//! host that stops; what it has accepted it serves to the end.

mod generation;
mod shelf;
mod turn;

use core::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_application::programs::Transport;
use septet_socket::{NetExt as _, NetRef, Note};

pub use generation::Generation;
pub use shelf::Loudness;
use shelf::Shelf;

/// A place at which somebody listens.
pub type At = (Transport, SocketAddr);

/// The sockets of a server that is configured anew while it runs.
#[derive(Clone)]
pub struct Kept(Arc<Shelf>);

impl Kept {
    /// Nothing yet, on `net`. What services note goes to `hear`.
    pub fn new(net: NetRef, loudness: Loudness, hear: impl Fn(Note) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shelf { net, hear: Box::new(hear), loudness, sockets: Default::default() }))
    }

    /// The network for the next generation of services.
    pub fn generation(&self) -> Arc<Generation> {
        Generation::new(self.0.clone())
    }

    /// Opens what is not open of these, before anybody listens there: as long as the process may, and so that what cannot be
    /// had is known before anything else is given up. Then nothing of it stays open.
    ///
    /// # Errors
    /// The first place that cannot be had, and why.
    pub fn open(&self, places: &[At]) -> Result<(), (SocketAddr, io::Error)> {
        let mut opened = Vec::new();
        for (transport, at) in places {
            let at = self.0.net.spoken(*at);
            let result = match transport {
                Transport::Tcp => self.0.open_tcp(at),
                Transport::Udp => self.0.open_udp(at),
            };
            match result {
                Ok(true) => opened.push((*transport, at)),
                Ok(false) => {}
                Err(e) => {
                    let mut sockets = self.0.lock();
                    for (transport, at) in opened {
                        match transport {
                            Transport::Tcp => drop(sockets.tcp.remove(&at)),
                            Transport::Udp => drop(sockets.udp.remove(&at)),
                        }
                    }
                    return Err((at, e));
                }
            }
        }
        Ok(())
    }

    /// Closes what is open beside these.
    pub fn close_all_but(&self, places: &[At]) {
        let wanted =
            |transport, at: &SocketAddr| places.iter().any(|(t, p)| (*t, self.0.net.spoken(*p)) == (transport, *at));
        let mut sockets = self.0.lock();
        sockets.tcp.retain(|at, slot| {
            let stays = wanted(Transport::Tcp, at);
            if !stays {
                slot.end();
            }
            stays
        });
        sockets.udp.retain(|at, slot| {
            let stays = wanted(Transport::Udp, at);
            if !stays {
                slot.end();
            }
            stays
        });
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sockets = self.0.lock();
        f.debug_struct("Kept")
            .field("tcp", &sockets.tcp.keys())
            .field("udp", &sockets.udp.keys())
            .finish_non_exhaustive()
    }
}
