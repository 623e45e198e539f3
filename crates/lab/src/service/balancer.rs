//! `[host.X.balancer]`: a load balancer.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use septet_application::balancer::{self as application, Target, Unit, policy};
use septet_language::document::{Table, Text};
use septet_language::mistake::Mistake;
use septet_language::schema::{Key, Kind, Phrase, Section, later, none};
use septet_language::words::{Word, Wrong};

use crate::service::{self, Certificate, Listen, Reading, Scheme, Service, ServiceKind, certificate};
use crate::stage::boot::{Boot, Ground, serve};
use crate::stage::build::BuildError;

pub(super) const KIND: ServiceKind =
    ServiceKind { key: Key::new("balancer", Kind::Table(&SECTION), "a load balancer"), read };

static SECTION: Section = Section {
    doc: "A load balancer: it spreads the requests of HTTP, or else connections, over its backends.",
    groups: &[&[
        Key::new(
            "listen",
            Kind::Phrase(&LISTEN),
            "where it listens: requests at `https://www.shop.test` and `http://:80`, connections at `tcp://:80` and `tls://www.shop.test:993`",
        ),
        certificate::KEY,
        Key::new("to", Kind::Texts(&BACKEND), "the backends, by name and port: `web[1..3]:80`"),
        Key::new("policy", Kind::Choice(policies), "which backend gets the next request or connection (round-robin)"),
        Key::new("health", Kind::Table(&HEALTH), "how backends are probed; without it none is ever taken out"),
        Key::new("connect_timeout", Kind::Time, "how long a backend may take to accept a connection (1s)"),
        Key::new(
            "response_timeout",
            Kind::Time,
            "how long a backend may keep silent before and within a response (60s)",
        ),
        Key::new(
            "retries",
            Kind::Count(0, 1000),
            "how often a request is given to another backend, where it may be repeated (3)",
        ),
    ]],
    more: none,
    required: &["listen", "to"],
    numbered: None,
};

static HEALTH: Section = Section {
    doc: "How backends are probed.",
    groups: &[&[
        Key::new("every", Kind::Span(Duration::from_millis(1)), "from one probe to the next (2s)"),
        Key::new("path", Kind::Phrase(&PATH), "what is asked for over HTTP; a status below 400 is well (`/`)"),
        Key::new("timeout", Kind::Span(Duration::from_millis(1)), "how long an answer may take (that of `every`)"),
        Key::new("fall", Kind::Count(1, 1000), "probes in a row that must fail before a backend is out (3)"),
        Key::new("rise", Kind::Count(1, 1000), "probes in a row that must succeed before it is in again (2)"),
    ]],
    more: none,
    required: &[],
    numbered: None,
};

static LISTEN: Phrase = Phrase {
    what: "a listener",
    example: "https://www.shop.test",
    check: |_, text| service::listen(Word { text: &text.text, at: 0 }).map(|_| ()),
};
static PATH: Phrase = Phrase {
    what: "a path",
    example: "/health",
    check: |_, text| match text.text.starts_with('/') && !text.text.contains(|c: char| c.is_whitespace()) {
        true => Ok(()),
        false => Err(Wrong::new("url", 0..text.text.len(), format!("`{}` is not a path", text.text))
            .help("a path begins with a slash and has no blanks: `/health`".to_owned())),
    },
};
static BACKEND: Phrase = Phrase { what: "backends", example: "web[1..3]:80", check: later };

fn policies() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| policy::POLICIES.iter().map(|p| p.name).collect());
    &NAMES
}

/// A load balancer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balancer {
    /// Where it listens.
    pub listen: Listen,
    /// The backends: index of the node, and port.
    pub to: Vec<(usize, u16)>,
    /// The name of the policy.
    pub policy: String,
    /// How backends are probed.
    pub health: Option<Health>,
    /// What its certificate is like.
    pub certificate: Certificate,
    /// How long a backend may take to accept a connection.
    pub connect_timeout: Option<Duration>,
    /// How long a backend may keep silent before and within a response.
    pub response_timeout: Option<Duration>,
    /// How often a request is given to another backend.
    pub retries: Option<u32>,
}

/// How a load balancer probes its backends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// From one probe to the next.
    pub every: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// What is asked for over HTTP.
    pub path: String,
    /// Failures in a row before a backend is out.
    pub fall: u32,
    /// Successes in a row before it is in again.
    pub rise: u32,
}

