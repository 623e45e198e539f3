//! A load balancer: it spreads connections or, of clients that speak HTTP, requests over backends, and may end TLS on
//! the clients' side.

mod admin;
mod backend;
mod budget;
mod connections;
mod cut;
mod dial;
mod fields;
mod forwarding;
mod gather;
mod gathered;
mod group;
mod health;
mod hello;
pub mod policy;
mod relay;
mod requests;
mod route;
mod standing;
mod sticky;
mod upload;
mod upstream;
mod waiting;

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_core::Metric;
use septet_network::Prefix;
use septet_presentation::ca::ServerIdentity;
use septet_presentation::tls;
use septet_socket::{Acceptor, ListenOptions, NetExt, NetRef, Nodelay, Places, Stream, TcpOptions, TcpStream};

use backend::Rules;
use connections::{Connections, Names};
use cut::{Cuttable, Source, Watched};
use dial::Ends;
pub use forwarding::{ForwardedBy, Forwarding};
use gathered::Gathered;
use group::Groups;
pub use health::Health;
pub use hello::Hello;
use requests::{Conversation, Requests};
pub use route::{BadField, Edit, Edits, FieldPattern, HostPattern, PathPattern, Route, When};
pub use standing::Ejection;
pub use sticky::{SameSite, Sticky};
pub use waiting::Queue;

use crate::http::converse;
use crate::proxy_protocol::{self, Header};

/// A server that connections or requests are passed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// What it is called in traces and counters.
    pub name: String,
    /// Where it listens.
    pub at: SocketAddr,
    /// Its share beside the others' where the policy heeds weights: from 1 to [`MOST_WEIGHT`](Self::MOST_WEIGHT).
    pub weight: u32,
    /// The version of the PROXY protocol by which it is told whose a connection is; it must expect that.
    pub proxy_protocol: Option<proxy_protocol::Version>,
}

impl Target {
    /// HAProxy's and Envoy's: weights of more would only make tables large.
    pub const MOST_WEIGHT: u32 = 256;

    /// A server with a weight of 1.
    pub fn new(name: impl Into<String>, at: SocketAddr) -> Self {
        Self { name: name.into(), at, weight: 1, proxy_protocol: None }
    }

    /// Tells it by the PROXY protocol whose a connection is.
    #[must_use]
    pub fn proxy_protocol(mut self, version: proxy_protocol::Version) -> Self {
        self.proxy_protocol = Some(version);
        self
    }

    /// Gives it so large a share.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight.clamp(1, Self::MOST_WEIGHT);
        self
    }
}

/// A load balancer.
///
/// ```
/// use septet_application::balancer::{Balancer, Health, Target, Unit, policy};
/// let web = |n: u8| Target::new(format!("web{n}"), ([10, 0, 3, n], 80).into());
/// let balancer = Balancer::new("0.0.0.0:80".parse().unwrap(), vec![web(1), web(2), web(3)])
///     .balance(Unit::Requests)
///     .policy(policy::find("least-connections").unwrap())
///     .health(Health::default());
/// ```
#[derive(Clone, Debug)]
pub struct Balancer {
    listen: SocketAddr,
    identity: Option<ServerIdentity>,
    targets: Vec<Target>,
    unit: Unit,
    policy: &'static policy::Entry,
    rules: Rules,
    admin: Option<SocketAddr>,
    limits: Limits,
    idle_timeout: Duration,
    sticky: Option<Sticky>,
    routes: Vec<Route>,
    names: Names,
    forwarding: Forwarding,
    proxied_from: Vec<Prefix>,
}

/// What is given to a backend as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unit {
    /// A connection, whatever is spoken on it. Where no backend takes it, the client is reset.
    #[default]
    Connections,
    /// A request of HTTP. Where a backend fails before it answers, one that may be repeated is given to another; where
    /// none answers, the client is told 502, 503 or 504.
    Requests,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    connect: Duration,
    response: Duration,
    retries: u32,
}

impl Balancer {
    /// A balancer that takes TCP connections at `listen`, where `[::]` stands for the addresses of both versions of IP, and passes them to `targets` in turn.
    pub fn new(listen: SocketAddr, targets: Vec<Target>) -> Self {
        crate::http::prime();
        Self {
            listen,
            identity: None,
            targets,
            unit: Unit::default(),
            policy: policy::default(),
            rules: Rules::default(),
            admin: None,
            limits: Limits { connect: Duration::from_secs(1), response: Duration::from_secs(60), retries: 3 },
            idle_timeout: Duration::from_secs(600),
            sticky: None,
            routes: Vec::new(),
            names: Names::default(),
            forwarding: Forwarding::default(),
            proxied_from: Vec::new(),
        }
    }

