//! Connections to one backend that speak HTTP/1.1, and those of them that are kept for the next request.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::client::conn::http1::{self, SendRequest};
use septet_socket::{NetRef, TcpStream};

use super::upload::Upload;
use crate::http::Io;

/// What is sent to a backend: a body that is held and can be sent again, or one that passes through.
pub(super) type Outgoing = Either<Full<Bytes>, Upload>;

/// The sending end of a connection.
pub(super) type Sender = SendRequest<Outgoing>;

/// How many idle connections are kept; the one that was idle for longest goes first.
const KEPT: usize = 32;

/// The idle connections to a backend.
#[derive(Default)]
pub(super) struct Pool(Mutex<VecDeque<Sender>>);

impl Pool {
    /// The connection that was used last, if the backend has not closed it.
    pub(super) async fn take(&self) -> Option<Sender> {
        loop {
            let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_back()?;
            if idle.ready().await.is_ok() {
                return Some(idle);
            }
        }
    }

    /// Keeps a connection whose last response has come whole.
    pub(super) fn keep(&self, connection: Sender) {
        if connection.is_closed() {
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
pub(super) async fn speak(net: &NetRef, stream: TcpStream) -> io::Result<Sender> {
    let (sender, connection) = http1::handshake(Io::new(stream)).await.map_err(io::Error::other)?;
    // It ends by itself when the sender is dropped.
    let _ = net.spawn(Box::pin(async move { drop(connection.await) }));
    Ok(sender)
}
