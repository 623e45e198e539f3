//! BBR version 1 (draft-cardwell-iccrg-bbr-congestion-control-00), as in Linux: a model of the path, by its bottleneck
//! bandwidth and its round-trip propagation time, paces the sender.

use core::time::Duration;

use septet_core::Instant;

use super::bbr_policer::{Finding, Policer};
use super::{Ack, CaEvent, CongestionController, Controller, RateSample, Window};
use crate::tcp::{CaState, CcInfo};

/// The table's entry.
pub(super) const CONTROLLER: Controller = Controller {
    name: "bbr",
    help: "version 1, as in Linux: paces by a model of the path's bandwidth and delay",
    build: || Box::new(Bbr::default()),
};

/// Gains are in 256ths.
const UNIT: u64 = 256;
/// 2/ln(2): the least gain that doubles the rate each round.
const HIGH_GAIN: u64 = UNIT * 2885 / 1000 + 1;
const DRAIN_GAIN: u64 = UNIT * 1000 / 2885;
const CWND_GAIN: u64 = UNIT * 2;
const CYCLE: [u64; 8] = [UNIT * 5 / 4, UNIT * 3 / 4, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT];
const MIN_RTT_WINDOW: Duration = Duration::from_secs(10);
const PROBE_RTT_TIME: Duration = Duration::from_millis(200);
const BW_ROUNDS: u64 = 10;
const FULL_BW_THRESH: u64 = UNIT * 5 / 4;
const FULL_BW_ROUNDS: u32 = 3;
const MIN_CWND_SEGMENTS: u64 = 4;
/// Pacing leaves one per cent for what the clock rounds away.
const PACING_MARGIN: u64 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Startup,
    Drain,
    ProbeBw,
    ProbeRtt,
}

/// The largest value of the last rounds, in three samples (Kathleen Nichols' filter).
#[derive(Clone, Copy, Debug, Default)]
struct MaxFilter([(u64, u64); 3]);

impl MaxFilter {
    fn get(&self) -> u64 {
        self.0[0].1
    }

    fn update(&mut self, window: u64, at: u64, value: u64) {
        let new = (at, value);
        let s = &mut self.0;
        if value >= s[0].1 || at - s[2].0 > window {
            *s = [new; 3];
            return;
        }
        if value >= s[1].1 {
            (s[1], s[2]) = (new, new);
        } else if value >= s[2].1 {
            s[2] = new;
        }
        let age = at - s[0].0;
        if age > window {
            *s = [s[1], s[2], new];
            if at - s[0].0 > window {
                *s = [s[1], s[2], new];
            }
        } else if s[1].0 == s[0].0 && age > window / 4 {
            (s[1], s[2]) = (new, new);
        } else if s[2].0 == s[1].0 && age > window / 2 {
            s[2] = new;
        }
    }
}

/// BBR's model and state. Rates are bytes a second.
#[derive(Debug)]
pub(crate) struct Bbr {
    mode: Mode,
    bw: MaxFilter,
    min_rtt: Option<Duration>,
    min_rtt_at: Instant,
    round: u64,
    next_round_delivered: u64,
    round_start: bool,
    pacing_gain: u64,
    cwnd_gain: u64,
    pacing_rate: u64,
    has_seen_rtt: bool,
    full_bw: u64,
    full_bw_rounds: u32,
    full_bw_reached: bool,
    cycle: usize,
    cycle_at: Instant,
    probe_rtt_done: Option<Instant>,
    probe_rtt_round_done: bool,
    idle_restart: bool,
    prior_cwnd: u64,
    prev_state: CaState,
    packet_conservation: bool,
    /// Bytes acknowledged beyond what the bandwidth explains: room for ACKs that come in clumps.
    extra: [u64; 2],
    extra_index: usize,
    extra_rounds: u32,
    ack_epoch: Instant,
    ack_epoch_acked: u64,
    policer: Policer,
}

