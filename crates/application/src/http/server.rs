//! The server: where it listens, and how a connection becomes one that speaks HTTP.

use core::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use septet_core::{Metric, Star};
use septet_network::Prefix;
use septet_presentation::ca::ServerIdentity;
use septet_presentation::tls;
use septet_socket::{Acceptor, ListenOptions, NetExt, NetRef, Nodelay, Places, Stream, TcpOptions, TcpStream};

use super::converse::converse_until;
use super::ending::Ending;
use super::pages::Pages;
use super::service::Service;
use super::site::Site;
use crate::proxy_protocol::{self, Header};

/// Makes a service for a host that starts.
type Make = dyn Fn(&NetRef) -> Arc<dyn Service> + Send + Sync;

/// An HTTP server.
///
/// ```
/// use septet_application::http::{Body, Request, Response, Server};
/// // It sends back what it gets, piece by piece.
/// let echo = Server::of(|_net| |request: Request<Body>| async { Response::new(request.into_body()) });
/// ```
#[derive(Clone)]
pub struct Server {
    make: Arc<Make>,
    /// Where, and the certificates that are shown there; none where it is in the clear.
    listen: Vec<(SocketAddr, Vec<ServerIdentity>)>,
    versions: tls::Versions,
    clients: tls::Clients,
    proxied_from: Arc<[Prefix]>,
}

impl Server {
    /// A server for `site`. It listens nowhere until [`listen`](Self::listen) or
    /// [`listen_tls`](Self::listen_tls) says where; without either, at port 80 of every address.
    pub fn new(site: Site) -> Self {
        let site = Arc::new(site);
        Self::of(move |net| Pages::new(net, &site))
    }

    /// A server whose requests go to the service that `make` makes each time that it starts.
    pub fn of<S: Service>(make: impl Fn(&NetRef) -> S + Send + Sync + 'static) -> Self {
        super::prime();
        Self {
            make: Arc::new(move |net| Arc::new(make(net))),
            listen: Vec::new(),
            versions: tls::Versions::Any,
            clients: tls::Clients::Unasked,
            proxied_from: Arc::default(),
        }
    }

    /// Listens at `at` for HTTP/1.1 in the clear; `[::]` stands for the addresses of both versions of IP.
    #[must_use]
    pub fn listen(mut self, at: SocketAddr) -> Self {
        self.listen.push((at, Vec::new()));
        self
    }

    /// Listens at `at` for HTTP/2 and HTTP/1.1 over TLS. With several identities at one place a client is shown the one for the
    /// name that it asks for.
    #[must_use]
    pub fn listen_tls(mut self, at: SocketAddr, identity: ServerIdentity) -> Self {
        match self.listen.iter_mut().find(|(known, identities)| *known == at && !identities.is_empty()) {
            Some((_, identities)) => identities.push(identity),
            None => self.listen.push((at, vec![identity])),
        }
        self
    }

    /// Speaks these versions of TLS alone.
    #[must_use]
    pub fn versions(mut self, versions: tls::Versions) -> Self {
        self.versions = versions;
        self
    }

    /// Asks who clients of TLS are.
    #[must_use]
    pub fn clients(mut self, clients: tls::Clients) -> Self {
        self.clients = clients;
        self
    }

    /// Takes connections from these addresses only with a header of the [PROXY protocol](crate::proxy_protocol), and believes
    /// whose they are by that; without one they are closed. To connections from elsewhere such a header is no request.
    #[must_use]
    pub fn proxied_from(mut self, senders: Vec<Prefix>) -> Self {
        self.proxied_from = senders.into();
        self
    }

    /// Serves until the host stops. Where one of its listeners ends before, its connections end as well, each when it has
    /// answered what it was asked.
    ///
    /// # Errors
    /// `AddrInUse` and `AddrNotAvailable` where it cannot listen; nothing a client does ends it.
    pub async fn serve(mut self, net: NetRef) -> io::Result<()> {
        if self.listen.is_empty() {
            self.listen.push(((Ipv6Addr::UNSPECIFIED, 80).into(), Vec::new()));
        }
        let places = Places::default();
        let ending = Ending::new();
        let service = (self.make)(&net);
        let mut tasks = Vec::new();
        for (at, identities) in self.listen {
            let tcp = TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() };
            let listener = net.listen(net.spoken(at), ListenOptions { tcp, ..ListenOptions::default() })?;
            let alpn = [tls::H2, tls::HTTP_1_1];
            let tls = match identities.is_empty() {
                true => None,
                false => Some(tls::Server::of_several(&net, &identities, self.versions, &self.clients, &alpn)?),
            };
            let acceptor = Acceptor::new(listener, &places);
            let (net2, service, senders) = (net.clone(), service.clone(), self.proxied_from.clone());
            let ending = ending.clone();
            let serve = async move {
                let take = |(stream, peer)| {
                    let (net, senders) = (net2.clone(), senders.clone());
                    take(net, stream, peer, senders, tls.clone(), service.clone(), ending.clone())
                };
                // It ends where the host is switched off, and this with it, or where another takes the listener over.
                drop(acceptor.serve(&net2, take).await);
                ending.tell();
            };
            tasks.push(crate::task::spawn(&net, Box::pin(serve)));
        }
        core::future::pending::<()>().await;
        drop(tasks);
        Ok(())
    }
}

async fn take(
    net: NetRef,
    stream: TcpStream,
    peer: SocketAddr,
    senders: Arc<[Prefix]>,
    tls: Option<tls::Server>,
    service: Arc<dyn Service>,
    ending: Ending,
) {
    net.count("http.connections");
    if !proxy_protocol::is_from(peer, &senders) {
        return connection(net, stream, peer, tls, service, ending).await;
    }
    match proxy_protocol::accept(&net, stream, peer).await {
        Ok((Header::Own, stream)) => connection(net, stream, peer, tls, service, ending).await,
        Ok((Header::Proxied { source, .. }, stream)) => connection(net, stream, source, tls, service, ending).await,
        Err(_) => net.count("http.unproxied"),
    }
}

async fn connection(
    net: NetRef,
    stream: impl Stream + Send + Sync + 'static,
    peer: SocketAddr,
    tls: Option<tls::Server>,
    service: Arc<dyn Service>,
    ending: Ending,
) {
    let Some(tls) = tls else { return converse_until(&net, stream, peer, service, &ending).await };
    match net.timeout(tls::HANDSHAKE_TIMEOUT, tls.accept(peer, stream)).await {
        Ok(Ok(stream)) => converse_until(&net, stream, peer, service, &ending).await,
        Ok(Err(_)) | Err(_) => net.count("http.handshake_failed"),
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// What a web server records.
pub const METRICS: &[Metric] = &[
    Metric::counter("http.connections", "connections that a web server took"),
    Metric::counter("http.requests", "requests that a web server took"),
    Metric::counter("http.handshake_failed", "TLS handshakes that came to nothing at a web server"),
    Metric::bytes("http.received", "bytes of the body of each request that has one"),
    Metric::bytes("http.sent", "bytes of the body of each response"),
    Metric::counter("http.answers.*", "answers of a server with this status").of(Star::Number),
    Metric::counter(
        "http.unproxied",
        "connections from where the PROXY protocol is expected that a web server closed, because they did not begin with its header",
    ),
    Metric::counter("http.refused", "bytes that are no HTTP, or a head too long, or too late"),
];
