//! Half duplex: carrier sense, multiple access, collision detection (IEEE 802.3 clause 4).
//!
//! The cable has no rate of its own; the card keeps the time of its bits and puts [`Signal`]s around its frames, so
//! that others hear it begin and cease. A frame goes on the cable when its last bit leaves; one that collides never
//! does. The same card with [`Duplex::Full`] listens to nobody: the wrong half of a duplex mismatch.

use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{Carrier, DropReason, EventId, Frame, Instant, Power, Rate, Rng, Storey, counters};
use septet_physical::Signal;

use super::{Card, Line};
use crate::stats::LinkStats;

/// Whether the card may send while it receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duplex {
    /// It waits for silence, and hears in what it receives while it sends a collision.
    Half,
    /// It sends whenever it likes.
    Full,
}

/// IEEE 802.3 §4.4.2, for 10 and 100 Mbit/s, in bit times.
pub mod parameters {
    /// slotTime.
    pub const SLOT: u64 = 512;
    /// interPacketGap.
    pub const GAP: u64 = 96;
    /// interFrameSpacingPart1, two thirds of it.
    pub const GAP_PART_1: u64 = 64;
    /// jamSize.
    pub const JAM: u64 = 32;
    /// Preamble and start frame delimiter.
    pub const PREAMBLE: u64 = 64;
    /// attemptLimit.
    pub const ATTEMPTS: u32 = 16;
    /// backoffLimit.
    pub const BACKOFF: u32 = 10;
    /// Octets of the frame check sequence.
    pub const FCS: u64 = 4;
}

use parameters::{ATTEMPTS, BACKOFF, FCS, GAP, GAP_PART_1, JAM, PREAMBLE, SLOT};

counters! {
    /// What the card counts beside [`LinkStats`], by the names of IEEE 802.3 §30.3.
    pub(crate) struct Counters {
        deferred = "deferred", "frames that had to wait for silence";
        single_collision_frames = "single_collision_frames", "frames that collided once and were then sent";
        multiple_collision_frames = "multiple_collision_frames", "frames that collided more than once and were then sent";
    }
}

/// A card for a line that several stations share.
#[derive(Debug)]
pub struct HalfDuplexCard {
    duplex: Duplex,
    rate: Rate,
    rng: Rng,
    limit: usize,
    waiting: VecDeque<Frame>,
    bytes: usize,
    attempts: u32,
    deferred: bool,
    sending: Sending,
    /// Others are heard.
    line: Signal,
    /// When others were heard to begin.
    heard_at: Instant,
    /// When the line fell silent, or this card did.
    silent_since: Instant,
    /// Not before: the end of the backoff.
    backoff_until: Instant,
    /// Someone was heard in the last third of the gap, in which a station that is about to send listens no more.
    committed: Option<Instant>,
    /// What is being received collided with what this card sent meanwhile.
    reception_spoilt: bool,
    counters: Counters,
    stats: LinkStats,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sending {
    Nothing,
    Frame {
        started: Instant,
        ends: Instant,
    },
    /// The jam after a collision.
    Jam {
        started: Instant,
        ends: Instant,
    },
}

impl HalfDuplexCard {
    /// A card that sends at `rate` and lets up to `limit` frames wait. `rng` draws backoffs.
    pub fn new(duplex: Duplex, rate: Rate, limit: usize, rng: Rng) -> Self {
        Self {
            duplex,
            rate,
            rng,
            limit,
            waiting: VecDeque::new(),
            bytes: 0,
            attempts: 0,
            deferred: false,
            sending: Sending::Nothing,
            line: Signal::Off,
            heard_at: Instant::ZERO,
            silent_since: Instant::ZERO,
            backoff_until: Instant::ZERO,
            committed: None,
            reception_spoilt: false,
            counters: Counters::default(),
            stats: LinkStats::default(),
        }
    }

    fn bits(&self, bits: u64) -> Duration {
        self.rate.time_for_bits(bits)
    }

