//! What answers for a site: its pages and its answers on purpose.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderValue, IF_NONE_MATCH, RANGE, VARY,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use septet_core::Storey;
use septet_socket::{BoxFuture, NetExt, NetRef};

use super::answers::{Place, Rules};
use super::body::Body;
use super::coding::{Choice, negotiate};
use super::page::Page;
use super::service::{Peer, Service, broken, plain, sign};
use super::site::Site;

/// A site on a host.
pub(super) struct Pages {
    net: NetRef,
    site: Arc<Site>,
    rules: Rules,
}

impl Pages {
    pub(super) fn new(net: &NetRef, site: &Arc<Site>) -> Self {
        Self { net: net.clone(), site: site.clone(), rules: site.rules() }
    }

    async fn respond(&self, head: Parts, taken: u64) -> Response<Body> {
        let Self { net, site, rules } = self;
        let Parts { method, uri: target, headers, .. } = &head;
        let peer = head.extensions.get().map(|Peer(peer)| *peer);
        let peer = &peer.unwrap_or_else(|| SocketAddr::from(([0; 4], 0)));
        let version = if head.version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" };
        net.count("http.requests");
        net.trace(Storey::Application, "http.request", |f| {
            f.set("way", "received").set("peer", *peer).set("method", method.to_string());
            f.set("target", target.path().to_owned()).set("version", version);
        });
        if taken > 0 {
            net.observe("http.received", taken as f64);
        }
        let rule = rules.find(net, method, target.path());
        let pause = site.think_time() + rule.map_or(Duration::ZERO, |r| r.answer.delay(net));
        if !pause.is_zero() {
            net.sleep(pause).await;
        }
        let cut = rule.and_then(|r| Some((r, r.answer.cut?)));
        if let Some((rule, (_, cut))) = cut {
            net.trace(Storey::Application, "http.cut", |f| {
                f.set("peer", *peer).set("target", target.path().to_owned()).set("how", cut.name());
                f.set("why", format!("the lab file says `{}`", rule.text));
            });
        }
        if let Some((_, (Place::Start, cut))) = cut {
            return broken(cut);
        }
        let page = site.find(target.path());
        let mut response = match rule.and_then(|r| r.answer.page(page)) {
            Some(page) => self.represent(&page, method, headers),
            None if !ALLOWED.contains(method) => not_allowed(),
            None => page.map_or_else(|| plain(StatusCode::NOT_FOUND), |page| self.represent(page, method, headers)),
        };
        if let Some(rule) = rule {
            response.headers_mut().extend(rule.answer.headers.iter().cloned());
        }
        if let Some((_, (Place::Body(bytes), cut))) = cut {
            response = response.map(|body| body.cut(bytes, cut));
        }
        sign(&**net, &mut response);
        let bytes = response.body().size_hint().exact().unwrap_or(0);
        net.observe("http.sent", bytes as f64);
        net.count(&format!("http.answers.{}", response.status().as_str()));
        net.trace(Storey::Application, "http.response", |f| {
            f.set("way", "sent").set("peer", *peer).set("status", response.status().as_u16());
            f.set("target", target.path().to_owned()).set("bytes", bytes);
            if let Some(rule) = rule {
                f.set("why", format!("the lab file says `{}`", rule.text));
            }
        });
        response
    }
}

impl Pages {
    /// Shows a page in the coding that the client likes most.
    fn represent(&self, page: &Page, method: &Method, asked: &HeaderMap) -> Response<Body> {
        let codings = self.site.codings();
        if codings.is_empty() {
            return show(page, method, asked);
        }
        let mut response = match negotiate(asked, codings) {
            Choice::Identity => show(page, method, asked),
            Choice::Coded(coding) => show(page.coded(coding).as_ref().unwrap_or(page), method, asked),
            Choice::Nothing => plain(StatusCode::NOT_ACCEPTABLE),
        };
        // RFC 9110 §12.5.5: what of the request, beside its target, had a part in the choice.
        response.headers_mut().insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
        response
    }
}

impl Service for Pages {
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async {
            let (head, body) = request.into_parts();
            match take(body, self.site.largest_body()).await {
                Ok(taken) => self.respond(head, taken).await,
                Err(status) => self.refuse(status),
            }
        })
    }

    fn refuse(&self, status: StatusCode) -> Response<Body> {
        self.net.count("http.refused");
        let mut response = plain(status);
        sign(&*self.net, &mut response);
        response
    }

    fn lost(&self, peer: SocketAddr, error: &io::Error) {
        self.net.trace(Storey::Application, "http.failed", |f| {
            f.set("way", "received").set("peer", peer).set("why", error.to_string());
        });
    }
}