impl Default for Bbr {
    fn default() -> Self {
        Self {
            mode: Mode::Startup,
            bw: MaxFilter::default(),
            min_rtt: None,
            min_rtt_at: Instant::ZERO,
            round: 0,
            next_round_delivered: 0,
            round_start: false,
            pacing_gain: HIGH_GAIN,
            cwnd_gain: HIGH_GAIN,
            pacing_rate: u64::MAX,
            has_seen_rtt: false,
            full_bw: 0,
            full_bw_rounds: 0,
            full_bw_reached: false,
            cycle: 0,
            cycle_at: Instant::ZERO,
            probe_rtt_done: None,
            probe_rtt_round_done: false,
            idle_restart: false,
            prior_cwnd: 0,
            prev_state: CaState::Open,
            packet_conservation: false,
            extra: [0; 2],
            extra_index: 0,
            extra_rounds: 0,
            ack_epoch: Instant::ZERO,
            ack_epoch_acked: 0,
            policer: Policer::default(),
        }
    }
}

pub(super) fn per_second(bytes: u64, span: Duration) -> u64 {
    (u128::from(bytes) * 1_000_000_000 / span.as_nanos().max(1)).min(u128::from(u64::MAX)) as u64
}

impl Bbr {
    fn rate(bw: u64, gain: u64) -> u64 {
        (u128::from(bw) * u128::from(gain) / u128::from(UNIT) * u128::from(100 - PACING_MARGIN) / 100) as u64
    }

    /// The bandwidth that it goes by: the long-term one where the path is policed.
    fn bandwidth(&self) -> u64 {
        self.policer.rate().unwrap_or_else(|| self.bw.get())
    }

    /// The gain of the phase of ProbeBW; a policed path is not probed.
    fn cycle_gain(&self) -> u64 {
        if self.policer.rate().is_some() { UNIT } else { CYCLE[self.cycle] }
    }

    fn init_pacing(&mut self, window: &Window, srtt: Duration) {
        let rtt = if srtt == Duration::ZERO {
            Duration::from_millis(1)
        } else {
            self.has_seen_rtt = true;
            srtt
        };
        self.pacing_rate = Self::rate(per_second(window.cwnd, rtt), HIGH_GAIN);
    }

    fn set_pacing(&mut self, window: &Window, ack: &Ack) {
        if !self.has_seen_rtt && ack.srtt != Duration::ZERO {
            self.init_pacing(window, ack.srtt);
        }
        let rate = Self::rate(self.bandwidth(), self.pacing_gain);
        if self.full_bw_reached || rate > self.pacing_rate || self.pacing_rate == u64::MAX {
            self.pacing_rate = rate.max(1);
        }
    }

    /// The bandwidth-delay product times `gain`, and what keeps the sender's engine busy.
    fn inflight(&self, window: &Window, gain: u64) -> u64 {
        let Some(min_rtt) = self.min_rtt else { return 10 * window.segment() };
        let mss = window.segment();
        let bdp =
            u128::from(self.bandwidth()) * min_rtt.as_nanos() / 1_000_000_000 * u128::from(gain) / u128::from(UNIT);
        let bdp = (bdp.min(1 << 40) as u64).div_ceil(mss);
        let mut segments = bdp + 3 * self.tso_goal(window);
        segments = (segments + 1) & !1;
        if self.mode == Mode::ProbeBw && self.cycle == 0 {
            segments += 2;
        }
        segments * mss
    }

    fn tso_goal(&self, window: &Window) -> u64 {
        let bytes = (self.pacing_rate >> 10).min(65_536 - 1 - 320);
        (bytes / window.segment()).max(u64::from(self.min_tso_segs().unwrap_or(2))).min(0x7f)
    }