    /// When the frame at the head may begin. `None`: not before something is heard.
    fn start_at(&self) -> Option<Instant> {
        if self.waiting.is_empty() || self.sending != Sending::Nothing {
            return None;
        }
        if self.duplex == Duplex::Half && self.line == Signal::On {
            return self.committed;
        }
        // §4.2.3.2.1: "even when it has nothing to transmit, the CSMA/CD MAC sublayer monitors the physical medium", and
        // waits the gap out after the last silence began.
        Some((self.silent_since + self.bits(GAP)).max(self.backoff_until))
    }

    /// §4.2.8, Deference: carrier is sensed in the first part of the gap and not in the second, so that a station does not
    /// lose its turn for ever to one that is nearer.
    fn commit(&mut self, now: Instant) {
        let ready = self.start_at().filter(|at| *at == self.silent_since + self.bits(GAP));
        self.committed = ready.filter(|_| now >= self.silent_since + self.bits(GAP_PART_1));
    }

    fn try_to_start(&mut self, now: Instant, line: &mut Line<'_>) {
        match self.start_at() {
            Some(at) if at <= now => {
                let Some(frame) = self.waiting.front() else { return };
                let bits = PREAMBLE + (frame.len() as u64 + FCS) * 8;
                self.sending = Sending::Frame { started: now, ends: now + self.bits(bits) };
                self.committed = None;
                line.send(Signal::On.to_frame());
                if self.duplex == Duplex::Full {
                    return;
                }
                if self.line == Signal::On {
                    self.collide(now, line);
                }
            }
            Some(_) => {}
            None if !self.waiting.is_empty() && self.sending == Sending::Nothing && !self.deferred => {
                self.deferred = true;
                self.counters.deferred += 1;
            }
            None => {}
        }
    }

    /// Someone is heard while this card sends.
    fn collide(&mut self, now: Instant, line: &mut Line<'_>) {
        if self.sending != Sending::Nothing {
            self.reception_spoilt = true;
        }
        let Sending::Frame { started, .. } = self.sending else { return };
        self.stats.collisions += 1;
        // §4.2.3.2.4: "the preamble is completed, and then the jam is sent".
        let jam = now.max(started + self.bits(PREAMBLE)) + self.bits(JAM);
        self.sending = Sending::Jam { started, ends: jam };
        let (port, after, attempts) = (line.port(), now - started, self.attempts + 1);
        if let Some(frame) = self.waiting.front() {
            line.trace.emit(Storey::DataLink, "eth.collision", frame.cause, |f| {
                f.set("port", port.to_string()).set("attempt", attempts).set("after", after);
                f.set("why", "another station began before it could hear this one");
            });
        }
    }

    /// The jam is over: back off, or give up.
    fn back_off(&mut self, now: Instant, started: Instant, ended: Instant, line: &mut Line<'_>) {
        // A collision is late when it came more than a slot after the beginning; the jam followed at once.
        let heard = ended - self.bits(JAM);
        if heard.saturating_since(started) > self.bits(SLOT) {
            return self.give_up(DropReason::LateCollision, "a station was heard after the slot time", line);
        }
        self.attempts += 1;
        if self.attempts >= ATTEMPTS {
            return self.give_up(DropReason::Collision, "sixteen attempts collided", line);
        }
        // §4.2.3.2.5: "0 ≤ r < 2^k, where k = min(n, 10)".
        let slots = self.rng.below(1 << self.attempts.min(BACKOFF));
        self.backoff_until = now + self.bits(SLOT * slots);
    }

    /// What is heard mingles with what this card sends or has just sent.
    fn is_spoilt(&self) -> bool {
        self.reception_spoilt || self.sending != Sending::Nothing
    }

    /// The line fell silent before a frame was whole: someone's collision.
    fn take_fragment(&mut self, now: Instant, line: &mut Line<'_>) {
        let bits = (now - self.heard_at).as_nanos() * u128::from(self.rate.bits_per_sec()) / 1_000_000_000;
        let bits = u64::try_from(bits).unwrap_or(u64::MAX).saturating_sub(PREAMBLE);
        let reason = self.stats.fragment(bits);
        let port = line.port();
        line.trace.emit(Storey::DataLink, "eth.fragment", EventId::NONE, |f| {
            f.set("port", port.to_string()).set("bits", bits).set("reason", reason);
            f.set(
                "why",
                match reason {
                    DropReason::Runt => "a collision cut it off below 64 octets",
                    DropReason::Alignment => "it was cut off in the middle of an octet",
                    _ => "it was cut off, and its last octets are no check sequence of it",
                },
            );
        });
    }

