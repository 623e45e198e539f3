//! The head of an HTTP/1 request (RFC 9112 §3 and §5), and how its body is framed (§6).

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Uri, Version};

/// A longer head is refused (the sum of nginx's `large_client_header_buffers`).
pub(super) const MAX_HEAD: usize = 32 * 1024;
/// A longer target is refused (one of those buffers).
const MAX_TARGET: usize = 8 * 1024;
/// A head with more fields is refused.
const MAX_FIELDS: usize = 100;

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    pub(super) after: After,
    pub(super) version: Version,
}

impl Head {
    /// The same request in HTTP/1.1.
    pub(super) fn as_http_11(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.uri).into_bytes();
        for (name, value) in &self.headers {
            // RFC 9110 §10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that
            // expectation." `Connection` is said below.
            if name != EXPECT && name != CONNECTION {
                text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
            }
        }
        text.extend_from_slice(if self.after == After::Close { b"Connection: close\r\n\r\n" } else { b"\r\n" });
        text
    }
}

/// How the body is delimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    /// By its length, which may be zero.
    Length(u64),
    Chunked,
}

/// What becomes of the connection after the response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum After {
    KeepAlive,
    Close,
}

/// Where the head at the beginning of `bytes` ends; `from` is where an earlier search ended.
pub(super) fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    // RFC 9112 §2.2: "a recipient MAY recognize a single LF as a line terminator and ignore any preceding CR".
    let from = from.saturating_sub(3);
    let at = |i: usize| bytes.get(i).copied();
    (from..bytes.len()).filter(|i| bytes[*i] == b'\n').find_map(|i| match (at(i + 1), at(i + 2)) {
        (Some(b'\n'), _) => Some(i + 2),
        (Some(b'\r'), Some(b'\n')) => Some(i + 3),
        _ => None,
    })
}

/// Whether more bytes could make a head of these; if not, the status that they are answered with.
pub(super) fn may_become_head(bytes: &[u8]) -> Result<(), StatusCode> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    httparse::Request::new(&mut fields).parse(bytes).map(|_| ()).map_err(status)
}

fn status(e: httparse::Error) -> StatusCode {
    match e {
        httparse::Error::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        httparse::Error::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The status that answers a head without an end that is too large.
pub(super) fn too_large(bytes: &[u8]) -> StatusCode {
    // RFC 9112 §3: "A server that receives a request-target longer than any URI it wishes to parse MUST respond with a 414
    // (URI Too Long) status code".
    let in_target = !bytes.iter().take(MAX_TARGET).any(|b| *b == b'\n');
    if in_target { StatusCode::URI_TOO_LONG } else { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE }
}

/// Reads a whole head; the status is what a head that will not do is answered with.
pub(super) fn parse(bytes: &[u8]) -> Result<Head, StatusCode> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(StatusCode::BAD_REQUEST),
        Err(e) => return Err(status(e)),
    }
    let bad = StatusCode::BAD_REQUEST;
    let method = request.method.and_then(|m| Method::from_bytes(m.as_bytes()).ok()).ok_or(bad)?;
    if bytes.len() > MAX_HEAD || request.path.is_some_and(|p| p.len() > MAX_TARGET) {
        return Err(too_large(bytes));
    }
    let uri: Uri = request.path.and_then(|p| p.parse().ok()).ok_or(bad)?;
    target(&method, &uri)?;
    let version = if request.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| bad)?;
        headers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| bad)?);
    }
    // §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a
    // Host header field and to any request message that contains more than one Host header field line".
    let hosts = headers.get_all(HOST).iter().count();
    // … "or a Host header field with an invalid field value."
    let valid = headers.get(HOST).is_none_or(|host| is_host(host.as_bytes()));
    if hosts > 1 || !valid || (hosts == 0 && version == Version::HTTP_11) {
        return Err(bad);
    }
    let framing = framing(&headers, version)?;
    // §9.3: persistence is the default of HTTP/1.1, and an option of HTTP/1.0.
    let after = match version {
        _ if has_option(&headers, "close") => After::Close,
        Version::HTTP_11 => After::KeepAlive,
        _ if has_option(&headers, "keep-alive") => After::KeepAlive,
        _ => After::Close,
    };
    Ok(Head { method, uri, headers, framing, after, version })
}

