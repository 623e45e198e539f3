//! The server's side of an HTTP/1 connection (RFC 9112): hyper's, behind our [`Gate`].

use core::convert::Infallible;
use core::future::poll_fn;
use core::time::Duration;
use std::io;

use http::header::{CONNECTION, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use septet_socket::{Elapsed, NetExt, NetRef, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answers::Cut;
use super::body::Payload;
use super::gate::{Gate, Passed};
use super::runtime::Io;

/// How long a connection that we end is read on, so that the response is not lost to a reset (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// What answers requests.
pub(super) trait Answer {
    /// The response to a request whose body had `taken` bytes, or how the connection breaks off instead.
    fn answer(&self, head: Parts, taken: u64) -> impl Future<Output = Result<Response<Payload>, Cut>> + Send;

    /// The response to what is no request.
    fn refuse(&self, status: StatusCode) -> Response<Payload>;

    /// The largest body that is taken.
    fn max_body(&self) -> u64;
}

/// Serves a connection until one side ends it.
///
/// # Errors
/// Those of the stream, and `TimedOut` where the client is too slow.
pub(super) async fn serve<S, A>(net: &NetRef, stream: S, answer: &A) -> io::Result<()>
where
    S: Stream + Send + Sync,
    A: Answer + Sync,
{
    let passed = Passed::default();
    let gate = Gate::new(net, stream, passed.clone());
    let service = service_fn(|request| Box::pin(respond(answer, &passed, request)));
    let mut connection = hyper::server::conn::http1::Builder::new()
        // The service sets it, by the network's clock. hyper looks at the machine's all the same, whenever it is polled,
        // but then shows it to nobody.
        .auto_date_header(false)
        // The limits are the gate's.
        .header_read_timeout(None)
        .half_close(true)
        .title_case_headers(true)
        .serve_connection(Io::new(gate), service);
    let served = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let stream = connection.into_parts().io.into_stream().into_stream();
    match (passed.is_cut(), served) {
        (Some(Cut::Reset), _) => {
            stream.reset_on_drop();
            Ok(())
        }
        (None, Err(e)) => Err(io::Error::other(e)),
        _ => close(net, stream).await,
    }
}

/// RFC 9112 §9.6: "the server … then enters the lingering close": half-close, and read until the client ends as well.
pub(crate) async fn close(net: &NetRef, mut stream: impl Stream + Send + Sync) -> io::Result<()> {
    let drain = async {
        stream.shutdown().await?;
        let mut buf = [0; 1024];
        while stream.read(&mut buf).await? > 0 {}
        Ok(())
    };
    net.timeout(LINGER, drain).await.unwrap_or(Ok(()))
}

async fn respond<A: Answer>(
    answer: &A,
    passed: &Passed,
    request: Request<Incoming>,
) -> Result<Response<Payload>, Infallible> {
    let refuse = |status| {
        let mut response = answer.refuse(status);
        // Where the next request begins is not known.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        Ok(response)
    };
    if let Some(status) = passed.refused() {
        return refuse(status);
    }
    let (head, body) = request.into_parts();
    let taken = match take(body, answer.max_body()).await {
        Ok(taken) => taken,
        Err(status) => return refuse(status),
    };
    passed.body_ended();
    let mut response = match answer.answer(head, taken).await {
        Ok(response) => response,
        Err(cut) => {
            if cut != Cut::Stall {
                passed.cut(cut);
            }
            return core::future::pending().await;
        }
    };
    response.body_mut().break_through(passed);
    if passed.asked_to_keep_alive() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    Ok(response)
}

/// Takes a body in and counts it, so that the client may finish sending it; the status is what a body that will not do
/// is answered with.
pub(super) async fn take(mut body: Incoming, most: u64) -> Result<u64, StatusCode> {
    if body.size_hint().exact().is_some_and(|length| length > most) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut taken = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|e| if is_elapsed(&e) { StatusCode::REQUEST_TIMEOUT } else { StatusCode::BAD_REQUEST })?;
        taken += frame.data_ref().map_or(0, |d| d.len() as u64);
        if taken > most {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
    }
    Ok(taken)
}

fn is_elapsed(e: &hyper::Error) -> bool {
    let source = std::error::Error::source(e).and_then(|s| s.downcast_ref::<io::Error>());
    source.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<Elapsed>())
}
