//! Command lines in the way of `getopt_long`, from a table of options.

use core::fmt;
use core::time::Duration;

use crate::dns::Family;

/// One option of a program.
pub(super) struct Spec {
    /// Its letter, or a space where it has none.
    pub(super) short: char,
    /// Its long name, or nothing. It also names the option in [`Arg`]; an option without goes by its letter.
    pub(super) long: &'static str,
    /// What follows it.
    pub(super) takes: Takes,
}

/// Whether an option has a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Takes {
    Nothing,
    Value,
}

/// An option with a value.
pub(super) const fn value(short: char, long: &'static str) -> Spec {
    Spec { short, long, takes: Takes::Value }
}

/// An option without one.
pub(super) const fn flag(short: char, long: &'static str) -> Spec {
    Spec { short, long, takes: Takes::Nothing }
}

/// One thing on the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Arg {
    /// An option, by its long name or its letter.
    Flag(String),
    /// An option and its value.
    Value(String, String),
    /// Anything else.
    Free(String),
}

/// What is wrong with a command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ArgError {
    Unknown(String),
    NoValue(String),
    Extra(String),
    Bad {
        option: String,
        value: String,
        wanted: &'static str,
    },
    Missing(&'static str),
    /// The first says nothing without the second.
    Without(&'static str, &'static str),
    /// There is room for one of them.
    Both(&'static str, &'static str),
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(option) => write!(f, "option {option}: is unknown"),
            Self::NoValue(option) => write!(f, "option {option}: requires a value"),
            Self::Extra(word) => write!(f, "extra argument: {word}"),
            Self::Bad { option, value, wanted } => write!(f, "option {option}: `{value}` is not {wanted}"),
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::Both(one, other) => write!(f, "only one of {other} or {one} may be used"),
            Self::Without(option, other) => write!(f, "option {option}: means nothing without {other}"),
        }
    }
}

impl ArgError {
    /// The option that there is no such of.
    pub(super) fn unknown(&self) -> Option<&str> {
        match self {
            Self::Unknown(option) => Some(option),
            _ => None,
        }
    }
}

/// What is wrong with a command line, and at which of its arguments; at none where something is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct At<E> {
    pub(super) place: Option<usize>,
    pub(super) error: E,
}

impl<E> From<E> for At<E> {
    fn from(error: E) -> Self {
        Self { place: None, error }
    }
}

impl<E: fmt::Display> fmt::Display for At<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Reads `words` by the table `specs` and hands what they say to `take`, one after the other.
pub(super) fn each<E: From<ArgError>>(
    specs: &[Spec],
    words: &[String],
    mut take: impl FnMut(Arg) -> Result<(), E>,
) -> Result<(), At<E>> {
    for (place, arg) in parse(specs, words).map_err(|At { place, error }| At { place, error: error.into() })? {
        take(arg).map_err(|error| At { place: Some(place), error })?;
    }
    Ok(())
}

/// Reads `args` by the table `specs`: each with the place of its word, of an option with a value that of the value. `--`
/// ends the options; a lone `-` is free.
fn parse(specs: &[Spec], args: &[String]) -> Result<Vec<(usize, Arg)>, At<ArgError>> {
    let mut parsed = Vec::new();
    let mut args = args.iter().enumerate();
    while let Some((place, arg)) = args.next() {
        let at = |error| At { place: Some(place), error };
        if arg == "--" {
            parsed.extend(args.by_ref().map(|(place, word)| (place, Arg::Free(word.clone()))));
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let spec = specs
                .iter()
                .find(|s| !s.long.is_empty() && s.long == name)
                .ok_or_else(|| at(ArgError::Unknown(format!("--{name}"))))?;
            parsed.push(match (spec.takes, attached) {
                (Takes::Nothing, None) => (place, Arg::Flag(spec.id())),
                (Takes::Nothing, Some(_)) => return Err(at(ArgError::Unknown(arg.clone()))),
                (Takes::Value, Some(value)) => (place, Arg::Value(spec.id(), value)),
                (Takes::Value, None) => {
                    let (place, value) = args.next().ok_or_else(|| at(ArgError::NoValue(format!("--{name}"))))?;
                    (place, Arg::Value(spec.id(), value.clone()))
                }
            });
        } else if arg.len() > 1 && arg.starts_with('-') {
            for (start, letter) in arg[1..].char_indices() {
                let spec = specs
                    .iter()
                    .find(|s| s.short == letter && letter != ' ')
                    .ok_or_else(|| at(ArgError::Unknown(format!("-{letter}"))))?;
                if spec.takes == Takes::Nothing {
                    parsed.push((place, Arg::Flag(spec.id())));
                    continue;
                }
                let rest = &arg[1 + start + letter.len_utf8()..];
                let value = if rest.is_empty() {
                    args.next().map(|(place, word)| (place, word.clone()))
                } else {
                    Some((place, rest.to_owned()))
                };
                let (place, value) = value.ok_or_else(|| at(ArgError::NoValue(format!("-{letter}"))))?;
                parsed.push((place, Arg::Value(spec.id(), value)));
                break;
            }
        } else {
            parsed.push((place, Arg::Free(arg.clone())));
        }
    }
    Ok(parsed)
}

