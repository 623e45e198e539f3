//! What the balancer knows of its backends, and who of them gets what.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_core::{Instant, Storey};
use septet_socket::{NetExt, NetRef};
use tokio::sync::Notify;

use super::policy::{Asked, Candidate, Pick, Policy};
use super::standing::{Ejection, Standing, Turn};
use super::waiting::{Queue, Waiter, Waiting};
use super::{Health, Target};

/// When which backend may be picked.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) health: Option<Health>,
    pub(super) ejection: Ejection,
    /// Where a smaller share than this, in percent, is well, all are taken for well but those that are drained.
    pub(super) panic: u32,
    pub(super) slow_start: Duration,
    /// The most connections or requests that a backend has open at once.
    pub(super) most: Option<usize>,
    pub(super) queue: Queue,
}

/// All backends of a balancer.
pub(super) struct Backends {
    net: NetRef,
    targets: Vec<Target>,
    rules: Rules,
    /// Told when a backend is taken out.
    gone: Vec<Arc<Notify>>,
    /// Told when a check of a backend fails, or nobody can connect to it: it may have crashed.
    doubted: Vec<Arc<Notify>>,
    inner: Mutex<Inner>,
}

struct Inner {
    policy: Box<dyn Policy>,
    states: Vec<State>,
    waiting: Waiting,
}

#[derive(Clone)]
struct State {
    open: usize,
    weight: u32,
    standing: Standing,
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

/// How a backend stands, for whoever looks after the balancer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen<'a> {
    pub(super) target: &'a Target,
    pub(super) weight: u32,
    pub(super) state: &'static str,
    pub(super) open: usize,
}

/// What a look at the backends comes to.
enum Found {
    /// This one; it counts as open.
    This(usize),
    /// One may be had when something changes.
    Later(&'static str),
    None,
}

impl Backends {
    pub(super) fn new(net: NetRef, targets: Vec<Target>, policy: Box<dyn Policy>, rules: Rules) -> Arc<Self> {
        let standing = if rules.health.is_some() { Standing::unproven() } else { Standing::default() };
        let state = |t: &Target| State { open: 0, weight: t.weight, standing: standing.clone() };
        let states = targets.iter().map(state).collect();
        let [gone, doubted] = [(), ()].map(|()| targets.iter().map(|_| Arc::default()).collect());
        let inner = Mutex::new(Inner { policy, states, waiting: Waiting::default() });
        Arc::new(Self { net, targets, rules, gone, doubted, inner })
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// How they stand, in the order of their declaration.
    pub(super) fn seen(&self) -> Vec<Seen<'_>> {
        let now = self.net.now();
        let inner = self.lock();
        let seen = |(target, s): (_, &State)| {
            let state = s.standing.word(now);
            Seen { target, weight: s.weight, state, open: s.open }
        };
        self.targets.iter().zip(&inner.states).map(seen).collect()
    }

