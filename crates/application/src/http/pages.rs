//! What answers for a site: its pages, its files and its answers on purpose.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, ALLOW, HOST, HeaderValue, LOCATION, VARY};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use septet_core::{Fields, Storey};
use septet_socket::{BoxFuture, NetExt, NetRef, Note};

use super::access::Access;
use super::answers::{Place, Rules};
use super::body::Body;
use super::coding::{Choice, negotiate};
use super::disk::Reads;
use super::endpoints::{self, Endpoint};
use super::files::Found;
use super::page::Page;
use super::service::{Peer, Service, broken, plain, sign};
use super::show::{Shown, show};
use super::site::{Dots, Listing, Root, Site};
use super::{listing, path};

/// A site on a host, and the other sites that it has for names of hosts.
pub(super) struct Pages {
    net: NetRef,
    site: Arc<Site>,
    rules: Rules,
    others: BTreeMap<String, Pages>,
    reads: Reads,
}

impl Pages {
    pub(super) fn new(net: &NetRef, site: &Arc<Site>) -> Self {
        let other = |(name, site): (&String, &Site)| (name.clone(), Self::new(net, &Arc::new(site.clone())));
        let others = site.other_hosts().iter().map(other).collect();
        Self { net: net.clone(), site: site.clone(), rules: site.rules(), others, reads: Reads::on(&**net) }
    }

    /// The site for who asks for this host.
    fn of_host(&self, head: &Parts) -> &Self {
        if self.others.is_empty() {
            return self;
        }
        self.others.get(&host(head)).unwrap_or(self)
    }

