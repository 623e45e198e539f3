//! Listeners: the SYN queue of half-open requests, the accept queue, and what happens when either is full (as Linux).

use std::collections::VecDeque;
use std::net::SocketAddr;

use septet_core::{DropReason, EventId, Frame, Instant, Storey, Trace};

use super::rfc4987_syn_cookies as cookies;
use super::{Endpoint, Entry, Meta, SocketId, Transmit, reply};
use crate::Ecn;
use crate::tcp::connection::{Opening, initial_window, seal};
use crate::tcp::wire::{Flags, Header, HeaderOptions, Timestamps};
use crate::tcp::{Config, Connection, EcnMode, Options, Readiness};

/// A socket that waits for connections.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) local: SocketAddr,
    pub(crate) backlog: usize,
    pub(crate) options: Options,
    /// Established and not yet accepted.
    pub(crate) queue: VecDeque<SocketId>,
    /// Requests in the SYN queue.
    pub(crate) half_open: usize,
    pub(crate) event_queued: bool,
    /// Cookies were sent of late: their ACKs are worth checking.
    pub(crate) last_overflow: Option<Instant>,
}

impl Listener {
    /// Linux's queue takes one more than the backlog.
    fn is_full(&self) -> bool {
        self.queue.len() > self.backlog
    }

    pub(crate) fn readiness(&self) -> Readiness {
        if self.queue.is_empty() { Readiness::NONE } else { Readiness::READABLE }
    }
}

/// A connection of which only the SYN has come.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) listener: SocketId,
    pub(crate) opening: Opening,
    pub(crate) advmss: u16,
    pub(crate) deadline: Instant,
    pub(crate) armed: Instant,
    pub(crate) timeouts: u8,
    /// The third segment has come, and was let pass: the queue was full, or it brought no data.
    pub(crate) acked: bool,
    pub(crate) synacks: u8,
    pub(crate) last_synack: Instant,
    pub(crate) cause: EventId,
}

impl Request {
    /// The SYN-ACK.
    fn synack(&mut self, config: &Config, now: Instant, trace: &mut Trace, why: &'static str) -> Transmit {
        self.synacks = self.synacks.saturating_add(1);
        (self.opening.synack_retrans, self.opening.synack_timeouts) = (self.synacks - 1, self.timeouts);
        self.opening.synack_sent.get_or_insert(now);
        self.last_synack = now;
        let value = (now.as_millis() as u32).wrapping_add(self.opening.ts_offset);
        build_synack(config, self.local, self.remote, &self.opening, self.advmss, value, self.cause, trace, why)
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "a SYN-ACK of a request and one of a cookie have only their fields in common"
)]
fn build_synack(
    config: &Config,
    local: SocketAddr,
    remote: SocketAddr,
    opening: &Opening,
    advmss: u16,
    ts_value: u32,
    cause: EventId,
    trace: &mut Trace,
    why: &'static str,
) -> Transmit {
    let peer = &opening.options;
    let mut flags = Flags::SYN | Flags::ACK;
    if opening.ecn {
        flags |= Flags::ECE;
    }
    let header = Header {
        src_port: local.port(),
        dst_port: remote.port(),
        seq: opening.iss,
        ack: opening.irs.wrapping_add(1),
        flags,
        window: opening.rcv_wnd.min(65_535) as u16,
        urgent: 0,
        options: HeaderOptions {
            mss: Some(advmss),
            wscale: peer.wscale.map(|_| opening.rcv_wscale),
            sack_permitted: peer.sack_permitted,
            timestamps: peer.timestamps.map(|_| Timestamps { value: ts_value, echo: opening.ts_recent }),
            ..HeaderOptions::default()
        },
    };
    let mut frame = Frame::empty(Frame::HEADROOM);
    seal(&mut frame, &header, local.ip(), remote.ip(), septet_core::checksum::Sum::new());
    let kind = if opening.synack_retrans == 0 { "tcp.send" } else { "tcp.retransmit" };
    frame.cause = trace.emit(Storey::Transport, kind, cause, |f| {
        f.set("local", local).set("remote", remote).set("flags", flags.to_string()).set("seq", 0u32).set("len", 0u32);
        f.set("ack", 1u32).set("window", u32::from(header.window)).set("why", why);
    });
    Transmit {
        src: local.ip(),
        dst: remote.ip(),
        ecn: Ecn::NotEct,
        traffic_class: opening.traffic_class & !Ecn::MASK,
        dont_fragment: config.pmtu_discovery,
        frame,
    }
}

