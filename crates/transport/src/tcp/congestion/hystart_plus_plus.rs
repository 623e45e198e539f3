//! HyStart++ (RFC 9406): a rise of the delay leads into conservative slow start, which ends in congestion avoidance or, if
//! the rise was a blip, in slow start again.

use septet_core::Instant;

use super::hystart::{Exit, Hystart};
use super::{Ack, Window};

const MIN_RTT_THRESH_US: u64 = 4_000;
const MAX_RTT_THRESH_US: u64 = 16_000;
const MIN_RTT_DIVISOR: u64 = 8;
const N_RTT_SAMPLE: u32 = 8;
const CSS_GROWTH_DIVISOR: u64 = 4;
const CSS_ROUNDS: u32 = 5;

/// §4.2's variables.
#[derive(Debug)]
pub(crate) struct HystartPlusPlus {
    window_end: u64,
    last_round_us: u64,
    current_round_us: u64,
    samples: u32,
    /// Conservative slow start: the baseline and the rounds so far.
    css: Option<(u64, u32)>,
}

impl Default for HystartPlusPlus {
    fn default() -> Self {
        Self { window_end: 0, last_round_us: u64::MAX, current_round_us: u64::MAX, samples: 0, css: None }
    }
}

impl Hystart for HystartPlusPlus {
    fn reset(&mut self, _: Instant, _: u64) {
        *self = Self::default();
    }

    fn on_ack(&mut self, _: &Window, ack: &Ack, delay_us: u64, _: u64) -> Exit {
        if ack.snd_una > self.window_end {
            // "At the start of each round during standard slow start … and CSS".
            self.last_round_us = self.current_round_us;
            (self.current_round_us, self.samples, self.window_end) = (u64::MAX, 0, ack.snd_nxt);
            if let Some((_, rounds)) = &mut self.css {
                *rounds += 1;
                if *rounds > CSS_ROUNDS {
                    return Exit::Now;
                }
            }
        }
        self.current_round_us = self.current_round_us.min(delay_us);
        self.samples += 1;
        if self.samples < N_RTT_SAMPLE || self.current_round_us == u64::MAX || self.last_round_us == u64::MAX {
            return Exit::NotYet;
        }
        match self.css {
            None => {
                // "RttThresh = max(MIN_RTT_THRESH, min(lastRoundMinRTT / MIN_RTT_DIVISOR, MAX_RTT_THRESH))".
                let thresh = (self.last_round_us / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH_US, MAX_RTT_THRESH_US);
                if self.current_round_us >= self.last_round_us + thresh {
                    self.css = Some((self.current_round_us, 0));
                }
            }
            // "if (currentRoundMinRTT < cssBaselineMinRtt) … resume slow start".
            Some((baseline, _)) if self.current_round_us < baseline => self.css = None,
            Some(_) => {}
        }
        Exit::NotYet
    }

    fn growth_divisor(&self) -> u64 {
        if self.css.is_some() { CSS_GROWTH_DIVISOR } else { 1 }
    }
}
