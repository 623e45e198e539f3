//! The point-to-point protocol: RFC 1661 with LCP and IPCP, in HDLC-like framing (RFC 1662), with reliable transmission
//! where both ends agree on it (RFC 1663).
//!
//! [`Ppp`] is one end, sans-IO: the octets of a line and the time go in, octets, events and the next deadline come out.

mod automaton;
mod ipcp;
mod ipv6cp;
mod lcp;
mod negotiation;
pub mod packet;

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};

use septet_core::{DropReason, EventId, Frame, Instant, Rng, Storey, Trace};

use crate::hdlc::{self, Accm, Decoder, Fcs};
use crate::lapb::{self, Arq, Link, Modulo, Side};
use crate::stats::LinkStats;
use automaton::Event as Cause;
pub use automaton::State;
use ipcp::Ipcp;
use ipv6cp::Ipv6cp;
use lcp::Lcp;
pub use lcp::{Compression, NumberedMode, Terms};
use negotiation::{Negotiation, Signal};
use packet::{Code, Packet};

/// The numbers of the PPP protocol field.
pub mod protocol {
    /// Internet Protocol version 4.
    pub const IPV4: u16 = 0x0021;
    /// Internet Protocol version 6.
    pub const IPV6: u16 = 0x0057;
    /// IP control protocol.
    pub const IPCP: u16 = 0x8021;
    /// IPv6 control protocol.
    pub const IPV6CP: u16 = 0x8057;
    /// Link control protocol.
    pub const LCP: u16 = 0xc021;
}

/// RFC 1662 §3.1.
const ALL_STATIONS: u8 = 0xff;
const UNNUMBERED_INFORMATION: u8 = 0x03;

/// What one end wants.
#[derive(Clone, Debug)]
pub struct Config {
    /// How it wants to receive.
    pub terms: Terms,
    /// Numbered mode, where it is wanted: how this end keeps its window.
    pub reliable: Option<lapb::Config>,
    /// This end's address; `0.0.0.0` asks the other end for one.
    pub local: Ipv4Addr,
    /// The address that the other end must take.
    pub assign: Option<Ipv4Addr>,
    /// This end's interface identifier, where it speaks IPv6.
    pub identifier: Option<u64>,
    /// How often an echo is asked for, where at all.
    pub echo: Option<Duration>,
    /// How many echoes may fail to come before the link is taken for dead.
    pub echo_failures: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // A synchronous or simulated line needs no control character escaped.
            terms: Terms { accm: Accm::NONE, ..Terms::DEFAULT },
            reliable: None,
            local: Ipv4Addr::UNSPECIFIED,
            assign: None,
            identifier: None,
            echo: Some(Duration::from_secs(30)),
            echo_failures: 4,
        }
    }
}

/// RFC 1661 §3.2; there is no authentication here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// No carrier.
    Dead,
    /// LCP negotiates.
    Establish,
    /// LAPB sets up.
    Reliable,
    /// IPCP and IPV6CP negotiate, and then IP flows.
    Network,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dead => "dead",
            Self::Establish => "establish",
            Self::Reliable => "reliable",
            Self::Network => "network",
        })
    }
}

/// What the storey above is told.
#[derive(Debug)]
pub enum Event {
    /// IP may flow between these addresses.
    Up {
        /// This end's.
        local: Ipv4Addr,
        /// The other end's, where it said.
        remote: Option<Ipv4Addr>,
    },
    /// IP may flow no longer.
    Down,
    /// An IP packet.
    Deliver(Frame),
}

/// One end of a point-to-point link.
#[derive(Debug)]
pub struct Ppp {
    config: Config,
    phase: Phase,
    lcp: Negotiation<Lcp>,
    ipcp: Negotiation<Ipcp>,
    ipv6cp: Option<Negotiation<Ipv6cp>>,
    reliable: Option<Link>,
    decoder: Decoder,
    /// IP packets that wait for the line in unnumbered mode.
    packets: VecDeque<Frame>,
    /// Protocol-Rejects and echoes that wait for the line.
    control: VecDeque<Vec<u8>>,
    echo_at: Option<Instant>,
    echo_missing: u32,
    identifier: u8,
    cause: EventId,
    events: VecDeque<Event>,
    stats: LinkStats,
}

