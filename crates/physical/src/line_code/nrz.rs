//! Non-return-to-zero: a one is high for a whole bit, a zero low.

use super::{Level, Violation, ViolationKind};

/// The levels of `bits`, one a bit.
pub fn encode(bits: &[bool]) -> Vec<Level> {
    bits.iter().map(|&bit| Level::of(bit)).collect()
}

/// The bits of `levels`.
///
/// # Errors
/// A [`Violation`] where the line is at neither level.
pub fn decode(levels: &[Level]) -> Result<Vec<bool>, Violation> {
    levels.iter().enumerate().map(|(at, &level)| bit(at, level)).collect()
}

pub(super) fn bit(at: usize, level: Level) -> Result<bool, Violation> {
    match level {
        Level::High => Ok(true),
        Level::Low => Ok(false),
        Level::Zero => Err(Violation { at, kind: ViolationKind::Level }),
    }
}
