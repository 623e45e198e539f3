//! What varies from run to run: seeds, and values of the lab's keys.

use core::fmt;
use core::str::FromStr;

/// A key of the lab and the values to try: `media.wan.loss=0%,0.5%,2%`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Axis {
    /// The path of the key.
    pub path: String,
    /// Its values, as the lab file would write them.
    pub values: Vec<String>,
}

/// Seeds to run with: `1..200`, `7`, `1..10,42`; both ends of a range are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seeds(Vec<u64>);

/// Why an axis or a list of seeds was not understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AxisError(String);

impl fmt::Display for AxisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AxisError {}

/// The most seeds of one sweep.
const MOST_SEEDS: u64 = 10_000_000;

impl FromStr for Axis {
    type Err = AxisError;

    /// Reads `PATH=VALUE,VALUE,…`. A comma inside quotes does not part values.
    fn from_str(text: &str) -> Result<Self, AxisError> {
        let Some((path, values)) = text.split_once('=') else {
            return Err(AxisError(format!("`{text}` has no `=`: write a key and its values, `media.wan.loss=0%,1%`")));
        };
        let values: Vec<String> = split(values);
        if path.trim().is_empty() || values.iter().any(String::is_empty) {
            return Err(AxisError(format!("`{text}` is not a key and its values, such as `media.wan.loss=0%,1%`")));
        }
        Ok(Self { path: path.trim().to_owned(), values })
    }
}

/// The values between commas, without the quotes that may be around them.
fn split(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ',' => values.push(String::new()),
            _ => values.last_mut().expect("it is never empty").push(c),
        }
    }
    values.iter().map(|v| v.trim().to_owned()).collect()
}

impl Seeds {
    /// One seed.
    pub fn one(seed: u64) -> Self {
        Self(vec![seed])
    }

    /// The seeds, in order and without repetition.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.0.iter().copied()
    }
}

impl FromStr for Seeds {
    type Err = AxisError;

    fn from_str(text: &str) -> Result<Self, AxisError> {
        let number = |text: &str| {
            text.trim()
                .parse::<u64>()
                .ok()
                .filter(|n| i64::try_from(*n).is_ok())
                .ok_or_else(|| AxisError(format!("`{text}` is not a seed: write `7`, `1..200` or `1..10,42`")))
        };
        let mut seeds = Vec::new();
        for part in text.split(',') {
            let (from, to) = match part.split_once("..") {
                Some((from, to)) => (number(from)?, number(to.trim_start_matches('='))?),
                None => (number(part)?, number(part)?),
            };
            if from > to {
                return Err(AxisError(format!("the seeds {from}..{to} run backwards")));
            }
            if to - from >= MOST_SEEDS {
                return Err(AxisError(format!("more than {MOST_SEEDS} seeds")));
            }
            seeds.extend(from..=to);
        }
        seeds.sort_unstable();
        seeds.dedup();
        Ok(Self(seeds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes() {
        let axis: Axis = "media.wan.loss=0%, 0.5%,2%".parse().unwrap();
        assert_eq!(
            (axis.path.as_str(), axis.values),
            ("media.wan.loss", vec!["0%".into(), "0.5%".into(), "2%".into()])
        );
        let quoted: Axis = r#"faults.script="5s: cut a--b, b--c",'1s: crash a'"#.parse().unwrap();
        assert_eq!(quoted.values, ["5s: cut a--b, b--c", "1s: crash a"]);
        for text in ["", "x", "=1", "x=", "x=1,,2"] {
            assert!(text.parse::<Axis>().is_err(), "{text}");
        }
    }

    #[test]
    fn seeds() {
        let read = |text: &str| text.parse::<Seeds>().map(|s| s.0);
        assert_eq!(read("1..4").unwrap(), [1, 2, 3, 4]);
        assert_eq!(read("5,1..3, 2").unwrap(), [1, 2, 3, 5]);
        for text in ["", "a", "3..1", "1..", "..3", "-1", "0..99999999999"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
