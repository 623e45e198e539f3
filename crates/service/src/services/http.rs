//! `[host.X.http]`: a web server.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_application::http::{
    self as application, AccessLog, Dots, Endpoints, Files, Listing, Page, Root, Rule, Server,
};
use septet_application::programs::Transport;
use septet_core::Bytes;
use septet_language::document::Text;
use septet_language::mistake::Mistake;
use septet_language::nearest::nearest;
use septet_language::schema::{
    AnyKey, Choice, Key, Line, Named, Phrase, Section, Size, Switch, Table, TableOf, Texts, Time,
};
use septet_language::units::Refusal;
use septet_language::words::{Word, Wrong};
use septet_presentation::ca;
use septet_presentation::compression::Coding;
use septet_presentation::tls::Versions;

use super::answers::ANSWER;
use crate::believed::{BELIEVED, Believed};
use crate::certificate::{self, Certificate};
use crate::clients::{self, ClientCertificates};
use crate::listen::{Listen, Scheme, listen};
use crate::run::{Boot, run};
use crate::service::{Kind, On, Reading, Service};
use crate::site::{Site, StartError};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::Hosts, metrics: application::METRICS, read };

static KEY: Key<TableOf> = Key::new("http", TableOf(&SECTION), "a web server");

static SECTION: Section = Section::new(
    "A web server that shows the files of a directory, or answers every request with the same body, but for those that `answers` names.",
    &[PAGES, &[&LISTEN, &MAX_BODY, &PROXIED_FROM, &certificate::KEY, &certificate::VERSIONS, &clients::KEY, &HOSTS]],
);

/// The keys that other hosts of the server have as well.
const PAGES: &[&dyn AnyKey] =
    &[&ANSWERS, &BODY, &COMPRESS, &THINK, &ROOT, &INDEX, &LISTING, &DOTS, &ENDPOINTS, &ACCESS_LOG];

static HOST: Section = Section::new("What a web server shows to who asks for this host.", &[PAGES]);

static ANSWERS: Key<Texts<Rule>> =
    Key::new("answers", Texts(ANSWER), "what some requests get on purpose, the first that fits: `/flaky: 503 for 30%`");
static BODY: Key<Size> = Key::new("body", Size, "the size of the body of every answer (1kb)");
static COMPRESS: Key<Texts<Coding>> = Key::new(
    "compress",
    Texts(CODING),
    "how answers are compressed for clients that take it, the first that a client likes most: gzip, deflate, br, zstd",
);
static THINK: Key<Time> = Key::new("think", Time, "how long it takes to begin an answer (0s)");
static ROOT: Key<Line> = Key::new(
    "root",
    Line,
    "the directory whose files it shows instead of `body`; in a lab as they are when the lab is read",
);
static INDEX: Key<Texts<Text>> = Key::new(
    "index",
    Texts(Phrase::later("the name of a file", "index.html")),
    "what stands for a directory (`index.html`)",
);
static LISTING: Key<Switch> =
    Key::new("listing", Switch, "whether a directory without such a file is listed (false: 403)");
static DOTS: Key<Switch> =
    Key::new("dot_files", Switch, "whether names that begin with a dot are shown (false: 404, but for `.well-known`)");
static ENDPOINTS: Key<Switch> = Key::new(
    "endpoints",
    Switch,
    "whether it answers for who tests a client: `/bytes/N`, `/delay/MILLISECONDS`, `/status/N`, `/echo` (false)",
);
static ACCESS_LOG: Key<Choice<AccessLog>> = Key::new(
    "access_log",
    Choice(|| vec![("common", AccessLog::Common), ("combined", AccessLog::Combined), ("json", AccessLog::Json)]),
    "a line for each request, in the story of a lab and on stderr of `septet serve` (none)",
);
static HOSTS: Key<Named<TableOf>> =
    Key::new("hosts", Named("host", TableOf(&HOST)), "other pages for who asks for these hosts, by name");
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

/// What a web server shows.
#[derive(Clone, PartialEq, Debug)]
pub struct Shows {
    /// The size of the body of every answer.
    pub body: Bytes,
    /// How long it takes to begin an answer.
    pub think: Duration,
    /// What some requests are answered with on purpose.
    pub answers: Vec<Rule>,
    /// How answers are compressed where the client takes it, the first before the others.
    pub compress: Vec<Coding>,
    /// Files, instead of the one body.
    pub root: Option<Root>,
    /// Whether it answers for who tests clients.
    pub endpoints: Endpoints,
    /// How requests are logged.
    pub access_log: Option<AccessLog>,
}

impl Shows {
    fn site(&self) -> application::Site {
        let site = application::Site::new(Page::pattern(self.body.0))
            .think(self.think)
            .answers(self.answers.clone())
            .compress(self.compress.clone())
            .endpoints(self.endpoints)
            .access_log(self.access_log);
        match &self.root {
            Some(root) => site.root(root.clone()),
            None => site,
        }
    }

    fn read(table: &Table, reading: &mut Reading<'_>) -> Self {
        Self {
            body: table.get(&BODY).unwrap_or(Bytes(1024)),
            think: table.get(&THINK).unwrap_or_default(),
            answers: table.get(&ANSWERS).unwrap_or_default(),
            compress: table.get(&COMPRESS).unwrap_or_default(),
            root: root(table, reading),
            endpoints: if table.get(&ENDPOINTS) == Some(true) { Endpoints::On } else { Endpoints::Off },
            access_log: table.get(&ACCESS_LOG),
        }
    }
}

