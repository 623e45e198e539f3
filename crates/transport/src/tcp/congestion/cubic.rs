//! CUBIC (RFC 9438), in the arithmetic of Linux's `tcp_cubic`, so that it grows at the same ACKs.

use core::time::Duration;

use septet_core::Instant;

use super::hystart::{Exit, Hystart, LinuxHystart};
use super::hystart_plus_plus::HystartPlusPlus;
use super::{Ack, CaEvent, CongestionController, Controller, Window};
use crate::tcp::CaState;

/// The table's entry.
pub(super) const CUBIC: Controller = Controller {
    name: "cubic",
    help: "RFC 9438 with Linux's HyStart: grows by a cubic function of the time since the last loss",
    build: || Box::new(Cubic::linux()),
};

/// The table's entry.
pub(super) const WITH_HYSTART_PLUS_PLUS: Controller = Controller {
    name: "cubic-hystart++",
    help: "RFC 9438 with HyStart++ (RFC 9406) in slow start",
    build: || Box::new(Cubic::hystart_plus_plus()),
};

/// β_cubic = 0.7, in 1024ths.
const BETA: u64 = 717;
/// C = 0.4, in 1024ths times ten.
const CUBE_SCALE: u64 = 410;
/// Time is counted in 1024ths of a second.
const HZ_SHIFT: u32 = 10;
/// Ticks of Linux's clock a second, by its default configuration. A window that stays the same is looked at once in a 32nd of
/// a second, in whole ticks, and one that moves once a tick: over a path of few milliseconds whose losses keep the window
/// small, nothing else lets it grow.
const HZ: u64 = 250;

fn ticks(now: Instant) -> u32 {
    (now.as_millis() * HZ / 1000) as u32
}

/// CUBIC. Windows are in segments here, as in the RFC's equations.
#[derive(Debug)]
pub(crate) struct Cubic {
    /// ACKed segments per segment of growth.
    cnt: u32,
    /// W_max
    last_max: u32,
    last_cwnd: u32,
    last_time: u32,
    /// W(t)'s plateau and the time to it.
    origin: u32,
    k: u32,
    delay_min_us: u32,
    /// When the epoch began, in ticks; zero for none.
    epoch: u32,
    acked: u32,
    /// W_est, the window that Reno would have.
    reno_cwnd: u32,
    hystart: Slowstart,
}

/// How slow start ends before the first loss.
#[derive(Debug)]
enum Slowstart {
    Linux(LinuxHystart),
    PlusPlus(HystartPlusPlus),
}

impl Slowstart {
    fn get(&mut self) -> &mut dyn Hystart {
        match self {
            Self::Linux(h) => h,
            Self::PlusPlus(h) => h,
        }
    }
}

impl Cubic {
    pub(crate) fn linux() -> Self {
        Self::with(Slowstart::Linux(LinuxHystart::default()))
    }

    pub(crate) fn hystart_plus_plus() -> Self {
        Self::with(Slowstart::PlusPlus(HystartPlusPlus::default()))
    }

    fn with(hystart: Slowstart) -> Self {
        Self {
            cnt: 0,
            last_max: 0,
            last_cwnd: 0,
            last_time: 0,
            origin: 0,
            k: 0,
            delay_min_us: 0,
            epoch: 0,
            acked: 0,
            reno_cwnd: 0,
            hystart,
        }
    }

    fn reset(&mut self, now: Instant) {
        (self.cnt, self.last_max, self.last_cwnd, self.last_time) = (0, 0, 0, 0);
        (self.origin, self.k, self.delay_min_us, self.epoch, self.acked, self.reno_cwnd) = (0, 0, 0, 0, 0, 0);
        self.hystart.get().reset(now, 0);
    }