impl Endpoint {
    /// The listener that a segment to `local` belongs to: the exact address first, then the wildcard.
    pub(super) fn find_listener(&self, local: SocketAddr) -> Option<u32> {
        let at = self.listeners.get(&local.port())?;
        let bound = |i: &&u32| match self.slots.entry(**i) {
            Entry::Listener(l) => Some(l.local.ip()),
            _ => None,
        };
        at.iter()
            .find(|i| bound(i) == Some(local.ip()))
            .or_else(|| {
                at.iter().find(|i| bound(i).is_some_and(|ip| ip.is_unspecified() && ip.is_ipv4() == local.is_ipv4()))
            })
            .or_else(|| at.iter().find(|i| bound(i).is_some_and(|ip| ip.is_unspecified() && ip.is_ipv6())))
            .copied()
    }

    /// LISTEN (RFC 9293 §3.10.7.2).
    #[expect(clippy::too_many_arguments, reason = "a segment and where it came from")]
    pub(super) fn in_listen(
        &mut self,
        now: Instant,
        meta: &Meta,
        index: u32,
        header: &Header,
        frame: Frame,
        trace: &mut Trace,
        isn: Option<u32>,
    ) -> Result<(), DropReason> {
        let local = SocketAddr::new(meta.dst, header.dst_port);
        let remote = SocketAddr::new(meta.src, header.src_port);
        let flags = header.flags;
        // "first, check for a RST: An incoming RST segment … should be ignored."
        if flags.has(Flags::RST) {
            return Err(DropReason::NoSocket);
        }
        if flags.has(Flags::ACK) {
            if !flags.has(Flags::SYN) && self.accept_cookie(now, meta, index, header, &frame, trace) {
                // A good cookie without room in the accept queue waits for a better time.
                let child = self.slots.find(local, remote).ok_or(DropReason::Backlog)?;
                return self.deliver(now, meta, child, header, frame, trace);
            }
            // "second, check for an ACK: … An acceptable reset segment should be formed".
            self.reject(meta, header, frame.len(), frame.cause, trace, "ACK to a listening socket");
            return Err(DropReason::NoSocket);
        }
        if !flags.has(Flags::SYN) || flags.has(Flags::FIN) {
            return Err(DropReason::NoSocket);
        }
        self.on_syn(now, meta, index, header, frame.cause, trace, isn)
    }

