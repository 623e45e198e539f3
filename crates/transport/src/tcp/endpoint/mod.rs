//! All TCP of one host: sockets, flows, listeners, ports, TIME-WAIT and timers.

mod calls;
mod events;
mod listen;
mod reply;
mod rfc4987_syn_cookies;
mod rfc5927_icmp;
mod rfc6191_time_wait;
mod rfc6528_isn;
mod siphash;
mod slots;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_core::{DropReason, EventId, Frame, Instant, Rng, Storey, Trace};

use super::connection::{Budget, Cx, Verdict};
use super::wire::{Flags, Header};
use super::{Config, Mib, State};
use crate::Ecn;
use rfc6191_time_wait::{Reaction, TimeWait};
use rfc6528_isn::Secrets;
use slots::{Entry, Slots};

pub use slots::SocketId;

/// What storey 3 tells about a packet that carries a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meta {
    /// Who sent it.
    pub src: IpAddr,
    /// To which of our addresses.
    pub dst: IpAddr,
    /// Its ECN codepoint.
    pub ecn: Ecn,
    /// Its time to live on arrival.
    pub ttl: u8,
    /// The MTU of the link towards `src`.
    pub mtu: u32,
}

/// A segment to be sent.
#[derive(Debug)]
pub struct Transmit {
    /// From which of our addresses.
    pub src: IpAddr,
    /// To whom.
    pub dst: IpAddr,
    /// The ECN codepoint for the IP header.
    pub ecn: Ecn,
    /// The other bits of the octet that has the ECN codepoint: differentiated services (`IP_TOS`).
    pub traffic_class: u8,
    /// Whether routers may not fragment it (path MTU discovery).
    pub dont_fragment: bool,
    /// The bytes from the TCP header on, with headroom in front; a super-segment where `segment_size` is not zero.
    pub frame: Frame,
}

/// Output that no connection's own queue holds.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) out: VecDeque<Transmit>,
    pub(crate) challenge: Budget,
}

/// All TCP of one host, as a state machine.
///
/// After each call that may cause output, take segments with [`poll_transmit`](Self::poll_transmit), readiness with
/// [`poll_event`](Self::poll_event), and ask [`poll_timeout`](Self::poll_timeout) when to call
/// [`on_timeout`](Self::on_timeout).
#[derive(Debug)]
pub struct Endpoint {
    config: Arc<Config>,
    secrets: Secrets,
    slots: Slots,
    listeners: BTreeMap<u16, Vec<u32>>,
    /// Deadlines with the slot and generation they are for; an entry that is out of date is skipped.
    heap: BinaryHeap<Reverse<(Instant, u32, u32)>>,
    /// Connections that may have something to send.
    ready: VecDeque<u32>,
    pending: Pending,
    events: VecDeque<SocketId>,
    /// Connections of which all has arrived, where somebody asked for it.
    delivered: Vec<SocketId>,
    mib: Mib,
    /// Where the search for a listening port begins.
    port_hint: u64,
    /// RFC 6056 §3.3.4's "table", as far as it is in use.
    port_places: BTreeMap<u16, u32>,
    /// Between which ends, and after how many flows had gone, ports were found to be in use, and how many of the two passes
    /// over them that was: a pass that found none need not be made again.
    used_up: Option<((IpAddr, SocketAddr, u64), u32)>,
    time_waits: usize,
    ecn_controllers: Vec<&'static str>,
}

/// The parts that a connection's step needs, borrowed apart from the slots.
macro_rules! cx {
    ($endpoint:ident, $now:expr, $trace:expr) => {
        &mut Cx {
            now: $now,
            config: &$endpoint.config,
            mib: &mut $endpoint.mib,
            trace: $trace,
            replies: &mut $endpoint.pending,
        }
    };
}
pub(crate) use cx;