/// RFC 9112 §3.2: which form of target goes with which method; and as in nginx, a path must stay below the root, and hold
/// neither a broken escape nor a NUL.
fn target(method: &Method, uri: &Uri) -> Result<(), StatusCode> {
    let bad = Err(StatusCode::BAD_REQUEST);
    // Methods are "case-sensitive" (RFC 9110 §9.1); `get` is a mistake and no extension.
    if method.as_str().bytes().any(|b| b.is_ascii_lowercase()) {
        return bad;
    }
    match (method, uri.scheme(), uri.authority()) {
        (&Method::CONNECT, None, Some(_)) => return Ok(()),
        (&Method::CONNECT, ..) | (_, None, Some(_)) => return bad,
        _ => {}
    }
    if uri.path() == "*" {
        return if *method == Method::OPTIONS { Ok(()) } else { bad };
    }
    let mut path = Vec::with_capacity(uri.path().len());
    let mut bytes = uri.path().bytes();
    while let Some(byte) = bytes.next() {
        path.push(match byte {
            b'%' => match (bytes.next().and_then(hex), bytes.next().and_then(hex)) {
                (Some(high), Some(low)) if high | low != 0 => high << 4 | low,
                _ => return bad,
            },
            byte => byte,
        });
    }
    let mut depth = 0;
    for segment in path.split(|b| *b == b'/') {
        match segment {
            b"" | b"." => {}
            b".." if depth == 0 => return bad,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    Ok(())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

/// RFC 9110 §7.2: `uri-host [ ":" port ]`, and not nothing.
fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value {
        [b'[', ..] => match value.iter().position(|b| *b == b']') {
            Some(end) => value.split_at(end + 1),
            None => return false,
        },
        _ => value.split_at(value.iter().position(|b| *b == b':').unwrap_or(value.len())),
    };
    let port_fits = port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit));
    let fits = |b: &u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=[]:".contains(b);
    !host.is_empty() && port_fits && host.iter().all(fits)
}

fn has_option(headers: &HeaderMap, option: &str) -> bool {
    let lists = headers.get_all(CONNECTION).iter().filter_map(|v| v.to_str().ok());
    lists.flat_map(|l| l.split(',')).any(|o| o.trim().eq_ignore_ascii_case(option))
}

