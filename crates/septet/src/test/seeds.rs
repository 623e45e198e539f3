//! The seeds of a test.

use core::fmt;
use core::ops::{Range, RangeInclusive};
use core::str::FromStr;

/// The seeds that a test is played with: 100 are 1 to 100.
///
/// ```
/// use septet::test::Seeds;
/// assert_eq!(Seeds::from(3).iter().collect::<Vec<_>>(), [1, 2, 3]);
/// assert_eq!("5..8,42".parse::<Seeds>()?.iter().collect::<Vec<_>>(), [5, 6, 7, 8, 42]);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seeds(Vec<RangeInclusive<u64>>);

impl Seeds {
    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().cloned().flatten()
    }
}

impl From<u64> for Seeds {
    /// So many, from 1 on.
    fn from(count: u64) -> Self {
        Self(vec![1..=count])
    }
}

impl From<Range<u64>> for Seeds {
    fn from(range: Range<u64>) -> Self {
        Self(vec![range.start..=range.end.saturating_sub(1)])
    }
}

impl From<RangeInclusive<u64>> for Seeds {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self(vec![range])
    }
}

impl FromStr for Seeds {
    type Err = String;

    /// As `septet run --seeds` has them: `7`, `1..200` with both ends, `1..10,42`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |word: &str| {
            word.trim().parse::<u64>().map_err(|_| format!("`{word}` is no seed: a number, `1..200`, `1..10,42`"))
        };
        let part = |part: &str| match part.split_once("..") {
            Some((from, to)) => Ok(number(from)?..=number(to.trim_start_matches('='))?),
            None => number(part).map(|seed| seed..=seed),
        };
        let parts = text.split(',').map(part).collect::<Result<Vec<_>, _>>()?;
        if parts.iter().all(RangeInclusive::is_empty) {
            Err(format!("`{text}` is no seed at all"))
        } else {
            Ok(Self(parts))
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |range: &RangeInclusive<u64>| match (range.start(), range.end()) {
            (from, to) if from == to => from.to_string(),
            (from, to) => format!("{from}..{to}"),
        };
        f.write_str(&self.0.iter().map(part).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let all = |text: &str| text.parse::<Seeds>().map(|seeds| seeds.iter().collect::<Vec<_>>());
        assert_eq!(all("7"), Ok(vec![7]));
        assert_eq!(all("1..3,9"), Ok(vec![1, 2, 3, 9]));
        assert_eq!(all("1..=2"), Ok(vec![1, 2]));
        for wrong in ["", "x", "3..1", "1..", "-1"] {
            assert!(all(wrong).is_err(), "{wrong}");
        }
        assert_eq!((Seeds::from(2..5).to_string(), Seeds::from(1).to_string()), ("2..4".into(), "1".into()));
    }
}