    /// Ends TLS with this certificate; the backends get plain bytes. Where requests are balanced clients are offered
    /// HTTP/2 and HTTP/1.1, else HTTP/1.1 alone, because the backends would not know that it was HTTP/2.
    #[must_use]
    pub fn tls(mut self, identity: ServerIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Balances these: connections unless set.
    #[must_use]
    pub fn balance(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Chooses backends by this policy.
    #[must_use]
    pub fn policy(mut self, policy: &'static policy::Entry) -> Self {
        self.policy = policy;
        self
    }

    /// Asks each backend now and then whether it is well. It gets nothing until it has said so once.
    #[must_use]
    pub fn health(mut self, health: Health) -> Self {
        self.rules.health = Some(health);
        self
    }

    /// Passes over backends that fail clients like this: for ten seconds after one failure unless set, as long as there
    /// are others. A health check that goes well ends it.
    #[must_use]
    pub fn ejection(mut self, ejection: Ejection) -> Self {
        self.rules.ejection = ejection;
        self
    }

    /// Asks all backends but those that are drained where fewer than so many percent are well: never unless set.
    #[must_use]
    pub fn panic_below(mut self, percent: u32) -> Self {
        self.rules.panic = percent;
        self
    }

    /// Gives a backend that comes in a tenth of its share, which grows to the whole in this time; at once unless set.
    #[must_use]
    pub fn slow_start(mut self, time: Duration) -> Self {
        self.rules.slow_start = time;
        self
    }

    /// Gives a backend no more than so many connections or requests at once; the others wait.
    #[must_use]
    pub fn most(mut self, most: usize) -> Self {
        self.rules.most = Some(most);
        self
    }

    /// Lets clients wait like this for a backend that may have no more, or whose first check is not done.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.rules.queue = queue;
        self
    }

    /// Listens here, in the clear, for whoever looks after it: see the book's page on the balancer. It asks nobody who he
    /// is, so this is for loopback and networks that are one's own.
    #[must_use]
    pub fn admin(mut self, at: SocketAddr) -> Self {
        self.admin = Some(at);
        self
    }

    /// Gives up connecting to a backend after this time and tries another: one second unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect = timeout;
        self
    }

    /// Takes a backend for failed that keeps silent for this time before or within a response: a minute unless set.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.limits.response = timeout;
        self
    }

    /// Gives a request to another backend at most so often: three times unless set. All retries together are at most a
    /// fifth of the requests, once the first ten are used up.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.limits.retries = retries;
        self
    }

    /// Closes a connection over which nothing came for this time: ten minutes unless set.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sends a client back to the backend that it had by a cookie, as long as that is well; of requests only.
    #[must_use]
    pub fn sticky(mut self, sticky: Sticky) -> Self {
        self.sticky = Some(sticky);
        self
    }

    /// Tells backends who asks, and passes on what trusted proxies say of that: by `X-Forwarded-For` and `X-Forwarded-Proto`, and
    /// nobody's word, unless set.
    #[must_use]
    pub fn forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// Reads the name that a client of TLS asks for, without ending TLS: routes by host then hold for connections.
    #[must_use]
    pub fn by_server_name(mut self) -> Self {
        self.names = Names::Asked;
        self
    }

    /// Sends what fits one of these to the backends of the first that does, and the rest to its own; where it has none, a
    /// request that fits none is answered 404 and a connection is reset.
    #[must_use]
    pub fn routes(mut self, routes: Vec<Route>) -> Self {
        self.routes = routes;
        self
    }

    /// Takes connections from these addresses only with a header of the PROXY protocol, and believes what it says; without one
    /// they are closed. To connections from elsewhere such a header is nothing but bytes.
    #[must_use]
    pub fn proxied_from(mut self, senders: Vec<Prefix>) -> Self {
        self.proxied_from = senders;
        self
    }

    /// Serves until the host stops.
    ///
    /// # Errors
    /// `AddrInUse` and `AddrNotAvailable` where it cannot listen; `InvalidInput` where there is no backend.
    pub async fn serve(self, net: NetRef) -> io::Result<()> {
        if self.targets.is_empty() && self.routes.iter().all(|route| route.to.is_none()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a balancer needs at least one backend"));
        }
        let options = ListenOptions { tcp: nodelay(), ..ListenOptions::default() };
        let listener = net.listen(net.spoken(self.listen), options)?;
        let alpn: &[&str] = match self.unit {
            Unit::Connections => &[tls::HTTP_1_1],
            Unit::Requests => &[tls::H2, tls::HTTP_1_1],
        };
        let tls = self.identity.map(|id| tls::Server::new(&net, &id, alpn)).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let sticky = self.sticky.map(|sticky| (sticky, scheme));
        let groups = Groups::new(&net, self.targets, self.policy, self.routes, &self.rules, sticky);
        let _admin = self.admin.map(|at| admin::start(&net, groups.backends(), at));
        let (limits, idle_timeout) = (self.limits, self.idle_timeout);
        let front = match self.unit {
            Unit::Connections => {
                Front::Connections(Connections { net: net.clone(), groups, names: self.names, limits, idle_timeout })
            }
            Unit::Requests => Front::Requests(Arc::new(Requests::new(&net, groups, limits, scheme, self.forwarding))),
        };
        let worker = Arc::new(Worker { net: net.clone(), tls, front, proxied_from: self.proxied_from });
        let pass = |(stream, client)| {
            let worker = worker.clone();
            async move { worker.pass(stream, client).await }
        };
        Acceptor::new(listener, &Places::default()).serve(&net, pass).await
    }
}

