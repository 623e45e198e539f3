//! The transmitter's arithmetic: how long a frame occupies the line.

use core::time::Duration;

use septet_core::{Instant, Rate};

use crate::{Framing, Medium};

/// Rate and framing of one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    rate: Option<Rate>,
    framing: Framing,
    /// Nanoseconds a byte where that is a whole number, as for the usual rates; zero otherwise.
    nanos_per_byte: u64,
    gap: Duration,
}

impl Line {
    pub(crate) fn new(medium: &Medium) -> Self {
        let (rate, framing) = (medium.rate, medium.framing);
        let nanos_per_byte = match rate {
            Some(rate) if 8_000_000_000 % rate.bits_per_sec() == 0 => 8_000_000_000 / rate.bits_per_sec(),
            _ => 0,
        };
        let mut line = Self { rate, framing, nanos_per_byte, gap: Duration::ZERO };
        line.gap = line.time(u64::from(framing.gap));
        line
    }

    /// When the last bit of a frame of `len` bytes leaves whose first bit of preamble leaves at `start`.
    pub(crate) fn end(&self, start: Instant, len: usize) -> Instant {
        start + self.time(u64::from(self.framing.preamble) + len as u64 + u64::from(self.framing.trailer))
    }

    /// When the next frame may begin, after one whose last bit left at `end`.
    pub(crate) fn free(&self, end: Instant) -> Instant {
        end + self.gap
    }

    fn time(&self, bytes: u64) -> Duration {
        match self.rate {
            None => Duration::ZERO,
            // Whole nanoseconds a byte mean at least 1 bit/s and at most 8 Gbit/s: frames cannot overflow.
            Some(_) if self.nanos_per_byte != 0 => Duration::from_nanos(bytes.saturating_mul(self.nanos_per_byte)),
            Some(rate) => rate.time_for(bytes),
        }
    }
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
