//! One connection of a client.

use std::io;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use septet_socket::NetRef;
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::Body;
use super::runtime::{Errand, Io, NetExecutor, NetTimer};

/// Which HTTP is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A connection to a server, over which requests go one after the other (HTTP/1.1) or at once (HTTP/2).
pub struct Connection {
    sender: Sender,
    errand: Errand,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    /// Speaks HTTP over `stream`.
    ///
    /// # Errors
    /// Those of the stream, and `InvalidData` where the server does not speak that version.
    pub async fn new<S>(net: &NetRef, stream: S, version: Version) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        super::prime();
        let errand = Errand::new(net);
        let stream = Io::on_errands(stream, errand.clone());
        let sender = match version {
            Version::Http1 => {
                let (sender, connection) =
                    http1::Builder::new().title_case_headers(true).handshake(stream).await.map_err(into_io)?;
                drive(net, async move { drop(connection.await) });
                Sender::Http1(sender)
            }
            Version::Http2 => {
                let (sender, connection) = http2::Builder::new(NetExecutor(net.clone()))
                    .timer(NetTimer(net.clone()))
                    .handshake(stream)
                    .await
                    .map_err(into_io)?;
                drive(net, async move { drop(connection.await) });
                Sender::Http2(sender)
            }
        };
        Ok(Self { sender, errand })
    }

    /// Sends a request and waits for the head of the response. HTTP/1.1 wants the target in origin form and a `Host`
    /// field, HTTP/2 the absolute URI.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, hyper::Error> {
        self.errand.ask();
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        };
        self.errand.take();
        response
    }

    /// The same connection for another request at the same time, where it speaks HTTP/2.
    pub fn share(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(Self { sender: Sender::Http2(sender.clone()), errand: self.errand.clone() }),
        }
    }

    /// What the calling task does from here on, it does because of what came over this connection last.
    pub fn because(&self) {
        self.errand.take();
    }

    /// Whether the server has closed it.
    pub fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Which HTTP is spoken.
    pub fn version(&self) -> Version {
        match &self.sender {
            Sender::Http1(_) => Version::Http1,
            Sender::Http2(_) => Version::Http2,
        }
    }
}

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection").field("version", &self.version()).finish()
    }
}

/// Runs what moves the bytes. It ends by itself when the handle is dropped, after a farewell: close_notify, GOAWAY.
fn drive(net: &NetRef, connection: impl Future<Output = ()> + Send + 'static) {
    let _ = net.spawn(Box::pin(connection));
}

fn into_io(e: hyper::Error) -> io::Error {
    io::Error::other(e)
}