    #[expect(clippy::too_many_arguments, reason = "what a SYN brings is what decides over it")]
    fn on_syn(
        &mut self,
        now: Instant,
        meta: &Meta,
        index: u32,
        header: &Header,
        cause: EventId,
        trace: &mut Trace,
        isn: Option<u32>,
    ) -> Result<(), DropReason> {
        let local = SocketAddr::new(meta.dst, header.dst_port);
        let remote = SocketAddr::new(meta.src, header.src_port);
        let config = &self.config;
        let listener_id = self.slots.id(index);
        let Some(listener) = self.slots.listener_mut(index) else { return Err(DropReason::NoSocket) };
        let cause = trace.emit(Storey::Transport, "tcp.receive", cause, |f| {
            f.set("local", local).set("remote", remote).set("flags", header.flags.to_string()).set("seq", 0u32);
            f.set("len", 0u32).set("window", u32::from(header.window));
        });
        let queue_full = listener.half_open > listener.backlog.min(config.max_syn_backlog);
        let refused = match (queue_full, config.syncookies) {
            (true, false) => Some(&mut self.mib.req_q_full_drop),
            (true, true) if !listener.is_full() => {
                self.mib.req_q_full_cookies += 1;
                None
            }
            _ if listener.is_full() => Some(&mut self.mib.listen_overflows),
            _ => None,
        };
        if let Some(counter) = refused {
            *counter += 1;
            self.mib.listen_drops += 1;
            trace.emit(Storey::Transport, "tcp.drop", cause, |f| {
                f.set("local", local).set("remote", remote).set("why", "the listener's backlog is full");
            });
            return Err(DropReason::Backlog);
        }
        let peer = &header.options;
        let options = HeaderOptions {
            mss: peer.mss,
            wscale: peer.wscale.filter(|_| config.window_scaling),
            sack_permitted: peer.sack_permitted && config.sack,
            timestamps: peer.timestamps.filter(|_| config.timestamps),
            ..HeaderOptions::default()
        };
        let needs_ecn = self.ecn_controllers.iter().any(|name| match &listener.options.congestion {
            Some(chosen) => chosen.as_str() == *name,
            None => config.congestion_control == *name,
        });
        let ecn = header.flags.has(Flags::ECE | Flags::CWR)
            && (config.ecn != EcnMode::Off || needs_ecn)
            && (meta.ecn == Ecn::NotEct || needs_ecn);
        let (advmss, rcv_wnd, rcv_wscale) = initial_window(config, &listener.options, local, meta.mtu, &options);
        let ts_offset = self.secrets.timestamp_offset(local.ip(), remote.ip());
        let mss = options.mss.unwrap_or(536);
        let iss = match isn {
            Some(isn) => isn,
            None if queue_full => self.secrets.cookie(now, local, remote, header.seq, mss),
            None => self.secrets.isn(now, local, remote),
        };
        let opening = Opening {
            iss,
            irs: header.seq,
            options,
            ecn,
            rcv_wnd,
            rcv_wscale,
            traffic_class: listener.options.traffic_class,
            mtu: meta.mtu,
            ts_offset,
            ts_recent: options.timestamps.map_or(0, |t| t.value),
            synack_sent: None,
            synack_retrans: 0,
            synack_timeouts: 0,
        };
        if queue_full && isn.is_none() {
            listener.last_overflow = Some(now);
            self.mib.syncookies_sent += 1;
            let value = cookies::encode(now.as_millis() as u32, &options, ecn).wrapping_add(ts_offset);
            // Without timestamps there is nowhere to remember scale and SACK: they are not granted.
            let mut opening = opening;
            if options.timestamps.is_none() {
                (opening.options.wscale, opening.options.sack_permitted, opening.ecn) = (None, false, false);
            }
            let why = "SYN cookie: the SYN queue is full";
            let t = build_synack(config, local, remote, &opening, advmss, value, cause, trace, why);
            self.mib.out_segs += 1;
            self.pending.out.push_back(t);
            return Ok(());
        }
        listener.half_open += 1;
        let mut request = Box::new(Request {
            local,
            remote,
            listener: listener_id,
            opening,
            advmss,
            deadline: now + config.rto_initial,
            armed: Instant::FAR_FUTURE,
            timeouts: 0,
            acked: false,
            synacks: 0,
            last_synack: Instant::ZERO,
            cause: EventId::NONE,
        });
        request.cause = trace.emit(Storey::Transport, "tcp.state", cause, |f| {
            f.set("local", local).set("remote", remote).set("from", "LISTEN").set("to", "SYN-RECEIVED");
            f.set("why", "SYN received");
        });
        let t = request.synack(config, now, trace, "answer to a SYN");
        self.mib.out_segs += 1;
        self.pending.out.push_back(t);
        let id = self.slots.insert(Entry::Request(request));
        self.slots.link(id.index);
        self.rearm(id.index);
        Ok(())
    }

