//! How a representation is shown to who asks for it: whole, in parts, or not at all because it is known already.

use core::fmt::Write as _;
use core::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, Method, Response, StatusCode};
use septet_presentation::compression::Coding;
use xxhash_rust::xxh3::xxh3_64;

use super::body::Body;
use super::conditions::{Validators, judge, range_holds};
use super::range;
use super::service::plain;

/// What is to be shown.
pub(super) struct Shown<'a> {
    pub(super) status: StatusCode,
    pub(super) len: u64,
    pub(super) etag: &'a str,
    /// In seconds since 1970.
    pub(super) modified: Option<u64>,
    pub(super) content_type: &'a str,
    pub(super) coding: Option<Coding>,
    pub(super) digest: Option<&'a str>,
    /// The bytes from here up to there.
    pub(super) slice: &'a dyn Fn(Range<u64>) -> Body,
}

/// The response to a request with these fields.
pub(super) fn show(shown: &Shown<'_>, method: &Method, asked: &HeaderMap) -> Response<Body> {
    let Shown { status, len, etag, modified, .. } = *shown;
    let validators = Validators { etag, modified };
    // What stands for an error has no preconditions, for they are about what was asked for.
    if status == StatusCode::OK
        && let Some(status) = judge(validators, method, asked)
    {
        let mut response =
            if status == StatusCode::NOT_MODIFIED { Response::new(Body::default()) } else { plain(status) };
        *response.status_mut() = status;
        validate(&mut response, validators);
        return response;
    }
    let ranged = *method == Method::GET && status == StatusCode::OK && range_holds(validators, asked);
    let ranges = asked.get(RANGE).filter(|_| ranged).and_then(|field| range::parse(field, len));
    let mut response = match ranges.as_ref().map(|ranges| ranges.as_deref()) {
        Some(Err(())) => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut response, CONTENT_RANGE, &format!("bytes */{len}"));
            validate(&mut response, validators);
            return response;
        }
        Some(Ok([range])) => {
            let mut response = Response::new((shown.slice)(range.clone()));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut response, CONTENT_RANGE, &content_range(range, len));
            set(&mut response, CONTENT_LENGTH, &(range.end - range.start).to_string());
            set(&mut response, CONTENT_TYPE, shown.content_type);
            response
        }
        Some(Ok(ranges)) => parts(shown, ranges),
        None => {
            let body = if *method == Method::HEAD { Body::default() } else { (shown.slice)(0..len) };
            let mut response = Response::new(body);
            *response.status_mut() = status;
            set(&mut response, CONTENT_LENGTH, &len.to_string());
            set(&mut response, CONTENT_TYPE, shown.content_type);
            response
        }
    };
    validate(&mut response, validators);
    if let Some(coding) = shown.coding {
        set(&mut response, CONTENT_ENCODING, coding.name());
    }
    if let Some(digest) = shown.digest {
        set(&mut response, HeaderName::from_static("repr-digest"), digest);
    }
    response
}

/// §14.6: several parts, each behind a head of its own.
fn parts(shown: &Shown<'_>, ranges: &[Range<u64>]) -> Response<Body> {
    // The same for the same question, and nothing that the content could have foreseen: it has the content's own tag in it.
    let boundary = format!("{:016x}", xxh3_64(format!("{} {ranges:?}", shown.etag).as_bytes()));
    let mut pieces = Vec::with_capacity(2 * ranges.len() + 1);
    let mut head = String::new();
    for range in ranges {
        let _ = write!(head, "--{boundary}\r\nContent-Type: {}\r\n", shown.content_type);
        let _ = write!(head, "Content-Range: {}\r\n\r\n", content_range(range, shown.len));
        pieces.push(core::mem::take(&mut head).into());
        pieces.push((shown.slice)(range.clone()));
        head.push_str("\r\n");
    }
    let _ = write!(head, "--{boundary}--\r\n");
    pieces.push(head.into());
    let body = Body::several(pieces);
    let len = hyper::body::Body::size_hint(&body).exact();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    set(&mut response, CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
    if let Some(len) = len {
        set(&mut response, CONTENT_LENGTH, &len.to_string());
    }
    response
}

fn content_range(range: &Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", range.start, range.end - 1)
}

/// What the client may ask by the next time.
fn validate(response: &mut Response<Body>, of: Validators<'_>) {
    set(response, ETAG, of.etag);
    set(response, ACCEPT_RANGES, "bytes");
    if let Some(modified) = of.modified {
        set(response, LAST_MODIFIED, &httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(modified)));
    }
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
