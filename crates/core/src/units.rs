//! Quantities that carry their unit.

use core::fmt;
use core::time::Duration;

/// A bit rate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rate(u64);

impl Rate {
    /// `bits` bits a second. Zero is not a rate: a medium without a limit has no rate at all.
    pub const fn from_bits_per_sec(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// Bits a second.
    pub const fn bits_per_sec(self) -> u64 {
        self.0
    }

    /// How long `bits` bits take, rounded up to a whole nanosecond.
    pub fn time_for_bits(self, bits: u64) -> Duration {
        // Frames are far below 2^34 bits, so the product fits u64 except for absurd input.
        let nanos = match bits.checked_mul(1_000_000_000) {
            Some(n) => n.div_ceil(self.0),
            None => u64::try_from((u128::from(bits) * 1_000_000_000).div_ceil(u128::from(self.0))).unwrap_or(u64::MAX),
        };
        Duration::from_nanos(nanos)
    }

    /// How long `bytes` bytes take, rounded up to a whole nanosecond.
    pub fn time_for(self, bytes: u64) -> Duration {
        self.time_for_bits(bytes.saturating_mul(8))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, unit) = scale(self.0, 1000, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
        write!(f, "{n} {unit}")
    }
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, unit) = scale(self.0, 1024, &["B", "KiB", "MiB", "GiB", "TiB"]);
        write!(f, "{n} {unit}")
    }
}

fn scale(value: u64, step: u64, units: &[&'static str]) -> (String, &'static str) {
    let mut unit = 0;
    let mut divisor = 1;
    while unit + 1 < units.len() && value / divisor >= step {
        divisor *= step;
        unit += 1;
    }
    let n = if value.is_multiple_of(divisor) {
        (value / divisor).to_string()
    } else {
        format!("{:.1}", value as f64 / divisor as f64)
    };
    (n, units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialisation_time() {
        let gig = Rate::from_bits_per_sec(1_000_000_000).unwrap();
        assert_eq!(gig.time_for(1538), Duration::from_nanos(12_304));
        let odd = Rate::from_bits_per_sec(3).unwrap();
        assert_eq!(odd.time_for_bits(1), Duration::from_nanos(333_333_334));
    }

    #[test]
    fn human_units() {
        assert_eq!(Rate::from_bits_per_sec(20_000_000).unwrap().to_string(), "20 Mbit/s");
        assert_eq!(Rate::from_bits_per_sec(1_500_000).unwrap().to_string(), "1.5 Mbit/s");
        assert_eq!(Bytes(65_536).to_string(), "64 KiB");
        assert_eq!(Bytes(999).to_string(), "999 B");
    }
}
