//! The delivery rate (draft-cheng-iccrg-delivery-rate-estimation): how much got through over the longer of the sending
//! and the acknowledging interval.

use core::time::Duration;

use septet_core::Instant;

use super::super::buffer::{Mark, Record};
use super::super::connection::{Connection, Cx};
use crate::tcp::RateSample;

/// What is delivered so far.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) delivered: u64,
    pub(crate) delivered_at: Instant,
    pub(crate) first_sent_at: Instant,
    /// Delivery beyond which samples are no more limited by the application; zero while they are not.
    pub(crate) app_limited: u64,
    /// The last good sample: bytes over an interval in microseconds.
    pub(crate) sample_bytes: u64,
    pub(crate) sample_us: u32,
    pub(crate) sample_app_limited: bool,
    /// Segments delivered, and those marked.
    pub(crate) delivered_segs: u32,
    pub(crate) delivered_ce: u32,
}

/// What an ACK gathers on the way.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Gathering {
    pub(crate) prior_delivered: u64,
    pub(crate) prior_at: Instant,
    pub(crate) interval_send: Duration,
    pub(crate) last_end: u64,
    pub(crate) last_sent_at: Instant,
    pub(crate) is_app_limited: bool,
    pub(crate) has: bool,
}

/// Whole microseconds, with no detour over wide numbers.
#[inline]
pub(crate) fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(duration.subsec_micros()))
}

impl Connection {
    /// Stamps a record that is about to be sent.
    pub(crate) fn rate_sent(&mut self, now: Instant, record: &mut Record) {
        if self.sent.is_empty() {
            // Nothing is in flight: the interval begins now.
            self.rate.first_sent_at = now;
            self.rate.delivered_at = now;
        }
        record.first_sent_at = self.rate.first_sent_at;
        record.delivered_at = self.rate.delivered_at;
        record.delivered = self.rate.delivered;
    }

    /// Takes the record's stamps if it is the one sent last of those that this ACK delivers.
    pub(crate) fn rate_delivered(rate: &mut Rate, gathering: &mut Gathering, record: &Record) {
        if record.delivered_at == Instant::ZERO {
            return;
        }
        let newer = (record.sent_at, record.end()) > (gathering.last_sent_at, gathering.last_end);
        if !gathering.has || newer {
            gathering.has = true;
            gathering.prior_delivered = record.delivered;
            gathering.prior_at = record.delivered_at;
            gathering.is_app_limited = record.is(Mark::APP_LIMITED);
            gathering.last_end = record.end();
            gathering.last_sent_at = record.sent_at;
            rate.first_sent_at = record.sent_at;
            gathering.interval_send = record.sent_at - record.first_sent_at;
        }
    }

    /// Ends an ACK: the sample.
    pub(crate) fn rate_generate(
        &mut self,
        cx: &Cx<'_>,
        gathering: &Gathering,
        acked_sacked: u64,
        losses: u64,
        prior_in_flight: u64,
        rtt: Option<Duration>,
    ) -> RateSample {
        if self.rate.app_limited != 0 && self.rate.delivered > self.rate.app_limited {
            self.rate.app_limited = 0;
        }
        if acked_sacked > 0 {
            self.rate.delivered_at = cx.now;
        }
        let mut sample = RateSample {
            acked_sacked,
            losses,
            total_lost: u64::from(self.counters.lost) * u64::from(self.mss),
            prior_in_flight,
            rtt,
            total_delivered: self.rate.delivered,
            is_app_limited: gathering.is_app_limited,
            ..RateSample::default()
        };
        if !gathering.has {
            return sample;
        }
        sample.prior_delivered = gathering.prior_delivered;
        sample.delivered = self.rate.delivered - gathering.prior_delivered;
        let interval = gathering.interval_send.max(cx.now - gathering.prior_at);
        // Faster than the least round trip: a sample of a stretched or compressed ACK.
        let min_rtt = self.rtt.min_us();
        if interval == Duration::ZERO || (min_rtt != u32::MAX && interval < Duration::from_micros(u64::from(min_rtt))) {
            return sample;
        }
        sample.interval = interval;
        let us = micros(interval).clamp(1, u64::from(u32::MAX)) as u32;
        let faster = || {
            u128::from(sample.delivered) * u128::from(self.rate.sample_us)
                >= u128::from(self.rate.sample_bytes) * u128::from(us)
        };
        if !sample.is_app_limited || faster() {
            self.rate.sample_bytes = sample.delivered;
            self.rate.sample_us = us;
            self.rate.sample_app_limited = sample.is_app_limited;
        }
        sample
    }

    /// What is sent now is held to be limited by the sender itself.
    pub(crate) fn rate_is_limited(&mut self) {
        self.rate.app_limited = (self.rate.delivered + self.sent.in_flight()).max(1);
    }

    /// Notes that the application, not the network, limits the rate.
    pub(crate) fn rate_check_app_limited(&mut self) {
        if self.unsent() < u64::from(self.mss)
            && self.sent.in_flight() < self.window.cwnd
            && self.sent.lost.segs <= self.sent.retrans.segs
        {
            self.rate_is_limited();
        }
    }
}