    /// The backend for `wanted`, those that were `tried` already left out; waits where all that are well have as much
    /// open as they may, or their first checks are not done.
    ///
    /// # Errors
    /// Why there is none: no other may be well, or too many wait, or the wait was too long.
    pub(super) async fn pick(self: &Arc<Self>, wanted: Wanted<'_>, tried: &[usize]) -> Result<Attempt, &'static str> {
        let (number, handed) = {
            let mut inner = self.lock();
            let why = match self.find(&mut inner, wanted, tried, None) {
                Found::This(index) => return Ok(self.attempt(index)),
                Found::None => return Err("no backend is well"),
                Found::Later(why) => why,
            };
            if inner.waiting.len() >= self.rules.queue.most {
                self.net.count("balancer.queue.full");
                return Err("as many as may wait for a backend already");
            }
            let (waiter, handed) = Waiter::new(wanted, tried, self.net.now());
            let number = inner.waiting.push(waiter);
            self.net.count("balancer.queued");
            let waiting = inner.waiting.len();
            self.net.trace(Storey::Application, "balancer.wait", |f| {
                f.set("client", wanted.client).set("waiting", waiting).set("why", why);
            });
            (number, handed)
        };
        // Who waits before it may have tried what there is room at.
        self.settle();
        match self.net.timeout(self.rules.queue.timeout, handed).await {
            Ok(attempt) => attempt.map_err(|_| "the balancer has gone"),
            Err(_) => {
                self.lock().waiting.give_up(number);
                self.net.count("balancer.queue.timeout");
                Err("the wait for a backend was too long")
            }
        }
    }

    /// Gives what there is room for to those who wait, the first first.
    fn settle(self: &Arc<Self>) {
        let mut handed = Vec::new();
        {
            let mut inner = self.lock();
            let mut passed = 0;
            while let Some(waiter) = inner.waiting.get(passed) {
                let (request, tried, since) = (waiter.request.clone(), waiter.tried.clone(), waiter.since);
                let wanted = Wanted { client: waiter.client, request: request.as_deref(), stuck: waiter.stuck };
                match self.find(&mut inner, wanted, &tried, Some(since)) {
                    Found::This(index) => handed.push((inner.waiting.take(passed), index)),
                    // Others may have tried other backends, but most have tried none.
                    _ if tried.is_empty() => break,
                    _ => passed += 1,
                }
            }
        }
        for (waiter, index) in handed {
            self.net.observe("balancer.wait", (self.net.now() - waiter.since).as_secs_f64());
            // Who has gone meanwhile drops it again.
            waiter.hand(self.attempt(index));
        }
    }

    fn attempt(self: &Arc<Self>, index: usize) -> Attempt {
        Attempt { backends: self.clone(), index }
    }

    /// Looks for a backend; for one who has waited `since` then.
    fn find(&self, inner: &mut Inner, wanted: Wanted<'_>, tried: &[usize], since: Option<Instant>) -> Found {
        let now = self.net.now();
        let Inner { policy, states, waiting } = inner;
        let (allowed, doubt) = self.allowed(states, tried, now);
        if allowed.is_empty() {
            let is_open = states.iter().enumerate().any(|(i, s)| !tried.contains(&i) && s.standing.is_unproven());
            return if is_open { Found::Later("no backend has passed its first check yet") } else { Found::None };
        }
        let most = self.rules.most.unwrap_or(usize::MAX);
        let indices: Vec<_> = allowed.iter().copied().filter(|i| states[*i].open < most).collect();
        if indices.is_empty() || since.is_none() && !waiting.is_empty() && self.rules.most.is_some() {
            return Found::Later("each backend has as much open as it may");
        }
        let candidates = self.candidates(states, &indices, now);
        let stuck = wanted.stuck.filter(|_| doubt.is_none());
        let pick = match stuck.and_then(|stuck| indices.iter().position(|index| *index == stuck)) {
            Some(position) => Pick { position, why: "the client's cookie names it".into() },
            None => policy.pick(&Asked { client: wanted.client, now }, &candidates),
        };
        let index = indices[pick.position.min(indices.len() - 1)];
        let waited = since.map(|since| now - since);
        self.tell(wanted, tried, states, &candidates, (&pick, index), (doubt, waited));
        states[index].open += 1;
        Found::This(index)
    }

    /// Who may be picked, and in what doubt.
    fn allowed(&self, states: &[State], tried: &[usize], now: Instant) -> (Vec<usize>, Option<&'static str>) {
        let untried = |i: &usize| !tried.contains(i);
        let well = states.iter().filter(|s| s.standing.is_well(now)).count();
        if well * 100 < states.len() * self.rules.panic as usize {
            // Better to ask those that may be ill than to crush those that are well.
            let any = (0..states.len()).filter(untried).filter(|i| {
                let standing = &states[*i].standing;
                !standing.is_drained() && !standing.is_unproven()
            });
            return (any.collect(), Some("too few are well, and so all are asked"));
        }
        let may_serve: Vec<_> = (0..states.len()).filter(untried).filter(|i| states[*i].standing.is_in()).collect();
        let in_favour: Vec<_> = may_serve.iter().copied().filter(|i| !states[*i].standing.is_ejected(now)).collect();
        match in_favour.is_empty() {
            // A past failure is no proof: better to try one that failed than to turn the client away.
            true => (may_serve, Some("for want of a better one")),
            false => (in_favour, None),
        }
    }

    fn candidates(&self, states: &[State], indices: &[usize], now: Instant) -> Vec<Candidate<'_>> {
        let share = |i: usize| states[i].standing.share(self.rules.slow_start, now);
        let is_slow = indices.iter().any(|&i| share(i) < 100);
        let candidate = |&index: &usize| {
            let state = &states[index];
            // In hundredths while one is on its way up.
            let weight = if is_slow { state.weight * share(index) } else { state.weight };
            Candidate { index, name: &self.targets[index].name, weight, open: state.open }
        };
        indices.iter().map(candidate).collect()
    }

