//! The transmitter's arithmetic: how long a frame occupies the line.

use septet_core::{Instant, Rate};

use crate::{Framing, Medium};

/// Rate and framing of one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    rate: Option<Rate>,
    /// Nanoseconds a byte where that is a whole number, as for the usual rates; zero otherwise.
    nanos_per_byte: u64,
    /// Preamble and trailer, in bytes.
    around: u64,
    /// The gap, in nanoseconds.
    gap: u64,
}

impl Line {
    pub(crate) fn new(medium: &Medium) -> Self {
        let Framing { preamble, trailer, gap } = medium.framing;
        let rate = medium.rate;
        let nanos_per_byte = match rate {
            Some(rate) if 8_000_000_000 % rate.bits_per_sec() == 0 => 8_000_000_000 / rate.bits_per_sec(),
            _ => 0,
        };
        let mut line = Self { rate, nanos_per_byte, around: u64::from(preamble) + u64::from(trailer), gap: 0 };
        line.gap = line.nanos(u64::from(gap));
        line
    }

    /// When the last bit of a frame of `len` bytes leaves whose first bit of preamble leaves at `start`.
    #[inline]
    pub(crate) fn end(&self, start: Instant, len: usize) -> Instant {
        later(start, self.nanos(self.around + len as u64))
    }

    /// When the next frame may begin, after one whose last bit left at `end`.
    #[inline]
    pub(crate) fn free(&self, end: Instant) -> Instant {
        later(end, self.gap)
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
