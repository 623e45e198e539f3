//! The head of an HTTP/1 request (RFC 9112 §3 and §5), and how its body is framed (§6).

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Uri, Version};

/// A longer head is refused.
pub(super) const MAX_HEAD: usize = 64 * 1024;
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
    /// Whether the client waits for 100 before it sends the body.
    pub(super) expects_continue: bool,
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

/// Whether more bytes could make a head of these.
pub(super) fn may_become_head(bytes: &[u8]) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    httparse::Request::new(&mut fields).parse(bytes).is_ok()
}

/// Reads a whole head; the status is what a head that will not do is answered with.
pub(super) fn parse(bytes: &[u8]) -> Result<Head, StatusCode> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(StatusCode::BAD_REQUEST),
        Err(httparse::Error::TooManyHeaders) => return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(httparse::Error::Version) => return Err(StatusCode::HTTP_VERSION_NOT_SUPPORTED),
        Err(_) => return Err(StatusCode::BAD_REQUEST),
    }
    let bad = StatusCode::BAD_REQUEST;
    let method = request.method.and_then(|m| Method::from_bytes(m.as_bytes()).ok()).ok_or(bad)?;
    let uri: Uri = request.path.and_then(|p| p.parse().ok()).ok_or(bad)?;
    let version = if request.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| bad)?;
        headers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| bad)?);
    }
    // §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a
    // Host header field and to any request message that contains more than one Host header field line".
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
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
    let expects = headers.get(EXPECT).is_some_and(|e| e.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let expects_continue = expects && version == Version::HTTP_11 && framing != Framing::Length(0);
    Ok(Head { method, uri, headers, framing, after, version, expects_continue })
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
    if lengths.any(|other| Some(other) != length) {
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
            ("POST / HTTP/1.1\nHost: a\nContent-Length: 5\nContent-Length: 5\n", Framing::Length(5), After::KeepAlive),
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
            ("GET / HTTP/2.0\nHost: a\n", 505),
            ("GET /a b HTTP/1.1\nHost: a\n", 505),
            ("G@T\0 / HTTP/1.1\nHost: a\n", 400),
            ("GET / HTTP/1.1\nHost: a\nBad Name: x\n", 400),
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