impl Endpoint {
    /// An endpoint without sockets; `rng` gives it its secrets. Endpoints may share one personality.
    pub fn new(config: impl Into<Arc<Config>>, rng: &mut Rng) -> Self {
        let ecn_controllers =
            super::controller_names().filter(|name| super::controller(name).is_some_and(|c| c.needs_ecn())).collect();
        Self {
            config: config.into(),
            secrets: Secrets::new(rng),
            slots: Slots::new(),
            listeners: BTreeMap::new(),
            heap: BinaryHeap::new(),
            ready: VecDeque::new(),
            pending: Pending::default(),
            events: VecDeque::new(),
            delivered: Vec::new(),
            mib: Mib::default(),
            port_hint: rng.next_u64(),
            port_places: BTreeMap::new(),
            used_up: None,
            time_waits: 0,
            ecn_controllers,
        }
    }

    /// The personality.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes the personality; connections that exist keep what they negotiated.
    pub fn config_mut(&mut self) -> &mut Config {
        self.used_up = None;
        Arc::make_mut(&mut self.config)
    }

    /// The counters.
    pub fn mib(&self) -> &Mib {
        &self.mib
    }

    /// Flows in the table: connections, requests and TIME-WAIT.
    pub fn flow_count(&self) -> usize {
        self.slots.flow_count()
    }

    /// Takes in a segment: `frame` begins with the TCP header.
    ///
    /// # Errors
    /// Why it went no further, for counters and trace; an answer, if one is due, is queued all the same.
    pub fn receive(
        &mut self,
        now: Instant,
        meta: &Meta,
        mut frame: Frame,
        trace: &mut Trace,
    ) -> Result<(), DropReason> {
        self.mib.in_segs += 1;
        let header = match Header::take(meta.src, meta.dst, &mut frame) {
            Ok(header) => header,
            Err(reason) => {
                self.mib.in_errs += 1;
                if reason == DropReason::L4Checksum {
                    self.mib.in_csum_errors += 1;
                }
                return Err(reason);
            }
        };
        let local = SocketAddr::new(meta.dst, header.dst_port);
        let remote = SocketAddr::new(meta.src, header.src_port);
        let Some(index) = self.slots.find(local, remote) else {
            return self.without_flow(now, meta, &header, frame, trace);
        };
        match self.slots.entry(index) {
            Entry::Connection(_) => self.deliver(now, meta, index, &header, frame, trace),
            Entry::Request(_) => self.in_request(now, meta, index, &header, frame, trace),
            Entry::TimeWait(_) => self.in_time_wait(now, meta, index, &header, frame, trace),
            Entry::Listener(_) | Entry::Free { .. } => Err(DropReason::NoSocket),
        }
    }

    /// A segment of no known connection: for a listener, or for nobody.
    fn without_flow(
        &mut self,
        now: Instant,
        meta: &Meta,
        header: &Header,
        frame: Frame,
        trace: &mut Trace,
    ) -> Result<(), DropReason> {
        let Some(index) = self.find_listener(SocketAddr::new(meta.dst, header.dst_port)) else {
            self.reject(meta, header, frame.len(), frame.cause, trace, "nothing listens on the port");
            return Err(DropReason::NoSocket);
        };
        self.in_listen(now, meta, index, header, frame, trace, None)
    }

    /// Hands a segment to its connection.
    fn deliver(
        &mut self,
        now: Instant,
        meta: &Meta,
        index: u32,
        header: &Header,
        frame: Frame,
        trace: &mut Trace,
    ) -> Result<(), DropReason> {
        let (len, cause) = (frame.len(), frame.cause);
        let Some(connection) = self.slots.connection_mut(index) else { return Err(DropReason::NoSocket) };
        let verdict = connection.receive(cx!(self, now, trace), header, meta.ecn, frame);
        match verdict {
            Verdict::Done => {}
            Verdict::Reset(why) => self.reject(meta, header, len, cause, trace, why),
            Verdict::TimeWait => self.enter_time_wait(now, index, trace),
        }
        self.after(index);
        Ok(())
    }

    /// Answers with a reset, unless the segment is one.
    fn reject(
        &mut self,
        meta: &Meta,
        header: &Header,
        len: usize,
        cause: EventId,
        trace: &mut Trace,
        why: &'static str,
    ) {
        // RFC 9293 §3.10.7.1: "An incoming segment containing a RST is discarded."
        if header.flags.has(Flags::RST) || meta.dst.is_multicast() {
            return;
        }
        self.mib.out_rsts += 1;
        self.mib.out_segs += 1;
        let local = SocketAddr::new(meta.dst, header.dst_port);
        let remote = SocketAddr::new(meta.src, header.src_port);
        let t = reply::reset(&self.config, local, remote, header, len, cause, trace, why);
        self.pending.out.push_back(t);
    }

