//! The TCP sockets of a host: the endpoint, and who waits for its connections.

use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_core::{EventId, Instant, Rng, Trace};
use septet_socket::{TcpSocketId as Socket, Wish};
use septet_transport::tcp::{self, Config, Endpoint, Error, Mib, Readiness, SocketId, State};

use super::config::HostConfig;
use super::errors::switched_off;
use super::middlebox::Flow;
use super::wakers::Wakers;
use super::watchers::Watchers;

/// The tasks that wait for one connection.
#[derive(Debug, Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// How many times its readiness has changed.
    changes: u64,
    /// Who waits for it by its number.
    watchers: Watchers,
}

/// All TCP of one host.
#[derive(Debug)]
pub(crate) struct Tcp {
    /// Made when TCP is first used: most hosts of a large world never do.
    endpoint: Option<Box<Endpoint>>,
    config: Arc<Config>,
    host: Arc<HostConfig>,
    /// Whether the endpoint may have something to send.
    pub(crate) dirty: bool,
    /// When the endpoint's next timer fires.
    pub(crate) deadline: Option<Instant>,
    boot: u32,
    waiting: Vec<Waiting>,
    seldom: Option<Box<Seldom>>,
}

/// What a host has no use for before it speaks TCP.
#[derive(Debug, Default)]
struct Seldom {
    /// What endpoints begin with; of no use before the first.
    rng: Option<Rng>,
    acceptors: BTreeMap<SocketId, Wakers>,
    /// Places that were taken in `watchers` so far.
    places: u64,
    /// Who waits, by the socket and the number of its place, until what was sent before the close has arrived: `SO_LINGER`.
    closing: BTreeMap<(SocketId, u64), Waker>,
    /// Writers that wait until the segments that are built have left.
    held: Vec<Waker>,
    /// Counters of earlier lives.
    past: Vec<u64>,
}

impl Tcp {
    /// The TCP of a host that is made as `host` says.
    pub(crate) fn new(host: Arc<HostConfig>) -> Self {
        Self {
            endpoint: None,
            config: host.tcp.clone(),
            host,
            dirty: false,
            deadline: None,
            boot: 0,
            waiting: Vec::new(),
            seldom: None,
        }
    }

    /// Forgets all connections and begins a new life. Who waits for one from outside of the host finds it gone.
    pub(crate) fn wipe(&mut self) {
        if self.endpoint.is_some() {
            let counted = self.counters().map(|(_, n)| n).collect();
            self.seldom.get_or_insert_default().past = counted;
        }
        let mut seldom = self.seldom.take();
        self.waiting.iter_mut().for_each(|waiting| waiting.watchers.wake());
        let waiting = self.waiting.drain(..).flat_map(|Waiting { reader, writer, .. }| [reader, writer]);
        waiting.flatten().for_each(Waker::wake);
        if let Some(seldom) = &mut seldom {
            let closing = core::mem::take(&mut seldom.closing).into_values();
            seldom.held.drain(..).chain(closing).for_each(Waker::wake);
            core::mem::take(&mut seldom.acceptors).values_mut().for_each(Wakers::wake);
        }
        *self = Self { boot: self.boot + 1, seldom, ..Self::new(self.host.clone()) };
    }

    #[inline]
    pub(crate) fn endpoint(&mut self) -> &mut Endpoint {
        let Self { endpoint, config, host, seldom, .. } = self;
        endpoint.get_or_insert_with(|| begin(config, host, seldom))
    }

    /// The defaults of sockets.
    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Changes the defaults of sockets for this life of the host.
    pub(crate) fn configure<T>(&mut self, change: impl FnOnce(&mut Config) -> T) -> T {
        let result = change(Arc::make_mut(&mut self.config));
        if let Some(endpoint) = &mut self.endpoint {
            *endpoint.config_mut() = Config::clone(&self.config);
        }
        result
    }

    /// From now on the changes of this socket's readiness are counted.
    pub(super) fn count_changes(&mut self, socket: Socket) {
        self.waiting(socket.id);
    }

    /// Wakes `waker` when what it waits for is there, or the socket is gone; gives the number of its place.
    pub(crate) fn watch(&mut self, socket: Socket, wish: Wish, waker: &Waker) -> io::Result<u64> {
        let id = self.resolve(socket)?;
        self.endpoint().state(id)?;
        let seldom = self.seldom.get_or_insert_default();
        seldom.places += 1;
        let number = seldom.places;
        self.waiting(id).watchers.enter(number, wish, waker);
        if matches!(wish, Wish::Write | Wish::Change) {
            // What comes of room later is told to who asked for it.
            self.endpoint().ask_space(id)?;
        }
        // Of a socket that was let go nothing is told any more but that all has arrived.
        if wish != Wish::Always && !self.endpoint().ask_delivered(id)? {
            self.seldom.get_or_insert_default().closing.insert((id, number), waker.clone());
        }
        Ok(number)
    }

