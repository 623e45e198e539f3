//! Random Early Detection: Floyd and Jacobson, "Random Early Detection Gateways for Congestion Avoidance", IEEE/ACM
//! Transactions on Networking 1(4), 1993; and Floyd's "gentle" variant (2000).

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use septet_core::{DropReason, Frame, Instant, Rate, Rng};

use super::codel::{ECN, Ecn};
use super::{Build, Dequeue, Discipline, Dropped, Limit, Occupancy, Queue};
use crate::settings::{InvalidSetting, Kind, Parameter};
use crate::{Lens, Marked};

/// The table's entry.
pub const DISCIPLINE: Discipline = Discipline {
    name: "red",
    help: "Random Early Detection, Floyd and Jacobson 1993",
    parameters: &[
        Parameter { name: "min", kind: Kind::Count, help: "packets in the mean below which nothing is dropped (5)" },
        Parameter { name: "max", kind: Kind::Count, help: "packets in the mean from which on all are dropped (15)" },
        Parameter { name: "probability", kind: Kind::Ratio, help: "of a drop where the mean is `max` (2%)" },
        Parameter { name: "weight", kind: Kind::Ratio, help: "of the present length in the mean (0.2%)" },
        Parameter { name: "avpkt", kind: Kind::Bytes, help: "size of a typical packet (1000)" },
        Parameter { name: "bandwidth", kind: Kind::Rate, help: "rate of the link, for its idle times (10mbit)" },
        Parameter {
            name: "gentle",
            kind: Kind::Word(&["on", "off"]),
            help: "drop ever more from `max` to twice `max` (off)",
        },
        ECN,
    ],
    build: |b| Ok(Box::new(Red::build(b)?)),
};

/// Random Early Detection over a first-in first-out queue, counted in packets.
pub struct Red {
    limit: Limit,
    frames: VecDeque<Frame>,
    occupancy: Occupancy,
    lens: Arc<dyn Lens>,
    rng: Rng,
    parameters: Parameters,
    /// `avg`: the average queue size.
    avg: f64,
    /// `q_time`: since when the queue is idle.
    q_time: Option<Instant>,
    /// `count`: packets since the last marked one; negative while the average is below `min_th`.
    count: i64,
}

const DEFAULT_BANDWIDTH: Rate = match Rate::from_bits_per_sec(10_000_000) {
    Some(rate) => rate,
    None => unreachable!(),
};

struct Parameters {
    min_th: f64,
    max_th: f64,
    max_p: f64,
    w_q: f64,
    /// The rate of the link behind.
    bandwidth: Rate,
    /// `s`: a typical transmission time for a small packet.
    s: Duration,
    tail: Tail,
    ecn: Ecn,
}

/// What happens between `max_th` and twice that.
#[derive(PartialEq, Eq)]
enum Tail {
    /// Every packet is dropped.
    Steep,
    /// The probability rises from `max_p` to one.
    Gentle,
}

/// What becomes of an arriving packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Judgement {
    Enqueue,
    /// Drop or mark.
    Early,
    /// Drop, marks notwithstanding.
    Forced,
}

impl Red {
    fn build(b: &Build<'_>) -> Result<Self, InvalidSetting> {
        let s = b.settings;
        let (min, max) = (s.count("min").unwrap_or(5), s.count("max").unwrap_or(15));
        if min >= max {
            return Err(InvalidSetting::new("max", format!("{max} must exceed `min`, which is {min}")));
        }
        let w_q = s.ratio("weight").map_or(0.002, |ratio| ratio.get());
        if w_q == 0.0 {
            return Err(InvalidSetting::new("weight", "must be more than zero, or the mean never moves"));
        }
        let bandwidth = s.rate("bandwidth").unwrap_or(DEFAULT_BANDWIDTH);
        let parameters = Parameters {
            min_th: min as f64,
            max_th: max as f64,
            max_p: s.ratio("probability").map_or(0.02, |ratio| ratio.get()),
            w_q,
            bandwidth,
            s: bandwidth.time_for(s.bytes("avpkt").unwrap_or(1000)),
            tail: if s.word("gentle") == Some("on") { Tail::Gentle } else { Tail::Steep },
            ecn: Ecn::from_settings(b, Ecn::Ignore),
        };
        Ok(Self {
            limit: b.limit,
            frames: VecDeque::new(),
            occupancy: Occupancy::default(),
            lens: Arc::clone(&b.lens),
            rng: b.rng.clone(),
            parameters,
            avg: 0.0,
            q_time: Some(Instant::ZERO),
            count: -1,
        })
    }

    /// Figure 2: "calculate the new average queue size".
    fn update_average(&mut self, now: Instant) {
        let q = self.frames.len() as f64;
        match self.q_time.take() {
            // "m = f(time − q_time)": as many packets might have been sent while the queue was idle.
            Some(since) if !self.parameters.s.is_zero() => {
                let m = now.saturating_since(since).as_nanos() as f64 / self.parameters.s.as_nanos() as f64;
                self.avg *= libm::pow(1.0 - self.parameters.w_q, m);
            }
            _ => self.avg += self.parameters.w_q * (q - self.avg),
        }
    }

