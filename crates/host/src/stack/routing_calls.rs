//! Drives the routing protocols of a host: what comes in for them, what they want done, and when they are next due.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use septet_core::{Carrier, EventId, Frame, Instant, Out, Port, Power, Trace};
use septet_network::ip::{Datagram, DontFragment, Looped, Outgoing};
use septet_network::ipv4::protocol;
use septet_network::routing::{
    Action, Arrival, Carriage, Context, Conversation, Kind, Link, LinkState, Packet, RouteChange, RoutingProtocol,
    SessionEvent,
};
use septet_network::{Iface, Route, Target};
use septet_transport::tcp::{Follows, State};
use septet_wire::udp;

use super::routing::{ACCEPTED, Dialog, Routing, Running, Stage};
use super::storeys::Storeys;

/// RFC 1812 §5.3.2 and RFC 2328 appendix A.1: precedence "Internetwork Control".
const TOS: u8 = 0xc0;
/// Connections that wait for a protocol to take them.
const BACKLOG: usize = 16;

impl Storeys {
    /// The host was switched on: its protocols hear of its links.
    pub(crate) fn start_routing(&mut self, now: Instant, out: &mut Out<'_>) {
        let Some(routing) = &mut self.routing else { return };
        for running in &mut routing.running {
            match running.kind.carriage {
                Carriage::Ip(number) => self.ip.serve(number),
                Carriage::Udp(_) => {}
                Carriage::Tcp(port) => {
                    let options = self.tcp.config().options.clone();
                    let at = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
                    let id = self.tcp.endpoint().listen(at, BACKLOG, &options);
                    // Another server may have the port; the protocol then only calls others.
                    running.listener = id.ok().map(|id| self.tcp.socket(id));
                }
            }
        }
        for iface in self.interfaces() {
            self.tell_link(now, iface, out);
        }
    }

    /// The carrier of a port has changed.
    pub(crate) fn reroute(&mut self, now: Instant, port: Port, out: &mut Out<'_>) {
        for iface in self.interfaces() {
            if self.ip.port_of(iface) == port {
                self.tell_link(now, iface, out);
            }
        }
    }

    fn interfaces(&self) -> impl Iterator<Item = Iface> + use<> {
        let count = (0..Iface::MAX).take_while(|iface| self.ip.mtu(*iface).is_some()).count();
        0..count as Iface
    }

    /// Tells the protocols how the link of an interface is; those of a host that is off hear nothing.
    pub(crate) fn tell_link(&mut self, now: Instant, iface: Iface, out: &mut Out<'_>) {
        if self.routing.is_none() || self.power == Power::Off {
            return;
        }
        let state = match self.ip.carrier(iface) {
            Some(Carrier::Up) => LinkState::Up,
            Some(Carrier::Down) | None => LinkState::Down,
        };
        let link = Link {
            iface,
            state,
            addresses: self.ip.addresses().filter(|(i, _)| *i == iface).map(|(_, cidr)| cidr).collect(),
            mtu: self.ip.mtu(iface).unwrap_or_default(),
            rate: self.config.rates.get(usize::from(self.ip.port_of(iface).0)).copied().flatten(),
        };
        let cause = out.trace.cause();
        self.each(now, cause, out, |running, cx| running.protocol.on_link(cx, &link));
    }

    /// Gives a datagram that no storey above takes to the protocol that IP carries.
    pub(super) fn routing_datagram(&mut self, now: Instant, datagram: &Datagram, out: &mut Out<'_>) {
        let arrival = arrival(datagram, 0);
        let number = datagram.protocol;
        self.hand(now, datagram.frame.cause, out, arrival, datagram.frame.bytes(), Carriage::Ip(number));
    }

