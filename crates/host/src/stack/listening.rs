//! How the programs of a host listen, whatever they ask for: how many connections may wait, and how late they are taken.

use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::collections::BTreeMap;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use septet_engine::executor::{Handle, Timer};

/// The rules for all listeners of a host, and for those of single ports.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listening {
    /// For ports of which nothing else is said.
    pub any: ListeningRule,
    /// By port; what a rule leaves open, `any` decides.
    pub ports: BTreeMap<u16, ListeningRule>,
}

impl Listening {
    /// No rules: all hosts that have none share these.
    pub fn none() -> Arc<Self> {
        static NONE: LazyLock<Arc<Listening>> = LazyLock::new(Arc::default);
        NONE.clone()
    }
}

/// A rule for listeners. `None` leaves it to the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListeningRule {
    /// How many connections may wait to be accepted. As in Linux the queue takes one more.
    pub backlog: Option<usize>,
    /// How late the program accepts.
    pub accept: Option<Accept>,
    /// Connections are not to be accepted before data comes, or this long has passed: `TCP_DEFER_ACCEPT`.
    pub defer: Option<Duration>,
}

/// How late a program accepts connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accept {
    /// It takes so long over each connection, one after the other.
    After(Duration),
    /// It listens, and accepts none.
    Never,
}

impl Listening {
    /// The rule for a port.
    pub(crate) fn at(&self, port: u16) -> ListeningRule {
        let ListeningRule { backlog, accept, defer } = self.ports.get(&port).copied().unwrap_or_default();
        let any = self.any;
        ListeningRule { backlog: backlog.or(any.backlog), accept: accept.or(any.accept), defer: defer.or(any.defer) }
    }
}

/// A listener's program that takes its time.
#[derive(Debug)]
pub(crate) struct Late {
    accept: Accept,
    executor: Handle,
    /// Runs while there is a connection to be accepted.
    pause: Mutex<Option<Timer>>,
}

impl Late {
    pub(crate) fn new(accept: Accept, executor: Handle) -> Self {
        Self { accept, executor, pause: Mutex::new(None) }
    }

    /// Ready when the program comes round to a connection that waits; `waiting` tells whether there is one.
    pub(crate) fn poll(
        &self,
        cx: &mut Context<'_>,
        waiting: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        let Accept::After(span) = self.accept else { return Poll::Pending };
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        if pause.is_none() {
            ready!(waiting(cx))?;
            *pause = Some(self.executor.sleep_until(self.executor.now() + span));
        }
        if let Some(timer) = pause.as_mut() {
            ready!(Pin::new(timer).poll(cx));
        }
        *pause = None;
        Poll::Ready(Ok(()))
    }
}