/// Takes a body in and counts it, so that the client may finish sending it; the status is what a body that will not do
/// is answered with.
async fn take(mut body: Body, most: u64) -> Result<u64, StatusCode> {
    if body.size_hint().exact().is_some_and(|length| length > most) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut taken = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| match e.kind() {
            io::ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        })?;
        taken += frame.data_ref().map_or(0, |d| d.len() as u64);
        if taken > most {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
    }
    Ok(taken)
}

/// The methods that a page takes.
const ALLOWED: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::PUT];

fn not_allowed() -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT"));
    response
}

fn show(page: &Page, method: &Method, asked: &HeaderMap) -> Response<Body> {
    let len = page.content.len();
    let etag = page.etag();
    let matched = |field: &HeaderValue| {
        // RFC 9110 §13.1.2: the comparison is weak.
        field.to_str().is_ok_and(|f| f.trim() == "*" || f.split(',').any(|t| t.trim().trim_start_matches("W/") == etag))
    };
    let (status, from, to) = if asked.get_all(IF_NONE_MATCH).iter().any(matched) {
        (StatusCode::NOT_MODIFIED, 0, 0)
    } else {
        match asked.get(RANGE).filter(|_| *method == Method::GET && page.status == StatusCode::OK) {
            Some(range) => match parse_range(range, len) {
                Some(Ok((from, to))) => (StatusCode::PARTIAL_CONTENT, from, to),
                Some(Err(())) => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
                None => (page.status, 0, len),
            },
            None => (page.status, 0, len),
        }
    };
    let mut response = match (status, method) {
        (StatusCode::NOT_MODIFIED, _) => Response::new(Body::default()),
        (StatusCode::RANGE_NOT_SATISFIABLE, _) => plain(status),
        (_, &Method::HEAD) => Response::new(Body::default()),
        _ => Response::new(page.content.slice(from, to)),
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(ETAG, &etag);
    set(ACCEPT_RANGES, "bytes");
    match status {
        StatusCode::NOT_MODIFIED => return response,
        StatusCode::RANGE_NOT_SATISFIABLE => {
            set(CONTENT_RANGE, &format!("bytes */{len}"));
            return response;
        }
        StatusCode::PARTIAL_CONTENT => set(CONTENT_RANGE, &format!("bytes {from}-{}/{len}", to - 1)),
        _ => {}
    }
    set(CONTENT_TYPE, &page.content_type);
    if let Some(coding) = page.coding {
        set(CONTENT_ENCODING, coding.name());
    }
    set(CONTENT_LENGTH, &(to - from).to_string());
    if let Some(digest) = page.digest() {
        set(http::HeaderName::from_static("repr-digest"), digest);
    }
    response
}

/// RFC 9110 §14.1.2: the one range of `field` as offsets from and up to; `Err` where none of it lies within `len`,
/// `None` where the field is to be ignored (several ranges, another unit, nonsense).
fn parse_range(field: &HeaderValue, len: u64) -> Option<Result<(u64, u64), ()>> {
    let (first, last) = field.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first.trim(), last.trim()) {
        ("", suffix) => (len.saturating_sub(suffix.parse().ok()?), len),
        (first, "") => (first.parse().ok()?, len),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse::<u64>().ok()?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(len))
        }
    };
    Some(if from < to { Ok((from, to)) } else { Err(()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let parse = |s: &str| parse_range(&HeaderValue::from_str(s).unwrap(), 100);
        assert_eq!(parse("bytes=0-0"), Some(Ok((0, 1))));
        assert_eq!(parse("bytes=90-"), Some(Ok((90, 100))));
        assert_eq!(parse("bytes=-10"), Some(Ok((90, 100))));
        assert_eq!(parse("bytes=-1000"), Some(Ok((0, 100))));
        assert_eq!(parse("bytes=50-18446744073709551615"), Some(Ok((50, 100))));
        assert_eq!(parse("bytes=100-"), Some(Err(())));
        assert_eq!(parse("bytes=-0"), Some(Err(())));
        for ignored in ["bytes=5-4", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=5"] {
            assert_eq!(parse(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn conditions_and_methods() {
        let page = Page::pattern(1000);
        let with = |name, value: &str| HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
        let status = |method, headers| show(&page, &method, &headers).status().as_u16();
        assert_eq!(status(Method::GET, HeaderMap::new()), 200);
        assert_eq!(status(Method::GET, with(IF_NONE_MATCH, &page.etag())), 304);
        assert_eq!(status(Method::GET, with(IF_NONE_MATCH, "\"x\"")), 200);
        assert_eq!(status(Method::GET, with(RANGE, "bytes=1-2")), 206);
        assert_eq!(status(Method::GET, with(RANGE, "bytes=2000-")), 416);
        assert!(!ALLOWED.contains(&Method::DELETE));
        assert_eq!(not_allowed().status(), 405);
        let head = show(&page, &Method::HEAD, &HeaderMap::new());
        assert_eq!((head.headers()[CONTENT_LENGTH].to_str().unwrap(), head.body().is_end_stream()), ("1000", true));
    }
}