impl Ppp {
    /// An end without carrier. `rng` draws magic numbers.
    pub fn new(config: Config, rng: Rng) -> Self {
        let mut terms = config.terms;
        if let Some(lapb) = &config.reliable {
            let window = lapb.window.clamp(1, lapb.arq.largest_window(lapb.modulo));
            // RFC 1663: a window below 8 means modulo 8, so that of modulo 128 is at least 8.
            let window = if lapb.modulo == Modulo::OneTwentyEight { window.max(8) } else { window };
            terms.numbered = Some(NumberedMode { window, address: lapb.side.address() });
            terms.address_compression = Compression::Off;
        }
        let max = usize::from(terms.mru) + 8;
        Self {
            phase: Phase::Dead,
            lcp: Negotiation::new(Lcp::new(terms, rng)),
            ipcp: Negotiation::new(Ipcp::new(config.local, config.assign)),
            ipv6cp: config.identifier.map(|identifier| Negotiation::new(Ipv6cp::new(identifier))),
            reliable: None,
            decoder: Decoder::new(Fcs::Sixteen, Accm::NONE, max.max(1508)),
            packets: VecDeque::new(),
            control: VecDeque::new(),
            echo_at: None,
            echo_missing: 0,
            identifier: 0,
            cause: EventId::NONE,
            events: VecDeque::new(),
            stats: LinkStats::default(),
            config,
        }
    }

    /// The phase of the link.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether IP flows.
    pub fn is_up(&self) -> bool {
        self.ipcp.is_opened()
    }

    /// Whether IPv6 flows.
    pub fn is_up_v6(&self) -> bool {
        self.ipv6cp.as_ref().is_some_and(Negotiation::is_opened)
    }

    /// Tells the control protocols of storey 3 what happened below them.
    fn network(&mut self, now: Instant, cause: Cause) {
        self.ipcp.on_event(now, cause);
        if let Some(ipv6cp) = &mut self.ipv6cp {
            ipv6cp.on_event(now, cause);
        }
    }

    /// The states of LCP and IPCP.
    pub fn states(&self) -> (State, State) {
        (self.lcp.state(), self.ipcp.state())
    }

    /// What the reliable link counts, where there is one.
    pub fn reliable(&self) -> Option<&Link> {
        self.reliable.as_ref()
    }

    /// What it counts by the names of `ip -s -s link`: frames that were none, or that nobody here takes.
    pub fn link_stats(&self) -> &LinkStats {
        &self.stats
    }

    /// The line has a carrier.
    pub fn carrier_up(&mut self, now: Instant, trace: &mut Trace) {
        if self.phase == Phase::Dead {
            self.set_phase(Phase::Establish, "the line has a carrier", trace);
            self.lcp.on_event(now, Cause::Open);
            self.lcp.on_event(now, Cause::Up);
            self.settle(now, trace);
        }
    }

    /// The line lost its carrier.
    pub fn carrier_down(&mut self, now: Instant, trace: &mut Trace) {
        if self.phase != Phase::Dead {
            self.lcp.on_event(now, Cause::Down);
            self.settle(now, trace);
            self.set_phase(Phase::Dead, "the line lost its carrier", trace);
            self.lcp.packets.clear();
            self.control.clear();
        }
    }

    /// Ends the link in an orderly way.
    pub fn close(&mut self, now: Instant, trace: &mut Trace) {
        self.lcp.on_event(now, Cause::Close);
        self.settle(now, trace);
    }

    /// Queues an IP packet.
    ///
    /// # Errors
    /// Gives it back with the reason: the link is not up, or the packet larger than the other end takes.
    pub fn send(&mut self, packet: Frame) -> Result<(), (Frame, DropReason)> {
        let number = number(packet.bytes());
        if !self.carries(number) {
            return Err((packet, DropReason::Carrier));
        }
        if packet.len() > usize::from(self.lcp.options.granted.mru) {
            return Err((packet, DropReason::TooBig));
        }
        match &mut self.reliable {
            Some(link) => {
                let (mut info, compression) = (packet, self.lcp.options.granted.protocol_compression);
                push_protocol(&mut info, number, compression);
                link.send(info).map_err(|info| (info, DropReason::TooBig))
            }
            None => {
                self.packets.push_back(packet);
                Ok(())
            }
        }
    }

