//! `[host.X.balancer]`: a load balancer.

mod backends;
mod routes;
mod sticky;

pub use backends::BackendSpec;
pub use routes::RouteSpec;

use core::time::Duration;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use septet_application::balancer::policy::{self, POLICIES, Weights};
use septet_application::balancer::{self as application, Ejection, ForwardedBy, Forwarding, Queue, Unit};
use septet_application::programs::Transport;
use septet_application::proxy_protocol::Version;
use septet_language::document::Text;
use septet_language::mistake::Mistake;
use septet_language::schema::{AtLeast, Choice, Count, Key, Phrase, Section, Table, TableOf, Texts, Time};
use septet_language::units;
use septet_language::words::{Word, Wrong};

use crate::believed::{BELIEVED, Believed};
use crate::certificate::{self, Certificate};
use crate::listen::{Listen, Scheme, listen, port};
use crate::run::{Boot, run};
use crate::service::{Kind, On, Reading, Service};
use crate::site::{Site, StartError};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::Hosts, metrics: application::METRICS, read };

static KEY: Key<TableOf> = Key::new("balancer", TableOf(&SECTION), "a load balancer");

static SECTION: Section = Section::new(
    "A load balancer: it spreads the requests of HTTP, or else connections, over its backends.",
    &[
        &[&LISTEN, &certificate::KEY, &backends::KEY, &POLICY, &HEALTH, &PROXY_PROTOCOL, &PROXIED_FROM],
        &[
            &CONNECT_TIMEOUT,
            &RESPONSE_TIMEOUT,
            &RETRIES,
            &EJECT,
            &PANIC,
            &SLOW_START,
            &MOST,
            &QUEUE,
            &ADMIN,
            &FORWARDED,
            &TRUSTED,
            &routes::KEY,
            &sticky::KEY,
        ],
    ],
)
.required(&["listen"]);

static LISTEN: Key<Phrase<Listen>> = Key::new(
    "listen",
    LISTENER,
    "where it listens: requests at `https://www.shop.test` and `http://:80`, connections at `tcp://:80` and `tls://www.shop.test:993`, and TLS that is passed on unopened by the name that it asks for at `sni://:443`",
);
static POLICY: Key<Choice<&'static str>> = Key::new(
    "policy",
    Choice(|| POLICIES.iter().map(|policy| (policy.name, policy.name)).collect()),
    "which backend gets the next request or connection (round-robin)",
);
static HEALTH: Key<TableOf> =
    Key::new("health", TableOf(&PROBED), "how backends are probed; without it none is ever taken out");
static PROXY_PROTOCOL: Key<Choice<Version>> = Key::new(
    "proxy_protocol",
    Choice(|| Version::ALL.to_vec()),
    "tells backends by the PROXY protocol whose a connection is; they must expect it",
);
static PROXIED_FROM: Key<Texts<Text>> = Key::new(
    "proxy_protocol_from",
    BELIEVED,
    "the prefixes and hosts whose connections begin with a header of the PROXY protocol, which is believed (none)",
);
static FORWARDED: Key<Choice<ForwardedBy>> = Key::new(
    "forwarded",
    Choice(|| ForwardedBy::ALL.to_vec()),
    "the fields by which backends are told who asks (x-forwarded: `X-Forwarded-For` and `X-Forwarded-Proto`)",
);
static TRUSTED: Key<Texts<Text>> = Key::new(
    "trusted_proxies",
    BELIEVED,
    "the prefixes and hosts whose word on where a request came from is passed on; that of others is taken away (none)",
);
static CONNECT_TIMEOUT: Key<Time> =
    Key::new("connect_timeout", Time, "how long a backend may take to accept a connection (1s)");
static RESPONSE_TIMEOUT: Key<Time> =
    Key::new("response_timeout", Time, "how long a backend may keep silent before and within a response (60s)");
static RETRIES: Key<Count<u32>> = Key::new(
    "retries",
    Count(0, 1000),
    "how often a request is given to another backend, where it may be repeated (3)",
);
static EJECT: Key<TableOf> = Key::new(
    "eject",
    TableOf(&EJECTED),
    "when a backend that fails clients is passed over; without it for ten seconds after one failure",
);
static PANIC: Key<Phrase<u32>> =
    Key::new("panic", SHARE, "where a smaller share of the backends is well, all are asked that are not drained (0%)");