    /// SYN-RECEIVED while only a request stands for the connection (Linux's `tcp_check_req`).
    pub(super) fn in_request(
        &mut self,
        now: Instant,
        meta: &Meta,
        index: u32,
        header: &Header,
        frame: Frame,
        trace: &mut Trace,
    ) -> Result<(), DropReason> {
        let len = frame.len();
        if self.slots.resolve(self.listener_of(index)).is_err() {
            // RFC 9293 §3.10.7.1: with its listener gone it is CLOSED, and the segment finds what is there now.
            self.drop_request(index, trace, "its listener has closed");
            return self.without_flow(now, meta, header, frame, trace);
        }
        let Entry::Request(request) = self.slots.entry_mut(index) else { return Err(DropReason::NoSocket) };
        let flags = header.flags;
        let opening = &request.opening;
        let rcv_nxt = opening.irs.wrapping_add(1);
        let ts = header.options.timestamps.filter(|_| opening.options.timestamps.is_some());
        let is_old = ts.is_some_and(|t| (opening.ts_recent.wrapping_sub(t.value) as i32) > 0);
        let only = |want: Flags| flags.without(Flags::PSH | Flags::URG | Flags::ECE | Flags::CWR) == want;
        if header.seq == opening.irs && only(Flags::SYN) && !is_old {
            // "the SYN again": our SYN-ACK was lost; answered at a limited rate.
            if now - request.last_synack >= self.config.invalid_ratelimit || request.synacks <= 1 {
                let t = request.synack(&self.config, now, trace, "SYN received again: the SYN-ACK was lost");
                self.mib.out_segs += 1;
                self.mib.syn_retrans += 1;
                self.mib.retrans_segs += 1;
                self.pending.out.push_back(t);
            }
            return Ok(());
        }
        if flags.has(Flags::ACK) && header.ack != opening.iss.wrapping_add(1) {
            // RFC 9293 §3.10.7.4: "If the segment acknowledgment is not acceptable, form a reset segment".
            self.reject(meta, header, len, frame.cause, trace, "ACK of something never sent");
            return Err(DropReason::NoSocket);
        }
        let span = len as u32 + u32::from(flags.has(Flags::FIN)) + u32::from(flags.has(Flags::SYN));
        let end = header.seq.wrapping_add(span);
        let offset = header.seq.wrapping_sub(rcv_nxt);
        let in_window = (span == 0 && offset == 0)
            || offset < opening.rcv_wnd
            || end.wrapping_sub(rcv_nxt).wrapping_sub(1) < opening.rcv_wnd
            || (header.seq == opening.irs && flags.has(Flags::SYN));
        if is_old || !in_window {
            if !flags.has(Flags::RST) {
                let (local, remote) = (request.local, request.remote);
                let value = (now.as_millis() as u32).wrapping_add(opening.ts_offset);
                let t = reply::ack(
                    &self.config,
                    local,
                    remote,
                    opening.iss.wrapping_add(1),
                    rcv_nxt,
                    (opening.rcv_wnd >> opening.rcv_wscale).min(65_535) as u16,
                    opening.options.timestamps.map(|_| Timestamps { value, echo: opening.ts_recent }),
                    frame.cause,
                    trace,
                    "ACK of an unacceptable segment",
                );
                self.pending.out.push_back(t);
            }
            if is_old {
                self.mib.paws_estab += 1;
            }
            return Err(DropReason::NoSocket);
        }
        if flags.any(Flags::RST | Flags::SYN) {
            // "If the connection was initiated with a passive OPEN, then return this connection to the LISTEN state".
            self.mib.embryonic_rsts += 1;
            self.mib.attempt_fails += 1;
            if !flags.has(Flags::RST) {
                self.reject(meta, header, len, frame.cause, trace, "SYN inside the window of a half-open connection");
            }
            self.drop_request(index, trace, "reset while half open");
            return Ok(());
        }
        if !flags.has(Flags::ACK) {
            return Err(DropReason::NoSocket);
        }
        if let Some(t) = ts
            && (header.seq.wrapping_sub(rcv_nxt) as i32) <= 0
        {
            request.opening.ts_recent = t.value;
        }
        let (listener, timeouts) = (request.listener, request.timeouts);
        let at = self.slots.resolve(listener).ok();
        let Some(l) = at.and_then(|i| self.slots.listener_mut(i)) else { return Err(DropReason::NoSocket) };
        let (is_full, deferral) = (l.is_full(), l.options.deferral(&self.config));
        // tcp(7), TCP_DEFER_ACCEPT: "Allow a listener to be awakened only when data arrives on the socket."
        if timeouts < deferral && end == rcv_nxt {
            self.mib.defer_accept_drop += 1;
            self.note_acked(index);
            return Ok(());
        }
        if is_full {
            self.mib.listen_overflows += 1;
            self.mib.listen_drops += 1;
            self.note_acked(index);
            if self.config.abort_on_overflow {
                self.reject(meta, header, len, frame.cause, trace, "the accept queue is full");
                self.drop_request(index, trace, "the accept queue is full");
            }
            return Err(DropReason::Backlog);
        }
        let Some(Entry::Request(request)) = self.take_request(index) else { return Err(DropReason::NoSocket) };
        let child = self.adopt(&request.opening, request.local, request.remote, listener, request.cause);
        self.deliver(now, meta, child, header, frame, trace)
    }

