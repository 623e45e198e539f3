//! Token bucket shaping as Linux's `tbf`: a mean rate, a burst, and optionally a peak rate.

use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{DropReason, Frame, Instant, Rate};

use super::{Build, Dequeue, Discipline, Dropped, Limit, Occupancy, Queue};
use crate::settings::{InvalidSetting, Kind, Parameter};

/// The table's entry.
pub const DISCIPLINE: Discipline = Discipline {
    name: "tbf",
    help: "token bucket filter: shapes to a mean rate with bursts (tc-tbf)",
    parameters: &[
        Parameter { name: "rate", kind: Kind::Rate, help: "mean rate; required" },
        Parameter { name: "burst", kind: Kind::Bytes, help: "size of the bucket; required" },
        Parameter { name: "peakrate", kind: Kind::Rate, help: "rate at which a burst leaves (that of the link)" },
        Parameter { name: "mtu", kind: Kind::Bytes, help: "size of the peak rate's bucket (1514)" },
    ],
    build: |b| Ok(Box::new(TokenBucket::build(b)?)),
};

/// A bucket that fills with time.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    size: u64,
    /// The time that a full bucket is worth.
    full: Duration,
    /// Tokens at the time of the last frame, in the time they are worth.
    tokens: Duration,
}

impl Bucket {
    fn new(rate: Rate, size: u64) -> Self {
        let full = rate.time_for(size);
        Self { rate, size, full, tokens: full }
    }

    /// The tokens after `idle`.
    fn after(&self, idle: Duration) -> Duration {
        self.tokens.saturating_add(idle).min(self.full)
    }
}

/// A shaper over a first-in first-out queue. A frame costs its bytes, preamble and gap not counted.
#[derive(Debug)]
pub struct TokenBucket {
    limit: Limit,
    frames: VecDeque<Frame>,
    occupancy: Occupancy,
    mean: Bucket,
    peak: Option<Bucket>,
    /// When the last frame left.
    checked: Instant,
}

impl TokenBucket {
    fn build(b: &Build<'_>) -> Result<Self, InvalidSetting> {
        let need = |name: &str| InvalidSetting::new(name, "is required");
        let rate = b.settings.rate("rate").ok_or_else(|| need("rate"))?;
        let burst = b.settings.bytes("burst").ok_or_else(|| need("burst"))?;
        if burst == 0 {
            return Err(InvalidSetting::new("burst", "an empty bucket lets nothing pass"));
        }
        let peak = b.settings.rate("peakrate").map(|peak| Bucket::new(peak, b.settings.bytes("mtu").unwrap_or(1514)));
        if peak.as_ref().is_some_and(|peak| peak.rate <= rate || peak.size == 0) {
            return Err(InvalidSetting::new("peakrate", "must exceed `rate`, and its `mtu` zero"));
        }
        let mean = Bucket::new(rate, burst);
        let (frames, occupancy) = (VecDeque::new(), Occupancy::default());
        Ok(Self { limit: b.limit, frames, occupancy, mean, peak, checked: Instant::ZERO })
    }

    fn largest(&self) -> u64 {
        self.peak.as_ref().map_or(self.mean.size, |peak| peak.size.min(self.mean.size))
    }
}

impl Queue for TokenBucket {
    fn enqueue(&mut self, _: Instant, frame: Frame, dropped: &mut Dropped) {
        // As Linux: what is larger than the bucket could never leave.
        if frame.len() as u64 > self.largest() {
            dropped.push((frame, DropReason::TooBig));
        } else if self.limit.admits(self.occupancy, frame.len()) {
            self.occupancy.add(frame.len());
            self.frames.push_back(frame);
        } else {
            dropped.push((frame, DropReason::Queue));
        }
    }

    fn dequeue(&mut self, now: Instant, _: &mut Dropped) -> Dequeue {
        let Some(front) = self.frames.front() else { return Dequeue::Empty };
        let len = front.len() as u64;
        let idle = now.saturating_since(self.checked);
        let missing = |bucket: &Bucket| bucket.rate.time_for(len).saturating_sub(bucket.after(idle));
        let wait = missing(&self.mean).max(self.peak.as_ref().map_or(Duration::ZERO, missing));
        if !wait.is_zero() {
            return Dequeue::NotBefore(now + wait);
        }
        for bucket in core::iter::once(&mut self.mean).chain(&mut self.peak) {
            bucket.tokens = bucket.after(idle).saturating_sub(bucket.rate.time_for(len));
        }
        self.checked = now;
        self.occupancy.remove(len as usize);
        match self.frames.pop_front() {
            Some(frame) => Dequeue::Frame(frame),
            None => Dequeue::Empty,
        }
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
    use crate::settings::{Setting, Settings};
    use septet_core::Seed;
    use std::sync::Arc;

    fn rate(bits: u64) -> Setting {
        Setting::Rate(Rate::from_bits_per_sec(bits).unwrap())
    }

    fn tbf(settings: &Settings) -> Result<TokenBucket, InvalidSetting> {
        let (rng, lens) = (Seed::new(0).stream(""), Arc::new(crate::Blind));
        TokenBucket::build(&Build { limit: Limit::Packets(100), settings, rng, lens })
    }

    /// When each of `n` frames of 1000 bytes, all there at the start, leaves, in microseconds.
    fn departures(queue: &mut TokenBucket, n: usize) -> Vec<u64> {
        let mut dropped = Dropped::new();
        for _ in 0..n {
            queue.enqueue(Instant::ZERO, Frame::new(0, &[0; 1000]), &mut dropped);
        }
        assert!(dropped.is_empty());
        let mut now = Instant::ZERO;
        let mut at = Vec::new();
        loop {
            match queue.dequeue(now, &mut dropped) {
                Dequeue::Frame(_) => at.push(now.as_micros()),
                Dequeue::NotBefore(later) => now = later,
                Dequeue::Empty => return at,
            }
        }
    }

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_rate() {
        let s = Settings::new().with("rate", rate(8_000_000)).with("burst", Setting::Bytes(3000));
        assert_eq!(departures(&mut tbf(&s).unwrap(), 6), [0, 0, 0, 1000, 2000, 3000]);
    }

    #[test]
    fn the_peak_rate_spreads_the_burst() {
        let s = Settings::new()
            .with("rate", rate(8_000_000))
            .with("burst", Setting::Bytes(3000))
            .with("peakrate", rate(16_000_000))
            .with("mtu", Setting::Bytes(1000));
        // The bucket empties at 16 and fills at 8 Mbit/s, so the burst lasts twice as long.
        assert_eq!(departures(&mut tbf(&s).unwrap(), 7), [0, 500, 1000, 1500, 2000, 3000, 4000]);
    }

    #[test]
    fn what_cannot_leave_is_refused() {
        let s = Settings::new().with("rate", rate(8_000_000)).with("burst", Setting::Bytes(999));
        let mut dropped = Dropped::new();
        tbf(&s).unwrap().enqueue(Instant::ZERO, Frame::new(0, &[0; 1000]), &mut dropped);
        assert_eq!(dropped[0].1, DropReason::TooBig);
        assert!(tbf(&Settings::new().with("rate", rate(1))).is_err());
    }
}
