//! The front that balances connections: bytes are passed between a client and the backend that its connection got.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use septet_core::Storey;
use septet_socket::{Bounds, End, NetExt, NetRef, Stream, TcpStream, Way, relay};

use super::Limits;
use super::backend::{Attempt, Backends, Wanted};
use super::dial::{Ends, dial};
use super::group::Groups;
use super::hello::{self, Hello};

/// The most that is held in one direction of a connection.
const BUFFER: usize = 16 * 1024;

/// Whether the name that TLS asks for says where a connection goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Names {
    #[default]
    Ignored,
    Asked,
}

/// What its connections share.
pub(super) struct Connections {
    pub(super) net: NetRef,
    pub(super) groups: Groups,
    pub(super) names: Names,
    pub(super) limits: Limits,
    pub(super) idle_timeout: Duration,
}

impl Connections {
    /// Passes bytes until the connection ends, to the backends of the route for the name that TLS asks for where names count.
    pub(super) async fn serve(&self, client_side: impl Stream + Send, ends: Ends) {
        if self.names == Names::Ignored {
            return self.pass(client_side, ends, None).await;
        }
        match hello::peek(&self.net, client_side).await {
            Ok((Hello::Named(name), client_side)) => self.pass(client_side, ends, Some(&name)).await,
            Ok((Hello::Nameless | Hello::Other, client_side)) => self.pass(client_side, ends, None).await,
            Err(_) => self.net.count("balancer.handshake_failed"),
        }
    }

    /// Passes bytes until the connection ends. Where no backend takes it the client is reset, for bytes know no word
    /// that says so.
    async fn pass(&self, mut client_side: impl Stream, ends: Ends, name: Option<&str>) {
        let client = ends.client;
        let Some(way) = self.groups.of_name(name) else {
            self.net.count("balancer.unrouted");
            return self.refuse(&client_side, ends, "no route is for it");
        };
        if let Some((route, name)) = way.route.zip(name) {
            self.net.trace(Storey::Application, "balancer.route", |f| {
                f.set("client", client).set("request", name.to_owned()).set("route", route.name.clone());
            });
        }
        let (mut server_side, attempt) = match self.connect(&way.group.backends, ends).await {
            Ok(connected) => connected,
            Err(why) => return self.refuse(&client_side, ends, why),
        };
        let (mut to_backend, mut to_client) = (0, 0);
        let count = |way, n| match way {
            Way::Forth => to_backend += n,
            Way::Back => to_client += n,
        };
        let bounds = Bounds { buffer: BUFFER, idle: Some(self.idle_timeout) };
        let end = {
            let mut relay = pin!(relay(&self.net, &mut client_side, &mut server_side, bounds, count));
            let mut ending = attempt.ending();
            poll_fn(|cx| match ending.poll_cut(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => relay.as_mut().poll(cx).map(Some),
            })
            .await
        };
        if end.is_none() {
            client_side.reset_on_drop();
            server_side.reset_on_drop();
        }
        let bytes = (to_backend + to_client) as f64;
        self.net.observe("balancer.bytes", bytes);
        self.net.observe(&format!("backend.{}.bytes", attempt.name()), bytes);
        self.net.trace(Storey::Application, "balancer.close", |f| {
            f.set("client", client).set("backend", attempt.name().to_owned());
            f.set("to_backend", to_backend).set("to_client", to_client);
            f.set(
                "why",
                match &end {
                    None => "the backend was drained, and its time is over".to_owned(),
                    Some(End::Closed) => "both sides have closed".to_owned(),
                    Some(End::Reset(e)) => format!("a side broke off, and so the other was reset: {e}"),
                    Some(End::Idle) => "nothing came for too long".to_owned(),
                },
            );
        });
    }

    fn refuse(&self, client_side: &impl Stream, ends: Ends, why: &'static str) {
        self.net.count("balancer.refused");
        self.net.trace(Storey::Application, "balancer.refused", |f| {
            f.set("client", ends.client).set("why", why);
        });
        client_side.reset_on_drop();
    }

    /// A connection to the backend that the policy picks, or to the next one where that does not take it.
    async fn connect(&self, backends: &Arc<Backends>, ends: Ends) -> Result<(TcpStream, Attempt), &'static str> {
        let mut tried = Vec::new();
        loop {
            let attempt = backends.pick(Wanted { client: ends.client, request: None, stuck: None }, &tried).await?;
            let begun = self.net.now();
            let connect = dial(&self.net, attempt.target(), Some(ends));
            let result = self.net.timeout(self.limits.connect, connect).await.unwrap_or_else(|e| Err(e.into()));
            match result {
                Ok(stream) => {
                    self.net.count(&format!("backend.{}.connections", attempt.name()));
                    attempt.took(self.net.now() - begun);
                    attempt.succeeded();
                    return Ok((stream, attempt));
                }
                Err(e) => {
                    let why = format!("cannot connect: {e}");
                    attempt.failed(&why);
                    tried.push(attempt.index());
                    self.net.count("balancer.retries");
                    self.net.trace(Storey::Application, "balancer.retry", |f| {
                        f.set("backend", attempt.name().to_owned()).set("why", why);
                    });
                }
            }
        }
    }
}
