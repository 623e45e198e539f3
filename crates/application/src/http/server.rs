//! The server: connections, protocols, and what is answered to a request.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderValue, IF_NONE_MATCH, RANGE,
    SERVER,
};
use http::{HeaderMap, Method, Response, StatusCode, Uri, Version};
use hyper::body::Body;
use septet_core::{Metric, Star, Storey};
use septet_presentation::ca::ServerIdentity;
use septet_presentation::tls;
use septet_socket::{Acceptor, ListenOptions, NetExt, NetRef, Nodelay, Places, Stream, TcpOptions, TcpStream};

use super::answers::{Cut, Place, Rules};
use super::body::Payload;
use super::site::{Page, Site};
use super::{http1, http2};

/// How long a client may take over the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// An HTTP server.
#[derive(Clone, Debug)]
pub struct Server {
    site: Arc<Site>,
    listen: Vec<(SocketAddr, Option<ServerIdentity>)>,
}

impl Server {
    /// A server for `site`. It listens nowhere until [`listen`](Self::listen) or
    /// [`listen_tls`](Self::listen_tls) says where; without either, at port 80 of every IPv4 address.
    pub fn new(site: Site) -> Self {
        super::prime();
        Self { site: Arc::new(site), listen: Vec::new() }
    }

    /// Listens at `at` for HTTP/1.1 in the clear.
    #[must_use]
    pub fn listen(mut self, at: SocketAddr) -> Self {
        self.listen.push((at, None));
        self
    }

    /// Listens at `at` for HTTP/2 and HTTP/1.1 over TLS.
    #[must_use]
    pub fn listen_tls(mut self, at: SocketAddr, identity: ServerIdentity) -> Self {
        self.listen.push((at, Some(identity)));
        self
    }

    /// Serves until the host stops.
    ///
    /// # Errors
    /// `AddrInUse` and `AddrNotAvailable` where it cannot listen; nothing a client does ends it.
    pub async fn serve(mut self, net: NetRef) -> io::Result<()> {
        if self.listen.is_empty() {
            self.listen.push((SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80), None));
        }
        let places = Places::default();
        let rules = Arc::new(self.site.rules());
        let mut tasks = Vec::new();
        for (at, identity) in self.listen {
            let tcp = TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() };
            let listener = net.listen(at, ListenOptions { tcp, ..ListenOptions::default() })?;
            let tls = identity.map(|id| tls::Server::new(&net, &id, &[tls::H2, tls::HTTP_1_1])).transpose()?;
            let acceptor = Acceptor::new(listener, &places);
            let (net2, site, rules) = (net.clone(), self.site.clone(), rules.clone());
            let serve = async move {
                let connection = |(stream, peer)| {
                    let (net, site, rules) = (net2.clone(), site.clone(), rules.clone());
                    Handler { net, site, rules, peer }.connection(stream, tls.clone())
                };
                acceptor.serve(&net2, connection).await
            };
            tasks.push(crate::task::spawn(&net, Box::pin(async move { drop(serve.await) })));
        }
        core::future::pending::<()>().await;
        drop(tasks);
        Ok(())
    }
}

#[derive(Clone)]
struct Handler {
    net: NetRef,
    site: Arc<Site>,
    rules: Arc<Rules>,
    peer: SocketAddr,
}

impl Handler {
    async fn connection(self, stream: TcpStream, tls: Option<tls::Server>) {
        self.net.count("http.connections");
        let net = self.net.clone();
        let Some(tls) = tls else { return self.http1(stream).await };
        match net.timeout(HANDSHAKE_TIMEOUT, tls.accept(self.peer, stream)).await {
            Ok(Ok(stream)) if stream.alpn() == Some(tls::H2) => self.http2(stream).await,
            Ok(Ok(stream)) => self.http1(stream).await,
            Ok(Err(_)) | Err(_) => net.count("http.handshake_failed"),
        }
    }