    /// IP packets that wait, or are in flight in numbered mode.
    pub fn waiting(&self) -> usize {
        self.packets.len() + self.reliable.as_ref().map_or(0, Link::held)
    }

    /// When [`on_timeout`](Self::on_timeout) must be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let reliable = self.reliable.as_ref().and_then(Link::poll_timeout);
        let ipv6cp = self.ipv6cp.as_ref().and_then(Negotiation::poll_timeout);
        [self.lcp.poll_timeout(), self.ipcp.poll_timeout(), ipv6cp, self.echo_at, reliable].into_iter().flatten().min()
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn on_timeout(&mut self, now: Instant, trace: &mut Trace) {
        self.cause = EventId::NONE;
        self.lcp.on_timeout(now);
        self.ipcp.on_timeout(now);
        if let Some(ipv6cp) = &mut self.ipv6cp {
            ipv6cp.on_timeout(now);
        }
        if let Some(link) = &mut self.reliable {
            link.on_timeout(now);
        }
        if self.echo_at.is_some_and(|at| at <= now) {
            self.ask_for_echo(now, trace);
        }
        self.settle(now, trace);
    }

    /// Takes octets off the line.
    pub fn receive(&mut self, now: Instant, line: &[u8], cause: EventId, trace: &mut Trace) {
        self.cause = cause;
        let mut bodies = Vec::new();
        self.decoder.push(line, |found| bodies.push(found.map(<[u8]>::to_vec)));
        for body in bodies {
            let (result, why) = match body {
                Ok(body) => (self.on_body(now, &body, trace), None),
                Err(invalid) => (Err(invalid.reason()), Some(invalid)),
            };
            if let Err(reason) = result {
                self.stats.refuse(line.len(), reason);
                trace.emit(Storey::DataLink, "ppp.drop", cause, |f| {
                    f.set("reason", reason).set("octets", line.len());
                    f.set(
                        "why",
                        match (why, reason) {
                            (Some(invalid), _) => invalid.to_string(),
                            (_, DropReason::UnknownProtocol) => "no protocol by its number is spoken here".to_owned(),
                            (_, DropReason::Policy) => "its protocol may not be spoken yet".to_owned(),
                            (_, DropReason::NotForUs) => "its address is that of neither end".to_owned(),
                            (_, reason) => reason.to_string(),
                        },
                    );
                });
            }
            self.settle(now, trace);
        }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) would give octets.
    pub fn wants_line(&self) -> bool {
        !self.lcp.packets.is_empty()
            || !self.control.is_empty()
            || !self.packets.is_empty()
            || (self.reliable.is_none()
                && (!self.ipcp.packets.is_empty() || self.ipv6cp.as_ref().is_some_and(|cp| !cp.packets.is_empty())))
            || self.reliable.as_ref().is_some_and(Link::wants_line)
    }

    /// The octets of the next frame, for a line that is free.
    pub fn poll_transmit(&mut self, now: Instant, trace: &mut Trace) -> Option<Frame> {
        if self.phase == Phase::Dead {
            return None;
        }
        let granted = self.lcp.options.granted;
        // RFC 1661 §6: LCP packets go with the defaults, "so that a link in any state may be brought down"; those that negotiate
        // with the default frame check, too (RFC 1570 §2.1).
        let negotiates = self.lcp.packets.front().is_some_and(|packet| matches!(packet.first(), Some(1..=7)));
        let (body, terms, cause) = if let Some(packet) = self.lcp.packets.pop_front() {
            let cause = self.tell_packet("lcp", "ppp.sent", &packet, trace);
            (unnumbered(&packet, protocol::LCP, &Terms::DEFAULT), Terms::DEFAULT, cause)
        } else if let Some(packet) = self.control.pop_front() {
            let cause = self.tell_packet("lcp", "ppp.sent", &packet, trace);
            (unnumbered(&packet, protocol::LCP, &Terms::DEFAULT), Terms { fcs: granted.fcs, ..Terms::DEFAULT }, cause)
        } else if let Some(link) = &mut self.reliable {
            let frame = link.poll_transmit(now)?;
            let (bytes, cause) = (frame.bytes().to_vec(), frame.cause);
            self.settle(now, trace);
            (bytes, granted, cause)
        } else if let Some(packet) = self.ipcp.packets.pop_front() {
            let cause = self.tell_packet("ipcp", "ppp.sent", &packet, trace);
            (unnumbered(&packet, protocol::IPCP, &granted), granted, cause)
        } else if let Some(packet) = self.ipv6cp.as_mut().and_then(|cp| cp.packets.pop_front()) {
            let cause = self.tell_packet("ipv6cp", "ppp.sent", &packet, trace);
            (unnumbered(&packet, protocol::IPV6CP, &granted), granted, cause)
        } else {
            let packet = self.packets.pop_front()?;
            (unnumbered(packet.bytes(), number(packet.bytes()), &granted), granted, packet.cause)
        };
        // Before LCP is open the frame check is the default one, and every control character is escaped.
        let terms =
            if self.lcp.is_opened() && !negotiates { Terms { fcs: granted.fcs, ..terms } } else { Terms::DEFAULT };
        let mut frame = Frame::new(0, &hdlc::encode(&body, terms.fcs, terms.accm));
        frame.cause = cause;
        Some(frame)
    }