    async fn respond(&self, head: Parts, taken: Taken) -> Response<Body> {
        let Self { net, site, rules, .. } = self;
        let Parts { method, uri: target, headers, .. } = &head;
        let peer = head.extensions.get().map(|Peer(peer)| *peer);
        let peer = &peer.unwrap_or_else(|| SocketAddr::from(([0; 4], 0)));
        let version = if head.version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" };
        net.count("http.requests");
        net.trace(Storey::Application, "http.request", |f| {
            f.set("way", "received").set("peer", *peer).set("method", method.to_string());
            f.set("target", target.path().to_owned()).set("version", version);
        });
        if taken.bytes > 0 {
            net.observe("http.received", taken.bytes as f64);
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
            Some(page) => self.represent(&page, None, method, headers),
            None => self.show(&head, taken.kept).await,
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
        if let Some(form) = site.log() {
            let target = target.path_and_query().map_or(target.path(), |whole| whole.as_str());
            let access = Access {
                peer: *peer,
                unix_time: net.unix_time(),
                method: method.as_str(),
                target,
                version: if head.version == Version::HTTP_2 { "HTTP/2.0" } else { "HTTP/1.1" },
                host: &host(&head),
                headers,
                status: response.status(),
                bytes,
            };
            let mut fields = Fields::default();
            fields.set("line", access.line(form));
            // Told even where nothing else is: the site asks for it.
            net.note(Note { storey: Storey::Application, kind: "http.access", fields });
        }
        response
    }

    /// What the site itself has to show.
    async fn show(&self, head: &Parts, kept: Option<Bytes>) -> Response<Body> {
        let Self { net, site, .. } = self;
        let Parts { method, uri, headers, .. } = head;
        let path = uri.path();
        if site.has_endpoints()
            && let Some(endpoint) = endpoints::find(path)
        {
            return match endpoint {
                Endpoint::Bytes(page) => self.represent(&page, None, method, headers),
                Endpoint::Delay(pause) => {
                    net.sleep(pause).await;
                    self.represent(&Page::pattern(0), None, method, headers)
                }
                Endpoint::Status(status) => endpoints::status(status),
                Endpoint::Echo => endpoints::echo(kept.unwrap_or_default(), headers),
            };
        }
        let page = match site.files() {
            Some(root) if site.page_at(path).is_none() => return self.show_file(root, head),
            _ => site.find(path),
        };
        match page {
            _ if !ALLOWED.contains(method) => not_allowed("GET, HEAD, POST, PUT"),
            Some(page) => self.represent(page, None, method, headers),
            None => plain(StatusCode::NOT_FOUND),
        }
    }

    fn show_file(&self, root: &Root, head: &Parts) -> Response<Body> {
        let Parts { method, uri, headers, .. } = head;
        let mut segments = match path::segments(uri.path()) {
            Ok(segments) => segments,
            Err(status) => return plain(status),
        };
        let hidden = |segment: &String| segment.starts_with('.') && segment != ".well-known";
        if root.dots == Dots::Hidden && segments.iter().any(hidden) {
            return plain(StatusCode::NOT_FOUND);
        }
        if *method != Method::GET && *method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        let is_directory = segments.last().is_some_and(String::is_empty);
        if is_directory {
            segments.pop();
        }
        match root.files.find(&segments) {
            // A file is not also a directory.
            Found::Page(..) | Found::Large(_) if is_directory => plain(StatusCode::NOT_FOUND),
            Found::Directory if !is_directory => {
                // Relative links of its page would lead beside it.
                let names: Vec<String> = segments.iter().map(|segment| path::encode(segment)).collect();
                let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
                let mut response = plain(StatusCode::MOVED_PERMANENTLY);
                if let Ok(to) = HeaderValue::from_str(&format!("/{}/{query}", names.join("/"))) {
                    response.headers_mut().insert(LOCATION, to);
                }
                response
            }
            Found::Directory => {
                for name in &root.index {
                    segments.push(name.clone());
                    match root.files.find(&segments) {
                        Found::Nothing(StatusCode::NOT_FOUND) | Found::Directory => drop(segments.pop()),
                        found => return self.show_found(found, method, headers),
                    }
                }
                match (root.listing, root.files.list(&segments)) {
                    (Listing::Hidden, _) | (_, Err(_)) => plain(StatusCode::FORBIDDEN),
                    (Listing::Shown, Ok(mut listed)) => {
                        listed.retain(|entry| root.dots == Dots::Shown || !hidden(&entry.name));
                        let at = format!("/{}", segments.iter().map(|s| format!("{s}/")).collect::<String>());
                        self.represent(&listing::page(&at, &listed), None, method, headers)
                    }
                }
            }
            found => self.show_found(found, method, headers),
        }
    }

    fn show_found(&self, found: Found, method: &Method, headers: &HeaderMap) -> Response<Body> {
        match found {
            Found::Page(page, modified) => self.represent(&page, modified, method, headers),
            Found::Large(file) => {
                let shown = Shown {
                    status: StatusCode::OK,
                    len: file.len,
                    etag: &file.etag,
                    modified: Some(file.modified),
                    content_type: file.kind,
                    coding: None,
                    digest: None,
                    slice: &|range| file.slice(range, self.reads),
                };
                show(&shown, method, headers)
            }
            Found::Nothing(status) => plain(status),
            Found::Directory => plain(StatusCode::NOT_FOUND),
        }
    }
}

/// The host that is asked for, in small letters and without its port.
fn host(head: &Parts) -> String {
    let field = || head.headers.get(HOST).and_then(|field| field.to_str().ok());
    let host = head.uri.authority().map(http::uri::Authority::as_str).or_else(field).unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

impl Pages {
    /// Shows a page in the coding that the client likes most.
    fn represent(&self, page: &Page, modified: Option<u64>, method: &Method, asked: &HeaderMap) -> Response<Body> {
        let codings = self.site.codings();
        if codings.is_empty() {
            return show_page(page, modified, method, asked);
        }
        let mut response = match negotiate(asked, codings) {
            Choice::Identity => show_page(page, modified, method, asked),
            Choice::Coded(coding) => show_page(page.coded(coding).as_ref().unwrap_or(page), modified, method, asked),
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
            let of_host = self.of_host(&head);
            let site = &of_host.site;
            let keeps = site.has_endpoints() && matches!(endpoints::find(head.uri.path()), Some(Endpoint::Echo));
            let keeping = if keeps { Keeping::All } else { Keeping::Nothing };
            match take(body, site.largest_body(), keeping).await {
                Ok(taken) => of_host.respond(head, taken).await,
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
async fn take(mut body: Body, most: u64, keeping: Keeping) -> Result<Taken, StatusCode> {
    if body.size_hint().exact().is_some_and(|length| length > most) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut taken = Taken::default();
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| match e.kind() {
            io::ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        })?;
        let Some(data) = frame.data_ref() else { continue };
        taken.bytes += data.len() as u64;
        if taken.bytes > most {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if keeping == Keeping::All {
            kept.extend_from_slice(data);
        }
    }
    taken.kept = Some(kept.freeze());
    Ok(taken)
}

/// What was taken in of a request.
#[derive(Default)]
struct Taken {
    bytes: u64,
    /// What it was, where that is wanted.
    kept: Option<Bytes>,
}

/// What is kept of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keeping {
    Nothing,
    All,
}

/// The methods that a page takes.
const ALLOWED: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::PUT];

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn show_page(page: &Page, modified: Option<u64>, method: &Method, asked: &HeaderMap) -> Response<Body> {
    let etag = page.etag();
    let shown = Shown {
        status: page.status,
        len: page.content.len(),
        etag: &etag,
        modified,
        content_type: &page.content_type,
        coding: page.coding,
        digest: page.digest(),
        slice: &|range| page.content.slice(range.start, range.end),
    };
    show(&shown, method, asked)
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_LENGTH, IF_NONE_MATCH, RANGE};

    use super::*;

    #[test]
    fn conditions_and_methods() {
        let page = Page::pattern(1000);
        let with = |name, value: &str| HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
        let status = |method, headers| show_page(&page, None, &method, &headers).status().as_u16();
        assert_eq!(status(Method::GET, HeaderMap::new()), 200);
        assert_eq!(status(Method::GET, with(IF_NONE_MATCH, &page.etag())), 304);
        assert_eq!(status(Method::GET, with(IF_NONE_MATCH, "\"x\"")), 200);
        assert_eq!(status(Method::GET, with(RANGE, "bytes=1-2")), 206);
        assert_eq!(status(Method::GET, with(RANGE, "bytes=2000-")), 416);
        assert!(!ALLOWED.contains(&Method::DELETE));
        assert_eq!(not_allowed("GET, HEAD").status(), 405);
        let head = show_page(&page, None, &Method::HEAD, &HeaderMap::new());
        assert_eq!((head.headers()[CONTENT_LENGTH].to_str().unwrap(), head.body().is_end_stream()), ("1000", true));
    }
}
