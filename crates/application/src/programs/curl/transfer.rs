//! One transfer: a name looked up, a connection, a request, a response; and again where it is redirected.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, LOCATION, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use septet_core::{Instant, Storey};
use septet_presentation::tls;
use septet_socket::{NetExt, NetRef, Nodelay, TcpOptions, TcpStream};

use super::cookies::Jar;
use super::error::{CurlError, Progress};
use super::options::{Compressed, Connections, Fail, Http, Job, Options, Repeat, SetCookies, Show, TlsSessions};
use super::output::{Sink, Teller, head_text, status_line};
use super::url::{Scheme, Url};
use crate::dial::{Dial, DialError, Step};
use crate::dns::{LookupError, Resolver};
use crate::http::{Body as Outgoing, Connection, Decoding, Digester, Version, base64};

/// What transfers share: the names that were looked up, and connections that are kept.
pub(super) struct Session {
    pub(super) net: NetRef,
    pub(super) options: Options,
    pub(super) teller: Teller,
    resolver: Arc<Resolver>,
    kept: Mutex<BTreeMap<(Scheme, String, u16), Vec<Open>>>,
    /// Held while a connection is opened that others may share.
    opening: tokio::sync::Mutex<Shared>,
    cookies: Jar,
    /// The client of TLS that remembers its sessions.
    met: Mutex<Option<tls::Client>>,
}

/// Whether servers let several transfers share a connection.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Shared {
    #[default]
    Perhaps,
    /// One spoke HTTP/1.1: nobody waits for another's connection any more.
    No,
}

/// What became of a transfer.
#[derive(Clone, Default, Debug)]
pub(super) struct Report {
    pub(super) url: String,
    pub(super) method: String,
    pub(super) status: u16,
    pub(super) version: &'static str,
    pub(super) times: Times,
    pub(super) downloaded: u64,
    pub(super) uploaded: u64,
    pub(super) header_bytes: u64,
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) connects: u32,
    pub(super) redirects: u32,
    pub(super) redirect_url: Option<String>,
    pub(super) content_type: Option<String>,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
}

/// Moments of a transfer, counted from its beginning.
#[derive(Clone, Default, Debug)]
pub(super) struct Times {
    pub(super) lookup: Option<Duration>,
    pub(super) connect: Option<Duration>,
    pub(super) handshake: Option<Duration>,
    pub(super) ready: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    pub(super) total: Option<Duration>,
}

/// An open connection.
struct Open {
    connection: Connection,
    local: Option<SocketAddr>,
    remote: SocketAddr,
    /// By which alert its TLS was ended.
    alert: tls::Alert,
}

impl Open {
    /// Why an exchange over it failed.
    fn failure(&self, e: &hyper::Error, received: Progress) -> CurlError {
        // For a client of TLS 1.3 the handshake is over when its server finds something amiss with his certificate.
        self.alert.received().map_or_else(|| CurlError::from_exchange(e, received), CurlError::Alert)
    }

    /// The same connection for another transfer at the same time, where that can be.
    fn share(&self) -> Option<Self> {
        Some(Self { connection: self.connection.share()?, alert: self.alert.clone(), ..*self })
    }
}

impl Session {
    pub(super) fn new(net: NetRef, options: Options, teller: Teller) -> Self {
        let resolver = Resolver::new(net.clone());
        let (kept, cookies, met, opening) = Default::default();
        Self { net, options, teller, resolver, kept, opening, cookies, met }
    }

    /// Who shakes hands: with `--tls-resume` one that knows whom it met before.
    fn tls_client(&self, alpn: &[&str]) -> std::io::Result<tls::Client> {
        let new = || {
            let client = tls::Client::new(&self.net, &self.options.trust, self.options.versions, alpn)?;
            Ok(self.options.identity.iter().fold(client, tls::Client::showing))
        };
        if self.options.sessions == TlsSessions::New {
            return new();
        }
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        match &*met {
            Some(client) => Ok(client.clone()),
            None => Ok(met.insert(new()?).clone()),
        }
    }

