//! Whether a table has only the keys it may have, each with a value of the right shape.

use crate::document::{Item, Table, Text, Value};
use crate::mistake::{Mistake, Mistakes, Span};
use crate::nearest::suggest;
use crate::schema::{Key, Kind, Phrase, Section};
use crate::units::{self, Refusal};

/// Reports unknown keys, missing keys and values of the wrong shape in `table` and below it. What passes can be read
/// without a second look. Keys that are missing at a node are another matter: a range may have them, see [`required`].
pub fn check(table: &Table, section: &Section, path: &str, span: &Span, mistakes: &mut Mistakes) {
    keys(table, section, path, mistakes);
    if path.matches('.').count() == 0 || !NODES.iter().any(|kind| path.starts_with(kind)) {
        missing(table, section, path, span, mistakes);
    }
}

/// The paths of nodes begin so.
const NODES: [&str; 4] = ["hub.", "switch.", "router.", "host."];

/// Reports keys that are missing in the table of a node, in which everything that the file says of it is put together,
/// and in the tables below it.
pub fn required(table: &Table, section: &Section, path: &str, span: &Span, mistakes: &mut Mistakes) {
    missing(table, section, path, span, mistakes);
    for (name, item) in &table.entries {
        let kind = section.key(&name.text).map(|key| key.kind).or_else(|| numbered(section, &name.text));
        let (Some(kind), Value::Table(inner)) = (kind, &item.value) else { continue };
        let inner_section = match kind {
            Kind::Table(section) | Kind::Either(_, &Kind::Table(section)) => section,
            _ => continue,
        };
        required(inner, inner_section, &join(path, &name.text), &item.span, mistakes);
    }
}

fn missing(table: &Table, section: &Section, path: &str, span: &Span, mistakes: &mut Mistakes) {
    for key in section.required {
        if table.get(key).is_none() {
            let reason =
                if path.is_empty() { format!("the lab has no `{key}`") } else { format!("`{path}` has no `{key}`") };
            let doc = section.key(key).map(|k| format!("{key}: {}", k.doc));
            mistakes.push(Mistake::new("missing-key", span.clone(), reason, "missing here").help(doc));
        }
    }
}

fn keys(table: &Table, section: &Section, path: &str, mistakes: &mut Mistakes) {
    for (name, item) in &table.entries {
        if let Some(key) = section.key(&name.text) {
            value(item, &key.kind, &join(path, key.name), mistakes);
        } else if let Some(kind) = numbered(section, &name.text) {
            value(item, &kind, &join(path, &name.text), mistakes);
        } else {
            let place = if path.is_empty() { "at the top of a lab file".to_owned() } else { format!("in `{path}`") };
            let reason = format!("there is no key `{}` {place}", name.text);
            mistakes.push(Mistake::new("unknown-key", name.span.clone(), reason, "unknown key").help(suggest(
                &name.text,
                "keys",
                section.keys().map(|k: &Key| k.name),
            )));
        }
    }
}

