//! How the value of an option or of a sysctl is written: as octets for `setsockopt(2)`, as words under `/proc/sys`, and as
//! which kind of key in a lab file.

use core::fmt;
use core::time::Duration;

use super::{Cork, EcnMode, Keepalive, Linger, MtuProbing, Nodelay, TwReuse};

/// A value, whatever it is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A number.
    Number(u64),
    /// A time.
    Span(Duration),
    /// The name of a congestion controller.
    Controller(ControllerName),
    /// What closing does.
    Linger(Linger),
    /// First and last port.
    Ports(u16, u16),
    /// Least, first and greatest size of a buffer.
    Sizes([usize; 3]),
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Zero or one.
    Switch,
    /// A number from the first to the second.
    Number(u64, u64),
    /// The size of a buffer in bytes. The kernel doubles it "to allow space for bookkeeping overhead" (socket(7)), and
    /// tells at least so many.
    Buffer {
        /// The least that is told.
        least: u64,
    },
    /// A time.
    Span {
        /// In which unit it is written as a number.
        unit: Unit,
        /// The shortest.
        least: Duration,
        /// The greatest number.
        most: u64,
    },
    /// A time that limits; zero for none. In this unit, of which it is one at least.
    Limit(Unit),
    /// The name of a congestion controller.
    Controller,
    /// `struct linger`
    Linger,
    /// One of these words; under `/proc/sys` its number.
    Words(fn() -> Vec<(&'static str, Value)>),
    /// Two ports.
    Ports,
    /// Three sizes.
    Sizes,
}

/// A unit of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// s
    Seconds,
    /// ms
    Millis,
    /// µs
    Micros,
    /// ns
    Nanos,
}

impl Unit {
    /// So many of it.
    pub const fn span(self, number: u64) -> Duration {
        match self {
            Self::Seconds => Duration::from_secs(number),
            Self::Millis => Duration::from_millis(number),
            Self::Micros => Duration::from_micros(number),
            Self::Nanos => Duration::from_nanos(number),
        }
    }

    fn number(self, span: Duration) -> u64 {
        let number = match self {
            Self::Seconds => return span.as_secs(),
            Self::Millis => span.as_millis(),
            Self::Micros => span.as_micros(),
            Self::Nanos => span.as_nanos(),
        };
        u64::try_from(number).unwrap_or(u64::MAX)
    }
}

impl Form {
    /// A time in `unit`, not shorter than `least`, as a number not greater than `most`.
    pub const fn span(unit: Unit, least: Duration, most: u64) -> Self {
        Self::Span { unit, least, most }
    }

    /// Whether a value of this form may be this one.
    pub fn takes(self, value: Value) -> bool {
        match (self, value) {
            (Self::Number(least, most), Value::Number(n)) => (least..=most).contains(&n),
            (Self::Span { unit, least, most }, Value::Span(span)) => span >= least && unit.number(span) <= most,
            (Self::Limit(unit), Value::Span(span)) => {
                span.is_zero() || (1..=i32::MAX as u64).contains(&unit.number(span))
            }
            (Self::Words(words), value) => words().iter().any(|(_, said)| *said == value),
            (Self::Ports, Value::Ports(first, last)) => first > 0 && first <= last,
            (Self::Switch, Value::Switch(_))
            | (Self::Buffer { .. }, Value::Number(_))
            | (Self::Controller, Value::Controller(_))
            | (Self::Linger, Value::Linger(_))
            | (Self::Sizes, Value::Sizes(_)) => true,
            _ => false,
        }
    }

    /// The value as `setsockopt(2)` takes it.
    pub fn octets(self, value: Value) -> Vec<u8> {
        let int = |n: u64| (n.min(u32::MAX.into()) as u32).to_le_bytes().to_vec();
        match (self, value) {
            (_, Value::Switch(on)) => int(on.into()),
            (_, Value::Number(n)) => int(n),
            // What is shorter than the unit is not nothing.
            (Self::Span { unit, .. }, Value::Span(span)) => int(unit.number(span).max(u64::from(!span.is_zero()))),
            (Self::Limit(unit), Value::Span(span)) => int(unit.number(span)),
            (_, Value::Span(span)) => int(Unit::Seconds.number(span)),
            (_, Value::Controller(name)) => name.0.to_vec(),
            (_, Value::Linger(linger)) => match linger {
                Linger::Background => [int(0), int(0)].concat(),
                Linger::For(span) => [int(1), int(span.as_secs())].concat(),
                Linger::Reset => [int(1), int(0)].concat(),
            },
            (_, Value::Ports(first, last)) => [int(first.into()), int(last.into())].concat(),
            (_, Value::Sizes(sizes)) => sizes.map(|n| int(n as u64)).concat(),
        }
    }