    /// Fetches `url` into `sink`, within `--max-time`.
    pub(super) async fn transfer(&self, url: &Url, sink: &mut Sink) -> (Report, Result<(), CurlError>) {
        let begun = self.net.now();
        let mut report = Report::default();
        let result = {
            let work = self.follow(url.clone(), sink, &mut report, begun);
            match self.options.max_time {
                None => work.await,
                Some(limit) => match self.net.timeout(limit, work).await {
                    Ok(result) => result,
                    Err(_) => Err(CurlError::TimedOut { after: limit, received: 0 }),
                },
            }
        };
        report.times.total = Some(self.net.now() - begun);
        let result = match result {
            Err(CurlError::TimedOut { after, .. }) => Err(CurlError::TimedOut { after, received: report.downloaded }),
            other => other,
        };
        (report, result)
    }

    async fn follow(
        &self,
        mut url: Url,
        sink: &mut Sink,
        report: &mut Report,
        begun: Instant,
    ) -> Result<(), CurlError> {
        let mut method = self.options.first_method().to_owned();
        let mut data = self.options.data.clone();
        loop {
            report.url = url.to_string();
            report.method.clone_from(&method);
            report.redirect_url = None;
            let response = self.request(&url, &method, data.clone(), report, begun).await?;
            let status = response.1.status();
            let location = response.1.headers().get(LOCATION).and_then(|l| l.to_str().ok()).map(str::to_owned);
            let next = match location.filter(|_| status.is_redirection()) {
                Some(location) => Some(url.join(&location)?),
                None => None,
            };
            report.redirect_url = next.as_ref().map(ToString::to_string);
            match (next, self.options.redirects) {
                (Some(next), Some(limit)) => {
                    self.receive(&url, response, &mut Sink::Nowhere, report, begun).await?;
                    if report.redirects >= limit {
                        return Err(CurlError::Redirects(limit));
                    }
                    report.redirects += 1;
                    self.teller.info(|| format!("Issue another request to this URL: '{next}'"));
                    // RFC 9110 §15.4: 303 becomes a GET; so does a POST with 301 and 302, as every client does it.
                    let to_get = match status {
                        StatusCode::SEE_OTHER => method != "HEAD",
                        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == "POST",
                        _ => false,
                    };
                    if to_get {
                        "GET".clone_into(&mut method);
                        data = None;
                    }
                    url = next;
                }
                _ => return self.receive(&url, response, sink, report, begun).await,
            }
        }
    }

    /// Sends one request and waits for the head of the response.
    async fn request(
        &self,
        url: &Url,
        method: &str,
        data: Option<Vec<u8>>,
        report: &mut Report,
        begun: Instant,
    ) -> Result<(Open, Response<Incoming>), CurlError> {
        let mut fresh = false;
        loop {
            let mut open = self.take_kept(url);
            // curl(1), --parallel-immediate: without it curl waits "to see if other transfers can be multiplexed on the same
            // connection".
            let mut opening = None;
            if open.is_none() && !fresh && self.may_share(url) {
                let turn = self.opening.lock().await;
                open = self.take_kept(url);
                opening = Some(turn).filter(|turn| open.is_none() && **turn == Shared::Perhaps);
            }
            let mut open = match open {
                Some(open) if !fresh => {
                    self.teller.info(|| format!("Re-using existing connection with host {}", url.host));
                    open
                }
                _ => {
                    fresh = true;
                    let limit = self.options.connect_timeout;
                    let late = |_| Err(CurlError::ConnectTimedOut { after: limit });
                    let until = self.net.now() + limit;
                    let until = self.options.max_time.map_or(until, |most| until.min(begun + most));
                    let open =
                        self.net.timeout(limit, self.open(url, report, begun, until)).await.unwrap_or_else(late)?;
                    if let Some(turn) = &mut opening {
                        match open.share() {
                            Some(shared) => self.keep(url, shared),
                            None => **turn = Shared::No,
                        }
                    }
                    open
                }
            };
            drop(opening);
            (report.local, report.remote) = (open.local, Some(open.remote));
            report.times.ready = Some(self.net.now() - begun);
            let version = open.connection.version();
            report.version = if version == Version::Http2 { "2" } else { "1.1" };
            let request = self.build(url, method, data.clone(), version)?;
            let line = match version {
                Version::Http1 => format!("{method} {} HTTP/1.1", url.target),
                Version::Http2 => format!("{method} {} HTTP/2", url.target),
            };
            let mut shown = request.headers().clone();
            if version == Version::Http2 {
                let others = core::mem::take(&mut shown);
                shown.extend([(HOST, HeaderValue::from_str(&url.authority()).unwrap_or(HeaderValue::from_static("")))]);
                shown.extend(others);
            }
            self.teller.head('>', &head_text(&line, &shown, version));
            self.net.trace(Storey::Application, "http.request", |f| {
                f.set("way", "sent").set("peer", open.remote).set("method", method.to_owned());
                f.set("target", url.target.clone())
                    .set("version", if version == Version::Http2 { "HTTP/2" } else { "HTTP/1.1" });
            });
            report.uploaded = data.as_ref().map_or(0, |d| d.len() as u64);
            match open.connection.send(request).await {
                Ok(response) => {
                    report.times.first_byte = Some(self.net.now() - begun);
                    report.status = response.status().as_u16();
                    if self.options.set_cookies == SetCookies::Kept {
                        self.cookies.take(url, response.headers(), self.net.unix_time());
                    }
                    return Ok((open, response));
                }
                // The server closed a kept connection before it saw the request: that is no failure of the transfer.
                Err(e) if !fresh && (e.is_incomplete_message() || e.is_canceled() || e.is_closed()) => {
                    self.teller.info(|| "Connection died, retrying a fresh connect".to_owned());
                    self.net.trace(Storey::Application, "http.retry", |f| {
                        f.set("peer", open.remote).set("target", url.target.clone());
                        f.set("why", "the kept connection died before the request was answered");
                    });
                    fresh = true;
                }
                Err(e) => return Err(open.failure(&e, Progress::Nothing)),
            }
        }
    }

