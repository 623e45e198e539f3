//! The congestion window and the two ways in which RFC 5681 lets it grow.

use septet_core::Instant;

/// The congestion window, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// How many bytes may be in flight.
    pub cwnd: u64,
    /// Below it slow start, above it congestion avoidance.
    pub ssthresh: u64,
    /// Bytes acknowledged towards the next increase.
    pub credit: u64,
    /// The window before the last reduction.
    pub prior_cwnd: u64,
    /// The most bytes in flight during the last round.
    pub max_flight: u64,
    /// Where the round ends in which `max_flight` is taken.
    pub usage_end: u64,
    /// The most bytes in flight since the window was last full.
    pub used: u64,
    /// When the window was last changed or full.
    pub stamp: Instant,
    /// The sender's maximum segment size.
    pub mss: u32,
    /// Whether the window, and not the application, held back data of late.
    pub is_limited: bool,
}

impl Window {
    /// No threshold is known.
    pub const INFINITE: u64 = u64::MAX;

    /// A window of `segments` segments.
    pub const fn new(segments: u32, mss: u32) -> Self {
        Self {
            cwnd: segments as u64 * mss as u64,
            ssthresh: Self::INFINITE,
            credit: 0,
            prior_cwnd: 0,
            max_flight: 0,
            usage_end: 0,
            used: 0,
            stamp: Instant::ZERO,
            mss,
            is_limited: false,
        }
    }

    /// One segment, in bytes.
    pub const fn segment(&self) -> u64 {
        self.mss as u64
    }

    /// The window in whole segments.
    pub const fn segments(&self) -> u32 {
        let n = self.cwnd / self.mss as u64;
        if n > u32::MAX as u64 { u32::MAX } else { n as u32 }
    }

    /// Whether the window is below the threshold.
    pub const fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// Whether the window deserves to grow: it was used. In slow start twice the flight will do (RFC 7661's spirit).
    pub const fn is_cwnd_limited(&self) -> bool {
        self.is_limited || (self.in_slow_start() && self.cwnd < 2 * self.max_flight)
    }

    /// The threshold that undoing a reduction would bring back.
    pub fn current_ssthresh(&self) -> u64 {
        // Three quarters of the window: what was reached counts, even where the threshold was lower.
        self.ssthresh.max(self.cwnd / 2 + self.cwnd / 4)
    }

    /// RFC 5681 §3.1: "cwnd += min (N, SMSS)", for each segment acknowledged; returns the bytes left over.
    pub fn slow_start(&mut self, acked: u64) -> u64 {
        // Where the controller has changed on the way, the window may be above the threshold.
        let target = self.cwnd.saturating_add(acked).min(self.ssthresh.max(self.cwnd));
        let used = target - self.cwnd;
        self.cwnd = target;
        acked - used
    }

    /// One segment more for every `per` bytes acknowledged.
    pub fn increase(&mut self, per: u64, acked: u64) {
        let per = per.max(1);
        // Credit from a time when the window was larger is not paid out in one burst.
        if self.credit >= per {
            self.credit = 0;
            self.cwnd += self.segment();
        }
        self.credit += acked;
        if self.credit >= per {
            let n = self.credit / per;
            self.credit -= n * per;
            self.cwnd += n * self.segment();
        }
    }

    /// The larger of `bytes` and two segments.
    pub const fn at_least_two(&self, bytes: u64) -> u64 {
        let two = 2 * self.mss as u64;
        if bytes > two { bytes } else { two }
    }

    /// `bytes`, rounded down to whole segments.
    pub const fn whole(&self, bytes: u64) -> u64 {
        bytes / self.mss as u64 * self.mss as u64
    }
}