    /// Counts the choice, and tells who could have been chosen and who could not, and why.
    fn tell(
        &self,
        wanted: Wanted<'_>,
        tried: &[usize],
        states: &[State],
        candidates: &[Candidate<'_>],
        (pick, index): (&Pick, usize),
        (doubt, waited): (Option<&str>, Option<Duration>),
    ) {
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
            let mut why = pick.why.to_string();
            for more in
                doubt.map(str::to_owned).into_iter().chain(waited.map(|time| format!("after a wait of {time:?}")))
            {
                why.push_str(", ");
                why.push_str(&more);
            }
            f.set("why", why);
            f.set("candidates", shown(candidates));
            let now = self.net.now();
            let out = |(i, t): (usize, &Target)| match tried.contains(&i) {
                true => format!("{} tried already", t.name),
                false if states[i].standing.is_well(now) => format!("{} full", t.name),
                false => format!("{} {}", t.name, states[i].standing.word(now)),
            };
            let others = self.targets.iter().enumerate().filter(|(i, _)| candidates.iter().all(|c| c.index != *i));
            let out: Vec<_> = others.map(out).collect();
            if !out.is_empty() {
                f.set("out", out.join("; "));
            }
        });
    }

    /// Whether there is another backend that is in favour, those that were `tried` already left out.
    pub(super) fn has_better(&self, tried: &[usize]) -> bool {
        let now = self.net.now();
        self.lock().states.iter().enumerate().any(|(i, state)| !tried.contains(&i) && state.standing.is_well(now))
    }

    /// Takes note of a health check.
    pub(super) fn checked(self: &Arc<Self>, index: usize, outcome: Result<(), String>) {
        let Some(Health { fall, rise, .. }) = self.rules.health else { return };
        if outcome.is_err() {
            self.doubted[index].notify_waiters();
        }
        let now = self.net.now();
        let turn = self.lock().states[index].standing.checked(outcome.is_ok(), fall, rise, now);
        self.turned(index, turn, &outcome);
        if outcome.is_ok() {
            self.settle();
        }
    }

    /// Takes note of what clients met.
    fn met(&self, index: usize, outcome: Result<(), String>) {
        let now = self.net.now();
        let mut inner = self.lock();
        let checks = self.rules.health.as_ref().map(|h| (h.fall, h.rise));
        let turn = inner.states[index].standing.met(outcome.is_ok(), checks, now);
        if outcome.is_err() {
            self.eject(&mut inner.states, index, now);
        }
        drop(inner);
        self.turned(index, turn, &outcome);
    }

    /// Passes a backend over that failed often enough, as long as not too many are.
    fn eject(&self, states: &mut [State], index: usize, now: Instant) {
        let rule = &self.rules.ejection;
        let others = states.iter().enumerate().filter(|(i, s)| *i != index && s.standing.is_ejected(now)).count();
        if others > 0 && (others + 1) * 100 > states.len() * rule.share as usize {
            return;
        }
        states[index].standing.eject(rule, now);
    }

    /// Tells of a backend that was taken out or in.
    fn turned(&self, index: usize, turn: Option<Turn>, outcome: &Result<(), String>) {
        let Some(turn) = turn else { return };
        let kind = if matches!(turn, Turn::In(_)) { "balancer.up" } else { "balancer.down" };
        self.net.count(kind);
        self.net.trace(Storey::Application, kind, |f| {
            f.set("backend", self.targets[index].name.clone());
            match (turn, outcome) {
                (Turn::In(needed), _) => f.set("why", format!("{needed} checks in a row went well")),
                (Turn::Out(needed), Err(e)) => f.set("why", format!("{needed} failures in a row, the last one: {e}")),
                (Turn::Out(needed), Ok(())) => f.set("why", format!("{needed} failures in a row")),
            };
        });
        if matches!(turn, Turn::Out(_)) {
            self.gone[index].notify_waiters();
        }
    }

