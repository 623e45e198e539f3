//! `[host.X.http]`: a web server.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_application::http::{self as application, Page, Rule, Server};
use septet_application::programs::Transport;
use septet_core::Bytes;
use septet_language::document::Text;
use septet_language::nearest::nearest;
use septet_language::schema::{Key, Phrase, Section, Size, Table, TableOf, Texts, Time};
use septet_language::words::{Word, Wrong};
use septet_presentation::compression::Coding;
use septet_presentation::tls::Versions;

use super::answers::ANSWER;
use crate::believed::{BELIEVED, Believed};
use crate::certificate::{self, Certificate};
use crate::listen::{Listen, Scheme, listen};
use crate::run::{Boot, run};
use crate::service::{Kind, On, Reading, Service};
use crate::site::{Site, StartError};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::Hosts, metrics: application::METRICS, read };

static KEY: Key<TableOf> = Key::new("http", TableOf(&SECTION), "a web server");

static SECTION: Section = Section::new(
    "A web server that answers every request with the same body, but for those that `answers` names.",
    &[&[
        &ANSWERS,
        &BODY,
        &COMPRESS,
        &THINK,
        &LISTEN,
        &MAX_BODY,
        &PROXIED_FROM,
        &certificate::KEY,
        &certificate::VERSIONS,
    ]],
);

static ANSWERS: Key<Texts<Rule>> =
    Key::new("answers", Texts(ANSWER), "what some requests get on purpose, the first that fits: `/flaky: 503 for 30%`");
static BODY: Key<Size> = Key::new("body", Size, "the size of the body of every answer (1kb)");
static COMPRESS: Key<Texts<Coding>> = Key::new(
    "compress",
    Texts(CODING),
    "how answers are compressed for clients that take it, the first that a client likes most: gzip, deflate, br, zstd",
);
static THINK: Key<Time> = Key::new("think", Time, "how long it takes to begin an answer (0s)");
static LISTEN: Key<Texts<Listen>> = Key::new("listen", Texts(LISTENER), "where it listens (`http://:80`)");
static PROXIED_FROM: Key<Texts<Text>> = Key::new(
    "proxy_protocol_from",
    BELIEVED,
    "the prefixes and hosts whose connections begin with a header of the PROXY protocol, which is believed (none)",
);
static MAX_BODY: Key<Size> =
    Key::new("max_body", Size, "the largest body of a request; a larger one is answered 413 (1mb)");

const LISTENER: Phrase<Listen> =
    Phrase { what: "a listener", example: "https://www.shop.test", read: |_, text| http_only(text) };

const CODING: Phrase<Coding> = Phrase { what: "a content coding", example: "gzip", read: |_, text| coding(text) };

/// A web server.
#[derive(Clone, PartialEq, Debug)]
pub struct Http {
    /// The size of the body of every answer.
    pub body: Bytes,
    /// How long it takes to begin an answer.
    pub think: Duration,
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// The largest body of a request that it takes, where the file says.
    pub max_body: Option<Bytes>,
    /// What some requests are answered with on purpose.
    pub answers: Vec<Rule>,
    /// How answers are compressed where the client takes it, the first before the others.
    pub compress: Vec<Coding>,
    /// Who says by the PROXY protocol whose a connection is.
    pub proxied_from: Believed,
    /// What its certificate is like.
    pub certificate: Certificate,
    /// The versions of TLS that it speaks.
    pub versions: Versions,
}

impl Service for Http {
    fn name(&self) -> &'static str {
        KEY.name()
    }

    fn certificate_names(&self) -> Vec<String> {
        self.listen.iter().filter(|l| l.scheme == Scheme::Https).map(|l| l.host.clone()).collect()
    }

    fn authorities(&self) -> Vec<String> {
        self.certificate.authority.iter().cloned().collect()
    }

    fn ports(&self) -> Vec<u16> {
        let mut ports = Vec::new();
        for (i, Listen { scheme, host, port }) in self.listen.iter().enumerate() {
            // Several names share a port, for a client says by TLS which it wants.
            let shares = |other: &Listen| {
                (other.scheme, *scheme, other.port) == (Scheme::Https, Scheme::Https, *port) && other.host != *host
            };
            if !self.listen[..i].iter().any(shares) {
                ports.push(*port);
            }
        }
        ports
    }

    fn places(&self) -> Vec<(Transport, SocketAddr)> {
        self.listen.iter().map(|listen| (Transport::Tcp, listen.at())).collect()
    }

    fn start(&self, site: &dyn Site) -> Result<Boot, StartError> {
        let page = Page::pattern(self.body.0);
        let mut pages = application::Site::new(page)
            .think(self.think)
            .answers(self.answers.clone())
            .compress(self.compress.clone());
        if let Some(most) = self.max_body {
            pages = pages.max_body(most.0);
        }
        let mut server = Server::new(pages).versions(self.versions).proxied_from(self.proxied_from.at(site));
        let mut asked = Vec::new();
        for listen in &self.listen {
            server = match listen.scheme {
                Scheme::Https if self.certificate.request.is_some() => {
                    asked.extend(self.certificate.asks(&listen.host, site).map(|(names, of)| (listen.at(), names, of)));
                    server
                }
                Scheme::Https => match self.certificate.identity(&listen.host, site)? {
                    Some(identity) => server.listen_tls(listen.at(), identity),
                    None => server,
                },
                Scheme::Http | Scheme::Tcp | Scheme::Tls => server.listen(listen.at()),
            };
        }
        Ok(Box::new(move |net| {
            let (mut server, asked, own) = (server.clone(), asked.clone(), net.clone());
            let serve = async move {
                for (at, names, of) in asked {
                    server = server.listen_tls(at, certificate::obtain(&own, &names, of).await?);
                }
                server.serve(own).await
            };
            run(&net, KEY.name(), serve);
        }))
    }
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let mut listen = table.get(&LISTEN).unwrap_or_default();
    if listen.is_empty() {
        listen.push(Listen { scheme: Scheme::Http, host: String::new(), port: 80 });
    }
    let certificate = certificate::read(table, &listen, reading);
    let versions = certificate::versions(table, &listen, reading);
    Some(Arc::new(Http {
        body: table.get(&BODY).unwrap_or(Bytes(1024)),
        think: table.get(&THINK).unwrap_or_default(),
        listen,
        max_body: table.get(&MAX_BODY),
        answers: table.get(&ANSWERS).unwrap_or_default(),
        compress: table.get(&COMPRESS).unwrap_or_default(),
        proxied_from: Believed::read(&table.get(&PROXIED_FROM).unwrap_or_default(), reading),
        certificate,
        versions,
    }))
}

fn coding(text: &Text) -> Result<Coding, Wrong> {
    let name = &text.text[..];
    Coding::find(name).ok_or_else(|| {
        let near = nearest(name, Coding::ALL.map(Coding::name));
        let hint = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        let all = Coding::ALL.map(Coding::name).join(", ");
        Wrong::new("coding", 0..name.len(), format!("no content coding is called `{name}`{hint}; there are {all}"))
    })
}

fn http_only(text: &Text) -> Result<Listen, Wrong> {
    let word = Word { text: &text.text, at: 0 };
    let listen = listen(word)?;
    if !matches!(listen.scheme, Scheme::Http | Scheme::Https) {
        return Err(Wrong::new("url", word.range(), "a web server speaks `http` or `https`"));
    }
    Ok(listen)
}