fn numbered(section: &Section, name: &str) -> Option<Kind> {
    let (prefix, kind) = section.numbered?;
    let digits = name.strip_prefix(prefix)?;
    digits.parse::<u16>().ok().filter(|n| n.to_string() == digits).map(|_| kind)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn value(item: &Item, kind: &Kind, path: &str, mistakes: &mut Mistakes) {
    let refusal = match (kind, &item.value) {
        (Kind::Text, Value::Text(_)) | (Kind::Switch, Value::Bool(_)) | (Kind::Values, Value::List(_)) => return,
        (Kind::Choice(words), Value::Text(text)) => {
            if words().contains(&text.text.as_str()) {
                return;
            }
            let reason = format!("`{path}` cannot be `{}`", text.text);
            let help = suggest(&text.text, "it may be", words().iter().copied());
            return mistakes.push(Mistake::new("unknown-value", text.inner(), reason, "unknown value").help(help));
        }
        (Kind::Time, Value::Text(text)) => return quantity(text, units::time(&text.text).err(), mistakes),
        (Kind::Span(least), Value::Text(text)) => return quantity(text, span(&text.text, *least).err(), mistakes),
        (Kind::Size, Value::Text(text)) => return quantity(text, units::size(&text.text).err(), mistakes),
        (Kind::Time | Kind::Span(_), Value::Integer(_) | Value::Float(_)) => {
            let number = number(item);
            let refusal = units::time(&number).err();
            return refuse("unit", item.span.clone(), "a unit is missing", refusal, mistakes);
        }
        (Kind::Size, Value::Integer(n)) if *n >= 0 => return,
        (Kind::Count(min, max), Value::Integer(n)) => {
            if (*min..=*max).contains(n) {
                return;
            }
            let reason = format!("`{path}` is {n}, not between {min} and {max}");
            return mistakes.push(Mistake::new("out-of-range", item.span.clone(), reason, "out of range"));
        }
        (Kind::Date, Value::Datetime(_)) => match date(&item.value) {
            Ok(_) => return,
            Err(refusal) => refusal,
        },
        (Kind::Date, Value::Text(text)) => {
            return quantity(text, date(&item.value).err(), mistakes);
        }
        (Kind::Phrase(phrase), Value::Text(text)) => return self::phrase(text, phrase, path, mistakes),
        (Kind::Phrase(phrase), Value::Integer(_) | Value::Float(_)) => {
            return self::phrase(&Text::bare(number(item), item.span.clone()), phrase, path, mistakes);
        }
        (Kind::Texts(phrase), Value::Text(text)) => return self::phrase(text, phrase, path, mistakes),
        (Kind::Texts(phrase), Value::List(list)) => {
            for item in list {
                match &item.value {
                    Value::Text(text) => self::phrase(text, phrase, path, mistakes),
                    other => mismatch(item, other, phrase.what, path, mistakes),
                }
            }
            return;
        }
        (Kind::Table(section), Value::Table(table)) => return check(table, section, path, &item.span, mistakes),
        (Kind::Named(_, kind), Value::Table(table)) => {
            for (name, item) in &table.entries {
                value(item, kind, &join(path, &name.text), mistakes);
            }
            return;
        }
        (Kind::Either(a, b), _) => {
            let chosen = if fits(a, &item.value) || !fits(b, &item.value) { a } else { b };
            return value(item, chosen, path, mistakes);
        }
        (_, other) => return mismatch(item, other, &kind.what(), path, mistakes),
    };
    mistakes.push(Mistake::refused("unit", item.span.clone(), "here", refusal));
}

/// Whether a value has the type that `kind` asks for.
fn fits(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Table(_) | Kind::Named(..) => matches!(value, Value::Table(_)),
        Kind::Switch => matches!(value, Value::Bool(_)),
        Kind::Count(..) => matches!(value, Value::Integer(_)),
        Kind::Values => matches!(value, Value::List(_)),
        Kind::Texts(_) => matches!(value, Value::Text(_) | Value::List(_)),
        Kind::Date => matches!(value, Value::Datetime(_) | Value::Text(_)),
        Kind::Either(a, b) => fits(a, value) || fits(b, value),
        Kind::Text | Kind::Choice(_) => matches!(value, Value::Text(_)),
        Kind::Time | Kind::Span(_) | Kind::Size | Kind::Phrase(_) => {
            matches!(value, Value::Text(_) | Value::Integer(_) | Value::Float(_))
        }
    }
}

impl Kind {
    /// What is wanted, for a person.
    fn what(&self) -> String {
        match self {
            Self::Text => "a string".into(),
            Self::Choice(words) => format!("one of: {}", words().join(", ")),
            Self::Time | Self::Span(_) => "a time such as \"10ms\"".into(),
            Self::Size => "a size such as \"64kb\"".into(),
            Self::Count(min, max) => format!("a whole number from {min} to {max}"),
            Self::Switch => "true or false".into(),
            Self::Date => "a date with a time such as 2026-01-01T00:00:00Z".into(),
            Self::Phrase(phrase) => format!("{} such as \"{}\"", phrase.what, phrase.example),
            Self::Texts(phrase) => format!("a list of strings such as [\"{}\"]", phrase.example),
            Self::Table(_) => "a table".into(),
            Self::Named(what, _) => format!("a table with a key for each {what}"),
            Self::Values => "a list".into(),
            Self::Either(a, b) => format!("{}, or {}", a.what(), b.what()),
        }
    }
}

