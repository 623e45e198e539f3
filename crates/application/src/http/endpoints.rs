//! What a server answers for who tests a client: bytes, delays, statuses, and what was sent.

use core::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};

use super::body::Body;
use super::page::Page;
use super::service::plain;

/// Nobody is made to wait longer.
const LONGEST: u64 = 60_000;

/// What is asked for.
pub(super) enum Endpoint {
    /// So many bytes.
    Bytes(Page),
    /// A pause.
    Delay(Duration),
    /// A status.
    Status(StatusCode),
    /// What was sent.
    Echo,
}

/// The endpoint at `path`, if one is there.
pub(super) fn find(path: &str) -> Option<Endpoint> {
    let (what, value) = path.strip_prefix('/')?.split_once('/').unwrap_or((&path[1..], ""));
    let number = || value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse::<u64>().ok()).flatten();
    match what {
        "bytes" => Some(Endpoint::Bytes(Page::pattern(number()?))),
        "delay" => Some(Endpoint::Delay(Duration::from_millis(number()?.min(LONGEST)))),
        "status" => {
            let status = number().filter(|n| (200..600).contains(n))?;
            Some(Endpoint::Status(StatusCode::from_u16(status as u16).ok()?))
        }
        "echo" => Some(Endpoint::Echo),
        _ => None,
    }
}

/// A short page that says a status, but for the statuses that have none.
pub(super) fn status(status: StatusCode) -> Response<Body> {
    // RFC 9110 §6.4.1: "Responses with status 1xx, 204 and 304 do not include content"; 205 has none either.
    if [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED].contains(&status) {
        let mut response = Response::new(Body::default());
        *response.status_mut() = status;
        return response;
    }
    plain(status)
}

/// What was sent, as what it was sent.
pub(super) fn echo(body: Bytes, headers: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    response
}
