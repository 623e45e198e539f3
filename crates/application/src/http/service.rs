//! What answers HTTP: a request goes in, a response comes out, and the bodies of both stream.

use std::io;
use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use http::header::{CONTENT_TYPE, DATE, HeaderValue, SERVER};
use http::{Request, Response, StatusCode};
use septet_socket::{BoxFuture, Net};

use super::body::Body;
use super::cut::Cut;

/// Answers requests.
///
/// One is shared by all connections of a server. A request carries its [`Peer`] among its extensions. Its body is read as
/// the service asks for it, and no faster; the body of the response as the client takes it. What is not read of the request
/// when the response begins ends an HTTP/1 connection behind it.
pub trait Service: Send + Sync + 'static {
    /// The response to `request`; [`broken`] makes one that breaks the connection off instead.
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>>;

    /// The response to what came over HTTP/1 and is no request, or came too slowly.
    fn refuse(&self, status: StatusCode) -> Response<Body> {
        plain(status)
    }

    /// Hears of a connection of HTTP/1 that its client broke, or was too slow for.
    fn lost(&self, peer: SocketAddr, error: &io::Error) {
        let _ = (peer, error);
    }
}

impl<F, R> Service for F
where
    F: Fn(Request<Body>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(self(request))
    }
}

/// Who asks: among the extensions of each request that a [`Service`] gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub SocketAddr);

/// How a connection breaks off in place of a response.
#[derive(Clone, Copy)]
pub(super) struct Broken(pub(super) Cut);

/// No response: the connection, or over HTTP/2 the stream, breaks off like this.
pub fn broken(cut: Cut) -> Response<Body> {
    let mut response = Response::new(Body::default());
    response.extensions_mut().insert(Broken(cut));
    response
}

/// A short page that only says its status.
pub fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{status}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Says when `response` was made, and by whom.
pub(crate) fn sign(net: &dyn Net, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(UNIX_EPOCH + net.unix_time())) {
        headers.insert(DATE, date);
    }
    headers.insert(SERVER, HeaderValue::from_static("septet"));
}