    /// Makes the connection of a request whose handshake is complete.
    fn adopt(
        &mut self,
        opening: &Opening,
        local: SocketAddr,
        remote: SocketAddr,
        listener: SocketId,
        cause: EventId,
    ) -> u32 {
        let options = self
            .slots
            .resolve(listener)
            .ok()
            .and_then(|i| self.slots.listener_mut(i))
            .map(|l| l.options.clone())
            .unwrap_or_default();
        let mut connection = Connection::accept(&self.config, local, remote, opening, &options);
        connection.cause = cause;
        let id = self.slots.insert(Entry::Connection(connection));
        self.slots.link(id.index);
        self.mib.passive_opens += 1;
        if let Ok(i) = self.slots.resolve(listener)
            && let Some(l) = self.slots.listener_mut(i)
        {
            l.queue.push_back(id);
            if !core::mem::replace(&mut l.event_queued, true) {
                self.events.push_back(listener);
            }
        }
        id.index
    }

    fn take_request(&mut self, index: u32) -> Option<Entry> {
        let Entry::Request(request) = self.slots.entry(index) else { return None };
        let listener = request.listener;
        if let Ok(i) = self.slots.resolve(listener)
            && let Some(l) = self.slots.listener_mut(i)
        {
            l.half_open = l.half_open.saturating_sub(1);
        }
        Some(self.slots.remove(index))
    }

    pub(super) fn drop_request(&mut self, index: u32, trace: &mut Trace, why: &'static str) {
        if let Some(Entry::Request(r)) = self.take_request(index) {
            trace.emit(Storey::Transport, "tcp.state", r.cause, |f| {
                f.set("local", r.local).set("remote", r.remote).set("from", "SYN-RECEIVED").set("to", "CLOSED");
                f.set("why", why);
            });
        }
    }