    /// Replaces a connection by the little that TIME-WAIT needs. The application may still read what came.
    fn enter_time_wait(&mut self, now: Instant, index: u32, trace: &mut Trace) {
        let Entry::Connection(connection) = self.slots.entry_mut(index) else { return };
        let mut cx = Cx { now, config: &self.config, mib: &mut self.mib, trace, replies: &mut self.pending };
        if connection.acks.scheduled || connection.acks.due {
            let ack = connection.ack_now(&mut cx, "ACK of FIN");
            cx.replies.out.push_back(ack);
        }
        let time_wait = TimeWait::new(connection, cx.config, now);
        connection.end_into_time_wait(&mut cx);
        self.mib.tw += 1;
        self.slots.unlink(index);
        if self.time_waits < self.config.max_tw_buckets {
            self.time_waits += 1;
            let id = self.slots.insert(Entry::TimeWait(Box::new(time_wait)));
            self.slots.link(id.index);
            self.rearm(id.index);
        }
    }

    fn in_time_wait(
        &mut self,
        now: Instant,
        meta: &Meta,
        index: u32,
        header: &Header,
        frame: Frame,
        trace: &mut Trace,
    ) -> Result<(), DropReason> {
        let Entry::TimeWait(tw) = self.slots.entry_mut(index) else { return Err(DropReason::NoSocket) };
        let (local, remote) = (tw.local, tw.remote);
        match tw.receive(&self.config, now, header, frame.len()) {
            Reaction::Drop => Ok(()),
            Reaction::Ack => {
                let value = (now.as_millis() as u32).wrapping_add(tw.ts_offset);
                let ts = tw.ts_ok.then_some(super::wire::Timestamps { value, echo: tw.ts_recent });
                let window = (tw.rcv_wnd >> tw.rcv_wscale).min(65_535) as u16;
                let (seq, ack) = (tw.snd_nxt, tw.rcv_nxt);
                let why = "ACK out of TIME-WAIT: the last one may have been lost";
                let t = reply::ack(&self.config, local, remote, seq, ack, window, ts, frame.cause, trace, why);
                self.mib.out_segs += 1;
                self.pending.out.push_back(t);
                Ok(())
            }
            Reaction::Kill => {
                self.end_time_wait(index, trace, "RST received");
                Ok(())
            }
            Reaction::Reopen(isn) => {
                let Some(listener) = self.find_listener(local) else {
                    self.reject(meta, header, frame.len(), frame.cause, trace, "nothing listens on the port");
                    return Err(DropReason::NoSocket);
                };
                self.mib.tw_recycled += 1;
                self.end_time_wait(index, trace, "a new SYN takes the pair over");
                self.in_listen(now, meta, listener, header, frame, trace, Some(isn))
            }
        }
    }

    fn end_time_wait(&mut self, index: u32, trace: &mut Trace, why: &'static str) {
        if let Entry::TimeWait(tw) = self.slots.remove(index) {
            self.time_waits -= 1;
            trace.emit(Storey::Transport, "tcp.state", tw.cause, |f| {
                f.set("local", tw.local).set("remote", tw.remote).set("from", "TIME-WAIT").set("to", "CLOSED");
                f.set("why", why);
            });
        }
    }

    /// After every step of a connection: its output is due, its timer may have moved, its user may have to know.
    fn after(&mut self, index: u32) {
        let Some(c) = self.slots.connection_mut(index) else { return };
        if !core::mem::replace(&mut c.flags.queued, true) {
            self.ready.push_back(index);
        }
        self.settle(index);
    }