fn mismatch(item: &Item, found: &Value, wanted: &str, path: &str, mistakes: &mut Mistakes) {
    let reason = format!("`{path}` is {}", found.what());
    mistakes.push(
        Mistake::new("type", item.span.clone(), reason, format!("{} here", found.what()))
            .help(format!("it wants {wanted}")),
    );
}

/// A time that is not too short to be one.
fn span(text: &str, least: core::time::Duration) -> Result<(), Refusal> {
    let time = units::time(text)?;
    if time >= least {
        return Ok(());
    }
    Err(if time.is_zero() {
        Refusal::new("no time at all").help(format!("at least {least:?}"))
    } else {
        Refusal::new(format!("{text} is less than {least:?}")).help("a longer time")
    })
}

fn quantity(text: &Text, refusal: Option<Refusal>, mistakes: &mut Mistakes) {
    refuse("unit", text.inner(), "not understood", refusal, mistakes);
}

fn refuse(code: &'static str, span: Span, label: &str, refusal: Option<Refusal>, mistakes: &mut Mistakes) {
    if let Some(refusal) = refusal {
        mistakes.push(Mistake::refused(code, span, label, refusal));
    }
}

fn phrase(text: &Text, phrase: &Phrase, path: &str, mistakes: &mut Mistakes) {
    let key = path.rsplit('.').next().unwrap_or(path);
    if let Err(wrong) = (phrase.check)(key, text) {
        mistakes.push(wrong.mistake(text));
    }
}

/// A number as text, so that one parser serves numbers and strings.
fn number(item: &Item) -> String {
    match &item.value {
        Value::Integer(n) => n.to_string(),
        Value::Float(n) => n.to_string(),
        _ => String::new(),
    }
}

/// The time since 1970 of a TOML date or of a string that holds one.
pub fn date(value: &Value) -> Result<core::time::Duration, Refusal> {
    let refusal = || Refusal::new("not a date with a time").help("write it as 2026-01-01T00:00:00Z");
    let parsed = match value {
        Value::Datetime(date) => *date,
        Value::Text(text) => text.text.parse().map_err(|_| refusal())?,
        _ => return Err(refusal()),
    };
    let (Some(date), Some(time)) = (parsed.date, parsed.time) else { return Err(refusal()) };
    let offset = match parsed.offset {
        None | Some(toml::value::Offset::Z) => 0,
        Some(toml::value::Offset::Custom { minutes }) => i64::from(minutes) * 60,
    };
    let seconds = days(i64::from(date.year), i64::from(date.month), i64::from(date.day)) * 86_400
        + i64::from(time.hour) * 3600
        + i64::from(time.minute) * 60
        + i64::from(time.second.unwrap_or(0))
        - offset;
    match u64::try_from(seconds) {
        Ok(seconds) if seconds >= LATEST => {
            Err(Refusal::new("a date after 9399").help("virtual time may last 584 years, and dates end with 9999"))
        }
        Ok(seconds) => Ok(core::time::Duration::new(seconds, time.nanosecond.unwrap_or(0).min(999_999_999))),
        Err(_) => Err(Refusal::new("a date before 1970")),
    }
}

/// 9400-01-01, before which virtual time must begin: certificates (RFC 5280 §4.1.2.5) and HTTP (RFC 9110 §5.6.7) have four
/// digits for a year.
const LATEST: u64 = 234_468_172_800;

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_unix_time() {
        for (text, secs) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-01-01T00:00:00Z", 1_767_225_600),
            ("2026-01-01T09:00:00+09:00", 1_767_225_600),
        ] {
            let value = Value::Datetime(text.parse().unwrap());
            assert_eq!(date(&value).unwrap().as_secs(), secs, "{text}");
        }
        assert!(date(&Value::Datetime("9399-12-31T23:59:59Z".parse().unwrap())).is_ok());
        assert!(date(&Value::Datetime("9400-01-01T00:00:00Z".parse().unwrap())).is_err());
        assert!(date(&Value::Datetime("9999-12-31T23:59:59-23:59".parse().unwrap())).is_err());
        assert!(date(&Value::Datetime("2026-01-01".parse().unwrap())).is_err());
        assert!(date(&Value::Datetime("1969-01-01T00:00:00Z".parse().unwrap())).is_err());
    }
}
