//! What the balancer knows of its backends.

use core::future::Future;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_core::{Instant, Storey};
use septet_socket::{NetExt, NetRef};
use tokio::sync::Notify;

use super::policy::{Asked, Candidate, Pick, Policy};
use super::{Health, Target};

/// A backend that failed is passed over for so long while others are well (nginx's `fail_timeout`); a health check
/// that goes well ends it.
const PENALTY: Duration = Duration::from_secs(10);

/// All backends of a balancer.
pub(super) struct Backends {
    net: NetRef,
    targets: Vec<Target>,
    health: Option<Health>,
    /// Told when a backend is taken out.
    gone: Vec<Arc<Notify>>,
    /// Told when a check of a backend fails, or nobody can connect to it: it may have crashed.
    doubted: Vec<Arc<Notify>>,
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
    /// It failed lately: until when it is passed over.
    shunned_until: Option<Instant>,
}

impl State {
    /// Why it is not among the candidates.
    fn why_out(&self, was_tried: bool) -> &'static str {
        match (was_tried, self.down) {
            (true, _) => "was tried already",
            (false, true) => "is down",
            (false, false) => "failed lately",
        }
    }
}

/// `web1 2 open, web2 0 open`, with weights where they differ.
fn shown(candidates: &[Candidate<'_>]) -> String {
    let is_even = candidates.iter().all(|c| c.weight == candidates[0].weight);
    let one = |c: &Candidate<'_>| match is_even {
        true => format!("{} {} open", c.name, c.open),
        false => format!("{} {} open, weight {}", c.name, c.open, c.weight),
    };
    candidates.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What a backend is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Who asks.
    pub(super) client: SocketAddr,
    /// For what, where it is not the whole connection: `GET /`.
    pub(super) request: Option<&'a str>,
    /// The backend that the client had, whatever the policy says.
    pub(super) stuck: Option<usize>,
}

impl Backends {
    pub(super) fn new(net: NetRef, targets: Vec<Target>, policy: Box<dyn Policy>, health: Option<Health>) -> Arc<Self> {
        let states = vec![State::default(); targets.len()];
        let [gone, doubted] = [(), ()].map(|()| targets.iter().map(|_| Arc::default()).collect());
        Arc::new(Self { net, targets, health, gone, doubted, inner: Mutex::new(Inner { policy, states }) })
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The backend for `wanted`, those that were `tried` already left out. `None` where there is no other that may be
    /// well.
    pub(super) fn pick(self: &Arc<Self>, wanted: Wanted<'_>, tried: &[usize]) -> Option<Attempt> {
        let now = self.net.now();
        let mut inner = self.lock();
        let Inner { policy, states } = &mut *inner;
        let may_serve: Vec<_> = (0..states.len()).filter(|i| !tried.contains(i) && !states[*i].down).collect();
        let in_favour = |i: &usize| states[*i].shunned_until.is_none_or(|until| until <= now);
        let mut indices: Vec<_> = may_serve.iter().copied().filter(in_favour).collect();
        let last_resort = indices.is_empty();
        if last_resort {
            // A past failure is no proof: better to try one that failed than to turn the client away.
            indices = may_serve;
        }
        if indices.is_empty() {
            return None;
        }
        let candidates: Vec<_> = indices
            .iter()
            .map(|&index| {
                let Target { name, weight, .. } = &self.targets[index];
                Candidate { index, name, weight: *weight, open: states[index].open }
            })
            .collect();
        let stuck = wanted.stuck.filter(|_| !last_resort);
        let pick = match stuck.and_then(|stuck| indices.iter().position(|index| *index == stuck)) {
            Some(position) => Pick { position, why: "the client's cookie names it".into() },
            None => policy.pick(&Asked { client: wanted.client, now }, &candidates),
        };
        let index = indices[pick.position.min(indices.len() - 1)];
        let target = &self.targets[index];
        if wanted.request.is_some() {
            self.net.count(&format!("backend.{}.requests", target.name));
        }
        self.net.trace(Storey::Application, "balancer.pick", |f| {
            f.set("client", wanted.client).set("backend", target.name.clone()).set("address", target.at);
            if let Some(request) = wanted.request {
                f.set("request", request.to_owned());
            }
            f.set("attempt", tried.len() + 1);
            let why =
                if last_resort { format!("{}, for want of a better one", pick.why) } else { pick.why.to_string() };
            f.set("why", why);
            f.set("candidates", shown(&candidates));
            let out = self.targets.iter().enumerate().filter(|(i, _)| !indices.contains(i));
            let out: Vec<_> =
                out.map(|(i, t)| format!("{} {}", t.name, states[i].why_out(tried.contains(&i)))).collect();
            if !out.is_empty() {
                f.set("out", out.join(", "));
            }
        });
        states[index].open += 1;
        drop(inner);
        Some(Attempt { backends: self.clone(), index })
    }

    /// Whether there is another backend that is in favour, those that were `tried` already left out.
    pub(super) fn has_better(&self, tried: &[usize]) -> bool {
        let now = self.net.now();
        let well = |state: &State| !state.down && state.shunned_until.is_none_or(|until| until <= now);
        self.lock().states.iter().enumerate().any(|(i, state)| !tried.contains(&i) && well(state))
    }

    /// Takes note of a health check.
    pub(super) fn checked(&self, index: usize, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.lock().states[index].shunned_until = None,
            Err(_) => self.doubted[index].notify_waiters(),
        }
        self.count(index, &outcome);
    }