/// Which addresses a flag asks for; of flags for others nothing.
pub(super) fn family(flag: &str) -> Option<Family> {
    match flag {
        "4" | "ipv4" | "version4" => Some(Family::V4),
        "6" | "ipv6" | "version6" => Some(Family::V6),
        _ => None,
    }
}

/// The port that is all of a command line.
pub(super) fn only_port(words: &[String]) -> Result<u16, At<ArgError>> {
    let mut found = None;
    each(&[], words, |arg| match arg {
        Arg::Free(word) if found.is_none() => {
            found = Some(port("port", &word)?);
            Ok(())
        }
        Arg::Free(word) | Arg::Flag(word) | Arg::Value(word, _) => Err(ArgError::Extra(word)),
    })?;
    found.ok_or_else(|| ArgError::Missing("the port").into())
}

/// The options of a table as they are written, for whoever misspelt one.
pub(super) fn written(specs: &[Spec]) -> Vec<String> {
    let long = specs.iter().filter(|s| !s.long.is_empty()).map(|s| format!("--{}", s.long));
    let short = specs.iter().filter(|s| s.short != ' ').map(|s| format!("-{}", s.short));
    long.chain(short).collect()
}

impl Spec {
    fn id(&self) -> String {
        if self.long.is_empty() { self.short.to_string() } else { self.long.to_owned() }
    }
}

/// A number in its range.
pub(super) fn number<T: core::str::FromStr>(option: &str, value: &str) -> Result<T, ArgError> {
    value.parse().map_err(|_| bad(option, value, "a number in its range"))
}

