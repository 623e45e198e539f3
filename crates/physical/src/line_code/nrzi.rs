//! Non-return-to-zero inverted: a one changes the level, a zero keeps it.

use super::{Level, Violation, nrz};

/// The levels of `bits` on a line that was at `before`.
pub fn encode(bits: &[bool], before: Level) -> Vec<Level> {
    let mut level = before;
    let step = |&bit: &bool| {
        if bit {
            level = level.inverted();
        }
        level
    };
    bits.iter().map(step).collect()
}

/// The bits of `levels` on a line that was at `before`.
///
/// # Errors
/// A [`Violation`] where the line is at neither level.
pub fn decode(levels: &[Level], before: Level) -> Result<Vec<bool>, Violation> {
    let mut last = nrz::bit(0, before)?;
    let mut step = |(at, &level): (usize, &Level)| {
        let level = nrz::bit(at, level)?;
        Ok(core::mem::replace(&mut last, level) != level)
    };
    levels.iter().enumerate().map(&mut step).collect()
}