    /// Gives the backend nothing new; what is open after `within` is broken off.
    pub(super) fn drain(self: &Arc<Self>, index: usize, within: Option<Duration>) {
        let deadline = within.map(|within| self.net.now() + within);
        let open = {
            let mut inner = self.lock();
            inner.states[index].standing.drain(deadline);
            inner.states[index].open
        };
        self.net.trace(Storey::Application, "balancer.drain", |f| {
            f.set("backend", self.targets[index].name.clone()).set("open", open);
            let why = match within {
                Some(within) => format!("it was asked to, and has {open} open that end by themselves or in {within:?}"),
                None => format!("it was asked to, and has {open} open that end by themselves"),
            };
            f.set("why", why);
        });
        let Some(deadline) = deadline else { return };
        let (net, backends) = (self.net.clone(), Arc::downgrade(self));
        let cut = async move {
            net.sleep_until(deadline).await;
            let Some(backends) = backends.upgrade() else { return };
            let open = {
                let inner = backends.lock();
                let state = &inner.states[index];
                if state.standing.is_cut(net.now()) { state.open } else { 0 }
            };
            if open > 0 {
                net.observe("balancer.cut", open as f64);
                backends.gone[index].notify_waiters();
            }
        };
        // It ends by itself.
        let _ = self.net.spawn(Box::pin(cut));
    }

    /// Gives the backend clients again.
    pub(super) fn enable(self: &Arc<Self>, index: usize) {
        let now = self.net.now();
        self.lock().states[index].standing.enable(now);
        self.net.trace(Storey::Application, "balancer.enable", |f| {
            f.set("backend", self.targets[index].name.clone()).set("why", "it was asked to");
        });
        self.settle();
    }

    /// Changes the backend's share.
    pub(super) fn weigh(&self, index: usize, weight: u32) {
        self.lock().states[index].weight = weight.clamp(1, Target::MOST_WEIGHT);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `web1 2 open; web2 0 open`, with weights where they differ.
fn shown(candidates: &[Candidate<'_>]) -> String {
    let is_even = candidates.iter().all(|c| c.weight == candidates[0].weight);
    let one = |c: &Candidate<'_>| match is_even {
        true => format!("{} {} open", c.name, c.open),
        false => format!("{} {} open, weight {}", c.name, c.open, c.weight),
    };
    candidates.iter().map(one).collect::<Vec<_>>().join("; ")
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

    /// Whether the backend was drained, and its time is over.
    pub(super) fn is_cut(&self) -> bool {
        self.backends.lock().states[self.index].standing.is_cut(self.backends.net.now())
    }

    /// When its backend is drained and the time for that is over.
    pub(super) fn ending(&self) -> Ending {
        Ending { backends: self.backends.clone(), index: self.index, taken_out: Box::pin(self.taken_out()) }
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
        let backends = &self.backends;
        backends.net.count(&format!("backend.{}.failed", self.name()));
        let mut inner = backends.lock();
        inner.states[self.index].standing.suspected();
        backends.eject(&mut inner.states, self.index, backends.net.now());
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

/// The end of the time that a drained backend was given.
pub(super) struct Ending {
    backends: Arc<Backends>,
    index: usize,
    taken_out: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl Ending {
    /// Ready when it has come; else whoever asks is woken then.
    pub(super) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.taken_out.as_mut().poll(cx).is_ready() {
            self.taken_out = Box::pin(self.backends.gone[self.index].clone().notified_owned());
            if self.backends.lock().states[self.index].standing.is_cut(self.backends.net.now()) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let is_waited_for = {
            let mut inner = self.backends.lock();
            let state = &mut inner.states[self.index];
            state.open = state.open.saturating_sub(1);
            if state.open == 0 && state.standing.is_drained() {
                self.backends.net.trace(Storey::Application, "balancer.drained", |f| {
                    f.set("backend", self.name().to_owned()).set("why", "nothing is open there any more");
                });
            }
            !inner.waiting.is_empty()
        };
        if is_waited_for {
            self.backends.settle();
        }
    }
}
