//! A line whose rate follows a recording: the packet-delivery traces of mahimahi (Netravali et al. 2015).
//!
//! Each line of a trace is a millisecond at which 1,504 bytes may be delivered, `MTU` of mm-link: 1,500 bytes of IP and
//! the four that a tun device puts before them. What is not used when it comes is gone; a packet may take several
//! opportunities, and several packets may share one. At its end the trace begins anew. Nothing is scheduled for an
//! opportunity: which one a packet leaves with is reckoned when the packet is sent.

use core::fmt;
use std::sync::Arc;

use septet_core::{Instant, Rate};

/// A trace of delivery opportunities, repeated without end.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryTrace {
    /// When the opportunities of the first round come, in milliseconds, none before the one in front of it. The last
    /// is as long as a round.
    at: Vec<u64>,
}

/// What is wrong with the text of a trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidTrace {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for InvalidTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for InvalidTrace {}

const NANOS_PER_MILLI: u64 = 1_000_000;
/// A bit more than a year, so that rounds can be counted without overflow.
const LONGEST: u64 = 1 << 35;

impl DeliveryTrace {
    /// What may be delivered at one opportunity, in bytes.
    pub const OPPORTUNITY: u64 = 1504;

    /// Reads a trace: a whole number of milliseconds a line, none smaller than the one before.
    ///
    /// # Errors
    /// [`InvalidTrace`] at the first line that is none; where there is no line, or none later than 0 ms.
    pub fn parse(text: &str) -> Result<Self, InvalidTrace> {
        let mut at = Vec::new();
        let mut count = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let invalid = |reason: String| InvalidTrace { line: number, reason };
            let word = line.trim();
            let time: u64 = match word.parse() {
                Ok(time) if time <= LONGEST => time,
                Ok(_) => return Err(invalid(format!("{word} ms is more than a year"))),
                Err(_) if word.is_empty() => return Err(invalid("an empty line, not a number of milliseconds".into())),
                Err(_) => {
                    let shown: String = word.chars().take(20).collect();
                    return Err(invalid(format!("`{shown}` is not a whole number of milliseconds")));
                }
            };
            if let Some(&last) = at.last()
                && time < last
            {
                return Err(invalid(format!("{time} ms comes after {last} ms")));
            }
            at.push(time);
            count = number;
        }
        match at.last() {
            None => Err(InvalidTrace { line: 1, reason: "the trace is empty".into() }),
            Some(0) => Err(InvalidTrace { line: count, reason: "the trace lasts no time: it ends at 0 ms".into() }),
            Some(_) => Ok(Self { at }),
        }
    }

    /// How long a round is, in milliseconds.
    fn round(&self) -> u64 {
        self.at.last().copied().unwrap_or(1)
    }

    /// The rate in the mean over a round.
    pub fn mean_rate(&self) -> Option<Rate> {
        let bits = self.at.len() as u128 * u128::from(Self::OPPORTUNITY) * 8 * 1000;
        Rate::from_bits_per_sec(u64::try_from(bits / u128::from(self.round())).unwrap_or(u64::MAX).max(1))
    }

    /// When opportunity `n` comes; those of all rounds are counted from zero.
    fn time(&self, n: u64) -> Instant {
        let len = self.at.len() as u64;
        let millis = (n / len).saturating_mul(self.round()).saturating_add(self.at[(n % len) as usize]);
        Instant::from_nanos(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// The first opportunity at `from` or later.
    fn first_from(&self, from: Instant) -> u64 {
        let millis = from.as_nanos().div_ceil(NANOS_PER_MILLI);
        // The last opportunity of a round comes when the next round begins.
        let rounds = millis.saturating_sub(1) / self.round();
        let within = millis - rounds * self.round();
        rounds * self.at.len() as u64 + self.at.partition_point(|at| *at < within) as u64
    }
}

impl fmt::Debug for DeliveryTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryTrace({} in {} ms)", self.at.len(), self.round())
    }
}

/// One direction that follows a trace, which begins with the world.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    trace: Arc<DeliveryTrace>,
    /// The opportunity that was used last, or the first.
    current: u64,
    /// What is left of it.
    left: u64,
}

impl Follower {
    pub(crate) fn new(trace: &Arc<DeliveryTrace>) -> Self {
        Self { trace: trace.clone(), current: 0, left: DeliveryTrace::OPPORTUNITY }
    }