    /// Takes note of what clients met.
    fn met(&self, index: usize, outcome: Result<(), String>) {
        let until = outcome.is_err().then(|| self.net.now() + PENALTY);
        self.lock().states[index].shunned_until = until;
        // That it serves clients does not make a backend well whose checks fail.
        if outcome.is_err() {
            self.count(index, &outcome);
        }
    }

    /// Takes a backend out or in where enough results in a row say so.
    fn count(&self, index: usize, outcome: &Result<(), String>) {
        let Some(health) = &self.health else { return };
        let mut inner = self.lock();
        let state = &mut inner.states[index];
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
            match outcome {
                Ok(()) => f.set("why", format!("{needed} checks in a row went well")),
                Err(e) => f.set("why", format!("{needed} failures in a row, the last one: {e}")),
            };
        });
        if outcome.is_err() {
            self.gone[index].notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection or request given to a backend; it counts as open until this is dropped.
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

    pub(super) fn target(&self) -> &Target {
        &self.backends.targets[self.index]
    }

    /// Completes when the backend is taken out, if that is after this call.
    pub(super) fn taken_out(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.backends.gone[self.index].clone().notified_owned()
    }

    /// Completes when a check of the backend fails, or somebody cannot connect to it, if that is after this call.
    pub(super) fn doubted(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.backends.doubted[self.index].clone().notified_owned()
    }

    /// It could not be connected to: whoever waits for its answer may wait in vain.
    pub(super) fn doubt(&self) {
        self.backends.doubted[self.index].notify_waiters();
    }

    /// Another is asked in its place, because it may have failed: it is passed over as one that has, but that alone does
    /// not take it out, however many wait there.
    pub(super) fn given_up(&self) {
        self.backends.net.count(&format!("backend.{}.failed", self.name()));
        self.backends.lock().states[self.index].shunned_until = Some(self.backends.net.now() + PENALTY);
    }

    /// It took so long to answer, or to take the connection where connections are balanced.
    pub(super) fn took(&self, took: Duration) {
        self.backends.lock().policy.observed(self.index, took, self.backends.net.now());
    }

    pub(super) fn succeeded(&self) {
        self.backends.met(self.index, Ok(()));
    }

    pub(super) fn failed(&self, why: &str) {
        self.backends.net.count(&format!("backend.{}.failed", self.name()));
        self.backends.met(self.index, Err(why.to_owned()));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut inner = self.backends.lock();
        let open = &mut inner.states[self.index].open;
        *open = open.saturating_sub(1);
    }
}
