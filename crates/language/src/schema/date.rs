//! Dates with a time: TOML's own, or strings that hold one.

use core::time::Duration;

use crate::document::Value;
use crate::units::Refusal;

/// The time since 1970 of a TOML date or of a string that holds one.
pub(super) fn date(value: &Value) -> Result<Duration, Refusal> {
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
        Ok(seconds) => Ok(Duration::new(seconds, time.nanosecond.unwrap_or(0).min(999_999_999))),
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
