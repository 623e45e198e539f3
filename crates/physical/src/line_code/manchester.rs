//! Manchester in the convention of IEEE 802.3 §7.3.1.1: each bit is two halves, and a transition lies between them.
//!
//! "The first half of the bit cell contains the complement of the logical value, the second half the true value": a
//! one rises, a zero falls. (G. E. Thomas' convention is the opposite.)

use super::{Level, Violation, ViolationKind};

/// The half-bit levels of `bits`, two a bit.
pub fn encode(bits: &[bool]) -> Vec<Level> {
    bits.iter().flat_map(|&bit| [Level::of(!bit), Level::of(bit)]).collect()
}

/// The bits of `halves`.
///
/// # Errors
/// A [`Violation`], counted in bits, where both halves of a bit are at one level or the second half is missing.
pub fn decode(halves: &[Level]) -> Result<Vec<bool>, Violation> {
    let bit = |(at, pair): (usize, &[Level])| match pair {
        [Level::Low, Level::High] => Ok(true),
        [Level::High, Level::Low] => Ok(false),
        [Level::Zero, _] | [_, Level::Zero] => Err(Violation { at, kind: ViolationKind::Level }),
        [_, _] => Err(Violation { at, kind: ViolationKind::NoTransition }),
        _ => Err(Violation { at, kind: ViolationKind::Truncated }),
    };
    halves.chunks(2).enumerate().map(bit).collect()
}
