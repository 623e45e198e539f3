//! The server's side of an HTTP/1 connection (RFC 9112): hyper's, behind our [`Gate`].

use core::convert::Infallible;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use septet_socket::{NetExt, NetRef, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::body::{Body, failed};
use super::cut::Cut;
use super::ending::Ending;
use super::gate::{Gate, Passed};
use super::runtime::Io;
use super::service::{Broken, Peer, Service};

/// How long a connection that we end is read on, so that the response is not lost to a reset (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// Serves a connection until one side ends it.
///
/// # Errors
/// Those of the stream, and `TimedOut` where the client is too slow.
pub(super) async fn serve<S>(
    net: &NetRef,
    stream: S,
    peer: SocketAddr,
    service: &dyn Service,
    ending: &Ending,
) -> io::Result<()>
where
    S: Stream + Send + Sync,
{
    let passed = Passed::default();
    let gate = Gate::new(net, stream, passed.clone());
    let respond = service_fn(|request| Box::pin(respond(service, &passed, peer, request)));
    let mut connection = hyper::server::conn::http1::Builder::new()
        // The service sets it, by the network's clock. hyper looks at the machine's all the same, whenever it is polled,
        // but then shows it to nobody.
        .auto_date_header(false)
        // The limits are the gate's.
        .header_read_timeout(None)
        .half_close(true)
        .title_case_headers(true)
        .serve_connection(Io::new(gate), respond);
    let mut ends = pin!(ending.come());
    let mut leaving = false;
    let served = poll_fn(|cx| {
        if !leaving && ends.as_mut().poll(cx).is_ready() {
            leaving = true;
            // One that waits for a request ends now, another with its answer, which says so.
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
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
async fn close(net: &NetRef, mut stream: impl Stream + Send + Sync) -> io::Result<()> {
    let drain = async {
        stream.shutdown().await?;
        let mut buf = [0; 1024];
        while stream.read(&mut buf).await? > 0 {}
        Ok(())
    };
    net.timeout(LINGER, drain).await.unwrap_or(Ok(()))
}

async fn respond(
    service: &dyn Service,
    passed: &Passed,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Leaving>, Infallible> {
    let refused = passed.refused();
    let mut response = match refused {
        Some(status) => service.refuse(status),
        None => {
            let mut request = request.map(|body| {
                let body = Coming { body, passed: passed.clone(), number: passed.number(), ended: false };
                if body.body.is_end_stream() { body.nothing() } else { Body::new(body) }
            });
            request.extensions_mut().insert(Peer(peer));
            service.call(request).await
        }
    };
    if let Some(Broken(cut)) = response.extensions().get() {
        if *cut != Cut::Stall {
            passed.cut(*cut);
        }
        return core::future::pending().await;
    }
    if refused.is_some() || passed.is_abandoned() {
        // Where the next request begins is not known.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    } else if passed.asked_to_keep_alive() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    Ok(response.map(|body| Leaving { body, passed: passed.clone() }))
}

/// The body of a request on its way in: the gate hears when it has ended, or is wanted no more.
struct Coming {
    body: Incoming,
    passed: Passed,
    number: u64,
    ended: bool,
}

impl Coming {
    fn nothing(mut self) -> Body {
        self.end();
        Body::default()
    }

    fn end(&mut self) {
        self.ended = true;
        self.passed.body_ended(self.number);
    }
}

impl hyper::body::Body for Coming {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame.map(|f| f.map_err(failed)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if !self.ended {
            self.passed.body_abandoned(self.number);
        }
    }
}

/// The body of a response on its way out: where it breaks off on purpose, the gate breaks the connection.
struct Leaving {
    body: Body,
    passed: Passed,
}

impl hyper::body::Body for Leaving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Err(e)) = &frame
            && let Some(cut) = Cut::of(e)
        {
            // What has been sent must leave first, and then nobody polls this body again.
            self.passed.cut(cut);
            return Poll::Pending;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