    fn update_bw(&mut self, ack: &Ack, sample: &RateSample) {
        self.round_start = false;
        if sample.interval == Duration::ZERO {
            return;
        }
        if sample.prior_delivered >= self.next_round_delivered {
            self.next_round_delivered = sample.total_delivered;
            self.round += 1;
            self.round_start = true;
            self.packet_conservation = false;
        }
        match self.policer.on_sample(ack.now, sample, self.mode == Mode::ProbeBw, self.round_start) {
            Finding::Policed => self.pacing_gain = UNIT,
            Finding::Over => self.enter_probe_bw(ack.now, ack.snd_nxt),
            Finding::Nothing => {}
        }
        let bw = per_second(sample.delivered, sample.interval);
        if !sample.is_app_limited || bw >= self.bw.get() {
            self.bw.update(BW_ROUNDS, self.round, bw);
        }
    }

    /// How clumped the ACKs are.
    fn update_aggregation(&mut self, window: &Window, ack: &Ack, sample: &RateSample) {
        if sample.acked_sacked == 0 || sample.interval == Duration::ZERO {
            return;
        }
        if self.round_start {
            self.extra_rounds += 1;
            if self.extra_rounds >= 5 {
                self.extra_rounds = 0;
                self.extra_index ^= 1;
                self.extra[self.extra_index] = 0;
            }
        }
        let span = ack.now - self.ack_epoch;
        let mut expected = (u128::from(self.bandwidth()) * span.as_nanos() / 1_000_000_000) as u64;
        if self.ack_epoch_acked <= expected || self.ack_epoch_acked > 1 << 31 {
            (self.ack_epoch_acked, self.ack_epoch, expected) = (0, ack.now, 0);
        }
        self.ack_epoch_acked += sample.acked_sacked;
        let extra = (self.ack_epoch_acked - expected).min(window.cwnd);
        let slot = &mut self.extra[self.extra_index];
        *slot = (*slot).max(extra);
    }

    fn aggregation_room(&self) -> u64 {
        if !self.full_bw_reached {
            return 0;
        }
        // No more than 100 ms' worth.
        (self.bandwidth() / 10).min(self.extra[0].max(self.extra[1]))
    }

    fn update_cycle(&mut self, window: &Window, ack: &Ack, sample: &RateSample) {
        if self.mode != Mode::ProbeBw {
            return;
        }
        let full = self.min_rtt.is_some_and(|rtt| ack.now - self.cycle_at > rtt);
        let next = if self.pacing_gain == UNIT {
            full
        } else if self.pacing_gain > UNIT {
            // Probing up until there is a queue or a loss.
            full && (sample.losses > 0 || sample.prior_in_flight >= self.inflight(window, self.pacing_gain))
        } else {
            full || sample.prior_in_flight <= self.inflight(window, UNIT)
        };
        if next {
            self.cycle = (self.cycle + 1) % CYCLE.len();
            self.cycle_at = ack.now;
            self.pacing_gain = self.cycle_gain();
        }
    }

    fn check_full_bw(&mut self, sample: &RateSample) {
        if self.full_bw_reached || !self.round_start || sample.is_app_limited {
            return;
        }
        if self.bw.get() >= self.full_bw * FULL_BW_THRESH / UNIT {
            (self.full_bw, self.full_bw_rounds) = (self.bw.get(), 0);
            return;
        }
        self.full_bw_rounds += 1;
        self.full_bw_reached = self.full_bw_rounds >= FULL_BW_ROUNDS;
    }

    fn check_drain(&mut self, window: &mut Window, ack: &Ack) {
        if self.mode == Mode::Startup && self.full_bw_reached {
            self.mode = Mode::Drain;
            (self.pacing_gain, self.cwnd_gain) = (DRAIN_GAIN, HIGH_GAIN);
            window.ssthresh = self.inflight(window, UNIT);
        }
        if self.mode == Mode::Drain && ack.in_flight <= self.inflight(window, UNIT) {
            self.enter_probe_bw(ack.now, ack.snd_nxt);
        }
    }