    /// Gives a place up.
    pub(crate) fn unwatch(&mut self, socket: Socket, wish: Wish, number: u64) {
        let Ok(id) = self.resolve(socket) else { return };
        if let Some(seldom) = &mut self.seldom {
            seldom.closing.remove(&(id, number));
        }
        let Self { endpoint, waiting, .. } = self;
        let Some(waiting) = waiting.get_mut(id.index()) else { return };
        waiting.watchers.leave(number, wish, || {
            let Some(endpoint) = endpoint else { return false };
            match wish {
                // Where there is no room, the next in line asks for it.
                Wish::Write => endpoint.ask_space(id).unwrap_or(false),
                Wish::Read | Wish::Change | Wish::Always => {
                    endpoint.readiness(id).is_ok_and(|readiness| readiness.is_readable())
                }
            }
        });
    }

    /// How many times the readiness of a socket has changed.
    pub(crate) fn changes(&self, socket: Socket) -> u64 {
        let waiting = self.resolve(socket).ok().and_then(|id| self.waiting.get(id.index()));
        waiting.map_or(0, |waiting| waiting.changes)
    }

    /// What `ss -ti` shows of each connection.
    pub(crate) fn infos(&self, now: Instant) -> Vec<(SocketId, tcp::Info)> {
        self.endpoint.as_ref().map(|e| e.infos(now).collect()).unwrap_or_default()
    }

    /// Every connection that is past its handshake and not yet over.
    pub(crate) fn flows(&self) -> Vec<Flow> {
        let flow = |c: &tcp::Connection| {
            let (sent, expected) = c.sequence_numbers();
            Flow { local: c.local(), remote: c.remote(), sent, expected }
        };
        self.endpoint.iter().flat_map(|e| e.living()).map(flow).collect()
    }

