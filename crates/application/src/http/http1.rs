//! The server's side of an HTTP/1 connection (RFC 9112).
//!
//! hyper's reads the machine's clock for a `Date` that it may not even send; a run in virtual time may not.

use core::time::Duration;
use std::io;

use bytes::{Buf, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use hyper::body::Body;
use septet_socket::{Elapsed, NetExt, NetRef};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::body::Payload;
use super::chunked::Decoder;
use super::head::{After, Framing, Head, MAX_HEAD, end_of_head, may_become_head, parse};

/// nginx's `client_header_timeout`, `client_body_timeout` and `keepalive_timeout` lie around this.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection that we end is read on, so that the response is not lost to a reset (§9.6).
const LINGER: Duration = Duration::from_secs(2);
/// Room for what most heads need.
const HEAD_PIECE: usize = 2 * 1024;
/// A body is read in pieces of this size.
const BODY_PIECE: usize = 16 * 1024;

/// What answers requests.
pub(super) trait Answer {
    /// The response to a request whose body had `taken` bytes.
    fn answer(
        &self,
        method: Method,
        target: &http::Uri,
        headers: &HeaderMap,
        taken: u64,
    ) -> impl Future<Output = Response<Payload>> + Send;
}

/// Serves a connection until one side ends it.
///
/// # Errors
/// Those of the stream, and `TimedOut` where the client is too slow.
pub(super) async fn serve<S, A>(net: &NetRef, stream: S, answer: &A) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + Sync,
    A: Answer + Sync,
{
    let mut connection = Connection { net, stream, input: BytesMut::new() };
    loop {
        let head = match connection.read_head().await? {
            None => return connection.stream.shutdown().await,
            Some(Ok(head)) => head,
            Some(Err(status)) => return connection.refuse(status).await,
        };
        if head.expects_continue {
            connection.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let taken = match connection.skip_body(head.framing).await? {
            Ok(taken) => taken,
            Err(status) => return connection.refuse(status).await,
        };
        let response = answer.answer(head.method.clone(), &head.uri, &head.headers, taken).await;
        connection.respond(&head, response).await?;
        if head.after == After::Close {
            return connection.close().await;
        }
    }
}

struct Connection<'n, S> {
    net: &'n NetRef,
    stream: S,
    /// What was received and not yet used.
    input: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Connection<'_, S> {
    /// Reads more, at most `piece` bytes or so; false where the client has ended.
    async fn fill(&mut self, piece: usize) -> io::Result<bool> {
        self.input.reserve(piece);
        Ok(self.net.timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await?? > 0)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next head; nothing where the client has ended, or kept silent for too long between two requests.
    async fn read_head(&mut self) -> io::Result<Option<Result<Head, StatusCode>>> {
        let mut searched = 0;
        loop {
            // §2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty
            // line (CRLF) received prior to the request-line".
            while searched == 0 && matches!(self.input.first(), Some(b'\r' | b'\n')) {
                self.input.advance(1);
            }
            if let Some(end) = end_of_head(&self.input, searched) {
                return Ok(Some(parse(&self.input.split_to(end))));
            }
            // Who speaks another protocol, TLS say, would wait for an answer as we would for the end of the head.
            if searched == 0 && !may_become_head(&self.input) {
                return Ok(Some(Err(StatusCode::BAD_REQUEST)));
            }
            searched = self.input.len();
            if searched > MAX_HEAD {
                return Ok(Some(Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)));
            }
            match self.fill(HEAD_PIECE).await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(e) if is_elapsed(&e) && self.input.is_empty() => return Ok(None),
                Err(e) if is_elapsed(&e) => return Ok(Some(Err(StatusCode::REQUEST_TIMEOUT))),
                Err(e) => return Err(e),
            }
        }
    }

    /// Reads the body and says how long it was.
    async fn skip_body(&mut self, framing: Framing) -> io::Result<Result<u64, StatusCode>> {
        let mut decoder = Decoder::new();
        let mut left = match framing {
            Framing::Length(length) => length,
            Framing::Chunked => 0,
        };
        loop {
            match framing {
                Framing::Length(length) => {
                    let n = left.min(self.input.len() as u64);
                    self.input.advance(n as usize);
                    left -= n;
                    if left == 0 {
                        return Ok(Ok(length));
                    }
                }
                Framing::Chunked => {
                    let Ok(used) = decoder.feed(&self.input) else { return Ok(Err(StatusCode::BAD_REQUEST)) };
                    self.input.advance(used);
                    if decoder.is_done() {
                        return Ok(Ok(decoder.content));
                    }
                }
            }
            match self.fill(BODY_PIECE).await {
                Ok(true) => {}
                Ok(false) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(e) if is_elapsed(&e) => return Ok(Err(StatusCode::REQUEST_TIMEOUT)),
                Err(e) => return Err(e),
            }
        }
    }

    async fn respond(&mut self, head: &Head, mut response: Response<Payload>) -> io::Result<()> {
        let status = response.status();
        let length = response.body().size_hint().exact().unwrap_or(0);
        let headers = response.headers_mut();
        // RFC 9110 §8.6: 204 has none, 304 and HEAD may name the length of what is not sent.
        if !headers.contains_key(CONTENT_LENGTH) && !matches!(status.as_u16(), 204 | 304) && head.method != Method::HEAD
        {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        match (head.after, head.version) {
            (After::Close, _) => drop(headers.insert(CONNECTION, HeaderValue::from_static("close"))),
            (After::KeepAlive, Version::HTTP_10) => {
                drop(headers.insert(CONNECTION, HeaderValue::from_static("keep-alive")));
            }
            _ => {}
        }
        let text = head_bytes(status, response.headers());
        let mut text = &text[..];
        let payload = response.body_mut();
        loop {
            match payload.take() {
                // The head leaves together with the first piece of the body.
                Some(piece) => self.stream.write_all_buf(&mut Buf::chain(text, piece)).await?,
                None => break self.stream.write_all(text).await?,
            }
            text = &[];
        }
        // A request that has come already is answered in the same flight.
        if self.input.is_empty() || head.after == After::Close {
            self.stream.flush().await?;
        }
        Ok(())
    }

    /// Answers a request that will not do, and ends the connection: where the next one begins is not known.
    async fn refuse(&mut self, status: StatusCode) -> io::Result<()> {
        self.net.count("http.refused");
        let reason = status.canonical_reason().unwrap_or("");
        let text = format!(
            "HTTP/1.1 {} {reason}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{status}\n",
            status.as_u16(),
            status.to_string().len() + 1
        );
        self.write(text.as_bytes()).await?;
        self.close().await
    }

    /// §9.6: "the server … then enters the lingering close": half-close, and read until the client ends as well.
    async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let drain = async {
            let mut buf = [0; 1024];
            while self.stream.read(&mut buf).await? > 0 {}
            Ok(())
        };
        self.net.timeout(LINGER, drain).await.unwrap_or(Ok(()))
    }
}

fn is_elapsed(e: &io::Error) -> bool {
    e.get_ref().is_some_and(|inner| inner.is::<Elapsed>())
}

/// The status line and the fields, with names in the capitals that people know.
fn head_bytes(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(b"HTTP/1.1 ");
    text.extend_from_slice(status.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
    for (name, value) in headers {
        text.extend_from_slice(b"\r\n");
        let mut starts = true;
        for b in name.as_str().bytes() {
            text.push(if starts { b.to_ascii_uppercase() } else { b });
            starts = b == b'-';
        }
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
    }
    text.extend_from_slice(b"\r\n\r\n");
    text
}