    fn give_up(&mut self, reason: DropReason, why: &'static str, line: &mut Line<'_>) {
        let Some(frame) = self.take_first() else { return };
        self.stats.give_up(reason);
        line.tell_drop(&frame, reason, why);
    }

    fn take_first(&mut self) -> Option<Frame> {
        let frame = self.waiting.pop_front()?;
        self.bytes -= frame.len();
        (self.attempts, self.deferred) = (0, false);
        Some(frame)
    }

    fn finish(&mut self, now: Instant, line: &mut Line<'_>) {
        match self.sending {
            Sending::Frame { ends, .. } if ends <= now => {
                let attempts = self.attempts;
                if let Some(frame) = self.take_first() {
                    match attempts {
                        0 => {}
                        1 => self.counters.single_collision_frames += 1,
                        _ => self.counters.multiple_collision_frames += 1,
                    }
                    line.send(frame);
                }
            }
            Sending::Jam { started, ends } if ends <= now => self.back_off(now, started, ends, line),
            _ => return,
        }
        line.send(Signal::Off.to_frame());
        self.sending = Sending::Nothing;
        self.silent_since = now;
    }
}

impl Card for HalfDuplexCard {
    fn transmit(&mut self, now: Instant, frame: Frame, line: &mut Line<'_>) {
        if self.waiting.len() >= self.limit {
            self.stats.give_up(DropReason::Queue);
            return line.tell_drop(&frame, DropReason::Queue, "the card's queue is full");
        }
        self.bytes += frame.len();
        self.waiting.push_back(frame);
        self.try_to_start(now, line);
    }

    fn receive(&mut self, now: Instant, frame: Frame, line: &mut Line<'_>) {
        match Signal::of(&frame) {
            Some(Signal::On) => {
                self.commit(now);
                self.line = Signal::On;
                self.heard_at = now;
                self.reception_spoilt = false;
                if self.duplex == Duplex::Half {
                    self.collide(now, line);
                }
            }
            Some(Signal::Off) => {
                // Silence without a frame before it. In half duplex a card that sends does not receive.
                if self.line == Signal::On && !(self.duplex == Duplex::Half && self.is_spoilt()) {
                    self.take_fragment(now, line);
                }
                self.line = Signal::Off;
                self.silent_since = now;
                self.try_to_start(now, line);
            }
            None => {
                // The frame's own end, known by the frame; the silence follows.
                self.line = Signal::Off;
                self.silent_since = now;
                // Whole, although this end may have sent meanwhile: each direction has a pair of wires of its own (clause
                // 14, 24), and where others collided the hub between them passed nothing on. It is the sending that a
                // collision ends.
                line.deliver(frame);
                self.try_to_start(now, line);
            }
        }
    }

    fn on_carrier(&mut self, now: Instant, carrier: Carrier, line: &mut Line<'_>) {
        if carrier == Carrier::Down {
            self.line = Signal::Off;
            self.sending = Sending::Nothing;
            self.silent_since = now;
        }
        line.report(carrier);
    }

    fn on_deadline(&mut self, now: Instant, line: &mut Line<'_>) {
        self.finish(now, line);
        self.try_to_start(now, line);
    }

    fn deadline(&self) -> Option<Instant> {
        match self.sending {
            Sending::Frame { ends, .. } | Sending::Jam { ends, .. } => Some(ends),
            Sending::Nothing => self.start_at(),
        }
    }

    fn backlog(&self) -> usize {
        self.bytes
    }

    fn on_power(&mut self, power: Power) {
        if power == Power::Off {
            self.waiting.clear();
            (self.bytes, self.attempts, self.deferred) = (0, 0, false);
            (self.sending, self.line) = (Sending::Nothing, Signal::Off);
        }
    }

    fn link_stats(&self) -> LinkStats {
        self.stats.clone()
    }

    fn show_counters(&self, see: &mut dyn FnMut(&'static str, u64)) {
        self.counters.show(see);
    }
}
