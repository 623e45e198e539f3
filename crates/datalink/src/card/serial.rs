//! A serial card: PPP on the line, Ethernet towards the station.
//!
//! The line carries RFC 1662 octets, one HDLC frame at a time, so that bit errors hit flags and stuffing too. Towards
//! the station the card stands for the one neighbour at the other end: it answers ARP itself, and takes the Ethernet
//! header off and puts it on. The port has a carrier only while IP may flow.

use septet_core::{Carrier, DropReason, Frame, Instant, Power, Rng, Storey};

use super::{Card, Line};
use crate::ethernet::{EtherType, HEADER_LEN, Header, MacAddr};
use crate::ppp::{Config, Event, Ppp};
use crate::stats::LinkStats;

/// PPP packets that the card holds back while the line is busy.
const HELD: usize = 256;

/// A serial card.
#[derive(Debug)]
pub struct SerialCard {
    config: Config,
    rng: Rng,
    ppp: Ppp,
    /// The address that the station's port has.
    mac: MacAddr,
    carrier: Carrier,
    /// The clock runs: carrier and power are there.
    running: bool,
    reported: Option<Carrier>,
    waiting_for_line: bool,
    stats: LinkStats,
}

/// The neighbour that the card stands for.
pub const NEIGHBOUR: MacAddr = MacAddr([0x02, b'P', b'P', b'P', 0, 1]);

impl SerialCard {
    /// A card for a port whose station has the address `mac`. `rng` draws magic numbers.
    pub fn new(config: Config, mac: MacAddr, rng: Rng) -> Self {
        let ppp = Ppp::new(config.clone(), rng.clone());
        Self {
            config,
            rng,
            ppp,
            mac,
            carrier: Carrier::Down,
            running: false,
            reported: None,
            waiting_for_line: false,
            stats: LinkStats::default(),
        }
    }

    /// The protocol at this end.
    pub fn ppp(&self) -> &Ppp {
        &self.ppp
    }

    fn start(&mut self, now: Instant, line: &mut Line<'_>) {
        if !self.running && self.carrier == Carrier::Up {
            self.running = true;
            self.ppp.carrier_up(now, line.trace);
        }
    }

    /// Takes events up and frames down, as far as the line has room.
    fn settle(&mut self, now: Instant, line: &mut Line<'_>) {
        loop {
            while let Some(event) = self.ppp.poll_event() {
                self.on_event(event, line);
            }
            if self.waiting_for_line && line.backlog() == 0 {
                self.waiting_for_line = false;
            }
            if self.waiting_for_line || !self.ppp.wants_line() {
                return;
            }
            let Some(frame) = self.ppp.poll_transmit(now, line.trace) else { return };
            line.send(frame);
            // The next frame is chosen when this one has left: a repetition goes before what waits.
            if line.backlog() > 0 {
                self.waiting_for_line = true;
                line.wake_below(0);
            }
        }
    }

    fn on_event(&mut self, event: Event, line: &mut Line<'_>) {
        match event {
            Event::Up { .. } => self.tell(Carrier::Up, line),
            Event::Down => self.tell(Carrier::Down, line),
            Event::Deliver(mut packet) => {
                let is_v6 = packet.bytes().first().is_some_and(|first| first >> 4 == 6);
                let ether_type = if is_v6 { EtherType::IPV6 } else { EtherType::IPV4 };
                let header = Header { destination: self.mac, source: NEIGHBOUR, ether_type };
                header.push(&mut packet);
                line.deliver(packet);
            }
        }
    }

    fn tell(&mut self, carrier: Carrier, line: &mut Line<'_>) {
        if self.reported.replace(carrier) != Some(carrier) {
            line.report(carrier);
        }
    }

    fn drop(&mut self, frame: &Frame, reason: DropReason, line: &mut Line<'_>) {
        self.stats.give_up(reason);
        let port = line.port();
        line.trace.emit(Storey::DataLink, "ppp.drop", frame.cause, |f| {
            f.set("port", port.to_string()).set("frame", frame.id).set("reason", reason);
            f.set(
                "why",
                match reason {
                    DropReason::Queue => "too many packets wait for the line",
                    DropReason::Carrier => "the link is not up",
                    DropReason::TooBig => "it is larger than the other end takes",
                    DropReason::UnknownProtocol => "only IP goes over this line",
                    other => other.as_str(),
                },
            );
        });
    }