impl Service for Balancer {
    fn name(&self) -> &'static str {
        "balancer"
    }

    fn certificate_names(&self) -> Vec<String> {
        if self.listen.scheme.is_secure() { vec![self.listen.host.clone()] } else { Vec::new() }
    }

    fn ports(&self) -> Vec<u16> {
        vec![self.listen.port]
    }

    fn boot(&self, node: usize, ground: &Ground<'_>) -> Result<Boot, BuildError> {
        let target = |(node, port): &(usize, u16)| {
            let at = SocketAddr::new(ground.lab.address(*node)?, *port);
            Some(Target { name: ground.lab.nodes[*node].name.clone(), at })
        };
        let mut balancer = application::Balancer::new(self.listen.at(), self.to.iter().filter_map(target).collect());
        if matches!(self.listen.scheme, Scheme::Http | Scheme::Https) {
            balancer = balancer.balance(Unit::Requests);
        }
        if let Some(timeout) = self.connect_timeout {
            balancer = balancer.connect_timeout(timeout);
        }
        if let Some(timeout) = self.response_timeout {
            balancer = balancer.response_timeout(timeout);
        }
        if let Some(retries) = self.retries {
            balancer = balancer.retries(retries);
        }
        if let Some(policy) = policy::find(&self.policy) {
            balancer = balancer.policy(policy);
        }
        if let Some(Health { every, timeout, path, fall, rise }) = self.health.clone() {
            balancer = balancer.health(application::Health { every, timeout, path, fall, rise });
        }
        if self.listen.scheme.is_secure()
            && let Some(identity) = ground.identity(node, &self.listen.host, &self.certificate)?
        {
            balancer = balancer.tls(identity);
        }
        Ok(Box::new(move |net| serve(&net, "balancer", balancer.clone().serve(net.clone()))))
    }
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let mut to = Vec::new();
    for text in table.texts("to") {
        let backends = backends(text, reading);
        to.extend(reading.or_report(text, backends).unwrap_or_default());
    }
    let listen = service::listen(Word { text: &table.text("listen")?.text, at: 0 }).ok()?;
    let health = table.table("health").map(|health| {
        let every = health.time("every").unwrap_or(Duration::from_secs(2));
        Health {
            every,
            timeout: health.time("timeout").unwrap_or(every),
            path: health.text("path").map_or_else(|| "/".to_owned(), |t| t.text.clone()),
            fall: health.count("fall").unwrap_or(3) as u32,
            rise: health.count("rise").unwrap_or(2) as u32,
        }
    });
    if to.is_empty() {
        if table.texts("to").is_empty() && table.get("to").is_some() {
            service::missing("a balancer without backends", reading);
        }
        return None;
    }
    let policy = table.text("policy").map_or_else(|| policies()[0].to_owned(), |t| t.text.clone());
    let certificate = certificate::read(table, core::slice::from_ref(&listen), reading);
    if !matches!(listen.scheme, Scheme::Http | Scheme::Https) {
        for (key, _) in ["response_timeout", "retries"].iter().filter_map(|key| table.entry(key)) {
            let reason = format!("`{}` is of requests, and this balances connections", key.text);
            let mistake = Mistake::new("no-effect", key.span.clone(), reason, "has no effect");
            reading.mistakes.push(mistake.help("`listen` on `http` or `https` balances requests".to_owned()));
        }
    }
    Some(Arc::new(Balancer {
        listen,
        to,
        policy,
        health,
        certificate,
        connect_timeout: table.time("connect_timeout"),
        response_timeout: table.time("response_timeout"),
        retries: table.count("retries").and_then(|n| u32::try_from(n).ok()),
    }))
}

/// `web[1..3]:80, spare:8080`
fn backends(text: &Text, reading: &Reading<'_>) -> Result<Vec<(usize, u16)>, Wrong> {
    let mut found = Vec::new();
    for part in (Word { text: &text.text, at: 0 }).split(",") {
        let Some((nodes, port)) = part.split_once(":") else {
            return Err(Wrong::new("backend", part.range(), format!("`{}` has no port", part.text))
                .label("no port")
                .help(format!("for example `{}:80`", part.text)));
        };
        let port = service::port(port)?;
        found.extend(reading.topology.nodes(nodes)?.into_iter().map(|node| (node, port)));
    }
    Ok(found)
}
