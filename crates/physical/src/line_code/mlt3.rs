//! MLT-3, the three levels of 100BASE-TX (ANSI X3.263): a one moves on in the cycle 0, +, 0, −; a zero stays.

use super::{Level, Violation, ViolationKind};

/// Where in its cycle the line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// In the middle, next going up.
    #[default]
    Rising,
    /// Up.
    Top,
    /// In the middle, next going down.
    Falling,
    /// Down.
    Bottom,
}

impl Phase {
    const fn next(self) -> Self {
        match self {
            Self::Rising => Self::Top,
            Self::Top => Self::Falling,
            Self::Falling => Self::Bottom,
            Self::Bottom => Self::Rising,
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Top => Level::High,
            Self::Bottom => Level::Low,
            Self::Rising | Self::Falling => Level::Zero,
        }
    }
}

/// The levels of `bits` on a line that was in `before`.
pub fn encode(bits: &[bool], before: Phase) -> Vec<Level> {
    let mut phase = before;
    let step = |&bit: &bool| {
        if bit {
            phase = phase.next();
        }
        phase.level()
    };
    bits.iter().map(step).collect()
}

/// The bits of `levels` on a line that was in `before`.
///
/// # Errors
/// A [`Violation`] where the line leaves the cycle.
pub fn decode(levels: &[Level], before: Phase) -> Result<Vec<bool>, Violation> {
    let mut phase = before;
    let step = |(at, &level): (usize, &Level)| {
        if level == phase.level() {
            Ok(false)
        } else if level == phase.next().level() {
            phase = phase.next();
            Ok(true)
        } else {
            Err(Violation { at, kind: ViolationKind::Jump })
        }
    };
    levels.iter().enumerate().map(step).collect()
}