    /// Figure 2: whether to mark the arriving packet.
    fn judge(&mut self) -> Judgement {
        let Parameters { min_th, max_th, max_p, ref tail, .. } = self.parameters;
        let avg = self.avg;
        let p_b = if avg < min_th {
            self.count = -1;
            return Judgement::Enqueue;
        } else if avg < max_th {
            max_p * (avg - min_th) / (max_th - min_th)
        } else if *tail == Tail::Gentle && avg < 2.0 * max_th {
            max_p + (1.0 - max_p) * (avg - max_th) / max_th
        } else {
            self.count = 0;
            return Judgement::Forced;
        };
        self.count += 1;
        // "p_a = p_b / (1 − count · p_b)"
        let room = 1.0 - self.count as f64 * p_b;
        if room <= 0.0 || self.rng.chance(p_b / room) {
            self.count = 0;
            return Judgement::Early;
        }
        Judgement::Enqueue
    }
}

impl Queue for Red {
    fn enqueue(&mut self, now: Instant, mut frame: Frame, dropped: &mut Dropped) {
        self.update_average(now);
        let judgement = self.judge();
        let reason = match judgement {
            // A full queue drops without asking for a mark.
            _ if !self.limit.admits(self.occupancy, frame.len()) => Some(DropReason::Queue),
            Judgement::Enqueue => None,
            Judgement::Early if self.parameters.ecn == Ecn::Mark && self.lens.mark(&mut frame) == Marked::Yes => None,
            Judgement::Early | Judgement::Forced => Some(DropReason::Aqm),
        };
        match reason {
            Some(reason) => {
                self.count = 0;
                dropped.push((frame, reason));
                if self.frames.is_empty() {
                    self.q_time = Some(now);
                }
            }
            None => {
                self.occupancy.add(frame.len());
                self.frames.push_back(frame);
            }
        }
    }

    fn dequeue(&mut self, now: Instant, _: &mut Dropped) -> Dequeue {
        let Some(frame) = self.frames.pop_front() else { return Dequeue::Empty };
        self.occupancy.remove(frame.len());
        if self.frames.is_empty() {
            // "when queue becomes empty: q_time ← time", which is when this last packet has left.
            self.q_time = Some(now + self.parameters.bandwidth.time_for(frame.len() as u64));
        }
        Dequeue::Frame(frame)
    }

    fn occupancy(&self) -> Occupancy {
        self.occupancy
    }

    fn clear(&mut self) -> Vec<Frame> {
        self.occupancy = Occupancy::default();
        self.frames.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ratio;
    use crate::settings::{Setting, Settings};
    use septet_core::Seed;

    fn red(settings: &Settings) -> Result<Red, InvalidSetting> {
        settings.check(DISCIPLINE.parameters)?;
        Red::build(&Build {
            limit: Limit::Packets(1000),
            settings,
            rng: Seed::new(5).stream("red"),
            lens: Arc::new(crate::Blind),
        })
    }

    /// Holds the average at `avg` and counts the judgements.
    fn ratio(settings: &Settings, avg: f64) -> f64 {
        let mut red = red(settings).unwrap();
        red.avg = avg;
        let n = 100_000;
        f64::from((0..n).map(|_| u32::from(red.judge() != Judgement::Enqueue)).sum::<u32>()) / f64::from(n)
    }

    #[test]
    fn drop_ratio_follows_the_average() {
        let s = Settings::new().with("probability", Setting::Ratio(Ratio::new(0.1).unwrap()));
        assert_eq!(ratio(&s, 4.9), 0.0);
        assert_eq!(ratio(&s, 15.0), 1.0);
        // 1993, §VIII: the gap between marked packets is uniform; as figure 2 counts, on 1..1/p_b, so its mean is 1/(2 p_b).
        for avg in [7.0, 10.0, 14.0] {
            let p_b = 0.1 * (avg - 5.0) / 10.0;
            let expected = 2.0 * p_b;
            let got = ratio(&s, avg);
            assert!((got / expected - 1.0).abs() < 0.03, "avg {avg}: {got}, not {expected}");
        }
    }

    #[test]
    fn gentle_has_no_cliff() {
        let s = Settings::new().with("gentle", Setting::Word("on".into()));
        let steep = Settings::new();
        assert!(ratio(&s, 15.1) < 0.1 && ratio(&steep, 15.1) == 1.0);
        assert_eq!(ratio(&s, 30.0), 1.0);
    }

    #[test]
    fn the_average_decays_while_idle() {
        let s = Settings::new();
        let mut red = red(&s).unwrap();
        red.avg = 10.0;
        red.q_time = Some(Instant::ZERO);
        // 1000 bytes at 10 Mbit/s take 0.8 ms: 80 ms are 100 packets.
        red.update_average(Instant::from_millis(80));
        assert!((red.avg - 10.0 * 0.998f64.powi(100)).abs() < 1e-9, "{}", red.avg);
    }

    #[test]
    fn refuses_nonsense() {
        assert!(red(&Settings::new().with("min", Setting::Count(20))).is_err());
        assert!(red(&Settings::new().with("weight", Setting::Ratio(Ratio::ZERO))).is_err());
    }
}