    /// Timer, readiness and flow table follow the connection's state.
    fn settle(&mut self, index: u32) {
        let id = self.slots.id(index);
        let Some(c) = self.slots.connection_mut(index) else { return };
        if c.state == State::Closed {
            self.slots.unlink(index);
        }
        let Some(c) = self.slots.connection_mut(index) else { return };
        if core::mem::take(&mut c.flags.notify) {
            if !c.state.is_delivering()
                && let Some(rare) = &mut c.rare
                && core::mem::take(&mut rare.awaited)
            {
                self.delivered.push(id);
            }
            if !c.flags.orphan && !core::mem::replace(&mut c.flags.event_queued, true) {
                self.events.push_back(id);
            }
        }
        self.rearm(index);
    }

    /// Puts the earliest deadline of a slot into the heap, unless an earlier entry will look at it anyway.
    fn rearm(&mut self, index: u32) {
        let generation = self.slots.id(index).generation;
        let (deadline, armed) = match self.slots.entry_mut(index) {
            Entry::Connection(c) => match c.timers.earliest() {
                Some(at) => (at, &mut c.timers.armed),
                None => return,
            },
            Entry::Request(r) => (r.deadline, &mut r.armed),
            Entry::TimeWait(t) => (t.deadline, &mut t.armed),
            Entry::Listener(_) | Entry::Free { .. } => return,
        };
        if deadline < *armed {
            *armed = deadline;
            self.heap.push(Reverse((deadline, index, generation)));
        }
    }

    /// Whether a heap entry is the one that its slot counts on.
    fn is_live(&self, at: Instant, index: u32, generation: u32) -> bool {
        self.slots.is_current(index, generation)
            && match self.slots.entry(index) {
                Entry::Connection(c) => c.timers.armed == at,
                Entry::Request(r) => r.armed == at,
                Entry::TimeWait(t) => t.armed == at,
                Entry::Listener(_) | Entry::Free { .. } => false,
            }
    }

    /// When [`on_timeout`](Self::on_timeout) wants to be called.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, index, generation))) = self.heap.peek().copied() {
            if self.is_live(at, index, generation) {
                return Some(at);
            }
            self.heap.pop();
        }
        None
    }

    /// Does what is due at `now`; called early, it does nothing.
    pub fn on_timeout(&mut self, now: Instant, trace: &mut Trace) {
        while let Some(Reverse((at, index, generation))) = self.heap.peek().copied() {
            if at > now {
                break;
            }
            self.heap.pop();
            if !self.is_live(at, index, generation) {
                continue;
            }
            match self.slots.entry_mut(index) {
                Entry::Connection(c) => {
                    c.timers.armed = Instant::FAR_FUTURE;
                    if c.timers.earliest().is_some_and(|due| due <= now) {
                        c.on_timeout(cx!(self, now, trace));
                        self.after(index);
                    } else {
                        self.rearm(index);
                    }
                }
                Entry::Request(r) => {
                    r.armed = Instant::FAR_FUTURE;
                    self.on_request_timer(now, index, trace);
                }
                Entry::TimeWait(t) => {
                    t.armed = Instant::FAR_FUTURE;
                    if t.deadline <= now {
                        self.end_time_wait(index, trace, "2 MSL have passed");
                    } else {
                        self.rearm(index);
                    }
                }
                Entry::Listener(_) | Entry::Free { .. } => {}
            }
        }
    }

    /// The next segment to be sent.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, trace: &mut Trace) -> Option<Transmit> {
        if let Some(t) = self.pending.out.pop_front() {
            return Some(t);
        }
        while let Some(&index) = self.ready.front() {
            if let Some(c) = self.slots.connection_mut(index) {
                if let Some(t) = c.poll_transmit(cx!(self, now, trace)) {
                    return Some(t);
                }
                c.flags.queued = false;
                c.rest();
            }
            self.ready.pop_front();
            self.settle(index);
            self.bury(index);
        }
        None
    }

    /// How many segments are built and wait to be taken.
    pub fn built(&self) -> usize {
        self.pending.out.len()
    }

    /// Frees a connection that is closed at both ends of its life: by the protocol and by the application.
    fn bury(&mut self, index: u32) {
        if let Entry::Connection(c) = self.slots.entry(index)
            && c.state == State::Closed
            && c.flags.orphan
            && !c.flags.queued
        {
            self.slots.remove(index);
        }
    }
}