    async fn http1(self, stream: impl Stream + Send + Sync + 'static) {
        let net = self.net.clone();
        // An error is the client's: it reset the connection, or was too slow.
        if let Err(e) = http1::serve(&net, stream, &self).await {
            net.trace(Storey::Application, "http.failed", |f| {
                f.set("way", "received").set("peer", self.peer).set("why", e.to_string());
            });
        }
    }

    async fn http2(self, stream: impl Stream + Send + 'static) {
        let net = self.net.clone();
        http2::serve(&net, stream, self).await;
    }

    async fn respond(
        &self,
        version: &'static str,
        method: Method,
        target: &Uri,
        headers: &HeaderMap,
        taken: u64,
    ) -> Result<Response<Payload>, Cut> {
        let Self { net, site, rules, peer } = self;
        net.count("http.requests");
        net.trace(Storey::Application, "http.request", |f| {
            f.set("way", "received").set("peer", *peer).set("method", method.to_string());
            f.set("target", target.path().to_owned()).set("version", version);
        });
        if taken > 0 {
            net.observe("http.received", taken as f64);
        }
        let rule = rules.find(net, &method, target.path());
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
            return Err(cut);
        }
        let page = site.find(target.path());
        let mut response = match rule.and_then(|r| r.answer.page(page)) {
            Some(page) => show(&page, &method, headers),
            None if !ALLOWED.contains(&method) => not_allowed(),
            None => page.map_or_else(|| plain(StatusCode::NOT_FOUND), |page| show(page, &method, headers)),
        };
        if let Some(rule) = rule {
            response.headers_mut().extend(rule.answer.headers.iter().cloned());
        }
        if let Some((_, (Place::Body(bytes), cut))) = cut {
            response.body_mut().cut(bytes, cut);
        }
        self.sign(&mut response);
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
        Ok(response)
    }

    fn sign(&self, response: &mut Response<Payload>) {
        let headers = response.headers_mut();
        let date = httpdate::fmt_http_date(UNIX_EPOCH + self.net.unix_time());
        if let Ok(date) = HeaderValue::from_str(&date) {
            headers.insert(DATE, date);
        }
        headers.insert(SERVER, HeaderValue::from_static("septet"));
    }
}

impl http1::Answer for Handler {
    async fn answer(&self, head: http::request::Parts, taken: u64) -> Result<Response<Payload>, Cut> {
        let version = if head.version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" };
        self.respond(version, head.method, &head.uri, &head.headers, taken).await
    }

    fn refuse(&self, status: StatusCode) -> Response<Payload> {
        self.net.count("http.refused");
        let mut response = plain(status);
        self.sign(&mut response);
        response
    }

    fn max_body(&self) -> u64 {
        self.site.largest_body()
    }
}

/// A short page that only says its status.
fn plain(status: StatusCode) -> Response<Payload> {
    let text = format!("{status}\n");
    let mut response = Response::new(Payload::bytes(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The methods that a page takes.
const ALLOWED: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::PUT];

fn not_allowed() -> Response<Payload> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT"));
    response
}

fn show(page: &Page, method: &Method, asked: &HeaderMap) -> Response<Payload> {
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
        (StatusCode::NOT_MODIFIED, _) => Response::new(Payload::default()),
        (StatusCode::RANGE_NOT_SATISFIABLE, _) => plain(status),
        (_, &Method::HEAD) => Response::new(Payload::default()),
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

/// What a web server records.
pub const METRICS: &[Metric] = &[
    Metric::counter("http.connections", "connections that a web server took"),
    Metric::counter("http.requests", "requests that a web server took"),
    Metric::counter("http.handshake_failed", "TLS handshakes that came to nothing at a web server"),
    Metric::bytes("http.received", "bytes of the body of each request that has one"),
    Metric::bytes("http.sent", "bytes of the body of each response"),
    Metric::counter("http.answers.*", "answers of a server with this status").of(Star::Number),
    Metric::counter("http.refused", "bytes that are no HTTP, or a head too long, or too late"),
];

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