    fn build(
        &self,
        url: &Url,
        method: &str,
        data: Option<Vec<u8>>,
        version: Version,
    ) -> Result<Request<Outgoing>, CurlError> {
        let bad = |e: http::Error| CurlError::Url(e.to_string());
        let mut fields: Vec<(HeaderName, String)> = Vec::new();
        if version == Version::Http1 {
            fields.push((HOST, url.authority()));
        }
        // To whoever a redirect leads nobody was to be told it.
        let named = |job: &Job| (&job.url.host, job.url.port) == (&url.host, url.port);
        if let Some(user) = self.options.user.as_ref().filter(|_| self.options.jobs.iter().any(named)) {
            fields.push((AUTHORIZATION, format!("Basic {}", base64(user.as_bytes()))));
        }
        fields.push((USER_AGENT, self.options.user_agent.clone()));
        fields.push((ACCEPT, "*/*".to_owned()));
        if self.options.compressed == Compressed::Yes {
            fields.push((ACCEPT_ENCODING, "deflate, gzip, br, zstd".to_owned()));
        }
        if data.is_some() {
            fields.push((CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned()));
        }
        for (name, value) in &self.options.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| bad(e.into()))?;
            // A line of the user's takes the place of curl's own; several of the user's with one name all go.
            let own = fields.iter().position(|(n, _)| {
                *n == name && [HOST, AUTHORIZATION, USER_AGENT, ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE].contains(n)
            });
            match own {
                Some(i) if value.is_empty() => drop(fields.remove(i)),
                Some(i) => value.clone_into(&mut fields[i].1),
                None if value.is_empty() => {}
                None if name == HOST && version == Version::Http2 => {}
                None => fields.push((name, value.trim().to_owned())),
            }
        }
        if !fields.iter().any(|(name, _)| *name == COOKIE) {
            let kept = self.cookies.line(url, self.net.unix_time());
            let cookies: Vec<_> = kept.into_iter().chain(self.options.cookies.iter().cloned()).collect();
            if !cookies.is_empty() {
                fields.push((COOKIE, cookies.join("; ")));
            }
        }
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(&value).map_err(|e| bad(e.into()))?);
        }
        let uri = match version {
            Version::Http1 => url.target.clone(),
            Version::Http2 => url.to_string(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Bytes::from(data.unwrap_or_default()).into())
            .map_err(bad)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn receive(
        &self,
        url: &Url,
        (open, response): (Open, Response<Incoming>),
        sink: &mut Sink,
        report: &mut Report,
        begun: Instant,
    ) -> Result<(), CurlError> {
        let version = open.connection.version();
        let (head, mut body) = response.into_parts();
        let text = head_text(&status_line(head.status, version), &head.headers, version);
        report.header_bytes += text.len() as u64;
        report.content_type = head.headers.get(CONTENT_TYPE).and_then(|t| t.to_str().ok()).map(str::to_owned);
        self.teller.head('<', &text);
        let seconds = head.headers.get(RETRY_AFTER).and_then(|s| s.to_str().ok()?.trim().parse().ok());
        report.retry_after = seconds.map(Duration::from_secs);
        let failed = head.status.as_u16() >= 400;
        if self.options.fail == Fail::OnStatus && failed {
            return Err(CurlError::Status(head.status.as_u16()));
        }
        if self.options.show != Show::Body {
            sink.write(text.as_bytes())?;
        }
        // Only of a whole representation is the digest the digest of what comes.
        let claimed = head.headers.get("repr-digest").and_then(|d| d.to_str().ok());
        let claimed = claimed.filter(|_| head.status == StatusCode::OK && report.method != "HEAD");
        let mut digester = (self.options.repeat.is_some() && claimed.is_some()).then(Digester::default);
        let mut decoding = match self.options.compressed {
            Compressed::Yes => Decoding::of(&head.headers)
                .map_err(|name| CurlError::Coding(format!("Unrecognized content encoding type: {name}")))?,
            Compressed::No => None,
        };
        report.downloaded = 0;
        while let Some(frame) = body.frame().await {
            let missing = body.size_hint().exact();
            let frame = frame.map_err(|e| open.failure(&e, Progress::Body { missing }))?;
            let Some(data) = frame.data_ref() else { continue };
            report.downloaded += data.len() as u64;
            if let Some(digester) = &mut digester {
                digester.update(data);
            }
            match &mut decoding {
                Some(decoding) => decoding.push(data, &mut |bytes| sink.write(bytes))?,
                None => sink.write(data)?,
            }
        }
        if let Some(decoding) = &decoding {
            decoding.finish()?;
        }
        open.connection.because();
        self.net.trace(Storey::Application, "http.response", |f| {
            f.set("way", "received").set("peer", open.remote).set("status", head.status.as_u16());
            f.set("target", url.target.clone()).set("bytes", report.downloaded);
            f.set("took", self.net.now() - begun);
        });
        if let (Some(digester), Some(claimed)) = (digester, claimed)
            && Digester::matches(claimed, &digester.finish()) == Some(false)
        {
            return Err(CurlError::Digest);
        }
        self.keep(url, open);
        if self.options.fail == Fail::WithBody && failed {
            Err(CurlError::Status(head.status.as_u16()))
        } else {
            Ok(())
        }
    }

    /// Opens a connection: name, TCP, TLS, HTTP.
    async fn open(&self, url: &Url, report: &mut Report, begun: Instant, until: Instant) -> Result<Open, CurlError> {
        let (stream, remote) = self.connect(url, report, begun, until).await?;
        report.times.connect = Some(self.net.now() - begun);
        report.connects += 1;
        let local = stream.local_addr().ok();
        self.teller.info(|| format!("Connected to {} ({}) port {}", url.host, remote.ip(), remote.port()));
        let mut alert = tls::Alert::default();
        let connection = match url.scheme {
            Scheme::Http => Connection::new(&self.net, stream, Version::Http1).await,
            Scheme::Https => {
                let alpn: &[&str] = match self.options.http {
                    Http::Best => &[tls::H2, tls::HTTP_1_1],
                    Http::Only1 => &[tls::HTTP_1_1],
                };
                self.teller.info(|| format!("ALPN: offers {}", alpn.join(",")));
                let refused = |e: std::io::Error| CurlError::from_handshake(&e);
                let client = self.tls_client(alpn).map_err(refused)?;
                let stream = client.connect(&url.host, remote, stream).await.map_err(refused)?;
                report.times.handshake = Some(self.net.now() - begun);
                self.teller.info(|| {
                    format!("SSL connection using {} / {}", stream.version().replace("TLS ", "TLSv"), stream.suite())
                });
                self.teller.info(|| match stream.alpn() {
                    Some(protocol) => format!("ALPN: server accepted {protocol}"),
                    None => "ALPN: server did not agree on a protocol. Uses default.".to_owned(),
                });
                if let Some(leaf) = stream.peer_certificates().first() {
                    let print = septet_presentation::ca::fingerprint(leaf);
                    self.teller.info(|| format!("Server certificate: SHA-256 {print}"));
                }
                let version = if stream.alpn() == Some(tls::H2) { Version::Http2 } else { Version::Http1 };
                alert = stream.alert();
                Connection::new(&self.net, stream, version).await
            }
        };
        let broken =
            |e: std::io::Error| alert.received().map_or_else(|| CurlError::Receive(e.to_string()), CurlError::Alert);
        Ok(Open { connection: connection.map_err(broken)?, local, remote, alert })
    }

    /// Connects to the host of a URL, or to the address that `--resolve` gives it.
    async fn connect(
        &self,
        url: &Url,
        report: &mut Report,
        begun: Instant,
        until: Instant,
    ) -> Result<(TcpStream, SocketAddr), CurlError> {
        let lookup = Mutex::new(&mut report.times.lookup);
        let tell = |step: Step<'_>| match step {
            Step::Known => **lookup.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.net.now() - begun),
            Step::Trying(remote) => self.teller.info(|| format!("  Trying {remote}...")),
            Step::Failed(remote, e) => self.teller.info(|| format!("connect to {remote} failed: {e}")),
        };
        let options = TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() };
        let Options { family, eyeballs: delay, resolve, .. } = &self.options;
        let dial =
            Dial { net: &self.net, options: &options, family: *family, delay: *delay, until: Some(until), tell: &tell };
        let given = resolve.iter().find(|(host, port, _)| (*host == url.host || host == "*") && (*port == url.port));
        let dialled = match given {
            None => dial.by_name(&self.resolver, &url.host, url.port).await,
            Some((.., addresses)) => {
                let addresses: Vec<IpAddr> = addresses.iter().copied().filter(|ip| family.has(*ip)).collect();
                match addresses.is_empty() {
                    true => Err(DialError::Lookup(LookupError::NoData(url.host.clone()))),
                    false => dial.to(&addresses, url.port).await,
                }
            }
        };
        dialled.map_err(|e| match e {
            DialError::Lookup(why) => CurlError::Resolve { host: url.host.clone(), why },
            DialError::Connect(e) => {
                let after = self.net.now() - begun;
                CurlError::Connect { host: url.host.clone(), port: url.port, after, why: e.kind(), text: e.to_string() }
            }
        })
    }

    fn take_kept(&self, url: &Url) -> Option<Open> {
        let key = (url.scheme, url.host.clone(), url.port);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = kept.get_mut(&key)?;
        while let Some(open) = idle.pop() {
            if !open.connection.is_closed() {
                if let Some(shared) = open.share() {
                    idle.push(shared);
                }
                return Some(open);
            }
        }
        None
    }

    /// Whether a transfer may go beside others on one connection.
    fn may_share(&self, url: &Url) -> bool {
        let at_once = |repeat: &Repeat| repeat.at_once > 1 && repeat.connections == Connections::Reused;
        url.scheme == Scheme::Https
            && self.options.http == Http::Best
            && self.options.repeat.as_ref().is_some_and(at_once)
    }

    fn keep(&self, url: &Url, open: Open) {
        let fresh = matches!(&self.options.repeat, Some(repeat) if repeat.connections == Connections::Fresh);
        if fresh || open.connection.is_closed() {
            self.teller.info(|| "Closing connection".to_owned());
            return;
        }
        self.teller.info(|| format!("Connection to host {} left intact", url.host));
        let key = (url.scheme, url.host.clone(), url.port);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = kept.entry(key).or_default();
        // One that is shared is there already.
        if !idle.iter().any(|known| (known.local, known.remote) == (open.local, open.remote)) {
            idle.push(open);
        }
    }
}
