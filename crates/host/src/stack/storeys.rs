//! Storeys 2 to 4 over one another: what climbs, what goes down, and what waits to be sent.

use core::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_core::{DropReason, EventId, Frame, Instant, Out, Port, Power, Recorder, Rng, Storey, Trace};
use septet_datalink::ethernet::{self, EtherType, Header, MacAddr};
use septet_datalink::stats::Ports;
use septet_datalink::vlan;
use septet_engine::executor;
use septet_network::firewall::Firewall;
use septet_network::ip::{Aftermath, Cast, Datagram, DontFragment, Multipath, Outgoing, Report, SendError, Up};
use septet_network::ipv4::protocol;
use septet_network::{Iface, Ip};
use septet_socket::cpu::Cpu;
use septet_transport::Trouble;
use septet_transport::tcp::Transmit;
use septet_transport::udp;

use super::config::{ByHand, HostConfig};
use super::counting::Counting;
use super::errors::switched_off;
use super::listeners::Listeners;
use super::packets::Packets;
use super::ping::Pings;
use super::reports::quoted;
use super::routing::Routing;
use super::tcp::Tcp;
use super::udp::Udp;

/// Bytes in a port's transmit queue from which on this host waits before it hands over more, as Linux's TCP small
/// queues and a socket's send buffer have it.
const PORT_LIMIT: usize = 128 * 1024;
/// It goes on when so many are left.
const PORT_RESUME: usize = 64 * 1024;

/// Whose datagram waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    Udp(udp::SocketId),
    Ping,
    /// One of an echo socket, before whose message stand so many octets of options for the header.
    PingWithOptions(u8),
}

/// A protocol above IP.
#[derive(Debug)]
pub(crate) struct Upper {
    /// Its number in IP's header (IANA's protocol numbers).
    pub(super) number: u8,
    /// Takes a datagram that is for this host; `None` where storey 3 itself does.
    pub(super) receive: Option<fn(&mut Storeys, Instant, Datagram, &mut Out<'_>)>,
    /// Hears what ICMP says of a datagram that this host has sent.
    pub(super) error: fn(&mut Storeys, Instant, &Report, &mut Out<'_>),
}

/// A datagram that waits to be sent.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) to: Outgoing,
    pub(super) frame: Frame,
    pub(super) owner: Owner,
    /// By which it is to leave; `None` where it stays in the host.
    pub(super) iface: Option<Iface>,
}

/// The state of a running host. Its programs reach it through their handles, the engine through [`Host`](crate::Host).
#[derive(Debug)]
pub(crate) struct Storeys {
    /// By which its handles know it.
    pub(crate) number: u64,
    pub(crate) now: Instant,
    pub(crate) power: Power,
    pub(crate) ip: Ip,
    /// What stands above it.
    uppers: &'static [Upper],
    pub(crate) tcp: Tcp,
    pub(crate) udp: Udp,
    pub(crate) pings: Pings,
    pub(crate) packets: Packets,
    /// Who hears of changes of addresses and interfaces.
    pub(crate) listeners: Listeners,
    /// The `resolv.conf` that was written while the host runs.
    pub(crate) resolvers: Option<Box<(Vec<SocketAddr>, Vec<String>)>>,
    /// The cores on which programs run, where their calls cost time.
    pub(crate) cpu: Option<Arc<Cpu>>,
    /// The programs, and why the one that runs does what it does.
    pub(crate) tasks: executor::Handle,
    pub(crate) rng: Rng,
    /// Its routing protocols, where it speaks any.
    pub(super) routing: Option<Box<Routing>>,
    /// Counters and series of its programs and protocols.
    pub(crate) recorder: Recorder,
    pub(crate) config: Arc<HostConfig>,
    pub(crate) link: Ports,
    /// Who asks what ports counted.
    pub(super) counting: Option<Box<Counting>>,
    pub(super) outbox: VecDeque<Waiting>,
    /// The port whose transmit queue is full.
    blocked: Option<Port>,
    /// What [`deadline`](Self::deadline) last found, while that holds and nothing is left to do now: the far future where
    /// nothing is due. Zero where it is to be found anew.
    due: Cell<Instant>,
}

impl Storeys {
    pub(crate) fn new(
        config: Arc<HostConfig>,
        tasks: executor::Handle,
        uppers: &'static [Upper],
        recorder: Recorder,
    ) -> Self {
        let stream = |what: &str| config.randomness.stream(&format!("{what} {}", config.name));
        Self {
            number: 0,
            now: Instant::ZERO,
            power: Power::Off,
            ip: build_ip(&config, uppers, &recorder),
            uppers,
            tcp: Tcp::new(config.clone()),
            udp: Udp::default(),
            pings: Pings::default(),
            packets: Packets::default(),
            listeners: Listeners::default(),
            resolvers: None,
            cpu: config.costs.as_deref().cloned().map(Cpu::new),
            tasks,
            rng: stream("programs"),
            link: Ports::default(),
            counting: None,
            outbox: VecDeque::new(),
            blocked: None,
            due: Cell::new(Instant::ZERO),
            routing: Routing::new(&config),
            recorder,
            config,
        }
    }