    /// Gives a datagram of UDP to the protocol at its port; says whether there is one.
    pub(super) fn routing_udp(&mut self, now: Instant, datagram: &Datagram, out: &mut Out<'_>) -> bool {
        let Some(routing) = &self.routing else { return false };
        let Ok((header, len)) = udp::Header::parse(datagram.src, datagram.dst, &datagram.frame) else { return false };
        let carriage = Carriage::Udp(header.dst_port);
        if routing.running.iter().all(|running| running.kind.carriage != carriage) {
            return false;
        }
        let arrival = arrival(datagram, header.src_port);
        let payload = &datagram.frame.bytes()[udp::HEADER_LEN..len];
        self.hand(now, datagram.frame.cause, out, arrival, payload, carriage);
        true
    }

    fn hand(
        &mut self,
        now: Instant,
        cause: EventId,
        out: &mut Out<'_>,
        arrival: Option<Arrival>,
        bytes: &[u8],
        carriage: Carriage,
    ) {
        let Some(arrival) = arrival else { return };
        self.each(now, cause, out, |running, cx| {
            if running.kind.carriage == carriage {
                running.protocol.receive(cx, &arrival, bytes);
            }
        });
    }

    /// Does what is due.
    pub(super) fn route_on(&mut self, now: Instant, out: &mut Out<'_>) {
        self.each(now, EventId::NONE, out, |running, cx| {
            if running.protocol.deadline().is_some_and(|at| at <= now) {
                running.protocol.on_deadline(cx);
            }
        });
    }

    /// Lets protocols that TCP carries hear their connections.
    pub(crate) fn converse(&mut self, now: Instant, out: &mut Out<'_>) {
        let Some(routing) = &mut self.routing else { return };
        if routing.running.iter().all(|running| !matches!(running.kind.carriage, Carriage::Tcp(_))) {
            return;
        }
        let Some(mut routing) = self.routing.take() else { return };
        let mut heard = Vec::new();
        for (at, running) in routing.running.iter_mut().enumerate() {
            self.accept_dialogs(running, out.trace, |event, cause| heard.push((at, event, cause)));
            let ids: Vec<Conversation> = running.dialogs.keys().copied().collect();
            for id in ids {
                self.hear(running, id, out.trace, |event, cause| heard.push((at, event, cause)));
            }
        }
        self.routing = Some(routing);
        for (at, event, cause) in heard {
            self.one(at, now, cause, out, |protocol, cx| protocol.on_session(cx, event));
        }
    }

    fn accept_dialogs(
        &mut self,
        running: &mut Running,
        trace: &mut Trace,
        mut heard: impl FnMut(SessionEvent, EventId),
    ) {
        let Some(listener) = running.listener else { return };
        while let Ok((socket, peer)) = self.accept_plainly(listener, trace) {
            let id = running.accepted;
            running.accepted = id.wrapping_add(1).max(ACCEPTED);
            running.dialogs.insert(id, Dialog { socket, stage: Stage::Open, unsaid: VecDeque::new() });
            heard(SessionEvent::Accepted(id, peer.ip()), trace.cause());
        }
    }