    /// The card's neighbour answers for whatever address the station looks for.
    fn answer_arp(&mut self, request: &Frame, line: &mut Line<'_>) {
        let Some(packet) = request.bytes().get(HEADER_LEN..HEADER_LEN + 28) else { return };
        let (sender, target) = (&packet[14..18], &packet[24..28]);
        // RFC 826: opcode 1 asks; one who asks for its own address announces it.
        if packet[6..8] != [0, 1] || sender == target {
            return;
        }
        let mut reply = packet.to_vec();
        reply[7] = 2;
        reply[8..14].copy_from_slice(&NEIGHBOUR.0);
        reply[14..18].copy_from_slice(target);
        reply[18..24].copy_from_slice(&packet[8..14]);
        reply[24..28].copy_from_slice(sender);
        let mut frame = Frame::new(Frame::HEADROOM, &reply);
        frame.cause = request.cause;
        Header { destination: self.mac, source: NEIGHBOUR, ether_type: EtherType::ARP }.push(&mut frame);
        line.deliver(frame);
    }
}

impl Card for SerialCard {
    fn transmit(&mut self, now: Instant, mut frame: Frame, line: &mut Line<'_>) {
        match Header::pull(&mut frame).map(|header| header.ether_type) {
            Ok(kind @ (EtherType::IPV4 | EtherType::IPV6)) => {
                // Ethernet's padding does not travel. IPv6's length does not count its header of 40 octets.
                let (at, before) = if kind == EtherType::IPV4 { (2, 0) } else { (4, 40) };
                if let Some(&[high, low]) = frame.bytes().get(at..at + 2) {
                    frame.truncate(before + usize::from(u16::from_be_bytes([high, low])));
                }
                if self.ppp.waiting() >= HELD {
                    self.drop(&frame, DropReason::Queue, line);
                } else if let Err((frame, reason)) = self.ppp.send(frame) {
                    self.drop(&frame, reason, line);
                }
            }
            Ok(EtherType::ARP) => {
                frame.push(HEADER_LEN);
                self.answer_arp(&frame, line);
            }
            Ok(_) => self.drop(&frame, DropReason::UnknownProtocol, line),
            Err(reason) => self.drop(&frame, reason, line),
        }
        self.settle(now, line);
    }

    fn receive(&mut self, now: Instant, frame: Frame, line: &mut Line<'_>) {
        self.start(now, line);
        self.ppp.receive(now, frame.bytes(), frame.cause, line.trace);
        self.settle(now, line);
    }

    fn on_carrier(&mut self, now: Instant, carrier: Carrier, line: &mut Line<'_>) {
        self.carrier = carrier;
        // Until the link is up the station's port has no carrier.
        self.tell(Carrier::Down, line);
        match carrier {
            Carrier::Up => self.start(now, line),
            Carrier::Down => {
                self.running = false;
                self.waiting_for_line = false;
                self.ppp.carrier_down(now, line.trace);
            }
        }
        self.settle(now, line);
    }

    fn on_room(&mut self, now: Instant, line: &mut Line<'_>) {
        self.waiting_for_line = false;
        self.settle(now, line);
    }

    fn on_deadline(&mut self, now: Instant, line: &mut Line<'_>) {
        self.ppp.on_timeout(now, line.trace);
        self.settle(now, line);
    }

    fn deadline(&self) -> Option<Instant> {
        self.ppp.poll_timeout()
    }

    fn backlog(&self) -> usize {
        // Packets, by the size of the largest; the station only compares it with marks.
        self.ppp.waiting() * 1500
    }

    fn on_power(&mut self, power: Power) {
        if power == Power::Off {
            self.stats.add(self.ppp.link_stats());
            self.ppp = Ppp::new(self.config.clone(), self.rng.clone());
            (self.running, self.waiting_for_line, self.reported) = (false, false, None);
        }
    }

    fn link_stats(&self) -> LinkStats {
        let mut stats = self.stats.clone();
        stats.add(self.ppp.link_stats());
        stats
    }

    fn show_counters(&self, see: &mut dyn FnMut(&'static str, u64)) {
        if let Some(link) = self.ppp.reliable() {
            link.counters().show(see);
        }
    }
}
