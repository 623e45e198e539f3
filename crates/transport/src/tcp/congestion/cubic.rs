//! CUBIC (RFC 9438), in the arithmetic of Linux's `tcp_cubic`, so that it grows at the same ACKs.

use septet_core::Instant;

use super::hystart::{Exit, Hystart, LinuxHystart};
use super::hystart_plus_plus::HystartPlusPlus;
use super::{Ack, CaEvent, CongestionController, Window};
use crate::tcp::CaState;

/// β_cubic = 0.7, in 1024ths.
const BETA: u64 = 717;
/// C = 0.4, in 1024ths times ten.
const CUBE_SCALE: u64 = 410;
/// Time is counted in 1024ths of a second.
const HZ_SHIFT: u32 = 10;

/// CUBIC. Windows are in segments here, as in the RFC's equations.
#[derive(Debug)]
pub(crate) struct Cubic {
    name: &'static str,
    /// ACKed segments per segment of growth.
    cnt: u64,
    /// W_max
    last_max: u64,
    last_cwnd: u64,
    last_time_ms: u64,
    /// W(t)'s plateau and the time to it.
    origin: u64,
    k: u64,
    delay_min_us: u64,
    epoch_ms: Option<u64>,
    acked: u64,
    /// W_est, the window that Reno would have.
    reno_cwnd: u64,
    hystart: Box<dyn Hystart>,
}

impl Cubic {
    pub(crate) fn linux() -> Self {
        Self::with("cubic", Box::new(LinuxHystart::default()))
    }

    pub(crate) fn hystart_plus_plus() -> Self {
        Self::with("cubic-hystart++", Box::new(HystartPlusPlus::default()))
    }

    fn with(name: &'static str, hystart: Box<dyn Hystart>) -> Self {
        Self {
            name,
            cnt: 0,
            last_max: 0,
            last_cwnd: 0,
            last_time_ms: 0,
            origin: 0,
            k: 0,
            delay_min_us: 0,
            epoch_ms: None,
            acked: 0,
            reno_cwnd: 0,
            hystart,
        }
    }

    fn reset(&mut self) {
        (self.cnt, self.last_max, self.last_cwnd, self.last_time_ms) = (0, 0, 0, 0);
        (self.origin, self.k, self.delay_min_us, self.epoch_ms, self.acked, self.reno_cwnd) = (0, 0, 0, None, 0, 0);
    }

    /// §4.2 to §4.5: how many ACKed segments are worth one of growth.
    fn update(&mut self, cwnd: u64, acked: u64, now_ms: u64) {
        self.acked += acked;
        if self.last_cwnd == cwnd && now_ms.saturating_sub(self.last_time_ms) <= 31 {
            return;
        }
        if self.epoch_ms.is_none() || now_ms != self.last_time_ms {
            self.last_cwnd = cwnd;
            self.last_time_ms = now_ms;
            let epoch = match self.epoch_ms {
                Some(epoch) => epoch,
                None => {
                    // §4.8: "t is the elapsed time … from the beginning of the current congestion avoidance stage".
                    self.epoch_ms = Some(now_ms);
                    self.acked = acked;
                    self.reno_cwnd = cwnd;
                    if self.last_max <= cwnd {
                        (self.k, self.origin) = (0, cwnd);
                    } else {
                        // Figure 2: "K = cubic_root((W_max - cwnd_epoch) / C)".
                        self.k = cubic_root((1u64 << (10 + 3 * HZ_SHIFT)) / CUBE_SCALE * (self.last_max - cwnd));
                        self.origin = self.last_max;
                    }
                    now_ms
                }
            };
            let t = ((now_ms - epoch + self.delay_min_us.div_ceil(1000)) << HZ_SHIFT) / 1000;
            let offset = t.abs_diff(self.k).min(1 << 20);
            // Figure 1: "W_cubic(t) = C * (t - K)^3 + W_max".
            let delta = (u128::from(CUBE_SCALE) * u128::from(offset).pow(3) >> (10 + 3 * HZ_SHIFT)) as u64;
            let target = if t < self.k { self.origin.saturating_sub(delta) } else { self.origin + delta };
            self.cnt = if target > cwnd { cwnd / (target - cwnd) } else { 100 * cwnd };
            // Before the first loss W_max is unknown: five per cent a round trip at least.
            if self.last_max == 0 && self.cnt > 20 {
                self.cnt = 20;
            }
        }
        // §4.3: the Reno-friendly region.
        let scale = 8 * (1024 + BETA) / 3 / (1024 - BETA);
        let per = ((cwnd * scale) >> 3).max(1);
        while self.acked > per {
            self.acked -= per;
            self.reno_cwnd += 1;
        }
        if self.reno_cwnd > cwnd {
            self.cnt = self.cnt.min(cwnd / (self.reno_cwnd - cwnd));
        }
        // "The maximum rate of cwnd increase CUBIC allows is 1 packet per 2 packets ACKed."
        self.cnt = self.cnt.max(2);
    }
}