static SLOW_START: Key<Time> =
    Key::new("slow_start", Time, "how long a backend that comes in takes from a tenth of its share to the whole (0s)");
static MOST: Key<Count<usize>> = Key::new(
    "most",
    Count(1, 1_000_000),
    "the most connections or requests that a backend gets at once; more wait (without end)",
);
static QUEUE: Key<TableOf> = Key::new("queue", TableOf(&QUEUED), "how clients wait for a backend");
static ADMIN: Key<Phrase<SocketAddr>> = Key::new(
    "admin",
    ADDRESS,
    "where it listens for orders, over HTTP and in the clear: `127.0.0.1:8404`, and `:8404` at every address",
);

static EJECTED: Section =
    Section::new("When a backend that fails clients is passed over.", &[&[&AFTER, &EJECTED_FOR, &EJECTED_SHARE]]);

static AFTER: Key<Count<u32>> = Key::new("after", Count(1, 1000), "failures in a row (1)");
static EJECTED_FOR: Key<Time> = Key::new("time", Time, "for how long, or until a health check goes well (10s)");
static EJECTED_SHARE: Key<Phrase<u32>> =
    Key::new("share", SHARE, "the largest share of the backends that is passed over at once; one always may be (100%)");

static QUEUED: Section = Section::new("How clients wait for a backend.", &[&[&QUEUE_MOST, &QUEUE_TIMEOUT]]);

static QUEUE_MOST: Key<Count<usize>> =
    Key::new("most", Count(0, 1_000_000), "how many wait; whoever comes then is turned away at once (1024)");
static QUEUE_TIMEOUT: Key<Time> = Key::new("timeout", Time, "how long each waits (1s)");

static PROBED: Section = Section::new("How backends are probed.", &[&[&EVERY, &PATH, &TIMEOUT, &FALL, &RISE]]);

static EVERY: Key<AtLeast> = Key::new("every", MILLISECOND, "from one probe to the next (2s)");
static PATH: Key<Phrase<String>> =
    Key::new("path", RESOURCE, "what is asked for over HTTP; a status below 400 is well (`/`)");
static TIMEOUT: Key<AtLeast> = Key::new("timeout", MILLISECOND, "how long an answer may take (that of `every`)");
static FALL: Key<Count<u32>> =
    Key::new("fall", Count(1, 1000), "probes in a row that must fail before a backend is out (3)");
static RISE: Key<Count<u32>> =
    Key::new("rise", Count(1, 1000), "probes in a row that must succeed before it is in again (2)");

/// Keys that say nothing of connections.
const OF_REQUESTS: [&str; 6] = ["forwarded", "response_timeout", "retries", "routes", "sticky", "trusted_proxies"];
const MILLISECOND: AtLeast = AtLeast(Duration::from_millis(1));

const LISTENER: Phrase<Listen> = Phrase {
    what: "a listener",
    example: "https://www.shop.test",
    read: |_, text| listen(Word { text: &text.text, at: 0 }),
};
const RESOURCE: Phrase<String> = Phrase {
    what: "a path",
    example: "/health",
    read: |_, text| match text.text.starts_with('/') && !text.text.contains(|c: char| c.is_whitespace()) {
        true => Ok(text.text.clone()),
        false => Err(Wrong::new("url", 0..text.text.len(), format!("`{}` is not a path", text.text))
            .help("a path begins with a slash and has no blanks: `/health`".to_owned())),
    },
};
const SHARE: Phrase<u32> = Phrase {
    what: "a share",
    example: "50%",
    read: |_, text| {
        let share = units::ratio(&text.text).map_err(|r| Wrong::refused("unit", 0..text.text.len(), r))?;
        Ok((share * 100.0).round() as u32)
    },
};
const ADDRESS: Phrase<SocketAddr> = Phrase {
    what: "an address and a port",
    example: "127.0.0.1:8404",
    read: |_, text| {
        let everywhere = text.text.strip_prefix(':').map(|of_port| {
            let port = port(Word { text: of_port, at: 1 })?;
            Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
        });
        everywhere.unwrap_or_else(|| {
            text.text.parse().ok().filter(|at: &SocketAddr| at.port() > 0).ok_or_else(|| {
                Wrong::new("address", 0..text.text.len(), format!("`{}` is not an address with a port", text.text))
                    .help("`127.0.0.1:8404`, `[::1]:8404`, or `:8404` for every address".to_owned())
            })
        })
    },
};

