//! What the balancer knows of its backends.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_core::{Instant, Storey};
use septet_socket::{NetExt, NetRef};

use super::policy::{Candidate, Policy};
use super::{Health, Target};

/// Without health checks a backend that failed is left alone for so long (nginx's `fail_timeout`).
const PENALTY: Duration = Duration::from_secs(10);

/// All backends of a balancer.
pub(super) struct Backends {
    net: NetRef,
    targets: Vec<Target>,
    health: Option<Health>,
    inner: Mutex<Inner>,
}

struct Inner {
    policy: Box<dyn Policy>,
    states: Vec<State>,
}

#[derive(Clone, Default)]
struct State {
    open: usize,
    down: bool,
    /// Results in a row that speak against the present state.
    contrary: u32,
    /// Without health checks: when it may be tried again.
    shunned_until: Option<Instant>,
}

impl Backends {
    pub(super) fn new(net: NetRef, targets: Vec<Target>, policy: Box<dyn Policy>, health: Option<Health>) -> Arc<Self> {
        let states = vec![State::default(); targets.len()];
        Arc::new(Self { net, targets, health, inner: Mutex::new(Inner { policy, states }) })
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The backend for a connection of `client`, those `tried` already left out.
    pub(super) fn pick(self: &Arc<Self>, client: SocketAddr, tried: &[usize]) -> Option<Attempt> {
        let now = self.net.now();
        let mut inner = self.lock();
        let Inner { policy, states } = &mut *inner;
        let untried = |i: &usize| !tried.contains(i);
        let well = |i: &usize| !states[*i].down && states[*i].shunned_until.is_none_or(|until| until <= now);
        let mut indices: Vec<_> = (0..states.len()).filter(untried).filter(well).collect();
        let mut last_resort = false;
        if indices.is_empty() && self.health.is_none() {
            // A past failure is no proof: better to try one that failed than to turn the client away.
            indices = (0..states.len()).filter(untried).collect();
            last_resort = true;
        }
        if indices.is_empty() {
            return None;
        }
        let candidates: Vec<_> = indices
            .iter()
            .map(|&index| Candidate { index, name: &self.targets[index].name, open: states[index].open })
            .collect();
        let pick = policy.pick(client, &candidates);
        let index = indices[pick.position.min(indices.len() - 1)];
        states[index].open += 1;
        drop(inner);
        let target = &self.targets[index];
        self.net.count(&format!("balancer.picks.{}", target.name));
        self.net.trace(Storey::Application, "balancer.pick", |f| {
            f.set("client", client).set("backend", target.name.clone()).set("address", target.at);
            f.set("attempt", tried.len() + 1);
            let why =
                if last_resort { format!("{}, for want of a better one", pick.why) } else { pick.why.to_string() };
            f.set("why", why);
        });
        Some(Attempt { backends: self.clone(), index })
    }

    /// Takes note of a health check or of an attempt to connect.
    pub(super) fn report(&self, index: usize, outcome: Result<(), String>) {
        let now = self.net.now();
        let mut inner = self.lock();
        let state = &mut inner.states[index];
        let Some(health) = &self.health else {
            state.shunned_until = outcome.is_err().then(|| now + PENALTY);
            return;
        };
        if outcome.is_err() == state.down {
            state.contrary = 0;
            return;
        }
        state.contrary += 1;
        let needed = if state.down { health.rise } else { health.fall };
        if state.contrary < needed {
            return;
        }
        state.down = !state.down;
        state.contrary = 0;
        drop(inner);
        let kind = if outcome.is_ok() { "balancer.up" } else { "balancer.down" };
        self.net.count(kind);
        self.net.trace(Storey::Application, kind, |f| {
            f.set("backend", self.targets[index].name.clone());
            match &outcome {
                Ok(()) => f.set("why", format!("{needed} checks in a row went well")),
                Err(e) => f.set("why", format!("{needed} failures in a row, the last one: {e}")),
            };
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection given to a backend; it counts as open until this is dropped.
pub(super) struct Attempt {
    backends: Arc<Backends>,
    index: usize,
}

impl Attempt {
    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn name(&self) -> &str {
        &self.backends.targets[self.index].name
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.backends.targets[self.index].at
    }

    pub(super) fn succeeded(&self) {
        // That it takes connections does not make a backend well, but without checks there is nothing else to go by.
        if self.backends.health.is_none() {
            self.backends.report(self.index, Ok(()));
        }
    }

    pub(super) fn failed(&self, error: &io::Error) {
        let net = &self.backends.net;
        net.count("balancer.retries");
        net.trace(Storey::Application, "balancer.retry", |f| {
            f.set("backend", self.name().to_owned()).set("why", format!("cannot connect: {error}"));
        });
        self.backends.report(self.index, Err(format!("cannot connect: {error}")));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut inner = self.backends.lock();
        let open = &mut inner.states[self.index].open;
        *open = open.saturating_sub(1);
    }
}
