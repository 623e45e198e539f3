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
    let boundary;
    let (mut response, content_range, content_type) = match ranges.as_ref().map(|ranges| ranges.as_deref()) {
        Some(Err(())) => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE);
            validate(&mut response, validators);
            set(&mut response, CONTENT_RANGE, &format!("bytes */{len}"));
            return response;
        }
        Some(Ok([range])) => {
            let response = Response::new((shown.slice)(range.clone()));
            (response, Some(content_range(range, len)), shown.content_type)
        }
        Some(Ok(ranges)) => {
            // The same for the same question, and nothing that the content could have foreseen: it has the content's own tag in it.
            let mark = format!("{:016x}", xxh3_64(format!("{etag} {ranges:?}").as_bytes()));
            boundary = format!("multipart/byteranges; boundary={mark}");
            (Response::new(parts(shown, ranges, &mark)), None, &boundary[..])
        }
        None => {
            let body = if *method == Method::HEAD { Body::default() } else { (shown.slice)(0..len) };
            (Response::new(body), None, shown.content_type)
        }
    };
    let is_part = matches!(ranges, Some(Ok(_)));
    *response.status_mut() = if is_part { StatusCode::PARTIAL_CONTENT } else { status };
    let sent = match is_part {
        true => hyper::body::Body::size_hint(response.body()).exact(),
        false => Some(len),
    };
    validate(&mut response, validators);
    if let Some(content_range) = content_range {
        set(&mut response, CONTENT_RANGE, &content_range);
    }
    set(&mut response, CONTENT_TYPE, content_type);
    if let Some(coding) = shown.coding {
        set(&mut response, CONTENT_ENCODING, coding.name());
    }
    if let Some(sent) = sent {
        set(&mut response, CONTENT_LENGTH, &sent.to_string());
    }
    if let Some(digest) = shown.digest {
        set(&mut response, HeaderName::from_static("repr-digest"), digest);
    }
    response
}

/// §14.6: several parts, each behind a head of its own.
fn parts(shown: &Shown<'_>, ranges: &[Range<u64>], boundary: &str) -> Body {
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
    Body::several(pieces)
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