/// A load balancer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balancer {
    /// Where it listens.
    pub listen: Listen,
    /// The backends of what no route is for.
    pub to: Vec<BackendSpec>,
    /// The routes, the first that fits before others.
    pub routes: Vec<RouteSpec>,
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
    /// How backends are told whose a connection is.
    pub proxy_protocol: Option<Version>,
    /// Who says by the PROXY protocol whose a connection is.
    pub proxied_from: Believed,
    /// The fields by which backends are told who asks.
    pub forwarded: ForwardedBy,
    /// Whose word on that is passed on.
    pub trusted: Believed,
    /// The cookie that brings clients back to their backend.
    pub sticky: Option<application::Sticky>,
    /// When a backend that fails clients is passed over.
    pub ejection: Ejection,
    /// Where fewer percent are well, all are asked.
    pub panic: u32,
    /// How long a backend that comes in takes to its whole share.
    pub slow_start: Duration,
    /// The most that a backend gets at once.
    pub most: Option<usize>,
    /// How clients wait.
    pub queue: Queue,
    /// Where it listens for orders.
    pub admin: Option<SocketAddr>,
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
        KEY.name()
    }

    fn certificate_names(&self) -> Vec<String> {
        if self.listen.scheme.is_secure() { vec![self.listen.host.clone()] } else { Vec::new() }
    }

    fn authorities(&self) -> Vec<String> {
        self.certificate.authority.iter().cloned().collect()
    }

    fn ports(&self) -> Vec<u16> {
        [self.listen.port].into_iter().chain(self.admin.map(|at| at.port())).collect()
    }

    fn places(&self) -> Vec<(Transport, SocketAddr)> {
        [self.listen.at()].into_iter().chain(self.admin).map(|at| (Transport::Tcp, at)).collect()
    }

    fn start(&self, site: &dyn Site) -> Result<Boot, StartError> {
        let targets = backends::targets(&self.to, self.proxy_protocol, site);
        let routes = self.routes.iter().map(|route| route.route(self.proxy_protocol, site)).collect();
        let mut balancer = application::Balancer::new(self.listen.at(), targets).routes(routes);
        if self.listen.scheme == Scheme::Sni {
            balancer = balancer.by_server_name();
        }
        balancer = balancer.forwarding(Forwarding { by: self.forwarded, trusted: self.trusted.at(site) });
        balancer = balancer.proxied_from(self.proxied_from.at(site));
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
        if let Some(sticky) = self.sticky.clone() {
            balancer = balancer.sticky(sticky);
        }
        balancer = balancer.ejection(self.ejection.clone()).panic_below(self.panic).slow_start(self.slow_start);
        if let Some(most) = self.most {
            balancer = balancer.most(most);
        }
        balancer = balancer.queue(self.queue.clone());
        if let Some(at) = self.admin {
            balancer = balancer.admin(at);
        }
        if let Some(policy) = policy::find(&self.policy) {
            balancer = balancer.policy(policy);
        }
        if let Some(Health { every, timeout, path, fall, rise }) = self.health.clone() {
            balancer = balancer.health(application::Health { every, timeout, path, fall, rise });
        }
        let asked = self.certificate.asks(&self.listen.host, site).filter(|_| self.listen.scheme.is_secure());
        if self.listen.scheme.is_secure()
            && asked.is_none()
            && let Some(identity) = self.certificate.identity(&self.listen.host, site)?
        {
            balancer = balancer.tls(identity);
        }
        Ok(Box::new(move |net| {
            let (mut balancer, asked, own) = (balancer.clone(), asked.clone(), net.clone());
            let serve = async move {
                if let Some((names, of)) = asked {
                    balancer = balancer.tls(certificate::obtain(&own, &names, of).await?);
                }
                balancer.serve(own).await
            };
            run(&net, KEY.name(), serve);
        }))
    }
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let texts = table.get(&backends::KEY).unwrap_or_default();
    let to = backends::read(&texts, reading);
    let policy = table.get(&POLICY).unwrap_or(POLICIES[0].name);
    let scheme = table.get(&LISTEN).map(|listen| listen.scheme);
    let routes = routes::read(table, policy, scheme, reading);
    if to.is_empty() && (routes.is_empty() || !texts.is_empty()) {
        if texts.is_empty() && table.name(&routes::KEY).is_none() {
            reading.missing("a balancer has `to`, `routes` or both");
        }
        return None;
    }
    let listen = table.get(&LISTEN)?;
    let health = table.get(&HEALTH).map(|health| {
        let every = health.get(&EVERY).unwrap_or(Duration::from_secs(2));
        Health {
            every,
            timeout: health.get(&TIMEOUT).unwrap_or(every),
            path: health.get(&PATH).unwrap_or_else(|| "/".to_owned()),
            fall: health.get(&FALL).unwrap_or(3),
            rise: health.get(&RISE).unwrap_or(2),
        }
    });
    let proxied_from = Believed::read(&table.get(&PROXIED_FROM).unwrap_or_default(), reading);
    let trusted = Believed::read(&table.get(&TRUSTED).unwrap_or_default(), reading);
    let sticky = sticky::read(table, &listen, reading);
    let certificate = certificate::read(table, core::slice::from_ref(&listen), reading);
    backends::check_weights(&to, policy, table.name(&backends::KEY), reading);
    let heeded = policy::find(policy).map_or(Weights::Ignored, |entry| entry.weights);
    if heeded != Weights::Live
        && let Some(key) = table.name(&SLOW_START)
    {
        let reason = format!("`{policy}` knows no share that grows");
        let mistake = Mistake::new("no-effect", key.span.clone(), reason, "has no effect");
        reading.mistakes.push(
            mistake.help(
                "`policy = \"weighted-round-robin\"` does, and all that heed weights and hash nothing".to_owned(),
            ),
        );
    }
    if !matches!(listen.scheme, Scheme::Http | Scheme::Https) {
        let by_name = |key: &&&str| listen.scheme == Scheme::Sni && **key == routes::KEY.name();
        for key in OF_REQUESTS.iter().filter(|key| !by_name(key)).filter_map(|key| table.place(key)) {
            let reason = format!("`{}` is of requests, and this balances connections", key.text);
            let mistake = Mistake::new("no-effect", key.span.clone(), reason, "has no effect");
            reading.mistakes.push(mistake.help("`listen` on `http` or `https` balances requests".to_owned()));
        }
    }
    Some(Arc::new(Balancer {
        listen,
        to,
        routes,
        policy: policy.to_owned(),
        health,
        certificate,
        connect_timeout: table.get(&CONNECT_TIMEOUT),
        response_timeout: table.get(&RESPONSE_TIMEOUT),
        retries: table.get(&RETRIES),
        proxy_protocol: table.get(&PROXY_PROTOCOL),
        proxied_from,
        forwarded: table.get(&FORWARDED).unwrap_or_default(),
        trusted,
        sticky,
        ejection: table.get(&EJECT).map_or_else(Ejection::default, |eject| {
            let usual = Ejection::default();
            Ejection {
                after: eject.get(&AFTER).unwrap_or(usual.after),
                time: eject.get(&EJECTED_FOR).unwrap_or(usual.time),
                share: eject.get(&EJECTED_SHARE).unwrap_or(usual.share),
            }
        }),
        panic: table.get(&PANIC).unwrap_or(0),
        slow_start: table.get(&SLOW_START).unwrap_or_default(),
        most: table.get(&MOST),
        queue: table.get(&QUEUE).map_or_else(Queue::default, |queue| {
            let usual = Queue::default();
            Queue {
                most: queue.get(&QUEUE_MOST).unwrap_or(usual.most),
                timeout: queue.get(&QUEUE_TIMEOUT).unwrap_or(usual.timeout),
            }
        }),
        admin: table.get(&ADMIN),
    }))
}
