//! The transmitter's arithmetic: how long a frame occupies the line.

use septet_core::{Instant, Rate};

use crate::delivery::Follower;
use crate::{Framing, Medium};

/// Rate and framing of one direction.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    rate: Option<Rate>,
    /// Nanoseconds a byte where that is a whole number, as for the usual rates; zero otherwise.
    nanos_per_byte: u64,
    /// Preamble and trailer, in bytes.
    around: u64,
    /// The gap, in nanoseconds.
    gap: u64,
    /// What it follows instead of the rate, and the bytes of each frame that the recording did not see.
    follower: Option<Box<(Follower, u64)>>,
}

/// A frame of mm-link is the packet behind the four octets that a tun device puts before it; Ethernet's header has
/// fourteen.
const BEYOND_TUN: u64 = 10;

impl Line {
    pub(crate) fn new(medium: &Medium) -> Self {
        let Framing { preamble, trailer, gap } = medium.framing;
        let rate = medium.rate;
        let around = u64::from(preamble) + u64::from(trailer);
        if let Some(trace) = &medium.trace {
            let unseen = if medium.framing == Framing::ETHERNET { BEYOND_TUN } else { 0 };
            let follower = Some(Box::new((Follower::new(trace), unseen)));
            return Self { rate, nanos_per_byte: 0, around, gap: 0, follower };
        }
        let nanos_per_byte = match rate {
            Some(rate) if 8_000_000_000 % rate.bits_per_sec() == 0 => 8_000_000_000 / rate.bits_per_sec(),
            _ => 0,
        };
        let mut line = Self { rate, nanos_per_byte, around, gap: 0, follower: None };
        line.gap = line.nanos(u64::from(gap));
        line
    }

    /// What `medium` asks for; one that follows the same trace goes on where it is.
    pub(crate) fn renewed(&self, medium: &Medium) -> Self {
        let mut line = Self::new(medium);
        if let (Some(new), Some(old)) = (&mut line.follower, &self.follower)
            && new.0.trace() == old.0.trace()
        {
            new.0 = old.0.clone();
        }
        line
    }

    /// When the last bit of a frame of `len` bytes leaves whose first bit of preamble leaves at `start`.
    #[inline]
    pub(crate) fn end(&mut self, start: Instant, len: usize) -> Instant {
        if self.nanos_per_byte != 0 {
            return later(start, (self.around + len as u64).saturating_mul(self.nanos_per_byte));
        }
        self.unusual_end(start, len)
    }

    fn unusual_end(&mut self, start: Instant, len: usize) -> Instant {
        match self.follower.as_deref_mut() {
            Some((follower, unseen)) => follower.deliver(start, (len as u64).saturating_sub(*unseen)).max(start),
            None => later(start, self.nanos(self.around + len as u64)),
        }
    }

    /// When the next frame may begin, after one whose last bit left at `end`.
    #[inline]
    pub(crate) fn free(&self, end: Instant) -> Instant {
        later(end, self.gap)
    }

    /// When the last bit of the frame left after which the next may begin at `free`.
    pub(crate) fn end_before(&self, free: Instant) -> Instant {
        Instant::from_nanos(free.as_nanos().saturating_sub(self.gap))
    }

    /// When the last bit leaves of a frame of which `now` as much is left as would take `old` until `end`.
    pub(crate) fn rest_of(&mut self, now: Instant, end: Instant, old: &Self) -> Instant {
        let (Some(rate), Some(before)) = (self.rate, old.rate) else { return now };
        let bits = u128::from(end.saturating_since(now).as_nanos() as u64) * u128::from(before.bits_per_sec());
        match self.follower.as_deref_mut() {
            Some((follower, _)) => {
                let bytes = bits.div_ceil(8_000_000_000);
                follower.deliver(now, u64::try_from(bytes).unwrap_or(u64::MAX)).max(now)
            }
            None => later(now, u64::try_from(bits.div_ceil(u128::from(rate.bits_per_sec()))).unwrap_or(u64::MAX)),
        }
    }

    /// When a frame of `len` bytes that began at `start` has left, where that depends on nothing else.
    pub(crate) fn takes(&self, start: Instant, len: usize) -> Option<Instant> {
        self.follower.is_none().then(|| later(start, self.nanos(self.around + len as u64)))
    }

    /// Whether a frame takes the same time on `other`.
    pub(crate) fn keeps_time_of(&self, other: &Self) -> bool {
        let trace = |line: &Self| line.follower.as_ref().map(|f| f.0.trace().clone());
        self.rate == other.rate && trace(self) == trace(other)
    }

    /// What was to begin at `at` or later will not.
    pub(crate) fn rewind(&mut self, at: Instant) {
        if let Some((follower, _)) = self.follower.as_deref_mut() {
            follower.rewind(at);
        }
    }

    #[inline]
    fn nanos(&self, bytes: u64) -> u64 {
        if self.nanos_per_byte != 0 {
            return bytes.saturating_mul(self.nanos_per_byte);
        }
        self.rate.map_or(0, |rate| u64::try_from(rate.time_for(bytes).as_nanos()).unwrap_or(u64::MAX))
    }
}

/// `nanos` nanoseconds after `at`, with no detour over seconds.
#[inline]
pub(crate) fn later(at: Instant, nanos: u64) -> Instant {
    Instant::from_nanos(at.as_nanos().saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ethernet_costs_preamble_fcs_and_gap() {
        let line = |bits| Line::new(&Medium { rate: Rate::from_bits_per_sec(bits), ..Medium::default() });
        // 1,000 payload + 42 of headers + 24 around them: 1,066 bytes.
        let end = line(1_000_000_000).end(Instant::ZERO, 1042);
        assert_eq!(end, Instant::from_nanos(1054 * 8));
        assert_eq!(line(1_000_000_000).free(end), Instant::from_nanos(1066 * 8));
        // 3 Mbit/s: no whole number of nanoseconds a byte; rounded up.
        assert_eq!(line(3_000_000).end(Instant::ZERO, 1), Instant::from_nanos((13 * 8_000u64).div_ceil(3)));
    }
}