/// Seconds, with decimals; or a number with `ns`, `us`, `ms`, `s`, `m` or `h`.
pub(super) fn duration(option: &str, value: &str) -> Result<Duration, ArgError> {
    let wrong = || bad(option, value, "a time, such as 1.5 or 200ms");
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let scale = match unit {
        "" | "s" => 1.0,
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * scale;
    // Rounded to the nanosecond, so that 0.1 is what it says.
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// A [`duration`] that is more than nothing.
pub(super) fn span(option: &str, value: &str) -> Result<Duration, ArgError> {
    match duration(option, value)? {
        Duration::ZERO => Err(bad(option, value, "a time longer than nothing")),
        span => Ok(span),
    }
}

/// An [`amount`] that is more than nothing.
pub(super) fn some(option: &str, value: &str, step: u64) -> Result<u64, ArgError> {
    match amount(option, value, step)? {
        0 => Err(bad(option, value, "more than nothing")),
        n => Ok(n),
    }
}

/// An [`amount`] of bytes that a buffer can be made for: at least one, at most a mebibyte.
pub(super) fn buffer(option: &str, value: &str) -> Result<usize, ArgError> {
    match some(option, value, 1024)? {
        size @ ..=0x10_0000 => Ok(size as usize),
        _ => Err(bad(option, value, "at most a mebibyte")),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn within<T>(option: &str, value: &str, least: T, most: T, wanted: &'static str) -> Result<T, ArgError>
where
    T: core::str::FromStr + PartialOrd,
{
    value.parse().ok().filter(|n| (least..=most).contains(n)).ok_or_else(|| bad(option, value, wanted))
}

/// A port that can be listened on or sent to.
pub(super) fn port(option: &str, value: &str) -> Result<u16, ArgError> {
    within(option, value, 1, u16::MAX, "a port from 1 to 65535")
}

/// `host`, `host:port`, an IPv6 address, or one in brackets with a port.
pub(super) fn host_and_port(word: &str, port: u16) -> Result<(String, u16), ArgError> {
    let whole = |host: &str| Ok((host.to_owned(), port));
    if let Some(rest) = word.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| bad("host", word, "an address in brackets"))?;
        return match after.strip_prefix(':') {
            Some(text) => Ok((host.to_owned(), self::port("port", text)?)),
            None if after.is_empty() => whole(host),
            None => Err(bad("host", word, "an address in brackets, a colon and a port")),
        };
    }
    match word.split_once(':') {
        Some((host, text)) if !text.contains(':') => Ok((host.to_owned(), self::port("port", text)?)),
        _ => whole(word),
    }
}

/// A number of bytes or bits, with the suffixes `k`, `m`, `g`, `t`, each `step` times the one before; a trailing `b`
/// or `bit` is tolerated.
pub(super) fn amount(option: &str, value: &str, step: u64) -> Result<u64, ArgError> {
    let wrong = || bad(option, value, "an amount, such as 64k or 10m");
    let lower = value.to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let power = match unit.trim_end_matches("bit").trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(wrong()),
    };
    let scaled = number.parse::<f64>().map_err(|_| wrong())? * step.pow(power) as f64;
    if scaled.is_finite() && scaled < u64::MAX as f64 { Ok(scaled.round() as u64) } else { Err(wrong()) }
}

pub(super) fn bad(option: &str, value: &str, wanted: &'static str) -> ArgError {
    ArgError::Bad { option: option.to_owned(), value: value.to_owned(), wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[Spec] = &[flag('s', "silent"), value('o', "output"), flag(' ', "http2"), value('W', "")];

    fn line(words: &str) -> Result<Vec<(usize, Arg)>, At<ArgError>> {
        parse(SPECS, &words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn clusters_and_values() {
        let got = line("-so out --output=x a --http2 -W1 -- -s").unwrap();
        let want = [
            (0, Arg::Flag("silent".into())),
            (1, Arg::Value("output".into(), "out".into())),
            (2, Arg::Value("output".into(), "x".into())),
            (3, Arg::Free("a".into())),
            (4, Arg::Flag("http2".into())),
            (5, Arg::Value("W".into(), "1".into())),
            (7, Arg::Free("-s".into())),
        ];
        assert_eq!(got, want);
        let wrong = |place, error| Err(At { place: Some(place), error });
        assert_eq!(line("-x"), wrong(0, ArgError::Unknown("-x".into())));
        assert_eq!(line("a --nope=3"), wrong(1, ArgError::Unknown("--nope".into())));
        assert_eq!(line("a -o"), wrong(1, ArgError::NoValue("-o".into())));
    }

    #[test]
    fn times_and_amounts() {
        assert_eq!(duration("-i", "0.1").unwrap(), Duration::from_millis(100));
        assert_eq!(duration("-i", "100ms").unwrap(), Duration::from_millis(100));
        assert_eq!(duration("-i", "2m").unwrap(), Duration::from_secs(120));
        assert!(duration("-i", "-1").is_err() && duration("-i", "x").is_err() && duration("-i", "1e400").is_err());
        assert!(span("-i", "0").is_err() && span("-i", "0ms").is_err() && some("--rate", "0k", 1000).is_err());
        assert!(port("port", "0").is_err() && port("port", "65536").is_err() && port("port", "80").is_ok());
        assert_eq!(amount("-n", "10MB", 1000).unwrap(), 10_000_000);
        assert_eq!(amount("-n", "64KiB", 1024).unwrap(), 65_536);
        assert_eq!(amount("-n", "1.5k", 1024).unwrap(), 1_536);
        assert_eq!(amount("-b", "20mbit", 1000).unwrap(), 20_000_000);
        assert!(amount("-n", "", 1000).is_err() && amount("-n", "9999999999t", 1000).is_err());
    }
}
