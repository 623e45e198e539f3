//! A load balancer on storey 4: it passes bytes between a client and a backend, and may end TLS on the client's side.

mod backend;
mod health;
pub mod policy;
mod pump;

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_core::Storey;
use septet_presentation::ca::ServerIdentity;
use septet_presentation::tls;
use septet_socket::{ListenOptions, NetExt, NetRef, Nodelay, TcpOptions, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use backend::{Attempt, Backends};
pub use health::Health;
use pump::{End, Reset};

/// A server that connections are passed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// What it is called in traces and counters.
    pub name: String,
    /// Where it listens.
    pub at: SocketAddr,
}

/// A load balancer.
///
/// ```
/// use septet_application::balancer::{Balancer, Health, Target, policy};
/// let web = |n: u8| Target { name: format!("web{n}"), at: ([10, 0, 3, n], 80).into() };
/// let balancer = Balancer::new("0.0.0.0:80".parse().unwrap(), vec![web(1), web(2), web(3)])
///     .policy(policy::find("least-connections").unwrap())
///     .health(Health::default());
/// ```
#[derive(Clone, Debug)]
pub struct Balancer {
    listen: SocketAddr,
    identity: Option<ServerIdentity>,
    targets: Vec<Target>,
    policy: &'static policy::Entry,
    health: Option<Health>,
    connect_timeout: Duration,
    idle_timeout: Duration,
}

/// How many connections are passed at once; further ones wait in the backlog.
const CONNECTIONS: usize = 16_384;
/// How long a client may take over the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

impl Balancer {
    /// A balancer that takes TCP connections at `listen` and passes them to `targets` in turn.
    pub fn new(listen: SocketAddr, targets: Vec<Target>) -> Self {
        crate::http::prime();
        Self {
            listen,
            identity: None,
            targets,
            policy: policy::default(),
            health: None,
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(600),
        }
    }

    /// Ends TLS with this certificate; the backends get plain bytes. HTTP/1.1 is what clients are offered, because the
    /// backends would not know that it was HTTP/2.
    #[must_use]
    pub fn tls(mut self, identity: ServerIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Chooses backends by this policy.
    #[must_use]
    pub fn policy(mut self, policy: &'static policy::Entry) -> Self {
        self.policy = policy;
        self
    }

    /// Asks each backend now and then whether it is well. Without, a backend is left alone for ten seconds after a
    /// failed connection.
    #[must_use]
    pub fn health(mut self, health: Health) -> Self {
        self.health = Some(health);
        self
    }

    /// Gives up connecting to a backend after this time and tries another: one second unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Closes a connection over which nothing came for this time: ten minutes unless set.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Serves until the host stops.
    ///
    /// # Errors
    /// `AddrInUse` and `AddrNotAvailable` where it cannot listen; `InvalidInput` where there is no backend.
    pub async fn serve(self, net: NetRef) -> io::Result<()> {
        if self.targets.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a balancer needs at least one backend"));
        }
        let options = ListenOptions { tcp: nodelay(), ..ListenOptions::default() };
        let listener = net.listen(self.listen, options)?;
        let tls = self.identity.map(|id| tls::Server::new(&net, &id, &[tls::HTTP_1_1])).transpose()?;
        let backends = Backends::new(net.clone(), self.targets, (self.policy.build)(), self.health.clone());
        let _checks = health::start(&net, &backends, self.health);
        let worker = Arc::new(Worker {
            net: net.clone(),
            backends,
            tls,
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
        });
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            let (stream, client) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(_) => {
                    // Out of descriptors or memory: a moment later there may be some.
                    net.sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let worker = worker.clone();
            let _ = net.spawn(Box::pin(async move {
                worker.pass(stream, client).await;
                drop(place);
            }));
        }
    }
}

fn nodelay() -> TcpOptions {
    // Bytes are passed on as they come: holding back a short segment would only add delay to what the sender decided.
    TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() }
}

struct Worker {
    net: NetRef,
    backends: Arc<Backends>,
    tls: Option<tls::Server>,
    connect_timeout: Duration,
    idle_timeout: Duration,
}

impl Worker {
    async fn pass(&self, stream: TcpStream, client: SocketAddr) {
        self.net.count("balancer.connections");
        match &self.tls {
            None => self.pass_stream(stream, client).await,
            Some(tls) => match self.net.timeout(HANDSHAKE_TIMEOUT, tls.accept(client, stream)).await {
                Ok(Ok(stream)) => self.pass_stream(stream, client).await,
                Ok(Err(_)) | Err(_) => self.net.count("balancer.handshake_failed"),
            },
        }
    }

    async fn pass_stream<S>(&self, client_side: S, client: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Reset + Unpin,
    {
        let Some((server_side, attempt)) = self.connect(client).await else {
            self.net.count("balancer.refused");
            self.net.trace(Storey::Application, "balancer.refused", |f| {
                f.set("client", client).set("why", "no backend took the connection");
            });
            client_side.reset_on_drop();
            return;
        };
        let passed = pump::pass(&self.net, client_side, server_side, self.idle_timeout).await;
        self.net.observe("balancer.bytes", (passed.to_backend + passed.to_client) as f64);
        self.net.trace(Storey::Application, "balancer.close", |f| {
            f.set("client", client).set("backend", attempt.name().to_owned());
            f.set("to_backend", passed.to_backend).set("to_client", passed.to_client);
            f.set(
                "why",
                match &passed.end {
                    End::Closed => "both sides have closed".to_owned(),
                    End::Reset(e) => format!("a side broke off, and so the other was reset: {e}"),
                    End::Idle => "nothing came for too long".to_owned(),
                },
            );
        });
    }

    /// A connection to the backend that the policy picks, or to the next one where that does not take it.
    async fn connect(&self, client: SocketAddr) -> Option<(TcpStream, Attempt)> {
        let mut tried = Vec::new();
        loop {
            let attempt = self.backends.pick(client, &tried)?;
            let connect = self.net.connect(attempt.address(), nodelay());
            let result = self.net.timeout(self.connect_timeout, connect).await.unwrap_or_else(|e| Err(e.into()));
            match result {
                Ok(stream) => {
                    attempt.succeeded();
                    return Some((stream, attempt));
                }
                Err(e) => {
                    tried.push(attempt.index());
                    attempt.failed(&e);
                }
            }
        }
    }
}