    fn enter_probe_bw(&mut self, now: Instant, snd_nxt: u64) {
        self.mode = Mode::ProbeBw;
        // The first phase is drawn, but never the one that drains: by the stream's own position, so it repeats.
        let draw = (snd_nxt ^ (snd_nxt >> 17)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61;
        self.cycle = (CYCLE.len() - 1 - (draw as usize % (CYCLE.len() - 1)) + 1) % CYCLE.len();
        self.cycle_at = now;
        (self.pacing_gain, self.cwnd_gain) = (self.cycle_gain(), CWND_GAIN);
    }

    fn reset_mode(&mut self, now: Instant, snd_nxt: u64) {
        if self.full_bw_reached {
            self.enter_probe_bw(now, snd_nxt);
        } else {
            self.mode = Mode::Startup;
            (self.pacing_gain, self.cwnd_gain) = (HIGH_GAIN, HIGH_GAIN);
        }
    }

    fn update_min_rtt(&mut self, window: &mut Window, ack: &Ack, sample: &RateSample) {
        let expired = self.min_rtt.is_some() && ack.now - self.min_rtt_at > MIN_RTT_WINDOW;
        if let Some(rtt) = sample.rtt
            && (self.min_rtt.is_none_or(|min| rtt < min) || (expired && !sample.is_ack_delayed))
        {
            self.min_rtt = Some(rtt);
            self.min_rtt_at = ack.now;
        }
        if expired && !self.idle_restart && self.mode != Mode::ProbeRtt {
            self.mode = Mode::ProbeRtt;
            (self.pacing_gain, self.cwnd_gain) = (UNIT, UNIT);
            self.save_cwnd(window);
            self.probe_rtt_done = None;
        }
        if self.mode == Mode::ProbeRtt {
            let least = MIN_CWND_SEGMENTS * window.segment();
            match self.probe_rtt_done {
                None if ack.in_flight <= least => {
                    self.probe_rtt_done = Some(ack.now + PROBE_RTT_TIME);
                    self.probe_rtt_round_done = false;
                    self.next_round_delivered = sample.total_delivered;
                }
                None => {}
                Some(_) => {
                    self.probe_rtt_round_done |= self.round_start;
                    if self.probe_rtt_round_done {
                        self.check_probe_rtt_done(window, ack.now, ack.snd_nxt);
                    }
                }
            }
        }
        if sample.delivered > 0 {
            self.idle_restart = false;
        }
    }

    /// ProbeRTT lasts 200 ms; an application that was idle for longer has left it by that alone.
    fn check_probe_rtt_done(&mut self, window: &mut Window, now: Instant, snd_nxt: u64) {
        if self.probe_rtt_done.is_some_and(|done| now > done) {
            self.min_rtt_at = now;
            window.cwnd = window.cwnd.max(self.prior_cwnd);
            self.reset_mode(now, snd_nxt);
        }
    }

    fn save_cwnd(&mut self, window: &Window) {
        self.prior_cwnd = if self.prev_state < CaState::Recovery && self.mode != Mode::ProbeRtt {
            window.cwnd
        } else {
            self.prior_cwnd.max(window.cwnd)
        };
    }

    fn set_cwnd(&mut self, window: &mut Window, ack: &Ack, sample: &RateSample, state: CaState) {
        let mss = window.segment();
        let mut cwnd = window.cwnd;
        if sample.losses > 0 {
            cwnd = cwnd.saturating_sub(sample.losses).max(mss);
        }
        let mut conserved = false;
        if state == CaState::Recovery && self.prev_state != CaState::Recovery {
            // The first round of recovery sends no more than is delivered.
            self.packet_conservation = true;
            self.next_round_delivered = sample.total_delivered;
            cwnd = ack.in_flight + sample.acked_sacked;
        } else if self.prev_state >= CaState::Recovery && state < CaState::Recovery {
            cwnd = cwnd.max(self.prior_cwnd);
            self.packet_conservation = false;
        }
        self.prev_state = state;
        if self.packet_conservation {
            cwnd = cwnd.max(ack.in_flight + sample.acked_sacked);
            conserved = true;
        }
        if !conserved && sample.acked_sacked > 0 {
            let target = self.inflight(window, self.cwnd_gain) + self.aggregation_room();
            if self.full_bw_reached {
                cwnd = (cwnd + sample.acked_sacked).min(target);
            } else if cwnd < target || sample.total_delivered < 10 * mss {
                cwnd += sample.acked_sacked;
            }
            cwnd = cwnd.max(MIN_CWND_SEGMENTS * mss);
        }
        window.cwnd = cwnd.max(mss);
        if self.mode == Mode::ProbeRtt {
            window.cwnd = window.cwnd.min(MIN_CWND_SEGMENTS * mss);
        }
    }
}

impl CongestionController for Bbr {
    fn name(&self) -> &'static str {
        CONTROLLER.name
    }