    /// Takes from one connection what there is, and gives it what waits.
    fn hear(
        &mut self,
        running: &mut Running,
        id: Conversation,
        trace: &mut Trace,
        mut heard: impl FnMut(SessionEvent, EventId),
    ) {
        let Some(dialog) = running.dialogs.get_mut(&id) else { return };
        let socket = dialog.socket;
        let cause = self.tcp.resolve(socket).map_or(EventId::NONE, |id| self.tcp.endpoint().cause(id));
        let failed = |e: io::Error| SessionEvent::Closed(id, e.to_string());
        if dialog.stage == Stage::Opening {
            let error = self.ask_tcp(socket, |endpoint, _, id| endpoint.take_error(id)).ok().flatten();
            let state = self.ask_tcp(socket, |endpoint, _, id| endpoint.state(id)).unwrap_or(State::Closed);
            match (error, state) {
                (None, State::SynSent | State::SynReceived) => return,
                (None, State::Closed) => {
                    running.dialogs.remove(&id);
                    return heard(failed(io::ErrorKind::ConnectionAborted.into()), cause);
                }
                (None, _) => {
                    dialog.stage = Stage::Open;
                    heard(SessionEvent::Connected(id), cause);
                }
                (Some(error), _) => {
                    self.close_tcp(socket, trace);
                    running.dialogs.remove(&id);
                    return heard(failed(error.into()), cause);
                }
            }
        }
        self.say_rest(dialog, trace);
        if dialog.stage == Stage::Closing {
            if dialog.unsaid.is_empty() {
                self.close_tcp(socket, trace);
                running.dialogs.remove(&id);
            }
            return;
        }
        let mut buffer = [0; 4096];
        loop {
            match self.read_plainly(socket, &mut buffer, trace) {
                Ok(0) => {
                    self.close_tcp(socket, trace);
                    running.dialogs.remove(&id);
                    return heard(SessionEvent::Closed(id, "the peer has closed the connection".to_owned()), cause);
                }
                Ok(len) => heard(SessionEvent::Data(id, buffer[..len].to_vec()), cause),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) => {
                    self.close_tcp(socket, trace);
                    running.dialogs.remove(&id);
                    return heard(failed(e), cause);
                }
            }
        }
    }

    fn say_rest(&mut self, dialog: &mut Dialog, trace: &mut Trace) {
        while let Some((bytes, cause)) = dialog.unsaid.front_mut() {
            trace.set_cause(*cause);
            match self.write_plainly(dialog.socket, bytes, Follows::Nothing, trace) {
                Ok(len) if len < bytes.len() => drop(bytes.drain(..len)),
                Ok(_) => drop(dialog.unsaid.pop_front()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                // What has gone wrong is heard by reading.
                Err(_) => dialog.unsaid.clear(),
            }
        }
        trace.set_cause(EventId::NONE);
    }

    /// Calls each protocol, and does what it wants.
    fn each(
        &mut self,
        now: Instant,
        cause: EventId,
        out: &mut Out<'_>,
        mut call: impl FnMut(&mut Running, &mut Context<'_>),
    ) {
        let count = self.routing.as_ref().map_or(0, |routing| routing.running.len());
        for at in 0..count {
            if let Some(Routing { running, actions, .. }) = self.routing.as_deref_mut() {
                call(&mut running[at], &mut Context::new(now, cause, out.trace, actions));
            }
            self.act(at, now, out);
        }
        self.look_ahead();
    }

    /// Finds out when a protocol next has something to do.
    fn look_ahead(&mut self) {
        if let Some(routing) = &mut self.routing {
            routing.next = routing.running.iter().filter_map(|running| running.protocol.deadline()).min();
        }
    }

    /// The same for one of them.
    fn one(
        &mut self,
        at: usize,
        now: Instant,
        cause: EventId,
        out: &mut Out<'_>,
        call: impl FnOnce(&mut dyn RoutingProtocol, &mut Context<'_>),
    ) {
        if let Some(Routing { running, actions, .. }) = self.routing.as_deref_mut() {
            call(&mut *running[at].protocol, &mut Context::new(now, cause, out.trace, actions));
        }
        self.act(at, now, out);
        self.look_ahead();
    }

    fn act(&mut self, at: usize, now: Instant, out: &mut Out<'_>) {
        while let Some(Routing { running, actions, .. }) = self.routing.as_deref_mut() {
            let Some(action) = actions.pop_front() else { return };
            let running = &mut running[at];
            let kind = running.kind;
            match action {
                Action::Send(packet, cause) => self.send_routing(now, kind, packet, cause, out),
                // It fails only for an interface that is not there.
                Action::Join(iface, group) => drop(self.ip.join(now, iface, group)),
                Action::Leave(iface, group) => self.ip.leave(now, iface, group),
                Action::Route(change) => self.set_route(kind, change),
                Action::Connect(id, from, to) => self.open_dialog(at, now, id, (from, to), out),
                Action::Say(id, bytes, cause) => {
                    if let Some(dialog) = running.dialogs.get_mut(&id) {
                        dialog.unsaid.push_back((bytes, cause));
                    }
                    self.attend(at, id, out.trace);
                }
                Action::Close(id) => {
                    if let Some(dialog) = running.dialogs.get_mut(&id) {
                        dialog.stage = Stage::Closing;
                    }
                    self.attend(at, id, out.trace);
                }
                Action::Record(name, value) => self.recorder.record(now, name, value),
            }
        }
    }

    /// Gives a connection what waits for it, and ends it where that was all.
    fn attend(&mut self, at: usize, id: Conversation, trace: &mut Trace) {
        let Some(mut dialog) = self.dialogs(at).and_then(|dialogs| dialogs.remove(&id)) else { return };
        if dialog.stage != Stage::Opening {
            self.say_rest(&mut dialog, trace);
        }
        if dialog.stage == Stage::Closing && dialog.unsaid.is_empty() {
            return self.close_tcp(dialog.socket, trace);
        }
        if let Some(dialogs) = self.dialogs(at) {
            dialogs.insert(id, dialog);
        }
    }

    fn dialogs(&mut self, at: usize) -> Option<&mut BTreeMap<Conversation, Dialog>> {
        Some(&mut self.routing.as_deref_mut()?.running.get_mut(at)?.dialogs)
    }

    fn open_dialog(
        &mut self,
        at: usize,
        now: Instant,
        id: Conversation,
        (from, to): (IpAddr, IpAddr),
        out: &mut Out<'_>,
    ) {
        let Some(Carriage::Tcp(port)) = self.routing.as_ref().map(|r| r.running[at].kind.carriage) else { return };
        let options = self.tcp.config().options.clone();
        let opened = self.open_tcp(Some(SocketAddr::new(from, 0)), SocketAddr::new(to, port), &options, out.trace);
        match opened {
            Ok(socket) => {
                let dialog = Dialog { socket, stage: Stage::Opening, unsaid: VecDeque::new() };
                if let Some(dialogs) = self.dialogs(at) {
                    dialogs.insert(id, dialog);
                }
            }
            Err(e) => {
                let closed = SessionEvent::Closed(id, e.to_string());
                if let Some(Routing { running, actions, .. }) = self.routing.as_deref_mut() {
                    let mut cx = Context::new(now, EventId::NONE, out.trace, actions);
                    running[at].protocol.on_session(&mut cx, closed);
                }
            }
        }
    }

    fn send_routing(&mut self, now: Instant, kind: &Kind, packet: Packet, cause: EventId, out: &mut Out<'_>) {
        let Packet { iface, src, dst, ttl, bytes } = packet;
        let mut frame = Frame::new(Frame::HEADROOM, &bytes);
        frame.cause = cause;
        let number = match kind.carriage {
            Carriage::Ip(number) => number,
            Carriage::Udp(port) => {
                udp::Header { src_port: port, dst_port: port }.push(src, dst, &mut frame);
                protocol::UDP
            }
            // It speaks on its connections.
            Carriage::Tcp(_) => return,
        };
        frame.checksums = septet_core::Checksums::Good;
        let to = Outgoing {
            ttl,
            tos: TOS,
            dont_fragment: DontFragment::No,
            by: Some(iface),
            looped: Looped::Never,
            ..Outgoing::new(src, dst, number)
        };
        // A link that has just gone down takes nothing; what is lost is sent again like any other packet that is.
        let _ = self.ip.send(now, &to, frame, out);
    }

    fn set_route(&mut self, kind: &Kind, change: RouteChange) {
        let RouteChange { prefix, hops, metric } = change;
        self.ip.withdraw_routes(kind.origin, &[prefix]);
        if let Some(target) = Target::through(hops) {
            self.ip.add_routes([Route::new(prefix, target, kind.origin).metric(metric)]);
        }
    }
}

/// Where a datagram came in; one that never left the host is for no routing protocol.
fn arrival(datagram: &Datagram, src_port: u16) -> Option<Arrival> {
    let Datagram { src, dst, ttl, .. } = *datagram;
    Some(Arrival { iface: datagram.iface?, src, dst, ttl, src_port })
}
