//! HTTP with a client: hyper's framing, behind the same gate as the web server's.

use core::convert::Infallible;
use core::future::poll_fn;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use http::header::{CONNECTION, HeaderValue};
use hyper::body::Incoming;
use hyper::service::service_fn;
use septet_socket::{NetRef, Stream};

use super::requests::{Answer, Requests};
use crate::http::{Gate, Io, NetExecutor, NetTimer, Passed, close};

/// HTTP/2 pings a silent client after this time, as long as it has requests open.
const PING: Duration = Duration::from_secs(60);
/// Requests that a client may have open at a time over HTTP/2.
const STREAMS: u32 = 200;
/// Bytes of fields that a request may have over HTTP/2.
const FIELDS: u32 = 16 * 1024;

/// Speaks HTTP/1.1 until one side ends it.
///
/// # Errors
/// Those of the stream, and `TimedOut` where the client is too slow.
pub(super) async fn http1<S>(net: &NetRef, stream: S, requests: &Requests, client: SocketAddr) -> io::Result<()>
where
    S: Stream + Send + Sync,
{
    let passed = Passed::default();
    let gate = Gate::new(net, stream, passed.clone());
    let service = service_fn(|request| Box::pin(answer(requests, &passed, client, request)));
    let mut connection = hyper::server::conn::http1::Builder::new()
        .auto_date_header(false)
        // The limits are the gate's.
        .header_read_timeout(None)
        .half_close(true)
        .title_case_headers(true)
        .serve_connection(Io::new(gate), service);
    poll_fn(|cx| connection.poll_without_shutdown(cx)).await.map_err(io::Error::other)?;
    close(net, connection.into_parts().io.into_stream().into_stream()).await
}

async fn answer(
    requests: &Requests,
    passed: &Passed,
    client: SocketAddr,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let mut response = match passed.refused() {
        Some(status) => {
            let mut response = requests.say(status);
            // Where the next request begins is not known.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
        None => requests.answer(client, request, Some(passed.clone())).await,
    };
    if passed.asked_to_keep_alive() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    Ok(response)
}

/// Speaks HTTP/2 until one side ends it.
pub(super) async fn http2<S>(net: &NetRef, stream: S, requests: Arc<Requests>, client: SocketAddr)
where
    S: Stream + Send + 'static,
{
    let service = service_fn(move |request| {
        let requests = requests.clone();
        async move { Ok::<_, Infallible>(requests.answer(client, request, None).await) }
    });
    // An error is the client's: it reset the connection, or broke the protocol.
    let _ = hyper::server::conn::http2::Builder::new(NetExecutor(net.clone()))
        .timer(NetTimer(net.clone()))
        .keep_alive_interval(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(FIELDS)
        .auto_date_header(false)
        .serve_connection(Io::new(stream), service)
        .await;
}