    /// Forgets everything but the counters: the host is switched off.
    pub(crate) fn wipe(&mut self) {
        let counters = core::mem::take(&mut self.ip.counters);
        let counters6 = core::mem::take(&mut self.ip.counters6);
        let unwired = core::mem::take(&mut self.ip.unwired);
        self.ip = build_ip(&self.config, self.uppers, &self.recorder);
        (self.ip.counters, self.ip.counters6, self.ip.unwired) = (counters, counters6, unwired);
        self.tcp.wipe();
        self.udp.wipe();
        self.pings.wipe();
        self.packets.wipe();
        self.listeners.wipe();
        self.resolvers = None;
        self.cpu = self.config.costs.as_deref().cloned().map(Cpu::new);
        // Who asks hears that the host is off.
        self.counting.take().into_iter().for_each(|mut counting| counting.asking.wake());
        self.outbox.clear();
        self.blocked = None;
        self.routing = Routing::new(&self.config);
    }

    /// Storey 2: takes a frame off the wire.
    #[inline]
    pub(crate) fn receive(&mut self, now: Instant, port: Port, frame: Frame, out: &mut Out<'_>) {
        self.now = now;
        if self.take(now, port, frame, out) == Aftermath::Some {
            self.due.set(Instant::ZERO);
        }
    }

    #[inline]
    fn take(&mut self, now: Instant, port: Port, mut frame: Frame, out: &mut Out<'_>) -> Aftermath {
        let mut iface: Iface = port.0;
        let Some((mac, mtu)) = self.ip.card(iface) else { return Aftermath::None };
        if let Err(why) = ethernet::check(&frame, mtu as usize) {
            self.bad_frame(port, &frame, why, out);
            return Aftermath::None;
        }
        let Ok(mut header) = Header::pull(&mut frame) else { return Aftermath::None };
        let cast = match header.destination {
            MacAddr::BROADCAST => Cast::Broadcast,
            to if to.is_multicast() => Cast::Multicast,
            to if to == mac => Cast::Unicast,
            // The card filters what is for others: a switch that does not know them yet floods.
            _ => {
                let is_heard = self.packets.is_open()
                    && self.ip.is_switched_on(iface)
                    && self.packets.overhear(iface, &header, &frame);
                return if is_heard { Aftermath::Some } else { Aftermath::None };
            }
        };
        if header.ether_type == EtherType::VLAN {
            match self.untag(port, &mut frame) {
                Ok((of_vlan, ether_type)) => (iface, header.ether_type) = (of_vlan, ether_type),
                Err(why) => {
                    self.bad_frame(port, &frame, why, out);
                    return Aftermath::None;
                }
            }
        }
        if !self.ip.is_switched_on(iface) {
            return Aftermath::None;
        }
        if iface != port.0 {
            self.ip.unwired.received(iface, frame.len());
        }
        if self.packets.is_open() {
            self.packets.take(iface, &header, &frame);
        }
        match header.ether_type {
            EtherType::IPV4 => return self.ip.receive(now, iface, cast, frame, out),
            EtherType::ARP => return self.ip.receive_arp(now, iface, frame, out),
            EtherType::IPV6 if self.ip.speaks_v6() => return self.ip.receive_v6(now, iface, cast, frame, out),
            other => {
                self.link.at(port.0).refuse(frame.len(), DropReason::UnknownProtocol);
                if cast == Cast::Unicast {
                    out.trace.emit(Storey::DataLink, "eth.drop", frame.cause, |f| {
                        f.set("port", port.to_string()).set("frame", frame.id).set("type", other.to_string());
                        f.set("reason", DropReason::UnknownProtocol).set("why", "no protocol here takes its type");
                    });
                }
            }
        }
        Aftermath::Some
    }

    /// Takes the tag off a frame; gives the interface of its VLAN and the type of what it carries. A tag that only has a
    /// priority says nothing of a VLAN (802.1Q §6.9).
    fn untag(&mut self, port: Port, frame: &mut Frame) -> Result<(Iface, EtherType), DropReason> {
        let (tag, ether_type) = vlan::pull(frame)?;
        Ok((self.ip.iface_at(port, tag.vlan).ok_or(DropReason::Vlan)?, ether_type))
    }