    /// The value that `setsockopt(2)` is given as these octets; `None` where it is none of its.
    pub fn read(self, octets: &[u8]) -> Option<Value> {
        let value = match self {
            Self::Controller => {
                let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
                Value::Controller(core::str::from_utf8(&octets[..end]).ok()?.into())
            }
            Self::Linger => match (int(octets)?, int(octets.get(4..)?)?) {
                (0, _) => Value::Linger(Linger::Background),
                (_, 0) => Value::Linger(Linger::Reset),
                (_, seconds) => Value::Linger(Linger::For(Duration::from_secs(seconds.max(0) as u64))),
            },
            Self::Switch => Value::Switch(int(octets)? != 0),
            Self::Number(_, most) if most > i32::MAX as u64 => Value::Number((int(octets)? as u32).into()),
            Self::Number(..) | Self::Buffer { .. } | Self::Words(_) => Value::Number(int(octets)?.max(0) as u64),
            Self::Limit(unit) => Value::Span(unit.span(int(octets)?.try_into().ok()?)),
            Self::Span { unit, .. } => Value::Span(unit.span(int(octets)?.max(0) as u64)),
            Self::Ports | Self::Sizes => return None,
        };
        self.takes(value).then_some(value)
    }

    /// The value that a file under `/proc/sys` says.
    pub fn parse(self, text: &str) -> Option<Value> {
        let text = text.trim();
        let number = || text.parse::<u64>().ok();
        let value = match self {
            Self::Switch => Value::Switch(text.parse::<i64>().ok()? != 0),
            Self::Number(..) | Self::Buffer { .. } | Self::Words(_) => Value::Number(number()?),
            Self::Span { unit, least, .. } => Value::Span(unit.span(number()?).max(least)),
            Self::Limit(unit) => Value::Span(unit.span(number()?)),
            Self::Controller => Value::Controller(text.into()),
            Self::Ports => {
                let [first, last] = numbers(text)?;
                Value::Ports(first.try_into().ok()?, last.try_into().ok()?)
            }
            Self::Sizes => Value::Sizes(numbers(text)?),
            Self::Linger => return None,
        };
        self.takes(value).then_some(value)
    }
}

/// A number of four octets, or of one where that is all there is.
fn int(octets: &[u8]) -> Option<i32> {
    match octets.first_chunk::<4>() {
        Some(four) => Some(i32::from_le_bytes(*four)),
        None => octets.first().map(|one| i32::from(*one)),
    }
}

/// Numbers between white space, exactly as many as asked for.
fn numbers<const N: usize>(text: &str) -> Option<[usize; N]> {
    let all: Option<Vec<usize>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
    all?.try_into().ok()
}

/// What an option's field may hold.
pub(super) trait Field: Sized {
    fn from_value(value: Value) -> Option<Self>;
    fn into_value(self) -> Value;
}

macro_rules! fields {
    ($($type:ty: $pattern:pat => $from:expr, $self:ident => $into:expr;)*) => {
        $(impl Field for $type {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    $pattern => $from,
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                let $self = self;
                $into
            }
        })*
    };
}

fields! {
    bool: Value::Switch(on) => Some(on), on => Value::Switch(on);
    u8: Value::Number(n) => n.try_into().ok(), n => Value::Number(n.into());
    u16: Value::Number(n) => n.try_into().ok(), n => Value::Number(n.into());
    u32: Value::Number(n) => n.try_into().ok(), n => Value::Number(n.into());
    u64: Value::Number(n) => Some(n), n => Value::Number(n);
    usize: Value::Number(n) => n.try_into().ok(), n => Value::Number(n as u64);
    Duration: Value::Span(span) => Some(span), span => Value::Span(span);
    ControllerName: Value::Controller(name) => Some(name), name => Value::Controller(name);
    Linger: Value::Linger(linger) => Some(linger), linger => Value::Linger(linger);
    (u16, u16): Value::Ports(first, last) => Some((first, last)), ports => Value::Ports(ports.0, ports.1);
    [usize; 3]: Value::Sizes(sizes) => Some(sizes), sizes => Value::Sizes(sizes);
    Nodelay: Value::Switch(on) => Some(if on { Self::On } else { Self::Off }), it => Value::Switch(it == Self::On);
    Cork: Value::Switch(on) => Some(if on { Self::On } else { Self::Off }), it => Value::Switch(it == Self::On);
    Keepalive: Value::Switch(on) => Some(if on { Self::On } else { Self::Off }), it => Value::Switch(it == Self::On);
    EcnMode: Value::Number(n) => [Self::Off, Self::Active, Self::Passive].get(n as usize).copied(),
        it => Value::Number(it as u64);
    MtuProbing: Value::Number(n) => [Self::Off, Self::OnBlackHole, Self::Always].get(n as usize).copied(),
        it => Value::Number(it as u64);
    TwReuse: Value::Number(n) => [Self::Off, Self::On, Self::Loopback].get(n as usize).copied(),
        it => Value::Number(it as u64);
}

/// The name of a congestion controller; as Linux has it (`TCP_CA_NAME_MAX`), no longer than fifteen octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ControllerName([u8; 16]);

impl ControllerName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|octet| *octet == 0).unwrap_or(self.0.len());
        core::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl From<&str> for ControllerName {
    /// What is longer is cut.
    fn from(name: &str) -> Self {
        let mut octets = [0; 16];
        let end = name.floor_char_boundary(15);
        octets[..end].copy_from_slice(&name.as_bytes()[..end]);
        Self(octets)
    }
}

impl From<String> for ControllerName {
    fn from(name: String) -> Self {
        name.as_str().into()
    }
}

impl fmt::Display for ControllerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ControllerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