fn nodelay() -> TcpOptions {
    // Bytes are passed on as they come: holding back a short segment would only add delay to what the sender decided.
    TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() }
}

struct Worker {
    net: NetRef,
    tls: Option<tls::Server>,
    front: Front,
    proxied_from: Vec<Prefix>,
}

enum Front {
    Connections(Connections),
    Requests(Arc<Requests>),
}

impl Worker {
    async fn pass(&self, stream: TcpStream, client: SocketAddr) {
        self.net.count("balancer.connections");
        // One that is gone already has no ends.
        let Ok(local) = stream.local_addr() else { return };
        let ends = Ends { client, local };
        if !proxy_protocol::is_from(client, &self.proxied_from) {
            return self.begin(stream, ends).await;
        }
        match proxy_protocol::accept(&self.net, stream, client).await {
            Ok((Header::Own, stream)) => self.begin(stream, ends).await,
            Ok((Header::Proxied { source, destination }, stream)) => {
                self.begin(stream, Ends { client: source, local: destination }).await;
            }
            Err(_) => self.net.count("balancer.unproxied"),
        }
    }

    async fn begin(&self, stream: impl Stream + Send + Sync + 'static, ends: Ends) {
        let Some(tls) = &self.tls else { return self.serve(stream, ends).await };
        match self.net.timeout(tls::HANDSHAKE_TIMEOUT, tls.accept(ends.client, Gathered::new(stream))).await {
            Ok(Ok(stream)) => {
                stream.get_ref().begin();
                self.serve(stream, ends).await;
            }
            Ok(Err(_)) | Err(_) => self.net.count("balancer.handshake_failed"),
        }
    }

    async fn serve(&self, stream: impl Stream + Send + Sync + 'static, ends: Ends) {
        match &self.front {
            Front::Connections(connections) => connections.serve(stream, ends).await,
            Front::Requests(requests) => {
                let source = Arc::new(Source::default());
                let conversation = Conversation { requests: requests.clone(), ends };
                let watched = Watched { conversation, source: source.clone() };
                converse(&self.net, Cuttable { stream, source }, ends.client, Arc::new(watched)).await;
            }
        }
    }
}

/// What a load balancer records.
pub const METRICS: &[Metric] = &[
    Metric::counter("balancer.connections", "connections that a balancer took"),
    Metric::counter("balancer.requests", "requests that a balancer took, where requests are balanced"),
    Metric::counter(
        "balancer.refused",
        "clients turned away because no backend took their connection or answered their request",
    ),
    Metric::counter("balancer.queued", "connections and requests that had to wait for a backend"),
    Metric::times("balancer.wait", "how long those waited that got one"),
    Metric::counter("balancer.queue.full", "connections and requests that came when as many waited as may"),
    Metric::counter("balancer.queue.timeout", "connections and requests that waited for too long"),
    Metric::counter("balancer.admin.failed", "times that a balancer could not listen for orders"),
    Metric::counter(
        "balancer.cut",
        "connections and requests that were broken off, as their backend was drained and its time was over",
    ),
    Metric::counter("balancer.unrouted", "requests and connections that no route of a balancer was for"),
    Metric::counter("balancer.retries", "connections and requests given to another backend, after one failed"),
    Metric::counter("balancer.handshake_failed", "TLS handshakes that came to nothing at a balancer"),
    Metric::counter(
        "balancer.unproxied",
        "connections from where the PROXY protocol is expected that a balancer closed, because they did not begin with its header",
    ),
    Metric::counter("balancer.up", "backends that were taken in again"),
    Metric::counter("balancer.down", "backends that were taken out"),
    Metric::counter("balancer.checks.ok", "health checks that went well"),
    Metric::counter("balancer.checks.failed", "health checks that failed"),
    Metric::bytes("balancer.bytes", "bytes passed, both ways, of each connection; or the body of each response"),
    Metric::counter("backend.*.requests", "requests that a balancer gave to this backend: `lb.backend.web1.requests`"),
    Metric::counter(
        "backend.*.connections",
        "connections that a balancer opened to this backend, health checks left out",
    ),
    Metric::counter("backend.*.failed", "connections and requests at which this backend failed"),
    Metric::bytes("backend.*.bytes", "what was passed for this backend, as in `balancer.bytes`"),
    Metric::times("backend.*.time", "from a request to the head of this backend's response"),
];