/// A web server.
#[derive(Clone, PartialEq, Debug)]
pub struct Http {
    /// What it shows.
    pub shows: Shows,
    /// What it shows to who asks for these hosts.
    pub hosts: Vec<(String, Shows)>,
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// The largest body of a request that it takes, where the file says.
    pub max_body: Option<Bytes>,
    /// Who says by the PROXY protocol whose a connection is.
    pub proxied_from: Believed,
    /// What its certificate is like.
    pub certificate: Certificate,
    /// The versions of TLS that it speaks.
    pub versions: Versions,
    /// What its clients show.
    pub clients: ClientCertificates,
}

impl Service for Http {
    fn name(&self) -> &'static str {
        KEY.name()
    }

    fn certificate_names(&self) -> Vec<String> {
        let secure: Vec<&Listen> = self.listen.iter().filter(|l| l.scheme == Scheme::Https).collect();
        if secure.is_empty() || self.certificate.given.is_some() {
            return Vec::new();
        }
        let hosts = self.hosts.iter().map(|(name, _)| name);
        secure.iter().map(|l| &l.host).chain(hosts).cloned().collect()
    }

    fn authorities(&self) -> Vec<String> {
        self.certificate.authority.iter().chain(&self.clients.authority).cloned().collect()
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
        let mut pages = self.shows.site();
        if let Some(most) = self.max_body {
            pages = pages.max_body(most.0);
        }
        for (name, shows) in &self.hosts {
            let site = shows.site();
            pages = pages.host(name, if let Some(most) = self.max_body { site.max_body(most.0) } else { site });
        }
        let mut server = Server::new(pages)
            .versions(self.versions)
            .clients(self.clients.at(site)?)
            .proxied_from(self.proxied_from.at(site));
        let mut asked = Vec::new();
        for listen in &self.listen {
            server = match listen.scheme {
                Scheme::Https if self.certificate.request.is_some() => {
                    asked.extend(self.certificate.asks(&listen.host, site).map(|(names, of)| (listen.at(), names, of)));
                    server
                }
                Scheme::Https => match self.certificate.identity(&listen.host, site)? {
                    Some(identity) => {
                        let mut server = server.listen_tls(listen.at(), identity);
                        for name in self.hosts_without_identity() {
                            if let Some(identity) = self.certificate.identity(name, site)? {
                                server = server.listen_tls(listen.at(), identity);
                            }
                        }
                        server
                    }
                    None => server,
                },
                Scheme::Http | Scheme::Tcp | Scheme::Tls | Scheme::Sni => server.listen(listen.at()),
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

impl Http {
    /// The hosts for which no listener has a certificate, where each gets one of its own.
    fn hosts_without_identity(&self) -> impl Iterator<Item = &str> {
        let names = self.hosts.iter().map(|(name, _)| name.as_str()).filter(|_| self.certificate.given.is_none());
        names.filter(|name| !self.listen.iter().any(|listen| listen.host == *name))
    }
}

/// The files that a table names.
fn root(table: &Table, reading: &mut Reading<'_>) -> Option<Root> {
    let Some(text) = table.get(&ROOT) else {
        for key in ["index", "listing", "dot_files"].iter().filter_map(|key| table.place(key)) {
            let reason = format!("`{}` is about the files of `root`, and there is none", key.text);
            reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
        }
        return None;
    };
    let path = reading.path(&text)?;
    let files = if reading.hosts.takes_keys() { Files::of_machine(&path) } else { Files::held(&path) };
    let files = files.map_err(|e| {
        let refusal = Refusal::new(format!("the files of {} cannot be shown: {e}", path.display()));
        Wrong::refused("file", 0..text.text.len(), refusal)
    });
    let files = reading.or_report(&text, files)?;
    let index = table.get(&INDEX).map(|names| names.into_iter().map(|name| name.text).collect());
    Some(Root {
        files,
        index: index.unwrap_or_else(|| vec!["index.html".to_owned()]),
        listing: if table.get(&LISTING) == Some(true) { Listing::Shown } else { Listing::Hidden },
        dots: if table.get(&DOTS) == Some(true) { Dots::Shown } else { Dots::Hidden },
    })
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let mut listen = table.get(&LISTEN).unwrap_or_default();
    if listen.is_empty() {
        listen.push(Listen { scheme: Scheme::Http, host: String::new(), port: 80 });
    }
    let certificate = certificate::read(table, &listen, reading);
    let versions = certificate::versions(table, &listen, reading);
    let clients = clients::read(table, &listen, reading);
    let hosts = table.get(&HOSTS).unwrap_or_default();
    let hosts = hosts.into_iter().map(|(name, table)| {
        if let Err(e) = ca::check_name(&name.text) {
            reading.mistakes.push(Mistake::new("name", name.span.clone(), e.to_string(), "no name of a host"));
        }
        (name.text.to_ascii_lowercase(), Shows::read(&table, reading))
    });
    let hosts = hosts.collect();
    Some(Arc::new(Http {
        shows: Shows::read(table, reading),
        hosts,
        listen,
        max_body: table.get(&MAX_BODY),
        proxied_from: Believed::read(&table.get(&PROXIED_FROM).unwrap_or_default(), reading),
        certificate,
        versions,
        clients,
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