    /// What the storey above is to be told.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn on_body(&mut self, now: Instant, body: &[u8], trace: &mut Trace) -> Result<(), DropReason> {
        if let Some(link) = &mut self.reliable
            && body.first() != Some(&ALL_STATIONS)
        {
            let mut frame = Frame::new(Frame::HEADROOM, body);
            frame.cause = self.cause;
            return link.receive(now, frame);
        }
        let info = match body {
            [ALL_STATIONS, UNNUMBERED_INFORMATION, info @ ..] => info,
            [ALL_STATIONS, ..] => return Err(DropReason::Malformed),
            // Address and control compressed.
            info => info,
        };
        let (number, info) = split_protocol(info)?;
        self.on_protocol(now, number, info, trace)
    }

    fn on_protocol(&mut self, now: Instant, number: u16, info: &[u8], trace: &mut Trace) -> Result<(), DropReason> {
        match number {
            protocol::LCP => self.on_lcp(now, info, trace),
            // RFC 1661 §3.4: "any non-LCP packets received during this phase MUST be silently discarded".
            _ if !self.lcp.is_opened() => Err(DropReason::Policy),
            protocol::IPCP => {
                let packet = Packet::parse(info)?;
                self.cause = self.tell_packet("ipcp", "ppp.received", info, trace);
                self.ipcp.on_packet(now, &packet);
                Ok(())
            }
            protocol::IPV6CP if self.ipv6cp.is_some() => {
                let packet = Packet::parse(info)?;
                self.cause = self.tell_packet("ipv6cp", "ppp.received", info, trace);
                if let Some(ipv6cp) = &mut self.ipv6cp {
                    ipv6cp.on_packet(now, &packet);
                }
                Ok(())
            }
            protocol::IPV4 | protocol::IPV6 if self.carries(number) && self::number(info) == number => {
                let mut frame = Frame::new(Frame::HEADROOM, info);
                frame.cause = self.cause;
                self.events.push_back(Event::Deliver(frame));
                Ok(())
            }
            protocol::IPV4 => Err(DropReason::Policy),
            protocol::IPV6 if self.ipv6cp.is_some() => Err(DropReason::Policy),
            unknown => {
                // §5.7: Protocol-Reject carries the protocol and the rejected information.
                let mut data = unknown.to_be_bytes().to_vec();
                data.extend_from_slice(&info[..info.len().min(usize::from(self.lcp.options.granted.mru) - 8)]);
                self.push_control(Code::ProtocolReject, &data);
                Err(DropReason::UnknownProtocol)
            }
        }
    }

    fn on_lcp(&mut self, now: Instant, info: &[u8], trace: &mut Trace) -> Result<(), DropReason> {
        let packet = Packet::parse(info)?;
        self.cause = self.tell_packet("lcp", "ppp.received", info, trace);
        match packet.code {
            Code::EchoRequest => {
                // §5.8: the reply carries this end's magic number.
                let mut data = self.lcp.options.wanted.magic.to_be_bytes().to_vec();
                data.extend_from_slice(packet.data.get(4..).unwrap_or_default());
                self.lcp.on_packet(now, &Packet { data: &data, ..packet });
            }
            Code::EchoReply => self.echo_missing = 0,
            Code::ProtocolReject => match packet.data {
                [high, low, ..] if u16::from_be_bytes([*high, *low]) == protocol::IPCP => {
                    self.ipcp.on_event(now, Cause::RxjMinus);
                }
                [high, low, ..] if u16::from_be_bytes([*high, *low]) == protocol::IPV6CP => {
                    if let Some(ipv6cp) = &mut self.ipv6cp {
                        ipv6cp.on_event(now, Cause::RxjMinus);
                    }
                }
                [high, low, ..] if u16::from_be_bytes([*high, *low]) == protocol::LCP => {
                    self.lcp.on_event(now, Cause::RxjMinus);
                }
                _ => self.lcp.on_event(now, Cause::RxjPlus),
            },
            _ => self.lcp.on_packet(now, &packet),
        }
        Ok(())
    }

    fn on_link_event(&mut self, now: Instant, event: lapb::Event, trace: &mut Trace) {
        match event {
            lapb::Event::Up => {
                self.set_phase(Phase::Network, "the numbered mode is set up", trace);
                self.network(now, Cause::Open);
                self.network(now, Cause::Up);
            }
            lapb::Event::Down(reason) => {
                trace.emit(Storey::DataLink, "lapb.down", self.cause, |f| {
                    f.set("why", reason.to_string());
                });
                self.network(now, Cause::Down);
                if reason != lapb::DownReason::Local && self.lcp.is_opened() {
                    // RFC 1663 leaves the recovery to LCP: the link is negotiated anew.
                    self.lcp.on_event(now, Cause::Down);
                    self.lcp.on_event(now, Cause::Up);
                }
            }
            lapb::Event::Deliver(frame) => {
                let cause = core::mem::replace(&mut self.cause, frame.cause);
                if let Ok((number, info)) = split_protocol(frame.bytes()) {
                    let info = info.to_vec();
                    let _ = self.on_protocol(now, number, &info, trace);
                }
                self.cause = cause;
            }
            lapb::Event::Repeated { ns, why } => {
                trace.emit(Storey::DataLink, "lapb.repeat", self.cause, |f| {
                    f.set("ns", ns).set("why", why.as_str());
                });
            }
        }
    }

    /// Carries signals from layer to layer until there are none left.
    fn settle(&mut self, now: Instant, trace: &mut Trace) {
        loop {
            if let Some(signal) = self.lcp.signals.pop_front() {
                self.on_lcp_signal(now, signal, trace);
            } else if let Some(signal) = self.ipcp.signals.pop_front() {
                self.on_ipcp_signal(signal, trace);
            } else if let Some(signal) = self.ipv6cp.as_mut().and_then(|cp| cp.signals.pop_front()) {
                self.on_ipv6cp_signal(signal, trace);
            } else if let Some(event) = self.reliable.as_mut().and_then(Link::poll_event) {
                self.on_link_event(now, event, trace);
            } else {
                break;
            }
        }
        if let Some(link) = &mut self.reliable
            && link.is_connected()
        {
            // The control protocol of storey 3 travels numbered, too.
            let compression = self.lcp.options.granted.protocol_compression;
            for packet in self.ipcp.packets.drain(..) {
                let mut info = Frame::new(Frame::HEADROOM, &packet);
                push_protocol(&mut info, protocol::IPCP, compression);
                let _ = link.send(info);
            }
            for packet in self.ipv6cp.iter_mut().flat_map(|cp| cp.packets.drain(..)) {
                let mut info = Frame::new(Frame::HEADROOM, &packet);
                push_protocol(&mut info, protocol::IPV6CP, compression);
                let _ = link.send(info);
            }
        }
    }

    fn on_lcp_signal(&mut self, now: Instant, signal: Signal, trace: &mut Trace) {
        match signal {
            Signal::Up => {
                let wanted = self.lcp.options.wanted;
                self.decoder.set(wanted.fcs, Accm::NONE, usize::from(wanted.mru.max(1500)) + 8);
                self.echo_missing = 0;
                self.echo_at = self.config.echo.map(|every| now + every);
                match (self.config.reliable, self.lcp.options.numbered_mode()) {
                    (Some(lapb), Some((ours, theirs))) => {
                        self.set_phase(Phase::Reliable, "both ends agreed on numbered mode", trace);
                        let side = if ours.address == Side::Dte.address() { Side::Dte } else { Side::Dce };
                        // RFC 1663 §4: a window below 8 means modulo 8 for both. What this end sends is bounded by what the other
                        // end takes.
                        let modulo =
                            if ours.window.min(theirs.window) < 8 { Modulo::Eight } else { Modulo::OneTwentyEight };
                        let window = lapb.window.min(theirs.window);
                        let mut link = Link::new(lapb::Config { side, modulo, window, ..lapb });
                        if side == Side::Dte {
                            link.connect(now);
                        }
                        self.reliable = Some(link);
                    }
                    _ => {
                        self.set_phase(Phase::Network, "LCP is open", trace);
                        self.network(now, Cause::Open);
                        self.network(now, Cause::Up);
                    }
                }
            }
            Signal::Down => {
                self.echo_at = None;
                self.reliable = None;
                self.network(now, Cause::Down);
                self.decoder.set(Fcs::Sixteen, Accm::NONE, 1508);
                self.set_phase(Phase::Establish, "LCP is open no longer", trace);
            }
            Signal::Started | Signal::Finished => {}
        }
    }

    fn on_ipcp_signal(&mut self, signal: Signal, trace: &mut Trace) {
        match signal {
            Signal::Up => {
                let (local, remote) = (self.ipcp.options.local, self.ipcp.options.remote);
                trace.emit(Storey::DataLink, "ppp.up", self.cause, |f| {
                    f.set("local", local);
                    if let Some(remote) = remote {
                        f.set("remote", remote);
                    }
                    f.set("why", "both ends acknowledged each other's address");
                });
                self.events.push_back(Event::Up { local, remote });
            }
            Signal::Down => {
                self.packets.retain(|packet| number(packet.bytes()) != protocol::IPV4);
                trace.emit(Storey::DataLink, "ppp.down", self.cause, |_| {});
                self.events.push_back(Event::Down);
            }
            Signal::Started | Signal::Finished => {}
        }
    }

    fn on_ipv6cp_signal(&mut self, signal: Signal, trace: &mut Trace) {
        match (signal, &self.ipv6cp) {
            (Signal::Up, Some(ipv6cp)) => {
                // RFC 5072 §5: the link-local address is the prefix fe80::/64 with the identifier behind it.
                let address = |identifier: u64| Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(identifier));
                trace.emit(Storey::DataLink, "ppp.up", self.cause, |f| {
                    f.set("local", address(ipv6cp.options.local));
                    if let Some(remote) = ipv6cp.options.remote {
                        f.set("remote", address(remote));
                    }
                    f.set("why", "both ends acknowledged each other's interface identifier");
                });
            }
            (Signal::Down, _) => self.packets.retain(|packet| number(packet.bytes()) != protocol::IPV6),
            _ => {}
        }
    }

    /// Whether packets of this protocol may flow.
    fn carries(&self, number: u16) -> bool {
        if number == protocol::IPV6 { self.is_up_v6() } else { self.is_up() }
    }

    fn ask_for_echo(&mut self, now: Instant, trace: &mut Trace) {
        if self.echo_missing >= self.config.echo_failures {
            trace.emit(Storey::DataLink, "ppp.dead", self.cause, |f| {
                f.set("echoes", self.echo_missing).set("why", "the other end answers no echo");
            });
            self.echo_at = None;
            self.lcp.on_event(now, Cause::Down);
            self.lcp.on_event(now, Cause::Up);
            return;
        }
        self.echo_missing += 1;
        let magic = self.lcp.options.wanted.magic;
        self.push_control(Code::EchoRequest, &magic.to_be_bytes());
        self.echo_at = self.config.echo.map(|every| now + every);
    }

    fn push_control(&mut self, code: Code, data: &[u8]) {
        self.identifier = self.identifier.wrapping_add(1);
        // A flood of unknown protocols must not fill the memory.
        if self.control.len() < 16 {
            self.control.push_back(Packet { code, identifier: self.identifier, data }.build());
        }
    }

    fn set_phase(&mut self, phase: Phase, why: &'static str, trace: &mut Trace) {
        if core::mem::replace(&mut self.phase, phase) != phase {
            self.cause = trace.emit(Storey::DataLink, "ppp.phase", self.cause, |f| {
                f.set("phase", phase.to_string()).set("why", why);
            });
        }
    }

    fn tell_packet(&self, name: &'static str, kind: &'static str, bytes: &[u8], trace: &mut Trace) -> EventId {
        trace.emit(Storey::DataLink, kind, self.cause, |f| {
            f.set("protocol", name);
            if let Ok(packet) = Packet::parse(bytes) {
                f.set("code", packet.code.as_str()).set("id", packet.identifier);
                if matches!(packet.code.number(), 1..=4)
                    && let Ok(options) = packet::options(packet.data)
                {
                    f.set("options", describe(name, &options));
                }
            }
        })
    }
}

