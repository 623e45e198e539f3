//! Quantities as networking people write them: the words and units of `tc`, and nothing that could be misread.

use core::time::Duration;

use septet_core::{Bytes, Rate};

/// Why a quantity was not understood, and what to write instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What is wrong.
    pub reason: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Refusal {
    /// A refusal without a mend.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: None }
    }

    /// Says what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Nanoseconds in each unit of time.
const TIMES: &[(&str, f64)] = &[
    ("ns", 1.0),
    ("nsec", 1.0),
    ("nsecs", 1.0),
    ("us", 1e3),
    ("usec", 1e3),
    ("usecs", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("msec", 1e6),
    ("msecs", 1e6),
    ("s", 1e9),
    ("sec", 1e9),
    ("secs", 1e9),
    ("min", 60e9),
    ("h", 3600e9),
];

/// Bits a second in each unit of rate.
const RATES: &[(&str, f64)] = &[
    ("bit", 1.0),
    ("kbit", 1e3),
    ("mbit", 1e6),
    ("gbit", 1e9),
    ("tbit", 1e12),
    ("kibit", 1024.0),
    ("mibit", 1048576.0),
    ("gibit", 1073741824.0),
    ("byte", 8.0),
    ("kbyte", 8e3),
    ("mbyte", 8e6),
    ("gbyte", 8e9),
];

/// Bytes in each unit of size. As in `tc`, `kb` is 1024 bytes.
const SIZES: &[(&str, f64)] = &[
    ("b", 1.0),
    ("byte", 1.0),
    ("bytes", 1.0),
    ("k", 1024.0),
    ("kb", 1024.0),
    ("kib", 1024.0),
    ("m", 1048576.0),
    ("mb", 1048576.0),
    ("mib", 1048576.0),
    ("g", 1073741824.0),
    ("gb", 1073741824.0),
    ("gib", 1073741824.0),
];

/// Metres in each unit of length.
const LENGTHS: &[(&str, f64)] = &[("cm", 0.01), ("m", 1.0), ("km", 1e3)];

/// A span of time as lab files write it: `1.5s`, `20ms`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    time(text).map_err(in_words)
}

/// A size in bytes as lab files write it: `64kb`, `2gb`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    size(text).map(|bytes| bytes.0).map_err(in_words)
}

fn in_words(refusal: Refusal) -> String {
    match refusal.help {
        Some(help) => format!("{}; {help}", refusal.reason),
        None => refusal.reason,
    }
}

/// A span of time: `20us`, `1.5s`.
pub fn time(text: &str) -> Result<Duration, Refusal> {
    let (number, unit) = split(text, "a time", "`10ms`")?;
    let Some(factor) = find(TIMES, unit) else {
        return Err(if unit.is_empty() {
            Refusal::new("a time needs a unit").help(format!("write `{0}s`, `{0}ms` or `{0}us`", text.trim()))
        } else {
            unknown_unit(unit, "time", &["ns", "us", "ms", "s", "min", "h"])
        });
    };
    let nanos = (number * factor).round();
    if nanos < 0.0 {
        return Err(Refusal::new("a time is not negative"));
    }
    if nanos > 9.2e18 {
        return Err(Refusal::new("a time of more than 292 years"));
    }
    Ok(Duration::from_nanos(nanos as u64))
}

/// A bit rate: `20mbit`, `1.5gbit`. `tc` reads `mbps` as megabytes a second, nearly everybody else as megabits:
/// it is refused.
pub fn rate(text: &str) -> Result<Rate, Refusal> {
    let (number, unit) = split(text, "a rate", "`20mbit`")?;
    let unit = unit.strip_suffix("/s").unwrap_or(unit);
    let lower = unit.to_lowercase();
    if let Some(prefix) = lower.strip_suffix("bps")
        && ["", "k", "m", "g", "t", "ki", "mi", "gi"].contains(&prefix)
    {
        return Err(Refusal::new(format!("`{unit}` means bytes a second to `tc` and bits a second to most people"))
            .help(format!("write `{number}{prefix}bit` for bits, `{number}{prefix}byte` for bytes")));
    }
    let Some(factor) = find(RATES, unit) else {
        return Err(if unit.is_empty() {
            Refusal::new("a rate needs a unit").help(format!("write `{0}bit`, `{0}kbit` or `{0}mbit`", text.trim()))
        } else {
            unknown_unit(unit, "rate", &["bit", "kbit", "mbit", "gbit", "tbit", "kbyte", "mbyte"])
        });
    };
    let bits = (number * factor).round();
    if bits < 1.0 {
        return Err(Refusal::new("a rate is at least one bit a second").help("`cut` a link to stop all traffic on it"));
    }
    if bits > 1e18 {
        return Err(Refusal::new("a rate of more than a million terabits a second"));
    }
    Rate::from_bits_per_sec(bits as u64).ok_or_else(|| Refusal::new("a rate is not zero"))
}

