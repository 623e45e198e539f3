//! Flow control by PAUSE frames (IEEE 802.3 annex 31B, from 802.3x): the receiver of a PAUSE sends nothing until its
//! time has passed.

use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{DropReason, Frame, Instant, Power, Rate, Storey, counters};

use super::{Card, Line};
use crate::ethernet::{EtherType, HEADER_LEN, Header, MacAddr};
use crate::stats::LinkStats;

/// Annex 31B.1: to whom PAUSE frames are sent; no bridge forwards it.
pub const DESTINATION: MacAddr = MacAddr([0x01, 0x80, 0xc2, 0x00, 0x00, 0x01]);
const OPCODE: [u8; 2] = [0x00, 0x01];

/// How long to pause, in quanta of 512 bit times; zero ends a pause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quanta(pub u16);

impl Quanta {
    /// The time at `rate`.
    pub fn time(self, rate: Rate) -> Duration {
        rate.time_for_bits(u64::from(self.0) * 512)
    }
}

/// A PAUSE frame from `source`.
pub fn build(source: MacAddr, quanta: Quanta) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, &OPCODE);
    frame.extend(&quanta.0.to_be_bytes());
    Header { destination: DESTINATION, source, ether_type: EtherType::MAC_CONTROL }.push(&mut frame);
    frame
}

/// The time of the PAUSE frame `frame`; `None` where it is another.
pub fn parse(frame: &Frame) -> Option<Quanta> {
    let header = Header::parse(frame.bytes()).ok()?;
    match frame.bytes().get(HEADER_LEN..HEADER_LEN + 4)? {
        [0x00, 0x01, high, low] if header.ether_type == EtherType::MAC_CONTROL => {
            Some(Quanta(u16::from_be_bytes([*high, *low])))
        }
        _ => None,
    }
}

/// A card that obeys PAUSE frames. It hands frames to the cable one at a time, so that none is beyond recall.
#[derive(Debug)]
pub struct PauseCard {
    rate: Rate,
    limit: usize,
    waiting: VecDeque<Frame>,
    bytes: usize,
    paused_until: Instant,
    /// How long it had to be silent in all.
    paused: Duration,
    counters: Counters,
    stats: LinkStats,
}

counters! {
    /// What the card counts beside [`LinkStats`].
    #[derive(Copy)]
    pub(crate) struct Counters {
        rx_pause = "rx_pause", "PAUSE frames received";
        paused_us = "paused_us", "microseconds in which a card had to be silent";
    }
}

impl PauseCard {
    /// A card on a cable of `rate` that holds up to `limit` frames.
    pub fn new(rate: Rate, limit: usize) -> Self {
        let (waiting, counters, stats) = (VecDeque::new(), Counters::default(), LinkStats::default());
        Self { rate, limit, waiting, bytes: 0, paused_until: Instant::ZERO, paused: Duration::ZERO, counters, stats }
    }

    fn feed(&mut self, now: Instant, line: &mut Line<'_>) {
        if now >= self.paused_until {
            self.paused_until = Instant::ZERO;
        }
        while now >= self.paused_until && line.backlog() == 0 {
            let Some(frame) = self.waiting.pop_front() else { return };
            self.bytes -= frame.len();
            line.send(frame);
        }
        if !self.waiting.is_empty() && line.backlog() > 0 {
            line.wake_below(0);
        }
    }
}

impl Card for PauseCard {
    fn transmit(&mut self, now: Instant, frame: Frame, line: &mut Line<'_>) {
        if self.waiting.len() >= self.limit {
            self.stats.give_up(DropReason::Queue);
            return line.tell_drop(&frame, DropReason::Queue, "the card's queue is full");
        }
        self.bytes += frame.len();
        self.waiting.push_back(frame);
        self.feed(now, line);
    }

    fn receive(&mut self, now: Instant, frame: Frame, line: &mut Line<'_>) {
        // A damaged PAUSE is none.
        let Some(quanta) = parse(&frame).filter(|_| frame.fcs.is_none()) else { return line.deliver(frame) };
        self.counters.rx_pause += 1;
        let until = now + quanta.time(self.rate);
        self.paused += until - now;
        self.paused = self.paused.saturating_sub(self.paused_until.saturating_since(now));
        self.paused_until = until;
        let port = line.port();
        line.trace.emit(Storey::DataLink, "eth.pause", frame.cause, |f| {
            f.set("port", port.to_string()).set("quanta", quanta.0).set("until", until.to_string());
            f.set("why", if quanta.0 == 0 { "the other end has room again" } else { "the other end asks for a pause" });
        });
        self.feed(now, line);
    }

    fn on_room(&mut self, now: Instant, line: &mut Line<'_>) {
        self.feed(now, line);
    }

    fn on_deadline(&mut self, now: Instant, line: &mut Line<'_>) {
        self.feed(now, line);
    }

    fn deadline(&self) -> Option<Instant> {
        // Without a pause the cable tells when it has room.
        (!self.waiting.is_empty() && self.paused_until > Instant::ZERO).then_some(self.paused_until)
    }

    fn backlog(&self) -> usize {
        self.bytes
    }

    fn on_power(&mut self, power: Power) {
        if power == Power::Off {
            self.waiting.clear();
            (self.bytes, self.paused_until) = (0, Instant::ZERO);
        }
    }

    fn link_stats(&self) -> LinkStats {
        self.stats.clone()
    }

    fn show_counters(&self, see: &mut dyn FnMut(&'static str, u64)) {
        let paused_us = u64::try_from(self.paused.as_micros()).unwrap_or(u64::MAX);
        Counters { paused_us, ..self.counters }.show(see);
    }
}