/// §6.3. What could be read in two ways is refused, because a proxy before us may have read it in the other.
fn framing(headers: &HeaderMap, version: Version) -> Result<Framing, StatusCode> {
    let bad = StatusCode::BAD_REQUEST;
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(bad);
    }
    let codings: Vec<_> = headers.get_all(TRANSFER_ENCODING).iter().collect();
    match (&codings[..], length) {
        ([], None) => Ok(Framing::Length(0)),
        ([], Some(length)) => {
            let digits = length.to_str().ok().filter(|l| l.bytes().all(|b| b.is_ascii_digit())).ok_or(bad)?;
            Ok(Framing::Length(digits.parse().map_err(|_| bad)?))
        }
        ([coding], None) if version == Version::HTTP_11 => {
            // §6.1: "A server that receives a request message with a transfer coding it does not understand SHOULD
            // respond with 501 (Not Implemented)."
            let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
            if chunked { Ok(Framing::Chunked) } else { Err(StatusCode::NOT_IMPLEMENTED) }
        }
        _ => Err(bad),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Head, StatusCode> {
        let text = text.replace('\n', "\r\n") + "\r\n";
        assert_eq!(end_of_head(text.as_bytes(), 0), Some(text.len()));
        parse(text.as_bytes())
    }

    #[test]
    fn framing_and_persistence() {
        for (head, framing, after) in [
            ("GET / HTTP/1.1\nHost: a\n", Framing::Length(0), After::KeepAlive),
            ("GET / HTTP/1.1\nHost: a\nConnection: x, Close\n", Framing::Length(0), After::Close),
            ("GET / HTTP/1.0\n", Framing::Length(0), After::Close),
            ("GET / HTTP/1.0\nConnection: keep-alive\n", Framing::Length(0), After::KeepAlive),
            ("POST / HTTP/1.1\nHost: a\nContent-Length: 00005\n", Framing::Length(5), After::KeepAlive),
            ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked\n", Framing::Chunked, After::KeepAlive),
        ] {
            let read = read(head).unwrap();
            assert_eq!((read.framing, read.after), (framing, after), "{head}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (head, status) in [
            ("GET / HTTP/1.1\n", 400),
            ("GET / HTTP/1.1\nHost: a\nHost: b\n", 400),
            ("GET / HTTP/1.1\nHost: a b\n", 400),
            ("GET / HTTP/1.1\nHost: a/b@c\n", 400),
            ("GET / HTTP/1.1\nHost: a:80x\n", 400),
            ("GET / HTTP/1.1\nHost: [::1\n", 400),
            ("GET / HTTP/1.1\nHost:\n", 400),
            ("GET foo HTTP/1.1\nHost: a\n", 400),
            ("GET * HTTP/1.1\nHost: a\n", 400),
            ("CONNECT / HTTP/1.1\nHost: a\n", 400),
            ("get / HTTP/1.1\nHost: a\n", 400),
            ("GET /%00 HTTP/1.1\nHost: a\n", 400),
            ("GET /%4 HTTP/1.1\nHost: a\n", 400),
            ("GET /a/../../b HTTP/1.1\nHost: a\n", 400),
            ("GET /%2e%2e/b HTTP/1.1\nHost: a\n", 400),
            ("GET / HTTP/2.0\nHost: a\n", 505),
            ("GET /a b HTTP/1.1\nHost: a\n", 505),
            ("G@T\0 / HTTP/1.1\nHost: a\n", 400),
            ("GET / HTTP/1.1\nHost: a\nBad Name: x\n", 400),
            ("POST / HTTP/1.1\nHost: a\nContent-Length: 5\nContent-Length: 5\n", 400),
            ("POST / HTTP/1.1\nHost: a\nContent-Length: 5\nContent-Length: 6\n", 400),
            ("POST / HTTP/1.1\nHost: a\nContent-Length: +5\n", 400),
            ("POST / HTTP/1.1\nHost: a\nContent-Length: 99999999999999999999\n", 400),
            ("POST / HTTP/1.1\nHost: a\nContent-Length: 5\nTransfer-Encoding: chunked\n", 400),
            ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip\n", 501),
            ("POST / HTTP/1.0\nTransfer-Encoding: chunked\n", 400),
        ] {
            assert_eq!(read(head).unwrap_err().as_u16(), status, "{head}");
        }
        let many = format!("GET / HTTP/1.1\nHost: a\n{}", "A: b\n".repeat(200));
        assert_eq!(read(&many).unwrap_err().as_u16(), 431);
        let long = format!("GET /{} HTTP/1.1\nHost: a\n", "x".repeat(9_000));
        assert_eq!(read(&long).unwrap_err().as_u16(), 414);
        let wide = format!("GET / HTTP/1.1\nHost: a\nA: {}\n", "x".repeat(40_000));
        assert_eq!(read(&wide).unwrap_err().as_u16(), 431);
    }

    #[test]
    fn an_older_request_is_told_to_hyper_as_a_newer_one() {
        let head = read("POST /a?b HTTP/1.0\nX: y\nExpect: 100-continue\nContent-Length: 3\n").unwrap();
        let text = String::from_utf8(head.as_http_11()).unwrap();
        assert_eq!(text, "POST /a?b HTTP/1.1\r\nx: y\r\ncontent-length: 3\r\nConnection: close\r\n\r\n");
        let head = read("GET http://a/b HTTP/1.0\nConnection: keep-alive\n").unwrap();
        assert_eq!(head.as_http_11(), b"GET http://a/b HTTP/1.1\r\n\r\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), from in 0usize..300) {
            let _ = parse(&bytes);
            if let Some(end) = end_of_head(&bytes, from) {
                prop_assert!(end <= bytes.len());
            }
        }
    }
}