/// A number of bytes: `64kb`, `1500`.
pub fn size(text: &str) -> Result<Bytes, Refusal> {
    let (number, unit) = split(text, "a size", "`64kb`")?;
    let factor = if unit.is_empty() { 1.0 } else { find(SIZES, unit).ok_or_else(|| size_unit(unit))? };
    let bytes = (number * factor).round();
    if bytes < 0.0 {
        return Err(Refusal::new("a size is not negative"));
    }
    if bytes > 9.2e18 {
        return Err(Refusal::new("a size of more than eight million terabytes"));
    }
    Ok(Bytes(bytes as u64))
}

/// A share of the whole: `0.5%`, or the ratio `0.005`.
pub fn ratio(text: &str) -> Result<f64, Refusal> {
    let (number, unit) = split(text, "a percentage", "`0.5%`")?;
    let ratio = match unit {
        "%" => number / 100.0,
        "" if number > 1.0 => {
            return Err(Refusal::new(format!("`{}` is neither a ratio from 0 to 1 nor a percentage", text.trim()))
                .help(format!("write `{}%`", text.trim())));
        }
        "" => number,
        _ => return Err(Refusal::new(format!("`{unit}` is not a unit here")).help("write a percentage such as `0.5%`")),
    };
    if !(0.0..=1.0).contains(&ratio) {
        return Err(Refusal::new(format!("{} is not between 0% and 100%", text.trim())));
    }
    Ok(ratio)
}

/// A length of cable, in metres: `100m`, `2km`.
pub fn length(text: &str) -> Result<f64, Refusal> {
    let (number, unit) = split(text, "a length", "`100m`")?;
    match find(LENGTHS, unit) {
        Some(factor) if number >= 0.0 => Ok(number * factor),
        Some(_) => Err(Refusal::new("a length is not negative")),
        None if unit.is_empty() => Err(Refusal::new("a length needs a unit").help("write `100m` or `2km`")),
        None => Err(unknown_unit(unit, "length", &["cm", "m", "km"])),
    }
}

/// The bound of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// So many bytes.
    Bytes(Bytes),
    /// So many packets.
    Packets(u64),
}

/// A bound in bytes (`64kb`) or in packets (`100p`, `100packets`, or the bare number that netem takes).
pub fn limit(text: &str) -> Result<Limit, Refusal> {
    let (number, unit) = split(text, "a limit", "`64kb` or `100p`")?;
    let packets = ["", "p", "pkt", "pkts", "packet", "packets"];
    if packets.contains(&unit.to_lowercase().as_str()) {
        if number < 1.0 || number.fract() != 0.0 || number > 1e9 {
            return Err(Refusal::new("a queue holds a whole number of packets, at least one"));
        }
        return Ok(Limit::Packets(number as u64));
    }
    match size(text)? {
        Bytes(0) => Err(Refusal::new("a queue of zero bytes holds nothing")),
        bytes => Ok(Limit::Bytes(bytes)),
    }
}

/// What a number with a unit measures, where an expectation may hold any of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Dimension {
    /// A count or a ratio.
    Number,
    /// In seconds.
    Time,
    /// In bytes.
    Size,
    /// In bits a second.
    Rate,
}

impl Dimension {
    /// Its name with an article.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Time => "a time",
            Self::Size => "a size",
            Self::Rate => "a rate",
        }
    }
}

/// A literal of any dimension: `195`, `95%`, `900ms`, `64kb`, `20mbit`.
pub fn literal(text: &str) -> Result<(f64, Dimension), Refusal> {
    let (number, unit) = split(text, "a number", "`900ms`")?;
    if unit.is_empty() {
        return Ok((number, Dimension::Number));
    }
    if unit == "%" {
        return Ok((number / 100.0, Dimension::Number));
    }
    if find(TIMES, unit).is_some() {
        return Ok((time(text)?.as_secs_f64(), Dimension::Time));
    }
    // `m` and `k` alone could be minutes, metres or thousands.
    if unit.len() > 1 || unit == "b" {
        if let Some(factor) = find(SIZES, unit) {
            return Ok((number * factor, Dimension::Size));
        }
        if find(RATES, unit.strip_suffix("/s").unwrap_or(unit)).is_some() || unit.to_lowercase().ends_with("bps") {
            return Ok((rate(text)?.bits_per_sec() as f64, Dimension::Rate));
        }
    }
    Err(unknown_unit(unit, "unit", &["ms", "s", "kb", "mb", "kbit", "mbit", "%"]))
}