    /// The SYN-ACK's timer (RFC 6298 for a request).
    pub(super) fn on_request_timer(&mut self, now: Instant, index: u32, trace: &mut Trace) {
        let Entry::Request(request) = self.slots.entry_mut(index) else { return };
        if now < request.deadline {
            self.rearm(index);
            return;
        }
        let at = self.slots.resolve(self.listener_of(index)).ok();
        let deferral = at.and_then(|i| self.slots.listener_mut(i)).map(|l| l.options.deferral(&self.config));
        let Entry::Request(request) = self.slots.entry_mut(index) else { return };
        let (timeouts, acked) = (request.timeouts, request.acked);
        // What has been acknowledged waits for its data a while longer, and is asked again at the end of it.
        let waits = |deferral: u8| acked && timeouts < deferral;
        if deferral.is_some() {
            self.mib.timeouts += 1;
        }
        if deferral.is_none_or(|deferral| timeouts >= self.config.synack_retries && !waits(deferral)) {
            self.mib.attempt_fails += 1;
            self.drop_request(index, trace, "no answer to the SYN-ACK");
            return;
        }
        request.timeouts += 1;
        let wait = (self.config.rto_initial * (1 << request.timeouts.min(16))).min(self.config.rto_max);
        request.deadline = now + wait;
        if acked && deferral.is_some_and(|deferral| timeouts + 1 < deferral) {
            self.rearm(index);
            return;
        }
        let t = request.synack(&self.config, now, trace, "SYN-ACK again: no answer");
        self.mib.syn_retrans += 1;
        self.mib.retrans_segs += 1;
        self.pending.out.push_back(t);
        self.rearm(index);
    }

    fn note_acked(&mut self, index: u32) {
        if let Entry::Request(request) = self.slots.entry_mut(index) {
            request.acked = true;
        }
    }

    fn listener_of(&self, index: u32) -> SocketId {
        match self.slots.entry(index) {
            Entry::Request(r) => r.listener,
            _ => SocketId { index: u32::MAX, generation: 0 },
        }
    }

    /// The third segment of a handshake that was not remembered.
    fn accept_cookie(
        &mut self,
        now: Instant,
        meta: &Meta,
        index: u32,
        header: &Header,
        frame: &Frame,
        trace: &mut Trace,
    ) -> bool {
        let listener_id = self.slots.id(index);
        let config = &self.config;
        let Some(listener) = self.slots.listener_mut(index) else { return false };
        // Only while cookies have been going out is an ACK from nowhere worth a look.
        let recent = listener.last_overflow.is_some_and(|at| now - at < core::time::Duration::from_secs(120));
        if !config.syncookies || !recent {
            return false;
        }
        let is_full = listener.is_full();
        let local = SocketAddr::new(meta.dst, header.dst_port);
        let remote = SocketAddr::new(meta.src, header.src_port);
        let (iss, irs) = (header.ack.wrapping_sub(1), header.seq.wrapping_sub(1));
        let Some(mss) = self.secrets.check_cookie(now, local, remote, irs, iss) else {
            self.mib.syncookies_failed += 1;
            return false;
        };
        if is_full {
            self.mib.listen_overflows += 1;
            self.mib.listen_drops += 1;
            return true;
        }
        self.mib.syncookies_recv += 1;
        let ts_offset = self.secrets.timestamp_offset(local.ip(), remote.ip());
        let ts = header.options.timestamps.filter(|t| config.timestamps && t.echo != 0);
        let (options, ecn) = cookies::decode(ts.map(|t| t.echo.wrapping_sub(ts_offset)), mss, ts);
        let (_, rcv_wnd, rcv_wscale) = initial_window(config, &listener.options, local, meta.mtu, &options);
        let opening = Opening {
            iss,
            irs,
            options,
            ecn,
            rcv_wnd,
            rcv_wscale,
            traffic_class: listener.options.traffic_class,
            mtu: meta.mtu,
            ts_offset,
            ts_recent: ts.map_or(0, |t| t.value),
            synack_sent: None,
            synack_retrans: 0,
            synack_timeouts: 0,
        };
        let cause = trace.emit(Storey::Transport, "tcp.state", frame.cause, |f| {
            f.set("local", local).set("remote", remote).set("from", "LISTEN").set("to", "SYN-RECEIVED");
            f.set("why", "a valid SYN cookie came back");
        });
        self.adopt(&opening, local, remote, listener_id, cause);
        true
    }
}
