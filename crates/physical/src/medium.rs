//! What one direction of a cable does to frames, as a lab file says it.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use septet_core::Rate;

use crate::channel::EffectSpec;
use crate::delivery::DeliveryTrace;
use crate::queue::QueueSpec;

/// A probability or a share, from 0 to 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Default)]
pub struct Ratio(f64);

impl Ratio {
    /// Never.
    pub const ZERO: Self = Self(0.0);
    /// Always.
    pub const ONE: Self = Self(1.0);

    /// `value`, where it lies between 0 and 1.
    pub fn new(value: f64) -> Option<Self> {
        // Adding zero turns -0.0 into 0.0.
        (0.0..=1.0).contains(&value).then_some(Self(value + 0.0))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.0 == 0.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

/// Bytes that a frame costs on the line beside its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framing {
    /// Before the frame: preamble and start delimiter.
    pub preamble: u32,
    /// Behind the frame and received with it: the frame check sequence.
    pub trailer: u32,
    /// Silence after the frame, before the next may begin.
    pub gap: u32,
}

impl Framing {
    /// IEEE 802.3: 7 octets of preamble, 1 of start delimiter, 4 of FCS, 96 bit times of gap.
    pub const ETHERNET: Self = Self { preamble: 8, trailer: 4, gap: 12 };
    /// The frame's own bytes and no more.
    pub const BARE: Self = Self { preamble: 0, trailer: 0, gap: 0 };
}

/// Whether a frame whose delay happens to be short may overtake those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// It may: netem's delay without a rate.
    #[default]
    Loose,
    /// It may not: with a rate netem is a FIFO, whose frames leave one behind the other, each after the time that it
    /// takes at that rate. Only `reorder` lets one go ahead.
    Kept,
}

/// What one direction of a cable does to frames.
///
/// The default is perfect: no limit of rate, no delay, no loss; Ethernet framing; and a drop-tail queue of 1000
/// packets, which only matters once there is a rate. A link may carry super-segments whole only while it is so.
///
/// ```
/// use core::time::Duration;
/// use septet_core::Rate;
/// use septet_physical::{Medium, Ratio, queue::{Limit, QueueSpec}};
/// let wan = Medium {
///     rate: Rate::from_bits_per_sec(20_000_000),
///     delay: Duration::from_millis(25),
///     loss: Ratio::new(0.005).unwrap(),
///     queue: QueueSpec::drop_tail(Limit::Bytes(65_536)),
///     ..Medium::default()
/// };
/// assert!(!wan.is_transparent());
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Medium {
    /// The transmitter's bit rate; without one a frame takes no time to send and never waits.
    pub rate: Option<Rate>,
    /// What the transmitter follows instead of a constant rate; [`rate`](Self::rate) is then its mean.
    pub trace: Option<Arc<DeliveryTrace>>,
    /// From the first bit out to the first bit in.
    pub delay: Duration,
    /// netem's jitter without a distribution: each frame's delay is uniform in `delay ± jitter`, never below zero.
    /// It may reorder, unless the [`order`](Self::order) is kept.
    pub jitter: Duration,
    /// Whether frames may overtake each other.
    pub order: Order,
    /// The probability that a frame does not arrive.
    pub loss: Ratio,
    /// The probability that a bit arrives flipped.
    pub bit_errors: Ratio,
    /// Bytes that each frame costs beside its own.
    pub framing: Framing,
    /// The queue in front of the transmitter.
    pub queue: QueueSpec,
    /// What else the channel does, in this order.
    pub effects: Vec<EffectSpec>,
}

impl Default for Framing {
    fn default() -> Self {
        Self::ETHERNET
    }
}

impl Medium {
    /// Whether nothing observable depends on how bytes are cut into frames, beside their delay.
    pub fn is_transparent(&self) -> bool {
        let Self { rate, trace, delay: _, jitter, order: _, loss, bit_errors, framing: _, queue, effects } = self;
        rate.is_none()
            && trace.is_none()
            && jitter.is_zero()
            && loss.is_zero()
            && bit_errors.is_zero()
            && queue.is_drop_tail()
            && effects.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_refuses_what_is_none() {
        assert_eq!(Ratio::new(1.5), None);
        assert_eq!(Ratio::new(f64::NAN), None);
        assert_eq!(Ratio::new(-0.1), None);
        assert_eq!(Ratio::new(0.005).unwrap().to_string(), "0.5%");
    }
}
