//! HyStart as in Linux: slow start ends when ACK trains or delays say that the pipe is full.

use core::fmt;

use septet_core::Instant;

use super::{Ack, Window};

/// Whether slow start should end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Now,
    NotYet,
}

/// A way to leave slow start before the first loss.
pub(crate) trait Hystart: fmt::Debug {
    /// Slow start begins.
    fn reset(&mut self, now: Instant, snd_nxt: u64);

    /// An ACK in slow start with a delay sample, all in microseconds.
    fn on_ack(&mut self, window: &Window, ack: &Ack, delay_us: u64, delay_min_us: u64) -> Exit;

    /// By how much slow start is slowed for now.
    fn growth_divisor(&self) -> u64 {
        1
    }
}

/// Linux's HyStart: ACK trains and delay.
#[derive(Debug, Default)]
pub(crate) struct LinuxHystart {
    found: bool,
    round_start: Instant,
    last_ack: Instant,
    end_seq: u64,
    samples: u8,
    round_rtt_us: u64,
}

const LOW_WINDOW: u32 = 16;
const MIN_SAMPLES: u8 = 8;
const ACK_DELTA_US: u64 = 2_000;

impl LinuxHystart {
    fn begin_round(&mut self, now: Instant, snd_nxt: u64) {
        (self.round_start, self.last_ack, self.end_seq) = (now, now, snd_nxt);
        (self.samples, self.round_rtt_us) = (0, u64::MAX);
    }
}

impl Hystart for LinuxHystart {
    fn reset(&mut self, now: Instant, snd_nxt: u64) {
        self.found = false;
        self.begin_round(now, snd_nxt);
    }

    fn on_ack(&mut self, window: &Window, ack: &Ack, delay_us: u64, delay_min_us: u64) -> Exit {
        if self.found || window.segments() < LOW_WINDOW {
            return Exit::NotYet;
        }
        if ack.snd_una > self.end_seq {
            self.begin_round(ack.now, ack.snd_nxt);
        }
        let us = |a: Instant, b: Instant| (a - b).as_micros() as u64;
        // A train of closely spaced ACKs that lasts half of the least delay: the window fills the path one way. Pacing
        // spreads a train of slow start over half of a round trip by itself.
        if us(ack.now, self.last_ack) <= ACK_DELTA_US {
            self.last_ack = ack.now;
            let threshold = delay_min_us + ack.burst_us;
            if us(ack.now, self.round_start) > if ack.is_paced { threshold } else { threshold / 2 } {
                self.found = true;
            }
        }
        self.round_rtt_us = self.round_rtt_us.min(delay_us);
        if self.samples < MIN_SAMPLES {
            self.samples += 1;
        } else if self.round_rtt_us > delay_min_us + (delay_min_us >> 3).clamp(4_000, 16_000) {
            self.found = true;
        }
        if self.found { Exit::Now } else { Exit::NotYet }
    }
}