/// The cube root, rounded down, by bisection.
fn cubic_root(a: u64) -> u64 {
    let (mut low, mut high) = (0u64, 1 << 22);
    while low < high {
        let mid = (low + high).div_ceil(2);
        if mid * mid * mid <= a {
            low = mid;
        } else {
            high = mid - 1;
        }
    }
    low
}

impl CongestionController for Cubic {
    fn name(&self) -> &'static str {
        self.name
    }

    fn init(&mut self, window: &mut Window, now: Instant) {
        self.reset();
        self.hystart.reset(now, 0);
        let _ = window;
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        if !window.is_cwnd_limited() {
            return;
        }
        let mut acked = ack.acked;
        if window.in_slow_start() {
            acked = window.slow_start(acked / self.hystart.growth_divisor());
            if acked == 0 {
                return;
            }
        }
        let mss = window.segment();
        self.update(window.cwnd / mss, acked.div_ceil(mss), ack.now.as_millis());
        window.increase(self.cnt * mss, acked);
    }

    fn on_sample(&mut self, window: &mut Window, ack: &Ack) {
        let Some(rtt) = ack.rtt else { return };
        let now_ms = ack.now.as_millis();
        // Samples right after fast recovery are of a queue that is draining.
        if self.epoch_ms.is_some_and(|epoch| now_ms.saturating_sub(epoch) < 1000) {
            return;
        }
        let delay = (rtt.as_micros() as u64).max(1);
        if self.delay_min_us == 0 || self.delay_min_us > delay {
            self.delay_min_us = delay;
        }
        if window.in_slow_start() && self.hystart.on_ack(window, ack, delay, self.delay_min_us) == Exit::Now {
            window.ssthresh = window.cwnd;
        }
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        let cwnd = window.cwnd / window.segment();
        self.epoch_ms = None;
        // §4.7, fast convergence: "if cwnd < W_max … W_max = cwnd * (1.0 + beta) / 2.0".
        self.last_max = if cwnd < self.last_max { cwnd * (1024 + BETA) / 2048 } else { cwnd };
        // §4.6: "ssthresh = flight_size * beta … at least 2".
        (cwnd * BETA / 1024).max(2) * window.segment()
    }

    fn on_event(&mut self, _: &mut Window, event: CaEvent, now: Instant) {
        // §5.8: idle time does not count as growth.
        if let CaEvent::TxStart { idle } = event
            && let Some(epoch) = &mut self.epoch_ms
        {
            *epoch = (*epoch + idle.as_millis() as u64).min(now.as_millis());
        }
    }

    fn on_state(&mut self, _: &mut Window, state: CaState, now: Instant) {
        if state == CaState::Loss {
            self.reset();
            self.hystart.reset(now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::cubic_root;

    #[test]
    fn roots_are_exact() {
        for n in [0u64, 1, 2, 3, 10, 999, 100_000] {
            assert_eq!(cubic_root(n * n * n), n);
            assert_eq!(cubic_root(n * n * n + 1), if n == 0 { 1 } else { n });
        }
    }
}