    pub(crate) fn trace(&self) -> &Arc<DeliveryTrace> {
        &self.trace
    }

    /// When a packet of `bytes` is delivered that is there at `start`, behind all that came before it.
    pub(crate) fn deliver(&mut self, start: Instant, bytes: u64) -> Instant {
        let first = self.trace.first_from(start);
        if first > self.current {
            (self.current, self.left) = (first, DeliveryTrace::OPPORTUNITY);
        }
        if bytes > self.left {
            let beyond = bytes - self.left;
            let more = beyond.div_ceil(DeliveryTrace::OPPORTUNITY);
            self.current = self.current.saturating_add(more);
            self.left = more * DeliveryTrace::OPPORTUNITY - beyond;
        } else {
            self.left -= bytes;
        }
        self.trace.time(self.current)
    }

    /// Gives back what was taken for packets that begin at `at` or later and will not be sent after all.
    pub(crate) fn rewind(&mut self, at: Instant) {
        let first = self.trace.first_from(at);
        if first < self.current {
            // How much of it the packet before took is not known any more; that rest is given up.
            (self.current, self.left) = (first, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower(text: &str) -> Follower {
        Follower::new(&Arc::new(DeliveryTrace::parse(text).unwrap()))
    }

    /// When packets are delivered that come at these times (in microseconds), with these lengths.
    fn delivered(text: &str, packets: &[(u64, u64)]) -> Vec<u64> {
        let mut follower = follower(text);
        let mut free = Instant::ZERO;
        packets
            .iter()
            .map(|(at, len)| {
                free = follower.deliver(Instant::from_nanos(at * 1000).max(free), *len);
                free.as_nanos() / NANOS_PER_MILLI
            })
            .collect()
    }

    #[test]
    fn a_packet_leaves_with_the_next_opportunity() {
        assert_eq!(delivered("3\n5\n10\n", &[(0, 1504), (0, 1504), (5_001, 1504), (10_000, 1504)]), [3, 5, 10, 13]);
        assert_eq!(delivered("3\n5\n10\n", &[(10_000, 1504), (10_001, 1504)]), [10, 13]);
    }

    #[test]
    fn several_share_one_and_one_takes_several() {
        assert_eq!(delivered("1\n2\n3\n4\n", &[(0, 500), (0, 500), (0, 504), (0, 1)]), [1, 1, 1, 2]);
        assert_eq!(delivered("1\n2\n3\n4\n", &[(0, 4000), (0, 512), (0, 1504)]), [3, 3, 4]);
    }

    #[test]
    fn what_is_not_used_is_gone_and_two_may_come_at_once() {
        assert_eq!(delivered("1\n2\n9\n", &[(0, 100), (1_500, 1504), (2_500, 1504)]), [1, 2, 9]);
        assert_eq!(delivered("0\n7\n7\n", &[(0, 1504), (0, 1504), (0, 1504), (0, 1504)]), [0, 7, 7, 7]);
    }

    #[test]
    fn the_trace_repeats_without_end() {
        // A million rounds later, reckoned at once.
        assert_eq!(delivered("3\n5\n", &[(5_000_000_000, 1504)]), [5_000_000]);
        assert_eq!(delivered("3\n5\n", &[(5_000_000_001, 1504)]), [5_000_003]);
        let trace = DeliveryTrace::parse("1\n").unwrap();
        assert_eq!(trace.mean_rate(), Rate::from_bits_per_sec(12_032_000));
    }

    #[test]
    fn what_was_not_sent_is_given_back() {
        let mut follower = follower("1\n2\n3\n4\n5\n");
        let free = follower.deliver(Instant::ZERO, 1504);
        follower.deliver(free, 3008);
        follower.rewind(free);
        assert_eq!(follower.deliver(free, 1504), Instant::from_millis(2));
    }

    #[test]
    fn what_is_no_trace() {
        for (text, line) in
            [("", 1), ("0\n0\n", 2), ("1\nx\n", 2), ("1\n\n2\n", 2), ("5\n4\n", 2), ("-1\n", 1), ("1.5", 1)]
        {
            assert_eq!(DeliveryTrace::parse(text).unwrap_err().line, line, "{text:?}");
        }
        assert!(DeliveryTrace::parse(&u64::MAX.to_string()).is_err());
        assert!(DeliveryTrace::parse("1\r\n2\r\n").is_ok());
    }
}
