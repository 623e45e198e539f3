//! Connections to one backend that speak HTTP/1.1, and those of them that are kept for the next request.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::client::conn::http1::{self, SendRequest};
use septet_socket::{NetRef, TcpStream};

use super::dial::Ends;
use super::upload::Upload;
use crate::http::Io;

/// What is sent to a backend: a body that is held and can be sent again, or one that passes through.
pub(super) type Outgoing = Either<Full<Bytes>, Upload>;

/// The sending end of a connection.
pub(super) struct Sender {
    pub(super) requests: SendRequest<Outgoing>,
    /// The client that it was opened for, where the backend was told.
    told: Option<Ends>,
}

/// How many idle connections are kept; the one that was idle for longest goes first.
const KEPT: usize = 32;

/// The idle connections to a backend.
#[derive(Default)]
pub(super) struct Pool(Mutex<VecDeque<Sender>>);

impl Pool {
    /// The connection that was used last for whoever the backend is `told`, if it has not closed it.
    pub(super) async fn take(&self, told: Option<Ends>) -> Option<Sender> {
        loop {
            let mut idle = {
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let last = all.iter().rposition(|idle| idle.told == told)?;
                all.remove(last)?
            };
            if idle.requests.ready().await.is_ok() {
                return Some(idle);
            }
        }
    }

    /// Keeps a connection whose last response has come whole.
    pub(super) fn keep(&self, connection: Sender) {
        if connection.requests.is_closed() {
            return;
        }
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() == KEPT {
            idle.pop_front();
        }
        idle.push_back(connection);
    }

    /// Closes them all.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Speaks HTTP/1.1 over a new connection.
pub(super) async fn speak(net: &NetRef, stream: TcpStream, told: Option<Ends>) -> io::Result<Sender> {
    let (requests, connection) = http1::handshake(Io::new(stream)).await.map_err(io::Error::other)?;
    // It ends by itself when the sender is dropped.
    let _ = net.spawn(Box::pin(async move { drop(connection.await) }));
    Ok(Sender { requests, told })
}