/// Options as a person reads them.
fn describe(protocol: &str, options: &[packet::Setting<'_>]) -> String {
    let one = |&(kind, value): &packet::Setting<'_>| match (protocol, kind, value) {
        ("lcp", lcp::MRU, &[a, b]) => format!("MRU {}", u16::from_be_bytes([a, b])),
        ("lcp", lcp::ACCM, &[a, b, c, d]) => format!("ACCM {:08x}", u32::from_be_bytes([a, b, c, d])),
        ("lcp", lcp::MAGIC, &[a, b, c, d]) => format!("magic {:08x}", u32::from_be_bytes([a, b, c, d])),
        ("lcp", lcp::PROTOCOL_COMPRESSION, []) => "PFC".to_owned(),
        ("lcp", lcp::ADDRESS_COMPRESSION, []) => "ACFC".to_owned(),
        ("lcp", lcp::FCS_ALTERNATIVES, &[n]) => format!("FCS {}", u32::from(n) * 8),
        ("lcp", lcp::NUMBERED_MODE, &[window, address]) => format!("numbered mode, window {window}, address {address}"),
        ("ipv6cp", ipv6cp::INTERFACE_IDENTIFIER, &[_, _, _, _, _, _, _, _]) => {
            let groups: Vec<String> = value.chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect();
            format!("identifier {}", groups.join(":"))
        }
        ("ipcp", 3, &[a, b, c, d]) => format!("address {}", Ipv4Addr::new(a, b, c, d)),
        (_, kind, value) => format!("option {kind} ({} octets)", value.len()),
    };
    options.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The number of the protocol that a packet of IP is of.
fn number(packet: &[u8]) -> u16 {
    match packet.first() {
        Some(first) if first >> 4 == 6 => protocol::IPV6,
        _ => protocol::IPV4,
    }
}

/// The body of an unnumbered frame.
fn unnumbered(info: &[u8], number: u16, terms: &Terms) -> Vec<u8> {
    let mut body = Vec::with_capacity(info.len() + 4);
    if terms.address_compression == Compression::Off || number == protocol::LCP {
        body.extend([ALL_STATIONS, UNNUMBERED_INFORMATION]);
    }
    match (terms.protocol_compression, u8::try_from(number)) {
        (Compression::On, Ok(short)) => body.push(short),
        _ => body.extend(number.to_be_bytes()),
    }
    body.extend_from_slice(info);
    body
}

fn push_protocol(frame: &mut Frame, number: u16, compression: Compression) {
    match (compression, u8::try_from(number)) {
        (Compression::On, Ok(short)) => frame.push(1)[0] = short,
        _ => frame.push(2).copy_from_slice(&number.to_be_bytes()),
    }
}

/// RFC 1661 §2: the least significant bit of the least significant octet is one, of the one before it zero.
fn split_protocol(info: &[u8]) -> Result<(u16, &[u8]), DropReason> {
    match info {
        [short, rest @ ..] if short & 1 == 1 => Ok((u16::from(*short), rest)),
        [high, low, rest @ ..] if low & 1 == 1 => Ok((u16::from_be_bytes([*high, *low]), rest)),
        _ => Err(DropReason::Malformed),
    }
}

/// The configuration of a reliable link with the scheme and window that a lab names, and a timer that fits the line.
pub fn reliable(side: Side, arq: Arq, window: u8, t1: Duration) -> lapb::Config {
    let modulo = if window > arq.largest_window(Modulo::Eight).max(1) { Modulo::OneTwentyEight } else { Modulo::Eight };
    lapb::Config { side, modulo, window, arq, t1, n2: 20, ..lapb::Config::default() }
}

#[cfg(test)]
mod tests;