    fn init(&mut self, window: &mut Window, now: Instant, srtt: Duration) {
        *self = Self { min_rtt_at: now, ack_epoch: now, cycle_at: now, ..Self::default() };
        window.ssthresh = Window::INFINITE;
        self.init_pacing(window, srtt);
    }

    fn on_ack(&mut self, _: &mut Window, _: &Ack) {}

    fn ssthresh(&mut self, window: &Window, _: Instant) -> u64 {
        self.save_cwnd(window);
        window.ssthresh
    }

    fn undo_cwnd(&mut self, window: &Window) -> u64 {
        // A spurious slowdown may have hidden more bandwidth.
        (self.full_bw, self.full_bw_rounds) = (0, 0);
        self.policer = Policer::default();
        window.cwnd
    }

    fn on_event(&mut self, window: &mut Window, event: CaEvent, now: Instant) {
        if let CaEvent::TxStart { is_app_limited: true, .. } = event
            && self.bw.get() > 0
        {
            self.idle_restart = true;
            (self.ack_epoch, self.ack_epoch_acked) = (now, 0);
            match self.mode {
                Mode::ProbeBw => self.pacing_rate = Self::rate(self.bandwidth(), UNIT).max(1),
                Mode::ProbeRtt => self.check_probe_rtt_done(window, now, now.as_nanos()),
                Mode::Startup | Mode::Drain => {}
            }
        }
    }

    fn on_state(&mut self, _: &mut Window, state: CaState, _: Instant) {
        if state == CaState::Loss {
            self.prev_state = CaState::Loss;
            self.full_bw = 0;
            self.round_start = true;
            self.policer.on_timeout();
        }
    }

    fn is_probing_rtt(&self) -> bool {
        self.mode == Mode::ProbeRtt
    }

    fn control(&mut self, window: &mut Window, ack: &Ack, sample: &RateSample, state: CaState) -> bool {
        self.update_bw(ack, sample);
        self.update_aggregation(window, ack, sample);
        self.update_cycle(window, ack, sample);
        self.check_full_bw(sample);
        self.check_drain(window, ack);
        self.update_min_rtt(window, ack, sample);
        self.set_pacing(window, ack);
        self.set_cwnd(window, ack, sample, state);
        true
    }

    fn info(&self) -> CcInfo {
        let micros = |rtt: Duration| rtt.as_micros().min(u128::from(u32::MAX)) as u32;
        CcInfo::Bbr {
            bbr_bw: self.bandwidth(),
            bbr_min_rtt: self.min_rtt.map_or(u32::MAX, micros),
            bbr_pacing_gain: self.pacing_gain as u32,
            bbr_cwnd_gain: self.cwnd_gain as u32,
        }
    }

    fn is_in_control(&self) -> bool {
        true
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(self.pacing_rate)
    }

    fn is_paced(&self) -> bool {
        true
    }

    fn min_tso_segs(&self) -> Option<u32> {
        Some(if self.pacing_rate < 1_200_000 / 8 { 1 } else { 2 })
    }

    fn sndbuf_expand(&self) -> u32 {
        3
    }
}