    /// §4.2 to §4.5: how many ACKed segments are worth one of growth.
    fn update(&mut self, cwnd: u32, acked: u32, now: u32) {
        self.acked = self.acked.saturating_add(acked);
        if self.last_cwnd == cwnd && now.wrapping_sub(self.last_time) <= (HZ / 32) as u32 {
            return;
        }
        if self.epoch == 0 || now != self.last_time {
            self.last_cwnd = cwnd;
            self.last_time = now;
            if self.epoch == 0 {
                // §4.8: "t is the elapsed time … from the beginning of the current congestion avoidance stage".
                self.epoch = now.max(1);
                self.acked = acked;
                self.reno_cwnd = cwnd;
                if self.last_max <= cwnd {
                    (self.k, self.origin) = (0, cwnd);
                } else {
                    // Figure 2: "K = cubic_root((W_max - cwnd_epoch) / C)".
                    let distance = u64::from(self.last_max - cwnd);
                    self.k = cubic_root((1u64 << (10 + 3 * HZ_SHIFT)) / CUBE_SCALE * distance) as u32;
                    self.origin = self.last_max;
                }
            }
            let elapsed =
                u64::from(now.wrapping_sub(self.epoch)) + (u64::from(self.delay_min_us) * HZ).div_ceil(1_000_000);
            let t = (elapsed << HZ_SHIFT) / HZ;
            let k = u64::from(self.k);
            let offset = t.abs_diff(k).min(1 << 20);
            // Figure 1: "W_cubic(t) = C * (t - K)^3 + W_max".
            let delta = (u128::from(CUBE_SCALE) * u128::from(offset).pow(3)) >> (10 + 3 * HZ_SHIFT);
            let delta = delta.min(u128::from(u32::MAX)) as u32;
            let target = if t < k { self.origin.saturating_sub(delta) } else { self.origin.saturating_add(delta) };
            self.cnt = if target > cwnd { cwnd / (target - cwnd) } else { cwnd.saturating_mul(100) };
            // Before the first loss W_max is unknown: five per cent a round trip at least.
            if self.last_max == 0 && self.cnt > 20 {
                self.cnt = 20;
            }
        }
        // §4.3: the Reno-friendly region.
        let scale = 8 * (1024 + BETA) / 3 / (1024 - BETA);
        let per = (((u64::from(cwnd) * scale) >> 3) as u32).max(1);
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
        match self.hystart {
            Slowstart::Linux(_) => CUBIC.name,
            Slowstart::PlusPlus(_) => WITH_HYSTART_PLUS_PLUS.name,
        }
    }

    fn init(&mut self, _: &mut Window, now: Instant, _: Duration) {
        self.reset(now);
    }

    fn on_ack(&mut self, window: &mut Window, ack: &Ack) {
        if !window.is_cwnd_limited() {
            return;
        }
        let mut acked = ack.acked;
        if window.in_slow_start() {
            acked = window.slow_start(acked / self.hystart.get().growth_divisor());
            if acked == 0 {
                return;
            }
        }
        let mss = window.segment();
        self.update(window.segments(), acked.div_ceil(mss) as u32, ticks(ack.now));
        window.increase(u64::from(self.cnt) * mss, acked);
    }

    fn on_sample(&mut self, window: &mut Window, ack: &Ack) {
        let Some(rtt) = ack.rtt else { return };
        // Samples right after fast recovery are of a queue that is draining.
        if self.epoch != 0 && u64::from(ticks(ack.now).wrapping_sub(self.epoch)) < HZ {
            return;
        }
        let delay = rtt.as_micros().clamp(1, u128::from(u32::MAX)) as u32;
        if self.delay_min_us == 0 || self.delay_min_us > delay {
            self.delay_min_us = delay;
        }
        let min = u64::from(self.delay_min_us);
        if window.in_slow_start() && self.hystart.get().on_ack(window, ack, u64::from(delay), min) == Exit::Now {
            window.ssthresh = window.cwnd;
        }
    }

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        let cwnd = window.segments();
        self.epoch = 0;
        // §4.7, fast convergence: "if cwnd < W_max … W_max = cwnd * (1.0 + beta) / 2.0".
        let share = |parts: u64| (u64::from(cwnd) * parts / 2048) as u32;
        self.last_max = if cwnd < self.last_max { share(1024 + BETA) } else { cwnd };
        // §4.6: "ssthresh = flight_size * beta … at least 2".
        u64::from(share(2 * BETA).max(2)) * window.segment()
    }

    fn on_event(&mut self, _: &mut Window, event: CaEvent, now: Instant) {
        // §5.8: idle time does not count as growth.
        if let CaEvent::TxStart { idle, .. } = event
            && self.epoch != 0
        {
            let idle = (idle.as_millis() as u64 * HZ / 1000).min(1 << 31) as u32;
            self.epoch = self.epoch.saturating_add(idle).min(ticks(now)).max(1);
        }
    }

    fn on_state(&mut self, _: &mut Window, state: CaState, now: Instant) {
        if state == CaState::Loss {
            self.reset(now);
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