    pub(crate) fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mib = self.endpoint.as_ref().map_or_else(Mib::default, |e| e.mib().clone());
        let now: Vec<_> = mib.iter().collect();
        let past = self.seldom.iter().flat_map(|seldom| seldom.past.iter().copied()).chain(core::iter::repeat(0));
        now.into_iter().zip(past).map(|((name, now), past)| (name, now + past))
    }

    /// Wakes whoever waits for what has become ready, and takes note of the next deadline. Before each wake-up `because`
    /// is called with what gives its cause.
    pub(crate) fn settle(&mut self, mut because: impl FnMut(&dyn Fn() -> EventId)) {
        while let Some((id, readiness)) = self.endpoint.as_mut().and_then(|e| e.poll_event()) {
            because(&|| self.endpoint.as_ref().map_or(EventId::NONE, |e| e.cause(id)));
            self.wake(id, readiness);
        }
        self.wake_delivered();
        self.deadline = self.endpoint.as_mut().and_then(|e| e.poll_timeout());
    }

    /// Wakes who waits for what has arrived, in the order of their places.
    #[inline]
    fn wake_delivered(&mut self) {
        let (Some(endpoint), Some(seldom)) = (&mut self.endpoint, &mut self.seldom) else { return };
        let mut over = Vec::new();
        while let Some(id) = endpoint.poll_delivered() {
            let waits = seldom.closing.extract_if((id, 0)..=(id, u64::MAX), |_, _| true);
            over.extend(waits.map(|((_, number), waker)| (number, waker)));
        }
        over.sort_unstable_by_key(|(number, _)| *number);
        over.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Everything that was built has left.
    #[inline]
    pub(crate) fn drained(&mut self) {
        if let Some(seldom) = &mut self.seldom {
            seldom.held.drain(..).for_each(Waker::wake);
        }
    }

    /// Lets a writer wait until everything that was built has left.
    pub(super) fn hold(&mut self, cx: &Context<'_>) {
        self.seldom.get_or_insert_default().held.push(cx.waker().clone());
    }

    fn wake(&mut self, id: SocketId, readiness: Readiness) {
        if let Some(waiting) = self.waiting.get_mut(id.index()) {
            waiting.changes += 1;
            waiting.watchers.tell();
            if readiness.is_readable() {
                waiting.watchers.call_reader();
            }
            if readiness.is_writable() {
                waiting.watchers.call_writer();
            }
            if [Readiness::ERROR, Readiness::HANGUP].iter().any(|all| readiness.contains(*all)) {
                waiting.watchers.wake();
            }
            if readiness.is_readable()
                && let Some(waker) = waiting.reader.take()
            {
                waker.wake();
            }
            if readiness.is_writable()
                && let Some(waker) = waiting.writer.take()
            {
                waker.wake();
            }
        }
        if readiness.is_readable()
            && let Some(acceptors) = self.seldom.as_mut().and_then(|seldom| seldom.acceptors.get_mut(&id))
        {
            acceptors.wake();
        }
    }

    fn waiting(&mut self, id: SocketId) -> &mut Waiting {
        let at = id.index();
        if at >= self.waiting.len() {
            self.waiting.resize_with(at + 1, Waiting::default);
        }
        &mut self.waiting[at]
    }

    pub(crate) fn wait_readable(&mut self, id: SocketId, cx: &Context<'_>) {
        store(&mut self.waiting(id).reader, cx);
    }

    pub(crate) fn wait_writable(&mut self, id: SocketId, cx: &Context<'_>) {
        store(&mut self.waiting(id).writer, cx);
    }

    fn wait_acceptable(&mut self, id: SocketId, cx: &Context<'_>) {
        self.seldom.get_or_insert_default().acceptors.entry(id).or_default().register(cx);
    }

    pub(super) fn socket(&self, id: SocketId) -> Socket {
        Socket { boot: self.boot, id }
    }

    /// Nobody waits for a socket that is closed.
    pub(super) fn forget(&mut self, id: SocketId) {
        if let Some(waiting) = self.waiting.get_mut(id.index()) {
            core::mem::take(waiting).watchers.wake();
        }
        if let Some(seldom) = &mut self.seldom {
            seldom.acceptors.remove(&id);
        }
    }

    pub(crate) fn resolve(&self, socket: Socket) -> io::Result<SocketId> {
        if socket.boot == self.boot { Ok(socket.id) } else { Err(switched_off()) }
    }

    pub(crate) fn poll_connected(
        &mut self,
        cx: &Context<'_>,
        socket: Socket,
        trace: &mut Trace,
    ) -> Poll<io::Result<()>> {
        let id = self.resolve(socket)?;
        let cause = self.endpoint().cause(id);
        if let Some(error) = self.endpoint().take_error(id)? {
            trace.set_cause(cause);
            return Poll::Ready(Err(error.into()));
        }
        match self.endpoint().state(id)? {
            State::SynSent | State::SynReceived => {
                self.wait_writable(id, cx);
                Poll::Pending
            }
            state => {
                trace.set_cause(cause);
                let gone = (state == State::Closed).then(|| Error::ConnectionAborted.into());
                Poll::Ready(gone.map_or(Ok(()), Err))
            }
        }
    }

    /// Whether a connection waits to be accepted.
    pub(crate) fn poll_acceptable(&mut self, cx: &Context<'_>, socket: Socket) -> Poll<io::Result<()>> {
        let id = self.resolve(socket)?;
        if self.endpoint().readiness(id)?.is_readable() {
            return Poll::Ready(Ok(()));
        }
        self.wait_acceptable(id, cx);
        Poll::Pending
    }

    pub(crate) fn poll_accept(
        &mut self,
        cx: &Context<'_>,
        socket: Socket,
        trace: &mut Trace,
    ) -> Poll<io::Result<(Socket, SocketAddr)>> {
        let id = self.resolve(socket)?;
        match self.endpoint().accept(id) {
            Ok((id, peer)) => {
                trace.set_cause(self.endpoint().cause(id));
                Poll::Ready(Ok((self.socket(id), peer)))
            }
            Err(Error::WouldBlock) => {
                self.wait_acceptable(id, cx);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e.into())),
        }
    }
}

/// An endpoint's first moment, which is not to lengthen all the others.
#[cold]
#[inline(never)]
fn begin(config: &Arc<Config>, host: &HostConfig, seldom: &mut Option<Box<Seldom>>) -> Box<Endpoint> {
    let rng = &mut seldom.get_or_insert_default().rng;
    let rng = rng.get_or_insert_with(|| host.randomness.stream(&format!("tcp {}", host.name)));
    Box::new(Endpoint::new(config.clone(), rng))
}

fn store(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}