    fn bad_frame(&mut self, port: Port, frame: &Frame, reason: DropReason, out: &mut Out<'_>) {
        self.link.at(port.0).refuse(frame.len(), reason);
        out.trace.emit(Storey::DataLink, "eth.drop", frame.cause, |f| {
            f.set("port", port.to_string()).set("frame", frame.id).set("len", frame.len()).set("reason", reason);
            f.set("why", ethernet::why_refused(reason));
        });
    }

    /// Something was changed, or may be: what was found out before holds no longer.
    #[inline]
    pub(crate) fn unsettle(&mut self) {
        self.due.set(Instant::ZERO);
    }

    /// Whether nothing climbs and nothing waits to be sent.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.due.get() != Instant::ZERO || self.has_settled()
    }

    fn has_settled(&self) -> bool {
        !self.ip.has_up()
            && !self.packets.has_outgoing()
            && (self.blocked.is_some() || (self.outbox.is_empty() && !self.tcp.dirty))
    }

    /// Hands to the sockets what storey 3 has for them.
    pub(crate) fn climb(&mut self, now: Instant, out: &mut Out<'_>) {
        while let Some(up) = self.ip.poll_up() {
            match up {
                Up::Datagram(datagram) => match self.upper(datagram.protocol).and_then(|upper| upper.receive) {
                    Some(receive) => receive(self, now, datagram, out),
                    None => self.routing_datagram(now, &datagram, out),
                },
                Up::EchoReply { from, ident, seq, ttl, header_len, mut data } => {
                    data.cause = out.trace.emit(Storey::Network, "icmp.reply", data.cause, |f| {
                        f.set("from", from).set("seq", seq).set("ttl", ttl).set("bytes", data.len());
                    });
                    self.tasks.because(data.cause);
                    self.pings.reply(ident, (from, seq, ttl), header_len, data);
                }
                Up::Change(change) => self.listeners.tell(change),
                Up::Error(report) => {
                    self.tasks.because(report.quote.cause);
                    if let Some(upper) = self.upper(report.protocol) {
                        (upper.error)(self, now, &report, out);
                    }
                }
            }
        }
        self.settle_tcp(out.trace);
    }