/// Renders a value of this dimension as a person would write it.
pub fn render(value: f64, dimension: Dimension) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    match dimension {
        Dimension::Number => trim(value, 4),
        Dimension::Time => match value.abs() {
            v if v >= 1.0 || v == 0.0 => format!("{}s", trim(value, 3)),
            v if v >= 1e-3 => format!("{}ms", trim(value * 1e3, 3)),
            v if v >= 1e-6 => format!("{}us", trim(value * 1e6, 3)),
            _ => format!("{}ns", trim(value * 1e9, 0)),
        },
        Dimension::Size => match value.abs() {
            v if v >= 1073741824.0 => format!("{}gb", trim(value / 1073741824.0, 2)),
            v if v >= 1048576.0 => format!("{}mb", trim(value / 1048576.0, 2)),
            v if v >= 1024.0 => format!("{}kb", trim(value / 1024.0, 2)),
            _ => format!("{}b", trim(value, 0)),
        },
        Dimension::Rate => match value.abs() {
            v if v >= 1e9 => format!("{}gbit", trim(value / 1e9, 3)),
            v if v >= 1e6 => format!("{}mbit", trim(value / 1e6, 3)),
            v if v >= 1e3 => format!("{}kbit", trim(value / 1e3, 3)),
            _ => format!("{}bit", trim(value, 0)),
        },
    }
}

fn trim(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn find(table: &[(&str, f64)], unit: &str) -> Option<f64> {
    let unit = unit.to_lowercase();
    table.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

fn unknown_unit(unit: &str, what: &str, known: &[&str]) -> Refusal {
    let what = if what == "unit" { "a unit".to_owned() } else { format!("a unit of {what}") };
    let help = crate::nearest::suggest(unit, "units", known.iter().copied());
    Refusal { reason: format!("`{unit}` is not {what}"), help }
}

fn size_unit(unit: &str) -> Refusal {
    if unit.to_lowercase().ends_with("bit") {
        return Refusal::new(format!("`{unit}` is a rate, not a size")).help("sizes are in bytes: `64kb`, `1mb`");
    }
    unknown_unit(unit, "size", &["b", "kb", "mb", "gb", "kib", "mib"])
}

/// Splits `20mbit` into the number and the unit. Scientific notation (`1e-6`) is part of the number.
fn split<'a>(text: &'a str, what: &str, example: &str) -> Result<(f64, &'a str), Refusal> {
    let text = text.trim();
    let end = number_end(text);
    let (digits, unit) = text.split_at(end);
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((number, unit.trim())),
        _ => Err(Refusal::new(format!("`{text}` is not {what}"))
            .help(format!("write {what} as a number with a unit: {example}"))),
    }
}

/// Where the number at the beginning of `text` ends.
pub fn number_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    while end < bytes.len()
        && (bytes[end].is_ascii_digit() || (bytes[end] == b'.' && bytes.get(end + 1) != Some(&b'.')))
    {
        end += 1;
    }
    if end > 0 && matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let digits = bytes[end + 1 + sign..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            end += 1 + sign + digits;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, nanos) in [
            ("20us", 20_000),
            ("1.1s", 1_100_000_000),
            ("0.5 ms", 500_000),
            ("3msec", 3_000_000),
            ("2min", 120_000_000_000),
            ("1e-3s", 1_000_000),
            ("7ns", 7),
        ] {
            assert_eq!(time(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for text in ["", "5", "ms", "5 furlongs", "-1s", "1e300s", "nan s", "inf"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates() {
        for (text, bits) in
            [("20mbit", 20_000_000), ("1Gbit", 1_000_000_000), ("1.5kbyte", 12_000), ("3 Mbit/s", 3_000_000)]
        {
            assert_eq!(rate(text).map(Rate::bits_per_sec), Ok(bits), "{text}");
        }
        let refusal = rate("20mbps").unwrap_err();
        assert_eq!(refusal.help.as_deref(), Some("write `20mbit` for bits, `20mbyte` for bytes"));
        for text in ["0mbit", "20", "20mbut", "-1bit", "1e30bit", "20KBps"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_limits() {
        assert_eq!(size("64kb"), Ok(Bytes(65_536)));
        assert_eq!(size("1500"), Ok(Bytes(1500)));
        assert_eq!(limit("64kb"), Ok(Limit::Bytes(Bytes(65_536))));
        assert_eq!(limit("100p"), Ok(Limit::Packets(100)));
        assert_eq!(limit("1000"), Ok(Limit::Packets(1000)));
        for text in ["0", "0kb", "1.5p", "-3p", "5mbit"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ratios() {
        assert_eq!(ratio("0.5%"), Ok(0.005));
        assert_eq!(ratio("1e-6"), Ok(1e-6));
        assert_eq!(ratio("5").unwrap_err().help.as_deref(), Some("write `5%`"));
        for text in ["101%", "-1%", "5ms", "x"] {
            assert!(ratio(text).is_err(), "{text}");
        }
    }

    #[test]
    fn literals_of_every_dimension() {
        for (text, value, dimension) in [
            ("195", 195.0, Dimension::Number),
            ("95%", 0.95, Dimension::Number),
            ("900ms", 0.9, Dimension::Time),
            ("64kb", 65_536.0, Dimension::Size),
            ("20mbit", 2e7, Dimension::Rate),
        ] {
            assert_eq!(literal(text), Ok((value, dimension)), "{text}");
            assert_eq!(literal(&render(value, dimension)).unwrap(), (value, dimension), "{text}");
        }
        assert!(literal("5m").is_err() && literal("5mbps").is_err());
    }
}
