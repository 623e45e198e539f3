//! Named, typed settings of queue disciplines and channel effects, so that a table entry says what it understands.

use core::fmt;
use core::time::Duration;

use septet_core::Rate;

use crate::Ratio;

/// What kind of value a setting takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A span of time.
    Duration,
    /// A number of bytes.
    Bytes,
    /// A bare count: packets, flows.
    Count,
    /// A probability or a share.
    Ratio,
    /// A bit rate.
    Rate,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A value of a setting.
#[derive(Clone, PartialEq, Debug)]
pub enum Setting {
    /// A span of time.
    Duration(Duration),
    /// A number of bytes.
    Bytes(u64),
    /// A bare count.
    Count(u64),
    /// A probability or a share.
    Ratio(Ratio),
    /// A bit rate.
    Rate(Rate),
    /// A word.
    Word(String),
}

/// A setting that a table entry understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// Its name in a lab file, as `tc` spells it.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it means and its default, in one line.
    pub help: &'static str,
}

/// A setting that is not understood, or whose value makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidSetting {
    /// Which setting.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

impl InvalidSetting {
    /// `name` is wrong because of `reason`.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), reason: reason.into() }
    }
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.reason)
    }
}

impl std::error::Error for InvalidSetting {}

/// Settings by name.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Settings(Vec<(String, Setting)>);

macro_rules! getter {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        pub fn $name(&self, name: &str) -> Option<$type> {
            match self.get(name) {
                Some(Setting::$variant(v)) => Some(*v),
                _ => None,
            }
        }
    };
}

impl Settings {
    /// No settings: every default.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds or replaces a setting.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: Setting) -> Self {
        self.set(name, value);
        self
    }

    /// Adds or replaces a setting.
    pub fn set(&mut self, name: impl Into<String>, value: Setting) {
        let name = name.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The setting called `name`.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    getter!(
        /// The span of time called `name`.
        duration, Duration, Duration);
    getter!(
        /// The number of bytes called `name`.
        bytes, Bytes, u64);
    getter!(
        /// The count called `name`.
        count, Count, u64);
    getter!(
        /// The ratio called `name`.
        ratio, Ratio, Ratio);
    getter!(
        /// The rate called `name`.
        rate, Rate, Rate);

    /// The word called `name`.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Setting::Word(w)) => Some(w),
            _ => None,
        }
    }

    /// Checks every setting against what `parameters` understand.
    ///
    /// # Errors
    /// The first setting with an unknown name or a value of the wrong kind.
    pub fn check(&self, parameters: &[Parameter]) -> Result<(), InvalidSetting> {
        for (name, value) in &self.0 {
            let Some(parameter) = parameters.iter().find(|p| p.name == name) else {
                return Err(InvalidSetting::new(name, "no such setting here"));
            };
            let fits = match (&parameter.kind, value) {
                (Kind::Duration, Setting::Duration(_))
                | (Kind::Bytes, Setting::Bytes(_))
                | (Kind::Count, Setting::Count(_))
                | (Kind::Ratio, Setting::Ratio(_))
                | (Kind::Rate, Setting::Rate(_)) => true,
                (Kind::Word(words), Setting::Word(w)) => words.contains(&w.as_str()),
                _ => false,
            };
            if !fits {
                return Err(InvalidSetting::new(name, format!("takes {}", parameter.kind)));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration => f.write_str("a time such as `5ms`"),
            Self::Bytes => f.write_str("a size such as `64kb`"),
            Self::Count => f.write_str("a whole number"),
            Self::Ratio => f.write_str("a percentage such as `2%`"),
            Self::Rate => f.write_str("a rate such as `10mbit`"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter { name: "target", kind: Kind::Duration, help: "" },
        Parameter { name: "mode", kind: Kind::Word(&["a", "b"]), help: "" },
    ];

    #[test]
    fn checks_names_and_kinds() {
        let ok = Settings::new()
            .with("target", Setting::Duration(Duration::from_millis(5)))
            .with("mode", Setting::Word("b".into()));
        assert_eq!(ok.check(KNOWN), Ok(()));
        assert_eq!(ok.duration("target"), Some(Duration::from_millis(5)));
        let unknown = Settings::new().with("tarket", Setting::Count(1));
        assert_eq!(unknown.check(KNOWN).unwrap_err().name, "tarket");
        let wrong = Settings::new().with("mode", Setting::Word("c".into()));
        assert_eq!(wrong.check(KNOWN).unwrap_err().to_string(), "`mode`: takes one of a, b");
    }
}