    fn upper(&self, number: u8) -> Option<&'static Upper> {
        self.uppers.iter().find(|upper| upper.number == number)
    }

    /// Sends what waits, as far as the ports' queues have room.
    pub(crate) fn flush(&mut self, now: Instant, out: &mut Out<'_>) {
        self.send_packets(out);
        self.send_waiting(now, out);
        self.settle_tcp(out.trace);
    }

    /// Sends what packet sockets have.
    fn send_packets(&mut self, out: &mut Out<'_>) {
        while let Some((iface, to, ether_type, packet)) = self.packets.next_outgoing() {
            self.ip.send_on_link(iface, to, ether_type, packet, out);
        }
    }

    /// Wakes who waits for TCP, each because of what happened to its connection.
    fn settle_tcp(&mut self, trace: &Trace) {
        let Self { tcp, tasks, .. } = self;
        tcp.settle(|cause| {
            if trace.is_on() {
                tasks.because(cause());
            }
        });
        // What is woken from outside of this host has no cause here.
        tasks.because(EventId::NONE);
    }

    fn send_waiting(&mut self, now: Instant, out: &mut Out<'_>) {
        if let Some(port) = self.blocked {
            if out.backlog(port) > PORT_RESUME {
                return;
            }
            self.blocked = None;
        }
        while let Some(Waiting { iface, .. }) = self.outbox.front() {
            if let Some(iface) = *iface
                && !self.has_room(self.ip.port_of(iface), out)
            {
                return;
            }
            let Some(Waiting { to, mut frame, owner, .. }) = self.outbox.pop_front() else { return };
            // Whether there is a way was asked when the program called; what has changed since is a loss on the way.
            let _ = match owner {
                Owner::Udp(id) => {
                    self.udp.sent(id, frame.len() - udp::wire::HEADER_LEN);
                    self.ip.send(now, &to, frame, out)
                }
                Owner::Ping => self.ip.send(now, &to, frame, out),
                Owner::PingWithOptions(len) => {
                    let options = frame.bytes()[..usize::from(len)].to_vec();
                    frame.pull(options.len());
                    self.ip.send_with_options(now, &to, &options, frame, out)
                }
            };
        }
        self.flush_tcp(now, out);
    }

    fn flush_tcp(&mut self, now: Instant, out: &mut Out<'_>) {
        while self.tcp.dirty {
            let Some(segment) = self.tcp.endpoint().poll_transmit(now, out.trace) else {
                self.tcp.dirty = false;
                self.tcp.drained();
                break;
            };
            if let Some(iface) = self.send_segment(now, segment, out)
                && !self.has_room(self.ip.port_of(iface), out)
            {
                return;
            }
        }
    }

    /// Sends a segment; gives the interface that it left by.
    fn send_segment(&mut self, now: Instant, segment: Transmit, out: &mut Out<'_>) -> Option<Iface> {
        let Transmit { src, dst, ecn, traffic_class, dont_fragment, frame } = segment;
        let dont_fragment = if dont_fragment { DontFragment::Discover } else { DontFragment::No };
        let tos = traffic_class | ecn.bits();
        let to = Outgoing { tos, dont_fragment, ..Outgoing::new(src, dst, protocol::TCP) };
        let (start, cause) = (frame.bytes().first_chunk().copied(), frame.cause);
        // Without a way the segment is lost, and sent again like any other that is.
        let sent = self.ip.send(now, &to, frame, out);
        if let (Err(SendError::MessageTooLong { mtu }), Some(start)) = (sent, start) {
            let error = quoted(src, src, dst, start, Trouble::TooBig { mtu }, cause);
            let _ = self.tcp.endpoint().icmp_error(now, &error, out.trace);
        }
        sent.ok().flatten()
    }

    fn has_room(&mut self, port: Port, out: &mut Out<'_>) -> bool {
        if out.backlog(port) < PORT_LIMIT {
            return true;
        }
        self.blocked = Some(port);
        out.wake_below(port, PORT_RESUME);
        false
    }

    /// The port's queue has room again.
    pub(crate) fn on_room(&mut self, port: Port) {
        if self.blocked == Some(port) {
            self.blocked = None;
        }
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let due = self.due.get();
        let due = if due == Instant::ZERO { self.find_deadline() } else { due };
        (due != Instant::FAR_FUTURE).then_some(due)
    }

    fn find_deadline(&self) -> Instant {
        if !self.has_settled() {
            return self.now;
        }
        let routing = self.routing.as_ref().and_then(|routing| routing.deadline());
        let first = Instant::earliest(Instant::earliest(self.ip.deadline(), self.tcp.deadline), routing);
        let due = first.unwrap_or(Instant::FAR_FUTURE);
        self.due.set(due);
        due
    }

    pub(crate) fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        self.ip.on_deadline(now, out);
        if self.tcp.deadline.is_some_and(|at| at <= now) {
            self.tcp.dirty = true;
            self.tcp.endpoint().on_timeout(now, out.trace);
        }
        if self.routing.as_ref().and_then(|routing| routing.deadline()).is_some_and(|at| at <= now) {
            self.route_on(now, out);
        }
    }

    /// # Errors
    /// The host is switched off.
    pub(crate) fn running(&self) -> io::Result<()> {
        if self.power == Power::On { Ok(()) } else { Err(switched_off()) }
    }
}

fn build_ip(config: &HostConfig, uppers: &[Upper], recorder: &Recorder) -> Ip {
    let rng = config.randomness.stream(&format!("ip {}", config.name));
    let mut ip = Ip::new(&config.interfaces, config.forwarding, rng);
    ip.set_epoch(config.epoch);
    uppers.iter().filter(|upper| upper.receive.is_some()).for_each(|upper| ip.serve(upper.number));
    for vlan in &config.vlans {
        ip.add_vlan(vlan).expect("checked when the host was made");
    }
    for (iface, v6) in &config.ipv6 {
        ip.configure_v6(*iface, v6).expect("checked when the host was made");
    }
    for route in &config.routes {
        ip.add_route(*route).expect("checked when the host was made");
    }
    if let Some(ByHand { routes, multipath, redirects }) = config.by_hand.as_deref() {
        ip.set_redirects(*redirects);
        for route in routes {
            ip.add_written(route).expect("checked when the host was made");
        }
        if *multipath != Multipath::default() {
            ip.set_multipath(*multipath);
        }
    }
    for neighbor in &config.neighbors {
        ip.neighbors_mut().set_permanent(Instant::ZERO, neighbor.iface, neighbor.address, neighbor.mac);
    }
    ip.set_multicast(Instant::ZERO, config.multicast.clone());
    if let Some(guide) = &config.guide {
        ip.set_guide(guide.clone());
    }
    if let Some(firewall) = &config.firewall {
        let rng = config.randomness.stream(&format!("firewall {}", config.name));
        ip.set_filter(Some(Box::new(Firewall::new(firewall.clone(), rng).recording(recorder))));
    }
    ip
}
