//! Clients who wait for a backend: in the order in which they came, at most so many, for so long.

use core::time::Duration;
use std::collections::VecDeque;
use std::net::SocketAddr;

use septet_core::Instant;
use tokio::sync::oneshot;

use super::backend::{Attempt, Wanted};

/// How clients wait while each backend has as much open as it may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queue {
    /// So many wait at most; whoever comes then is turned away at once.
    pub most: usize,
    /// For so long.
    pub timeout: Duration,
}

impl Default for Queue {
    /// HAProxy's `timeout queue` where only `timeout connect` is set: 1,024 clients, for a second.
    fn default() -> Self {
        Self { most: 1024, timeout: Duration::from_secs(1) }
    }
}

/// One who waits.
pub(super) struct Waiter {
    pub(super) client: SocketAddr,
    pub(super) request: Option<String>,
    pub(super) stuck: Option<usize>,
    pub(super) tried: Vec<usize>,
    pub(super) since: Instant,
    number: u64,
    to: oneshot::Sender<Attempt>,
}

impl Waiter {
    pub(super) fn new(wanted: Wanted<'_>, tried: &[usize], since: Instant) -> (Self, oneshot::Receiver<Attempt>) {
        let (to, handed) = oneshot::channel();
        let request = wanted.request.map(str::to_owned);
        let (client, stuck, tried) = (wanted.client, wanted.stuck, tried.to_vec());
        (Self { client, request, stuck, tried, since, number: 0, to }, handed)
    }

    /// Gives it what it waited for. Where it has gone, that is dropped.
    pub(super) fn hand(self, attempt: Attempt) {
        drop(self.to.send(attempt));
    }
}

/// All who wait, the first first.
#[derive(Default)]
pub(super) struct Waiting {
    line: VecDeque<Waiter>,
    next: u64,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// Takes one in, and says by which number it may leave.
    pub(super) fn push(&mut self, mut waiter: Waiter) -> u64 {
        // Those whose clients have gone need no place.
        self.line.retain(|w| !w.to.is_closed());
        waiter.number = self.next;
        self.next += 1;
        self.line.push_back(waiter);
        self.next - 1
    }

    pub(super) fn get(&self, at: usize) -> Option<&Waiter> {
        self.line.get(at)
    }

    /// Takes out the one at a place that [`get`](Self::get) has found.
    pub(super) fn take(&mut self, at: usize) -> Waiter {
        self.line.remove(at).expect("it was found there")
    }

    /// One waits no longer.
    pub(super) fn give_up(&mut self, number: u64) {
        self.line.retain(|w| w.number != number);
    }
}
